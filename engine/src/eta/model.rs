//! What has been learned about travel and dwell, before a vehicle's own day adds to it.

use serde::{Deserialize, Serialize};

/// Priors of the prediction: ratios to free flow and to plan, and their spreads. Learned models
/// take this place later; the shape is what a step needs of any of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EtaModel {
    /// Driving time ÷ free-flow time, before anything is known of the day.
    pub travel_ratio: f64,
    /// Spread of a vehicle's day around it, standard deviation of the logarithm.
    pub travel_common_sd: f64,
    /// Spread of one kilometre around the day, standard deviation of the logarithm.
    pub travel_km_sd: f64,
    /// How much free-flow driving, seconds, weighs as much as the prior.
    pub travel_weight_s: f64,
    /// Actual service ÷ planned, before anything is known of the day.
    pub service_ratio: f64,
    /// Spread of a vehicle's day around it, standard deviation of the logarithm.
    pub service_common_sd: f64,
    /// Spread of one visit around the day, standard deviation of the logarithm.
    pub service_sd: f64,
    /// How many visits weigh as much as the prior.
    pub service_weight: f64,
    /// Service where the plan names none, seconds.
    pub service_default_s: f64,
}

impl Default for EtaModel {
    /// Van deliveries: Amazon's GOAL labels give a log spread of 0.63 for one visit (notes on
    /// ETA §2.2); city driving takes about 1.4 times free flow. The weights are near what the
    /// spreads say: own variance ÷ common variance, in visits and in kilometres of about 100 s;
    /// that of visits is lower, so that a slow day shows within a shift.
    fn default() -> Self {
        Self {
            travel_ratio: 1.4,
            travel_common_sd: 0.10,
            travel_km_sd: 0.18,
            travel_weight_s: 300.0,
            service_ratio: 1.1,
            service_common_sd: 0.12,
            service_sd: 0.6,
            service_weight: 16.0,
            service_default_s: 120.0,
        }
    }
}
