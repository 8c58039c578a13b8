//! Shortest paths on the road network.
//!
//! [`Router`] answers one way (`route`), many short ways at once for the matcher (`reach_from_all`) and
//! many long ones for planning (`times`), all exact with every turn restriction. Ways run on
//! edges, not nodes, because a ban depends on where one came from; restrictions over several
//! roads are states of their own (`road/builder/turns.rs`).
//!
//! In reading order: `cost` says what is compared, `search` is Dijkstra's algorithm and A*,
//! [`hierarchy`] what makes long ways of motor vehicles a matter of microseconds and takes new
//! weights in milliseconds, [`traffic`] what the roads take now, `router` puts them behind one
//! door.

mod cost;
pub mod hierarchy;
mod line;
#[cfg(test)]
mod oracle;
mod router;
mod search;
#[cfg(test)]
mod tests;
pub mod traffic;

pub use cost::{Turns, weighed_s};
pub use hierarchy::{Hierarchy, Live, Matrix, Snapshot};
pub use line::line;
pub use router::{Driven, Joined, Path, Reached, Router};
pub use search::Bounds;
pub use traffic::{Feed, Traffic};

/// Seconds that `route` and `times` add in comparing when a way enters a road meant only for
/// those with business there; so such roads are used for first and last metres, not through.
pub const DESTINATION_S: f64 = 600.0;
/// Seconds to wait for and board a ferry.
pub const BOARDING_S: f64 = 600.0;
