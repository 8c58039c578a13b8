//! Phones: OsmAnd, Traccar Client and whatever sends the same HTTP request.
//!
//! ```text
//! GET  /?id=..&lat=..&lon=..&timestamp=..&speed=..&bearing=..&altitude=..&accuracy=..&batt=..
//! POST / the same as a form, or JSON:
//!      {"device_id": "..", "location": {"timestamp": "..", "coords": {"latitude": .., ..}, ..}}
//! 200  stored (after durable)      400  no device, nothing readable, or a device not admitted
//! ```
//! `timestamp`: seconds or (from 2^31 on) milliseconds since 1970, RFC 3339, or `2014-06-04
//! 09:10:11` UTC; absent: the time of receipt. `speed` of a query is in knots, of JSON in metres
//! per second. `location=lat,lng` stands for both. `id` or `deviceid`; with JSON also in the
//! query. JSON's `location` may be a list. All other parameters and JSON's `extras` become
//! attributes, by Traccar's names where the registry knows them.
//!
//! Source: traccar.org/osmand (query), traccar.org/client-configuration and the Transistorsoft
//! "Location data schema" (JSON). Ignored: `uuid`, `_`, accuracies of speed, heading and altitude.
//! A connection is kept open unless the phone asks otherwise; every request names its device
//! anew, since a proxy may send those of many phones over one connection.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use super::inbox::Inbox;
use super::{Admission, BadFrame, Decode, DecodeError, Encode, Options, Protocol, http};
use super::{Step, Transport, When};
use crate::attribute::Attributes;
use crate::fix::Report;
use crate::id::DeviceId;
use crate::time::Timestamp;
use crate::units::OutOfRange;

mod encode;
mod json;
mod query;

pub(super) use query::{pairs, time};

/// The protocol of phones.
#[derive(Debug)]
pub struct OsmAnd;

impl Protocol for OsmAnd {
    fn name(&self) -> &'static str {
        "osmand"
    }
    fn default_port(&self) -> u16 {
        5055
    }
    fn transports(&self) -> &'static [Transport] {
        &[Transport::Http]
    }
    fn models(&self) -> &'static [&'static str] {
        &["OsmAnd", "Traccar Client", "GPSLogger", "PhoneTrack", "Transistorsoft SDK"]
    }
    fn idle_limit(&self) -> Duration {
        Duration::from_mins(5)
    }
    fn decoder(&self, _transport: Transport, _options: &Options) -> Box<dyn Decode> {
        Box::new(Decoder::default())
    }
    fn encoder(&self, _transport: Transport, device: &DeviceId) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(device))
    }
}

/// A record as a request gives it: filled, or with a position out of range.
type Record = Result<Report, OutOfRange>;

/// The records of a request; most have one.
#[derive(Debug, Default)]
struct Records {
    first: Option<Record>,
    more: std::vec::IntoIter<Record>,
}

impl Records {
    fn one(record: Record) -> Self {
        Self { first: Some(record), more: Vec::new().into_iter() }
    }
    fn of(records: Vec<Record>) -> Self {
        Self { first: None, more: records.into_iter() }
    }
    fn next(&mut self) -> Option<Record> {
        self.first.take().or_else(|| self.more.next())
    }
}

/// What a request says.
#[derive(Debug)]
struct Message {
    device: DeviceId,
    records: Records,
    /// What the request shows.
    secret: Option<Vec<u8>>,
}

/// Why it says nothing: kind and words.
type Complaint = (BadFrame, String);

#[derive(Debug, Default)]
struct Decoder {
    inbox: Inbox,
    received_at: Timestamp,
    ended: bool,
    /// The connection ends when this request has been answered.
    close: bool,
    /// Who spoke last: most connections are one phone's.
    last: Option<DeviceId>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Ready,
    Asked(Message),
    Records(Records),
    /// Refused; the next step says so.
    Refuse(Bytes),
    /// Answered; the connection goes on or ends.
    Answered,
    Closed,
}

