//! Devices, vehicles, routes, positions.

use engine::model::Input;
use engine::record::InputRecord;
use ingest::record::{DeviceRecord, Envelope};

use super::*;

fn inputs(world: &World) -> Vec<(String, Input)> {
    let record = |record: ingest::log::Record| {
        let envelope = Envelope::decode(record.value.unwrap()).unwrap();
        match InputRecord::from_envelope(&envelope).unwrap() {
            InputRecord::Vehicle(input) => (String::from_utf8_lossy(&record.key).into(), input),
            other => panic!("{other:?}"),
        }
    };
    world.records(Topic::Inputs).into_iter().map(record).collect()
}

#[test]
fn a_device_goes_to_the_log_with_its_assignments() {
    let world = World::new("devices");
    let (status, json) = world.ask("PUT", "/v1/devices/35%2F1", Some(&json!({"vehicle": "van-1"})));
    assert_eq!(status, 201, "{json}");
    assert_eq!(json["id"], "35/1");
    assert_eq!(world.ask("GET", "/v1/vehicles/van-1", None).0, 200, "its vehicle was made");
    let (status, json) = world.ask("PUT", "/v1/devices/35%2F1", Some(&json!({"vehicle": "van-2"})));
    assert_eq!((status, &json["version"]), (200, &json!(2)), "{json}");
    let devices = world.records(Topic::Devices);
    assert_eq!(devices.len(), 1, "compacted");
    assert_eq!(&devices[0].key[..], b"35%2F1");
    let envelope = Envelope::decode(devices[0].value.clone().unwrap()).unwrap();
    let record = DeviceRecord::from_envelope(&envelope).unwrap();
    assert_eq!(record.assignments.len(), 2);
    let mut told: Vec<String> = inputs(&world).into_iter().map(|(key, _)| key).collect();
    told.sort();
    assert_eq!(told, ["acme/van-1", "acme/van-1", "acme/van-2"], "both vehicles were told");

    let other = world.key_of("other", Role::Admin);
    let taken = world.ask_as(&other, "PUT", "/v1/devices/35%2F1", Some(&json!({"vehicle": "x"})));
    assert_eq!(taken.0, 409, "a device is unique");
    let past = json!({"vehicle": "van-1", "valid_from": "2026-11-20T07:00:00Z"});
    let (status, json) = world.ask("PUT", "/v1/devices/35%2F1", Some(&past));
    assert_eq!((status, &json["field"]), (422, &json!("valid_from")));

    assert_eq!(world.ask("DELETE", "/v1/devices/35%2F1", None).0, 204);
    assert_eq!(world.ask("GET", "/v1/devices/35%2F1", None).0, 404);
    assert!(world.records(Topic::Devices)[0].value.is_none(), "a tombstone");
}

#[test]
fn a_devices_secret_is_written_and_never_read() {
    let world = World::new("secrets");
    let put = |body: &Value| world.ask("PUT", "/v1/devices/35", Some(body));
    let stored = || {
        let devices = world.records(Topic::Devices);
        let envelope = Envelope::decode(devices[0].value.clone().unwrap()).unwrap();
        DeviceRecord::from_envelope(&envelope).unwrap()
    };
    let (status, json) = put(&json!({"secret": "open sesame", "networks": ["10.1.0.0/16"]}));
    assert_eq!((status, &json["has_secret"]), (201, &json!(true)), "{json}");
    assert_eq!(json["networks"], json!(["10.1.0.0/16"]));
    assert!(json.get("secret").is_none() && !json.to_string().contains("sesame"));
    assert!(stored().secret.unwrap().is(b"open sesame"));
    let (_, json) = put(&json!({"secret": "open sesame", "networks": ["10.1.0.0/16"]}));
    assert_eq!(json["version"], 1, "the same secret changes nothing");
    let (_, json) = put(&json!({}));
    assert_eq!((&json["has_secret"], &json["networks"]), (&json!(true), &json!([])));
    assert!(stored().secret.unwrap().is(b"open sesame"), "it stays until it is replaced");
    let (_, json) = put(&json!({"secret": ""}));
    assert_eq!(json["has_secret"], false);
    assert_eq!(stored().secret, None);
    for wrong in [json!({"secret": "short"}), json!({"networks": ["10.0.0.0/99"]})] {
        let (status, json) = put(&wrong);
        assert_eq!(status, 422, "{json}");
        assert!(!json.to_string().contains("short"), "a secret is not shown: {json}");
    }
}

