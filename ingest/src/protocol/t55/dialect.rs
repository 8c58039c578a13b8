//! Lines that some makers send on the same port beside or instead of a receiver's sentences.
//!
//! ```text
//! QZE,<id>,<event>,ddmmyyyy,hhmmss,<lat>,<lng>,<km/h>,<course>,<A|V>,<ignition>
//! $ID,<id>,..,GPSET,<A|V>,D,ddmmyy,T,hhmmss,S,<in view>:<used>,La,<lat>,N,Lo,<lng>,W,
//!   [H,<course>,][V,<knots>,]DD,<metres>                                            WMCS
//! $TRCCR,yyyymmddhhmmss.sss,<A|V>,<lat>,<lng>,<knots>,<course>,<altitude>,<battery>,*hh
//! $GPRMA,<A|V>,ddmm.mm,N,dddmm.mm,W,,,<knots>,<course>,..*hh                        Loran
//! $GPTXT,NET,<id>,<operator>,<dBm>,<mcc> <mnc>*hh
//! $GPIOP,<inputs 8 bits>,<outputs 8 bits>,<lines V>..4,<power V>,<battery V>*hh
//! ```

use super::epoch::Part;
use super::sentence::{Complaint, Fields, KNOT_MPS, Line, bad};
use super::{identity, sentence};
use crate::attribute::{Attributes, Key, Value};
use crate::id::DeviceId;
use crate::protocol::clock;
use crate::protocol::fields::{decimal, part};
use crate::time::Timestamp;

/// Reads a line that begins as one of these; `None`: it is none of them.
pub(super) fn read(
    line: &str,
    from: Option<&DeviceId>,
    received_at: Timestamp,
) -> Option<Result<Line, Complaint>> {
    let read = match line.split(',').next()? {
        "QZE" => qze,
        "$ID" => wmcs,
        "$GPTXT" if line.starts_with("$GPTXT,NET,") => network,
        "$TRCCR" => trccr,
        "$GPRMA" => loran,
        "$GPIOP" => lines,
        _ => return None,
    };
    let fields = Fields::of(line);
    let checksum_ok = fields.checksum_ok();
    Some(read(fields, received_at).and_then(|(id, part)| {
        if let Some(id) = id.filter(|id| from.is_none_or(|from| from.as_str() != *id)) {
            let device = identity::device(id).ok_or_else(|| sentence::unknown(line))?;
            return Ok(Line::From(device));
        }
        Ok(Line::Whole(Box::new(Part { checksum_ok, ..part })))
    }))
}

/// A part and whom the line names.
type Said<'a> = Result<(Option<&'a str>, Part), Complaint>;

fn put<'a>(
    attributes: &mut Option<Box<Attributes>>,
    name: &'static str,
    value: Option<impl Into<Value<'a>>>,
) {
    if let Some(value) = value {
        attributes.get_or_insert_default().set(Key::from(name), value.into());
    }
}

fn place(lat: &str, lng: &str) -> Result<Option<(f64, f64)>, Complaint> {
    let lat = decimal(lat).ok_or_else(|| bad("latitude", lat))?;
    Ok(Some((decimal(lng).ok_or_else(|| bad("longitude", lng))?, lat)))
}

