//! What the API says while the fleet drives: events by cursor, predictions once a minute, and in
//! the end the track of each vehicle.

use std::collections::BTreeMap;

use engine::model::EventKind;
use ingest::record::Pid;
use ingest::time::Timestamp;
use serde_json::Value;

use super::client::{ApiError, Client};
use crate::drive::Fleet;
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
                None => format!("/events?limit={PAGE}"),
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

    /// Counts the fixes in the tracks of all vehicles, by their identity.
    pub fn tracks(&mut self, fleet: &Fleet, until: Timestamp) -> Result<(), ApiError> {
        for van in &fleet.vans {
            let from = fleet.start.plus_seconds(-120.0);
            let mut after: Option<String> = None;
            loop {
                let mut path =
                    format!("/vehicles/{}/track?from={from}&to={until}&limit={PAGE}", van.vehicle);
                if let Some(after) = &after {
                    path.push_str("&after=");
                    path.push_str(after);
                }
                let text = self.client.get_text(&path)?;
                let (pids, next) = pids_of(&text);
                for pid in &pids {
                    self.seen.position(*pid);
                }
                if next.is_none() || next == after {
                    break;
                }
                after = next;
            }
        }
        Ok(())
    }
}

/// The identities in a track, whatever its form: each `"pid"` of JSON or JSON lines; and the
/// cursor of the next page.
fn pids_of(text: &str) -> (Vec<Pid>, Option<String>) {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let (mut pids, mut next) = (Vec::new(), None);
    for document in documents.map_while(Result::ok) {
        collect(&document, &mut pids);
        if let Some(cursor) = document["next"].as_str() {
            next = Some(cursor.to_owned());
        }
    }
    (pids, next)
}

fn collect(value: &Value, pids: &mut Vec<Pid>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "pid" => {
                        pids.extend(u128::from_str_radix(text, 16).map(Pid));
                    }
                    Value::Array(texts) if name == "pids" => {
                        let texts = texts.iter().filter_map(Value::as_str);
                        pids.extend(
                            texts.filter_map(|t| u128::from_str_radix(t, 16).ok().map(Pid)),
                        );
                    }
                    other => collect(other, pids),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, pids)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_found_in_any_form() {
        let lines =
            "{\"pid\":\"0a\"}\n{\"fixes\":[{\"pid\":\"0b\"},{\"pid\":\"0a\"}],\"next\":\"7\"}";
        let (pids, next) = pids_of(lines);
        assert_eq!((pids, next), (vec![Pid(10), Pid(11), Pid(10)], Some("7".into())));
    }
}
