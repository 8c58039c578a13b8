//! A plan as it is sent: checked whole, so that nothing wrong reaches the log.

use std::collections::HashMap;

use engine::model::route::{SERVICE_S_MAX, STOPS_MAX};
use engine::model::{Route, Stop, Window};
use engine::record::input::plan_envelope;
use engine::road::{Access, Road};
use ingest::id::{OrderId, RouteId, StopId, TenantId, VehicleId, VehicleKey};
use ingest::log::{NewRecord, Topic};
use ingest::record::Pid;
use ingest::time::Timestamp;
use ingest::units::Position;

use super::vehicles::time_zone_name;
use crate::message::mail::is_address;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::routes::{ContactRow, PlaceRow, RouteBody, RouteRow, StopRow};
use crate::view::{ContactJson, PlaceJson, RouteIn, StopIn, WindowJson};

/// Planned service where none is given, seconds.
const SERVICE_S: f64 = 120.0;
/// Furthest that a stop may be from any road, metres.
const ROAD_M: f64 = 500.0;
/// Longest shift, seconds (two days).
const SHIFT_S_MAX: f64 = 172_800.0;
/// Longest name of a stop, characters.
const NAME_MAX: usize = 200;

/// Checks a plan; the first thing that is wrong is said with its place and value.
pub(crate) fn checked(plan: &RouteIn) -> Result<RouteBody, Problem> {
    let depot = place("depot", plan.depot)?;
    let shift = span(("shift.start", &plan.shift.start), ("shift.end", &plan.shift.end))?;
    let hours = Timestamp::from_micros(shift.1).seconds_since(Timestamp::from_micros(shift.0));
    if hours > SHIFT_S_MAX {
        return Err(Problem::value("shift.end", &plan.shift.end, "at most 48 h after shift.start"));
    }
    let time_zone = plan.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
    time_zone_name(&time_zone)?;
    let count = plan.stops.len();
    if !(1..=STOPS_MAX).contains(&count) {
        let expected = format!("1 to {STOPS_MAX} stops");
        return Err(Problem::value("stops", &format!("{count} stops"), &expected));
    }
    let stops: Vec<StopRow> = plan
        .stops
        .iter()
        .enumerate()
        .map(|(n, stop)| stop_row(n, stop))
        .collect::<Result<_, _>>()?;
    unique("id", stops.iter().map(|s| s.id.as_str()))?;
    unique("order", stops.iter().map(|s| s.order.as_str()))?;
    compatible(&stops, shift)?;
    Ok(RouteBody { depot, shift, time_zone, stops })
}

fn stop_row(n: usize, stop: &StopIn) -> Result<StopRow, Problem> {
    let field = |name: &str| format!("stops[{n}].{name}");
    let id =
        StopId::new(&stop.id).map_err(|e| Problem::value(&field("id"), &stop.id, e.expected))?;
    let order = OrderId::new(&stop.order)
        .map_err(|e| Problem::value(&field("order"), &stop.order, e.expected))?;
    let place = place(&format!("stops[{n}]"), PlaceJson { lat: stop.lat, lng: stop.lng })?;
    let window = stop.window.as_ref().map(|WindowJson { from, to }| {
        span((&field("window.from"), from), (&field("window.to"), to))
    });
    let service_s = stop.service_s.unwrap_or(SERVICE_S);
    if !(0.0..=SERVICE_S_MAX).contains(&service_s) {
        let expected = format!("0 to {SERVICE_S_MAX} seconds");
        return Err(Problem::value(&field("service_s"), &service_s.to_string(), &expected));
    }
    if let Some(name) = &stop.name
        && name.chars().count() > NAME_MAX
    {
        return Err(Problem::value(&field("name"), name, "at most 200 characters"));
    }
    Ok(StopRow {
        id: id.to_string(),
        order: order.to_string(),
        place,
        window: window.transpose()?,
        service_s,
        name: stop.name.clone(),
        contact: stop.contact.as_ref().map(|contact| contact_row(n, contact)).transpose()?,
    })
}

