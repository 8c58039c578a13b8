//! The same world with all roles inside one process, on one virtual clock, as fast as possible.
//!
//! Every fix passes its protocol's encoder and decoder and becomes an input record on a log;
//! an engine's shard is driven turn by turn; its outputs are read back from the log. Sockets, the
//! HTTP API and waiting are left out, nothing else is.

mod devices;
mod outputs;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use engine::alert::Policy;
use engine::eta::EtaModel;
use engine::model::Assignment;
use engine::record::input::{assignment_envelope, plan_envelope};
use engine::road::Road;
use engine::runtime::{
    Aggregator, AggregatorError, EngineError, Maps, Metrics, Settings, Shard, Turn,
};
use ingest::id::VehicleKey;
use ingest::log::{Clock, Log, LogError, NewRecord, Topic};
use ingest::record::{BadRecord, Pid};
use ingest::time::Timestamp;
use thiserror::Error;

use crate::drive::{Fleet, FleetError, FleetSettings, Van};
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::live::Progress;
use crate::score::{Score, Truth};
use crate::tracker::UnknownProtocol;
use devices::Devices;
use outputs::Outputs;

/// The engine gets this long before the first plan, seconds: it takes partitions and a World.
const WARM_UP_S: u32 = 5;
/// After the last fix the engine may still speak for this long, seconds: less than silence.
const SETTLE_S: u32 = 30;
/// Turns of the shard within one virtual second; more than it can have work for.
const TURNS_MAX: u32 = 10_000;
/// Predictions are looked at this often, seconds.
const LOOK_S: u32 = 60;

/// A clock that only moves when it is told to.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    /// Stands at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(at.micros())))
    }
    /// As libraries take it.
    pub fn clock(&self) -> Clock {
        let micros = Arc::clone(&self.0);
        Arc::new(move || Timestamp::from_micros(micros.load(Ordering::Acquire)))
    }
    /// Moves it.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.micros(), Ordering::Release);
    }
}

/// An in-process run.
pub struct InProcessSettings {
    /// The map.
    pub road: Arc<Road>,
    /// The fleet and when it begins.
    pub fleet: FleetSettings,
    /// Seconds between two fixes, whole.
    pub interval_s: u32,
    /// Fixes of one packet.
    pub records_per_packet: usize,
    /// Of these, `offline`, `duplicate` and `reorder` have a meaning without sockets.
    pub faults: Faults,
    /// Where the ledger goes.
    pub ledger: Option<Box<dyn io::Write + Send>>,
    /// Priors of the prediction.
    pub model: EtaModel,
    /// Thresholds of the rules.
    pub policy: Policy,
}

impl std::fmt::Debug for InProcessSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcessSettings").field("fleet", &self.fleet).finish_non_exhaustive()
    }
}

/// What came of an in-process run.
#[derive(Debug)]
pub struct InProcessRun {
    /// The score.
    pub score: Score,
    /// The fleet with its truth.
    pub fleet: Fleet,
}

