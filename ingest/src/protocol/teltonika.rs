//! Teltonika trackers: codecs 7 (GH3000), 8, 8 extended and 16; command answers of codecs 12, 13
//! and 14; the photo transfer inside codec 12. TCP and UDP. Big-endian throughout.
//!
//! ```text
//! TCP login    000f | 15 digits of IMEI                   <- 01 admitted, 00 refused
//! TCP data     00000000 | length u32 | data | CRC u32     <- count of records u32, when durable
//! TCP ping     ff                                         (no answer)
//! UDP          length u16 | packet u16 | 01 | AVL packet u8 | IMEI length u16 | IMEI | data
//!                              <- 0005 | packet u16 | 01 | AVL packet u8 | count u8, when durable
//! data         codec u8 | count u8 | records | count u8
//! record 8/16  time ms u64 | priority u8 | lng i32 | lat i32 (1e-7 degrees) | altitude i16
//!              | angle u16 | satellites u8 | speed km/h u16 | event | [16: generation u8]
//!              | total | n1 (id, u8).. | n2 (id, u16).. | n4 (id, u32).. | n8 (id, u64)..
//!              | [8E: nx (id, length u16, bytes)..]
//!              ids: 8 u8, 8E and 16 u16; counts: 8 and 16 u8, 8E u16
//! record 7     see `teltonika/gh3000.rs`
//! data 12-14   codec | quantity u8 | (type u8, size u32, [13: time u32] [14: IMEI 8] text).. |
//!              quantity u8
//! CRC          CRC-16/ARC (poly 8005 reflected) over `data`, in the low half of a u32
//! ```
//!
//! Source: Teltonika Telematics Wiki, "Teltonika Data Sending Protocols" (codecs 8, 8E, 16, 12 to
//! 14), "GH3000 Protocols" (codec 7), "FMB130 Teltonika Data Sending Parameters ID" (meaning of
//! ids, `teltonika/element.rs`). Ignored: the total of elements (each group carries its own
//! count) and codec 16's generation type (what triggered the record; the event id says it).
//!
//! A frame is judged whole before its first record is reported, so that a device that resends
//! after a bad frame never leaves half of it behind. A record whose position is out of range is
//! an error of its own; the others count, and so does it in the answer, for it will be no better
//! when it is sent again.

use std::time::Duration;

use bytes::Bytes;

use super::inbox::Inbox;
use super::recognition::Mark;
use super::{Admission, BadFrame, Checksum, Decode, DecodeError, Encode, Options, Protocol};
use super::{Step, Telling, Transport, When, checksum};
use crate::PACKET;
use crate::fix::Report;
use crate::id::DeviceId;
use crate::time::Timestamp;

mod beacon;
mod command;
mod element;
mod encode;
mod frame;
mod gh3000;
mod record;

use command::Photos;
use element::Family;
use frame::{Cut, Datagram};
use record::Codec;

/// Longest frame, bytes. Devices keep to 1,280 for records; photo pieces and long texts need more.
pub(super) const FRAME_MAX: usize = 16 * 1024;

/// The protocol of Teltonika's trackers.
#[derive(Debug)]
pub struct Teltonika;

impl Protocol for Teltonika {
    fn name(&self) -> &'static str {
        "teltonika"
    }
    fn default_port(&self) -> u16 {
        5027
    }
    fn transports(&self) -> &'static [Transport] {
        &[Transport::Tcp, Transport::Udp]
    }
    fn signatures(&self) -> &'static [Mark] {
        &[
            Mark::Bytes(&[0, 0x0f, Mark::DIGIT]),
            Mark::Bytes(&[0, Mark::ANY, Mark::ANY, Mark::ANY, 1, Mark::ANY, 0, 0x0f, Mark::DIGIT]),
        ]
    }
    fn models(&self) -> &'static [&'static str] {
        &["FMB", "FMC", "FMM", "FMT", "FMP", "FMU", "MTB", "TAT", "TMT", "TFT", "GH5200", "GH3000"]
    }
    fn idle_limit(&self) -> Duration {
        Duration::from_mins(30)
    }
    fn decoder(&self, transport: Transport, options: &Options) -> Box<dyn Decode> {
        Box::new(Decoder::new(transport, options))
    }
    fn encoder(&self, transport: Transport, device: &DeviceId) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(transport, device, Codec::EightExtended))
    }
}

#[derive(Debug)]
struct Decoder {
    inbox: Inbox,
    udp: bool,
    lenient: bool,
    family: Family,
    device: Option<DeviceId>,
    /// Nothing follows what is in the inbox.
    ended: bool,
    photos: Photos,
    state: State,
}

#[derive(Debug)]
enum State {
    /// At the beginning of a frame.
    Ready,
    /// Dropping bytes until something looks like a frame.
    Lost,
    /// Asked who this is; for UDP, what to decode when it may speak.
    Asked(DeviceId, Option<Batch>),
    /// A verdict came: answer it.
    Admitted(Admission, DeviceId, Option<Batch>),
    /// Reporting the records of the frame at the head of the inbox.
    Records(Batch),
    /// A reply that follows what was reported.
    Reply(Bytes, When),
    /// The connection is to be closed.
    Closed,
}

