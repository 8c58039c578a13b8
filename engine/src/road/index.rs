//! The spatial index: a packed Hilbert R-tree over pieces of streets.
//!
//! A piece is a run of up to [`PIECE_SEGMENTS`] segments of one street. Pieces lie in Hilbert
//! order of their middles; [`FANOUT`] neighbours share a box, as many boxes a box of the next
//! level, until one is left (Kamel & Faloutsos 1993; the layout of flatbush). Nothing is
//! stored but boxes, so the tree is read as it lies in the file.

use super::Road;
use super::hilbert;
use super::image::{Section, i32_at, u32_at};

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

    fn meets(self, other: Self) -> bool {
        let ([w, s, e, n], [ow, os, oe, on]) = (self.0, other.0);
        w <= oe && ow <= e && s <= on && os <= n
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
    /// Number of its first point in the points of the map.
    pub(crate) point: u32,
    /// Millimetres along the street to that point.
    pub(crate) start_mm: u32,
    pub(crate) frame: Frame,
}

/// How many boxes stand over so many pieces, their own included.
pub(crate) fn boxes_over(pieces: usize) -> usize {
    let (mut level, mut total) = (pieces, pieces);
    while level > 1 {
        level = level.div_ceil(FANOUT);
        total += level;
    }
    total
}

/// Sorts the pieces and writes both sections of the index.
pub(crate) fn write(mut pieces: Vec<Piece>) -> (Vec<u8>, Vec<u8>) {
    pieces.sort_by_cached_key(|piece| {
        let (lng, lat) = piece.frame.middle();
        (hilbert::key(lng, lat), piece.street, piece.point)
    });
    let mut records = Vec::with_capacity(pieces.len() * 12);
    for piece in &pieces {
        for word in [piece.street, piece.point, piece.start_mm] {
            records.extend_from_slice(&word.to_le_bytes());
        }
    }
    let mut boxes = Vec::with_capacity(boxes_over(pieces.len()) * 16);
    let mut level: Vec<Frame> = pieces.iter().map(|piece| piece.frame).collect();
    while !level.is_empty() {
        for side in level.iter().flat_map(|frame| frame.0) {
            boxes.extend_from_slice(&side.to_le_bytes());
        }
        if level.len() == 1 {
            break;
        }
        level = level.chunks(FANOUT).map(join_all).collect();
    }
    (records, boxes)
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
        let pieces = self.count(Section::Pieces);
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
        if levels > 0 && self.frame(starts[levels - 1].0).meets(frame) {
            waiting[0] = ((levels - 1) as u8, 0);
            depth = 1;
        }
        while depth > 0 {
            depth -= 1;
            let (level, index) = waiting[depth];
            if level == 0 {
                found(index as usize);
                continue;
            }
            let (below, size) = starts[usize::from(level) - 1];
            let first = index as usize * FANOUT;
            for child in (first..(first + FANOUT).min(size)).rev() {
                if self.frame(below + child).meets(frame) {
                    waiting[depth] = (level - 1, child as u32);
                    depth += 1;
                }
            }
        }
    }

    fn frame(&self, index: usize) -> Frame {
        let bytes = self.record::<16>(Section::Boxes, index);
        Frame([i32_at(&bytes, 0), i32_at(&bytes, 4), i32_at(&bytes, 8), i32_at(&bytes, 12)])
    }

    /// Street, first point and millimetres to it of a piece.
    pub(super) fn piece(&self, index: usize) -> (u32, u32, u32) {
        let bytes = self.record::<12>(Section::Pieces, index);
        (u32_at(&bytes, 0), u32_at(&bytes, 4), u32_at(&bytes, 8))
    }
}
