//! Points, lines and areas as Well-Known Text (OGC 06-103r4, §7), longitude first.
//!
//! Read are `POINT`, `LINESTRING`, `POLYGON` with holes and `MULTIPOLYGON`, in two dimensions.
//! Nothing crosses the antimeridian: 179 to -179 is read as the long way round.

use std::fmt;

use datafusion::common::{DataFusionError, Result, exec_datafusion_err};

use super::sphere::Place;

/// Points of a shape: what a vehicle says in twelve days at a fix a second.
pub(super) const POINTS_MAX: usize = 1 << 20;
/// Points of which a line is simplified at a time. The work grows with the square of it at
/// worst; one point more stays for each such piece.
const PIECE_POINTS: usize = 4_096;
/// Characters of a wrong value that a message repeats.
const SHORT: usize = 60;

/// What a text describes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Point(Place),
    Line(Vec<Place>),
    /// The outline first, then the holes.
    Polygon(Vec<Vec<Place>>),
    Polygons(Vec<Vec<Vec<Place>>>),
}

impl Shape {
    /// Reads a text.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut reader = Reader { text, rest: text, points: 0 };
        let shape = reader.shape()?;
        if reader.rest.trim_start().is_empty() { Ok(shape) } else { Err(reader.wrong("its end")) }
    }

    /// Metres: of a line, or of the rings of an area.
    pub(super) fn length_m(&self) -> f64 {
        self.lines().map(line_length_m).sum()
    }

    /// Whether a place lies inside. One on an outline belongs to one side of it, so that it is in
    /// exactly one of two areas that share the outline.
    pub(super) fn contains(&self, place: Place) -> bool {
        if matches!(self, Self::Point(_) | Self::Line(_)) {
            return false;
        }
        let mut is_in = false;
        for (from, to) in self.lines().flat_map(|ring| ring.iter().zip(ring.iter().skip(1))) {
            if (from.lat > place.lat) == (to.lat > place.lat) {
                continue;
            }
            let share = (place.lat - from.lat) / (to.lat - from.lat);
            if place.lng < from.lng + share * (to.lng - from.lng) {
                is_in = !is_in;
            }
        }
        is_in
    }

    /// With fewer points, none of those left out farther than so many metres from what remains.
    pub(super) fn simplified(&self, tolerance_m: f64) -> Self {
        let rings = |rings: &Vec<Vec<Place>>| -> Vec<Vec<Place>> {
            let ring = |ring: &Vec<Place>| {
                let fewer = simplify(ring, tolerance_m);
                // Three corners and the first again are the least that is an area.
                if fewer.len() < 4 { ring.clone() } else { fewer }
            };
            rings.iter().map(ring).collect()
        };
        match self {
            Self::Point(place) => Self::Point(*place),
            Self::Line(line) => Self::Line(simplify(line, tolerance_m)),
            Self::Polygon(polygon) => Self::Polygon(rings(polygon)),
            Self::Polygons(polygons) => Self::Polygons(polygons.iter().map(rings).collect()),
        }
    }

    fn lines(&self) -> Box<dyn Iterator<Item = &[Place]> + '_> {
        match self {
            Self::Point(_) => Box::new(std::iter::empty()),
            Self::Line(line) => Box::new(std::iter::once(line.as_slice())),
            Self::Polygon(rings) => Box::new(rings.iter().map(Vec::as_slice)),
            Self::Polygons(all) => Box::new(all.iter().flatten().map(Vec::as_slice)),
        }
    }
}

/// Metres from the first to the last place.
pub(super) fn line_length_m(line: &[Place]) -> f64 {
    line.iter().zip(line.iter().skip(1)).map(|(from, to)| from.distance_m(*to)).sum()
}

/// Ramer 1972, Douglas and Peucker 1973, in pieces of [`PIECE_POINTS`].
fn simplify(line: &[Place], tolerance_m: f64) -> Vec<Place> {
    let mut kept = vec![false; line.len()];
    let mut from = 0;
    while from + 1 < line.len() {
        let to = (from + PIECE_POINTS).min(line.len() - 1);
        mark(line, (from, to), tolerance_m, &mut kept);
        from = to;
    }
    if let [only] = kept.as_mut_slice() {
        *only = true;
    }
    line.iter().zip(kept).filter(|(_, kept)| *kept).map(|(place, _)| *place).collect()
}

fn mark(line: &[Place], whole: (usize, usize), tolerance_m: f64, kept: &mut [bool]) {
    let mut spans = vec![whole];
    while let Some((first, last)) = spans.pop() {
        let (Some(from), Some(to)) = (line.get(first), line.get(last)) else { continue };
        for end in [first, last] {
            if let Some(kept) = kept.get_mut(end) {
                *kept = true;
            }
        }
        let segment = Segment::new(*from, *to);
        let between = line.iter().enumerate().take(last).skip(first + 1);
        let away = between.map(|(at, place)| (at, segment.square_m2(*place)));
        let farthest = away.max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((at, _)) = farthest.filter(|(_, m2)| *m2 > tolerance_m * tolerance_m) {
            spans.extend([(first, at), (at, last)]);
        }
    }
}

