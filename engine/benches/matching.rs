//! Matching on a whole city: `cargo bench -p engine --bench matching`.
//!
//! Drives routes that are quickest under weights of their own, so that no model is favoured, adds
//! white or drifting noise, and prints for every spread and interval how wrong the matched edges
//! are (metres added and missed over metres driven), online, offline, and offline when told the
//! true spread: the oracle, and the ratio to it; how much of the offline path the online one has,
//! and a digest of all paths, by which a change that should change none is told. Then what a fix costs. Takes Porto from
//! `MILEPOST_SHARED` (default `../shared` beside the checkout), or an extract named on the command
//! line. CPU time of this thread.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints and may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use engine::matching::{Lag, Observation, Observed, Scratch, Track};
use engine::path::{Hierarchy, Router, Snapshot};
use engine::road::plane::{Plane, distance_m};
use engine::road::{EdgeId, Place, Profile, Road, import};
use ingest::time::Timestamp;
use ingest::units::Position;

const ROUTES: usize = 20;
/// Crow's metres of a route.
const ROUTE_M: (f64, f64) = (3_000.0, 12_000.0);
const SIGMAS_M: [f64; 4] = [5.0, 10.0, 20.0, 50.0];
const INTERVALS_S: [usize; 5] = [1, 5, 15, 30, 60];
/// Time constant of drifting noise, seconds, and its white share: real drives have 35-40 s.
const DRIFT: (f64, f64) = (40.0, 0.2);
/// Vehicles in turn, and fixes of each that are timed.
const FLEET: (usize, usize) = (100_000, 5);

/// Least CPU time over which points are counted.
const TIMED_NS: u64 = 200_000_000;

/// A second of a drive.
struct Tick {
    at: Position,
    speed_mps: f64,
    heading: f64,
}

struct Drive {
    edges: Vec<EdgeId>,
    ticks: Vec<Tick>,
}

fn main() {
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into();
    let shared = std::env::var_os("MILEPOST_SHARED").map_or_else(beside, PathBuf::from);
    let source = named.map_or(shared.join("data/osm/porto.osm.pbf"), PathBuf::from);
    if !source.exists() {
        println!("skipped: no shared data");
        return;
    }
    let road = Road::from_image(import::import(&source).expect("import")).expect("map");
    let drives = drives(&road, &mut Draw(1));
    println!("{}: {} drives; wrong edges in % of metres", source.display(), drives.len());
    println!(
        "noise, sigma, interval    online  offline   oracle   offline/oracle   on = off   points/s offline"
    );
    let mut all = Sum::default();
    for drifting in [true, false] {
        for sigma in SIGMAS_M {
            for every in INTERVALS_S {
                cell(&road, &drives, (drifting, sigma, every), &mut all);
            }
        }
    }
    println!(
        "online has {:.2} % of the metres of offline (goal 99.5); digest of all paths {:016x}",
        100.0 * all.same_m / all.offline_m,
        all.digest
    );
    fleet(&road, &drives);
}

/// Over all cells.
#[derive(Default)]
struct Sum {
    offline_m: f64,
    same_m: f64,
    digest: u64,
}

impl Sum {
    fn add(&mut self, road: &Road, online: &[EdgeId], offline: &[EdgeId]) {
        self.offline_m += length_m(road, offline);
        self.same_m += same_m(road, online, offline);
        for edge in online.iter().chain(offline) {
            self.digest = Draw(self.digest ^ u64::from(edge.0)).next();
        }
    }
}

fn cell(
    road: &Road,
    drives: &[Drive],
    (drifting, sigma, every): (bool, f64, usize),
    all: &mut Sum,
) {
    let mut sum = Sum::default();
    let (mut wrong, mut whole, mut traces) = ([0.0; 3], 0.0, Vec::new());
    let mut scratch = Scratch::new();
    let mut draw = Draw(every as u64 * 1000 + sigma as u64);
    for drive in drives {
        let mut fixes = noisy(drive, (drifting, sigma, every), &mut draw);
        let online = matched(road, Lag::ONLINE, &fixes, &mut scratch);
        let offline = matched(road, Lag::OFFLINE, &fixes, &mut scratch);
        traces.push(fixes.clone());
        sum.add(road, &online, &offline);
        all.add(road, &online, &offline);
        for fix in &mut fixes {
            fix.accuracy_m = Some(1.51 * sigma);
        }
        let oracle = matched(road, Lag::OFFLINE, &fixes, &mut scratch);
        for (wrong, edges) in wrong.iter_mut().zip([online, offline, oracle]) {
            *wrong += apart_m(road, &drive.edges, &edges);
        }
        whole += length_m(road, &drive.edges);
    }
    let [online, offline, oracle] = wrong.map(|metres| 100.0 * metres / whole);
    let kind = if drifting { "drift" } else { "white" };
    let per_s = points_per_s(road, &traces, &mut scratch);
    let same = 100.0 * sum.same_m / sum.offline_m;
    println!(
        "{kind} {sigma:4} m {every:3} s      {online:10.2} {offline:8.2} {oracle:8.2} {:16.2} {same:10.2} {per_s:18.0}",
        offline / oracle
    );
}

