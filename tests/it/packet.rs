//! One traced fix passes the files of ARCHITECTURE.md's packet table, in their order.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use api::{Api, Settings as ApiSettings};
use gateway::Metrics;
use ingest::log::{Log, MemoryLog};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::line::{Tracker, Van, door, engine, eventually, stop, tenant, with_roles, within};
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

/// Reads from a socket until it has said `what`.
async fn until(stream: &mut TcpStream, what: &str) {
    let mut said = String::new();
    let mut buffer = [0; 4096];
    while !said.contains(what) {
        let n = within(what, stream.read(&mut buffer)).await.unwrap();
        assert_ne!(n, 0, "closed after {said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
}

/// Set in the process that traces: there is one subscriber a process, and it would hear the
/// packets of other tests too.
const ALONE: &str = "MILEPOST_TEST_PACKET_ALONE";

#[test]
fn a_traced_fix_passes_the_packet_table_in_order() {
    if std::env::var_os(ALONE).is_some() {
        return with_roles(a_traced_fix_passes());
    }
    let this = std::env::current_exe().unwrap();
    let name = "packet::a_traced_fix_passes_the_packet_table_in_order";
    let alone = Command::new(this).args(["--exact", name]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

async fn a_traced_fix_passes() {
    let clock = milepost::clock::wall();
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(2, Arc::clone(&clock)));
    let van = Van::numbered(1, clock());
    log.append(van.known(clock())).await.unwrap();

    let engine = engine(&log, "engine");
    let data = std::env::temp_dir().join(format!("milepost-packet-{}", std::process::id()));
    let settings = ApiSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.clone(),
        open: Some(tenant()),
        road: None,
        secure: false,
        messages: api::message::Settings::default(),
        metrics: api::Metrics::default(),
        archive: None,
    };
    let api = Api::start(settings, Arc::clone(&log), Arc::clone(&clock)).await.unwrap();
    let gateway = door(Arc::clone(&log), &Metrics::default()).await;

    eventually("engine and api are ready", || engine.ready().is_ok() && api.ready().is_ok()).await;
    let mut browser = TcpStream::connect(api.listening()).await.unwrap();
    let host = api.listening();
    let request = format!("GET /v1/stream HTTP/1.1\r\nHost: {host}\r\n\r\n");
    browser.write_all(request.as_bytes()).await.unwrap();
    until(&mut browser, "200 OK").await;

    // Made before anybody watches: making a fix passes `fix.rs` too.
    let fixes = van.fixes(0..1);
    let passed = Passed::default();
    tracing::subscriber::set_global_default(passed.clone()).unwrap();
    let tracker = Tracker::login(gateway.listening()[0].address, &van.device).await;
    tracker.send(&fixes).await;
    until(&mut browser, "event: position").await;

    assert_eq!(passed.firsts(), PACKET);
    gateway.stop().await;
    stop(engine).await;
    api.stop().await;
    remove(&data);
}

fn remove(data: &Path) {
    std::fs::remove_dir_all(data).unwrap();
}
