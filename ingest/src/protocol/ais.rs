//! AIS: what ships and their receivers say, `!AIVDM` sentences.
//!
//! ```text
//! [\c:<s or ms>,s:<station>*hh\]!AIVDM,<parts>,<part>,<group>,<channel>,<payload>,<fill>*hh
//! payload  six bits a letter: kind 6 | repeat 2 | MMSI 30 | ..
//!   1 2 3    status 4 turn 8 speed 10 accuracy 1 lng 28 lat 27 course 12 heading 9 second 6
//!   4 11     year 14 month 4 day 5 hour 5 minute 6 second 6 accuracy 1 lng 28 lat 27
//!   9        altitude 12 speed 10 in knots accuracy 1 lng 28 lat 27 course 12 second 6
//!   18 19    8 speed 10 accuracy 1 lng 28 lat 27 course 12 heading 9 second 6
//!   27       accuracy 1 1 status 4 lng 18 lat 17 in tenths of a minute speed 6 course 9
//! ```
//! A ship is named by its MMSI; one receiver speaks for many. Only the second of the time is told:
//! the minute is the tag's in front (or behind, as some relays have it), else that of receipt. A
//! second of 61 to 63 says that the place is none of a receiver's. Source: ITU-R M.1371-5, annex 8;
//! NMEA 0183 4.10 for tags. Ignored: names and voyages (5, 24), aids to navigation, all others.

use super::fields::{Fields, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, TCP_UDP, Told, Wire, Wired};
use super::{checksum, clock};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

mod bits;

use bits::Bits;

/// Longest line, bytes.
const LINE_MAX: usize = 1024;
/// Longest payload put together, letters.
const PAYLOAD_MAX: usize = 400;
const KNOT_MPS: f64 = 1852.0 / 3600.0;
/// From here on a tag's time is in milliseconds.
const MILLIS_FROM: i64 = 100_000_000_000;

/// AIS.
pub(super) const AIS: Wired = Wired {
    name: "ais",
    port: 5130,
    transports: TCP_UDP,
    signatures: &[Mark::Text("!??VDM,"), Mark::Text("!??VDO,"), Mark::Text("\\~:")],
    models: &["AIS receivers", "AIS-catcher", "rtl-ais"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Ais::default()),
    login: super::sender::no_login,
    message,
};

/// The beginning of a message of several parts.
#[derive(Debug, Default)]
struct Ais {
    payload: String,
    /// Group and part that go on.
    next: Option<(String, u8)>,
}

impl Wire for Ais {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        Cut::line(bytes, b"\r\n", whole, LINE_MAX)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let tag = line.find("c:").and_then(|at| time(part(line, at + 2, line.len())));
        let Some(at) = line.find('!') else {
            // A tag of its own.
            return if line.contains("c:") {
                Ok(())
            } else {
                Err(Complaint::bad("sentence", frame))
            };
        };
        let sentence = part(line, at + 1, line.len());
        let (body, sum) = sentence.split_once('*').unwrap_or((sentence, ""));
        if let Some(sent) = hexadecimal(part(sum, 0, 2)) {
            told.checksum(sent as u32, checksum::xor(body.as_bytes()).into())?;
        }
        let mut fields = Fields::new(body, ',');
        if !matches!(part(fields.text(), 2, 5), "VDM" | "VDO") {
            return Ok(());
        }
        let (parts, nth) = (fields.whole(), fields.whole());
        let group = fields.text();
        fields.skip(1);
        let Some(payload) = self.put_together(parts, nth, group, fields.text()) else {
            return Ok(());
        };
        let bits = Bits::of(&payload);
        let reference = tag.unwrap_or(told.received_at);
        place(&bits, reference, told).ok_or_else(|| Complaint::bad("payload", payload.as_bytes()))
    }
}

impl Ais {
    /// The whole payload, when its last part is there.
    fn put_together(
        &mut self,
        parts: Option<i64>,
        nth: Option<i64>,
        group: &str,
        payload: &str,
    ) -> Option<String> {
        let (parts, nth) = (u8::try_from(parts?).ok()?, u8::try_from(nth?).ok()?);
        if parts == 1 {
            return Some(part(payload, 0, PAYLOAD_MAX).to_owned());
        }
        if nth == 1 {
            self.payload.clear();
        } else if self.next.take() != Some((group.to_owned(), nth)) {
            return None;
        }
        if self.payload.len() + payload.len() > PAYLOAD_MAX {
            return None;
        }
        self.payload.push_str(payload);
        if nth == parts {
            return Some(std::mem::take(&mut self.payload));
        }
        self.next = Some((group.to_owned(), nth.saturating_add(1)));
        None
    }
}

