//! The real thing under load: roles, sockets, disk log, and the fleet beside them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use engine::road::Road;
use ingest::id::TenantId;
use milepost::config::Config;
use milepost::roles::{Answers, Door, Meaning, Parts, Process};
use milepost::{clock, log};
use simulator::drive::FleetSettings;
use simulator::drive::journey::Rates;
use simulator::faults::Faults;
use simulator::live::{self, LiveRun, LiveSettings};

use crate::processor::{Spent, of, spent};

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// The fleet.
    pub(crate) vehicles: u32,
    /// Fixes a second of all of it.
    pub(crate) rate: u32,
    /// A quarter of it sends datagrams.
    pub(crate) datagrams: bool,
}

/// Seconds of driving before the measurement, and of the measurement.
const SECONDS: (u64, u64) = (30, 60);
/// Records of one packet, where the protocol can carry more than one.
const BUNDLE: usize = 5;
/// Lag is looked at so often around a reading.
const LOOKS: u32 = 8;
const LOOK: Duration = Duration::from_millis(1_100);
/// Inputs on the log that are not stepped yet.
const LAG: &str = "milepost_engine_lag_records";
/// Lag may grow by this share of what came in before it counts as growing.
const GROWS: f64 = 0.01;
/// The fleet may take this long to be planned and registered, seconds.
const REGISTER_S: u32 = 1_200;

/// What is read at one moment.
struct Reading {
    counts: BTreeMap<String, f64>,
    spent: Spent,
    at: std::time::Instant,
}

/// Runs the fleet and prints its row; whether the engine kept up.
pub(crate) fn print(
    (map, road): (&Path, &Arc<Road>),
    data: &Path,
    kafka: Option<&str>,
    load: Load,
) -> anyhow::Result<bool> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().thread_name("server").enable_all().build()?;
    let anywhere = vec!["127.0.0.1:0".to_owned()];
    milepost::roles::make_private(data)?;
    let parts = Parts {
        gateway: Some(Door { listen: anywhere.clone(), register_unknown: None }),
        engine: Some(Meaning { map: map.to_owned(), instance: "bench".into() }),
        api: Some(Answers {
            data: data.to_owned(),
            listen: anywhere.clone(),
            open: Some(TenantId::new("demo")?),
            map: Some(map.to_owned()),
            queries: false,
        }),
        archive: None,
        ops: anywhere,
    };
    let config = Config::default();
    if let Some(kafka) = kafka {
        log::prepare(kafka, &config)?;
    }
    let log = log::open(Some(data), kafka)?;
    let process = runtime.block_on(Process::start(parts, &config, log))?;
    let listening = process.listening();
    let stop = Arc::new(AtomicBool::new(false));
    let fleet = drive(road, &listening.to_string(), &process, (load, Arc::clone(&stop)))?;
    let ops = listening["listening"].as_array().into_iter().flatten();
    let ops = ops.filter(|s| s["role"] == "ops").find_map(|s| s["address"].as_str());
    let ops = format!("http://{}/metrics", ops.context("no ops address")?);

    wait_for_fixes(&ops)?;
    std::thread::sleep(Duration::from_secs(SECONDS.0));
    let before = reading(&ops)?;
    std::thread::sleep(Duration::from_secs(SECONDS.1).saturating_sub(LOOK * LOOKS));
    let after = reading(&ops)?;
    let kept_up = show(load, &before, &after);
    stop.store(true, Ordering::Release);
    let run = fleet.join().map_err(|_panic| anyhow::anyhow!("the fleet has panicked"))??;
    runtime.block_on(process.stop())?;
    show_losses(&run);
    Ok(kept_up)
}

