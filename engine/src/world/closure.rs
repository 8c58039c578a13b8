//! Roads that a dispatcher closes: a shape, and from when until when.

use ingest::id::{ClosureId, TenantId};
use ingest::time::Timestamp;
use ingest::units::Position;
use thiserror::Error;

use crate::road::{EdgeId, Road};

/// Edges that are named one by one, at most.
pub const NAMED_MAX: usize = 200;
/// Corners of a polygon at most.
pub const CORNERS_MAX: usize = 100;
/// A polygon's width and height at most, degrees: a district, not a country.
pub const POLYGON_DEGREES_MAX: f64 = 0.5;
/// Edges that one closure may close.
pub const EDGES_MAX: usize = 4_000;
/// Longest reason, characters.
pub const REASON_MAX: usize = 200;
/// Closures of one tenant that are not over, at most.
pub const CLOSURES_MAX: usize = 200;

/// What is closed.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Directed edges by OpenStreetMap's names: way, node it comes from, node it goes to.
    Edges(Vec<(i64, i64, i64)>),
    /// A whole OpenStreetMap way, in both directions.
    Way(i64),
    /// Every road that passes through a polygon; its corners in either direction round it, the
    /// last one joined to the first. Not across the antimeridian.
    Polygon(Vec<Position>),
}

/// Roads closed for one tenant's vehicles.
#[derive(Debug, Clone, PartialEq)]
pub struct Closure {
    /// Whose vehicles it is for.
    pub tenant: TenantId,
    /// Unique within the tenant.
    pub id: ClosureId,
    /// Closed from this moment on…
    pub from: Timestamp,
    /// …until before this one; `None`: until it is removed.
    pub until: Option<Timestamp>,
    /// What is closed.
    pub shape: Shape,
    /// Why, in words for people.
    pub reason: Option<String>,
}

/// A shape that closes nothing, or that is none.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum BadShape {
    /// Too few or too many of something.
    #[error("{what} has `{found}` {unit}, expected {expected}")]
    Count {
        /// What has them.
        what: &'static str,
        /// How many.
        found: usize,
        /// Of what.
        unit: &'static str,
        /// What would have been right.
        expected: &'static str,
    },
    /// A corner that is nowhere, or a polygon as large as a country.
    #[error("{0}")]
    Place(&'static str),
    /// The map has no such road.
    #[error("no road of the map is {0}")]
    Nowhere(String),
}

impl Closure {
    /// Whether it holds at a moment.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }

    /// Whether it will never hold again.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Shape {
    /// Whether it is within its bounds; says nothing of the map.
    pub fn check(&self) -> Result<(), BadShape> {
        let (what, found, unit, range, expected) = match self {
            Self::Edges(named) => ("edges", named.len(), "entries", 1..=NAMED_MAX, "1 to 200"),
            Self::Polygon(corners) => {
                ("polygon", corners.len(), "corners", 3..=CORNERS_MAX, "3 to 100")
            }
            Self::Way(_) => return Ok(()),
        };
        if !range.contains(&found) {
            return Err(BadShape::Count { what, found, unit, expected });
        }
        if let Self::Polygon(corners) = self {
            let on_earth = |p: &Position| p.lng.abs() <= 180.0 && p.lat.abs() <= 90.0;
            if !corners.iter().all(on_earth) {
                return Err(BadShape::Place("a corner of the polygon is not on earth"));
            }
            let ((west, south), (east, north)) = frame(corners);
            if east - west > POLYGON_DEGREES_MAX || north - south > POLYGON_DEGREES_MAX {
                return Err(BadShape::Place("the polygon is wider or higher than 0.5 degrees"));
            }
        }
        Ok(())
    }

