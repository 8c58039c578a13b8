//! The layout of a map: one file of named, length-checked sections, little-endian throughout.
//!
//! ```text
//! 0   magic "MILEPMAP"   8 bytes
//! 8   version u32, sections u32
//! 16  table: sections × { name [u8; 16], offset u64, length u64, checksum u64 (xxh3-64) }
//!     xxh3-64 of everything before it, u64
//!     sections, each beginning at a multiple of 8
//! ```
//! A reader skips sections it does not know; one that is missing or of an impossible length
//! refuses the file. So a new section that a reader needs is a new format number, which tells
//! people to build the map again.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// First eight bytes of every map.
pub(crate) const MAGIC: [u8; 8] = *b"MILEPMAP";
/// Raised when a section changes its meaning or is added. 2 has the order of contraction, 3 leaves
/// out what can be found from the rest and keeps points as steps.
pub(crate) const VERSION: u32 = 3;
/// More sections than any version will have; a bound for hostile files.
const SECTIONS_MAX: usize = 64;
const HEADER: usize = 16;
const ENTRY: usize = 40;

/// The sections of this version, in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// One record of map-wide facts: the box that holds the map.
    Summary,
    /// Per node: OSM id i64, lng i32, lat i32 (1e-7 degrees); along a Hilbert curve.
    Nodes,
    /// Per directed edge, sorted by tail: [`super::record::EdgeRecord`].
    Edges,
    /// Per street between two junctions and one more: its first byte in `Points`, u32.
    Streets,
    /// Points of all streets: [`super::geometry`].
    Points,
    /// Per way: OSM id i64, name u32 (offset into `Names`).
    Ways,
    /// Names: length u16, then UTF-8; offset 0 is the empty name.
    Names,
    /// Turn table: state u32, edge u32, next state u32, banned profiles u32; sorted.
    Turns,
    /// Last edge of each state beyond the edges themselves, u32.
    States,
    /// Pieces of streets of up to 8 segments in Hilbert order: street u32, and where the piece
    /// begins, lng i32, lat i32. One that is not its street's first has, with the top bit set,
    /// the number of its entry in `Later` instead.
    Pieces,
    /// Of pieces that are not their street's first: street, byte in `Points`, start mm, u32.
    Later,
    /// Water, parks and buildings for tiles; layout in [`super::area`].
    Areas,
    /// Edges of motor vehicles in the order a router contracts them, varints: [`super::order`].
    Order,
}

impl Section {
    pub(crate) const ALL: [Self; 13] = [
        Self::Summary,
        Self::Nodes,
        Self::Edges,
        Self::Streets,
        Self::Points,
        Self::Ways,
        Self::Names,
        Self::Turns,
        Self::States,
        Self::Pieces,
        Self::Later,
        Self::Areas,
        Self::Order,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Nodes => "nodes",
            Self::Edges => "edges",
            Self::Streets => "streets",
            Self::Points => "points",
            Self::Ways => "ways",
            Self::Names => "names",
            Self::Turns => "turns",
            Self::States => "states",
            Self::Pieces => "pieces",
            Self::Later => "later-pieces",
            Self::Areas => "areas",
            Self::Order => "order",
        }
    }

    /// Bytes of one record; a section's length is a multiple of it.
    pub(crate) fn record(self) -> usize {
        match self {
            Self::Summary => 64,
            Self::Nodes | Self::Turns => 16,
            Self::Streets | Self::States => 4,
            Self::Edges => super::record::EDGE,
            Self::Ways | Self::Pieces | Self::Later => 12,
            Self::Points | Self::Names | Self::Areas | Self::Order => 1,
        }
    }
}

/// Where a section lies in the file: first byte and records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) start: usize,
    pub(crate) count: usize,
}

/// The sections of a map found in its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Layout {
    extents: [Extent; Section::ALL.len()],
    /// xxh3-128 of header and table, which hold the checksum of every section.
    pub(crate) hash: u128,
}

/// Why bytes are not a map.
#[derive(Debug)]
pub(crate) enum LayoutError {
    Foreign,
    Version(u32),
    Damaged(String),
}

impl Layout {
    pub(crate) fn extent(&self, section: Section) -> Extent {
        self.extents[section as usize]
    }