/// A piece of a line on the plane around its beginning.
struct Segment {
    origin: Place,
    /// Metres of a degree of longitude and of latitude.
    scale: (f64, f64),
    to: (f64, f64),
}

impl Segment {
    fn new(origin: Place, to: Place) -> Self {
        let degree = super::sphere::RADIUS_M.to_radians();
        let scale = (degree * origin.lat.to_radians().cos(), degree);
        let mut segment = Self { origin, scale, to: (0.0, 0.0) };
        segment.to = segment.metres(to);
        segment
    }

    fn metres(&self, place: Place) -> (f64, f64) {
        let (east, north) = self.scale;
        ((place.lng - self.origin.lng) * east, (place.lat - self.origin.lat) * north)
    }

    /// Square metres of the square over the shortest way to a place.
    fn square_m2(&self, place: Place) -> f64 {
        let ((x, y), (to_x, to_y)) = (self.metres(place), self.to);
        let length2 = to_x * to_x + to_y * to_y;
        let along = (x * to_x + y * to_y) / length2;
        // Both ends in one place: what is not a number is its beginning.
        let along = if along.is_finite() { along.clamp(0.0, 1.0) } else { 0.0 };
        let (x, y) = (x - along * to_x, y - along * to_y);
        x * x + y * y
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point(place) => write!(f, "POINT ({} {})", place.lng, place.lat),
            Self::Line(line) => {
                f.write_str("LINESTRING ")?;
                write_line(f, line)
            }
            Self::Polygon(rings) => {
                f.write_str("POLYGON ")?;
                write_list(f, rings, |f, ring| write_line(f, ring))
            }
            Self::Polygons(polygons) => {
                f.write_str("MULTIPOLYGON ")?;
                let rings = |f: &mut fmt::Formatter<'_>, rings: &Vec<Vec<Place>>| {
                    write_list(f, rings, |f, ring| write_line(f, ring))
                };
                write_list(f, polygons, rings)
            }
        }
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, line: &[Place]) -> fmt::Result {
    write_list(f, line, |f, place| write!(f, "{} {}", place.lng, place.lat))
}

fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    list: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if list.is_empty() {
        return f.write_str("EMPTY");
    }
    f.write_str("(")?;
    for (i, one) in list.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write(f, one)?;
    }
    f.write_str(")")
}

/// The beginning of a value that a message names.
pub(super) fn short(value: &str) -> String {
    let mut short: String = value.chars().take(SHORT).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}

/// Reads a text from its beginning to its end.
struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    points: usize,
}

impl<'a> Reader<'a> {
    fn shape(&mut self) -> Result<Shape> {
        let kind = self.take(|c| c.is_ascii_alphabetic());
        match kind.to_ascii_uppercase().as_str() {
            "POINT" => {
                self.expect('(')?;
                let place = self.place()?;
                self.expect(')')?;
                Ok(Shape::Point(place))
            }
            "LINESTRING" => Ok(Shape::Line(self.list(Self::place)?)),
            "POLYGON" => Ok(Shape::Polygon(self.list(Self::ring)?)),
            "MULTIPOLYGON" => Ok(Shape::Polygons(self.list(|reader| reader.list(Self::ring))?)),
            _ => {
                self.rest = self.text;
                Err(self.wrong("POINT, LINESTRING, POLYGON or MULTIPOLYGON"))
            }
        }
    }

    fn ring(&mut self) -> Result<Vec<Place>> {
        let ring = self.list(Self::place)?;
        if ring.first() == ring.last() { Ok(ring) } else { Err(self.wrong("a closed ring")) }
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let before = self.rest;
        if self.take(|c| c.is_ascii_alphabetic()).eq_ignore_ascii_case("EMPTY") {
            return Ok(Vec::new());
        }
        self.rest = before;
        self.expect('(')?;
        let mut list = vec![one(self)?];
        while self.is_next(',') {
            list.push(one(self)?);
        }
        self.expect(')')?;
        Ok(list)
    }

    fn place(&mut self) -> Result<Place> {
        self.points += 1;
        if self.points > POINTS_MAX {
            return Err(self.wrong(&format!("at most {POINTS_MAX} points")));
        }
        let (lng, lat) = (self.number()?, self.number()?);
        Place::new(lat, lng)
    }

    fn number(&mut self) -> Result<f64> {
        let before = self.rest;
        let word = self.take(|c| c.is_ascii_digit() || "+-.eE".contains(c));
        let number = word.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| {
            self.rest = before;
            self.wrong("a number")
        })
    }

    fn expect(&mut self, sign: char) -> Result<()> {
        if self.is_next(sign) { Ok(()) } else { Err(self.wrong(&format!("`{sign}`"))) }
    }

    /// Whether a sign comes next; then it is taken.
    fn is_next(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (taken, rest) = rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn wrong(&self, expected: &str) -> DataFusionError {
        let (text, at) = (short(self.text), self.text.len() - self.rest.trim_start().len());
        exec_datafusion_err!("shape is `{text}`, expected {expected} at byte {at}")
    }
}