#[test]
fn an_order_that_can_do_harm_takes_two() {
    let world = World::new("orders");
    assert_eq!(world.ask("PUT", "/v1/devices/35", Some(&json!({}))).0, 201);
    let path = "/v1/devices/35/commands";
    let (status, json) = world.ask("POST", path, Some(&json!({"command": "position"})));
    assert_eq!((status, &json["state"]), (202, &json!("queued")), "{json}");
    let (status, json) = world.ask("POST", path, Some(&json!({"command": "engine_stop"})));
    assert_eq!((status, &json["state"]), (202, &json!("waiting_for_approval")), "{json}");
    let approve = format!("{path}/{}/approve", json["id"].as_str().unwrap());
    assert_eq!(world.ask("POST", &approve, Some(&json!({}))).0, 409, "not with one's own key");
    let second = world.key_of("acme", Role::Admin);
    let (status, json) = world.ask_as(&second, "POST", &approve, Some(&json!({})));
    assert_eq!((status, &json["state"]), (202, &json!("queued")), "{json}");
    assert_eq!(world.ask_as(&second, "POST", &approve, Some(&json!({}))).0, 409, "once");
    let (_, json) = world.ask("GET", path, None);
    let commands: Vec<_> =
        json["orders"].as_array().unwrap().iter().map(|o| o["command"].clone()).collect();
    assert_eq!(commands, ["engine_stop", "position"], "newest first");
    for wrong in [
        json!({"command": "explode"}),
        json!({"command": "interval"}),
        json!({"command": "position", "valid_s": 0}),
    ] {
        assert_eq!(world.ask("POST", path, Some(&wrong)).0, 422, "{wrong}");
    }
    assert_eq!(world.ask("GET", "/v1/devices/36/commands", None).0, 404);
}

#[test]
fn a_route_is_on_the_log_when_it_is_answered() {
    let world = World::new("routes");
    assert_eq!(world.ask("PUT", "/v1/routes/r1", Some(&plan("van-1"))).0, 422, "no such vehicle");
    for vehicle in ["van-1", "van-2"] {
        let path = format!("/v1/vehicles/{vehicle}");
        assert_eq!(world.ask("PUT", &path, Some(&json!({"name": "Van"}))).0, 201);
    }
    let (status, json) = world.ask("PUT", "/v1/routes/r1", Some(&plan("van-1")));
    assert_eq!((status, &json["version"], &json["state"]), (201, &json!(1), &json!("planned")));
    let (status, json) = world.ask("PUT", "/v1/routes/r1", Some(&plan("van-2")));
    assert_eq!((status, &json["version"]), (200, &json!(2)));
    let told = inputs(&world);
    let plan_of = |wanted: &str, version: u64| {
        told.iter()
            .find_map(|(key, input)| match input {
                Input::Plan { route, .. } if key == wanted && route.version == version => {
                    Some(route.as_ref().clone())
                }
                _ => None,
            })
            .unwrap()
    };
    assert_eq!(plan_of("acme/van-1", 1).stops.len(), 2);
    let (gone, new) = (plan_of("acme/van-1", 2), plan_of("acme/van-2", 2));
    assert_eq!((gone.stops.len(), gone.moved_away.len(), new.stops.len()), (0, 2, 2));
    assert!(gone.transfer.is_some() && gone.transfer == new.transfer);

    let headers = [("Authorization", format!("Bearer {}", world.key))];
    let auth = (headers[0].0, headers[0].1.as_str());
    let stale = world.ask_with(
        &[auth, ("If-Match", "\"1\"")],
        "PUT",
        "/v1/routes/r1",
        Some(&plan("van-2")),
    );
    assert_eq!(stale.0, 412);
    let (_, _, etag) = world.raw(&[auth], "GET", "/v1/vehicles/van-1", None);
    let etag = etag.unwrap();
    let same = world.raw(&[auth, ("If-None-Match", &etag)], "GET", "/v1/vehicles/van-1", None);
    assert_eq!(same.0, 304);
    assert_eq!(world.ask("DELETE", "/v1/routes/r1", None).0, 204);
    assert_eq!(world.ask("GET", "/v1/routes/r1", None).1["state"], "withdrawn");
}

#[test]
fn wrong_plans_are_refused_by_name() {
    let world = World::new("wrong-plans");
    world.ask("PUT", "/v1/vehicles/van-1", Some(&json!({})));
    let check = |change: &dyn Fn(&mut Value), field: &str, value: &str| {
        let mut body = plan("van-1");
        change(&mut body);
        let (status, json) = world.ask("PUT", "/v1/routes/r1", Some(&body));
        assert_eq!(status, 422, "{field}: {json}");
        assert_eq!(json["field"], field, "{json}");
        assert_eq!(json["value"], value, "{json}");
        assert!(json["expected"].is_string(), "{json}");
    };
    check(&|b| b["stops"][1]["id"] = json!("s1"), "stops[1].id", "s1");
    check(&|b| b["stops"][1]["order"] = json!("o-1"), "stops[1].order", "o-1");
    check(&|b| b["stops"][1]["order"] = json!("o 2"), "stops[1].order", "o 2");
    check(&|b| b["stops"][0]["lat"] = json!(91.0), "stops[0].lat", "91");
    check(&|b| b["stops"][0]["service_s"] = json!(-1.0), "stops[0].service_s", "-1");
    check(&|b| b["stops"] = json!([]), "stops", "0 stops");
    check(&|b| b["vehicle"] = json!("van-9"), "vehicle", "van-9");
    check(
        &|b| b["stops"][0]["window"]["to"] = json!("2026-11-20T09:00:00Z"),
        "stops[0].window.to",
        "2026-11-20T09:00:00Z",
    );
    let early = json!({"from": "2026-11-20T08:10:00Z", "to": "2026-11-20T08:20:00Z"});
    check(
        &|b| b["stops"][1]["window"] = early.clone(),
        "stops[1].window.to",
        "2026-11-20T08:20:00.000Z",
    );
    check(&|b| b["time_zone"] = json!("a b"), "time_zone", "a b");
    let many: Vec<Value> = (0..501)
        .map(|n| json!({"id": format!("s{n}"), "order": format!("o{n}"), "lat": 41.1, "lng": -8.6}))
        .collect();
    check(&|b| b["stops"] = json!(many.clone()), "stops", "501 stops");
    assert_eq!(world.ask("PUT", "/v1/routes/r1", Some(&json!({"vehicle": 1}))).0, 422);
}

