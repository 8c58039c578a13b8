//! Routes of a vehicle: which are known, which one is active, how far each stop has come.

use ingest::id::{RouteId, StopId};
use ingest::time::Timestamp;

use crate::alert::{Late, Soon};
use crate::eta::Ledger;
use crate::eta::travel::Stretch;
use crate::model::{Route, Stop, StopState};
use crate::road::Place;

/// Routes remembered: the active one, those to come, and the last ones that are over, whose
/// versions must not come again.
pub const PLANS_MAX: usize = 16;

/// Where a route is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum Phase {
    /// Waits for its shift or an action.
    #[default]
    Waiting = 0,
    /// Put aside by a person who activated another; only an action brings it back.
    Aside = 1,
    /// Driven now.
    Active = 2,
    /// Finished.
    Over = 3,
    /// Withdrawn from this vehicle; only its version is kept.
    Withdrawn = 4,
}

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) route: Route,
    pub(super) phase: Phase,
    /// One a stop, in the same order.
    pub(super) visits: Vec<Visit>,
}

/// How far a stop has come.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Visit {
    pub(super) state: StopState,
    pub(super) arrived: Option<Timestamp>,
    pub(super) departed: Option<Timestamp>,
    /// The drive from the stop before.
    pub(super) leg: Option<Leg>,
    /// What was last said about its arrival.
    pub(super) said: Option<Said>,
    pub(super) late: Late,
    pub(super) soon: Soon,
}

/// Places to stand for one door that are kept.
pub(super) const KERBS_MAX: usize = crate::alert::off_route::PLACES_MAX;

/// A drive between two stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Leg {
    /// The stop it begins at; `None`: the depot.
    pub(super) from: Option<u32>,
    /// Where on the road it ends; `None` off every road.
    pub(super) to: Option<Place>,
    /// Where else one may stand for the door: in the other direction of the street, or in another
    /// one that is hardly farther from it.
    pub(super) or_to: [Option<Place>; KERBS_MAX - 1],
    /// What it takes.
    pub(super) drive: Stretch,
    /// Where it goes, as [`crate::path::Driven::cells`]; none where its way is not known.
    pub(super) cells: u128,
}

impl Leg {
    /// A drive of which no place on the road is known.
    pub(super) fn nowhere(from: Option<u32>, drive: Stretch) -> Self {
        Self { from, to: None, or_to: [None; KERBS_MAX - 1], drive, cells: 0 }
    }

    /// Where one may stand for the door.
    pub(super) fn kerbs(&self) -> impl Iterator<Item = Place> + use<> {
        self.to.into_iter().chain(self.or_to.into_iter().flatten())
    }
}

/// What was said about an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// State then.
    pub(super) state: StopState,
    /// Median, seconds since the epoch; absent once reached.
    pub(super) p50_s: Option<i64>,
    /// Probability of missing the window, hundredths.
    pub(super) miss: Option<u8>,
    /// What it was made of.
    pub(super) ledger: Ledger,
}

impl Plan {
    pub(super) fn new(route: Route) -> Self {
        let visits = vec![Visit::default(); route.stops.len()];
        Self { route, phase: Phase::Waiting, visits }
    }

    /// Stops and how far they have come, in driving order.
    pub(super) fn stops(&self) -> impl Iterator<Item = (&Stop, &Visit)> {
        self.route.stops.iter().zip(&self.visits)
    }

    pub(super) fn index(&self, stop: &StopId) -> Option<usize> {
        self.route.stops.iter().position(|s| s.id == *stop)
    }

    /// Whether a stop still has to be reached.
    pub(super) fn is_open(&self, i: usize) -> bool {
        self.visits[i].is_open()
    }

    /// Stops still to be reached, in driving order.
    pub(super) fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.visits.len()).filter(|i| self.is_open(*i))
    }

    /// Takes a newer version over: what has happened at a stop stays with it. Stops that were
    /// moved away although they had been finished here stay, as finished, before all others;
    /// they are returned.
    pub(super) fn renew(&mut self, mut route: Route) -> Vec<StopId> {
        let mut too_late = Vec::new();
        let mut kept = Vec::new();
        for (stop, visit) in self.stops() {
            let gone = !route.stops.iter().any(|s| s.id == stop.id);
            if gone && !visit.is_open() && route.moved_away.contains(&stop.id) {
                too_late.push(stop.id.clone());
                kept.push(stop.clone());
            }
        }
        kept.append(&mut route.stops);
        route.stops = kept;
        let visits = route.stops.iter().map(|s| {
            let old = self.index(&s.id).map(|i| self.visits[i].clone());
            Visit { leg: None, ..old.unwrap_or_default() }
        });
        self.visits = visits.collect();
        self.route = route;
        too_late
    }

    /// Puts the open stops in another order. `order` names exactly the open ones.
    pub(super) fn reorder(&mut self, order: &[StopId]) -> bool {
        let open: Vec<usize> = self.open().collect();
        let wanted: Vec<usize> = order.iter().filter_map(|s| self.index(s)).collect();
        let mut sorted = wanted.clone();
        sorted.sort_unstable();
        if sorted != open {
            return false;
        }
        let (stops, visits) = (self.route.stops.clone(), self.visits.clone());
        for (slot, from) in open.into_iter().zip(wanted) {
            self.route.stops[slot] = stops[from].clone();
            self.visits[slot] = Visit { leg: None, ..visits[from].clone() };
        }
        true
    }
}

impl Visit {
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, StopState::Next | StopState::Later)
    }
}

/// The routes of a vehicle, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Plans(pub(super) Vec<Plan>);

impl Plans {
    pub(super) fn active(&self) -> Option<&Plan> {
        self.0.iter().find(|p| p.phase == Phase::Active)
    }
    pub(super) fn active_mut(&mut self) -> Option<&mut Plan> {
        self.0.iter_mut().find(|p| p.phase == Phase::Active)
    }
    pub(super) fn get_mut(&mut self, id: &RouteId) -> Option<&mut Plan> {
        self.0.iter_mut().find(|p| p.route.id == *id)
    }

    /// Adds a route; an old one that is over makes room. `false` where there is none.
    pub(super) fn add(&mut self, route: Route) -> bool {
        let over = |p: &Plan| matches!(p.phase, Phase::Over | Phase::Withdrawn);
        if self.0.len() >= PLANS_MAX {
            let Some(oldest) = self.0.iter().position(over) else { return false };
            self.0.remove(oldest);
        }
        self.0.push(Plan::new(route));
        true
    }

    /// The route whose shift has begun and that nobody has put aside: the one to activate.
    pub(super) fn due(&self, now: Timestamp) -> Option<RouteId> {
        let begun = |p: &&Plan| {
            p.phase == Phase::Waiting && p.route.shift.from <= now && now < p.route.shift.to
        };
        self.0.iter().filter(begun).min_by_key(|p| p.route.shift.from).map(|p| p.route.id.clone())
    }

    /// When the next shift begins.
    pub(super) fn next_shift(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.0.iter().filter(|p| p.phase == Phase::Waiting);
        waiting.map(|p| p.route.shift.from).filter(|from| *from > now).min()
    }

    /// Whether the active route leaves room for another: there is none, nothing is left of it,
    /// or its shift is over.
    pub(super) fn is_free(&self, now: Timestamp) -> bool {
        self.active()
            .is_none_or(|p| now >= p.route.shift.to || p.visits.iter().all(|v| v.state.is_done()))
    }
}
