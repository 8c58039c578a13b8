//! Every extract that is at hand becomes a map, and shows what it is known for.

mod hostile;

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::path::Router;
use crate::road::mapped::Bytes;
use crate::road::{Class, EdgeId, Near, Place, Profile, Road};

/// A file of the shared test data, if it is there.
fn shared(name: &str) -> Option<PathBuf> {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into();
    let root = std::env::var_os("MILEPOST_SHARED").map_or_else(beside, PathBuf::from);
    let path = root.join("data/osm").join(name);
    if !path.exists() {
        eprintln!("skipped: no shared data");
        return None;
    }
    Some(path)
}

fn road(name: &str) -> Option<Road> {
    let image = import(&shared(name)?).unwrap();
    Some(Road::from_bytes(Bytes::Owned(image)).unwrap())
}

fn edges(road: &Road) -> impl Iterator<Item = EdgeId> {
    (0..road.edges() as u32).map(EdgeId)
}

/// What holds on every map: ends, geometry, index and names agree.
fn check_whole(road: &Road) {
    assert!(road.nodes() > 0 && road.edges() > 0);
    let (mut near, mut shape): (Vec<Near>, Vec<_>) = (Vec::new(), Vec::new());
    for edge in edges(road).step_by(road.edges() / 300 + 1) {
        road.shape(edge, &mut shape);
        assert_eq!(shape.first(), Some(&road.position(road.tail(edge))));
        assert_eq!(shape.last(), Some(&road.position(road.head(edge))));
        let length = road.length_m(edge);
        let place = Place { edge, offset_m: length / 2.0 };
        let (position, _) = road.point_at(place);
        road.near_for(position, 1.0, road.access(edge), &mut near);
        let found = near.iter().find(|near| near.place.edge == edge).copied();
        let found = found.unwrap_or_else(|| panic!("{:?} is not near itself", road.osm(edge)));
        assert!(found.distance_m < 0.05);
        let (way, from, to) = road.osm(edge);
        assert_eq!(road.edge_of(way, from, to), Some(edge), "{way} {from} {to}");
        assert!(road.outgoing(road.tail(edge)).any(|out| out == edge));
        assert!(road.incoming(road.head(edge)).any(|into| into == edge));
        assert!(road.free_s(edge) > 0.0);
    }
}

#[test]
fn every_extract_becomes_a_map() {
    for name in ["baltimore.osm.pbf", "portland.osm.pbf", "monaco.osm.pbf"] {
        let Some(road) = road(name) else { return };
        check_whole(&road);
    }
}

#[test]
fn every_fixture_becomes_a_map() {
    let Some(folder) = shared("fixtures") else { return };
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let name = format!("fixtures/{}", name.to_str().unwrap());
        let path = shared(&name).unwrap();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let error = import(&path).unwrap_err().to_string();
            assert!(
                error.ends_with("is compressed with gzip, expected OpenStreetMap PBF (.osm.pbf)")
            );
            continue;
        }
        check_whole(&road(&name).unwrap());
    }
}

#[test]
fn the_same_extract_gives_the_same_bytes() {
    let Some(path) = shared("baltimore.osm.pbf") else { return };
    assert_eq!(import(&path).unwrap(), import(&path).unwrap());
}

