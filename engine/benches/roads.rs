//! Ways on whole cities: `cargo bench -p engine --bench roads`.
//!
//! Checks 100,000 ways on every extract with Dijkstra's algorithm, at free flow and after a
//! partial customisation, each equal to the bit; then measures Porto and prints a table with
//! goals and ratios to Dijkstra's algorithm in the same run. Prints CPU time of this thread, so
//! that other work on the machine counts only through the caches. Takes the extracts from
//! `MILEPOST_SHARED` (default `../shared` beside the checkout), or one named on the command line.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints and may fail loudly")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::path::{Hierarchy, Live, Matrix, Router, Snapshot};
use engine::road::{EdgeId, Place, Profile, Road, import};

const EXTRACTS: [&str; 6] =
    ["monaco", "baltimore", "portland", "liechtenstein", "heidelberg", "porto"];
/// Sources and targets of the check: 100,489 pairs.
const CHECKED: usize = 317;
/// Pairs whose path is unpacked and walked in the check.
const WALKED: usize = 20_000;
/// Batches of runs that are timed.
const BATCHES: usize = 5;
/// Random pairs that are timed.
const PAIRS: usize = 10_000;
/// Of them, how many Dijkstra's algorithm is timed with.
const DIJKSTRA: usize = 100;

fn main() {
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into();
    let shared = std::env::var_os("MILEPOST_SHARED").map_or_else(beside, PathBuf::from);
    let extract = |name| shared.join("data/osm").join(format!("{name}.osm.pbf"));
    let sources: Vec<PathBuf> =
        named.map_or_else(|| EXTRACTS.map(extract).to_vec(), |named| vec![named.into()]);
    if !sources.iter().all(|source| source.exists()) {
        println!("skipped: no shared data");
        return;
    }
    println!("checks: {} ways each, at free flow and after changes", CHECKED * CHECKED);
    let mut last = None;
    for source in &sources {
        last = Some(check(source));
    }
    let (road, free) = last.expect("an extract");
    println!("\n{}", sources[sources.len() - 1].display());
    println!("{:44} {:>12} {:>12} {:>10}", "", "goal", "here", "Dijkstra ×");
    let dijkstra_us = pairs(&road, &free);
    customisations(&road, &free);
    matrices(&road, &free, dijkstra_us);
    memory(&road, &free);
}

/// Imports an extract and compares the hierarchy with Dijkstra's algorithm.
fn check(source: &Path) -> (Road, Snapshot) {
    let start = cpu_ms();
    let road = Road::from_image(import::import(source).expect("import")).expect("map");
    let import_ms = cpu_ms() - start;
    let start = cpu_ms();
    black_box(road.find_order());
    let order_ms = cpu_ms() - start;
    let (hierarchy, contract_ms) = timed(3, || Arc::new(Hierarchy::new(&road).expect("an order")));
    let free = Snapshot::free_flow(&hierarchy, &road, Profile::Van);
    let mut draw = Draw(11);
    let places = draw.places(&road, CHECKED);
    let mut differ = compare(&road, &free, &places);
    let mut live = Live::new(free.clone());
    for _ in 0..3 {
        live.change(&road, &draw.changes(&road, 500));
    }
    differ += compare(&road, &live.snapshot(), &places);
    let (from, to) = places.split_at(CHECKED / 2);
    let mut router = Router::new();
    let ((), ms) = timed(20, || {
        for (&from, &to) in from.iter().zip(to) {
            black_box(router.cost_in(&road, &free, (from, to)));
        }
    });
    let query_us = ms * 1000.0 / from.len() as f64;
    let name = source.file_stem().unwrap_or_default().to_string_lossy();
    println!(
        "{name:18} {:7} states {:8} arcs, import {import_ms:5.0} ms of which order {order_ms:5.0}, contract {contract_ms:4.0}; a distance {query_us:4.1} us; {differ} of {} differ",
        hierarchy.states(),
        hierarchy.arcs(),
        2 * CHECKED * CHECKED,
    );
    assert_eq!(differ, 0, "the hierarchy differs from Dijkstra's algorithm");
    (road, free)
}

