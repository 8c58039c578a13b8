//! What the API says while the fleet drives: events by cursor, predictions once a minute, and in
//! the end the track of each vehicle.

use std::collections::BTreeMap;

use engine::model::EventKind;
use ingest::record::Pid;
use ingest::time::Timestamp;
use serde_json::Value;

use super::client::{ApiError, Client};
use crate::drive::Fleet;
use crate::ledger::Ledger;
use crate::score::Seen;
use crate::score::seen::{Prediction, Proposed, Raised, SeenArrival};

/// Events of one page.
const PAGE: usize = 1_000;
/// Pages read at once at most; what is left comes with the next look.
const PAGES_MAX: usize = 200;
/// Vehicles whose predictions are looked at each minute.
const SAMPLED_MAX: usize = 400;

/// Collects what the API says about a fleet.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    start: Timestamp,
    /// Number of the vehicle of a route, and the index of each of its stops.
    routes: BTreeMap<String, (u32, BTreeMap<String, usize>)>,
    cursor: Option<String>,
    /// What was said so far.
    pub seen: Seen,
}

impl Watch {
    /// Watches a fleet.
    pub fn new(client: Client, fleet: &Fleet) -> Self {
        let stops = |van: &crate::drive::Van| {
            let ids = van.shift.visits.iter().map(|v| v.stop.to_string());
            ids.zip(0..).collect()
        };
        let routes = fleet
            .vans
            .iter()
            .map(|van| (van.shift.route.to_string(), (van.number, stops(van))))
            .collect();
        let seen = Seen::default();
        Self { client, start: fleet.start, routes, cursor: None, seen }
    }

    /// When the fleet begins.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Reads the events since the last look; answers how many there were.
    pub fn events(&mut self) -> Result<usize, ApiError> {
        let mut count = 0;
        for _ in 0..PAGES_MAX {
            let path = match &self.cursor {
                Some(cursor) => format!("/events?limit={PAGE}&after={cursor}"),
                None => format!("/events?limit={PAGE}&from={}", self.start.plus_seconds(-600.0)),
            };
            let page = self.client.get(&path)?;
            let events = page["events"].as_array().map(Vec::as_slice).unwrap_or_default();
            count += events.len();
            for event in events {
                self.event(event);
            }
            match page["next"].as_str() {
                Some(next) if self.cursor.as_deref() != Some(next) => {
                    self.cursor = Some(next.to_owned());
                }
                _ => break,
            }
            if events.is_empty() {
                break;
            }
        }
        Ok(count)
    }

    fn event(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str();
        let Some((van, stops)) = text("route").and_then(|route| self.routes.get(route)) else {
            return;
        };
        let (van, stop) = (*van, text("stop").and_then(|stop| stops.get(stop)).copied());
        let kind = EventKind::ALL.into_iter().find(|kind| Some(kind.name()) == text("type"));
        let Some((kind, at)) = kind.zip(text("at").and_then(|at| Timestamp::parse(at).ok())) else {
            return;
        };
        let at_s = at.seconds_since(self.start);
        match (kind, stop) {
            (EventKind::Arrived, Some(stop)) => {
                self.seen.arrivals.push(SeenArrival { van, stop, at_s });
            }
            (EventKind::RerouteProposed, _) => {
                self.seen.proposals.push(Proposed { van, at_s, proposal: None });
            }
            _ if kind.opens() => self.seen.raised.push(Raised { van, kind, stop, at_s }),
            _ => {}
        }
    }

    /// Looks at the predictions of up to [`SAMPLED_MAX`] vehicles, in turn.
    pub fn predictions(&mut self, minute: usize, now: Timestamp) -> Result<(), ApiError> {
        let at_s = now.seconds_since(self.start);
        let (all, count) = (self.routes.len(), self.routes.len().min(SAMPLED_MAX));
        let first = if all > count { minute * count % all } else { 0 };
        let names: Vec<String> =
            self.routes.keys().cycle().skip(first).take(count).cloned().collect();
        for name in names {
            let route = self.client.get(&format!("/routes/{name}"))?;
            let Some((van, stops)) = self.routes.get(&name) else { continue };
            for stop in route["stops"].as_array().into_iter().flatten() {
                let time = |name: &str| {
                    let at = stop["eta"][name].as_str()?;
                    Some(Timestamp::parse(at).ok()?.seconds_since(self.start))
                };
                let index = stop["id"].as_str().and_then(|id| stops.get(id));
                let times = (time("p10"), time("p50"), time("p90"));
                if let (Some(&stop), (Some(p10_s), Some(p50_s), Some(p90_s))) = (index, times) {
                    let van = *van;
                    self.seen.predictions.push(Prediction { van, stop, at_s, p10_s, p50_s, p90_s });
                }
            }
        }
        Ok(())
    }

    /// Counts the fixes in the tracks of all vehicles: a point is the fix that was sent with this
    /// time and place.
    pub fn tracks(
        &mut self,
        fleet: &Fleet,
        ledger: &Ledger,
        until: Timestamp,
    ) -> Result<(), ApiError> {
        let mut sent: BTreeMap<u32, BTreeMap<Point, Pid>> = BTreeMap::new();
        for (pid, fix) in ledger.sent() {
            let point = (fix.millis, fix.at.0, fix.at.1);
            sent.entry(fix.van).or_default().insert(point, *pid);
        }
        let from = fleet.start.plus_seconds(-120.0);
        for van in &fleet.vans {
            let Some(sent) = sent.get(&van.number) else { continue };
            let path = format!("/vehicles/{}/track?from={from}&to={until}", van.vehicle);
            let text = self.client.get_text(&path)?;
            for pid in points_of(&text).iter().filter_map(|point| sent.get(point)) {
                self.seen.position(*pid);
            }
        }
        Ok(())
    }
}

/// Time in milliseconds, lng and lat in 1e-7 degrees.
type Point = (i64, i32, i32);

/// The fixes of a track, as JSON lines.
fn points_of(text: &str) -> Vec<Point> {
    let point = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let millis = Timestamp::parse(line["time"].as_str()?).ok()?.millis();
        let (lng, lat) = e7(line["lng"].as_f64()?, line["lat"].as_f64()?);
        Some((millis, lng, lat))
    };
    text.lines().filter_map(point).collect()
}

fn e7(lng: f64, lat: f64) -> (i32, i32) {
    ((lng * 1e7).round_ties_even() as i32, (lat * 1e7).round_ties_even() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_of_a_track_are_read() {
        let lines = "{\"time\":\"1970-01-01T00:00:01.500Z\",\"lat\":2.5,\"lng\":-1.25,\
                     \"matched\":{\"lat\":2,\"lng\":-1}}\n{\"other\":7}\n";
        assert_eq!(points_of(lines), vec![(1_500, -12_500_000, 25_000_000)]);
    }
}
