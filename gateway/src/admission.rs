//! Who may speak: the devices of topic `devices`, read to its end before the door opens and
//! followed from then on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use ingest::id::{DeviceId, TenantId, percent_decoded, percent_encoded};
use ingest::log::{Log, LogError, Reader, Record, Topic};
use ingest::network::Network;
use ingest::protocol::Admission;
use ingest::record::{DeviceRecord, Envelope};
use ingest::time::Timestamp;
use thiserror::Error;
use tracing::{error, warn};

/// Devices that may register themselves, for good (contract §2).
pub const SELF_REGISTERED_MAX: usize = 10_000;
/// Bytes of `devices` read at a time.
const POLL_BYTES: usize = 1024 * 1024;
/// How long a poll of `devices` waits, which bounds how long a stop waits for the follower.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Pause after a failed poll.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Why a device could not be registered on the spot.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// [`SELF_REGISTERED_MAX`] are there.
    #[error("{SELF_REGISTERED_MAX} devices have registered themselves already")]
    TooMany,
    /// The log did not take it.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a device may not speak; label values.
pub const REFUSALS: [&str; 6] =
    ["unknown", "protocol", "network", "secret_missing", "secret_wrong", "conflict"];

/// Who wants to speak, and how.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// As whom.
    pub device: &'a DeviceId,
    /// By which protocol.
    pub protocol: &'a str,
    /// From where.
    pub address: IpAddr,
    /// What it has shown to be believed.
    pub shown: Option<&'a [u8]>,
}

/// The verdict on an identity, with the device's record where it is admitted.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What to tell the decoder.
    pub admission: Admission,
    /// Whose it is; else which of [`REFUSALS`].
    pub record: Result<Arc<DeviceRecord>, &'static str>,
}

/// All known devices.
#[derive(Debug, Default)]
pub struct Devices {
    known: RwLock<HashMap<DeviceId, Arc<DeviceRecord>>>,
}

impl Devices {
    /// The record of a device.
    pub fn get(&self, device: &DeviceId) -> Option<Arc<DeviceRecord>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(device).cloned()
    }

    /// May this device speak so?
    pub fn admit(&self, claim: &Claim<'_>) -> Verdict {
        let Some(record) = self.get(claim.device) else {
            return Verdict { admission: Admission::Unknown, record: Err("unknown") };
        };
        match refusal(&record, claim) {
            None => Verdict { admission: Admission::Admitted, record: Ok(record) },
            Some(reason) => Verdict { admission: Admission::Refused, record: Err(reason) },
        }
    }

    /// Writes a device that nobody knows to the log as one of `tenant`, without a vehicle, and
    /// knows it from then on.
    pub async fn register(
        &self,
        log: &dyn Log,
        tenant: &TenantId,
        device: &DeviceId,
    ) -> Result<Arc<DeviceRecord>, RegisterError> {
        let room = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.len() < SELF_REGISTERED_MAX
                || known.values().filter(|r| r.tenant == *tenant).count() < SELF_REGISTERED_MAX
        };
        if !room {
            return Err(RegisterError::TooMany);
        }
        let record = Arc::new(DeviceRecord {
            tenant: tenant.clone(),
            protocols: Vec::new(),
            assignments: vec![(Timestamp::default(), None)],
            networks: Vec::new(),
            secret: None,
        });
        let key = percent_encoded(device).into_bytes().into();
        log.append(vec![record.envelope().into_record(Topic::Devices, key)]).await?;
        self.put(device.clone(), Some(Arc::clone(&record)));
        Ok(record)
    }

    fn put(&self, device: DeviceId, record: Option<Arc<DeviceRecord>>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match record {
            Some(record) => known.insert(device, record),
            None => known.remove(&device),
        };
    }

    /// Takes in one record of `devices`; a damaged one is told and leaves what is known.
    fn take(&self, record: &Record) {
        let device = match percent_decoded(&String::from_utf8_lossy(&record.key)) {
            Ok(device) => device,
            Err(e) => return warn!(offset = record.offset, error = %e, "device key is not one"),
        };
        let Some(value) = &record.value else { return self.put(device, None) };
        match Envelope::decode(value.clone()).and_then(|e| DeviceRecord::from_envelope(&e)) {
            Ok(belongs) => self.put(device, Some(Arc::new(belongs))),
            Err(e) => warn!(%device, error = %e, "device record is not decodable"),
        }
    }
}