#[test]
fn a_position_is_seen_and_never_goes_backwards() {
    let world = World::new("positions");
    world.say("acme/van-1", &[position("acme/van-1", 1), position("acme/van-1", 2)]);
    let path = "/v1/vehicles/van-1/position";
    let json = world.until(path, |status, json| status == 200 && json["seq"] == 2);
    assert_eq!((&json["vehicle"], &json["activity"]), (&json!("van-1"), &json!("moving")));
    assert_eq!(json["speed_mps"], 8.4);
    world.say("acme/van-1", &[position("acme/van-1", 1), position("acme/van-1", 3)]);
    world.until(path, |_, json| json["seq"] == 3);
    let inside = world.ask("GET", "/v1/vehicles?bbox=-8.7,41.1,-8.6,41.2", None).1;
    assert_eq!(inside["vehicles"][0]["vehicle"], "van-1");
    let outside = world.ask("GET", "/v1/vehicles?bbox=-8.5,41.1,-8.4,41.2", None).1;
    assert_eq!(outside["vehicles"], json!([]));
    assert_eq!(world.ask("GET", "/v1/vehicles?bbox=1,2,3", None).0, 422);
}

#[test]
fn the_same_write_asked_twice_happens_once() {
    let world = World::new("idempotency");
    world.ask("PUT", "/v1/vehicles/van-1", Some(&json!({})));
    let auth = format!("Bearer {}", world.key);
    let headers = [("Authorization", auth.as_str()), ("Idempotency-Key", "k1")];
    let first = world.raw(&headers, "PUT", "/v1/routes/r1", Some(&plan("van-1")));
    let again = world.raw(&headers, "PUT", "/v1/routes/r1", Some(&plan("van-1")));
    assert_eq!(first.0, 201);
    assert_eq!(first, again);
    assert_eq!(inputs(&world).len(), 1);
    let mut other = plan("van-1");
    other["time_zone"] = json!("UTC");
    assert_eq!(world.raw(&headers, "PUT", "/v1/routes/r1", Some(&other)).0, 422);
}

#[test]
fn lists_come_in_pages() {
    let world = World::new("pages");
    for n in 0..5 {
        world.ask("PUT", &format!("/v1/vehicles/v{n}"), Some(&json!({})));
    }
    let first = world.ask("GET", "/v1/vehicles?limit=3", None).1;
    assert_eq!(first["vehicles"].as_array().unwrap().len(), 3);
    let path = format!("/v1/vehicles?limit=3&after={}", first["next"].as_str().unwrap());
    let second = world.ask("GET", &path, None).1;
    assert_eq!(second["vehicles"][0]["id"], "v3");
    assert!(second["next"].is_null());
    assert_eq!(world.ask("GET", "/v1/vehicles?limit=0", None).0, 422);
}

#[test]
fn a_box_comes_in_pages_that_hold_each_vehicle_once() {
    let world = World::new("boxes");
    for n in 0..7 {
        let key = format!("acme/v{n}");
        world.say(&key, &[position(&key, 1)]);
    }
    world.say("other/v9", &[position("other/v9", 1)]);
    while world.api.as_ref().unwrap().live().vehicles() < 8 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let first = "/v1/vehicles?bbox=-8.7,41.1,-8.6,41.2&limit=3".to_owned();
    let (mut seen, mut path) = (Vec::new(), first.clone());
    loop {
        let page = world.ask("GET", &path, None).1;
        let vehicles = page["vehicles"].as_array().unwrap();
        seen.push(vehicles.len());
        for vehicle in vehicles {
            let n = vehicle["vehicle"].as_str().unwrap().strip_prefix('v').unwrap();
            seen.push(100 + n.parse::<usize>().unwrap());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{first}&after={next}");
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 3, 3, 100, 101, 102, 103, 104, 105, 106]);
}