fn contact_row(n: usize, contact: &ContactJson) -> Result<ContactRow, Problem> {
    let check =
        |name: &str, value: &Option<String>, good: &dyn Fn(&str) -> bool, expected: &str| {
            match value {
                Some(value) if !good(value) => {
                    Err(Problem::value(&format!("stops[{n}].contact.{name}"), value, expected))
                }
                _ => Ok(()),
            }
        };
    check("email", &contact.email, &is_address, "the address of a mailbox")?;
    let phone = |text: &str| {
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let plain = |c: char| c.is_ascii_digit() || "+ -.()".contains(c);
        (5..=20).contains(&digits) && text.len() <= 40 && text.chars().all(plain)
    };
    check("phone", &contact.phone, &phone, "5 to 20 digits with `+`, spaces, `-`, `.`, `(`, `)`")?;
    let tag = |text: &str| {
        (2..=35).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    check("language", &contact.language, &tag, "a language's tag, such as pt-BR")?;
    let name = |text: &str| text.chars().count() <= NAME_MAX;
    check("name", &contact.name, &name, "at most 200 characters")?;
    let ContactJson { email, phone, language, name } = contact.clone();
    Ok(ContactRow { email, phone, language, name })
}

/// Customers of a plan that does not say how they are told are told as before.
pub(crate) fn keep_contacts(body: &mut RouteBody, before: &RouteBody) {
    for stop in body.stops.iter_mut().filter(|stop| stop.contact.is_none()) {
        let same = before.stops.iter().find(|old| old.order == stop.order);
        stop.contact = same.and_then(|old| old.contact.clone());
    }
}

fn place(field: &str, place: PlaceJson) -> Result<PlaceRow, Problem> {
    match Position::new(place.lng, place.lat) {
        Ok(at) => Ok(PlaceRow { lat: at.lat, lng: at.lng }),
        Err(e) => {
            let part = if e.what == "latitude" { "lat" } else { "lng" };
            let expected = format!("{} to {} degrees", e.least, e.most);
            Err(Problem::value(&format!("{field}.{part}"), &e.value.to_string(), &expected))
        }
    }
}

/// Two times, the first before the second.
fn span(from: (&str, &str), to: (&str, &str)) -> Result<(i64, i64), Problem> {
    let time = |(field, text): (&str, &str)| {
        Timestamp::parse(text).map_err(|_bad| Problem::value(field, text, "a time of RFC 3339"))
    };
    let (first, last) = (time(from)?, time(to)?);
    if first >= last {
        return Err(Problem::value(to.0, to.1, &format!("after {} `{}`", from.0, from.1)));
    }
    Ok((first.micros(), last.micros()))
}

/// Refuses places in the sea: further than [`ROAD_M`] from any road of the map.
pub(crate) fn on_land(road: &Road, body: &RouteBody) -> Result<(), Problem> {
    let mut near = Vec::new();
    let mut check = |field: &str, place: PlaceRow| {
        let at =
            Position::from_e7((place.lng * 1e7).round() as i32, (place.lat * 1e7).round() as i32);
        road.near_for(at, ROAD_M, Access::ALL, &mut near);
        if near.is_empty() {
            let value = format!("{},{}", place.lat, place.lng);
            let expected = format!("a place within {ROAD_M} m of a road of the map");
            return Err(Problem::value(field, &value, &expected));
        }
        Ok(())
    };
    check("depot", body.depot)?;
    for (n, stop) in body.stops.iter().enumerate() {
        check(&format!("stops[{n}]"), stop.place)?;
    }
    Ok(())
}

fn unique<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> Result<(), Problem> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (n, value) in values.enumerate() {
        if let Some(first) = seen.insert(value, n) {
            let expected = format!("another one than stops[{first}].{name}");
            return Err(Problem::value(&format!("stops[{n}].{name}"), value, &expected));
        }
    }
    Ok(())
}

