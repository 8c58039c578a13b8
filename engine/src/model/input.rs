//! All that a step may be told.

use ingest::record::DeviceInput;
use ingest::time::Timestamp;

use super::{Action, Assignment, Route};
use ingest::record::Pid;

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
    /// The time it asked to be woken at has come.
    Wake,
    /// The partition has a new owner since this moment: silence before it was ours, not the
    /// vehicle's.
    Resumed,
}
