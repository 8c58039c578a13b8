//! What most protocols share: frames are cut from a stream, each frame is read, a device that a
//! frame names is asked about before anything it said is reported, and answers follow reports.
//!
//! A protocol of this kind is a [`Wire`] (how to cut, how to read) and a [`Wired`] value (its
//! facts). A dialect is another value. Nothing here knows a protocol.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::inbox::Inbox;
use super::sender::{Sender, Sent, Speaker};
use super::{Admission, BadFrame, Checksum, Decode, DecodeError, Encode, Options, Protocol};
use super::{Step, Telling, Transport, When, scan};
use crate::PACKET;
use crate::attribute::{Key, Value};
use crate::fix::{Fix, Measured, Report};
use crate::id::DeviceId;
use crate::time::Timestamp;

/// A protocol as a value.
pub(super) struct Wired {
    pub(super) name: &'static str,
    pub(super) port: u16,
    pub(super) transports: &'static [Transport],
    pub(super) models: &'static [&'static str],
    pub(super) idle_minutes: u64,
    /// Whether a report is answered when it is stored.
    pub(super) acknowledges: bool,
    pub(super) wire: fn(&Options) -> Box<dyn Wire>,
    /// What a device sends first.
    pub(super) login: fn(&mut Speaker) -> Sent,
    /// What a device sends for one report.
    pub(super) message: fn(&mut Speaker, &Report) -> Sent,
}

pub(super) const TCP: &[Transport] = &[Transport::Tcp];
pub(super) const UDP: &[Transport] = &[Transport::Udp];
pub(super) const HTTP: &[Transport] = &[Transport::Http];
pub(super) const TCP_UDP: &[Transport] = &[Transport::Tcp, Transport::Udp];

impl fmt::Debug for Wired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wired({})", self.name)
    }
}

impl Protocol for Wired {
    fn name(&self) -> &'static str {
        self.name
    }
    fn default_port(&self) -> u16 {
        self.port
    }
    fn transports(&self) -> &'static [Transport] {
        self.transports
    }
    fn models(&self) -> &'static [&'static str] {
        self.models
    }
    fn idle_limit(&self) -> Duration {
        Duration::from_mins(self.idle_minutes)
    }
    fn decoder(&self, transport: Transport, options: &Options) -> Box<dyn Decode> {
        Box::new(Decoder::new((self.wire)(options), transport, options))
    }
    fn encoder(&self, transport: Transport, device: &DeviceId) -> Box<dyn Encode> {
        let speaker = Speaker::new(device, transport);
        Box::new(Sender::new(speaker, self.login, self.message, self.acknowledges))
    }
}

/// Bytes that are looked at in search of a frame before the stream is given up: four of the longest
/// frames, or as many single bytes.
const LOST_MAX: usize = 256 * 1024;

/// How a protocol is cut and read. Lives as long as the connection and may remember.
pub(super) trait Wire: Send {
    /// The first frame of `bytes`, which are not empty. `whole`: nothing follows them, so that an
    /// end of line may be missing. The verdict on a beginning must not change when more follows,
    /// except from [`Cut::Need`].
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut;
    /// What a frame says. On an error nothing of it is reported; its answers are still given,
    /// since the gateway keeps what can not be read. A frame of several devices is read once for
    /// each ([`Told::again`]).
    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint>;
    /// A frame as a splitter of its own would hand it on: unescaped, without its ends.
    fn split(&self, frame: &[u8]) -> Vec<u8> {
        frame.to_vec()
    }
    /// What a device that may not speak is told.
    fn refusal(&self) -> &'static [u8] {
        b""
    }
    /// Whether many devices speak over one connection, so that one that may not does not end it.
    fn is_shared(&self) -> bool {
        false
    }
    /// How long the stream may be silent, where its peer has said so.
    fn idle_limit(&self) -> Option<Duration> {
        None
    }
    /// What tells a device to do something; see [`Decode::command`].
    fn command(&mut self, _telling: &Telling<'_>) -> Option<Vec<u8>> {
        None
    }
}