    /// The edges it closes on a map, ascending, each once: at least one and at most
    /// [`EDGES_MAX`].
    pub fn edges(&self, road: &Road) -> Result<Vec<EdgeId>, BadShape> {
        self.check()?;
        let mut edges: Vec<EdgeId> = match self {
            Self::Edges(named) => {
                let edge = |&(way, from, to): &(i64, i64, i64)| {
                    let edge = road.edge_of(way, from, to);
                    edge.ok_or_else(|| BadShape::Nowhere(format!("edge [{way},{from},{to}]")))
                };
                named.iter().map(edge).collect::<Result<_, _>>()?
            }
            Self::Way(way) => road.edges_of_way(*way),
            Self::Polygon(corners) => crossing(road, corners),
        };
        edges.sort_unstable();
        edges.dedup();
        match (edges.len(), self) {
            (0, Self::Way(way)) => Err(BadShape::Nowhere(format!("of way `{way}`"))),
            (0, _) => Err(BadShape::Nowhere("inside the polygon".to_owned())),
            (EDGES_MAX.., _) => {
                let (found, unit, expected) = (edges.len(), "edges", "less than 4000");
                Err(BadShape::Count { what: "closure", found, unit, expected })
            }
            _ => Ok(edges),
        }
    }
}

/// South-west and north-east corner around some places.
fn frame(corners: &[Position]) -> ((f64, f64), (f64, f64)) {
    let least = |side: fn(&Position) -> f64| corners.iter().map(side).fold(f64::INFINITY, f64::min);
    let most =
        |side: fn(&Position) -> f64| corners.iter().map(side).fold(f64::NEG_INFINITY, f64::max);
    ((least(|p| p.lng), least(|p| p.lat)), (most(|p| p.lng), most(|p| p.lat)))
}

/// Both directions of every street that has a point inside the polygon or crosses its border.
fn crossing(road: &Road, corners: &[Position]) -> Vec<EdgeId> {
    let ((west, south), (east, north)) = frame(corners);
    let (mut streets, mut shape) = (Vec::new(), Vec::new());
    let corner = |lng, lat| Position { lng, lat };
    road.within(corner(west, south), corner(east, north), &mut streets);
    streets.retain(|&edge| {
        road.shape(edge, &mut shape);
        shape.iter().any(|&point| is_inside(corners, point))
            || shape.windows(2).any(|piece| sides(corners).any(|side| cross(piece, &side)))
    });
    let reverse: Vec<EdgeId> = streets.iter().filter_map(|&edge| road.reverse(edge)).collect();
    streets.extend(reverse);
    streets
}

fn sides(corners: &[Position]) -> impl Iterator<Item = [Position; 2]> {
    let next = corners.iter().cycle().skip(1);
    corners.iter().zip(next).map(|(&a, &b)| [a, b])
}

/// By the crossings of a ray eastward: odd inside.
fn is_inside(corners: &[Position], at: Position) -> bool {
    let crossed = sides(corners).filter(|[a, b]| {
        let share = (at.lat - a.lat) / (b.lat - a.lat);
        (a.lat > at.lat) != (b.lat > at.lat) && at.lng < a.lng + share * (b.lng - a.lng)
    });
    crossed.count() % 2 == 1
}

/// Whether two pieces have a point in common.
fn cross(a: &[Position], b: &[Position; 2]) -> bool {
    let side = |p: Position, q: Position, r: Position| {
        (q.lng - p.lng) * (r.lat - p.lat) - (q.lat - p.lat) * (r.lng - p.lng)
    };
    let [from, to] = *b;
    let apart = |x: f64, y: f64| x * y <= 0.0;
    apart(side(a[0], a[1], from), side(a[0], a[1], to))
        && apart(side(from, to, a[0]), side(from, to, a[1]))
        && a[0].lng.min(a[1].lng) <= from.lng.max(to.lng)
        && from.lng.min(to.lng) <= a[0].lng.max(a[1].lng)
        && a[0].lat.min(a[1].lat) <= from.lat.max(to.lat)
        && from.lat.min(to.lat) <= a[0].lat.max(a[1].lat)
}
