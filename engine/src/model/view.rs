//! What somebody knows who reads only the outputs of a vehicle.

use ingest::attribute::Attributes;
use ingest::id::{DeviceId, OrderId, RouteId, StopId};
use ingest::time::Timestamp;
use ingest::units::{Heading, Metres, MetresPerSecond, Position};

use super::output::EtaTimes;
use super::{
    Body, EtaOutput, Event, EventKind, Matched, Output, PositionOutput, StopEta, StopState,
};

/// Above this speed a vehicle counts as moving, m/s (2 mph).
const MOVING_MPS: f64 = 0.9;
/// From this probability of missing its window on, a stop is at risk (`ui/ui.md` §5).
pub const MISS_AT_RISK: f64 = 0.35;
/// From this one on, it is late.
pub const MISS_LATE: f64 = 0.70;

/// What a vehicle is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Driving.
    Moving,
    /// At a stop of its route.
    AtStop,
    /// Standing somewhere else on an active route.
    Break,
    /// Without an active route, or never heard.
    Off,
}

impl Activity {
    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Moving => "moving",
            Self::AtStop => "at_stop",
            Self::Break => "break",
            Self::Off => "off",
        }
    }
}

/// How a stop or vehicle stands with its promises, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// No promise is open.
    OffDuty,
    /// Nothing left to do.
    Done,
    /// All well.
    OnTime,
    /// May miss a window.
    AtRisk,
    /// Will probably miss one, or has.
    Late,
    /// The last visit failed.
    Failed,
    /// Silent.
    NoSignal,
}

impl Status {
    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OffDuty => "off_duty",
            Self::Done => "done",
            Self::OnTime => "on_time",
            Self::AtRisk => "at_risk",
            Self::Late => "late",
            Self::Failed => "failed",
            Self::NoSignal => "no_signal",
        }
    }
}

/// The newest fix that is not backfill.
#[derive(Debug, Clone, PartialEq)]
pub struct LastFix {
    /// Which device said it.
    pub device: DeviceId,
    /// Its time.
    pub time: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
    /// Where.
    pub position: Position,
    /// On the road.
    pub matched: Option<Matched>,
    /// Metres a second.
    pub speed_mps: Option<f64>,
    /// Degrees.
    pub heading: Option<f64>,
    /// Metres.
    pub accuracy_m: Option<f64>,
    /// Whatever else the device said with it.
    pub attributes: Attributes,
}

/// One stop as last said.
#[derive(Debug, Clone, PartialEq)]
pub struct StopView {
    /// Its newest line in an `eta` output.
    pub eta: StopEta,
    /// When it was reached.
    pub arrived_at: Option<Timestamp>,
    /// When it was left.
    pub departed_at: Option<Timestamp>,
}

/// A condition that is raised and not cleared.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenException {
    /// Number of the output that raised it: (vehicle, seq) is the exception's identity.
    pub seq: u64,
    /// The raising event.
    pub event: Event,
}

/// The newest of everything about one vehicle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// Number of the newest output.
    pub seq: u64,
    /// Newest fix.
    pub last: Option<LastFix>,
    /// Active route and its version.
    pub route: Option<(RouteId, u64)>,
    /// Its stops in driving order.
    pub stops: Vec<StopView>,
    /// Open exceptions, oldest first; at most one a (kind, stop). One about a stop ends with it.
    pub open: Vec<OpenException>,
    /// The proposal that waits for an answer.
    pub proposal: Option<super::Proposal>,
}

impl View {
    /// Takes the next output in. Outputs not above `seq` are ignored.
    pub fn apply(&mut self, output: &Output) {
        if output.seq <= self.seq {
            return;
        }
        self.seq = output.seq;
        match &output.body {
            Body::Position(position) => self.place(position),
            Body::Path(_) => {}
            Body::Eta(eta) => self.predict(eta),
            Body::Event(event) => self.happen(output.seq, event),
        }
    }

    fn place(&mut self, output: &PositionOutput) {
        // A receiver without reception repeats an old place or says none at all.
        let fix = output.input.report.fix.as_ref().filter(|f| f.valid && !output.backfill);
        let Some(fix) = fix else { return };
        self.last = Some(LastFix {
            device: output.input.report.device.clone(),
            time: output.input.time,
            received_at: output.input.received_at,
            position: fix.position,
            matched: output.matched,
            speed_mps: fix.speed.map(MetresPerSecond::get),
            heading: fix.heading.map(Heading::get),
            accuracy_m: fix.accuracy.map(Metres::get),
            attributes: output.input.report.attributes.clone(),
        });
    }

