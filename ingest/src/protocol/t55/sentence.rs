//! One line: what it says, without an allocation where it is an RMC or a GGA.

use nmea::ParseResult;

use super::epoch::{Extra, Kind, Part};
use super::{dialect, identity};
use crate::id::DeviceId;
use crate::protocol::fields::{self, decimal};
use crate::protocol::{BadFrame, checksum, scan};
use crate::time::{Civil, Timestamp};

/// What a line amounts to.
#[derive(Debug)]
pub(super) enum Line {
    /// Empty, or nothing about a vehicle.
    Nothing,
    /// It names another device than the one that speaks.
    From(DeviceId),
    /// A fix or half of one.
    Part(Part),
    /// All of a report, reported at once.
    Whole(Box<Part>),
    /// Something about the fix at hand.
    Extra(Extra),
}

impl Line {
    /// Whether its checksum is wrong.
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Self::Part(part) => part.checksum_ok == Some(false),
            Self::Whole(part) => part.checksum_ok == Some(false),
            _ => false,
        }
    }
}

/// A complaint: kind, offset, words.
pub(super) type Complaint = (BadFrame, usize, String);

pub(super) const KNOT_MPS: f64 = 1852.0 / 3600.0;
/// Years of two digits from here on are of the last century.
const CENTURY_FROM: u32 = 80;

/// Reads one line without its end.
pub(super) fn read(
    line: &[u8],
    from: Option<&DeviceId>,
    received_at: Timestamp,
) -> Result<Line, Complaint> {
    let line = std::str::from_utf8(line)
        .map_err(|e| (BadFrame::Malformed, e.valid_up_to(), "line is no text".to_owned()))?
        .trim();
    if line.is_empty() {
        return Ok(Line::Nothing);
    }
    // Most lines are one sentence and nothing else.
    let alone = scan::find(line.as_bytes().get(1..).unwrap_or_default(), b'$').is_none();
    match line.as_bytes() {
        [b'$', _, _, b'R', b'M', b'C', b',', ..] if alone => return rmc(line, received_at),
        [b'$', _, _, b'G', b'G', b'A', b',', ..] if alone => return gga(line, received_at),
        _ => {}
    }
    if let Some(read) = dialect::read(line, from, received_at) {
        return read;
    }
    let Some(dollar) = line.rfind('$') else {
        return match identity::of_line(line) {
            Some(device) => Ok(Line::From(device)),
            None => Err(unknown(line)),
        };
    };
    let (prefix, sentence) = line.split_at(dollar);
    let kind = sentence.get(3..7);
    // A line that is an identity is that one's, whatever stands before it.
    if !matches!(kind, Some("RMC," | "GGA,"))
        && let Some(device) = identity::of_line(sentence)
    {
        return Ok(Line::From(device));
    }
    let prefix = identity::trimmed(prefix.trim_end_matches('$'));
    if !prefix.is_empty() && from.is_none_or(|d| d.as_str() != prefix) {
        let device = identity::device(prefix).ok_or_else(|| unknown(line))?;
        return Ok(Line::From(device));
    }
    match kind {
        Some("RMC,") => rmc(sentence, received_at),
        Some("GGA,") => gga(sentence, received_at),
        _ => other(sentence, received_at),
    }
}

pub(super) fn unknown(line: &str) -> Complaint {
    let start: String = line.chars().take(16).collect();
    (BadFrame::Malformed, 0, format!("line `{start}` is neither a sentence nor an identity"))
}

