//! What a blob holds: raw bytes, or bytes compressed with zlib.
//!
//! ```text
//! Blob = 1 raw | 2 raw_size and one of 3 zlib, 4 lzma, 5 bzip2, 6 lz4, 7 zstd
//! ```

use flate2::{Decompress, FlushDecompress, Status};

use super::wire::{Broken, Fields};

/// The format's own limit for the bytes of a blob once they are uncompressed.
pub(super) const UNPACKED_MAX: usize = 32 << 20;
/// No zlib stream holds more for each of its bytes: 258 bytes take two bits at least (RFC 1951).
const DEFLATE_MOST: usize = 1032;

/// Methods that the format names and that are not read here: the field and what it is called.
const UNREAD: [(u64, &str); 4] = [(4, "lzma"), (5, "bzip2"), (6, "lz4"), (7, "zstd")];

/// Unpacks blobs into memory that is used again for the next.
pub(super) struct Unpacker {
    zlib: Decompress,
    bytes: Vec<u8>,
}

impl Unpacker {
    pub(super) fn new() -> Self {
        Self { zlib: Decompress::new(true), bytes: Vec::new() }
    }

    /// The bytes that a blob holds, at most [`UNPACKED_MAX`].
    pub(super) fn unpack<'a>(&'a mut self, blob: &'a [u8]) -> Result<&'a [u8], Broken> {
        let mut fields = Fields(blob);
        let (mut raw, mut size, mut zlib) = (None, None, None);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => raw = Some(value.bytes("raw")?),
                2 => size = Some(value.number("raw_size")?),
                3 => zlib = Some(value.bytes("zlib_data")?),
                _ => {
                    if let Some((_, name)) = UNREAD.iter().find(|unread| unread.0 == field) {
                        let what =
                            format!("a blob is compressed with `{name}`, expected zlib or none");
                        return Err(Broken(what));
                    }
                }
            }
        }
        match (raw, zlib) {
            (Some(raw), None) if raw.len() <= UNPACKED_MAX => Ok(raw),
            (Some(raw), None) => Err(too_large(raw.len() as u64)),
            (None, Some(zlib)) => self.inflate(zlib, size),
            (None, None) => {
                Err(Broken("a blob holds nothing, expected `raw` or `zlib_data`".to_owned()))
            }
            (Some(_), Some(_)) => Err(Broken("a blob holds both `raw` and `zlib_data`".to_owned())),
        }
    }

    fn inflate(&mut self, zlib: &[u8], size: Option<u64>) -> Result<&[u8], Broken> {
        let size = size.ok_or_else(|| Broken("a blob of zlib lacks its `raw_size`".to_owned()))?;
        let unpacked = usize::try_from(size).ok().filter(|&size| size <= UNPACKED_MAX);
        let unpacked = unpacked.ok_or_else(|| too_large(size))?;
        if unpacked > zlib.len() * DEFLATE_MOST {
            let (from, most) = (zlib.len(), zlib.len() * DEFLATE_MOST);
            let what =
                format!("`raw_size` is `{size}`, but {from} bytes of zlib hold {most} at most");
            return Err(Broken(what));
        }
        if self.bytes.len() < unpacked {
            self.bytes.resize(unpacked, 0);
        }
        let bytes = &mut self.bytes[..unpacked];
        self.zlib.reset(true);
        let status = self.zlib.decompress(zlib, bytes, FlushDecompress::Finish);
        let found = self.zlib.total_out();
        match status {
            Ok(Status::StreamEnd) if found == size => Ok(bytes),
            Ok(Status::StreamEnd) => Err(Broken(format!(
                "a blob of `{found}` bytes, expected `{size}` after its `raw_size`"
            ))),
            Ok(_) if found == size => {
                Err(Broken(format!("a blob holds more than its `raw_size` of `{size}`")))
            }
            Ok(_) => Err(Broken(format!("zlib is cut short behind {found} of `{size}` bytes"))),
            Err(error) => Err(Broken(format!("damaged zlib: {error}"))),
        }
    }
}

fn too_large(size: u64) -> Broken {
    Broken(format!("a blob holds `{size}` bytes uncompressed, at most {UNPACKED_MAX} are allowed"))
}