/// What stands at the beginning of the bytes.
#[derive(Debug)]
pub(super) enum Cut {
    /// Not enough of it yet.
    Need,
    /// Bytes between frames that mean nothing.
    Skip(usize),
    /// A frame: its bytes, and where the next one begins.
    Frame { from: usize, to: usize, next: usize },
    /// Nothing that could begin here; `skip` bytes are given up, and on from there until a frame
    /// is found.
    Bad { fault: Fault, skip: usize },
    /// Nothing that could begin here, and nothing by which a later beginning could be known: the
    /// stream ends with this answer, if there is one.
    Lost { kind: BadFrame, reason: String, answer: Bytes },
}

/// Why no frame begins. Words are made of it only when it is told: a search asks at every byte of
/// what a stranger sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// Something that should have ended within so many bytes, all of them looked at.
    Long(&'static str, usize),
    /// It says that it is longer than so many bytes.
    SaidLong(usize),
    /// A byte instead of what is expected.
    Begins(Option<u8>, &'static str),
}

impl Fault {
    fn kind(self) -> BadFrame {
        match self {
            Self::Long(..) | Self::SaidLong(_) => BadFrame::Length,
            Self::Begins(..) => BadFrame::Malformed,
        }
    }
    /// Bytes that were looked at to find it.
    fn looked_at(self) -> usize {
        match self {
            Self::Long(_, most) => most,
            Self::SaidLong(_) | Self::Begins(..) => 1,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long(what, most) => write!(f, "{what} longer than {most} bytes"),
            Self::SaidLong(most) => write!(f, "frame longer than {most} bytes"),
            Self::Begins(first, expected) => {
                let shown = first.as_slice().escape_ascii();
                write!(f, "`{shown}` begins no frame, expected {expected}")
            }
        }
    }
}

impl Cut {
    /// The first `length` bytes.
    pub(super) fn frame(length: usize) -> Self {
        Self::Frame { from: 0, to: length, next: length }
    }
    /// A frame of a length that the bytes give; longer than `most` it is bad.
    pub(super) fn of_length(length: usize, bytes: &[u8], most: usize) -> Self {
        if length > most {
            return Self::Bad { fault: Fault::SaidLong(most), skip: 1 };
        }
        if bytes.len() < length { Self::Need } else { Self::frame(length) }
    }
    pub(super) fn too_long(most: usize) -> Self {
        Self::Bad { fault: Fault::Long("frame", most), skip: 1 }
    }
    /// Whatever stands before the first `mark`, which begins a frame; `None` where it stands first.
    pub(super) fn before(mark: u8, bytes: &[u8]) -> Option<Self> {
        let from = scan::find(bytes, mark).unwrap_or(bytes.len());
        (from > 0).then_some(Self::Skip(from))
    }
    /// Nothing ends a line yet: what came whole is one, more than `most` bytes are none.
    pub(super) fn unended(length: usize, whole: bool, most: usize) -> Self {
        match length {
            length if length >= most => Self::too_long(most),
            length if whole => Self::frame(length),
            _ => Self::Need,
        }
    }
    pub(super) fn no_frame(bytes: &[u8], expected: &'static str) -> Self {
        // The first byte alone: how many follow by now must not show.
        Self::Bad { fault: Fault::Begins(bytes.first().copied(), expected), skip: 1 }
    }
    /// A frame up to and without the first of `ends`; ends before it are stepped over.
    pub(super) fn line(bytes: &[u8], ends: &[u8], whole: bool, most: usize) -> Self {
        let from = bytes.iter().position(|b| !ends.contains(b));
        let Some(from) = from else { return Self::Skip(bytes.len()) };
        if from > 0 {
            return Self::Skip(from);
        }
        let seen = &bytes[..bytes.len().min(most + 1)];
        match scan::find_any(seen, ends) {
            Some(to) => Self::Frame { from: 0, to, next: to + 1 },
            None if bytes.len() > most => {
                Self::Bad { fault: Fault::Long("line", most), skip: most }
            }
            None if whole => Self::frame(bytes.len()),
            None => Self::Need,
        }
    }
}

/// What is wrong with a frame: kind, offset, words.
#[derive(Debug)]
pub(super) struct Complaint(Box<(BadFrame, usize, String)>);

impl Complaint {
    pub(super) fn new(kind: BadFrame, offset: usize, reason: impl Into<String>) -> Self {
        Self(Box::new((kind, offset, reason.into())))
    }
    /// A value that can not be read.
    pub(super) fn bad(what: &str, text: &[u8]) -> Self {
        let shown = text[..text.len().min(48)].escape_ascii();
        Self::new(BadFrame::Malformed, 0, format!("{what} `{shown}` can not be read"))
    }
    /// The frame ends before its fields do.
    pub(super) fn short(offset: usize) -> Self {
        Self::new(BadFrame::Truncated, offset, "frame ends before its fields do")
    }
}

/// What names an attribute in a decoder: mostly a constant text, seen as the number of its line.
pub(super) trait Keyed<'a> {
    fn key(self) -> Key<'a>;
}
impl<'a> Keyed<'a> for Key<'a> {
    fn key(self) -> Key<'a> {
        self
    }
}
#[expect(clippy::inline_always, reason = "a constant text becomes a number")]
impl<'a> Keyed<'a> for &'static str {
    #[inline(always)]
    fn key(self) -> Key<'a> {
        Key::from((self, 0))
    }
}
#[expect(clippy::inline_always, reason = "a constant text becomes a number")]
impl<'a> Keyed<'a> for (&'static str, u16) {
    #[inline(always)]
    fn key(self) -> Key<'a> {
        Key::from(self)
    }
}

