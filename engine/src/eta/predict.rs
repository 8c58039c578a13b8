//! The arrival at every remaining stop: travel, service and waiting, one after the other.
//!
//! Arrive = depart before + drive; service starts at the later of arrival and the opening of the
//! window; depart = start + service. All five nodes of the common factor are carried along.

use libm::exp;

use super::EtaModel;
use super::dwell::{Visits, planned_s};
use super::pace::Local;
use super::quantile::{LogNormal, Mixture, Moments, NODES};
use super::travel::{Driving, Stretch};

/// Roads and doors have luck of their own; one common factor stands for both, so each has a little
/// less of it: (a² + b²) of two equal spreads is (0.71 · (a + b))².
const SHARED: f64 = 0.75;
/// A vehicle that has done its work at a stop leaves about now, seconds.
const LEAVES_S: f64 = 15.0;

/// What is known when a prediction begins.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// Priors.
    pub model: &'a EtaModel,
    /// The day's driving.
    pub driving: &'a Driving,
    /// The day's visits.
    pub visits: &'a Visits,
}

/// What the vehicle is doing at the moment of the prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doing {
    /// On the first drive; last heard this many seconds ago.
    Driving {
        /// Seconds since the position the first drive is measured from.
        silent_s: f64,
    },
    /// At a stop whose service began `elapsed_s` ago (negative: begins when the window opens).
    Serving {
        /// Planned service, seconds.
        planned_s: f64,
        /// Seconds since service began.
        elapsed_s: f64,
    },
    /// At a stop where all is done.
    Leaving,
}

/// A stop still to be reached, with the drive to it from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ahead {
    /// The drive.
    pub drive: Stretch,
    /// Planned service as the route says, seconds; 0: none named.
    pub service_s: f64,
    /// What driving takes around there, against the day.
    pub local: Local,
    /// When its window opens, seconds from now; in the past where it has no window.
    pub opens_s: f64,
}

/// A predicted arrival, seconds from now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Arrival {
    /// Its distribution.
    pub time: Mixture,
    /// Its mean.
    pub mean_s: f64,
    /// Metres to drive until there.
    pub metres: f64,
    /// What its mean is made of.
    pub parts: Parts,
}

/// What a mean arrival is made of, seconds from now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Parts {
    /// Planned service of the stops in between.
    pub plan: f64,
    /// Driving at the usual pace.
    pub travel: f64,
    /// Driving beyond it.
    pub traffic: f64,
    /// What is left at the stop the vehicle is at.
    pub here: f64,
    /// Service beyond the planned one at the stops in between.
    pub dwell_ahead: f64,
    /// Waiting for windows.
    pub waiting: f64,
    /// What silence adds, counted from the position before it.
    pub signal: f64,
}

/// Predicts all of `ahead`, in order; `out` is cleared first.
pub fn predict(basis: Basis<'_>, doing: Doing, ahead: &[Ahead], out: &mut Vec<Arrival>) {
    out.clear();
    let mut chain = Chain::start(basis, doing);
    for (i, stop) in ahead.iter().enumerate() {
        let silent_s = match doing {
            Doing::Driving { silent_s } if i == 0 => silent_s,
            _ => 0.0,
        };
        chain.drive(stop, silent_s);
        out.push(chain.arrival());
        chain.serve(stop);
    }
}

struct Chain<'a> {
    basis: Basis<'a>,
    /// Of travel and of service, for each node.
    factors: [(f64, f64); 5],
    clock: [Moments; 5],
    free_s: f64,
    metres: f64,
    parts: Parts,
}

fn mean(clock: &[Moments; 5]) -> f64 {
    clock.iter().zip(NODES).map(|(m, (_, weight))| weight * m.mean).sum()
}

impl<'a> Chain<'a> {
    fn start(basis: Basis<'a>, doing: Doing) -> Self {
        let (on_roads, at_doors) =
            (basis.driving.common_sd(basis.model), basis.visits.common_sd(basis.model));
        let (on_roads, at_doors) = (SHARED * on_roads, SHARED * at_doors);
        let factor = |sd: f64, z: f64| exp(sd * z - 0.5 * sd * sd);
        let factors = NODES.map(|(z, _)| (factor(on_roads, z), factor(at_doors, z)));
        let clock = factors.map(|(_, factor)| match doing {
            Doing::Driving { .. } => Moments::default(),
            Doing::Leaving => Moments { mean: LEAVES_S, variance: LEAVES_S * LEAVES_S },
            Doing::Serving { planned_s, elapsed_s } => {
                let service = basis.visits.service(basis.model, planned_s);
                let service = LogNormal { mu: service.mu + libm::log(factor), ..service };
                let waits = Moments { mean: (-elapsed_s).max(0.0), variance: 0.0 };
                waits.plus(service.remaining(elapsed_s))
            }
        });
        let here = mean(&clock);
        let parts = match doing {
            Doing::Serving { elapsed_s, .. } if elapsed_s < 0.0 => {
                Parts { waiting: -elapsed_s, here: here + elapsed_s, ..Parts::default() }
            }
            _ => Parts { here, ..Parts::default() },
        };
        Self { basis, factors, clock, free_s: 0.0, metres: 0.0, parts }
    }

