//! The JSON shapes of requests and answers. Times are RFC 3339 UTC with milliseconds, unknown
//! values are absent.

use engine::model::view::LastFix;
use engine::model::{StopState, StopView, View};
use ingest::id::VehicleId;
use ingest::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::live::Seen;
use crate::live::cell::Said;
use crate::store::devices::DeviceRow;
use crate::store::routes::{ContactRow, RouteRow, StopRow};
use crate::store::vehicles::VehicleRow;

/// A device as it is put.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceIn {
    /// Vehicle it belongs to; absent or null: to none.
    #[serde(default)]
    pub vehicle: Option<String>,
    /// From when on, not before now; absent: from now.
    #[serde(default)]
    pub valid_from: Option<String>,
    /// Protocols it may speak; absent or empty: any.
    #[serde(default)]
    pub protocols: Option<Vec<String>>,
    /// Networks it may speak from, such as `10.0.0.0/8`; absent or empty: any.
    #[serde(default)]
    pub networks: Option<Vec<String>>,
    /// What it has to show: Wialon's or MQTT's password, an HTTP bearer's token, JT808's
    /// authentication code; 8 to 128 characters. It then speaks only protocols that can show it.
    /// Nobody can read it again; absent: it stays as it is; empty: it is removed.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub secret: Option<Unshown>,
}

/// A text that no log shows.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Unshown(pub String);

impl std::fmt::Debug for Unshown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unshown")
    }
}

/// A device.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceOut {
    /// What it calls itself.
    pub id: String,
    /// Vehicle it belongs to now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Protocols it may speak; empty: any.
    pub protocols: Vec<String>,
    /// Networks it may speak from; empty: any.
    pub networks: Vec<String>,
    /// Whether it has to show a secret.
    pub has_secret: bool,
    /// Its vehicles over time, oldest first.
    pub assignments: Vec<AssignmentOut>,
    /// Rises with each change; also the `ETag`.
    pub version: u64,
}

/// A device belongs to a vehicle from a moment on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AssignmentOut {
    /// From when on.
    pub from: String,
    /// Which vehicle; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
}

impl DeviceOut {
    /// As it stands at `now`.
    pub fn new(row: &DeviceRow, now: Timestamp) -> Self {
        let time = |micros: i64| Timestamp::from_micros(micros).to_string();
        let held = row.assignments.iter().rev().find(|(from, _)| *from <= now.micros());
        let assignment = |(from, vehicle): &(i64, Option<String>)| AssignmentOut {
            from: time(*from),
            vehicle: vehicle.clone(),
        };
        Self {
            id: row.device.clone(),
            vehicle: held.and_then(|(_, vehicle)| vehicle.clone()),
            valid_from: held.map(|(from, _)| time(*from)),
            protocols: row.protocols.clone(),
            networks: row.networks.clone(),
            has_secret: row.secret.is_some(),
            assignments: row.assignments.iter().map(assignment).collect(),
            version: row.version,
        }
    }
}

/// A vehicle as it is put.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VehicleIn {
    /// Shown to people; absent: its id.
    #[serde(default)]
    pub name: Option<String>,
    /// `car`, `van`, `truck`, `bike` or `foot`; absent: `van`.
    #[serde(default)]
    pub profile: Option<String>,
    /// IANA name, for people's clocks; absent: `UTC`.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// How to call whoever drives it.
    #[serde(default)]
    pub phone: Option<String>,
}

/// A vehicle.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VehicleOut {
    /// Its id.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// `car`, `van`, `truck`, `bike` or `foot`.
    pub profile: String,
    /// IANA name.
    pub time_zone: String,
    /// How to call whoever drives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Rises with each change; also the `ETag`.
    pub version: u64,
}

impl From<VehicleRow> for VehicleOut {
    fn from(row: VehicleRow) -> Self {
        let VehicleRow { vehicle, version, body } = row;
        let (name, profile, time_zone) = (body.name, body.profile, body.time_zone);
        Self { id: vehicle, name, profile, time_zone, phone: body.phone, version }
    }
}