/// A tag's time.
fn time(text: &str) -> Option<Timestamp> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: i64 = part(text, 0, digits).parse().ok()?;
    Some(if number >= MILLIS_FROM {
        Timestamp::from_millis(number)
    } else {
        Timestamp::from_seconds(number)
    })
}

/// The moment with this second that is the last one before `reference` or at most a little later.
fn at_second(second: u64, reference: Timestamp) -> Timestamp {
    const LATER: i64 = 5;
    const MINUTE: i64 = 60_000_000;
    if second >= 60 {
        return reference;
    }
    let micros = reference.micros();
    let minute = micros - micros.rem_euclid(MINUTE);
    let at = minute + second as i64 * 1_000_000;
    let ahead = at - micros > LATER * 1_000_000;
    Timestamp::from_micros(if ahead { at - MINUTE } else { at })
}

/// Where the fields of a kind stand.
#[derive(Debug)]
struct Layout {
    status: Option<usize>,
    altitude: Option<usize>,
    speed: usize,
    /// Knots that one of its units is.
    knots: f64,
    lng: usize,
    course: usize,
    heading: Option<usize>,
    second: usize,
}

const CLASS_A: Layout = Layout {
    status: Some(38),
    altitude: None,
    speed: 50,
    knots: 0.1,
    lng: 61,
    course: 116,
    heading: Some(128),
    second: 137,
};
const CLASS_B: Layout = Layout {
    status: None,
    altitude: None,
    speed: 46,
    knots: 0.1,
    lng: 57,
    course: 112,
    heading: Some(124),
    second: 133,
};
const AIRCRAFT: Layout = Layout {
    status: None,
    altitude: Some(38),
    speed: 50,
    knots: 1.0,
    lng: 61,
    course: 116,
    heading: None,
    second: 128,
};

fn place(bits: &Bits, reference: Timestamp, told: &mut Told) -> Option<()> {
    let layout = match bits.unsigned(0, 6)? {
        1..=3 => CLASS_A,
        9 => AIRCRAFT,
        18 | 19 => CLASS_B,
        4 | 11 => return station(bits, told),
        27 => return far(bits, reference, told),
        _ => return Some(()),
    };
    let (lng, lat) = (bits.signed(layout.lng, 28)?, bits.signed(layout.lng + 28, 27)?);
    let second = bits.unsigned(layout.second, 6)?;
    let precise = bits.unsigned(layout.lng - 1, 1)? == 1;
    named(bits, told)?;
    let draft = told.report();
    draft.time(Some(at_second(second, reference)));
    let known = |value: u64, none: u64| (value < none).then_some(value as f64);
    draft.at = measured(lng as f64 / 6e5, lat as f64 / 6e5).map(|at| Measured {
        valid: second <= 60,
        speed: known(bits.unsigned(layout.speed, 10).unwrap_or(1023), 1023)
            .map(|v| v * layout.knots * KNOT_MPS),
        heading: known(bits.unsigned(layout.course, 12).unwrap_or(3600), 3600).map(|v| v / 10.0),
        altitude: layout
            .altitude
            .and_then(|from| bits.unsigned(from, 12))
            .and_then(|metres| known(metres, 4095)),
        accuracy: precise.then_some(10.0),
        ..at
    });
    if let Some(from) = layout.status {
        draft.maybe("status", bits.unsigned(from, 4));
        draft.maybe("turn_code", bits.signed(from + 4, 8).filter(|turn| *turn != -128));
    }
    let bow = layout.heading.and_then(|from| bits.unsigned(from, 9));
    draft.maybe("bow_degrees", bow.filter(|degrees| *degrees < 360));
    Some(())
}

fn named(bits: &Bits, told: &mut Told) -> Option<()> {
    told.from(&format!("{:09}", bits.unsigned(8, 30)?)).ok()
}

