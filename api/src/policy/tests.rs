//! The policy by example; `customer/tests.rs` tries it a million times.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_161_600 + seconds)
}

fn facts(stage: Stage, stops_before: usize) -> Facts {
    let position = Position { lng: -8.6, lat: 41.1 };
    Facts {
        now: at(0),
        stage,
        promise: Some((at(0), at(3_600))),
        times: Some(EtaTimes { p10: at(1_500), p50: at(1_800), p90: at(2_400) }),
        miss: Some(0.1),
        cause: Some(CauseKind::Traffic),
        stops_before: Some(stops_before),
        metres: Some(4_000.0),
        vehicle: Some(Sighting { position, heading: None, time: at(-8) }),
        way: Some(vec![position]),
        name: Some("Van 17".into()),
        phone: Some("+351".into()),
        over_at: Some(at(-60)),
    }
}

#[test]
fn by_default_the_vehicle_is_shown_while_yours_is_next() {
    let policy = Policy::default();
    let next = visible(&policy, &facts(Stage::Next, 0));
    assert!(next.vehicle.is_some() && next.way.is_some() && next.metres.is_some());
    assert_eq!((next.phone, next.over_at), (None, None));
    let later = visible(&policy, &facts(Stage::OnTheWay, 2));
    assert_eq!(
        (later.vehicle, later.way, later.stops_before, later.metres),
        (None, None, None, None)
    );
    assert!(later.expected.is_some() && later.promise.is_some());
    let over = visible(&policy, &facts(Stage::Delivered, 0));
    assert_eq!((over.vehicle, over.expected, over.promise, over.name), (None, None, None, None));
    assert!(over.over_at.is_some());
    let planned = visible(&policy, &facts(Stage::Planned, 0));
    assert_eq!((planned.vehicle, planned.name), (None, None));
}

#[test]
fn a_position_of_two_minutes_ago_is_withdrawn() {
    let mut facts = facts(Stage::Next, 0);
    facts.vehicle.as_mut().unwrap().time = at(-121);
    let seen = visible(&Policy::default(), &facts);
    assert!(seen.vehicle.is_none() && seen.way.is_none() && seen.unseen);
}

#[test]
fn all_of_a_condition_must_hold_and_unknown_values_do_not() {
    let when = |when: When| Policy { vehicle: Condition::When(when), ..Policy::default() };
    let shown = |policy: &Policy, facts: &Facts| visible(policy, facts).vehicle.is_some();
    let both = when(When { stops: Some(2), distance_m: Some(5_000), ..When::default() });
    let mut facts = facts(Stage::OnTheWay, 2);
    assert!(shown(&both, &facts));
    facts.metres = Some(5_001.0);
    assert!(!shown(&both, &facts));
    facts.metres = None;
    assert!(!shown(&both, &facts));
    let soon = when(When { eta_min: Some(30), ..When::default() });
    assert!(shown(&soon, &facts));
    facts.times.as_mut().unwrap().p50 = at(1_801);
    assert!(!shown(&soon, &facts));
    let states = when(When { states: Some(vec![Stage::Next]), ..When::default() });
    assert!(!shown(&states, &facts));
}

#[test]
fn the_window_holds_nine_of_ten_and_is_rounded_outward() {
    let check = |p50_min: i64, from: i64, to: i64| {
        let p50 = p50_min * 60;
        let times = EtaTimes { p10: at(p50 - 300), p50: at(p50), p90: at(p50 + 600) };
        let window = expected(times, at(0));
        assert_eq!((window.from, window.to), (at(from * 60), at(to * 60)), "{p50_min}");
    };
    // 5 min × 1.2835 = 6.4 before, 10 min × 1.2835 = 12.8 after.
    check(120, 110, 135);
    check(30, 22, 44);
    check(10, 3, 23);
    check(2, 0, 15);
    let past = EtaTimes { p10: at(-900), p50: at(-600), p90: at(-300) };
    let window = expected(past, at(30));
    assert_eq!((window.from, window.to, window.likely), (at(0), at(60), at(30)), "not in the past");
}

#[test]
fn late_is_told_only_with_window_and_arrival() {
    let mut facts = facts(Stage::OnTheWay, 3);
    facts.miss = Some(0.9);
    let late = visible(&Policy::default(), &facts);
    assert_eq!((late.standing, late.cause), (Standing::Late, Some(CauseKind::Traffic)));
    let never = Condition::Plain(Word::Never);
    let policy = Policy { window: never, ..Policy::default() };
    let hidden = visible(&policy, &facts);
    assert_eq!((hidden.standing, hidden.cause), (Standing::OnTime, None));
}

#[test]
fn a_policy_comes_back_from_json_and_an_empty_condition_is_named() {
    let text = r#"{"vehicle":{"stops":2,"states":["next"]},"phone":"always"}"#;
    let policy: Policy = serde_json::from_str(text).unwrap();
    assert_eq!(policy.phone, Condition::Plain(Word::Always));
    let again: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
    assert_eq!((again.meaningless(), again), (None, policy));
    let empty: Policy = serde_json::from_str(r#"{"eta":{}}"#).unwrap();
    assert_eq!(empty.meaningless(), Some("eta"));
    for wrong in [r#"{"car":"always"}"#, r#"{"eta":"sometimes"}"#, r#"{"eta":{"near":1}}"#] {
        assert!(serde_json::from_str::<Policy>(wrong).is_err(), "{wrong}");
    }
}
