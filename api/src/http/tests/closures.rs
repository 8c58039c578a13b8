//! Closures of roads: checked, on the log, listed, taken back, and nobody else's.

use engine::record::ClosureRecord;
use engine::road::{Attributes, RoadBuilder};
use engine::world::Shape;
use ingest::record::{Envelope, Kind};
use ingest::units::Position;

use super::*;

/// Way 7 through nodes 1, 2 and 3.
fn street() -> Road {
    let mut builder = RoadBuilder::new();
    for n in 0..3 {
        builder.node(n + 1, Position { lng: 0.001 + n as f64 * 0.001, lat: 0.001 });
    }
    for n in 1..3 {
        builder.edge(7, (n, n + 1), &[], &Attributes::default());
    }
    builder.finish().unwrap()
}

fn on_the_log(world: &World) -> Vec<ClosureRecord> {
    let record = |record: ingest::log::Record| {
        let envelope = Envelope::decode(record.value.unwrap()).unwrap();
        assert_eq!(envelope.kind, Kind::Closure);
        ClosureRecord::from_envelope(&envelope).unwrap()
    };
    world.records(Topic::Worlds).into_iter().map(record).collect()
}

fn with_street(name: &str) -> World {
    let mut world = World::new(name);
    world.stop();
    world.road = Some(Arc::new(street()));
    world.start();
    world
}

#[test]
fn a_closure_is_set_listed_and_taken_back() {
    let world = with_street("closures");
    let asked = json!({"edge": [7, 1, 2], "until": "2026-11-20T12:00:00Z", "reason": "works"});
    let bearer = format!("Bearer {}", world.key);
    let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", "k1")];
    let (status, json) = world.ask_with(&headers, "POST", "/v1/closures", Some(&asked));
    assert_eq!((status, &json["closes"]), (201, &json!(1)), "{json}");
    assert_eq!(json["edges"], json!([[7, 1, 2]]));
    let again = world.ask_with(&headers, "POST", "/v1/closures", Some(&asked));
    assert_eq!(again, (201, json.clone()), "once");
    let set = on_the_log(&world);
    assert_eq!(set.len(), 1);
    assert_eq!(set[0].closure.shape, Shape::Edges(vec![(7, 1, 2)]));
    assert_eq!((set[0].version, set[0].removed), (1, false));

    let path = format!("/v1/closures/{}", json["id"].as_str().unwrap());
    assert_eq!(world.ask("GET", "/v1/closures", None).1, json!({"closures": [json]}));
    assert_eq!(world.ask("GET", &path, None), (200, json));
    let other = world.key_of("other", Role::Dispatcher);
    assert_eq!(world.ask_as(&other, "GET", &path, None).0, 404);
    assert_eq!(world.ask_as(&other, "DELETE", &path, None).0, 404);
    assert_eq!(world.ask_as(&other, "GET", "/v1/closures", None).1, json!({"closures": []}));
    let viewer = world.key_of("acme", Role::Viewer);
    assert_eq!(world.ask_as(&viewer, "POST", "/v1/closures", Some(&asked)).0, 403);
    assert_eq!(world.ask("DELETE", &path, None).0, 204);
    assert_eq!(world.ask("DELETE", &path, None).0, 404);
    assert_eq!(world.ask("GET", &path, None).0, 404);
    let ended: Vec<_> = on_the_log(&world).iter().map(|r| (r.version, r.removed)).collect();
    assert_eq!(ended, [(1, false), (2, true)]);
}

#[test]
fn what_closes_nothing_is_refused() {
    let world = with_street("bad-closures");
    let corner = |lng: f64, lat: f64| json!([lng, lat]);
    let far = [corner(1.0, 1.0), corner(1.1, 1.0), corner(1.1, 1.1)];
    for bad in [
        json!({}),
        json!({"way": 7, "edge": [7, 1, 2]}),
        json!({"way": 8}),
        json!({"edge": [7, 1, 3]}),
        json!({"edges": []}),
        json!({"polygon": [[0.0, 0.0], [1.0, 1.0]]}),
        json!({"polygon": far}),
        json!({"way": 7, "until": "2026-11-20T07:00:00Z"}),
        json!({"way": 7, "until": "soon"}),
        json!({"way": 7, "from": "2031-01-01T00:00:00Z"}),
        json!({"way": 7, "reason": "x".repeat(201)}),
        json!({"way": 7, "street": "Rua 1"}),
    ] {
        let (status, json) = world.ask("POST", "/v1/closures", Some(&bad));
        assert_eq!(status, 422, "{bad} {json}");
    }
    assert!(on_the_log(&world).is_empty());
    let polygon = json!({"polygon": [[0.0, 0.0], [0.01, 0.0], [0.01, 0.01], [0.0, 0.01]]});
    let (status, json) = world.ask("POST", "/v1/closures", Some(&polygon));
    assert_eq!((status, &json["closes"]), (201, &json!(4)), "{json}");
}
