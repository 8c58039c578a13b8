//! `milepost simulate`: a synthetic town, a fleet over real sockets or inside one process, and
//! the score.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use engine::alert::Policy;
use engine::eta::EtaModel;
use engine::road::Road;
use ingest::id::TenantId;
use ingest::log::{Log, MemoryLog};
use ingest::time::Timestamp;
use simulator::drive::journey::Rates;
use simulator::drive::{Fleet, FleetSettings, JamPlace};
use simulator::faults::Faults;
use simulator::in_process::{InProcessSettings, VirtualClock, in_process};
use simulator::live::{self, LiveSettings};
use simulator::score::Score;

use crate::clock;
use crate::log::disk::{self, DiskLog};

/// When an in-process day begins: 2026-11-20T08:00:00Z, a Friday morning.
const DAY_S: i64 = 1_795_161_600;
/// Partitions of a log in memory, as many as a disk log has.
const PARTITIONS: u32 = 16;
/// Bytes of the ledger kept before they are written.
const LEDGER_BUFFER: usize = 1024 * 1024;

/// Drives a fleet and scores what was made of it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Road map made by `milepost map build`
    #[arg(long, required_unless_present = "town")]
    map: Option<PathBuf>,
    /// The same seed gives the same town, fleet and day
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Vehicles, each with one device
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    vehicles: u32,
    /// Minutes of driving
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    minutes: f64,
    /// Protocols, separated by commas; vehicles speak them in turn, `teltonika/udp` over UDP
    #[arg(long, value_delimiter = ',', default_values = ["teltonika", "osmand", "t55"])]
    protocol: Vec<String>,
    /// File with the line that a running Milepost prints when its sockets are open
    #[arg(long, required_unless_present_any = ["in_process", "town"])]
    ports: Option<PathBuf>,
    /// Address of the API, such as <http://127.0.0.1:8080>
    #[arg(long, required_unless_present_any = ["in_process", "town"])]
    api: Option<String>,
    /// Key for the API (role admin); none in open mode
    #[arg(long)]
    key: Option<String>,
    /// Whose fleet an in-process run is; otherwise the key says it
    #[arg(long, default_value = "demo")]
    tenant: String,
    /// Write what is sent and answered, as JSON lines
    #[arg(long, value_name = "OUT.jsonl")]
    ledger: Option<PathBuf>,
    /// Seconds between two fixes of a device, whole
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    interval: u32,
    /// Fixes of one packet, where the protocol can carry more than one
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=255))]
    records_per_packet: u32,
    /// Write the score here, too
    #[arg(long, value_name = "OUT.json")]
    score: Option<PathBuf>,
    /// disconnect=S,duplicate=S,reorder=S,garbage=S per packet, offline=S of the time
    #[arg(long, default_value = "", value_parser = |text: &str| Faults::parse(text))]
    faults: Faults,
    /// A traffic jam around an edge (its number) or where most stops are, from a minute on
    #[arg(long, value_name = "EDGE|auto@MIN", value_parser = jam)]
    jam: Option<(JamPlace, f64)>,
    /// Nothing goes wrong with the drivers: no detours, breaks or silent devices
    #[arg(long)]
    no_deviations: bool,
    /// Write every fix with the truth behind it, as CSV
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// All roles in this process on a virtual clock, as fast as possible
    #[arg(long)]
    in_process: bool,
    /// Keep the log of an in-process run here
    #[arg(long, requires = "in_process")]
    data: Option<PathBuf>,
    /// When the day of an in-process run begins, RFC 3339; its UTC hour sets the traffic
    #[arg(long, requires = "in_process", value_name = "TIME")]
    start: Option<String>,
    /// Only write the synthetic town of the seed
    #[arg(long, value_name = "OUT.osm.pbf")]
    town: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().ok().ok_or("expected a number of minutes")?;
    let fits = minutes > 0.0 && minutes <= 7.0 * 1440.0;
    fits.then_some(minutes).ok_or_else(|| "expected more than 0 and at most 10080".to_owned())
}

