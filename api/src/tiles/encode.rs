//! A tile as Mapbox vector tile 2.1, compressed: layer `roads` {class, name, link} and, where
//! they are drawn, `areas` {kind}.

use std::io::Write;

use engine::road::{Area, AreaKind, Class, Road};
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::units::Position;
use mvt::{GeomEncoder, GeomType, Layer, Tile};

use super::line::{Cut, Point, simplify};
use super::square::{BUFFER, EXTENT, Square, ZOOM_MAX};
use super::streets;

/// Deepest zoom is enlarged sixteen times, so nothing that shows then is left out; above it
/// half a pixel of a tile drawn 512 wide.
const TOLERANCE_DEEPEST: f64 = 1.0;
const TOLERANCE: f64 = 4.0;
/// An area less than so many units square is not drawn: 4 pixels.
const AREA_LEAST: f64 = 256.0;

/// Why a tile could not be made; a bug, not a matter of the request.
#[derive(Debug, thiserror::Error)]
pub(super) enum TileError {
    /// A layer or line the format has no place for.
    #[error(transparent)]
    Format(#[from] mvt::Error),
    /// Compressing failed.
    #[error(transparent)]
    Pack(#[from] std::io::Error),
}

/// Whether a class is drawn at a zoom.
fn shown(class: Class, z: u8) -> bool {
    let from = match class {
        Class::Motorway | Class::MotorwayLink | Class::Trunk | Class::TrunkLink => 0,
        Class::Primary | Class::PrimaryLink => 9,
        Class::Secondary | Class::SecondaryLink | Class::Tertiary | Class::TertiaryLink => 11,
        _ => 13,
    };
    z >= from
}

/// Whether a kind of area is drawn at a zoom.
pub(super) fn area_shown(kind: AreaKind, z: u8) -> bool {
    z >= match kind {
        AreaKind::Water => 8,
        AreaKind::Park => 11,
        AreaKind::Building => 14,
    }
}

/// The tile, gzip.
pub(super) fn tile(road: &Road, areas: &[&Area], square: Square) -> Result<Vec<u8>, TileError> {
    let mut tile = Tile::new(EXTENT as u32);
    let drawing = Drawing::of(square);
    let layer = drawing.roads(road, tile.create_layer("roads"))?;
    tile.add_layer(layer)?;
    let layer = drawing.areas(areas, tile.create_layer("areas"))?;
    tile.add_layer(layer)?;
    let mut packer = GzEncoder::new(Vec::new(), Compression::new(6));
    packer.write_all(&tile.to_bytes()?)?;
    Ok(packer.finish()?)
}

struct Drawing {
    square: Square,
    cut: Cut,
    tolerance: f64,
}

impl Drawing {
    fn of(square: Square) -> Self {
        let (least, most) = (-BUFFER, EXTENT + BUFFER);
        let tolerance = if square.z == ZOOM_MAX { TOLERANCE_DEEPEST } else { TOLERANCE };
        Self { square, cut: Cut { least: (least, least), most: (most, most) }, tolerance }
    }

    fn roads(&self, road: &Road, mut layer: Layer) -> Result<Layer, TileError> {
        let shown = |class| shown(class, self.square.z);
        let (mut plane, mut plain, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for streets in streets::within(road, self.square.corners(), shown) {
            let mut encoder = GeomEncoder::<i32>::new(GeomType::Linestring);
            let mut lines = 0;
            for line in &streets.lines {
                plane.clear();
                plane.extend(line.iter().map(|at| self.square.place(*at)));
                simplify(&plane, self.tolerance, &mut plain);
                pieces.clear();
                self.cut.line(&plain, &mut pieces);
                for piece in &pieces {
                    lines += usize::from(Self::push(&mut encoder, piece, 2)?);
                }
            }
            if lines > 0 {
                let mut feature = layer.into_feature(encoder.encode()?);
                feature.add_tag_string("class", streets.class.word());
                feature.add_tag_bool("link", streets.class.is_link());
                if !streets.name.is_empty() {
                    feature.add_tag_string("name", streets.name);
                }
                layer = feature.into_layer();
            }
        }
        Ok(layer)
    }

    fn areas(&self, areas: &[&Area], mut layer: Layer) -> Result<Layer, TileError> {
        let mut plain = Vec::new();
        for area in areas.iter().filter(|area| area_shown(area.kind, self.square.z)) {
            let mut encoder = GeomEncoder::<i32>::new(GeomType::Polygon);
            let mut rings = 0;
            // The format tells holes by their turning; the map fills by even-odd and has the
            // outer ring first.
            for (index, ring) in area.rings.iter().enumerate() {
                let place =
                    |&(lng, lat): &(i32, i32)| self.square.place(Position::from_e7(lng, lat));
                let mut plane: Vec<Point> = ring.iter().map(place).collect();
                plane.extend(plane.first().copied());
                simplify(&plane, self.tolerance, &mut plain);
                plain.pop();
                let mut cut = self.cut.ring(&plain);
                let size = turning(&cut);
                if size.abs() < AREA_LEAST {
                    continue;
                }
                if (size > 0.0) != (index == 0 || !inside(&area.rings[0], ring)) {
                    cut.reverse();
                }
                rings += usize::from(Self::push(&mut encoder, &cut, 3)?);
            }
            if rings > 0 {
                let mut feature = layer.into_feature(encoder.encode()?);
                feature.add_tag_string(
                    "kind",
                    match area.kind {
                        AreaKind::Water => "water",
                        AreaKind::Park => "park",
                        AreaKind::Building => "building",
                    },
                );
                layer = feature.into_layer();
            }
        }
        Ok(layer)
    }

    /// A line or ring in whole units, unless fewer than `least` different points are left of it.
    fn push(
        encoder: &mut GeomEncoder<i32>,
        points: &[Point],
        least: usize,
    ) -> Result<bool, TileError> {
        let whole = |&(x, y): &Point| (x.round() as i32, y.round() as i32);
        let mut whole: Vec<(i32, i32)> = points.iter().map(whole).collect();
        whole.dedup();
        if least > 2 && whole.len() > 1 && whole.first() == whole.last() {
            whole.pop();
        }
        if whole.len() < least {
            return Ok(false);
        }
        for (x, y) in whole {
            encoder.add_point(x, y)?;
        }
        encoder.complete_geom()?;
        Ok(true)
    }
}

/// Twice the area of a ring; positive where it turns clockwise on a screen, y downwards.
fn turning(ring: &[Point]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum()
}

/// Whether a ring begins inside another (even-odd).
fn inside(outer: &[(i32, i32)], ring: &[(i32, i32)]) -> bool {
    let Some(&(x, y)) = ring.first() else { return false };
    let (x, y) = (f64::from(x), f64::from(y));
    let next = outer.iter().cycle().skip(1);
    let crossed = outer.iter().zip(next).filter(|(a, b)| {
        let (ax, ay, bx, by) = (f64::from(a.0), f64::from(a.1), f64::from(b.0), f64::from(b.1));
        (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)
    });
    crossed.count() % 2 == 1
}
