//! Time of a thread and of others, as the scheduler counts it, so that a busy machine changes it
//! little. Linux only.

use std::hint::black_box;

use nix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 5;

/// Seconds this thread has run, to the nanosecond.
fn processor_seconds() -> f64 {
    let ran = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a thread's own clock");
    ran.tv_sec() as f64 + ran.tv_nsec() as f64 / 1e9
}

/// Seconds that a thread of this process has run, to the scheduler's tick of some milliseconds.
pub(crate) fn seconds_of_thread(thread: i32) -> f64 {
    let file = format!("/proc/self/task/{thread}/schedstat");
    let statistics = std::fs::read_to_string(file).unwrap_or_default();
    let nanos = statistics.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e9
}

/// Bytes of this process that lie in memory.
pub(crate) fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0)
}

/// Units of work a second in the fastest of some rounds; every round must do `count` of them.
pub(crate) fn best(count: usize, mut work: impl FnMut() -> usize) -> f64 {
    let mut round = || {
        let begin = processor_seconds();
        assert_eq!(black_box(work()), count, "all of the work is done");
        count as f64 / (processor_seconds() - begin)
    };
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}
