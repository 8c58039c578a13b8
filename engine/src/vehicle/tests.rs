//! The step function, told stories.
//!
//! `town` draws streets and drives a van on them with a receiver that drifts; the other files
//! each tell one kind of story and compare what the vehicle said with what was true.

mod alerts;
mod arrivals;
mod plans;
mod sources;
mod state;
mod town;
