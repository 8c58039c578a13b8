//! A shard: owns partitions, polls their inputs, steps them, commits what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ingest::log::{Clock, Commit, Log, LogError, Member, Polled, Record, Topic};
use ingest::time::Timestamp;
use tracing::{error, info, warn};

use super::aggregator::Aggregator;
use super::commit::{Batch, Retry};
use super::metrics::Metrics;
use super::owner::Succession;
use super::ownership::{Held, Live, TAKE_AGAIN_S};
use super::partition::{Halt, Work};
use super::poison::{LeftOut, Stumble, too_many_aside};
use super::recovery::Origin;
use super::worlds::Worlds;
use super::{EngineError, GROUP, Settings};

/// Inputs in one commit at most.
pub(super) const COMMIT_INPUTS: usize = 5_000;
/// Polled at once, about; 5,000 fixes are some 0.8 MB.
const POLL_BYTES: usize = 1024 * 1024;
/// Inputs stepped between two looks at the clock.
const SLICE: usize = 64;
/// States due are looked for this often, seconds, when there are no inputs.
const IDLE_COMMIT_S: f64 = 1.0;
/// Lag is measured this often, seconds.
const LAG_EVERY_S: f64 = 2.0;

/// What a turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Stepped or took something; call again at once.
    Worked,
    /// Nothing came within the wait.
    Idle,
    /// The log fails; call again after this pause.
    Pause(Duration),
}

/// Owns partitions of `inputs` as one member of the group. Driven turn by turn by its thread, or
/// by a test or simulation with a clock of its own.
pub struct Shard {
    pub(super) origin: Origin,
    pub(super) clock: Clock,
    pub(super) settings: Arc<Settings>,
    pub(super) member: Box<dyn Member>,
    pub(super) work: Work,
    pub(super) held: BTreeMap<u32, Held>,
    pub(super) left_out: BTreeMap<u32, LeftOut>,
    /// Built and perhaps failed; nothing is stepped before it is settled.
    pub(super) batch: Option<Batch>,
    pub(super) retry: Retry,
    /// Inputs stepped since the last commit.
    pub(super) uncommitted: usize,
    pub(super) committed_at: Timestamp,
    /// Records were dropped: go back to the committed offsets.
    pub(super) rewind: bool,
    pub(super) succession: Succession,
    /// Another owner may have taken over: the next poll says what is ours.
    pub(super) fenced: bool,
    /// Partitions that come now are for others.
    pub(super) draining: bool,
    measured_at: Timestamp,
    lag: i64,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("held", &self.held.keys()).finish_non_exhaustive()
    }
}

impl Shard {
    /// Joins the group as `<instance>-<number>`.
    pub fn join(
        log: &Arc<dyn Log>,
        number: usize,
        settings: &Arc<Settings>,
        clock: Clock,
        metrics: &Metrics,
    ) -> Result<Self, EngineError> {
        let worlds =
            Worlds::new(Arc::clone(log), settings.maps.clone(), &settings.model, &settings.policy);
        Self::with_worlds(log, number, settings, clock, (metrics, Arc::new(worlds)))
    }

    /// As [`Shard::join`], sharing the Worlds of a process.
    pub(super) fn with_worlds(
        log: &Arc<dyn Log>,
        number: usize,
        settings: &Arc<Settings>,
        clock: Clock,
        (metrics, worlds): (&Metrics, Arc<Worlds>),
    ) -> Result<Self, EngineError> {
        Self::check(&**log)?;
        let owner = format!("{}-{number}", settings.instance);
        let member = log.member(GROUP, Topic::Inputs, &owner)?;
        let now = clock();
        let origin = Origin {
            log: Arc::clone(log),
            worlds: Arc::clone(&worlds),
            metrics: metrics.clone(),
            version: settings.version.clone(),
            accept_loss: settings.accept_loss,
            strict: settings.strict,
            compare: true,
        };
        Ok(Self {
            origin,
            clock,
            settings: Arc::clone(settings),
            member,
            work: Work::new(worlds, settings.accept_loss),
            held: BTreeMap::new(),
            left_out: BTreeMap::new(),
            batch: None,
            retry: Retry::default(),
            uncommitted: 0,
            committed_at: now,
            rewind: false,
            succession: Succession::default(),
            fenced: false,
            draining: false,
            measured_at: now,
            lag: 0,
        })
    }