/// A frame that was judged whole and is being reported.
#[derive(Debug, Clone)]
struct Batch {
    codec: Codec,
    /// Records not yet reported.
    left: u8,
    /// Where the next one begins, from the head of the inbox.
    at: usize,
    /// Bytes of the frame.
    frame: usize,
    checksum_ok: Option<bool>,
    /// What goes back when all is durable.
    reply: Bytes,
}

/// How many records were taken, as a stream is told it.
fn count(records: u8) -> Bytes {
    static COUNTS: [[u8; 4]; 256] = {
        let (mut counts, mut n) = ([[0; 4]; 256], 0);
        while n < 256 {
            counts[n][3] = n as u8;
            n += 1;
        }
        counts
    };
    Bytes::from_static(&COUNTS[usize::from(records)])
}

impl Decoder {
    fn new(transport: Transport, options: &Options) -> Self {
        Self {
            inbox: Inbox::default(),
            udp: transport == Transport::Udp,
            lenient: options.checksum == Checksum::Lenient,
            family: Family::of(options.model.as_deref()),
            device: None,
            ended: false,
            photos: Photos::default(),
            state: State::Ready,
        }
    }

    /// The next step at the beginning of a frame; `None`: the state has changed, look again.
    fn begin(&mut self) -> Result<Option<Step>, DecodeError> {
        if self.udp {
            return self.datagram();
        }
        let rest = self.inbox.rest();
        let whole = self.ended && self.lenient && !rest.is_empty();
        match frame::cut(rest, whole) {
            Cut::Need if self.ended && !rest.is_empty() => {
                let reason = format!("{} bytes of an unfinished frame", rest.len());
                let error = DecodeError::new(BadFrame::Truncated, rest.len(), reason, rest);
                self.inbox.skip(usize::MAX);
                Err(error)
            }
            Cut::Need => {
                self.inbox.release();
                Ok(Some(Step::NeedBytes))
            }
            Cut::Ping => {
                self.inbox.skip(1);
                Ok(None)
            }
            Cut::Login(device, length) => {
                self.inbox.skip(length);
                self.state = State::Asked(device.clone(), None);
                Ok(Some(Step::Identify(device)))
            }
            Cut::Frame(length) => self.frame(length).map(|()| None),
            Cut::Bad(kind, offset, reason) => {
                let error = DecodeError::new(kind, offset, reason.to_string(), rest);
                self.inbox.skip(1);
                self.state = State::Lost;
                Err(error)
            }
        }
    }

    /// Judges the TCP frame at the head of the inbox.
    fn frame(&mut self, length: usize) -> Result<(), DecodeError> {
        let frame = &self.inbox.rest()[..length];
        let (data, sent) = frame::parts(frame);
        let ours = checksum::ARC.of(data);
        let checksum_ok = sent == u32::from(ours);
        let judged = if self.device.is_none() {
            Err((BadFrame::NoIdentity, 0, "records before a login".to_owned()))
        } else if !checksum_ok && !self.lenient {
            let reason = format!("checksum `{sent:04x}` does not match `{ours:04x}`");
            Err((BadFrame::Checksum, length - 4, reason))
        } else {
            record::judge(data, self.lenient).map_err(|(k, at, r)| (k, at + 8, r))
        };
        let judged = judged.map_err(|(kind, at, reason)| DecodeError::new(kind, at, reason, frame));
        match judged {
            Ok((codec, left)) => {
                let reply = if codec.is_command() { Bytes::new() } else { count(data[1]) };
                let checksum_ok = Some(checksum_ok);
                let batch = Batch { codec, left, at: 10, frame: length, checksum_ok, reply };
                self.state = State::Records(batch);
                Ok(())
            }
            Err(error) => {
                self.inbox.skip(length);
                Err(error)
            }
        }
    }

    /// Judges the datagram that the inbox holds.
    fn datagram(&mut self) -> Result<Option<Step>, DecodeError> {
        let rest = self.inbox.rest();
        if rest.is_empty() {
            self.inbox.release();
            return Ok(Some(Step::NeedBytes));
        }
        let length = rest.len();
        let judged = Datagram::read(rest, self.lenient).and_then(|d| {
            let judged = record::judge(&rest[d.data..], self.lenient);
            judged.map(|j| (d, j)).map_err(|(k, at, r)| (k, at + 4, r))
        });
        match judged {
            Ok((datagram, (codec, left))) => {
                let count = rest[datagram.data + 1];
                let reply = if codec.is_command() { Bytes::new() } else { datagram.reply(count) };
                let at = datagram.data + 2;
                let batch = Batch { codec, left, at, frame: length, checksum_ok: None, reply };
                let device = datagram.device;
                self.state = State::Asked(device.clone(), Some(batch));
                Ok(Some(Step::Identify(device)))
            }
            Err((kind, at, reason)) => {
                let error = DecodeError::new(kind, at, reason, rest);
                self.inbox.skip(length);
                Err(error)
            }
        }
    }

