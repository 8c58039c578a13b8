//! A device spoke: whose fix it is, where it is, what it means for the route.

use ingest::attribute::{Key, Value};
use ingest::id::VehicleId;
use ingest::record::DeviceInput;
use ingest::units::{Heading, Metres, MetresPerSecond, Position};

use crate::alert::Turn;
use crate::matching::{MatchedPoint, Observation, Passed};
use crate::model::{
    Assignment, Body, Event, EventKind, Matched, PathEdge, PathOutput, PositionOutput,
};

use super::motion::Seen;
use super::source::Standing;
use super::state::Step;

impl Step<'_> {
    /// A fix or a sign of life.
    pub(super) fn device(&mut self, input: DeviceInput) {
        if input.report.fix.is_none() && self.conflict(&input) {
            return;
        }
        let device = &input.report.device;
        // A stand-in vehicle has its device from the first word on.
        if self.key.vehicle.is_unassigned()
            && !self.state.sources.knows(device)
            && self.key.vehicle == VehicleId::of_unassigned(device)
        {
            self.state.sources.admit(device, ingest::time::Timestamp::from_micros(i64::MIN));
        }
        let ours = self.state.sources.hear(device, input.time, self.now);
        if input.report.fix.is_some() {
            self.fix(input);
        }
        if ours {
            self.sign_of_life();
        }
    }

    fn sign_of_life(&mut self) {
        if self.state.silence.heard(self.now) == Some(Turn::Clear) {
            self.event(EventKind::SignalBack, self.now);
        }
    }

    fn conflict(&mut self, input: &DeviceInput) -> bool {
        let key = Key::Other(ingest::record::CONFLICT.into());
        let Some(from) = input.report.attributes.get(&key) else { return false };
        let cause = match from {
            Value::Text(address) => Some(format!("also claimed from {address}")),
            _ => None,
        };
        let device = Some(input.report.device.clone());
        self.say.event(Event {
            cause,
            device,
            ..Event::new(EventKind::DeviceConflict, input.received_at)
        });
        true
    }

    fn fix(&mut self, input: DeviceInput) {
        let standing = self.state.sources.place(&input, self.now);
        if standing == Standing::ChangedOver {
            let device = Some(input.report.device.clone());
            let route = self.active_route();
            let event = Event::new(EventKind::SourceChanged, self.now);
            self.say.event(Event { route, device, ..event });
        }
        let seen = seen(&input).filter(|seen| {
            standing != Standing::Backfill
                && self.heard_at().is_none_or(|before| seen.time > before)
        });
        let matched = seen.as_ref().and_then(|seen| self.locate(seen, &input));
        let confidence = matched.as_ref().map_or(0.0, |m| m.confidence);
        self.say.body(Body::Position(Box::new(PositionOutput {
            input,
            matched,
            backfill: standing == Standing::Backfill,
            route: self.state.plans.active().map(|p| p.route.id.clone()),
            world: self.world.number,
        })));
        if let Some(seen) = seen {
            self.say_path();
            self.drive(seen, confidence);
        }
    }

    /// Matches the fix to the road.
    fn locate(&mut self, seen: &Seen, input: &DeviceInput) -> Option<Matched> {
        let fix = input.report.fix.as_ref();
        let observation = Observation {
            position: seen.position,
            time: seen.time,
            speed_mps: seen.speed_mps,
            heading: fix.and_then(|f| f.heading).map(Heading::get),
            accuracy_m: fix.and_then(|f| f.accuracy).map(Metres::get),
        };
        let (road, scratch) = (&*self.world.road, &mut *self.scratch);
        let observed = &mut scratch.observed;
        self.state.track.observe(road, &observation, &mut scratch.matching, observed);
        self.state.place = observed.matched.map(|m| m.place);
        observed.matched.map(|m| matched(road.osm(m.place.edge).0, &m))
    }

    /// Says the edges that the last fix made certain, a piece at a time.
    fn say_path(&mut self) {
        let road = &*self.world.road;
        let observed = std::mem::take(&mut self.scratch.observed);
        let pieces = observed.committed.chunk_by(|_, next| next.joined);
        for piece in pieces.filter(|p| !p.is_empty()) {
            let edge = |passed: &Passed| {
                let (way, from_node, to_node) = road.osm(passed.edge);
                PathEdge { way, from_node, to_node, entered: passed.entered }
            };
            self.say.body(Body::Path(PathOutput {
                route: self.state.plans.active().map(|p| p.route.id.clone()),
                edges: piece.iter().map(edge).collect(),
                gap: piece.first().is_some_and(|first| !first.joined),
            }));
        }
        self.scratch.observed = observed;
    }

    /// A device comes or goes.
    pub(super) fn assignment(&mut self, change: &Assignment) {
        let ours = match &change.vehicle {
            Some(vehicle) => *vehicle == self.key.vehicle,
            None => self.key.vehicle == VehicleId::of_unassigned(&change.device),
        };
        if !ours && self.key.vehicle.is_unassigned() && !self.state.sources.knows(&change.device) {
            // The stand-in gives its device away before it has heard it.
            let never = ingest::time::Timestamp::from_micros(i64::MIN);
            self.state.sources.admit(&change.device, never);
        }
        self.state.sources.assign(change, ours);
        if self.state.sources.interval_s().is_none() {
            // Nobody is left to be heard.
            self.state.silence.heard = None;
            if std::mem::take(&mut self.state.silence.raised) {
                self.event(EventKind::SignalBack, self.now);
            }
        }
    }
}

/// What matching and progress need of a fix; absent where the receiver does not trust it.
fn seen(input: &DeviceInput) -> Option<Seen> {
    let fix = input.report.fix.as_ref().filter(|f| f.valid)?;
    let speed_mps = fix.speed.map(MetresPerSecond::get);
    Some(Seen { time: input.time, position: fix.position, speed_mps })
}

/// As it is stored: centimetres and thousandths.
fn matched(way: i64, point: &MatchedPoint) -> Matched {
    let (lng, lat) = point.position.to_e7();
    Matched {
        position: Position::from_e7(lng, lat),
        way,
        offset_m: (point.place.offset_m * 100.0).round_ties_even() / 100.0,
        confidence: (point.confidence * 1000.0).round_ties_even() / 1000.0,
    }
}
