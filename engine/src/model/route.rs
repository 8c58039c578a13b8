//! What was promised: a vehicle's stops for one shift.

use ingest::id::{OrderId, RouteId, StopId};
use ingest::record::Pid;
use ingest::time::Timestamp;
use ingest::units::Position;

/// Most stops of one route.
pub const STOPS_MAX: usize = 500;
/// Longest planned service, seconds (12 h).
pub const SERVICE_S_MAX: f64 = 43_200.0;

/// A span of time, `from` before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Earliest moment.
    pub from: Timestamp,
    /// Latest moment.
    pub to: Timestamp,
}

/// One visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    /// Unique within its route.
    pub id: StopId,
    /// The customer's order that is delivered here.
    pub order: OrderId,
    /// The door.
    pub position: Position,
    /// Earliest and latest service start that were promised.
    pub window: Option<Window>,
    /// Planned service time, seconds, 0 to [`SERVICE_S_MAX`].
    pub service_s: f64,
}

/// The ordered stops of one vehicle for one shift; a plan record holds all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Unique within the tenant.
    pub id: RouteId,
    /// Rises with every change; the step refuses one not above its own.
    pub version: u64,
    /// Where the vehicle starts and ends.
    pub depot: Position,
    /// When it works. The route becomes the active one at `shift.from`, or by an action.
    pub shift: Window,
    /// IANA name, for people's clocks only.
    pub time_zone: String,
    /// In driving order, 1 to [`STOPS_MAX`]; empty withdraws the route from the vehicle.
    pub stops: Vec<Stop>,
    /// Names the change when stops moved between two vehicles: the same on both plan records.
    pub transfer: Option<Pid>,
    /// Stops that this change takes away from (first record) the vehicle; `moved_too_late` is
    /// said for those it has already finished.
    pub moved_away: Vec<StopId>,
}