/// A place; `None` where the angles say that there is none.
fn measured(lng: f64, lat: f64) -> Option<Measured> {
    (lng.abs() <= 180.0 && lat.abs() <= 90.0).then(|| Measured {
        lng,
        lat,
        valid: true,
        ..Measured::default()
    })
}

/// A station on land tells the whole time.
fn station(bits: &Bits, told: &mut Told) -> Option<()> {
    let field = |from: usize, length: usize| bits.unsigned(from, length).map(|v| v as u32);
    let six = [field(38, 14)?, field(52, 4)?, field(56, 5)?, field(61, 5)?, field(66, 6)?];
    let [year, month, day, hour, minute] = six;
    let time = clock::civil([year, month, day, hour, minute, field(72, 6)?]);
    let (lng, lat) = (bits.signed(79, 28)?, bits.signed(107, 27)?);
    named(bits, told)?;
    let draft = told.report();
    draft.time(time);
    draft.at = measured(lng as f64 / 6e5, lat as f64 / 6e5);
    Some(())
}

/// The short form for satellites.
fn far(bits: &Bits, reference: Timestamp, told: &mut Told) -> Option<()> {
    let (lng, lat) = (bits.signed(44, 18)?, bits.signed(62, 17)?);
    let (knots, course) = (bits.unsigned(79, 6)?, bits.unsigned(85, 9)?);
    named(bits, told)?;
    let draft = told.report();
    draft.time(Some(reference));
    draft.at = measured(lng as f64 / 600.0, lat as f64 / 600.0).map(|at| Measured {
        speed: (knots < 63).then_some(knots as f64 * KNOT_MPS),
        heading: (course < 360).then_some(course as f64),
        ..at
    });
    draft.maybe("status", bits.unsigned(40, 4));
    Some(())
}

fn tagged(seconds: i64, sentence: &str) -> String {
    let (tag, sum) = (format!("c:{seconds}"), checksum::xor(sentence.as_bytes()));
    let tag_sum = checksum::xor(tag.as_bytes());
    format!("\\{tag}*{tag_sum:02X}\\!{sentence}*{sum:02X}\r\n")
}

/// As an aircraft of a rescue would: no other kind is as fast as a car.
fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let mut bits = Bits::default();
    bits.push(9, 6);
    bits.push(0, 2);
    bits.push(speaker.device.parse::<i64>().unwrap_or(0), 30);
    bits.push((p.altitude.round() as i64).clamp(0, 4094), 12);
    bits.push((p.knots.round() as i64).min(1022), 10);
    bits.push(0, 1);
    bits.push((p.lng * 6e5).round() as i64, 28);
    bits.push((p.lat * 6e5).round() as i64, 27);
    bits.push((p.heading * 10.0).round() as i64 % 3600, 12);
    bits.push(if p.valid { i64::from(p.civil.second.min(59)) } else { 63 }, 6);
    bits.push(0, 34);
    let seconds = report.time.unwrap_or_default().millis().div_euclid(1000);
    Sent::unanswered(tagged(seconds, &format!("AIVDM,1,1,,A,{},0", bits.payload())))
}

#[cfg(test)]
mod tests {
    use super::super::tests::talk;
    use super::super::{Options, Protocol, Transport};
    use super::*;

    /// Class B, extended: longer than one sentence holds.
    #[test]
    fn a_message_of_two_parts_is_put_together() {
        let mut bits = Bits::default();
        for (value, length) in [(19, 6), (0, 2), (244_670_316, 30), (0, 8), (123, 10), (1, 1)] {
            bits.push(value, length);
        }
        for (value, length) in [(3_000_000, 28), (-600_000, 27), (900, 12), (511, 9), (30, 6)] {
            bits.push(value, length);
        }
        bits.push(0, 173);
        let payload = bits.payload();
        let (one, two) = payload.split_at(40);
        let line =
            |nth: u8, part: &str| tagged(1_795_162_530, &format!("AIVDM,2,{nth},7,A,{part},0"));
        let stream = format!("{}{}{}", line(2, two), line(1, one), line(2, two));
        let mut decoder = AIS.decoder(Transport::Tcp, &Options::default());
        assert_eq!(
            talk(decoder.as_mut(), [stream.as_bytes()], false),
            ["244670316 2026-11-20T08:15:30.000Z A -1.0000000,5.0000000 6.328m/s 90deg +-10m"]
        );
    }
}
