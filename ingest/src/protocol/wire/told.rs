//! What a frame tells: who speaks, reports, answers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::LazyLock;

use bytes::Bytes;

use super::draft::{Complaint, Draft};
use crate::fix::{Fix, Report};
use crate::id::DeviceId;
use crate::protocol::{BadFrame, Checksum, DecodeError, Options, Step, Transport, When};
use crate::time::Timestamp;

/// To whom answers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    /// To nobody before somebody has been named.
    Reserved,
    /// To whoever asks.
    Open,
    /// To whoever asked; then the connection ends.
    Parting,
}

/// Reports and answers of a frame, until they are given.
#[derive(Debug)]
struct Work {
    /// The first report lies in the memory that the caller lends.
    first: Draft,
    count: usize,
    given: usize,
    more: VecDeque<Draft>,
    replies: VecDeque<(Bytes, When)>,
}

/// Of these a thread keeps as many for all of its decoders, so that no idle connection has one.
const SPARE_MAX: usize = 8;
/// Reports and answers that one has room for while it is kept.
const ROOM_MAX: usize = 64;

thread_local! {
    #[expect(clippy::vec_box, reason = "a decoder carries the pointer")]
    static SPARE: RefCell<Vec<Box<Work>>> = const { RefCell::new(Vec::new()) };
}

#[expect(clippy::expect_used, reason = "a dash is an id")]
static NOBODY: LazyLock<DeviceId> = LazyLock::new(|| DeviceId::new("-").expect("a dash is an id"));

impl Work {
    fn lent() -> Box<Self> {
        SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
            let first = Draft::new(NOBODY.clone());
            let (more, replies) = (VecDeque::new(), VecDeque::new());
            Box::new(Self { first, count: 0, given: 0, more, replies })
        })
    }

    /// Takes one back; nothing of what was in it is seen again.
    fn back(mut self: Box<Self>) {
        self.forget();
        self.replies.clear();
        self.more.shrink_to(ROOM_MAX);
        self.replies.shrink_to(ROOM_MAX);
        self.first.report.attributes.clear();
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_MAX {
                spare.push(self);
            }
        });
    }

    fn forget(&mut self) {
        (self.count, self.given) = (0, 0);
        self.more.clear();
    }
}

/// What a frame has told so far.
#[derive(Debug)]
pub(in crate::protocol) struct Told {
    /// Who speaks, once admitted.
    pub(super) device: Option<DeviceId>,
    /// Whom this frame names, where that is another.
    pub(super) named: Option<DeviceId>,
    pub(in crate::protocol) received_at: Timestamp,
    /// Read what is wrong as well as it can be.
    pub(in crate::protocol) lenient: bool,
    pub(in crate::protocol) udp: bool,
    /// The secret that the connection, or this frame, shows.
    pub(super) shown: Option<Box<[u8]>>,
    /// What was shown when its device was admitted.
    pub(super) proved: Option<Box<[u8]>>,
    /// Whether every frame shows its own.
    pub(super) each_shows: bool,
    checksum_ok: Option<bool>,
    /// How often this frame has been read before: once for each device that it speaks for.
    pub(in crate::protocol) part: usize,
    /// The part that it is read for next; 0: the frame has been read.
    pub(super) next_part: usize,
    pub(super) manners: Manners,
    work: Option<Box<Work>>,
}

