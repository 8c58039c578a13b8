//! Navtelecom: NTCB packets around a connection's beginning, FLEX records behind it, little-endian.
//!
//! ```text
//! @NTC | to u32 | from u32 | length u16 | XOR of the content | XOR of the head | content
//!   *>S:<IMEI>                             <- *<S
//!   *>FLEX B0 version structure bits mask  <- *<FLEX B0 version structure
//!   *>T record                             <- *<T index        *>A count records  <- *<A count
//!   *@..     what a command answers
//! ~T index u32 record CRC-8  <- ~T index CRC-8        ~A count records CRC-8  <- ~A count CRC-8
//! ~C record CRC-8            <- ~C CRC-8              7F  a sign of life
//! record of NTCB   format u8 | index u32 | event u16 | time 6 | guard | status | signal | ..
//! record of FLEX   the fields that the mask names, in order
//! ```
//! Times of NTCB are hour, minute, second, day, month from 0, year. What is not connected has the
//! field's largest value, -128 or -1 and is not reported. The time of a record is the place's.
//!
//! Source: Navtelecom "NTCB and FLEX 1.0 to 3.0", revision 6.2. Ignored: NTCB formats before 5.0,
//! extended records (~E, ~X), encryption.

use super::cursor::Cursor;
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, TCP, Told, Wire, Wired};
use super::{BadFrame, When, checksum};
use crate::fix::Report;

mod flex;
mod ntcb;

use flex::{Flex, VERSIONS};

/// Longest packet, bytes.
const PACKET_MAX: usize = 64 * 1024;
/// Length of an NTCB head.
const HEAD: usize = 16;

/// Navtelecom.
pub(super) const NAVIS: Wired = Wired {
    name: "navis",
    port: 5019,
    transports: TCP,
    signatures: &[Mark::Text("@NTC")],
    models: &["Navtelecom Signal S-2551", "S-2651", "Smart S-2333", "S-2423", "S-2435", "S-2437"],
    idle_minutes: 15,
    acknowledges: true,
    wire: |_| Box::<Navis>::default(),
    login,
    message,
};

#[derive(Debug, Default)]
struct Navis {
    /// What the device said its records hold.
    flex: Option<Flex>,
}

impl Wire for Navis {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match bytes {
            [0x7f, ..] => Cut::Skip(1),
            [b'@', ..] => {
                let Some(length) = bytes.get(12..14) else { return Cut::Need };
                let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
                if !bytes.starts_with(b"@NTC") {
                    return Cut::no_frame(bytes, "`@NTC`");
                }
                Cut::of_length(HEAD + length, bytes, PACKET_MAX)
            }
            [b'~', kind, count, ..] => {
                let Some(size) = self.flex.as_ref().map(Flex::size) else {
                    return Cut::no_frame(bytes, "`@NTC` first");
                };
                let length = match kind {
                    b'A' => 4 + size * usize::from(*count),
                    b'T' => 7 + size,
                    b'C' => 3 + size,
                    _ => return Cut::no_frame(bytes, "`~A`, `~T` or `~C`"),
                };
                Cut::of_length(length, bytes, PACKET_MAX)
            }
            [b'~', ..] => Cut::Need,
            _ => Cut::no_frame(bytes, "`@` or `~`"),
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if frame.first() == Some(&b'@') {
            return self.packet(frame, told);
        }
        let Some((body, [sum])) = frame.split_last_chunk::<1>() else {
            return Err(Complaint::short(frame.len()));
        };
        told.checksum((*sum).into(), checksum::crc8(body).into())?;
        let Some(flex) = &self.flex else {
            return Err(Complaint::bad("record without a mask", frame));
        };
        let mut c = Cursor::new(body);
        c.skip(1)?;
        let (kind, mut answer) = (c.u8()?, body.get(..2).unwrap_or_default().to_vec());
        let count = match kind {
            b'A' => {
                answer.extend(c.rest().first());
                c.u8()?
            }
            b'T' => {
                answer.extend(c.take(4)?);
                1
            }
            _ => 1,
        };
        answer.push(checksum::crc8(&answer));
        told.reply(answer, When::AfterDurable);
        for _ in 0..count {
            flex.record(&mut c, told.report())?;
        }
        Ok(())
    }
}