    fn predict(&mut self, eta: &EtaOutput) {
        let same = self.route.as_ref().is_some_and(|(id, _)| *id == eta.route);
        if eta.whole {
            let known = std::mem::take(&mut self.stops);
            let old = |id: &StopId| known.iter().find(|s| same && s.eta.stop == *id);
            self.stops = eta
                .stops
                .iter()
                .map(|line| StopView {
                    eta: line.clone(),
                    arrived_at: old(&line.stop).and_then(|s| s.arrived_at),
                    departed_at: old(&line.stop).and_then(|s| s.departed_at),
                })
                .collect();
            let stops = &self.stops;
            let known = |id: &StopId| stops.iter().any(|s| s.eta.stop == *id);
            self.open.retain(|o| o.event.stop.as_ref().is_none_or(known));
        } else {
            for line in &eta.stops {
                if let Some(stop) = self.stops.iter_mut().find(|s| s.eta.stop == line.stop) {
                    stop.eta = line.clone();
                }
            }
        }
        self.route = (!self.stops.is_empty()).then(|| (eta.route.clone(), eta.version));
    }

    fn happen(&mut self, seq: u64, event: &Event) {
        let stop = event.stop.as_ref();
        if let Some(view) = self.stops.iter_mut().find(|s| Some(&s.eta.stop) == stop) {
            match event.kind {
                EventKind::Arrived => view.arrived_at = Some(event.at),
                EventKind::Departed => view.departed_at = Some(event.at),
                _ => {}
            }
        }
        if event.kind.decides() {
            // Late or not, it is decided: nothing is predicted of this stop any more.
            let predicted = |o: &OpenException| o.event.kind == EventKind::PredictedLate;
            self.open.retain(|o| !predicted(o) || o.event.stop.as_ref() != stop);
        }
        if let Some(kind) = event.kind.closes() {
            self.open.retain(|o| o.event.kind != kind || o.event.stop.as_ref() != stop);
        }
        if event.kind.opens() {
            self.open.push(OpenException { seq, event: event.clone() });
        }
        match event.kind {
            EventKind::RerouteProposed => self.proposal.clone_from(&event.proposal),
            EventKind::RerouteAccepted | EventKind::RerouteRefused => self.proposal = None,
            _ => {}
        }
    }

    /// The stop's times, where it has any.
    pub fn times(&self, stop: &StopId) -> Option<EtaTimes> {
        self.stops.iter().find(|s| s.eta.stop == *stop).and_then(|s| s.eta.times)
    }

    /// The stop that delivers an order.
    pub fn stop_of(&self, order: &OrderId) -> Option<&StopView> {
        self.stops.iter().find(|s| s.eta.order == *order)
    }

    /// What the vehicle is doing.
    pub fn activity(&self) -> Activity {
        let working = self.stops.iter().any(|s| !s.eta.state.is_done());
        let moving = |last: &LastFix| last.speed_mps.is_some_and(|v| v > MOVING_MPS);
        match &self.last {
            Some(last) if moving(last) => Activity::Moving,
            Some(_) if self.stops.iter().any(|s| s.eta.state == StopState::Arrived) => {
                Activity::AtStop
            }
            Some(_) if working => Activity::Break,
            Some(_) | None => Activity::Off,
        }
    }

    /// The worst status among the remaining stops; silence outranks them.
    pub fn status(&self) -> Status {
        if self.open.iter().any(|o| o.event.kind == EventKind::NoSignal) {
            return Status::NoSignal;
        }
        self.stops
            .iter()
            .map(StopView::status)
            .filter(|s| *s != Status::Failed)
            .max()
            .unwrap_or(Status::OffDuty)
    }
}

impl StopView {
    /// The stop's own status (`ui/ui.md` §5).
    pub fn status(&self) -> Status {
        match self.eta.state {
            StopState::Failed => Status::Failed,
            StopState::Departed | StopState::Completed | StopState::Skipped => Status::Done,
            _ => match self.eta.miss {
                Some(miss) if miss >= MISS_LATE => Status::Late,
                Some(miss) if miss >= MISS_AT_RISK => Status::AtRisk,
                _ => Status::OnTime,
            },
        }
    }
}
