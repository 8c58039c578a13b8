//! One row of the log as bytes: what one commit wrote to one topic.
//!
//! ```text
//! heads  for each of 16 partitions:  first offset, count, and unless 0 the bytes of its section
//! data   the sections, by partition; a section is its records, offsets rise by one:
//!        key length, key, value length + 1 (0 = tombstone), value,
//!        headers, each: name length, name, value length, value
//! ```
//! Numbers are varints (LEB128). The first offset stands there also when the count is 0, so any
//! row tells on which side of it an offset lies, and rows are found by binary search.

use bytes::Bytes;
use ingest::log::{LogError, NewRecord, Record, Topic};
use ingest::time::Timestamp;

/// Partitions of each topic of a disk log; fixed in its file format.
pub const PARTITIONS: u32 = 16;

/// A number for each partition.
pub(super) type PerPartition<T> = [T; PARTITIONS as usize];

/// What a row holds of one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Offset of its first record, or of the next one when it has none.
    pub(super) first: u64,
    pub(super) count: u32,
    /// Length of its section.
    pub(super) bytes: u32,
}

impl Head {
    pub(super) const fn end(self) -> u64 {
        self.first + self.count as u64
    }
}

/// One row: the records of one commit and topic.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) id: i64,
    /// Append time of all its records.
    pub(super) at: Timestamp,
    pub(super) heads: PerPartition<Head>,
    pub(super) data: Bytes,
}

impl Batch {
    /// From what a row stores.
    pub(super) fn stored(id: i64, at: i64, heads: &[u8], data: Bytes) -> Result<Self, LogError> {
        let heads = read_heads(heads)?;
        let bytes: u64 = heads.iter().map(|h| u64::from(h.bytes)).sum();
        if bytes != data.len() as u64 {
            let found = data.len();
            return Err(damaged(format!("row `{id}` holds `{found}` bytes, expected `{bytes}`")));
        }
        Ok(Self { id, at: Timestamp::from_micros(at), heads, data })
    }

    /// Appends records of a partition from `offset` on until `room` is used up; returns the
    /// offset that comes next. `offset` must not be below the section's first.
    pub(super) fn read(
        &self,
        (topic, partition, offset): (Topic, u32, u64),
        room: &mut usize,
        out: &mut Vec<Record>,
    ) -> Result<u64, LogError> {
        let head = self.heads[partition as usize];
        let from: usize = self.heads[..partition as usize].iter().map(|h| h.bytes as usize).sum();
        let section = self.data.slice(from..from + head.bytes as usize);
        let mut at = Place { bytes: &section, next: 0 };
        for number in head.first..head.end() {
            if *room == 0 {
                return Ok(number);
            }
            if number < offset {
                at.skip_record()?;
                continue;
            }
            let (key, value, headers) = at.record()?;
            *room = room.saturating_sub(key.len() + value.as_ref().map_or(0, Bytes::len));
            let appended_at = self.at;
            out.push(Record { topic, partition, offset: number, appended_at, key, value, headers });
        }
        Ok(head.end())
    }
}

/// Collects the records of one commit and topic.
#[derive(Debug)]
pub(super) struct Builder {
    heads: PerPartition<Head>,
    sections: PerPartition<Vec<u8>>,
}

impl Builder {
    /// After these ends.
    pub(super) fn new(ends: &PerPartition<u64>) -> Self {
        let heads = ends.map(|first| Head { first, count: 0, bytes: 0 });
        Self { heads, sections: Default::default() }
    }

    /// Takes a record and gives it its offset.
    pub(super) fn push(&mut self, partition: u32, record: &NewRecord) -> u64 {
        let head = &mut self.heads[partition as usize];
        let section = &mut self.sections[partition as usize];
        put_bytes(section, &record.key);
        put_value(section, record.value.as_deref());
        put_headers(section, record);
        head.count += 1;
        head.end() - 1
    }