/// Why a run failed.
#[derive(Debug, Error)]
pub enum InProcessError {
    /// No fleet could be made.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A protocol is not known.
    #[error(transparent)]
    Protocol(#[from] UnknownProtocol),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The engine stopped.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No traffic was made.
    #[error(transparent)]
    Traffic(#[from] AggregatorError),
    /// The engine did no work for a whole virtual minute.
    #[error("engine is stuck at {at}: {reason}")]
    Stuck {
        /// When.
        at: Timestamp,
        /// What it says.
        reason: String,
    },
    /// An output could not be read.
    #[error(transparent)]
    Output(#[from] BadRecord),
    /// The ledger or the runtime failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Drives the fleet on `log`, whose own clock should be the same `clock`, and scores the outputs.
pub fn in_process(
    mut settings: InProcessSettings,
    log: &Arc<dyn Log>,
    clock: &VirtualClock,
    progress: Progress<'_>,
) -> Result<InProcessRun, InProcessError> {
    progress("planning the fleet");
    let fleet = Fleet::new(&settings.road, &settings.fleet)?;
    let ledger = Ledger::new(settings.ledger.take());
    let mut world = World::new(&settings, log, clock, &fleet)?;
    let seconds = (settings.fleet.minutes * 60.0) as u32;
    world.warm_up(&fleet)?;
    let mut devices = Devices::new(&settings, &fleet, ledger)?;
    progress("driving");
    for second in 0..=seconds + SETTLE_S {
        let now = fleet.start.plus_seconds(f64::from(second));
        clock.set(now);
        if second <= seconds {
            let records = devices.speak(&settings.road, &fleet, second);
            world.append(records)?;
        }
        world.turn(now)?;
        world.outputs.read()?;
        if second % LOOK_S == 0 && second <= seconds {
            world.outputs.look(f64::from(second));
        }
        if second % 3600 == 0 && second > 0 {
            let seen = &world.outputs.seen;
            let (arrivals, raised) = (seen.arrivals.len(), seen.raised.len());
            let hours = second / 3600;
            progress(&format!("hour {hours}: {arrivals} arrivals, {raised} exceptions"));
        }
    }
    let (seen, ledger) = (world.end()?, devices.end()?);
    let truth = Truth {
        road: &settings.road,
        fleet: &fleet,
        end_s: f64::from(seconds),
        interval_s: f64::from(settings.interval_s),
    };
    let score = Score::of(truth, &seen, &ledger);
    Ok(InProcessRun { score, fleet })
}

/// The log, the engine and what it says.
struct World<'a> {
    log: &'a Arc<dyn Log>,
    clock: &'a VirtualClock,
    shard: Shard,
    aggregator: Aggregator,
    outputs: Outputs,
    runtime: tokio::runtime::Runtime,
    /// Seconds without any progress while the shard has trouble.
    stuck: u32,
}

impl<'a> World<'a> {
    fn new(
        settings: &InProcessSettings,
        log: &'a Arc<dyn Log>,
        clock: &'a VirtualClock,
        fleet: &Fleet,
    ) -> Result<Self, InProcessError> {
        let hash = settings.road.hash().to_owned();
        let engine = Arc::new(Settings {
            instance: "simulation".into(),
            maps: Maps::of(vec![(hash, Arc::clone(&settings.road))]),
            model: settings.model.clone(),
            policy: settings.policy.clone(),
            ..Settings::default()
        });
        clock.set(fleet.start.plus_seconds(-2.0 * f64::from(WARM_UP_S)));
        let outputs = Outputs::new(&**log, fleet)?;
        let shard = Shard::join(log, 0, &engine, clock.clock(), &Metrics::default())?;
        let aggregator = shard.aggregator();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { log, clock, shard, aggregator, outputs, runtime, stuck: 0 })
    }

    /// Lets the engine take its partitions, then puts assignments and plans on the log.
    fn warm_up(&mut self, fleet: &Fleet) -> Result<(), InProcessError> {
        for second in 0..2 * WARM_UP_S {
            let now = fleet.start.plus_seconds(f64::from(second) - 2.0 * f64::from(WARM_UP_S));
            self.clock.set(now);
            if second == WARM_UP_S {
                let records = fleet.vans.iter().flat_map(|van| planned(fleet, van, now));
                self.append(records.collect())?;
            }
            self.turn(now)?;
            self.outputs.read()?;
        }
        Ok(())
    }

    /// Waits until the records are durable.
    fn append(&self, records: Vec<NewRecord>) -> Result<(), InProcessError> {
        if !records.is_empty() {
            self.runtime.block_on(self.log.append(records))?;
        }
        Ok(())
    }

    /// Turns of the engine until it has nothing to do.
    fn turn(&mut self, now: Timestamp) -> Result<(), InProcessError> {
        self.aggregator.turn()?;
        for _ in 0..TURNS_MAX {
            match self.shard.turn(Duration::ZERO)? {
                Turn::Worked => {}
                Turn::Idle => break,
                Turn::Pause(_) => {
                    self.stuck += 1;
                    if self.stuck > 60 {
                        let reason = self.shard.trouble().unwrap_or_else(|| "unknown".into());
                        return Err(InProcessError::Stuck { at: now, reason });
                    }
                    return Ok(());
                }
            }
        }
        self.stuck = 0;
        Ok(())
    }

    /// Lets the engine finish and reads what it said last.
    fn end(mut self) -> Result<crate::score::Seen, InProcessError> {
        self.shard.drain(Duration::from_hours(1))?;
        self.outputs.read()?;
        Ok(self.outputs.seen)
    }
}

/// The device's assignment and the plan of one vehicle.
fn planned(fleet: &Fleet, van: &Van, now: Timestamp) -> [NewRecord; 2] {
    let key = VehicleKey { tenant: fleet.tenant.clone(), vehicle: van.vehicle.clone() }.to_string();
    let route = van.shift.to_route(fleet.start, 1);
    let pid = |what: &str| {
        let parts: [&[u8]; 3] = [key.as_bytes(), what.as_bytes(), route.id.as_str().as_bytes()];
        Pid::of_parts(&parts)
    };
    let assignment = Assignment {
        pid: pid("assignment"),
        received_at: now,
        device: van.device.clone(),
        vehicle: Some(van.vehicle.clone()),
        from: now,
    };
    let by = Some("simulator");
    let plan = plan_envelope(&route, pid("plan"), now, by);
    [assignment_envelope(&assignment, by), plan]
        .map(|envelope| envelope.into_record(Topic::Inputs, key.clone().into()))
}

#[cfg(test)]
mod tests;
