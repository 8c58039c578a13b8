//! Who gets in: every operation of the `OpenAPI` document, by everybody who must not.

use super::*;
use crate::http::openapi;

/// Every operation: method, path with ids of another tenant, roles that may.
fn operations() -> Vec<(String, String, Vec<String>)> {
    let document = serde_json::to_value(openapi()).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(security) = operation["security"].as_array() else { continue };
            let roles = security.iter().filter_map(|s| s["key"].as_array()).flatten();
            let roles = roles.map(|role| role.as_str().unwrap().to_owned()).collect();
            found.push((method.to_uppercase(), path.clone(), roles));
        }
    }
    found
}

/// A path with an id in each of its places.
fn filled(path: &str, id: &str) -> String {
    let tile = path.replace("{z}", "0").replace("{x}", "0").replace("{y}", "0");
    let ids = tile.replace("{id}", id).replace("{stop}", "x").replace("{order}", "x");
    ids.replace("{delivery}", "x")
        .replace("{name}", "x")
        .replace("{event}", "x")
        .replace("{language}", "x")
        .replace("{token}", "x")
}

#[test]
fn the_document_is_openapi_3_1_and_served() {
    let world = World::new("openapi");
    let served = world.ask_with(&[], "GET", "/v1/openapi.json", None);
    assert_eq!(served.0, 200);
    assert_eq!(served.1["openapi"], "3.1.0");
    assert!(operations().len() > 10);
}

#[test]
fn without_a_key_nothing_and_with_the_wrong_role_403() {
    let world = World::new("roles");
    let keys = Role::ALL.map(|role| (role, world.key_of("acme", role)));
    for (method, path, roles) in operations() {
        if roles.is_empty() {
            continue; // a login has no key yet
        }
        let path = filled(&path, "x");
        let body = (method != "GET" && method != "DELETE").then(|| json!({}));
        assert_eq!(world.ask_with(&[], &method, &path, body.as_ref()).0, 401, "{method} {path}");
        let wrong = world.ask_as("mp_00_00", &method, &path, body.as_ref());
        assert_eq!(wrong.0, 401, "{method} {path}");
        for (role, key) in &keys {
            let may = roles.iter().any(|r| r == role.name());
            if may && (path == "/v1/stream" || path == "/v1/session") {
                continue; // does not end, or would end the others' turn
            }
            let (status, json) = world.ask_as(key, &method, &path, body.as_ref());
            assert_eq!(status == 403, !may, "{method} {path} as {role}: {status} {json}");
        }
    }
}

#[test]
fn open_mode_refuses_foreign_pages_and_binds() {
    let tenant = TenantId::new("demo").unwrap();
    let world = World::with("open", Some(tenant.clone()));
    assert_eq!(world.ask_with(&[], "GET", "/v1/vehicles", None).0, 200);
    assert_eq!(world.ask_with(&[], "GET", "/", None).0, 200);
    let host = [("Host", "evil.example")];
    assert_eq!(world.ask_with(&host, "GET", "/v1/vehicles", None).0, 403);
    assert_eq!(world.ask_with(&host, "GET", "/", None).0, 403);
    let origin = [("Origin", "http://evil.example")];
    assert_eq!(world.ask_with(&origin, "GET", "/v1/vehicles", None).0, 403);
    let plain = [("Content-Type", "text/plain")];
    assert_eq!(world.ask_with(&plain, "PUT", "/v1/vehicles/v", None).0, 415);
    assert_eq!(world.ask_with(&[], "PUT", "/v1/vehicles/v", Some(&json!({}))).0, 201);
    let settings = Settings {
        listen: "0.0.0.0:0".parse().unwrap(),
        data: world.data.join("other"),
        open: Some(tenant),
        road: None,
        secure: false,
        messages: crate::message::Settings::default(),
        metrics: Metrics::default(),
        archive: None,
    };
    let log: Arc<dyn Log> = Arc::clone(&world.log) as _;
    let started = world.runtime.block_on(Api::start(settings, log, clock()));
    assert!(started.unwrap_err().to_string().contains("loopback"));
}

#[test]
fn a_browser_logs_in_with_a_cookie() {
    let world = World::new("sessions");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let login = |key: &str| {
        let body = json!({ "key": key });
        agent.post(world.url("/v1/session")).send_json(&body).unwrap()
    };
    let answer = login(&world.key);
    let cookie = answer.headers().get("set-cookie").unwrap().to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(world.ask_with(&[("Cookie", cookie)], "GET", "/v1/vehicles", None).0, 200);
    let body = json!({});
    let write = [("Cookie", cookie)];
    assert_eq!(world.ask_with(&write, "PUT", "/v1/vehicles/v", Some(&body)).0, 403, "no Origin");
    let origin = world.url("");
    let write = [("Cookie", cookie), ("Origin", origin.as_str())];
    assert_eq!(world.ask_with(&write, "PUT", "/v1/vehicles/v", Some(&body)).0, 201);
    assert_eq!(world.ask_with(&write, "DELETE", "/v1/session", None).0, 204);
    assert_eq!(world.ask_with(&[("Cookie", cookie)], "GET", "/v1/vehicles", None).0, 401);
    let statuses: Vec<u16> = (0..12).map(|_| login("mp_x_y").status().as_u16()).collect();
    assert_eq!((statuses[0], statuses[11]), (401, 429));
}

