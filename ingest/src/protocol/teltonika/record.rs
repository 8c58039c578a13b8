//! The records of codecs 8, 8 extended and 16, and the judgement of any frame's data.

use super::element::{self, Family};
use super::frame::Complaint;
use super::{beacon, command, gh3000};
use crate::attribute::{Attributes, Key, Value};
use crate::fix::{Fix, Measured, Report};
use crate::protocol::BadFrame;
use crate::time::Timestamp;
use crate::units::OutOfRange;

/// How data is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// 7, of the GH3000 and its kin.
    Gh3000,
    /// 8.
    Eight,
    /// 8 extended: two-byte ids and counts, elements of any length.
    EightExtended,
    /// 16: two-byte ids, one-byte counts.
    Sixteen,
    /// 12: answers to commands, photos.
    Twelve,
    /// 13: as 12 with a time.
    Thirteen,
    /// 14: as 12 with an IMEI.
    Fourteen,
}

impl Codec {
    /// The codec of an id.
    pub(super) const fn of(id: u8) -> Option<Self> {
        Some(match id {
            0x07 => Self::Gh3000,
            0x08 => Self::Eight,
            0x8e => Self::EightExtended,
            0x10 => Self::Sixteen,
            0x0c => Self::Twelve,
            0x0d => Self::Thirteen,
            0x0e => Self::Fourteen,
            _ => return None,
        })
    }
    /// Its id on the wire.
    pub(super) const fn id(self) -> u8 {
        match self {
            Self::Gh3000 => 0x07,
            Self::Eight => 0x08,
            Self::EightExtended => 0x8e,
            Self::Sixteen => 0x10,
            Self::Twelve => 0x0c,
            Self::Thirteen => 0x0d,
            Self::Fourteen => 0x0e,
        }
    }
    /// Whether it carries answers to commands instead of records; those are not acknowledged.
    pub(super) const fn is_command(self) -> bool {
        matches!(self, Self::Twelve | Self::Thirteen | Self::Fourteen)
    }
    pub(super) const fn wide_ids(self) -> bool {
        !matches!(self, Self::Eight)
    }
    pub(super) const fn wide_counts(self) -> bool {
        matches!(self, Self::EightExtended)
    }
}

/// Big-endian numbers in order; `None` past the end.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Offset of the next byte.
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = *self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(taken)
    }
    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }
    #[inline]
    pub(super) fn short(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }
    #[inline]
    pub(super) fn int(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
    #[inline]
    pub(super) fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
    pub(super) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }
    /// One or two bytes.
    #[inline]
    pub(super) fn number(&mut self, wide: bool) -> Option<u16> {
        if wide { self.short() } else { self.byte().map(u16::from) }
    }
}

/// Whether `data` (codec to second count) is whole: its codec and how many records it holds.
/// `lenient`: as many of them as are whole, at least one.
pub(super) fn judge(data: &[u8], lenient: bool) -> Result<(Codec, u8), Complaint> {
    let [id, count, ..] = *data else {
        return Err((BadFrame::Truncated, data.len(), "data ends before its count".to_owned()));
    };
    let codec = Codec::of(id).ok_or_else(|| {
        let reason = format!("codec `{id:02x}`, expected 07, 08, 8e, 10, 0c, 0d or 0e");
        (BadFrame::Malformed, 0, reason)
    })?;
    let mut reader = Reader::new(data, 2);
    for whole in 0..count {
        let start = reader.at;
        if walk(codec, &mut reader).is_none() {
            if lenient && whole > 0 {
                return Ok((codec, whole));
            }
            let reason = format!("record {} of {count} ends too early", whole + 1);
            return Err((BadFrame::Truncated, start, reason));
        }
    }
    let at = reader.at;
    match reader.byte() {
        Some(again) if again == count && reader.at == data.len() => Ok((codec, count)),
        _ if lenient => Ok((codec, count)),
        None => Err((BadFrame::Truncated, at, "data ends before its second count".to_owned())),
        Some(again) if again != count => {
            Err((BadFrame::Malformed, at, format!("second count `{again}`, expected {count}")))
        }
        Some(_) => {
            let over = data.len() - reader.at;
            Err((BadFrame::Length, reader.at, format!("`{over}` bytes behind the second count")))
        }
    }
}