/// A place, degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceJson {
    /// Latitude.
    pub lat: f64,
    /// Longitude.
    pub lng: f64,
}

/// Where a vehicle is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PositionOut {
    /// Which vehicle.
    pub vehicle: String,
    /// The moment up to which this is complete.
    pub as_of: String,
    /// `as_of` minus `time`, seconds.
    pub age_s: f64,
    /// Time of the fix.
    pub time: String,
    /// Latitude of the fix.
    pub lat: f64,
    /// Longitude of the fix.
    pub lng: f64,
    /// On the road; absent off road.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<PlaceJson>,
    /// Metres a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_mps: Option<f64>,
    /// Degrees from true north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<f64>,
    /// Radius that holds the truth about two times in three, metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
    /// `moving`, `at_stop`, `break` or `off`.
    pub activity: &'static str,
    /// The worst status among its remaining stops.
    pub status: &'static str,
    /// The device that said it.
    pub device: String,
    /// The active route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The vehicle's own number of this position; only rises.
    pub seq: u64,
}

impl PositionOut {
    /// `None` where no position is known.
    pub fn new(seen: &Seen, as_of: Timestamp) -> Option<Self> {
        let last: &LastFix = seen.view.last.as_ref()?;
        let age_s = (as_of.seconds_since(last.time).max(0.0) * 1e3).round() / 1e3;
        Some(Self {
            vehicle: seen.vehicle.to_string(),
            as_of: as_of.to_string(),
            age_s,
            time: last.time.to_string(),
            lat: last.position.lat,
            lng: last.position.lng,
            matched: last.matched.map(|m| PlaceJson { lat: m.position.lat, lng: m.position.lng }),
            speed_mps: last.speed_mps,
            heading: last.heading,
            accuracy_m: last.accuracy_m,
            activity: seen.view.activity().name(),
            status: seen.view.status().name(),
            device: last.device.to_string(),
            route: seen.view.route.as_ref().map(|(id, _)| id.to_string()),
            seq: seen.position_seq,
        })
    }
}

/// What stays true of a position while nothing new is said: [`PositionOut`] without `as_of` and
/// `age_s`.
#[derive(Serialize)]
struct Lasting<'a> {
    vehicle: &'a str,
    time: String,
    lat: f64,
    lng: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<PlaceJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_mps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy_m: Option<f64>,
    activity: &'static str,
    status: &'static str,
    device: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    seq: u64,
}

impl PositionOut {
    /// The JSON of a position but for its end, which [`AsOf`] writes, into `out` instead of what
    /// was there; the fix it tells of.
    pub(crate) fn lasting<'a>(
        vehicle: &VehicleId,
        view: &'a View,
        seq: u64,
        out: &mut Vec<u8>,
    ) -> Option<&'a LastFix> {
        out.clear();
        let last = view.last.as_ref()?;
        let lasting = Lasting {
            vehicle: vehicle.as_str(),
            time: last.time.to_string(),
            lat: last.position.lat,
            lng: last.position.lng,
            matched: last.matched.map(|m| PlaceJson { lat: m.position.lat, lng: m.position.lng }),
            speed_mps: last.speed_mps,
            heading: last.heading,
            accuracy_m: last.accuracy_m,
            activity: view.activity().name(),
            status: view.status().name(),
            device: last.device.as_str(),
            route: view.route.as_ref().map(|(id, _)| id.as_str()),
            seq,
        };
        serde_json::to_writer(&mut *out, &lasting).ok()?;
        out.pop();
        Some(last)
    }
}

/// The moment of an answer, as every position in it ends.
#[derive(Debug)]
pub(crate) struct AsOf {
    at: Timestamp,
    text: String,
}

impl AsOf {
    /// Bytes that a position's end has at most.
    pub(crate) const BYTES_MAX: usize = 80;

