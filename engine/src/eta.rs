//! Predicted arrivals with their uncertainty: travel, dwell, waiting, and why they changed.
//!
//! [`travel`] with [`pace`] and [`dwell`] say what a drive and a visit take, priors blended with
//! the vehicle's day so far; [`predict`] chains them to arrivals; [`quantile`] is the mathematics of their
//! distributions; [`cause`] explains a change. What is learned across vehicles enters only as
//! [`EtaModel`], through the World.

pub mod cause;
pub mod dwell;
mod model;
pub mod pace;
pub mod predict;
pub mod quantile;
pub mod travel;

pub use cause::Ledger;
pub use model::EtaModel;
