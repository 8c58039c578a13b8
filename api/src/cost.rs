//! What lateness is expected to cost: probability × minutes × the tenant's rate, over stops.

use engine::model::{EventKind, StopView, View};

/// p90 lies this many standard deviations above p50 of a normal distribution.
const P90_SD: f64 = 1.281_551_565_544_6;
/// Above this probability the quantiles no longer tell by how much the window is missed.
const MISS_MAX: f64 = 0.99;

/// Expected minutes late at a stop: probability of being late × minutes late then. 0 without a
/// promise. Where the engine has said by how much, that; else from the spread of the prediction,
/// taken as normal: E[(X − w)⁺] = σ (φ(z) − z · miss), with z where `miss` lies above.
pub fn late_minutes(view: &View, stop: &StopView) -> f64 {
    let Some(miss) = stop.eta.miss.filter(|miss| *miss > 0.0) else { return 0.0 };
    let said = view.open.iter().find(|open| {
        open.event.kind == EventKind::PredictedLate
            && open.event.stop.as_ref() == Some(&stop.eta.stop)
    });
    if let Some(late_s) = said.and_then(|open| open.event.expected_late_s) {
        return miss * late_s.max(0) as f64 / 60.0;
    }
    let Some(times) = stop.eta.times else { return 0.0 };
    let sd = times.p90.seconds_since(times.p50).max(0.0) / P90_SD;
    let miss = miss.min(MISS_MAX);
    let z = quantile(1.0 - miss);
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (sd * (density - z * miss)).max(0.0) / 60.0
}

/// The standard normal quantile of 0 < p < 1, to 4.5e-4 (Abramowitz and Stegun, 26.2.23).
fn quantile(p: f64) -> f64 {
    let tail = p.min(1.0 - p).max(1e-9);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let z = t - above / below;
    if p < 0.5 { -z } else { z }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_normal_ones() {
        for (p, z) in [(0.5, 0.0), (0.9, 1.2816), (0.1, -1.2816), (0.99, 2.3263), (0.3, -0.5244)] {
            assert!((quantile(p) - z).abs() < 1e-3, "{p}: {}", quantile(p));
        }
    }
}
