//! Reads the outputs back from the log, as the API would.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::model::output::EtaTimes;
use engine::model::{Body, Event, EventKind, StopState};
use engine::record::output_from_envelope;
use ingest::log::{Log, Reader, Topic};
use ingest::record::{Envelope, Kind};
use ingest::time::Timestamp;

use super::InProcessError;
use crate::drive::Fleet;
use crate::score::Seen;
use crate::score::seen::{Prediction, Proposed, Raised, SeenArrival};

/// Read at once, about.
const POLL_BYTES: usize = 1024 * 1024;
/// Predictions further ahead are not scored, seconds.
const HORIZON_S: f64 = 7_200.0;

/// One vehicle as far as its outputs tell.
struct Told {
    van: u32,
    stops: BTreeMap<String, usize>,
    /// Newest prediction by index of the stop.
    times: BTreeMap<usize, EtaTimes>,
}

/// Follows `outputs` from where they ended when it was made.
pub(super) struct Outputs {
    reader: Box<dyn Reader>,
    start: Timestamp,
    told: BTreeMap<Vec<u8>, Told>,
    pub(super) seen: Seen,
}

impl Outputs {
    pub(super) fn new(log: &dyn Log, fleet: &Fleet) -> Result<Self, InProcessError> {
        let ends = (0..log.partitions(Topic::Outputs))
            .map(|p| Ok((p, log.bounds(Topic::Outputs, p)?.end)))
            .collect::<Result<Vec<_>, ingest::log::LogError>>()?;
        let reader = log.reader(Topic::Outputs, &ends)?;
        let told = |van: &crate::drive::Van| {
            let key = format!("{}/{}", fleet.tenant, van.vehicle).into_bytes();
            let stops = van.shift.visits.iter().map(|v| v.stop.to_string()).zip(0..).collect();
            (key, Told { van: van.number, stops, times: BTreeMap::new() })
        };
        let told = fleet.vans.iter().map(told).collect();
        Ok(Self { reader, start: fleet.start, told, seen: Seen::default() })
    }

    /// Takes in what was written since.
    pub(super) fn read(&mut self) -> Result<(), InProcessError> {
        loop {
            let records = self.reader.poll(POLL_BYTES, Duration::ZERO)?;
            if records.is_empty() {
                return Ok(());
            }
            for record in records {
                let Some(value) = record.value else { continue };
                let envelope = Envelope::decode(value)?;
                if envelope.kind == Kind::Position {
                    if let Some(pid) = envelope.pid {
                        self.seen.position(pid);
                    }
                    continue;
                }
                if let Some(told) = self.told.get_mut(record.key.as_ref()) {
                    let body = output_from_envelope(&envelope)?.body;
                    told.hear(body, self.start, &mut self.seen);
                }
            }
        }
    }

    /// Notes every prediction as it stands now.
    pub(super) fn look(&mut self, at_s: f64) {
        for told in self.told.values() {
            for (stop, times) in &told.times {
                let since = |t: Timestamp| t.seconds_since(self.start);
                let p50_s = since(times.p50);
                if p50_s - at_s < HORIZON_S {
                    let (p10_s, p90_s) = (since(times.p10), since(times.p90));
                    let (van, stop) = (told.van, *stop);
                    self.seen.predictions.push(Prediction { van, stop, at_s, p10_s, p50_s, p90_s });
                }
            }
        }
    }
}

impl Told {
    fn hear(&mut self, body: Body, start: Timestamp, seen: &mut Seen) {
        match body {
            Body::Eta(eta) => {
                if eta.whole {
                    self.times.clear();
                }
                for line in eta.stops {
                    let Some(stop) = self.stops.get(line.stop.as_str()).copied() else { continue };
                    match line.times.filter(|_| line.state <= StopState::Next) {
                        Some(times) => self.times.insert(stop, times),
                        None => self.times.remove(&stop),
                    };
                }
            }
            Body::Event(event) => self.happen(*event, start, seen),
            Body::Position(_) | Body::Path(_) => {}
        }
    }

    fn happen(&self, event: Event, start: Timestamp, seen: &mut Seen) {
        let (van, at_s) = (self.van, event.at.seconds_since(start));
        let stop = event.stop.as_ref().and_then(|stop| self.stops.get(stop.as_str())).copied();
        match (event.kind, stop) {
            (EventKind::Arrived, Some(stop)) => {
                seen.arrivals.push(SeenArrival { van, stop, at_s });
            }
            (EventKind::RerouteProposed, _) => {
                seen.proposals.push(Proposed { van, at_s, proposal: event.proposal });
            }
            (kind, _) if kind.opens() => seen.raised.push(Raised { van, kind, stop, at_s }),
            _ => {}
        }
    }
}
