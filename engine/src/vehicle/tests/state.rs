//! The private bytes: a vehicle restored mid-stream says exactly what the other one says.

use super::town::{Dice, Driver, Van, route, stop};
use crate::record::StateRecord;
use crate::vehicle::{SCHEMA, Vehicle};

/// Drives a route; at every `restore`-th fix the vehicle goes through its checkpoint.
fn driven(restore: Option<usize>) -> Van {
    let mut van = Van::new();
    let mut dice = Dice(5);
    let stops: Vec<_> = (0..6)
        .map(|i| {
            let place = (dice.uniform() * 2000.0, (dice.uniform() * 20.0).floor() * 100.0);
            let window = (i % 2 == 0).then_some((0, 600 * (i + 1)));
            stop(&format!("s{i}"), place, window)
        })
        .collect();
    van.plan(route("r1", 1, stops.clone()), 0);
    let mut driver = Driver::new(&van, (0.0, 0.0), 5, 11);
    for s in &stops {
        // A shorter hop than the whole way, so that there is much to restore amid a drive.
        driver.visit(&mut van, s, 150);
        if let Some(n) = restore
            && van.said.len() > n
        {
            reload(&mut van);
        }
    }
    van
}

fn reload(van: &mut Van) {
    let record = StateRecord {
        schema: SCHEMA,
        contains: 1,
        view: van.vehicle.view().clone(),
        private: van.vehicle.private(),
        steps: 1,
        panics: Vec::new(),
        seen: Vec::new(),
    };
    let record = StateRecord::from_envelope(&record.envelope()).unwrap();
    let key = van.vehicle.key().clone();
    let wake_at = van.vehicle.wake_at();
    let restored = Vehicle::restore(key, record.view, record.schema, &record.private).unwrap();
    assert_eq!(restored.view(), van.vehicle.view());
    assert_eq!(restored.wake_at(), wake_at);
    assert_eq!(restored.private(), van.vehicle.private());
    van.vehicle = restored;
}

#[test]
fn a_restored_vehicle_goes_on_exactly() {
    let (plain, restored) = (driven(None), driven(Some(0)));
    assert_eq!(plain.said.len(), restored.said.len());
    for (a, b) in plain.said.iter().zip(&restored.said) {
        assert_eq!(a, b);
    }
    plain.check();
}

#[test]
fn another_schema_is_refused() {
    let van = driven(None);
    let key = van.vehicle.key().clone();
    let private = van.vehicle.private();
    assert!((1..20_000).contains(&private.len()), "{} bytes", private.len());
    let view = van.vehicle.view().clone();
    let error = Vehicle::restore(key, view, SCHEMA + 1, &private).unwrap_err();
    assert!(error.to_string().contains("schema `3`, expected `2`"), "{error}");
}
