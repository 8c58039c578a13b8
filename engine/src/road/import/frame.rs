//! The outer frame of a PBF file: what it is, whole, and of sane sizes, before any decoding.
//!
//! ```text
//! repeated: length of header u32 big-endian | BlobHeader { type, datasize } | Blob
//! ```
//! (`wiki.openstreetmap.org/wiki/PBF_Format`). The decoder accepts a file that ends inside a
//! length and says of others only "protobuf error"; here each gets its own line.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::road::RoadError;

/// The format's own limit for a header.
const HEADER_MAX: u64 = 64 * 1024;
/// The format's own limit for a blob.
const BLOB_MAX: u64 = 32 * 1024 * 1024;
/// Largest accepted source: a country. The whole planet is beyond one map in memory.
pub(super) const SOURCE_MAX: u64 = 8 << 30;

/// Walks the frame to the end of the file.
pub(super) fn check(path: &Path) -> Result<(), RoadError> {
    let io = |source| RoadError::Io { action: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    if length > SOURCE_MAX {
        let what = format!("{length} bytes, at most {SOURCE_MAX} are accepted");
        return Err(RoadError::Pbf { path: path.to_owned(), what });
    }
    let mut file = BufReader::new(file);
    sniff(path, &mut file, length)?;
    let (mut at, mut blobs) = (0, 0_u64);
    while at < length {
        let broken = |what: String| RoadError::Pbf { path: path.to_owned(), what };
        let cut = || broken(format!("cut short at byte {length}, inside the blob at byte {at}"));
        let mut word = [0; 4];
        file.read_exact(&mut word).map_err(|_short| cut())?;
        let header = u64::from(u32::from_be_bytes(word));
        if header == 0 || header > HEADER_MAX {
            let what = format!("header of {header} bytes at byte {at}, expected 1 to {HEADER_MAX}");
            return Err(broken(what));
        }
        let mut bytes = vec![0; header as usize];
        file.read_exact(&mut bytes).map_err(|_short| cut())?;
        let (kind, size) =
            blob_header(&bytes).ok_or_else(|| broken(format!("no blob header at byte {at}")))?;
        if size > BLOB_MAX {
            let what = format!("blob of {size} bytes at byte {at}, at most {BLOB_MAX} are allowed");
            return Err(broken(what));
        }
        if blobs == 0 && kind != b"OSMHeader" {
            let kind = String::from_utf8_lossy(kind).into_owned();
            return Err(broken(format!("begins with a blob `{kind}`, expected `OSMHeader`")));
        }
        let next = at + 4 + header + size;
        if next > length {
            return Err(cut());
        }
        file.seek(SeekFrom::Start(next)).map_err(io)?;
        at = next;
        blobs += 1;
    }
    Ok(())
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

/// Type and size of the blob behind a header: fields 1 (string) and 3 (varint).
fn blob_header(mut bytes: &[u8]) -> Option<(&[u8], u64)> {
    let (mut kind, mut size) = (None, None);
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        match tag & 7 {
            0 => {
                let value = varint(&mut bytes)?;
                if tag >> 3 == 3 {
                    size = Some(value);
                }
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                if tag >> 3 == 1 {
                    kind = Some(value);
                }
                bytes = rest;
            }
            _ => return None,
        }
    }
    Some((kind?, size?))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
