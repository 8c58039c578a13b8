//! Aggregates, against the same computed one row after another.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, StringArray, StringViewArray, TimestampMicrosecondArray,
};

use super::{check, rows, session, table, text};
use crate::analytics::functions::shape::line_length_m;
use crate::analytics::functions::sphere::Place;

/// Rows out of order: vehicle, time, place, and a word that is null now and then.
struct Fixes {
    vehicles: Vec<i64>,
    times: Vec<i64>,
    lat: Vec<f64>,
    lng: Vec<f64>,
    words: Vec<Option<String>>,
}

impl Fixes {
    fn new(count: usize, vehicles: u64) -> Self {
        let mut state = 7_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            state >> 33
        };
        let mut fixes = Self {
            vehicles: Vec::new(),
            times: Vec::new(),
            lat: Vec::new(),
            lng: Vec::new(),
            words: Vec::new(),
        };
        for i in 0..count {
            fixes.vehicles.push((next() % vehicles) as i64);
            // Every time once.
            fixes.times.push((next() % 1_000_000) as i64 * count as i64 + i as i64);
            fixes.lat.push(41.0 + (next() % 10_000) as f64 * 1e-5);
            fixes.lng.push(-8.0 - (next() % 10_000) as f64 * 1e-5);
            let word = format!("a word that is longer than a view holds, {i}");
            fixes.words.push((next() % 5 > 0).then_some(word));
        }
        fixes
    }

    fn columns(&self) -> Vec<(&'static str, ArrayRef)> {
        let times = TimestampMicrosecondArray::from(self.times.clone()).with_timezone("UTC");
        vec![
            ("vehicle", Arc::new(Int64Array::from(self.vehicles.clone()))),
            ("time", Arc::new(times)),
            ("lat", Arc::new(Float64Array::from(self.lat.clone()))),
            ("lng", Arc::new(Float64Array::from(self.lng.clone()))),
            ("word", Arc::new(StringViewArray::from(self.words.clone()))),
            ("small", Arc::new(StringArray::from(self.words.clone()))),
        ]
    }

    /// Of each vehicle its rows in order of time.
    fn by_vehicle(&self) -> BTreeMap<i64, Vec<usize>> {
        let mut all: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (row, vehicle) in self.vehicles.iter().enumerate() {
            all.entry(*vehicle).or_default().push(row);
        }
        for rows in all.values_mut() {
            rows.sort_by_key(|row| self.times[*row]);
        }
        all
    }
}

/// Few groups, and so many that partial results are passed on as they are.
const SIZES: [(usize, u64); 3] = [(3_000, 7), (40_000, 3), (260_000, 200_000)];

#[test]
fn the_last_and_the_first_are_those_of_the_times() {
    for (count, vehicles) in SIZES {
        let (context, fixes) = (session(), Fixes::new(count, vehicles));
        table(&context, "t", fixes.columns(), count.div_ceil(3));
        let word = |row: usize| fixes.words[row].clone().unwrap_or("~".to_owned());
        let line = |(vehicle, rows): (i64, Vec<usize>)| {
            let (first, last) = (rows[0], rows[rows.len() - 1]);
            let north = rows.iter().rev().find(|row| fixes.lat[**row] > 41.05);
            let north = north.map_or("~".to_owned(), |row| word(*row));
            format!("{vehicle}|{}|{}|{}|{north}", word(last), word(first), fixes.times[last])
        };
        let expected: Vec<_> = fixes.by_vehicle().into_iter().map(line).collect();
        let sql = "SELECT vehicle, last_by(word, time), first_by(small, time), \
                   CAST(last_by(time, time) AS bigint), \
                   last_by(word, time) FILTER (WHERE lat > 41.05) \
                   FROM t GROUP BY vehicle ORDER BY vehicle";
        assert_eq!(text(&rows(&context, sql).unwrap()), expected.join("\n"), "{vehicles}");
    }
}

