//! Predicted arrivals with their uncertainty: travel, dwell, waiting, and why they changed.

mod model;

pub use model::EtaModel;