impl Decoder {
    /// The next request; what it says is put into memory of `report`'s.
    fn begin(&mut self, report: &mut Report) -> Result<Option<Step>, DecodeError> {
        let rest = self.inbox.rest();
        if rest.is_empty() {
            self.inbox.release();
            return Ok(Some(Step::NeedBytes));
        }
        let request = match http::cut(rest) {
            Ok(Some(request)) => request,
            Ok(None) if self.ended => {
                let reason = format!("{} bytes of an unfinished request", rest.len());
                let error = DecodeError::new(BadFrame::Truncated, rest.len(), reason, rest);
                self.inbox.skip(usize::MAX);
                self.close = true;
                self.state = State::Refuse(http::bad_request(true));
                return Err(error);
            }
            Ok(None) => return Ok(Some(Step::NeedBytes)),
            Err(refusal) => {
                let error = DecodeError::new(refusal.kind, 0, refusal.reason, rest);
                self.inbox.skip(usize::MAX);
                self.close = true;
                self.state = State::Refuse(refusal.answer);
                return Err(error);
            }
        };
        self.close = request.close;
        let length = request.length;
        let secret = request.secret();
        let mut memory = std::mem::take(&mut report.attributes);
        memory.clear();
        let message = read(&request, self.received_at, self.last.as_ref(), memory)
            .map(|message| Message { secret, ..message })
            .map_err(|(kind, reason)| DecodeError::new(kind, 0, reason, &rest[..length]));
        self.inbox.skip(length);
        match message {
            Ok(message) => {
                let device = message.device.clone();
                self.state = State::Asked(message);
                Ok(Some(Step::Identify(device)))
            }
            Err(error) => {
                self.state = State::Refuse(http::bad_request(self.close));
                Err(error)
            }
        }
    }
}

/// Reads a query, a form or JSON.
fn read(
    request: &http::Request<'_>,
    received_at: Timestamp,
    last: Option<&DeviceId>,
    memory: Attributes,
) -> Result<Message, Complaint> {
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let json = b"application/json";
    if request.content_type.get(..json.len()).is_some_and(|t| t.eq_ignore_ascii_case(json)) {
        return json::read(request.body, query, received_at);
    }
    if query.is_empty() {
        let form = std::str::from_utf8(request.body)
            .map_or_else(|_| String::from_utf8_lossy(request.body), Cow::Borrowed);
        return query::read(&form, received_at, last, memory);
    }
    query::read(query, received_at, last, memory)
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], received_at: Timestamp) {
        self.ended = false;
        self.received_at = received_at;
        if !matches!(self.state, State::Closed) {
            self.inbox.feed(bytes);
        }
    }

    fn poll(&mut self, report: &mut Report) -> Result<Step, DecodeError> {
        loop {
            match std::mem::take(&mut self.state) {
                State::Ready => {
                    if let Some(step) = self.begin(report)? {
                        return Ok(step);
                    }
                }
                State::Asked(message) => {
                    let device = message.device.clone();
                    self.state = State::Asked(message);
                    return Ok(Step::Identify(device));
                }
                State::Records(mut records) => {
                    let Some(record) = records.next() else {
                        self.state = State::Answered;
                        let bytes = http::ok(self.close);
                        return Ok(Step::Reply { bytes, when: When::AfterDurable });
                    };
                    self.state = State::Records(records);
                    match record {
                        Ok(record) => {
                            *report = record;
                            return Ok(Step::Report);
                        }
                        Err(error) => {
                            let reason = error.to_string();
                            return Err(DecodeError::new(BadFrame::Range, 0, reason, &[]));
                        }
                    }
                }
                State::Refuse(bytes) => {
                    self.state = State::Answered;
                    return Ok(Step::Reply { bytes, when: When::Immediate });
                }
                State::Answered if self.close => self.state = State::Closed,
                State::Answered => {}
                State::Closed => {
                    self.state = State::Closed;
                    return Ok(Step::Close);
                }
            }
        }
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn admit(&mut self, verdict: Admission) {
        self.state = match std::mem::take(&mut self.state) {
            State::Asked(message) if verdict == Admission::Admitted => {
                self.last = Some(message.device);
                State::Records(message.records)
            }
            State::Asked(_) => State::Refuse(http::bad_request(self.close)),
            other => other,
        };
    }

    fn shown(&self) -> Option<&[u8]> {
        match &self.state {
            State::Asked(message) => message.secret.as_deref(),
            _ => None,
        }
    }

    fn mid_frame(&self) -> bool {
        !self.inbox.is_empty()
    }
}

#[cfg(test)]
mod tests;
