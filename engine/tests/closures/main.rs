//! A street is closed: everybody whose way it is hears of it at once, and nobody else.
//!
//! The real vehicle, shard and aggregator on a log in memory, turn by turn.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod town;

use engine::model::EventKind;
use engine::world::Shape;
use ingest::units::Position;

use town::{Town, WALL, place};

/// Rows 0 to 10 are cut in two east of column 9.
fn wall() -> Shape {
    Shape::Polygon(WALL.map(|(x, y)| place(x, y)).to_vec())
}

#[test]
fn who_would_drive_through_it_is_sent_round_and_later() {
    let mut town = Town::new("sent-round", 21);
    town.sets_out("acme/van-1", 5);
    town.sets_out("acme/van-2", 15);
    town.sets_out("other/van-3", 5);
    town.drive(60);
    let before = town.p50("acme/van-1", "s-van-1");
    let proposed = |town: &Town| town.events(EventKind::RerouteProposed).len();
    assert_eq!((proposed(&town), town.worlds()), (0, 1));
    town.stand(1);
    town.close("acme", "c1", wall(), None);
    town.settle();
    assert_eq!(town.worlds(), 2, "one World more");
    let proposals = town.events(EventKind::RerouteProposed);
    assert_eq!(proposals.len(), 1, "{proposals:?}");
    let (vehicle, event) = &proposals[0];
    assert_eq!((vehicle.as_str(), event.cause.as_deref()), ("acme/van-1", Some("Row 5 is closed")));
    let proposal = event.proposal.as_ref().unwrap();
    let blocked = |&(_, from, to): &(i64, i64, i64)| {
        (from.min(to) % 100, from.max(to) % 100) == (9, 10) && from / 100 <= 10
    };
    assert!(!proposal.edges.is_empty() && !proposal.edges.iter().any(blocked), "{proposal:?}");
    // Up to row 11 and down again: 1,200 m at 25 km/h and the usual pace are 242 s.
    let moved = town.p50("acme/van-1", "s-van-1") - before;
    assert!((200..300).contains(&moved), "{moved}");
    assert_eq!(town.etas_since_world("acme/van-2"), 0, "his row is open");
    assert_eq!(town.etas_since_world("other/van-3"), 0, "not his closure");

    town.open("acme", "c1");
    town.settle();
    assert_eq!(town.worlds(), 3);
    town.check();
}

#[test]
fn it_begins_and_ends_in_time_and_outlives_everybody() {
    let mut town = Town::new("in-time", 21);
    town.sets_out("acme/van-1", 5);
    town.drive(30);
    let now = town.seconds();
    town.close("acme", "c1", Shape::Way(1005), Some((now + 60, now + 600)));
    town.settle();
    assert_eq!(town.worlds(), 1, "not yet");
    town.stand(61);
    assert_eq!(town.worlds(), 2);
    assert_eq!(town.events(EventKind::RerouteProposed).len(), 1);
    town.restart();
    town.stand(30);
    assert_eq!(town.worlds(), 2, "the next owner goes on with the same traffic");
    town.stand(540);
    assert_eq!(town.worlds(), 3, "open again");
    assert!(town.closed().is_empty());
    town.check();
}

#[test]
fn on_a_large_map_weights_are_changed_and_the_ways_are_the_same() {
    // Enough edges for a hierarchy.
    let mut town = Town::new("large", 50);
    town.sets_out("acme/van-1", 5);
    town.drive(60);
    let before = town.p50("acme/van-1", "s-van-1");
    town.close("acme", "c1", wall(), None);
    town.settle();
    let moved = town.p50("acme/van-1", "s-van-1") - before;
    assert!((200..300).contains(&moved), "{moved}");
    town.check();
}

#[test]
fn a_jam_that_vehicles_show_makes_others_later() {
    let mut town = Town::new("jam", 21);
    // Four creep through row 5, and somebody behind them has to go there.
    for n in 1..5 {
        town.sets_out(&format!("acme/van-{n}"), 5);
    }
    town.sets_out("acme/late", 5);
    town.hold("acme/late");
    town.drive(30);
    let before = town.p50("acme/late", "s-late");
    town.creep(600);
    let slow = town.slow();
    assert!(slow.iter().any(|&(way, level)| way == 1005 && level >= 4), "{slow:?}");
    assert!(town.p50("acme/late", "s-late") > before + 600 + 60, "later than by standing");
    town.check();
}

#[test]
fn a_shape_says_which_roads_it_closes() {
    let road = town::grid(21);
    let named = |shape: &Shape| {
        shape.edges(&road).map(|edges| edges.into_iter().map(|e| road.osm(e)).collect::<Vec<_>>())
    };
    let one = (1005, 509, 510);
    assert_eq!(named(&Shape::Edges(vec![one])).unwrap(), [one]);
    assert_eq!(named(&Shape::Way(1005)).unwrap().len(), 40);
    let crossing = named(&wall()).unwrap();
    assert_eq!(crossing.len(), 22, "{crossing:?}");
    for bad in [
        Shape::Edges(vec![(1005, 509, 511)]),
        Shape::Edges(Vec::new()),
        Shape::Way(7),
        Shape::Polygon(vec![place(0.0, 0.0), place(9.0, 9.0)]),
        Shape::Polygon(vec![place(10.0, 10.0), place(20.0, 10.0), place(15.0, 20.0)]),
        Shape::Polygon(vec![Position { lng: f64::NAN, lat: 0.0 }; 3]),
        Shape::Polygon([(0.0, 0.0), (9.0, 0.0), (9.0, 9.0)].map(at).to_vec()),
    ] {
        assert!(named(&bad).is_err(), "{bad:?}");
    }
}

fn at((lng, lat): (f64, f64)) -> Position {
    Position { lng, lat }
}