/// Offline, again and again until the clock's steps of some milliseconds do not count.
fn points_per_s(road: &Road, traces: &[Vec<Observation>], scratch: &mut Scratch) -> f64 {
    let (start, mut points) = (cpu_ns(), 0);
    loop {
        for fixes in traces {
            matched(road, Lag::OFFLINE, fixes, scratch);
            points += fixes.len();
        }
        let ns = cpu_ns() - start;
        if ns > TIMED_NS {
            return points as f64 * 1e9 / ns as f64;
        }
    }
}

fn length_m(road: &Road, edges: &[EdgeId]) -> f64 {
    edges.iter().map(|edge| road.length_m(*edge)).sum()
}

/// Metres of the offline path that the online one has too.
fn same_m(road: &Road, online: &[EdgeId], offline: &[EdgeId]) -> f64 {
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    for edge in online {
        *counts.entry(edge.0).or_default() += 1;
    }
    let mut same = 0.0;
    for edge in offline {
        if let Some(left) = counts.get_mut(&edge.0).filter(|left| **left > 0) {
            *left -= 1;
            same += road.length_m(*edge);
        }
    }
    same
}

/// Metres of edges that one of the two paths has and the other has not. The first and the last
/// edge count for neither: noise decides whether a path touches them.
fn apart_m(road: &Road, driven: &[EdgeId], matched: &[EdgeId]) -> f64 {
    let mut counts: BTreeMap<u32, i32> = BTreeMap::new();
    for edge in driven {
        *counts.entry(edge.0).or_default() += 1;
    }
    for edge in matched {
        *counts.entry(edge.0).or_default() -= 1;
    }
    for end in [driven.first(), driven.last()].into_iter().flatten() {
        counts.insert(end.0, 0);
    }
    counts.iter().map(|(edge, n)| f64::from(n.abs()) * road.length_m(EdgeId(*edge))).sum()
}

fn matched(road: &Road, lag: Lag, fixes: &[Observation], scratch: &mut Scratch) -> Vec<EdgeId> {
    let (mut track, mut out, mut edges) = (Track::with_lag(lag), Observed::default(), Vec::new());
    for fix in fixes {
        track.observe(road, fix, scratch, &mut out);
        edges.extend(out.committed.iter().map(|passed| passed.edge));
    }
    track.flush(road, scratch, &mut out);
    edges.extend(out.committed.iter().map(|passed| passed.edge));
    edges
}

/// What one fix costs with the vehicles in turn, so that caches are cold.
#[expect(clippy::disallowed_methods, reason = "a measurement of our own speed, not a time of day")]
fn fleet(road: &Road, drives: &[Drive]) {
    let mut draw = Draw(7);
    let traces: Vec<Vec<Observation>> =
        drives.iter().map(|drive| noisy(drive, (true, 5.0, 1), &mut draw)).collect();
    let (vehicles, timed) = FLEET;
    let (mut scratch, mut out) = (Scratch::new(), Observed::default());
    let mut tracks: Vec<Track> = (0..vehicles).map(|_| Track::new()).collect();
    let (mut latencies, warm) = (Vec::with_capacity(vehicles * timed), 20);
    let mut spent = 0;
    for round in 0..warm + timed {
        let start = cpu_ns();
        for (number, track) in tracks.iter_mut().enumerate() {
            let trace = &traces[number % traces.len()];
            let first = number / traces.len() * 7 % trace.len().saturating_sub(warm + timed).max(1);
            let Some(fix) = trace.get(first + round) else { continue };
            let wall = Instant::now();
            track.observe(road, fix, &mut scratch, &mut out);
            if round >= warm {
                latencies.push(wall.elapsed().as_nanos() as f64 / 1e3);
            }
        }
        if round >= warm {
            spent += cpu_ns() - start;
        }
    }
    let mut bytes: Vec<f64> = tracks.iter().map(|track| track.bytes_len() as f64).collect();
    let per_s = latencies.len() as f64 * 1e9 / spent as f64;
    let at = |values: &mut Vec<f64>, share: f64| {
        values.sort_by(f64::total_cmp);
        values[((values.len() as f64 * share) as usize).min(values.len() - 1)]
    };
    println!(
        "{vehicles} vehicles in turn, 1 s: {per_s:.0} fixes/s; {:.1} / {:.1} / {:.1} us at p50 / p99 / p99.9 (goals 3 / 25 / 100); state {} bytes, at most {}",
        at(&mut latencies, 0.5),
        at(&mut latencies, 0.99),
        at(&mut latencies, 0.999),
        at(&mut bytes, 0.5),
        at(&mut bytes, 1.0),
    );
}

