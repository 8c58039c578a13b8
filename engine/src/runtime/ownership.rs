//! Taking partitions up and giving them away.

use ingest::log::{Bounds, Commit, LogError, NewRecord, Topic};
use ingest::time::Timestamp;
use tracing::{error, info, warn};

use super::checkpoint::Checkpoints;
use super::metrics::{Metrics, Why};
use super::owner::Own;
use super::partition::{Partition, Work};
use super::recovery::RecoverError;
use super::shard::{COMMIT_INPUTS, Shard, Turn};
use super::{EngineError, GROUP};

/// A partition that could not be taken up is tried again after this, seconds.
pub(super) const TAKE_AGAIN_S: f64 = 1.0;
/// Starts at one place that may die before inputs are tried one by one.
const STARTS_MAX: u32 = 3;

/// A partition that is ours.
#[derive(Debug)]
pub(super) enum Held {
    /// Being stepped.
    Live(Box<Live>),
    /// To be built from the log, not before this time. Records that come meanwhile are dropped
    /// and read again.
    Building { at: Timestamp, reason: String, dropped: bool },
    /// Cannot go on without a person.
    Refused(String),
}

/// A partition being stepped.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) partition: Partition,
    pub(super) checkpoints: Checkpoints,
    /// A step panicked half-way through a record: what was gathered before it may be committed,
    /// but no state.
    pub(super) broken: bool,
    /// Records that the next commit carries.
    pub(super) pending: Vec<NewRecord>,
    /// The offset committed last; `None`: none ever.
    pub(super) committed: Option<u64>,
    /// Its next record waits for a World: not before this time again.
    pub(super) waiting: Option<(Timestamp, String)>,
    /// One input a commit up to this offset: starts have died here.
    pub(super) careful: Option<u64>,
    /// The last poll brought nothing for it.
    pub(super) idle: bool,
    pub(super) own: Own,
}

impl Live {
    /// What the last record gave becomes part of the next commit.
    pub(super) fn gather(&mut self, work: &mut Work, metrics: &Metrics) {
        let number = self.partition.number;
        for said in work.said.drain(..) {
            let mut record = said.envelope.into_record(Topic::Outputs, said.key);
            record.partition = Some(number);
            self.pending.push(record);
        }
        for letter in work.letters.drain(..) {
            metrics.dead_letters.get_or_create(&Why { reason: letter.why }).inc();
            self.pending.push(letter.into_record(number));
        }
    }
}

impl Shard {
    /// The committed offset is below the log's start.
    pub(super) fn gone(
        &mut self,
        partition: u32,
        wanted: u64,
        start: u64,
    ) -> Result<Turn, EngineError> {
        let lost = start.saturating_sub(wanted);
        let reason = format!("inputs from `{wanted}` to `{start}` are gone from the log");
        if !self.settings.accept_loss {
            let refused = RecoverError::Refused { partition, reason, lost };
            error!(%refused, "partition refused");
            self.held.insert(partition, Held::Refused(refused.to_string()));
            self.retry.failed((self.clock)(), &LogError::Unavailable(refused.to_string()));
            return Ok(self.paused());
        }
        let commit = Commit { records: Vec::new(), offsets: vec![(partition, start)] };
        self.member.commit(commit)?;
        self.void(partition, "going on after a loss", true);
        Ok(Turn::Worked)
    }

    pub(super) fn assigned(&mut self, partitions: &[u32]) {
        info!(?partitions, "partitions taken");
        if self.draining {
            return;
        }
        for number in partitions {
            self.void(*number, "taken, being recovered", false);
        }
    }

    /// To be built from the log at once; `dropped`: records were dropped that it needs.
    pub(super) fn void(&mut self, number: u32, reason: &str, dropped: bool) {
        let held = Held::Building { at: (self.clock)(), reason: reason.to_owned(), dropped };
        self.held.insert(number, held);
    }

    /// Somebody else may own all of it now.
    pub(super) fn fence(&mut self) {
        self.fenced = true;
        self.void_all("another owner had taken over");
    }

    pub(super) fn void_all(&mut self, reason: &str) {
        self.batch = None;
        self.uncommitted = 0;
        for number in self.partitions() {
            self.void(number, reason, true);
        }
    }

