//! What customers are told by mail, when, and in which words.

use std::sync::atomic::Ordering;

use engine::model::{EventKind, StopState};
use ingest::id::{OrderId, RouteId, StopId};

use super::flow::eta;
use super::mailbox::Mailbox;
use super::receiver::{Answer, Receiver};
use super::*;
use crate::message::{MailSettings, Settings as Messages};

/// A world whose mail goes to a mailbox, with a route whose customers can be told.
fn world(name: &str, smtp: Option<&str>, contacts: &[Value]) -> World {
    let mut world = World::new(name);
    world.stop();
    world.messages = Messages {
        allow_private: true,
        mail: MailSettings {
            smtp: smtp.map(str::to_owned),
            from: "Milepost <post@example.org>".to_owned(),
            page: Some("https://track.example.org".to_owned()),
        },
    };
    world.start();
    assert_eq!(world.ask("PUT", "/v1/vehicles/van-1", Some(&json!({}))).0, 201);
    let mut plan = plan("van-1");
    for (n, contact) in contacts.iter().enumerate() {
        plan["stops"][n]["contact"] = contact.clone();
    }
    let (status, json) = world.ask("PUT", "/v1/routes/r1", Some(&plan));
    assert_eq!(status, 201, "{json}");
    assert!(!json.to_string().contains("example.com"), "shown with the delivery alone");
    world
}

/// Something of a stop (`s1` or `s2`) of the route.
fn of_stop(seq: u64, kind: EventKind, stop: &str) -> Output {
    let mut output = event(seq, kind);
    if let Said::Event(event) = &mut output.body {
        event.at = Timestamp::from_seconds(START + 5 * 3_600);
        event.route = Some(RouteId::new("r1").unwrap());
        event.stop = Some(StopId::new(stop).unwrap());
        event.order = Some(OrderId::new(&stop.replace('s', "o-")).unwrap());
        event.expected_late_s = (kind == EventKind::PredictedLate).then_some(780);
        event.cause = (kind == EventKind::PredictedLate)
            .then(|| "slow traffic on Rua\r\nBcc: x@y.z".to_owned());
    }
    output
}

/// 13:00 of the route's day, which is no quiet hour.
fn noon(world: &World) {
    world.ahead.store(5 * 3_600, Ordering::Relaxed);
}

fn messages(world: &World) -> Vec<Value> {
    world.ask("GET", "/v1/messages", None).1["messages"].as_array().unwrap().clone()
}

fn told(world: &World, count: usize) -> Vec<Value> {
    world.until("/v1/messages", |_, json| {
        let all = json["messages"].as_array().unwrap();
        all.len() >= count && all.iter().all(|m| m["state"] != "waiting" && m["tries"] == 1)
    });
    messages(world)
}

