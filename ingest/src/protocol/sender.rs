//! The device's side of a [`super::wire::Wired`] protocol: one message a report, answers compared
//! with those that a stored message gets.

use std::collections::VecDeque;

use super::{Answer, Encode, Transport, angle};
use crate::attribute::{Key, Value};
use crate::fix::Report;
use crate::id::DeviceId;
use crate::time::Civil;
use crate::units::{Heading, Metres, MetresPerSecond};

/// Most reports of one write over a stream.
const RECORDS_TCP: usize = 16;
/// Unanswered packets remembered; older ones count as lost.
const UNANSWERED_MAX: usize = 64;

/// Who speaks.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) device: String,
    pub(super) transport: Transport,
    serial: u32,
}

impl Speaker {
    pub(super) fn new(device: &DeviceId, transport: Transport) -> Self {
        Self { device: device.to_string(), transport, serial: 0 }
    }
    /// The next number of a message, from 1.
    pub(super) fn next(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
    /// A new connection: numbers begin anew.
    pub(super) fn restart(&mut self) {
        self.serial = 0;
    }
    /// The device's digits in pairs, filled with zeros in front to `length` bytes.
    pub(super) fn bcd(&self, length: usize) -> Vec<u8> {
        let digits: Vec<u8> =
            self.device.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
        let from = digits.len().saturating_sub(2 * length);
        let digits =
            [&vec![0; (2 * length).saturating_sub(digits.len())], &digits[from..]].concat();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }
}

/// A message and the answer that says it is safe; empty where there is none.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) bytes: Vec<u8>,
    pub(super) answer: Vec<u8>,
}

impl Sent {
    /// A message that is not answered.
    pub(super) fn unanswered(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), answer: Vec::new() }
    }
    pub(super) fn new(bytes: impl Into<Vec<u8>>, answer: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), answer: answer.into() }
    }
}

/// Nothing is sent first.
pub(super) fn no_login(_: &mut Speaker) -> Sent {
    Sent::default()
}

#[derive(Debug)]
pub(super) struct Sender {
    speaker: Speaker,
    login: fn(&mut Speaker) -> Sent,
    message: fn(&mut Speaker, &Report) -> Sent,
    acknowledges: bool,
    /// Answers still to come: those of a login, those of packets.
    expected: VecDeque<(Vec<u8>, Answer)>,
    /// An answer that is not complete; shorter than the longest expected one.
    partial: Vec<u8>,
}

impl Sender {
    pub(super) fn new(
        speaker: Speaker,
        login: fn(&mut Speaker) -> Sent,
        message: fn(&mut Speaker, &Report) -> Sent,
        acknowledges: bool,
    ) -> Self {
        let (expected, partial) = (VecDeque::new(), Vec::new());
        Self { speaker, login, message, acknowledges, expected, partial }
    }
    fn expect(&mut self, answer: Vec<u8>, meaning: Answer) {
        if answer.is_empty() {
            return;
        }
        if self.expected.len() == UNANSWERED_MAX {
            self.expected.pop_front();
        }
        self.expected.push_back((answer, meaning));
    }
}

impl Encode for Sender {
    fn login(&mut self) -> Vec<u8> {
        self.expected.clear();
        self.partial.clear();
        let sent = (self.login)(&mut self.speaker);
        self.expect(sent.answer, Answer::LoggedIn);
        sent.bytes
    }

    fn packet(&mut self, reports: &[Report]) -> Vec<u8> {
        let mut all = Sent::default();
        for report in reports {
            let sent = (self.message)(&mut self.speaker, report);
            all.bytes.extend(sent.bytes);
            all.answer.extend(sent.answer);
        }
        self.expect(all.answer, Answer::Stored);
        all.bytes
    }