    /// Reads and checks header, table and section lengths; touches no section.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LayoutError> {
        if bytes.len() < HEADER || bytes[..8] != MAGIC {
            return Err(LayoutError::Foreign);
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(LayoutError::Version(version));
        }
        let sections = u32_at(bytes, 12) as usize;
        let end = HEADER + sections.min(SECTIONS_MAX) * ENTRY;
        if sections > SECTIONS_MAX || bytes.len() < end + 8 {
            let what = format!("{} bytes cannot hold a table of {sections} sections", bytes.len());
            return Err(LayoutError::Damaged(what));
        }
        if xxh3_64(&bytes[..end]) != u64_at(bytes, end) {
            return Err(LayoutError::Damaged("checksum of the header does not match".to_owned()));
        }
        let mut layout = Self { hash: xxh3_128(&bytes[..end]), ..Self::default() };
        for section in Section::ALL {
            let entry = find(bytes, sections, section.name()).ok_or_else(|| {
                LayoutError::Damaged(format!("section `{}` is missing", section.name()))
            })?;
            layout.extents[section as usize] = extent(bytes, entry, section)?;
        }
        layout.check_counts()?;
        Ok(layout)
    }

    fn check_counts(&self) -> Result<(), LayoutError> {
        match self.extent(Section::Summary).count {
            1 => Ok(()),
            found => {
                let what = format!("section `summary` has {found} records, expected 1");
                Err(LayoutError::Damaged(what))
            }
        }
    }

    /// Compares every section with its checksum; reads the whole file.
    pub(crate) fn verify(bytes: &[u8]) -> Result<(), LayoutError> {
        Self::read(bytes)?;
        for index in 0..u32_at(bytes, 12) as usize {
            let entry = HEADER + index * ENTRY;
            let start = u64_at(bytes, entry + 16) as usize;
            let length = u64_at(bytes, entry + 24) as usize;
            let found = bytes.get(start..start.saturating_add(length)).map(xxh3_64);
            if found != Some(u64_at(bytes, entry + 32)) {
                let name = String::from_utf8_lossy(&bytes[entry..entry + 16]);
                let name = name.trim_end_matches('\0');
                let what = format!("checksum of section `{name}` does not match");
                return Err(LayoutError::Damaged(what));
            }
        }
        Ok(())
    }
}

fn find(bytes: &[u8], sections: usize, name: &str) -> Option<usize> {
    let mut padded = [0; 16];
    padded[..name.len()].copy_from_slice(name.as_bytes());
    (0..sections).map(|i| HEADER + i * ENTRY).find(|&at| bytes[at..at + 16] == padded)
}

fn extent(bytes: &[u8], entry: usize, section: Section) -> Result<Extent, LayoutError> {
    let (start, length) = (u64_at(bytes, entry + 16), u64_at(bytes, entry + 24));
    let inside = start.checked_add(length).is_some_and(|end| end <= bytes.len() as u64);
    let record = section.record();
    if !inside || !length.is_multiple_of(record as u64) {
        return Err(LayoutError::Damaged(format!(
            "section `{}` of {length} bytes at {start} does not fit a file of {} bytes in records of {record}",
            section.name(),
            bytes.len(),
        )));
    }
    Ok(Extent { start: start as usize, count: length as usize / record })
}

/// Puts sections together into the bytes of a map. Sections absent from `parts` are empty.
pub(crate) fn assemble(parts: &[(Section, Vec<u8>)]) -> Vec<u8> {
    let end = HEADER + Section::ALL.len() * ENTRY;
    let body: usize = parts.iter().map(|(_, bytes)| bytes.len() + 8).sum();
    let mut image = Vec::with_capacity(end + 8 + body);
    image.extend_from_slice(&MAGIC);
    image.extend_from_slice(&VERSION.to_le_bytes());
    image.extend_from_slice(&(Section::ALL.len() as u32).to_le_bytes());
    image.resize(end + 8, 0);
    for section in Section::ALL {
        let part = parts.iter().find(|(of, _)| *of == section);
        let bytes = part.map_or(&[][..], |(_, bytes)| bytes);
        let start = image.len().next_multiple_of(8);
        image.resize(start, 0);
        image.extend_from_slice(bytes);
        let entry = HEADER + section as usize * ENTRY;
        let name = section.name().as_bytes();
        image[entry..entry + name.len()].copy_from_slice(name);
        image[entry + 16..entry + 24].copy_from_slice(&(start as u64).to_le_bytes());
        image[entry + 24..entry + 32].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        image[entry + 32..entry + 40].copy_from_slice(&xxh3_64(bytes).to_le_bytes());
    }
    let checksum = xxh3_64(&image[..end]);
    image[end..end + 8].copy_from_slice(&checksum.to_le_bytes());
    image
}

/// The u32 at a byte offset; 0 beyond the end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

/// The i32 at a byte offset; 0 beyond the end.
pub(crate) fn i32_at(bytes: &[u8], at: usize) -> i32 {
    u32_at(bytes, at) as i32
}

/// The u64 at a byte offset; 0 beyond the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}