    fn drive(&mut self, stop: &Ahead, silent_s: f64) {
        let way = stop.drive;
        let Basis { model, driving, .. } = self.basis;
        let (mut heard, mut silent) = ([Moments::default(); 5], [Moments::default(); 5]);
        for (i, (factor, _)) in self.factors.iter().enumerate() {
            let factor = factor * exp(stop.local.shared_sd() * NODES[i].0);
            heard[i] = driving.time(model, (self.free_s, stop.local), way, factor);
            silent[i] = heard[i];
            if silent_s > 0.0 {
                silent[i] = LogNormal::with(heard[i]).remaining(silent_s);
            }
            self.clock[i] = self.clock[i].plus(silent[i]);
        }
        let usual = (way.free_s - way.slow_s) * model.travel_ratio;
        self.parts.travel += usual;
        self.parts.traffic += mean(&heard) - usual;
        if silent_s > 0.0 {
            self.parts.signal = silent_s + mean(&silent) - mean(&heard);
        }
        self.free_s += way.free_s;
        self.metres += way.metres;
    }

    fn arrival(&self) -> Arrival {
        Arrival {
            time: Mixture::with(&self.clock),
            mean_s: mean(&self.clock),
            metres: self.metres,
            parts: self.parts,
        }
    }

    fn serve(&mut self, stop: &Ahead) {
        let Basis { model, visits, .. } = self.basis;
        let arrived = mean(&self.clock);
        for clock in &mut self.clock {
            *clock = clock.at_least(stop.opens_s);
        }
        let started = mean(&self.clock);
        let planned_s = planned_s(model, stop.service_s);
        let service = visits.service(model, planned_s).moments();
        for (clock, (_, factor)) in self.clock.iter_mut().zip(self.factors) {
            let variance = service.variance * factor * factor;
            *clock = clock.plus(Moments { mean: service.mean * factor, variance });
        }
        self.parts.waiting += started - arrived;
        self.parts.plan += planned_s;
        self.parts.dwell_ahead += mean(&self.clock) - started - planned_s;
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantile::Z90;
    use super::*;

    fn predicted(doing: Doing, ahead: &[Ahead]) -> Vec<Arrival> {
        let (model, driving, visits) = (EtaModel::default(), Driving::default(), Visits::default());
        let basis = Basis { model: &model, driving: &driving, visits: &visits };
        let mut out = Vec::new();
        predict(basis, doing, ahead, &mut out);
        out
    }

    fn stop(free_s: f64, service_s: f64, opens_s: f64) -> Ahead {
        Ahead {
            drive: Stretch { free_s, metres: free_s * 10.0, ..Stretch::default() },
            service_s,
            local: Local::default(),
            opens_s,
        }
    }

    /// With silence they are counted from the position before it.
    #[test]
    fn parts_make_up_the_mean() {
        let ahead = [stop(300.0, 120.0, -1.0), stop(200.0, 60.0, 2000.0), stop(90.0, 0.0, -1.0)];
        for doing in [
            Doing::Driving { silent_s: 0.0 },
            Doing::Driving { silent_s: 200.0 },
            Doing::Leaving,
            Doing::Serving { planned_s: 100.0, elapsed_s: 30.0 },
            Doing::Serving { planned_s: 100.0, elapsed_s: -300.0 },
        ] {
            for a in predicted(doing, &ahead) {
                let p = a.parts;
                let sum = p.plan + p.travel + p.traffic + p.here + p.dwell_ahead + p.waiting;
                let silent = if let Doing::Driving { silent_s } = doing { silent_s } else { 0.0 };
                let mean = a.mean_s + silent;
                assert!((sum + p.signal - mean).abs() < 1e-6, "{doing:?}: {p:?} is not {mean}");
            }
        }
    }

    #[test]
    fn waiting_absorbs_and_uncertainty_grows() {
        let ahead = [stop(300.0, 120.0, 3600.0), stop(200.0, 60.0, -1.0), stop(200.0, 60.0, -1.0)];
        let found = predicted(Doing::Driving { silent_s: 0.0 }, &ahead);
        let width = |a: &Arrival| a.time.quantile(0.9, Z90) - a.time.quantile(0.1, -Z90);
        let second = found[1].time.quantile(0.5, 0.0);
        assert!((3900.0..4300.0).contains(&second), "{second}");
        assert!(width(&found[2]) > width(&found[1]));
        // A later start is absorbed by the wait at the first stop.
        let late = predicted(Doing::Serving { planned_s: 300.0, elapsed_s: 0.0 }, &ahead);
        assert!((late[1].mean_s - found[1].mean_s).abs() < 15.0);
        assert!(late[0].mean_s > found[0].mean_s + 250.0);
    }

    #[test]
    fn silence_pushes_the_arrival_away() {
        let ahead = [stop(300.0, 120.0, -1.0)];
        let heard = predicted(Doing::Driving { silent_s: 0.0 }, &ahead)[0].mean_s;
        let silent = predicted(Doing::Driving { silent_s: 600.0 }, &ahead)[0].mean_s;
        assert!(600.0 + silent > heard + 150.0, "{heard} then {silent} more after 600 s");
    }
}