    /// What makes the traffic of the Worlds that this shard appends; shares its clock.
    pub fn aggregator(&self) -> Aggregator {
        let Origin { log, worlds, metrics, .. } = &self.origin;
        Aggregator::new(log, worlds, Arc::clone(&self.clock), metrics)
    }

    /// Whether the topics fit each other: what a partition says lies in the partition of the
    /// same number.
    pub(super) fn check(log: &dyn Log) -> Result<(), EngineError> {
        let expected = log.partitions(Topic::Inputs);
        for topic in [Topic::Outputs, Topic::States, Topic::Snapshots, Topic::DeadLetters] {
            let found = log.partitions(topic);
            if found != expected {
                return Err(EngineError::Partitions { topic, found, expected });
            }
        }
        Ok(())
    }

    /// Polls once, waiting at most `wait`, steps what came and commits what is due. What fails
    /// is tried again by later turns.
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, EngineError> {
        let now = (self.clock)();
        if let Some(pause) = self.retry.pause(now) {
            return Ok(Turn::Pause(pause));
        }
        if !self.settle() {
            return Ok(self.paused());
        }
        if !std::mem::take(&mut self.fenced) {
            self.build()?;
        }
        self.ask_worlds();
        if self.rewind && !self.go_back() {
            return Ok(self.paused());
        }
        let polled = match self.member.poll(POLL_BYTES, self.patience(now, wait)) {
            Ok(polled) => polled,
            Err(error) => return self.poll_failed(&error),
        };
        let worked = match polled {
            Polled::Records(records) => self.take(&records)?,
            Polled::Assigned(partitions) => {
                self.assigned(&partitions);
                self.build()?;
                true
            }
            Polled::Revoked { partitions, lost } => {
                self.revoked(&partitions, lost)?;
                true
            }
        };
        if self.is_due() {
            self.commit();
        }
        if !self.draining {
            self.append_signs();
        }
        self.measure();
        if self.retry.pause((self.clock)()).is_some() {
            return Ok(self.paused());
        }
        Ok(if worked { Turn::Worked } else { Turn::Idle })
    }

    /// Why it does not do all of its work now; `None`: it does.
    pub fn trouble(&self) -> Option<String> {
        if let Some(error) = self.retry.reason() {
            return Some(format!("the log fails: {error}"));
        }
        self.held.iter().find_map(|(number, held)| match held {
            Held::Building { reason, .. } => Some(format!("partition `{number}`: {reason}")),
            Held::Refused(reason) => Some(format!("partition `{number}` refused: {reason}")),
            Held::Live(live) => match &live.waiting {
                Some((_, reason)) => Some(format!("partition `{number}`: {reason}")),
                None if live.partition.record.is_none() && !self.settings.maps.is_empty() => {
                    Some(format!("partition `{number}`: no world yet"))
                }
                None => None,
            },
        })
    }

    /// Partitions owned now, ascending.
    pub fn partitions(&self) -> Vec<u32> {
        self.held.keys().copied().collect()
    }

    /// Steps every input that is already durable, writes all that has changed and leaves the
    /// group. `within` bounds it, by the shard's clock.
    pub fn drain(&mut self, within: Duration) -> Result<(), EngineError> {
        let began = (self.clock)();
        self.draining = true;
        let mut ends = BTreeMap::new();
        for number in self.held.keys() {
            ends.insert(*number, self.origin.log.bounds(Topic::Inputs, *number)?.end);
        }
        // Offsets may have gaps at the end, so two empty polls count as having arrived.
        let mut empty = 0;
        while empty < 2 && !self.has_reached(&ends) {
            let turn = self.turn(Duration::from_millis(50))?;
            empty = if turn == Turn::Idle { empty + 1 } else { 0 };
            if let Turn::Pause(pause) = turn {
                std::thread::sleep(pause);
            }
            if (self.clock)().seconds_since(began) > within.as_secs_f64() {
                return Err(EngineError::Undrained(within.as_secs_f64()));
            }
        }
        let all = self.partitions();
        while let Err(error) = self.write_all(&all) {
            if (self.clock)().seconds_since(began) > within.as_secs_f64() {
                return Err(error);
            }
            std::thread::sleep(self.retry.pause((self.clock)()).unwrap_or_default());
        }
        self.held.clear();
        self.resign();
        self.member.leave()?;
        info!("shard drained");
        Ok(())
    }