/// A report in the making.
#[derive(Debug)]
pub(super) struct Draft {
    report: Report,
    /// Where; checked when the report is handed over.
    pub(super) at: Option<Measured>,
}

impl Draft {
    fn new(device: &DeviceId) -> Self {
        Self { report: Report::of(device.clone()), at: None }
    }
    /// The device's own time; absent where the fields name none.
    pub(super) fn time(&mut self, time: Option<Timestamp>) {
        self.report.time = time;
    }
    #[expect(clippy::inline_always, reason = "a constant key becomes the number of its line")]
    #[inline(always)]
    pub(super) fn set<'a>(&mut self, key: impl Keyed<'a>, value: impl Into<Value<'a>>) {
        self.report.attributes.set(key.key(), value.into());
    }
    /// Sets what is there.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(super) fn maybe<'a>(&mut self, key: impl Keyed<'a>, value: Option<impl Into<Value<'a>>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }
    /// Adds an alarm to those the report has: names joined by commas.
    pub(super) fn alarm(&mut self, name: &str) {
        let key = Key::from("alarm");
        let all = match self.report.attributes.get(&key) {
            Some(Value::Text(before)) => format!("{before},{name}"),
            _ => name.to_owned(),
        };
        self.report.attributes.set(key, Value::Text(all.into()));
    }
    /// A value under a name that the sender chose; the registry's where it knows it.
    pub(super) fn named<'a>(&mut self, name: &'a str, value: impl Into<Value<'a>>) {
        if let Some((key, value)) = crate::attribute::from_traccar(name, value.into()) {
            self.report.attributes.set(key, value);
        }
    }
    /// Whether the fields read so far named no time.
    pub(super) fn is_timeless(&self) -> bool {
        self.report.time.is_none()
    }
    /// An attribute that is text.
    pub(super) fn words(&self, key: impl Keyed<'static>) -> Option<String> {
        match self.report.attributes.get(&key.key()) {
            Some(Value::Text(text)) => Some(text.into_owned()),
            _ => None,
        }
    }
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(super) fn has(&self, key: impl Keyed<'static>) -> bool {
        self.report.attributes.get(&key.key()).is_some()
    }
    /// One radio cell: country, network, area, id and, where known, strength in dBm.
    pub(super) fn cell(&mut self, nth: u16, (mcc, mnc, area, id): (u16, u16, u32, u64)) {
        self.set(("cell_country", nth), mcc);
        self.set(("cell_network", nth), mnc);
        self.set(("cell_area", nth), area);
        self.set(("cell_id", nth), id);
    }
}

