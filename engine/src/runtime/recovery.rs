//! Building a partition anew: its states, then its inputs from the marker to the committed
//! offset stepped again. Outputs are not written but compared with those on the log.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use ingest::id::VehicleKey;
use ingest::log::{Log, LogError, Record, Topic};
use ingest::record::{BadRecord, Envelope, Kind};
use thiserror::Error;
use tracing::{error, info, warn};
use xxhash_rust::xxh3::xxh3_64;

use super::checkpoint::first_marker;
use super::metrics::{Metrics, Why};
use super::partition::{Halt, Partition, Said, Work};
use super::poison::LeftOut;
use super::scan::scan;
use super::slot::Slot;
use super::stepping::Vehicle;
use super::worlds::{WorldError, Worlds};
use crate::record::checkpoint::MARKER_KEY;
use crate::record::{MarkerRecord, StateRecord};

/// Differences that are written to the log of the process, a recovery.
const SHOWN_MAX: u64 = 5;

/// Why a partition cannot be taken up.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// The log did not answer. Again.
    #[error("reading the log")]
    Log(#[from] LogError),
    /// The World it was in is not here. Again when it is.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Going on would lose this many records; only `accept_loss` does.
    #[error("partition `{partition}`: {reason}; going on would lose `{lost}` records")]
    Refused {
        /// Which partition.
        partition: u32,
        /// What is missing or not readable.
        reason: String,
        /// How many records would be lost, as far as offsets tell.
        lost: u64,
    },
    /// Stepping the same inputs again gave other outputs (only when strict).
    #[error(
        "partition `{partition}`: `{differences}` outputs differ from the log's, first {first}"
    )]
    Differs {
        /// Which partition.
        partition: u32,
        /// How many.
        differences: u64,
        /// The first of them: vehicle and seq.
        first: String,
    },
}

/// Times the states are read on to their moving end.
const SCANS_MAX: usize = 1_000;

/// What recovery needs to know.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) log: Arc<dyn Log>,
    pub(super) worlds: Arc<Worlds>,
    pub(super) metrics: Metrics,
    /// This engine's version.
    pub(super) version: String,
    pub(super) accept_loss: bool,
    pub(super) strict: bool,
    /// Compare what comes out with the log; not while somebody else writes it.
    pub(super) compare: bool,
}

/// A partition as of its committed offset.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) partition: Partition,
    /// Where it went on from.
    pub(super) marker: MarkerRecord,
    /// Nothing had ever been stepped or committed.
    pub(super) is_new: bool,
    /// States must be written before anything else: another version wrote them, or they were
    /// renumbered.
    pub(super) write_all: bool,
}

/// The newest states of a partition, as stored.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) marker: Option<MarkerRecord>,
    pub(super) states: BTreeMap<Bytes, StateRecord>,
}

impl Origin {
    /// The partition after all inputs below `committed`. `left_out` grows by what panics.
    pub(super) fn recover(
        &self,
        number: u32,
        committed: Option<u64>,
        left_out: &mut LeftOut,
    ) -> Result<Recovered, RecoverError> {
        let stored = self.stored(number)?;
        self.recover_from(number, committed, &stored, left_out)
    }

    /// The same from states that have been read.
    pub(super) fn recover_from(
        &self,
        number: u32,
        committed: Option<u64>,
        stored: &Stored,
        left_out: &mut LeftOut,
    ) -> Result<Recovered, RecoverError> {
        let inputs = self.log.bounds(Topic::Inputs, number)?;
        let is_new = committed.is_none() && stored.marker.is_none();
        let (marker, upto, whole) = self.stretch(number, committed, stored, inputs.start)?;
        for killed in marker.killed.iter().chain(&marker.trying) {
            if marker.trying.as_ref() != Some(killed) || killed.offset >= upto {
                left_out.kill(killed.clone());
            }
        }
        let (mut partition, comparison) = loop {
            let mut partition = self.restored(number, &marker, stored, left_out)?;
            let mut comparison = self.comparison(number, &marker, &partition, upto)?;
            match self.again(&mut partition, upto, &mut comparison)? {
                None => break (partition, comparison),
                Some(halt) => leave_out(number, halt, left_out)?,
            }
        };
        partition.next = partition.next.max(upto);
        let same = marker.version == self.version && whole;
        let renumbered = self.compare && comparison.settle(self, &mut partition, same)?;
        self.metrics.recoveries.inc();
        info!(partition = number, from = marker.from, upto, "partition recovered");
        let write_all = renumbered || (!same && !is_new);
        Ok(Recovered { partition, marker, is_new, write_all })
    }

