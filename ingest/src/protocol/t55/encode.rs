//! A receiver's side: an identity line, then GGA and RMC of each fix.
//!
//! Carried: time to a millisecond, place to 1e-7 degrees, speed, heading, altitude, satellites
//! and HDOP. The GGA is left out where it would say nothing that the RMC does not.

use std::fmt::Write as _;

use crate::attribute::{Key, Value};
use crate::fix::Report;
use crate::id::DeviceId;
use crate::protocol::{Answer, Encode, Transport};
use crate::units::{Heading, Metres};

/// Most fixes of one write.
const RECORDS_TCP: usize = 32;
/// Most fixes of one datagram, about 170 bytes each.
const RECORDS_UDP: usize = 7;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

#[derive(Debug)]
pub(super) struct Encoder {
    udp: bool,
    device: DeviceId,
}

impl Encoder {
    pub(super) fn new(transport: Transport, device: &DeviceId) -> Self {
        Self { udp: transport == Transport::Udp, device: device.clone() }
    }
}

impl Encode for Encoder {
    fn login(&mut self) -> Vec<u8> {
        let mut out = String::new();
        if !self.udp {
            line(&format!("PGID,{}", self.device), &mut out);
        }
        out.into_bytes()
    }

    fn packet(&mut self, reports: &[Report]) -> Vec<u8> {
        let mut out = String::new();
        if self.udp {
            line(&format!("PGID,{}", self.device), &mut out);
        }
        for report in reports {
            sentences(report, &mut out);
        }
        out.into_bytes()
    }

    fn answer(&mut self, _bytes: &[u8], _out: &mut Vec<Answer>) {}

    fn records_max(&self) -> usize {
        if self.udp { RECORDS_UDP } else { RECORDS_TCP }
    }

    fn acknowledges(&self) -> bool {
        false
    }
}

fn line(body: &str, out: &mut String) {
    let sum = body.bytes().fold(0, |x, b| x ^ b);
    write!(out, "${body}*{sum:02X}\r\n").unwrap_or_default();
}

fn shown(value: Option<f64>, decimals: usize) -> String {
    value.map(|v| format!("{v:.decimals$}")).unwrap_or_default()
}

fn sentences(report: &Report, out: &mut String) {
    let c = report.time.unwrap_or_default().civil();
    let clock = format!("{:02}{:02}{:02}.{:03}", c.hour, c.minute, c.second, c.micros / 1000);
    let date = format!("{:02}{:02}{:02}", c.day, c.month, c.year.rem_euclid(100));
    let fix = report.fix.as_ref();
    let place = match fix {
        Some(fix) => {
            let lat = angle(fix.position.lat, 2, ["N", "S"]);
            format!("{lat},{}", angle(fix.position.lng, 3, ["E", "W"]))
        }
        None => ",,,".to_owned(),
    };
    let valid = fix.is_some_and(|f| f.valid);
    let altitude = fix.and_then(|f| f.altitude).map(Metres::get);
    let satellites = match report.attributes.get(&Key::from("satellites")) {
        Some(Value::Int(v)) => v.to_string(),
        _ => String::new(),
    };
    let hdop = match report.attributes.get(&Key::from("hdop")) {
        Some(Value::Float(v)) => v.to_string(),
        _ => String::new(),
    };
    if altitude.is_some() || !satellites.is_empty() || !hdop.is_empty() {
        let (quality, altitude) = (u8::from(valid), shown(altitude, 2));
        let body = format!("GPGGA,{clock},{place},{quality},{satellites},{hdop},{altitude},M,,M,,");
        line(&body, out);
    }
    let status = if valid { "A" } else { "V" };
    let knots = shown(fix.and_then(|f| f.speed).map(|v| v.get() / KNOT_MPS), 4);
    let heading = shown(fix.and_then(|f| f.heading).map(Heading::get), 2);
    line(&format!("GPRMC,{clock},{status},{place},{knots},{heading},{date},,,A"), out);
}

/// Degrees and minutes, seven decimals of a minute: finer than 1e-7 degrees.
fn angle(degrees: f64, width: usize, sides: [&str; 2]) -> String {
    // In units of 1e-7 minutes, so that 60 minutes never appear.
    let units = (degrees.abs() * 60.0 * 1e7).round() as u64;
    let (whole, rest) = (units / 600_000_000, units % 600_000_000);
    let (minutes, fraction) = (rest / 10_000_000, rest % 10_000_000);
    let side = if degrees < 0.0 { sides[1] } else { sides[0] };
    format!("{whole:0width$}{minutes:02}.{fraction:07},{side}")
}