fn qze(mut fields: Fields<'_>, _: Timestamp) -> Said<'_> {
    let (id, event) = (fields.text(), fields.text());
    let (date, clock) = (fields.text(), fields.text());
    let stamp = format!("{}{}{}{clock}", part(date, 4, 8), part(date, 2, 4), part(date, 0, 2));
    let time = clock::yyyymmddhhmmss(&stamp).ok_or_else(|| bad("time", date))?;
    let mut part = Part { time, place: place(fields.text(), fields.text())?, ..Part::default() };
    part.speed = fields.decimal("speed")?.map(|kmh| kmh / 3.6);
    part.heading = fields.decimal("course")?;
    part.valid = fields.text() == "A";
    put(&mut part.attributes, "event", event.parse::<i64>().ok());
    put(&mut part.attributes, "ignition", Some(fields.text() == "1"));
    Ok((Some(id), part))
}

/// Names and their values behind the word of the fix.
fn wmcs(mut fields: Fields<'_>, received_at: Timestamp) -> Said<'_> {
    let id = fields.text();
    let mut part = Part { time: received_at, ..Part::default() };
    let (mut date, mut clock, mut lat, mut lng) = ("", "", None, None);
    while let Some(name) = fields.next() {
        match name {
            _ if name.starts_with("GPS") => part.valid = fields.text() == "A",
            "D" => date = fields.text(),
            "T" => clock = fields.text(),
            "S" => {
                let (seen, used) = fields.text().split_once(':').unwrap_or(("", ""));
                part.satellites = used.parse().ok();
                put(&mut part.attributes, "satellites_in_view", seen.parse::<i64>().ok());
            }
            "La" => lat = side(fields.decimal("latitude")?, fields.text()),
            "Lo" => lng = side(fields.decimal("longitude")?, fields.text()),
            "H" => part.heading = fields.decimal("course")?,
            "V" => part.speed = fields.decimal("speed")?.map(|knots| knots * KNOT_MPS),
            "DD" => {
                let metres = fields.decimal("distance")?;
                put(&mut part.attributes, "total_distance_metres", metres);
            }
            _ => {}
        }
    }
    part.place = lng.zip(lat);
    part.time = clock::ddmmyy_hhmmss(date, clock).unwrap_or(received_at);
    Ok((Some(id), part))
}

fn side(degrees: Option<f64>, side: &str) -> Option<f64> {
    crate::protocol::angle::signed(degrees?, side)
}

fn trccr(mut fields: Fields<'_>, _: Timestamp) -> Said<'_> {
    let stamp = fields.text();
    let time = clock::yyyymmddhhmmss(stamp).ok_or_else(|| bad("time", stamp))?;
    let mut part = Part { time, valid: fields.text() == "A", ..Part::default() };
    part.place = place(fields.text(), fields.text())?;
    part.speed = fields.decimal("speed")?.map(|knots| knots * KNOT_MPS);
    part.heading = fields.decimal("course")?;
    part.altitude = fields.decimal("altitude")?;
    put(&mut part.attributes, "battery_volts", fields.decimal("battery")?);
    Ok((None, part))
}

fn loran(mut fields: Fields<'_>, received_at: Timestamp) -> Said<'_> {
    let mut part = Part { time: received_at, valid: fields.text() == "A", ..Part::default() };
    let lat = fields.angle("latitude")?;
    part.place = fields.angle("longitude")?.zip(lat);
    fields.text();
    fields.text();
    part.speed = fields.decimal("speed")?.map(|knots| knots * KNOT_MPS);
    // Loran's course may end in a point.
    part.heading = decimal(fields.text().trim_end_matches('.'));
    Ok((None, part))
}

fn network(mut fields: Fields<'_>, received_at: Timestamp) -> Said<'_> {
    fields.text();
    let id = fields.text();
    if id.is_empty() {
        return Err(bad("id", id));
    }
    let mut part = Part { time: received_at, ..Part::default() };
    put(&mut part.attributes, "operator", Some(fields.text()));
    put(&mut part.attributes, "rssi", fields.text().parse::<i64>().ok());
    let (mcc, mnc) = fields.text().split_once(' ').unwrap_or(("", ""));
    put(&mut part.attributes, "cell_country", mcc.parse::<i64>().ok());
    put(&mut part.attributes, "cell_network", mnc.parse::<i64>().ok());
    Ok((Some(id), part))
}

fn lines(mut fields: Fields<'_>, received_at: Timestamp) -> Said<'_> {
    let mut part = Part { time: received_at, ..Part::default() };
    let mut bits = || i64::from_str_radix(fields.text(), 2).ok();
    put(&mut part.attributes, "input_mask", bits());
    put(&mut part.attributes, "output_mask", bits());
    for nth in 1..=4 {
        if let Some(volts) = fields.decimal("line")? {
            let attributes = part.attributes.get_or_insert_default();
            attributes.set(Key::from(("analog_volts", nth)), Value::Float(volts));
        }
    }
    put(&mut part.attributes, "power_volts", fields.decimal("power")?);
    put(&mut part.attributes, "battery_volts", fields.decimal("battery")?);
    Ok((None, part))
}