    fn has_reached(&self, ends: &BTreeMap<u32, u64>) -> bool {
        ends.iter().all(|(number, end)| match self.held.get(number) {
            Some(Held::Live(live)) => live.partition.next >= *end && live.pending.is_empty(),
            Some(Held::Building { .. }) => false,
            Some(Held::Refused(_)) | None => true,
        })
    }

    pub(super) fn paused(&self) -> Turn {
        Turn::Pause(self.retry.pause((self.clock)()).unwrap_or_default())
    }

    /// How long a poll may wait: not beyond the next commit.
    fn patience(&self, now: Timestamp, wait: Duration) -> Duration {
        if self.uncommitted == 0 {
            return wait;
        }
        let since = now.seconds_since(self.committed_at).max(0.0);
        let left = self.settings.commit_every.as_secs_f64() - since;
        wait.min(Duration::from_secs_f64(left.max(0.0)))
    }

    fn poll_failed(&mut self, error: &LogError) -> Result<Turn, EngineError> {
        self.origin.metrics.failed("poll");
        if let LogError::OffsetGone { partition, wanted, start, .. } = error {
            return self.gone(*partition, *wanted, *start);
        }
        if matches!(error, LogError::Fenced(_)) {
            self.fence();
        }
        self.retry.failed((self.clock)(), error);
        Ok(self.paused())
    }

    /// Steps a batch. `false`: it was empty.
    fn take(&mut self, records: &[Record]) -> Result<bool, EngineError> {
        let bytes: usize =
            records.iter().map(|r| r.value.as_ref().map_or(0, bytes::Bytes::len)).sum();
        let full = bytes > POLL_BYTES / 2;
        for (number, held) in &mut self.held {
            if let Held::Live(live) = held {
                live.idle = !full && !records.iter().any(|r| r.partition == *number);
            }
        }
        for slice in records.chunks(SLICE) {
            for record in slice {
                self.step(record)?;
                if self.batch.is_some() {
                    // The commit failed; settling it goes back, and the rest comes again.
                    return Ok(true);
                }
            }
            if self.is_due() {
                self.commit();
            }
        }
        Ok(!records.is_empty())
    }

    /// Goes back for the records that waited for a World, once a second.
    fn ask_worlds(&mut self) {
        let now = (self.clock)();
        for held in self.held.values_mut() {
            if let Held::Live(live) = held
                && live.waiting.as_ref().is_some_and(|(at, _)| *at <= now)
            {
                live.waiting = None;
                self.rewind = true;
            }
        }
    }

    fn step(&mut self, record: &Record) -> Result<(), EngineError> {
        let number = record.partition;
        let live = match self.held.get_mut(&number) {
            Some(Held::Live(live)) => live,
            Some(Held::Building { dropped, .. }) => {
                *dropped = true;
                return Ok(());
            }
            Some(Held::Refused(_)) | None => return Ok(()),
        };
        tracing::trace!(target: ingest::PACKET, offset = record.offset, "poll");
        if record.offset < live.partition.next || live.waiting.is_some() {
            return Ok(());
        }
        let careful = live.careful.is_some_and(|end| record.offset < end);
        let stepped = if careful {
            step_carefully(&mut *self.member, live, record, &mut self.work)
        } else {
            live.partition.step(record, &mut self.work, None)
        };
        match stepped {
            Ok(()) => {
                live.gather(&mut self.work, &self.origin.metrics);
                self.uncommitted += 1;
                if self.work.counts.aside > 0 {
                    self.too_many()?;
                }
                if careful || self.uncommitted >= COMMIT_INPUTS {
                    self.commit();
                }
                self.count();
                Ok(())
            }
            Err(halt) => {
                self.halted(record, halt);
                Ok(())
            }
        }
    }

