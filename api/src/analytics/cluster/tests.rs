//! The same rows from a cluster as from this process.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::super::tests::World;
use super::super::{Analytics, Limits};
use super::{Executor, executor, runtime, scheduler};
use crate::archive::tests::clock;

/// Scans, sorts, aggregates of ours and others, joins, windows, views and nothing at all.
const QUERIES: [&str; 13] = [
    "SELECT count(*), count(DISTINCT vehicle || '/' || seq) FROM positions",
    "SELECT vehicle, seq, time, lat, lng, speed_mps, heading, route FROM positions
     WHERE vehicle = 'van-1' ORDER BY time, seq LIMIT 50",
    "SELECT vehicle, time_bucket(INTERVAL '10 minutes', time) AS t, count(*), max(speed_mps)
     FROM positions GROUP BY vehicle, t ORDER BY vehicle, t",
    "SELECT vehicle, last_by(seq, time) AS seq, max(time) FROM positions GROUP BY vehicle
     ORDER BY vehicle",
    "SELECT DISTINCT ON (vehicle) vehicle, seq, lat FROM positions ORDER BY vehicle, time DESC",
    "SELECT h3_cell(lat, lng, 8) AS cell, count(*) FROM positions GROUP BY cell ORDER BY cell",
    "SELECT vehicle, round(trajectory_length_m(lat, lng, time), 3) FROM positions
     GROUP BY vehicle ORDER BY vehicle",
    "SELECT p.vehicle, count(*) FROM positions p JOIN paths e ON p.vehicle = e.vehicle
     AND p.seq = e.seq GROUP BY p.vehicle ORDER BY p.vehicle",
    "SELECT vehicle, seq, time - lag(time) OVER (PARTITION BY vehicle ORDER BY time, seq) AS gap
     FROM positions ORDER BY vehicle, time, seq LIMIT 100",
    "SELECT stop, state, p50 FROM etas ORDER BY time, seq, stop LIMIT 40",
    "SELECT * FROM trips ORDER BY vehicle, started LIMIT 20",
    "SELECT vehicle, bucket, fixes, round(distance_m, 3) FROM rollups ORDER BY vehicle, bucket",
    "SELECT type, count(*) FROM events GROUP BY type ORDER BY type",
];

/// A port that nobody listens at, the next one neither, most likely.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
#[expect(clippy::print_stdout, reason = "who asks for a cluster wants to know what it costs")]
fn a_cluster_of_two_executors_gives_the_same_rows() {
    let world = World::new("cluster");
    let here = world.analytics(|_| {});
    let (at, parts) = (free(), runtime().unwrap());
    parts.spawn(scheduler(at, world.folder.store()));
    for (i, listen) in [free(), free()].into_iter().enumerate() {
        let work = world.folder.0.join(format!("executor-{i}"));
        std::fs::create_dir_all(&work).unwrap();
        let scheduler = (at.ip().to_string(), at.port());
        let one = Executor { listen, scheduler, threads: 1, memory_bytes: 256 << 20, work };
        parts.spawn(executor(one, world.folder.store()));
    }
    let limits = Limits::new(world.folder.0.join("spill"));
    let (place, clock) = (at.to_string(), clock());
    let made = Analytics::on_cluster(limits, world.folder.store(), &place, &clock);
    let cluster = Arc::new(world.runtime.block_on(made).unwrap());
    for sql in QUERIES {
        // Views are made of windows, and one over no rows never ends there.
        let has_window = ["OVER (", "trips", "rollups"].iter().any(|word| sql.contains(word));
        let tenants = ["acme", "other", "nobody"];
        for tenant in tenants.into_iter().filter(|who| !has_window || *who != "nobody") {
            let timed = |over| {
                let began = tokio::time::Instant::now();
                let rows = world.rows(over, tenant, sql);
                (rows, began.elapsed().as_secs_f64() * 1e3)
            };
            let ((ours, here_ms), (theirs, cluster_ms)) = (timed(&here), timed(&cluster));
            assert_eq!(theirs, ours, "{tenant}: {sql}");
            let rows = ours.as_array().map_or(0, Vec::len);
            println!(
                "{tenant} {rows} rows, here {here_ms:.0} ms, cluster {cluster_ms:.0} ms: {sql}"
            );
        }
    }
    // They would wait for a signal.
    parts.shutdown_background();
}
