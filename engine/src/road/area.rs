//! Water, parks and buildings: raw polygons kept for drawing tiles, nothing routes on them.
//!
//! ```text
//! repeated: kind u8 | rings varint | per ring: points varint, then each point as the zigzag
//!           varint difference to the one before (lng, lat in 1e-7 degrees; the first of an
//!           area to zero)
//! ```
//! The first ring of an area is an outer one; a ring is not closed by repeating its first point.

use super::Road;
use super::image::Section;

/// What an area is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AreaKind {
    /// Lakes, rivers with banks, basins.
    Water = 0,
    /// Parks, woods, grass, cemeteries.
    Park = 1,
    /// Buildings.
    Building = 2,
}

/// One polygon: rings of (lng, lat) in 1e-7 degrees, outer ones and holes; fill by even-odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// What it is.
    pub kind: AreaKind,
    /// At least one ring of at least three points.
    pub rings: Vec<Vec<(i32, i32)>>,
}

impl Area {
    /// Appends the area's bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.kind as u8);
        varint(self.rings.len() as u64, out);
        let (mut lng, mut lat) = (0, 0);
        for ring in &self.rings {
            varint(ring.len() as u64, out);
            for point in ring {
                zigzag(i64::from(point.0) - lng, out);
                zigzag(i64::from(point.1) - lat, out);
                (lng, lat) = (i64::from(point.0), i64::from(point.1));
            }
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        *bytes = rest;
        let kind = match kind {
            0 => AreaKind::Water,
            1 => AreaKind::Park,
            2 => AreaKind::Building,
            _ => return None,
        };
        let (mut lng, mut lat) = (0_i64, 0_i64);
        let rings = (0..bounded(bytes, 1)?)
            .map(|_| {
                (0..bounded(bytes, 2)?)
                    .map(|_| {
                        lng = lng.checked_add(unzigzag(bytes)?)?;
                        lat = lat.checked_add(unzigzag(bytes)?)?;
                        Some((i32::try_from(lng).ok()?, i32::try_from(lat).ok()?))
                    })
                    .collect()
            })
            .collect::<Option<_>>()?;
        Some(Self { kind, rings })
    }
}

impl Road {
    /// Every area of the map, by kind and along a Hilbert curve; ends where the bytes make no
    /// sense.
    pub fn areas(&self) -> impl Iterator<Item = Area> {
        let extent = self.layout.extent(Section::Areas);
        let bytes = self.bytes.as_slice().get(extent.start..extent.start + extent.count);
        let mut bytes = bytes.unwrap_or_default();
        std::iter::from_fn(move || Area::read(&mut bytes))
    }
}

/// A count of things of at least `least` bytes each: more than fit is nonsense.
fn bounded(bytes: &mut &[u8], least: usize) -> Option<usize> {
    let count = usize::try_from(unvarint(bytes)?).ok()?;
    (count <= bytes.len() / least).then_some(count)
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

fn unvarint(bytes: &mut &[u8]) -> Option<u64> {
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

fn unzigzag(bytes: &mut &[u8]) -> Option<i64> {
    unvarint(bytes).map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_comes_back_as_it_was() {
        let area = Area {
            kind: AreaKind::Park,
            rings: vec![
                vec![(-86_000_000, 411_500_000), (-85_999_000, 411_500_000), (1, -1)],
                vec![(i32::MIN, i32::MAX), (i32::MAX, i32::MIN), (0, 0)],
            ],
        };
        let mut bytes = Vec::new();
        area.write(&mut bytes);
        assert_eq!(Area::read(&mut bytes.as_slice()), Some(area));
        for cut in 0..bytes.len() {
            assert_eq!(Area::read(&mut &bytes[..cut]), None);
        }
    }
}
