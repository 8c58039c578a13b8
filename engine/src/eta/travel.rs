//! Driving: free-flow time times what this vehicle's day and its last minutes have shown.
//!
//! Three memories. The *day* fades over an hour of driving and tells the usual pace. *Now* fades
//! over two minutes: a queue on this very street, believed for the next streets of the path. A
//! *slow area* begins where now is far worse than the day and is kept for a while: everything
//! that has still to be driven around there is expected to be as slow.

use libm::{exp, log, sqrt};

use ingest::units::Position;

use super::EtaModel;
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
/// An area is slow when lately is this many times the day…
const SLOW: f64 = 1.7;
/// …and is then known as well as by this much driving, seconds.
const SLOW_KNOWN_S: f64 = 60.0;
/// It reaches this far around its middle, metres; beyond, ever less…
const AREA_M: f64 = 900.0;
/// …up to here.
const AREA_ENDS_M: f64 = 2000.0;
/// What was seen of it fades over this time of driving in it, seconds, …
const AREA_FADES_S: f64 = 900.0;
/// …and over this time elsewhere.
const AREA_KEEPS_S: f64 = 2400.0;
/// How much free-flow driving weighs as much as the day in its ratio, seconds.
const AREA_WEIGHT_S: f64 = 10.0;
/// Weight of the newest place in the middle of the area.
const AREA_FOLLOWS: f64 = 0.02;
/// Ratios beyond these are queues or errors of the map, not a way of driving.
const RATIO_MIN: f64 = 0.6;
const RATIO_MAX: f64 = 6.0;
const NOW_RATIO_MAX: f64 = 12.0;
/// Share of the common spread that no amount of one vehicle's own day removes.
const COMMON_STAYS: f64 = 0.5;
/// Starting, stopping, lights: spread of any leg however short, seconds.
const LEG_SD_S: f64 = 9.0;
/// Where a part of town stands still nobody knows how far that reaches or how long it lasts: so
/// much more spread of all driving ahead, standard deviation of the logarithm.
const SLOW_COMMON_SD: f64 = 0.3;
/// Spread of what is expected beyond the day's ratio, as a share of it.
const EXTRA_SD: f64 = 0.4;

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
    /// Seconds driven lately, standing long apart.
    pub lately_s: f64,
    /// The same way at free flow.
    pub lately_free_s: f64,
    /// Where it was far slower than the day.
    pub slow: Option<Slow>,
}

/// A part of town that is slower than the day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slow {
    /// Its middle.
    pub middle: Position,
    /// Seconds driven in it, fading.
    pub seconds: f64,
    /// The same way at free flow.
    pub free_s: f64,
}

/// A stretch of road still to drive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stretch {
    /// Seconds at free flow.
    pub free_s: f64,
    /// Metres.
    pub metres: f64,
}

/// Adds to a pair of fading sums. Noise along the road may make `free_s` negative; it cancels.
fn fade_in((sum, free): (&mut f64, &mut f64), keep: f64, seconds: f64, free_s: f64) {
    *sum = *sum * keep + seconds;
    *free = (*free * keep + free_s).max(0.0);
}

impl Driving {
    /// Takes in `seconds` of driving that covered what takes `free_s` at free flow, `apart_m`
    /// from the middle of the slow area, at `here`. A vehicle that stands in a queue covers
    /// nothing: the ratio rises at once, not when it is over.
    pub fn saw(
        &mut self,
        model: &EtaModel,
        (seconds, free_s): (f64, f64),
        here: Position,
        apart_m: f64,
    ) {
        let day = (&mut self.day_s, &mut self.day_free_s);
        fade_in(day, exp(-seconds / DAY_FADES_S), seconds, free_s);
        let now = (&mut self.now_s, &mut self.now_free_s);
        fade_in(now, exp(-seconds / NOW_FADES_S), seconds, free_s);
        let lately = (&mut self.lately_s, &mut self.lately_free_s);
        fade_in(lately, exp(-seconds / LATELY_FADES_S), seconds, free_s);
        let day = self.ratio(model);
        let lately = (NOW_WEIGHT_S * day + self.lately_s) / (NOW_WEIGHT_S + self.lately_free_s);
        let is_slow = lately >= SLOW * day;
        match &mut self.slow {
            Some(slow) if apart_m <= AREA_M => {
                let area = (&mut slow.seconds, &mut slow.free_s);
                fade_in(area, exp(-seconds / AREA_FADES_S), seconds, free_s);
                slow.middle.lng += AREA_FOLLOWS * (here.lng - slow.middle.lng);
                slow.middle.lat += AREA_FOLLOWS * (here.lat - slow.middle.lat);
            }
            // Where it is slow now counts more than where it was.
            Some(_) if !is_slow || apart_m <= AREA_ENDS_M => self.forget(seconds),
            _ if is_slow => {
                let free_s = SLOW_KNOWN_S / lately;
                self.slow = Some(Slow { middle: here, seconds: SLOW_KNOWN_S, free_s });
            }
            _ => {}
        }
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
        self.forget(seconds);
    }

