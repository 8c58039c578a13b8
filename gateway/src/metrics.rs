//! What the door counts. Names are constants; labels come from closed sets.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use ingest::protocol::{BadFrame, Transport};

use crate::admission::REFUSALS;

type ByProtocol = Family<[(&'static str, &'static str); 1], Counter>;
type ByReason = Family<[(&'static str, &'static str); 2], Counter>;

/// Why a datagram was not taken; label values.
pub const DATAGRAM_REASONS: [&str; 7] =
    ["bad_frame", "unknown_device", "refused", "rate", "busy", "log", "unrecognised"];
/// Why a connection was not accepted or was ended by us; label values.
pub const CONNECTION_REASONS: [&str; 13] = [
    "limit",
    "address_limit",
    "unknown_device",
    "refused",
    "progress_timeout",
    "idle_timeout",
    "bad_frames",
    "log",
    "slow_reader",
    "replaced",
    "proxy_header",
    "tls",
    "unrecognised",
];
/// What came of looking at a certificate that had changed; label values.
pub const RELOAD_OUTCOMES: [&str; 2] = ["used", "refused"];

/// All counters of the door.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub(crate) connections: Gauge,
    records: ByProtocol,
    replies: ByProtocol,
    bytes: ByProtocol,
    bad_frames: ByReason,
    closed: ByReason,
    refused: ByReason,
    datagrams_received: ByProtocol,
    datagrams_accepted: ByProtocol,
    datagrams_rejected: ByReason,
    datagrams_kernel_dropped: ByProtocol,
    append_failures: Counter,
    accept_waits: Counter,
    paced: Counter,
    orders_told: Counter,
    orders_answered: Counter,
    orders_ended: Counter,
    reloads: Family<[(&'static str, &'static str); 1], Counter>,
    pub(crate) appending_bytes: Gauge,
    durable_seconds: DurableSeconds,
}

#[derive(Debug, Clone)]
struct DurableSeconds(Histogram);

impl Default for DurableSeconds {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.001, 2.0, 15)))
    }
}

