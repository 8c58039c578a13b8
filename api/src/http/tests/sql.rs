//! SQL over HTTP: who may ask, in which form, and what is said when it is not answered.

use std::collections::BTreeMap;

use super::*;
use crate::analytics::Limits;
use crate::archive::Store as Archive;
use crate::{ArchiveMetrics, ArchiveSettings, Places};

/// A world with an archive that nobody fills: every row is beyond it.
fn world(name: &str) -> World {
    let mut world = World::new(name);
    world.stop();
    let (folder, spill) = (world.data.join("archive"), world.data.join("spill"));
    std::fs::create_dir_all(&spill).unwrap();
    world.archive = Some(ArchiveSettings {
        store: Archive::open(&folder.display().to_string(), &BTreeMap::new()).unwrap(),
        limits: Limits { threads: 1, ..Limits::new(spill) },
        doors: Places::default(),
        metrics: ArchiveMetrics::default(),
    });
    world.start();
    world.say("acme/van-1", &[position("acme/van-1", 1), position("acme/van-1", 2)]);
    world.say("other/van-1", &[position("other/van-1", 1)]);
    // Until something was read every query is told so.
    for _ in 0..400 {
        if rows(&world, "SELECT 1") == json!([[1]]) {
            return world;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nothing is answered: {}", rows(&world, "SELECT 1"));
}

fn rows(world: &World, sql: &str) -> Value {
    let (status, answer) = world.ask("POST", "/v1/sql", Some(&json!({"sql": sql})));
    if status == 200 { answer["rows"].clone() } else { answer }
}

#[test]
fn a_query_is_answered_to_those_who_may_read() {
    let world = world("sql-may");
    let count = "SELECT count(*) FROM positions";
    let query = json!({"sql": count});
    for _ in 0..200 {
        if rows(&world, count) == json!([[2]]) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(rows(&world, count), json!([[2]]));
    assert_eq!(world.ask_with(&[], "POST", "/v1/sql", Some(&query)).0, 401);
    let driver = world.key_of("acme", Role::Driver);
    assert_eq!(world.ask_as(&driver, "POST", "/v1/sql", Some(&query)).0, 403);
    let viewer = world.key_of("other", Role::Viewer);
    let (status, answer) = world.ask_as(&viewer, "POST", "/v1/sql", Some(&query));
    assert_eq!((status, &answer["rows"]), (200, &json!([[1]])));
    let accept = [("Authorization", &*format!("Bearer {}", world.key)), ("Accept", "text/csv")];
    let lines = json!({"sql": "SELECT vehicle, seq, speed_mps FROM positions ORDER BY seq"});
    let (status, text, _) = world.raw(&accept, "POST", "/v1/sql", Some(&lines));
    assert_eq!((status, &*text), (200, "vehicle,seq,speed_mps\nvan-1,1,8.4\nvan-1,2,8.4\n"));
}

#[test]
fn what_is_wrong_is_said_before_anything_else() {
    let world = world("sql-wrong");
    for (query, status, named) in [
        (json!({"sql": "SELECT nothing FROM positions"}), 422, "nothing"),
        (json!({"sql": "DROP TABLE positions"}), 422, "DDL"),
        (json!({"sql": "SELECT 1", "format": "xml"}), 422, "`xml`"),
        (json!({"sql": "SELECT 1", "seconds": 100_000}), 422, "100000"),
        (json!({"sql": "SELECT 1", "hurry": true}), 422, "hurry"),
        (json!({"query": "SELECT 1"}), 422, "sql"),
    ] {
        let (found, problem) = world.ask("POST", "/v1/sql", Some(&query));
        assert_eq!(found, status, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{query}: {problem}");
    }
    assert_eq!(world.ask("GET", "/v1/sql/none", None).0, 404);
    assert_eq!(world.ask("DELETE", "/v1/sql/none", None).0, 404);
}

#[test]
fn tables_are_described() {
    let world = world("sql-tables");
    let (status, answer) = world.ask("GET", "/v1/sql", None);
    assert_eq!(status, 200, "{answer}");
    let tables = answer["tables"].as_array().unwrap();
    let names: Vec<&str> = tables.iter().map(|table| table["name"].as_str().unwrap()).collect();
    for name in ["positions", "paths", "etas", "events", "stops", "eta_outcomes", "vehicles"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let speed = json!({
        "name": "speed_mps", "type": "double", "meaning": "speed over ground, metres per second",
    });
    assert!(tables[0]["columns"].as_array().unwrap().contains(&speed));
    let calls = answer["functions"].as_array().unwrap().iter();
    let calls: Vec<&str> = calls.map(|function| function["call"].as_str().unwrap()).collect();
    assert!(calls.iter().any(|call| call.starts_with("time_bucket(")), "{calls:?}");
    assert!(!answer.to_string().contains("\"tenant\""));
}

#[test]
fn without_an_archive_or_in_open_mode_nothing_is_asked() {
    let world = World::new("sql-none");
    let query = json!({"sql": "SELECT 1"});
    assert_eq!(world.ask("POST", "/v1/sql", Some(&query)).0, 503);
    let open = World::with("sql-open", Some(TenantId::new("acme").unwrap()));
    assert_eq!(open.ask_with(&[], "POST", "/v1/sql", Some(&query)).0, 403);
}
