//! What people did: actions on stops and routes, and devices given to vehicles.

use ingest::id::{DeviceId, RouteId, StopId, VehicleId};
use ingest::record::Pid;
use ingest::time::Timestamp;

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// The vehicle is at the stop.
    Arrived,
    /// The visit succeeded.
    Completed,
    /// The visit failed.
    Failed {
        /// In the driver's or dispatcher's words; a code, never a name.
        reason: String,
    },
    /// The stop is left out.
    Skipped,
    /// The route is the active one from now on.
    Activate,
    /// The route is over, whatever is left of it.
    Finish,
    /// The proposal of this id is taken.
    AcceptReroute(Pid),
    /// The proposal of this id is not taken.
    RefuseReroute(Pid),
    /// The vehicle leaves the fleet; its state shrinks to its seq.
    Retire,
}

/// A person's action.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Identity: tenant, path and Idempotency-Key.
    pub pid: Pid,
    /// When the api took it.
    pub received_at: Timestamp,
    /// Who.
    pub by: Option<String>,
    /// On which route; absent for `Retire`.
    pub route: Option<RouteId>,
    /// At which stop, for the four deeds that have one.
    pub stop: Option<StopId>,
    /// What.
    pub deed: Deed,
}

/// A device belongs to `vehicle` from `from` on; goes to the old and the new vehicle alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Identity: tenant, device, version.
    pub pid: Pid,
    /// When the api took it.
    pub received_at: Timestamp,
    /// Which device.
    pub device: DeviceId,
    /// Whose it is from then on; absent: nobody's.
    pub vehicle: Option<VehicleId>,
    /// From when on.
    pub from: Timestamp,
}