impl Metrics {
    /// Puts every counter under its name, present from the start with 0.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry;
        r.register(
            "milepost_gateway_connections",
            "Connections open now",
            self.connections.clone(),
        );
        r.register("milepost_gateway_records", "Records taken", self.records.clone());
        r.register("milepost_gateway_replies", "Replies sent", self.replies.clone());
        r.register("milepost_gateway_bytes_received", "Bytes read", self.bytes.clone());
        r.register("milepost_gateway_frames_bad", "Frames skipped", self.bad_frames.clone());
        r.register(
            "milepost_gateway_connections_closed",
            "Connections refused or ended by the gateway",
            self.closed.clone(),
        );
        r.register(
            "milepost_gateway_devices_refused",
            "Times that a device was not let speak",
            self.refused.clone(),
        );
        r.register(
            "milepost_gateway_append_failures",
            "Appends that failed and were tried again or given up",
            self.append_failures.clone(),
        );
        r.register(
            "milepost_gateway_certificate_reloads",
            "Changed certificates that were read: used, or refused and the former kept",
            self.reloads.clone(),
        );
        r.register(
            "milepost_gateway_accept_waits",
            "Times that connections waited because too many came at once",
            self.accept_waits.clone(),
        );
        r.register(
            "milepost_gateway_paced",
            "Times that a connection said more than it may and was not read for a while",
            self.paced.clone(),
        );
        self.register_datagrams(r);
        self.register_orders(r);
        for outcome in RELOAD_OUTCOMES {
            drop(self.reloads.get_or_create(&[("outcome", outcome)]));
        }
        r.register(
            "milepost_gateway_appending_bytes",
            "Bytes of records on their way to the log, whose replies wait",
            self.appending_bytes.clone(),
        );
        r.register(
            "milepost_gateway_durable_seconds",
            "From reading a packet until its records are durable",
            self.durable_seconds.0.clone(),
        );
    }

    fn register_datagrams(&self, r: &mut Registry) {
        r.register(
            "milepost_gateway_datagrams_received",
            "Datagrams read: accepted and rejected together",
            self.datagrams_received.clone(),
        );
        r.register(
            "milepost_gateway_datagrams_accepted",
            "Datagrams taken",
            self.datagrams_accepted.clone(),
        );
        r.register(
            "milepost_gateway_datagrams_rejected",
            "Datagrams not taken",
            self.datagrams_rejected.clone(),
        );
        r.register(
            "milepost_gateway_datagrams_kernel_dropped",
            "Datagrams the kernel dropped because its buffer was full",
            self.datagrams_kernel_dropped.clone(),
        );
    }

    fn register_orders(&self, r: &mut Registry) {
        for (name, what, counter) in [
            ("milepost_gateway_orders_told", "Orders sent to devices", &self.orders_told),
            ("milepost_gateway_orders_answered", "Orders answered", &self.orders_answered),
            (
                "milepost_gateway_orders_ended",
                "Orders expired, refused, or not taken since too many wait",
                &self.orders_ended,
            ),
        ] {
            r.register(name, what, counter.clone());
        }
    }

    /// The counters of one listener, all of them made with 0.
    pub(crate) fn of(&self, name: &'static str, transport: Transport) -> Arc<Counters> {
        let by = |family: &ByProtocol| family.get_or_create(&[("protocol", name)]).clone();
        let because = |family: &ByReason, reason: &'static str| {
            family.get_or_create(&[("protocol", name), ("reason", reason)]).clone()
        };
        let udp = transport == Transport::Udp;
        let datagrams = |family: &ByProtocol| if udp { by(family) } else { Counter::default() };
        Arc::new(Counters {
            records: by(&self.records),
            replies: by(&self.replies),
            bytes: by(&self.bytes),
            bad: BAD_FRAMES.map(|kind| (kind, because(&self.bad_frames, kind.name()))),
            closed: CONNECTION_REASONS.map(|r| (r, because(&self.closed, r))),
            refused: REFUSALS.map(|r| (r, because(&self.refused, r))),
            received: datagrams(&self.datagrams_received),
            accepted: datagrams(&self.datagrams_accepted),
            rejected: DATAGRAM_REASONS.map(|r| {
                let rejected = &self.datagrams_rejected;
                (r, if udp { because(rejected, r) } else { Counter::default() })
            }),
            kernel_dropped: datagrams(&self.datagrams_kernel_dropped),
        })
    }

    /// A device was told an order.
    pub(crate) fn order_told(&self) {
        self.orders_told.inc();
    }

    /// A device has answered an order.
    pub(crate) fn order_answered(&self) {
        self.orders_answered.inc();
    }

    /// Orders came to an end without their device.
    pub(crate) fn orders_ended(&self, count: usize) {
        self.orders_ended.inc_by(count as u64);
    }

    /// A connection has to wait before it is accepted.
    pub(crate) fn accept_waits(&self) {
        self.accept_waits.inc();
    }

    /// A connection is not read for a while.
    pub(crate) fn paced(&self) {
        self.paced.inc();
    }

    pub(crate) fn append_failed(&self) {
        self.append_failures.inc();
    }

    /// A look at a certificate: whether it had changed, or that it could not be used.
    pub(crate) fn reloaded(&self, changed: Result<bool, ()>) {
        let outcome = match changed {
            Ok(false) => return,
            Ok(true) => "used",
            Err(()) => "refused",
        };
        self.reloads.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub(crate) fn durable(&self, seconds: f64) {
        self.durable_seconds.0.observe(seconds);
    }
}

const BAD_FRAMES: [BadFrame; 6] = [
    BadFrame::Checksum,
    BadFrame::Length,
    BadFrame::Truncated,
    BadFrame::Malformed,
    BadFrame::Range,
    BadFrame::NoIdentity,
];

/// One listener's counters, looked up once.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) records: Counter,
    pub(crate) replies: Counter,
    pub(crate) bytes: Counter,
    bad: [(BadFrame, Counter); 6],
    closed: [(&'static str, Counter); 13],
    refused: [(&'static str, Counter); 6],
    pub(crate) received: Counter,
    pub(crate) accepted: Counter,
    rejected: [(&'static str, Counter); 7],
    pub(crate) kernel_dropped: Counter,
}

fn inc<K: PartialEq>(counters: &[(K, Counter)], key: &K) {
    let found = counters.iter().find(|(k, _)| k == key);
    debug_assert!(found.is_some(), "label value outside of its closed set");
    if let Some((_, counter)) = found {
        counter.inc();
    }
}

impl Counters {
    pub(crate) fn bad(&self, kind: BadFrame) {
        inc(&self.bad, &kind);
    }
    pub(crate) fn closed(&self, reason: &'static str) {
        inc(&self.closed, &reason);
    }
    pub(crate) fn refused(&self, reason: &'static str) {
        inc(&self.refused, &reason);
    }
    pub(crate) fn rejected(&self, reason: &'static str) {
        inc(&self.rejected, &reason);
    }
}
