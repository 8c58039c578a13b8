//! The thread that follows `outputs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use engine::model::{Body, Output};
use engine::record::checkpoint::MARKER_KEY;
use engine::record::{MarkerRecord, StateRecord, canonical, output_from_envelope};
use ingest::log::{Clock, Log, LogError, Reader, Record, Topic};
use ingest::record::{BadRecord, Envelope, Kind};
use ingest::time::Timestamp;

use super::ring::OUTPUTS_MAX;
use super::{Live, Place};
use crate::metrics::Metrics;

/// Bytes of one poll.
const POLL_BYTES: usize = 1 << 20;
/// How long a poll waits for the first record; bounds how old `as_of` is on a quiet log.
const POLL_WAIT: Duration = Duration::from_millis(200);
/// Pause after the log did not answer.
const RETRY_WAIT: Duration = Duration::from_millis(500);
/// Streams are told at most so often: what moves meanwhile is told once, and ten thousand clients
/// are not woken by each poll of a busy log.
const TICK: Duration = Duration::from_millis(100);
/// Outputs applied under one lock, so that readers wait tens of microseconds at most.
const APPLIED_TOGETHER: usize = 64;

/// What the thread works with.
pub(crate) struct Tail {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) stop: Arc<AtomicBool>,
}

/// An output with where it lies.
struct Told {
    partition: u32,
    offset: u64,
    appended_at: Timestamp,
    key: Bytes,
    output: Output,
    event: Option<Arc<str>>,
}

/// A vehicle's key and state.
type State = (Bytes, StateRecord);

/// Loads the views of `states` and says from which offset of `outputs` each partition is to be
/// followed: the marker's, or further back, so that streams can go on across a restart.
pub(crate) fn load(log: &dyn Log) -> Result<(Vec<State>, Vec<u64>), LogError> {
    let mut states = Vec::new();
    let partitions = log.partitions(Topic::States);
    let mut from = vec![None; log.partitions(Topic::Outputs) as usize];
    for partition in 0..partitions {
        let bounds = log.bounds(Topic::States, partition)?;
        let mut reader = log.reader(Topic::States, &[(partition, bounds.start)])?;
        while reader.position(partition).is_some_and(|at| at < bounds.end) {
            for record in reader.poll(POLL_BYTES, POLL_WAIT)? {
                let Some(value) = record.value else { continue };
                match stored(&record.key, value) {
                    Ok(Stored::State(state)) => states.push((record.key, *state)),
                    Ok(Stored::Marker(marker)) => {
                        if let Some(from) = from.get_mut(partition as usize) {
                            *from = Some(marker.outputs_from);
                        }
                    }
                    Err(error) => {
                        tracing::error!(partition, offset = record.offset, %error, "bad state");
                    }
                }
            }
        }
    }
    Ok((states, begin(log, &from)?))
}

enum Stored {
    State(Box<StateRecord>),
    Marker(Box<MarkerRecord>),
}

fn stored(key: &[u8], value: Bytes) -> Result<Stored, BadRecord> {
    let envelope = Envelope::decode(value)?;
    if key == MARKER_KEY {
        return MarkerRecord::from_envelope(&envelope).map(|m| Stored::Marker(Box::new(m)));
    }
    StateRecord::from_envelope(&envelope).map(Box::new).map(Stored::State)
}

/// Where to begin each partition. Without a marker from the start; with one from it, or up to
/// [`OUTPUTS_MAX`] in all before the end, dealt out so that quiet partitions leave their share to
/// busy ones.
fn begin(log: &dyn Log, markers: &[Option<u64>]) -> Result<Vec<u64>, LogError> {
    let mut bounds = Vec::with_capacity(markers.len());
    for partition in 0..markers.len() {
        bounds.push(log.bounds(Topic::Outputs, partition as u32)?);
    }
    let mut shares: Vec<(u64, usize)> =
        bounds.iter().enumerate().map(|(p, b)| (b.end - b.start, p)).collect();
    shares.sort_unstable();
    let (mut room, mut from) = (OUTPUTS_MAX as u64, vec![0; markers.len()]);
    for (n, (stored, partition)) in shares.iter().enumerate() {
        let share = (*stored).min(room / (shares.len() - n) as u64);
        room -= share;
        let bounds = bounds[*partition];
        let marker = markers[*partition].unwrap_or(bounds.start);
        from[*partition] = marker.min(bounds.end - share).max(bounds.start);
    }
    Ok(from)
}

/// When streams are told.
#[derive(Debug, Default)]
struct Ticks {
    /// There is more than they were told.
    more: bool,
    /// When they were told last.
    last: Timestamp,
}

impl Ticks {
    /// How long they wait for what there is; `None`: for nothing. Not at all where the clock was
    /// put back.
    fn left(&self, now: Timestamp) -> Option<Duration> {
        let waited = now.seconds_since(self.last);
        let left = if waited < 0.0 { 0.0 } else { TICK.as_secs_f64() - waited };
        self.more.then(|| Duration::from_secs_f64(left.max(0.0)))
    }