/// Every operation with ids that another tenant has: 404, but for a PUT, which makes one's own.
#[test]
fn another_tenants_ids_are_not_there() {
    let world = World::new("tenants");
    assert_eq!(world.ask("PUT", "/v1/vehicles/x", Some(&json!({}))).0, 201);
    assert_eq!(world.ask("PUT", "/v1/devices/x", Some(&json!({"vehicle": "x"}))).0, 201);
    let mut plan = plan("x");
    plan["stops"][0]["id"] = json!("x");
    plan["stops"][0]["order"] = json!("x");
    assert_eq!(world.ask("PUT", "/v1/routes/x", Some(&plan)).0, 201);
    let reroute = "0123456789abcdef0123456789abcdef";
    world.say("acme/x", &[position("acme/x", 1), flow::proposed(2, reroute)]);
    world.until(&format!("/v1/reroutes/{reroute}"), |status, _| status == 200);
    let other = world.key_of("other", Role::Admin);
    let mut asked = 0;
    for (method, path, _) in operations() {
        if !path.contains('{') || path.starts_with("/tiles/") {
            continue; // the map is everybody's
        }
        let id = if path.contains("/reroutes/") { reroute } else { "x" };
        let path = filled(&path, id);
        let body = match path.as_str() {
            "/v1/routes/x" => plan.clone(),
            _ => json!({}),
        };
        let body = (method == "PUT" || method == "POST").then_some(&body);
        let (status, json) = world.ask_as(&other, &method, &path, body);
        let expected = match (method.as_str(), path.as_str()) {
            ("PUT", "/v1/devices/x") => 409,
            ("PUT", "/v1/vehicles/x") => 201,
            // Its vehicle is one of the asker's own: it does not exist yet, or was just made.
            ("PUT", "/v1/routes/x") => {
                assert!(status == 422 || status == 201, "{status} {json}");
                continue;
            }
            _ if path.starts_with("/v1/vehicles/x") && made(&world, &other) => continue,
            _ if path.starts_with("/v1/routes/x") && routed(&world, &other) => continue,
            _ => 404,
        };
        assert_eq!(status, expected, "{method} {path}: {json}");
        asked += 1;
    }
    assert!(asked >= 10, "{asked} operations");
    for (path, name) in
        [("/v1/vehicles?bbox=-180,-90,180,90", "vehicles"), ("/v1/devices", "devices")]
    {
        assert_eq!(world.ask_as(&other, "GET", path, None).1[name], json!([]), "{path}");
    }
    assert_eq!(world.ask_as(&other, "GET", "/v1/events", None).1["events"], json!([]));
    assert_eq!(world.ask_as(&other, "GET", "/v1/reroutes", None).1["reroutes"], json!([]));
    assert_eq!(world.ask("GET", "/v1/routes/x", None).1["version"], 1, "untouched");
}

/// Whether the asker has meanwhile made a vehicle or route of that id itself.
fn made(world: &World, key: &str) -> bool {
    world.ask_as(key, "GET", "/v1/vehicles/x", None).0 == 200
}

fn routed(world: &World, key: &str) -> bool {
    world.ask_as(key, "GET", "/v1/routes/x", None).0 == 200
}

/// A log whose appends never end, and one that is full.
#[test]
fn a_write_the_log_does_not_take_is_503_and_counts_for_nothing() {
    struct Stuck(Arc<MemoryLog>);
    impl Log for Stuck {
        fn partitions(&self, topic: Topic) -> u32 {
            self.0.partitions(topic)
        }
        fn append(&self, _: Vec<ingest::log::NewRecord>) -> ingest::log::Appending {
            Box::pin(async { Err(ingest::log::LogError::Full("disk".into())) })
        }
        fn bounds(&self, t: Topic, p: u32) -> Result<ingest::log::Bounds, ingest::log::LogError> {
            self.0.bounds(t, p)
        }
        fn offset_at(
            &self,
            topic: Topic,
            partition: u32,
            time: Timestamp,
        ) -> Result<Option<u64>, ingest::log::LogError> {
            self.0.offset_at(topic, partition, time)
        }
        fn committed(
            &self,
            group: &str,
            topic: Topic,
            partition: u32,
        ) -> Result<Option<u64>, ingest::log::LogError> {
            self.0.committed(group, topic, partition)
        }
        fn reader(
            &self,
            topic: Topic,
            from: &[(u32, u64)],
        ) -> Result<Box<dyn ingest::log::Reader>, ingest::log::LogError> {
            self.0.reader(topic, from)
        }
        fn member(
            &self,
            group: &str,
            topic: Topic,
            owner: &str,
        ) -> Result<Box<dyn ingest::log::Member>, ingest::log::LogError> {
            self.0.member(group, topic, owner)
        }
    }
    let mut world = World::new("stuck");
    world.ask("PUT", "/v1/vehicles/van-1", Some(&json!({})));
    assert_eq!(world.ask("PUT", "/v1/routes/r1", Some(&plan("van-1"))).0, 201);
    world.stop();
    world.start_on(Arc::new(Stuck(Arc::clone(&world.log))));
    assert_eq!(world.ask("PUT", "/v1/routes/r1", Some(&plan("van-1"))).0, 503);
    assert_eq!(world.ask("GET", "/v1/routes/r1", None).1["version"], 1, "only what is on the log");
    assert!(world.api.as_ref().unwrap().ready().is_err());
    world.stop();
    world.start();
    let (status, json) = world.ask("PUT", "/v1/routes/r1", Some(&plan("van-1")));
    assert_eq!((status, &json["version"]), (200, &json!(3)), "version 2 is lost, never reused");
}