/// How many of all pairs differ: as cells of a matrix, as queries, or as walked paths.
fn compare(road: &Road, snapshot: &Snapshot, places: &[Place]) -> usize {
    let (mut router, mut matrix) = (Router::new(), Matrix::new());
    let (mut costs, mut least, mut to_one) = (Vec::new(), Vec::new(), Vec::new());
    matrix.costs(road, snapshot, (places, places), &mut costs);
    let mut differ = 0;
    for (row, &from) in places.iter().enumerate() {
        router.search_in(road, snapshot, (from, places), &mut least);
        matrix.to_one(road, snapshot, (places, from), &mut to_one);
        for (column, &to) in places.iter().enumerate() {
            let pair = row * places.len() + column;
            let least = least[column];
            let cell = Some(costs[pair]).filter(|cost| cost.is_finite());
            let mirrored = to_one[column].to_bits() == costs[column * places.len() + row].to_bits();
            let mut same = cell == least && mirrored;
            same &= router.cost_in(road, snapshot, (from, to)) == least;
            if pair.is_multiple_of((places.len() * places.len() / WALKED).max(1)) {
                let path = router.route_in(road, snapshot, (from, to));
                let walked = path.and_then(|path| snapshot.cost_of(road, (from, to), &path.edges));
                same &= walked == least;
            }
            differ += usize::from(!same);
        }
    }
    differ
}

/// Single ways; returns what Dijkstra's algorithm takes for one.
fn pairs(road: &Road, free: &Snapshot) -> f64 {
    let places = Draw(1).places(road, PAIRS * 2);
    let pairs: Vec<(Place, Place)> = places.chunks_exact(2).map(|p| (p[0], p[1])).collect();
    let (mut router, mut plain, mut out) = (Router::new(), Router::searching(), Vec::new());
    let ((), dijkstra) = timed(1, || {
        for &(from, to) in &pairs[..DIJKSTRA] {
            plain.search_in(road, free, (from, &[to]), &mut out);
            black_box(&out);
        }
    });
    let dijkstra_us = dijkstra * 1000.0 / DIJKSTRA as f64;
    let ((), star) = timed(1, || {
        for &(from, to) in &pairs[..DIJKSTRA] {
            black_box(plain.route(road, from, to, Profile::Van));
        }
    });
    let star_us = star * 1000.0 / DIJKSTRA as f64;
    println!("{:44} {:>12} {:>9.0} us", "Dijkstra's algorithm, one way", "", dijkstra_us);
    println!("{:44} {:>12} {:>9.0} us", "A*, one way with path", "", star_us);
    let us = |ms: f64| ms * 1000.0 / PAIRS as f64;
    let ((), ms) = timed(3, || {
        for &(from, to) in &pairs {
            black_box(router.cost_in(road, free, (from, to)));
        }
    });
    line("distance alone, mean of 10,000", "15 us", us(ms), "us", dijkstra_us / us(ms));
    let ((), ms) = timed(3, || {
        for &(from, to) in &pairs {
            black_box(router.route(road, from, to, Profile::Van));
        }
    });
    line("route with path and restrictions", "35 us", us(ms), "us", dijkstra_us / us(ms));
    dijkstra_us
}

fn customisations(road: &Road, free: &Snapshot) {
    let mut draw = Draw(5);
    let seconds: Vec<f64> =
        (0..road.edges() as u32).map(|edge| road.free_s(EdgeId(edge))).collect();
    let (_, fresh) = timed(4, || free.customised(road, |edge| seconds[edge.0 as usize]));
    let mut live = Live::new(free.clone());
    let all: Vec<_> =
        (0..road.edges() as u32).map(|edge| draw.slower(road, EdgeId(edge))).collect();
    live.change(road, &all);
    let ((), whole) = timed(4, || live.change(road, &all));
    line("full customisation, all edges changed", "30 ms", whole, "ms", f64::NAN);
    line("full customisation, memory new", "30 ms", fresh, "ms", f64::NAN);
    let mut live = Live::new(free.clone());
    for (what, goal, changes) in [
        ("1 changed edge", String::new(), draw.changes(road, 1)),
        ("100 random changed edges", String::new(), draw.changes(road, 100)),
        ("1,000 random changed edges", format!("{:.1} ms", whole / 2.0), draw.changes(road, 1000)),
        ("1,000 changed edges of one district", "5 ms".to_owned(), draw.district(road, 1000)),
    ] {
        let back: Vec<_> = changes.iter().map(|c| (c.0, seconds[c.0.0 as usize])).collect();
        live.change(road, &back);
        let ((), both) = timed(10, || {
            live.change(road, &changes);
            live.change(road, &back);
        });
        line(what, &goal, both / 2.0, "ms", f64::NAN);
    }
}

