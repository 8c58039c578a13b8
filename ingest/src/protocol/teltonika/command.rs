//! Codecs 12, 13 and 14: what a device answers to commands, what its serial port says, and the
//! photo transfer.
//!
//! ```text
//! message   type u8 | size u32 | [13: seconds since 1970 u32] [14: IMEI 8 bytes] | text or bytes
//! photo     type 0d: 00 .. none  | 01 id u32, size u32  | 02 id u32, offset u32, length u16, bytes
//! request   type 0d: 02 id u32, offset u32, length u16    (server asks for the next piece)
//! ```
//! A device that announces a photo repeats itself until somebody asks for the pieces. They are
//! asked for one after the other and the end is reported with the photo's number and size; the
//! picture itself is not kept, since a report carries numbers and short texts.

use super::beacon::hex;
use super::record::{Codec, Reader};
use crate::attribute::{Key, Value, text_value};
use crate::command::Command;
use crate::fix::Report;
use crate::protocol::checksum;
use crate::time::Timestamp;
use crate::units::OutOfRange;

/// What a message amounts to.
#[derive(Debug)]
pub(super) enum Said {
    /// The report holds it.
    Report,
    /// Nothing that anybody needs.
    Nothing,
    /// Ask the device for more.
    Ask(Vec<u8>),
}

/// Largest piece of a photo that is asked for, bytes.
const PIECE_MAX: u32 = 2048;
/// Largest photo that is followed, bytes; a larger one is left to the device.
const PHOTO_MAX: u32 = 4 << 20;
const PHOTO: u8 = 0x0d;
/// Type of a command.
const REQUEST: u8 = 5;
/// Longest message whose bytes are shown, bytes; as hex they fill a text value.
const SHOWN_MAX: usize = crate::attribute::TEXT_MAX / 2;

/// The photo that is being fetched.
#[derive(Debug, Default)]
pub(super) struct Photos(Option<Photo>);

#[derive(Debug)]
struct Photo {
    id: u32,
    /// Not known where the announcement leaves it out: then a short piece is the last.
    size: Option<u32>,
    have: u32,
}

/// Type and content of one message.
pub(super) fn cut<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let kind = reader.byte()?;
    let size = reader.int()? as usize;
    Some((kind, reader.slice(size)?))
}

/// Reads the message at `at` into `report`: where it ends and what it amounts to.
pub(super) fn read(
    codec: Codec,
    frame: &[u8],
    at: usize,
    report: &mut Report,
    photos: &mut Photos,
) -> Option<(usize, Result<Said, OutOfRange>)> {
    let mut reader = Reader::new(frame, at);
    let (kind, content) = cut(&mut reader)?;
    if codec == Codec::Twelve && kind == PHOTO {
        let said = photos.follow(content, report).unwrap_or(Said::Nothing);
        return Some((reader.at, Ok(said)));
    }
    let content = match codec {
        Codec::Thirteen => match content.split_first_chunk() {
            Some((seconds, text)) => {
                let seconds = u32::from_be_bytes(*seconds);
                report.time = Some(Timestamp::from_seconds(i64::from(seconds)));
                text
            }
            None => content,
        },
        Codec::Fourteen => content.split_first_chunk::<8>().map_or(content, |(_, text)| text),
        _ => {
            report.attributes.set(Key::from("message_type"), Value::Int(i64::from(kind)));
            content
        }
    };
    answer(content, report);
    Some((reader.at, Ok(Said::Report)))
}

fn answer(content: &[u8], report: &mut Report) {
    let printable = content.iter().all(|b| matches!(b, 0x20..=0x7e | b'\r' | b'\n'));
    let result = Key::from("command_result");
    if !printable {
        let shown = &content[..content.len().min(SHOWN_MAX)];
        report.attributes.set(result, Value::from(hex(shown)));
        return;
    }
    let text = String::from_utf8_lossy(content);
    let text = text.trim();
    // What a driver's card reader says: `GTSL|6|1|0|12749884|1|`.
    if let Some(driver) = text.strip_prefix("GTSL|").and_then(|t| t.split('|').nth(3)) {
        report.attributes.set(Key::from("driver_id"), text_value(driver));
    } else if !weights(text, report) {
        report.attributes.set(result, text_value(text));
    }
}

