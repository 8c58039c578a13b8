//! Webhooks and the outbox, with receivers that behave and receivers that do not.

use std::sync::atomic::{AtomicUsize, Ordering};

use engine::model::EventKind;
use ingest::id::{OrderId, RouteId, StopId};
use ingest::log::{Appending, Bounds, LogError, Member, NewRecord, Reader, Record};

use super::receiver::{Answer, Receiver};
use super::*;
use crate::message;

/// A world whose webhooks may go to this machine.
fn world(name: &str) -> World {
    let mut world = World::new(name);
    world.stop();
    world.messages = message::Settings { allow_private: true, ..Default::default() };
    world.start();
    world
}

/// Makes a webhook; its id and secret.
fn hook(world: &World, url: &str, events: &[&str]) -> (String, String) {
    let body = json!({"url": url, "events": events});
    let (status, json) = world.ask("POST", "/v1/webhooks", Some(&body));
    assert_eq!(status, 201, "{json}");
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

/// Something of stop `s1` of route `r1`, or of another.
fn of_stop(seq: u64, kind: EventKind, stop: &str) -> Output {
    let mut output = event(seq, kind);
    if let Said::Event(event) = &mut output.body {
        event.route = Some(RouteId::new("r1").unwrap());
        event.stop = Some(StopId::new(stop).unwrap());
        event.order = Some(OrderId::new(&format!("o-{stop}")).unwrap());
        event.expected_late_s = (kind == EventKind::PredictedLate).then_some(780);
    }
    output
}

fn deliveries(world: &World, hook: &str) -> Vec<Value> {
    let (status, json) = world.ask("GET", &format!("/v1/webhooks/{hook}/deliveries"), None);
    assert_eq!(status, 200, "{json}");
    json["deliveries"].as_array().unwrap().clone()
}

/// Waits until a delivery of the webhook fits.
#[track_caller]
fn until(world: &World, hook: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/v1/webhooks/{hook}/deliveries");
    let found = |json: &Value| json["deliveries"].as_array()?.iter().find(|d| fits(d)).cloned();
    found(&world.until(&path, |_, json| found(json).is_some())).unwrap()
}

#[test]
fn a_message_is_sent_under_one_id_until_it_arrives() {
    let world = world("webhook-retries");
    let fails = |n| if n < 3 { Answer::Status(500) } else { Answer::Status(200) };
    let receiver = Receiver::new(fails);
    let (id, secret) = hook(&world, &receiver.url, &["predicted_late"]);
    world.say(
        "acme/van-1",
        &[of_stop(1, EventKind::PredictedLate, "s1"), event(2, EventKind::NoSignal)],
    );
    for tries in 1..=4 {
        receiver.wait_for(tries);
        if tries < 4 {
            let tried = until(&world, &id, |d| d["tries"] == tries as u64);
            assert_eq!(
                (&tried["state"], &tried["error"]),
                (&json!("failed"), &json!("answered 500"))
            );
        }
        world.ahead.fetch_add(1_000, Ordering::Relaxed);
    }
    until(&world, &id, |d| d["state"] == "sent" && d["tries"] == 4);
    let got = receiver.got();
    assert_eq!(got.len(), 4, "one event, told until it arrived");
    let ids: std::collections::BTreeSet<_> = got.iter().map(|g| &g.headers["webhook-id"]).collect();
    assert_eq!(ids.len(), 1);
    let other = standardwebhooks::Webhook::new(&secret).unwrap();
    for got in &got {
        let (id, at) = (&got.headers["webhook-id"], &got.headers["webhook-timestamp"]);
        let expected = other.sign(id, at.parse().unwrap(), got.body.as_bytes()).unwrap();
        assert_eq!(got.headers["webhook-signature"], expected);
    }
    let body: Value = serde_json::from_str(&got[3].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["order"]), (&json!("predicted_late"), &json!("o-s1")));
    let told = world.ask("GET", "/v1/messages", None).1;
    assert_eq!(told["messages"].as_array().unwrap().len(), 1);
    assert_eq!(told["messages"][0]["state"], "sent");
}

