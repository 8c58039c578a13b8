//! A fleet that never ends: when a vehicle is back at its depot, it gets its next route.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::path::Router;
use engine::road::Road;
use ingest::id::TenantId;
use ingest::log::Clock;
use tokio::task::LocalSet;

use super::client::Client;
use super::{LiveError, device, whole_second};
use crate::chance::{Chance, For};
use crate::drive::ground::Ground;
use crate::drive::journey::{Driver, Journey, Rates};
use crate::drive::shift::{Planner, Shift};
use crate::drive::{Fleet, FleetSettings, JamPlace, Van};
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::network::{Counts, Device, Ports, Shared, Timeline, dial};

/// Minutes that a route is planned for.
const ROUTE_MINUTES: f64 = 90.0;
/// A next route begins this long after the last one, seconds.
const PAUSE_S: f64 = 5.0;

/// Somebody who looks for five minutes sees what goes wrong, too: about one thing a minute in a
/// fleet of 200.
const RATES: Rates = Rates { off_route: 0.12, long_stop: 0.08, no_signal: 0.12 };
/// From this minute on a jam slows the busiest quarter.
const JAM_MINUTE: f64 = 5.0;

/// A fleet for ever.
#[derive(Clone)]
pub struct DemoSettings {
    /// The map.
    pub road: Arc<Road>,
    /// Seed of the fleet.
    pub seed: u64,
    /// How many vehicles.
    pub vehicles: u32,
    /// Whose.
    pub tenant: TenantId,
    /// What they speak, in turn.
    pub protocols: Vec<String>,
    /// Where devices connect.
    pub ports: Ports,
    /// The API and the key for it; open mode needs none.
    pub api: (String, Option<String>),
    /// Seconds between two fixes, whole.
    pub interval_s: f64,
    /// The time of day.
    pub clock: Clock,
    /// Ends it when it turns true.
    pub stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for DemoSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoSettings").field("vehicles", &self.vehicles).finish_non_exhaustive()
    }
}

impl DemoSettings {
    fn fleet(&self, round: u64) -> FleetSettings {
        FleetSettings {
            seed: self.seed + round,
            vehicles: self.vehicles,
            minutes: ROUTE_MINUTES,
            start: whole_second((self.clock)().plus_seconds(PAUSE_S)),
            tenant: self.tenant.clone(),
            protocols: self.protocols.clone(),
            rates: RATES,
            jam: Some((JamPlace::Auto, JAM_MINUTE)),
        }
    }
}

/// What plans and drives next routes.
struct Office {
    settings: DemoSettings,
    ground: Ground,
    router: Router,
    fleet: Fleet,
}

/// Registers the fleet and keeps it driving until `stop` turns true. Blocks; what fails on the
/// way is logged and tried again with the vehicle's next route.
pub fn demo_fleet(settings: DemoSettings) -> Result<(), LiveError> {
    let fleet_settings = settings.fleet(0);
    let mut fleet = Fleet::new(&settings.road, &fleet_settings)?;
    let client = Client::new(&settings.api.0, settings.api.1.as_deref());
    fleet.start = whole_second((settings.clock)().plus_seconds(3.0));
    client.register(&fleet.vans, fleet.start)?;
    let ports = &settings.ports;
    let of = |van: &Van| device(van, ports, settings.seed, Faults::default());
    let devices: Vec<Device> = fleet.vans.iter().map(of).collect::<Result<_, _>>()?;
    let shared = Rc::new(Shared {
        road: Arc::clone(&settings.road),
        tenant: settings.tenant.clone(),
        clock: Arc::clone(&settings.clock),
        dial: dial::sockets(),
        interval_s: settings.interval_s,
        records_per_packet: 1,
        ledger: RefCell::new(Ledger::new(None)),
        counts: RefCell::new(Counts::default()),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = Arc::clone(&settings.stop);
    let ground = Ground::new(&settings.road)?;
    let office = Office { settings, ground, router: Router::new(), fleet };
    let office = Rc::new(RefCell::new(office));
    LocalSet::new().block_on(&runtime, async {
        let mut running = tokio::task::JoinSet::new();
        for device in devices {
            let (shared, office) = (Rc::clone(&shared), Rc::clone(&office));
            running.spawn_local(for_ever(device, shared, office, client.clone()));
        }
        while !stop.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(200)).await;
            shared.ledger.borrow_mut().forget_all();
        }
    });
    Ok(())
}

async fn for_ever(
    mut device: Device,
    shared: Rc<Shared>,
    office: Rc<RefCell<Office>>,
    client: Client,
) {
    let number = device.number;
    let (mut journey, mut start) = {
        let office = office.borrow();
        let van = &office.fleet.vans[number as usize];
        (Rc::new(van.journey.clone()), office.fleet.start)
    };
    for round in 1.. {
        let timeline = Timeline::new(start, &shared.clock, journey.end_s);
        device = device.run(Rc::clone(&shared), Rc::clone(&journey), timeline).await;
        let next = office.borrow_mut().next(number, round);
        let Some((shift, driven, begins)) = next else {
            tracing::warn!(vehicle = %device.vehicle, "no next route found");
            return;
        };
        let (client, vehicle) = (client.clone(), device.vehicle.clone());
        let put = move || client.put_route(vehicle.as_str(), &shift, begins);
        match tokio::task::spawn_blocking(put).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(vehicle = %device.vehicle, %error, "route not put"),
            Err(error) => tracing::warn!(%error, "route not put"),
        }
        (journey, start) = (Rc::new(driven), begins);
    }
}

impl Office {
    /// The next route of a vehicle from its own depot.
    fn next(
        &mut self,
        number: u32,
        round: u64,
    ) -> Option<(Shift, Journey, ingest::time::Timestamp)> {
        let settings = self.settings.fleet(round);
        let road = &self.settings.road;
        let depot = self.fleet.vans[number as usize].shift.depot;
        let mut planner = Planner { road, ground: &self.ground, router: &mut self.router };
        let mut shift = planner.plan(&settings, number, depot).ok()?;
        // Only the first start of a fleet is spread out.
        shift.departs_s = shift.departs_s.min(20.0);
        let mut driver = Driver {
            road,
            ground: &self.ground,
            router: &mut self.router,
            traffic: &self.fleet.traffic,
            chance: Chance::new(settings.seed, For::Vehicle(number)),
        };
        let journey = driver.drive(&shift, &settings.rates);
        Some((shift, journey, settings.start))
    }
}
