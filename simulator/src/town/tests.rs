use std::path::PathBuf;

use engine::road::{Class, Profile, Road};

use super::*;
use crate::drive::ground::Ground;

/// The town of a seed through the real import.
pub(crate) fn imported(seed: u64) -> Road {
    let dir = std::env::temp_dir();
    let name = |kind: &str| -> PathBuf {
        dir.join(format!("milepost-town-{seed}-{}-{kind}", std::process::id()))
    };
    let (source, target) = (name("source.osm.pbf"), name("map.mpr"));
    std::fs::write(&source, town(seed)).expect("temporary file");
    engine::road::import::build(&source, &target).expect("a town that can be imported");
    let road = Road::open(&target).expect("a map that opens");
    // The map stays mapped when its name is gone.
    std::fs::remove_file(&source).expect("own file");
    std::fs::remove_file(&target).expect("own file");
    road
}

#[test]
fn same_seed_same_bytes() {
    assert_eq!(town(3), town(3));
    assert_ne!(town(3), town(4));
}

#[test]
fn the_town_loads_through_the_real_import() {
    let road = imported(1);
    let edges = || (0..road.edges() as u32).map(engine::road::EdgeId);
    assert!(road.nodes() > 3_000 && road.edges() > 9_000, "{road:?}");
    for class in [
        Class::Motorway,
        Class::MotorwayLink,
        Class::Primary,
        Class::Secondary,
        Class::Tertiary,
        Class::Residential,
        Class::Service,
    ] {
        assert!(edges().any(|e| road.class(e) == class), "no {class:?}");
    }
    let van = |e: &engine::road::EdgeId| road.seconds(*e, Profile::Van).is_some();
    let against = |e: &engine::road::EdgeId| road.reverse(*e).is_some_and(|r| van(&r));
    let one_way = edges().filter(|e| van(e) && !against(e)).count();
    assert!(one_way > 400, "{one_way} one-way edges");
    let forbidden = edges().filter(van).any(|from| {
        road.outgoing(road.head(from)).any(|to| van(&to) && !road.turn_allowed(from, to))
    });
    assert!(forbidden);
    assert!(edges().any(|e| road.name(e) == "Inner Ring"));
    let named: std::collections::BTreeSet<_> = edges().map(|e| road.name(e).to_owned()).collect();
    assert!(named.len() > 100);
    Ground::new(&road).expect("a town that hangs together");
}
