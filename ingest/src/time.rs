//! Points in time: UTC, microseconds. No clock here; "now" is always an argument.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("time `{0}` is not RFC 3339, such as 2026-11-20T08:15:30.250Z")]
pub struct NotATime(pub String);

/// A calendar moment in UTC as devices spell it; months and days from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year, four digits.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 60 (a leap second counts as the next second's start).
    pub second: u32,
    /// 0 to 999,999.
    pub micros: u32,
}

impl Civil {
    /// Whether there is such a moment.
    #[inline]
    pub fn is_moment(&self) -> bool {
        let Some(days) = DAYS.get(self.month.wrapping_sub(1) as usize) else { return false };
        let last = days + u32::from(self.month == 2 && is_leap(self.year));
        (self.day.wrapping_sub(1) < last)
            && (self.hour < 24)
            && (self.minute < 60)
            && (self.second <= 60)
            && (self.micros < 1_000_000)
            && (self.year as u32 <= 9999)
    }
}

/// Days of the months of a common year.
const DAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Days of a common year before each month.
const DAYS_BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Every fourth year but for three centuries in four; 25 and 16 are what is left of 100 and 400.
const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 25 != 0 || year % 16 == 0)
}

const DAY_MICROS: i64 = 86_400_000_000;

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }
    /// From seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }
    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// Whole milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }
    /// Seconds from `earlier` to `self`; negative when `self` is the earlier one.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0.saturating_sub(earlier.0)) as f64 / 1e6
    }
    /// Later by `seconds` (earlier when negative), rounded to a microsecond, saturating.
    #[must_use]
    pub fn plus_seconds(self, seconds: f64) -> Self {
        Self(self.0.saturating_add((seconds * 1e6).round_ties_even() as i64))
    }
    /// Later by `duration`, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The moment a calendar names; `None` where it names none (month 13, 30 February).
    pub fn from_civil(c: Civil) -> Option<Self> {
        if !c.is_moment() {
            return None;
        }
        let seconds = i64::from(c.hour * 3600 + c.minute * 60 + c.second);
        let days = days_from_civil(c.year, c.month, c.day);
        Some(Self(days * DAY_MICROS + seconds * 1_000_000 + i64::from(c.micros)))
    }

    /// The calendar's name for this moment, UTC.
    pub fn civil(self) -> Civil {
        let days = self.0.div_euclid(DAY_MICROS);
        let rest = self.0.rem_euclid(DAY_MICROS);
        let (year, month, day) = civil_from_days(days);
        let seconds = (rest / 1_000_000) as u32;
        Civil {
            year,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: (rest % 1_000_000) as u32,
        }
    }

    /// Reads RFC 3339, any offset, any number of fraction digits (those past 6 are cut).
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        parse_rfc3339(text.as_bytes()).ok_or_else(|| NotATime(text.chars().take(64).collect()))
    }
}

/// RFC 3339 UTC with milliseconds, as all of our JSON shows times.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        write!(f, "{:04}-{:02}-{:02}T", c.year, c.month, c.day)?;
        write!(f, "{:02}:{:02}:{:02}.{:03}Z", c.hour, c.minute, c.second, c.micros / 1000)
    }
}

fn parse_rfc3339(text: &[u8]) -> Option<Timestamp> {
    let number = |from: usize, to: usize| -> Option<u32> {
        text.get(from..to)?
            .iter()
            .try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
    };
    let sign = |at: usize, any: &[u8]| text.get(at).filter(|b| any.contains(b)).map(|_| ());
    sign(4, b"-")?;
    sign(7, b"-")?;
    sign(10, b"Tt ")?;
    sign(13, b":")?;
    sign(16, b":")?;
    let (mut at, mut micros) = (19, 0);
    if text.get(at) == Some(&b'.') {
        let digits = text[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        micros = (0..6).fold(0, |n, i| {
            n * 10 + if i < digits { u32::from(text[at + 1 + i] - b'0') } else { 0 }
        });
        at += 1 + digits;
        if digits == 0 {
            return None;
        }
    }
    let offset_minutes = match text.get(at)? {
        b'Z' | b'z' if text.len() == at + 1 => 0,
        s @ (b'+' | b'-') if text.len() == at + 6 => {
            sign(at + 3, b":")?;
            let minutes = i64::from(number(at + 1, at + 3)? * 60 + number(at + 4, at + 6)?);
            if *s == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let civil = Civil {
        year: i32::try_from(number(0, 4)?).ok()?,
        month: number(5, 7)?,
        day: number(8, 10)?,
        hour: number(11, 13)?,
        minute: number(14, 16)?,
        second: number(17, 19)?,
        micros,
    };
    Timestamp::from_civil(civil).map(|t| Timestamp(t.0 - offset_minutes * 60_000_000))
}

/// Days since 1970-01-01 of a proleptic Gregorian date from the year 0 on, its month from 1 to 12.
/// 400 years (146,097 days) are added and taken off again, so that none is negative.
#[inline]
fn days_from_civil(year: i32, month: u32, day: u32) -> i64 {
    let before = (year + 399) as u32;
    let leap_days = before / 4 - before / 100 + before / 400;
    let leap_day = u32::from(month > 2 && is_leap(year));
    let day_of_year = DAYS_BEFORE[(month - 1) as usize % 12] + leap_day + day - 1;
    i64::from(before * 365 + leap_days + day_of_year) - 146_097 - 719_162
}

fn civil_from_days(days: i64) -> (i32, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
    ((year_of_era + era * 400 + i64::from(month <= 2)) as i32, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Timestamp::parse(text).expect(text).to_string(), expected);
    }

    #[test]
    fn rfc3339_is_read_and_written() {
        check("2026-11-20T08:15:30.250Z", "2026-11-20T08:15:30.250Z");
        check("2026-11-20T10:15:30+02:00", "2026-11-20T08:15:30.000Z");
        check("2024-02-29T23:59:59.9999999Z", "2024-02-29T23:59:59.999Z");
        check("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z");
        check("1969-12-31T23:59:59.500Z", "1969-12-31T23:59:59.500Z");
        for wrong in ["2026-02-30T00:00:00Z", "2026-11-20", "2026-11-20T08:15:30", "", "x"] {
            assert!(Timestamp::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn calendar_and_days_are_inverse() {
        for days in (-700_000..2_000_000).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