/// What an axle-load sensor says: `UUUUww` and twelve weights, `;` between them, `SSS` at the end.
fn weights(text: &str, report: &mut Report) -> bool {
    let values = text.strip_prefix("UUUUww").and_then(|t| t.strip_suffix("SSS"));
    let Some(values) = values else { return false };
    let mut numbers = [0.0; 12];
    let mut given = values.split(';');
    for number in &mut numbers {
        match given.next().and_then(|v| v.trim().parse().ok()).filter(|v: &f64| v.is_finite()) {
            Some(value) => *number = value,
            None => return false,
        }
    }
    let totals = [
        "truck_load_kilograms",
        "trailer_load_kilograms",
        "truck_total_kilograms",
        "trailer_total_kilograms",
    ];
    for (number, value) in (1..).zip(&numbers[..8]) {
        report.attributes.set(Key::from(("axle_kilograms", number)), Value::Float(*value));
    }
    for (name, value) in totals.into_iter().zip(&numbers[8..]) {
        report.attributes.set(Key::from(name), Value::Float(*value));
    }
    true
}

impl Photos {
    fn follow(&mut self, content: &[u8], report: &mut Report) -> Option<Said> {
        let mut reader = Reader::new(content, 0);
        let step = reader.byte()?;
        let id = reader.int();
        match step {
            1 => {
                let photo = Photo { id: id?, size: reader.int(), have: 0 };
                if photo.size.is_some_and(|s| s == 0 || s > PHOTO_MAX) {
                    return None;
                }
                let request = photo.request();
                self.0 = Some(photo);
                Some(Said::Ask(request))
            }
            2 => {
                let photo = self.0.as_mut().filter(|p| Some(p.id) == id)?;
                let (offset, length) = (reader.int()?, u32::from(reader.short()?));
                let asked = photo.piece();
                if offset == photo.have {
                    photo.have += length.min(asked);
                }
                let done = match photo.size {
                    Some(size) => photo.have >= size,
                    None => length < asked || photo.have >= PHOTO_MAX,
                };
                if !done {
                    return Some(Said::Ask(photo.request()));
                }
                let number = |v| Value::Int(i64::from(v));
                report.attributes.set(Key::from("photo_id"), number(photo.id));
                report.attributes.set(Key::from("photo_bytes"), number(photo.have));
                self.0 = None;
                Some(Said::Report)
            }
            _ => None,
        }
    }
}

impl Photo {
    /// Bytes to ask for next.
    fn piece(&self) -> u32 {
        self.size.map_or(PIECE_MAX, |size| PIECE_MAX.min(size - self.have.min(size)))
    }

    fn request(&self) -> Vec<u8> {
        let mut message = vec![2];
        message.extend(self.id.to_be_bytes());
        message.extend(self.have.to_be_bytes());
        message.extend((self.piece() as u16).to_be_bytes());
        wrapped(&data(PHOTO, &message))
    }
}

/// A command in the words of Teltonika's "SMS/GPRS commands", as codec 12 carries them. Parameter
/// 10050 is the time between records while moving; output 1 is where an immobiliser is wired.
pub(super) fn told(command: &Command) -> Vec<u8> {
    let words = match command {
        Command::Position => "getgps".to_owned(),
        Command::Interval(seconds) => format!("setparam 10050:{seconds}"),
        Command::Restart => "cpureset".to_owned(),
        Command::EngineStop => "setdigout 1".to_owned(),
        Command::EngineResume => "setdigout 0".to_owned(),
        Command::Text(words) => words.clone(),
    };
    wrapped(&data(REQUEST, words.as_bytes()))
}

/// One message as the data of a frame of codec 12.
fn data(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut data = vec![Codec::Twelve.id(), 1, kind];
    data.extend((content.len() as u32).to_be_bytes());
    data.extend(content);
    data.push(1);
    data
}

/// Data between preamble, length and checksum.
pub(super) fn wrapped(data: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(data.len() + 12);
    frame.extend([0; 4]);
    frame.extend((data.len() as u32).to_be_bytes());
    frame.extend(data);
    frame.extend(u32::from(checksum::ARC.of(data)).to_be_bytes());
    frame
}
