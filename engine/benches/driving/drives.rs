//! Drives on a city, seen through a receiver: what benches of matching are made of.

use std::fs;
use std::sync::Arc;

use engine::matching::{Lag, Observation, Observed, Scratch, Track};
use engine::path::{Hierarchy, Router, Snapshot};
use engine::road::plane::{Plane, distance_m};
use engine::road::{EdgeId, Place, Profile, Road};
use ingest::time::Timestamp;
use ingest::units::Position;

/// Time constant of drifting noise, seconds, and its white share: real drives have 35-40 s.
const DRIFT: (f64, f64) = (40.0, 0.2);
/// Least CPU time over which points are counted.
pub(crate) const TIMED_NS: u64 = 200_000_000;

/// A second of a drive.
pub(crate) struct Tick {
    pub(crate) at: Position,
    pub(crate) speed_mps: f64,
    pub(crate) heading: f64,
}

/// A way and its seconds.
pub(crate) struct Drive {
    pub(crate) edges: Vec<EdgeId>,
    pub(crate) ticks: Vec<Tick>,
}

/// Drives between places so many crow's metres apart, quickest under weights of their own.
pub(crate) fn drives(road: &Road, count: usize, crow_m: (f64, f64), draw: &mut Draw) -> Vec<Drive> {
    let hierarchy = Arc::new(Hierarchy::new(road).expect("an order"));
    let free = Snapshot::free_flow(&hierarchy, road, Profile::Van);
    let (mut router, mut out) = (Router::new(), Vec::new());
    while out.len() < count {
        let (from, to) = (draw.place(road), draw.place(road));
        let crow = distance_m(road.point_at(from).0, road.point_at(to).0);
        if !(crow_m.0..crow_m.1).contains(&crow) {
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

/// The fixes of a drive every so many seconds, with white or drifting errors of a spread.
pub(crate) fn noisy(
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

/// Offline, again and again until the clock's steps of some milliseconds do not count.
pub(crate) fn points_per_s(road: &Road, traces: &[Vec<Observation>], scratch: &mut Scratch) -> f64 {
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

/// The edges that a trace is matched to.
pub(crate) fn matched(
    road: &Road,
    lag: Lag,
    fixes: &[Observation],
    scratch: &mut Scratch,
) -> Vec<EdgeId> {
    let (mut track, mut out, mut edges) = (Track::with_lag(lag), Observed::default(), Vec::new());
    for fix in fixes {
        track.observe(road, fix, scratch, &mut out);
        edges.extend(out.committed.iter().map(|passed| passed.edge));
    }
    track.flush(road, scratch, &mut out);
    edges.extend(out.committed.iter().map(|passed| passed.edge));
    edges
}

/// A small generator with a fixed seed (splitmix64): the same drives in every run.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0, below 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of the standard normal distribution (Box & Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.share(), self.share());
        (-2.0 * libm::log(a)).sqrt() * libm::cos(std::f64::consts::TAU * b)
    }

    /// The middle of a street.
    pub(crate) fn place(&mut self, road: &Road) -> Place {
        loop {
            let edge = EdgeId((self.next() % road.edges() as u64) as u32);
            if road.seconds(edge, Profile::Van).is_some() && !road.class(edge).is_link() {
                return Place { edge, offset_m: road.length_m(edge) / 2.0 };
            }
        }
    }
}

/// Nanoseconds this thread has run (`/proc/thread-self/schedstat`, first field).
pub(crate) fn cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|field| field.parse().ok()).expect("a number")
}
