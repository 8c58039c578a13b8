//! What a run of `milepost match` cost.

use std::time::Instant;

use serde_json::{Value, json};

/// Processor time of this thread since a moment.
pub(super) struct Stopwatch {
    wall: Instant,
    cpu_ns: Option<u64>,
}

/// Time since a moment.
pub(super) struct Wall(Instant);

#[expect(clippy::disallowed_methods, reason = "a measurement of our own speed, not a time of day")]
fn instant() -> Instant {
    Instant::now()
}

/// Nanoseconds this thread has run, as Linux counts them; absent elsewhere.
fn thread_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self { cpu_ns: thread_ns(), wall: instant() }
    }

    pub(super) fn wall() -> Wall {
        Wall(instant())
    }

    /// Processor seconds since the start; elapsed ones where the system does not tell.
    pub(super) fn cpu_seconds(&self) -> f64 {
        match (self.cpu_ns, thread_ns()) {
            (Some(from), Some(to)) => to.saturating_sub(from) as f64 / 1e9,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

impl Wall {
    pub(super) fn nanos(&self) -> u32 {
        u32::try_from(self.0.elapsed().as_nanos()).unwrap_or(u32::MAX)
    }
}

/// Figures of one thread, or of all.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) points: usize,
    pub(super) cpu_seconds: f64,
    pub(super) latencies_ns: Vec<u32>,
    pub(super) state_bytes: Vec<u32>,
}

impl Figures {
    pub(super) fn add(&mut self, mut other: Self) {
        self.points += other.points;
        self.cpu_seconds += other.cpu_seconds;
        self.latencies_ns.append(&mut other.latencies_ns);
        self.state_bytes.append(&mut other.state_bytes);
    }

    /// The last line of the command.
    pub(super) fn summary(mut self) -> Value {
        self.latencies_ns.sort_unstable();
        self.state_bytes.sort_unstable();
        let us = |share: f64| f64::from(quantile(&self.latencies_ns, share)) / 1e3;
        let per_second = if self.cpu_seconds > 0.0 {
            (self.points as f64 / self.cpu_seconds).round()
        } else {
            0.0
        };
        json!({
            "points": self.points,
            "cpu_seconds": (self.cpu_seconds * 1e6).round() / 1e6,
            "points_per_second": per_second as u64,
            "latency_us": { "p50": us(0.5), "p99": us(0.99), "p999": us(0.999) },
            "state_bytes": {
                "p50": quantile(&self.state_bytes, 0.5),
                "max": self.state_bytes.last().copied().unwrap_or(0),
            },
        })
    }
}

/// The value below which `share` of the sorted values lie; 0 of none.
fn quantile(sorted: &[u32], share: f64) -> u32 {
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}