    /// The marker to go on from, the committed offset, and whether all between is there.
    fn stretch(
        &self,
        partition: u32,
        committed: Option<u64>,
        stored: &Stored,
        start: u64,
    ) -> Result<(MarkerRecord, u64, bool), RecoverError> {
        let outputs = self.log.bounds(Topic::Outputs, partition)?;
        let first = || first_marker(start, outputs.start, &self.version);
        let mut marker = stored.marker.clone().unwrap_or_else(first);
        let upto = committed.unwrap_or(start);
        let known = stored.marker.as_ref().map(|m| m.from);
        let wanted = match (known, committed) {
            (Some(from), Some(upto)) => Some(from.min(upto)),
            (Some(from), None) => Some(from),
            // Committed, but no marker: everything from the first input on would be needed.
            (None, Some(_)) => Some(0),
            (None, None) => None,
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted < start) {
            let lost = start - wanted;
            let reason = format!("inputs from `{wanted}` to `{start}` are gone from the log");
            self.lose(partition, reason, lost)?;
            marker.from = marker.from.max(start);
            return Ok((marker, upto.max(start), false));
        }
        Ok((marker, upto, true))
    }

    /// Refuses, unless loss is accepted; then it is counted.
    fn lose(&self, partition: u32, reason: String, lost: u64) -> Result<(), RecoverError> {
        if !self.accept_loss {
            return Err(RecoverError::Refused { partition, reason, lost });
        }
        error!(partition, reason, lost, "loss accepted");
        self.metrics.lost.inc_by(lost);
        Ok(())
    }

    /// The newest marker and states of a partition.
    pub(super) fn stored(&self, number: u32) -> Result<Stored, RecoverError> {
        let mut records: BTreeMap<Bytes, Option<Bytes>> = BTreeMap::new();
        let place = (Topic::States, number);
        let mut from = self.log.bounds(Topic::States, number)?.start;
        // While somebody writes, a newer state takes the place of one not read yet, further on.
        for _ in 0..SCANS_MAX {
            let end = self.log.bounds(Topic::States, number)?.end;
            if from >= end {
                break;
            }
            scan::<()>(&*self.log, place, from..end, |record| {
                records.insert(record.key, record.value);
                ControlFlow::Continue(())
            })?;
            from = end;
        }
        let mut stored = Stored::default();
        let mut unread = Vec::new();
        for (key, value) in records {
            let Some(value) = value else { continue };
            match read(&key, value) {
                Ok(Read::Marker(marker)) => stored.marker = Some(*marker),
                Ok(Read::State(state)) => {
                    stored.states.insert(key, *state);
                }
                Err(error) => unread.push(format!("{}: {error}", String::from_utf8_lossy(&key))),
            }
        }
        if let Some(first) = unread.first() {
            let reason = format!("`{}` states are not readable, first {first}", unread.len());
            self.lose(number, reason, unread.len() as u64)?;
        }
        Ok(stored)
    }

