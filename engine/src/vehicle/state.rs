//! What only the next step needs, and what one step works with.

use ingest::id::{RouteId, StopId, VehicleKey};
use ingest::time::Timestamp;
use ingest::units::Position;

use crate::alert::{LongStop, OffRoute, Offers, Silence};
use crate::eta::dwell::Visits;
use crate::eta::pace::Field;
use crate::eta::predict::{Ahead, Arrival};
use crate::eta::travel::Driving;
use crate::matching::{self, Observed, Track};
use crate::model::{Body, Event, EventKind, Output, Stop, View};
use crate::path::{Router, Traffic};
use crate::road::{Near, Place};
use crate::world::World;

use super::motion::{Halt, Motion};
use super::plan::{Plan, Plans};
use super::source::Sources;
use super::way::Way;

/// Reused working memory of one shard; carries nothing from step to step.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) matching: matching::Scratch,
    pub(super) observed: Observed,
    pub(super) router: Router,
    pub(super) near: Vec<Near>,
    pub(super) times: Vec<Option<f64>>,
    pub(super) field: Field,
    pub(super) ahead: Vec<Ahead>,
    pub(super) open: Vec<usize>,
    pub(super) arrivals: Vec<Arrival>,
}

/// All of a vehicle that its view does not hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct State {
    pub(super) sources: Sources,
    pub(super) silence: Silence,
    pub(super) plans: Plans,
    /// The map that places and the way belong to.
    pub(super) map: String,
    pub(super) motion: Motion,
    pub(super) track: Track,
    /// Where the newest fix was matched to.
    pub(super) place: Option<Place>,
    pub(super) driving: Driving,
    pub(super) visits: Visits,
    pub(super) journey: Journey,
    pub(super) long_stop: LongStop,
    pub(super) off_route: OffRoute,
    pub(super) offers: Offers,
    /// When a prediction must be made again although nothing is heard.
    pub(super) look_at: Option<Timestamp>,
}

/// The active route as it is driven.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Journey {
    /// When it became active.
    pub(super) began: Timestamp,
    /// The stop the vehicle is at.
    pub(super) at: Option<AtStop>,
    /// The stop it is or was at last.
    pub(super) last_stop: Option<StopId>,
    /// It has not left the depot yet.
    pub(super) at_depot: bool,
    /// The path to the next stop.
    pub(super) way: Option<Way>,
    /// The one it seems to have left, until that is certain.
    pub(super) way_left: Option<Way>,
    /// How far the vehicle has followed it, seconds at free flow.
    pub(super) kept_s: f64,
    /// Fixes in a row that are not on the path, and when the vehicle was last on it.
    pub(super) astray: u32,
    pub(super) on_way_at: Option<Timestamp>,
    /// Where it was then.
    pub(super) on_way: Option<Place>,
    /// Where it left the expected way, while it is off it.
    pub(super) on_way_left: Option<Place>,
    /// A halt at the next stop too short to be told from a light.
    pub(super) brief: Option<(usize, Halt)>,
    /// Time at a possible stop, not yet counted as driving, seconds.
    pub(super) pending_s: f64,
    /// Standing that was counted as driving in a row, seconds.
    pub(super) stuck_s: f64,
    pub(super) spent: Spent,
    /// When all arrivals were last predicted, by the time of the fix.
    pub(super) predicted_at: Option<Timestamp>,
    /// The street that cost most of late, and how many seconds.
    pub(super) slow: Option<(Place, f64)>,
}

/// A vehicle at a stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AtStop {
    /// Which one.
    pub(super) stop: usize,
    /// Where it stands.
    pub(super) middle: Position,
    pub(super) arrived: Timestamp,
    /// When it seems to have left, until that is certain.
    pub(super) leaving: Option<Timestamp>,
}

/// Where the time went since the route became active, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Spent {
    pub(super) driven: f64,
    pub(super) driven_free: f64,
    /// At the depot, and standing without work.
    pub(super) idle: f64,
    pub(super) waited: f64,
    /// Planned service of the stops left behind.
    pub(super) planned: f64,
    /// What their service took beyond it.
    pub(super) dwell: f64,
}

/// Says outputs: gives the numbers and keeps the view.
#[derive(Debug)]
pub(super) struct Say<'a> {
    pub(super) view: &'a mut View,
    pub(super) out: &'a mut Vec<Output>,
    pub(super) overdue: bool,
}

impl Say<'_> {
    pub(super) fn body(&mut self, body: Body) {
        let output = Output { seq: self.view.seq + 1, body };
        self.view.apply(&output);
        self.out.push(output);
    }
    pub(super) fn event(&mut self, event: Event) {
        let overdue = self.overdue;
        self.body(Body::Event(Box::new(Event { overdue, ..event })));
    }
}

/// One step at work.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) key: &'a VehicleKey,
    pub(super) state: &'a mut State,
    pub(super) world: &'a World,
    pub(super) now: Timestamp,
    pub(super) scratch: &'a mut Scratch,
    pub(super) say: Say<'a>,
}

impl<'a> Step<'a> {
    /// Places belong to a map: with another one they are found anew.
    pub(super) fn on_map(&mut self) {
        let map = self.world.road.hash();
        if self.state.map == map {
            return;
        }
        map.clone_into(&mut self.state.map);
        self.state.track.reset();
        self.state.place = None;
        self.state.journey.way = None;
        self.state.journey.way_left = None;
        self.state.journey.slow = None;
        for visit in self.state.plans.0.iter_mut().flat_map(|p| &mut p.visits) {
            visit.leg = None;
        }
    }

    /// What the roads take now.
    pub(super) fn traffic(&self) -> &'a Traffic {
        self.world.traffic(&self.key.tenant)
    }

    pub(super) fn active(&self) -> Option<&Plan> {
        self.state.plans.active()
    }

    pub(super) fn active_route(&self) -> Option<RouteId> {
        self.active().map(|p| p.route.id.clone())
    }

    /// Says an event of the active route.
    pub(super) fn event(&mut self, kind: EventKind, at: Timestamp) {
        let route = self.active_route();
        self.say.event(Event { route, ..Event::new(kind, at) });
    }

    /// Says an event of one of its stops.
    pub(super) fn stop_event(&mut self, stop: usize, event: Event) {
        let Some(plan) = self.state.plans.active() else { return };
        let Stop { id, order, .. } = &plan.route.stops[stop];
        let (stop, order) = (Some(id.clone()), Some(order.clone()));
        let route = Some(plan.route.id.clone());
        self.say.event(Event { route, stop, order, ..event });
    }

    /// The time predictions start from: the newest fix's while the vehicle is heard.
    pub(super) fn heard_at(&self) -> Option<Timestamp> {
        self.state.motion.last.map(|l| l.time)
    }
}
