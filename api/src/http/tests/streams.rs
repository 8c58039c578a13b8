//! The event stream: exact resume, events never merged, reset where it must be.

use std::io::{BufRead, BufReader};

use super::*;

/// One frame of a stream.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    name: String,
    id: Option<String>,
    data: Value,
}

/// A client that reads frames until it has enough.
struct Client(BufReader<Box<dyn std::io::Read>>);

impl Client {
    fn open(world: &World, query: &str, last: Option<&str>) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_recv_body(Some(Duration::from_secs(20)))
            .build()
            .into();
        let mut request = agent
            .get(world.url(&format!("/v1/stream{query}")))
            .header("Authorization", format!("Bearer {}", world.key));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let body = request.call().unwrap().into_body();
        Self(BufReader::new(Box::new(body.into_reader())))
    }

    /// The next frame that tells something.
    fn frame(&mut self) -> Frame {
        let mut frame = Frame { name: String::new(), id: None, data: Value::Null };
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            let line = line.trim_end();
            if line.is_empty() {
                if frame.name == "as_of" {
                    frame = Frame { name: String::new(), id: None, data: Value::Null };
                } else if !frame.name.is_empty() {
                    return frame;
                }
            } else if let Some((name, value)) = line.split_once(": ") {
                match name {
                    "event" => frame.name = value.to_owned(),
                    "id" => frame.id = Some(value.to_owned()),
                    "data" => frame.data = serde_json::from_str(value).unwrap(),
                    _ => {}
                }
            }
        }
    }
}

fn arrive(seq: u64) -> Output {
    event(seq, EventKind::Arrived)
}

#[test]
fn a_killed_client_goes_on_without_gap_or_double() {
    let mut world = World::new("resume");
    let vehicles = ["acme/a", "acme/b", "acme/c", "other/x"];
    for vehicle in vehicles {
        world.say(vehicle, &[arrive(1)]);
    }
    while world.api.as_ref().unwrap().app.live.vehicles() < vehicles.len() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut client = Client::open(&world, "?kinds=event", None);
    let mut seen = std::collections::BTreeMap::<String, Vec<u64>>::new();
    let mut last = None;
    let mut take = |client: &mut Client, n: usize, last: &mut Option<String>| {
        for _ in 0..n {
            let frame = client.frame();
            assert_eq!(frame.name, "event");
            let vehicle = frame.data["vehicle"].as_str().unwrap().to_owned();
            seen.entry(vehicle).or_default().push(frame.data["seq"].as_u64().unwrap());
            *last = frame.id;
        }
    };
    // The first bytes say where it stands, so what follows is told.
    for seq in 2..=20 {
        for vehicle in vehicles {
            world.say(vehicle, &[arrive(seq)]);
        }
    }
    take(&mut client, 25, &mut last);
    drop(client);
    for seq in 21..=30 {
        for vehicle in vehicles {
            world.say(vehicle, &[arrive(seq)]);
        }
    }
    let mut client = Client::open(&world, "?kinds=event", last.as_deref());
    take(&mut client, 17, &mut last);
    drop(client);
    world.stop();
    for seq in 31..=40 {
        for vehicle in vehicles {
            world.say(vehicle, &[arrive(seq)]);
        }
    }
    world.start();
    let mut client = Client::open(&world, "?kinds=event", last.as_deref());
    take(&mut client, 3 * 39 - 42, &mut last);
    let whole: Vec<u64> = (2..=40).collect();
    assert_eq!(seen.len(), 3, "nothing of the other tenant");
    assert!(seen.values().all(|seqs| *seqs == whole), "{seen:?}");
}

#[test]
fn positions_are_latest_wins_and_begin_with_what_is_known() {
    let world = World::new("latest");
    world.say("acme/a", &[position("acme/a", 1)]);
    world.until("/v1/vehicles/a/position", |status, _| status == 200);
    let mut client = Client::open(&world, "?vehicles=a&kinds=position", None);
    assert_eq!(client.frame().data["seq"], 1);
    let burst: Vec<Output> = (2..=500).map(|seq| position("acme/a", seq)).collect();
    world.say("acme/a", &burst);
    let mut frames = Vec::new();
    while frames.last() != Some(&500) {
        frames.push(client.frame().data["seq"].as_u64().unwrap());
    }
    assert!(frames.is_sorted() && frames.len() < 400, "{}", frames.len());
}

#[test]
fn an_id_that_is_none_gets_reset() {
    let world = World::new("reset");
    world.say("acme/a", &[position("acme/a", 1)]);
    world.until("/v1/vehicles/a/position", |status, _| status == 200);
    for id in ["nonsense", "v1-1.2", "v1-9.9.9.99", "v0-0.0.0.0"] {
        let mut client = Client::open(&world, "", Some(id));
        assert_eq!(client.frame().name, "reset", "{id}");
        assert_eq!(client.frame().name, "position", "{id}");
    }
}
