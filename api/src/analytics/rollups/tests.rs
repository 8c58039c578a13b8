//! Rollups are what the positions say, whether kept, made anew or both.

use std::sync::Arc;

use ingest::time::Timestamp;
use serde_json::Value;

use super::super::tests::World;
use super::super::{Analytics, Limits};
use super::{Maker, stretches, text};
use crate::archive::delta::Delta;
use crate::archive::derived::{Derive as _, list};
use crate::archive::file::Hour;
use crate::archive::schema::Table;
use crate::archive::tests::{PARTITIONS, archive, clock, position, say};

/// So many hours after everything that the fleet said.
fn later(hours: i64) -> Timestamp {
    Timestamp::parse("2026-12-01T00:00:00Z").unwrap().plus_seconds(hours as f64 * 3_600.0)
}

fn make(world: &World, now: Timestamp) -> u64 {
    let store = world.folder.store();
    let maker = Maker::new(store.clone(), &Limits::new(world.folder.0.join("spill"))).unwrap();
    world.runtime.block_on(async {
        let delta = Delta::existing(&store, Table::Positions, PARTITIONS, &clock()).await.unwrap();
        maker.step(delta.unwrap().listing(), now).await.unwrap()
    })
}

/// Rows of the view, which are those of the fixes themselves; and whether positions were read.
fn look(world: &World, over: &Arc<Analytics>, tenant: &str) -> (Value, bool) {
    let order = "ORDER BY vehicle, bucket";
    let kept = world.rows(over, tenant, &format!("SELECT * FROM rollups {order}"));
    let raw = world.rows(over, tenant, &format!("SELECT * FROM ({}) {order}", text(None, false)));
    assert_eq!(kept, raw, "{tenant}");
    assert!(kept.as_array().is_some_and(|rows| !rows.is_empty()), "{tenant}");
    let plan = world.rows(over, tenant, "EXPLAIN SELECT * FROM rollups").to_string();
    (kept, plan.contains("positions/day="))
}

#[test]
fn kept_or_made_anew_they_are_the_same() {
    let world = World::new("rollups");
    let over = world.analytics(|_| {});
    assert!(look(&world, &over, "acme").1);
    // The hour of the late fix, and the two of the day; those two depend on it.
    assert_eq!(make(&world, later(0)), 3);
    assert_eq!(make(&world, later(0)), 0);
    let over = world.analytics(|_| {});
    for tenant in ["acme", "other"] {
        assert!(!look(&world, &over, tenant).1, "{tenant}");
    }

    // A fix comes two hours late: what it changes is made anew, archived or not.
    let (before, _) = look(&world, &over, "acme");
    say(world.log.as_ref(), "acme", "van-1", 206, vec![position("acme", "van-1", -3_590)]);
    let over = world.analytics(|_| {});
    let (beyond, anew) = look(&world, &over, "acme");
    assert!(anew && beyond != before);
    archive(&world.runtime, &world.log, &world.folder.store());
    let over = world.analytics(|_| {});
    assert_eq!(look(&world, &over, "acme"), (beyond.clone(), true));
    assert!(make(&world, later(0)) > 0);
    let over = world.analytics(|_| {});
    assert_eq!(look(&world, &over, "acme"), (beyond, false));
}

#[test]
fn what_nobody_uses_any_more_is_deleted_when_nobody_can_read_it() {
    let world = World::new("rollups-old");
    let files = || world.runtime.block_on(list(&world.folder.store())).unwrap().len();
    make(&world, later(0));
    let first = files();
    assert_eq!(first, 3);
    say(world.log.as_ref(), "acme", "van-1", 206, vec![position("acme", "van-1", 10)]);
    archive(&world.runtime, &world.log, &world.folder.store());
    // The hour that a row came to, and the next, are made anew beside the old files.
    let made = make(&world, later(0));
    assert!(made > 0);
    assert_eq!(files(), first + made as usize, "a query may be reading the old ones");
    make(&world, later(24 * 365 * 100));
    assert_eq!(files(), first);
}

#[test]
fn neighbouring_hours_are_one_stretch() {
    let hour = |i: i64| Hour::of(0).plus(i);
    let found = |hours: &[i64]| stretches(hours.iter().map(|i| hour(*i)));
    assert_eq!(found(&[]), []);
    assert_eq!(found(&[1, 2, 5]), [(hour(1), hour(3)), (hour(5), hour(6))]);
    let many: Vec<i64> = (0..20).map(|i| 2 * i).collect();
    assert_eq!(found(&many), [(hour(0), hour(39))]);
}
