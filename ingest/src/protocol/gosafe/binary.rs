//! The binary form.

use super::{ACK, checksum};
use crate::fix::Measured;
use crate::protocol::When;
use crate::protocol::cursor::Cursor;
use crate::protocol::wire::{Complaint, Draft, Told};
use crate::time::Timestamp;

/// Stands at both ends.
pub(super) const END: u8 = 0xf8;
const ESCAPE: u8 = 0x1b;
/// 2000-01-01.
const EPOCH: i64 = 946_684_800;
/// The kind that carries an event.
const EVENT: u8 = 0x41;

pub(super) fn unescaped(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len());
    let mut bytes = frame.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            ESCAPE => bytes.next().unwrap_or(0) ^ ESCAPE,
            byte => byte,
        });
    }
    out
}

pub(super) fn read(frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
    let frame = unescaped(frame);
    let inner = frame.get(1..frame.len().saturating_sub(1)).unwrap_or_default();
    let Some((body, sum)) = inner.split_last_chunk::<2>() else {
        return Err(Complaint::short(frame.len()));
    };
    told.checksum(u16::from_be_bytes(*sum).into(), checksum::XMODEM.of(body).into())?;
    let mut c = Cursor::new(body);
    c.skip(1)?;
    let kind = c.u8()?;
    let imei = c.take(7)?.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    told.from(&imei.to_string())?;
    told.reply(ACK, When::AfterDurable);
    let seconds = i64::from(c.u32()?);
    let draft = told.report();
    draft.time(Some(Timestamp::from_seconds(EPOCH + seconds)));
    if kind == EVENT {
        draft.set("event", c.u8()?);
    }
    let mask = c.u16()?;
    for bit in (0..16).filter(|bit| mask >> bit & 1 != 0) {
        let length = usize::from(c.u8()?);
        let group = c.take(length)?;
        if bit == 1 {
            place(group, draft)?;
        }
    }
    Ok(())
}

/// Which of the fields there are says the mask, lowest bit first.
fn place(group: &[u8], draft: &mut Draft) -> Result<(), Complaint> {
    let mut c = Cursor::new(group);
    let mask = c.u16()?;
    let has = |bit: u16| mask >> bit & 1 != 0;
    let mut at = Measured::default();
    if has(0) {
        let state = c.u8()?;
        at.valid = state >> 4 != 0;
        draft.set("satellites", state & 15);
    }
    let placed = has(1);
    if placed {
        (at.lat, at.lng) = (f64::from(c.i32()?) / 1e6, f64::from(c.i32()?) / 1e6);
    }
    if has(2) {
        at.speed = Some(f64::from(c.u16()?) / 3.6);
    }
    if has(3) {
        at.heading = Some(f64::from(c.u16()?));
    }
    if has(4) {
        at.altitude = Some(f64::from(c.i16()?));
    }
    if has(5) {
        draft.set("hdop", f64::from(c.u16()?) / 100.0);
    }
    draft.at = placed.then_some(at);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::GOSAFE;
    use super::*;
    use crate::protocol::tests::talk;
    use crate::protocol::{Options, Protocol, Transport};

    #[test]
    fn a_place_is_read_and_what_looks_like_an_end_is_none() {
        let mut body = vec![6, EVENT];
        body.extend(&352_093_081_452_251_u64.to_be_bytes()[1..]);
        body.extend((1_795_162_530_u32 - EPOCH as u32).to_be_bytes());
        body.extend([0x1c, 0, 0b11, 0, 19, 0, 0x3f, 0x48]);
        body.extend((-1_500_000_i32).to_be_bytes());
        body.extend(2_000_000_i32.to_be_bytes());
        body.extend([0, 36, 0, 90, 0, 0xf8, 0, 0x1b]);
        body.extend(checksum::XMODEM.of(&body).to_be_bytes());
        let mut frame = vec![END];
        for byte in body {
            match byte {
                END | ESCAPE => frame.extend([ESCAPE, byte ^ ESCAPE]),
                byte => frame.push(byte),
            }
        }
        frame.push(END);
        let mut decoder = GOSAFE.decoder(Transport::Tcp, &Options::default());
        assert_eq!(
            talk(decoder.as_mut(), frame.chunks(1), false),
            [
                "352093081452251 2026-11-20T08:15:30.000Z A -1.5000000,2.0000000 10m/s 90deg 248m \
                 event=28 hdop=0.27 satellites=8",
                "<- 1234 durable"
            ]
        );
    }
}
