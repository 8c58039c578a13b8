//! What an owner itself appends to `inputs`: signs that time has passed, and the World.
//!
//! All of it is appended plainly, outside of commits; that two owners do it is harmless.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ingest::log::{Appending, LogError, NewRecord, Topic};
use ingest::time::Timestamp;
use tracing::{info, warn};

use super::ownership::{Held, Live};
use super::shard::Shard;
use crate::record::input::{tick_envelope, world_envelope};
use crate::record::{TickRecord, WorldRecord};

/// A tick waits this long, seconds, for a record that makes it needless.
const TICK_GRACE_S: f64 = 1.0;
/// An append that has no answer after this, seconds, is made again.
const APPEND_WITHIN_S: f64 = 15.0;

/// After an append that failed the next one waits so long, seconds.
const APPEND_AGAIN_S: f64 = 5.0;

/// The parts of the World are written again after this, seconds: topic `worlds` keeps 8 days.
const RENEW_PARTS_S: f64 = 86_400.0;
/// Which of the parts that are appended together is the traffic.
const TRAFFIC_NTH: usize = 2;

/// Something appended and not yet seen.
struct Sent {
    appending: Option<Appending>,
    at: Timestamp,
    /// Where the records lie, once they are durable.
    offsets: Vec<u64>,
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sent").field("at", &self.at).finish_non_exhaustive()
    }
}

/// How an append stands.
enum Answer {
    Waiting,
    Durable,
    Failed(LogError),
}

impl Sent {
    fn new(appending: Appending, at: Timestamp) -> Self {
        Self { appending: Some(appending), at, offsets: Vec::new() }
    }

    /// Asks without waiting.
    fn ask(&mut self, now: Timestamp) -> Answer {
        let Some(appending) = &mut self.appending else { return Answer::Durable };
        let polled = Pin::new(appending).poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(Ok(offsets)) => {
                self.offsets = offsets;
                self.appending = None;
                Answer::Durable
            }
            Poll::Ready(Err(error)) => Answer::Failed(error),
            Poll::Pending if now.seconds_since(self.at).abs() > APPEND_WITHIN_S => {
                Answer::Failed(LogError::Unavailable("an append is not answered".to_owned()))
            }
            Poll::Pending => Answer::Waiting,
        }
    }
}

/// What this owner has appended to one partition.
#[derive(Debug)]
pub(super) struct Own {
    /// Inputs below were there when it was taken.
    reach: u64,
    /// A `resumed` tick is to be appended.
    resume: bool,
    /// A tick under way, and what it carries.
    tick: Option<(Sent, Tick)>,
    /// When a tick was last not taken.
    failed_at: Option<Timestamp>,
}

/// What a tick says.
#[derive(Debug, Clone, Copy)]
struct Tick {
    at: Timestamp,
    resumed: bool,
}

impl Own {
    /// Just taken; `end` is where its inputs ended, `resume` whether anybody had it before.
    pub(super) fn taken(end: u64, resume: bool) -> Self {
        Self { reach: end, resume, tick: None, failed_at: None }
    }
}

/// A change of World under way: its parts, then the record to all partitions but 0, then to 0,
/// so that who finds it in partition 0 knows that it is everywhere.
#[derive(Debug, Default)]
pub(super) struct Succession {
    /// When the parts were last written: the log keeps them only for days.
    renewed_at: Option<Timestamp>,
    /// The aggregator of this process was told that it works.
    leads: bool,
    step: Option<(WorldRecord, Stage, Sent)>,
    /// When a part or a record of it was last not taken.
    failed_at: Option<Timestamp>,
}

/// A log that takes nothing is not asked again at once.
fn rests(failed_at: Option<Timestamp>, now: Timestamp) -> bool {
    failed_at.is_some_and(|at| now.seconds_since(at).abs() < APPEND_AGAIN_S)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Parts,
    Others,
    Zero,
    /// On the log; partition 0 will come to it.
    Done,
}

impl Shard {
    /// Appends what is due: ticks where nothing else moves the time, and the World.
    pub(super) fn append_signs(&mut self) {
        let now = (self.clock)();
        let numbers = self.partitions();
        for number in numbers {
            self.tick(number, now);
        }
        self.succeed(now);
    }

