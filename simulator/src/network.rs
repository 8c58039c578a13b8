//! Devices on real sockets: one task each, on the caller's single-threaded runtime.
//!
//! A device measures on the second, keeps what it cannot send, sends when it has a packet's
//! worth, and forgets a packet only when the server has answered it. After a broken connection
//! it logs in again and sends again.

//!
//! [`dial`] is how a connection comes about, `session` what a device does with it.

pub mod dial;
mod session;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::road::Road;
use ingest::id::{DeviceId, TenantId, VehicleId};
use ingest::log::Clock;
use ingest::protocol::Transport;
use ingest::time::Timestamp;
use tokio::time::Instant;

use crate::drive::journey::Journey;
use crate::faults::Weather;
use crate::ledger::Ledger;
use crate::noise::Receiver;
use crate::tracker::Speech;
use dial::Dial;
use session::Session;

/// Where each protocol and transport listens.
pub type Ports = BTreeMap<(String, Transport), SocketAddr>;

/// What all devices of a simulation share.
pub struct Shared {
    /// The map.
    pub road: Arc<Road>,
    /// Whose devices.
    pub tenant: TenantId,
    /// The time of day.
    pub clock: Clock,
    /// How connections come about.
    pub dial: Dial,
    /// Seconds between two fixes, whole.
    pub interval_s: f64,
    /// Fixes of one packet.
    pub records_per_packet: usize,
    /// What was sent and answered.
    pub ledger: RefCell<Ledger>,
    /// What happened on the network.
    pub counts: RefCell<Counts>,
}

/// What happened on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections made.
    pub connects: u64,
    /// Connections that broke or were given up.
    pub breaks: u64,
    /// Logins and requests the server refused.
    pub refusals: u64,
    /// Packets sent, again counted again.
    pub packets: u64,
    /// Fixes given up because too many were kept.
    pub given_up: u64,
    /// Fixes that were still kept at the end.
    pub left: u64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// When a journey's seconds begin.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    /// By the time of day.
    pub start: Timestamp,
    /// The same moment on the runtime's timer.
    pub origin: Instant,
    /// Fixes are taken from this second of the journey on…
    pub from_s: f64,
    /// …up to this one.
    pub until_s: f64,
}

impl Timeline {
    /// A journey that begins at `start`, which may lie ahead or behind, for `seconds`.
    pub fn new(start: Timestamp, clock: &Clock, seconds: f64) -> Self {
        let (now, ahead) = (Instant::now(), start.seconds_since(clock()));
        let origin = if ahead >= 0.0 {
            now + Duration::from_secs_f64(ahead)
        } else {
            now.checked_sub(Duration::from_secs_f64(-ahead)).unwrap_or(now)
        };
        Self { start, origin, from_s: (-ahead).max(0.0), until_s: seconds }
    }

    pub(crate) fn instant(&self, at_s: f64) -> Instant {
        self.origin + Duration::from_secs_f64(at_s.max(0.0))
    }
}

/// One device.
#[derive(Debug)]
pub struct Device {
    /// Number of its vehicle.
    pub number: u32,
    /// Its vehicle.
    pub vehicle: VehicleId,
    /// Its id.
    pub id: DeviceId,
    /// What it speaks.
    pub speech: Speech,
    /// Where to.
    pub address: SocketAddr,
    /// How it errs.
    pub receiver: Receiver,
    /// What goes wrong.
    pub weather: Weather,
    /// Counts its fixes.
    pub measured: u64,
}

impl Device {
    /// Drives one journey: measures along its timeline, and lingers until all is answered.
    /// Answers itself, for a next journey.
    pub async fn run(self, shared: Rc<Shared>, journey: Rc<Journey>, timeline: Timeline) -> Self {
        let mut session = Session::new(&shared, timeline, self);
        session.drive(&journey).await;
        shared.counts.borrow_mut().left += session.left() as u64;
        session.into_device()
    }
}