#[test]
fn what_is_never_taken_is_dead_after_a_day_and_may_be_replayed() {
    let world = world("webhook-dead");
    let well = Arc::new(AtomicUsize::new(0));
    let healed = Arc::clone(&well);
    let answer =
        move |_| Answer::Status(if healed.load(Ordering::Relaxed) > 0 { 204 } else { 503 });
    let receiver = Receiver::new(answer);
    let (id, _) = hook(&world, &receiver.url, &["*"]);
    let test = world.ask("POST", &format!("/v1/webhooks/{id}/test"), None);
    assert_eq!(test.0, 202);
    for tries in 1..=message::sender::RETRY_S.len() + 1 {
        until(&world, &id, |d| d["tries"] == tries as u64);
        world.ahead.fetch_add(30_000, Ordering::Relaxed);
    }
    let dead = until(&world, &id, |d| d["state"] == "dead");
    assert_eq!((&dead["id"], &dead["event"]), (&test.1["id"], &json!("test")));
    well.store(1, Ordering::Relaxed);
    let replay = format!("/v1/webhooks/{id}/deliveries/{}/replay", dead["id"].as_str().unwrap());
    assert_eq!(world.ask("POST", &replay, None).0, 202);
    until(&world, &id, |d| d["state"] == "sent" && d["id"] == dead["id"]);
    let got = receiver.got();
    assert_eq!(got[0].headers["webhook-id"], got[got.len() - 1].headers["webhook-id"]);
}

#[test]
fn a_receiver_that_hangs_delays_nobody_else() {
    let world = world("webhook-hangs");
    let (hangs, good) =
        (Receiver::new(|_| Answer::Silence), Receiver::new(|_| Answer::Status(200)));
    let (slow, _) = hook(&world, &hangs.url, &["arrived"]);
    hook(&world, &good.url, &["arrived"]);
    let arrivals: Vec<Output> =
        (1..=30).map(|n| of_stop(n, EventKind::Arrived, &format!("s{n}"))).collect();
    world.say("acme/van-1", &arrivals);
    assert_eq!(good.wait_for(30).len(), 30);
    assert!(hangs.got().len() <= 2, "at most two on their way");
    assert!(deliveries(&world, &slow).iter().all(|d| d["state"] != "sent"));
}

#[test]
fn redirects_are_not_followed_and_a_flood_is_not_read() {
    let world = world("webhook-hostile");
    let inner = Receiver::new(|_| Answer::Status(200));
    let inward = inner.url.clone();
    let away = Receiver::new(move |_| Answer::Elsewhere(inward.clone()));
    let flood = Receiver::new(|_| Answer::Flood);
    let (redirecting, _) = hook(&world, &away.url, &["arrived"]);
    let (flooding, _) = hook(&world, &flood.url, &["arrived"]);
    world.say("acme/van-1", &[of_stop(1, EventKind::Arrived, "s1")]);
    let tried = until(&world, &redirecting, |d| d["tries"] == 1);
    assert!(tried["error"].as_str().unwrap().contains("302"), "{tried}");
    until(&world, &flooding, |d| d["state"] == "sent");
    assert!(inner.got().is_empty());
}

#[test]
fn private_addresses_are_refused_when_configured_and_when_connected_to() {
    let mut world = world("webhook-private");
    let receiver = Receiver::new(|_| Answer::Status(200));
    let (id, _) = hook(&world, &receiver.url, &["arrived"]);
    world.stop();
    world.messages = message::Settings::default();
    world.start();
    for url in [
        receiver.url.as_str(),
        "http://localhost:1/",
        "http://[::ffff:10.0.0.1]/",
        "ftp://x/",
        "http://user@example.org/",
        "nothing",
    ] {
        let body = json!({"url": url, "events": ["arrived"]});
        let (status, json) = world.ask("POST", "/v1/webhooks", Some(&body));
        assert_eq!((status, &json["field"]), (422, &json!("url")), "{url}");
    }
    let body = json!({"url": "https://example.org/", "events": ["arived"]});
    let (status, json) = world.ask("POST", "/v1/webhooks", Some(&body));
    assert_eq!(
        (status, &json["field"], &json["value"]),
        (422, &json!("events[0]"), &json!("arived"))
    );
    world.say("acme/van-1", &[of_stop(1, EventKind::Arrived, "s1")]);
    let refused = until(&world, &id, |d| d["state"] == "dead");
    assert!(refused["error"].as_str().unwrap().contains("private"), "{refused}");
    assert!(receiver.got().is_empty());
}

