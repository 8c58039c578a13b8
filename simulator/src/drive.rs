//! A fleet and its day: routes with promises, and how they are really driven.
//!
//! [`ground`] knows where a van can go, [`shift`] plans one vehicle's route on it, [`motion`] is
//! how a van gets along a path, and [`journey`] is the whole truth of one vehicle's day: where it
//! is at every moment, when it reaches and leaves each stop, what goes wrong. [`alternative`] is
//! what would have been.
//!
//! Everything is computed ahead, from the seed alone. Sending it is [`crate::tracker`]'s work.

pub mod alternative;
pub mod ground;
pub mod journey;
pub mod motion;
pub mod shift;

use engine::path::Router;
use engine::road::{EdgeId, Place, Road, plane};
use ingest::id::{DeviceId, TenantId, VehicleId};
use ingest::time::Timestamp;
use thiserror::Error;

use crate::chance::{Chance, For};
use crate::traffic::{JAM_RADIUS_M, Jam, Traffic};
use ground::Ground;
use journey::{Journey, Rates};
use shift::Shift;

/// A depot for at most this many vehicles.
const VEHICLES_PER_DEPOT: usize = 20;

/// Where the ordered jam is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JamPlace {
    /// Where most remaining routes lead through at that time.
    Auto,
    /// Around an edge of the map, by its number.
    Edge(u32),
}

/// What fleet to make.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// Same seed, map and settings: same fleet, same day.
    pub seed: u64,
    /// How many vehicles.
    pub vehicles: u32,
    /// How long routes are planned for, minutes; at least eight stops each all the same.
    pub minutes: f64,
    /// When it begins.
    pub start: Timestamp,
    /// Whose vehicles.
    pub tenant: TenantId,
    /// Protocol names; vehicle `n` speaks number `n` modulo their count.
    pub protocols: Vec<String>,
    /// How often what goes wrong.
    pub rates: Rates,
    /// The jam, and from which minute on.
    pub jam: Option<(JamPlace, f64)>,
}

/// A vehicle, its device, its route and its truth.
#[derive(Debug)]
pub struct Van {
    /// Its number, from 0.
    pub number: u32,
    /// Its id.
    pub vehicle: VehicleId,
    /// Its tracker's id.
    pub device: DeviceId,
    /// What the tracker speaks.
    pub protocol: String,
    /// The route.
    pub shift: Shift,
    /// How it is driven.
    pub journey: Journey,
}

/// All vehicles of a simulation.
#[derive(Debug)]
pub struct Fleet {
    /// Whose.
    pub tenant: TenantId,
    /// When it begins; all seconds of the simulation count from here.
    pub start: Timestamp,
    /// By number.
    pub vans: Vec<Van>,
    /// The day's traffic.
    pub traffic: Traffic,
}

/// Why there is no fleet.
#[derive(Debug, Error)]
pub enum FleetError {
    /// The map has nothing to drive on.
    #[error("map has `{edges}` drivable edges, expected at least `{least}`")]
    TooSmall {
        /// Connected edges a van may use.
        edges: usize,
        /// What is needed.
        least: usize,
    },
    /// The jam's edge is not on the map.
    #[error("jam edge `{0}` is not on the map, expected a number below `{1}`")]
    NoSuchEdge(u32, usize),
    /// No route could be found for a vehicle.
    #[error("no route of `{0}` stops could be found around depot {1}")]
    NoRoute(usize, u32),
}

