//! A tracker's side: the records of codecs 8, 8 extended and 16, login, and what the answers say.
//!
//! Carried as the wire can: time to a millisecond, place to 1e-7 degrees, altitude to a metre,
//! speed to 1 km/h, heading to a degree; attributes that have an id (`element.rs`, ids that every
//! platform shares) or are `io<N>` numbers, satellites, event and priority. `valid` travels as
//! the number of satellites. Anything else stays behind.

use std::collections::VecDeque;

use super::command::wrapped;
use super::element::{ACCELERATION, BRAKING, CORNERING, ELEMENTS, Element, Family, Meaning};
use super::record::Codec;
use crate::attribute::{Attributes, Key, Value};
use crate::fix::Report;
use crate::id::DeviceId;
use crate::protocol::{Answer, Encode, Transport};
use crate::units::{Heading, Metres};

/// Most records of one TCP packet; about 100 bytes each keep it far below a decoder's limit.
const RECORDS_TCP: usize = 64;
/// Most records of one datagram; keeps it below the smallest MTU of the internet.
const RECORDS_UDP: usize = 8;
/// Unanswered packets remembered; older ones count as lost.
const UNANSWERED_MAX: usize = 64;
/// Satellites of a valid fix whose report does not count them.
const SATELLITES: i64 = 9;

#[derive(Debug)]
pub(super) struct Encoder {
    udp: bool,
    device: DeviceId,
    codec: Codec,
    /// Whether the login has been answered.
    logged_in: bool,
    /// Records and number of each unanswered packet, oldest first.
    unanswered: VecDeque<(u8, u8)>,
    packets: u16,
    /// An answer that is not complete yet; at most 7 bytes.
    partial: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(transport: Transport, device: &DeviceId, codec: Codec) -> Self {
        Self {
            udp: transport == Transport::Udp,
            device: device.clone(),
            codec,
            logged_in: transport == Transport::Udp,
            unanswered: VecDeque::new(),
            packets: 0,
            partial: Vec::new(),
        }
    }

    fn understood(&mut self, out: &mut Vec<Answer>) -> bool {
        if !self.logged_in {
            let Some(verdict) = self.partial.first().copied() else { return false };
            self.partial.drain(..1);
            self.logged_in = verdict == 1;
            out.push(if self.logged_in { Answer::LoggedIn } else { Answer::Refused });
            return true;
        }
        let length = if self.udp { 7 } else { 4 };
        if self.partial.len() < length {
            return false;
        }
        let answer: Vec<u8> = self.partial.drain(..length).collect();
        let stored = match self.unanswered.pop_front() {
            Some((records, _)) if !self.udp => answer == u32::from(records).to_be_bytes(),
            Some((records, number)) => answer[5] == number && answer[6] == records,
            None => return true,
        };
        out.push(if stored { Answer::Stored } else { Answer::NotStored });
        true
    }
}

impl Encode for Encoder {
    fn login(&mut self) -> Vec<u8> {
        self.partial.clear();
        self.unanswered.clear();
        self.logged_in = self.udp;
        if self.udp { Vec::new() } else { identity(&self.device) }
    }

    fn packet(&mut self, reports: &[Report]) -> Vec<u8> {
        let data = data(self.codec, reports);
        self.packets = self.packets.wrapping_add(1);
        let number = self.packets as u8;
        if self.unanswered.len() == UNANSWERED_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((data[1], number));
        if !self.udp {
            return wrapped(&data);
        }
        let mut datagram = vec![0, 0];
        datagram.extend(self.packets.to_be_bytes());
        datagram.extend([1, number]);
        datagram.extend(identity(&self.device));
        datagram.extend(data);
        let length = (datagram.len() - 2) as u16;
        datagram[..2].copy_from_slice(&length.to_be_bytes());
        datagram
    }

    fn answer(&mut self, bytes: &[u8], out: &mut Vec<Answer>) {
        self.partial.extend_from_slice(bytes);
        while self.understood(out) {}
    }

    fn records_max(&self) -> usize {
        if self.udp { RECORDS_UDP } else { RECORDS_TCP }
    }

    fn acknowledges(&self) -> bool {
        true
    }
}

fn identity(device: &DeviceId) -> Vec<u8> {
    let digits = device.as_str().as_bytes();
    [&(digits.len() as u16).to_be_bytes(), digits].concat()
}

/// Codec, count, records, count.
fn data(codec: Codec, reports: &[Report]) -> Vec<u8> {
    let reports = &reports[..reports.len().min(usize::from(u8::MAX))];
    let mut out = vec![codec.id(), reports.len() as u8];
    for report in reports {
        record(codec, report, &mut out);
    }
    out.push(reports.len() as u8);
    out
}

