//! The private state as bytes, so that a restored vehicle goes on exactly where it was.
//!
//! Fields are only added; a change of meaning raises [`super::SCHEMA`].

mod wire;

use bytes::Bytes;
use ingest::id::DeviceId;
use ingest::record::BadRecord;
use ingest::time::Timestamp;
use prost::Message;

use crate::alert::off_route::{Busy, Left, PLACES_MAX};
use crate::alert::reroute::{Search, Wrong};
use crate::alert::{Late, LongStop, OffRoute, Offers, Silence, Soon};
use crate::eta::Ledger;
use crate::eta::dwell::Visits;
use crate::eta::pace::{SPOTS_MAX, Spot, Spots};
use crate::eta::travel::{Driving, Stretch};
use crate::matching::{BadTrack, Track};
use crate::model::StopState;
use crate::record::input::{route_bytes, route_from_bytes};
use crate::road::{EdgeId, Place};

use super::motion::{Halt, Motion, Seen};
use super::plan::{Leg, Phase, Plan, Plans, Said, Visit};
use super::source::{Source, Sources};
use super::state::{AtStop, Journey, Spent, State};
use super::way::Way;
use wire::{
    WireAtStop, WireHalt, WireJourney, WireLeft, WireLeg, WirePlan, WirePoint, WirePrivate,
    WireSaid, WireSearch, WireSeen, WireSource, WireSpot, WireVisit, WireWay,
};

/// Writes the state; nothing for one that is as new.
pub(super) fn write(state: &State, wake_at: Option<Timestamp>) -> Bytes {
    if wake_at.is_none() && *state == State::default() {
        return Bytes::new();
    }
    let us = |t: Option<Timestamp>| t.map(Timestamp::micros);
    let motion = &state.motion;
    WirePrivate {
        wake_us: us(wake_at),
        sources: state.sources.list.iter().map(source_to_wire).collect(),
        followed: state.sources.followed.as_ref().map(ToString::to_string),
        silent_said: state.silence.raised,
        heard_us: us(state.silence.heard),
        plans: state.plans.0.iter().map(plan_to_wire).collect(),
        map: state.map.clone(),
        last: motion.last.as_ref().map(seen_to_wire),
        probe: motion.probe.as_ref().map(seen_to_wire),
        halt: motion.halt.as_ref().map(halt_to_wire),
        place: state.place.map(place_to_wire),
        driving: driving_to_wire(&state.driving),
        spots: state.driving.spots.0.iter().map(spot_to_wire).collect(),
        visits: vec![state.visits.count, state.visits.log_sum, state.visits.log_square_sum],
        journey: Some(journey_to_wire(&state.journey)),
        long_stop: state.long_stop.raised,
        beside: <[f64; 3]>::from(state.off_route.beside).to_vec(),
        off_route: u32::from(state.off_route.raised) | u32::from(state.off_route.before) << 1,
        left: state.off_route.left.as_ref().map(left_to_wire),
        offered_us: us(state.offers.last),
        refused: state.offers.refused,
        searched: state.offers.searched.map(search_to_wire),
        look_us: us(state.look_at),
        track: state.track.to_bytes().into(),
    }
    .encode_to_vec()
    .into()
}

/// Reads what [`fn@write`] wrote: the state and its wake-up.
pub(super) fn read(bytes: &Bytes) -> Result<(State, Option<Timestamp>), BadRecord> {
    let w = WirePrivate::decode(bytes.clone())?;
    let time = |us: Option<i64>| us.map(Timestamp::from_micros);
    let followed = w.followed.as_deref().map(device).transpose()?;
    let track = match Track::from_bytes(&w.track) {
        _ if w.track.is_empty() => Track::new(),
        // Of another version of the matcher: it begins anew, as on another map.
        Err(BadTrack::Version(_)) => Track::new(),
        track => track.map_err(|e| BadRecord::Value(e.to_string()))?,
    };
    let state = State {
        sources: Sources {
            list: w.sources.iter().map(source).collect::<Result<_, _>>()?,
            followed,
        },
        silence: Silence { raised: w.silent_said, heard: time(w.heard_us) },
        plans: Plans(w.plans.into_iter().map(plan).collect::<Result<_, _>>()?),
        map: w.map,
        motion: Motion { last: w.last.map(seen), probe: w.probe.map(seen), halt: w.halt.map(halt) },
        track,
        place: w.place.map(place),
        driving: Driving {
            spots: Spots(w.spots.into_iter().take(SPOTS_MAX).map(spot).collect()),
            ..driving(&w.driving)
        },
        visits: visits(&w.visits),
        journey: journey(w.journey.unwrap_or_default())?,
        long_stop: LongStop { raised: w.long_stop },
        off_route: OffRoute {
            raised: w.off_route & 1 != 0,
            before: w.off_route & 2 != 0,
            beside: numbers::<3>(&w.beside).into(),
            left: w.left.as_ref().map(left),
        },
        offers: Offers {
            last: time(w.offered_us),
            refused: w.refused,
            searched: w.searched.map(search),
        },
        look_at: time(w.look_us),
    };
    Ok((state, time(w.wake_us)))
}