fn matrices(road: &Road, free: &Snapshot, dijkstra_us: f64) {
    let places = Draw(9).places(road, 2000);
    let (mut matrix, mut out) = (Matrix::new(), Vec::new());
    for (count, goal, runs) in [(100, "2 ms", 20), (1000, "70 ms", 4)] {
        let ends = (&places[..count], &places[1000..1000 + count]);
        matrix.costs(road, free, ends, &mut out);
        let ((), ms) = timed(runs, || matrix.costs(road, free, ends, &mut out));
        // What one search for each row would take: at most one search through the whole map.
        let ratio = dijkstra_us * count as f64 / 1000.0 / ms;
        line(&format!("matrix {count} x {count}"), goal, ms, "ms", ratio);
    }
    let ((), ms) =
        timed(100, || matrix.to_one(road, free, (&places[..1000], places[1000]), &mut out));
    line("one stop from 1,000 vehicles", "0.5 ms", ms, "ms", dijkstra_us / 1000.0 / ms);
}

fn memory(road: &Road, free: &Snapshot) {
    let mb = |bytes: usize| bytes as f64 / 1e6;
    let (hierarchy, metric) = (mb(free.hierarchy().bytes()), mb(free.bytes()));
    println!(
        "map {:.1} MB, hierarchy {hierarchy:.1} MB, each metric {metric:.1} MB, peak {:.0} MB",
        mb(road.bytes()),
        peak_kb() as f64 / 1e3
    );
}

fn line(what: &str, goal: &str, value: f64, unit: &str, ratio: f64) {
    let ratio = if ratio.is_nan() { String::new() } else { format!("{ratio:.0}") };
    println!("{what:44} {goal:>12} {value:>9.2} {unit} {ratio:>10}");
}

/// The last answer, and the mean CPU milliseconds of some runs: the least of several such means,
/// because other work on the machine only ever adds.
fn timed<T>(runs: usize, mut run: impl FnMut() -> T) -> (T, f64) {
    let mut least = f64::INFINITY;
    let mut last = run();
    for _ in 0..BATCHES {
        let start = cpu_ms();
        for _ in 0..runs {
            last = black_box(run());
        }
        least = least.min((cpu_ms() - start) / runs as f64);
    }
    (last, least)
}

/// A small generator with a fixed seed (splitmix64): the same draws in every run.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn edge(&mut self, road: &Road) -> EdgeId {
        loop {
            let edge = EdgeId((self.next() % road.edges() as u64) as u32);
            if road.seconds(edge, Profile::Van).is_some() {
                return edge;
            }
        }
    }

    /// Places on edges that a van may use.
    fn places(&mut self, road: &Road, count: usize) -> Vec<Place> {
        let mut place = || {
            let edge = self.edge(road);
            let share = (self.next() % 1000) as f64 / 1000.0;
            Place { edge, offset_m: road.length_m(edge) * share }
        };
        (0..count).map(|_| place()).collect()
    }

    fn slower(&mut self, road: &Road, edge: EdgeId) -> (EdgeId, f64) {
        (edge, road.free_s(edge) * (1.0 + (self.next() % 300) as f64 / 100.0))
    }

    fn changes(&mut self, road: &Road, count: usize) -> Vec<(EdgeId, f64)> {
        let mut change = || {
            let edge = self.edge(road);
            self.slower(road, edge)
        };
        (0..count).map(|_| change()).collect()
    }

    /// The edges nearest to a place.
    fn district(&mut self, road: &Road, count: usize) -> Vec<(EdgeId, f64)> {
        let middle = road.position(road.tail(self.edge(road)));
        let away = |edge: &EdgeId| {
            let at = road.position(road.tail(*edge));
            let (x, y) = ((at.lng - middle.lng) * 0.75, at.lat - middle.lat);
            ((x * x + y * y) * 1e12) as u64
        };
        let edges = (0..road.edges() as u32).map(EdgeId);
        let mut edges: Vec<EdgeId> =
            edges.filter(|&edge| road.seconds(edge, Profile::Van).is_some()).collect();
        edges.sort_by_cached_key(away);
        edges[..count.min(edges.len())].iter().map(|&edge| self.slower(road, edge)).collect()
    }
}

/// Milliseconds this thread has run (`/proc/thread-self/schedstat`, first field).
fn cpu_ms() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let ns = stat.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    ns.expect("a number") / 1e6
}

fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.split_whitespace().next().and_then(|field| field.parse().ok()).expect("a number")
}