    pub(super) fn revoked(&mut self, partitions: &[u32], lost: bool) -> Result<(), EngineError> {
        info!(?partitions, lost, "partitions given up");
        if lost {
            for number in partitions {
                self.held.remove(number);
            }
            return Ok(());
        }
        // Whatever cannot be committed now the next owner steps.
        match self.write_all(partitions) {
            Ok(()) => {}
            Err(EngineError::Log(error)) => warn!(%error, "partitions given up uncommitted"),
            Err(other) => return Err(other),
        }
        for number in partitions {
            self.held.remove(number);
            self.left_out.remove(number);
        }
        Ok(())
    }

    /// Takes up the partitions that are to be built.
    pub(super) fn build(&mut self) -> Result<(), EngineError> {
        let now = (self.clock)();
        let due = |(number, held): (&u32, &Held)| match held {
            Held::Building { at, dropped, .. } if *at <= now => Some((*number, *dropped)),
            _ => None,
        };
        let due: Vec<(u32, bool)> = self.held.iter().filter_map(due).collect();
        let mut starts = Vec::new();
        for (number, dropped) in due {
            match self.recover(number) {
                Ok((live, start)) => {
                    starts.push(start);
                    self.rewind |= dropped || live.committed.is_none();
                    self.held.insert(number, Held::Live(live));
                }
                Err(error) => self.not_built(number, error)?,
            }
        }
        if starts.is_empty() {
            return Ok(());
        }
        // Starts are counted before anything is stepped.
        let offsets = self.offsets();
        let commit = Commit { records: starts, offsets };
        if let Err(error) = self.member.commit(commit) {
            self.origin.metrics.failed("commit");
            self.void_all("its start could not be written");
            self.retry.failed((self.clock)(), &error);
            return Ok(());
        }
        for held in self.held.values_mut() {
            if let Held::Live(live) = held {
                live.committed.get_or_insert(live.partition.next);
            }
        }
        match self.write_anew() {
            // They stay to be written at once.
            Err(EngineError::Log(error)) => {
                warn!(%error, "states not written yet");
                Ok(())
            }
            other => other,
        }
    }

    fn recover(&mut self, number: u32) -> Result<(Box<Live>, NewRecord), RecoverError> {
        let committed = self.origin.log.committed(GROUP, Topic::Inputs, number)?;
        let Bounds { start, end } = self.origin.log.bounds(Topic::Inputs, number)?;
        let left_out = self.left_out.entry(number).or_default();
        let recovered = self.origin.recover(number, committed, left_out)?;
        let partition = recovered.partition;
        let mut checkpoints = Checkpoints::new(recovered.marker, &self.settings.version);
        let (starts, marker) = checkpoints.start(&partition);
        let careful = (starts > STARTS_MAX).then_some(partition.next + COMMIT_INPUTS as u64);
        if careful.is_some() {
            warn!(partition = number, starts, "starts have died here; stepping one by one");
        }
        if recovered.write_all {
            checkpoints.all_at_once();
        }
        let live = Live {
            own: Own::taken(end, !recovered.is_new),
            checkpoints,
            broken: false,
            pending: Vec::new(),
            // Below the log's start there is nothing to go on from.
            committed: committed.filter(|at| *at >= start),
            waiting: None,
            careful,
            idle: false,
            partition,
        };
        Ok((Box::new(live), marker))
    }

    fn not_built(&mut self, number: u32, error: RecoverError) -> Result<(), EngineError> {
        self.origin.metrics.failed("recover");
        let at = (self.clock)().plus_seconds(TAKE_AGAIN_S);
        let reason = error.to_string();
        match error {
            RecoverError::Differs { .. } => return Err(error.into()),
            RecoverError::Refused { .. } => {
                error!(partition = number, reason, "partition refused");
                self.held.insert(number, Held::Refused(reason));
            }
            RecoverError::Log(_) | RecoverError::World(_) => {
                warn!(partition = number, reason, "partition not taken up yet");
                self.held.insert(number, Held::Building { at, reason, dropped: true });
            }
        }
        Ok(())
    }
}
