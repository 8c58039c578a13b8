//! Tiles of a drawn town, and what they cost on a real one.

use std::io::Read;
use std::path::PathBuf;

use engine::road::{Attributes, Class, RoadBuilder, import};
use flate2::read::GzDecoder;

use super::*;

/// Row of seven junctions 200 m apart, way 1, two ways; a one-way motorway beside it.
fn town() -> Road {
    let mut builder = RoadBuilder::new();
    for n in 0..7_i64 {
        let lng = -8.61 + 0.0024 * n as f64;
        builder.node(n, Position { lng, lat: 41.15 });
        builder.node(100 + n, Position { lng, lat: 41.152 });
    }
    for n in [3, 0, 5, 1, 4, 2] {
        let street =
            Attributes { name: "Rua Longa", class: Class::Residential, ..Attributes::default() };
        builder.edge(1, (n, n + 1), &[], &street);
        let motorway = Attributes { name: "A 1", class: Class::Motorway, ..Attributes::default() };
        builder.edge(2, (100 + n, 101 + n), &[], &motorway);
    }
    builder.finish().unwrap()
}

fn unpacked(tile: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzDecoder::new(tile).read_to_end(&mut out).unwrap();
    out
}

fn holds(tile: &[u8], text: &str) -> bool {
    unpacked(tile).windows(text.len()).any(|window| window == text.as_bytes())
}

fn square(z: u8, at: Position) -> Square {
    let world = Square { z: 0, x: 0, y: 0 };
    let (x, y) = world.place(at);
    let side = f64::from(1_u32 << z) / square::EXTENT;
    Square { z, x: (x * side) as u32, y: (y * side) as u32 }
}

#[test]
fn a_street_is_one_line_for_both_directions() {
    let road = town();
    let corners = (Position { lng: -8.7, lat: 41.1 }, Position { lng: -8.5, lat: 41.2 });
    let drawn = streets::within(&road, corners, |_| true);
    let names: Vec<&str> = drawn.iter().map(|streets| streets.name).collect();
    assert_eq!(names, ["A 1", "Rua Longa"]);
    for streets in &drawn {
        assert_eq!(streets.lines.len(), 1, "{}", streets.name);
        assert_eq!(streets.lines[0].len(), 7);
        let east: Vec<i64> = streets.lines[0].iter().map(|at| (at.lng * 1e4) as i64).collect();
        assert!(east.is_sorted() || east.iter().rev().is_sorted(), "{east:?}");
    }
}

#[test]
fn what_is_drawn_grows_with_the_zoom() {
    let tiles = Tiles::new(Arc::new(town()));
    let at = Position { lng: -8.605, lat: 41.151 };
    let far = tiles.make(square(8, at)).unwrap();
    assert!(holds(&far, "A 1") && holds(&far, "motorway") && !holds(&far, "Rua Longa"));
    let near = tiles.make(square(14, at)).unwrap();
    assert!(holds(&near, "A 1") && holds(&near, "Rua Longa") && holds(&near, "residential"));
    let elsewhere = tiles.make(square(14, Position { lng: 8.0, lat: 50.0 })).unwrap();
    assert!(!holds(&elsewhere, "A 1"));
    assert_eq!(near, tiles.make(square(14, at)).unwrap(), "the same bytes each time");
}

#[test]
fn what_was_asked_for_longest_ago_makes_room() {
    let mut kept = Kept::default();
    let tile = |x| Square { z: 9, x, y: 0 };
    let bytes_max = 3 * (100 + ENTRY_BYTES);
    for x in 0..3 {
        kept.put(tile(x), Bytes::from(vec![0; 100]), bytes_max);
    }
    assert!(kept.get(tile(0)).is_some());
    kept.put(tile(3), Bytes::from(vec![0; 100]), bytes_max);
    assert!(kept.get(tile(1)).is_none() && kept.get(tile(0)).is_some());
    kept.put(tile(3), Bytes::from(vec![0; 50]), bytes_max);
    assert_eq!(kept.bytes, 250 + 3 * ENTRY_BYTES);
    assert_eq!((kept.tiles.len(), kept.asked.len()), (3, 3));
}

/// Prints CPU a tile and bytes a tile; asserts only what must hold on any machine.
#[test]
fn porto_in_tiles() {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared"));
    let shared = std::env::var_os("MILEPOST_SHARED").map_or(beside, PathBuf::from);
    let source = shared.join("data/osm/porto.osm.pbf");
    if !source.exists() {
        eprintln!("skipped: no shared data");
        return;
    }
    let target = std::env::temp_dir().join(format!("milepost-tiles-{}.mpr", std::process::id()));
    import::build(&source, &target).unwrap();
    let tiles = Tiles::new(Arc::new(Road::open(&target).unwrap()));
    tiles.areas();
    let centre = Position { lng: -8.6109, lat: 41.1496 };
    for z in [0, 6, 8, 10, 11, 12, 13, 14] {
        let middle = square(z, centre);
        let around = u32::from(z >= 12);
        let mut sizes = Vec::new();
        let before = cpu_us();
        for x in middle.x - around..=middle.x + around {
            for y in middle.y - around..=middle.y + around {
                sizes.push(tiles.make(Square { z, x, y }).unwrap().len());
            }
        }
        let each = (cpu_us() - before) / sizes.len() as u64;
        let largest = sizes.iter().max().unwrap();
        eprintln!("z {z}: {each} µs CPU a tile, largest {largest} bytes gzip of {}", sizes.len());
        assert!(*largest < 1 << 20, "a tile is small enough to send");
    }
    drop(std::fs::remove_file(target));
}

/// Processor time of this thread in the clock's own steps, from the kernel; 0 where there is none.
fn cpu_us() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0) / 1_000
}
