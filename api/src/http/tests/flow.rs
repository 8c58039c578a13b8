//! A day: actions, arrivals, exceptions, proposals, moves, and what is told of them later.

use engine::model::output::EtaTimes;
use engine::model::{EtaOutput, Input, Proposal, StopEta, StopState};
use engine::record::InputRecord;
use ingest::id::{OrderId, RouteId, StopId};
use ingest::record::{Envelope, Pid};

use super::*;

/// A proposal of this id.
pub(super) fn proposed(seq: u64, id: &str) -> Output {
    let mut output = event(seq, EventKind::RerouteProposed);
    if let Said::Event(event) = &mut output.body {
        event.proposal = Some(Proposal {
            id: Pid(u128::from_str_radix(id, 16).unwrap()),
            stops: vec![StopId::new("s2").unwrap(), StopId::new("s1").unwrap()],
            gain_s: 300,
            seconds: 200,
            metres: 1_500.0,
            edges: vec![(1, 2, 3)],
        });
    }
    output
}

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

pub(super) fn eta(seq: u64, first: StopState, miss: Option<f64>) -> Output {
    let next = if first.is_done() { StopState::Next } else { StopState::Later };
    let stops = vec![line("s1", "o-1", first, miss), line("s2", "o-2", next, None)];
    let route = RouteId::new("r1").unwrap();
    Output {
        seq,
        body: Said::Eta(EtaOutput { route, version: 1, whole: true, stops, planned: Vec::new() }),
    }
}

fn late(seq: u64) -> Output {
    let mut output = event(seq, EventKind::PredictedLate);
    if let Said::Event(event) = &mut output.body {
        event.stop = Some(StopId::new("s1").unwrap());
        event.order = Some(OrderId::new("o-1").unwrap());
        event.route = Some(RouteId::new("r1").unwrap());
        event.expected_late_s = Some(600);
        event.cause = Some("slow traffic".into());
    }
    output
}

fn planned(name: &str) -> World {
    let world = World::new(name);
    for vehicle in ["van-1", "van-2"] {
        world.ask("PUT", &format!("/v1/vehicles/{vehicle}"), Some(&json!({})));
    }
    assert_eq!(world.ask("PUT", "/v1/routes/r1", Some(&plan("van-1"))).0, 201);
    world
}