#[test]
fn each_customer_is_told_once_in_their_language() {
    let mailbox = Mailbox::new();
    let contacts = [
        json!({"email": "ana@example.com", "language": "de-AT", "name": "Ana\r\nBcc: x@y.z"}),
        json!({"email": "omar@example.com", "language": "ar"}),
    ];
    let world = world("mail-languages", Some(&mailbox.url), &contacts);
    noon(&world);
    let late = EventKind::PredictedLate;
    world.say(
        "acme/van-1",
        &[
            of_stop(1, EventKind::BackOnTime, "s1"),
            of_stop(2, late, "s1"),
            of_stop(3, late, "s1"),
            of_stop(4, EventKind::BackOnTime, "s1"),
            of_stop(5, late, "s1"),
            of_stop(6, EventKind::Completed, "s2"),
            event(7, EventKind::NoSignal),
        ],
    );
    let mails = mailbox.wait_for(3);
    let told = told(&world, 3);
    assert_eq!((mails.len(), told.len()), (3, 3), "{told:?}");
    let of = |event: &str| told.iter().find(|m| m["event"] == event).unwrap();
    let text = |event: &str| of(event)["text"].as_str().unwrap();
    assert!(
        text("predicted_late").starts_with("Guten Tag Ana  Bcc: x@y.z,\n\n"),
        "{}",
        of("predicted_late")
    );
    assert!(text("predicted_late").contains("zwischen 09:00 und 10:00 Uhr"), "Lisbon's clock");
    let why = "Der Grund: auf der Strecke Rua  Bcc: x@y.z ist der Verkehr langsamer als sonst.";
    assert!(text("predicted_late").contains(why), "{}", text("predicted_late"));
    assert!(text("back_on_time").contains("doch wie versprochen"));
    assert!(text("completed").contains("تم تسليم طلبك o-2"), "{}", text("completed"));
    assert!(of("completed")["html"].as_str().unwrap().contains("dir=\"rtl\""));
    let link = |m: &Value| m["text"].as_str().unwrap().contains("https://track.example.org/t/");
    assert!(told.iter().all(link), "to their page");
    for mail in &mails {
        let head = mail.text.split("\n\n").next().unwrap();
        assert!(!head.contains("Bcc"), "{head}");
        assert!(head.contains("List-Unsubscribe: <https://track.example.org/o/"), "{head}");
        assert!(head.contains("From: Milepost <post@example.org>"), "{head}");
    }
    let delivery = world.ask("GET", "/v1/deliveries/o-1", None).1;
    assert_eq!(delivery["contact"]["email"], "ana@example.com");
    let viewer = world.key_of("acme", Role::Viewer);
    let (status, seen) = world.ask_as(&viewer, "GET", "/v1/deliveries/o-1", None);
    assert_eq!((status, &seen["contact"]), (200, &Value::Null));
    for record in world.records(Topic::Inputs) {
        let bytes = record.value.unwrap();
        assert!(!bytes.windows(11).any(|w| w == b"example.com"), "never on the log");
    }
}

#[test]
fn a_dispatcher_tells_whom_an_exception_makes_late_once() {
    let mailbox = Mailbox::new();
    let contacts = [json!({"email": "ana@example.com", "language": "pt"})];
    let world = world("mail-by-hand", Some(&mailbox.url), &contacts);
    let late = eta(2, StopState::Next, Some(0.8));
    let silent = event(3, EventKind::NoSignal);
    world.say("acme/van-1", &[position("acme/van-1", 1), late, silent]);
    let list = world.until("/v1/exceptions", |_, json| json["exceptions"][0]["id"].is_string());
    let path = format!("/v1/exceptions/{}/tell", list["exceptions"][0]["id"].as_str().unwrap());
    let state = || world.ask("GET", &path, None).1["customers"].clone();
    assert_eq!(state(), json!([{"order": "o-1", "stop": "s1", "state": "untold"}]));
    let tell = || world.ask("POST", &path, None);

    assert_eq!(tell().1["messages"], 1);
    assert_eq!(state()[0]["state"], "told");
    assert_eq!(tell().1["messages"], 0, "told twice");
    assert_eq!(world.ask("DELETE", &path, None).0, 204);
    assert_eq!((state()[0]["state"].clone(), messages(&world).len()), (json!("untold"), 0));

    assert_eq!(tell().1["messages"], 1);
    assert_eq!(mailbox.got().len(), 0, "it leaves when nobody can take it back any more");
    world.ahead.fetch_add(11, Ordering::Relaxed);
    let told = told(&world, 1);
    assert_eq!((mailbox.wait_for(1).len(), &told[0]["state"]), (1, &json!("sent")));
    assert!(told[0]["text"].as_str().unwrap().contains("sem sinal da carrinha"), "{told:?}");
    assert_eq!(world.ask("DELETE", &path, None).0, 204);
    assert_eq!(state()[0]["state"], "told", "what has left cannot be taken back");
    let mut said = of_stop(4, EventKind::PredictedLate, "s1");
    if let Said::Event(event) = &mut said.body {
        event.at = Timestamp::from_seconds(START);
    }
    world.say("acme/van-1", &[said, of_stop(5, EventKind::Completed, "s1")]);
    world.until("/v1/messages", |_, json| {
        json["messages"].as_array().unwrap().iter().any(|m| m["event"] == "completed")
    });
    assert_eq!(messages(&world).len(), 2, "the engine says the same, and nobody is told again");

    let viewer = world.key_of("acme", Role::Viewer);
    assert_eq!(world.ask_as(&viewer, "POST", &path, None).0, 403);
    let other = world.key_of("other", Role::Admin);
    assert_eq!(world.ask_as(&other, "POST", &path, None).0, 404);
}

