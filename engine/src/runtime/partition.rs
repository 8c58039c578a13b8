//! One partition of `inputs` and all it means: its time, its World, its vehicles.
//!
//! Only the records decide: whoever steps the same records from the same states gets the same
//! outputs. The live shard, recovery and replay all call [`Partition::step`].

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ingest::id::VehicleKey;
use ingest::log::Record;
use ingest::record::{BadRecord, Envelope, Kind};
use ingest::time::Timestamp;
use tracing::{error, warn};

use super::checkpoint::Changes;
use super::poison::{Cause, LeftOut, Letter, Stumble, guarded};
use super::slot::{Slot, retires};
use super::stepping::{Scratch, Vehicle};
use super::timers::Timers;
use super::worlds::{WorldError, Worlds};
use crate::model::{Input, Output};
use crate::record::{InputRecord, WorldRecord, output_envelope};
use crate::world::World;
use crate::world::conditions::Changes as RoadChanges;

/// A receive time further ahead of the log's own append time than this, seconds, counts as that.
const CLOCK_AHEAD_S: f64 = 60.0;
/// A wake-up that nobody could step for longer than this, seconds, is overdue.
const OVERDUE_S: f64 = 60.0;
/// Wake-ups of one vehicle within one input; one more is a defect and is dropped.
const WAKES_MAX: u32 = 100_000;

/// The state of one partition after all inputs below `next`.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) number: u32,
    /// The next input to be stepped; those below are contained.
    pub(super) next: u64,
    /// Its time: the newest receive time so far.
    pub(super) now: Timestamp,
    /// The World that holds; `None`: none came yet.
    pub(super) record: Option<WorldRecord>,
    /// The same loaded, once a step needs it.
    world: Option<Arc<World>>,
    pub(super) slots: BTreeMap<Bytes, Slot>,
    pub(super) timers: Timers,
    pub(super) changes: Changes,
    pub(super) left_out: LeftOut,
    pub(super) aside: usize,
}

/// Why a record was not stepped. The partition is as before it, except after a panic.
#[derive(Debug)]
pub(super) enum Halt {
    /// Its World is not here.
    World(WorldError),
    /// A newer version wrote it.
    UnknownKind(u32),
    /// A step panicked, or is about to be tried in vain: the partition must be built anew.
    Panicked(Stumble, String),
    /// Whoever watches each step did not want this one.
    Refused(ingest::log::LogError),
}

/// One output, ready for the log.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) key: Bytes,
    pub(super) envelope: Envelope,
}

/// What has been counted since it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) inputs: u64,
    pub(super) wakes: u64,
    pub(super) duplicates: u64,
    pub(super) ahead: u64,
    pub(super) panics: u64,
    pub(super) aside: u64,
}

/// Told of each step before it happens.
pub(super) type Watch<'a> = dyn FnMut(&Stumble) -> Result<(), ingest::log::LogError> + 'a;

/// Working memory of whoever steps, and what the last record gave.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) worlds: Arc<Worlds>,
    /// Go on after records of a newer version: they are dead-lettered.
    pub(super) accept_loss: bool,
    pub(super) said: Vec<Said>,
    pub(super) letters: Vec<Letter>,
    pub(super) counts: Counts,
    scratch: Scratch,
    outputs: Vec<Output>,
}

impl Work {
    pub(super) fn new(worlds: Arc<Worlds>, accept_loss: bool) -> Self {
        Self {
            worlds,
            accept_loss,
            said: Vec::new(),
            letters: Vec::new(),
            counts: Counts::default(),
            scratch: Scratch::default(),
            outputs: Vec::new(),
        }
    }

    /// Forgets what the last record gave.
    pub(super) fn clear(&mut self) {
        self.said.clear();
        self.letters.clear();
        self.outputs.clear();
    }
}

/// A record and what its envelope says, while it is stepped.
struct Current<'a, 'w> {
    record: &'a Record,
    envelope: &'a Envelope,
    watch: Option<&'a mut Watch<'w>>,
}

/// One step of one vehicle.
struct Task<'a> {
    key: &'a Bytes,
    cause: Cause,
    at: Timestamp,
    input: Input,
}

