use ingest::log::MemoryLog;

use super::*;
use crate::drive::tests::{grid, settings};

fn run(faults: &str, minutes: f64) -> (InProcessRun, Arc<dyn Log>) {
    let fleet = FleetSettings { minutes, ..settings(9, minutes) };
    let clock = VirtualClock::new(fleet.start);
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(4, clock.clock()));
    let settings = InProcessSettings {
        road: Arc::new(grid(30)),
        fleet,
        interval_s: 5,
        records_per_packet: 2,
        faults: Faults::parse(faults).expect("faults"),
        ledger: None,
        model: EtaModel::default(),
        policy: Policy::default(),
    };
    (in_process(settings, &log, &clock, &|_| {}).expect("a run"), log)
}

#[test]
fn faults_lose_nothing_and_double_nothing() {
    let (run, _) = run("duplicate=0.2,reorder=0.2,offline=0.2", 12.0);
    let score = run.score;
    assert!(score.sent > 1_000, "{score:?}");
    assert_eq!((score.acked, score.lost, score.doubled), (score.sent, 0, 0));
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let records = |log: &Arc<dyn Log>, topic| {
        let ends: Vec<_> = (0..4).map(|p| (p, 0)).collect();
        let mut reader = log.reader(topic, &ends).expect("a reader");
        let mut all = Vec::new();
        loop {
            let records = reader.poll(1 << 20, Duration::ZERO).expect("records");
            if records.is_empty() {
                return all;
            }
            all.extend(records.into_iter().map(|r| (r.partition, r.key, r.value)));
        }
    };
    let (first, second) = (run("", 3.0).1, run("", 3.0).1);
    for topic in [Topic::Inputs, Topic::Outputs] {
        let (a, b) = (records(&first, topic), records(&second, topic));
        assert!(a.len() > 100 && a == b, "{topic}");
    }
}
