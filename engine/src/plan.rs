//! Better orders of the remaining stops.
//!
//! [`improve`] compares the present order of a route's remaining stops with every order of the
//! next [`REORDER_MAX`] of them, by driving and by expected lateness; [`Legs`] holds the driving
//! times it needs, from the road or from any other source.

mod legs;
mod order;

pub use legs::Legs;
pub use order::{Improvement, REORDER_MAX, Visit, Weights, improve};