impl Told {
    pub(super) fn new(transport: Transport, options: &Options) -> Self {
        Self {
            device: None,
            named: None,
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
            work: None,
        }
    }
    #[inline]
    fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_with(Work::lent)
    }
    /// Exchanges the memory of the first report for the caller's.
    pub(super) fn lend(&mut self, report: &mut Report) {
        std::mem::swap(report, &mut self.work().first.report);
    }
    /// Gives memory back that is not needed between frames, once all has been given.
    pub(super) fn release(&mut self) {
        if let Some(work) = self.work.take() {
            work.back();
        }
    }
    /// The frame names its device.
    pub(in crate::protocol) fn from(&mut self, id: &str) -> Result<(), Complaint> {
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
    pub(in crate::protocol) fn shows(&mut self, secret: &[u8]) {
        self.shown = Some(secret.into());
    }
    /// This frame shows a secret or none, as every one does: it may be another sender's, whose
    /// connections a proxy joins.
    pub(in crate::protocol) fn frame_shows(&mut self, secret: Option<Vec<u8>>) {
        self.shown = secret.map(Vec::into_boxed_slice);
        self.each_shows = true;
    }
    /// Who speaks: the device that this frame names, or the connection's.
    pub(in crate::protocol) fn device(&self) -> Option<&str> {
        self.named.as_ref().or(self.device.as_ref()).map(DeviceId::as_str)
    }
    /// Whether the frame has told a report.
    pub(in crate::protocol) fn reported(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.count > 0)
    }
    /// A report with nothing in it yet, behind those that the frame told before.
    pub(in crate::protocol) fn report(&mut self) -> &mut Draft {
        let work = self.work();
        work.count += 1;
        if work.count == 1 {
            let draft = &mut work.first;
            draft.at = None;
            draft.report.time = None;
            draft.report.fix = None;
            draft.report.attributes.clear();
            return draft;
        }
        work.more.push_back(Draft::new(NOBODY.clone()));
        let last = work.more.len() - 1;
        &mut work.more[last]
    }
    /// The report begun last; the first one where there is none.
    pub(in crate::protocol) fn last(&mut self) -> &mut Draft {
        if !self.reported() {
            return self.report();
        }
        let work = self.work();
        work.more.back_mut().unwrap_or(&mut work.first)
    }
    /// The report begun last, where there is one.
    pub(in crate::protocol) fn begun(&mut self) -> Option<&mut Draft> {
        if self.reported() { Some(self.last()) } else { None }
    }
    /// The frame speaks for a further device: it is read again, with the next [`Told::part`].
    pub(in crate::protocol) fn again(&mut self) {
        self.next_part = self.part + 1;
    }
    /// Whoever asks is answered, as HTTP demands.
    pub(in crate::protocol) fn open(&mut self) {
        self.manners = Manners::Open;
    }
    /// The connection ends when what goes back has gone.
    pub(in crate::protocol) fn close(&mut self) {
        self.manners = Manners::Parting;
    }
    pub(in crate::protocol) fn is_again(&self) -> bool {
        self.next_part > 0
    }
    /// What goes back.
    pub(in crate::protocol) fn reply(&mut self, bytes: impl Into<Bytes>, when: When) {
        self.work().replies.push_back((bytes.into(), when));
    }
    /// The next answer.
    pub(super) fn answer(&mut self) -> Option<(Bytes, When)> {
        self.work.as_mut()?.replies.pop_front()
    }
    /// Nothing goes back after all.
    pub(super) fn unsay(&mut self) {
        if let Some(work) = &mut self.work {
            work.replies.clear();
        }
    }
    /// Takes down whether the frame's checksum holds; an error where that matters.
    pub(in crate::protocol) fn checksum(&mut self, sent: u32, ours: u32) -> Result<(), Complaint> {
        self.checksum_ok = Some(sent == ours);
        if sent == ours || self.lenient {
            return Ok(());
        }
        let reason = format!("checksum `{sent:02x}` does not match `{ours:02x}`");
        Err(Complaint::new(BadFrame::Checksum, 0, reason))
    }
    pub(super) fn begin(&mut self) {
        self.checksum_ok = None;
        self.named = None;
        self.next_part = 0;
        let work = self.work();
        (work.count, work.given) = (0, 0);
    }
    pub(super) fn forget(&mut self) {
        if let Some(work) = &mut self.work {
            work.forget();
        }
    }
    /// The next report, into the caller's.
    pub(super) fn give(&mut self, report: &mut Report) -> Option<Result<Step, DecodeError>> {
        let work = self.work.as_mut().filter(|work| work.given < work.count)?;
        let device = self.device.as_ref()?;
        work.given += 1;
        let at = if work.given == 1 {
            std::mem::swap(report, &mut work.first.report);
            work.first.at
        } else {
            let draft = work.more.pop_front()?;
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
