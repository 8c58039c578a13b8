//! One traced fix passes the files of ARCHITECTURE.md's packet table, in their order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{Api, Settings as ApiSettings};
use engine::model::Assignment;
use engine::record::input::assignment_envelope;
use engine::road::{Attributes as RoadAttributes, RoadBuilder};
use engine::runtime::{Engine, Maps, Settings as EngineSettings};
use gateway::{Gateway, Listen, Metrics, Settings as GatewaySettings};
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, TenantId, VehicleId, percent_encoded};
use ingest::log::{Log, MemoryLog, NewRecord, Topic};
use ingest::protocol::{Transport, by_name};
use ingest::record::{DeviceRecord, Pid};
use ingest::time::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::tidy::PACKET;

/// Remembers which files said something about the packet.
#[derive(Clone, Default)]
struct Passed {
    files: Arc<Mutex<Vec<String>>>,
}

impl Passed {
    /// Files in the order they were first passed.
    fn firsts(&self) -> Vec<String> {
        let mut firsts: Vec<String> = Vec::new();
        for file in self.files.lock().unwrap().iter() {
            if !firsts.contains(file) {
                firsts.push(file.clone());
            }
        }
        firsts
    }
}

impl Subscriber for Passed {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == ingest::PACKET
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let file = event.metadata().file().unwrap_or_default();
        // From the crate's own folder on, however the compiler was called.
        let file = PACKET.iter().find(|p| file.ends_with(*p)).map_or(file, |p| *p);
        self.files.lock().unwrap().push(file.to_owned());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const IMEI: &str = "352093081452251";

/// A straight street through Porto.
fn street() -> engine::road::Road {
    let mut builder = RoadBuilder::new();
    for n in 0..10 {
        let lng = -8.61 + n as f64 * 1e-3;
        builder.node(n + 1, ingest::units::Position::new(lng, 41.15).unwrap());
    }
    for n in 1..10 {
        builder.edge(n, (n, n + 1), &[], &RoadAttributes::default());
    }
    builder.finish().unwrap()
}

fn fix(at: Timestamp) -> Report {
    let mut report = Report::of(DeviceId::new(IMEI).unwrap());
    report.time = Some(at);
    let measured = Measured {
        lng: -8.605,
        lat: 41.15,
        valid: true,
        speed: Some(8.0),
        heading: Some(90.0),
        ..Measured::default()
    };
    report.fix = Some(Fix::new(measured).unwrap());
    report
}

/// Reads from a socket until it has said `what`.
async fn until(stream: &mut TcpStream, what: &str) {
    let mut said = String::new();
    let mut buffer = [0; 4096];
    while !said.contains(what) {
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut buffer));
        let n = read.await.unwrap_or_else(|_| panic!("nothing came after {said}")).unwrap();
        assert_ne!(n, 0, "closed after {said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
}

/// The device is van-1's: for the gateway, and for the vehicle's step.
fn known(device: &DeviceId, tenant: &TenantId, at: Timestamp) -> Vec<NewRecord> {
    let record = DeviceRecord {
        tenant: tenant.clone(),
        protocols: vec![],
        assignments: vec![(Timestamp::default(), Some(VehicleId::new("van-1").unwrap()))],
    };
    let key = percent_encoded(device).into_bytes().into();
    let assignment = Assignment {
        pid: Pid::of_parts(&[b"demo", IMEI.as_bytes()]),
        received_at: at,
        device: device.clone(),
        vehicle: Some(VehicleId::new("van-1").unwrap()),
        from: at,
    };
    let assigned = assignment_envelope(&assignment, None);
    let assigned = assigned.into_record(Topic::Inputs, bytes::Bytes::from_static(b"demo/van-1"));
    let belongs = record.envelope().into_record(Topic::Devices, key);
    vec![belongs, assigned]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traced_fix_passes_the_packet_table_in_order() {
    let clock = milepost::clock::wall();
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(2, Arc::clone(&clock)));
    let (tenant, device) = (TenantId::new("demo").unwrap(), DeviceId::new(IMEI).unwrap());
    log.append(known(&device, &tenant, clock())).await.unwrap();

    let road = Arc::new(street());
    let maps = Maps::of(vec![(road.hash().to_owned(), road)]);
    let settings = EngineSettings { maps, ..EngineSettings::default() };
    let engine = Engine::start(Arc::clone(&log), settings, Arc::clone(&clock)).unwrap();
    let data = std::env::temp_dir().join(format!("milepost-packet-{}", std::process::id()));
    let settings = ApiSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.clone(),
        open: Some(tenant),
        road: None,
        secure: false,
        metrics: api::Metrics::default(),
    };
    let api = Api::start(settings, Arc::clone(&log), Arc::clone(&clock)).await.unwrap();
    let listen = Listen {
        protocol: by_name("teltonika").unwrap(),
        transport: Transport::Tcp,
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let settings = GatewaySettings { listen: vec![listen], ..GatewaySettings::default() };
    let counted = Metrics::default();
    let gateway = Gateway::start(settings, Arc::clone(&log), Arc::clone(&clock), &counted);
    let gateway = gateway.await.unwrap();

    let begun = clock();
    while engine.ready().is_err() || api.ready().is_err() {
        let waited = clock().seconds_since(begun);
        assert!(waited < 30.0, "engine {:?}, api {:?}", engine.ready(), api.ready());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut browser = TcpStream::connect(api.listening()).await.unwrap();
    let host = api.listening();
    let request = format!("GET /v1/stream HTTP/1.1\r\nHost: {host}\r\n\r\n");
    browser.write_all(request.as_bytes()).await.unwrap();
    until(&mut browser, "200 OK").await;

    // Made before anybody watches: making a fix passes `fix.rs` too.
    let report = fix(clock());
    let passed = Passed::default();
    tracing::subscriber::set_global_default(passed.clone()).unwrap();
    let mut tracker = TcpStream::connect(gateway.listening()[0].address).await.unwrap();
    let mut encode = listen.protocol.encoder(Transport::Tcp, &device);
    tracker.write_all(&encode.login()).await.unwrap();
    tracker.read_exact(&mut [0]).await.unwrap();
    tracker.write_all(&encode.packet(&[report])).await.unwrap();
    until(&mut browser, "event: position").await;

    assert_eq!(passed.firsts(), PACKET);
    gateway.stop().await;
    tokio::task::spawn_blocking(move || engine.stop()).await.unwrap().unwrap();
    api.stop().await;
    remove(&data);
}

fn remove(data: &Path) {
    std::fs::remove_dir_all(data).unwrap();
}
