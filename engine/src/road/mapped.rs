//! The bytes of a map: a file in memory-mapped pages, or a buffer. The only unsafe code here.
#![expect(unsafe_code, reason = "mapping a file is the one thing that cannot be done safely")]

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// Bytes that never change while they are held.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// Pages of a file, shared between the processes that have it open.
    Mapped(Mmap),
    /// A map built in memory.
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps a file for reading.
    pub(crate) fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::Owned(Vec::new()));
        }
        // SAFETY: the pages are only read, through bounds-checked slices of plain bytes, of
        // which any value is valid. `milepost map build` writes a map under another name and
        // renames it, so a map that is open is never written; somebody who truncates it by hand
        // all the same ends the process by SIGBUS, and changes no memory of ours.
        unsafe { Mmap::map(&file) }.map(Self::Mapped)
    }

    /// All of them.
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}