/// To whom answers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manners {
    /// To nobody before somebody has been named.
    Reserved,
    /// To whoever asks.
    Open,
    /// To whoever asked; then the connection ends.
    Parting,
}

/// What a frame has told so far.
#[derive(Debug)]
pub(super) struct Told {
    /// Who speaks, once admitted.
    device: Option<DeviceId>,
    /// Whom this frame names, where that is another.
    named: Option<DeviceId>,
    nobody: DeviceId,
    pub(super) received_at: Timestamp,
    /// Read what is wrong as well as it can be.
    pub(super) lenient: bool,
    pub(super) udp: bool,
    /// The secret that the connection, or this frame, shows.
    shown: Option<Box<[u8]>>,
    /// What was shown when its device was admitted.
    proved: Option<Box<[u8]>>,
    /// Whether every frame shows its own.
    each_shows: bool,
    checksum_ok: Option<bool>,
    /// How often this frame has been read before: once for each device that it speaks for.
    pub(super) part: usize,
    /// The part that it is read for next; 0: the frame has been read.
    next_part: usize,
    manners: Manners,
    /// The first report lies in the memory that the caller lends.
    first: Draft,
    count: usize,
    given: usize,
    more: VecDeque<Draft>,
    replies: VecDeque<(Bytes, When)>,
}