    fn halted(&mut self, record: &Record, halt: Halt) {
        let number = record.partition;
        self.work.clear();
        self.count();
        match halt {
            Halt::World(error) => {
                let at = (self.clock)().plus_seconds(TAKE_AGAIN_S);
                warn!(partition = number, %error, "waiting for a world");
                if let Some(Held::Live(live)) = self.held.get_mut(&number) {
                    live.waiting = Some((at, error.to_string()));
                }
            }
            Halt::UnknownKind(kind) => {
                self.commit();
                let offset = record.offset;
                let reason = format!(
                    "input kind `{kind}` at offset `{offset}` is from a newer version; going on would lose `1` record or more"
                );
                error!(partition = number, reason, "partition refused");
                self.held.insert(number, Held::Refused(reason));
            }
            Halt::Panicked(stumble, message) => {
                error!(partition = number, offset = record.offset, message, "step panicked");
                self.left_out.entry(number).or_default().add(stumble);
                // What was stepped before it is whole.
                if let Some(Held::Live(live)) = self.held.get_mut(&number) {
                    live.broken = true;
                }
                self.commit();
                self.void(number, "a step panicked, being recovered", true);
            }
            Halt::Refused(error) => {
                self.retry.failed((self.clock)(), &error);
                self.void(number, "a step could not be announced", true);
            }
        }
    }

    /// Ends the shard when so much goes wrong that it is a defect.
    fn too_many(&self) -> Result<(), EngineError> {
        let live = self.held.values().filter_map(|h| match h {
            Held::Live(live) => Some((live.partition.aside, live.partition.slots.len())),
            _ => None,
        });
        let (aside, vehicles) = live.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if too_many_aside(aside, vehicles) {
            return Err(EngineError::TooManyAside { aside, vehicles });
        }
        Ok(())
    }

    fn count(&mut self) {
        let counts = std::mem::take(&mut self.work.counts);
        let metrics = &self.origin.metrics;
        metrics.inputs.inc_by(counts.inputs);
        metrics.wakes.inc_by(counts.wakes);
        metrics.duplicates.inc_by(counts.duplicates);
        metrics.panics.inc_by(counts.panics);
        metrics.set_aside.inc_by(counts.aside);
        if counts.ahead > 0 {
            let before = metrics.clocks_ahead.inc_by(counts.ahead);
            // Once in a thousand: a fast gateway sends many.
            if before.is_multiple_of(1_000) {
                error!("a gateway's clock is over a minute ahead of the log");
            }
        }
    }

    fn is_due(&self) -> bool {
        let since = (self.clock)().seconds_since(self.committed_at);
        let every = self.settings.commit_every.as_secs_f64();
        match self.uncommitted {
            0 => !(0.0..IDLE_COMMIT_S).contains(&since),
            COMMIT_INPUTS.. => true,
            _ => !(0.0..every).contains(&since),
        }
    }

    fn measure(&mut self) {
        let now = (self.clock)();
        if (0.0..LAG_EVERY_S).contains(&now.seconds_since(self.measured_at)) {
            return;
        }
        self.measured_at = now;
        let mut lag = 0;
        for (number, held) in &self.held {
            let Held::Live(live) = held else { continue };
            if let Ok(bounds) = self.origin.log.bounds(Topic::Inputs, *number) {
                lag += bounds.end.saturating_sub(live.partition.next) as i64;
            }
        }
        self.origin.metrics.lag.inc_by(lag - self.lag);
        self.lag = lag;
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.origin.metrics.lag.dec_by(self.lag);
        self.resign();
    }
}

/// Announces each step durably before it happens, so that the next start knows which one kills.
fn step_carefully(
    member: &mut dyn Member,
    live: &mut Live,
    record: &Record,
    work: &mut Work,
) -> Result<(), Halt> {
    let number = live.partition.number;
    let next = live.committed.unwrap_or(live.partition.next);
    let checkpoints = &live.checkpoints;
    let mut watch = |stumble: &Stumble| {
        let records = vec![checkpoints.trying(number, stumble.killed())];
        member.commit(Commit { records, offsets: vec![(number, next)] })
    };
    live.partition.step(record, work, Some(&mut watch))
}
