//! The languages in which customers are told, and how each writes times.

use ingest::time::Timestamp;
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// Spanish.
    Es,
    /// Portuguese.
    Pt,
    /// French.
    Fr,
    /// Arabic, from right to left.
    Ar,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Language {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::En, Self::De, Self::Es, Self::Pt, Self::Fr, Self::Ar];

    /// As ISO 639 spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Es => "es",
            Self::Pt => "pt",
            Self::Fr => "fr",
            Self::Ar => "ar",
        }
    }

    /// Of a tag as browsers know it, such as `pt-BR`; English where it is none of ours.
    pub fn of_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        Self::named(&primary).unwrap_or(Self::En)
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }

    /// For HTML: which way it is read.
    pub(crate) const fn direction(self) -> &'static str {
        if matches!(self, Self::Ar) { "rtl" } else { "ltr" }
    }

    /// A time of day in a zone; with its date where that is not the day of `today`.
    pub(crate) fn time(self, at: Timestamp, today: Timestamp, zone: &TimeZone) -> Option<String> {
        let (at, today) = (zoned(at, zone)?, zoned(today, zone)?);
        let (hour, minute) = (at.hour(), at.minute());
        let clock = match self {
            Self::En => {
                let half = if hour < 12 { "am" } else { "pm" };
                format!("{}:{minute:02} {half}", (hour + 11) % 12 + 1)
            }
            Self::Fr => format!("{hour} h {minute:02}"),
            Self::De | Self::Es | Self::Pt | Self::Ar => format!("{hour:02}:{minute:02}"),
        };
        let (day, month) = (at.day(), at.month());
        let text = if at.date() == today.date() {
            clock
        } else {
            match self {
                Self::En => {
                    let name = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
                    format!("{name} {day}, {clock}")
                }
                Self::De => format!("{day}.{month}., {clock}"),
                Self::Fr => format!("{day:02}/{month:02} à {clock}"),
                Self::Es | Self::Pt | Self::Ar => format!("{day:02}/{month:02} {clock}"),
            }
        };
        Some(self.digits(&text))
    }

    /// A number as it is written; whole, since nobody waits for seconds.
    pub(crate) fn number(self, number: i64) -> String {
        self.digits(&number.to_string())
    }

    fn digits(self, text: &str) -> String {
        let own = |sign: char| match (self, sign.to_digit(10)) {
            (Self::Ar, Some(digit)) => char::from_u32(0x660 + digit).unwrap_or(sign),
            _ => sign,
        };
        text.chars().map(own).collect()
    }
}

/// A time in a zone.
pub(crate) fn zoned(at: Timestamp, zone: &TimeZone) -> Option<ZonedDateTime> {
    let at = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
    Some(at.to_zoned_datetime(zone.clone()))
}

/// The zone of a name; UTC where it is unknown.
pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_zones_and_the_languages_own() {
        let at = Timestamp::parse("2026-11-20T13:05:00Z").unwrap();
        let zone = zone("Europe/Berlin");
        let said = |language: Language, at| language.time(at, at, &zone).unwrap();
        assert_eq!(said(Language::En, at), "2:05 pm");
        assert_eq!(said(Language::De, at), "14:05");
        assert_eq!(said(Language::Fr, at), "14 h 05");
        assert_eq!(said(Language::Ar, at), "١٤:٠٥");
        let midnight = Timestamp::parse("2026-11-19T23:30:00Z").unwrap();
        assert_eq!(said(Language::En, midnight), "12:30 am");
        let tomorrow = at.plus_seconds(86_400.0);
        assert_eq!(Language::De.time(tomorrow, at, &zone).unwrap(), "21.11., 14:05");
        assert_eq!(Language::En.time(tomorrow, at, &zone).unwrap(), "Nov 21, 2:05 pm");
        assert_eq!(Language::of_tag("pt-BR"), Language::Pt);
        assert_eq!(Language::of_tag("xx"), Language::En);
    }
}