/// Starts the fleet on a thread of its own.
fn drive(
    road: &Arc<Road>,
    listening: &str,
    process: &Process,
    (load, stop): (Load, Arc<AtomicBool>),
) -> anyhow::Result<std::thread::JoinHandle<anyhow::Result<LiveRun>>> {
    let address = process.api_address().context("the api has no address")?;
    let protocols: &[&str] = if load.datagrams {
        &["teltonika", "osmand", "teltonika", "teltonika/udp"]
    } else {
        &["teltonika", "osmand"]
    };
    let settings = LiveSettings {
        road: Arc::clone(road),
        fleet: FleetSettings {
            seed: crate::SEED,
            vehicles: load.vehicles,
            minutes: 30.0,
            start: clock::now(),
            tenant: TenantId::new("demo")?,
            protocols: protocols.iter().map(|name| (*name).to_owned()).collect(),
            rates: Rates::default(),
            jam: None,
        },
        ports: live::ports(listening),
        api: (format!("http://{address}"), None),
        interval_s: f64::from(load.vehicles) / f64::from(load.rate),
        records_per_packet: BUNDLE,
        faults: Faults::default(),
        ledger: None,
        clock: clock::wall(),
        stop,
    };
    let run = move || Ok(live::run(settings, &|line| eprintln!("fleet: {line}"))?);
    Ok(std::thread::Builder::new().name("fleet".into()).spawn(run)?)
}

fn wait_for_fixes(ops: &str) -> anyhow::Result<()> {
    for _ in 0..REGISTER_S {
        if read(ops)?.count("milepost_gateway_records_total") > 0.0 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    anyhow::bail!("no fix came within {REGISTER_S} s")
}

impl Reading {
    fn count(&self, name: &str) -> f64 {
        self.counts.get(name).copied().unwrap_or_default()
    }
}

/// A reading with the median lag of some: packets come in bundles, so that lag swings by a second.
fn reading(ops: &str) -> anyhow::Result<Reading> {
    let mut last = read(ops)?;
    let mut lags = vec![last.count(LAG)];
    for _ in 0..LOOKS {
        std::thread::sleep(LOOK);
        last = read(ops)?;
        lags.push(last.count(LAG));
    }
    lags.sort_by(f64::total_cmp);
    last.counts.insert(LAG.to_owned(), lags[lags.len() / 2]);
    Ok(last)
}

/// Every metric, its labels added up, and the processor time of every thread.
fn read(ops: &str) -> anyhow::Result<Reading> {
    let text = ureq::get(ops).call()?.body_mut().read_to_string()?;
    let mut counts = BTreeMap::<String, f64>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let name = name.split('{').next().unwrap_or_default().to_owned();
        *counts.entry(name).or_default() += value.parse::<f64>().unwrap_or_default();
    }
    Ok(Reading { counts, spent: spent(), at: clock::monotonic() })
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn show(load: Load, before: &Reading, after: &Reading) -> bool {
    let seconds = (after.at - before.at).as_secs_f64();
    let grown = |name: &str| after.count(name) - before.count(name);
    let fixes = grown("milepost_gateway_records_total");
    let lag = |reading: &Reading| reading.count(LAG);
    let delay = "milepost_engine_packet_to_live_seconds";
    let delay = grown(&format!("{delay}_sum")) / grown(&format!("{delay}_count")).max(1.0) * 1e3;
    let (begin, end) = (lag(before), lag(after));
    println!("{} vehicles on the same cores:", load.vehicles);
    println!(
        "  {:.0} fixes/s for {seconds:.0} s, lag {begin:.0} -> {end:.0} records",
        fixes / seconds
    );
    println!("  packet to live {delay:.0} ms on average");
    let mut all = 0.0;
    let names: Vec<&String> = after.spent.keys().collect();
    for name in names {
        let each = (of(&after.spent, name) - of(&before.spent, name)) / fixes.max(1.0);
        all += each;
        if each >= 0.1 {
            println!("  thread {name:<16} {each:7.2} CPU us a fix");
        }
    }
    println!(
        "  all              {all:14.2} CPU us a fix, {:.2} cores",
        all * fixes / seconds / 1e6
    );
    end <= begin + GROWS * fixes
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn show_losses(run: &LiveRun) {
    println!(
        "  sent {}, acked {}, lost {}, doubled {}",
        run.score.sent, run.score.acked, run.score.lost, run.score.doubled
    );
}