/// Stops are driven in order, so a window must not close before an earlier one opens, nor lie
/// outside of the shift.
fn compatible(stops: &[StopRow], shift: (i64, i64)) -> Result<(), Problem> {
    let shown = |micros| Timestamp::from_micros(micros).to_string();
    let mut opened: (i64, String) = (shift.0, "shift.start".to_owned());
    for (n, stop) in stops.iter().enumerate() {
        let Some((from, to)) = stop.window else { continue };
        if to < opened.0 {
            let expected = format!(
                "not before {} `{}`: the two exclude each other",
                opened.1,
                shown(opened.0)
            );
            return Err(Problem::value(&format!("stops[{n}].window.to"), &shown(to), &expected));
        }
        if from > shift.1 {
            let expected = format!("not after shift.end `{}`", shown(shift.1));
            return Err(Problem::value(
                &format!("stops[{n}].window.from"),
                &shown(from),
                &expected,
            ));
        }
        if from > opened.0 {
            opened = (from, format!("stops[{n}].window.from"));
        }
    }
    Ok(())
}

/// A plan record: who drives it, what else it says than the row, and who sent it when.
pub(crate) struct Sent<'a> {
    /// Whose.
    pub(crate) tenant: &'a TenantId,
    /// When the api took it.
    pub(crate) at: Timestamp,
    /// By which key.
    pub(crate) by: &'a str,
    /// Names a change of two vehicles.
    pub(crate) transfer: Option<Pid>,
}

impl Sent<'_> {
    /// The record that gives `row` to its vehicle.
    pub(crate) fn record(&self, row: &RouteRow, moved: &[&str]) -> Result<NewRecord, StoreError> {
        let route = self.route(row, moved)?;
        self.to(&row.vehicle, &route)
    }

    /// The record that takes a route away from the vehicle that drove it.
    pub(crate) fn withdrawal(&self, row: &RouteRow, from: &str) -> Result<NewRecord, StoreError> {
        let moved: Vec<&str> = row.body.stops.iter().map(|s| s.id.as_str()).collect();
        let mut route = self.route(row, &moved)?;
        route.stops.clear();
        self.to(from, &route)
    }

    fn to(&self, vehicle: &str, route: &Route) -> Result<NewRecord, StoreError> {
        let vehicle = VehicleId::new(vehicle).map_err(|e| StoreError::Value(e.to_string()))?;
        let key = VehicleKey { tenant: self.tenant.clone(), vehicle };
        let path = format!("/v1/routes/{}", route.id);
        let (version, key) = (route.version.to_le_bytes(), key.to_string());
        let parts: [&[u8]; 4] =
            [self.tenant.as_str().as_bytes(), path.as_bytes(), &version, key.as_bytes()];
        let envelope = plan_envelope(route, Pid::of_parts(&parts), self.at, Some(self.by));
        Ok(envelope.into_record(Topic::Inputs, key.into()))
    }

    fn route(&self, row: &RouteRow, moved: &[&str]) -> Result<Route, StoreError> {
        let wrong = |e: ingest::id::BadId| StoreError::Value(e.to_string());
        let place =
            |p: PlaceRow| Position::new(p.lng, p.lat).map_err(|e| StoreError::Value(e.to_string()));
        let window = |(from, to): (i64, i64)| Window {
            from: Timestamp::from_micros(from),
            to: Timestamp::from_micros(to),
        };
        let stop = |s: &StopRow| {
            Ok(Stop {
                id: StopId::new(&s.id).map_err(wrong)?,
                order: OrderId::new(&s.order).map_err(wrong)?,
                position: place(s.place)?,
                window: s.window.map(window),
                service_s: s.service_s,
            })
        };
        Ok(Route {
            id: RouteId::new(&row.route).map_err(wrong)?,
            version: row.version,
            depot: place(row.body.depot)?,
            shift: window(row.body.shift),
            time_zone: row.body.time_zone.clone(),
            stops: row.body.stops.iter().map(stop).collect::<Result<_, StoreError>>()?,
            transfer: self.transfer,
            moved_away: moved
                .iter()
                .map(|id| StopId::new(id).map_err(wrong))
                .collect::<Result<_, _>>()?,
        })
    }
}
