//! The nearest points of edges around a place.

use ingest::units::Position;

use super::access::{Access, Profile};
use super::index::{Frame, PIECE_SEGMENTS};
use super::plane::{METRES_PER_DEGREE, Plane, heading_deg};
use super::tables::NO_EDGE;
use super::{EdgeId, Near, Place, Road};

impl Road {
    /// The nearest point of every edge that a van may use within `radius_m` metres of `at`:
    /// nearest first, ties by edge id, at most `max`. Both directions of a two-way street
    /// appear, each as a place of its own. `out` is cleared first; nothing is allocated once
    /// it has grown.
    pub fn near(&self, at: Position, radius_m: f64, max: usize, out: &mut Vec<Near>) {
        self.near_for(at, radius_m, Profile::Van.into(), out);
        out.truncate(max);
    }

    /// As [`Road::near`] for edges that any of `who` may use, all of them.
    pub fn near_for(&self, at: Position, radius_m: f64, who: Access, out: &mut Vec<Near>) {
        self.near_on(&Plane::new(at), radius_m, who, out);
    }

    /// As [`Road::near_for`], around the origin of a plane.
    pub(crate) fn near_on(&self, plane: &Plane, radius_m: f64, who: Access, out: &mut Vec<Near>) {
        out.clear();
        let at = plane.origin();
        let high = radius_m / METRES_PER_DEGREE;
        let wide = (radius_m / plane.metres_per_lng()).min(180.0);
        let (west, east) = (at.lng - wide, at.lng + wide);
        let search = |west: f64, east: f64, out: &mut Vec<Near>| {
            let sides = [west, at.lat - high, east, at.lat + high];
            // A unit more on each side than rounding can take away; the cast saturates.
            let [w, s, e, n] = sides.map(|side| (side * 1e7) as i32);
            let frame = [w, s].map(|v| v.saturating_sub(1));
            let frame = Frame([frame[0], frame[1], e.saturating_add(1), n.saturating_add(1)]);
            self.pieces_in(frame, |piece| self.near_piece(plane, piece, radius_m, out));
        };
        search(west, east, out);
        if west < -180.0 {
            search(west + 360.0, 180.0, out);
        } else if east > 180.0 {
            search(-180.0, east - 360.0, out);
        }
        self.spread(who, out);
    }

    /// The nearest point of one piece, as a place on the street itself: its edge id is the
    /// street's number until [`Road::spread`].
    fn near_piece(&self, plane: &Plane, piece: usize, radius_m: f64, out: &mut Vec<Near>) {
        let (street, start_mm, points) = self.piece(piece);
        let mut points = points.map(|spot| plane.e7_to_metres(spot));
        let Some(mut from) = points.next() else { return };
        let mut squares = [0.0; PIECE_SEGMENTS];
        let (mut best, mut least) = (None, radius_m * radius_m);
        for (number, to) in points.take(PIECE_SEGMENTS).enumerate() {
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let square = dx * dx + dy * dy;
            squares[number] = square;
            // Most segments are too far even where they are as long as lines: that needs no root
            // and no division. A little more than rounding can take away.
            let cross = from.0 * dy - from.1 * dx;
            if cross * cross <= least * square * (1.0 + 1e-9) {
                let along = -(from.0 * dx + from.1 * dy);
                let share = if square > 0.0 { (along / square).clamp(0.0, 1.0) } else { 0.0 };
                let (x, y) = (from.0 + share * dx, from.1 + share * dy);
                let away = x * x + y * y;
                if away <= least && (square > 0.0 || best.is_none()) {
                    least = away;
                    best = Some((number, share, (x, y), (dx, dy)));
                }
            }
            from = to;
        }
        if let Some((number, share, (x, y), (dx, dy))) = best {
            let before = squares[..number].iter().map(|square: &f64| square.sqrt());
            let walked = before.fold(f64::from(start_mm) / 1000.0, |sum, metres| sum + metres);
            let offset_m = walked + share * squares[number].sqrt();
            out.push(Near {
                place: Place { edge: EdgeId(street), offset_m },
                position: plane.to_position(x, y),
                distance_m: least.sqrt(),
                heading: heading_deg(dx, dy),
            });
        }
    }

    /// Turns places on streets into places on their edges, keeps the nearest of each street
    /// and sorts.
    fn spread(&self, who: Access, out: &mut Vec<Near>) {
        out.sort_unstable_by(|a, b| {
            (a.place.edge.cmp(&b.place.edge))
                .then(a.distance_m.total_cmp(&b.distance_m))
                .then(a.place.offset_m.total_cmp(&b.place.offset_m))
        });
        out.dedup_by_key(|near| near.place.edge);
        for index in 0..out.len() {
            let near = out[index];
            let [along, against] = self.either(near.place.edge.0);
            let usable = |edge: EdgeId| edge != NO_EDGE && self.access(edge).meets(who);
            let length = |edge| self.length_m(edge);
            // The dropped ones are marked by an edge that does not exist.
            out[index].place.edge = EdgeId(u32::MAX);
            if usable(along) {
                let offset_m = near.place.offset_m.min(length(along));
                out[index].place = Place { edge: along, offset_m };
            }
            if usable(against) {
                let length = length(against);
                let offset_m = (length - near.place.offset_m).clamp(0.0, length);
                let heading = (near.heading + 180.0) % 360.0;
                out.push(Near { place: Place { edge: against, offset_m }, heading, ..near });
            }
        }
        out.retain(|near| near.place.edge.0 != u32::MAX);
        out.sort_unstable_by(|a, b| {
            a.distance_m.total_cmp(&b.distance_m).then(a.place.edge.cmp(&b.place.edge))
        });
    }
}
