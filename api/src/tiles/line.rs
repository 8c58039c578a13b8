//! Lines in the plane of a drawing: made simpler, cut at a box.

/// A point, units of the drawing.
pub(crate) type Point = (f64, f64);

/// A box: least x and y, greatest x and y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cut {
    pub(crate) least: Point,
    pub(crate) most: Point,
}

/// Points that matter: none that is left out lies further than `tolerance` from the line that is
/// left (Douglas & Peucker 1973; a stack instead of recursion, lines come from maps).
pub(crate) fn simplify(points: &[Point], tolerance: f64, out: &mut Vec<Point>) {
    out.clear();
    let Some(last) = points.len().checked_sub(1) else { return };
    let mut keep = vec![false; points.len()];
    (keep[0], keep[last]) = (true, true);
    let mut open = vec![(0, last)];
    while let Some((from, to)) = open.pop() {
        let far = (from + 1..to)
            .map(|index| (off(points[from], points[to], points[index]), index))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((distance, index)) = far
            && distance > tolerance * tolerance
        {
            keep[index] = true;
            open.extend([(from, index), (index, to)]);
        }
    }
    out.extend(points.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(point, _)| *point));
}

/// Square of the distance of a point from a piece of line.
fn off(from: Point, to: Point, at: Point) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (px, py) = (at.0 - from.0, at.1 - from.1);
    let square = dx * dx + dy * dy;
    let share = if square > 0.0 { ((px * dx + py * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (px - share * dx, py - share * dy);
    x * x + y * y
}

impl Cut {
    /// The pieces of a line inside, each of at least two points (Liang & Barsky 1984).
    pub(crate) fn line(self, points: &[Point], out: &mut Vec<Vec<Point>>) {
        let mut piece: Vec<Point> = Vec::new();
        for pair in points.windows(2) {
            let Some((from, to)) = self.segment(pair[0], pair[1]) else {
                flush(&mut piece, out);
                continue;
            };
            if piece.last() != Some(&from) {
                flush(&mut piece, out);
                piece.push(from);
            }
            if to != from {
                piece.push(to);
            }
            if to != pair[1] {
                flush(&mut piece, out);
            }
        }
        flush(&mut piece, out);
    }

    fn segment(self, a: Point, b: Point) -> Option<(Point, Point)> {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let (mut first, mut last) = (0.0_f64, 1.0_f64);
        let sides = [
            (-dx, a.0 - self.least.0),
            (dx, self.most.0 - a.0),
            (-dy, a.1 - self.least.1),
            (dy, self.most.1 - a.1),
        ];
        for (slope, room) in sides {
            if slope == 0.0 {
                if room < 0.0 {
                    return None;
                }
            } else if slope < 0.0 {
                first = first.max(room / slope);
            } else {
                last = last.min(room / slope);
            }
        }
        if first > last {
            return None;
        }
        let at = |share: f64| (a.0 + share * dx, a.1 + share * dy);
        let from = if first > 0.0 { at(first) } else { a };
        let to = if last < 1.0 { at(last) } else { b };
        Some((from, to))
    }

    /// A ring cut at the box, as a ring; empty where nothing is left (Sutherland & Hodgman 1974).
    pub(crate) fn ring(self, points: &[Point]) -> Vec<Point> {
        let mut ring = points.to_vec();
        let sides: [fn(Cut, Point) -> f64; 4] = [
            |cut, p| p.0 - cut.least.0,
            |cut, p| cut.most.0 - p.0,
            |cut, p| p.1 - cut.least.1,
            |cut, p| cut.most.1 - p.1,
        ];
        for inside in sides {
            let mut cut = Vec::with_capacity(ring.len() + 4);
            for (index, &to) in ring.iter().enumerate() {
                let from = ring[(index + ring.len() - 1) % ring.len()];
                let (before, here) = (inside(self, from), inside(self, to));
                if (before < 0.0) != (here < 0.0) {
                    let share = before / (before - here);
                    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
                    cut.push((from.0 + share * dx, from.1 + share * dy));
                }
                if here >= 0.0 {
                    cut.push(to);
                }
            }
            ring = cut;
        }
        ring
    }
}

fn flush(piece: &mut Vec<Point>, out: &mut Vec<Vec<Point>>) {
    if piece.len() > 1 {
        out.push(std::mem::take(piece));
    }
    piece.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Cut = Cut { least: (0.0, 0.0), most: (10.0, 10.0) };

    #[track_caller]
    fn check(points: &[Point], expected: &[&[Point]]) {
        let mut out = Vec::new();
        BOX.line(points, &mut out);
        let expected: Vec<Vec<Point>> = expected.iter().map(|line| line.to_vec()).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_line_is_cut_into_its_pieces_inside() {
        check(&[(1.0, 1.0), (9.0, 9.0)], &[&[(1.0, 1.0), (9.0, 9.0)]]);
        check(&[(-5.0, 5.0), (15.0, 5.0)], &[&[(0.0, 5.0), (10.0, 5.0)]]);
        let through = [(5.0, 5.0), (15.0, 5.0), (15.0, 8.0), (5.0, 8.0)];
        check(&through, &[&[(5.0, 5.0), (10.0, 5.0)], &[(10.0, 8.0), (5.0, 8.0)]]);
        check(&[(-5.0, 5.0), (-1.0, 20.0)], &[]);
        check(&[(5.0, 5.0), (5.0, 5.0)], &[]);
        check(&[], &[]);
    }

    #[test]
    fn a_ring_is_cut_to_a_ring() {
        let around = [(-5.0, -5.0), (15.0, -5.0), (15.0, 15.0), (-5.0, 15.0)];
        let mut whole = BOX.ring(&around);
        whole.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(whole, [(0.0, 0.0), (0.0, 10.0), (10.0, 0.0), (10.0, 10.0)]);
        assert!(BOX.ring(&[(20.0, 20.0), (30.0, 20.0), (30.0, 30.0)]).is_empty());
        assert!(BOX.ring(&[]).is_empty());
    }

    #[test]
    fn nothing_left_out_lies_far_from_what_is_left() {
        let wave: Vec<Point> =
            (0..200).map(|x| (f64::from(x), (f64::from(x) / 9.0).sin() * 20.0)).collect();
        let mut out = Vec::new();
        simplify(&wave, 1.0, &mut out);
        assert!(out.len() < 80 && out[0] == wave[0] && out[out.len() - 1] == wave[199]);
        for point in &wave {
            let least = out.windows(2).map(|w| off(w[0], w[1], *point)).fold(f64::MAX, f64::min);
            assert!(least <= 1.0 + 1e-9);
        }
    }
}
