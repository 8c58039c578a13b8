//! A fleet at real speed, over real sockets, against a running Milepost.
//!
//! [`client`] registers it and asks, [`watch`] collects the answers, [`demo`] keeps a fleet going
//! for ever.

pub mod client;
pub mod demo;
pub mod watch;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::road::Road;
use ingest::log::Clock;
use ingest::protocol::Transport;
use ingest::time::Timestamp;
use thiserror::Error;
use tokio::task::LocalSet;

use crate::drive::{Fleet, FleetError, FleetSettings, Van};
use crate::faults::{Faults, Weather};
use crate::ledger::Ledger;
use crate::network::{Counts, Device, Ports, Shared, Timeline, dial};
use crate::noise::Receiver;
use crate::score::{Score, Truth};
use crate::tracker::{Speech, UnknownProtocol};
use client::{ApiError, Client};
pub use demo::{DemoSettings, demo_fleet};
use watch::Watch;

/// Time to register one vehicle, seconds, that the start is put off by.
const REGISTER_S: f64 = 0.012;
/// Events are looked at this often.
const LOOK: Duration = Duration::from_secs(2);
/// After the last fix the system may still speak for this long.
const SETTLE: Duration = Duration::from_secs(20);

/// Takes lines for people.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// A live run.
pub struct LiveSettings {
    /// The map.
    pub road: Arc<Road>,
    /// The fleet; its start is set by the run, its tenant is the key's.
    pub fleet: FleetSettings,
    /// Where devices connect.
    pub ports: Ports,
    /// The API and the key for it; open mode needs none.
    pub api: (String, Option<String>),
    /// Seconds between two fixes, whole.
    pub interval_s: f64,
    /// Fixes of one packet.
    pub records_per_packet: usize,
    /// What goes wrong on the network.
    pub faults: Faults,
    /// Where the ledger goes.
    pub ledger: Option<Box<dyn io::Write + Send>>,
    /// The time of day.
    pub clock: Clock,
    /// Ends the run early when it turns true.
    pub stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for LiveSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveSettings").field("fleet", &self.fleet).finish_non_exhaustive()
    }
}

/// What came of a live run.
#[derive(Debug)]
pub struct LiveRun {
    /// The score.
    pub score: Score,
    /// What happened on the network.
    pub counts: Counts,
    /// The fleet with its truth.
    pub fleet: Fleet,
}

/// Why a live run failed.
#[derive(Debug, Error)]
pub enum LiveError {
    /// No fleet could be made.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The API refused or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A protocol is not known.
    #[error(transparent)]
    Protocol(#[from] UnknownProtocol),
    /// Nobody listens for a protocol.
    #[error("ports name no address for `{protocol}` over {transport}")]
    NoPort {
        /// The protocol.
        protocol: String,
        /// Its transport.
        transport: &'static str,
    },
    /// The ledger or the runtime failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads addresses of gateways from the line that a role prints when its sockets are open
/// (contract §3); other lines of a captured output are passed over.
pub fn ports(text: &str) -> Ports {
    let mut ports = Ports::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        for socket in line["listening"].as_array().into_iter().flatten() {
            let transport = socket["transport"].as_str().and_then(Transport::by_name);
            let Some(transport) = transport.filter(|_| socket["tls"] != true) else { continue };
            let address = socket["address"].as_str().and_then(|a| a.parse::<SocketAddr>().ok());
            if let (Some(protocol), Some(address)) = (socket["protocol"].as_str(), address) {
                ports.insert((protocol.to_owned(), transport), address);
            }
        }
    }
    ports
}

/// Where a device of this protocol connects.
pub(crate) fn place(ports: &Ports, protocol: &str) -> Result<(Speech, SocketAddr), LiveError> {
    let speech = Speech::named(protocol)?;
    let name = speech.protocol.name();
    let address = ports.get(&(name.to_owned(), speech.transport)).copied();
    let transport = speech.transport.name();
    let missing = || LiveError::NoPort { protocol: name.to_owned(), transport };
    Ok((speech, address.ok_or_else(missing)?))
}

/// The device of a vehicle, not yet connected.
pub(crate) fn device(
    van: &Van,
    ports: &Ports,
    seed: u64,
    faults: Faults,
) -> Result<Device, LiveError> {
    let (speech, address) = place(ports, &van.protocol)?;
    Ok(Device {
        number: van.number,
        vehicle: van.vehicle.clone(),
        id: van.device.clone(),
        speech,
        address,
        receiver: Receiver::new(seed, van.number),
        weather: Weather::new(faults, seed, van.number),
        measured: 0,
    })
}

/// Registers the fleet, drives it and scores what the API says. Progress goes to `progress`.
pub fn run(mut settings: LiveSettings, progress: Progress<'_>) -> Result<LiveRun, LiveError> {
    for protocol in &settings.fleet.protocols {
        place(&settings.ports, protocol)?;
    }
    let client = Client::new(&settings.api.0, settings.api.1.as_deref());
    // The tenant is part of each fix's identity, and the key says which one it is.
    if let Some(tenant) = client.tenant()? {
        settings.fleet.tenant = tenant;
    }
    progress("planning the fleet");
    settings.fleet.start = whole_second((settings.clock)());
    let mut fleet = Fleet::new(&settings.road, &settings.fleet)?;
    let ahead = 4.0 + REGISTER_S * f64::from(settings.fleet.vehicles);
    fleet.start = whole_second((settings.clock)().plus_seconds(ahead));
    progress(&format!("registering {} vehicles", fleet.vans.len()));
    client.register(&fleet.vans, fleet.start)?;
    let late = (settings.clock)().seconds_since(fleet.start);
    progress(&format!("driving; first fixes at {}", fleet.start));
    if late > 0.0 {
        progress(&format!("registering took {late:.0} s longer than planned; joining late"));
    }
    let seconds = settings.fleet.minutes * 60.0;
    let devices: Vec<Device> = fleet
        .vans
        .iter()
        .map(|van| device(van, &settings.ports, settings.fleet.seed, settings.faults))
        .collect::<Result<_, _>>()?;
    let mut watch = Watch::new(client, &fleet);
    let driven = AtomicBool::new(false);
    let (ledger, counts) = std::thread::scope(|scope| {
        let clock = Arc::clone(&settings.clock);
        let (watch, driven) = (&mut watch, &driven);
        let look = move || look_on(watch, &clock, driven, progress);
        let watching = scope.spawn(look);
        let result = drive(&mut settings, &fleet, devices, seconds);
        driven.store(true, Ordering::Release);
        let watched = watching.join().unwrap_or(Ok(()));
        result.and_then(|result| watched.map(|()| result).map_err(LiveError::from))
    })?;
    progress("reading the tracks");
    watch.tracks(&fleet, &ledger, (settings.clock)().plus_seconds(60.0))?;
    let end_s = (settings.clock)().seconds_since(fleet.start).min(seconds);
    let (road, interval_s) = (&*settings.road, settings.interval_s);
    let truth = Truth { road, fleet: &fleet, end_s, interval_s };
    let score = Score::of(truth, &watch.seen, &ledger);
    Ok(LiveRun { score, counts, fleet })
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.micros().div_euclid(1_000_000) + 1)
}

