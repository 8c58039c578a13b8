//! Which sentences make one fix.

use crate::attribute::{Attributes, Key, Value};
use crate::fix::{Fix, Measured, Report};
use crate::time::Timestamp;
use crate::units::OutOfRange;

/// What kind of sentence a part comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    /// Has a date.
    #[default]
    Rmc,
    /// GGA, GLL, GNS: no date.
    Gga,
    /// Both of one second.
    Both,
}

/// A fix, or the half of it that one sentence gives.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// UTC second of the day.
    pub(super) second: u32,
    pub(super) time: Timestamp,
    pub(super) valid: bool,
    /// Longitude, latitude.
    pub(super) place: Option<(f64, f64)>,
    /// Metres per second.
    pub(super) speed: Option<f64>,
    pub(super) heading: Option<f64>,
    pub(super) altitude: Option<f64>,
    pub(super) satellites: Option<u16>,
    pub(super) hdop: Option<f64>,
    pub(super) extra: Extra,
    /// What dialects tell besides.
    pub(super) attributes: Option<Box<Attributes>>,
    pub(super) checksum_ok: Option<bool>,
}

/// What sentences without a time add to the fix that waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    pub(super) pdop: Option<f64>,
    pub(super) vdop: Option<f64>,
    /// Metres per second.
    pub(super) speed: Option<f64>,
    pub(super) heading: Option<f64>,
}

/// What is known about the order of sentences in a stream, and the part that waits.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    held: Option<Part>,
    /// What comes is whole (a datagram): nothing is lost by waiting for its end.
    whole: bool,
    /// Second and kind of the fix reported last.
    last: Option<(u32, Kind)>,
    /// Time and place of the last one made of both halves.
    both: Option<(Timestamp, Option<(f64, f64)>)>,
    /// A GGA follows its RMC in this stream.
    gga_follows: bool,
    /// No RMC comes in this stream.
    gga_alone: bool,
}

impl Epochs {
    /// Nothing seen yet; `whole`: what comes is a datagram.
    pub(super) fn new(whole: bool) -> Self {
        Self { whole, ..Self::default() }
    }

    /// Takes the next part; hands on what is complete, oldest first.
    pub(super) fn take(&mut self, part: Part, due: &mut impl FnMut(Part)) {
        if let Some(held) = self.held.take() {
            if held.second == part.second && held.kind == part.kind && part.kind == Kind::Gga {
                // A GLL or GNS beside the GGA says the same place again.
                self.held = Some(held);
                return;
            }
            if held.second == part.second && held.kind != part.kind {
                self.gga_alone = false;
                return self.report(held.with(part), due);
            }
            match held.kind {
                Kind::Rmc => self.gga_follows = false,
                Kind::Gga | Kind::Both => self.gga_alone = true,
            }
            self.report(held, due);
        }
        match (self.last, part.kind) {
            // The other half of what was reported already: it tells what to expect.
            (Some((second, Kind::Rmc)), Kind::Gga) if second == part.second => {
                self.gga_follows = true;
                self.last = Some((second, Kind::Both));
            }
            (Some((second, Kind::Gga)), Kind::Rmc) if second == part.second => {
                self.gga_alone = false;
                self.last = Some((second, Kind::Both));
            }
            (Some((second, Kind::Gga | Kind::Both)), Kind::Gga) if second == part.second => {}
            // Both halves come again, in a packet that was sent twice: one fix, and the same.
            (_, Kind::Rmc) if self.both == Some((part.time, part.place)) => {}
            (_, Kind::Rmc) if self.gga_follows || self.whole => self.held = Some(part),
            (_, Kind::Gga) if !self.gga_alone || self.whole => self.held = Some(part),
            _ => self.report(part, due),
        }
    }

    /// Adds to the part that waits, if any.
    pub(super) fn add(&mut self, extra: &Extra) {
        let Some(held) = &mut self.held else { return };
        held.extra.pdop = extra.pdop.or(held.extra.pdop);
        held.extra.vdop = extra.vdop.or(held.extra.vdop);
        held.speed = held.speed.or(extra.speed);
        held.heading = held.heading.or(extra.heading);
    }

    /// Lets go what waits.
    pub(super) fn let_go(&mut self) -> Option<Part> {
        let held = self.held.take()?;
        self.last = Some((held.second, held.kind));
        Some(held)
    }

    fn report(&mut self, part: Part, due: &mut impl FnMut(Part)) {
        self.last = Some((part.second, part.kind));
        if part.kind == Kind::Both {
            self.both = Some((part.time, part.place));
        }
        due(part);
    }
}

impl Part {
    /// Both halves of one second.
    fn with(self, other: Self) -> Self {
        let (rmc, gga) = if self.kind == Kind::Rmc { (self, other) } else { (other, self) };
        Self {
            kind: Kind::Both,
            place: rmc.place.or(gga.place),
            valid: if rmc.place.is_some() { rmc.valid } else { gga.valid },
            speed: rmc.speed.or(gga.speed),
            heading: rmc.heading.or(gga.heading),
            altitude: gga.altitude,
            satellites: gga.satellites,
            hdop: gga.hdop,
            extra: Extra {
                pdop: gga.extra.pdop.or(rmc.extra.pdop),
                vdop: gga.extra.vdop.or(rmc.extra.vdop),
                ..Extra::default()
            },
            checksum_ok: match (rmc.checksum_ok, gga.checksum_ok) {
                (Some(a), Some(b)) => Some(a && b),
                (a, b) => a.or(b),
            },
            ..rmc
        }
    }

    /// Writes it into a report, all but the device; without a place it is a sign of life.
    pub(super) fn fill(self, report: &mut Report) -> Result<(), OutOfRange> {
        report.time = Some(self.time);
        report.checksum_ok = self.checksum_ok;
        report.attributes.clear();
        let mut put = |name, value: Option<Value<'_>>| {
            if let Some(value) = value {
                report.attributes.set(Key::from(name), value);
            }
        };
        put("satellites", self.satellites.map(|s| Value::Int(i64::from(s))));
        put("hdop", self.hdop.map(Value::Float));
        put("pdop", self.extra.pdop.map(Value::Float));
        put("vdop", self.extra.vdop.map(Value::Float));
        for (key, value) in self.attributes.iter().flat_map(|all| all.iter()) {
            report.attributes.set(key, value);
        }
        let fix = self.place.map(|(lng, lat)| {
            Fix::new(Measured {
                lng,
                lat,
                valid: self.valid,
                speed: self.speed,
                heading: self.heading,
                altitude: self.altitude,
                accuracy: None,
            })
        });
        report.fix = fix.transpose()?;
        Ok(())
    }
}
