//! The spatial index: a packed Hilbert R-tree over pieces of streets.
//!
//! A piece is a run of up to [`PIECE_SEGMENTS`] segments of one street. Pieces lie in Hilbert
//! order of their middles; [`FANOUT`] neighbours share a box, as many boxes a box of the next
//! level, until one is left (Kamel & Faloutsos 1993; the layout of flatbush). The boxes are
//! found from the pieces at first use.

use super::Road;
use super::geometry::{Points, Spot};
use super::hilbert;
use super::image::{Section, i32_at, u32_at};
use super::tables;

/// Segments in a piece: more make boxes loose on winding roads, fewer make the file larger.
pub(crate) const PIECE_SEGMENTS: usize = 8;
/// Boxes below a box: four cache lines of boxes per step.
pub(crate) const FANOUT: usize = 16;
/// 16^9 pieces exceed what a file can number.
const LEVELS_MAX: usize = 9;

/// West, south, east, north in 1e-7 degrees, borders included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame(pub(crate) [i32; 4]);

impl Frame {
    pub(crate) const EMPTY: Self = Self([i32::MAX, i32::MAX, i32::MIN, i32::MIN]);

    pub(crate) fn include(&mut self, lng: i32, lat: i32) {
        self.join(Self([lng, lat, lng, lat]));
    }

    fn join(&mut self, other: Self) {
        let ([w, s, e, n], [ow, os, oe, on]) = (self.0, other.0);
        self.0 = [w.min(ow), s.min(os), e.max(oe), n.max(on)];
    }

    #[expect(clippy::needless_bitwise_bool, reason = "which side misses cannot be foretold")]
    fn meets(self, other: Self) -> bool {
        let ([w, s, e, n], [ow, os, oe, on]) = (self.0, other.0);
        (w <= oe) & (ow <= e) & (s <= on) & (os <= n)
    }

    fn middle(self) -> (i32, i32) {
        let [w, s, e, n] = self.0;
        (i32::midpoint(w, e), i32::midpoint(s, n))
    }
}

/// A run of segments of one street.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) street: u32,
    /// Where it begins, and the byte in the points of the map behind that.
    pub(crate) begin: Spot,
    pub(crate) at: u32,
    /// Whether the street begins with it.
    pub(crate) first: bool,
    /// Millimetres along the street to where it begins.
    pub(crate) start_mm: u32,
    pub(crate) frame: Frame,
}

/// The number of a piece's entry in the section of later ones stands in place of its street.
const LATER: u32 = 1 << 31;

/// Sorts the pieces and writes them: all, and what more the ones have that are not their
/// street's first.
pub(crate) fn write(mut pieces: Vec<Piece>) -> (Vec<u8>, Vec<u8>) {
    pieces.sort_by_cached_key(|piece| {
        let (lng, lat) = piece.frame.middle();
        (hilbert::key(lng, lat), piece.street, piece.at)
    });
    let (mut all, mut later) = (Vec::with_capacity(pieces.len() * 12), Vec::new());
    for piece in &pieces {
        let mut name = piece.street;
        if !piece.first {
            name = LATER | (later.len() / 12) as u32;
            for word in [piece.street, piece.at, piece.start_mm] {
                later.extend_from_slice(&word.to_le_bytes());
            }
        }
        all.extend_from_slice(&name.to_le_bytes());
        all.extend_from_slice(&piece.begin.0.to_le_bytes());
        all.extend_from_slice(&piece.begin.1.to_le_bytes());
    }
    (all, later)
}

/// All levels of boxes over some, these first.
pub(super) fn levels(mut boxes: Vec<Frame>) -> Vec<Frame> {
    let mut level = 0..boxes.len();
    while level.len() > 1 {
        let above: Vec<Frame> = boxes[level.clone()].chunks(FANOUT).map(join_all).collect();
        level = boxes.len()..boxes.len() + above.len();
        boxes.extend(above);
    }
    boxes
}

fn join_all(frames: &[Frame]) -> Frame {
    let mut all = Frame::EMPTY;
    for &frame in frames {
        all.join(frame);
    }
    all
}

impl Road {
    /// Calls `found` with the number of every piece whose box meets `frame`.
    pub(super) fn pieces_in(&self, frame: Frame, mut found: impl FnMut(usize)) {
        let pieces = self.pieces();
        let boxes = self.found.boxes.get_or_init(|| tables::boxes(self));
        let mut starts = [(0_usize, 0_usize); LEVELS_MAX];
        let (mut start, mut size, mut levels) = (0, pieces, 0);
        while size > 0 && levels < LEVELS_MAX {
            starts[levels] = (start, size);
            levels += 1;
            start += size;
            size = if size == 1 { 0 } else { size.div_ceil(FANOUT) };
        }
        // At most FANOUT boxes of each level wait at any time.
        let mut waiting = [(0_u8, 0_u32); LEVELS_MAX * FANOUT + 1];
        let mut depth = 0;
        if levels > 0 && boxes[starts[levels - 1].0].meets(frame) {
            waiting[0] = ((levels - 1) as u8, 0);
            depth = 1;
        }
        while depth > 0 {
            depth -= 1;
            let (level, index) = waiting[depth];
            let Some(level) = level.checked_sub(1) else {
                found(index as usize);
                continue;
            };
            let (below, size) = starts[usize::from(level)];
            let first = index as usize * FANOUT;
            let row = &boxes[below + first..below + (first + FANOUT).min(size)];
            let mut met = 0_u32;
            for (child, frame_of) in row.iter().enumerate() {
                met |= u32::from(frame_of.meets(frame)) << child;
            }
            if level == 0 {
                // Pieces wait for nothing: the lowest first, as all the others.
                while met != 0 {
                    found(first + met.trailing_zeros() as usize);
                    met &= met - 1;
                }
            }
            while met != 0 {
                let child = met.ilog2();
                met &= !(1 << child);
                waiting[depth] = (level, first as u32 + child);
                depth += 1;
            }
        }
    }

    /// How many pieces of streets there are.
    pub(super) fn pieces(&self) -> usize {
        self.count(Section::Pieces)
    }

    /// Street of a piece, millimetres along it to where the piece begins, and the points from
    /// there to the street's end.
    pub(super) fn piece(&self, index: usize) -> (u32, u32, Points<'_>) {
        let bytes = self.record::<12>(Section::Pieces, index);
        let (name, begin) = (u32_at(&bytes, 0), (i32_at(&bytes, 4), i32_at(&bytes, 8)));
        if name & LATER == 0 {
            return (name, 0, Points::new(begin, self.steps(name, 0)));
        }
        let later = self.record::<12>(Section::Later, (name & !LATER) as usize);
        let (street, at) = (u32_at(&later, 0), u32_at(&later, 4));
        (street, u32_at(&later, 8), Points::new(begin, self.steps(street, at)))
    }
}
