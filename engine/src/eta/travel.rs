//! Driving: free-flow time times what this vehicle's day and its last minutes have shown.

use libm::{exp, sqrt};

use super::EtaModel;
use super::quantile::Moments;

/// What was driven today fades over this time of driving, seconds: congestion comes and goes.
const DAY_FADES_S: f64 = 3600.0;
/// What was driven just now fades over this time of driving, seconds.
const NOW_FADES_S: f64 = 180.0;
/// How much free-flow driving weighs as much as the day in the ratio of now, seconds.
const NOW_WEIGHT_S: f64 = 25.0;
/// The ratio of now is believed for this much free-flow driving ahead, seconds (e-fold).
const NOW_REACHES_S: f64 = 120.0;
/// The ratio of now is forgotten over this time, seconds, while the vehicle stands at a stop.
const NOW_KEEPS_S: f64 = 600.0;
/// Ratios beyond these are queues or errors of the map, not a way of driving.
const RATIO_MIN: f64 = 0.6;
const RATIO_MAX: f64 = 6.0;
const NOW_RATIO_MAX: f64 = 12.0;
/// Share of the common spread that no amount of one vehicle's own day removes.
const COMMON_STAYS: f64 = 0.5;
/// Starting, stopping, lights: spread of any leg however short, seconds.
const LEG_SD_S: f64 = 12.0;

/// What a vehicle's driving so far says about the driving ahead.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Driving {
    /// Seconds driven, fading over the day.
    pub day_s: f64,
    /// The same way at free flow.
    pub day_free_s: f64,
    /// Seconds driven in the last minutes.
    pub now_s: f64,
    /// The same way at free flow.
    pub now_free_s: f64,
}

/// A stretch of road still to drive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stretch {
    /// Seconds at free flow.
    pub free_s: f64,
    /// Metres.
    pub metres: f64,
}

impl Driving {
    /// Takes in `seconds` of driving that covered what takes `free_s` at free flow. A vehicle
    /// that stands in a queue covers nothing: the ratio rises at once, not when it is over. Noise
    /// along the road may make `free_s` negative; it cancels in the sum.
    pub fn saw(&mut self, seconds: f64, free_s: f64) {
        let keep = exp(-seconds / DAY_FADES_S);
        self.day_s = self.day_s * keep + seconds;
        self.day_free_s = (self.day_free_s * keep + free_s).max(0.0);
        let keep = exp(-seconds / NOW_FADES_S);
        self.now_s = self.now_s * keep + seconds;
        self.now_free_s = (self.now_free_s * keep + free_s).max(0.0);
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

    /// The same in the last minutes.
    pub fn ratio_now(&self, model: &EtaModel) -> f64 {
        let day = self.ratio(model);
        let now = (NOW_WEIGHT_S * day + self.now_s) / (NOW_WEIGHT_S + self.now_free_s);
        now.clamp(RATIO_MIN, NOW_RATIO_MAX)
    }

    /// Spread of what the whole day ahead shares, standard deviation of the logarithm.
    pub fn common_sd(&self, model: &EtaModel) -> f64 {
        let prior = model.travel_weight_s;
        let share = COMMON_STAYS + (1.0 - COMMON_STAYS) * prior / (prior + self.day_free_s);
        model.travel_common_sd * sqrt(share)
    }

    /// Seconds that the road right ahead takes longer than the day's ratio says: the ratio of
    /// now, believed less the farther ahead. `from_s` and `to_s` are free-flow seconds ahead.
    pub fn extra_s(&self, model: &EtaModel, from_s: f64, to_s: f64) -> f64 {
        let excess = self.ratio_now(model) - self.ratio(model);
        excess * NOW_REACHES_S * (exp(-from_s / NOW_REACHES_S) - exp(-to_s / NOW_REACHES_S))
    }

    /// Time to drive a stretch that begins `from_s` free-flow seconds ahead, for a common factor.
    pub fn time(&self, model: &EtaModel, from_s: f64, way: Stretch, factor: f64) -> Moments {
        let base = way.free_s * self.ratio(model) * factor;
        let extra = self.extra_s(model, from_s, from_s + way.free_s);
        let km = (way.metres / 1000.0).max(0.1);
        let own = base * model.travel_km_sd;
        let fixed = LEG_SD_S.min(0.5 * base);
        let variance = own * own / km.max(0.25) + 0.25 * extra * extra + fixed * fixed;
        Moments { mean: (base + extra).max(0.3 * base), variance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_learned_and_a_queue_shows_at_once() {
        let model = EtaModel::default();
        let mut day = Driving::default();
        assert!((day.ratio(&model) - model.travel_ratio).abs() < 1e-9);
        for _ in 0..600 {
            day.saw(10.0, 5.0);
        }
        let usual = day.ratio(&model);
        assert!((1.75..2.0).contains(&usual), "{usual}");
        let way = Stretch { free_s: 600.0, metres: 6000.0 };
        let before = day.time(&model, 0.0, way, 1.0).mean;
        for _ in 0..12 {
            day.saw(10.0, 0.1);
        }
        let after = day.time(&model, 0.0, way, 1.0).mean;
        assert!(after > before + 150.0, "two minutes in a queue: {before} to {after}");
        // Five minutes later elsewhere most of it is forgotten.
        for _ in 0..60 {
            day.saw(10.0, 5.0);
        }
        assert!(day.time(&model, 0.0, way, 1.0).mean < before + 60.0);
    }

    #[test]
    fn what_lies_far_ahead_is_not_slowed_by_here() {
        let model = EtaModel::default();
        let mut day = Driving::default();
        day.saw(200.0, 5.0);
        assert!(day.extra_s(&model, 0.0, 100.0) > 50.0);
        assert!(day.extra_s(&model, 1500.0, 1600.0) < 0.1);
    }
}