    pub(super) fn restored(
        &self,
        number: u32,
        marker: &MarkerRecord,
        stored: &Stored,
        left_out: &LeftOut,
    ) -> Result<Partition, RecoverError> {
        let mut partition = Partition::new(number, marker.from);
        partition.now = marker.now;
        partition.left_out = left_out.clone();
        partition.record.clone_from(&marker.world);
        let mut unread: Vec<(Bytes, BadRecord)> = Vec::new();
        for (key, state) in &stored.states {
            match Slot::restore(key, state.clone()) {
                Ok(slot) => partition.put(key.clone(), slot),
                Err(error) => unread.push((key.clone(), error)),
            }
        }
        if let Some((_, error)) = unread.first() {
            let lost = unread.len() as u64;
            self.lose(number, format!("`{lost}` states are not readable, first {error}"), lost)?;
        }
        for (key, _) in unread {
            let slot = stored.states.get(&key).map(|s| Slot::restore_seq(&key, s.clone()));
            match slot {
                Some(Ok(slot)) => partition.put(key, slot),
                Some(Err(error)) => error!(?key, %error, "not even the seq could be kept"),
                None => {}
            }
        }
        Ok(partition)
    }

    /// What the log holds of outputs that stepping again should give.
    fn comparison(
        &self,
        number: u32,
        marker: &MarkerRecord,
        partition: &Partition,
        upto: u64,
    ) -> Result<Comparison, RecoverError> {
        let mut comparison = Comparison::default();
        if !self.compare {
            return Ok(comparison);
        }
        let contained = |key: &Bytes| partition.slots.get(key).map_or(0, |s| s.vehicle.view().seq);
        let bounds = self.log.bounds(Topic::Outputs, number)?;
        if marker.from >= upto && marker.outputs_from >= bounds.end {
            return Ok(comparison);
        }
        let from = marker.outputs_from.max(bounds.start);
        let place = (Topic::Outputs, number);
        let bad = scan(&*self.log, place, from..bounds.end, |record| {
            let Some(value) = record.value else { return ControlFlow::Continue(()) };
            let hash = xxh3_64(&value);
            match Envelope::decode(value) {
                Ok(envelope) if envelope.seq > contained(&record.key) => {
                    comparison.expect(record.key, envelope.seq, hash);
                    ControlFlow::Continue(())
                }
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break((record.offset, error)),
            }
        })?;
        if let Some((offset, error)) = bad {
            self.lose(number, format!("output `{offset}` is not readable: {error}"), 1)?;
        }
        Ok(comparison)
    }

    /// Steps the inputs below `upto` again.
    fn again(
        &self,
        partition: &mut Partition,
        upto: u64,
        comparison: &mut Comparison,
    ) -> Result<Option<Halt>, RecoverError> {
        let mut work = Work::new(Arc::clone(&self.worlds), self.accept_loss);
        let place = (Topic::Inputs, partition.number);
        let halted =
            scan(&*self.log, place, partition.next..upto, |record: Record| {
                match partition.step(&record, &mut work, None) {
                    Ok(()) => {
                        work.said.drain(..).for_each(|said| comparison.compare(said));
                        work.letters.clear();
                        ControlFlow::Continue(())
                    }
                    Err(halt) => ControlFlow::Break(halt),
                }
            })?;
        Ok(halted)
    }
}

/// Adds a step that panicked to those left out, so that the partition can be built without it.
pub(super) fn leave_out(
    partition: u32,
    halt: Halt,
    left_out: &mut LeftOut,
) -> Result<(), RecoverError> {
    let reason = match halt {
        Halt::Panicked(stumble, message) => {
            warn!(partition, offset = stumble.offset, message, "step panicked");
            if left_out.add(stumble) {
                return Ok(());
            }
            format!("steps panic without end: {message}")
        }
        Halt::World(error) => return Err(error.into()),
        Halt::Refused(error) => return Err(error.into()),
        Halt::UnknownKind(kind) => format!("input kind `{kind}` is from a newer version"),
    };
    Err(RecoverError::Refused { partition, reason, lost: 1 })
}

/// A record of topic `states` or `snapshots`.
pub(super) enum Read {
    Marker(Box<MarkerRecord>),
    State(Box<StateRecord>),
}