impl Partition {
    /// Nothing known, before all inputs from `next` on.
    pub(super) fn new(number: u32, next: u64) -> Self {
        Self {
            number,
            next,
            now: Timestamp::default(),
            record: None,
            world: None,
            slots: BTreeMap::new(),
            timers: Timers::default(),
            changes: Changes::default(),
            left_out: LeftOut::default(),
            aside: 0,
        }
    }

    /// Takes a restored vehicle in; its state contains all inputs below its own offset.
    pub(super) fn put(&mut self, key: Bytes, slot: Slot) {
        if let Some(at) = slot.wake.filter(|_| !slot.is_aside()) {
            self.timers.restore(key.clone(), at, slot.contains);
        }
        self.aside += usize::from(slot.is_aside());
        self.slots.insert(key, slot);
    }

    /// Steps the record: advances time, wakes who is due, then tells whom it is for. What was
    /// said lies in `work` afterwards. Records below `next` are skipped.
    pub(super) fn step(
        &mut self,
        record: &Record,
        work: &mut Work,
        watch: Option<&mut Watch<'_>>,
    ) -> Result<(), Halt> {
        if record.offset < self.next {
            return Ok(());
        }
        let stepped = match read(record) {
            Ok((envelope, input)) => {
                self.take(Current { record, envelope: &envelope, watch }, input, work)
            }
            Err(BadRecord::UnknownKind(kind)) if is_newer(kind) && !work.accept_loss => {
                Err(Halt::UnknownKind(kind))
            }
            Err(error) => {
                let letter = Letter::of(record, None, "undecodable", &error.to_string());
                work.letters.push(letter);
                Ok(())
            }
        };
        if stepped.is_ok() {
            work.counts.inputs += 1;
            self.next = record.offset + 1;
        }
        stepped
    }

    fn take(
        &mut self,
        mut current: Current<'_, '_>,
        input: InputRecord,
        work: &mut Work,
    ) -> Result<(), Halt> {
        // Worlds are loaded before anything moves: waiting for one leaves nothing half done.
        let present = self.record.as_ref().map_or(0, |r| r.number);
        let next = match &input {
            InputRecord::World(r) if r.number > present => {
                Some(work.worlds.get(r).map_err(Halt::World)?)
            }
            _ => None,
        };
        let changes = match (&input, &next) {
            (InputRecord::World(record), Some(next)) => self.changes_to(record, next, work)?,
            _ => RoadChanges::default(),
        };
        self.timers.reach(current.record.offset);
        let now = self.advanced(current.envelope, current.record.appended_at, work);
        if next.is_none() || self.timers.first().is_some_and(|due| due <= now) {
            self.load(&work.worlds)?;
        }
        let resumed = matches!(&input, InputRecord::Tick(tick) if tick.resumed);
        if resumed {
            self.resume(&mut current, now, work)?;
        }
        self.wake(&mut current, now, resumed, work)?;
        self.now = now;
        match input {
            InputRecord::Tick(_) => {}
            InputRecord::World(record) => {
                if next.is_some() {
                    self.world = next;
                    self.record = Some(record);
                    self.tell_changes(&mut current, &changes, work)?;
                }
            }
            InputRecord::Vehicle(input) => self.tell(&mut current, input, work)?,
        }
        Ok(())
    }

    /// Has the World that holds in memory.
    fn load(&mut self, worlds: &Worlds) -> Result<(), Halt> {
        if self.world.is_none() {
            self.world = Some(match &self.record {
                Some(record) => worlds.get(record).map_err(Halt::World)?,
                None => worlds.first(),
            });
        }
        Ok(())
    }

    /// Which roads a new World says something else of than the present one. On another map
    /// vehicles find everything anew by themselves.
    fn changes_to(
        &mut self,
        record: &WorldRecord,
        next: &World,
        work: &Work,
    ) -> Result<RoadChanges, Halt> {
        let present = self.record.as_ref();
        let same = present.is_some_and(|p| p.map == record.map && p.traffic != record.traffic);
        if !same || self.slots.is_empty() {
            return Ok(RoadChanges::default());
        }
        self.load(&work.worlds)?;
        let before = self.world.as_ref().map(|world| &world.conditions);
        let changes = before.map(|before| before.changes_to(&next.conditions, &next.road));
        Ok(changes.unwrap_or_default())
    }

