//! `CalAmp` LM Direct: one message a datagram, big-endian.
//!
//! ```text
//! [options u8, bit 7 set | for each of its bits 0 to 5: length u8, ..]       bit 0: who, BCD
//! service u8 | type u8 | number u16 | ..           service 1 <- 02 01 number type 00 x 5
//!   2   event    sent u32 | fixed u32 | lat i32, lng i32 (1e-7) | cm i32 | cm/s i32 | course i16
//!                | satellites u8 | fix u8 | carrier u16 | dBm i16 | modem u8 | HDOP u8 0.1 | inputs
//!                | unit | event index | event | accumulators u8 | 00 | u32..
//!   4, 5  text, the application's   the same up to the unit
//!   10  event, mini   sent | lat | lng | course i16 | km/h u8 | fix, satellites 4 bits each
//!                | modem | inputs | event | accumulators | u32..
//! ```
//! Of a fix bits 4 and 8 say that it is an old one or none. Source: `CalAmp` "LM Direct reference
//! guide". Ignored: other options, what accumulators above count in, texts.

use super::When;
use super::cursor::{Cursor, digits_of};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, Told, UDP, Wire, Wired};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest datagram, bytes.
const MESSAGE_MAX: usize = 2 * 1024;
/// The last known place, or no place.
const OLD: u8 = 0x0c;
/// Accumulators are counted in six bits.
const COUNT: u8 = 0x3f;

/// `CalAmp`.
pub(super) const CALAMP: Wired = Wired {
    name: "calamp",
    port: 5082,
    transports: UDP,
    signatures: &[
        Mark::Bytes(&[Mark::HIGH, Mark::FEW]),
        Mark::Bytes(&[Mark::HIGH, 5]),
        Mark::Bytes(&[Mark::HIGH, 8]),
    ],
    models: &["CalAmp LMU-700", "LMU-1100", "LMU-2600", "LMU-3000", "LMU-4200", "TTU-2800"],
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Calamp),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Calamp;

impl Wire for Calamp {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        Cut::of_length(bytes.len(), bytes, MESSAGE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let mut c = Cursor::new(frame);
        if c.peek().is_some_and(|first| first & 0x80 != 0) {
            let options = c.u8()?;
            for bit in (0..6).filter(|bit| options >> bit & 1 != 0) {
                let length = c.u8()?;
                let content = c.take(length.into())?;
                if bit == 0 {
                    told.from(digits_of(content).trim_end_matches('f'))?;
                }
            }
        }
        let (service, kind, number) = (c.u8()?, c.u8()?, c.array()?);
        if service == 1 {
            told.reply(answer(kind, number), When::AfterDurable);
        }
        match kind {
            2 => {
                let draft = told.report();
                place(&mut c, draft)?;
                c.skip(1)?;
                draft.set("event", c.u8()?);
                let count = c.u8()?;
                c.skip(1)?;
                accumulators(count, &mut c, draft)
            }
            4 | 5 => place(&mut c, told.report()),
            10 => mini(&mut c, told.report()),
            _ => Ok(()),
        }
    }
}

fn answer(kind: u8, [high, low]: [u8; 2]) -> Vec<u8> {
    vec![2, 1, high, low, kind, 0, 0, 0, 0, 0]
}

fn seconds(c: &mut Cursor<'_>) -> Result<Timestamp, Complaint> {
    Ok(Timestamp::from_seconds(c.u32()?.into()))
}

/// The bits of the inputs; the first is the ignition.
fn inputs(bits: u8, draft: &mut Draft) {
    draft.set("input_mask", bits);
    draft.set("ignition", bits & 1 != 0);
}

fn place(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    // A place may be older than what is said about it.
    draft.time(Some(seconds(c)?));
    c.skip(4)?;
    let mut at = Measured {
        lat: f64::from(c.i32()?) / 1e7,
        lng: f64::from(c.i32()?) / 1e7,
        altitude: Some(f64::from(c.i32()?) / 100.0),
        speed: Some(f64::from(c.i32()?) / 100.0),
        heading: Some(c.i16()?.into()),
        ..Measured::default()
    };
    draft.set("satellites", c.u8()?);
    at.valid = c.u8()? & OLD == 0;
    draft.at = Some(at);
    draft.set("carrier", c.u16()?);
    draft.set("rssi", c.i16()?);
    draft.set("modem", c.u8()?);
    draft.set("hdop", f64::from(c.u8()?) / 10.0);
    inputs(c.u8()?, draft);
    draft.set("status", c.u8()?);
    Ok(())
}

fn mini(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    draft.time(Some(seconds(c)?));
    let (lat, lng) = (f64::from(c.i32()?) / 1e7, f64::from(c.i32()?) / 1e7);
    let (heading, speed) = (Some(f64::from(c.i16()?)), Some(f64::from(c.u8()?) / 3.6));
    let satellites = c.u8()? & 15;
    draft.set("satellites", satellites);
    let valid = satellites > 0;
    draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    draft.set("modem", c.u8()?);
    inputs(c.u8()?, draft);
    draft.set("event", c.u8()?);
    accumulators(c.u8()?, c, draft)
}

/// Counted from 0; what each counts is the device's own setting.
fn accumulators(count: u8, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    for nth in 0..count & COUNT {
        if c.left() < 4 {
            break;
        }
        draft.named(&format!("acc{nth}"), c.u32()?);
    }
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = (speaker.next() as u16).to_be_bytes();
    let digits = format!("{}f", speaker.device);
    let who: Vec<u8> = digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |n, b| n << 4 | if *b == b'f' { 15 } else { b & 15 }))
        .collect();
    let mut out = vec![0x83, who.len() as u8];
    out.extend(who);
    out.extend([1, 2, 1, 2]);
    out.extend(number);
    let time = (report.time.unwrap_or_default().millis().div_euclid(1000) as u32).to_be_bytes();
    out.extend([time; 2].concat());
    for degrees in [p.lat, p.lng] {
        out.extend(((degrees * 1e7).round() as i32).to_be_bytes());
    }
    for value in [p.altitude * 100.0, p.kmh / 0.036] {
        out.extend((value.round() as i32).to_be_bytes());
    }
    out.extend(p.degrees().to_be_bytes());
    out.extend([if p.valid { 9 } else { 0 }, if p.valid { 0 } else { 8 }]);
    out.extend([0, 1, 0xff, 0xb0, 15, 8]);
    out.push(super::sender::flag(report, "ignition").unwrap_or(false).into());
    out.extend([0, 0, 0, 0, 0]);
    Sent::new(out, answer(2, number))
}