fn device(text: &str) -> Result<DeviceId, BadRecord> {
    DeviceId::new(text).map_err(|e| BadRecord::Value(e.to_string()))
}

fn source_to_wire(s: &Source) -> WireSource {
    WireSource {
        device: s.device.to_string(),
        from_us: s.from.micros(),
        until_us: s.until.map(Timestamp::micros),
        newest_us: s.newest.map(Timestamp::micros),
        heard_us: s.heard.map(Timestamp::micros),
        interval_s: s.interval_s,
        accuracy_m: s.accuracy_m,
        better_us: s.better_since.map(Timestamp::micros),
    }
}

fn source(w: &WireSource) -> Result<Source, BadRecord> {
    let time = |us: Option<i64>| us.map(Timestamp::from_micros);
    Ok(Source {
        device: device(&w.device)?,
        from: Timestamp::from_micros(w.from_us),
        until: time(w.until_us),
        newest: time(w.newest_us),
        heard: time(w.heard_us),
        interval_s: w.interval_s,
        accuracy_m: w.accuracy_m,
        better_since: time(w.better_us),
    })
}

fn plan_to_wire(p: &Plan) -> WirePlan {
    WirePlan {
        route: route_bytes(&p.route),
        phase: p.phase as u32,
        visits: p.visits.iter().map(visit_to_wire).collect(),
    }
}

fn plan(w: WirePlan) -> Result<Plan, BadRecord> {
    let route = route_from_bytes(w.route)?;
    let phases = [Phase::Waiting, Phase::Aside, Phase::Active, Phase::Over, Phase::Withdrawn];
    let phase = phases.into_iter().find(|p| *p as u32 == w.phase);
    let phase = phase.ok_or_else(|| BadRecord::Value(format!("phase `{}` of a plan", w.phase)))?;
    let visits = w.visits.iter().map(visit).collect::<Result<Vec<_>, _>>()?;
    if visits.len() != route.stops.len() {
        return Err(BadRecord::Value(format!("`{}` visits of a plan", visits.len())));
    }
    Ok(Plan { route, phase, visits })
}

fn visit_to_wire(v: &Visit) -> WireVisit {
    WireVisit {
        state: v.state as u32,
        arrived_us: v.arrived.map(Timestamp::micros),
        departed_us: v.departed.map(Timestamp::micros),
        leg: v.leg.map(|l| WireLeg {
            from: l.from,
            to: l.to.map(place_to_wire),
            or_to: l.or_to.into_iter().flatten().map(place_to_wire).collect(),
            free_s: l.drive.free_s,
            metres: l.drive.metres,
            slow_s: l.drive.slow_s,
            cells: cells_to_wire(l.cells),
        }),
        said: v.said.map(said_to_wire),
        late: v.late.raised,
        late_us: v.late.since.map(Timestamp::micros),
        late_before: v.late.before,
        soon: v.soon.told,
    }
}

fn visit(w: &WireVisit) -> Result<Visit, BadRecord> {
    let time = |us: Option<i64>| us.map(Timestamp::from_micros);
    Ok(Visit {
        state: stop_state(w.state)?,
        arrived: time(w.arrived_us),
        departed: time(w.departed_us),
        leg: w.leg.as_ref().map(|l| Leg {
            from: l.from,
            to: l.to.map(place),
            or_to: std::array::from_fn(|i| l.or_to.get(i).copied().map(place)),
            drive: Stretch { free_s: l.free_s, slow_s: l.slow_s, metres: l.metres },
            cells: cells(&l.cells),
        }),
        said: w.said.as_ref().map(said).transpose()?,
        late: Late { raised: w.late, before: w.late_before, since: time(w.late_us) },
        soon: Soon { told: w.soon },
    })
}

fn stop_state(number: u32) -> Result<StopState, BadRecord> {
    let state = StopState::ALL.into_iter().find(|s| *s as u32 == number);
    state.ok_or_else(|| BadRecord::Value(format!("stop state `{number}`")))
}

fn said_to_wire(s: Said) -> WireSaid {
    let Ledger { plan, travel, traffic, dwell, dwell_ahead, waiting, signal } = s.ledger;
    WireSaid {
        state: s.state as u32,
        p50_s: s.p50_s,
        miss: s.miss.map(u32::from),
        ledger: vec![plan, travel, traffic, dwell, dwell_ahead, waiting, signal],
    }
}

