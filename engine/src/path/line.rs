//! A way as a line on the ground.

use ingest::units::Position;

use crate::road::{EdgeId, Place, Road};

/// The points of the way over `edges` (as [`super::Path::edges`]) from one place to another,
/// both included. `out` is cleared first.
pub fn line(road: &Road, (from, to): (Place, Place), edges: &[EdgeId], out: &mut Vec<Position>) {
    out.clear();
    out.push(road.point_at(from).0);
    let mut shape = Vec::new();
    for (index, &edge) in edges.iter().enumerate() {
        let last = index + 1 == edges.len();
        let begin = if index == 0 { from.offset_m } else { -1.0 };
        let end = if last { to.offset_m } else { f64::INFINITY };
        road.shape(edge, &mut shape);
        let mut walked = 0.0;
        for step in 0..shape.len() {
            if step > 0 {
                walked += crate::road::plane::distance_m(shape[step - 1], shape[step]);
            }
            if walked > begin && walked < end && out.last() != Some(&shape[step]) {
                out.push(shape[step]);
            }
        }
    }
    let end = road.point_at(to).0;
    if out.last() != Some(&end) {
        out.push(end);
    }
}