    pub(super) fn finish(mut self, id: i64, at: Timestamp) -> Batch {
        let mut data = Vec::with_capacity(self.sections.iter().map(Vec::len).sum());
        for (head, section) in self.heads.iter_mut().zip(&self.sections) {
            head.bytes = section.len() as u32;
            data.extend_from_slice(section);
        }
        Batch { id, at, heads: self.heads, data: data.into() }
    }
}

/// The heads as a row stores them.
pub(super) fn write_heads(heads: &PerPartition<Head>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    for head in heads {
        put_number(&mut out, head.first);
        put_number(&mut out, u64::from(head.count));
        if head.count > 0 {
            put_number(&mut out, u64::from(head.bytes));
        }
    }
    out
}

/// The heads of a stored row.
pub(super) fn read_heads(bytes: &[u8]) -> Result<PerPartition<Head>, LogError> {
    let shared = Bytes::copy_from_slice(bytes);
    let mut at = Place { bytes: &shared, next: 0 };
    let mut heads = PerPartition::<Head>::default();
    for head in &mut heads {
        head.first = at.number()?;
        head.count = at.small()?;
        if head.count > 0 {
            head.bytes = at.small()?;
        }
        if head.first > i64::MAX as u64 {
            return Err(damaged(format!("offset `{}` is out of range", head.first)));
        }
    }
    if at.next != bytes.len() {
        return Err(damaged("bytes after the heads".to_owned()));
    }
    Ok(heads)
}

/// The headers of a record as rows store them.
pub(super) fn header_bytes(record: &NewRecord) -> Vec<u8> {
    let mut out = Vec::new();
    put_headers(&mut out, record);
    out
}

/// The headers that [`header_bytes`] wrote.
pub(super) fn read_headers(bytes: &[u8]) -> Result<Vec<(String, Bytes)>, LogError> {
    let shared = Bytes::copy_from_slice(bytes);
    Place { bytes: &shared, next: 0 }.headers()
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_headers(out: &mut Vec<u8>, record: &NewRecord) {
    put_number(out, record.headers.len() as u64);
    for (name, value) in &record.headers {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value);
    }
}

fn put_value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => put_number(out, 0),
        Some(value) => {
            put_number(out, value.len() as u64 + 1);
            out.extend_from_slice(value);
        }
    }
}

fn damaged(what: String) -> LogError {
    LogError::Corrupt(what)
}

/// Key, value, headers.
type Parts = (Bytes, Option<Bytes>, Vec<(String, Bytes)>);

/// A place in stored bytes; every step is checked.
struct Place<'a> {
    bytes: &'a Bytes,
    next: usize,
}