fn jam(text: &str) -> Result<(JamPlace, f64), String> {
    let expected = || format!("jam `{text}` is not EDGE@MIN or auto@MIN");
    let (place, minute) = text.split_once('@').ok_or_else(expected)?;
    let place = match place {
        "auto" => JamPlace::Auto,
        edge => JamPlace::Edge(edge.parse().ok().ok_or_else(expected)?),
    };
    let minute: f64 = minute.parse().ok().ok_or_else(expected)?;
    (minute >= 0.0).then_some((place, minute)).ok_or_else(expected)
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(path) = &args.town {
        let bytes = simulator::town::town(args.seed);
        std::fs::write(path, bytes).with_context(|| format!("write town `{}`", path.display()))?;
        if args.map.is_none() {
            return Ok(());
        }
    }
    let Some(map) = &args.map else { bail!("--map is missing") };
    let road = Arc::new(Road::open(map).with_context(|| format!("open map `{}`", map.display()))?);
    let fleet = FleetSettings {
        seed: args.seed,
        vehicles: args.vehicles,
        minutes: args.minutes,
        start: clock::now(),
        tenant: TenantId::new(&args.tenant)?,
        protocols: args.protocol.clone(),
        rates: if args.no_deviations { Rates::NONE } else { Rates::default() },
        jam: args.jam,
    };
    let (score, fleet) = if args.in_process {
        run_in_process(args, Arc::clone(&road), fleet)?
    } else {
        run_live(args, Arc::clone(&road), fleet)?
    };
    if let Some(path) = &args.trace {
        let what = || format!("write trace `{}`", path.display());
        let mut out = BufWriter::new(File::create(path).with_context(what)?);
        let span = (args.seed, args.interval, (args.minutes * 60.0) as u32);
        simulator::trace::write(&mut out, &road, &fleet, span).with_context(what)?;
    }
    print(&score, args.score.as_deref())
}

fn run_in_process(
    args: &Args,
    road: Arc<Road>,
    mut fleet: FleetSettings,
) -> anyhow::Result<(Score, Fleet)> {
    // A morning of the day: the hour sets the traffic, and a fixed one makes runs repeatable.
    fleet.start = match &args.start {
        Some(start) => Timestamp::parse(start)?,
        None => Timestamp::from_seconds(DAY_S),
    };
    let clock = VirtualClock::new(fleet.start);
    let log: Arc<dyn Log> = match &args.data {
        Some(dir) => Arc::new(
            DiskLog::open(dir, disk::Settings::of(dir), clock.clock())
                .with_context(|| format!("open log in `{}`", dir.display()))?,
        ),
        None => Arc::new(MemoryLog::new(PARTITIONS, clock.clock())),
    };
    let settings = InProcessSettings {
        road,
        fleet,
        interval_s: args.interval,
        records_per_packet: args.records_per_packet as usize,
        faults: args.faults,
        ledger: ledger(args.ledger.as_deref())?,
        model: EtaModel::default(),
        policy: Policy::default(),
    };
    let run = in_process(settings, &log, &clock, &|line| eprintln!("simulate: {line}"))?;
    Ok((run.score, run.fleet))
}

fn run_live(args: &Args, road: Arc<Road>, fleet: FleetSettings) -> anyhow::Result<(Score, Fleet)> {
    let (Some(ports), Some(api)) = (&args.ports, &args.api) else {
        bail!("--ports and --api are missing")
    };
    let text = std::fs::read_to_string(ports)
        .with_context(|| format!("read ports `{}`", ports.display()))?;
    let settings = LiveSettings {
        road,
        fleet,
        ports: live::ports(&text),
        api: (api.clone(), args.key.clone()),
        interval_s: f64::from(args.interval),
        records_per_packet: args.records_per_packet as usize,
        faults: args.faults,
        ledger: ledger(args.ledger.as_deref())?,
        clock: clock::wall(),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let run = live::run(settings, &|line| eprintln!("simulate: {line}"))?;
    eprintln!("simulate: network {:?}", run.counts);
    Ok((run.score, run.fleet))
}

fn ledger(path: Option<&Path>) -> anyhow::Result<Option<Box<dyn Write + Send>>> {
    let Some(path) = path else { return Ok(None) };
    let file = File::create(path).with_context(|| format!("write ledger `{}`", path.display()))?;
    Ok(Some(Box::new(BufWriter::with_capacity(LEDGER_BUFFER, file))))
}

#[expect(clippy::print_stdout, reason = "the command's one JSON document")]
fn print(score: &Score, path: Option<&Path>) -> anyhow::Result<()> {
    let json = serde_json::to_string(score)?;
    if let Some(path) = path {
        std::fs::write(path, format!("{json}\n"))
            .with_context(|| format!("write score `{}`", path.display()))?;
    }
    println!("{json}");
    Ok(())
}
