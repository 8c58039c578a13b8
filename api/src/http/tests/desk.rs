//! What the dispatcher's desk asks for beside the plan: notes, keys, lines, operation ids.

use std::collections::BTreeSet;

use engine::road::{Attributes, RoadBuilder};
use ingest::units::Position;

use super::*;
use crate::http::openapi;

#[test]
fn an_exception_is_snoozed_and_assigned_and_both_are_taken_back() {
    let world = World::new("care");
    world.say("acme/van-1", &[position("acme/van-1", 1), event(2, EventKind::NoSignal)]);
    let of = |json: &Value| json["exceptions"][0].clone();
    let list = world.until("/v1/exceptions", |_, json| json["exceptions"][0]["id"].is_string());
    let id = of(&list)["id"].as_str().unwrap().to_owned();
    let path = |end: &str| format!("/v1/exceptions/{id}/{end}");
    let until = json!({"until": "2026-11-20T09:00:00Z"});
    assert_eq!(world.ask("POST", &path("snooze"), Some(&until)).0, 204);
    assert_eq!(world.ask("POST", &path("assign"), Some(&json!({"to": "Ana"}))).0, 204);
    let noted = of(&world.ask("GET", "/v1/exceptions", None).1);
    assert_eq!(noted["snoozed_until"], "2026-11-20T09:00:00.000Z");
    assert_eq!(noted["assigned_to"], "Ana");
    assert_eq!(world.ask("DELETE", &path("snooze"), None).0, 204);
    assert_eq!(world.ask("DELETE", &path("assign"), None).0, 204);
    let noted = of(&world.ask("GET", "/v1/exceptions", None).1);
    assert!(noted["snoozed_until"].is_null() && noted["assigned_to"].is_null());
    for wrong in ["soon", "2026-11-20T07:00:00Z", "2026-11-29T07:00:00Z"] {
        let body = json!({ "until": wrong });
        assert_eq!(world.ask("POST", &path("snooze"), Some(&body)).0, 422, "{wrong}");
    }
    assert_eq!(world.ask("POST", &path("assign"), Some(&json!({"to": " "}))).0, 422);
    assert_eq!(world.ask("POST", "/v1/exceptions/van-1.9/snooze", Some(&until)).0, 404);
    let other = world.key_of("other", Role::Admin);
    assert_eq!(world.ask_as(&other, "POST", &path("snooze"), Some(&until)).0, 404);
}

#[test]
fn what_was_handled_and_what_passed_by_itself_is_counted_since_a_time() {
    let world = World::new("today");
    let silent = |seq| event(seq, EventKind::NoSignal);
    world.say("acme/van-1", &[position("acme/van-1", 1), silent(2)]);
    let list = world.until("/v1/exceptions", |_, json| json["exceptions"][0]["id"].is_string());
    let path = format!("/v1/exceptions/{}/assign", list["exceptions"][0]["id"].as_str().unwrap());
    assert_eq!(world.ask("POST", &path, Some(&json!({"to": "Ana"}))).0, 204);
    let back = |seq| event(seq, EventKind::SignalBack);
    world.say("acme/van-1", &[back(3), silent(4), back(5), silent(6)]);
    let today = "/v1/exceptions/today?from=2026-11-20T00:00:00Z";
    let counts = world.until(today, |_, json| json["by_themselves"] == 1);
    assert_eq!(counts, json!({"handled": 1, "by_themselves": 1}), "the third is still open");
    let later = "/v1/exceptions/today?from=2026-11-21T00:00:00Z";
    assert_eq!(world.ask("GET", later, None).1, json!({"handled": 0, "by_themselves": 0}));
    assert_eq!(world.ask("GET", "/v1/exceptions/today?from=noon", None).0, 422);
    let long_ago = "/v1/exceptions/today?from=2026-11-01T00:00:00Z";
    assert_eq!(world.ask("GET", long_ago, None).0, 422);
    let other = world.key_of("other", Role::Viewer);
    let seen = world.ask_as(&other, "GET", today, None).1;
    assert_eq!(seen, json!({"handled": 0, "by_themselves": 0}));
}

