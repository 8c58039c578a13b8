//! Vector tiles of the imported map, made when asked for and kept while they are.
//!
//! In reading order: `square` is a tile's place in the world, `streets` gathers what is drawn,
//! `line` simplifies and cuts, `encode` writes the bytes. A map never changes while the api runs,
//! so its hash and a tile's number are its `ETag`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use engine::road::{Area, AreaKind, Corner, Road};
use ingest::units::Position;
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Anybody;
use crate::http::matches;
use crate::problem::{Failures, Problem};
use crate::store::lock;

mod encode;
pub(crate) mod line;
mod square;
pub(crate) mod streets;

use square::Square;

/// Compressed tiles that are kept, bytes: a city's down to zoom 14.
const CACHE_BYTES_MAX: usize = 64 << 20;
/// What a kept tile costs beside its bytes.
const ENTRY_BYTES: usize = 128;
/// Tiles made at a time; more wait.
const MAKING_MAX: usize = 2;
/// Points of areas that are kept for drawing, 64 MB; what comes later, buildings last, is not
/// drawn.
const AREA_POINTS_MAX: usize = 8_000_000;
/// Rises when the same map gives other bytes.
const ENCODING: u32 = 1;
/// Whose data it is; always shown with it (its licence, §4.3).
pub(crate) const ATTRIBUTION: &str = "© OpenStreetMap contributors";

/// The tiles of one map.
#[derive(Debug)]
pub(crate) struct Tiles {
    road: Arc<Road>,
    areas: OnceLock<Vec<Framed>>,
    kept: Mutex<Kept>,
    making: Semaphore,
}

/// An area and the box around it.
#[derive(Debug)]
struct Framed {
    least: (i32, i32),
    most: (i32, i32),
    area: Area,
}

/// Tiles by their place, and by when they were last asked for.
#[derive(Debug, Default)]
struct Kept {
    tiles: HashMap<Square, (Bytes, u64)>,
    asked: BTreeMap<u64, Square>,
    next: u64,
    bytes: usize,
}

impl Kept {
    fn get(&mut self, square: Square) -> Option<Bytes> {
        let (bytes, asked) = self.tiles.get_mut(&square)?;
        self.asked.remove(asked);
        self.asked.insert(self.next, square);
        *asked = self.next;
        self.next += 1;
        Some(bytes.clone())
    }

    fn put(&mut self, square: Square, tile: Bytes, bytes_max: usize) {
        self.bytes += tile.len() + ENTRY_BYTES;
        if let Some((old, asked)) = self.tiles.insert(square, (tile, self.next)) {
            self.bytes -= old.len() + ENTRY_BYTES;
            self.asked.remove(&asked);
        }
        self.asked.insert(self.next, square);
        self.next += 1;
        while self.bytes > bytes_max
            && let Some((_, oldest)) = self.asked.pop_first()
            && let Some((old, _)) = self.tiles.remove(&oldest)
        {
            self.bytes -= old.len() + ENTRY_BYTES;
        }
    }
}

impl Tiles {
    pub(crate) fn new(road: Arc<Road>) -> Self {
        let (areas, kept) = (OnceLock::new(), Mutex::default());
        Self { road, areas, kept, making: Semaphore::new(MAKING_MAX) }
    }

    /// Names the bytes of every tile.
    fn version(&self) -> String {
        format!("{}-{ENCODING}", self.road.hash())
    }

    fn areas(&self) -> &[Framed] {
        self.areas.get_or_init(|| {
            let mut left = AREA_POINTS_MAX;
            let mut whole = true;
            let fits = |area: &Area| {
                let points = area.rings.iter().map(Vec::len).sum();
                whole = left >= points;
                left = left.saturating_sub(points);
                whole
            };
            let framed = self.road.areas().take_while(fits).map(Framed::new).collect();
            if !whole {
                tracing::warn!(points_max = AREA_POINTS_MAX, "not every building is drawn");
            }
            framed
        })
    }

    /// Water and parks that come near a box between two corners. Reads every area's frame.
    pub(crate) fn areas_in(&self, (south_west, north_east): (Position, Position)) -> Vec<&Area> {
        let (least, most) = (south_west.to_e7(), north_east.to_e7());
        (self.areas().iter())
            .filter(|framed| framed.area.kind != AreaKind::Building && framed.meets(least, most))
            .map(|framed| &framed.area)
            .collect()
    }