    pub(crate) fn new(at: Timestamp) -> Self {
        Self { at, text: format!(",\"as_of\":\"{at}\",\"age_s\":") }
    }

    /// Appends a position.
    pub(crate) fn tell(&self, said: &Said<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(said.text);
        out.extend_from_slice(self.text.as_bytes());
        let age_ms = (self.at.micros() - said.time.micros()).max(0).unsigned_abs().div_ceil(1_000);
        // From its end: the brace, three digits, the point, the whole seconds.
        let (mut age, mut at, mut rest) = ([b'}'; 24], 23, age_ms);
        while at > 18 || rest > 0 {
            at -= 1;
            if at == 19 {
                age[at] = b'.';
            } else {
                age[at] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        out.extend_from_slice(&age[at..]);
    }
}

/// A span of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowJson {
    /// Earliest service start.
    pub from: String,
    /// Latest service start.
    pub to: String,
}

/// When a vehicle works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShiftJson {
    /// Start; the route becomes the active one then, or by an action.
    pub start: String,
    /// End.
    pub end: String,
}

/// A route as it is put.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteIn {
    /// Which vehicle drives it.
    pub vehicle: String,
    /// Where it starts and ends.
    pub depot: PlaceJson,
    /// When it works.
    pub shift: ShiftJson,
    /// IANA name, for people's clocks; absent: `UTC`.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// In driving order, 1 to 500.
    pub stops: Vec<StopIn>,
}

/// One visit as it is planned.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopIn {
    /// Unique within its route.
    pub id: String,
    /// The customer's order.
    pub order: String,
    /// The door.
    pub lat: f64,
    /// The door.
    pub lng: f64,
    /// What was promised; absent: any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowJson>,
    /// Planned service, seconds, 0 to 43,200; absent: 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_s: Option<f64>,
    /// For people; stays here, never on the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How the customer is told; stays here, never on the log. Absent: as before, for the same
    /// order; `{}`: not at all. Shown with the delivery, to dispatchers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactJson>,
}

/// How a customer is told.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactJson {
    /// Mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone number, 5 to 20 digits with `+`, spaces, `-`, `.`, `(`, `)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Tag of the language, such as `pt-BR`; English where it is none of `en`, `de`, `es`, `pt`,
    /// `fr`, `ar`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How they are greeted; absent: by the stop's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl From<&ContactRow> for ContactJson {
    fn from(row: &ContactRow) -> Self {
        let ContactRow { email, phone, language, name } = row.clone();
        Self { email, phone, language, name }
    }
}

/// Three quantiles of an arrival.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EtaJson {
    /// Earlier than this with probability 0.1.
    pub p10: String,
    /// With probability 0.5.
    pub p50: String,
    /// With probability 0.9.
    pub p90: String,
}

/// One visit with how it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StopOut {
    /// As planned.
    #[serde(flatten)]
    pub plan: StopIn,
    /// `later`, `next`, `arrived`, `departed`, `completed`, `failed`, `skipped`; absent until the
    /// route is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// How it stands with its promise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Predicted arrival, until it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta: Option<EtaJson>,
    /// Metres to drive until there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metres: Option<f64>,
    /// Probability that service starts after the window closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_probability: Option<f64>,
    /// When it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at: Option<String>,
    /// When it was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub departed_at: Option<String>,
}

/// A route with its progress.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RouteOut {
    /// Its id.
    pub id: String,
    /// Rises with each change; also the `ETag`.
    pub version: u64,
    /// Which vehicle drives it.
    pub vehicle: String,
    /// Where it starts and ends.
    pub depot: PlaceJson,
    /// When it works.
    pub shift: ShiftJson,
    /// IANA name.
    pub time_zone: String,
    /// `planned`, `active`, `done` or `withdrawn`.
    pub state: &'static str,
    /// In driving order.
    pub stops: Vec<StopOut>,
    /// The moment up to which progress is complete.
    pub as_of: String,
}