    fn answer(&mut self, bytes: &[u8], out: &mut Vec<Answer>) {
        self.partial.extend_from_slice(bytes);
        while let Some((expected, meaning)) = self.expected.front() {
            if self.partial.len() < expected.len() {
                return;
            }
            let same = self.partial.starts_with(expected);
            out.push(match meaning {
                _ if same => *meaning,
                Answer::LoggedIn => Answer::Refused,
                _ => Answer::NotStored,
            });
            let length = expected.len();
            self.partial.drain(..length);
            self.expected.pop_front();
        }
        // What nobody waits for is not kept.
        self.partial.clear();
    }

    fn records_max(&self) -> usize {
        if self.speaker.transport == Transport::Tcp { RECORDS_TCP } else { 1 }
    }

    fn acknowledges(&self) -> bool {
        self.acknowledges
    }
}

/// A report in the plain numbers that wires are made of; what is absent is 0.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) civil: Civil,
    pub(super) valid: bool,
    pub(super) lat: f64,
    pub(super) lng: f64,
    pub(super) kmh: f64,
    pub(super) knots: f64,
    pub(super) heading: f64,
    pub(super) altitude: f64,
}

impl Plain {
    pub(super) fn of(report: &Report) -> Self {
        let time = report.time.unwrap_or_default();
        let fix = report.fix.as_ref();
        let place = fix.map(|f| f.position);
        let mps = fix.and_then(|f| f.speed).map_or(0.0, MetresPerSecond::get);
        Self {
            civil: time.civil(),
            valid: fix.is_some_and(|f| f.valid),
            lat: place.map_or(0.0, |p| p.lat),
            lng: place.map_or(0.0, |p| p.lng),
            kmh: mps * 3.6,
            knots: mps * 3600.0 / 1852.0,
            heading: fix.and_then(|f| f.heading).map_or(0.0, Heading::get),
            altitude: fix.and_then(|f| f.altitude).map_or(0.0, Metres::get),
        }
    }
    /// Whole degrees of heading, 0 to 359.
    pub(super) fn degrees(&self) -> u16 {
        self.heading.round() as u16 % 360
    }
    /// `yymmdd`.
    pub(super) fn yymmdd(&self) -> String {
        let c = &self.civil;
        format!("{:02}{:02}{:02}", c.year.rem_euclid(100), c.month, c.day)
    }
    /// `ddmmyy`.
    pub(super) fn ddmmyy(&self) -> String {
        let c = &self.civil;
        format!("{:02}{:02}{:02}", c.day, c.month, c.year.rem_euclid(100))
    }
    /// `hhmmss`.
    pub(super) fn hhmmss(&self) -> String {
        let c = &self.civil;
        format!("{:02}{:02}{:02}", c.hour, c.minute, c.second)
    }
    /// Year of the century, month, day, hour, minute, second.
    pub(super) fn six(&self) -> [u8; 6] {
        let c = &self.civil;
        let year = c.year.rem_euclid(100) as u32;
        [year, c.month, c.day, c.hour, c.minute, c.second].map(|v| v as u8)
    }
    /// From validity to heading, as NMEA's RMC has them.
    pub(super) fn rmc(&self) -> String {
        format!(
            "{},{},{},{},{},{:.2},{:.2}",
            self.status(),
            angle::shown(self.lat, 2, 4),
            angle::north(self.lat),
            angle::shown(self.lng, 3, 4),
            angle::east(self.lng),
            self.knots,
            self.heading,
        )
    }
    /// `A` or `V`.
    pub(super) fn status(&self) -> char {
        if self.valid { 'A' } else { 'V' }
    }
}

/// An attribute that is a whole number.
pub(super) fn whole(report: &Report, key: impl Into<Key<'static>>) -> Option<i64> {
    match report.attributes.get(&key.into()) {
        Some(Value::Int(v)) => Some(v),
        _ => None,
    }
}

/// An attribute that is a yes or no.
pub(super) fn flag(report: &Report, key: impl Into<Key<'static>>) -> Option<bool> {
    match report.attributes.get(&key.into()) {
        Some(Value::Bool(v)) => Some(v),
        _ => None,
    }
}
