//! Service at a stop: planned time times what this vehicle's day has shown, log-normal.

use libm::{exp, log, sqrt};

use super::EtaModel;
use super::quantile::LogNormal;

/// What a vehicle's visits so far say about the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Visits {
    /// How many were seen.
    pub count: f64,
    /// Sum of log(actual ÷ planned).
    pub log_sum: f64,
    /// Sum of its squares.
    pub log_square_sum: f64,
}

/// Log ratios beyond this say more about the plan than about the day.
const LOG_RATIO_MAX: f64 = 2.0;
/// How many visits weigh as much as the prior in the spread of one.
const SIGMA_WEIGHT: f64 = 10.0;
/// Visits remembered: beyond this old ones fade.
const VISITS_MAX: f64 = 40.0;

/// Planned service of a stop; the model's where the plan names none.
pub fn planned_s(model: &EtaModel, service_s: f64) -> f64 {
    if service_s > 0.0 { service_s } else { model.service_default_s }
}

impl Visits {
    /// Takes in a visit that took `actual_s` of service and was planned for `planned_s`.
    pub fn saw(&mut self, actual_s: f64, planned_s: f64) {
        let ratio = log(actual_s.max(1.0) / planned_s.max(1.0));
        let ratio = ratio.clamp(-LOG_RATIO_MAX, LOG_RATIO_MAX);
        if self.count >= VISITS_MAX {
            let keep = (VISITS_MAX - 1.0) / VISITS_MAX;
            self.count *= keep;
            self.log_sum *= keep;
            self.log_square_sum *= keep;
        }
        self.count += 1.0;
        self.log_sum += ratio;
        self.log_square_sum += ratio * ratio;
    }

    /// Actual ÷ planned on average, prior and day together.
    pub fn ratio(&self, model: &EtaModel) -> f64 {
        // The prior's mean ratio as a mean logarithm, so that both are of one kind.
        let spread = model.service_sd * model.service_sd;
        let prior = log(model.service_ratio) - 0.5 * spread;
        let centre =
            (prior * model.service_weight + self.log_sum) / (model.service_weight + self.count);
        let sigma = self.sigma(model);
        exp(centre + 0.5 * sigma * sigma)
    }

    /// Spread of one visit, standard deviation of the logarithm.
    pub fn sigma(&self, model: &EtaModel) -> f64 {
        let weight = SIGMA_WEIGHT;
        let prior = model.service_sd * model.service_sd * weight;
        let mean = if self.count > 0.0 { self.log_sum / self.count } else { 0.0 };
        let seen = (self.log_square_sum - mean * self.log_sum).max(0.0);
        sqrt((prior + seen) / (weight + (self.count - 1.0).max(0.0)))
    }

    /// Spread of what all visits of the day share, standard deviation of the logarithm.
    pub fn common_sd(&self, model: &EtaModel) -> f64 {
        let share = model.service_weight / (model.service_weight + self.count);
        model.service_common_sd * sqrt(share)
    }

    /// The service of a stop planned for `planned_s` seconds.
    pub fn service(&self, model: &EtaModel, planned_s: f64) -> LogNormal {
        LogNormal::of(planned_s * self.ratio(model), self.sigma(model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_day_is_learned() {
        let model = EtaModel::default();
        let mut day = Visits::default();
        assert!((day.ratio(&model) - model.service_ratio).abs() < 1e-9);
        assert!((day.sigma(&model) - model.service_sd).abs() < 1e-9);
        let before = day.common_sd(&model);
        for _ in 0..60 {
            day.saw(240.0, 120.0);
        }
        assert!((1.6..2.1).contains(&day.ratio(&model)), "{}", day.ratio(&model));
        assert!(day.sigma(&model) < 0.35);
        assert!(day.common_sd(&model) < before);
    }

    #[test]
    fn a_forgotten_visit_does_not_turn_the_day() {
        let model = EtaModel::default();
        let mut day = Visits::default();
        day.saw(7200.0, 60.0);
        assert!(day.ratio(&model) < 3.0);
    }
}