pub(super) fn read(key: &Bytes, value: Bytes) -> Result<Read, BadRecord> {
    let envelope = Envelope::decode(value)?;
    match envelope.kind {
        Kind::Marker if key.as_ref() == MARKER_KEY => {
            Ok(Read::Marker(Box::new(MarkerRecord::from_envelope(&envelope)?)))
        }
        Kind::State => Ok(Read::State(Box::new(StateRecord::from_envelope(&envelope)?))),
        other => Err(BadRecord::Value(format!("kind `{}`, expected a state", other.name()))),
    }
}

/// Outputs on the log against those that stepping again gives.
#[derive(Debug, Default)]
struct Comparison {
    /// By vehicle: seq and hash of what is on the log and was not said again yet.
    expected: BTreeMap<Bytes, BTreeMap<u64, u64>>,
    /// By vehicle: the newest seq on the log.
    newest: BTreeMap<Bytes, u64>,
    said: BTreeMap<Bytes, u64>,
    differences: u64,
    first: Option<String>,
}

impl Comparison {
    fn expect(&mut self, key: Bytes, seq: u64, hash: u64) {
        let newest = self.newest.entry(key.clone()).or_default();
        *newest = seq.max(*newest);
        self.expected.entry(key).or_default().insert(seq, hash);
    }

    fn compare(&mut self, said: Said) {
        let seq = said.envelope.seq;
        let hash = self.expected.get_mut(&said.key).and_then(|e| e.remove(&seq));
        if hash != Some(xxh3_64(&said.envelope.encode())) {
            self.differ(&said.key, seq, if hash.is_some() { "is another" } else { "is new" });
        }
        self.said.insert(said.key, seq);
    }

    fn differ(&mut self, key: &Bytes, seq: u64, how: &str) {
        self.differences += 1;
        let what = format!("{} seq {seq} {how}", String::from_utf8_lossy(key));
        if self.differences <= SHOWN_MAX {
            warn!(output = what, "stepping again gave something else");
        }
        self.first.get_or_insert(what);
    }

    /// Counts what is missing; lets numbering go on after the last committed output. `true`:
    /// something was renumbered.
    fn settle(
        mut self,
        origin: &Origin,
        partition: &mut Partition,
        same: bool,
    ) -> Result<bool, RecoverError> {
        let missing: Vec<(Bytes, u64)> = std::mem::take(&mut self.expected)
            .into_iter()
            .flat_map(|(key, seqs)| seqs.into_keys().map(move |seq| (key.clone(), seq)))
            .collect();
        for (key, seq) in missing {
            self.differ(&key, seq, "is missing");
        }
        if self.differences == 0 {
            return Ok(false);
        }
        let version = if same { "same" } else { "other" };
        origin.metrics.differences.get_or_create(&Why { reason: version }).inc_by(self.differences);
        let first = self.first.clone().unwrap_or_default();
        let (number, differences) = (partition.number, self.differences);
        if same {
            error!(partition = number, differences, first, "recovery differs from the log");
            if origin.strict {
                return Err(RecoverError::Differs { partition: number, differences, first });
            }
        }
        Ok(self.renumber(partition))
    }

    fn renumber(&self, partition: &mut Partition) -> bool {
        let mut any = false;
        let keys: Vec<Bytes> = self.newest.keys().chain(self.said.keys()).cloned().collect();
        for key in keys {
            if !partition.slots.contains_key(&key)
                && let Ok(id) = VehicleKey::parse(&key)
            {
                partition.put(key.clone(), Slot::new(Vehicle::new(id)));
            }
            let Some(slot) = partition.slots.get_mut(&key) else { continue };
            let newest = self.newest.get(&key).copied().unwrap_or(slot.restored_seq);
            if slot.vehicle.view().seq == newest {
                continue;
            }
            partition.changes.mark(&key, &mut slot.changed, partition.next);
            if let Err(error) = slot.renumber(newest) {
                error!(?key, %error, "vehicle could not be renumbered");
            }
            any = true;
        }
        any
    }
}
