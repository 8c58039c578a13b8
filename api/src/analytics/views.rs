//! Tables that are made of others when they are asked for.
//!
//! Each view stands behind those it is made of.

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// As SQL knows it.
    pub name: &'static str,
    /// What it holds, for people.
    pub meaning: &'static str,
    /// How it is made.
    pub sql: &'static str,
}

/// All views.
pub const VIEWS: [View; 2] = [
    View {
        name: "stops",
        meaning: "each visit of each route: what was planned, what happened, how late",
        sql: include_str!("views/stops.sql"),
    },
    View {
        name: "eta_outcomes",
        meaning: "each published arrival of a stop that was reached, with how wrong it was",
        sql: include_str!("views/eta_outcomes.sql"),
    },
];
