//! Passes over the elements of a PBF file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::road::RoadError;

use super::blob::Unpacker;
use super::block::{self, Element};
use super::frame::{self, Blob, Kind};
use super::wire::{Broken, Fields};

/// What a blob holds, as bits: a later pass skips the blobs that hold nothing for it.
pub(super) const NODES: u8 = 1;
pub(super) const WAYS: u8 = 2;
pub(super) const RELATIONS: u8 = 4;

/// Features of the format that we understand.
const FEATURES: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];

/// Bytes that all blobs of a file may hold together: this many for each of its own (extracts hold
/// two or three) …
const UNPACKED_RATIO: u64 = 32;
/// … or this many, so that a small file may repeat itself as it likes. What is kept is a few times
/// what is read, so this bounds memory.
const UNPACKED_FLOOR: u64 = 64 << 20;

/// A PBF file whose frame is whole.
pub(super) struct Source {
    path: PathBuf,
    file: File,
    blobs: Vec<Blob>,
    /// Bytes that all blobs may hold together.
    unpacked_most: u64,
    unpacker: Unpacker,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, RoadError> {
        let (file, blobs) = frame::walk(path)?;
        let length = blobs.last().map_or(0, |blob| blob.at + u64::from(blob.size));
        Ok(Self {
            path: path.to_owned(),
            file,
            blobs,
            unpacked_most: UNPACKED_FLOOR.max(length * UNPACKED_RATIO),
            unpacker: Unpacker::new(),
        })
    }

    /// Gives every element of the `wanted` kinds to `each`, in file order.
    pub(super) fn pass(
        &mut self,
        wanted: u8,
        mut each: impl FnMut(Element<'_>),
    ) -> Result<(), RoadError> {
        let (mut read, mut unpacked) = (Vec::new(), 0);
        for blob in self.blobs.iter_mut().filter(|blob| blob.holds & wanted != 0) {
            read.resize(blob.size as usize, 0);
            let got = self.file.seek(SeekFrom::Start(blob.at));
            got.and_then(|_| self.file.read_exact(&mut read)).map_err(|source| RoadError::Io {
                action: "read",
                path: self.path.clone(),
                source,
            })?;
            let bytes = self.unpacker.unpack(&read);
            let holds = bytes.and_then(|bytes| {
                unpacked += bytes.len() as u64;
                match blob.kind {
                    _ if unpacked > self.unpacked_most => Err(bomb(unpacked, self.unpacked_most)),
                    Kind::Header => check_features(bytes).map(|()| 0),
                    _ => block::read(bytes, wanted, &mut each),
                }
            });
            blob.holds = holds.map_err(|Broken(what)| RoadError::Pbf {
                path: self.path.clone(),
                what: format!("{what}, in the blob at byte {}", blob.at),
            })?;
        }
        Ok(())
    }
}

fn bomb(unpacked: u64, most: u64) -> Broken {
    Broken(format!(
        "`{unpacked}` bytes are uncompressed, expected at most {most} of so small a file"
    ))
}

fn check_features(header: &[u8]) -> Result<(), Broken> {
    let mut fields = Fields(header);
    while let Some((field, value)) = fields.next()? {
        if field != 4 {
            continue;
        }
        let feature = value.bytes("required_features")?;
        if !FEATURES.iter().any(|known| known.as_bytes() == feature) {
            let feature = String::from_utf8_lossy(feature);
            return Err(Broken(format!("it requires `{feature}`, which is not supported")));
        }
    }
    Ok(())
}
