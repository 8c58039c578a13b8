//! Times as devices spell them.

use crate::time::{Civil, Timestamp};

/// Years of two digits from here on are of the last century.
const CENTURY_FROM: u32 = 80;
const DAY_S: i64 = 86_400;

/// Year (of the century, or all of it), month, day, hour, minute, second, UTC.
pub(super) fn civil(six: [u32; 6]) -> Option<Timestamp> {
    Timestamp::from_civil(calendar(six))
}

#[inline]
fn calendar([year, month, day, hour, minute, second]: [u32; 6]) -> Civil {
    let year = match year {
        0..CENTURY_FROM => 2000 + year,
        CENTURY_FROM..100 => 1900 + year,
        _ => year,
    };
    Civil { year: year as i32, month, day, hour, minute, second, micros: 0 }
}

/// The same from six bytes.
pub(super) fn six_bytes(six: [u8; 6]) -> Option<Timestamp> {
    civil(six.map(u32::from))
}

/// Whether six bytes are such a moment.
pub(super) fn is_six_bytes(six: [u8; 6]) -> bool {
    calendar(six.map(u32::from)).is_moment()
}

/// The same from six bytes of two decimal digits each.
pub(super) fn six_bcd(six: [u8; 6]) -> Option<Timestamp> {
    civil(six.map(|b| u32::from(b >> 4) * 10 + u32::from(b & 15)))
}

/// Digits in pairs.
pub(super) fn pairs<const N: usize>(text: &str) -> Option<[u32; N]> {
    let digits = text.as_bytes();
    if digits.len() < 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (pair, out) in digits.chunks_exact(2).zip(&mut out) {
        let both = pair.iter().all(u8::is_ascii_digit);
        *out = both.then(|| u32::from(pair[0] - b'0') * 10 + u32::from(pair[1] - b'0'))?;
    }
    Some(out)
}

/// Digits in pairs, whatever stands between them.
pub(super) fn pairs_within<const N: usize>(text: &str) -> Option<[u32; N]> {
    let mut digits = text.bytes().filter(u8::is_ascii_digit).map(|b| u32::from(b - b'0'));
    let mut out = [0; N];
    for out in &mut out {
        *out = digits.next()? * 10 + digits.next()?;
    }
    Some(out)
}

/// `yymmddhhmmss`.
pub(super) fn yymmddhhmmss(text: &str) -> Option<Timestamp> {
    civil(pairs::<6>(text)?)
}

/// `yyyymmddhhmmss`.
pub(super) fn yyyymmddhhmmss(text: &str) -> Option<Timestamp> {
    let [century, rest @ ..] = pairs::<7>(text)?;
    let [year, month, day, hour, minute, second] = rest;
    civil([century * 100 + year, month, day, hour, minute, second])
}

/// `yyyymmdd`, and `hhmmss` with whatever stands between.
pub(super) fn yyyymmdd_hhmmss(date: &str, time: &str) -> Option<Timestamp> {
    let [century, year, month, day] = pairs(date)?;
    let [hour, minute, second] = pairs_within(time)?;
    civil([century * 100 + year, month, day, hour, minute, second])
}

/// `ddmmyy` and `hhmmss`.
pub(super) fn ddmmyy_hhmmss(date: &str, time: &str) -> Option<Timestamp> {
    let [day, month, year] = pairs(date)?;
    let [hour, minute, second] = pairs(time)?;
    civil([year, month, day, hour, minute, second])
}

/// `yymmdd` and `hhmmss`.
pub(super) fn yymmdd_hhmmss(date: &str, time: &str) -> Option<Timestamp> {
    let [year, month, day] = pairs(date)?;
    let [hour, minute, second] = pairs(time)?;
    civil([year, month, day, hour, minute, second])
}

/// The moment with this time of day (hour, minute, second) that is nearest to `received_at`.
pub(super) fn nearest([hour, minute, second]: [u32; 3], received_at: Timestamp) -> Timestamp {
    let second = i64::from(hour * 3600 + minute * 60 + second);
    let day = received_at.micros().div_euclid(DAY_S * 1_000_000);
    let on = |day: i64| (day * DAY_S + second) * 1_000_000;
    let away = |day: &i64| on(*day).abs_diff(received_at.micros());
    let day = [day - 1, day, day + 1].into_iter().min_by_key(away).unwrap_or(day);
    Timestamp::from_micros(on(day))
}
