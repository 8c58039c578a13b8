//! Customers' links over a socket: made, opened, followed, answered, ended.

use std::io::{BufRead, BufReader};

use engine::model::output::EtaTimes;
use engine::model::{EtaOutput, StopEta, StopState};
use ingest::id::{OrderId, RouteId, StopId};

use super::*;

fn line(stop: &str, order: &str, state: StopState, miss: Option<f64>) -> StopEta {
    let at = |minutes: i64| Timestamp::from_seconds(START + minutes * 60);
    StopEta {
        stop: StopId::new(stop).unwrap(),
        order: OrderId::new(order).unwrap(),
        state,
        times: (!state.is_done()).then(|| EtaTimes { p10: at(50), p50: at(60), p90: at(75) }),
        metres: (!state.is_done()).then_some(5_000.0),
        miss,
        moved_s: 0,
        causes: Vec::new(),
    }
}

fn eta(seq: u64, states: [StopState; 2], miss: Option<f64>) -> Output {
    let stops = vec![line("s1", "o-1", states[0], None), line("s2", "o-2", states[1], miss)];
    let route = RouteId::new("r1").unwrap();
    Output {
        seq,
        body: Said::Eta(EtaOutput { route, version: 1, whole: true, stops, planned: Vec::new() }),
    }
}

/// A vehicle on its route, and a link to its second order.
fn linked(name: &str) -> (World, Value) {
    let world = World::new(name);
    assert_eq!(world.ask("PUT", "/v1/vehicles/van-1", Some(&json!({"name": "Van 1"}))).0, 201);
    let mut plan = plan("van-1");
    plan["stops"][1]["window"] =
        json!({"from": "2026-11-20T09:30:00Z", "to": "2026-11-20T09:50:00Z"});
    assert_eq!(world.ask("PUT", "/v1/routes/r1", Some(&plan)).0, 201);
    let (status, link) = world.ask("POST", "/v1/links", Some(&json!({"order": "o-2"})));
    assert_eq!(status, 201, "{link}");
    (world, link)
}

fn page(world: &World, link: &Value) -> String {
    let (status, text, _) = world.raw(&[], "GET", link["url"].as_str().unwrap(), None);
    assert_eq!(status, 200, "{text}");
    text
}

fn path(link: &Value, end: &str) -> String {
    format!("{}{end}", link["url"].as_str().unwrap())
}

#[test]
fn a_customer_sees_the_vehicle_when_their_stop_is_next_and_nothing_of_others() {
    let (world, link) = linked("customer");
    let json = path(&link, ".json");
    let planned = world.ask_with(&[], "GET", &json, None);
    assert_eq!((planned.0, &planned.1["state"]), (200, &json!("planned")));
    assert_eq!(planned.1["promise"]["to"], "2026-11-20T09:50:00.000Z");

    let on_the_way = eta(2, [StopState::Next, StopState::Later], Some(0.1));
    world.say("acme/van-1", &[position("acme/van-1", 1), on_the_way]);
    let out = world.until(&json, |_, json| json["state"] == "on_the_way");
    for hidden in ["vehicle", "route", "metres", "stops_before", "name"] {
        assert!(out[hidden].is_null(), "{hidden}: {out}");
    }
    assert!(out["eta"]["from"].is_string());
    let html = page(&world, &link);
    assert!(html.contains("Out for delivery") && html.contains("appears here when you are next"));
    assert!(!html.contains("id=\"van\""));

    world.say("acme/van-1", &[eta(3, [StopState::Completed, StopState::Next], Some(0.9))]);
    let out = world.until(&json, |_, json| json["state"] == "next");
    assert_eq!(out["vehicle"]["lat"], 41.15);
    assert_eq!((&out["status"], &out["stops_before"]), (&json!("late"), &json!(0)));
    let html = page(&world, &link);
    assert!(html.contains("id=\"van\"") && html.contains("You are the next stop."));
    assert!(html.contains("We promised") && html.contains("We are sorry"), "told first");
    assert!(html.contains("Does the new time suit you?"));
    let body = html.split("</style>").nth(1).unwrap().split("<script").next().unwrap();
    for text in [body, &out.to_string()] {
        for other in ["o-1", "s1", "Rua 1", "41.151", "r1", "dev-van-1"] {
            assert!(!text.contains(other), "{other} of another customer in {text}");
        }
    }
    let german = world.raw(&[("Accept-Language", "de")], "GET", &path(&link, ""), None).1;
    assert!(german.contains("lang=\"de\"") && german.contains("Später als zugesagt"));
    let arabic = world.raw(&[], "GET", &path(&link, "?lang=ar"), None).1;
    assert!(arabic.contains("dir=\"rtl\""));

    world.say("acme/van-1", &[eta(4, [StopState::Completed, StopState::Completed], None)]);
    let out = world.until(&json, |_, json| json["state"] == "delivered");
    for hidden in ["vehicle", "route", "metres", "eta", "promise", "name"] {
        assert!(out[hidden].is_null(), "{hidden}: {out}");
    }
    assert!(page(&world, &link).contains("How was it?"));
}