impl Place<'_> {
    fn number(&mut self) -> Result<u64, LogError> {
        let mut number = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = *self.bytes.get(self.next).ok_or_else(|| self.short())?;
            self.next += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(damaged(format!("number at byte `{}` is too long", self.next)))
    }

    fn small(&mut self) -> Result<u32, LogError> {
        let number = self.number()?;
        u32::try_from(number).map_err(|e| damaged(format!("number `{number}`: {e}")))
    }

    fn range(&mut self, length: u64) -> Result<std::ops::Range<usize>, LogError> {
        let from = self.next;
        let left = (self.bytes.len() - from) as u64;
        if length > left {
            return Err(self.short());
        }
        self.next += length as usize;
        Ok(from..self.next)
    }

    fn slice(&mut self) -> Result<Bytes, LogError> {
        let length = self.number()?;
        let range = self.range(length)?;
        Ok(self.bytes.slice(range))
    }

    fn skip(&mut self) -> Result<(), LogError> {
        let length = self.number()?;
        self.range(length).map(|_| ())
    }

    fn skip_record(&mut self) -> Result<(), LogError> {
        self.skip()?;
        let value = self.number()?;
        self.range(value.saturating_sub(1))?;
        for _ in 0..self.number()? {
            self.skip()?;
            self.skip()?;
        }
        Ok(())
    }

    fn record(&mut self) -> Result<Parts, LogError> {
        let key = self.slice()?;
        let value = match self.number()? {
            0 => None,
            length => {
                let range = self.range(length - 1)?;
                Some(self.bytes.slice(range))
            }
        };
        Ok((key, value, self.headers()?))
    }

    fn headers(&mut self) -> Result<Vec<(String, Bytes)>, LogError> {
        let mut headers = Vec::new();
        for _ in 0..self.number()? {
            let name = self.slice()?;
            let name = std::str::from_utf8(&name)
                .map_err(|e| damaged(format!("header name: {e}")))?
                .to_owned();
            headers.push((name, self.slice()?));
        }
        Ok(headers)
    }

    fn short(&self) -> LogError {
        damaged(format!("row ends at byte `{}` inside a record", self.bytes.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(key: &'static str, value: Option<&'static str>) -> NewRecord {
        NewRecord {
            topic: Topic::Inputs,
            partition: None,
            key: Bytes::from_static(key.as_bytes()),
            value: value.map(|v| Bytes::from_static(v.as_bytes())),
            headers: vec![("kind", Bytes::from_static(b"fix")), ("empty", Bytes::new())],
        }
    }

    fn batch() -> Batch {
        let mut ends = PerPartition::<u64>::default();
        ends[3] = 1_000_000;
        let mut builder = Builder::new(&ends);
        assert_eq!(builder.push(3, &new("a", Some("one"))), 1_000_000);
        assert_eq!(builder.push(0, &new("b", None)), 0);
        assert_eq!(builder.push(3, &new("c", Some(""))), 1_000_001);
        builder.finish(7, Timestamp::from_seconds(5))
    }

    fn read(batch: &Batch, partition: u32, offset: u64, mut room: usize) -> String {
        let mut out = Vec::new();
        let next = batch.read((Topic::Inputs, partition, offset), &mut room, &mut out).unwrap();
        let line = |r: Record| {
            assert_eq!(r.headers[0], ("kind".to_owned(), Bytes::from_static(b"fix")));
            format!("{}:{:?}={:?} ", r.offset, r.key, r.value)
        };
        out.into_iter().map(line).collect::<String>() + &next.to_string()
    }

    #[test]
    fn a_row_gives_back_what_it_took() {
        let batch = batch();
        let stored = Batch::stored(7, 5, &write_heads(&batch.heads), batch.data.clone()).unwrap();
        assert_eq!(stored.heads, batch.heads);
        let both = r#"1000000:b"a"=Some(b"one") 1000001:b"c"=Some(b"") 1000002"#;
        assert_eq!(read(&stored, 3, 1_000_000, 99), both);
        assert_eq!(read(&stored, 3, 1_000_001, 99), r#"1000001:b"c"=Some(b"") 1000002"#);
        assert_eq!(read(&stored, 3, 1_000_000, 1), r#"1000000:b"a"=Some(b"one") 1000001"#);
        assert_eq!(read(&stored, 0, 0, 99), r#"0:b"b"=None 1"#);
        assert_eq!(read(&stored, 1, 0, 99), "0");
    }

    #[test]
    fn damaged_rows_are_errors_and_never_panics() {
        let batch = batch();
        let heads = write_heads(&batch.heads);
        for length in 0..heads.len() {
            assert!(Batch::stored(7, 5, &heads[..length], batch.data.clone()).is_err());
        }
        for at in 0..batch.data.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut data = batch.data.to_vec();
                data[at] = value;
                let stored = Batch::stored(7, 5, &heads, data.into()).unwrap();
                for partition in [0, 3] {
                    let from = stored.heads[partition as usize].first;
                    let place = (Topic::Inputs, partition, from);
                    drop(stored.read(place, &mut 99, &mut Vec::new()));
                }
            }
            let short = batch.data.slice(..at);
            assert!(Batch::stored(7, 5, &heads, short).is_err());
        }
    }
}
