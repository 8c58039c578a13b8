//! Functions that fleets need and SQL lacks.
//!
//! ```text
//! scalar (one value a row) ── argument (numbers and text, however they are stored)
//!   time · between · local · cells · geometry ── shape, sphere · attribute · limits · text
//! aggregates (many rows, one value)
//!   last · trajectory
//! ```
//!
//! A null argument makes a null. A value that cannot be is an error that names it; nothing that
//! is asked makes a value past a bound that has a name here.

use std::sync::Arc;

use datafusion::execution::{FunctionRegistry as _, SessionState};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use engine::road::Road;

mod argument;
mod attribute;
mod between;
mod cells;
mod geometry;
mod last;
mod limits;
mod local;
mod scalar;
mod shape;
mod sphere;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod trajectory;

use last::{By, Which};
use scalar::{About, Scalar};
use trajectory::{Made, Trajectory};

/// A function as people read about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// How it is called, such as `bearing(lat1, lng1, lat2, lng2)`.
    pub call: &'static str,
    /// What it gives, in which unit.
    pub meaning: &'static str,
}

/// Functions of one value a row, by what they are about.
const SCALARS: [&[About]; 6] = [
    &between::BETWEEN,
    &local::LOCAL,
    &cells::CELLS,
    &geometry::GEOMETRY,
    &attribute::ATTRIBUTE,
    &text::TEXT,
];

/// Every function that is ours, for people.
pub fn described() -> impl Iterator<Item = Described> {
    let scalars = SCALARS.into_iter().flatten();
    let scalars = scalars.map(|about| Described { call: about.call, meaning: about.meaning });
    let others = [time::ABOUT, limits::ABOUT, By::LAST, By::FIRST];
    others.into_iter().chain(scalars).chain([Trajectory::LINE, Trajectory::LENGTH])
}

/// Adds them all to a session. Speed limits are those of the map, where there is one.
pub(super) fn register(state: &mut SessionState, road: Option<Arc<Road>>) {
    let scalars = SCALARS.into_iter().flatten().map(|about| ScalarUDF::from(Scalar::new(about)));
    let others =
        [ScalarUDF::from(time::TimeBucket::new()), ScalarUDF::from(limits::SpeedLimit::new(road))];
    for function in scalars.chain(others) {
        // Who had the name before is let go; a state takes every function.
        drop(state.register_udf(Arc::new(function)));
    }
    let aggregates = [
        AggregateUDF::from(By::new(Which::Last)),
        AggregateUDF::from(By::new(Which::First)),
        AggregateUDF::from(Trajectory::new(Made::Line)),
        AggregateUDF::from(Trajectory::new(Made::Length)),
    ];
    for function in aggregates {
        drop(state.register_udaf(Arc::new(function)));
    }
}
