//! Import, index and router on a whole city: `cargo bench -p engine --bench path`.
//!
//! Prints CPU time of this thread, so that other work on the machine does not count. Takes
//! Porto from `MILEPOST_SHARED` (default `../shared` beside the checkout), or an extract named
//! on the command line.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints and may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

use engine::path::{Bounds, Router, Turns};
use engine::road::{EdgeId, Place, Profile, Road, import};
use ingest::units::Position;

/// Routes driven; each pair is drawn from the whole map.
const ROUTES: u64 = 200;
/// How often the map is opened.
const OPENED: u32 = 100;
/// Calls of the cheap ones.
const CALLS: u64 = 20_000;

fn main() {
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into();
    let shared = std::env::var_os("MILEPOST_SHARED").map_or_else(beside, PathBuf::from);
    let source = named.map_or(shared.join("data/osm/porto.osm.pbf"), PathBuf::from);
    if !source.exists() {
        println!("skipped: no shared data");
        return;
    }
    let target = std::env::temp_dir().join(format!("milepost-bench-{}.mpr", std::process::id()));
    let start = cpu_ns();
    import::build(&source, &target).expect("import");
    let seconds = (cpu_ns() - start) as f64 / 1e9;
    let road = Road::open(&target).expect("open");
    let (edges, bytes) = (road.edges(), road.bytes());
    println!("import: {seconds:.2} CPU s, {edges} edges, {bytes} bytes, peak {} kB", peak_kb());
    first_use(&target);
    near(&road);
    routes(&road);
    reach(&road);
    fs::remove_file(&target).expect("remove the map");
}

/// What it takes to open a map, and the first question of each kind, for which something is found
/// that the file leaves out.
fn first_use(map: &Path) {
    let mut ms = [0.0; 4];
    let mut clock = 0;
    let mut lap = |ms: &mut f64| {
        let now = cpu_ns();
        *ms += now.saturating_sub(clock) as f64 / 1e6 / f64::from(OPENED);
        clock = now;
    };
    let mut out = Vec::new();
    for _ in 0..OPENED {
        lap(&mut 0.0);
        let road = Road::open(map).expect("open");
        lap(&mut ms[0]);
        let edge = EdgeId(road.edges() as u32 / 2);
        assert!(road.outgoing(road.tail(edge)).any(|out| out == edge), "an edge leaves its tail");
        lap(&mut ms[1]);
        road.near(road.position(road.tail(edge)), 50.0, 16, &mut out);
        lap(&mut ms[2]);
        let (way, from, to) = road.osm(edge);
        road.edge_of(way, from, to).expect("the edge itself");
        lap(&mut ms[3]);
    }
    let [open, topology, index, by_osm] = ms;
    println!(
        "open: {open:.2} ms (goal 20); first use of topology {topology:.1}, index {index:.1}, OpenStreetMap's ids {by_osm:.1} ms"
    );
}

fn near(road: &Road) {
    let mut draw = Draw(7);
    let at: Vec<Position> = (0..CALLS).map(|_| road.point_at(draw.place(road)).0).collect();
    let (mut out, mut found) = (Vec::new(), 0);
    let start = cpu_ns();
    for &at in &at {
        road.near(at, 50.0, 16, &mut out);
        found += out.len();
    }
    let us = (cpu_ns() - start) as f64 / 1e3 / CALLS as f64;
    println!("near 50 m: {us:.2} us, {:.1} edges", found as f64 / CALLS as f64);
}

fn routes(road: &Road) {
    let mut draw = Draw(1);
    let pairs: Vec<_> = (0..ROUTES).map(|_| (draw.place(road), draw.place(road))).collect();
    let mut router = Router::new();
    let mut start = cpu_ns();
    let mut sums = [0.0; 2];
    let mut us = [0.0; 2];
    for &(from, to) in &pairs {
        sums[0] += router.route(road, from, to, Profile::Van).map_or(0.0, |path| path.seconds);
    }
    us[0] = (cpu_ns() - start) as f64 / 1e3 / ROUTES as f64;
    let mut out = Vec::new();
    start = cpu_ns();
    for &(from, to) in &pairs {
        router.times(road, from, &[to], (Profile::Van, f64::INFINITY), &mut out);
        sums[1] += out[0].unwrap_or(0.0);
    }
    us[1] = (cpu_ns() - start) as f64 / 1e3 / ROUTES as f64;
    let mean = sums[0] / ROUTES as f64;
    println!(
        "route: {:.0} us (A*), {:.0} us (Dijkstra), ratio {:.2}, mean {mean:.0} s, sums differ by {:.6} s",
        us[0],
        us[1],
        us[1] / us[0],
        sums[0] - sums[1]
    );
}

fn reach(road: &Road) {
    let mut draw = Draw(3);
    let (mut near, mut out, mut found) = (Vec::new(), Vec::new(), 0);
    let asked: Vec<(Place, Vec<Place>, Position)> = (0..CALLS)
        .map(|_| {
            let from = draw.place(road);
            let (at, _) = road.point_at(from);
            let ahead = Position { lng: at.lng + 0.001, lat: at.lat };
            road.near(ahead, 40.0, 12, &mut near);
            let targets: Vec<Place> = near.iter().map(|near| near.place).collect();
            (from, targets, ahead)
        })
        .collect();
    let mut router = Router::new();
    let start = cpu_ns();
    for (from, targets, ahead) in &asked {
        let handicaps = &[0.0; 12][..targets.len()];
        let bounds = Bounds { limit_s: 60.0, beam_s: f64::INFINITY, limit_m: f64::INFINITY };
        let starts = [(*from, 0.0)];
        router.reach_from_all(
            road,
            Turns { corner_s: 4.0, back_s: 4.0 },
            &starts,
            (targets, handicaps),
            (*ahead, 40.0),
            bounds,
            &mut out,
        );
        found += out.iter().flatten().count();
    }
    let us = (cpu_ns() - start) as f64 / 1e3 / CALLS as f64;
    println!("reach 60 s: {us:.2} us, {:.1} targets found", found as f64 / CALLS as f64);
}

/// A small generator with a fixed seed (splitmix64): the same pairs in every run.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A place on an edge that a van may use.
    fn place(&mut self, road: &Road) -> Place {
        loop {
            let edge = EdgeId((self.next() % road.edges() as u64) as u32);
            if road.seconds(edge, Profile::Van).is_some() {
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

fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.split_whitespace().next().and_then(|field| field.parse().ok()).expect("a number")
}
