//! What events of their own carry: brakes of a trailer (188), histograms (H).

use crate::protocol::cursor::{Cursor, hex};
use crate::protocol::wire::{Complaint, Draft};

/// A service distance counts from here, in 5 m, as SAE J1939 has it.
const SERVICE: i64 = 2_105_540_607;

/// `EB` | version u8 | event u16 | validity u8 | towed u8 | length u16, blocks of source u8, id u8,
/// length u8: 1 flags, 2 speeds, 3 axle 2 kg, 6 distances 5 m, a counters, b least and most, c groups
/// that are missing.
pub(super) fn brakes(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    if c.take(2)? != b"EB" {
        return Ok(());
    }
    draft.set("firmware", c.u8()?);
    c.skip(2)?;
    draft.set("validity", c.u8()?);
    draft.set("towed", c.u8()?);
    c.skip(2)?;
    while c.left() >= 3 {
        c.skip(1)?;
        let (id, length) = (c.u8()?, usize::from(c.u8()?));
        block(id, &mut Cursor::new(c.take(length)?), draft)?;
    }
    Ok(())
}

fn block(id: u8, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    match id {
        0x01 => draft.set("brake_flags", hex(c.rest())),
        0x02 => {
            draft.set("wheel_speed_mps", f64::from(c.u16()?) / 256.0 / 3.6);
            draft.set("wheel_speed_difference_mps", (f64::from(c.u16()?) / 256.0 - 125.0) / 3.6);
            draft.set("lateral_acceleration_mps2", (f64::from(c.u8()?) - 125.0) / 10.0);
            draft.set("vehicle_speed_mps", f64::from(c.u16()?) / 256.0 / 3.6);
        }
        0x03 => draft.set("axle_weight_kilograms", u32::from(c.u16()?) * 2),
        0x06 => {
            draft.set("odometer_metres", i64::from(c.u32()?) * 5);
            draft.set("trip_metres", i64::from(c.u32()?) * 5);
            draft.set("service_metres", (i64::from(c.u32()?) - SERVICE) * 5);
        }
        0x0a => {
            for key in ["abs_count", "rollover_count", "stability_count"] {
                draft.set(key, c.u16()?);
            }
        }
        0x0b => draft.set("brake_extremes", hex(c.rest())),
        0x0c => draft.set("missing_groups", hex(c.rest())),
        _ => {}
    }
    Ok(())
}

/// Histograms of number u8, length u16, columns u8, rows u8, what they count u8 twice, parameters
/// u8, half percents u8.., total u32, bytes of a limit u8, limits between columns, between rows.
pub(super) fn histograms(c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    for nth in 1.. {
        if c.left() < 3 {
            break;
        }
        draft.set(("histogram_number", nth), c.u8()?);
        let length = usize::from(c.u16()?);
        histogram(nth, &mut Cursor::new(c.take(length)?), draft)?;
    }
    Ok(())
}

fn histogram(nth: u16, c: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), Complaint> {
    let (columns, rows) = (c.u8()?, c.u8()?);
    draft.set(("histogram_columns", nth), columns);
    draft.set(("histogram_rows", nth), rows);
    draft.set(("histogram_x_kind", nth), c.u8()?);
    draft.set(("histogram_y_kind", nth), c.u8()?);
    draft.set(("histogram_parameters", nth), c.u8()?);
    let shares = c.take(usize::from(columns) * usize::from(rows))?;
    let shares: Vec<String> =
        shares.iter().map(|half| format!("{:.1}%", f64::from(*half) / 2.0)).collect();
    draft.set(("histogram_shares", nth), shares.join(" "));
    draft.set(("histogram_total", nth), c.u32()?);
    let width = usize::from(c.u8()?);
    for (key, count) in [("histogram_x_limits", columns), ("histogram_y_limits", rows)] {
        let mut limits = Vec::new();
        for _ in 1..count {
            let limit = c.take(width)?.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
            limits.push(limit.to_string());
        }
        if !limits.is_empty() {
            draft.set((key, nth), limits.join(" "));
        }
    }
    Ok(())
}
