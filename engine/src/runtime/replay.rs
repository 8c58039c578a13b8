//! Stepping again what is on the log, without owning or appending anything: replay of a span,
//! and the states of now.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use ingest::log::{Log, LogError, Topic};
use ingest::record::{BadRecord, Envelope};
use ingest::time::Timestamp;
use thiserror::Error;

use super::checkpoint::first_marker;
use super::metrics::Metrics;
use super::partition::{Halt, Partition, Said, Work};
use super::poison::LeftOut;
use super::recovery::{Origin, Read, RecoverError, Stored, leave_out, read};
use super::scan::scan;
use super::worlds::Worlds;
use super::{GROUP, Settings};
use crate::record::{Digest, MarkerRecord, canonical};

/// Which outputs a replay is asked for, by the time in their envelope.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// Not before this; also chooses the snapshot to begin with.
    pub from: Option<Timestamp>,
    /// Not after this.
    pub to: Option<Timestamp>,
}

/// What a replay gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs stepped.
    pub inputs: u64,
    /// Outputs within the span.
    pub outputs: u64,
    /// SHA-256 over them, as [`Digest`].
    pub digest: String,
}

/// Why there is nothing to show.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The log does not answer.
    #[error("reading the log")]
    Log(#[from] LogError),
    /// A partition cannot be stepped.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Neither a snapshot nor the beginning is there.
    #[error(
        "inputs of partition `{partition}` below `{start}` are gone and no snapshot is old enough; \
         the oldest is of {oldest}, so give `--from` after it"
    )]
    TooOld {
        /// Which partition.
        partition: u32,
        /// Its first input.
        start: u64,
        /// Time of its oldest snapshot, or "none".
        oldest: String,
    },
    /// The results cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An output cannot be shown.
    #[error("output of `{key}` is not readable: {reason}")]
    Output {
        /// Whose.
        key: String,
        /// What is wrong.
        reason: BadRecord,
    },
}

/// Steps all inputs up to the engine's committed offsets again, from the newest snapshot not
/// after `span.from` or from the beginning, and writes `outputs-NN.jsonl` and `states-NN.jsonl`
/// of every partition into `out`. The same on any number of `shards`, which are threads.
pub fn replay(
    log: &Arc<dyn Log>,
    settings: &Settings,
    span: Span,
    shards: usize,
    out: &Path,
) -> Result<Replayed, ReplayError> {
    let failed = |source| ReplayError::Write { path: out.to_owned(), source };
    std::fs::create_dir_all(out).map_err(failed)?;
    let origin = Origin::reading(log, settings, shards);
    let partitions = log.partitions(Topic::Inputs);
    let shards = u32::try_from(shards.max(1)).unwrap_or(u32::MAX).min(partitions);
    let parts: Vec<Result<(u64, Digest), ReplayError>> = thread::scope(|scope| {
        let origin = &origin;
        let share = |shard: u32| {
            move || {
                let mut sum = (0, Digest::default());
                for number in (shard..partitions).step_by(shards as usize) {
                    let (inputs, digest) = origin.replay_one(number, span, out)?;
                    sum.0 += inputs;
                    sum.1.merge(digest);
                }
                Ok(sum)
            }
        };
        let threads: Vec<_> = (0..shards).map(|shard| scope.spawn(share(shard))).collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    });
    let (mut inputs, mut digest) = (0, Digest::default());
    for part in parts {
        let (more, part) = part?;
        inputs += more;
        digest.merge(part);
    }
    Ok(Replayed { inputs, outputs: digest.outputs(), digest: digest.hex() })
}

