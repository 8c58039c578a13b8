//! What grows with the map and what does not: `cargo bench -p engine --bench growth`.
//!
//! The same questions on Monaco, Baltimore, Porto, and two Portos side by side: the extract once
//! more with other ids, a degree further east, which this bench makes. Drives are of the same
//! length everywhere and pairs of places lie as far apart as the city has them, in one city. Prints
//! CPU time of this thread. Takes the extracts from `MILEPOST_SHARED` (default `../shared` beside
//! the checkout).
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints and may fail loudly")]

#[path = "driving/drives.rs"]
mod drives;
#[path = "driving/twice.rs"]
mod twice;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::matching::{Lag, Scratch};
use engine::path::{Hierarchy, Router, Snapshot};
use engine::road::{Place, Profile, Road, import};

use drives::{Draw, TIMED_NS, cpu_ns, drives, matched, noisy, points_per_s};

/// Drives, and crow's metres of one: what Monaco has, too.
const DRIVES: (usize, (f64, f64)) = (12, (1_000.0, 2_500.0));
/// Spread of the receiver, metres, and seconds between fixes.
const SIGMA_M: f64 = 5.0;
const INTERVALS_S: [usize; 3] = [1, 15, 60];
/// Pairs of places that are asked for ways.
const PAIRS: usize = 2_000;
/// How many times everything is timed: other work on the machine only adds, so the best counts.
const TIMES: u64 = 6;

fn main() {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into();
    let shared = std::env::var_os("MILEPOST_SHARED").map_or_else(beside, PathBuf::from);
    let extract = |name| shared.join("data/osm").join(format!("{name}.osm.pbf"));
    if !extract("porto").exists() {
        println!("skipped: no shared data");
        return;
    }
    println!(
        "{:12} {:>8} {:>8} {:>29} {:>11} {:>11} {:>8} {:>9}",
        "",
        "edges",
        "import s",
        format!("points/s at {INTERVALS_S:?} s"),
        "edges/drive",
        "distance us",
        "route us",
        "edges/way"
    );
    for name in ["monaco", "baltimore", "porto"] {
        row(name, &extract(name));
    }
    let both = std::env::temp_dir().join(format!("milepost-twice-{}.osm.pbf", std::process::id()));
    std::fs::write(&both, twice::twice(&extract("porto"))).expect("a temporary file is written");
    row("two Portos", &both);
    std::fs::remove_file(&both).expect("a moment ago it was there");
}

fn row(name: &str, source: &Path) {
    let start = cpu_ns();
    let road = Road::from_image(import::import(source).expect("import")).expect("map");
    let import_s = (cpu_ns() - start) as f64 / 1e9;
    let drives = drives(&road, DRIVES.0, DRIVES.1, &mut Draw(3));
    let driven: usize = drives.iter().map(|drive| drive.edges.len()).sum();
    let (mut scratch, mut draw) = (Scratch::new(), Draw(4));
    let mut points = [0.0; INTERVALS_S.len()];
    for (points, every) in points.iter_mut().zip(INTERVALS_S) {
        let traces: Vec<_> =
            drives.iter().map(|drive| noisy(drive, (true, SIGMA_M, every), &mut draw)).collect();
        black_box(matched(&road, Lag::OFFLINE, &traces[0], &mut scratch));
        let times = (0..TIMES).map(|_| points_per_s(&road, &traces, &mut scratch));
        *points = times.fold(0.0, f64::max);
    }
    let (distance_us, route_us, edges) = ways(&road);
    let [one, fifteen, sixty] = points;
    println!(
        "{name:12} {:8} {import_s:8.2} {one:9.0} {fifteen:9.0} {sixty:9.0} {:11} {distance_us:11.1} {route_us:8.1} {edges:9.0}",
        road.edges(),
        driven / drives.len(),
    );
}

/// What a way costs without and with its path, microseconds, and how many edges it has.
fn ways(road: &Road) -> (f64, f64, f64) {
    let hierarchy = Arc::new(Hierarchy::new(road).expect("an order"));
    let free = Snapshot::free_flow(&hierarchy, road, Profile::Van);
    let (west, east) = road.summary().corners();
    let wide = east.lng - west.lng > 1.0;
    let middle = f64::midpoint(west.lng, east.lng);
    let city = |place: Place| wide && road.point_at(place).0.lng > middle;
    let (mut draw, mut pairs) = (Draw(5), Vec::new());
    while pairs.len() < PAIRS {
        let (from, to) = (draw.place(road), draw.place(road));
        if city(from) == city(to) {
            pairs.push((from, to));
        }
    }
    let mut router = Router::new();
    let distance_us = mean_us(&pairs, |ends| {
        black_box(router.cost_in(road, &free, ends));
    });
    let (mut ways, mut edges) = (0_u32, 0);
    let route_us = mean_us(&pairs, |ends| {
        let way = router.route_in(road, &free, ends);
        (ways, edges) = (ways + 1, edges + way.map_or(0, |way| way.edges.len()));
    });
    (distance_us, route_us, f64::from(edges as u32) / f64::from(ways))
}

/// Microseconds of one, all of them again and again until the clock's steps do not count.
fn mean_us(pairs: &[(Place, Place)], mut ask: impl FnMut((Place, Place))) -> f64 {
    let (mut least, mut spent) = (f64::INFINITY, 0);
    while spent < TIMES * TIMED_NS {
        let (start, mut asked) = (cpu_ns(), 0);
        let mut took = 0;
        while took < TIMED_NS {
            for &ends in pairs {
                ask(ends);
            }
            asked += pairs.len();
            took = cpu_ns() - start;
        }
        spent += took;
        least = least.min(took as f64 / 1e3 / asked as f64);
    }
    least
}