    /// Makes a tile. Computes: not on an async thread.
    fn make(&self, square: Square) -> Result<Bytes, encode::TileError> {
        let (south_west, north_east) = square.corners();
        let corner = |at: Position| ((at.lng * 1e7) as i32, (at.lat * 1e7) as i32);
        let (least, most) = (corner(south_west), corner(north_east));
        let areas: Vec<&Area> = (self.areas().iter())
            .take_while(|framed| encode::area_shown(framed.area.kind, square.z))
            .filter(|framed| framed.meets(least, most))
            .map(|framed| &framed.area)
            .collect();
        encode::tile(&self.road, &areas, square).map(Bytes::from)
    }

    /// A tile, made or kept.
    async fn get(self: &Arc<Self>, square: Square) -> Result<Bytes, Problem> {
        if let Some(kept) = lock(&self.kept).get(square) {
            return Ok(kept);
        }
        let cut_off = || Problem::unavailable("the tile was not made".to_owned());
        let permit = self.making.acquire().await.map_err(|_closed| cut_off())?;
        // Whoever waited before may have made it.
        if let Some(kept) = lock(&self.kept).get(square) {
            return Ok(kept);
        }
        let tiles = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || tiles.make(square)).await;
        drop(permit);
        let made = made.map_err(|_panicked| cut_off())?.map_err(|error| {
            tracing::error!(%error, ?square, "a tile cannot be made");
            cut_off()
        })?;
        lock(&self.kept).put(square, made.clone(), CACHE_BYTES_MAX);
        Ok(made)
    }
}

impl Framed {
    fn new(area: Area) -> Self {
        let (mut least, mut most) = ((i32::MAX, i32::MAX), (i32::MIN, i32::MIN));
        for (lng, lat) in area.rings.iter().flatten() {
            least = (least.0.min(*lng), least.1.min(*lat));
            most = (most.0.max(*lng), most.1.max(*lat));
        }
        Self { least, most, area }
    }

    fn meets(&self, least: (i32, i32), most: (i32, i32)) -> bool {
        self.least.0 <= most.0
            && self.most.0 >= least.0
            && self.least.1 <= most.1
            && self.most.1 >= least.1
    }
}

fn no_map() -> Problem {
    Problem::unknown("map", "without `--map`")
}

/// A vector tile of the map: layer `roads` {class, name, link: true on ramps} and layer `areas`
/// {kind: water, park, building}, gzip. Browsers enlarge zoom 14.
#[utoipa::path(get, path = "/tiles/{z}/{x}/{y}.mvt", tag = "map",
    params(("z" = u8, Path, description = "0 to 14"), ("x" = u32, Path), ("y" = u32, Path)),
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, content_type = "application/vnd.mapbox-vector-tile", body = Vec<u8>),
        (status = 304), Failures))]
pub(crate) async fn get(
    Anybody(_who): Anybody,
    State(app): State<Shared>,
    Path((z, x, y)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let numbers = y.strip_suffix(".mvt").and_then(|y| Square::parse(&z, &x, y));
    let square = numbers.ok_or_else(|| Problem::unknown("tile", &format!("{z}/{x}/{y}")))?;
    let tiles = app.tiles.as_ref().ok_or_else(no_map)?;
    let etag = format!("\"{}\"", tiles.version());
    let kept = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "private, no-cache".into())];
    if matches(&headers, &header::IF_NONE_MATCH, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let tile = tiles.get(square).await?;
    let kind = [
        (header::CONTENT_TYPE, "application/vnd.mapbox-vector-tile"),
        (header::CONTENT_ENCODING, "gzip"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((kept, kind, tile).into_response())
}

/// The imported map.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MapOut {
    /// West, south, east, north, degrees.
    bounds: [f64; 4],
    /// Names its content; 32 hexadecimal digits.
    hash: String,
    /// Whose data it is; always shown with the map.
    attribution: &'static str,
}

/// Box and name of the imported map; 404 where there is none.
#[utoipa::path(get, path = "/map", tag = "map",
    security(("key" = ["admin", "dispatcher", "viewer", "driver"])),
    responses((status = 200, body = MapOut), Failures))]
pub(crate) async fn map(
    Anybody(_who): Anybody,
    State(app): State<Shared>,
) -> Result<Json<MapOut>, Problem> {
    let tiles = app.tiles.as_ref().ok_or_else(no_map)?;
    let degrees = |corner: Corner| [corner.lng, corner.lat].map(|e7| f64::from(e7) / 1e7);
    let summary = tiles.road.summary();
    let ([west, south], [east, north]) = (degrees(summary.least), degrees(summary.most));
    let hash = tiles.road.hash().to_owned();
    let out = MapOut { bounds: [west, south, east, north], hash, attribution: ATTRIBUTION };
    std::future::ready(Ok(Json(out))).await
}

#[cfg(test)]
mod tests;
