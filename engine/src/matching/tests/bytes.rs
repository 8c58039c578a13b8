//! The stored track, and what must hold for every drive.

use proptest::prelude::*;

use super::*;

const GRID: &str = "\
A-----B-----C-----D
|     |     |     |
|     |     |     |
E--1--F--2--G--3--H
|     |     |     |
|     |     |     |
I-----J-----K-----L";

/// A drive along the middle street with errors of up to `noise` metres.
fn noisy(town: &Town, errors: &[(f64, f64)], every_s: f64) -> Vec<Observation> {
    let start = town.fixes("1", 1.0)[0];
    let step = |(k, (east, north)): (usize, &(f64, f64))| Observation {
        position: moved(start.position, 6.0 * every_s * k as f64 % 120.0 + east, *north),
        time: start.time.plus_seconds(every_s * k as f64),
        accuracy_m: None,
        ..start
    };
    errors.iter().enumerate().map(step).collect()
}

/// Drives with a track that is stored before every fix: the restored one gives the same answer and
/// state, and the committed path is connected.
fn stored_at_every_fix(errors: &[(f64, f64)], every_s: f64) -> Result<(), TestCaseError> {
    let town = town(GRID);
    let (mut track, mut scratch) = (Track::new(), Scratch::new());
    let (mut out, mut again) = (Observed::default(), Observed::default());
    let mut before: Option<Passed> = None;
    for fix in noisy(&town, errors, every_s) {
        let bytes = track.to_bytes();
        prop_assert_eq!(bytes.len(), track.bytes_len());
        prop_assert!(bytes.len() <= BYTES_MAX && BYTES_MAX <= 4096);
        let mut restored = Track::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&restored, &track);
        track.observe(&town.road, &fix, &mut scratch, &mut out);
        restored.observe(&town.road, &fix, &mut Scratch::new(), &mut again);
        prop_assert_eq!(&restored, &track);
        prop_assert_eq!(&out.committed, &again.committed);
        prop_assert_eq!(out.matched, again.matched);
        for passed in &out.committed {
            if let Some(before) = before.filter(|_| passed.joined) {
                let joined = town.road.head(before.edge) == town.road.tail(passed.edge);
                prop_assert!(joined, "{before:?} {passed:?}");
                prop_assert!(before.entered <= passed.entered);
            }
            before = Some(*passed);
        }
    }
    Ok(())
}

fn both_ways(errors: &[(f64, f64)], every_s: f64) -> Result<(), TestCaseError> {
    let town = town(GRID);
    let fixes = noisy(&town, errors, every_s);
    let online = town.drive(&fixes);
    let offline = town.drive_within(Lag::OFFLINE, &fixes);
    prop_assert_eq!(online.path, offline.path);
    prop_assert_eq!(online.passed, offline.passed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_restored_track_goes_on_as_if_nothing_had_happened(
        errors in prop::collection::vec((-60.0..60.0_f64, -60.0..60.0_f64), 2..60),
        every_s in 1.0..20.0_f64,
    ) {
        stored_at_every_fix(&errors, every_s)?;
    }

    /// Within the lag nothing is forced: what is committed on the way is what offline Viterbi says.
    #[test]
    fn the_path_committed_online_is_the_one_offline(
        errors in prop::collection::vec((-25.0..25.0_f64, -25.0..25.0_f64), 2..16),
        every_s in 0.5..2.0_f64,
    ) {
        both_ways(&errors, every_s)?;
    }

    #[test]
    fn sparse_fixes_too(
        errors in prop::collection::vec((-25.0..25.0_f64, -25.0..25.0_f64), 2..6),
        every_s in 2.0..60.0_f64,
    ) {
        both_ways(&errors, every_s)?;
    }

    #[test]
    fn any_bytes_are_a_track_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut framed = vec![2];
        framed.extend(&bytes);
        for bytes in [bytes, framed] {
            if let Ok(track) = Track::from_bytes(&bytes) {
                prop_assert_eq!(track.to_bytes().len(), bytes.len());
            }
        }
    }

    #[test]
    fn a_damaged_track_never_panics(place in 0..600_usize, value in any::<u8>()) {
        let town = town(GRID);
        let (mut track, mut scratch) = (Track::new(), Scratch::new());
        let mut out = Observed::default();
        let fixes = noisy(&town, &[(5.0, 9.0); 12], 2.0);
        for fix in &fixes[..10] {
            track.observe(&town.road, fix, &mut scratch, &mut out);
        }
        let mut bytes = track.to_bytes();
        let place = place % bytes.len();
        bytes[place] = value;
        if let Ok(mut track) = Track::from_bytes(&bytes) {
            for fix in &fixes[10..] {
                track.observe(&town.road, fix, &mut scratch, &mut out);
            }
            track.flush(&town.road, &mut scratch, &mut out);
        }
    }
}

#[test]
fn another_version_is_named() {
    assert_eq!(Track::from_bytes(&[7]), Err(BadTrack::Version(7)));
    assert_eq!(Track::from_bytes(&[]), Err(BadTrack::Length(0)));
}

/// Once a commit forced by the lag let hypotheses of another past live on, and the committed path
/// jumped: found by the property above.
#[test]
fn a_commit_forced_by_the_lag_keeps_only_its_own_descendants() {
    let errors = [
        (-57.754, 0.000),
        (47.533, 18.482),
        (-47.633, 14.735),
        (46.175, -38.334),
        (-32.565, 0.000),
        (0.000, 0.000),
        (0.000, 0.000),
        (21.625, 37.305),
        (25.585, -44.115),
        (59.254, 0.000),
        (-44.514, 0.000),
        (15.301, -56.834),
        (0.000, -43.640),
        (8.922, 25.655),
        (0.000, 0.000),
        (0.000, -46.462),
        (0.000, 0.000),
        (0.000, 0.000),
        (0.000, 0.000),
        (0.000, 0.000),
        (0.000, 0.000),
        (0.000, 0.000),
    ];
    stored_at_every_fix(&errors, 4.907_297_353_140_155).unwrap();
}

#[test]
fn a_doubted_fix_of_no_number_is_stored_too() {
    let town = town(GRID);
    let (mut track, mut scratch) = (Track::new(), Scratch::new());
    let mut out = Observed::default();
    for mut fix in noisy(&town, &[(0.0, 0.0); 3], 2.0) {
        if track.last_time().is_some() {
            fix.position = moved(fix.position, 0.0, 90_000.0);
            fix.speed_mps = Some(f64::NAN);
        }
        track.observe(&town.road, &fix, &mut scratch, &mut out);
    }
    assert_eq!(Track::from_bytes(&track.to_bytes()), Ok(track));
}