fn said(w: &WireSaid) -> Result<Said, BadRecord> {
    let [plan, travel, traffic, dwell, dwell_ahead, waiting, signal] = *w.ledger.as_slice() else {
        return Err(BadRecord::Value(format!("ledger of `{}` parts", w.ledger.len())));
    };
    Ok(Said {
        state: stop_state(w.state)?,
        p50_s: w.p50_s,
        miss: w.miss.map(|m| m as u8),
        ledger: Ledger { plan, travel, traffic, dwell, dwell_ahead, waiting, signal },
    })
}

fn cells_to_wire(cells: u128) -> Vec<u64> {
    if cells == 0 { Vec::new() } else { vec![cells as u64, (cells >> 64) as u64] }
}
fn cells(w: &[u64]) -> u128 {
    let half = |i: usize| u128::from(w.get(i).copied().unwrap_or(0));
    half(0) | half(1) << 64
}

fn place_to_wire(p: Place) -> WirePoint {
    WirePoint { edge: p.edge.0, offset_m: p.offset_m }
}
fn place(w: WirePoint) -> Place {
    Place { edge: EdgeId(w.edge), offset_m: w.offset_m }
}

fn seen_to_wire(s: &Seen) -> WireSeen {
    WireSeen {
        us: s.time.micros(),
        lng: s.position.lng,
        lat: s.position.lat,
        speed_mps: s.speed_mps,
    }
}
fn seen(w: WireSeen) -> Seen {
    Seen {
        time: Timestamp::from_micros(w.us),
        position: ingest::units::Position { lng: w.lng, lat: w.lat },
        speed_mps: w.speed_mps,
    }
}

fn halt_to_wire(h: &Halt) -> WireHalt {
    WireHalt {
        since_us: h.since.micros(),
        last_us: h.last.micros(),
        lng: h.middle.lng,
        lat: h.middle.lat,
        fixes: h.fixes,
    }
}
fn halt(w: WireHalt) -> Halt {
    Halt {
        since: Timestamp::from_micros(w.since_us),
        last: Timestamp::from_micros(w.last_us),
        middle: ingest::units::Position { lng: w.lng, lat: w.lat },
        fixes: w.fixes,
    }
}

/// The numbers of a list in order, 0 where it is shorter.
fn numbers<const N: usize>(list: &[f64]) -> [f64; N] {
    std::array::from_fn(|i| list.get(i).copied().unwrap_or(0.0))
}

fn driving_to_wire(d: &Driving) -> Vec<f64> {
    vec![d.day_s, d.day_free_s, d.now_s, d.now_free_s, d.lately_s, d.lately_free_s]
}
fn driving(w: &[f64]) -> Driving {
    let [day_s, day_free_s, now_s, now_free_s, lately_s, lately_free_s] = numbers(w);
    let spots = Spots::default();
    Driving { day_s, day_free_s, now_s, now_free_s, lately_s, lately_free_s, spots }
}
fn spot_to_wire(s: &Spot) -> WireSpot {
    WireSpot {
        lng: s.middle.lng,
        lat: s.middle.lat,
        seconds: s.seconds,
        free_s: s.free_s,
        at_us: s.at.micros(),
    }
}
fn spot(w: WireSpot) -> Spot {
    let middle = ingest::units::Position { lng: w.lng, lat: w.lat };
    let at = Timestamp::from_micros(w.at_us);
    Spot { middle, seconds: w.seconds, free_s: w.free_s, at }
}
fn search_to_wire(s: Search) -> WireSearch {
    let Wrong { late, open, astray } = s.wrong;
    WireSearch { at_us: s.at.micros(), late, open, astray }
}
fn search(w: WireSearch) -> Search {
    let wrong = Wrong { late: w.late, open: w.open, astray: w.astray };
    Search { at: Timestamp::from_micros(w.at_us), wrong }
}
fn visits(w: &[f64]) -> Visits {
    let [count, log_sum, log_square_sum] = numbers(w);
    Visits { count, log_sum, log_square_sum }
}