/// Steps over one record.
fn walk(codec: Codec, reader: &mut Reader<'_>) -> Option<()> {
    match codec {
        Codec::Gh3000 => return gh3000::read(reader, None),
        Codec::Twelve | Codec::Thirteen | Codec::Fourteen => {
            return command::cut(reader).map(|_| ());
        }
        Codec::Eight | Codec::EightExtended | Codec::Sixteen => {}
    }
    reader.slice(HEAD)?;
    head_of_elements(codec, reader)?;
    let id = 1 + usize::from(codec.wide_ids());
    for size in SIZES {
        let count = usize::from(reader.number(codec.wide_counts())?);
        reader.slice(count * (id + size))?;
    }
    if codec == Codec::EightExtended {
        for _ in 0..reader.short()? {
            reader.short()?;
            let length = usize::from(reader.short()?);
            reader.slice(length)?;
        }
    }
    Some(())
}

/// Time to speed.
const HEAD: usize = 24;
/// Bytes of the values of each group of elements.
const SIZES: [usize; 4] = [1, 2, 4, 8];

/// The event that made the record, the generation type, the total.
fn head_of_elements(codec: Codec, reader: &mut Reader<'_>) -> Option<u16> {
    let event = reader.number(codec.wide_ids())?;
    if codec == Codec::Sixteen {
        reader.byte()?;
    }
    reader.number(codec.wide_counts())?;
    Some(event)
}

/// Reads the record at `at` into `report`: where it ends, and whether its position was right.
/// `None`: it has no end, which [`judge`] excludes.
pub(super) fn read(
    codec: Codec,
    frame: &[u8],
    at: usize,
    report: &mut Report,
    family: Family,
) -> Option<(usize, Result<(), OutOfRange>)> {
    let mut reader = Reader::new(frame, at);
    if codec == Codec::Gh3000 {
        let mut outcome = Ok(());
        gh3000::read(&mut reader, Some((report, &mut outcome)))?;
        return Some((reader.at, outcome));
    }
    report.time = Some(Timestamp::from_millis(reader.long()? as i64));
    let priority = reader.byte()?;
    let (lng, lat) = (reader.int()? as i32, reader.int()? as i32);
    let (altitude, angle) = (reader.short()? as i16, reader.short()?);
    let (satellites, kmh) = (reader.byte()?, reader.short()?);
    let fix = Fix::new(Measured {
        lng: f64::from(lng) / 1e7,
        lat: f64::from(lat) / 1e7,
        // Without a fix the device repeats the last place with 0 satellites.
        valid: satellites > 0,
        speed: Some(f64::from(kmh) / 3.6),
        heading: Some(f64::from(angle)),
        altitude: Some(f64::from(altitude)),
        accuracy: None,
    });
    let attributes = &mut report.attributes;
    attributes.set(Key::from("priority"), Value::Int(i64::from(priority)));
    attributes.set(Key::from("satellites"), Value::Int(i64::from(satellites)));
    let event = head_of_elements(codec, &mut reader)?;
    attributes.set(Key::from("event"), Value::Int(i64::from(event)));
    elements(codec, &mut reader, report, family)?;
    let outcome = fix.map(|fix| report.fix = Some(fix));
    Some((reader.at, outcome))
}

fn elements(
    codec: Codec,
    reader: &mut Reader<'_>,
    report: &mut Report,
    family: Family,
) -> Option<()> {
    let attributes = &mut report.attributes;
    for size in SIZES {
        let count = usize::from(reader.number(codec.wide_counts())?);
        let id = 1 + usize::from(codec.wide_ids());
        let group = reader.slice(count * (id + size))?;
        match (id, size) {
            (1, 1) => elements_of::<1, 2>(group, family, attributes),
            (1, 2) => elements_of::<1, 3>(group, family, attributes),
            (1, 4) => elements_of::<1, 5>(group, family, attributes),
            (1, _) => elements_of::<1, 9>(group, family, attributes),
            (_, 1) => elements_of::<2, 3>(group, family, attributes),
            (_, 2) => elements_of::<2, 4>(group, family, attributes),
            (_, 4) => elements_of::<2, 6>(group, family, attributes),
            (..) => elements_of::<2, 10>(group, family, attributes),
        }
    }
    if codec == Codec::EightExtended {
        for _ in 0..reader.short()? {
            let id = reader.short()?;
            let length = usize::from(reader.short()?);
            beacon::set(id, reader.slice(length)?, attributes);
        }
    }
    Some(())
}

/// Elements of one group: `ALL` bytes each, of which `ID` are the id and the others its value.
fn elements_of<const ID: usize, const ALL: usize>(
    group: &[u8],
    family: Family,
    attributes: &mut Attributes,
) {
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    for element in group.as_chunks::<ALL>().0 {
        let (id, value) = element.split_at(ID);
        let raw = element::Raw { id: number(id) as u16, size: ALL - ID, bits: number(value) };
        element::set(raw, family, attributes);
    }
}