    /// Tells the vehicles that a change of the roads may concern, in the order of keys.
    fn tell_changes(
        &mut self,
        current: &mut Current<'_, '_>,
        changes: &RoadChanges,
        work: &mut Work,
    ) -> Result<(), Halt> {
        if changes.is_empty() {
            return Ok(());
        }
        let concerned = self.slots.iter().filter_map(|(key, slot)| {
            let changed = changes.of(&slot.vehicle.key().tenant);
            slot.vehicle.heeds(changed).then(|| (key.clone(), Arc::clone(changed)))
        });
        for (key, changed) in concerned.collect::<Vec<_>>() {
            let cause = Cause::Traffic(key.clone());
            let input = Input::Traffic(changed);
            let task = Task { key: &key, cause, at: self.now, input };
            self.perform(current, task, work)?;
        }
        Ok(())
    }

    /// The partition's time once this record is known.
    fn advanced(&self, envelope: &Envelope, appended_at: Timestamp, work: &mut Work) -> Timestamp {
        let mut at = envelope.received_at;
        if at.seconds_since(appended_at) > CLOCK_AHEAD_S {
            work.counts.ahead += 1;
            at = appended_at;
        }
        self.now.max(at)
    }

    /// Tells every vehicle that silence before now was ours, in the order of keys.
    fn resume(
        &mut self,
        current: &mut Current<'_, '_>,
        now: Timestamp,
        work: &mut Work,
    ) -> Result<(), Halt> {
        let keys: Vec<Bytes> = self.slots.keys().cloned().collect();
        for key in &keys {
            let cause = Cause::Resumed(key.clone());
            let task = Task { key, cause, at: now, input: Input::Resumed };
            self.perform(current, task, work)?;
        }
        Ok(())
    }