impl Fleet {
    /// Plans and drives the whole fleet.
    pub fn new(road: &Road, settings: &FleetSettings) -> Result<Self, FleetError> {
        let ground = Ground::new(road)?;
        let mut router = Router::new();
        let mut traffic = Traffic::new(settings.seed, settings.start);
        let depots = depots(&ground, settings);
        let mut shifts = Vec::with_capacity(settings.vehicles as usize);
        for number in 0..settings.vehicles {
            let depot = depots[number as usize % depots.len()];
            let mut planner = shift::Planner { road, ground: &ground, router: &mut router };
            shifts.push(planner.plan(settings, number, depot)?);
        }
        if let Some((place, minute)) = settings.jam {
            let centre = jam_centre(road, &shifts, place, minute * 60.0)?;
            let centre = road.point_at(Place { edge: centre, offset_m: 0.0 }).0;
            traffic.jam = Some(Jam { centre, radius_m: JAM_RADIUS_M, from_s: minute * 60.0 });
        }
        let mut vans = Vec::with_capacity(shifts.len());
        for (number, shift) in (0..).zip(shifts) {
            let mut driver = journey::Driver {
                road,
                ground: &ground,
                router: &mut router,
                traffic: &traffic,
                chance: Chance::new(settings.seed ^ 0xd1, For::Vehicle(number)),
            };
            let journey = driver.drive(&shift, &settings.rates);
            let protocol = &settings.protocols[number as usize % settings.protocols.len()];
            vans.push(Van {
                number,
                vehicle: vehicle_id(number),
                device: device_id(settings.seed, number),
                protocol: protocol.clone(),
                shift,
                journey,
            });
        }
        let (tenant, start) = (settings.tenant.clone(), settings.start);
        Ok(Self { tenant, start, vans, traffic })
    }
}

fn depots(ground: &Ground, settings: &FleetSettings) -> Vec<Place> {
    let count = (settings.vehicles as usize).div_ceil(VEHICLES_PER_DEPOT).max(1);
    let mut chance = Chance::new(settings.seed, For::Fleet);
    (0..count).map(|_| ground.anywhere(&mut chance)).collect()
}

/// `van-0001` and so on.
///
/// # Panics
/// Never: letters, a hyphen and digits make an id.
pub fn vehicle_id(number: u32) -> VehicleId {
    #[expect(clippy::expect_used, reason = "letters, a hyphen and digits make an id")]
    VehicleId::new(&format!("van-{:04}", number + 1)).expect("a plain id")
}

/// Fifteen digits like an IMEI, with its check digit (ISO/IEC 7812-1).
///
/// # Panics
/// Never: digits make an id.
pub fn device_id(seed: u64, number: u32) -> DeviceId {
    let digits = format!("3520{:03}{:07}", seed % 1000, number + 1);
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let digit = u32::from(b - b'0') * if i % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    #[expect(clippy::expect_used, reason = "fifteen digits make an id")]
    DeviceId::new(&format!("{digits}{}", (10 - sum % 10) % 10)).expect("digits only")
}

/// The edge in whose surroundings most planned stops are still to be served at that time.
fn jam_centre(
    road: &Road,
    shifts: &[Shift],
    place: JamPlace,
    at_s: f64,
) -> Result<EdgeId, FleetError> {
    match place {
        JamPlace::Edge(edge) if (edge as usize) < road.edges() => Ok(EdgeId(edge)),
        JamPlace::Edge(edge) => Err(FleetError::NoSuchEdge(edge, road.edges())),
        JamPlace::Auto => {
            let ahead = |s: &Shift| -> Vec<(EdgeId, ingest::units::Position)> {
                let visits = s.visits.iter().filter(|v| v.planned_s > at_s);
                visits.map(|v| (v.place.edge, v.door)).collect()
            };
            let stops: Vec<_> = shifts.iter().flat_map(ahead).collect();
            // A hundred candidates are enough to find a busy quarter.
            let step = stops.len().div_ceil(100).max(1);
            let near = |at: ingest::units::Position| {
                let within = |(_, p): &&(_, _)| plane::distance_m(at, *p) < JAM_RADIUS_M * 0.8;
                stops.iter().filter(within).count()
            };
            let best = stops.iter().step_by(step).max_by_key(|(edge, at)| (near(*at), *edge));
            best.map(|(edge, _)| *edge).ok_or(FleetError::NoSuchEdge(0, road.edges()))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