    /// Whether they are told now; then they count as told.
    fn is_due(&mut self, now: Timestamp) -> bool {
        let due = self.left(now).is_some_and(|left| left.is_zero());
        if due {
            (self.more, self.last) = (false, now);
        }
        due
    }
}

impl Tail {
    /// Follows until told to stop.
    pub(crate) fn run(self) {
        let (mut reader, mut ticks) = (None, Ticks::default());
        while !self.stop.load(Ordering::Relaxed) {
            let Some(following) = reader.as_mut() else {
                reader = self.follow();
                continue;
            };
            if let Err(error) = self.turn(following.as_mut(), &mut ticks) {
                tracing::warn!(%error, "outputs cannot be read; trying again");
                self.metrics.tail_errors.inc();
                reader = None;
                std::thread::sleep(RETRY_WAIT);
            }
        }
    }

    fn follow(&self) -> Option<Box<dyn Reader>> {
        let ends = self.live.read().ring.ends().to_vec();
        let from: Vec<(u32, u64)> = (0..).zip(ends).collect();
        match self.log.reader(Topic::Outputs, &from) {
            Ok(reader) => Some(reader),
            Err(LogError::OffsetGone { partition, wanted, start, .. }) => {
                tracing::error!(partition, wanted, start, "outputs are gone by retention");
                self.live.write().ring.skip_to(partition, start);
                None
            }
            Err(error) => {
                tracing::warn!(%error, "outputs cannot be read; trying again");
                self.metrics.tail_errors.inc();
                std::thread::sleep(RETRY_WAIT);
                None
            }
        }
    }

    fn turn(&self, reader: &mut dyn Reader, ticks: &mut Ticks) -> Result<(), LogError> {
        let before = (self.clock)();
        if ticks.is_due(before) {
            self.live.tell();
        }
        let cut_short = ticks.left(before);
        let records = reader.poll(POLL_BYTES, cut_short.unwrap_or(POLL_WAIT))?;
        if records.is_empty() && cut_short.is_some() {
            return Ok(());
        }
        if records.is_empty() {
            // Nothing came although it waited: what was there before the wait is contained.
            let caught_up = self.live.caught_up() || self.at_end(reader)?;
            self.live.write().advance(before, caught_up);
            return Ok(());
        }
        ticks.more = true;
        let told: Vec<Told> =
            records.into_iter().filter_map(|record| self.decode(record)).collect();
        let caught_up = self.live.caught_up();
        for together in told.chunks(APPLIED_TOGETHER) {
            let mut fleet = self.live.write();
            for told in together {
                let place =
                    Place { partition: told.partition, offset: told.offset, key: &told.key };
                if !fleet.apply(place, &told.output, told.event.clone()) {
                    tracing::error!(offset = told.offset, "key of an output names no vehicle");
                    fleet.ring.push(told.partition, told.offset, None);
                }
            }
            if let Some(last) = together.last() {
                fleet.advance(last.appended_at, false);
            }
            drop(fleet);
            if caught_up {
                self.measure(together);
            }
        }
        if ticks.is_due((self.clock)()) {
            self.live.tell();
        }
        if !caught_up && self.at_end(reader)? {
            self.live.write().advance(before, true);
        }
        Ok(())
    }

    fn at_end(&self, reader: &dyn Reader) -> Result<bool, LogError> {
        for partition in 0..self.log.partitions(Topic::Outputs) {
            let end = self.log.bounds(Topic::Outputs, partition)?.end;
            if reader.position(partition).is_none_or(|at| at < end) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn measure(&self, told: &[Told]) {
        let now = (self.clock)();
        self.metrics.outputs.inc_by(told.len() as u64);
        for told in told {
            if let Body::Position(position) = &told.output.body {
                let late = now.seconds_since(position.input.received_at).max(0.0);
                self.metrics.packet_to_live.observe(late);
            }
        }
    }

    /// An output of a record; one that cannot be read is counted and passed over.
    fn decode(&self, record: Record) -> Option<Told> {
        let Record { partition, offset, appended_at, key, value, .. } = record;
        let decoded = Envelope::decode(value?).and_then(|envelope| {
            let event = envelope.kind == Kind::Event;
            output_from_envelope(&envelope).map(|output| (output, event))
        });
        match decoded {
            Ok((output, is_event)) => {
                let event = is_event.then(|| event_fields(&output)).flatten();
                Some(Told { partition, offset, appended_at, key, output, event })
            }
            Err(error) => {
                tracing::error!(partition, offset, %error, "output cannot be read");
                self.metrics.bad_outputs.inc();
                None
            }
        }
    }
}

/// An event's own fields as JSON without the braces, for the stream.
fn event_fields(output: &Output) -> Option<Arc<str>> {
    let Body::Event(event) = &output.body else { return None };
    let mut json = serde_json::Map::new();
    canonical::event(&mut json, event);
    let text = serde_json::Value::Object(json).to_string();
    text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).map(Arc::from)
}
