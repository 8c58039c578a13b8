//! Tables that are made of others when they are asked for.
//!
//! Each view stands behind those it is made of. All speak of everything that is kept: what is
//! asked of one vehicle reads that vehicle's rows, but a time that is asked of a view of steps
//! reads all times, because a step begins before it. Reports (`report.rs`) bound the time of the
//! fixes instead.

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
pub const VIEWS: [View; 10] = [
    View {
        name: "steps",
        meaning: "each fix of the device that is followed, with the step that led to it: since \
                  when, seconds, metres along the great circle, whether it was driven",
        sql: include_str!("views/steps.sql"),
    },
    View {
        name: "spells",
        meaning: "driving and standing in turns, without regard to how short",
        sql: include_str!("views/spells.sql"),
    },
    View {
        name: "trips",
        meaning: "drives between two standstills of at least five minutes, of at least 100 m",
        sql: include_str!("views/trips.sql"),
    },
    View {
        name: "visits",
        meaning: "each arrival at a stop with the departure that followed",
        sql: include_str!("views/visits.sql"),
    },
    View {
        name: "standstills",
        meaning: "standing for at least five minutes: where (place is an H3 cell of resolution \
                  10), how long, at which stop",
        sql: include_str!("views/standstills.sql"),
    },
    View {
        name: "gaps",
        meaning: "silences of more than five minutes between two fixes of a vehicle",
        sql: include_str!("views/gaps.sql"),
    },
    View {
        name: "speeding",
        meaning: "spells above the limit by more than 5 km/h, where the map tells the limit; \
                  limit_mps, way, lat and lng are those of the worst fix",
        sql: include_str!("views/speeding.sql"),
    },
    View {
        name: "rollups",
        meaning: "ten minutes of a vehicle: fixes, driving time, distance, speeds, first and \
                  last place",
        sql: include_str!("views/rollups.sql"),
    },
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

#[cfg(test)]
pub(super) mod tests;
