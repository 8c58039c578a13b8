//! A door on a thread of its own, in front of a log that takes everything at once and keeps
//! nothing.

use std::future::ready;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use gateway::{Gateway, Limits, Listen, Metrics, Settings};
use ingest::id::{DeviceId, TenantId, percent_encoded};
use ingest::log::{Appending, Bounds, Log, LogError, Member, MemoryLog, NewRecord, Reader, Topic};
use ingest::protocol::{Transport, by_name};
use ingest::record::DeviceRecord;
use ingest::time::Timestamp;
use tokio::sync::oneshot;

use crate::waiting;

/// The time that every record is read at.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_162_590);

/// Connections that are let in each second: no ramp, since not the pace of a fleet's return is
/// measured.
const ACCEPTS_A_SECOND: u32 = 1_000_000;

/// Takes inputs and counts them; devices lie in memory.
struct Queue {
    devices: MemoryLog,
    taken: Arc<AtomicU64>,
}

impl Log for Queue {
    fn partitions(&self, topic: Topic) -> u32 {
        self.devices.partitions(topic)
    }
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        if records.first().is_some_and(|r| r.topic == Topic::Devices) {
            return self.devices.append(records);
        }
        self.taken.fetch_add(records.len() as u64, Relaxed);
        Box::pin(ready(Ok(Vec::new())))
    }
    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.devices.bounds(topic, partition)
    }
    fn offset_at(&self, t: Topic, p: u32, time: Timestamp) -> Result<Option<u64>, LogError> {
        self.devices.offset_at(t, p, time)
    }
    fn committed(&self, group: &str, t: Topic, p: u32) -> Result<Option<u64>, LogError> {
        self.devices.committed(group, t, p)
    }
    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        self.devices.reader(topic, from)
    }
    fn member(&self, group: &str, t: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        self.devices.member(group, t, owner)
    }
}

/// Something that serves on a thread of its own.
pub(crate) struct Serving {
    /// Where.
    pub(crate) address: SocketAddr,
    /// Its thread, as `/proc` numbers it.
    pub(crate) thread: i32,
    /// Records it has taken so far.
    pub(crate) taken: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl Serving {
    /// Starts `serve` on a thread; it tells its address and ends when it is told to.
    pub(crate) fn start(
        serve: impl FnOnce(Arc<AtomicU64>, mpsc::Sender<(SocketAddr, i32)>, oneshot::Receiver<()>)
        + Send
        + 'static,
    ) -> Self {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&taken);
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let running = std::thread::spawn(move || serve(counted, tell, stopped));
        let (address, thread) = waiting::told("a server's address", &told);
        Self { address, thread, taken, stop: Some(stop), running: Some(running) }
    }

    /// The door itself, speaking one protocol.
    pub(crate) fn door(name: &'static str, transport: Transport) -> Self {
        Self::knowing(name, transport, 0)
    }

    /// The same, and so many devices are known already; others register themselves.
    pub(crate) fn knowing(name: &'static str, transport: Transport, known: usize) -> Self {
        Self::start(move |taken, tell, stopped| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let devices = MemoryLog::new(1, Arc::new(|| NOW));
                devices.append((0..known).map(registered).collect()).await.expect("registered");
                let log = Queue { devices, taken };
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                let settings = Settings {
                    listen: vec![Listen::plain(by_name(name), transport, any)],
                    limits: Limits { accepts_per_second: ACCEPTS_A_SECOND, ..Limits::default() },
                    register_unknown: TenantId::new("bench").ok(),
                    ..Settings::default()
                };
                let clock = Arc::new(|| NOW);
                let gateway =
                    Gateway::start(settings, Arc::new(log), clock, &Metrics::default()).await;
                let gateway = gateway.expect("the door opens");
                tell.send((gateway.listening()[0].address, own_thread())).expect("it is heard");
                drop(stopped.await);
                gateway.stop().await;
            });
        })
    }

    /// Waits until so many records have been taken.
    pub(crate) fn until(&self, count: u64) {
        let what = format!("{count} records taken");
        waiting::until(&what, || self.taken.load(Relaxed) >= count);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Dropped, it is heard as well.
        drop(self.stop.take());
        if let Some(running) = self.running.take().filter(|_| !std::thread::panicking()) {
            waiting::end_of("the end of a server", running);
        }
    }
}

/// The `n`th device.
pub(crate) fn id(n: usize) -> DeviceId {
    DeviceId::new(&format!("{}", 352_093_080_000_000_u64 + n as u64)).expect("an id")
}

/// The record by which the `n`th device is known.
fn registered(n: usize) -> NewRecord {
    let record = DeviceRecord {
        tenant: TenantId::new("bench").expect("a tenant"),
        protocols: Vec::new(),
        assignments: Vec::new(),
        networks: Vec::new(),
        secret: None,
    };
    let key = percent_encoded(&id(n)).into_bytes().into();
    record.envelope().into_record(Topic::Devices, key)
}

/// This thread's number.
pub(crate) fn own_thread() -> i32 {
    let link = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let number = link.file_name().and_then(|n| n.to_str()?.parse().ok());
    number.unwrap_or(0)
}
