//! What it means: fixes become matches, progress, predicted arrivals and alerts.
//!
//! In import order, which `tests/it/tidy.rs` checks: each module uses those above it only.

pub mod model;

pub mod road;

pub mod path;

pub mod matching;

pub mod eta;

pub mod plan;

pub mod alert;

pub mod world;

pub mod record;

pub mod vehicle;

pub mod runtime;