/// Drives all devices on a runtime of this thread.
fn drive(
    settings: &mut LiveSettings,
    fleet: &Fleet,
    devices: Vec<Device>,
    seconds: f64,
) -> Result<(Ledger, Counts), LiveError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared = Rc::new(Shared {
        road: Arc::clone(&settings.road),
        tenant: fleet.tenant.clone(),
        clock: Arc::clone(&settings.clock),
        dial: dial::sockets(),
        interval_s: settings.interval_s,
        records_per_packet: settings.records_per_packet,
        ledger: RefCell::new(Ledger::new(settings.ledger.take())),
        counts: RefCell::new(Counts::default()),
    });
    let tasks = LocalSet::new();
    let stop = Arc::clone(&settings.stop);
    let flushed = tasks.block_on(&runtime, async {
        let timeline = Timeline::new(fleet.start, &shared.clock, seconds);
        let mut running = tokio::task::JoinSet::new();
        for (device, van) in devices.into_iter().zip(&fleet.vans) {
            let journey = Rc::new(van.journey.clone());
            running.spawn_local(device.run(Rc::clone(&shared), journey, timeline));
        }
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                ended = running.join_next() => if ended.is_none() { break },
                _ = second.tick() => {
                    shared.ledger.borrow_mut().flush()?;
                    if stop.load(Ordering::Acquire) {
                        running.abort_all();
                    }
                }
            }
        }
        shared.ledger.borrow_mut().flush()
    });
    drop(tasks);
    flushed?;
    let counts = *shared.counts.borrow();
    let ledger = Ledger::new(None);
    let ledger = std::mem::replace(&mut *shared.ledger.borrow_mut(), ledger);
    Ok((ledger, counts))
}

/// Looks at events and predictions until everything is driven, and a while longer.
fn look_on(
    watch: &mut Watch,
    clock: &Clock,
    driven: &AtomicBool,
    progress: Progress<'_>,
) -> Result<(), ApiError> {
    let start = watch.start();
    let (mut minute, mut left) = (0, SETTLE);
    while left > Duration::ZERO {
        std::thread::sleep(LOOK);
        // The server may be down for a while: that is what some runs are about.
        if let Err(error) = watch.events() {
            progress(&format!("events: {error}"));
        }
        let now = clock();
        let due = (now.seconds_since(start) / 60.0).floor().max(0.0) as usize;
        if driven.load(Ordering::Acquire) {
            left = left.saturating_sub(LOOK);
        } else if due > minute {
            minute = due;
            if let Err(error) = watch.predictions(minute, now) {
                progress(&format!("predictions: {error}"));
            }
            let (arrivals, raised) = (watch.seen.arrivals.len(), watch.seen.raised.len());
            progress(&format!("minute {minute}: {arrivals} arrivals, {raised} exceptions"));
        }
    }
    watch.events()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_a_captured_output() {
        let text = "starting\n{\"listening\":[{\"role\":\"gateway\",\"protocol\":\"osmand\",\
                    \"transport\":\"http\",\"address\":\"127.0.0.1:45055\"},{\"role\":\"api\",\
                    \"transport\":\"http\",\"address\":\"127.0.0.1:8080\"}],\"process\":1}\n";
        let ports = ports(text);
        let osmand = ("osmand".to_owned(), Transport::Http);
        assert_eq!(ports.len(), 1);
        assert_eq!(ports[&osmand], "127.0.0.1:45055".parse().unwrap());
    }
}