fn record(codec: Codec, report: &Report, out: &mut Vec<u8>) {
    let whole = |name: &'static str| match report.attributes.get(&Key::from(name)) {
        Some(Value::Int(v)) => Some(v),
        _ => None,
    };
    out.extend(report.time.unwrap_or_default().millis().to_be_bytes());
    out.push(whole("priority").unwrap_or_default() as u8);
    let fix = report.fix.as_ref();
    let (lng, lat) = fix.map(|f| f.position.to_e7()).unwrap_or_default();
    out.extend(lng.to_be_bytes());
    out.extend(lat.to_be_bytes());
    let rounded = |v: Option<f64>| v.unwrap_or_default().round();
    let altitude = rounded(fix.and_then(|f| f.altitude).map(Metres::get)) as i16;
    out.extend(altitude.to_be_bytes());
    let angle = rounded(fix.and_then(|f| f.heading).map(Heading::get)) as u16;
    out.extend(angle.to_be_bytes());
    let satellites = whole("satellites").filter(|s| *s > 0).unwrap_or(SATELLITES);
    out.push(if fix.is_some_and(|f| f.valid) { satellites as u8 } else { 0 });
    let kmh = rounded(fix.and_then(|f| f.speed).map(|v| v.get() * 3.6)) as u16;
    out.extend(kmh.to_be_bytes());
    number(whole("event").unwrap_or_default() as u16, codec.wide_ids(), out);
    if codec == Codec::Sixteen {
        // Generation type 5: on change of a property.
        out.push(5);
    }
    elements(codec, &report.attributes, out);
}

fn number(value: u16, wide: bool, out: &mut Vec<u8>) {
    if wide { out.extend(value.to_be_bytes()) } else { out.push(value as u8) }
}

fn elements(codec: Codec, attributes: &Attributes, out: &mut Vec<u8>) {
    let most = if codec.wide_ids() { u16::MAX } else { u16::from(u8::MAX) };
    let sent: Vec<(u16, usize, u64)> = attributes
        .iter()
        .filter_map(|(key, value)| element(&key, &value))
        .filter(|(id, ..)| *id <= most)
        .take(usize::from(u8::MAX))
        .collect();
    number(sent.len() as u16, codec.wide_counts(), out);
    for size in [1, 2, 4, 8] {
        let group = || sent.iter().filter(|(_, s, _)| *s == size);
        number(group().count() as u16, codec.wide_counts(), out);
        for (id, _, bits) in group() {
            number(*id, codec.wide_ids(), out);
            out.extend(&bits.to_be_bytes()[8 - size..]);
        }
    }
    if codec == Codec::EightExtended {
        number(0, true, out);
    }
}

/// Id, bytes and bits of an attribute, where the wire has a place for it.
fn element(key: &Key<'_>, value: &Value<'_>) -> Option<(u16, usize, u64)> {
    match (key, value) {
        (Key::Io(id), Value::Int(v)) => Some((u16::try_from(*id).ok()?, size_of(*v), *v as u64)),
        (Key::Known(name, number), value) => {
            let same = |e: &&Element| e.name == *name && e.number == *number;
            let element = ELEMENTS.iter().filter(|e| e.family == Family::Any).find(same)?;
            let bits = bits(element.meaning, value)?;
            let size = match element.meaning {
                Meaning::Signed | Meaning::SignedParts(_) => signed_size(bits),
                _ => size_of(bits),
            };
            Some((element.id, size, bits as u64))
        }
        _ => None,
    }
}

fn bits(meaning: Meaning, value: &Value<'_>) -> Option<i64> {
    match (meaning, value) {
        (Meaning::Count | Meaning::Signed, Value::Int(v)) => Some(*v),
        (Meaning::Parts(p) | Meaning::SignedParts(p), Value::Float(v)) => {
            Some((v * p).round() as i64)
        }
        (Meaning::Flag, Value::Bool(v)) => Some(i64::from(*v)),
        (Meaning::Button, Value::Text(v)) => {
            u64::from_str_radix(v, 16).ok().map(|b| b.swap_bytes() as i64)
        }
        (Meaning::Driving, Value::Text(v)) => {
            let kinds = [ACCELERATION, BRAKING, CORNERING];
            kinds.iter().position(|k| k == v).map(|i| i as i64 + 1)
        }
        _ => None,
    }
}

/// Bytes of the smallest group that holds a number which is read without a sign.
fn size_of(value: i64) -> usize {
    match value {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

fn signed_size(value: i64) -> usize {
    match value {
        -0x80..=0x7f => 1,
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}
