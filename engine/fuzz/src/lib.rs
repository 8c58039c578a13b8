//! Two fuzz targets: files that somebody calls OpenStreetMap's, and files that somebody calls a
//! map.
//!
//! Whatever the bytes are: nothing panics (overflow and debug assertions on), and every question
//! comes to an end. What the import makes is a map, and says the same when it is made again. The
//! fuzzer itself bounds time and memory. `run.sh` holds the recipe; a found case becomes a unit
//! test of what it broke.

pub mod seeds;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use engine::path::{Bounds, Hierarchy, Router, Snapshot, Turns};
use engine::road::{EdgeId, NodeId, Place, Profile, Road, import};
use ingest::units::Position;

/// Edges that are asked for everything, of those an input holds. Each looks at all of a small map.
const EDGES_MAX: u32 = 12;
/// Of so many inputs that become a map one is imported again.
const AGAIN: u64 = 8;
/// Pairs of them between which ways are looked for.
const PAIRS_MAX: u32 = 4;
/// Where the header of a map begins its table, and how long an entry of that is.
const HEADER: usize = 16;
const ENTRY: usize = 40;
/// More sections than a reader looks at.
const SECTIONS_MAX: usize = 64;

/// Of the searches from several places, as the matcher asks.
const TURNS: Turns = Turns { corner_s: 4.0, back_s: 4.0 };
const BOUNDS: Bounds = Bounds { limit_s: 600.0, beam_s: f64::INFINITY, limit_m: 5_000.0 };

/// Imports the bytes as a file.
///
/// # Panics
/// When something that must hold does not.
pub fn pbf(input: &[u8]) {
    let path = file();
    std::fs::write(&path, input).expect("a temporary file is written");
    let Ok(image) = import::import(&path) else { return };
    if xxhash_rust::xxh3::xxh3_64(input).is_multiple_of(AGAIN) {
        assert!(import::import(&path).expect("imported a moment ago") == image, "another map");
    }
    explore(&Road::from_image(image).expect("what the import makes is a map"));
}

/// Opens the bytes as a map; a checksum that does not fit is made right first, or nothing would
/// ever come behind it.
pub fn map(input: &[u8]) {
    let mut image = input.to_vec();
    if let Some(sections) = image.get(12..16).and_then(|word| <[u8; 4]>::try_from(word).ok()) {
        let sections = u32::from_le_bytes(sections) as usize;
        let end = HEADER + sections.min(SECTIONS_MAX) * ENTRY;
        if let Some(table) = image.get(..end) {
            let checksum = xxhash_rust::xxh3::xxh3_64(table).to_le_bytes();
            if let Some(place) = image.get_mut(end..end + 8) {
                place.copy_from_slice(&checksum);
            }
        }
    }
    if let Ok(road) = Road::from_image(image) {
        explore(&road);
    }
}

fn file() -> PathBuf {
    std::env::temp_dir().join(format!("milepost-fuzz-{}.osm.pbf", std::process::id()))
}

/// Asks a map everything that is asked of one.
fn explore(road: &Road) {
    let (mut shape, mut near, mut streets) = (Vec::new(), Vec::new(), Vec::new());
    let edges = EDGES_MAX.min(road.edges() as u32 + 1);
    for edge in (0..edges).map(EdgeId) {
        road.shape(edge, &mut shape);
        let (way, from, to) = road.osm(edge);
        road.edge_of(way, from, to);
        road.edges_of_way(way);
        let length = road.length_m(edge);
        for offset_m in [0.0, length / 2.0, length + 1.0] {
            road.point_at(Place { edge, offset_m });
        }
        let at = road.position(road.head(edge));
        road.near(at, 150.0, 8, &mut near);
        road.reverse(edge);
        road.name(edge);
        let next = road.outgoing(road.head(edge)).take(64);
        next.for_each(|next| _ = black_box(road.turn_allowed(edge, next)));
        black_box(road.incoming(NodeId(edge.0)).take(64).count());
    }
    let (south_west, north_east) = road.summary().corners();
    road.within(south_west, north_east, &mut streets);
    road.near(Position { lng: 180.0, lat: 0.0 }, 1e7, 8, &mut near);
    road.turns();
    ways(road, edges);
}

/// Ways by search and by hierarchy; both or none.
fn ways(road: &Road, edges: u32) {
    let mut router = Router::searching();
    let hierarchy = Hierarchy::new(road).map(Arc::new);
    let snapshot = hierarchy.map(|h| Snapshot::free_flow(&h, road, Profile::Van));
    for pair in 0..PAIRS_MAX.min(edges) {
        let place = |edge: u32| Place { edge: EdgeId(edge % edges), offset_m: 0.5 };
        let (from, to) = (place(pair), place(pair * 7 + 3));
        let found = router.route(road, from, to, Profile::Van);
        if let Some(snapshot) = &snapshot {
            let other = router.route_in(road, snapshot, (from, to));
            assert_eq!(other.is_some(), found.is_some(), "from {from:?} to {to:?}");
        }
        router.route(road, from, to, Profile::Bike);
        let around = (road.point_at(to).0, 0.0);
        let starts = [(from, 0.0)];
        router.reach_from_all(road, TURNS, &starts, (&[to], &[0.0]), around, BOUNDS, &mut Vec::new());
    }
}
