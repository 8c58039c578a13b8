//! Reports: one SQL text each, over the views, of a period.
//!
//! A report's text stands in `reports/`. In front of it go the tables, bounded to the period, and
//! the views it is made of, over those: so a report of a day reads a day, whatever is kept.

use ingest::id::VehicleId;
use ingest::time::Timestamp;

use super::views::VIEWS;

/// Longest period, seconds: a leap year and a day.
pub(crate) const PERIOD_MAX_S: f64 = 367.0 * 86_400.0;
/// What belongs to a drive may lie so far outside of the period, seconds: three times the silence
/// or standstill that ends one.
const FIXES_MARGIN_S: f64 = 900.0;
/// What belongs to a visit may: a shift is shorter than a day.
const PLANS_MARGIN_S: f64 = 86_400.0;

/// A report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    /// As its address names it.
    pub(crate) name: &'static str,
    /// What it tells, for people.
    pub(crate) meaning: &'static str,
    sql: &'static str,
}

/// All reports.
pub(crate) const REPORTS: [Report; 9] = [
    Report {
        name: "on_time",
        meaning: "by day and vehicle: of the stops whose window closed, how many were reached in \
                  time, and why the rest was not",
        sql: include_str!("reports/on_time.sql"),
    },
    Report {
        name: "eta_quality",
        meaning: "by how long before: how wrong published arrivals were, and how often the truth \
                  lay between p10 and p90",
        sql: include_str!("reports/eta_quality.sql"),
    },
    Report {
        name: "dwell",
        meaning: "by place: how long visits took, and how much longer than planned",
        sql: include_str!("reports/dwell.sql"),
    },
    Report {
        name: "distance",
        meaning: "by day and vehicle: distance and driving time",
        sql: include_str!("reports/distance.sql"),
    },
    Report {
        name: "idle",
        meaning: "by day and vehicle: standing where no stop is, between first and last drive",
        sql: include_str!("reports/idle.sql"),
    },
    Report {
        name: "stops_per_hour",
        meaning: "by day and vehicle: stops visited, and the hours from first to last",
        sql: include_str!("reports/stops_per_hour.sql"),
    },
    Report {
        name: "speeding",
        meaning: "spells above the limit by more than 5 km/h, the worst first; none where the map \
                  tells no limits",
        sql: include_str!("reports/speeding.sql"),
    },
    Report {
        name: "delay_by_h3",
        meaning: "by hexagon: how late stops were reached",
        sql: include_str!("reports/delay_by_h3.sql"),
    },
    Report {
        name: "failed",
        meaning: "by cause: deliveries that failed",
        sql: include_str!("reports/failed.sql"),
    },
];

/// Of what a report is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Period {
    /// The first time of it.
    pub(crate) from: Timestamp,
    /// The first time behind it.
    pub(crate) to: Timestamp,
    /// When it is asked.
    pub(crate) now: Timestamp,
    /// One vehicle's alone.
    pub(crate) vehicle: Option<VehicleId>,
    /// Whose days are meant, such as `Europe/Lisbon`.
    pub(crate) zone: String,
}

impl Report {
    /// The report of a name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        REPORTS.into_iter().find(|report| report.name == name)
    }

    /// Its query, of a period. What people gave stands in it as literals alone.
    pub(crate) fn query(self, period: &Period) -> String {
        let body: Vec<&str> = self.sql.lines().filter(|line| !line.starts_with("--")).collect();
        let body = body.join("\n");
        let mut needed: Vec<_> = Vec::new();
        for view in VIEWS.iter().rev() {
            let named = |text: &str| names(text, view.name);
            if named(&body) || needed.iter().any(|other: &&super::views::View| named(other.sql)) {
                needed.push(view);
            }
        }
        let views = needed.iter().rev().map(|view| format!("{} AS (\n{})", view.name, view.sql));
        let tables: Vec<String> = std::iter::once(bounded(period)).chain(views).collect();
        let tables = tables.join(",\n");
        let query = match body.strip_prefix("WITH ") {
            Some(rest) => format!("WITH {tables},\n{rest}"),
            None => format!("WITH {tables}\n{body}"),
        };
        filled(&query, period)
    }
}

/// The tables of the archive, of the period and somewhat more. Visits are bounded by their time
/// alone: who visits a stop may be another vehicle than the one it was planned for.
fn bounded(period: &Period) -> String {
    let of = |table: &str, margin_s: f64, more: &str| {
        let (from, to) = (period.from.plus_seconds(-margin_s), period.to.plus_seconds(margin_s));
        let (from, to) = (time(from), time(to));
        format!("{table} AS (SELECT * FROM {table} WHERE time >= {from} AND time < {to}{more})")
    };
    let positions = of("positions", FIXES_MARGIN_S, " AND $vehicle");
    let others = ["etas", "events"].map(|table| of(table, PLANS_MARGIN_S, ""));
    format!("{positions},\n{},\n{}", others[0], others[1])
}

/// Whether a text reads a table.
fn names(text: &str, table: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = text.split(|c| !is_part(c)).filter(|word| !word.is_empty());
    let mut after = false;
    words.any(|word| {
        let is_it = after && word == table;
        after = matches!(word, "FROM" | "JOIN");
        is_it
    })
}

/// A time as SQL writes it, to the microsecond.
fn time(time: Timestamp) -> String {
    format!("arrow_cast({}, 'Timestamp(Microsecond, Some(\"UTC\"))')", time.micros())
}

/// Text as SQL writes it.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn filled(query: &str, period: &Period) -> String {
    let vehicle = match &period.vehicle {
        Some(vehicle) => format!("vehicle = {}", text(vehicle.as_str())),
        None => "true".to_owned(),
    };
    let values = [
        ("$from", time(period.from)),
        ("$to", time(period.to)),
        ("$now", time(period.now)),
        ("$vehicle", vehicle),
        ("$zone", text(&period.zone)),
        // `DataFusion` 55 loses the order of a column that a filter holds constant, and then
        // refuses its own plan.
        ("$then_vehicle", if period.vehicle.is_some() { "" } else { ", vehicle" }.to_owned()),
    ];
    // In one pass, so that nothing given is taken for a name.
    let mut filled = String::with_capacity(query.len());
    let mut rest = query;
    while let Some(at) = rest.find('$') {
        let (before, here) = rest.split_at(at);
        filled.push_str(before);
        let known = values.iter().find_map(|(name, value)| Some((value, here.strip_prefix(name)?)));
        if let Some((value, behind)) = known {
            filled.push_str(value);
            rest = behind;
        } else {
            filled.push('$');
            rest = here.strip_prefix('$').unwrap_or_default();
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests;
