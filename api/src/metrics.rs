//! What the api counts. Present from the start with 0.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::archive::keep::Kept;
use crate::archive::schema::Table;

const PACKET_TO_LIVE: &str = "milepost_engine_packet_to_live_seconds";
const OUTPUTS: &str = "milepost_api_outputs";
const BAD_OUTPUTS: &str = "milepost_api_bad_outputs";
const TAIL_ERRORS: &str = "milepost_api_tail_errors";
const HISTORY_LAG: &str = "milepost_api_history_lag_records";
const STREAMS: &str = "milepost_api_streams";
const RESETS: &str = "milepost_api_stream_resets";
const REFUSED: &str = "milepost_api_unauthorized_requests";
const UNAVAILABLE: &str = "milepost_api_unavailable_writes";
const ARCHIVED_ROWS: &str = "milepost_archive_rows";
const ARCHIVED_FILES: &str = "milepost_archive_files";
const ARCHIVE_MERGED: &str = "milepost_archive_merged_files";
const ARCHIVE_RETIRED: &str = "milepost_archive_retired_rows";
const ARCHIVE_DELETED: &str = "milepost_archive_deleted_files";
const ARCHIVE_FAILURES: &str = "milepost_archive_failures";
const ARCHIVE_UNREADABLE: &str = "milepost_archive_unreadable_outputs";
const ARCHIVE_LOST: &str = "milepost_archive_lost_offsets";
const ARCHIVE_TAIL: &str = "milepost_archive_tail_bytes";
const MESSAGES_TAKEN: &str = "milepost_api_messages_taken";
const MESSAGES_KNOWN: &str = "milepost_api_messages_told_before";
const MESSAGES_OLD: &str = "milepost_api_messages_too_old_events";
const MESSAGES_DROPPED: &str = "milepost_api_messages_dropped";
const MESSAGES_SENT: &str = "milepost_api_messages_sent";
const MESSAGES_RETRIED: &str = "milepost_api_messages_retried";
const MESSAGES_DEAD: &str = "milepost_api_messages_dead";
const MESSAGES_KEPT: &str = "milepost_api_messages_kept";

/// Counters and histograms; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// From a gateway's reading of a packet to its position in the live view, seconds.
    pub packet_to_live: Histogram,
    /// Outputs taken into the live view since it caught up.
    pub outputs: Counter,
    /// Outputs that could not be decoded.
    pub bad_outputs: Counter,
    /// Times the log did not answer the reader of outputs.
    pub tail_errors: Counter,
    /// Outputs that the history does not contain yet.
    pub history_lag: Gauge,
    /// Streams open now.
    pub streams: Gauge,
    /// Streams that were told `reset`.
    pub resets: Counter,
    /// Requests without a valid key or session.
    pub refused: Counter,
    /// Writes that were answered 503.
    pub unavailable: Counter,
    /// Messages written to the outbox.
    pub messages_taken: Counter,
    /// Messages not written since their condition was told before.
    pub messages_known: Counter,
    /// Events that told nobody since they were older than ten minutes.
    pub messages_old: Counter,
    /// Messages that no longer mattered once they could be sent, or nobody wants.
    pub messages_dropped: Counter,
    /// Messages that arrived.
    pub messages_sent: Counter,
    /// Tries that failed and are made again.
    pub messages_retried: Counter,
    /// Messages given up, or not wanted by their receiver.
    pub messages_dead: Counter,
    /// Messages kept since nothing could send them.
    pub messages_kept: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            // 1 ms to 65 s.
            packet_to_live: Histogram::new(exponential_buckets(0.001, 2.0, 17)),
            outputs: Counter::default(),
            bad_outputs: Counter::default(),
            tail_errors: Counter::default(),
            history_lag: Gauge::default(),
            streams: Gauge::default(),
            resets: Counter::default(),
            refused: Counter::default(),
            unavailable: Counter::default(),
            messages_taken: Counter::default(),
            messages_known: Counter::default(),
            messages_old: Counter::default(),
            messages_dropped: Counter::default(),
            messages_sent: Counter::default(),
            messages_retried: Counter::default(),
            messages_dead: Counter::default(),
            messages_kept: Counter::default(),
        }
    }
}

