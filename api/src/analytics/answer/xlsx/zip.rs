//! A zip archive of a few deflated files (PKWARE APPNOTE 6.3.3, §4.3), below 4 GiB.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::analytics::QueryError;

/// Version 2.0, the first with what is used here.
const VERSION: u16 = 20;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
const DEFLATED: u16 = 8;
/// 1980-01-01, so that equal files make equal archives.
const DATE: u16 = (1 << 5) | 1;

/// An archive that is being written.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    /// The list of files that stands at the end.
    list: Vec<u8>,
    files: u16,
}

impl Archive {
    /// Adds a file.
    pub(super) fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), QueryError> {
        let failed = |error: std::io::Error| QueryError::Failed(error.to_string());
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(bytes).map_err(failed)?;
        let deflated = deflated.finish().map_err(failed)?;
        let mut crc = Crc::new();
        crc.update(bytes);
        let size = |bytes: &[u8]| {
            let large = |_| QueryError::TooMuch("a workbook of more than 4 GiB".to_owned());
            u32::try_from(bytes.len()).map_err(large)
        };
        let offset = size(&self.bytes)?;
        let mut about = Vec::new();
        for word in [VERSION, FLAGS, DEFLATED, 0, DATE] {
            about.extend(word.to_le_bytes());
        }
        for word in [crc.sum(), size(&deflated)?, size(bytes)?] {
            about.extend(word.to_le_bytes());
        }
        about.extend((path.len() as u16).to_le_bytes());
        about.extend([0; 2]);
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&about);
        self.bytes.extend(path.as_bytes());
        self.bytes.extend(deflated);
        self.list.extend(b"PK\x01\x02");
        self.list.extend(VERSION.to_le_bytes());
        self.list.extend(&about);
        // No comment, first disk, no attributes.
        self.list.extend([0; 10]);
        self.list.extend(offset.to_le_bytes());
        self.list.extend(path.as_bytes());
        self.files += 1;
        Ok(())
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let (offset, size) = (self.bytes.len() as u32, self.list.len() as u32);
        self.bytes.extend(&self.list);
        self.bytes.extend(b"PK\x05\x06");
        self.bytes.extend([0; 4]);
        self.bytes.extend(self.files.to_le_bytes());
        self.bytes.extend(self.files.to_le_bytes());
        self.bytes.extend(size.to_le_bytes());
        self.bytes.extend(offset.to_le_bytes());
        self.bytes.extend([0; 2]);
        self.bytes
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;

    use super::*;

    fn word(bytes: &[u8], at: usize) -> usize {
        usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
    }

    fn long(bytes: &[u8], at: usize) -> usize {
        word(bytes, at) + (word(bytes, at + 2) << 16)
    }

    /// Names and contents, found by the list at the end as readers do.
    pub(in super::super) fn files(archive: &[u8]) -> Vec<(String, String)> {
        let end = archive.len() - 22;
        assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
        let (count, mut at) = (word(archive, end + 10), long(archive, end + 16));
        let mut files = Vec::new();
        for _ in 0..count {
            assert_eq!(&archive[at..at + 4], b"PK\x01\x02");
            let (crc, deflated) = (long(archive, at + 16), long(archive, at + 20));
            let (size, name) = (long(archive, at + 24), word(archive, at + 28));
            let local = long(archive, at + 42);
            assert_eq!(&archive[local..local + 4], b"PK\x03\x04");
            // Both say the same of the file.
            assert_eq!(archive[local + 4..local + 30], archive[at + 6..at + 32]);
            let begin = local + 30 + name;
            let mut bytes = Vec::new();
            let mut reader = DeflateDecoder::new(&archive[begin..begin + deflated]);
            reader.read_to_end(&mut bytes).unwrap();
            let mut sum = Crc::new();
            sum.update(&bytes);
            assert_eq!((bytes.len(), sum.sum() as usize), (size, crc));
            let path = String::from_utf8(archive[at + 46..at + 46 + name].to_vec()).unwrap();
            files.push((path, String::from_utf8(bytes).unwrap()));
            at += 46 + name;
        }
        assert_eq!(at, end);
        files
    }

    #[test]
    fn what_goes_in_comes_out() {
        let mut archive = Archive::default();
        archive.add("a.txt", b"").unwrap();
        archive.add("b/c.txt", "é".repeat(10_000).as_bytes()).unwrap();
        let files = files(&archive.finish());
        assert_eq!(files[0], ("a.txt".to_owned(), String::new()));
        assert_eq!(files[1], ("b/c.txt".to_owned(), "é".repeat(10_000)));
    }
}
