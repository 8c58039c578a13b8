//! Devices against a server in memory that reads as the gateway does, on paused time.

use std::collections::BTreeSet;

use ingest::fix::Report;
use ingest::protocol::{Admission, Options, Step};
use ingest::record::{Pid, pid};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::LocalSet;

use super::dial::Stream;
use super::*;
use crate::drive::Fleet;
use crate::drive::tests::{grid, settings};
use crate::faults::Faults;

/// What the server has read: durable at once.
type Stored = Rc<RefCell<BTreeSet<Pid>>>;

/// Serves one connection until it ends, breaks or becomes unreadable.
async fn serve(mut stream: DuplexStream, speech: Speech, tenant: TenantId, stored: Stored) {
    let mut decoder = speech.protocol.decoder(speech.transport, &Options::default());
    let mut report = Report::of(DeviceId::new("nobody").expect("an id"));
    let mut bytes = [0_u8; 700];
    let now = Timestamp::parse("2026-11-20T08:00:00Z").expect("a time");
    loop {
        // As the gateway does: a frame that has begun is complete within ten seconds.
        let limit = Duration::from_secs(if decoder.mid_frame() { 10 } else { 3_600 });
        let Ok(Ok(n @ 1..)) = tokio::time::timeout(limit, stream.read(&mut bytes)).await else {
            return;
        };
        decoder.feed(&bytes[..n], now);
        loop {
            match decoder.poll(&mut report) {
                Ok(Step::NeedBytes) => break,
                Ok(Step::Identify(_)) => decoder.admit(Admission::Admitted),
                Ok(Step::Report) => {
                    stored.borrow_mut().insert(pid(&tenant, &report, now));
                }
                Ok(Step::Reply { bytes, .. }) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Err(error) if error.recoverable => {}
                Ok(Step::Close) | Err(_) => return,
            }
        }
    }
}

fn shared(fleet: &Fleet, road: Road, stored: &Stored, speech: Speech) -> Shared {
    let (tenant, stored) = (fleet.tenant.clone(), Rc::clone(stored));
    let dial: Dial = Box::new(move |_, _| {
        let (tenant, stored) = (tenant.clone(), Rc::clone(&stored));
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(4096);
            tokio::task::spawn_local(serve(far, speech, tenant, stored));
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    });
    let start = fleet.start;
    Shared {
        road: Arc::new(road),
        tenant: fleet.tenant.clone(),
        clock: Arc::new(move || start),
        dial,
        interval_s: 1.0,
        records_per_packet: 3,
        ledger: RefCell::new(Ledger::new(None)),
        counts: RefCell::new(Counts::default()),
    }
}

/// Drives a few devices of a protocol for ten minutes; answers the ledger, what the server has,
/// and the counts.
fn run(protocol: &str, faults: &str) -> (Ledger, BTreeSet<Pid>, Counts) {
    let road = grid(20);
    let fleet = Fleet::new(&road, &settings(4, 10.0)).expect("a fleet");
    let faults = Faults::parse(faults).expect("faults");
    let stored = Stored::default();
    let speech = Speech::named(protocol).expect("a protocol");
    let shared = Rc::new(shared(&fleet, road, &stored, speech));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let timeline = Timeline::new(fleet.start, &shared.clock, 600.0);
        let mut running = tokio::task::JoinSet::new();
        for van in &fleet.vans {
            let device = Device {
                number: van.number,
                vehicle: van.vehicle.clone(),
                id: van.device.clone(),
                speech,
                address: SocketAddr::from(([127, 0, 0, 1], 1)),
                receiver: Receiver::new(1, van.number),
                weather: Weather::new(faults, 1, van.number),
                measured: 0,
            };
            let journey = Rc::new(van.journey.clone());
            running.spawn_local(device.run(Rc::clone(&shared), journey, timeline));
        }
        while running.join_next().await.is_some() {}
    });
    let counts = *shared.counts.borrow();
    let ledger = std::mem::replace(&mut *shared.ledger.borrow_mut(), Ledger::new(None));
    (ledger, stored.borrow().clone(), counts)
}

#[test]
fn a_perfect_network_carries_every_fix_once() {
    for protocol in ["teltonika", "osmand"] {
        let (ledger, stored, counts) = run(protocol, "");
        assert_eq!(ledger.sent().len(), 4 * 601, "{protocol}");
        assert_eq!(ledger.acked().len(), ledger.sent().len(), "{protocol}");
        assert!(ledger.acked().is_subset(&stored), "{protocol}");
        assert_eq!((counts.connects, counts.breaks, counts.left), (4, 0, 0), "{protocol}");
    }
}

#[test]
fn faults_conserve() {
    let faults = "disconnect=0.1,duplicate=0.1,reorder=0.1,garbage=0.05,offline=0.1";
    for protocol in ["teltonika", "osmand"] {
        let (ledger, stored, counts) = run(protocol, faults);
        assert!(counts.breaks > 20, "{protocol} {counts:?}");
        assert_eq!(ledger.sent().len(), 4 * 601, "{protocol} {counts:?}");
        // Whatever was answered is there, and nothing was kept back or given up.
        assert!(ledger.acked().is_subset(&stored), "{protocol}");
        assert_eq!((counts.left, counts.given_up), (0, 0), "{protocol}");
        assert_eq!(ledger.acked().len(), ledger.sent().len(), "{protocol}");
    }
}

#[test]
fn without_answers_everything_is_still_sent() {
    let (ledger, stored, _) = run("t55", "disconnect=0.1,duplicate=0.1");
    assert_eq!(ledger.sent().len(), 4 * 601);
    assert!(ledger.acked().is_empty());
    let arrived = ledger.sent().keys().filter(|pid| stored.contains(pid)).count();
    assert!(arrived * 100 >= ledger.sent().len() * 97, "{arrived}");
}
