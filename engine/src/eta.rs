//! When will it come: travel, dwell, and the prediction of every remaining stop with its spread.
