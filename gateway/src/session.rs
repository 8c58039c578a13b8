//! One connection: reads, decodes, keeps replies back until their records are durable.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use ingest::fix::Report;
use ingest::id::DeviceId;
use ingest::log::NewRecord;
use ingest::protocol::{Admission, BadFrame, Decode, DecodeError, Protocol, Step, Transport, When};
use ingest::record::DeviceRecord;
use ingest::time::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, trace};

use crate::admission::Claim;
use crate::conflict::{Outcome, Presence};
use crate::door::{Door, Spoken};
use crate::lent;
use crate::limits::{
    ANSWER_LIMIT, BAD_FRAMES_A_MINUTE_MAX, HTTP_DURABLE_LIMIT, IDENTITIES_MAX, LOGIN_BYTES_MAX,
    PROGRESS_LIMIT, REPLY_BYTES_MAX, WRITE_LIMIT,
};
use crate::metrics::Counters;
use crate::publish::{bytes_of, input};
use crate::stream::Stream;

mod drain;
mod hearing;
mod order;
mod pace;
mod window;

use drain::Drain;
use hearing::{Read, read};
use order::Told;
use pace::Pace;
use window::Window;

const HTTP_BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

/// Who speaks on this connection.
struct Speaker {
    device: DeviceId,
    belongs: Arc<DeviceRecord>,
}

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

/// One connection and all that it waits for.
pub(crate) struct Session {
    door: Arc<Door>,
    protocol: &'static dyn Protocol,
    transport: Transport,
    peer: SocketAddr,
    counters: Arc<Counters>,
    decode: Box<dyn Decode>,
    presence: Arc<Presence>,
    identities: Vec<DeviceId>,
    speaker: Option<Speaker>,
    refused: Option<&'static str>,
    batch: Vec<NewRecord>,
    /// Replies to records of the batch, and those after them.
    behind: Vec<Bytes>,
    window: Window,
    out: Vec<u8>,
    phase: Phase,
    bad_frames: u32,
    bad_since: Instant,
    read_at: Instant,
    pace: Pace,
    /// Bytes that were read before a device was admitted.
    unclaimed: usize,
    /// Whether it said more than it may and is not read for a while.
    paced: bool,
    /// When the login or the frame under way began; it must end within [`PROGRESS_LIMIT`].
    frame_since: Option<Instant>,
    /// The order that its device was told and has not answered.
    told: Option<Told>,
    /// How many it was told.
    orders: u16,
}

impl Session {
    /// Of a connection that was accepted at `since`.
    pub(crate) fn new(door: Arc<Door>, spoken: Spoken, peer: SocketAddr, since: Instant) -> Self {
        let Spoken { protocol, transport, counters } = spoken;
        let decode = protocol.decoder(transport, &door.options);
        let presence = door.speakers.enter(peer.ip().to_canonical(), (door.publisher.clock)());
        let pace = Pace::new(door.limits.pace(peer.ip()), since);
        Self {
            peer,
            door,
            protocol,
            transport,
            counters,
            decode,
            presence,
            identities: Vec::new(),
            speaker: None,
            refused: None,
            batch: Vec::new(),
            behind: Vec::new(),
            window: Window::default(),
            out: Vec::new(),
            phase: Phase::Fresh,
            bad_frames: 0,
            bad_since: since,
            read_at: since,
            pace,
            unclaimed: 0,
            paced: false,
            frame_since: Some(since),
            told: None,
            orders: 0,
        }
    }

    /// Runs until the connection ends.
    pub(crate) async fn run(&mut self, stream: &mut Stream, stop: &mut watch::Receiver<bool>) {
        let end = self.serve(stream, stop).await;
        stream.close().await;
        if let End::Because(reason) = end {
            self.counters.closed(reason);
            debug!(peer = %self.peer, reason, "connection closed");
        }
        self.door.speakers.leave(&self.presence, self.identities.iter());
    }

    async fn serve(&mut self, stream: &mut Stream, stop: &mut watch::Receiver<bool>) -> End {
        let presence = Arc::clone(&self.presence);
        // What lasts is waited for with one registration, not with one for each packet.
        let mut called = pin!(presence.called());
        let mut stopped = pin!(stop.changed());
        let mut alarm = pin!(sleep_until(self.deadline()));
        let mut drain: Option<Drain> = None;
        loop {
            if presence.is_replaced() {
                return End::Because("replaced");
            }
            if self.may_tell() && presence.take_order() {
                self.tell();
            }
            if let Err(end) = self.write(stream).await {
                return end;
            }
            if self.is_closing() && self.window.is_empty() {
                return self.refused.map_or(End::Done, End::Because);
            }
            let reading = !self.is_closing() && !self.paced && self.has_room();
            let deadline = self.deadline_within(drain.as_ref());
            // Mostly it has moved on, and the alarm finds that out when it goes off.
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            tokio::select! {
                durable = self.window.oldest(), if !self.window.is_empty() => {
                    if durable.is_err() {
                        return self.not_durable(stream).await;
                    }
                    self.window.release(&mut self.out);
                }
                read = read(stream, self.decode.as_mut(), &self.door.publisher.clock, self.phase == Phase::Fresh), if reading => {
                    if let Some(read) = read {
                        self.hear(read).await;
                    } else {
                        self.hear_out().await;
                        self.phase = Phase::Closing;
                    }
                }
                () = alarm.as_mut() => if Instant::now() >= deadline {
                    self.forget_told();
                    self.go_on();
                    match self.overdue(drain.as_ref()) {
                        Some("log") => return self.not_durable(stream).await,
                        Some(reason) => return End::Because(reason),
                        None if drain.is_some() => self.phase = Phase::Closing,
                        None => {}
                    }
                },
                () = called.as_mut() => called.set(presence.called()),
                _ = stopped.as_mut(), if drain.is_none() => {
                    drain = Some(Drain::begin(presence.turn(), self.door.closes_within()));
                }
            }
        }
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
        room && (self.window.is_empty() || !self.door.publisher.is_busy())
    }

