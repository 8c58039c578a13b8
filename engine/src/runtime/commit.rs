//! Making durable what was stepped: one transaction of outputs, letters, states and offsets.
//!
//! A commit that failed is settled before anything else is stepped: the log is asked what it
//! holds, and the same commit is made again, so that no step is lost or done twice.

use std::time::Duration;

use ingest::log::{Commit, LogError, NewRecord, Topic};
use ingest::time::Timestamp;
use tracing::{error, warn};

use super::EngineError;
use super::checkpoint::STATES_MAX;
use super::ownership::Held;
use super::shard::Shard;

/// First pause after a failure of the log, seconds; doubled with each further one…
const PAUSE_FIRST_S: f64 = 0.05;
/// …up to this.
const PAUSE_MAX_S: f64 = 2.0;
/// Commits until everything changed must be written; each carries [`STATES_MAX`].
const WRITES_MAX: usize = 10_000;

/// Pauses between failures of the log.
#[derive(Debug, Default)]
pub(super) struct Retry {
    until: Option<Timestamp>,
    failures: u32,
    reason: Option<String>,
}

impl Retry {
    pub(super) fn failed(&mut self, now: Timestamp, error: &LogError) {
        let pause = PAUSE_FIRST_S * f64::from(1_u32 << self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now.plus_seconds(pause.min(PAUSE_MAX_S)));
        // The first, then each doubling: a broker may be away for an hour.
        if self.failures.is_power_of_two() {
            warn!(%error, failures = self.failures, "the log fails; trying again");
        }
        self.reason = Some(error.to_string());
    }

    fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// What is left of the pause.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Duration> {
        let left = self.until?.seconds_since(now);
        // A clock that was set back does not make it longer.
        (left > 0.0 && left <= PAUSE_MAX_S).then(|| Duration::from_secs_f64(left))
    }

    /// What failed last, until something succeeds.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// A commit as it was built.
#[derive(Debug)]
pub(super) struct Batch {
    records: Vec<NewRecord>,
    /// By partition: committed before, and committed by this.
    moves: Vec<(u32, Option<u64>, u64)>,
    outputs: u64,
    states: u64,
}

/// What the log says of a commit that failed.
enum Fate {
    Done,
    Undone,
    Mixed,
}

impl Batch {
    fn fate(&self, committed: &[(u32, Option<u64>)]) -> Fate {
        let at = |number: u32| committed.iter().find(|(p, _)| *p == number).map(|(_, at)| *at);
        if self.moves.iter().all(|(p, before, _)| at(*p) == Some(*before)) {
            return Fate::Undone;
        }
        if self.moves.iter().all(|(p, _, after)| at(*p) == Some(Some(*after))) {
            return Fate::Done;
        }
        Fate::Mixed
    }
}

impl Shard {
    /// Commits all that was stepped and the states that are due.
    pub(super) fn commit(&mut self) {
        if self.batch.is_some() {
            return;
        }
        let numbers = self.partitions();
        if let Some(batch) = self.batch_of(&numbers) {
            self.batch = Some(batch);
            self.try_batch();
        } else {
            self.committed_at = (self.clock)();
        }
    }

    /// Puts together what these partitions have to commit.
    fn batch_of(&mut self, numbers: &[u32]) -> Option<Batch> {
        let at = (self.clock)();
        let mut batch = Batch { records: Vec::new(), moves: Vec::new(), outputs: 0, states: 0 };
        let mut room = STATES_MAX;
        for number in numbers {
            let Some(Held::Live(live)) = self.held.get_mut(number) else { continue };
            let outputs = live.pending.iter().filter(|r| r.topic == Topic::Outputs).count();
            batch.outputs += outputs as u64;
            let stepped = live.committed != Some(live.partition.next);
            let before = batch.records.len();
            batch.records.append(&mut live.pending);
            if live.broken {
                batch.moves.push((*number, live.committed, live.partition.next));
                continue;
            }
            let end = if live.checkpoints.wants_marker(&live.partition, at) {
                // Without it the marker waits for another commit.
                self.origin.log.bounds(Topic::Outputs, *number).ok().map(|bounds| bounds.end)
            } else {
                None
            };
            let states = live.checkpoints.take(&mut live.partition, at, room, end);
            room -= states.len().min(room);
            batch.states += states.len() as u64;
            batch.records.extend(states);
            if stepped || batch.records.len() > before {
                batch.moves.push((*number, live.committed, live.partition.next));
            }
        }
        self.uncommitted = 0;
        (!batch.moves.is_empty()).then_some(batch)
    }