impl Told {
    /// The frame names its device.
    pub(super) fn from(&mut self, id: &str) -> Result<(), Complaint> {
        if self.device.as_ref().is_some_and(|d| d.as_str() == id) {
            self.named = None;
            return Ok(());
        }
        let device = DeviceId::new(id);
        self.named =
            Some(device.map_err(|e| Complaint::new(BadFrame::Malformed, 0, e.to_string()))?);
        Ok(())
    }
    /// The device shows a secret, by which it may be believed from here on.
    pub(super) fn shows(&mut self, secret: &[u8]) {
        self.shown = Some(secret.into());
    }
    /// This frame shows a secret or none, as every one does: it may be another sender's, whose
    /// connections a proxy joins.
    pub(super) fn frame_shows(&mut self, secret: Option<Vec<u8>>) {
        self.shown = secret.map(Vec::into_boxed_slice);
        self.each_shows = true;
    }
    /// Who speaks: the device that this frame names, or the connection's.
    pub(super) fn device(&self) -> Option<&str> {
        self.named.as_ref().or(self.device.as_ref()).map(DeviceId::as_str)
    }
    /// Whether the frame has told a report.
    pub(super) fn reported(&self) -> bool {
        self.count > 0
    }
    /// A report with nothing in it yet, behind those that the frame told before.
    pub(super) fn report(&mut self) -> &mut Draft {
        self.count += 1;
        if self.count == 1 {
            let draft = &mut self.first;
            draft.at = None;
            draft.report.time = None;
            draft.report.fix = None;
            draft.report.attributes.clear();
            return draft;
        }
        self.more.push_back(Draft::new(&self.nobody));
        let last = self.more.len() - 1;
        &mut self.more[last]
    }
    /// The report begun last; the first one where there is none.
    pub(super) fn last(&mut self) -> &mut Draft {
        if self.count == 0 {
            return self.report();
        }
        self.more.back_mut().unwrap_or(&mut self.first)
    }
    /// The report begun last, where there is one.
    pub(super) fn begun(&mut self) -> Option<&mut Draft> {
        if self.count > 0 { Some(self.last()) } else { None }
    }
    /// The frame speaks for a further device: it is read again, with the next [`Told::part`].
    pub(super) fn again(&mut self) {
        self.next_part = self.part + 1;
    }
    /// Whoever asks is answered, as HTTP demands.
    pub(super) fn open(&mut self) {
        self.manners = Manners::Open;
    }
    /// The connection ends when what goes back has gone.
    pub(super) fn close(&mut self) {
        self.manners = Manners::Parting;
    }
    pub(super) fn is_again(&self) -> bool {
        self.next_part > 0
    }
    /// What goes back.
    pub(super) fn reply(&mut self, bytes: impl Into<Bytes>, when: When) {
        self.replies.push_back((bytes.into(), when));
    }
    /// Takes down whether the frame's checksum holds; an error where that matters.
    pub(super) fn checksum(&mut self, sent: u32, ours: u32) -> Result<(), Complaint> {
        self.checksum_ok = Some(sent == ours);
        if sent == ours || self.lenient {
            return Ok(());
        }
        let reason = format!("checksum `{sent:02x}` does not match `{ours:02x}`");
        Err(Complaint::new(BadFrame::Checksum, 0, reason))
    }
    fn begin(&mut self) {
        self.checksum_ok = None;
        self.named = None;
        self.next_part = 0;
        (self.count, self.given) = (0, 0);
    }
    fn forget(&mut self) {
        (self.count, self.given) = (0, 0);
        self.more.clear();
    }
    /// The next report, into the caller's.
    fn give(&mut self, report: &mut Report) -> Option<Result<Step, DecodeError>> {
        let device = self.device.as_ref().filter(|_| self.given < self.count)?;
        self.given += 1;
        let at = if self.given == 1 {
            std::mem::swap(report, &mut self.first.report);
            self.first.at
        } else {
            let draft = self.more.pop_front()?;
            *report = draft.report;
            draft.at
        };
        report.device.clone_from(device);
        report.checksum_ok = self.checksum_ok;
        report.fix = None;
        let fix = at.map(Fix::new).transpose();
        Some(match fix {
            Ok(fix) => {
                report.fix = fix;
                Ok(Step::Report)
            }
            Err(e) => Err(DecodeError::new(BadFrame::Range, 0, e.to_string(), &[])),
        })
    }
}

struct Decoder {
    wire: Box<dyn Wire>,
    inbox: Inbox,
    told: Told,
    ended: bool,
    /// Between bytes that begin no frame and the next that do: how many were looked at.
    lost: Option<usize>,
    asked: Option<DeviceId>,
    verdict: Option<Admission>,
    closed: bool,
}

impl Decoder {
    fn new(wire: Box<dyn Wire>, transport: Transport, options: &Options) -> Self {
        #[expect(clippy::expect_used, reason = "a dash is an id")]
        let nobody = DeviceId::new("-").expect("a dash is an id");
        let told = Told {
            device: None,
            named: None,
            first: Draft::new(&nobody),
            nobody,
            received_at: Timestamp::default(),
            lenient: options.checksum == Checksum::Lenient,
            udp: transport == Transport::Udp,
            shown: None,
            proved: None,
            each_shows: false,
            checksum_ok: None,
            part: 0,
            next_part: 0,
            manners: Manners::Reserved,
            count: 0,
            given: 0,
            more: VecDeque::new(),
            replies: VecDeque::new(),
        };
        let inbox = Inbox::default();
        let (ended, lost, closed) = (false, None, false);
        Self { wire, inbox, told, ended, lost, asked: None, verdict: None, closed }
    }

