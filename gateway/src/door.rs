//! What every connection shares.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ingest::id::{DeviceId, TenantId};
use ingest::protocol::{Admission, Options, PROTOCOLS, Protocol, Transport};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::warn;

use crate::admission::{Claim, Devices, Verdict};
use crate::command::Orders;
use crate::conflict::Speakers;
use crate::limits::{
    CLOSES_A_SECOND, CLOSES_WITHIN_MAX, HANDSHAKES_MAX, Limits, Network, PerAddress,
    SAMPLES_A_SECOND_MAX,
};
use crate::metrics::{Counters, Metrics};
use crate::publish::Publisher;
use crate::ramp::Ramp;

/// What a connection or datagram speaks, and where that is counted.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) protocol: &'static dyn Protocol,
    pub(crate) transport: Transport,
    pub(crate) counters: Arc<Counters>,
}

/// Everything that is spoken, for sockets that recognise it.
pub(crate) type Known = HashMap<(&'static str, Transport), Arc<Spoken>>;

/// Counters for every protocol, however it arrives.
pub(crate) fn known(metrics: &Metrics) -> Known {
    let ways = PROTOCOLS.iter().flat_map(|p| p.transports().iter().map(move |t| (*p, *t)));
    let spoken = |(protocol, transport): (&'static dyn Protocol, Transport)| {
        let counters = metrics.of(protocol.name(), transport);
        ((protocol.name(), transport), Arc::new(Spoken { protocol, transport, counters }))
    };
    ways.map(spoken).collect()
}

/// The shared part of the door.
pub(crate) struct Door {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) devices: Arc<Devices>,
    pub(crate) speakers: Speakers,
    pub(crate) orders: Orders,
    pub(crate) limits: Limits,
    pub(crate) options: Options,
    /// Makes the first report of a decoder.
    pub(crate) nobody: DeviceId,
    pub(crate) metrics: Metrics,
    /// Connections under way.
    room: Semaphore,
    /// TLS handshakes under way.
    pub(crate) handshakes: Semaphore,
    proxies: Vec<Network>,
    connections: PerAddress,
    datagrams: PerAddress,
    datagrams_second: AtomicI64,
    ramp: Mutex<Ramp>,
    register_unknown: Option<TenantId>,
    sample_second: AtomicI64,
    samples: AtomicU32,
}

impl Door {
    pub(crate) fn new(
        publisher: Publisher,
        devices: Arc<Devices>,
        limits: Limits,
        proxies: Vec<Network>,
        register_unknown: Option<TenantId>,
    ) -> Self {
        #[expect(clippy::expect_used, reason = "one dash is a printable device id")]
        let nobody = DeviceId::new("-").expect("a dash is a device id");
        Self {
            nobody,
            metrics: publisher.metrics.clone(),
            ramp: Mutex::new(Ramp::new(limits.accepts_per_second, Instant::now())),
            datagrams_second: AtomicI64::new(0),
            publisher: Arc::new(publisher),
            devices,
            speakers: Speakers::default(),
            orders: Orders::new(limits.harmful_commands),
            options: Options::default(),
            datagrams: PerAddress::default(),
            room: Semaphore::new(limits.connections),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
            limits,
            proxies,
            connections: PerAddress::default(),
            register_unknown,
            sample_second: AtomicI64::new(0),
            samples: AtomicU32::new(0),
        }
    }

    /// May this device speak? Unknown ones register themselves where that is allowed.
    pub(crate) async fn admit(&self, claim: &Claim<'_>, counters: &Counters) -> Verdict {
        let mut verdict = self.devices.admit(claim);
        if let (Admission::Unknown, Some(tenant)) = (verdict.admission, &self.register_unknown) {
            let device = claim.device;
            match self.devices.register(self.publisher.log.as_ref(), tenant, device).await {
                Ok(record) => {
                    verdict = Verdict { admission: Admission::Admitted, record: Ok(record) };
                }
                Err(error) => warn!(%device, %error, "device could not be registered"),
            }
        }
        if let Err(reason) = verdict.record {
            counters.refused(reason);
        }
        verdict
    }

    /// One more connection may be accepted now, or has to wait so long.
    pub(crate) fn may_accept(&self) -> Result<(), Duration> {
        let mut ramp = self.ramp.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = ramp.enter(Instant::now());
        if outcome.is_err() {
            self.metrics.accept_waits();
        }
        outcome
    }

    /// Over how long the connections there are now are closed when the door is.
    pub(crate) fn closes_within(&self) -> Duration {
        let open = self.limits.connections.saturating_sub(self.room.available_permits());
        Duration::from_secs_f64(open as f64 / CLOSES_A_SECOND).min(CLOSES_WITHIN_MAX)
    }

    fn second(&self) -> i64 {
        (self.publisher.clock)().micros() / 1_000_000
    }

    /// Whether this address may send another datagram in this second.
    pub(crate) fn may_send(&self, address: IpAddr) -> bool {
        if self.limits.is_exempt(address) {
            return true;
        }
        let second = self.second();
        if self.datagrams_second.swap(second, Ordering::Relaxed) != second {
            self.datagrams.clear();
        }
        self.datagrams.enter(address, self.limits.datagrams_per_address)
    }

    /// Whether this second has room for another sample.
    pub(crate) fn may_sample(&self) -> bool {
        let second = self.second();
        if self.sample_second.swap(second, Ordering::Relaxed) != second {
            self.samples.store(0, Ordering::Relaxed);
        }
        self.samples.fetch_add(1, Ordering::Relaxed) < SAMPLES_A_SECOND_MAX
    }

    /// Whether this address connects for others and says for whom.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|n| n.contains(address))
    }

    /// A place for one more connection; `None` when there are as many as may be.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        self.room.try_acquire().ok()?.forget();
        self.metrics.connections.inc();
        Some(Place { door: Arc::clone(self), counted: None })
    }

    /// Waits until no connection has a place.
    pub(crate) async fn emptied(&self) {
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        drop(self.room.acquire_many(all).await);
    }
}

/// One connection's place; counted until it is dropped.
pub(crate) struct Place {
    pub(crate) door: Arc<Door>,
    counted: Option<IpAddr>,
}

impl Place {
    /// Counts it as this address's; `false` when that has as many as it may.
    pub(crate) fn count(&mut self, address: IpAddr) -> bool {
        let (door, address) = (&self.door, address.to_canonical());
        if door.limits.is_exempt(address) {
            return true;
        }
        let room = door.connections.enter(address, door.limits.connections_per_address);
        self.counted = room.then_some(address);
        room
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(address) = self.counted {
            self.door.connections.leave(address);
        }
        self.door.metrics.connections.dec();
        self.door.room.add_permits(1);
    }
}