#[test]
fn what_a_customer_says_reaches_the_dispatcher() {
    let (world, link) = linked("said");
    let sent = json!({"text": " Side door, <ring> twice ", "answer": "safe_place"});
    let instructions = path(&link, "/instructions");
    assert_eq!(world.ask_with(&[], "POST", &instructions, Some(&sent)).0, 204);
    let out = world.ask("GET", "/v1/deliveries/o-2", None).1;
    assert_eq!(out["instructions"]["text"], "Side door, <ring> twice");
    assert_eq!(out["instructions"]["answer"], "safe_place");
    assert!(page(&world, &link).contains("Side door, &lt;ring&gt; twice"));
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let form = [("rating", "5"), ("comment", "Thanks")];
    let answer = agent.post(world.url(&path(&link, "/feedback"))).send_form(form).unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"].to_str().unwrap(), link["url"]);
    let out = world.ask("GET", "/v1/deliveries/o-2", None).1;
    assert_eq!(
        (&out["feedback"]["rating"], &out["feedback"]["comment"]),
        (&json!(5), &json!("Thanks"))
    );
    assert!(world.ask("GET", "/v1/deliveries/o-1", None).1["feedback"].is_null());
    for (end, wrong) in [
        ("/instructions", json!({"answer": "never"})),
        ("/instructions", json!({})),
        ("/instructions", json!({"text": "x".repeat(1_001)})),
        ("/feedback", json!({"rating": 6})),
        ("/feedback", json!({})),
        ("/feedback", json!({"stars": 5})),
    ] {
        assert_eq!(world.ask_with(&[], "POST", &path(&link, end), Some(&wrong)).0, 422, "{wrong}");
    }
}

