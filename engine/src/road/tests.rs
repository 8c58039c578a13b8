//! A small town, its edges, what is near, and its turns.

use super::*;

/// A street grid of `side` × `side` junctions 100 m apart at Porto; node `row * 100 + column`,
/// way 1000 + row eastward, way 2000 + column northward.
pub(crate) fn grid(side: i64) -> RoadBuilder {
    let plane = plane::Plane::new(Position { lng: -8.61, lat: 41.15 });
    let mut builder = RoadBuilder::new();
    for row in 0..side {
        for column in 0..side {
            let at = plane.to_position(column as f64 * 100.0, row as f64 * 100.0);
            let (lng, lat) = at.to_e7();
            builder.node(row * 100 + column, Position::from_e7(lng, lat));
        }
    }
    for row in 0..side {
        for column in 0..side {
            let here = row * 100 + column;
            let name = format!("Row {row}");
            if column + 1 < side {
                let attributes = Attributes { name: &name, ..Attributes::default() };
                builder.edge(1000 + row, (here, here + 1), &[], &attributes);
            }
            if row + 1 < side {
                builder.edge(2000 + column, (here, here + 100), &[], &Attributes::default());
            }
        }
    }
    builder
}

fn at_node(from: i64, via: i64, to: i64) -> Restriction {
    Restriction {
        from: vec![from],
        via: Via::Node(via),
        to: vec![to],
        only: false,
        turn_back: false,
        binds: Access::MOTOR,
    }
}

#[test]
fn a_grid_has_its_nodes_edges_and_names() {
    let road = grid(4).finish().unwrap();
    assert_eq!((road.nodes(), road.edges()), (16, 48));
    let edge = road.edge_of(1001, 101, 102).unwrap();
    assert_eq!(road.osm(edge), (1001, 101, 102));
    assert_eq!(road.osm(road.reverse(edge).unwrap()), (1001, 102, 101));
    assert_eq!(road.name(edge), "Row 1");
    assert_eq!(road.name(road.edge_of(2000, 0, 100).unwrap()), "");
    assert!((road.length_m(edge) - 100.0).abs() < 0.05);
    assert!((road.free_s(edge) - 14.4).abs() < 0.01);
    assert_eq!(road.edge_of(1001, 101, 103), None);
    for node in (0..16).map(NodeId) {
        assert!(road.outgoing(node).all(|edge| road.tail(edge) == node));
        assert!(road.incoming(node).all(|edge| road.head(edge) == node));
        assert_eq!(road.outgoing(node).count(), road.incoming(node).count());
    }
}

#[test]
fn numbers_of_no_edge_read_as_zeros() {
    let road = grid(3).finish().unwrap();
    let none = EdgeId(u32::MAX);
    assert!(road.length_m(none) < 1e-9);
    assert_eq!(road.seconds(none, Profile::Van), None);
    assert_eq!(road.outgoing(NodeId(u32::MAX)).count(), 0);
    assert_eq!(Road::default().edges(), 0);
    let mut out = Vec::new();
    Road::default().near(Position { lng: 0.0, lat: 0.0 }, 100.0, 8, &mut out);
    assert!(out.is_empty());
}

