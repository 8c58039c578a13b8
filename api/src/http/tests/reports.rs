//! Reports as a client asks for them.

use std::collections::BTreeMap;

use engine::model::EventKind;

use super::*;
use crate::analytics::Limits;
use crate::archive::tests::{PARTITIONS, archive, event, planned};

/// A world with an archive, of which the outputs of a route with two stops are not yet part.
fn world(name: &str, open: Option<TenantId>) -> World {
    let mut world = World::with(name, open);
    world.stop();
    let place = world.data.join("archive");
    let spill = world.data.join("spill");
    std::fs::create_dir_all(&spill).unwrap();
    world.log = Arc::new(MemoryLog::new(PARTITIONS, clock()));
    let store = crate::archive::Store::open(&place.display().to_string(), &BTreeMap::new());
    let store = store.unwrap();
    archive(&world.runtime, &world.log, &store);
    world.archive = Some(crate::ArchiveSettings {
        store,
        limits: Limits { threads: 2, ..Limits::new(spill) },
        doors: crate::doors::Places::default(),
        metrics: crate::metrics::ArchiveMetrics::default(),
    });
    world.start();
    let bodies = [
        planned(0),
        event(EventKind::Arrived, "s1", 590),
        event(EventKind::Departed, "s1", 700),
        event(EventKind::Arrived, "s2", 1_300),
    ];
    let outputs: Vec<Output> = (1..).zip(bodies).map(|(seq, body)| Output { seq, body }).collect();
    world.say("acme/van-1", &outputs);
    world
}

const PERIOD: &str = "from=2026-11-30T00:00:00Z&to=2026-12-01T00:00:00Z";

#[test]
fn reports_are_listed_and_answered_in_every_format() {
    let world = world("reports", None);
    let (status, list) = world.ask("GET", "/v1/reports", None);
    assert_eq!((status, list["reports"].as_array().unwrap().len()), (200, 9));
    assert_eq!(list["parameters"][2]["name"], "vehicle");
    // Outputs are seen within two seconds.
    let path = format!("/v1/reports/stops_per_hour?{PERIOD}");
    let found = world.until(&path, |status, json| {
        status == 200 && json["rows"].as_array().is_some_and(|rows| !rows.is_empty())
    });
    // 710 s from the first arrival to the last.
    let hours = 710.0 / 3_600.0;
    assert_eq!(found["columns"][0], json!({"name": "day", "type": "date"}));
    assert_eq!(found["rows"][0][1], "van-1");
    assert_eq!(found["rows"][0][2], 2);
    assert!((found["rows"][0][6].as_f64().unwrap() - 2.0 / hours).abs() < 1e-9, "{found}");
    let key = format!("Bearer {}", world.key);
    for format in ["jsonl", "csv", "arrow", "parquet", "xlsx"] {
        let path = format!("{path}&format={format}");
        let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
        let mut answer = agent.get(world.url(&path)).header("Authorization", &key).call().unwrap();
        assert!(answer.headers().contains_key("milepost-as-of"), "{format}");
        let bytes = answer.body_mut().read_to_vec().unwrap();
        let begins: &[u8] = match format {
            "jsonl" => b"{\"day\":\"2026-11-30\"",
            "csv" => b"day,vehicle,stops,",
            "parquet" => b"PAR1",
            "xlsx" => b"PK\x03\x04",
            _ => b"\xff\xff\xff\xff",
        };
        assert!(bytes.starts_with(begins), "{format}: {:?}", String::from_utf8_lossy(&bytes));
    }
    for name in crate::analytics::report::REPORTS.map(|report| report.name) {
        let path = format!("/v1/reports/{name}?{PERIOD}&vehicle=van-1&zone=Europe/Lisbon");
        assert_eq!(world.ask("GET", &path, None).0, 200, "{name}");
    }
}

#[test]
fn what_no_report_can_be_of_is_refused() {
    let world = world("reports-wrong", None);
    assert_eq!(world.ask("GET", "/v1/reports/nothing", None).0, 404);
    for (query, field) in [
        ("from=yesterday", "from"),
        ("to=2026-11-30", "to"),
        ("from=2026-12-01T00:00:00Z&to=2026-11-30T00:00:00Z", "from"),
        ("from=2020-01-01T00:00:00Z&to=2026-11-30T00:00:00Z", "from"),
        ("zone=Atlantis", "zone"),
        ("zone='%20OR%201=1", "zone"),
        ("format=pdf", "format"),
    ] {
        let (status, problem) = world.ask("GET", &format!("/v1/reports/on_time?{query}"), None);
        assert_eq!((status, problem["field"].as_str()), (422, Some(field)), "{query}: {problem}");
    }
    let bad = "/v1/reports/on_time?vehicle=x'%20OR%20'1'='1";
    assert_eq!(world.ask("GET", bad, None).0, 404);
    assert_ne!(world.ask("GET", "/v1/reports/on_time?weather=fine", None).0, 200);
}

#[test]
fn in_open_mode_reports_are_answered_though_queries_are_not() {
    let world = world("reports-open", Some(TenantId::new("acme").unwrap()));
    let ask = |path: &str| world.ask_with(&[], "GET", path, None);
    for _ in 0..400 {
        if ask(&format!("/v1/reports/failed?{PERIOD}")).0 == 200 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(ask(&format!("/v1/reports/failed?{PERIOD}")).0, 200);
    assert_eq!(ask("/v1/sql").0, 403);
}
