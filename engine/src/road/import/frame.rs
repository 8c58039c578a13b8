//! The outer frame of a PBF file: what it is, whole, and of sane sizes, before any decoding.
//!
//! ```text
//! repeated: length of header u32 big-endian | BlobHeader { type, datasize } | Blob
//! ```
//! (`wiki.openstreetmap.org/wiki/PBF_Format`).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::road::RoadError;

use super::wire::{Broken, Fields};

/// The format's own limit for a header.
const HEADER_MAX: u32 = 64 * 1024;
/// The format's own limit for a blob.
const BLOB_MAX: u32 = 32 * 1024 * 1024;
/// Largest accepted source: a country. The whole planet is beyond one map in memory.
const SOURCE_MAX: u64 = 8 << 30;
/// Blobs of one file: eight gigabytes in pieces of 8 KiB, a tenth of what writers fill.
const BLOBS_MAX: usize = 1 << 20;

/// What a blob is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `OSMHeader`.
    Header,
    /// `OSMData`.
    Data,
    /// Something else, which readers pass over.
    Other,
}

/// Where a blob lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blob {
    pub(super) kind: Kind,
    /// Bytes of it, at most [`BLOB_MAX`].
    pub(super) size: u32,
    /// Its first byte.
    pub(super) at: u64,
    /// Kinds of elements in it, as bits; all until it was read.
    pub(super) holds: u8,
}

/// Walks the frame to the end of the file: every blob in order.
pub(super) fn walk(path: &Path) -> Result<(File, Vec<Blob>), RoadError> {
    let io = |source| RoadError::Io { action: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let broken = |what: String| RoadError::Pbf { path: path.to_owned(), what };
    if length > SOURCE_MAX {
        return Err(broken(format!("{length} bytes, at most {SOURCE_MAX} are accepted")));
    }
    let mut file = BufReader::new(file);
    sniff(path, &mut file, length)?;
    let (mut at, mut blobs) = (0, Vec::new());
    let mut header = Vec::new();
    while at < length {
        if blobs.len() == BLOBS_MAX {
            return Err(broken(format!("more than {BLOBS_MAX} blobs, at byte {at}")));
        }
        let cut = || broken(format!("cut short at byte {length}, inside the blob at byte {at}"));
        let mut word = [0; 4];
        file.read_exact(&mut word).map_err(|_short| cut())?;
        let size = u32::from_be_bytes(word);
        if size == 0 || size > HEADER_MAX {
            let what = format!("header of {size} bytes at byte {at}, expected 1 to {HEADER_MAX}");
            return Err(broken(what));
        }
        header.resize(size as usize, 0);
        file.read_exact(&mut header).map_err(|_short| cut())?;
        let blob =
            blob_header(&header, at, at + 4 + u64::from(size)).map_err(|wrong| broken(wrong.0))?;
        if blobs.is_empty() && blob.kind != Kind::Header {
            return Err(broken("begins with another blob, expected `OSMHeader`".to_owned()));
        }
        let next = blob.at + u64::from(blob.size);
        if next > length {
            return Err(cut());
        }
        file.seek_relative(i64::from(blob.size)).map_err(io)?;
        at = next;
        blobs.push(blob);
    }
    Ok((file.into_inner(), blobs))
}

/// Names what is plainly something else, by its first bytes.
fn sniff(path: &Path, file: &mut BufReader<File>, length: u64) -> Result<(), RoadError> {
    let io = |source| RoadError::Io { action: "read", path: path.to_owned(), source };
    let mut start = [0; 64];
    let mut filled = 0;
    while filled < start.len() {
        match file.read(&mut start[filled..]).map_err(io)? {
            0 => break,
            read => filled += read,
        }
    }
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let start = &start[..filled];
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let found = if length == 0 {
        "empty"
    } else if text.starts_with(b"<") {
        "XML text"
    } else if start.starts_with(b"\x1f\x8b") {
        "compressed with gzip"
    } else if start.starts_with(b"BZh") {
        "compressed with bzip2"
    } else if start.starts_with(b"\xfd7zXZ") || start.starts_with(b"\x28\xb5\x2f\xfd") {
        "compressed with xz or zstd"
    } else if start.starts_with(b"PK\x03\x04") {
        "a ZIP archive"
    } else if start.starts_with(&crate::road::image::MAGIC) {
        "a Milepost map already"
    } else if start.starts_with(b"\xff\xe0\x04o5m") {
        "an o5m file"
    } else if !start.windows(9).any(|window| window == b"OSMHeader" || window[..7] == *b"OSMData") {
        "something else"
    } else {
        return Ok(());
    };
    Err(RoadError::NotPbf { path: path.to_owned(), found })
}

/// The blob behind the header at byte `from`, which begins at byte `at`: fields 1 (its kind) and 3
/// (its size).
fn blob_header(bytes: &[u8], from: u64, at: u64) -> Result<Blob, Broken> {
    let (mut kind, mut size) = (None, None);
    let mut fields = Fields(bytes);
    let named = |Broken(what)| Broken(format!("{what}, in the header at byte {from}"));
    while let Some((field, value)) = fields.next().map_err(named)? {
        match field {
            1 => kind = Some(value.bytes("type").map_err(named)?),
            3 => size = Some(value.number("datasize").map_err(named)?),
            _ => {}
        }
    }
    let (Some(kind), Some(size)) = (kind, size) else {
        return Err(Broken(format!("the header at byte {from} lacks its type or its size")));
    };
    let kind = match kind {
        b"OSMHeader" => Kind::Header,
        b"OSMData" => Kind::Data,
        _ => Kind::Other,
    };
    let holds = if kind == Kind::Other { 0 } else { u8::MAX };
    match u32::try_from(size) {
        Ok(size) if size <= BLOB_MAX => Ok(Blob { kind, size, at, holds }),
        _ => Err(Broken(format!(
            "blob of {size} bytes at byte {from}, at most {BLOB_MAX} are allowed"
        ))),
    }
}
