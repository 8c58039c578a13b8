//! Padlocks and seals.

use crate::protocol::cursor::{Cursor, hex};
use crate::protocol::wire::{Complaint, Draft};

/// 63: seals of MAC 6, mV u16, state as a digit, two bytes.
pub(super) fn seals(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    for nth in 1.. {
        if c.left() < 11 {
            break;
        }
        draft.set(("lock_id", nth), hex(c.take(6)?));
        draft.set(("lock_battery_volts", nth), f64::from(c.u16()?) / 1000.0);
        draft.set(("lock_seal", nth), c.u8()? == b'1');
        c.skip(2)?;
    }
    Ok(())
}

/// d5: count, then locks of id 5, card 5, percent u8, state u16.
pub(super) fn locks(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    let count = u16::from(c.u8()?);
    for nth in 1..=count {
        draft.set(("lock_id", nth), hex(c.take(5)?));
        draft.set(("lock_card", nth), hex(c.take(5)?));
        draft.set(("lock_battery_percent", nth), c.u8()?);
        draft.set(("lock_locked", nth), c.u8()? & 1 != 0);
        c.skip(c.left().min(1))?;
    }
    Ok(())
}

/// Items of a padlock's report (5501): status u16, alarms u16, then id u8, length u8, bytes.
pub(super) fn padlock(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Complaint> {
    let status = c.u16()?;
    draft.set("status", status);
    if status & 2 != 0 {
        draft.alarm("lowPower");
    }
    c.skip(2)?;
    while c.left() >= 2 {
        let (id, length) = (c.u8()?, usize::from(c.u8()?));
        let mut item = Cursor::new(c.take(length.min(c.left()))?);
        match (id, item.left()) {
            (0x0b, 3..) => {
                draft.set("lock_command", item.u8()?);
                // The password that was given is not kept.
                item.skip(item.left() - 1)?;
                draft.set("unlock_result", item.u8()?);
            }
            (0x0c, 6) => {
                draft.set("tilt", format!("[{},{},{}]", item.i16()?, item.i16()?, item.i16()?));
            }
            (0x10, 1) => draft.set("wake_source", item.u8()?),
            _ => {}
        }
    }
    Ok(())
}
