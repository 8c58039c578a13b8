//! The streets inside a box, for whoever draws the map.

use ingest::units::Position;

use super::index::Frame;
use super::tables::NO_EDGE;
use super::{EdgeId, Road};

impl Road {
    /// One edge of every street that comes near the box between two corners: the edge along it,
    /// or the one against it where nobody may drive along. In the order of their streets, each
    /// once; a street may pass the box by as much as the boxes of the index are loose. `out` is
    /// cleared first. A box across the antimeridian is asked for in two halves.
    pub fn within(&self, south_west: Position, north_east: Position, out: &mut Vec<EdgeId>) {
        out.clear();
        // The cast saturates, and takes what is no number for 0.
        let corner = |at: Position| [(at.lng * 1e7) as i32, (at.lat * 1e7) as i32];
        let ([west, south], [east, north]) = (corner(south_west), corner(north_east));
        let mut streets = Vec::new();
        self.pieces_in(Frame([west, south, east, north]), |piece| {
            streets.push(self.piece(piece).0);
        });
        streets.sort_unstable();
        streets.dedup();
        let edge = |street: u32| self.either(street).into_iter().find(|&edge| edge != NO_EDGE);
        out.extend(streets.into_iter().filter_map(edge));
    }
}