    /// Drops bytes up to the next that may begin a frame.
    fn search(&mut self) -> Option<Step> {
        let rest = self.inbox.rest();
        let found = (0..rest.len()).find_map(|i| frame::begins(&rest[i..]).map(|sure| (i, sure)));
        let (skip, sure) = found.unwrap_or((rest.len(), false));
        self.inbox.skip(skip);
        if sure {
            self.state = State::Ready;
            return None;
        }
        if self.ended {
            self.inbox.skip(usize::MAX);
            self.state = State::Ready;
        }
        self.inbox.release();
        Some(Step::NeedBytes)
    }

    /// The next record of the batch that is being reported.
    fn record(&mut self, report: &mut Report) -> Result<Option<Step>, DecodeError> {
        let State::Records(batch) = &mut self.state else { return Ok(None) };
        let Some(device) = self.device.as_ref().filter(|_| batch.left > 0) else {
            self.inbox.skip(batch.frame);
            let reply = std::mem::take(&mut batch.reply);
            self.state = State::Ready;
            if !reply.is_empty() {
                self.state = State::Reply(reply, When::AfterDurable);
            }
            return Ok(None);
        };
        report.device.clone_from(device);
        report.time = None;
        report.fix = None;
        report.attributes.clear();
        report.checksum_ok = batch.checksum_ok;
        let frame = &self.inbox.rest()[..batch.frame];
        let read = if batch.codec.is_command() {
            command::read(batch.codec, frame, batch.at, report, &mut self.photos)
        } else {
            let read = record::read(batch.codec, frame, batch.at, report, self.family);
            read.map(|(end, outcome)| (end, outcome.map(|()| command::Said::Report)))
        };
        // The batch was judged whole, so a record always has an end.
        let (end, outcome) = read.unwrap_or((batch.frame, Ok(command::Said::Nothing)));
        let outcome = outcome.map_err(|e| {
            DecodeError::new(BadFrame::Range, batch.at, e.to_string(), &frame[batch.at..end])
        });
        (batch.at, batch.left) = (end, batch.left - 1);
        Ok(match outcome? {
            command::Said::Report => Some(Step::Report),
            command::Said::Nothing => None,
            command::Said::Ask(bytes) => {
                Some(Step::Reply { bytes: Bytes::from(bytes), when: When::Immediate })
            }
        })
    }

    fn admitted(&mut self, verdict: Admission, device: DeviceId, batch: Option<Batch>) {
        self.state = match (verdict, batch) {
            (Admission::Admitted, Some(batch)) => State::Records(batch),
            (Admission::Admitted, None) => State::Reply(Bytes::from_static(&[1]), When::Immediate),
            (_, Some(batch)) => {
                self.inbox.skip(batch.frame);
                State::Ready
            }
            (_, None) => State::Closed,
        };
        if verdict == Admission::Admitted {
            self.device = Some(device);
        }
    }
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], _received_at: Timestamp) {
        self.ended = false;
        if !matches!(self.state, State::Closed) {
            self.inbox.feed(bytes);
        }
    }

    fn poll(&mut self, report: &mut Report) -> Result<Step, DecodeError> {
        loop {
            if matches!(self.state, State::Records(_)) {
                tracing::trace!(target: PACKET, "decode");
                match self.record(report)? {
                    Some(step) => return Ok(step),
                    None => continue,
                }
            }
            let step = match std::mem::replace(&mut self.state, State::Ready) {
                State::Ready => self.begin()?,
                State::Lost => {
                    self.state = State::Lost;
                    self.search()
                }
                State::Asked(device, batch) => {
                    self.state = State::Asked(device.clone(), batch);
                    Some(Step::Identify(device))
                }
                State::Admitted(verdict, device, batch) => {
                    self.admitted(verdict, device, batch);
                    // A refused device is told so; one that nobody knows is not (contract §3).
                    (verdict == Admission::Refused && matches!(self.state, State::Closed)).then(
                        || Step::Reply { bytes: Bytes::from_static(&[0]), when: When::Immediate },
                    )
                }
                State::Records(batch) => {
                    self.state = State::Records(batch);
                    None
                }
                State::Reply(bytes, when) => Some(Step::Reply { bytes, when }),
                State::Closed => {
                    self.state = State::Closed;
                    Some(Step::Close)
                }
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn admit(&mut self, verdict: Admission) {
        self.state = match std::mem::replace(&mut self.state, State::Ready) {
            State::Asked(device, batch) => State::Admitted(verdict, device, batch),
            other => other,
        };
    }

    fn command(&mut self, telling: &Telling<'_>) -> Option<Bytes> {
        // A datagram's sender is not there any more.
        (!self.udp).then(|| Bytes::from(command::told(telling.command)))
    }

    fn mid_frame(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn frame(&mut self) -> Option<Bytes> {
        let rest = self.inbox.rest();
        let length = match frame::cut(rest, false) {
            Cut::Need | Cut::Bad(..) => return None,
            Cut::Ping => 1,
            Cut::Login(_, length) | Cut::Frame(length) => length,
        };
        let frame = Bytes::copy_from_slice(&rest[..length]);
        self.inbox.skip(length);
        Some(frame)
    }
}

#[cfg(test)]
mod tests;
