//! Driving: free-flow time times what this vehicle's day and its last minutes have shown.
//!
//! Three memories. The *day* fades over an hour of driving and tells the usual pace. *Now* fades
//! over two minutes: a queue on this very street, believed for the next streets of the path. The
//! *spots* ([`super::pace`]) know where it was far slower than the day: what has still to be driven
//! around there is expected to be as slow.

use libm::{exp, log, sqrt};

use ingest::time::Timestamp;
use ingest::units::Position;

use super::EtaModel;
use super::pace::{Local, Spots};
use super::quantile::Moments;

/// What was driven today fades over this time of driving, seconds: congestion comes and goes.
const DAY_FADES_S: f64 = 3600.0;
/// What was driven just now fades over this time of driving, seconds.
const NOW_FADES_S: f64 = 120.0;
/// How much free-flow driving weighs as much as the day in the ratio of now, seconds.
const NOW_WEIGHT_S: f64 = 20.0;
/// The ratio of now is believed for this much free-flow driving ahead, seconds (e-fold).
const NOW_REACHES_S: f64 = 120.0;
/// The ratio of now is forgotten over this time, seconds, while the vehicle stands at a stop.
const NOW_KEEPS_S: f64 = 600.0;
/// A light or a slow lorry: this share of an ordinary excess goes on ahead…
const NOW_TRUST: f64 = 0.3;
/// …and all of it from this ratio to the day's on, which only a queue explains.
const QUEUE: f64 = 2.5;
/// What was driven lately fades over this time of driving, seconds.
const LATELY_FADES_S: f64 = 240.0;
/// Where lately was this many times the day or more, a place is slow and not the day: no more than
/// this is counted for the day.
const SLOW: f64 = 1.7;
/// Ratios beyond these are queues or errors of the map, not a way of driving.
const RATIO_MIN: f64 = 0.6;
const RATIO_MAX: f64 = 6.0;
const NOW_RATIO_MAX: f64 = 12.0;
/// Share of the common spread that no amount of one vehicle's own day removes.
const COMMON_STAYS: f64 = 0.5;
/// Starting, stopping, lights: spread of any leg however short, seconds.
const LEG_SD_S: f64 = 9.0;
/// Spread of what is expected beyond the day's ratio, as a share of it.
const EXTRA_SD: f64 = 0.4;

/// What a vehicle's driving so far says about the driving ahead.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Driving {
    /// Seconds driven, fading over the day.
    pub day_s: f64,
    /// The same way at free flow.
    pub day_free_s: f64,
    /// Seconds driven in the last minutes.
    pub now_s: f64,
    /// The same way at free flow.
    pub now_free_s: f64,
    /// Seconds driven lately, standing long apart.
    pub lately_s: f64,
    /// The same way at free flow.
    pub lately_free_s: f64,
    /// What it took where.
    pub spots: Spots,
}

/// A stretch of road still to drive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stretch {
    /// Seconds at free flow, and beyond that what the traffic of the World adds.
    pub free_s: f64,
    /// How many of them the traffic adds.
    pub slow_s: f64,
    /// Metres.
    pub metres: f64,
}

impl Stretch {
    /// Seconds at free flow, whatever the traffic.
    pub fn quiet_s(&self) -> f64 {
        self.free_s - self.slow_s
    }
}

/// Adds to a pair of fading sums. Noise along the road may make `free_s` negative; it cancels.
fn fade_in((sum, free): (&mut f64, &mut f64), keep: f64, seconds: f64, free_s: f64) {
    *sum = *sum * keep + seconds;
    *free = (*free * keep + free_s).max(0.0);
}

impl Driving {
    /// Takes in `seconds` of driving up to `at` that covered what takes `free_s` at free flow, at
    /// `here`. A vehicle that stands in a queue covers nothing: the ratio rises at once, not when
    /// it is over.
    pub fn saw(
        &mut self,
        model: &EtaModel,
        (seconds, free_s): (f64, f64),
        (here, at): (Position, Timestamp),
    ) {
        let now = (&mut self.now_s, &mut self.now_free_s);
        fade_in(now, exp(-seconds / NOW_FADES_S), seconds, free_s);
        let lately = (&mut self.lately_s, &mut self.lately_free_s);
        fade_in(lately, exp(-seconds / LATELY_FADES_S), seconds, free_s);
        let day = self.ratio(model);
        let lately = (NOW_WEIGHT_S * day + self.lately_s) / (NOW_WEIGHT_S + self.lately_free_s);
        let counted = seconds * (SLOW * day / lately).min(1.0);
        let day = (&mut self.day_s, &mut self.day_free_s);
        fade_in(day, exp(-counted / DAY_FADES_S), counted, free_s);
        self.spots.saw(here, at, (seconds, free_s));
    }

    /// The vehicle stands on the road and nobody knows why: a queue or a rest. The road right ahead
    /// is in doubt at once; it says nothing about the day or the quarter.
    pub fn stood(&mut self, seconds: f64) {
        let now = (&mut self.now_s, &mut self.now_free_s);
        fade_in(now, exp(-seconds / NOW_FADES_S), seconds, 0.0);
    }

    /// Time has passed without driving: what was true of the road then says less.
    pub fn rested(&mut self, seconds: f64) {
        let keep = exp(-seconds / NOW_KEEPS_S);
        self.now_s *= keep;
        self.now_free_s *= keep;
    }

