//! All that a step may be told.

use std::sync::Arc;

use ingest::record::{DeviceInput, Pid};
use ingest::time::Timestamp;

use super::{Action, Assignment, Route};

/// One thing that happens to one vehicle.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A device of it spoke: a fix or a sign of life.
    Device(Box<DeviceInput>),
    /// A whole route.
    Plan {
        /// Identity: tenant, path and version.
        pid: Pid,
        /// When the api took it.
        received_at: Timestamp,
        /// Who planned it.
        by: Option<String>,
        /// The route.
        route: Box<Route>,
    },
    /// A person did something.
    Action(Action),
    /// A device came or went.
    Assignment(Assignment),
    /// The time it asked to be woken at has come; `now` is that time.
    Wake {
        /// Nobody owned the partition then: it is stepped more than a minute late, and what it
        /// says is marked overdue. Says the partition, from `resumed` records alone, so that
        /// outputs do not depend on how many ticks there were.
        overdue: bool,
    },
    /// The partition has a new owner since `now`: silence before it was ours, not the vehicle's.
    /// Told before the wake-ups that came due in between, which are stepped at their own, earlier
    /// times.
    Resumed,
    /// The World that holds from here on says something else of these edges than the one before.
    /// Told to the vehicles that it may concern.
    Traffic(Arc<Changed>),
}

/// Edges whose driving time is another than before, or that were closed or opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// Their numbers on the map, ascending, each once.
    pub edges: Vec<u32>,
    /// Where they are, as [`crate::path::traffic::cells`] counts places.
    pub cells: u128,
}