    /// Cuts and reads on; `None`: something is due or has changed, look again.
    fn advance(&mut self, report: &mut Report) -> Result<Option<Step>, DecodeError> {
        let rest = self.inbox.rest();
        if rest.is_empty() {
            self.inbox.release();
            return Ok(Some(Step::NeedBytes));
        }
        let whole = self.ended || self.told.udp;
        match self.wire.cut(rest, whole) {
            Cut::Need if self.ended && self.told.lenient && self.lost.is_none() => {
                let length = rest.len();
                self.frame(report, 0..length, length).map(|()| None)
            }
            Cut::Need if whole => {
                let reason = format!("{} bytes of an unfinished frame", rest.len());
                let error = DecodeError::new(BadFrame::Truncated, rest.len(), reason, rest);
                self.inbox.skip(usize::MAX);
                if self.lost.take().is_some() { Ok(None) } else { Err(error) }
            }
            Cut::Need => {
                self.inbox.release();
                Ok(Some(Step::NeedBytes))
            }
            Cut::Skip(count) => {
                self.inbox.skip(count.max(1));
                Ok(None)
            }
            Cut::Bad { fault, skip } => self.lose(fault, skip.max(1)).map(|()| None),
            Cut::Lost { kind, reason, answer } => {
                let error = DecodeError::new(kind, 0, reason, rest);
                self.shut();
                if !answer.is_empty() {
                    self.told.reply(answer, When::Immediate);
                }
                Err(DecodeError { recoverable: false, ..error })
            }
            Cut::Frame { from, to, next } => {
                self.lost = None;
                self.frame(report, from..to, next).map(|()| None)
            }
        }
    }

    /// No frame begins here. Told once, until one is found or the search has cost too much.
    fn lose(&mut self, fault: Fault, skip: usize) -> Result<(), DecodeError> {
        let told = |bytes: &[u8]| DecodeError::new(fault.kind(), 0, fault.to_string(), bytes);
        let before = self.lost.unwrap_or(0);
        let looked_at = before + fault.looked_at();
        let error = if looked_at > LOST_MAX {
            let error = DecodeError { recoverable: false, ..told(self.inbox.rest()) };
            self.shut();
            Some(error)
        } else {
            self.lost.is_none().then(|| told(self.inbox.rest()))
        };
        self.lost = Some(looked_at);
        self.inbox.skip(skip);
        error.map_or(Ok(()), Err)
    }

    /// Nothing more is read.
    fn shut(&mut self) {
        self.inbox.skip(usize::MAX);
        self.closed = true;
    }

    fn frame(
        &mut self,
        report: &mut Report,
        within: std::ops::Range<usize>,
        next: usize,
    ) -> Result<(), DecodeError> {
        tracing::trace!(target: PACKET, "decode");
        self.told.begin();
        std::mem::swap(report, &mut self.told.first.report);
        let frame = self.inbox.rest().get(within).unwrap_or_default();
        let read = self.wire.read(frame, &mut self.told);
        let mut outcome = read.map_err(|Complaint(complaint)| {
            let (kind, offset, reason) = *complaint;
            DecodeError::new(kind, offset, reason, frame)
        });
        let known = self.told.named.is_some() || self.told.device.is_some();
        if outcome.is_ok() && self.told.count > 0 && !known {
            let reason = "a report before any identity";
            outcome = Err(DecodeError::new(BadFrame::NoIdentity, 0, reason, frame));
        }
        self.told.part = if outcome.is_ok() { self.told.next_part } else { 0 };
        if self.told.part == 0 {
            self.inbox.skip(next.max(1));
        }
        if self.told.manners == Manners::Parting {
            self.shut();
        }
        self.asked = self.told.named.take();
        if self.asked.is_none() && self.told.each_shows && self.told.shown != self.told.proved {
            self.asked = self.told.device.clone().filter(|_| self.told.count > 0);
        }
        if outcome.is_err() {
            self.told.forget();
        }
        if self.told.count == 0 {
            // Nothing is told in the caller's memory: it goes back, whatever it has grown to.
            std::mem::swap(report, &mut self.told.first.report);
        }
        if !known && self.told.manners == Manners::Reserved {
            self.told.replies.clear();
        }
        outcome
    }

