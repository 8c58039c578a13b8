//! How an edge runs over the ground.

use ingest::units::Position;

use super::geometry::{Points, Spot};
use super::image::Section;
use super::record::{AGAINST, EdgeRecord};
use super::{EdgeId, Place, Road, plane};

/// Points of an edge that are turned round without asking for memory.
const POINTS_AT_HAND: usize = 32;

impl Road {
    /// The whole geometry of an edge from tail to head, at least two points. `out` is cleared
    /// first.
    pub fn shape(&self, edge: EdgeId, out: &mut Vec<Position>) {
        out.clear();
        let record = self.edge(edge);
        out.extend(self.points(&record).map(|(lng, lat)| Position::from_e7(lng, lat)));
        if record.street & AGAINST != 0 {
            out.reverse();
        }
    }

    /// Position and heading (degrees) of a place. An offset outside the edge is brought to
    /// its nearer end.
    pub fn point_at(&self, place: Place) -> (Position, f64) {
        let (at, (x, y)) = self.step_at(&self.edge(place.edge), place.offset_m);
        (at, plane::heading_deg(x, y))
    }

    /// Position of a place, as [`Road::point_at`].
    pub fn position_at(&self, place: Place) -> Position {
        self.step_at(&self.edge(place.edge), place.offset_m).0
    }

    /// Position so many metres along an edge, and the segment that it lies on: metres east and
    /// north.
    pub(crate) fn step_at(&self, edge: &EdgeRecord, offset_m: f64) -> (Position, (f64, f64)) {
        let points = self.points(edge);
        if edge.street & AGAINST == 0 {
            return along(points, offset_m);
        }
        let mut few = [(0, 0); POINTS_AT_HAND];
        let mut count = 0;
        for point in points.clone() {
            if let Some(place) = few.get_mut(count) {
                *place = point;
            }
            count += 1;
        }
        if let Some(few) = few.get(..count) {
            return along(few.iter().rev().copied(), offset_m);
        }
        let all: Vec<Spot> = points.collect();
        along(all.into_iter().rev(), offset_m)
    }

    /// The points of an edge's street, from the street's first to its last.
    pub(super) fn points(&self, edge: &EdgeRecord) -> Points<'_> {
        let first = if edge.street & AGAINST == 0 { edge.tail } else { edge.head };
        Points::new(self.node_e7(first), self.steps(edge.street & !AGAINST, 0))
    }

    /// The steps of a street, those before a byte of the section left out.
    pub(super) fn steps(&self, street: u32, from: u32) -> &[u8] {
        let begin = self.word(Section::Streets, street as usize).max(from) as usize;
        let end = self.word(Section::Streets, street as usize + 1) as usize;
        let extent = self.layout.extent(Section::Points);
        let all = self.bytes.as_slice().get(extent.start..extent.start + extent.count);
        all.and_then(|all| all.get(begin..end)).unwrap_or_default()
    }
}

/// Position so many metres along some points, and the segment there.
fn along(points: impl Iterator<Item = Spot>, offset_m: f64) -> (Position, (f64, f64)) {
    let mut points = points.map(|(lng, lat)| Position::from_e7(lng, lat));
    let Some(mut from) = points.next() else { return (Position::from_e7(0, 0), (0.0, 0.0)) };
    let (mut left, mut answer) = (offset_m.max(0.0), (from, (0.0, 0.0)));
    for to in points {
        let (x, y) = plane::span(from, to);
        let length = (x * x + y * y).sqrt();
        if length > 0.0 {
            let share = (left / length).min(1.0);
            let lng = plane::shorter_way(from.lng + share * plane::shorter_way(to.lng - from.lng));
            let lat = from.lat + share * (to.lat - from.lat);
            answer = (Position { lng, lat }, (x, y));
            if left <= length {
                break;
            }
            left -= length;
        }
        from = to;
    }
    answer
}