#[test]
fn unknown_early_expired_and_revoked_tokens_are_the_same_404() {
    let (world, link) = linked("tokens");
    let make = |body: Value| world.ask("POST", "/v1/links", Some(&body));
    let early = make(json!({"order": "o-2", "not_before": "2026-11-21T08:00:00Z"})).1;
    let short = make(json!({"order": "o-2", "expires_at": "2026-11-20T08:00:03Z"})).1;
    let revoked = make(json!({"order": "o-2"})).1;
    let id = format!("/v1/links/{}", revoked["id"].as_str().unwrap());
    let other = world.key_of("other", Role::Admin);
    assert_eq!(world.ask_as(&other, "DELETE", &id, None).0, 404);
    assert_eq!(world.ask_as(&other, "GET", &id, None).0, 404);
    assert_eq!(world.ask_as(&other, "GET", "/v1/links", None).1["links"], json!([]));
    assert_eq!(world.ask_with(&[], "GET", &path(&revoked, ""), None).0, 200);
    assert_eq!(world.ask("DELETE", &id, None).0, 204);
    assert_eq!(world.ask("GET", &id, None).1["revoked"], true);
    while world.raw(&[], "GET", &path(&short, ".json"), None).0 == 200 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let unknown = json!({"url": "/t/00000000000000000000000000000000"});
    let odd = json!({"url": "/t/x"});
    for end in ["", ".json", "/stream"] {
        let known = |link: &Value| world.raw(&[], "GET", &path(link, end), None);
        let nonce = |text: &str| {
            text.split("nonce=\"").nth(1).map(|t| t.chars().take(32).collect::<String>())
        };
        let plain = |(status, text, _): (u16, String, Option<String>)| {
            let own = nonce(&text).unwrap_or_default();
            (status, if own.is_empty() { text } else { text.replace(&own, "") })
        };
        let first = plain(known(&unknown));
        assert_eq!(first.0, 404, "{}", first.1);
        for link in [&early, &short, &revoked, &odd] {
            assert_eq!(plain(known(link)), first, "{end}");
        }
    }
    assert_eq!(world.ask_with(&[], "GET", &path(&link, ""), None).0, 200, "one stays");
    let listed = world.ask("GET", "/v1/links?order=o-2", None).1;
    assert_eq!(listed["links"].as_array().unwrap().len(), 4);
    assert!(!listed.to_string().contains("token"), "only its hash is kept");
    let statuses: Vec<u16> =
        (0..40).map(|_| world.raw(&[], "GET", &path(&unknown, ""), None).0).collect();
    assert_eq!((statuses[0], statuses[39]), (404, 429), "guesses are limited");
}

#[test]
fn links_are_checked_and_counted() {
    let (world, link) = linked("links");
    let wrong = [
        (json!({"order": "o-9"}), "order"),
        (json!({"order": "o-2", "expires_at": "soon"}), "expires_at"),
        (json!({"order": "o-2", "expires_at": "2026-11-20T07:00:00Z"}), "expires_at"),
        (json!({"order": "o-2", "expires_at": "2029-11-20T07:00:00Z"}), "expires_at"),
        (json!({"order": "o-2", "policy": {"vehicle": {}}}), "policy.vehicle"),
    ];
    for (body, field) in wrong {
        let (status, json) = world.ask("POST", "/v1/links", Some(&body));
        assert_eq!((status, &json["field"]), (422, &json!(field)), "{body}");
    }
    let id = format!("/v1/links/{}", link["id"].as_str().unwrap());
    page(&world, &link);
    world.until(&id, |_, json| json["opened"] == 1);
    for _ in 1..16 {
        assert_eq!(world.ask("POST", "/v1/links", Some(&json!({"order": "o-2"}))).0, 201);
    }
    assert_eq!(world.ask("POST", "/v1/links", Some(&json!({"order": "o-2"}))).0, 409);
}

#[test]
fn a_stream_tells_what_changes_and_ends_with_its_link() {
    let (world, link) = linked("watching");
    world.say("acme/van-1", &[eta(1, [StopState::Next, StopState::Later], None)]);
    world.until(&path(&link, ".json"), |_, json| json["state"] == "on_the_way");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_recv_body(Some(Duration::from_secs(20)))
        .build()
        .into();
    let body = agent.get(world.url(&path(&link, "/stream"))).call().unwrap().into_body();
    let mut lines = BufReader::new(body.into_reader()).lines().map_while(Result::ok);
    let mut frame = || {
        let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
        serde_json::from_str::<Value>(&data.unwrap()).unwrap()
    };
    let first = frame();
    assert_eq!(first["parts"]["stage"], "on_the_way");
    assert!(!first.to_string().contains("id=\\\"van\\\""));
    let next = eta(3, [StopState::Completed, StopState::Next], None);
    world.say("acme/van-1", &[position("acme/van-1", 2), next]);
    let mut now = frame();
    while now["parts"]["stage"] != "next" {
        now = frame();
    }
    assert!(now.to_string().contains("id=\\\"van\\\""));
}