#[test]
fn near_finds_both_directions_and_points_lie_where_they_say() {
    let road = grid(4).finish().unwrap();
    let plane = plane::Plane::new(road.position(road.node_of(101).unwrap()));
    let mut out = Vec::new();
    road.near(plane.to_position(30.0, 5.0), 40.0, 8, &mut out);
    let names: Vec<_> = out.iter().map(|near| road.osm(near.place.edge)).collect();
    let mut both = names[..2].to_vec();
    both.sort_unstable();
    assert_eq!(both, [(1001, 101, 102), (1001, 102, 101)]);
    assert_eq!(out.len(), 8, "{names:?}");
    for near in &out {
        let (position, heading) = road.point_at(near.place);
        assert!(plane::distance_m(position, near.position) < 0.01);
        assert!((heading - near.heading).abs() < 0.1);
    }
    assert!((out[0].distance_m - 5.0).abs() < 0.01);
    assert!(out.windows(2).all(|pair| pair[0].distance_m <= pair[1].distance_m));
    road.near(plane.to_position(30.0, 5.0), 40.0, 1, &mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn a_restriction_bans_its_turn_and_no_other() {
    let mut builder = grid(3);
    builder.restriction(at_node(1001, 101, 2001));
    let road = builder.finish().unwrap();
    let edge = |way, from, to| road.edge_of(way, from, to).unwrap();
    // Both edges of way 1001 end at the junction: the restriction names both.
    assert!(!road.turn_allowed(edge(1001, 100, 101), edge(2001, 101, 201)));
    assert!(!road.turn_allowed(edge(1001, 102, 101), edge(2001, 101, 1)));
    assert!(road.turn_allowed(edge(2001, 1, 101), edge(1001, 101, 102)));
    assert!(road.turn_allowed(edge(1001, 100, 101), edge(1001, 101, 102)));
    assert!(!road.turn_allowed(edge(1001, 100, 101), edge(1001, 100, 101)), "they do not meet");
}

#[test]
fn an_only_restriction_leaves_one_way_on() {
    let mut builder = grid(3);
    builder.restriction(Restriction { only: true, ..at_node(2001, 101, 1001) });
    let road = builder.finish().unwrap();
    let from = road.edge_of(2001, 1, 101).unwrap();
    let onward = road.outgoing(road.head(from)).filter(|&to| road.turn_allowed(from, to));
    assert_eq!(onward.map(|to| road.osm(to).0).collect::<Vec<_>>(), [1001, 1001]);
}

#[test]
fn a_turn_into_a_state_of_another_edge_is_none() {
    let mut builder = grid(3);
    builder.restriction(at_node(1001, 101, 2001));
    let image = builder.image().unwrap();
    let turns = Layout::read(&image).unwrap().extent(Section::Turns);
    let word = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
    // A listed turn, from which the ban is taken.
    let at = turns.start;
    let (from, to) = (word(at), EdgeId(word(at + 4)));
    for (next, expected) in [(to.0, Some(to.0)), (to.0 ^ 1, None), (u32::MAX, None)] {
        let mut damaged = image.clone();
        damaged[at + 8..at + 12].copy_from_slice(&next.to_le_bytes());
        damaged[at + 12..at + 16].fill(0);
        let road = Road::from_bytes(Bytes::Owned(damaged)).unwrap();
        assert_eq!(road.turn(from, to, Profile::Van), expected, "into state {next}");
    }
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    let image = || grid(5).image().unwrap();
    assert_eq!(image(), image());
    assert_eq!(grid(5).finish().unwrap().hash(), grid(5).finish().unwrap().hash());
    assert_ne!(grid(5).finish().unwrap().hash(), grid(4).finish().unwrap().hash());
}

#[test]
fn an_edge_without_its_node_is_refused() {
    let mut builder = grid(2);
    builder.edge(7, (0, 4711), &[], &Attributes::default());
    let error = builder.finish().unwrap_err().to_string();
    assert_eq!(error, "edge of way `7` ends at node `4711`, which is not known");
}

#[test]
fn any_damage_is_an_error_or_harmless() {
    let image = grid(3).image().unwrap();
    assert!(matches!(Layout::read(&[]), Err(LayoutError::Foreign)));
    for cut in [7, 15, 100, image.len() / 2, image.len() - 1] {
        assert!(Layout::read(&image[..cut]).is_err(), "cut at {cut}");
    }
    let mut other = image.clone();
    other[8] = 9;
    assert!(matches!(Layout::read(&other), Err(LayoutError::Version(9))));
    // A flipped byte in a section opens, is found by verify, and never panics when used.
    let body = 16 + 40 * Section::ALL.len() + 8;
    let mut out = Vec::new();
    for at in (body..image.len()).step_by(3) {
        let mut damaged = image.clone();
        damaged[at] ^= 0xff;
        let road = Road::from_bytes(Bytes::Owned(damaged)).unwrap();
        road.near(Position { lng: -8.61, lat: 41.15 }, 300.0, 99, &mut out);
        for edge in (0..road.edges() as u32).map(EdgeId) {
            let place = Place { edge, offset_m: 50.0 };
            road.point_at(place);
            road.name(edge);
            road.reverse(edge);
            assert!(road.outgoing(road.head(edge)).all(|to| road.osm(to).0 < i64::MAX));
        }
        let mut router = crate::path::Router::new();
        let place = |edge| Place { edge: EdgeId(edge), offset_m: 1.0 };
        router.route(&road, place(0), place(20), Profile::Van);
    }
    for at in (16..image.len()).step_by(5) {
        let mut damaged = image.clone();
        damaged[at] ^= 0x10;
        let padding = Layout::verify(&damaged).is_ok();
        assert!(!padding || damaged[at] == 0x10, "byte {at} is not covered");
    }
}

/// Against every street, by the boxes of their points.
#[test]
fn a_box_holds_each_of_its_streets_once() {
    let road = grid(12).finish().unwrap();
    let plane = plane::Plane::new(Position { lng: -8.61, lat: 41.15 });
    let (mut out, mut shape) = (Vec::new(), Vec::new());
    for (x, y, side) in [(150.0, 250.0, 10.0), (-50.0, -50.0, 2_000.0), (420.0, 90.0, 333.0)] {
        let (least, most) = (plane.to_position(x, y), plane.to_position(x + side, y + side));
        road.within(least, most, &mut out);
        let mut streets = std::collections::BTreeSet::new();
        for edge in &out {
            assert!(streets.insert(*edge.min(&road.reverse(*edge).unwrap())), "{edge:?} twice");
        }
        for edge in (0..road.edges() as u32).map(EdgeId) {
            road.shape(edge, &mut shape);
            let (a, b) = (shape[0], shape[shape.len() - 1]);
            let inside = a.lng.min(b.lng) <= most.lng
                && a.lng.max(b.lng) >= least.lng
                && a.lat.min(b.lat) <= most.lat
                && a.lat.max(b.lat) >= least.lat;
            let street = edge.min(road.reverse(edge).unwrap());
            assert!(!inside || streets.contains(&street), "{edge:?} is missing");
        }
    }
    Road::default().within(
        Position { lng: -180.0, lat: -90.0 },
        Position { lng: 180.0, lat: 90.0 },
        &mut out,
    );
    assert!(out.is_empty());
}

#[test]
fn a_map_of_an_older_format_is_refused_by_its_number() {
    let mut image = grid(2).image().unwrap();
    image[8] = 2;
    let error = Road::from_image(image).unwrap_err().to_string();
    assert_eq!(error, "`map in memory` is a map of format 2, expected 3: build it again");
}

/// A street of a hundred points is many pieces, and more points than are turned round at hand.
#[test]
fn a_winding_street_is_the_same_from_both_ends() {
    let plane = plane::Plane::new(Position { lng: -8.61, lat: 41.15 });
    let at = |n: i64| plane.to_position(n as f64 * 20.0, (n % 3) as f64 * 7.0);
    let mut builder = RoadBuilder::new();
    builder.node(1, at(0));
    builder.node(2, at(101));
    let inner: Vec<Position> = (1..101).map(at).collect();
    builder.edge(7, (1, 2), &inner, &Attributes::default());
    let road = builder.finish().unwrap();
    let (along, against) = (road.edge_of(7, 1, 2).unwrap(), road.edge_of(7, 2, 1).unwrap());
    let (mut shape, mut back) = (Vec::new(), Vec::new());
    road.shape(along, &mut shape);
    road.shape(against, &mut back);
    back.reverse();
    assert_eq!((shape.len(), &shape), (102, &back));
    let length = road.length_m(along);
    let mut near = Vec::new();
    for offset_m in (0..length as u32).step_by(37).map(f64::from) {
        let (here, heading) = road.point_at(Place { edge: along, offset_m });
        let (there, opposite) = road.point_at(Place { edge: against, offset_m: length - offset_m });
        assert!(plane::distance_m(here, there) < 0.01, "at {offset_m}");
        assert!(((heading - opposite).abs() - 180.0).abs() < 1e-6, "at {offset_m}");
        road.near(here, 5.0, 4, &mut near);
        assert_eq!(near.len(), 2);
        for near in &near {
            let along_m = if near.place.edge == along { offset_m } else { length - offset_m };
            assert!((near.place.offset_m - along_m).abs() < 0.2, "{near:?} at {offset_m}");
        }
    }
}

/// Found by `make fuzz-roads`: an order of no edges is none.
#[test]
fn a_map_of_footpaths_only_is_a_map() {
    let mut builder = RoadBuilder::new();
    builder.node(1, Position { lng: -8.61, lat: 41.15 });
    builder.node(2, Position { lng: -8.60, lat: 41.15 });
    let along: Access = Profile::Foot.into();
    builder.edge(7, (1, 2), &[], &Attributes { along, against: along, ..Attributes::default() });
    let road = builder.finish().unwrap();
    let edge = road.edge_of(7, 1, 2).unwrap();
    assert_eq!(road.order().count(), 0);
    let mut router = crate::path::Router::new();
    let (from, to) = (Place { edge, offset_m: 10.0 }, Place { edge, offset_m: 90.0 });
    assert!(router.route(&road, from, to, Profile::Foot).is_some());
    assert!(router.route(&road, from, to, Profile::Van).is_none());
}
