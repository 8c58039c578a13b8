//! The roles in one process, as tests put them together, and the trackers that speak to them.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use engine::model::Assignment;
use engine::record::input::assignment_envelope;
use engine::road::{Attributes as RoadAttributes, Road, RoadBuilder};
use engine::runtime::{Engine, GROUP, Maps, Settings as EngineSettings};
use gateway::limits::{READ_BYTES, WINDOW_BYTES_MAX};
use gateway::{Gateway, Listen, Metrics, Settings as GatewaySettings};
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, TenantId, VehicleId, percent_encoded};
use ingest::log::{Log, NewRecord, Record, Topic};
use ingest::protocol::{Answer, Encode, Transport, by_name};
use ingest::record::{DeviceRecord, Pid};
use ingest::time::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Longest wait for what must happen; how soon it happens is not the tests' matter.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Seconds between two fixes, and metres: 8 m/s.
const FIX_EVERY: i64 = 5;
const FIX_DEGREES: f64 = 4.8e-4;
/// A tracker's own buffer for sending; small, so that it feels soon that nobody reads.
const SEND_BUFFER: u32 = 16 * 1024;
/// Bytes of records that one connection may have on their way to the log: its window, and what one
/// read may hold beyond it. A fix takes on the log at most 8 times its bytes on the wire.
pub(crate) const WINDOW_MAX: usize = WINDOW_BYTES_MAX + 8 * READ_BYTES;
/// Fixes of a packet of trackers that [`keep_sending`]: one meets the window's bound of appends
/// first, the other that of bytes.
pub(crate) const FIXES_A_PACKET: [i64; 2] = [1, 200];

/// A runtime that is left, not waited for.
struct Left(Option<Runtime>);

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a test of roles on a runtime of its own. When it fails, its roles have not been stopped:
/// their threads end with the process, and nobody waits for their tasks, or it would never fail.
pub(crate) fn with_roles(test: impl Future<Output = ()>) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let left = Left(Some(runtime.unwrap()));
    left.0.as_ref().unwrap().block_on(test);
}

/// Waits until it is so, however long that takes within `PATIENCE`.
pub(crate) async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let patient = async {
        while !done() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    within(what, patient).await;
}

/// The outcome, which must come within `PATIENCE`.
pub(crate) async fn within<T>(what: &str, outcome: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, outcome).await;
    outcome.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("demo").unwrap()
}

/// A straight street through Porto, 750 m to the east.
pub(crate) fn street() -> Arc<Road> {
    static STREET: OnceLock<Arc<Road>> = OnceLock::new();
    let build = || {
        let mut builder = RoadBuilder::new();
        for n in 0..10 {
            let lng = -8.61 + n as f64 * 1e-3;
            builder.node(n + 1, ingest::units::Position::new(lng, 41.15).unwrap());
        }
        for n in 1..10 {
            builder.edge(n, (n, n + 1), &[], &RoadAttributes::default());
        }
        Arc::new(builder.finish().unwrap())
    };
    Arc::clone(STREET.get_or_init(build))
}

/// The tracker of a vehicle that drives along the street.
#[derive(Debug, Clone)]
pub(crate) struct Van {
    pub(crate) device: DeviceId,
    pub(crate) vehicle: VehicleId,
    /// When it set out, in whole seconds.
    begun: Timestamp,
}

impl Van {
    /// Set out some minutes before `now`.
    pub(crate) fn numbered(number: usize, now: Timestamp) -> Self {
        Self {
            device: DeviceId::new(&format!("3520930814{number:05}")).unwrap(),
            vehicle: VehicleId::new(&format!("van-{number}")).unwrap(),
            begun: Timestamp::from_seconds(now.micros() / 1_000_000 - 300),
        }
    }

    /// As records are keyed by it.
    pub(crate) fn key(&self) -> String {
        format!("demo/{}", self.vehicle.as_str())
    }

    /// Its fixes of these numbers; beyond the street's end it drives on, off the road.
    pub(crate) fn fixes(&self, numbers: Range<i64>) -> Vec<Report> {
        let fix = |n: i64| {
            let mut report = Report::of(self.device.clone());
            let second = self.begun.micros() / 1_000_000 + FIX_EVERY * n;
            report.time = Some(Timestamp::from_seconds(second));
            let measured = Measured {
                lng: -8.609 + (n % 1_000) as f64 * FIX_DEGREES,
                lat: 41.15,
                valid: true,
                speed: Some(8.0),
                heading: Some(90.0),
                ..Measured::default()
            };
            report.fix = Some(Fix::new(measured).unwrap());
            report
        };
        numbers.map(fix).collect()
    }

    /// Whose it is: for the gateway, and for the vehicle's step.
    pub(crate) fn known(&self, at: Timestamp) -> Vec<NewRecord> {
        let record = DeviceRecord {
            tenant: tenant(),
            protocols: vec![],
            assignments: vec![(Timestamp::default(), Some(self.vehicle.clone()))],
            networks: vec![],
            secret: None,
        };
        let key = percent_encoded(&self.device).into_bytes().into();
        let assignment = Assignment {
            pid: Pid::of_parts(&[b"demo", self.device.as_str().as_bytes()]),
            received_at: at,
            device: self.device.clone(),
            vehicle: Some(self.vehicle.clone()),
            from: self.begun,
        };
        let assigned = assignment_envelope(&assignment, None);
        let assigned = assigned.into_record(Topic::Inputs, self.key().into_bytes().into());
        vec![record.envelope().into_record(Topic::Devices, key), assigned]
    }
}

/// An engine that ends at any difference between what it steps again and what is on the log.
pub(crate) fn engine(log: &Arc<dyn Log>, instance: &str) -> Engine {
    let settings = engine_settings(instance);
    Engine::start(Arc::clone(log), settings, milepost::clock::wall()).unwrap()
}

