//! One connection: reads, decodes, keeps replies back until their records are durable.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use ingest::fix::Report;
use ingest::id::DeviceId;
use ingest::log::NewRecord;
use ingest::protocol::{Admission, BadFrame, Decode, DecodeError, Step, Transport, When};
use ingest::record::DeviceRecord;
use ingest::time::Timestamp;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tracing::{debug, trace};

use crate::admission::Claim;
use crate::conflict::{Outcome, Presence};
use crate::door::{Door, Place, Spoken};
use crate::lent;
use crate::limits::{
    ANSWER_LIMIT, BAD_FRAMES_A_MINUTE_MAX, HTTP_DURABLE_LIMIT, IDENTITIES_MAX, LOGIN_BYTES_MAX,
    PROGRESS_LIMIT, READ_BYTES, REPLY_BYTES_MAX, WRITE_LIMIT,
};
use crate::publish::{bytes_of, input};
use crate::stream::Stream;

mod drain;
mod hearing;
mod order;
mod pace;
mod window;

use drain::Drain;
use hearing::{Read, poll_read};
use order::Told;
use pace::Pace;
use window::Window;

const HTTP_BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has been read yet.
    Fresh,
    /// Both sides speak.
    Open,
    /// Nothing more is decoded; what waits to be durable is answered.
    Closing,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The peer, the protocol or a drain, in good order.
    Done,
    /// We close it; the label of the counter.
    Because(&'static str),
}

/// What a connection can not do at once. Each is seldom, so that what it waits with is not carried
/// by every session.
enum Turn {
    /// A device named itself and is to be admitted.
    Asked(Box<(Read, DeviceId)>),
    /// The peer takes no more bytes for now.
    Blocked,
    /// The peer says nothing more.
    HeardOut,
    /// Records can not be made durable.
    NotDurable,
    /// It is over.
    End(End),
}

/// One connection and all that it waits for. Ten thousand of them are idle at a time, so that what
/// is seldom there lies in memory of its own.
pub(crate) struct Session {
    stream: Stream,
    place: Place,
    spoken: Arc<Spoken>,
    decode: Box<dyn Decode>,
    presence: Arc<Presence>,
    identities: Vec<DeviceId>,
    /// Who spoke last.
    speaker: Option<DeviceId>,
    refused: Option<&'static str>,
    /// Records and replies of what is being decoded.
    fresh: Option<Box<Fresh>>,
    window: Window,
    out: Vec<u8>,
    phase: Phase,
    /// Bad frames of late.
    bad: Option<Box<Bad>>,
    read_at: Instant,
    pace: Pace,
    /// Bytes that were read before a device was admitted.
    unclaimed: u32,
    /// Whether the last read took all that it may at a time.
    has_more: bool,
    /// Whether it said more than it may and is not read for a while.
    paced: bool,
    /// When the login or the frame under way began; it must end within [`PROGRESS_LIMIT`].
    frame_since: Option<Instant>,
    /// The order that its device was told and has not answered.
    told: Option<Box<Told>>,
    /// How many it was told.
    orders: u16,
    /// The door is being closed.
    drain: Option<Box<Drain>>,
}

/// Bad frames within a minute.
struct Bad {
    since: Instant,
    frames: u32,
}

/// What was decoded and has not been appended yet.
#[derive(Default)]
struct Fresh {
    records: Vec<NewRecord>,
    /// Replies to them, and those after them.
    behind: Vec<Bytes>,
}

impl Session {
    /// Of a connection of `peer` that was accepted at `since`.
    pub(crate) fn new(
        place: Place,
        spoken: Arc<Spoken>,
        stream: Stream,
        (peer, since): (SocketAddr, Instant),
    ) -> Self {
        let door = &place.door;
        let decode = spoken.protocol.decoder(spoken.transport, &door.options);
        let presence = door.speakers.enter(peer, (door.publisher.clock)());
        let pace = Pace::new(door.limits.pace(peer.ip()), since);
        Self {
            stream,
            place,
            spoken,
            decode,
            presence,
            identities: Vec::new(),
            speaker: None,
            refused: None,
            fresh: None,
            window: Window::default(),
            out: Vec::new(),
            phase: Phase::Fresh,
            bad: None,
            read_at: since,
            pace,
            unclaimed: 0,
            has_more: false,
            paced: false,
            frame_since: Some(since),
            told: None,
            orders: 0,
            drain: None,
        }
    }

