//! What it means: fixes become matches, progress, predicted arrivals and alerts.
//!
//! In import order, which `tests/it/tidy.rs` checks: each module uses those above it only.

pub mod alert;
pub mod eta;
pub mod matching;
pub mod model;
pub mod path;
pub mod plan;
pub mod record;
pub mod road;
pub mod runtime;
pub mod vehicle;
pub mod world;
