//! The archive's tables and their columns: what each holds, in which unit, how it is stored.
//!
//! A column is described once, here; the Parquet files, the Delta tables, the SQL catalogue and
//! what analysts read about it follow. Columns are only ever added, at the end: older files are
//! read as if they held nulls there. Numbers that devices and the engine give in decimal steps
//! are stored as decimals of the log's steps, and answered as floats; but degrees in steps of
//! 10^-6, 0.11 m, a tenth of what receivers err by: the log's 10^-7 cost 0.95 bytes a fix more
//! (`properties` in [`file`](super::file)).

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Every table that is made of `outputs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Each accepted fix, whole, with its match.
    Positions,
    /// Edges that were driven.
    Paths,
    /// Each published arrival.
    Etas,
    /// What happened.
    Events,
}

/// What a column holds and how it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8, few different values.
    Word,
    /// UTF-8, every row another.
    Text,
    /// UTC, microseconds.
    Time,
    /// Yes or no.
    Flag,
    /// Whole number, 64 bits.
    Whole,
    /// Decimal digits in all and behind the point; a float in SQL.
    Decimal(u8, i8),
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// As SQL knows it.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Meaning and unit, for people.
    pub meaning: &'static str,
}

const fn column(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, meaning }
}

use Kind::{Decimal, Flag, Text, Time, Whole, Word};

/// Degrees north, in steps of 10^-6.
const LAT: Kind = Decimal(8, 6);
/// Degrees east.
const LNG: Kind = Decimal(9, 6);

/// Columns of [`Table::Positions`].
pub const POSITIONS: [Column; 26] = [
    column("tenant", Word, "whose"),
    column("vehicle", Word, "vehicle; `~device` while the device belongs to none"),
    column("time", Time, "when it was measured"),
    column("seq", Whole, "number among the vehicle's outputs; (vehicle, seq) is unique"),
    column("pid", Text, "identity of the fix: 32 hex digits"),
    column("received_at", Time, "when the gateway took it"),
    column("device", Word, "device that sent it"),
    column("protocol", Word, "protocol it came by"),
    column("device_time", Time, "the device's own time where it was not believed"),
    column("valid", Flag, "whether the receiver trusted it"),
    column("lat", LAT, "latitude, degrees"),
    column("lng", LNG, "longitude, degrees"),
    column("altitude_m", Decimal(9, 2), "above mean sea level, metres"),
    column("speed_mps", Decimal(9, 3), "speed over ground, metres per second"),
    column("heading", Decimal(5, 2), "degrees clockwise from true north"),
    column("accuracy_m", Decimal(10, 2), "radius that holds the truth two times in three, metres"),
    column("matched_lat", LAT, "latitude on the road, degrees"),
    column("matched_lng", LNG, "longitude on the road, degrees"),
    column("matched_way", Whole, "OpenStreetMap way"),
    column("matched_offset_m", Decimal(10, 2), "from the start of the directed edge, metres"),
    column("matched_confidence", Decimal(4, 3), "probability of the match, 0 to 1"),
    column(
        "backfill",
        Flag,
        "history only: older than what was known, or of a source not followed",
    ),
    column("route", Word, "active route"),
    column("world", Whole, "number of the World it was stepped with"),
    column("checksum_ok", Flag, "whether the frame's checksum held; null where there is none"),
    column("attributes", Text, "whatever else the device said: a JSON object"),
];

/// Columns of [`Table::Paths`].
pub const PATHS: [Column; 10] = [
    column("tenant", Word, "whose"),
    column("vehicle", Word, "vehicle"),
    column("time", Time, "when the edge was entered"),
    column("seq", Whole, "number among the vehicle's outputs"),
    column("place", Whole, "place among the edges of that output, from 0"),
    column("way", Whole, "OpenStreetMap way"),
    column("from_node", Whole, "OpenStreetMap node it begins at"),
    column("to_node", Whole, "OpenStreetMap node it ends at"),
    column("gap", Flag, "not connected to the edge before"),
    column("route", Word, "active route"),
];

/// Columns of [`Table::Etas`].
pub const ETAS: [Column; 22] = [
    column("tenant", Word, "whose"),
    column("vehicle", Word, "vehicle"),
    column("time", Time, "when it was said"),
    column("seq", Whole, "number among the vehicle's outputs"),
    column("route", Word, "route"),
    column("version", Whole, "version of the route"),
    column("stop", Word, "stop"),
    column("order", Word, "order delivered there"),
    column("place", Whole, "place in the whole route, from 0; null unless all of it was said"),
    column("state", Word, "later, next, arrived, departed, completed, failed or skipped"),
    column("p10", Time, "arrival is earlier with probability 0.1"),
    column("p50", Time, "with probability 0.5"),
    column("p90", Time, "with probability 0.9"),
    column("metres", Whole, "to drive until there"),
    column("miss", Decimal(3, 2), "probability that service starts after the window closes"),
    column("moved_s", Whole, "change of p50 since it was last said, seconds"),
    column("causes", Text, "why: JSON array of {kind, seconds, stop}; they add up to moved_s"),
    column("lat", LAT, "the door, degrees; this and what follows when the plan was said"),
    column("lng", LNG, "the door, degrees"),
    column("window_from", Time, "earliest promised service start"),
    column("window_to", Time, "latest promised service start"),
    column("service_s", Decimal(8, 3), "planned service, seconds"),
];

/// Columns of [`Table::Events`].
pub const EVENTS: [Column; 15] = [
    column("tenant", Word, "whose"),
    column("vehicle", Word, "vehicle"),
    column("time", Time, "when it happened"),
    column("seq", Whole, "number among the vehicle's outputs"),
    column("said_at", Time, "when the engine said so"),
    column("type", Word, "arrived, departed, predicted_late and so on"),
    column("overdue", Flag, "said more than a minute after it was due"),
    column("route", Word, "route"),
    column("stop", Word, "stop"),
    column("order", Word, "order delivered there"),
    column("expected_late_s", Whole, "expected lateness, seconds"),
    column("probability", Decimal(3, 2), "of what is predicted"),
    column("cause", Text, "why, in words"),
    column("by", Word, "who caused it"),
    column("detail", Text, "device and proposal: a JSON object"),
];

/// How many columns lead every table: tenant, vehicle, time. Files are sorted by them.
pub const SORTED_BY: usize = 3;
/// Where `time` stands.
pub const TIME: usize = 2;

impl Table {
    /// All tables.
    pub const ALL: [Self; 4] = [Self::Positions, Self::Paths, Self::Etas, Self::Events];

    /// As SQL and the folder know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positions => "positions",
            Self::Paths => "paths",
            Self::Etas => "etas",
            Self::Events => "events",
        }
    }

    /// What it holds, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Positions => "each accepted fix, once, with its match",
            Self::Paths => "edges that were driven, one a row",
            Self::Etas => "each published arrival, one stop a row",
            Self::Events => "what happened",
        }
    }

    /// The table of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns, in order.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Positions => &POSITIONS,
            Self::Paths => &PATHS,
            Self::Etas => &ETAS,
            Self::Events => &EVENTS,
        }
    }

    /// As its files hold it.
    pub fn stored(self) -> SchemaRef {
        self.schema(Kind::stored)
    }

    /// As SQL answers it.
    pub fn answered(self) -> SchemaRef {
        self.schema(Kind::answered)
    }

    fn schema(self, of: impl Fn(Kind) -> DataType) -> SchemaRef {
        let field = |(i, column): (usize, &Column)| {
            // The columns that files are sorted by, and the number, are never unknown.
            Field::new(column.name, of(column.kind), i > SORTED_BY)
        };
        Arc::new(Schema::new(self.columns().iter().enumerate().map(field).collect::<Vec<_>>()))
    }
}

impl Kind {
    fn stored(self) -> DataType {
        match self {
            Word | Text => DataType::Utf8,
            Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Flag => DataType::Boolean,
            Whole => DataType::Int64,
            Decimal(digits, scale) => DataType::Decimal128(digits, scale),
        }
    }

    fn answered(self) -> DataType {
        match self {
            Word | Text => DataType::Utf8View,
            Decimal(..) => DataType::Float64,
            other => other.stored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_begins_with_what_its_files_are_sorted_by() {
        for table in Table::ALL {
            let names: Vec<_> = table.columns().iter().map(|c| c.name).take(4).collect();
            assert_eq!(names, ["tenant", "vehicle", "time", "seq"], "{}", table.name());
        }
    }

    #[test]
    fn no_column_stands_twice() {
        for table in Table::ALL {
            let mut names: Vec<_> = table.columns().iter().map(|c| c.name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{}", table.name());
        }
    }
}
