//! Partitions, shards, checkpoints, recovery: the only threads of the engine.
//!
//! [`Engine`] starts the shards of one process; a [`Shard`] owns partitions of `inputs` as a
//! member of the group [`GROUP`], steps their records and commits what came of them. In reading
//! order: `partition` is what a record means, whoever steps it; `slot` a vehicle in it with the
//! resends it knows, `timers` its wake-ups, `poison` what is left out. `shard` polls and steps,
//! `ownership` takes partitions up and gives them away, `commit` makes it durable, `owner`
//! appends ticks and worlds, [`Aggregator`] makes the traffic that these have. `checkpoint` says what is written
//! when, `recovery` builds a partition anew from it. [`replay()`] and [`export_states`] do the same
//! without owning anything.

mod aggregator;
mod checkpoint;
mod commit;
mod engine;
pub mod metrics;
mod owner;
mod ownership;
mod partition;
mod poison;
mod recovery;
mod replay;
mod scan;
mod shard;
mod slot;
mod timers;
mod worlds;

#[cfg(test)]
mod tests;

/// What is stepped: the vehicle, and in the tests of this module one whose steps are plain to
/// see, that wakes and panics as it is told.
#[cfg(not(test))]
use crate::vehicle as stepping;
#[cfg(test)]
use tests::toy as stepping;

use std::time::Duration;

use thiserror::Error;

pub use aggregator::{Aggregator, AggregatorError};
pub use engine::Engine;
pub use metrics::Metrics;
pub use recovery::RecoverError;
pub use replay::{ReplayError, Replayed, Span, export_states, replay};
pub use shard::{Shard, Turn};
pub use worlds::{Maps, MapsError, WORLDS_MAX, WorldError, Worlds};

use ingest::log::LogError;

use crate::alert::Policy;
use crate::eta::EtaModel;

/// The group that steps `inputs`.
pub const GROUP: &str = "engine";

/// How the runtime works; [`Default`] is right for one process on a disk log.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Stable over restarts; its shards join the group as `<instance>-<number>`.
    pub instance: String,
    /// Threads; each owns its share of the partitions. At least 1.
    pub shards: usize,
    /// The road maps there are.
    pub maps: Maps,
    /// ETA model of the World that this process may append.
    pub model: EtaModel,
    /// Policy of that World.
    pub policy: Policy,
    /// Commit at least this often while there is something to commit.
    pub commit_every: Duration,
    /// Go on where records are lost or of a newer version.
    pub accept_loss: bool,
    /// End when recovery gives other outputs than those on the log.
    pub strict: bool,
    /// Version of the engine, as markers carry it.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instance: "engine".to_owned(),
            shards: 1,
            maps: Maps::default(),
            model: EtaModel::default(),
            policy: Policy::default(),
            commit_every: Duration::from_millis(100),
            accept_loss: false,
            strict: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// What ends a shard; everything else it tries again.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Joining the group or reading failed.
    #[error("log: {0}")]
    Log(#[from] LogError),
    /// A partition could not be taken up (only when strict, or outside of a shard).
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// A defect, not some odd input.
    #[error("`{aside}` of `{vehicles}` vehicles are set aside; the shard stops")]
    TooManyAside {
        /// How many.
        aside: usize,
        /// Of how many.
        vehicles: usize,
    },
    /// The log's topics do not fit each other.
    #[error("topic {topic} has `{found}` partitions, expected `{expected}` as inputs has")]
    Partitions {
        /// Which topic.
        topic: ingest::log::Topic,
        /// What it has.
        found: u32,
        /// What `inputs` has.
        expected: u32,
    },
    /// The system gave no thread.
    #[error("starting a thread")]
    Thread(#[source] std::io::Error),
    /// Draining took too long; what is left will be stepped by the next owner.
    #[error("could not drain within `{0}` seconds")]
    Undrained(f64),
}
