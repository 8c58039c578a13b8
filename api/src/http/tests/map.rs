//! The app, the map and its tiles over a socket.

use std::io::Read;

use engine::road::{Attributes, Class, RoadBuilder};
use flate2::read::GzDecoder;
use ingest::units::Position;

use super::*;

/// A motorway along the equator.
fn motorway() -> Road {
    let mut builder = RoadBuilder::new();
    builder.node(1, Position { lng: 0.001, lat: 0.001 });
    builder.node(2, Position { lng: 0.101, lat: 0.001 });
    let attributes = Attributes { name: "A 1", class: Class::Motorway, ..Attributes::default() };
    builder.edge(1, (1, 2), &[], &attributes);
    builder.finish().unwrap()
}

#[test]
fn tiles_are_compressed_versioned_and_of_this_world() {
    let mut world = World::new("tiles");
    assert_eq!(world.ask("GET", "/v1/map", None).0, 404, "no map yet");
    assert_eq!(world.ask("GET", "/tiles/0/0/0.mvt", None).0, 404);
    world.stop();
    world.road = Some(Arc::new(motorway()));
    world.start();
    let (status, json) = world.ask("GET", "/v1/map", None);
    assert_eq!((status, &json["bounds"]), (200, &json!([0.001, 0.001, 0.101, 0.001])));
    assert_eq!(json["attribution"], "© OpenStreetMap contributors");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let bearer = format!("Bearer {}", world.key);
    let get = |path: &str, known: &str| {
        let request = agent.get(world.url(path)).header("Authorization", &bearer);
        request.header("If-None-Match", known).call().unwrap()
    };
    let mut answer = get("/tiles/8/128/127.mvt", "\"other\"");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let (packed, mut tile) = (answer.body_mut().read_to_vec().unwrap(), Vec::new());
    GzDecoder::new(&packed[..]).read_to_end(&mut tile).unwrap();
    for text in ["roads", "motorway", "A 1", "link"] {
        assert!(tile.windows(text.len()).any(|w| w == text.as_bytes()), "{text}");
    }
    assert_eq!(get("/tiles/8/128/127.mvt", &etag).status(), 304);
    assert_eq!(get("/tiles/8/0/0.mvt", "").status(), 200, "an empty sea");
    for none in ["/tiles/15/0/0.mvt", "/tiles/3/8/0.mvt", "/tiles/3/0/0.png", "/tiles/a/0/0.mvt"] {
        assert_eq!(get(none, "").status(), 404, "{none}");
    }
}

#[test]
fn the_app_is_there_or_says_why_not() {
    let world = World::new("app");
    let built = world.api.as_ref().unwrap().app.assets.any();
    let (status, text, _) = world.raw(&[], "GET", "/app/vehicles/van-1", None);
    assert_eq!(status, if built { 200 } else { 404 }, "{text}");
    assert!(built || text.contains("npm run build"));
    assert_eq!(world.raw(&[], "GET", "/app/assets/gone-12ab.js", None).0, 404);
    let (status, text, _) = world.raw(&[], "GET", "/", None);
    assert!(status == 200 && text.contains("<html"), "{status}");
}