    fn settle(&mut self, device: DeviceId, verdict: Admission) {
        if verdict == Admission::Admitted {
            self.told.device = Some(device);
            self.told.proved.clone_from(&self.told.shown);
            return;
        }
        self.told.forget();
        let refusal = self.wire.refusal();
        if self.wire.is_shared() {
            // Others of this frame may speak, or have spoken.
            if self.told.device.is_none() && !self.told.is_again() {
                self.told.replies.clear();
                if !refusal.is_empty() {
                    self.told.reply(Bytes::from_static(refusal), When::Immediate);
                }
            }
            return;
        }
        self.told.replies.clear();
        // Several devices may share a connection: the others go on, but for a request, which must
        // be answered.
        if (self.told.device.is_none() || self.told.each_shows) && !self.told.udp {
            self.shut();
            if verdict == Admission::Refused && !refusal.is_empty() {
                self.told.reply(Bytes::from_static(refusal), When::Immediate);
            }
        }
    }
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], received_at: Timestamp) {
        self.ended = false;
        self.told.received_at = received_at;
        if !self.closed {
            self.inbox.feed(bytes);
        }
    }

    fn poll(&mut self, report: &mut Report) -> Result<Step, DecodeError> {
        loop {
            if let Some(device) = self.asked.take() {
                let Some(verdict) = self.verdict.take() else {
                    self.asked = Some(device.clone());
                    return Ok(Step::Identify(device));
                };
                self.settle(device, verdict);
            }
            if let Some(given) = self.told.give(report) {
                return given;
            }
            if let Some((bytes, when)) = self.told.replies.pop_front() {
                return Ok(Step::Reply { bytes, when });
            }
            if self.closed {
                return Ok(Step::Close);
            }
            if let Some(step) = self.advance(report)? {
                return Ok(step);
            }
        }
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn admit(&mut self, verdict: Admission) {
        self.verdict = self.asked.is_some().then_some(verdict);
    }

    fn shown(&self) -> Option<&[u8]> {
        self.told.shown.as_deref()
    }

    fn command(&mut self, telling: &Telling<'_>) -> Option<Bytes> {
        // A datagram's sender is not there any more.
        let bytes = if self.told.udp { None } else { self.wire.command(telling) };
        bytes.map(Bytes::from)
    }

    fn mid_frame(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn idle_limit(&self) -> Option<Duration> {
        self.wire.idle_limit()
    }

    fn frame(&mut self) -> Option<Bytes> {
        loop {
            let rest = self.inbox.rest();
            if rest.is_empty() {
                return None;
            }
            match self.wire.cut(rest, self.told.udp) {
                Cut::Need => return None,
                Cut::Skip(count) => self.inbox.skip(count.max(1)),
                Cut::Bad { skip, .. } => self.inbox.skip(skip.max(1)),
                Cut::Lost { .. } => {
                    self.shut();
                    return None;
                }
                Cut::Frame { from, to, next } => {
                    let frame = self.wire.split(rest.get(from..to).unwrap_or_default());
                    self.inbox.skip(next.max(1));
                    return Some(frame.into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::by_name;
    use super::*;

    #[test]
    fn a_search_that_costs_too_much_ends_the_stream() {
        let watch = by_name("watch").unwrap();
        let mut decode = watch.decoder(Transport::Tcp, &Options::default());
        let mut report = Report::of(DeviceId::new("-").unwrap());
        // Every byte begins a message, and none ends: each costs a look at the longest one.
        let mut complaints = 0;
        for fed in 1..=64 {
            decode.feed(&[b'['; 16 * 1024], Timestamp::default());
            loop {
                match decode.poll(&mut report) {
                    Ok(Step::NeedBytes) => break,
                    Ok(Step::Close) => {
                        assert_eq!((fed, complaints), (5, 2), "four looks of 64 KiB, told twice");
                        return;
                    }
                    Ok(step) => panic!("{step:?} of nothing"),
                    Err(error) => {
                        complaints += 1;
                        assert_eq!(error.recoverable, complaints == 1, "{error}");
                    }
                }
            }
        }
        panic!("the stream was searched for ever");
    }
}