/// The stored stop as it was planned.
pub(crate) fn stop_in(stop: &StopRow) -> StopIn {
    StopIn {
        id: stop.id.clone(),
        order: stop.order.clone(),
        lat: stop.place.lat,
        lng: stop.place.lng,
        window: stop.window.map(window_json),
        service_s: Some(stop.service_s),
        name: stop.name.clone(),
        contact: None,
    }
}

/// A stored window as JSON.
pub(crate) fn window_json((from, to): (i64, i64)) -> WindowJson {
    let time = |micros| Timestamp::from_micros(micros).to_string();
    WindowJson { from: time(from), to: time(to) }
}

/// The predicted times of a stop as JSON.
pub(crate) fn eta_json(stop: &StopView) -> Option<EtaJson> {
    stop.eta.times.map(|t| EtaJson {
        p10: t.p10.to_string(),
        p50: t.p50.to_string(),
        p90: t.p90.to_string(),
    })
}

fn stop_out(plan: StopIn, view: Option<&StopView>) -> StopOut {
    StopOut {
        plan,
        state: view.map(|v| v.eta.state.name()),
        status: view.map(|v| v.status().name()),
        eta: view.and_then(eta_json),
        metres: view.and_then(|v| v.eta.metres),
        late_probability: view.and_then(|v| v.eta.miss),
        arrived_at: view.and_then(|v| v.arrived_at).map(|t| t.to_string()),
        departed_at: view.and_then(|v| v.departed_at).map(|t| t.to_string()),
    }
}

impl RouteOut {
    /// As planned, with the progress of its vehicle where that drives it; then in the order in
    /// which it is driven, which an accepted reroute may have changed.
    pub fn new(row: &RouteRow, seen: Option<&Seen>, as_of: Timestamp) -> Self {
        let view = seen.map(|seen| &*seen.view);
        let view =
            view.filter(|v| v.route.as_ref().is_some_and(|(id, _)| id.as_str() == row.route));
        let stops = view.map_or(&[][..], |view| &view.stops);
        let place = |id: &str| stops.iter().position(|s| s.eta.stop.as_str() == id);
        let mut out: Vec<(usize, StopOut)> = row
            .body
            .stops
            .iter()
            .map(|stop| {
                let at = place(&stop.id);
                let order = at.unwrap_or(usize::MAX);
                (order, stop_out(stop_in(stop), at.map(|at| &stops[at])))
            })
            .collect();
        out.sort_by_key(|(order, _)| *order);
        let state = match view {
            _ if row.body.stops.is_empty() => "withdrawn",
            None => "planned",
            Some(view) if view.stops.iter().all(|s| StopState::is_done(s.eta.state)) => "done",
            Some(_) => "active",
        };
        let shift = window_json(row.body.shift);
        Self {
            id: row.route.clone(),
            version: row.version,
            vehicle: row.vehicle.clone(),
            depot: PlaceJson { lat: row.body.depot.lat, lng: row.body.depot.lng },
            shift: ShiftJson { start: shift.from, end: shift.to },
            time_zone: row.body.time_zone.clone(),
            state,
            stops: out.into_iter().map(|(_, stop)| stop).collect(),
            as_of: as_of.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_ends_with_its_moment_and_age() {
        let at = Timestamp::from_seconds(1_795_161_600);
        let check = |age_ms: i64, expected: &str| {
            let mut out = Vec::new();
            let time = Timestamp::from_micros(at.micros() - age_ms * 1_000);
            AsOf::new(at).tell(&Said { number: 0, time, text: b"{\"seq\":1" }, &mut out);
            assert!(out.len() <= 8 + AsOf::BYTES_MAX);
            let out = String::from_utf8(out).unwrap();
            let json: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(json["as_of"], "2026-11-20T08:00:00.000Z");
            assert!(out.ends_with(&format!(":{expected}}}")), "{out}");
        };
        check(0, "0.000");
        check(-5_000, "0.000");
        check(1_250, "1.250");
        check(86_400_007, "86400.007");
        check(at.micros() / 1_000, "1795161600.000");
    }
}