#[test]
fn lateness_costs_what_the_tenant_says() {
    let world = World::new("costs");
    let get = || world.ask("GET", "/v1/costs", None).1;
    assert_eq!(get(), json!({"rate_per_minute": 1.0}));
    let costs = json!({"rate_per_minute": 2.5, "currency": "EUR"});
    assert_eq!(world.ask("PUT", "/v1/costs", Some(&costs)), (200, costs.clone()));
    assert_eq!(get(), costs);
    assert_eq!(world.ask("GET", "/v1/exceptions", None).1["currency"], "EUR");
    for wrong in [
        json!({"rate_per_minute": -1.0}),
        json!({"rate_per_minute": 1e9}),
        json!({"rate_per_minute": 1.0, "currency": "euro"}),
        json!({"rate_per_minute": 1.0, "currency": "€uro"}),
    ] {
        assert_eq!(world.ask("PUT", "/v1/costs", Some(&wrong)).0, 422, "{wrong}");
    }
    let other = world.key_of("other", Role::Dispatcher);
    assert_eq!(world.ask_as(&other, "GET", "/v1/costs", None).1, json!({"rate_per_minute": 1.0}));
    assert_eq!(world.ask_as(&other, "PUT", "/v1/costs", Some(&costs)).0, 403);
}

#[test]
fn keys_are_made_told_once_and_revoked() {
    let world = World::new("keys");
    let (status, made) = world.ask("POST", "/v1/keys", Some(&json!({"role": "viewer"})));
    assert_eq!((status, &made["role"]), (201, &json!("viewer")));
    let key = made["key"].as_str().unwrap();
    assert_eq!(world.ask_as(key, "GET", "/v1/vehicles", None).0, 200);
    let listed = world.ask("GET", "/v1/keys", None).1;
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains("\"key\""));
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    let other = world.key_of("other", Role::Admin);
    assert_eq!(world.ask_as(&other, "DELETE", &path, None).0, 404);
    assert_eq!(world.ask("DELETE", &path, None).0, 204);
    assert_eq!(world.ask_as(key, "GET", "/v1/vehicles", None).0, 401);
    assert_eq!(world.ask("POST", "/v1/keys", Some(&json!({"role": "king"}))).0, 422);
}

#[test]
fn the_way_of_a_route_follows_the_roads() {
    let mut builder = RoadBuilder::new();
    let corners = [(-8.61, 41.15), (-8.61, 41.152), (-8.612, 41.152)];
    for (n, (lng, lat)) in (1..).zip(corners) {
        builder.node(n, Position { lng, lat });
    }
    builder.edge(1, (1, 2), &[], &Attributes::default());
    builder.edge(2, (2, 3), &[], &Attributes::default());
    let mut world = World::new("way");
    world.stop();
    world.road = Some(Arc::new(builder.finish().unwrap()));
    world.start();
    assert_eq!(world.ask("PUT", "/v1/vehicles/van-1", Some(&json!({}))).0, 201);
    let (status, json) = world.ask("PUT", "/v1/routes/r1", Some(&plan("van-1")));
    assert_eq!(status, 201, "{json}");
    let (status, json) = world.ask("GET", "/v1/routes/r1/line", None);
    assert_eq!(status, 200, "{json}");
    let legs = json["legs"].as_array().unwrap();
    assert_eq!((legs.len(), &legs[1]["stop"]), (2, &json!("s2")));
    let points = |leg: &Value| leg["coordinates"].as_array().unwrap().len();
    assert!(points(&legs[0]) + points(&legs[1]) >= 5, "around the corner: {json}");
    assert!(legs.iter().all(|leg| leg["straight"].is_null()), "{json}");
}

#[test]
fn every_operation_has_an_id_of_its_own_and_a_described_answer() {
    let document = serde_json::to_value(openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice: {method} {path}");
        }
    }
    assert!(ids.contains("get_routes_id_line") && ids.contains("get_t_token_json"), "{ids:?}");
}