    fn door(&self) -> &Arc<Door> {
        &self.place.door
    }

    fn now(&self) -> Timestamp {
        (self.place.door.publisher.clock)()
    }

    /// Runs until the connection ends.
    pub(crate) async fn run(&mut self) {
        let mut alarm = pin!(sleep_until(self.deadline()));
        let end = loop {
            match poll_fn(|cx| self.poll_turn(cx, alarm.as_mut())).await {
                Turn::Asked(asked) => Box::pin(self.hear_on(*asked)).await,
                Turn::HeardOut => Box::pin(self.hear_out()).await,
                Turn::Blocked => match Box::pin(self.unblocked()).await {
                    Ok(()) => {}
                    Err(end) => break end,
                },
                Turn::NotDurable => break Box::pin(self.not_durable()).await,
                Turn::End(end) => break end,
            }
        };
        if let End::Because(reason) = end {
            self.spoken.counters.closed(reason);
            debug!(peer = %self.presence.peer, reason, "connection closed");
        }
        self.stream.close().await;
    }

    /// Does what can be done, and waits for what comes next. Cancel safe: what was read has been
    /// fed, and appends stay.
    fn poll_turn(&mut self, cx: &mut Context<'_>, mut alarm: Pin<&mut Sleep>) -> Poll<Turn> {
        loop {
            if let Some(turn) = self.prepare(cx) {
                return Poll::Ready(turn);
            }
            let deadline = self.deadline();
            // Mostly it has moved on, and the alarm finds that out when it goes off.
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            if let Poll::Ready(durable) = self.window.poll_oldest(cx) {
                if durable.is_err() {
                    return Poll::Ready(Turn::NotDurable);
                }
                self.window.release(&mut self.out);
            } else if self.presence.poll_called(cx).is_ready() {
                // What for is looked at above.
            } else if alarm.as_mut().poll(cx).is_ready() {
                match self.alarmed() {
                    Some("log") => return Poll::Ready(Turn::NotDurable),
                    Some(reason) => return Poll::Ready(Turn::End(End::Because(reason))),
                    None => {}
                }
            } else if self.is_closing() || self.paced || !self.has_room() {
                return Poll::Pending;
            } else if let Some(turn) = ready!(self.poll_read(cx)) {
                return Poll::Ready(turn);
            } else if self.has_more {
                // There is more than one read of it: others have their turn before that.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// What has to be done before it may wait.
    fn prepare(&mut self, cx: &mut Context<'_>) -> Option<Turn> {
        if self.presence.is_replaced() {
            return Some(Turn::End(End::Because("replaced")));
        }
        if self.drain.is_none() && self.presence.is_closing() {
            let within = self.door().closes_within();
            self.drain = Some(Box::new(Drain::begin(self.presence.turn(), within)));
        }
        if self.may_tell() && self.presence.take_order() {
            self.tell();
        }
        match self.poll_write(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_gone)) => return Some(Turn::End(End::Done)),
            Poll::Pending => return Some(Turn::Blocked),
        }
        let over = self.is_closing() && self.window.is_empty();
        over.then(|| Turn::End(self.refused.map_or(End::Done, End::Because)))
    }

    /// Reads and decodes.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Turn>> {
        let fresh = self.phase == Phase::Fresh;
        let clock = &self.place.door.publisher.clock;
        let read = ready!(poll_read(cx, &mut self.stream, self.decode.as_mut(), clock, fresh));
        let Some(mut read) = read else { return Poll::Ready(Some(Turn::HeardOut)) };
        self.has_more = read.bytes >= READ_BYTES;
        let asked = self.hear(&mut read);
        Poll::Ready(asked.map(|device| Turn::Asked(Box::new((read, device)))))
    }