    /// When something must have happened, or the door is closed.
    fn deadline_within(&self, drain: Option<&Drain>) -> Instant {
        match drain {
            Some(drain) if self.is_closing() => drain.until,
            Some(drain) => drain.close_at.min(self.deadline()),
            None => self.deadline(),
        }
    }

    /// When something must have happened.
    fn deadline(&self) -> Instant {
        let idle = self.read_at + self.idle_limit();
        let progress = self.frame_since.filter(|_| self.listens()).map(|t| t + PROGRESS_LIMIT);
        let durable = match self.transport {
            Transport::Http => self.window.since().map(|since| since + HTTP_DURABLE_LIMIT),
            _ => None,
        };
        let told = self.told.as_ref().map(|told| told.since + ANSWER_LIMIT);
        let pace = self.pace.next().filter(|_| self.paced);
        [progress, durable, told, pace].into_iter().flatten().fold(idle, Instant::min)
    }

    /// What is overdue now that the deadline has passed.
    fn overdue(&self, drain: Option<&Drain>) -> Option<&'static str> {
        let past = |since: Instant, limit: Duration| since.elapsed() >= limit;
        match drain {
            Some(_) if self.is_closing() => return Some("log"),
            Some(drain) if Instant::now() >= drain.close_at => return None,
            _ => {}
        }
        let oldest = self.window.since().filter(|_| self.transport == Transport::Http);
        if oldest.is_some_and(|since| past(since, HTTP_DURABLE_LIMIT)) {
            return Some("log");
        }
        if self.listens() && self.frame_since.is_some_and(|t| past(t, PROGRESS_LIMIT)) {
            return Some("progress_timeout");
        }
        past(self.read_at, self.idle_limit()).then_some("idle_timeout")
    }

    fn idle_limit(&self) -> Duration {
        self.decode.idle_limit().unwrap_or_else(|| self.protocol.idle_limit())
    }

    /// Records could not be made durable in time: no reply, the device will send again. A request
    /// is told so.
    async fn not_durable(&mut self, stream: &mut Stream) -> End {
        if self.transport == Transport::Http {
            self.out.clear();
            self.out.extend_from_slice(HTTP_BUSY);
            if let Err(end) = self.write(stream).await {
                return end;
            }
        }
        End::Because("log")
    }

    /// Decodes what was read.
    async fn hear(&mut self, read: Read) {
        trace!(target: ingest::PACKET, bytes = read.bytes, "read");
        self.counters.bytes.inc_by(read.bytes as u64);
        self.read_at = Instant::now();
        self.presence.heard(read.at);
        self.phase = Phase::Open;
        if self.pace.heard(read.bytes, self.identities.len(), self.read_at) {
            self.paced = true;
            self.door.publisher.metrics.paced();
        }
        if read.is_proxied {
            // Nobody has asked for it: whoever may not say for whom it connects says nothing.
            self.counters.bad(BadFrame::Malformed);
            self.refused = Some("proxy_header");
            self.phase = Phase::Closing;
            return;
        }
        let steps = self.decode_all(read.at).await;
        if self.speaker.is_some() {
            let begun = self.frame_since.filter(|_| steps == 0).unwrap_or(self.read_at);
            self.frame_since = self.decode.mid_frame().then_some(begun);
            return;
        }
        self.unclaimed += read.bytes;
        if self.unclaimed > LOGIN_BYTES_MAX {
            self.refused = Some("bad_frames");
            self.phase = Phase::Closing;
        }
    }

    /// The peer says nothing more: takes what the decoder still holds.
    async fn hear_out(&mut self) {
        self.decode.end();
        let now = (self.door.publisher.clock)();
        self.decode_all(now).await;
    }

    /// Takes every step the decoder has now, and says how many. All records go in one append, and
    /// replies to them wait behind it.
    async fn decode_all(&mut self, now: Timestamp) -> usize {
        let mut report = lent::report(&self.door.nobody);
        let mut steps = 0;
        while !self.is_closing() {
            match self.decode.poll(&mut report) {
                Ok(Step::NeedBytes) => break,
                Ok(Step::Identify(device)) => {
                    // Seldom; a session need not carry the room of it.
                    let verdict = Box::pin(self.admit(device)).await;
                    self.decode.admit(verdict);
                }
                Ok(Step::Report) => self.take(&report, now),
                Ok(Step::Reply { bytes, when }) => self.reply(bytes, when),
                Ok(Step::Close) => self.phase = Phase::Closing,
                Err(error) => self.bad_frame(&error),
            }
            steps += 1;
        }
        lent::back(report, &self.door.nobody);
        self.append();
        steps
    }

    async fn admit(&mut self, device: DeviceId) -> Admission {
        if self.identities.len() >= IDENTITIES_MAX && !self.identities.contains(&device) {
            self.refused = Some("refused");
            return Admission::Refused;
        }
        let (protocol, address) = (self.protocol.name(), self.presence.address);
        let claim = Claim { device: &device, protocol, address, shown: self.decode.shown() };
        let verdict = self.door.admit(&claim, &self.counters).await;
        let belongs = match verdict.record {
            Ok(belongs) => belongs,
            Err(reason) => {
                let unknown = verdict.admission == Admission::Unknown;
                self.refused = Some(if unknown { "unknown_device" } else { "refused" });
                debug!(peer = %self.peer, %device, reason, "device is not admitted");
                if reason == "secret_wrong" {
                    // A connection that stays open for others is no place to guess fast.
                    self.count_bad_frame();
                }
                return verdict.admission;
            }
        };
        // A request is complete in itself; only a lasting connection can be in conflict.
        if self.transport != Transport::Http {
            let now = (self.door.publisher.clock)();
            if self.door.speakers.claim(&device, &self.presence, now) == Outcome::Conflict {
                self.counters.refused("conflict");
                let publisher = &self.door.publisher;
                let record = publisher.conflict(&belongs, self.protocol.name(), &device, address);
                self.batch.push(record);
                self.append();
                self.refused = Some("refused");
                return Admission::Refused;
            }
            if !self.identities.contains(&device) {
                self.identities.push(device.clone());
            }
            if self.door.orders.has(&device) {
                self.presence.order();
            }
        }
        self.speaker = Some(Speaker { device, belongs });
        Admission::Admitted
    }

    /// One decoded record becomes an input.
    fn take(&mut self, report: &Report, now: Timestamp) {
        let Some(belongs) = self.belongs(&report.device) else {
            self.refused = Some("refused");
            self.phase = Phase::Closing;
            return;
        };
        self.counters.records.inc();
        self.hear_answer(report, now);
        let name = self.protocol.name();
        self.batch.push(input(&belongs, name, report, now));
    }

    /// The newest record of a device that was admitted here; `None` once it has been retired.
    fn belongs(&mut self, device: &DeviceId) -> Option<Arc<DeviceRecord>> {
        let belongs = self.door.devices.get(device)?;
        let admitted = self.speaker.as_ref().is_some_and(|s| s.device == *device)
            || self.identities.contains(device);
        if !admitted {
            return None;
        }
        if let Some(speaker) = &mut self.speaker
            && speaker.device == *device
        {
            speaker.belongs = Arc::clone(&belongs);
        }
        Some(belongs)
    }

    /// Sends the batch on its way to the log.
    fn append(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let bytes = bytes_of(&batch);
        self.window.append(self.door.publisher.append(batch), bytes);
        for reply in std::mem::take(&mut self.behind) {
            self.window.reply(reply, &mut self.out);
        }
    }

    fn reply(&mut self, bytes: Bytes, when: When) {
        self.counters.replies.inc();
        let waits = when == When::AfterDurable && !self.batch.is_empty();
        if waits || !self.behind.is_empty() {
            self.behind.push(bytes);
        } else {
            self.window.reply(bytes, &mut self.out);
        }
    }

    fn bad_frame(&mut self, error: &DecodeError) {
        self.counters.bad(error.kind);
        let whole = error.kind == BadFrame::Range;
        if whole || self.door.may_sample() {
            let (name, peer) = (self.protocol.name(), self.peer.to_string());
            let letter = self.door.publisher.dead_letter(name, &peer, error);
            self.batch.push(letter);
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
        if self.bad_since.elapsed() > Duration::from_mins(1) {
            self.bad_since = Instant::now();
            self.bad_frames = 0;
        }
        self.bad_frames += 1;
        if self.bad_frames > BAD_FRAMES_A_MINUTE_MAX {
            self.refused = Some("bad_frames");
            self.phase = Phase::Closing;
        }
    }

    async fn write(&mut self, stream: &mut Stream) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let sent = {
            let mut sending = pin!(stream.write(&self.out));
            match poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await {
                Poll::Ready(sent) => Ok(sent),
                // Seldom, so that what it waits with is not carried by every session.
                Poll::Pending => Box::pin(timeout(WRITE_LIMIT, sending)).await,
            }
        };
        self.out.clear();
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_gone)) => Err(End::Done),
            Err(_elapsed) => Err(End::Because("slow_reader")),
        }
    }
}