    fn tick(&mut self, number: u32, now: Timestamp) {
        let Some(Held::Live(live)) = self.held.get_mut(&number) else { return };
        if let Some((sent, carries)) = &mut live.own.tick {
            let seen = live.partition.now >= carries.at;
            match sent.ask(now) {
                Answer::Failed(error) => {
                    warn!(partition = number, %error, "tick not appended");
                    self.origin.metrics.failed("append");
                    live.own.resume |= carries.resumed;
                    live.own.tick = None;
                    live.own.failed_at = Some(now);
                }
                Answer::Durable if seen => live.own.tick = None,
                Answer::Durable if now.seconds_since(sent.at).abs() > APPEND_WITHIN_S => {
                    live.own.tick = None;
                }
                Answer::Durable | Answer::Waiting => return,
            }
        }
        if rests(live.own.failed_at, now) {
            return;
        }
        // Told in the World that follows where the present one's map is gone.
        let worlds = &self.origin.worlds;
        let can_step = live.partition.record.as_ref().is_none_or(|record| worlds.has(record));
        let (at, resumed) = if live.own.resume && can_step {
            live.own.resume = false;
            (now, true)
        } else if let Some(at) = live.due_tick(now) {
            (at, false)
        } else {
            return;
        };
        let envelope = tick_envelope(TickRecord { resumed }, at);
        let record = to_partition(envelope.into_record(Topic::Inputs, Bytes::new()), number);
        let sent = Sent::new(self.origin.log.append(vec![record]), now);
        live.own.tick = Some((sent, Tick { at, resumed }));
        self.origin.metrics.ticks.inc();
    }

    /// The owner of partition 0 sees to it that there is a World, and the one it was given.
    fn succeed(&mut self, now: Timestamp) {
        let Some(Held::Live(live)) = self.held.get(&0) else {
            self.succession.step = None;
            self.resign();
            return;
        };
        let present = live.partition.record.as_ref();
        self.succession.leads = true;
        self.origin.worlds.lead(present);
        if self.succession.step.is_none() {
            if rests(self.succession.failed_at, now) {
                return;
            }
            let caught_up = live.partition.next >= live.own.reach || live.idle;
            if !caught_up {
                return;
            }
            let old = |at: Timestamp| now.seconds_since(at).abs() > RENEW_PARTS_S;
            let renew = self.succession.renewed_at.is_none_or(old);
            let next = self.origin.worlds.next(present);
            if next.is_none() && !renew {
                return;
            }
            let sent = Sent::new(self.origin.log.append(self.origin.worlds.parts()), now);
            self.succession.renewed_at = Some(now);
            let Some(next) = next else { return };
            info!(number = next.number, map = next.map, "appending a world");
            self.succession.step = Some((next, Stage::Parts, sent));
        }
        let number = present.map_or(0, |r| r.number);
        let log = Arc::clone(&self.origin.log);
        while let Some((record, stage, sent)) = &mut self.succession.step {
            match sent.ask(now) {
                Answer::Waiting => return,
                Answer::Failed(error) => {
                    warn!(%error, "world not appended");
                    self.origin.metrics.failed("append");
                    self.succession.step = None;
                    self.succession.failed_at = Some(now);
                    return;
                }
                Answer::Durable => {}
            }
            let partitions = log.partitions(Topic::Inputs);
            if *stage == Stage::Parts
                && let Some(&at) = sent.offsets.get(TRAFFIC_NTH)
            {
                record.traffic_at = at;
            }
            let next = match stage {
                Stage::Parts => (Stage::Others, worlds(record, 1..partitions)),
                Stage::Others => (Stage::Zero, worlds(record, 0..1)),
                Stage::Zero => {
                    *stage = Stage::Done;
                    continue;
                }
                Stage::Done => {
                    let old = now.seconds_since(sent.at).abs() > APPEND_WITHIN_S;
                    if number >= record.number || old {
                        self.succession.step = None;
                    }
                    return;
                }
            };
            *stage = next.0;
            *sent = Sent::new(log.append(next.1), now);
        }
    }
}

impl Shard {
    /// Partition 0 is somebody else's: so is the traffic.
    pub(super) fn resign(&mut self) {
        if std::mem::take(&mut self.succession.leads) {
            self.origin.worlds.lead(None);
        }
    }
}

impl Live {
    /// The time a tick must carry so that a wake-up is stepped which no record has passed.
    fn due_tick(&self, now: Timestamp) -> Option<Timestamp> {
        let at = now.plus_seconds(-TICK_GRACE_S);
        let due = self.partition.timers.first()? <= at;
        (self.idle && self.waiting.is_none() && due).then_some(at)
    }
}

/// A World carries no time: it wakes nobody, so that what follows is stepped with it.
fn worlds(record: &WorldRecord, partitions: Range<u32>) -> Vec<NewRecord> {
    let one = |number| {
        to_partition(
            world_envelope(record, Timestamp::default()).into_record(Topic::Inputs, Bytes::new()),
            number,
        )
    };
    partitions.map(one).collect()
}

fn to_partition(mut record: NewRecord, number: u32) -> NewRecord {
    record.partition = Some(number);
    record
}