    fn wake(
        &mut self,
        current: &mut Current<'_, '_>,
        now: Timestamp,
        resumed: bool,
        work: &mut Work,
    ) -> Result<(), Halt> {
        while let Some((at, key)) = self.timers.pop(now) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            slot.wake = None;
            let woken = slot.woken(current.record.offset);
            let overdue = resumed && now.seconds_since(at) > OVERDUE_S;
            let cause = Cause::Wake(key.clone());
            let task = Task { key: &key, cause, at, input: Input::Wake { overdue } };
            self.perform(current, task, work)?;
            work.counts.wakes += 1;
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if slot.wake.is_some_and(|again| again <= at) || woken >= WAKES_MAX {
                error!(vehicle = ?key, %at, "a vehicle asks to be woken without end");
                slot.vehicle.clear_wake();
                self.timers.set(&key, slot.wake.take(), None);
            }
        }
        Ok(())
    }

    /// Tells the vehicle of the record's key, once.
    fn tell(
        &mut self,
        current: &mut Current<'_, '_>,
        input: Input,
        work: &mut Work,
    ) -> Result<(), Halt> {
        let (record, envelope) = (current.record, current.envelope);
        let key = &record.key;
        let slot = match self.slots.get_mut(key) {
            Some(slot) => slot,
            None => match VehicleKey::parse(key) {
                Ok(id) => self.slots.entry(key.clone()).or_insert(Slot::new(Vehicle::new(id))),
                Err(error) => {
                    let detail = error.to_string();
                    let letter = Letter::of(record, envelope.pid, "undecodable", &detail);
                    work.letters.push(letter);
                    return Ok(());
                }
            },
        };
        if slot.contains > record.offset {
            return Ok(());
        }
        if slot.is_aside() {
            let detail = "the vehicle is set aside";
            work.letters.push(Letter::of(record, envelope.pid, "set_aside", detail));
            return Ok(());
        }
        if !slot.seen.insert(&input) {
            work.counts.duplicates += 1;
            return Ok(());
        }
        let retires = retires(&input);
        let task = Task { key, cause: Cause::Input, at: self.now, input };
        self.perform(current, task, work)?;
        if let (Some(pid), Some(slot)) = (retires, self.slots.get_mut(key)) {
            slot.seen.forget_but(pid);
        }
        Ok(())
    }

    fn perform(
        &mut self,
        current: &mut Current<'_, '_>,
        task: Task<'_>,
        work: &mut Work,
    ) -> Result<(), Halt> {
        let (Some(slot), Some(world)) = (self.slots.get_mut(task.key), &self.world) else {
            return Ok(());
        };
        let offset = current.record.offset;
        if slot.contains > offset || slot.is_aside() {
            return Ok(());
        }
        self.changes.mark(task.key, &mut slot.changed, offset);
        let stumble = Stumble { offset, cause: task.cause, at: task.at };
        if !self.left_out.is_empty()
            && let Some(why) = self.left_out.why(&stumble)
        {
            self.leave_out(current, &stumble, why, work);
            return Ok(());
        }
        if let Some(watch) = &mut current.watch {
            watch(&stumble).map_err(Halt::Refused)?;
        }
        slot.steps += 1;
        let before = slot.vehicle.view().seq;
        let (scratch, outputs) = (&mut work.scratch, &mut work.outputs);
        let step = || slot.vehicle.step(world, task.input, task.at, scratch, outputs);
        if let Err(message) = guarded(step) {
            work.scratch = Scratch::default();
            work.clear();
            work.counts.panics += 1;
            return Err(Halt::Panicked(stumble, message));
        }
        debug_assert!(outputs_follow(before, &work.outputs), "seq of {:?}", task.key);
        for output in work.outputs.drain(..) {
            let envelope = output_envelope(&output, task.at);
            work.said.push(Said { key: task.key.clone(), envelope });
        }
        let wake = slot.vehicle.wake_at();
        self.timers.set(task.key, slot.wake, wake);
        slot.wake = wake;
        Ok(())
    }

    /// In place of a step that panics: the input is dead-lettered, the wake-up cleared.
    fn leave_out(
        &mut self,
        current: &Current<'_, '_>,
        stumble: &Stumble,
        why: &'static str,
        work: &mut Work,
    ) {
        let key = match &stumble.cause {
            Cause::Input => &current.record.key,
            Cause::Wake(key) | Cause::Resumed(key) | Cause::Traffic(key) => key,
        };
        let Some(slot) = self.slots.get_mut(key) else { return };
        let what = match stumble.cause {
            Cause::Input => "input",
            Cause::Wake(_) => "wake-up",
            Cause::Resumed(_) => "resumption",
            Cause::Traffic(_) => "traffic",
        };
        let vehicle = slot.vehicle.key().clone();
        let detail = format!("{why}: {what} of {vehicle} at {}", stumble.at);
        warn!(%vehicle, offset = stumble.offset, why, what, "a step is left out");
        let pid = current.envelope.pid.filter(|_| stumble.cause == Cause::Input);
        work.letters.push(Letter::of(current.record, pid, why, &detail));
        if matches!(stumble.cause, Cause::Wake(_)) {
            slot.vehicle.clear_wake();
            self.timers.set(key, slot.wake.take(), None);
        }
        slot.stumbled();
        if slot.is_aside() {
            error!(%vehicle, "vehicle set aside after repeated panics");
            self.aside += 1;
            work.counts.aside += 1;
            let output = slot.vehicle.set_aside(stumble.at);
            let envelope = output_envelope(&output, stumble.at);
            work.said.push(Said { key: key.clone(), envelope });
            self.timers.set(key, slot.wake.take(), None);
        }
    }
}

fn read(record: &Record) -> Result<(Envelope, InputRecord), BadRecord> {
    let missing = || BadRecord::Value("record without a value".to_owned());
    let envelope = Envelope::decode(record.value.clone().ok_or_else(missing)?)?;
    let input = InputRecord::from_envelope(&envelope)?;
    Ok((envelope, input))
}

/// A kind that this version has no name for; 0 is none at all.
fn is_newer(kind: u32) -> bool {
    kind != 0 && Kind::from_number(kind).is_none()
}

fn outputs_follow(before: u64, outputs: &[Output]) -> bool {
    outputs.iter().zip(before + 1..).all(|(output, seq)| output.seq == seq)
}
