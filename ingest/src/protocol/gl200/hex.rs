//! The HEX form of @Track, and the elements that newer devices send.
//!
//! ```text
//! +RSP +BSP +EVT +BVT  kind u8 | mask u32 | length u16 | head | battery % u8 | power mV u16
//!                      | motion u8 | satellites u8 | .. | places | .. | tail
//! +INF +BNF            kind u8 | mask u16 | length u16 | head | .. | tail
//! +ACK +HBD            kind u8 | mask u8 | length u8 | ..
//!   head    device u8 | protocol u16 | firmware u8 u8 | id 8: IMEI, two digits a byte, or a name
//!   place   accuracy u8 | km/h u16 and tenths u8 | course u16 | altitude i16 | lng i32 | lat i32
//!           (1e-6 degrees) | year u16, month, day, hour, minute, second | mcc mnc area cell | u8
//!   tail    time 7 | number u16 | CRC u16 | 0d 0a
//!   kind 64 count u16 | records of bits, a second apart
//!     01 valid 1 | 0.1 km/h 12 | course 9 | lng 32 | lat 32 [| time 32, of the first]
//!     10 valid 1 | changes of them: 7 | 7 | 12 | 11        11 nothing 6
//! 2b 00 | length u16 | u8 | IMEI 8 BCD | device u16 | .. 4 | kind u8 | time u32 | number u16
//!   | elements id u8, length u8, value | ..
//!   52 place: u8 | lng i32 | lat i32 | time u32 | 0.1 km/h u16 | HDOP u8 0.1 | course u16
//!      | altitude i24 0.1 m | satellites u8
//! ```
//! The CRC is CRC-16/CCITT-FALSE of all between the four letters and itself. Lengths are those of
//! whole messages. A place is known by its time and angles, so that what kinds of events put in
//! front of it need not be known. The CRC of the newer form is not verified.

use super::Cut;
use crate::fix::Measured;
use crate::protocol::checksum;
use crate::protocol::clock;
use crate::protocol::cursor::{Cursor, digits_of, hex};
use crate::protocol::fields::part;
use crate::protocol::wire::{Complaint, Draft, Told};
use crate::time::Timestamp;

/// Longest message, bytes.
const FRAME_MAX: usize = 4 * 1024;
/// Time, number, CRC and end of line.
const TAIL: usize = 13;
/// From the accuracy to the second.
const PLACE: usize = 23;
/// Cell and a byte behind it.
const CELL: usize = 9;
const COMPRESSED: u8 = 0x64;
const PLACE_ELEMENT: u8 = 0x52;

/// Cuts a binary message; `None`: these bytes begin none.
pub(super) fn cut(bytes: &[u8], whole: bool) -> Option<Cut> {
    let long = |at: usize| {
        let length = bytes.get(at..)?.first_chunk::<2>()?;
        Some(usize::from(u16::from_be_bytes(*length)))
    };
    let length = match bytes {
        [b'+', 0, ..] => long(2),
        [b'+', ..] if bytes.len() < 5 && !whole => return Some(Cut::Need),
        [b'+', b'R' | b'B', b'S', b'P', _, ..] | [b'+', b'E' | b'B', b'V', b'T', _, ..] => long(9),
        [b'+', b'I' | b'B', b'N', b'F', _, ..] => long(7),
        [b'+', b'A', b'C', b'K', 0..=0x20, ..] | [b'+', b'H', b'B', b'D', 0..=0x20, ..] => {
            bytes.get(6).map(|length| usize::from(*length))
        }
        _ => return None,
    };
    Some(match length {
        Some(length) => Cut::of_length(length.max(5), bytes, FRAME_MAX),
        None => Cut::Need,
    })
}

