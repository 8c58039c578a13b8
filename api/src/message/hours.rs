//! Quiet hours: when customers are left alone.

use ingest::time::Timestamp;
use jiff::tz::TimeZone;

use super::language::zoned;

/// A part of the day, in minutes since midnight; past midnight where it ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// First quiet minute.
    pub from: u16,
    /// First minute after.
    pub to: u16,
}

impl Default for Quiet {
    /// 21:00 to 08:00.
    fn default() -> Self {
        Self { from: 21 * 60, to: 8 * 60 }
    }
}

impl Quiet {
    /// From two times of day, `HH:MM`.
    pub fn parse(from: &str, to: &str) -> Option<Self> {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let two = hour.len() == 2 && minute.len() == 2;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (two && hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        Some(Self { from: minutes(from)?, to: minutes(to)? }).filter(|quiet| quiet.from != quiet.to)
    }

    /// Its two ends as `HH:MM`.
    pub fn ends(self) -> (String, String) {
        let text = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        (text(self.from), text(self.to))
    }

    fn holds(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// The first moment from `now` on that is not quiet in a zone.
    pub(crate) fn over(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let Some(local) = zoned(now, zone) else { return now };
        let minute = local.hour() as u16 * 60 + local.minute() as u16;
        if !self.holds(minute) {
            return now;
        }
        let today = local.date();
        let day = if minute < self.to { Ok(today) } else { today.tomorrow() };
        let (hour, minute) = ((self.to / 60) as i8, (self.to % 60) as i8);
        let end = day.and_then(|day| day.at(hour, minute, 0, 0).to_zoned_datetime(zone.clone()));
        end.map_or(now, |end| Timestamp::from_micros(end.timestamp().as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::language::zone;
    use super::*;

    #[test]
    fn night_is_over_at_eight_where_the_customer_lives() {
        let (quiet, zone) = (Quiet::default(), zone("Europe/Berlin"));
        let over = |text: &str| quiet.over(Timestamp::parse(text).unwrap(), &zone).to_string();
        assert_eq!(over("2026-11-20T12:00:00Z"), "2026-11-20T12:00:00.000Z");
        assert_eq!(over("2026-11-20T20:30:00Z"), "2026-11-21T07:00:00.000Z");
        assert_eq!(over("2026-11-21T03:00:00Z"), "2026-11-21T07:00:00.000Z");
        assert_eq!(over("2026-11-21T07:00:00Z"), "2026-11-21T07:00:00.000Z");
        // The night in which clocks go back.
        assert_eq!(over("2026-10-24T22:00:00Z"), "2026-10-25T07:00:00.000Z");
        let noon = Quiet::parse("12:00", "14:00").unwrap();
        assert!(noon.holds(13 * 60) && !noon.holds(14 * 60) && !noon.holds(11 * 60));
        assert_eq!(noon.ends(), ("12:00".to_owned(), "14:00".to_owned()));
        for wrong in [("24:00", "08:00"), ("8:00", "09:00"), ("08:00", "08:00"), ("", "")] {
            assert_eq!(Quiet::parse(wrong.0, wrong.1), None, "{wrong:?}");
        }
    }
}