    /// Commits the batch; keeps it when that fails.
    fn try_batch(&mut self) {
        let Some(batch) = &self.batch else { return };
        tracing::trace!(target: ingest::PACKET, outputs = batch.outputs, "commit");
        let began = (self.clock)();
        let offsets = batch.moves.iter().map(|(p, _, after)| (*p, *after)).collect();
        let commit = Commit { records: batch.records.clone(), offsets };
        match self.member.commit(commit) {
            Ok(()) => self.committed(began),
            Err(error) => {
                self.origin.metrics.failed("commit");
                if matches!(error, LogError::TooLarge { .. } | LogError::Corrupt(_)) {
                    error!(%error, "a commit can never succeed as it is");
                }
                let fenced = matches!(error, LogError::Fenced(_));
                self.retry.failed((self.clock)(), &error);
                if fenced {
                    self.fence();
                }
            }
        }
    }

    fn committed(&mut self, began: Timestamp) {
        let Some(batch) = self.batch.take() else { return };
        self.retry.succeeded();
        self.committed_at = (self.clock)();
        for (number, _, after) in batch.moves {
            if let Some(Held::Live(live)) = self.held.get_mut(&number) {
                live.committed = Some(after);
                live.careful = live.careful.filter(|end| after < *end);
            }
        }
        let metrics = &self.origin.metrics;
        metrics.commits.inc();
        metrics.outputs.inc_by(batch.outputs);
        metrics.checkpoints.inc_by(batch.states);
        metrics.commit_seconds.observe(self.committed_at.seconds_since(began).max(0.0));
    }

    /// Finds out what became of a commit that failed, and makes it again if need be. `false`:
    /// the log fails still.
    pub(super) fn settle(&mut self) -> bool {
        if self.batch.is_none() {
            return true;
        }
        let began = (self.clock)();
        let committed = match self.member.rewind() {
            Ok(committed) => committed,
            Err(error) => {
                self.origin.metrics.failed("rewind");
                self.retry.failed(began, &error);
                if matches!(error, LogError::Fenced(_)) {
                    // The next poll says what is ours still.
                    self.fence();
                    return true;
                }
                return false;
            }
        };
        let Some(batch) = &self.batch else { return true };
        match batch.fate(&committed) {
            Fate::Done => self.committed(began),
            Fate::Undone => self.try_batch(),
            Fate::Mixed => self.void_all("its offsets were committed by somebody else"),
        }
        self.batch.is_none()
    }

    /// Back to the committed offsets, because records were dropped. `false`: the log fails.
    pub(super) fn go_back(&mut self) -> bool {
        match self.member.rewind() {
            Ok(_) => {
                self.rewind = false;
                true
            }
            Err(error) => {
                self.origin.metrics.failed("rewind");
                // Out of the group: the next poll says so.
                let fenced = matches!(error, LogError::Fenced(_));
                if !fenced {
                    self.retry.failed((self.clock)(), &error);
                }
                self.rewind = !fenced;
                fenced
            }
        }
    }

    /// Commits what these partitions have stepped, and every state that has changed.
    pub(super) fn write_all(&mut self, numbers: &[u32]) -> Result<(), EngineError> {
        for number in numbers {
            if let Some(Held::Live(live)) = self.held.get_mut(number) {
                live.checkpoints.all_at_once();
            }
        }
        self.write_anew()
    }

    /// Commits until nothing is left that is to be written at once.
    pub(super) fn write_anew(&mut self) -> Result<(), EngineError> {
        for _ in 0..WRITES_MAX {
            if !self.settle() {
                let reason = self.retry.reason().unwrap_or_default().to_owned();
                return Err(LogError::Unavailable(reason).into());
            }
            let behind = |held: &Held| match held {
                Held::Live(live) => live.checkpoints.is_behind(),
                _ => false,
            };
            if !self.held.values().any(behind) {
                break;
            }
            self.commit();
        }
        Ok(())
    }

    /// Where each partition being stepped stands on the log.
    pub(super) fn offsets(&self) -> Vec<(u32, u64)> {
        let offset = |(number, held): (&u32, &Held)| match held {
            Held::Live(live) => Some((*number, live.committed.unwrap_or(live.partition.next))),
            _ => None,
        };
        self.held.iter().filter_map(offset).collect()
    }
}
