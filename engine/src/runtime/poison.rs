//! Inputs that cannot be understood and steps that panic: what is left out, and what is said.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use ingest::log::{NewRecord, Record, Topic};
use ingest::record::{DeadLetter, Pid};
use ingest::time::Timestamp;

use crate::record::Killed;

/// So many panics…
const PANICS_MAX: usize = 3;
/// …within so many steps set a vehicle aside.
const PANICS_WITHIN: u64 = 1_000;
/// A shard stops when it has set aside at least this many vehicles…
const ASIDE_LEAST: usize = 2;
/// …and more than one in this many.
const ASIDE_SHARE: usize = 100;
/// Steps left out that are remembered for one partition.
pub(super) const STUMBLES_MAX: usize = 10_000;
/// Longest reason kept with a dead letter, characters.
const REASON_MAX: usize = 300;

/// What was being stepped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// The input itself.
    Input,
    /// A vehicle's wake-up.
    Wake(Bytes),
    /// A vehicle was told that the partition has a new owner.
    Resumed(Bytes),
    /// A vehicle was told that the roads have changed.
    Traffic(Bytes),
}

/// One step that panics: it is left out wherever its input is stepped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stumble {
    /// The input.
    pub(super) offset: u64,
    /// What of it.
    pub(super) cause: Cause,
    /// The time it was stepped at: a vehicle may be woken several times by one input.
    pub(super) at: Timestamp,
}

impl Stumble {
    pub(super) fn killed(&self) -> Killed {
        let woken = match &self.cause {
            Cause::Input => None,
            Cause::Wake(key) | Cause::Resumed(key) | Cause::Traffic(key) => Some(key.clone()),
        };
        Killed { offset: self.offset, woken }
    }
}

/// The steps of a partition that are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct LeftOut {
    stumbles: BTreeSet<Stumble>,
    killed: BTreeSet<Killed>,
}

impl LeftOut {
    /// Adds one; `false` when there are too many or it was there: stepping again does not help.
    pub(super) fn add(&mut self, stumble: Stumble) -> bool {
        self.stumbles.len() < STUMBLES_MAX && self.stumbles.insert(stumble)
    }

    pub(super) fn kill(&mut self, killed: Killed) {
        self.killed.insert(killed);
    }

    /// Those that ended the process, oldest first.
    pub(super) fn killed(&self) -> impl Iterator<Item = &Killed> {
        self.killed.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stumbles.is_empty() && self.killed.is_empty()
    }

    /// Why this step is left out, if it is.
    pub(super) fn why(&self, stumble: &Stumble) -> Option<&'static str> {
        if self.stumbles.contains(stumble) {
            return Some("panic");
        }
        self.killed.contains(&stumble.killed()).then_some("kills")
    }

    /// What lies below `from` is never stepped again.
    pub(super) fn forget(&mut self, from: u64) {
        self.stumbles.retain(|s| s.offset >= from);
    }
}

/// Runs a step; a panic gives its message. What the step has touched must be thrown away then.
pub(super) fn guarded(step: impl FnOnce()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panic without a message").chars().take(REASON_MAX).collect()
}

/// Whether a vehicle with these panics, by number of step, is set aside.
pub(super) fn is_aside(panics: &[u64]) -> bool {
    match (panics.first(), panics.last()) {
        (Some(first), Some(last)) => panics.len() >= PANICS_MAX && last - first < PANICS_WITHIN,
        _ => false,
    }
}

/// Adds a panic; only the last three matter.
pub(super) fn note(panics: &mut Vec<u64>, step: u64) {
    if panics.len() >= PANICS_MAX {
        panics.remove(0);
    }
    panics.push(step);
}

/// Whether a shard with so many vehicles set aside must stop: a defect, not some odd input.
pub(super) fn too_many_aside(aside: usize, vehicles: usize) -> bool {
    aside >= ASIDE_LEAST && aside * ASIDE_SHARE > vehicles
}

/// What goes to `dead-letters`.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) why: &'static str,
    key: Bytes,
    content: DeadLetter,
    at: Timestamp,
}

impl Letter {
    /// Of an input; `detail` says more than `why` where there is more.
    pub(super) fn of(record: &Record, pid: Option<Pid>, why: &'static str, detail: &str) -> Self {
        let source = format!("inputs/{}@{}", record.partition, record.offset);
        let key = pid.map_or_else(|| source.clone(), |pid| pid.to_string());
        let reason: String = detail.chars().take(REASON_MAX).collect();
        let bytes = record.value.clone().unwrap_or_default();
        let content = DeadLetter { reason, source, bytes };
        Self { why, key: key.into(), content, at: record.appended_at }
    }

    /// As a record, in the same partition as its input.
    pub(super) fn into_record(self, partition: u32) -> NewRecord {
        let why = Bytes::from_static(self.why.as_bytes());
        let mut record = self.content.envelope(self.at).into_record(Topic::DeadLetters, self.key);
        record.partition = Some(partition);
        record.headers.push(("reason", why));
        record
    }
}
