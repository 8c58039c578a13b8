//! Times as a customer's clock shows them.

use ingest::time::Timestamp;
use jiff::Timestamp as Moment;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::words::Words;

/// The clock of a place.
#[derive(Debug, Clone)]
pub(crate) struct Local(TimeZone);

impl Local {
    /// By its IANA name, as this version of the tables knows it; UTC where it does not.
    pub(crate) fn new(name: &str) -> Self {
        Self(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    /// Its IANA name.
    pub(crate) fn zone(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    fn civil(&self, at: Timestamp) -> DateTime {
        self.0.to_datetime(Moment::from_microsecond(at.micros()).unwrap_or_default())
    }

    /// Hours and minutes.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        let at = self.civil(at);
        format!("{:02}:{:02}", at.hour(), at.minute())
    }

    /// A span of one day; the day before it where that is not today.
    pub(crate) fn span(
        &self,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
        words: &Words,
    ) -> String {
        let span = format!("{} – {}", self.time(from), self.time(to));
        match self.day(from, now, words) {
            Some(day) => format!("{day} {span}"),
            None => span,
        }
    }

    /// What day it is, where it is not today: its name within a week, then its date.
    fn day(&self, at: Timestamp, now: Timestamp, words: &Words) -> Option<String> {
        let (at, today) = (self.civil(at).date(), self.civil(now).date());
        if at == today {
            return None;
        }
        let days = today.until(at).map_or(i64::from(i32::MAX), |span| i64::from(span.get_days()));
        if (1..7).contains(&days) {
            let weekday = at.weekday().to_monday_zero_offset() as usize;
            return words.weekdays.get(weekday).map(|name| (*name).to_owned());
        }
        Some(at.to_string())
    }

    /// Minutes since midnight of that day there.
    pub(crate) fn minute(&self, at: Timestamp) -> i64 {
        let at = self.civil(at);
        i64::from(at.hour()) * 60 + i64::from(at.minute())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::words;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn times_are_those_of_the_place() {
        let english = words::ALL[0];
        let porto = Local::new("Europe/Lisbon");
        assert_eq!(porto.time(at("2026-07-01T12:00:00Z")), "13:00");
        assert_eq!(Local::new("Asia/Kathmandu").time(at("2026-07-01T12:00:00Z")), "17:45");
        assert_eq!(Local::new("Nowhere/At_all").time(at("2026-07-01T12:00:00Z")), "12:00");
        let span = (at("2026-11-20T14:00:00Z"), at("2026-11-20T15:00:00Z"));
        let check = |now: &str, expected: &str| {
            assert_eq!(porto.span(span, at(now), english), expected);
        };
        check("2026-11-20T08:00:00Z", "14:00 – 15:00");
        check("2026-11-18T08:00:00Z", "Fri 14:00 – 15:00");
        check("2026-11-01T08:00:00Z", "2026-11-20 14:00 – 15:00");
        check("2026-11-21T08:00:00Z", "2026-11-20 14:00 – 15:00");
    }
}
