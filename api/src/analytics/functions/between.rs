//! `seconds_between`: how long from one time to another.
//!
//! What `date_part('epoch', a - b)` gives elsewhere is cut to whole seconds by the query engine.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array};
use datafusion::common::Result;

use super::argument::{Arguments, Kind};
use super::scalar::{About, Gives};

/// What there is.
pub(super) const BETWEEN: [About; 1] = [About {
    name: "seconds_between",
    call: "seconds_between(since, until)",
    meaning: "seconds from one time to another, to the microsecond; below 0 if it is before",
    takes: &[Kind::Time, Kind::Time],
    optional: 0,
    gives: Gives::Number,
    work: seconds_between,
}];

fn seconds_between(arguments: &Arguments) -> Result<ArrayRef> {
    let (since, until) = (arguments.times(0)?, arguments.times(1)?);
    let seconds = |row| {
        let (since, until) = (since.get(row)?, until.get(row)?);
        // Two times of 64 bits are farther apart than fits into one of them.
        Some((i128::from(until) - i128::from(since)) as f64 / 1e6)
    };
    Ok(Arc::new((0..arguments.rows()).map(seconds).collect::<Float64Array>()))
}
