//! The small map around a door, as SVG: streets and water once, and above them what moves.

use engine::road::{Area, AreaKind, Class, Road, plane::Plane};
use ingest::units::Position;

use super::page::{append, escaped};
use crate::policy::Visible;
use crate::tiles::line::{Cut, Point, simplify};
use crate::tiles::{Tiles, streets};

/// Size of the drawing, units; half a pixel of a phone.
const WIDTH: f64 = 780.0;
const HEIGHT: f64 = 464.0;
/// Metres from the door to the left and right side, nearest first.
const REACHES_M: [f64; 5] = [350.0, 700.0, 1_400.0, 2_800.0, 5_600.0];
/// The vehicle is kept this far from the sides, share of the half.
const MARGIN: f64 = 0.82;
/// Names of streets on a drawing.
const LABELS_MAX: usize = 7;
/// A name needs so many units a letter, and so much room around its middle.
const LETTER: f64 = 12.5;
const LABEL_ROOM: f64 = 90.0;

/// The piece of the world that is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    door: Position,
    reach_m: f64,
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.door == other.door && self.reach_m.to_bits() == other.reach_m.to_bits()
    }
}

impl Frame {
    /// Around a door, wide enough for the vehicle where that is shown; the widest does not hold
    /// one that is further away.
    pub(crate) fn of(door: Position, visible: &Visible) -> Self {
        let nearest = Self { door, reach_m: REACHES_M[0] };
        let Some(seen) = visible.vehicle else { return nearest };
        let frames = REACHES_M.map(|reach_m| Self { door, reach_m });
        let holds = |frame: &Self| {
            let (x, y) = frame.place(seen.position);
            let share = |at: f64, side: f64| (at / side * 2.0 - 1.0).abs();
            share(x, WIDTH) <= MARGIN && share(y, HEIGHT) <= MARGIN
        };
        frames.into_iter().find(holds).unwrap_or(frames[REACHES_M.len() - 1])
    }

    fn units_per_m(self) -> f64 {
        WIDTH / 2.0 / self.reach_m
    }

    fn place(self, at: Position) -> Point {
        let (x, y) = Plane::new(self.door).to_metres(at);
        (WIDTH / 2.0 + x * self.units_per_m(), HEIGHT / 2.0 - y * self.units_per_m())
    }

    fn corners(self) -> (Position, Position) {
        let plane = Plane::new(self.door);
        let (x, y) = (self.reach_m, self.reach_m * HEIGHT / WIDTH);
        (plane.to_position(-x, -y), plane.to_position(x, y))
    }

