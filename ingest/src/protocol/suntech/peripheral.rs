//! What stands behind the fix of a Suntech message: peripherals' own words (UEX, with their length
//! before them), lines and thermometers, fields that people assign; and the packed form.

use crate::attribute::Key;
use crate::fix::Measured;
use crate::protocol::clock;
use crate::protocol::cursor::{Cursor, bcd, hex};
use crate::protocol::fields::{decimal, hexadecimal};
use crate::protocol::wire::{Complaint, Draft, Told};

/// Analogue lines, the most there are.
const LINES: u16 = 3;
/// Values that a mask can assign.
const ASSIGNED: u32 = 32;

/// Where the words of a peripheral end; they may hold ends of lines. `None` in other messages, or
/// where the length has not arrived.
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    let head = bytes.split(|b| *b == b';').next()?;
    if !head.ends_with(b"UEX") || head.len() == bytes.len() {
        return None;
    }
    let mut at = 0;
    let mut place = None;
    for (nth, field) in bytes.split(|b| *b == b';').enumerate() {
        let whole = at + field.len() < bytes.len();
        if !whole || field.contains(&b'\r') {
            return None;
        }
        at += field.len() + 1;
        if place.is_none() && matches!(field, [b'+' | b'-', ..]) {
            place = Some(nth);
        }
        let behind = if head.len() == 3 { 8 } else { 9 };
        if place.is_some_and(|place| nth == place + behind) {
            let digits = std::str::from_utf8(field).ok()?;
            return digits.parse::<usize>().ok().map(|length| at.saturating_add(length));
        }
    }
    None
}

/// The words of a card reader (`GTSL|..|..|..|<card>|..`), of fuel gauges (`CabAVL"CabMensaje,..,
/// <level>,..,FinMensaje"FinAVL`), of tanks with thermometers (`t_0=<hex>`, `N_0=<hex>`).
pub(super) fn said(f: &[&str], draft: &mut Draft) {
    let first = f.first().copied().unwrap_or("");
    if first.starts_with("GTSL") {
        draft.maybe("driver_id", first.split('|').nth(4));
    } else if let Some((_, levels)) = first.split_once("CabMensaje,") {
        let levels = levels.split(',').skip(1).map_while(|v| v.parse::<f64>().ok());
        let mut all = 0.0;
        for (nth, level) in (1..).zip(levels).filter(|(_, level)| *level >= 0.0) {
            draft.set(("fuel_litres", nth), level);
            all += level;
        }
        draft.set("fuel_litres", all);
    }
    for (name, value) in f.iter().filter_map(|pair| pair.split_once('=')) {
        let value = value.split('.').next().and_then(hexadecimal);
        let number = name.get(2..).and_then(|n| n.parse::<u16>().ok());
        match (name.get(..2), number) {
            (Some("t_"), Some(nth)) => draft.maybe(("temperature_celsius", nth), value),
            (Some("N_"), Some(nth)) => draft.maybe(("fuel_count", nth), value),
            (Some("Q_"), None) => draft.maybe("driving_quality", value),
            _ => {}
        }
    }
}

/// Volts of lines, then `<sensor's id>:<degrees>`.
pub(super) fn lines(f: &[&str], draft: &mut Draft) {
    let volts = f.iter().take_while(|v| v.is_empty() || v.contains('.') && decimal(v).is_some());
    for (nth, volts) in (1..=LINES).zip(volts) {
        draft.maybe(("analog_volts", nth), decimal(volts));
    }
    let celsius = f.iter().filter_map(|v| v.split_once(':')).filter_map(|(_, v)| decimal(v));
    for (nth, celsius) in (1..).zip(celsius.take(usize::from(LINES))) {
        draft.set(("temperature_celsius", nth), celsius);
    }
}

/// A mask in hex digits and a value for each of its bits; without a mask the values alone.
pub(super) fn assigned(f: &[&str], draft: &mut Draft) {
    let Some((mask, values)) = f.split_first() else { return };
    if mask.is_empty() {
        for (nth, value) in (1..).zip(values.iter().take(ASSIGNED as usize)) {
            draft.set(("assigned", nth), *value);
        }
        return;
    }
    let Some(mask) = hexadecimal(mask).filter(|_| mask.len() == 8) else { return };
    let bits = (0..ASSIGNED).filter(|bit| mask >> bit & 1 != 0);
    for (bit, value) in bits.zip(values) {
        draft.set(Key::Io(bit + 1), *value);
    }
}

/// BLE: how many, then each strength, least, most, id, samples, major, minor.
pub(super) fn tags(f: &[&str], draft: &mut Draft) {
    let Some((_, all)) = f.split_first() else { return };
    for (nth, tag) in (1..=16).zip(all.chunks_exact(7)) {
        let whole = |at: usize| tag[at].parse::<i64>().ok();
        draft.maybe(("tag_rssi_dbm", nth), whole(0));
        draft.set(("tag_id", nth), tag[3]);
        draft.maybe(("tag_samples", nth), whole(4));
        draft.maybe(("tag_major", nth), whole(5));
        draft.maybe(("tag_minor", nth), whole(6));
    }
}

/// The packed form: kind u8, id of nine digits, model and version, yy mm dd hh mm ss, cell u24,
/// latitude and longitude as degrees u8 and three bytes of decimals, km/h u16 and hundredths,
/// course likewise, flags (south, west, fix, satellites), metres u32, volts 2 BCD, lines, event.
/// No document of it is known; this is what its messages show.
pub(super) fn packed(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let mut c = Cursor::new(frame);
    c.skip(4)?;
    let digits = hex(c.take(5)?);
    told.from(digits.get(..9).unwrap_or(&digits))?;
    let draft = told.report();
    c.skip(3)?;
    draft.time(clock::six_bytes(c.array()?));
    c.skip(3)?;
    let mut angle = || -> Result<f64, Complaint> {
        let degrees = f64::from(c.u8()?);
        let digits = c.take(3)?.iter().fold(0_u32, |n, b| n * 100 + u32::from(bcd(*b)));
        Ok(degrees + f64::from(digits) / 1e6)
    };
    let (lat, lng) = (angle()?, angle()?);
    let mut hundredths =
        || -> Result<f64, Complaint> { Ok(f64::from(c.u16()?) + f64::from(bcd(c.u8()?)) / 100.0) };
    let (kmh, heading) = (hundredths()?, hundredths()?);
    let flags = c.u8()?;
    draft.at = Some(Measured {
        lat: if flags & 0x80 == 0 { lat } else { -lat },
        lng: if flags & 0x40 == 0 { lng } else { -lng },
        valid: flags & 0x20 != 0,
        speed: Some(kmh / 3.6),
        heading: Some(heading),
        ..Measured::default()
    });
    draft.set("satellites", flags & 0x1f);
    draft.set("odometer_metres", c.u32()?);
    draft.set("power_volts", f64::from(bcd(c.u8()?)) + f64::from(bcd(c.u8()?)) / 100.0);
    let lines = c.u8()?;
    draft.set("ignition", lines & 0x01 != 0);
    for nth in 1..=3 {
        draft.set(("input", nth), lines >> nth & 1 != 0);
    }
    draft.set(("output", 1), lines & 0x10 != 0);
    draft.set(("output", 2), lines & 0x20 != 0);
    draft.set("event", c.u8()?);
    Ok(())
}