    fn forget(&mut self, seconds: f64) {
        let keep = exp(-seconds / AREA_KEEPS_S);
        if let Some(slow) = &mut self.slow {
            slow.seconds *= keep;
            slow.free_s *= keep;
        }
        // Half a minute of driving left: no longer worth remembering.
        self.slow = self.slow.filter(|s| s.seconds > 30.0);
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

    /// The same in the slow area; the day's where there is none.
    fn ratio_in_area(&self, model: &EtaModel) -> f64 {
        let day = self.ratio(model);
        let slow = self.slow.map(|s| {
            ((AREA_WEIGHT_S * day + s.seconds) / (AREA_WEIGHT_S + s.free_s)).min(NOW_RATIO_MAX)
        });
        slow.map_or(day, |s| s.max(day))
    }

    /// How much a stretch whose middle is `apart_m` from that of the slow area lies in it.
    pub fn share_in_area(apart_m: f64) -> f64 {
        ((AREA_ENDS_M - apart_m) / (AREA_ENDS_M - AREA_M)).clamp(0.0, 1.0)
    }

    /// Spread of what the whole day ahead shares, standard deviation of the logarithm.
    pub fn common_sd(&self, model: &EtaModel) -> f64 {
        let prior = model.travel_weight_s;
        let share = COMMON_STAYS + (1.0 - COMMON_STAYS) * prior / (prior + self.day_free_s);
        let beyond = if self.slow.is_some() { SLOW_COMMON_SD } else { 0.0 };
        sqrt(model.travel_common_sd * model.travel_common_sd * share + beyond * beyond)
    }

    /// Seconds that a stretch takes longer than the day's ratio says. Right ahead the ratio of
    /// now holds, less the farther (`from_s` free-flow seconds) away; in the slow area its own.
    pub fn extra_s(&self, model: &EtaModel, from_s: f64, way: Stretch, in_area: f64) -> f64 {
        let (day, now) = (self.ratio(model), self.ratio_now(model));
        let trust =
            if now > day { (log(now / day) / log(QUEUE)).clamp(NOW_TRUST, 1.0) } else { NOW_TRUST };
        let reach = exp(-from_s / NOW_REACHES_S) - exp(-(from_s + way.free_s) / NOW_REACHES_S);
        let ahead = (now - day) * trust * NOW_REACHES_S * reach;
        let around = (self.ratio_in_area(model) - day) * in_area * way.free_s;
        if around > 0.0 { ahead.max(around) } else { ahead }
    }

    /// Time to drive a stretch that begins `from_s` free-flow seconds ahead and lies by the share
    /// `in_area` in the slow area, for a common factor.
    pub fn time(
        &self,
        model: &EtaModel,
        (from_s, in_area): (f64, f64),
        way: Stretch,
        factor: f64,
    ) -> Moments {
        let base = way.free_s * self.ratio(model) * factor;
        let extra = self.extra_s(model, from_s, way, in_area);
        let km = (way.metres / 1000.0).max(0.25);
        let own = base * model.travel_km_sd;
        let fixed = LEG_SD_S.min(0.5 * base);
        let beyond = EXTRA_SD * extra;
        let variance = own * own / km + beyond * beyond + fixed * fixed;
        Moments { mean: (base + extra).max(0.3 * base), variance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Position = Position { lng: 0.0, lat: 0.0 };

    #[test]
    fn a_day_is_learned_and_a_queue_shows_at_once() {
        let model = EtaModel::default();
        let mut day = Driving::default();
        assert!((day.ratio(&model) - model.travel_ratio).abs() < 1e-9);
        for _ in 0..600 {
            day.saw(&model, (10.0, 5.0), HERE, f64::INFINITY);
        }
        let usual = day.ratio(&model);
        assert!((1.75..2.0).contains(&usual), "{usual}");
        let way = Stretch { free_s: 600.0, metres: 6000.0 };
        let before = day.time(&model, (0.0, 0.0), way, 1.0).mean;
        for _ in 0..24 {
            day.saw(&model, (10.0, 0.1), HERE, 0.0);
        }
        let after = day.time(&model, (0.0, 0.0), way, 1.0).mean;
        assert!(after > before + 150.0, "four minutes in a queue: {before} to {after}");
        let around = day.time(&model, (0.0, 1.0), way, 1.0).mean;
        assert!(around > before + 400.0, "all of it in the slow area: {before} to {around}");
        // Five minutes later elsewhere most of it is forgotten, but not of the area.
        for _ in 0..30 {
            day.saw(&model, (10.0, 5.0), HERE, 3000.0);
        }
        assert!(day.time(&model, (0.0, 0.0), way, 1.0).mean < before + 200.0);
        assert!(day.time(&model, (0.0, 1.0), way, 1.0).mean > before + 500.0);
    }

    #[test]
    fn a_light_is_no_queue() {
        let model = EtaModel::default();
        let mut day = Driving::default();
        for _ in 0..60 {
            day.saw(&model, (10.0, 7.0), HERE, f64::INFINITY);
        }
        let way = Stretch { free_s: 600.0, metres: 6000.0 };
        let before = day.time(&model, (0.0, 0.0), way, 1.0).mean;
        day.saw(&model, (30.0, 0.0), HERE, f64::INFINITY);
        let after = day.time(&model, (0.0, 0.0), way, 1.0).mean;
        assert!(after < before + 45.0 && day.slow.is_none(), "{before} to {after}");
    }

    #[test]
    fn what_lies_far_ahead_is_not_slowed_by_here() {
        let model = EtaModel::default();
        let mut day = Driving::default();
        day.saw(&model, (200.0, 5.0), HERE, f64::INFINITY);
        let way = Stretch { free_s: 100.0, metres: 900.0 };
        assert!(day.extra_s(&model, 0.0, way, 0.0) > 50.0);
        assert!(day.extra_s(&model, 1500.0, way, 0.0) < 0.1);
        assert!(Driving::share_in_area(500.0) > 0.99 && Driving::share_in_area(2500.0) < 0.01);
    }
}
