//! `local_time`: what the clocks of a place show.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, TimestampMicrosecondArray};
use datafusion::common::{Result, exec_datafusion_err};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::argument::{Arguments, Kind};
use super::scalar::{About, Gives};
use super::shape::short;

/// What there is.
pub(super) const LOCAL: [About; 1] = [About {
    name: "local_time",
    call: "local_time(time, zone)",
    meaning: "what clocks show at a time in a zone such as `Europe/Lisbon`, a timestamp without \
              zone",
    takes: &[Kind::Time, Kind::Text],
    optional: 0,
    gives: Gives::LocalTime,
    work: local_time,
}];

/// As long as clocks of a zone are not changed.
struct Span {
    name: String,
    zone: TimeZone,
    /// Microseconds: the first, and the first that no longer is.
    times: (i64, i64),
    /// What clocks are ahead of UTC, microseconds.
    ahead: i64,
}

impl Span {
    fn new(name: &str, time: i64) -> Result<Self> {
        let zone = TimeZone::get(name).map_err(|_unknown| {
            let name = short(name);
            exec_datafusion_err!("zone is `{name}`, expected one such as `Europe/Lisbon`")
        })?;
        let mut span = Self { name: name.to_owned(), zone, times: (0, 0), ahead: 0 };
        span.move_to(time)?;
        Ok(span)
    }

    fn move_to(&mut self, time: i64) -> Result<()> {
        let wrong = |error: jiff::Error| exec_datafusion_err!("time is `{time}` µs: {error}");
        let at = Timestamp::from_microsecond(time).map_err(wrong)?;
        // A change at this very time has happened.
        let after = at.checked_add(SignedDuration::from_micros(1)).unwrap_or(at);
        let begin = self.zone.preceding(after).next();
        let end = self.zone.following(at).next();
        self.times = (
            begin.map_or(i64::MIN, |change| change.timestamp().as_microsecond()),
            end.map_or(i64::MAX, |change| change.timestamp().as_microsecond()),
        );
        self.ahead = i64::from(self.zone.to_offset(at).seconds()) * 1_000_000;
        Ok(())
    }
}

fn local_time(arguments: &Arguments) -> Result<ArrayRef> {
    let (times, zones) = (arguments.times(0)?, arguments.words(1)?);
    let mut known: Option<Span> = None;
    let mut local = |row: usize| -> Result<Option<i64>> {
        let (Some(time), Some(name)) = (times.get(row), zones.get(row)) else { return Ok(None) };
        let mut span = match known.take().filter(|span| span.name == name) {
            Some(span) => span,
            None => Span::new(name, time)?,
        };
        if !(span.times.0..span.times.1).contains(&time) {
            span.move_to(time)?;
        }
        let ahead = known.insert(span).ahead;
        let local = time.checked_add(ahead);
        Ok(Some(local.ok_or_else(|| exec_datafusion_err!("time is `{time}` µs: too far off"))?))
    };
    let local: TimestampMicrosecondArray =
        (0..arguments.rows()).map(&mut local).collect::<Result<_>>()?;
    Ok(Arc::new(local))
}