#[test]
fn a_map_is_written_whole_and_verified() {
    let Some(path) = shared("fixtures/rome.osm.pbf") else { return };
    let folder = std::env::temp_dir().join(format!("milepost-import-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let target = folder.join("rome.mpr");
    build(&path, &target).unwrap();
    Road::verify(&target).unwrap();
    let mapped = Road::open(&target).unwrap();
    assert_eq!(mapped.hash(), road("fixtures/rome.osm.pbf").unwrap().hash());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing partial is left");
    let mut bytes = fs::read(&target).unwrap();
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    fs::write(&target, &bytes).unwrap();
    let error = Road::verify(&target).unwrap_err().to_string();
    assert!(error.contains("is damaged: checksum of section `"), "{error}");
    fs::write(&target, &bytes[..bytes.len() / 2]).unwrap();
    assert!(Road::open(&target).unwrap_err().to_string().contains("is damaged: section `"));
    fs::write(&target, b"PK\x03\x04 and so on").unwrap();
    assert!(Road::open(&target).unwrap_err().to_string().contains("is not a Milepost map"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_no_pbf_is_named() {
    let folder = std::env::temp_dir().join(format!("milepost-foreign-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("source.osm.pbf");
    let header = b"\x0a\x09OSMHeader\x18";
    let framed =
        |size: &[u8]| [&[0, 0, 0, (header.len() + size.len()) as u8], &header[..], size].concat();
    for (bytes, expected) in [
        (b"".to_vec(), "is empty, expected"),
        (b"<?xml version='1.0'?><osm/>".to_vec(), "is XML text, expected"),
        (b"\x1f\x8b\x08\x08".to_vec(), "is compressed with gzip, expected"),
        (b"BZh91AY".to_vec(), "is compressed with bzip2, expected"),
        (b"MILEPMAP\x01\0\0\0".to_vec(), "is a Milepost map already, expected"),
        (b"Hello, this is a letter.".to_vec(), "is something else, expected"),
        (framed(b"\x05"), "cut short at byte 17, inside the blob at byte 0"),
        (framed(b"\xff\xff\xff\x7f"), "blob of 268435455 bytes at byte 0, at most 33554432"),
        ([&[0xff; 4][..], header].concat(), "header of 4294967295 bytes at byte 0, expected 1 to"),
        (
            [framed(b"\x00"), vec![0, 0]].concat(),
            "cut short at byte 19, inside the blob at byte 17",
        ),
        (
            framed(b"\x00"),
            "a blob holds nothing, expected `raw` or `zlib_data`, in the blob at byte",
        ),
    ] {
        fs::write(&path, &bytes).unwrap();
        let error = import(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\nexpected … {expected} …");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
    let Some(path) = shared("fixtures/whitelion_bristol_uk.osm.pbf") else { return };
    let whole = fs::read(path).unwrap();
    let folder = std::env::temp_dir().join(format!("milepost-cut-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("cut.osm.pbf");
    for length in (0..whole.len()).step_by(997) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(import(&path).is_err(), "cut to {length} bytes");
    }
    for at in (0..whole.len()).step_by(211) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&path, &damaged).unwrap();
        drop(import(&path));
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn cathedral_refuses_its_left_turns() {
    let Some(road) = road("fixtures/cathedral-no-left.pbf") else { return };
    let summary = road.summary();
    let all = summary.restrictions + summary.restrictions_unused;
    // 158 relations; some of them hold by the hour, some name ways outside of the extract.
    assert!(all + summary.restrictions_conditional >= 150, "{summary:?}");
    assert!(summary.restrictions >= 120, "{summary:?}");
    let refused = edges(&road).any(|from| {
        let mut onward = road.outgoing(road.head(from));
        onward.any(|to| Some(to) != road.reverse(from) && !road.turn_allowed(from, to))
    });
    assert!(refused);
}

#[test]
fn reisterstown_has_a_restriction_over_a_via_way() {
    let Some(road) = road("fixtures/reisterstown-via-restriction.pbf") else { return };
    assert!(road.states() > road.edges(), "states with a past");
    // From each state with a past some turn is banned that its bare edge may take.
    let banned = (road.edges()..road.states()).any(|state| {
        let edge = road.edge_in(state as u32);
        road.outgoing(road.head(edge)).any(|to| {
            road.turn(state as u32, to, Profile::Van).is_none() && road.turn_allowed(edge, to)
        })
    });
    assert!(banned);
}

#[test]
fn fiji_crosses_the_antimeridian() {
    // The extract is said to show a ferry; none of its ways is one.
    let Some(road) = road("fixtures/fiji-ferry.pbf") else { return };
    assert!(edges(&road).all(|edge| road.class(edge) != Class::Ferry));
    assert!(edges(&road).all(|edge| road.length_m(edge) < 500_000.0), "not round the world");
}

#[test]
fn a_reversed_one_way_is_driven_the_other_way() {
    let Some(usual) = road("fixtures/whitelion_bristol_uk.osm.pbf") else { return };
    let reversed = road("fixtures/whitelion_bristol_uk_reversed_oneway.osm.pbf").unwrap();
    assert_eq!(usual.summary().restrictions, 1, "{:?}", usual.summary());
    let motor = |road: &Road| -> Vec<(i64, i64, i64)> {
        let mut names: Vec<_> = edges(road)
            .filter(|&edge| road.access(edge).has(Profile::Van))
            .map(|edge| road.osm(edge))
            .collect();
        names.sort_unstable();
        names
    };
    // The second file spells one way's one-way as `-1` over reversed nodes, or turns it round:
    // either way some edges differ or none do, and one-way streets stay one-way.
    for road in [&usual, &reversed] {
        let one_way = edges(road).filter(|&edge| {
            let back = road.reverse(edge).filter(|&back| road.access(back).has(Profile::Van));
            road.access(edge).has(Profile::Van) && back.is_none()
        });
        assert!(one_way.count() > 0);
    }
    assert_eq!(motor(&usual).len(), motor(&reversed).len());
}

#[test]
fn trucks_have_no_business_where_signs_say_so() {
    for name in ["nh", "pa", "ny"] {
        let Some(road) = road(&format!("fixtures/{name}-access-restriction.osm.pbf")) else {
            return;
        };
        // `hgv=destination` and `hgv=local`: lorries on business only, vans as they like.
        let only = |edge: EdgeId, profile| road.is_destination_only(edge, profile);
        let kept_off =
            edges(&road).filter(|&edge| only(edge, Profile::Truck) && !only(edge, Profile::Van));
        assert!(kept_off.count() > 0, "{name}");
    }
}

#[test]
fn a_route_across_rome_exists_for_everybody() {
    let Some(road) = road("fixtures/rome.osm.pbf") else { return };
    let mut router = Router::new();
    for profile in Profile::ALL {
        let usable: Vec<EdgeId> =
            edges(&road).filter(|&edge| road.access(edge).has(profile)).collect();
        let routes = usable.iter().step_by(7).filter(|&&to| {
            let place = |edge| Place { edge, offset_m: 0.5 };
            router.route(&road, place(usable[0]), place(to), profile).is_some()
        });
        let (routes, asked) = (routes.count(), usable.len().div_ceil(7));
        // Old Rome is one-way streets that leave the extract; on foot one gets everywhere.
        assert!(routes > 0);
        assert!(profile != Profile::Foot || routes == asked, "{routes} of {asked}");
    }
}