fn told(world: &World) -> Vec<(String, Input)> {
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
fn a_delivery_is_told_from_plan_to_end() {
    let world = planned("delivery");
    let path = "/v1/deliveries/o-1";
    let json = world.ask("GET", path, None).1;
    assert_eq!((&json["status"], &json["stop"]), (&json!("planned"), &json!("s1")));
    assert_eq!(json["promise"]["from"], "2026-11-20T09:00:00.000Z");
    world.say("acme/van-1", &[position("acme/van-1", 1), eta(2, StopState::Next, Some(0.08))]);
    let json = world.until(path, |_, json| json["status"] == "on_the_way");
    assert_eq!((&json["stops_before"], &json["late_probability"]), (&json!(0), &json!(0.08)));
    assert_eq!(json["eta"]["p50"], "2026-11-20T09:00:00.000Z");
    let second = world.ask("GET", "/v1/deliveries/o-2", None).1;
    assert_eq!(second["stops_before"], 1);
    let route = world.ask("GET", "/v1/routes/r1", None).1;
    assert_eq!((&route["state"], &route["stops"][0]["state"]), (&json!("active"), &json!("next")));
    assert_eq!(route["stops"][0]["name"], "Rua 1");
    world.say("acme/van-1", &[eta(3, StopState::Completed, None)]);
    world.until(path, |_, json| json["status"] == "completed");
    world.until(path, |_, json| json["history"].as_array().is_some_and(|h| h.len() == 2));
    assert_eq!(world.ask("GET", "/v1/deliveries/o-9", None).0, 404);
}

#[test]
fn exceptions_come_by_cost_with_their_remedy() {
    let world = planned("exceptions");
    let reroute = "00000000000000000000000000000abc";
    let said = [
        position("acme/van-1", 1),
        eta(2, StopState::Next, Some(0.9)),
        late(3),
        proposed(4, reroute),
    ];
    world.say("acme/van-1", &said);
    world.say("acme/van-2", &[position("acme/van-2", 1), event(2, EventKind::NoSignal)]);
    let fits = |_, json: &Value| {
        json["exceptions"].as_array().is_some_and(|all| {
            all.len() == 2 && all[0]["remedies"].as_array().is_some_and(|all| !all.is_empty())
        })
    };
    let json = world.until("/v1/exceptions", fits);
    let worst = &json["exceptions"][0];
    assert_eq!((&worst["type"], &worst["cost"]), (&json!("predicted_late"), &json!(9.0)));
    assert_eq!(worst["cause"], "slow traffic");
    assert_eq!(worst["remedies"][0]["gain_s"], 300);
    assert_eq!(json["exceptions"][1]["type"], "no_signal");
    let page = world.ask("GET", "/v1/exceptions?limit=1", None).1;
    let path = format!("/v1/exceptions?after={}", page["next"].as_str().unwrap());
    assert_eq!(world.ask("GET", &path, None).1["exceptions"][0]["type"], "no_signal");

    assert_eq!(world.ask("GET", "/v1/reroutes", None).1["reroutes"][0]["id"], reroute);
    let path = format!("/v1/reroutes/{reroute}/accept");
    assert_eq!(world.ask("POST", &path, None).0, 202);
    let accepted = told(&world).into_iter().any(|(key, input)| {
        key == "acme/van-1"
            && matches!(&input, Input::Action(a)
                if a.deed == engine::model::Deed::AcceptReroute(Pid(0xabc)))
    });
    assert!(accepted);
    world.say("acme/van-1", &[event(5, EventKind::RerouteAccepted)]);
    world.until(&format!("/v1/reroutes/{reroute}"), |status, _| status == 404);
}

#[test]
fn actions_reach_the_vehicle_of_the_stop() {
    let world = planned("actions");
    let failed = json!({"action": "failed", "reason": "nobody_home"});
    assert_eq!(world.ask("POST", "/v1/stops/s1/actions", Some(&failed)).0, 202);
    assert_eq!(world.ask("POST", "/v1/routes/r1/activate", None).0, 202);
    let deeds: Vec<_> = told(&world)
        .into_iter()
        .filter_map(|(key, input)| match input {
            Input::Action(action) if key == "acme/van-1" => Some((action.deed, action.stop)),
            _ => None,
        })
        .collect();
    let failed = engine::model::Deed::Failed { reason: "nobody_home".into() };
    assert_eq!(deeds[0], (failed, Some(StopId::new("s1").unwrap())));
    assert_eq!(deeds[1], (engine::model::Deed::Activate, None));
    let wrong = json!({"action": "eaten"});
    assert_eq!(world.ask("POST", "/v1/stops/s1/actions", Some(&wrong)).0, 422);
    let mut other = plan("van-2");
    other["stops"][0]["order"] = json!("o-3");
    other["stops"][1]["order"] = json!("o-4");
    assert_eq!(world.ask("PUT", "/v1/routes/r2", Some(&other)).0, 201);
    let arrived = json!({"action": "arrived"});
    assert_eq!(world.ask("POST", "/v1/stops/s1/actions", Some(&arrived)).0, 409, "on two routes");
    let named = json!({"action": "arrived", "route": "r2"});
    assert_eq!(world.ask("POST", "/v1/stops/s1/actions", Some(&named)).1["route"], "r2");
}

#[test]
fn a_stop_moves_in_one_append_and_comes_back_when_too_late() {
    let world = planned("moves");
    let mut other = plan("van-2");
    other["stops"][0]["id"] = json!("t1");
    other["stops"][0]["order"] = json!("o-3");
    other["stops"].as_array_mut().unwrap().pop();
    assert_eq!(world.ask("PUT", "/v1/routes/r2", Some(&other)).0, 201);
    let body = json!({"to": "r2", "before": "t1"});
    let (status, json) = world.ask("POST", "/v1/routes/r1/stops/s2/move", Some(&body));
    assert_eq!(status, 200, "{json}");
    assert_eq!(json["from"]["stops"].as_array().unwrap().len(), 1);
    assert_eq!(json["to"]["stops"][0]["id"], "s2");
    let plans: Vec<_> = told(&world)
        .into_iter()
        .filter_map(|(_, input)| match input {
            Input::Plan { route, .. } if route.version == 2 => Some(*route),
            _ => None,
        })
        .collect();
    assert_eq!(plans.len(), 2);
    assert!(plans[0].transfer.is_some() && plans[0].transfer == plans[1].transfer);
    assert_eq!(plans.iter().map(|p| p.moved_away.len()).sum::<usize>(), 1);

    let mut late = event(1, EventKind::MovedTooLate);
    if let Said::Event(event) = &mut late.body {
        event.stop = Some(StopId::new("s2").unwrap());
        event.route = Some(RouteId::new("r1").unwrap());
    }
    world.say("acme/van-1", &[late]);
    let fits = |_, json: &Value| json["version"] == 3;
    let json = world.until("/v1/routes/r2", fits);
    assert_eq!(json["stops"].as_array().unwrap().len(), 1, "it was taken back");
}

#[test]
fn the_past_is_told_once_and_survives_a_restart() {
    let mut world = planned("history");
    let arrivals: Vec<Output> = (1..=25).map(|seq| event(seq, EventKind::Arrived)).collect();
    world.say("acme/van-1", &arrivals);
    let positions: Vec<Output> = (1..=20).map(|seq| position("acme/van-2", seq)).collect();
    world.say("acme/van-2", &positions);
    world.until("/v1/events", |_, json| json["events"].as_array().is_some_and(|e| e.len() == 25));
    let track = "/v1/vehicles/van-2/track?from=2026-11-20T08:00:05Z&to=2026-11-20T08:00:14Z";
    let points = |json: &Value| {
        json["features"][0]["geometry"]["coordinates"].as_array().map_or(0, Vec::len)
    };
    world.until(track, |_, json| points(json) == 10);
    world.stop();
    world.start();
    world.until(track, |_, json| points(json) == 10);
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = world.ask("GET", &format!("/v1/events?limit=10{after}"), None).1;
        let events = page["events"].as_array().unwrap().clone();
        if events.is_empty() {
            break;
        }
        seen.extend(events.iter().map(|event| event["seq"].as_u64().unwrap()));
        after = format!("&after={}", page["next"].as_str().unwrap());
    }
    assert_eq!(seen, (1..=25).collect::<Vec<_>>());
    let auth = format!("Bearer {}", world.key);
    let headers = [("Authorization", auth.as_str()), ("Accept", "application/x-ndjson")];
    let lines = world.raw(&headers, "GET", track, None).1;
    assert_eq!(lines.lines().count(), 10);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["seq"], &first["speed_mps"]), (&json!(5), &json!(8.4)));
}
