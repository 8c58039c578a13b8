//! `milepost match`: traces from a file to paths on a map, and how fast that was.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, ValueEnum};
use engine::matching::{Lag, MatchedPoint, Observation, Observed, Scratch, Track};
use engine::road::Road;
use ingest::time::Timestamp;
use ingest::units::Position;
use serde_json::{Value, json};

mod answer;
mod measure;
mod network;

use answer::Pieces;
use measure::{Figures, Stopwatch};
use network::Network;

/// Matches traces to the road: one line for each, then the figures of the run.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Road map made by `milepost map build`.
    #[arg(long, required_unless_present = "network", conflicts_with = "network")]
    map: Option<PathBuf>,
    /// CSV with a header: trace, seq, `t_ms`, lon, lat and perhaps `speed_mps`, `heading_deg`,
    /// `accuracy_m`.
    #[arg(long, required_unless_present = "network", conflicts_with = "network")]
    input: Option<PathBuf>,
    /// A plain network instead of a map.
    #[arg(long, value_enum, requires_all = ["nodes", "arcs", "track"])]
    network: Option<NetworkKind>,
    /// `lon lat` on each line; the line's number, from 0, is the node.
    #[arg(long, requires = "network")]
    nodes: Option<PathBuf>,
    /// `node node` on each line, one direction.
    #[arg(long, requires = "network")]
    arcs: Option<PathBuf>,
    /// `lon lat seconds` on each line.
    #[arg(long, requires = "network")]
    track: Option<PathBuf>,
    /// online commits within five fixes or 30 s; offline when all paths agree or the trace ends.
    #[arg(long, value_enum, default_value = "online")]
    mode: Mode,
    /// Traces matched at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Also the place of each fix as it was known at once.
    #[arg(long)]
    points: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NetworkKind {
    /// Nodes and directed arcs as text.
    Arcs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// As the engine does it.
    Online,
    /// The same with unlimited lag.
    Offline,
}

/// One vehicle's fixes in the order of the file.
#[derive(Debug)]
struct Trace {
    name: String,
    fixes: Vec<Observation>,
}

/// Runs the command.
#[expect(clippy::print_stdout, reason = "the answer of the command")]
pub fn run(args: &Args) -> Result<()> {
    let (road, network, traces) = inputs(args)?;
    let lag = if args.mode == Mode::Online { Lag::ONLINE } else { Lag::OFFLINE };
    let threads = usize::from(args.threads).min(traces.len()).max(1);
    let share = traces.len().div_ceil(threads).max(1);
    let job = Job { road: &road, network: network.as_ref(), lag, points: args.points };
    let mut figures = Figures::default();
    let parts: Vec<(Vec<Value>, Figures)> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            traces.chunks(share).map(|part| scope.spawn(move || job.matched(part))).collect();
        workers.into_iter().map(|w| w.join().unwrap_or_default()).collect()
    });
    let answers: usize = parts.iter().map(|(lines, _)| lines.len()).sum();
    if answers != traces.len() {
        bail!("matched `{answers}` of `{}` traces, expected all", traces.len());
    }
    for (lines, part) in parts {
        for line in lines {
            println!("{line}");
        }
        figures.add(part);
    }
    println!("{}", figures.summary());
    Ok(())
}

type Inputs = (Road, Option<Network>, Vec<Trace>);

fn inputs(args: &Args) -> Result<Inputs> {
    if let (Some(nodes), Some(arcs), Some(track)) = (&args.nodes, &args.arcs, &args.track) {
        let (network, road) = Network::read(nodes, arcs)?;
        return Ok((road, Some(network), vec![read_track(track)?]));
    }
    let (Some(map), Some(input)) = (&args.map, &args.input) else {
        bail!("expected --map with --input, or --network");
    };
    let road = Road::open(map).with_context(|| format!("open map `{}`", map.display()))?;
    Ok((road, None, read_traces(input)?))
}

/// What every thread does with its share of the traces.
#[derive(Clone, Copy)]
struct Job<'a> {
    road: &'a Road,
    network: Option<&'a Network>,
    lag: Lag,
    points: bool,
}