#[test]
fn one_message_per_condition_and_none_of_old_events() {
    let world = world("webhook-conditions");
    let receiver = Receiver::new(|_| Answer::Status(200));
    hook(&world, &receiver.url, &["*"]);
    let (late, back) = (EventKind::PredictedLate, EventKind::BackOnTime);
    world.say(
        "acme/van-1",
        &[
            of_stop(1, back, "s1"),
            of_stop(2, late, "s1"),
            of_stop(3, late, "s1"),
            of_stop(4, back, "s1"),
            of_stop(5, back, "s1"),
            of_stop(6, late, "s1"),
            of_stop(7, EventKind::Arrived, "s1"),
            of_stop(8, EventKind::Arrived, "s1"),
            of_stop(9, EventKind::Completed, "s1"),
            event(10, EventKind::NoSignal),
        ],
    );
    let got = receiver.wait_for(6);
    let mut told: Vec<(u64, String)> = got
        .iter()
        .map(|g| serde_json::from_str::<Value>(&g.body).unwrap())
        .map(|b| (b["data"]["seq"].as_u64().unwrap(), b["type"].as_str().unwrap().to_owned()))
        .collect();
    told.sort();
    let seqs: Vec<u64> = told.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [2, 4, 6, 7, 9, 10], "{told:?}");

    world.ahead.fetch_add(3_600, Ordering::Relaxed);
    world.say("acme/van-1", &[of_stop(11, EventKind::Arrived, "s2")]);
    let metrics = &world.api.as_ref().unwrap().app.metrics;
    for _ in 0..500 {
        if metrics.messages_old.get() == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(metrics.messages_old.get(), 1);
    assert_eq!(receiver.got().len(), 6);
}

#[test]
fn a_rotated_secret_signs_beside_the_new_one_for_a_day() {
    let world = world("webhook-secrets");
    let receiver = Receiver::new(|_| Answer::Status(200));
    let (id, old) = hook(&world, &receiver.url, &["*"]);
    let rotated = world.ask("POST", &format!("/v1/webhooks/{id}/secret"), None).1;
    let new = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    let (_, shown) = world.ask("GET", &format!("/v1/webhooks/{id}"), None);
    assert!(shown["secret"].is_null(), "shown once");
    let test = format!("/v1/webhooks/{id}/test");
    let signed = |n: usize| {
        assert_eq!(world.ask("POST", &test, None).0, 202);
        let got = receiver.wait_for(n)[n - 1].clone();
        let by = |secret: &str| {
            let other = standardwebhooks::Webhook::new(secret).unwrap();
            let at = got.headers["webhook-timestamp"].parse().unwrap();
            let mark = other.sign(&got.headers["webhook-id"], at, got.body.as_bytes()).unwrap();
            got.headers["webhook-signature"].split(' ').any(|s| s == mark)
        };
        (by(&new), by(&old))
    };
    assert_eq!(signed(1), (true, true));
    world.ahead.fetch_add(90_000, Ordering::Relaxed);
    assert_eq!(signed(2), (true, false));
}