#[test]
fn without_a_server_mail_is_kept_and_a_refused_address_fails_alone() {
    let contacts = [json!({"email": "ana@example.com"}), json!({"email": "refused@example.com"})];
    let kept = world("mail-kept", None, &contacts);
    noon(&kept);
    let done = |seq, stop| of_stop(seq, EventKind::Completed, stop);
    kept.say("acme/van-1", &[done(1, "s1")]);
    let told_kept = told(&kept, 1);
    assert_eq!(told_kept[0]["state"], "kept");
    assert!(told_kept[0]["error"].as_str().unwrap().contains("no mail server"));

    let mailbox = Mailbox::new();
    let world = world("mail-refused", Some(&mailbox.url), &contacts);
    noon(&world);
    world.say("acme/van-1", &[done(1, "s2"), done(2, "s1")]);
    let told = told(&world, 2);
    let state = |order: &str| told.iter().find(|m| m["order"] == order).unwrap()["state"].clone();
    assert_eq!((state("o-1"), state("o-2")), (json!("sent"), json!("dead")));
}

#[test]
fn quiet_hours_wait_or_drop_what_no_longer_matters() {
    let mailbox = Mailbox::new();
    let contacts = [json!({"email": "ana@example.com"}), json!({"email": "bo@example.com"})];
    let world = world("mail-quiet", Some(&mailbox.url), &contacts);
    let quiet = json!({"quiet": {"from": "12:00", "to": "14:00"},
        "events": ["arriving_soon", "completed"]});
    let (status, json) = world.ask("PUT", "/v1/messages/rules", Some(&quiet));
    assert_eq!((status, &json), (200, &quiet));
    noon(&world);
    world.say(
        "acme/van-1",
        &[
            of_stop(1, EventKind::ArrivingSoon, "s1"),
            of_stop(2, EventKind::Completed, "s1"),
            of_stop(3, EventKind::PredictedLate, "s2"),
        ],
    );
    let waiting = world.until("/v1/messages", |_, json| json["messages"][0]["state"] == "waiting");
    assert_eq!(waiting["messages"].as_array().unwrap().len(), 1, "what matters then");
    assert_eq!(waiting["messages"][0]["event"], "completed");
    assert_eq!(waiting["messages"][0]["next_at"], "2026-11-20T14:00:00.000Z", "Lisbon's clock");
    assert!(mailbox.got().is_empty());
    assert_eq!(world.api.as_ref().unwrap().app.metrics.messages_dropped.get(), 1);
    world.ahead.fetch_add(3_600, Ordering::Relaxed);
    assert_eq!(mailbox.wait_for(1)[0].to, "ana@example.com");
    for (wrong, field) in [
        (json!({"quiet": {"from": "21:00", "to": "25:00"}, "events": []}), "quiet"),
        (json!({"quiet": null, "events": ["no_signal"]}), "events[0]"),
    ] {
        let (status, json) = world.ask("PUT", "/v1/messages/rules", Some(&wrong));
        assert_eq!((status, &json["field"]), (422, &json!(field)));
    }
}