/// Writes the states of all vehicles at the engine's committed offsets: a line with those
/// offsets, a line of canonical JSON a vehicle in the order of keys, a line with the digest.
pub fn export_states(
    log: &Arc<dyn Log>,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<(), ReplayError> {
    let origin = Origin::reading(log, settings, 1);
    let mut offsets = serde_json::Map::new();
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    let mut digest = Digest::default();
    for number in 0..log.partitions(Topic::Inputs) {
        // States first: they contain nothing that is not committed by then.
        let stored = origin.stored(number)?;
        let committed = log.committed(GROUP, Topic::Inputs, number)?;
        let mut left_out = LeftOut::default();
        let recovered = origin.recover_from(number, committed, &stored, &mut left_out)?;
        offsets.insert(number.to_string(), recovered.partition.next.into());
        lines.extend(states(&recovered.partition)?);
    }
    let failed = |source| ReplayError::Write { path: PathBuf::from("standard output"), source };
    writeln!(out, "{}", serde_json::json!({ "inputs": offsets })).map_err(failed)?;
    for (key, line) in lines {
        writeln!(out, "{line}").map_err(failed)?;
        digest.add(&key, &line);
    }
    writeln!(out, "{}", serde_json::json!({ "digest": digest.hex() })).map_err(failed)
}

/// Every vehicle's state as canonical JSON.
fn states(partition: &Partition) -> Result<Vec<(String, String)>, ReplayError> {
    let mut lines = Vec::with_capacity(partition.slots.len());
    for (key, slot) in &partition.slots {
        let key = String::from_utf8_lossy(key).into_owned();
        lines.push((key.clone(), shown(&key, &slot.state(partition.next).envelope())?));
    }
    Ok(lines)
}

fn shown(key: &str, envelope: &Envelope) -> Result<String, ReplayError> {
    let bad = |reason| ReplayError::Output { key: key.to_owned(), reason };
    canonical::output(key, envelope).map_err(bad)
}

impl Origin {
    /// For reading only: nothing is compared with what somebody else may be writing.
    fn reading(log: &Arc<dyn Log>, settings: &Settings, threads: usize) -> Self {
        let (model, policy) = (&settings.model, &settings.policy);
        let worlds = Worlds::new(Arc::clone(log), settings.maps.clone(), model, policy);
        Self {
            log: Arc::clone(log),
            worlds: Arc::new(worlds.for_threads(threads)),
            metrics: Metrics::default(),
            version: settings.version.clone(),
            accept_loss: settings.accept_loss,
            strict: false,
            compare: false,
        }
    }

    fn replay_one(
        &self,
        number: u32,
        span: Span,
        out: &Path,
    ) -> Result<(u64, Digest), ReplayError> {
        let upto = self.log.committed(GROUP, Topic::Inputs, number)?.unwrap_or(0);
        let killed = self.stored(number)?.marker.map(|m| m.killed).unwrap_or_default();
        let mut left_out = LeftOut::default();
        for killed in killed {
            left_out.kill(killed);
        }
        let (marker, stored) = self.beginning(number, span.from)?;
        loop {
            let mut partition = self.restored(number, &marker, &stored, &left_out)?;
            let mut sheet = Sheet::new(out, number, span)?;
            match self.over(&mut partition, upto, &mut sheet)? {
                None => {
                    let inputs = sheet.inputs;
                    let digest = sheet.finish(out, &partition)?;
                    return Ok((inputs, digest));
                }
                Some(halt) => leave_out(number, halt, &mut left_out)?,
            }
        }
    }

    /// Steps everything below `upto` onto the sheet.
    fn over(
        &self,
        partition: &mut Partition,
        upto: u64,
        sheet: &mut Sheet,
    ) -> Result<Option<Halt>, ReplayError> {
        let mut work = Work::new(Arc::clone(&self.worlds), self.accept_loss);
        let place = (Topic::Inputs, partition.number);
        let ended = scan(&*self.log, place, partition.next..upto, |record| {
            if let Err(halt) = partition.step(&record, &mut work, None) {
                return ControlFlow::Break(Ok(halt));
            }
            sheet.inputs += 1;
            work.letters.clear();
            match work.said.drain(..).try_for_each(|said| sheet.take(&said)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Err(error)),
            }
        })?;
        ended.transpose()
    }

    /// The newest snapshot not after `from`, or nothing at the first input of all.
    fn beginning(
        &self,
        number: u32,
        from: Option<Timestamp>,
    ) -> Result<(MarkerRecord, Stored), ReplayError> {
        let start = self.log.bounds(Topic::Inputs, number)?.start;
        let bounds = self.log.bounds(Topic::Snapshots, number)?;
        let mut collected: Stored = Stored::default();
        let mut best: Option<(MarkerRecord, Stored)> = None;
        let mut oldest: Option<Timestamp> = None;
        scan::<()>(&*self.log, (Topic::Snapshots, number), bounds.start..bounds.end, |record| {
            match record.value.map(|value| read(&record.key, value)) {
                Some(Ok(Read::State(state))) => {
                    collected.states.insert(record.key, *state);
                }
                Some(Ok(Read::Marker(marker))) => {
                    let mut complete = std::mem::take(&mut collected);
                    // Of a snapshot that was broken off before this one.
                    complete.states.retain(|_, state| state.contains == marker.from);
                    oldest = oldest.or(Some(marker.now));
                    let usable = marker.from >= start && from.is_some_and(|f| marker.now <= f);
                    if usable {
                        best = Some((*marker, complete));
                    }
                }
                Some(Err(_)) | None => {}
            }
            ControlFlow::Continue(())
        })?;
        if let Some(found) = best {
            return Ok(found);
        }
        if start > 0 && !self.accept_loss {
            let oldest = oldest.map_or_else(|| "none".to_owned(), |at| at.to_string());
            return Err(ReplayError::TooOld { partition: number, start, oldest });
        }
        Ok((first_marker(start, 0, &self.version), Stored::default()))
    }
}

/// What one partition says, on its way to a file and a digest.
struct Sheet {
    span: Span,
    path: PathBuf,
    file: BufWriter<File>,
    digest: Digest,
    inputs: u64,
}

impl Sheet {
    fn new(out: &Path, number: u32, span: Span) -> Result<Self, ReplayError> {
        let path = out.join(format!("outputs-{number:02}.jsonl"));
        let file = create(&path)?;
        Ok(Self { span, path, file, digest: Digest::default(), inputs: 0 })
    }

    fn take(&mut self, said: &Said) -> Result<(), ReplayError> {
        let at = said.envelope.received_at;
        let outside =
            self.span.from.is_some_and(|f| at < f) || self.span.to.is_some_and(|t| at > t);
        if outside {
            return Ok(());
        }
        let key = String::from_utf8_lossy(&said.key);
        let line = shown(&key, &said.envelope)?;
        self.digest.add(&key, &line);
        let failed = |source| ReplayError::Write { path: self.path.clone(), source };
        writeln!(self.file, "{line}").map_err(failed)
    }

    /// Writes the states too.
    fn finish(mut self, out: &Path, partition: &Partition) -> Result<Digest, ReplayError> {
        let failed = |source| ReplayError::Write { path: self.path.clone(), source };
        self.file.flush().map_err(failed)?;
        let path = out.join(format!("states-{:02}.jsonl", partition.number));
        let mut file = create(&path)?;
        let failed = |source| ReplayError::Write { path: path.clone(), source };
        for (_, line) in states(partition)? {
            writeln!(file, "{line}").map_err(failed)?;
        }
        file.flush().map_err(failed)?;
        Ok(self.digest)
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, ReplayError> {
    let failed = |source| ReplayError::Write { path: path.to_owned(), source };
    Ok(BufWriter::new(File::create(path).map_err(failed)?))
}
