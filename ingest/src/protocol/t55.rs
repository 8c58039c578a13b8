//! Raw NMEA 0183 over a modem, and the plainest ways of saying who sends it.
//!
//! ```text
//! $GPRMC,hhmmss.sss,A,ddmm.mmmm,N,dddmm.mmmm,E,knots,degrees,ddmmyy,..*hh
//! $GPGGA,hhmmss.sss,ddmm.mmmm,N,dddmm.mmmm,E,quality,satellites,hdop,altitude,M,..*hh
//! $PGID,<id>*hh   $GPFID,<id>   $PSIWMDID,<id>*hh   $DEVID,<id>*hh   $PCPTI,<id>,..
//! IMEI <id>       $IMEI=<id>    <digits alone>      <id>$GPRMC,..    <id>,$GPGGA,..
//! ```
//! One line each, ended by CR, LF or the end of the datagram. Any talker (GP, GN, GL, ..). The
//! checksum may be missing and may have spaces around it; a wrong one is refused when strict.
//! Nothing is ever answered.
//!
//! RMC and GGA of one UTC second make one fix: place, speed, heading and date of the RMC, altitude,
//! satellites and HDOP of the GGA. A GGA (or GLL or GNS) has no date, so it waits for its RMC
//! until the next second begins; an RMC is reported at once unless this stream has been seen to
//! send the GGA behind it, and a GGA that comes too late adds nothing. Streams with GGA alone are
//! recognised by the second one, and its date is the one nearest to the time of receipt. The end
//! of a datagram or stream lets go what waits.
//!
//! Some devices say who they are only behind the first sentence: one fix waits for the first
//! identity. A later identity holds for what follows it.
//!
//! Source: NMEA 0183 4.11, sentences RMC, GGA, GLL, GNS, GSA, VTG; Traccar's list of devices on
//! port 5005 for the identity lines. What some makers send besides stands in `dialect`. Other sentences are checked by the `nmea` crate and carry
//! nothing about a vehicle. Ignored: magnetic variation, geoid separation, differential stations.

use std::collections::VecDeque;
use std::time::Duration;

use super::inbox::Inbox;
use super::recognition::Mark;
use super::{Admission, BadFrame, Checksum, Decode, DecodeError, Encode, Options, Protocol};
use super::{Step, Transport, scan};
use crate::fix::Report;
use crate::id::DeviceId;
use crate::time::Timestamp;

mod dialect;
mod encode;
mod epoch;
mod identity;
mod sentence;

use epoch::{Epochs, Part};
use sentence::Line;

/// Longest line, bytes; NMEA allows 82, dialects put ids and more around it.
const LINE_MAX: usize = 512;

/// The protocol of devices that pass on what their receiver says.
#[derive(Debug)]
pub struct T55;

impl Protocol for T55 {
    fn name(&self) -> &'static str {
        "t55"
    }
    fn default_port(&self) -> u16 {
        5005
    }
    fn transports(&self) -> &'static [Transport] {
        &[Transport::Tcp, Transport::Udp]
    }
    fn signatures(&self) -> &'static [Mark] {
        &[
            Mark::Text("$GPRM~,"),
            Mark::Text("$GNRMC,"),
            Mark::Text("$GPGGA,"),
            Mark::Text("$GNGGA,"),
            Mark::Text("$PGID,"),
            Mark::Text("$PCPTI,"),
            Mark::Text("$PSIWMDID,"),
            Mark::Text("$CONNECT,"),
            Mark::Text("$TRCCR,"),
            Mark::Text("%%%%%%%%%%%%%%%\r"),
            Mark::Text("%%%%%%%%%%%%%%%\n"),
        ]
    }
    fn models(&self) -> &'static [&'static str] {
        &["any NMEA 0183 receiver behind a modem", "T55", "Sierra Wireless AirLink", "Maxon"]
    }
    fn idle_limit(&self) -> Duration {
        Duration::from_mins(10)
    }
    fn decoder(&self, transport: Transport, options: &Options) -> Box<dyn Decode> {
        let udp = transport == Transport::Udp;
        Box::new(Decoder {
            udp,
            epochs: Epochs::new(udp),
            strict: options.checksum == Checksum::Strict,
            ..Decoder::default()
        })
    }
    fn encoder(&self, transport: Transport, device: &DeviceId) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(transport, device))
    }
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "two settings and three independent facts")]
struct Decoder {
    inbox: Inbox,
    received_at: Timestamp,
    udp: bool,
    strict: bool,
    ended: bool,
    /// Bytes of the line at the head that are known to hold no end of line.
    scanned: usize,
    /// Dropping the rest of a line that is too long.
    overlong: bool,
    device: Option<DeviceId>,
    asked: Option<DeviceId>,
    verdict: Option<Admission>,
    closed: bool,
    epochs: Epochs,
    /// Fixes to report, and who sent them; at most two a line.
    due: VecDeque<(Owner, Part)>,
    /// A fix that came before any identity.
    early: Option<Part>,
}

/// Whose a fix is.
#[derive(Debug)]
enum Owner {
    /// Of the device that speaks; nobody's before one has said who it is.
    Speaker,
    /// Of the one that spoke before.
    Former(DeviceId),
}