impl Metrics {
    /// Adds everything to a registry; the registry appends `_total` to counters.
    pub fn register(&self, registry: &mut Registry) {
        let histogram = self.packet_to_live.clone();
        registry.register(PACKET_TO_LIVE, "From a packet to the live view", histogram);
        registry.register(OUTPUTS, "Outputs taken into the live view", self.outputs.clone());
        registry.register(BAD_OUTPUTS, "Undecodable outputs", self.bad_outputs.clone());
        registry.register(TAIL_ERRORS, "Failed reads of outputs", self.tail_errors.clone());
        registry.register(HISTORY_LAG, "Outputs not in the history", self.history_lag.clone());
        registry.register(STREAMS, "Open streams", self.streams.clone());
        registry.register(RESETS, "Streams told reset", self.resets.clone());
        registry.register(REFUSED, "Requests without a valid key", self.refused.clone());
        registry.register(UNAVAILABLE, "Writes answered 503", self.unavailable.clone());
        for (name, help, count) in [
            (MESSAGES_TAKEN, "Messages in the outbox", &self.messages_taken),
            (MESSAGES_KNOWN, "Messages told before", &self.messages_known),
            (MESSAGES_OLD, "Events too old to tell", &self.messages_old),
            (MESSAGES_DROPPED, "Messages that no longer mattered", &self.messages_dropped),
            (MESSAGES_SENT, "Messages that arrived", &self.messages_sent),
            (MESSAGES_RETRIED, "Tries to be made again", &self.messages_retried),
            (MESSAGES_DEAD, "Messages given up", &self.messages_dead),
            (MESSAGES_KEPT, "Messages nothing could send", &self.messages_kept),
        ] {
            registry.register(name, help, count.clone());
        }
    }
}

/// What the archive counts; clones count together.
#[derive(Debug, Clone, Default)]
pub struct ArchiveMetrics {
    rows: Family<TableLabel, Counter>,
    files: Family<TableLabel, Counter>,
    merged: Counter,
    retired: Counter,
    deleted: Counter,
    /// Times that log or store did not answer.
    pub failures: Counter,
    /// Outputs that could not be read.
    pub unreadable: Counter,
    /// Offsets of `outputs` that were gone before they were archived.
    pub lost: Counter,
    /// Bytes of rows in memory that are not archived yet.
    pub tail_bytes: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabel {
    table: &'static str,
}

impl ArchiveMetrics {
    /// Adds everything to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(ARCHIVED_ROWS, "Rows archived", self.rows.clone());
        registry.register(ARCHIVED_FILES, "Files archived", self.files.clone());
        registry.register(ARCHIVE_TAIL, "Rows not archived yet, bytes", self.tail_bytes.clone());
        for (name, help, count) in [
            (ARCHIVE_MERGED, "Files merged", &self.merged),
            (ARCHIVE_RETIRED, "Rows let go by age", &self.retired),
            (ARCHIVE_DELETED, "Unlisted files deleted", &self.deleted),
            (ARCHIVE_FAILURES, "Times log or store did not answer", &self.failures),
            (ARCHIVE_UNREADABLE, "Outputs that cannot be archived", &self.unreadable),
            (ARCHIVE_LOST, "Offsets gone before they were archived", &self.lost),
        ] {
            registry.register(name, help, count.clone());
        }
        for table in Table::ALL {
            self.stored(table, 0, 0);
        }
    }

    pub(crate) fn stored(&self, table: Table, rows: u64, files: u64) {
        let label = TableLabel { table: table.name() };
        self.rows.get_or_create(&label).inc_by(rows);
        self.files.get_or_create(&label).inc_by(files);
    }

    pub(crate) fn kept(&self, kept: &Kept) {
        self.merged.inc_by(kept.merged);
        self.retired.inc_by(kept.retired_rows);
        self.deleted.inc_by(kept.deleted);
    }
}