/// Reads one; `None`: it is text.
pub(super) fn read(frame: &[u8], told: &mut Told) -> Option<Result<(), Complaint>> {
    Some(match frame {
        [b'+', 0, ..] => elements(frame, told),
        [b'+', b'R' | b'B', b'S', b'P', ..] | [b'+', b'E' | b'B', b'V', b'T', ..] => {
            located(frame, told)
        }
        [b'+', b'I' | b'B', b'N', b'F', ..] => checked(frame, told).and_then(|mut c| {
            c.skip(5)?;
            head(&mut c, told)
        }),
        [b'+', b'A', b'C', b'K', 0..=0x20, ..] | [b'+', b'H', b'B', b'D', 0..=0x20, ..] => Ok(()),
        _ => return None,
    })
}

/// What stands between the letters and the CRC.
fn checked<'a>(frame: &'a [u8], told: &mut Told) -> Result<Cursor<'a>, Complaint> {
    let covered = frame.get(4..frame.len().saturating_sub(4)).unwrap_or_default();
    let sent = frame.get(frame.len().saturating_sub(4)..).and_then(|t| t.first_chunk::<2>());
    let sent = sent.ok_or_else(|| Complaint::short(frame.len()))?;
    let ours = checksum::CCITT_FALSE.of(covered);
    told.checksum(u16::from_be_bytes(*sent).into(), ours.into())?;
    Ok(Cursor::new(covered))
}

fn head(c: &mut Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    c.skip(3)?;
    let firmware = format!("{}.{}", c.u8()?, c.u8()?);
    let id = c.array::<8>()?;
    if id.iter().all(|digits| *digits < 100) {
        let digits = hex(&id.map(|two| two / 10 * 16 + two % 10));
        // The last byte is one digit.
        told.from(&format!("{}{}", part(&digits, 0, 14), id[7]))?;
    } else {
        told.from(String::from_utf8_lossy(&id).trim_end_matches('\0'))?;
    }
    told.report().set("firmware", firmware);
    Ok(())
}

fn located(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let mut c = checked(frame, told)?;
    let kind = c.u8()?;
    c.skip(6)?;
    head(&mut c, told)?;
    let draft = told.last();
    draft.set("battery_percent", c.u8()?);
    draft.set("power_volts", f64::from(c.u16()?) / 1000.0);
    c.skip(1)?;
    draft.set("satellites", c.u8()?);
    if frame.get(1) == Some(&b'B') {
        draft.set("archive", true);
    }
    if kind == COMPRESSED {
        return compressed(c, told);
    }
    // The tail's CRC and end of line are gone already.
    let rest = c.rest();
    let rest = rest.get(..rest.len().saturating_sub(TAIL - 4)).unwrap_or_default();
    let (mut at, mut count) = (0, 0);
    while let Some(bytes) = rest.get(at..at + PLACE) {
        let Some((time, place)) = place(bytes) else {
            at += 1;
            continue;
        };
        let draft = if count == 0 { told.last() } else { told.report() };
        draft.time(Some(time));
        draft.set("hdop", bytes[0]);
        draft.at = Some(place);
        count += 1;
        at += PLACE + CELL;
    }
    Ok(())
}

/// A place, where one stands here.
fn place(bytes: &[u8]) -> Option<(Timestamp, Measured)> {
    let mut c = Cursor::new(bytes);
    let mut read = || -> Result<_, Complaint> {
        let accuracy = c.u8()?;
        let kmh = f64::from(c.u16()?) + f64::from(c.u8()?) / 10.0;
        let (course, altitude) = (c.u16()?, c.i16()?);
        let (lng, lat) = (f64::from(c.i32()?) / 1e6, f64::from(c.i32()?) / 1e6);
        let at = Measured {
            lng,
            lat,
            valid: accuracy > 0,
            speed: Some(kmh / 3.6),
            heading: Some(f64::from(course)),
            altitude: Some(f64::from(altitude)),
            accuracy: None,
        };
        Ok((c.u16()?, c.array::<5>()?, at))
    };
    let (year, [month, day, hour, minute, second], at) = read().ok()?;
    let six =
        [u32::from(year), month.into(), day.into(), hour.into(), minute.into(), second.into()];
    let time = clock::civil(six).filter(|_| (2008..2100).contains(&year))?;
    (at.lng.abs() <= 180.0 && at.lat.abs() <= 90.0 && at.heading <= Some(360.0))
        .then_some((time, at))
}

