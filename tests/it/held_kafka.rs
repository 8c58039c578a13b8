//! A real broker's produce answers are withheld for seconds: who is answered meanwhile, and what
//! memory it takes while the devices keep sending.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway::limits::WINDOW_BYTES_MAX;
use ingest::log::{Log, Topic};
use ingest::protocol::Answer;
use ingest::record::{DeviceInput, Envelope};
use milepost::log::kafka::{KafkaLog, Properties, topics};

use crate::line::{
    Counted, FIXES_A_PACKET, Tracker, Van, WINDOW_MAX, door, eventually, keep_sending, records,
    with_roles, within,
};
use crate::log::kafka::{bootstrap, extra};

mod proxy;

use proxy::Proxy;

/// How long the answers are withheld (L7 of the acceptance list).
const HELD: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const DEVICES: usize = 8;
/// What the process may grow by while it is held, MiB: windows, the producer's copies of what
/// they hold, the allocator's slack. A second of what the devices could send is more.
const RSS_GROWTH_MAX: usize = 64;

/// Numbers of the test's vans begin here: others share the broker.
const FIRST_VAN: usize = 40_000;

#[expect(clippy::disallowed_methods, reason = "with-broker.sh names its held listener by this")]
fn held_listener() -> (SocketAddr, SocketAddr) {
    let ports = std::env::var("KAFKA_HELD").unwrap();
    let (listens, advertised) = ports.split_once(' ').unwrap();
    (listens.parse().unwrap(), advertised.parse().unwrap())
}

/// Resident memory of this process, MiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

async fn withheld_answers_hold_back_replies_and_nothing_grows() {
    let (listens, advertised) = held_listener();
    topics::create(&Properties::new(&bootstrap(), &extra()), 1).unwrap();
    let direct = KafkaLog::connect(&bootstrap(), &extra()).unwrap();
    let now = milepost::clock::wall()();
    let vans: Vec<_> = (0..=DEVICES).map(|n| Van::numbered(FIRST_VAN + n, now)).collect();
    direct.append(vans.iter().flat_map(|van| van.known(now)).collect()).await.unwrap();

    let proxy = Proxy::open(advertised, listens).await;
    let log = Arc::new(KafkaLog::connect(&advertised.to_string(), &extra()).unwrap());
    let counted = Counted::default();
    let gateway = door(log, &counted.metrics).await;
    let at = gateway.listening()[0].address;
    let mut trackers = Vec::new();
    for van in &vans[..DEVICES] {
        trackers.push(Arc::new(Tracker::login(at, &van.device).await));
    }
    // Before it is held a packet is answered; afterwards none.
    trackers[0].send(&vans[0].fixes(0..1)).await;
    assert_eq!(trackers[0].answer().await, Answer::Stored);
    proxy.hold();
    trackers[0].send(&vans[0].fixes(0..1)).await;
    eventually("the broker has answered", || proxy.withheld() > 0).await;
    assert!(trackers[0].hears_nothing(), "answered before it was durable");
    // A login waits for nothing.
    drop(Tracker::login(at, &vans[DEVICES].device).await);

    let (before, stop) = (resident(), Arc::new(AtomicBool::new(false)));
    let kinds = FIXES_A_PACKET.into_iter().cycle();
    let sending = trackers.iter().zip(vans.iter().cloned().zip(kinds));
    let sending = sending.map(|(tracker, kind)| {
        tokio::spawn(keep_sending(Arc::clone(tracker), kind, Arc::clone(&stop)))
    });
    let sending: Vec<_> = sending.collect();
    let appending = || counted.metric("milepost_gateway_appending_bytes") as usize;
    let mut most = 0;
    for _ in 0..HELD.as_millis() / LOOK_EVERY.as_millis() {
        tokio::time::sleep(LOOK_EVERY).await;
        most = most.max(appending());
        assert!(most <= DEVICES * WINDOW_MAX, "`{most}` bytes are under way");
    }
    let grown = resident().saturating_sub(before);
    eprintln!("held for {HELD:?}: {} KiB under way, {grown} MiB more", most / 1024);
    assert!(most >= WINDOW_BYTES_MAX, "only `{most}` bytes were under way: nothing was held");
    assert!(grown <= RSS_GROWTH_MAX, "the process grew by `{grown}` MiB");
    assert!(proxy.withheld() > 0);
    assert!(trackers.iter().all(|t| t.hears_nothing()), "answered before it was durable");

    stop.store(true, Ordering::Relaxed);
    proxy.release();
    let mut expected = BTreeSet::new();
    for (n, sending) in sending.into_iter().enumerate() {
        let sent = within("a device is read again", sending).await.unwrap();
        trackers[n].stored(sent + i64::from(n == 0)).await;
        let of_van = vans[n].fixes(0..sent).into_iter();
        expected.extend(of_van.map(|r| (r.device, r.time)));
    }
    gateway.stop().await;
    let stored = records(&direct, Topic::Inputs).into_iter().filter_map(|record| {
        let input = DeviceInput::from_envelope(&Envelope::decode(record.value?).ok()?).ok()?;
        Some((input.report.device, input.report.time))
    });
    let stored: BTreeSet<_> = stored.collect();
    assert!(expected.is_subset(&stored), "what was answered is not on the log");
}

#[test]
fn after_durable_replies_wait_and_nothing_grows() {
    with_roles(withheld_answers_hold_back_replies_and_nothing_grows());
}