#[test]
fn webhooks_and_messages_are_their_tenants_alone() {
    let world = world("webhook-tenants");
    let receiver = Receiver::new(|_| Answer::Status(200));
    let (id, _) = hook(&world, &receiver.url, &["*"]);
    world.say("acme/van-1", &[of_stop(1, EventKind::Arrived, "s1")]);
    world.say("other/van-1", &[of_stop(1, EventKind::Arrived, "s1")]);
    let sent = until(&world, &id, |d| d["state"] == "sent");
    let other = world.key_of("other", Role::Admin);
    let delivery = sent["id"].as_str().unwrap();
    let body = json!({"url": "https://example.org/", "events": ["*"]});
    for (method, path, body) in [
        ("GET", format!("/v1/webhooks/{id}"), None),
        ("PUT", format!("/v1/webhooks/{id}"), Some(&body)),
        ("DELETE", format!("/v1/webhooks/{id}"), None),
        ("POST", format!("/v1/webhooks/{id}/test"), None),
        ("POST", format!("/v1/webhooks/{id}/secret"), None),
        ("GET", format!("/v1/webhooks/{id}/deliveries"), None),
        ("POST", format!("/v1/webhooks/{id}/deliveries/{delivery}/replay"), None),
    ] {
        assert_eq!(world.ask_as(&other, method, &path, body).0, 404, "{method} {path}");
    }
    assert_eq!(world.ask_as(&other, "GET", "/v1/webhooks", None).1["webhooks"], json!([]));
    assert_eq!(world.ask_as(&other, "GET", "/v1/messages", None).1["messages"], json!([]));
    assert_eq!(receiver.got().len(), 1, "the other tenant's arrival is told to nobody");
    let (status, json) = world.ask("PUT", &format!("/v1/webhooks/{id}"), Some(&body));
    assert_eq!((status, &json["version"]), (200, &json!(2)));
    assert_eq!(world.ask("DELETE", &format!("/v1/webhooks/{id}"), None).0, 204);
    assert_eq!(world.ask("GET", &format!("/v1/webhooks/{id}"), None).0, 404);
}

/// A log whose readers break off after each few polls, with what the last one brought lost.
struct Broken(Arc<MemoryLog>, Arc<AtomicUsize>);

struct BrokenReader(Box<dyn Reader>, Arc<AtomicUsize>);

impl Reader for BrokenReader {
    fn poll(&mut self, max_bytes: usize, _: Duration) -> Result<Vec<Record>, LogError> {
        let records = self.0.poll(max_bytes.min(512), Duration::from_millis(5))?;
        if !records.is_empty() && self.1.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            return Err(LogError::Full("cut off after the poll".into()));
        }
        Ok(records)
    }
    fn position(&self, partition: u32) -> Option<u64> {
        self.0.position(partition)
    }
}

impl Log for Broken {
    fn partitions(&self, topic: Topic) -> u32 {
        self.0.partitions(topic)
    }
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        self.0.append(records)
    }
    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.0.bounds(topic, partition)
    }
    fn offset_at(
        &self,
        topic: Topic,
        partition: u32,
        time: Timestamp,
    ) -> Result<Option<u64>, LogError> {
        self.0.offset_at(topic, partition, time)
    }
    fn committed(&self, group: &str, topic: Topic, p: u32) -> Result<Option<u64>, LogError> {
        self.0.committed(group, topic, p)
    }
    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        let reader = self.0.reader(topic, from)?;
        let broken = topic == Topic::Outputs;
        let polls = Arc::clone(&self.1);
        Ok(if broken { Box::new(BrokenReader(reader, polls)) } else { reader })
    }
    fn member(&self, group: &str, topic: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        self.0.member(group, topic, owner)
    }
}

/// Cut off between poll and commit, or stopped and started: each event is told once.
#[test]
fn nothing_is_lost_or_told_twice_when_the_outbox_is_cut_off() {
    let mut world = world("webhook-cut-off");
    let receiver = Receiver::new(|_| Answer::Status(200));
    hook(&world, &receiver.url, &["arrived"]);
    let (mut seq, polls) = (0, Arc::new(AtomicUsize::new(0)));
    for _ in 0..4 {
        world.stop();
        let arrivals = |from: u64| -> Vec<Output> {
            let stop = |n: u64| of_stop(n, EventKind::Arrived, &format!("s{n}"));
            (from + 1..=from + 10).map(stop).collect()
        };
        world.say("acme/van-1", &arrivals(seq));
        world.start_on(Arc::new(Broken(Arc::clone(&world.log), Arc::clone(&polls))));
        world.say("acme/van-1", &arrivals(seq + 10));
        seq += 20;
    }
    receiver.wait_for(seq as usize);
    let told: std::collections::BTreeSet<String> =
        receiver.got().iter().map(|g| g.headers["webhook-id"].clone()).collect();
    assert_eq!(told.len(), seq as usize);
    let (_, json) = world.ask("GET", "/v1/messages?limit=1000", None);
    assert_eq!(json["messages"].as_array().unwrap().len(), seq as usize);
    assert!(polls.load(Ordering::Relaxed) > 2, "it was cut off");
}