/// The fields of a sentence and whether its checksum holds.
pub(super) struct Fields<'a> {
    fields: fields::Fields<'a>,
    checksum_ok: Option<bool>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(sentence: &'a str) -> Self {
        let sentence = sentence.trim_start_matches('$');
        let star = scan::find(sentence.as_bytes(), b'*').unwrap_or(sentence.len());
        let (body, sum) = sentence.split_at(star);
        let sum = sum.get(1..).and_then(|s| u8::from_str_radix(fields::trimmed(s), 16).ok());
        let xor = |text: &str| checksum::xor(text.as_bytes());
        let checksum_ok = sum.map(|sum| xor(body) == sum || xor(body.trim_end()) == sum);
        let mut fields = fields::Fields::new(body, ',');
        fields.next();
        Self { fields, checksum_ok }
    }
    pub(super) fn checksum_ok(&self) -> Option<bool> {
        self.checksum_ok
    }
    /// The next field; `None` behind the last one.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.fields.next().map(fields::trimmed)
    }
    pub(super) fn text(&mut self) -> &'a str {
        self.next().unwrap_or("")
    }
    /// Latitude or longitude and its hemisphere; absent where empty.
    pub(super) fn angle(&mut self, name: &str) -> Result<Option<f64>, Complaint> {
        let (text, side) = (self.text(), self.text());
        if text.is_empty() {
            return Ok(None);
        }
        let degrees = decimal(text).and_then(|value| {
            let degrees = whole_degrees(text).unwrap_or_else(|| (value / 100.0).floor());
            let minutes = value - degrees * 100.0;
            (minutes < 60.0).then_some(degrees + minutes / 60.0)
        });
        match (degrees, side) {
            (Some(degrees), "N" | "E" | "n" | "e") => Ok(Some(degrees)),
            (Some(degrees), "S" | "W" | "s" | "w") => Ok(Some(-degrees)),
            _ => Err(bad(name, text)),
        }
    }
    pub(super) fn decimal(&mut self, name: &str) -> Result<Option<f64>, Complaint> {
        let text = self.text();
        if text.is_empty() {
            return Ok(None);
        }
        decimal(text).map(Some).ok_or_else(|| bad(name, text))
    }
}

/// The degrees of `dddmm.mmmm`, where its digits show them without a division.
fn whole_degrees(text: &str) -> Option<f64> {
    /// So few digits are a double as they are.
    const EXACT: usize = 15;
    let (degrees, minutes): (&[u8], _) = match text.as_bytes() {
        [a, b, rest @ ..] if rest.get(2) == Some(&b'.') => (&[*a, *b], rest),
        [a, b, c, rest @ ..] if rest.get(2) == Some(&b'.') => (&[*a, *b, *c], rest),
        _ => return None,
    };
    let digits = degrees.iter().chain(minutes.iter().take(2)).all(u8::is_ascii_digit);
    let whole = degrees.iter().fold(0, |n, b| n * 10 + u32::from(b.wrapping_sub(b'0')));
    (digits && text.len() <= EXACT).then(|| f64::from(whole))
}

pub(super) fn bad(name: &str, text: &str) -> Complaint {
    let text: String = text.chars().take(32).collect();
    (BadFrame::Malformed, 0, format!("{name} `{text}` can not be read"))
}

/// Second of the day and microseconds of `hhmmss.sss`.
fn time_of_day(text: &str) -> Option<(u32, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let [hour, minute, second] = pairs(whole)?;
    let micros = fraction.bytes().take(6).try_fold((0, 100_000), |(sum, unit), b| {
        b.is_ascii_digit().then(|| (sum + u32::from(b - b'0') * unit, unit / 10))
    });
    let (micros, _) = micros?;
    (hour < 24 && minute < 60 && second < 61)
        .then_some((hour * 3600 + minute * 60 + second, micros))
}