fn left_to_wire(l: &Left) -> WireLeft {
    WireLeft {
        at_us: l.at.micros(),
        to_drive_s: l.to_drive_s,
        driven_s: l.driven_s,
        driven_m: l.driven_m,
        strayed_us: l.strayed_at.micros(),
        strayed_to_drive_s: l.strayed_to_drive_s,
        wasted_us: l.wasted_since.map(Timestamp::micros),
        to_places_s: l.to_places_s.to_vec(),
        busy_to_places_s: l.busy.to_places_s.to_vec(),
        busy_driven_s: l.busy.driven_s,
    }
}
/// Those that are not there are infinitely far.
fn places(w: &[f64]) -> [f64; PLACES_MAX] {
    std::array::from_fn(|i| w.get(i).copied().unwrap_or(f64::INFINITY))
}
fn left(w: &WireLeft) -> Left {
    Left {
        at: Timestamp::from_micros(w.at_us),
        to_drive_s: w.to_drive_s,
        driven_s: w.driven_s,
        driven_m: w.driven_m,
        strayed_at: Timestamp::from_micros(w.strayed_us),
        strayed_to_drive_s: w.strayed_to_drive_s,
        wasted_since: w.wasted_us.map(Timestamp::from_micros),
        to_places_s: places(&w.to_places_s),
        busy: Busy { to_places_s: places(&w.busy_to_places_s), driven_s: w.busy_driven_s },
    }
}

fn way_to_wire(w: &Way) -> WireWay {
    WireWay {
        edges: w.edges.iter().map(|e| e.0).collect(),
        target: Some(place_to_wire(w.target)),
        at: w.at as u32,
        free_s: w.left.free_s,
        metres: w.left.metres,
        slow_s: w.left.slow_s,
        cells: cells_to_wire(w.cells),
    }
}
fn way(w: WireWay) -> Option<Way> {
    let target = place(w.target?);
    let edges = w.edges.into_iter().map(EdgeId).collect::<Vec<_>>();
    let left = Stretch { free_s: w.free_s, slow_s: w.slow_s, metres: w.metres };
    let known = (left, cells(&w.cells));
    (!edges.is_empty()).then(|| Way::kept((edges, w.at as usize), target, known))
}

fn journey_to_wire(j: &Journey) -> WireJourney {
    let Spent { driven, driven_free, idle, waited, planned, dwell } = j.spent;
    WireJourney {
        began_us: j.began.micros(),
        at: j.at.as_ref().map(|a| WireAtStop {
            stop: a.stop as u32,
            lng: a.middle.lng,
            lat: a.middle.lat,
            arrived_us: a.arrived.micros(),
            leaving_us: a.leaving.map(Timestamp::micros),
        }),
        last_stop: j.last_stop.as_ref().map(ToString::to_string),
        at_depot: j.at_depot,
        way: j.way.as_ref().map(way_to_wire),
        way_left: j.way_left.as_ref().map(way_to_wire),
        astray: j.astray,
        kept_s: j.kept_s,
        on_way_us: j.on_way_at.map(Timestamp::micros),
        on_way: j.on_way.map(place_to_wire),
        on_way_left: j.on_way_left.map(place_to_wire),
        brief_stop: j.brief.map(|(stop, _)| stop as u32),
        brief: j.brief.map(|(_, h)| halt_to_wire(&h)),
        pending_s: j.pending_s,
        stuck_s: j.stuck_s,
        spent: vec![driven, driven_free, idle, waited, planned, dwell],
        predicted_us: j.predicted_at.map(Timestamp::micros),
        slow: j.slow.map(|(p, _)| place_to_wire(p)),
        slow_s: j.slow.map_or(0.0, |(_, s)| s),
    }
}

fn journey(w: WireJourney) -> Result<Journey, BadRecord> {
    let time = |us: Option<i64>| us.map(Timestamp::from_micros);
    let [driven, driven_free, idle, waited, planned, dwell] = numbers(&w.spent);
    let last_stop = w.last_stop.as_deref().map(ingest::id::StopId::new).transpose();
    Ok(Journey {
        began: Timestamp::from_micros(w.began_us),
        at: w.at.map(|a| AtStop {
            stop: a.stop as usize,
            middle: ingest::units::Position { lng: a.lng, lat: a.lat },
            arrived: Timestamp::from_micros(a.arrived_us),
            leaving: time(a.leaving_us),
        }),
        last_stop: last_stop.map_err(|e| BadRecord::Value(e.to_string()))?,
        at_depot: w.at_depot,
        way: w.way.and_then(way),
        way_left: w.way_left.and_then(way),
        astray: w.astray,
        kept_s: w.kept_s,
        on_way_at: time(w.on_way_us),
        on_way: w.on_way.map(place),
        on_way_left: w.on_way_left.map(place),
        brief: w.brief_stop.map(|s| s as usize).zip(w.brief.map(halt)),
        pending_s: w.pending_s,
        stuck_s: w.stuck_s,
        spent: Spent { driven, driven_free, idle, waited, planned, dwell },
        predicted_at: time(w.predicted_us),
        slow: w.slow.map(|p| (place(p), w.slow_s)),
    })
}