    /// The alarm went off: what is overdue, if its time has really come.
    fn alarmed(&mut self) -> Option<&'static str> {
        if Instant::now() < self.deadline() {
            return None;
        }
        self.forget_told();
        self.go_on();
        let overdue = self.overdue();
        if overdue.is_none() && self.drain.is_some() {
            self.phase = Phase::Closing;
        }
        overdue
    }

    /// Reads again if the time for it has come. A frame that stood still meanwhile begins anew.
    fn go_on(&mut self) {
        if self.paced && self.pace.next().is_none_or(|next| Instant::now() >= next) {
            self.paced = false;
            self.read_at = Instant::now();
            self.frame_since = self.frame_since.map(|_| self.read_at);
        }
    }

    fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Whether it is up to the peer that nothing comes.
    fn listens(&self) -> bool {
        !self.paced && self.has_room()
    }

    /// Whether more records and replies may wait.
    fn has_room(&self) -> bool {
        let room = self.window.has_room() && self.out.len() < REPLY_BYTES_MAX;
        room && (self.window.is_empty() || !self.door().publisher.is_busy())
    }

    /// When something must have happened, or the door is closed.
    fn deadline(&self) -> Instant {
        match &self.drain {
            Some(drain) if self.is_closing() => drain.until,
            Some(drain) => drain.close_at.min(self.limit()),
            None => self.limit(),
        }
    }

    /// When something must have happened.
    fn limit(&self) -> Instant {
        let idle = self.read_at + self.idle_limit();
        let progress = self.frame_since.filter(|_| self.listens()).map(|t| t + PROGRESS_LIMIT);
        let durable = match self.spoken.transport {
            Transport::Http => self.window.since().map(|since| since + HTTP_DURABLE_LIMIT),
            _ => None,
        };
        let told = self.told.as_ref().map(|told| told.since + ANSWER_LIMIT);
        let pace = self.pace.next().filter(|_| self.paced);
        [progress, durable, told, pace].into_iter().flatten().fold(idle, Instant::min)
    }

    /// What is overdue now that the deadline has passed.
    fn overdue(&self) -> Option<&'static str> {
        let past = |since: Instant, limit: Duration| since.elapsed() >= limit;
        match &self.drain {
            Some(_) if self.is_closing() => return Some("log"),
            Some(drain) if Instant::now() >= drain.close_at => return None,
            _ => {}
        }
        let oldest = self.window.since().filter(|_| self.is_request());
        if oldest.is_some_and(|since| past(since, HTTP_DURABLE_LIMIT)) {
            return Some("log");
        }
        if self.listens() && self.frame_since.is_some_and(|t| past(t, PROGRESS_LIMIT)) {
            return Some("progress_timeout");
        }
        past(self.read_at, self.idle_limit()).then_some("idle_timeout")
    }

    fn idle_limit(&self) -> Duration {
        self.decode.idle_limit().unwrap_or_else(|| self.spoken.protocol.idle_limit())
    }

    /// Whether each message is complete in itself.
    fn is_request(&self) -> bool {
        self.spoken.transport == Transport::Http
    }

    /// Records could not be made durable in time: no reply, the device will send again. A request
    /// is told so.
    async fn not_durable(&mut self) -> End {
        if self.is_request() {
            self.out.clear();
            self.out.extend_from_slice(HTTP_BUSY);
            if let Err(end) = self.unblocked().await {
                return end;
            }
        }
        End::Because("log")
    }

    /// Decodes what was read; a device that is to be admitted before it goes on.
    fn hear(&mut self, read: &mut Read) -> Option<DeviceId> {
        trace!(target: ingest::PACKET, bytes = read.bytes, "read");
        self.spoken.counters.bytes.inc_by(read.bytes as u64);
        self.read_at = Instant::now();
        self.presence.heard(read.at);
        self.phase = Phase::Open;
        if self.pace.heard(read.bytes, self.identities.len(), self.read_at) {
            self.paced = true;
            self.door().metrics.paced();
        }
        if read.is_proxied {
            // Nobody has asked for it: whoever may not say for whom it connects says nothing.
            self.spoken.counters.bad(BadFrame::Malformed);
            self.refused = Some("proxy_header");
            self.phase = Phase::Closing;
            return None;
        }
        let asked = self.decode(read);
        if asked.is_none() {
            self.heard(read);
        }
        asked
    }

    /// Admits a device, and decodes on.
    async fn hear_on(&mut self, (mut read, device): (Read, DeviceId)) {
        let mut asked = Some(device);
        while let Some(device) = asked {
            let verdict = self.admit(device).await;
            self.decode.admit(verdict);
            asked = self.decode(&mut read);
        }
        self.heard(&read);
    }

    /// All of what was read is decoded.
    fn heard(&mut self, read: &Read) {
        if self.speaker.is_some() {
            let begun = self.frame_since.filter(|_| read.steps == 0).unwrap_or(self.read_at);
            self.frame_since = self.decode.mid_frame().then_some(begun);
            return;
        }
        self.unclaimed = self.unclaimed.saturating_add(read.bytes as u32);
        if self.unclaimed as usize > LOGIN_BYTES_MAX {
            self.refused = Some("bad_frames");
            self.phase = Phase::Closing;
        }
    }

    /// The peer says nothing more: takes what the decoder still holds.
    async fn hear_out(&mut self) {
        self.decode.end();
        let mut read = Read::nothing(self.now());
        while let Some(device) = self.decode(&mut read) {
            let verdict = self.admit(device).await;
            self.decode.admit(verdict);
        }
        self.phase = Phase::Closing;
    }

    /// Takes every step the decoder has now, up to a device that is to be admitted. All records go
    /// in one append, and replies to them wait behind it.
    fn decode(&mut self, read: &mut Read) -> Option<DeviceId> {
        let mut report = lent::report(&self.door().nobody);
        let mut asked = None;
        while !self.is_closing() && asked.is_none() {
            match self.decode.poll(&mut report) {
                Ok(Step::NeedBytes) => break,
                Ok(Step::Identify(device)) => asked = Some(device),
                Ok(Step::Report) => self.take(&report, read.at),
                Ok(Step::Reply { bytes, when }) => self.reply(bytes, when),
                Ok(Step::Close) => self.phase = Phase::Closing,
                Err(error) => self.bad_frame(&error),
            }
            read.steps += 1;
        }
        lent::back(report, &self.door().nobody);
        if asked.is_none() {
            self.append();
        }
        asked
    }

    async fn admit(&mut self, device: DeviceId) -> Admission {
        if self.identities.len() >= IDENTITIES_MAX && !self.identities.contains(&device) {
            self.refused = Some("refused");
            return Admission::Refused;
        }
        let (protocol, address) = (self.spoken.protocol.name(), self.presence.address());
        let claim = Claim { device: &device, protocol, address, shown: self.decode.shown() };
        let verdict = self.door().admit(&claim, &self.spoken.counters).await;
        let belongs = match verdict.record {
            Ok(belongs) => belongs,
            Err(reason) => {
                let unknown = verdict.admission == Admission::Unknown;
                self.refused = Some(if unknown { "unknown_device" } else { "refused" });
                debug!(peer = %self.presence.peer, %device, reason, "device is not admitted");
                if reason == "secret_wrong" {
                    // A connection that stays open for others is no place to guess fast.
                    self.count_bad_frame();
                }
                return verdict.admission;
            }
        };
        // A request is complete in itself; only a lasting connection can be in conflict.
        if !self.is_request() {
            let claimed = self.door().speakers.claim(&device, &self.presence, self.now());
            if claimed == Outcome::Conflict {
                self.spoken.counters.refused("conflict");
                let publisher = &self.door().publisher;
                let record = publisher.conflict(&belongs, protocol, &device, address);
                self.fresh().records.push(record);
                self.append();
                self.refused = Some("refused");
                return Admission::Refused;
            }
            if !self.identities.contains(&device) {
                // Mostly it stays the only one.
                self.identities.reserve_exact(1);
                self.identities.push(device.clone());
            }
            if self.door().orders.has(&device) {
                self.presence.order();
            }
        }
        self.speaker = Some(device);
        Admission::Admitted
    }

    /// One decoded record becomes an input.
    fn take(&mut self, report: &Report, now: Timestamp) {
        let Some(belongs) = self.belongs(&report.device) else {
            self.refused = Some("refused");
            self.phase = Phase::Closing;
            return;
        };
        self.spoken.counters.records.inc();
        self.hear_answer(report, now);
        let record = input(&belongs, self.spoken.protocol.name(), report, now);
        self.fresh().records.push(record);
    }

    /// The newest record of a device that was admitted here; `None` once it has been retired.
    fn belongs(&self, device: &DeviceId) -> Option<Arc<DeviceRecord>> {
        let admitted = self.speaker.as_ref() == Some(device) || self.identities.contains(device);
        self.door().devices.get(device).filter(|_| admitted)
    }

    fn fresh(&mut self) -> &mut Fresh {
        self.fresh.get_or_insert_default()
    }

    /// Sends what was decoded on its way to the log.
    fn append(&mut self) {
        let Some(fresh) = self.fresh.take() else { return };
        let bytes = bytes_of(&fresh.records);
        self.window.append(self.place.door.publisher.append(fresh.records), bytes);
        for reply in fresh.behind {
            self.window.reply(reply, &mut self.out);
        }
    }

    fn reply(&mut self, bytes: Bytes, when: When) {
        self.spoken.counters.replies.inc();
        match &mut self.fresh {
            Some(fresh) if when == When::AfterDurable || !fresh.behind.is_empty() => {
                fresh.behind.push(bytes);
            }
            _ => self.window.reply(bytes, &mut self.out),
        }
    }

    fn bad_frame(&mut self, error: &DecodeError) {
        self.spoken.counters.bad(error.kind);
        let whole = error.kind == BadFrame::Range;
        if whole || self.door().may_sample() {
            let (name, peer) = (self.spoken.protocol.name(), self.presence.peer.to_string());
            let letter = self.door().publisher.dead_letter(name, &peer, error);
            self.fresh().records.push(letter);
        }
        if whole {
            // One record of a frame that is answered: dead-lettered it counts as durable.
            return;
        }
        self.count_bad_frame();
        if !error.recoverable {
            self.refused = Some("bad_frames");
            self.phase = Phase::Closing;
        }
    }

    /// One more of those of which only so many a minute are borne with.
    fn count_bad_frame(&mut self) {
        let bad = self.bad.take().filter(|bad| bad.since.elapsed() <= Duration::from_mins(1));
        let mut bad = bad.unwrap_or_else(|| Box::new(Bad { since: Instant::now(), frames: 0 }));
        bad.frames += 1;
        let too_many = bad.frames > BAD_FRAMES_A_MINUTE_MAX;
        self.bad = Some(bad);
        if too_many {
            self.refused = Some("bad_frames");
            self.phase = Phase::Closing;
        }
    }

    /// Writes what may go.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut gone = 0;
        let sent = self.stream.poll_send(cx, &self.out, &mut gone);
        if sent.is_ready() {
            // An idle connection holds no buffer.
            self.out = Vec::new();
        } else {
            self.out.drain(..gone);
        }
        sent
    }

    /// Waits until what may go has gone.
    async fn unblocked(&mut self) -> Result<(), End> {
        match timeout(WRITE_LIMIT, poll_fn(|cx| self.poll_write(cx))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_gone)) => Err(End::Done),
            Err(_elapsed) => Err(End::Because("slow_reader")),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.place.door.speakers.leave(&self.presence, self.identities.iter());
    }
}
