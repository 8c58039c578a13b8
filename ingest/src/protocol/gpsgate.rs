//! `GpsGate`: a receiver's own sentence, and commands that carry a place.
//!
//! ```text
//! $FRLIN,IMEI,<IMEI>,*hh  $FRLIN,<domain>,<user>,<password>*hh   <- $FRSES,<number>*hh
//! $FRVER,<major>,<minor>,<program>*hh                            <- the same of ours
//! $GPRMC,hhmmss[.sss],<A|V>,ddmm.mmmm,N,dddmm.mmmm,E,<knots>,<course>,ddmmyy,..*hh
//! $FRCMD,<IMEI>,_SendMessage,<size>,ddmm.mmmm,N,dddmm.mmmm,E,<metres>,<knots>,<course>,ddmmyy,
//!   hhmmss[.sss],<valid 1|0>[,<name>=<value>]..*hh
//! ```
//! `hh` is the exclusive or of what stands between `$` and `*`. Source: Franson "`GpsGate` Server
//! Protocol Specification v1.0, v1.1 and v2.0" and "`GpsGate` `TrackerOne`". Ignored: passwords,
//! requests for other people's places, commands that tell the program how often to send.

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, TCP_UDP, Told, Wire, Wired};
use super::{When, angle, checksum, clock};
use crate::attribute::Value;
use crate::fix::{Measured, Report};

/// Longest sentence, bytes.
const LINE_MAX: usize = 1024;
const KNOT_MPS: f64 = 1852.0 / 3600.0;
/// A session has no number here.
const SESSION: &str = "FRSES,1";
/// The version of the protocol that we speak, and who we are.
const VERSION: &str = "FRVER,1,1,Milepost";

/// `GpsGate` and what its makers and others built for it.
pub(super) const GPSGATE: Wired = Wired {
    name: "gpsgate",
    port: 5026,
    transports: TCP_UDP,
    signatures: &[Mark::Text("$FRLIN,"), Mark::Text("$FRVER,"), Mark::Text("$FRCMD,")],
    models: &["GpsGate client", "GpsGate TrackerOne", "Franson phone trackers"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(GpsGate),
    login: |speaker| {
        Sent::new(sentence(&format!("FRLIN,IMEI,{},", speaker.device)), sentence(SESSION))
    },
    message,
};

#[derive(Debug)]
struct GpsGate;

impl Wire for GpsGate {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'$', bytes) {
            return skip;
        }
        Cut::line(bytes, b"\r\n", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let line = line.strip_prefix('$').unwrap_or(line);
        let (body, sum) = line.split_once('*').unwrap_or((line, ""));
        if let Some(sent) = hexadecimal(part(sum, 0, 2)) {
            told.checksum(sent as u32, checksum::xor(body.as_bytes()).into())?;
        }
        let mut fields = Fields::new(body, ',');
        match fields.text() {
            "FRLIN" => {
                fields.skip(1);
                told.from(fields.text())?;
                told.reply(sentence(SESSION), When::Immediate);
            }
            "FRVER" => told.reply(sentence(VERSION), When::Immediate),
            "GPRMC" | "GNRMC" => receiver(fields, told)?,
            "FRCMD" => {
                told.from(fields.text())?;
                if fields.text() == "_SendMessage" {
                    fields.skip(1);
                    command(fields, told)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn sentence(body: &str) -> String {
    format!("${body}*{:02X}\r\n", checksum::xor(body.as_bytes()))
}

/// Latitude and longitude.
fn place(fields: &mut Fields<'_>) -> Result<[f64; 2], Complaint> {
    let mut next = || {
        let (value, side) = (fields.text(), fields.text());
        angle::sided(value, side).ok_or_else(|| Complaint::bad("place", value.as_bytes()))
    };
    Ok([next()?, next()?])
}

fn receiver(mut fields: Fields<'_>, told: &mut Told) -> Result<(), Complaint> {
    let (time, valid) = (fields.text(), fields.text() == "A");
    let [lat, lng] = place(&mut fields)?;
    let speed = fields.decimal().map(|knots| knots * KNOT_MPS);
    let heading = fields.decimal();
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(fields.text(), time));
    draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    Ok(())
}

fn command(mut fields: Fields<'_>, told: &mut Told) -> Result<(), Complaint> {
    let [lat, lng] = place(&mut fields)?;
    let altitude = fields.decimal();
    let speed = fields.decimal().map(|knots| knots * KNOT_MPS);
    let heading = fields.decimal();
    let (date, time, valid) = (fields.text(), fields.text(), fields.text() == "1");
    let draft = told.report();
    draft.time(clock::ddmmyy_hhmmss(date, time));
    draft.at = Some(Measured { lng, lat, valid, speed, heading, altitude, ..Measured::default() });
    while let Some(field) = fields.next() {
        let Some((name, value)) = field.split_once('=') else { continue };
        let value = decimal(value).map_or_else(|| Value::from(value), Value::from);
        match name.to_ascii_lowercase().as_str() {
            "odometer" => draft.set("odometer_metres", value),
            "battery" => draft.set("battery_percent", value),
            name => draft.named(name, value),
        }
    }
    Ok(())
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    Sent::unanswered(sentence(&format!(
        "FRCMD,{},_SendMessage,,{},{},{},{},{:.1},{:.2},{:.2},{},{}.000,{}",
        speaker.device,
        angle::shown(p.lat, 2, 4),
        angle::north(p.lat),
        angle::shown(p.lng, 3, 4),
        angle::east(p.lng),
        p.altitude,
        p.knots,
        p.heading,
        p.ddmmyy(),
        p.hhmmss(),
        u8::from(p.valid),
    )))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_packets;
    use super::GPSGATE;

    #[test]
    fn sentences_are_read_as_the_document_says() {
        // The document's login and who its reader is, then a receiver's own sentence.
        let login = "\"$FRLIN,,user1,8IVHF*7A\\r\\n$FRVER,1,1,Tracker*21\\r\\n\
            $GPRMC,154403.000,A,6311.64120,N,01438.02740,E,12.5,90.5,270707,,*00\\r\\n\" \
            | <- $FRSES,1*4C\\r\\n now | <- $FRVER,1,1,Milepost*4C\\r\\n now \
            | user1 2007-07-27T15:44:03.000Z A 63.1940200,14.6337900 6.431m/s 90.5deg";
        let message = "\"$FRCMD,353067011068246,_SendMessage,,5918.02,N,01803.42,E,18.5,10.00,\
            271.2,240110,093216.000,1,odometer=1250,temp=21.5*7E\\r\\n\" \
            | 353067011068246 2010-01-24T09:32:16.000Z A 59.3003333,18.0570000 5.144m/s 271.2deg \
            18.5m odometer_metres=1250.0 temperature_celsius=21.5";
        let place = "\"$FRCMD,353067011068246,_SendMessage,,5918.02,Q,01803.42,E,18.5,10.00,\
            271.2,240110,093216.000,1*7C\\r\\n\" \
            | ! malformed place `5918.02` can not be read";
        let sum = "\"$FRLIN,,user1,8IVHF*7B\\r\\n\" | ! checksum checksum `7b` does not match `7a`";
        check_packets(&GPSGATE, &[login, message, place, sum].join("\n"));
    }
}
