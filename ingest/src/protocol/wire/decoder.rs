//! Decides what comes next: cuts, has frames read, asks about devices, gives what was told.

use std::time::Duration;

use bytes::Bytes;

use super::Wire;
use super::cut::{Cut, Fault};
use super::draft::Complaint;
use super::told::{Manners, Told};
use crate::PACKET;
use crate::fix::Report;
use crate::id::DeviceId;
use crate::protocol::inbox::Inbox;
use crate::protocol::{
    Admission, BadFrame, Decode, DecodeError, Options, Step, Telling, Transport, When,
};
use crate::time::Timestamp;

/// Bytes that are looked at in search of a frame before the stream is given up: four of the longest
/// frames, or as many single bytes.
const LOST_MAX: usize = 256 * 1024;

pub(super) struct Decoder {
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
    pub(super) fn new(wire: Box<dyn Wire>, transport: Transport, options: &Options) -> Self {
        let told = Told::new(transport, options);
        let inbox = Inbox::default();
        let (ended, lost, closed) = (false, None, false);
        Self { wire, inbox, told, ended, lost, asked: None, verdict: None, closed }
    }

    /// Cuts and reads on; `None`: something is due or has changed, look again.
    fn advance(&mut self, report: &mut Report) -> Result<Option<Step>, DecodeError> {
        let rest = self.inbox.rest();
        if rest.is_empty() {
            self.inbox.release();
            self.told.release();
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
                self.told.release();
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
        self.told.lend(report);
        let frame = self.inbox.rest().get(within).unwrap_or_default();
        let read = self.wire.read(frame, &mut self.told);
        let mut outcome = read.map_err(|Complaint(complaint)| {
            let (kind, offset, reason) = *complaint;
            DecodeError::new(kind, offset, reason, frame)
        });
        let known = self.told.named.is_some() || self.told.device.is_some();
        if outcome.is_ok() && self.told.reported() && !known {
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
            self.asked = self.told.device.clone().filter(|_| self.told.reported());
        }
        if outcome.is_err() {
            self.told.forget();
        }
        if !self.told.reported() {
            // Nothing is told in the caller's memory: it goes back, whatever it has grown to.
            self.told.lend(report);
        }
        if !known && self.told.manners == Manners::Reserved {
            self.told.unsay();
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
                self.told.unsay();
                if !refusal.is_empty() {
                    self.told.reply(Bytes::from_static(refusal), When::Immediate);
                }
            }
            return;
        }
        self.told.unsay();
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
            if let Some((bytes, when)) = self.told.answer() {
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
    use super::*;
    use crate::protocol::by_name;

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