/// Bits of a run of places.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn unsigned(&mut self, length: usize) -> Option<i64> {
        let mut value = 0;
        for _ in 0..length {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | i64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
    fn signed(&mut self, length: usize) -> Option<i64> {
        let value = self.unsigned(length)?;
        Some(if value >> (length - 1) == 0 { value } else { value - (1 << length) })
    }
}

/// Where the run is.
#[derive(Debug, Default)]
struct Run {
    tenths: i64,
    course: i64,
    lng: i64,
    lat: i64,
    time: Option<i64>,
}

/// A record of a run.
#[derive(Debug)]
enum Record {
    Place { valid: bool },
    Nothing,
}

impl Run {
    /// The next record; `None` behind the end.
    fn next(&mut self, bits: &mut Bits<'_>) -> Option<Record> {
        self.time = self.time.map(|t| t + 1);
        match bits.unsigned(2)? {
            1 => {
                let valid = bits.unsigned(1)? == 1;
                (self.tenths, self.course) = (bits.unsigned(12)?, bits.unsigned(9)?);
                (self.lng, self.lat) = (bits.signed(32)?, bits.signed(32)?);
                if self.time.is_none() {
                    self.time = Some(bits.unsigned(32)?);
                }
                Some(Record::Place { valid })
            }
            2 => {
                let valid = bits.unsigned(1)? == 1;
                self.tenths += bits.signed(7)?;
                self.course += bits.signed(7)?;
                self.lng += bits.signed(12)?;
                self.lat += bits.signed(11)?;
                Some(Record::Place { valid })
            }
            _ => bits.unsigned(6).map(|_| Record::Nothing),
        }
    }
}

fn compressed(mut c: Cursor<'_>, told: &mut Told) -> Result<(), Complaint> {
    let count = c.u16()?;
    let mut bits = Bits { bytes: c.rest(), at: 0 };
    let mut run = Run::default();
    let mut first = true;
    for _ in 0..count {
        let Some(next) = run.next(&mut bits) else {
            return Err(Complaint::short(c.left()));
        };
        let (Record::Place { valid }, Some(time)) = (next, run.time) else { continue };
        let draft = if std::mem::take(&mut first) { told.last() } else { told.report() };
        draft.time(Some(Timestamp::from_seconds(time)));
        draft.at = Some(Measured {
            lng: run.lng as f64 / 1e6,
            lat: run.lat as f64 / 1e6,
            valid,
            speed: Some(run.tenths.max(0) as f64 / 36.0),
            heading: Some(run.course.rem_euclid(360) as f64),
            ..Measured::default()
        });
    }
    Ok(())
}

fn elements(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    // Four bytes of an end that no document of ours names.
    let mut c = Cursor::new(frame.get(..frame.len().saturating_sub(4)).unwrap_or_default());
    c.skip(5)?;
    told.from(digits_of(c.take(8)?).trim_start_matches('0'))?;
    c.skip(7)?;
    let time = c.u32()?;
    c.skip(2)?;
    let draft = told.report();
    draft.time(Some(Timestamp::from_seconds(time.into())));
    while c.left() >= 2 {
        let (id, length) = (c.u8()?, c.u8()?);
        let value = c.take(length.into())?;
        if id == PLACE_ELEMENT {
            element(value, draft)?;
        }
    }
    Ok(())
}