#[test]
fn without_groups_it_is_the_last_of_all() {
    let (context, fixes) = (session(), Fixes::new(5_000, 3));
    table(&context, "t", fixes.columns(), 700);
    let last = (0..5_000).max_by_key(|row| fixes.times[*row]).unwrap();
    let north = (0..5_000).min_by(|a, b| fixes.lat[*a].total_cmp(&fixes.lat[*b])).unwrap();
    let sql = "SELECT last_by(vehicle, time), first_by(lat, lat), first_by(lng, -lat) IS NOT NULL, \
               last_by(1, time) FILTER (WHERE vehicle < 0) FROM t";
    let expected = format!("{}|{:?}|true|~", fixes.vehicles[last], fixes.lat[north]);
    assert_eq!(text(&rows(&context, sql).unwrap()), expected);
}

#[test]
fn nulls_and_order_are_as_said() {
    let of = |rows: &str| format!("(SELECT last_by(x, t) FROM (VALUES {rows}) AS v(x, t))");
    check(&of("('a', 1), ('b', 3), ('c', 2)"), "b");
    check(&of("('a', 1), (NULL, 3), ('c', 2)"), "~");
    check(&of("('a', 1), ('b', NULL), ('c', 2)"), "c");
    check(&of("('a', -1.5), ('b', -0.5), ('c', -2.5)"), "b");
    check(&of("('a', -0.0), ('b', 'Infinity'::double), ('c', 1e300)"), "b");
    check("(SELECT last_by(x, t) FROM (SELECT 1 AS x, 2 AS t) WHERE x > 5)", "~");
    check("(SELECT first_by([x, t], t) FROM (VALUES (1, 9), (2, 8)) AS v(x, t))", "[2, 8]");
    let running = "SELECT last_by(x, t) OVER (ORDER BY i) FROM \
                   (VALUES (1, 'a', 5), (2, 'b', 3), (3, 'c', 7)) AS v(i, x, t) ORDER BY i";
    assert_eq!(text(&rows(&session(), running).unwrap()), "a\na\nc");
    let error = rows(&session(), "SELECT last_by(1, 'x')").unwrap_err();
    assert!(error.contains("expected a time or number"), "{error}");
}

#[test]
fn trajectories_are_in_order_of_time() {
    for (count, vehicles) in [(3_000, 7), (150_000, 120_000)] {
        let (context, fixes) = (session(), Fixes::new(count, vehicles));
        table(&context, "t", fixes.columns(), count.div_ceil(4));
        let line = |(vehicle, rows): (i64, Vec<usize>)| {
            let places: Vec<Place> = rows
                .iter()
                .map(|row| Place { lng: fixes.lng[*row], lat: fixes.lat[*row] })
                .collect();
            let mut spoken: Vec<_> =
                places.iter().map(|place| format!("{} {}", place.lng, place.lat)).collect();
            if spoken.len() == 1 {
                spoken.push(spoken[0].clone());
            }
            let metres = line_length_m(&places);
            format!("{vehicle}|LINESTRING ({})|{metres:?}", spoken.join(", "))
        };
        let expected: Vec<_> = fixes.by_vehicle().into_iter().map(line).collect();
        let sql = "SELECT vehicle, trajectory(lat, lng, time), trajectory_length_m(lat, lng, time) \
                   FROM t GROUP BY vehicle ORDER BY vehicle";
        assert_eq!(text(&rows(&context, sql).unwrap()), expected.join("\n"));
    }
}

#[test]
fn a_trajectory_needs_places_and_times() {
    let of = |rows: &str| {
        format!(
            "(SELECT trajectory(a, b, to_timestamp_micros(t)) FROM (VALUES {rows}) AS v(a, b, t))"
        )
    };
    check(&of("(41.5, -8, 2), (41, -8.5, 1)"), "LINESTRING (-8.5 41, -8 41.5)");
    check(&of("(41.5, -8, 2), (NULL, -8.5, 1)"), "LINESTRING (-8 41.5, -8 41.5)");
    check(&of("(NULL, -8, 2)"), "~");
    let error = rows(&session(), &format!("SELECT {}", of("(95, 0, 1)"))).unwrap_err();
    assert!(error.contains("latitude is `95`"), "{error}");
}