    /// The streets, water and parks, with the names of some streets.
    pub(crate) fn base(self, road: &Road, tiles: &Tiles) -> String {
        let corners = self.corners();
        let mut out = String::with_capacity(8 << 10);
        let areas = tiles.areas_in(corners);
        for (class, kind) in [("pk", AreaKind::Park), ("wt", AreaKind::Water)] {
            let of_kind = areas.iter().filter(|area| area.kind == kind);
            let path: String = of_kind.map(|area| self.ring(area)).collect();
            if !path.is_empty() {
                append(&mut out, format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
            }
        }
        let found = streets::within(road, corners, |class| self.shown(class));
        let mut paths = [const { String::new() }; 3];
        let mut labels = Vec::new();
        let (mut plane, mut plain, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for streets in &found {
            let path = &mut paths[self.width(streets.class)];
            for line in &streets.lines {
                plane.clear();
                plane.extend(line.iter().map(|at| self.place(*at)));
                simplify(&plane, 1.5, &mut plain);
                pieces.clear();
                CUT.line(&plain, &mut pieces);
                for piece in &pieces {
                    draw(path, piece);
                    labels.extend(label(streets.name, piece));
                }
            }
        }
        for (n, path) in paths.iter().enumerate() {
            append(&mut out, format_args!("<path class=\"c c{n}\" d=\"{path}\"/>"));
        }
        for (n, path) in paths.iter().enumerate() {
            append(&mut out, format_args!("<path class=\"r r{n}\" d=\"{path}\"/>"));
        }
        out.push_str(&chosen(labels));
        out
    }

    /// What moves: the way, the vehicle, and the door under them all.
    pub(crate) fn over(self, visible: &Visible) -> String {
        let mut out = String::new();
        if let Some(way) = &visible.way {
            let plane: Vec<Point> = way.iter().map(|at| self.place(*at)).collect();
            let (mut plain, mut pieces, mut path) = (Vec::new(), Vec::new(), String::new());
            simplify(&plane, 1.0, &mut plain);
            CUT.line(&plain, &mut pieces);
            for piece in &pieces {
                draw(&mut path, piece);
            }
            append(
                &mut out,
                format_args!("<path class=\"h\" d=\"{path}\"/><path class=\"w\" d=\"{path}\"/>"),
            );
        }
        let (x, y) = (WIDTH / 2.0, HEIGHT / 2.0);
        append(
            &mut out,
            format_args!(
                "<g transform=\"translate({x} {y})\"><circle class=\"d\" r=\"30\"/>\
             <path class=\"i\" d=\"M-14 0 0-13 14 0M-10-2v13h20v-13\"/></g>"
            ),
        );
        if let Some(seen) = &visible.vehicle {
            let (x, y) = self.place(seen.position);
            let (x, y) = (x.round(), y.round());
            out.push_str("<g id=\"van\">");
            if let Some(heading) = seen.heading {
                append(
                    &mut out,
                    format_args!(
                        "<path class=\"p\" transform=\"translate({x} {y}) rotate({})\" \
                     d=\"M-13-37 0-54 13-37z\"/>",
                        heading.round()
                    ),
                );
            }
            append(
                &mut out,
                format_args!(
                    "<g transform=\"translate({x} {y})\"><circle class=\"v\" r=\"32\"/>\
                 <path class=\"j\" d=\"M-17-11H3V8h-20zM3-4h8l6 6v6H3\"/>\
                 <circle class=\"j\" cx=\"-9\" cy=\"10\" r=\"4\"/>\
                 <circle class=\"j\" cx=\"9\" cy=\"10\" r=\"4\"/></g></g>"
                ),
            );
        }
        out
    }

    fn ring(self, area: &Area) -> String {
        let mut out = String::new();
        for ring in &area.rings {
            let place = |&(lng, lat): &(i32, i32)| self.place(Position::from_e7(lng, lat));
            let plane: Vec<Point> = ring.iter().map(place).collect();
            let mut plain = Vec::new();
            simplify(&plane, 3.0, &mut plain);
            let cut = CUT.ring(&plain);
            if cut.len() > 2 {
                draw(&mut out, &cut);
                out.push('z');
            }
        }
        out
    }

    fn shown(self, class: Class) -> bool {
        match class {
            Class::Cycleway | Class::Footway | Class::Steps | Class::Track | Class::Ferry => false,
            Class::Service | Class::Pedestrian => self.reach_m <= REACHES_M[0],
            _ => class <= self.least(),
        }
    }

    fn least(self) -> Class {
        if self.reach_m <= REACHES_M[1] {
            Class::LivingStreet
        } else if self.reach_m <= REACHES_M[2] {
            Class::Residential
        } else if self.reach_m <= REACHES_M[3] {
            Class::TertiaryLink
        } else {
            Class::SecondaryLink
        }
    }

    fn width(self, class: Class) -> usize {
        let near = self.reach_m <= REACHES_M[1];
        match class {
            Class::Motorway | Class::Trunk | Class::Primary => 2,
            Class::Secondary | Class::Tertiary => 1,
            Class::Residential | Class::Unclassified if near => 1,
            _ => 0,
        }
    }
}

/// A little more than the drawing, so that no end of a line shows.
const CUT: Cut = Cut { least: (-12.0, -12.0), most: (WIDTH + 12.0, HEIGHT + 12.0) };

/// A line in whole units, each point from the one before.
fn draw(path: &mut String, points: &[Point]) {
    let whole = |at: &Point| (at.0.round() as i32, at.1.round() as i32);
    let Some(first) = points.first().map(whole) else { return };
    append(path, format_args!("M{} {}l", first.0, first.1));
    let mut before = first;
    for at in points.iter().skip(1).map(whole) {
        let (x, y) = (at.0 - before.0, at.1 - before.1);
        let sign = if path.ends_with('l') || x < 0 { "" } else { " " };
        let gap = if y < 0 { "" } else { " " };
        append(path, format_args!("{sign}{x}{gap}{y}"));
        before = at;
    }
}

/// A name where it fits: its middle, its turn in degrees, and how much room it has.
type Label<'a> = (&'a str, Point, f64, f64);

/// The longest straight of a line, if a name fits along it.
fn label<'a>(name: &'a str, piece: &[Point]) -> Option<Label<'a>> {
    let long = |pair: &[Point]| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1);
    let pair = piece.windows(2).max_by(|a, b| long(a).total_cmp(&long(b)))?;
    let room = long(pair) - name.chars().count() as f64 * LETTER;
    let middle = (f64::midpoint(pair[0].0, pair[1].0), f64::midpoint(pair[0].1, pair[1].1));
    let inside =
        (40.0..WIDTH - 40.0).contains(&middle.0) && (40.0..HEIGHT - 40.0).contains(&middle.1);
    let mut turn = (pair[1].1 - pair[0].1).atan2(pair[1].0 - pair[0].0).to_degrees();
    if turn > 90.0 {
        turn -= 180.0;
    } else if turn < -90.0 {
        turn += 180.0;
    }
    (!name.is_empty() && room > 0.0 && inside).then_some((name, middle, turn, room))
}

/// The names with most room, each once, none over another or the door.
fn chosen(mut labels: Vec<Label<'_>>) -> String {
    labels.sort_by(|a, b| b.3.total_cmp(&a.3));
    let mut taken: Vec<(&str, Point)> = vec![("", (WIDTH / 2.0, HEIGHT / 2.0))];
    let mut out = String::new();
    for (name, (x, y), turn, _) in labels {
        let near = |other: &Point| (other.0 - x).hypot(other.1 - y) < LABEL_ROOM;
        if taken.len() > LABELS_MAX || taken.iter().any(|(n, at)| *n == name || near(at)) {
            continue;
        }
        taken.push((name, (x, y)));
        append(
            &mut out,
            format_args!(
                "<text transform=\"translate({:.0} {:.0}) rotate({turn:.0})\" dy=\"7\">{}</text>",
                x,
                y,
                escaped(name)
            ),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_drawn_from_point_to_point() {
        let mut path = String::new();
        draw(&mut path, &[(0.4, 1.0), (10.0, 5.0), (-3.0, 5.2)]);
        assert_eq!(path, "M0 1l10 4-13 0");
    }

    #[test]
    fn names_do_not_stand_on_their_heads() {
        let (_, _, turn, _) = label("Rua", &[(300.0, 200.0), (100.0, 190.0)]).unwrap();
        assert!(turn.abs() < 10.0);
        assert!(label("A very long name indeed", &[(300.0, 200.0), (310.0, 200.0)]).is_none());
        let twice = vec![("Rua", (100.0, 100.0), 0.0, 9.0), ("Rua", (600.0, 400.0), 0.0, 5.0)];
        assert_eq!(chosen(twice).matches("<text").count(), 1);
    }
}