    /// Driving time ÷ free-flow time, prior and day together.
    pub fn ratio(&self, model: &EtaModel) -> f64 {
        let prior = model.travel_weight_s;
        let ratio = (prior * model.travel_ratio + self.day_s) / (prior + self.day_free_s).max(1.0);
        ratio.clamp(RATIO_MIN, RATIO_MAX)
    }

    /// The same in the last minutes, where otherwise `usual` would be expected.
    fn ratio_now(&self, usual: f64) -> f64 {
        let now = (NOW_WEIGHT_S * usual + self.now_s) / (NOW_WEIGHT_S + self.now_free_s);
        now.clamp(RATIO_MIN, NOW_RATIO_MAX)
    }

    /// Spread of what the whole day ahead shares, standard deviation of the logarithm.
    pub fn common_sd(&self, model: &EtaModel) -> f64 {
        let prior = model.travel_weight_s;
        let share = COMMON_STAYS + (1.0 - COMMON_STAYS) * prior / (prior + self.day_free_s);
        model.travel_common_sd * sqrt(share)
    }

    /// Seconds that a stretch takes longer than is usual there on this day. Right ahead the ratio
    /// of now holds, less the farther (`from_s` free-flow seconds) away.
    pub fn extra_s(&self, model: &EtaModel, from_s: f64, way: Stretch, local: Local) -> f64 {
        let usual = self.ratio(model) * local.ratio;
        let now = self.ratio_now(usual);
        let trust = (log(now / usual).abs() / log(QUEUE)).clamp(NOW_TRUST, 1.0);
        let reach = exp(-from_s / NOW_REACHES_S) - exp(-(from_s + way.free_s) / NOW_REACHES_S);
        (now - usual) * trust * NOW_REACHES_S * reach
    }

    /// Time to drive a stretch that begins `from_s` free-flow seconds ahead, where driving takes
    /// `local` against the day, for a common factor.
    pub fn time(
        &self,
        model: &EtaModel,
        (from_s, local): (f64, Local),
        way: Stretch,
        factor: f64,
    ) -> Moments {
        let lone = local.own_variance();
        let base = way.free_s * self.ratio(model) * local.ratio * factor * exp(0.5 * lone);
        let extra = self.extra_s(model, from_s, way, local);
        let km = (way.metres / 1000.0).max(0.25);
        let own = base * model.travel_km_sd;
        let fixed = LEG_SD_S.min(0.5 * base);
        let beyond = EXTRA_SD * extra;
        let place = base * base * (exp(lone) - 1.0);
        let variance = own * own / km + beyond * beyond + fixed * fixed + place;
        Moments { mean: (base + extra).max(0.3 * base), variance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sees ten seconds of driving `times` times, at one place.
    fn see(day: &mut Driving, times: u32, seen: (f64, f64)) {
        for _ in 0..times {
            let here = (Position { lng: 0.0, lat: 0.0 }, Timestamp::from_seconds(0));
            day.saw(&EtaModel::default(), seen, here);
        }
    }

    fn ahead(day: &Driving) -> f64 {
        let way = Stretch { free_s: 600.0, metres: 6000.0, ..Stretch::default() };
        day.time(&EtaModel::default(), (0.0, Local::default()), way, 1.0).mean
    }

    #[test]
    fn a_day_is_learned_and_a_queue_shows_at_once() {
        let model = EtaModel::default();
        let mut day = Driving::default();
        assert!((day.ratio(&model) - model.travel_ratio).abs() < 1e-9);
        see(&mut day, 600, (10.0, 5.0));
        let usual = day.ratio(&model);
        assert!((1.75..2.0).contains(&usual), "{usual}");
        let before = ahead(&day);
        see(&mut day, 24, (10.0, 0.1));
        let after = ahead(&day);
        assert!(after > before + 150.0, "four minutes in a queue: {before} to {after}");
        // Five minutes later elsewhere most of it is forgotten.
        see(&mut day, 30, (10.0, 5.0));
        assert!(ahead(&day) < before + 200.0);
    }

    #[test]
    fn an_hour_in_a_jam_is_a_slow_place_and_hardly_a_slow_day() {
        let model = EtaModel::default();
        let mut day = Driving::default();
        see(&mut day, 360, (10.0, 7.0));
        let usual = day.ratio(&model);
        see(&mut day, 360, (10.0, 1.0));
        assert!(day.ratio(&model) < 1.7 * usual, "{usual} to {}", day.ratio(&model));
        // A day that is slow everywhere is one in the end.
        see(&mut day, 1440, (10.0, 3.0));
        assert!(day.ratio(&model) > 2.5, "{}", day.ratio(&model));
    }

    #[test]
    fn a_light_is_no_queue() {
        let mut day = Driving::default();
        see(&mut day, 60, (10.0, 7.0));
        let before = ahead(&day);
        see(&mut day, 1, (30.0, 0.0));
        assert!(ahead(&day) < before + 45.0, "{before} to {}", ahead(&day));
    }

    #[test]
    fn what_lies_far_ahead_is_not_slowed_by_here() {
        let model = EtaModel::default();
        let mut day = Driving::default();
        see(&mut day, 1, (200.0, 5.0));
        let way = Stretch { free_s: 100.0, metres: 900.0, ..Stretch::default() };
        assert!(day.extra_s(&model, 0.0, way, Local::default()) > 50.0);
        assert!(day.extra_s(&model, 1500.0, way, Local::default()) < 0.1);
    }
}