fn element(value: &[u8], draft: &mut Draft) -> Result<(), Complaint> {
    let mut c = Cursor::new(value);
    c.skip(1)?;
    let (lng, lat) = (f64::from(c.i32()?) / 1e6, f64::from(c.i32()?) / 1e6);
    draft.time(Some(Timestamp::from_seconds(c.u32()?.into())));
    let (tenths, hdop, course) = (c.u16()?, c.u8()?, c.u16()?);
    let altitude = (c.u24()? << 8) as i32 >> 8;
    let satellites = c.u8()?;
    draft.set("hdop", f64::from(hdop) / 10.0);
    draft.set("satellites", satellites);
    draft.at = Some(Measured {
        lng,
        lat,
        valid: satellites > 0,
        speed: Some(f64::from(tenths) / 36.0),
        heading: Some(f64::from(course)),
        altitude: Some(f64::from(altitude) / 10.0),
        accuracy: None,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::GL200;
    use super::*;
    use crate::protocol::tests::talk;
    use crate::protocol::{Options, Protocol, Transport};

    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut body = vec![kind, 0, 0xfc, 0x1f, 0xbf];
        let length = 4 + body.len() + 2 + 13 + 5 + content.len() + TAIL;
        body.extend((length as u16).to_be_bytes());
        body.extend([0x45, 1, 1, 1, 8, 35, 20, 93, 8, 14, 52, 25, 1]);
        body.extend([100, 0x31, 0x2a, 0x41, 9]);
        body.extend(content);
        body.extend([7, 0xea, 11, 20, 8, 15, 31, 0, 7]);
        let crc = checksum::CCITT_FALSE.of(&body).to_be_bytes();
        [b"+RSP", body.as_slice(), &crc, b"\r\n"].concat()
    }

    fn read(stream: &[u8]) -> Vec<String> {
        let mut decoder = GL200.decoder(Transport::Tcp, &Options::default());
        talk(decoder.as_mut(), stream.chunks(1), false)
    }

    const HEAD: &str = "352093081452251 2026-11-20T08:15:30.000Z A 1.5000000,2.0000000 10m/s 90deg";
    const TOLD: &str = "battery_percent=100 firmware=\"1.8\"";

    #[test]
    fn a_place_is_known_by_its_time() {
        let mut content = vec![0xaa, 0xbb, 1, 2, 0, 36, 0, 0, 90, 0, 100];
        content.extend(2_000_000_i32.to_be_bytes());
        content.extend(1_500_000_i32.to_be_bytes());
        content.extend([7, 0xea, 11, 20, 8, 15, 30, 2, 0x68, 0, 3, 0, 1, 0, 2, 0]);
        let expected = format!("{HEAD} 100m {TOLD} hdop=2 power_volts=12.586 satellites=9");
        assert_eq!(read(&message(0, &content)), [expected]);
    }

    #[test]
    fn a_run_of_places_goes_by_its_changes() {
        let mut bits = String::from("011");
        let mut add = |value: i64, length: usize| {
            (0..length)
                .rev()
                .for_each(|bit| bits.push(if value >> bit & 1 == 1 { '1' } else { '0' }));
        };
        for (value, length) in
            [(360, 12), (90, 9), (2_000_000, 32), (1_500_000, 32), (1_795_162_530, 32)]
        {
            add(value, length);
        }
        // Nothing for a second, then a step.
        for (value, length) in
            [(3, 2), (0, 6), (2, 2), (1, 1), (-36, 7), (-1, 7), (10, 12), (-10, 11)]
        {
            add(value, length);
        }
        let mut content = vec![0, 3];
        for byte in bits.as_bytes().chunks(8) {
            let bit = |at: usize| u8::from(byte.get(at) == Some(&b'1')) << (7 - at);
            content.push((0..8).map(bit).sum());
        }
        content.extend([0; 9]);
        let first = format!("{HEAD} {TOLD} power_volts=12.586 satellites=9");
        let second = "352093081452251 2026-11-20T08:15:32.000Z A 1.4999900,2.0000100 9m/s 89deg";
        assert_eq!(read(&message(COMPRESSED, &content)), [first.as_str(), second]);
    }
}
