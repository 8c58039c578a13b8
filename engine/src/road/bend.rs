//! How much a way bends where one edge goes over into the next.

use ingest::units::Position;

use super::geometry::Spot;
use super::record::AGAINST;
use super::{EdgeId, Road, plane};

/// A street's direction at its end is that to the first point so many metres away,
const DIRECTION_M: f64 = 10.0;
/// or to the last of so many points.
const DIRECTION_POINTS: usize = 6;

impl Road {
    /// The cosine of the change of direction where an edge of one street goes over into one of the
    /// next, both as their records name them: 1 straight on, 0 round a corner, -1 back.
    pub(crate) fn straight_on(&self, from: u32, to: u32) -> f64 {
        let [x, y] = self.direction_at_end(from ^ AGAINST);
        let [u, v] = self.direction_at_end(to);
        // Both lead away from the junction, and have the length 1 or, where no point is another, 0.
        let known = (x, y) != (0.0, 0.0) && (u, v) != (0.0, 0.0);
        if known { -f64::from(x * u + y * v) } else { 1.0 }
    }

    /// Away from the first point of a street, or from the last where the top bit is set.
    fn direction_at_end(&self, street: u32) -> [f32; 2] {
        let all = self.found.directions.get_or_init(|| self.directions());
        let ends = all.get((street & !AGAINST) as usize);
        ends.map_or([0.0; 2], |ends| ends[usize::from(street & AGAINST != 0)])
    }

    /// The directions at both ends of every street.
    fn directions(&self) -> Vec<[[f32; 2]; 2]> {
        let mut all = vec![[[0.0; 2]; 2]; self.streets()];
        let mut spots: Vec<Spot> = Vec::new();
        for edge in (0..self.edges() as u32).map(EdgeId) {
            let record = self.edge(edge);
            let street = record.street & !AGAINST;
            let Some(ends) = all.get_mut(street as usize) else { continue };
            if *ends == [[0.0; 2]; 2] {
                spots.clear();
                spots.extend(self.points(&record));
                *ends = [away(spots.iter().copied()), away(spots.iter().rev().copied())];
            }
        }
        all
    }
}

/// From the first of some points to another some way along them, of length 1; 0 where all are one.
fn away(spots: impl Iterator<Item = Spot>) -> [f32; 2] {
    let mut positions = spots.map(|(lng, lat)| Position::from_e7(lng, lat));
    let Some(start) = positions.next() else { return [0.0; 2] };
    let (mut x, mut y) = (0.0, 0.0);
    for at in positions.take(DIRECTION_POINTS) {
        (x, y) = plane::span(start, at);
        if x * x + y * y > DIRECTION_M * DIRECTION_M {
            break;
        }
    }
    let length = (x * x + y * y).sqrt();
    if length > 0.0 { [(x / length) as f32, (y / length) as f32] } else { [0.0; 2] }
}