/// Six digits as three numbers.
fn pairs(text: &str) -> Option<[u32; 3]> {
    let digits: &[u8; 6] = text.as_bytes().try_into().ok()?;
    let pair = |i: usize| {
        let (tens, ones) = (digits[i], digits[i + 1]);
        let both = tens.is_ascii_digit() && ones.is_ascii_digit();
        both.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    Some([pair(0)?, pair(2)?, pair(4)?])
}

const DAY_S: i64 = 86_400;

/// The moment with this time of day that is nearest to `received_at`.
fn nearest(second: u32, micros: u32, received_at: Timestamp) -> Timestamp {
    let day = received_at.micros().div_euclid(DAY_S * 1_000_000);
    let on = |day: i64| (day * DAY_S + i64::from(second)) * 1_000_000 + i64::from(micros);
    let away = |day: &i64| on(*day).abs_diff(received_at.micros());
    let day = [day - 1, day, day + 1].into_iter().min_by_key(away).unwrap_or(day);
    Timestamp::from_micros(on(day))
}

fn on_date(date: &str, second: u32, micros: u32) -> Option<Timestamp> {
    let [day, month, year] = pairs(date)?;
    let year = year + if year >= CENTURY_FROM { 1900 } else { 2000 };
    Timestamp::from_civil(Civil {
        year: year as i32,
        month,
        day,
        hour: second / 3600,
        minute: second / 60 % 60,
        second: second % 60,
        micros,
    })
}

/// A time that a sentence gives, or the time of receipt where the field is empty.
fn clock(text: &str, received_at: Timestamp) -> Result<(u32, u32), Complaint> {
    if text.is_empty() {
        let c = received_at.civil();
        return Ok((c.hour * 3600 + c.minute * 60 + c.second, c.micros));
    }
    time_of_day(text).ok_or_else(|| bad("time", text))
}

fn rmc(sentence: &str, received_at: Timestamp) -> Result<Line, Complaint> {
    let mut fields = Fields::of(sentence);
    let (second, micros) = clock(fields.text(), received_at)?;
    let valid = fields.text() == "A";
    let (lat, lng) = (fields.angle("latitude")?, fields.angle("longitude")?);
    let (knots, heading) = (fields.decimal("speed")?, fields.decimal("course")?);
    let date = fields.text();
    let time = match date {
        "" => nearest(second, micros, received_at),
        date => on_date(date, second, micros).ok_or_else(|| bad("date", date))?,
    };
    Ok(Line::Part(Part {
        kind: Kind::Rmc,
        second,
        time,
        valid,
        place: lng.zip(lat),
        speed: knots.map(|k| k * KNOT_MPS),
        heading,
        checksum_ok: fields.checksum_ok,
        ..Part::default()
    }))
}

fn gga(sentence: &str, received_at: Timestamp) -> Result<Line, Complaint> {
    let mut fields = Fields::of(sentence);
    let (second, micros) = clock(fields.text(), received_at)?;
    let (lat, lng) = (fields.angle("latitude")?, fields.angle("longitude")?);
    let valid = !matches!(fields.text(), "" | "0");
    let (satellites, hdop) = (fields.decimal("satellites")?, fields.decimal("HDOP")?);
    Ok(Line::Part(Part {
        kind: Kind::Gga,
        second,
        time: nearest(second, micros, received_at),
        valid,
        place: lng.zip(lat),
        satellites: satellites.map(|s| s as u16),
        hdop,
        altitude: fields.decimal("altitude")?,
        checksum_ok: fields.checksum_ok,
        ..Part::default()
    }))
}

/// The decimal that a single stands for: 2.1, not 2.0999999.
fn single(value: f32) -> Option<f64> {
    value.to_string().parse().ok()
}

/// Any other sentence, strictly, by the `nmea` crate.
fn other(sentence: &str, received_at: Timestamp) -> Result<Line, Complaint> {
    let parsed = nmea::parse_bytes(sentence.as_bytes()).map_err(|error| match error {
        nmea::Error::ChecksumMismatch { calculated, found } => {
            let reason = format!("checksum `{found:02x}` does not match `{calculated:02x}`");
            (BadFrame::Checksum, 0, reason)
        }
        _ => unknown(sentence),
    })?;
    // The crate's clock type is not ours to name; its text is `hh:mm:ss.fraction`.
    let part = |time: Option<String>, lat: Option<f64>, lng: Option<f64>| {
        let (second, micros) = time_of_day(&time?.replace(':', ""))?;
        let time = nearest(second, micros, received_at);
        let place = lng.zip(lat);
        let checksum_ok = Some(true);
        Some(Part { kind: Kind::Gga, second, time, place, checksum_ok, ..Part::default() })
    };
    let line = match parsed {
        ParseResult::GLL(gll) => {
            part(gll.fix_time.map(|t| t.to_string()), gll.latitude, gll.longitude)
                .map(|p| Line::Part(Part { valid: gll.valid, ..p }))
        }
        ParseResult::GNS(gns) => {
            part(gns.fix_time.map(|t| t.to_string()), gns.lat, gns.lon).map(|p| {
                Line::Part(Part {
                    valid: p.place.is_some(),
                    satellites: Some(gns.nsattelites),
                    hdop: gns.hdop.and_then(single),
                    altitude: gns.alt.and_then(single),
                    ..p
                })
            })
        }
        ParseResult::GSA(gsa) => Some(Line::Extra(Extra {
            pdop: gsa.pdop.and_then(single),
            vdop: gsa.vdop.and_then(single),
            ..Extra::default()
        })),
        ParseResult::VTG(vtg) => Some(Line::Extra(Extra {
            speed: vtg.speed_over_ground.and_then(single).map(|k| k * KNOT_MPS),
            heading: vtg.true_course.and_then(single),
            ..Extra::default()
        })),
        _ => None,
    };
    Ok(line.unwrap_or(Line::Nothing))
}
