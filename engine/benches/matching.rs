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

#[path = "driving/drives.rs"]
mod drives;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use engine::matching::{Lag, Observation, Observed, Scratch, Track};
use engine::road::{EdgeId, Road, import};

use drives::{Draw, Drive, cpu_ns, drives, matched, noisy, points_per_s};

const ROUTES: usize = 20;
/// Crow's metres of a route.
const ROUTE_M: (f64, f64) = (3_000.0, 12_000.0);
const SIGMAS_M: [f64; 4] = [5.0, 10.0, 20.0, 50.0];
const INTERVALS_S: [usize; 5] = [1, 5, 15, 30, 60];
/// Vehicles in turn, and fixes of each that are timed.
const FLEET: (usize, usize) = (100_000, 5);

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
    let drives = drives(&road, ROUTES, ROUTE_M, &mut Draw(1));
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