impl Navis {
    fn packet(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let (head, content) = frame.split_at_checked(HEAD).ok_or(Complaint::short(frame.len()))?;
        let sums = [checksum::xor(content), checksum::xor(&head[..HEAD - 1])];
        told.checksum(
            u16::from_be_bytes([head[14], head[15]]).into(),
            u16::from_be_bytes(sums).into(),
        )?;
        let reply = |told: &mut Told, content: &[u8], when: When| {
            told.reply(packed(&head[8..12], &head[4..8], content), when);
        };
        if let Some(id) = content.strip_prefix(b"*>S:") {
            told.from(String::from_utf8_lossy(id).trim_end_matches('\0').trim())?;
            reply(told, b"*<S", When::Immediate);
        } else if let Some(rest) = content.strip_prefix(b"*>FLEX") {
            let flex = Flex::agreed(rest)?;
            let [version, structure] = flex.versions();
            self.flex = Some(flex);
            let answer = [b"*<FLEX\xb0".as_slice(), &[version, structure]].concat();
            reply(told, &answer, When::Immediate);
        } else if let Some(record) = content.strip_prefix(b"*>T") {
            let mut c = Cursor::new(record);
            let index = c.rest().get(1..5).unwrap_or_default();
            reply(told, &[b"*<T", index].concat(), When::AfterDurable);
            ntcb::record(&mut c, told.report())?;
        } else if let Some([count, records @ ..]) = content.strip_prefix(b"*>A") {
            reply(told, &[b"*<A".as_slice(), &[*count]].concat(), When::AfterDurable);
            let mut c = Cursor::new(records);
            for _ in 0..*count {
                ntcb::record(&mut c, told.report())?;
            }
        } else if content.starts_with(b"*@") {
            told.report().set("command_result", String::from_utf8_lossy(content).into_owned());
        } else if !content.starts_with(b"*#") && !content.starts_with(b"*?") {
            return Err(Complaint::new(BadFrame::Malformed, HEAD, "content is not known"));
        }
        Ok(())
    }
}

/// An NTCB packet.
fn packed(to: &[u8], from: &[u8], content: &[u8]) -> Vec<u8> {
    let mut out = [b"@NTC", to, from].concat();
    out.extend((content.len() as u16).to_le_bytes());
    out.push(checksum::xor(content));
    out.push(checksum::xor(&out));
    out.extend(content);
    out
}

const SERVER: [u8; 4] = [1, 0, 0, 0];
const OURS: [u8; 4] = [0; 4];

fn login(speaker: &mut Speaker) -> Sent {
    let mut out = packed(&SERVER, &OURS, format!("*>S:{:0>15}", speaker.device).as_bytes());
    let (version, mask) = (VERSIONS[0], [0xff, 0xfc, 0, 0, 0, 0, 0, 0, 0]);
    let head = [0xb0, version, version, flex::FIELDS[0] as u8];
    out.extend(packed(&SERVER, &OURS, &[b"*>FLEX".as_slice(), &head, &mask].concat()));
    let mut answer = packed(&OURS, &SERVER, b"*<S");
    answer.extend(packed(&OURS, &SERVER, &[b"*<FLEX".as_slice(), &head[..3]].concat()));
    Sent::new(out, answer)
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let index = speaker.next().to_le_bytes();
    let time = (report.time.unwrap_or_default().millis().div_euclid(1000) as u32).to_le_bytes();
    let mut out = [b"~T".as_slice(), &index, &index, &[0, 0], &time, &[0, 0, 0, 31]].concat();
    out.push(if p.valid { 9 << 2 | 3 } else { 1 });
    out.extend(time);
    for degrees in [p.lat, p.lng] {
        out.extend(((degrees * 600_000.0).round() as i32).to_le_bytes());
    }
    out.extend(((p.altitude * 10.0).round() as i32).to_le_bytes());
    out.extend((p.kmh as f32).to_le_bytes());
    out.extend(p.degrees().to_le_bytes());
    out.push(checksum::crc8(&out));
    let mut answer = [b"~T".as_slice(), &index].concat();
    answer.push(checksum::crc8(&answer));
    Sent::new(out, answer)
}
