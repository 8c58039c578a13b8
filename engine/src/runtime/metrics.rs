//! What the runtime counts, by the names the outside knows.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Inputs on the log that are not stepped yet, over all partitions this process owns.
pub const LAG: &str = "milepost_engine_lag_records";
/// Inputs stepped.
pub const INPUTS: &str = "milepost_engine_inputs_stepped";
/// Outputs made visible.
pub const OUTPUTS: &str = "milepost_engine_outputs_committed";
/// Wake-ups stepped.
pub const WAKES: &str = "milepost_engine_wakes_stepped";
/// Resends dropped.
pub const DUPLICATES: &str = "milepost_engine_duplicates_dropped";
/// Receive times more than a minute ahead of the log's own time.
pub const CLOCKS_AHEAD: &str = "milepost_engine_clocks_ahead";
/// Records given to `dead-letters`, by reason.
pub const DEAD_LETTERS: &str = "milepost_engine_dead_letters";
/// Steps that panicked.
pub const PANICS: &str = "milepost_engine_panics";
/// Vehicles set aside.
pub const SET_ASIDE: &str = "milepost_engine_vehicles_set_aside";
/// Commits that became durable.
pub const COMMITS: &str = "milepost_engine_commits";
/// Time of one commit.
pub const COMMIT_SECONDS: &str = "milepost_engine_commit_seconds";
/// Calls of the log that failed, by call.
pub const FAILURES: &str = "milepost_engine_log_failures";
/// States written as checkpoints.
pub const CHECKPOINTS: &str = "milepost_engine_states_written";
/// Ticks appended.
pub const TICKS: &str = "milepost_engine_ticks_appended";
/// Partitions recovered.
pub const RECOVERIES: &str = "milepost_engine_recoveries";
/// Outputs that came out otherwise when stepped again, by engine version.
pub const DIFFERENCES: &str = "milepost_engine_recovery_differences";
/// Records given up under `accept_loss`.
pub const LOST: &str = "milepost_engine_records_lost";
/// Times a shard ended by a defect and was started anew.
pub const RESTARTS: &str = "milepost_engine_shard_restarts";
/// Edges slower than usual, in the traffic that this process made last.
pub const SLOW_EDGES: &str = "milepost_engine_slow_edges";
/// Edges closed, over all tenants, in the same.
pub const CLOSED_EDGES: &str = "milepost_engine_closed_edges";

/// A label of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Why {
    /// Reason, call or version.
    pub reason: &'static str,
}

/// A counter by reason.
pub type ByReason = Family<Why, Counter>;

/// All counters of the runtime; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// [`LAG`].
    pub lag: Gauge,
    /// [`INPUTS`].
    pub inputs: Counter,
    /// [`OUTPUTS`].
    pub outputs: Counter,
    /// [`WAKES`].
    pub wakes: Counter,
    /// [`DUPLICATES`].
    pub duplicates: Counter,
    /// [`CLOCKS_AHEAD`].
    pub clocks_ahead: Counter,
    /// [`DEAD_LETTERS`].
    pub dead_letters: ByReason,
    /// [`PANICS`].
    pub panics: Counter,
    /// [`SET_ASIDE`].
    pub set_aside: Counter,
    /// [`COMMITS`].
    pub commits: Counter,
    /// [`COMMIT_SECONDS`].
    pub commit_seconds: Histogram,
    /// [`FAILURES`].
    pub failures: ByReason,
    /// [`CHECKPOINTS`].
    pub checkpoints: Counter,
    /// [`TICKS`].
    pub ticks: Counter,
    /// [`RECOVERIES`].
    pub recoveries: Counter,
    /// [`DIFFERENCES`].
    pub differences: ByReason,
    /// [`LOST`].
    pub lost: Counter,
    /// [`RESTARTS`].
    pub restarts: Counter,
    /// [`SLOW_EDGES`].
    pub slow_edges: Gauge,
    /// [`CLOSED_EDGES`].
    pub closed_edges: Gauge,
}

/// Reasons of [`DEAD_LETTERS`].
pub const LETTER_REASONS: [&str; 4] = ["undecodable", "panic", "set_aside", "kills"];
/// Calls of [`FAILURES`].
pub const CALLS: [&str; 6] = ["poll", "commit", "rewind", "recover", "append", "traffic"];
/// Versions of [`DIFFERENCES`].
pub const VERSIONS: [&str; 2] = ["same", "other"];

impl Default for Metrics {
    fn default() -> Self {
        let family = |reasons: &[&'static str]| {
            let family = ByReason::default();
            for reason in reasons {
                drop(family.get_or_create(&Why { reason }));
            }
            family
        };
        Self {
            lag: Gauge::default(),
            inputs: Counter::default(),
            outputs: Counter::default(),
            wakes: Counter::default(),
            duplicates: Counter::default(),
            clocks_ahead: Counter::default(),
            dead_letters: family(&LETTER_REASONS),
            panics: Counter::default(),
            set_aside: Counter::default(),
            commits: Counter::default(),
            // 1 ms to 4 s.
            commit_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 13)),
            failures: family(&CALLS),
            checkpoints: Counter::default(),
            ticks: Counter::default(),
            recoveries: Counter::default(),
            differences: family(&VERSIONS),
            lost: Counter::default(),
            restarts: Counter::default(),
            slow_edges: Gauge::default(),
            closed_edges: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Makes them visible; all are present from the start with 0.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(LAG, "Inputs on the log not stepped yet", self.lag.clone());
        registry.register(INPUTS, "Inputs stepped", self.inputs.clone());
        registry.register(OUTPUTS, "Outputs made visible", self.outputs.clone());
        registry.register(WAKES, "Wake-ups stepped", self.wakes.clone());
        registry.register(DUPLICATES, "Resends dropped", self.duplicates.clone());
        let help = "Receive times over a minute ahead of the log";
        registry.register(CLOCKS_AHEAD, help, self.clocks_ahead.clone());
        registry.register(DEAD_LETTERS, "Records dead-lettered", self.dead_letters.clone());
        registry.register(PANICS, "Steps that panicked", self.panics.clone());
        registry.register(SET_ASIDE, "Vehicles set aside", self.set_aside.clone());
        registry.register(COMMITS, "Durable commits", self.commits.clone());
        registry.register(COMMIT_SECONDS, "Time of one commit", self.commit_seconds.clone());
        registry.register(FAILURES, "Calls of the log that failed", self.failures.clone());
        registry.register(CHECKPOINTS, "States written", self.checkpoints.clone());
        registry.register(TICKS, "Ticks appended", self.ticks.clone());
        registry.register(RECOVERIES, "Partitions recovered", self.recoveries.clone());
        let help = "Outputs that came out otherwise when stepped again";
        registry.register(DIFFERENCES, help, self.differences.clone());
        registry.register(LOST, "Records given up", self.lost.clone());
        registry.register(RESTARTS, "Shards started anew", self.restarts.clone());
        registry.register(SLOW_EDGES, "Edges slower than usual", self.slow_edges.clone());
        registry.register(CLOSED_EDGES, "Edges closed", self.closed_edges.clone());
    }

    pub(super) fn failed(&self, call: &'static str) {
        self.failures.get_or_create(&Why { reason: call }).inc();
    }
}