/// Why a known device may not speak so. What it may not do is told before what it does not know.
fn refusal(record: &DeviceRecord, claim: &Claim<'_>) -> Option<&'static str> {
    if !record.protocols.is_empty() && !record.protocols.iter().any(|p| p == claim.protocol) {
        return Some("protocol");
    }
    let here = |network: &Network| network.contains(claim.address);
    if !record.networks.is_empty() && !record.networks.iter().any(here) {
        return Some("network");
    }
    match (&record.secret, claim.shown) {
        (Some(_), None) => Some("secret_missing"),
        (Some(secret), Some(shown)) if !secret.is(shown) => Some("secret_wrong"),
        _ => None,
    }
}

/// Keeps [`Devices`] up to date until it is stopped.
#[derive(Debug)]
pub(crate) struct Follower {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Reads `devices` to its end (blocks), then follows it on a thread of its own.
    pub(crate) fn start(log: &dyn Log, devices: &Arc<Devices>) -> Result<Self, LogError> {
        let mut from = Vec::new();
        let mut ends = Vec::new();
        for partition in 0..log.partitions(Topic::Devices) {
            let bounds = log.bounds(Topic::Devices, partition)?;
            from.push((partition, bounds.start));
            ends.push((partition, bounds.end));
        }
        let mut reader = log.reader(Topic::Devices, &from)?;
        let behind = |reader: &dyn Reader| {
            ends.iter().any(|(p, end)| reader.position(*p).is_some_and(|at| at < *end))
        };
        while behind(reader.as_ref()) {
            for record in reader.poll(POLL_BYTES, POLL_WAIT)? {
                devices.take(&record);
            }
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, known) = (Arc::clone(&stop), Arc::clone(devices));
        let thread = std::thread::Builder::new()
            .name("gateway-devices".into())
            .spawn(move || follow(reader.as_mut(), &known, &stopped))
            .map_err(|e| LogError::Unavailable(format!("no thread to follow devices: {e}")))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the thread (blocks for at most one poll).
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the follower of devices had panicked");
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn follow(reader: &mut dyn Reader, devices: &Devices, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match reader.poll(POLL_BYTES, POLL_WAIT) {
            Ok(records) => records.iter().for_each(|r| devices.take(r)),
            Err(e) => {
                warn!(error = %e, "devices can not be read");
                std::thread::sleep(RETRY_PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::log::MemoryLog;
    use ingest::secret::Secret;

    #[tokio::test]
    async fn devices_are_known_from_the_log_and_by_registering() {
        let log = MemoryLog::new(4, Arc::new(Timestamp::default));
        let tenant = TenantId::new("acme").unwrap();
        let van = DeviceId::new("van 1").unwrap();
        let record = DeviceRecord {
            tenant: tenant.clone(),
            protocols: vec!["osmand".into()],
            assignments: vec![],
            networks: vec![Network::parse("192.0.2.0/24").unwrap()],
            secret: Secret::new([7; 16], b"open sesame"),
        };
        let key = percent_encoded(&van).into_bytes().into();
        log.append(vec![record.envelope().into_record(Topic::Devices, key)]).await.unwrap();

        let devices = Arc::new(Devices::default());
        let mut follower = Follower::start(&log, &devices).unwrap();
        let other = DeviceId::new("other").unwrap();
        let of = |device, protocol, address: &str, shown: Option<&'static [u8]>| {
            let address = address.parse().unwrap();
            devices.admit(&Claim { device, protocol, address, shown }).record.err()
        };
        let (here, right) = ("192.0.2.9", Some(&b"open sesame"[..]));
        assert_eq!(of(&van, "osmand", here, right), None);
        assert_eq!(of(&van, "teltonika", here, right), Some("protocol"));
        assert_eq!(of(&van, "osmand", "198.51.100.1", right), Some("network"));
        assert_eq!(of(&van, "osmand", here, None), Some("secret_missing"));
        assert_eq!(of(&van, "osmand", here, Some(b"open barley")), Some("secret_wrong"));
        assert_eq!(of(&other, "osmand", here, None), Some("unknown"));
        devices.register(&log, &tenant, &other).await.unwrap();
        assert_eq!(of(&other, "osmand", here, None), None);
        follower.stop();
    }
}