#[test]
fn one_click_ends_the_messages_of_an_address() {
    let mailbox = Mailbox::new();
    let contacts = [json!({"email": "ana@example.com"}), json!({"email": "ana@example.com"})];
    let world = world("mail-opt-out", Some(&mailbox.url), &contacts);
    noon(&world);
    world.say(
        "acme/van-1",
        &[of_stop(1, EventKind::Arrived, "s1"), of_stop(2, EventKind::Completed, "s1")],
    );
    let mail = mailbox.wait_for(1)[0].clone();
    let link = mail.text.split("https://track.example.org").nth(1).unwrap();
    let path = link.split(['>', '\n']).next().unwrap();
    let (status, page, _) = world.raw(&[], "GET", path, None);
    assert!(status == 200 && page.contains("<button>"), "{page}");
    assert_eq!(world.ask_with(&[], "GET", "/o/0123456789abcdef0123456789abcdef", None).0, 404);
    assert_eq!(world.ask_with(&[], "POST", "/o/x", None).0, 404);
    assert_eq!(world.raw(&[], "POST", path, None).0, 200);
    world.say("acme/van-1", &[of_stop(3, EventKind::Completed, "s2")]);
    let metrics = &world.api.as_ref().unwrap().app.metrics;
    for _ in 0..500 {
        if metrics.messages_dropped.get() == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!((metrics.messages_dropped.get(), mailbox.got().len()), (1, 1));
}

#[test]
fn a_tenants_own_words_are_checked_when_they_are_saved() {
    let mailbox = Mailbox::new();
    let contacts = [json!({"email": "ana@example.com"})];
    let world = world("mail-templates", Some(&mailbox.url), &contacts);
    noon(&world);
    let put = |text: &str| {
        let body = json!({"subject": "Done: {order}", "text": text});
        world.ask("PUT", "/v1/templates/completed/en", Some(&body))
    };
    let (status, json) = put("Dear {nmae}");
    assert_eq!((status, &json["field"], &json["value"]), (422, &json!("text"), &json!("nmae")));
    assert!(json["expected"].as_str().unwrap().contains("late_minutes"), "{json}");
    assert_eq!(put("Dear [{name}").0, 422);
    assert_eq!(put("Dear {name}, <b>done</b>").0, 200);
    assert_eq!(world.ask("PUT", "/v1/templates/completed/xx", Some(&json!({}))).0, 404);
    assert_eq!(world.ask("PUT", "/v1/templates/no_signal/en", Some(&json!({}))).0, 404);
    let all = world.ask("GET", "/v1/templates", None).1;
    let all = all["templates"].as_array().unwrap().clone();
    assert_eq!(all.len(), 36);
    assert_eq!(all.iter().filter(|t| t["own"] == true).count(), 1);
    world.say("acme/van-1", &[of_stop(1, EventKind::Completed, "s1")]);
    let told = told(&world, 1);
    assert_eq!(told[0]["subject"], "Done: o-1");
    assert!(told[0]["text"].as_str().unwrap().starts_with("Dear Rua 1, <b>done</b>"));
    assert!(told[0]["html"].as_str().unwrap().contains("&lt;b&gt;done"), "text stays text");
    assert_eq!(world.ask("DELETE", "/v1/templates/completed/en", None).0, 204);
}

#[test]
fn text_messages_go_through_a_tenants_program() {
    let receiver = Receiver::new(|_| Answer::Status(200));
    let contacts = [json!({"phone": "+351 910 000 000", "language": "pt"})];
    let world = world("sms", None, &contacts);
    let hook = json!({"url": receiver.url, "events": ["sms"]});
    assert_eq!(world.ask("POST", "/v1/webhooks", Some(&hook)).0, 201);
    noon(&world);
    world.say("acme/van-1", &[of_stop(1, EventKind::PredictedLate, "s1")]);
    let got = receiver.wait_for(1);
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["to"]), (&json!("sms"), &json!("+351 910 000 000")));
    assert!(body["data"]["text"].as_str().unwrap().contains("vai atrasar-se"), "{body}");
    assert_eq!(messages(&world)[0]["channel"], "sms");
}

#[test]
fn how_customers_are_told_is_checked_and_kept_until_said_otherwise() {
    let contact = json!({"email": "ana@example.com", "phone": "+351 910 000 000"});
    let world = world("contacts", None, std::slice::from_ref(&contact));
    for (field, value) in [
        ("email", "ana"),
        ("email", "ana@example.com\r\nBcc: x@y.z"),
        ("phone", "call me"),
        ("language", "p t"),
    ] {
        let mut wrong = plan("van-1");
        wrong["stops"][0]["contact"] = json!({field: value});
        let (status, json) = world.ask("PUT", "/v1/routes/r1", Some(&wrong));
        let place = format!("stops[0].contact.{field}");
        assert_eq!((status, &json["field"]), (422, &json!(place)));
    }
    let known = || world.ask("GET", "/v1/deliveries/o-1", None).1["contact"].clone();
    assert_eq!(world.ask("PUT", "/v1/routes/r1", Some(&plan("van-1"))).0, 200);
    assert_eq!(known(), contact);
    let mut gone = plan("van-1");
    gone["stops"][0]["contact"] = json!({});
    assert_eq!(world.ask("PUT", "/v1/routes/r1", Some(&gone)).0, 200);
    assert_eq!(known(), json!({}));
}