impl Decoder {
    /// Length of the next line and of its end, where it is complete.
    fn cut(&mut self) -> Result<Option<(usize, usize)>, DecodeError> {
        let rest = self.inbox.rest();
        let end = scan::find_any(&rest[self.scanned..], b"\r\n");
        let whole = self.udp || self.ended;
        let cut = match end {
            Some(at) => {
                let length = self.scanned + at;
                let both = rest[length..].starts_with(b"\r\n");
                Some((length, if both { 2 } else { 1 }))
            }
            None if whole && !rest.is_empty() => Some((rest.len(), 0)),
            None => None,
        };
        let length = cut.map_or(rest.len(), |(length, _)| length);
        let too_long = length > LINE_MAX;
        let error = (too_long && !self.overlong).then(|| {
            let reason = format!("line longer than {LINE_MAX} bytes");
            DecodeError::new(BadFrame::Length, LINE_MAX, reason, rest)
        });
        self.scanned = if cut.is_some() { 0 } else { rest.len() };
        if too_long || self.overlong {
            self.inbox.skip(length + cut.map_or(0, |(_, end)| end));
            self.scanned = 0;
            self.overlong = cut.is_none();
            return error.map_or(Ok(None), Err);
        }
        Ok(cut)
    }

    /// Reads the next line; `None`: look again, more is due or asked.
    fn line(&mut self) -> Result<Option<Step>, DecodeError> {
        let Some((length, end)) = self.cut()? else {
            if !self.inbox.is_empty() && self.scanned == 0 {
                return Ok(None);
            }
            return Ok(self.idle());
        };
        let line = &self.inbox.rest()[..length];
        let read = sentence::read(line, self.device.as_ref(), self.received_at);
        if self.strict && read.as_ref().is_ok_and(Line::is_broken) {
            let reason = "checksum does not match".to_owned();
            let error = DecodeError::new(BadFrame::Checksum, length, reason, line);
            self.inbox.skip(length + end);
            return Err(error);
        }
        match read {
            Ok(Line::Nothing) => {}
            Ok(Line::From(device)) if self.device.as_ref() == Some(&device) => {}
            // The line stays: behind the verdict it is read again, from the device it names.
            Ok(Line::From(device)) => {
                self.asked = Some(device.clone());
                return Ok(Some(Step::Identify(device)));
            }
            Ok(Line::Part(part)) => {
                self.epochs.take(part, &mut |part| self.due.push_back((Owner::Speaker, part)));
            }
            Ok(Line::Whole(part)) => {
                let before = self.epochs.let_go().map(|before| (Owner::Speaker, before));
                self.due.extend(before);
                self.due.push_back((Owner::Speaker, *part));
            }
            Ok(Line::Extra(extra)) => self.epochs.add(&extra),
            Err((kind, offset, reason)) => {
                let error = DecodeError::new(kind, offset, reason, line);
                self.inbox.skip(length + end);
                return Err(error);
            }
        }
        self.inbox.skip(length + end);
        Ok(None)
    }

    /// No line is left: at the end, what waits becomes due.
    fn idle(&mut self) -> Option<Step> {
        if (self.udp || self.ended)
            && let Some(part) = self.epochs.let_go()
        {
            self.due.push_back((Owner::Speaker, part));
            return None;
        }
        self.inbox.release();
        Some(Step::NeedBytes)
    }

    fn admitted(&mut self, device: DeviceId, verdict: Admission) {
        if verdict != Admission::Admitted {
            self.inbox.skip(usize::MAX);
            self.scanned = 0;
            self.closed = !self.udp;
            return;
        }
        let held = self.epochs.let_go();
        let early = self.early.take();
        self.due.extend(early.map(|part| (Owner::Speaker, part)));
        let owner = self.device.replace(device).map_or(Owner::Speaker, Owner::Former);
        self.due.extend(held.map(|part| (owner, part)));
    }

    /// A fix that nobody owns yet takes the place of the one before it.
    fn keep_early(&mut self, part: Part) -> Result<(), DecodeError> {
        if self.early.replace(part).is_none() {
            return Ok(());
        }
        let reason = "a second fix before any identity";
        Err(DecodeError::new(BadFrame::NoIdentity, 0, reason, &[]))
    }
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], received_at: Timestamp) {
        self.ended = false;
        self.received_at = received_at;
        if !self.closed {
            self.inbox.feed(bytes);
        }
    }

    fn poll(&mut self, report: &mut Report) -> Result<Step, DecodeError> {
        loop {
            if self.closed {
                return Ok(Step::Close);
            }
            if let Some(device) = self.asked.clone() {
                let Some(verdict) = self.verdict.take() else {
                    return Ok(Step::Identify(device));
                };
                self.asked = None;
                self.admitted(device, verdict);
                continue;
            }
            if let Some((owner, part)) = self.due.pop_front() {
                match (owner, &self.device) {
                    (Owner::Former(device), _) => report.device = device,
                    (Owner::Speaker, Some(device)) => report.device.clone_from(device),
                    (Owner::Speaker, None) => {
                        self.keep_early(part)?;
                        continue;
                    }
                }
                part.fill(report)
                    .map_err(|e| DecodeError::new(BadFrame::Range, 0, e.to_string(), &[]))?;
                return Ok(Step::Report);
            }
            if let Some(step) = self.line()? {
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

    fn mid_frame(&self) -> bool {
        !self.inbox.is_empty()
    }
}

#[cfg(test)]
mod tests;