pub(crate) fn engine_settings(instance: &str) -> EngineSettings {
    let maps = Maps::of(vec![(street().hash().to_owned(), street())]);
    let instance = instance.to_owned();
    EngineSettings { maps, instance, strict: true, ..EngineSettings::default() }
}

/// A door for teltonika over TCP on a free port.
pub(crate) async fn door(log: Arc<dyn Log>, counted: &Metrics) -> Gateway {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = Listen::plain(by_name("teltonika"), Transport::Tcp, anywhere);
    let settings = GatewaySettings { listen: vec![listen], ..GatewaySettings::default() };
    Gateway::start(settings, log, milepost::clock::wall(), counted).await.unwrap()
}

/// A door's counters, as the outside reads them.
pub(crate) struct Counted {
    pub(crate) metrics: Metrics,
    registry: Registry,
}

impl Default for Counted {
    fn default() -> Self {
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        Self { metrics, registry }
    }
}

impl Counted {
    /// The value behind a name with its labels.
    pub(crate) fn metric(&self, line: &str) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let value = |l: &str| l.strip_prefix(line)?.strip_prefix(' ')?.parse().ok();
        let found = text.lines().find_map(value);
        found.unwrap_or_else(|| panic!("{line} is not in\n{text}"))
    }
}

/// A connection of a teltonika tracker.
pub(crate) struct Tracker {
    stream: TcpStream,
    encode: Mutex<Box<dyn Encode>>,
}

impl Tracker {
    /// Connects, says who it is and hears that it may speak.
    pub(crate) async fn login(at: SocketAddr, device: &DeviceId) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(SEND_BUFFER).unwrap();
        let stream = within("a connection", socket.connect(at)).await.unwrap();
        let encode = by_name("teltonika").unwrap().encoder(Transport::Tcp, device);
        let tracker = Self { stream, encode: Mutex::new(encode) };
        let login = tracker.encode.lock().unwrap().login();
        tracker.write(&login).await;
        assert_eq!(tracker.answer().await, Answer::LoggedIn);
        tracker
    }

    /// Sends one packet. Waits while the other side does not read, for ever.
    pub(crate) async fn send(&self, reports: &[Report]) {
        let packet = self.encode.lock().unwrap().packet(reports);
        self.write(&packet).await;
    }

    async fn write(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.stream.writable().await.unwrap();
            match self.stream.try_write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}"),
            }
        }
    }

    /// Bytes the server says next, at least one and at most so many as there is room.
    async fn read(&self, buffer: &mut [u8]) -> usize {
        loop {
            within("an answer", self.stream.readable()).await.unwrap();
            match self.stream.try_read(buffer) {
                Ok(n) => {
                    assert_ne!(n, 0, "closed without an answer");
                    return n;
                }
                Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}"),
            }
        }
    }

    /// What the server says next.
    pub(crate) async fn answer(&self) -> Answer {
        let mut answers = Vec::new();
        let mut buffer = [0; 4];
        while answers.is_empty() {
            let n = self.read(&mut buffer).await;
            self.encode.lock().unwrap().answer(&buffer[..n], &mut answers);
        }
        answers[0]
    }

    /// Reads answers to packets, four bytes each with a number of records, until these are stored.
    pub(crate) async fn stored(&self, records: i64) {
        let (mut stored, mut answer, mut filled) = (0, [0; 4], 0);
        while stored < records {
            filled += self.read(&mut answer[filled..]).await;
            if filled == answer.len() {
                assert_ne!(answer, [0; 4], "a packet was not stored");
                (stored, filled) = (stored + i64::from(u32::from_be_bytes(answer)), 0);
            }
        }
        assert_eq!(stored, records);
    }

    /// Whether it is still there and nothing has been said to it.
    pub(crate) fn hears_nothing(&self) -> bool {
        let heard = self.stream.try_read(&mut [0; 64]);
        heard.is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
    }
}

/// Sends packets of so many fixes one after the other until told to stop; returns how many fixes
/// that were. Waits while the door does not read.
pub(crate) async fn keep_sending(
    tracker: Arc<Tracker>,
    (van, each): (Van, i64),
    stop: Arc<AtomicBool>,
) -> i64 {
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        tracker.send(&van.fixes(sent..sent + each)).await;
        sent += each;
    }
    sent
}

/// Everything a topic holds.
pub(crate) fn records(log: &dyn Log, topic: Topic) -> Vec<Record> {
    let bounds = |p| (p, log.bounds(topic, p).unwrap());
    let bounds: Vec<_> = (0..log.partitions(topic)).map(bounds).collect();
    let from: Vec<_> = bounds.iter().map(|(p, b)| (*p, b.start)).collect();
    let mut reader = log.reader(topic, &from).unwrap();
    let mut found = Vec::new();
    while bounds.iter().any(|(p, b)| reader.position(*p).unwrap() < b.end) {
        found.extend(reader.poll(1 << 24, LOOK_EVERY).unwrap());
    }
    found
}

/// Waits until every input that is there now has been stepped and committed.
pub(crate) async fn stepped(log: &dyn Log) {
    for partition in 0..log.partitions(Topic::Inputs) {
        let bounds = log.bounds(Topic::Inputs, partition).unwrap();
        let committed = || log.committed(GROUP, Topic::Inputs, partition).unwrap();
        let done = || committed().unwrap_or(bounds.start) >= bounds.end;
        eventually("inputs are stepped", done).await;
    }
}

/// Ends an engine in good order.
pub(crate) async fn stop(engine: Engine) {
    tokio::task::spawn_blocking(move || engine.stop()).await.unwrap().unwrap();
}
