//! What is known of one customer's visit: their own stop of a route, and what the vehicle's view
//! says of it. Here, and only here, other customers' stops are looked at, to be counted.

use engine::model::{CauseKind, StopState, View};
use engine::road::Profile;
use ingest::id::OrderId;
use ingest::time::Timestamp;
use ingest::units::Position;

use crate::app::App;
use crate::history::PastEta;
use crate::http::deliveries::{chosen, stops_before};
use crate::live::Seen;
use crate::policy::{ARRIVING_S, Facts, Sighting, Stage};
use crate::problem::Problem;
use crate::store::links::LinkRow;
use crate::store::routes;
use crate::store::routes::{RouteRow, StopRow};
use crate::store::said::{self, Said};
use crate::store::vehicles::{self, VehicleBody};

/// A link ends so long after its visit, seconds (2 h).
pub(crate) const GRACE_S: f64 = 7_200.0;

/// A customer's visit with what the stores know of it.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) order: OrderId,
    pub(crate) route: RouteRow,
    /// The customer's own stop.
    pub(crate) stop: StopRow,
    pub(crate) vehicle: Option<VehicleBody>,
    /// What was predicted of it, oldest first.
    pub(crate) past: Vec<PastEta>,
    pub(crate) said: Said,
}

impl Visit {
    /// The visit of a link's order; `None` once no route visits it. Blocks.
    pub(crate) fn of(app: &App, link: &LinkRow) -> Result<Option<Self>, Problem> {
        let (tenant, order) = (&link.tenant, &link.order);
        let (rows, said) = app.store.read(|c| {
            let rows = routes::of_order(c, tenant, order)?;
            Ok::<_, Problem>((rows, said::find(c, tenant, order)?))
        })?;
        let Some((route, _)) = chosen(app, tenant, rows) else { return Ok(None) };
        let own = |stop: &&StopRow| stop.order == order.as_str();
        let Some(stop) = route.body.stops.iter().find(own).cloned() else { return Ok(None) };
        let vehicle = match ingest::id::VehicleId::new(&route.vehicle) {
            Ok(id) => app.store.read(|c| vehicles::find(c, tenant, &id))?.map(|row| row.body),
            Err(_) => None,
        };
        let past = app.history.etas(tenant, order)?;
        let order = order.clone();
        Ok(Some(Self { order, route, stop, vehicle, past, said }))
    }

    /// The vehicle's view while it drives this route.
    fn view<'a>(&self, seen: Option<&'a Seen>) -> Option<&'a View> {
        let drives = |view: &&View| {
            view.route.as_ref().is_some_and(|(id, _)| id.as_str() == self.route.route)
        };
        seen.map(|seen| &*seen.view).filter(drives)
    }

    /// Everything known at `now`; without the way, which takes a search.
    pub(crate) fn facts(&self, seen: Option<&Seen>, now: Timestamp) -> Facts {
        let view = self.view(seen);
        let own = view.and_then(|view| view.stop_of(&self.order));
        let last = self.past.iter().rev().find(|past| past.route == self.route.route);
        let state = own.map(|own| own.eta.state).or_else(|| {
            let done = |state: &StopState| state.is_done();
            let named = |name: &str| StopState::ALL.into_iter().find(|s| s.name() == name);
            last.and_then(|last| named(&last.state)).filter(done)
        });
        let times = own.and_then(|own| own.eta.times);
        let arriving = times.is_some_and(|times| times.p50.seconds_since(now) <= ARRIVING_S);
        let stage = stage(state, arriving);
        let over = own.and_then(|own| own.departed_at).or_else(|| last.map(|last| last.at));
        Facts {
            now,
            stage,
            promise: self
                .stop
                .window
                .map(|(from, to)| (Timestamp::from_micros(from), Timestamp::from_micros(to))),
            times,
            miss: own.and_then(|own| own.eta.miss),
            cause: self.cause(),
            stops_before: own.zip(view).and_then(|(own, view)| stops_before(view, own)),
            metres: own.and_then(|own| own.eta.metres),
            vehicle: view.and_then(sighting),
            way: None,
            name: self.vehicle.as_ref().map(|vehicle| vehicle.name.clone()),
            phone: self.vehicle.as_ref().and_then(|vehicle| vehicle.phone.clone()),
            over_at: over.filter(|_| stage.is_over()),
        }
    }

    /// What has moved the arrival most since it was first predicted on this route, if that made
    /// it later.
    fn cause(&self) -> Option<CauseKind> {
        let mut moved = [0_i64; CauseKind::ALL.len()];
        let own = self.past.iter().filter(|past| past.route == self.route.route);
        for cause in own.flat_map(|past| &past.causes) {
            moved[cause.kind as usize] += cause.seconds;
        }
        let most = CauseKind::ALL.into_iter().max_by_key(|kind| moved[*kind as usize]);
        most.filter(|kind| moved[*kind as usize] > 0)
    }

    /// The door.
    pub(crate) fn door(&self) -> Position {
        Position { lng: self.stop.place.lng, lat: self.stop.place.lat }
    }

    /// How the vehicle drives.
    pub(crate) fn profile(&self) -> Profile {
        let profile = self.vehicle.as_ref().map_or("van", |vehicle| &vehicle.profile);
        Profile::ALL.into_iter().find(|p| p.name() == profile).unwrap_or(Profile::Van)
    }
}

fn stage(state: Option<StopState>, arriving: bool) -> Stage {
    match state {
        None => Stage::Planned,
        Some(StopState::Later) => Stage::OnTheWay,
        Some(StopState::Next) if arriving => Stage::Arriving,
        Some(StopState::Next) => Stage::Next,
        Some(StopState::Arrived) => Stage::Arrived,
        Some(StopState::Departed) => Stage::Visited,
        Some(StopState::Completed) => Stage::Delivered,
        Some(StopState::Failed) => Stage::Failed,
        Some(StopState::Skipped) => Stage::Skipped,
    }
}

fn sighting(view: &View) -> Option<Sighting> {
    let last = view.last.as_ref()?;
    let position = last.matched.map_or(last.position, |matched| matched.position);
    let moving = last.speed_mps.is_some_and(|speed| speed > 0.9);
    Some(Sighting { position, heading: last.heading.filter(|_| moving), time: last.time })
}