impl Job<'_> {
    fn matched(&self, traces: &[Trace]) -> (Vec<Value>, Figures) {
        let (mut scratch, mut out) = (Scratch::new(), Observed::default());
        let mut figures = Figures::default();
        let lines = traces.iter().map(|t| self.one(t, &mut scratch, &mut out, &mut figures));
        (lines.collect(), figures)
    }

    fn one(
        &self,
        trace: &Trace,
        scratch: &mut Scratch,
        out: &mut Observed,
        figures: &mut Figures,
    ) -> Value {
        let mut track = Track::with_lag(self.lag);
        let mut pieces = Pieces::default();
        let mut points = Vec::new();
        let mut states = Vec::with_capacity(trace.fixes.len());
        let watch = Stopwatch::start();
        for fix in &trace.fixes {
            let before = Stopwatch::wall();
            track.observe(self.road, fix, scratch, out);
            figures.latencies_ns.push(before.nanos());
            states.push(track.bytes_len() as u32);
            pieces.take(out);
            if self.points {
                points.push(point(self.road, fix, out.matched.as_ref()));
            }
        }
        track.flush(self.road, scratch, out);
        pieces.take(out);
        figures.cpu_seconds += watch.cpu_seconds();
        figures.points += trace.fixes.len();
        figures.state_bytes.append(&mut states);
        let mut line = pieces.answer(self.road, self.network);
        line["trace"] = Value::from(trace.name.as_str());
        if self.points {
            line["points"] = Value::from(points);
        }
        line
    }
}

fn point(road: &Road, fix: &Observation, matched: Option<&MatchedPoint>) -> Value {
    let mut value = json!({ "t_ms": fix.time.millis() });
    if let Some(m) = matched {
        let (way, from, to) = road.osm(m.place.edge);
        value["lng"] = json!(m.position.lng);
        value["lat"] = json!(m.position.lat);
        value["edge"] = json!([way, from, to]);
        value["offset_m"] = json!((m.place.offset_m * 100.0).round() / 100.0);
        value["confidence"] = json!((m.confidence * 1e4).round() / 1e4);
    }
    value
}

fn read_traces(path: &Path) -> Result<Vec<Trace>> {
    let file = File::open(path).with_context(|| format!("open traces `{}`", path.display()))?;
    let mut reader = csv::Reader::from_reader(file);
    let headers = reader.headers().context("read the header")?.clone();
    let column = |name: &str| headers.iter().position(|h| h == name);
    let need = |name: &str| {
        column(name).with_context(|| format!("`{}` has no column `{name}`", path.display()))
    };
    let (trace, time) = (need("trace")?, need("t_ms")?);
    let (lng, lat) = (need("lon")?, need("lat")?);
    let optional = [column("speed_mps"), column("heading_deg"), column("accuracy_m")];
    let mut traces: Vec<Trace> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for (row, record) in reader.records().enumerate() {
        let at = || format!("`{}` line {}", path.display(), row + 2);
        let record = record.with_context(at)?;
        let text = |index: usize| record.get(index).unwrap_or("").trim();
        let number = |index: usize| -> Result<f64> {
            let text = text(index);
            text.parse().with_context(|| format!("{}: `{text}`, expected a number", at()))
        };
        let [speed_mps, heading, accuracy_m] =
            optional.map(|c| c.and_then(|c| text(c).parse().ok()).filter(|v: &f64| v.is_finite()));
        let fix = Observation {
            position: Position::new(number(lng)?, number(lat)?).with_context(at)?,
            time: Timestamp::from_millis(number(time)? as i64),
            speed_mps,
            heading,
            accuracy_m,
        };
        let name = text(trace);
        let index = *numbers.entry(name.to_owned()).or_insert_with(|| {
            traces.push(Trace { name: name.to_owned(), fixes: Vec::new() });
            traces.len() - 1
        });
        traces[index].fixes.push(fix);
    }
    Ok(traces)
}

fn read_track(path: &Path) -> Result<Trace> {
    let mut fixes = Vec::new();
    for [lng, lat, seconds] in network::rows(path)? {
        fixes.push(Observation {
            position: Position::new(lng, lat).with_context(|| format!("`{}`", path.display()))?,
            time: Timestamp::default().plus_seconds(seconds),
            speed_mps: None,
            heading: None,
            accuracy_m: None,
        });
    }
    let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    Ok(Trace { name, fixes })
}