fn drives(road: &Road, draw: &mut Draw) -> Vec<Drive> {
    let hierarchy = Arc::new(Hierarchy::new(road).expect("an order"));
    let free = Snapshot::free_flow(&hierarchy, road, Profile::Van);
    let (mut router, mut out) = (Router::new(), Vec::new());
    while out.len() < ROUTES {
        let (from, to) = (draw.place(road), draw.place(road));
        let crow = distance_m(road.point_at(from).0, road.point_at(to).0);
        if !(ROUTE_M.0..ROUTE_M.1).contains(&crow) {
            continue;
        }
        let salt = draw.next();
        let own = free.customised(road, |edge| {
            road.free_s(edge) * (0.65 + 0.7 * Draw(salt ^ u64::from(edge.0)).share())
        });
        if let Some(path) = router.route_in(road, &own, (from, to)) {
            out.push(drive(road, path.edges, draw));
        }
    }
    out
}

/// Second by second along the edges, with stops at one junction in eight.
fn drive(road: &Road, edges: Vec<EdgeId>, draw: &mut Draw) -> Drive {
    let (driver, mut ticks, mut ahead) = (0.65 + 0.35 * draw.share(), Vec::new(), 0.0);
    for &edge in &edges {
        let length = road.length_m(edge);
        let speed = length / road.free_s(edge) * driver * (0.8 + 0.3 * draw.share());
        if draw.share() < 0.12 {
            let (at, heading) = road.point_at(Place { edge, offset_m: 0.0 });
            let stop = |_| Tick { at, speed_mps: 0.0, heading };
            ticks.extend((0..4 + draw.next() % 32).map(stop));
        }
        let mut offset_m = ahead * speed;
        while offset_m < length {
            let (at, heading) = road.point_at(Place { edge, offset_m });
            ticks.push(Tick { at, speed_mps: speed, heading });
            offset_m += speed;
        }
        ahead = (offset_m - length) / speed;
    }
    Drive { edges, ticks }
}

fn noisy(
    drive: &Drive,
    (drifting, sigma, every): (bool, f64, usize),
    draw: &mut Draw,
) -> Vec<Observation> {
    let share = if drifting { DRIFT.1 } else { 1.0 };
    let (drift, white) = (sigma * (1.0 - share).sqrt(), sigma * share.sqrt());
    let keep = libm::exp(-1.0 / DRIFT.0);
    let mut error = [draw.normal() * drift, draw.normal() * drift];
    let (phase, last) = (draw.next() as usize % every, drive.ticks.len() - 1);
    let mut fixes = Vec::new();
    for (second, tick) in drive.ticks.iter().enumerate() {
        if second % every == phase || second == 0 || second == last {
            let (x, y) = (error[0] + white * draw.normal(), error[1] + white * draw.normal());
            let turned = if tick.speed_mps > 2.0 { 8.0 } else { 90.0 } * draw.normal();
            fixes.push(Observation {
                position: Plane::new(tick.at).to_position(x, y),
                time: Timestamp::from_seconds(1_700_000_000 + second as i64),
                speed_mps: Some((tick.speed_mps + 0.5 * draw.normal()).max(0.0)),
                heading: Some((tick.heading + turned).rem_euclid(360.0)),
                accuracy_m: None,
            });
        }
        for error in &mut error {
            *error = keep * *error + drift * (1.0 - keep * keep).sqrt() * draw.normal();
        }
    }
    fixes
}

/// A small generator with a fixed seed (splitmix64): the same drives in every run.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0, below 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of the standard normal distribution (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.share(), self.share());
        (-2.0 * libm::log(a)).sqrt() * libm::cos(std::f64::consts::TAU * b)
    }

    fn place(&mut self, road: &Road) -> Place {
        loop {
            let edge = EdgeId((self.next() % road.edges() as u64) as u32);
            if road.seconds(edge, Profile::Van).is_some() && !road.class(edge).is_link() {
                return Place { edge, offset_m: road.length_m(edge) / 2.0 };
            }
        }
    }
}

/// Nanoseconds this thread has run (`/proc/thread-self/schedstat`, first field).
fn cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|field| field.parse().ok()).expect("a number")
}
