//! What the views tell of drives and visits that were made by hand.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::json::ReaderBuilder;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::catalog::view::ViewTable;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionContext;
use datafusion::prelude::SessionConfig;
use engine::road::{Attributes, Class, Road, RoadBuilder};
use ingest::time::Timestamp;
use ingest::units::Position;
use serde_json::{Value, json};

use super::VIEWS;
use crate::analytics::functions;
use crate::archive::schema::Table;

/// 2026-11-30, 08:00 UTC.
const START: i64 = 1_796_025_600;

/// So many seconds after [`START`].
pub(crate) fn at(seconds: i64) -> String {
    Timestamp::from_seconds(START + seconds).to_string()
}

/// A fix on the equator: a thousandth of a degree is 111.195 m.
pub(crate) fn fix(vehicle: &str, seconds: i64, milli: f64, speed_mps: f64) -> Value {
    json!({
        "vehicle": vehicle, "time": at(seconds), "seq": seconds + 10_000, "device": "d-1",
        "valid": true, "backfill": false, "lat": 0.0, "lng": milli * 1e-3,
        "speed_mps": speed_mps, "route": "r-1",
    })
}

/// An event at a stop.
pub(crate) fn event(vehicle: &str, seconds: i64, kind: &str, (route, stop): (&str, &str)) -> Value {
    json!({
        "vehicle": vehicle, "time": at(seconds), "seq": seconds + 10_000, "type": kind,
        "route": route, "stop": stop, "order": format!("o-{stop}"),
    })
}

/// A whole version of a route as it is said: stops and when their windows close.
pub(crate) fn plan(
    (vehicle, seconds): (&str, i64),
    (route, version): (&str, i64),
    stops: &[(&str, i64)],
) -> Vec<Value> {
    let stop = |(place, (stop, closes)): (usize, &(&str, i64))| {
        json!({
            "vehicle": vehicle, "time": at(seconds), "seq": seconds + 10_000, "route": route,
            "version": version, "stop": stop, "order": format!("o-{stop}"), "place": place,
            "state": "later", "p10": at(closes - 700), "p50": at(closes - 600),
            "p90": at(closes - 300), "lat": 0.0, "lng": 0.02,
            "window_from": at(closes - 1_800), "window_to": at(*closes), "service_s": 120.0,
        })
    };
    stops.iter().enumerate().map(stop).collect()
}

/// Rows of the archive's tables, as one tenant sees them.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) positions: Vec<Value>,
    pub(crate) etas: Vec<Value>,
    pub(crate) events: Vec<Value>,
    pub(crate) road: Option<Road>,
}

impl Told {
    /// A session with these rows and every view.
    pub(crate) fn session(self) -> SessionContext {
        let mut config = SessionConfig::new().with_target_partitions(3);
        config.options_mut().execution.time_zone = Some("UTC".to_owned());
        config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
        let state = SessionStateBuilder::new().with_config(config).with_default_features();
        let mut state = state.build();
        functions::register(&mut state, self.road.map(Arc::new));
        let context = SessionContext::new_with_state(state);
        let tables = [
            (Table::Positions, self.positions),
            (Table::Etas, self.etas),
            (Table::Events, self.events),
        ];
        for (table, mut rows) in tables {
            // Nothing may rest on the order of rows.
            rows.reverse();
            let all = table.answered();
            let ours: Vec<_> = all.fields().iter().skip(1).cloned().collect();
            let schema = Arc::new(Schema::new(ours));
            let batches = match batch(&Arc::clone(&schema), &rows) {
                Some(batch) => vec![batch],
                None => Vec::new(),
            };
            let provider = MemTable::try_new(schema, vec![batches]).unwrap();
            context.register_table(table.name(), Arc::new(provider)).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for view in VIEWS {
            let state = context.state();
            let plan = runtime.block_on(state.create_logical_plan(view.sql));
            let plan = plan.unwrap_or_else(|error| panic!("{}: {error}", view.name));
            let made = ViewTable::new(plan, Some(view.sql.to_owned()));
            context.register_table(view.name, Arc::new(made)).unwrap();
        }
        context
    }
}

fn batch(schema: &Arc<Schema>, rows: &[Value]) -> Option<RecordBatch> {
    let mut decoder = ReaderBuilder::new(Arc::clone(schema)).build_decoder().unwrap();
    decoder.serialize(rows).unwrap();
    decoder.flush().unwrap()
}

/// The rows of a query as text, `|` between cells, `~` for null.
pub(crate) fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let batches = runtime.block_on(async { context.sql(sql).await?.collect().await });
    let batches = batches.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut lines = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |column: &ArrayRef| {
                if column.is_null(row) {
                    return "~".to_owned();
                }
                array_value_to_string(column, row).unwrap()
            };
            lines.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    lines
}

#[track_caller]
fn check(context: &SessionContext, sql: &str, expected: &[&str]) {
    assert_eq!(rows(context, sql), expected, "{sql}");
}

/// Stands, drives 1,334 m in three minutes, halts for one, drives 890 m, stands for seven minutes
/// at a stop, drives 1,112 m.
pub(crate) fn morning() -> Told {
    let steps = [
        (0, 0.0, 0.0),
        (60, 0.0, 0.0),
        (120, 0.0, 0.0),
        (180, 5.0, 10.0),
        (240, 10.0, 10.0),
        (300, 12.0, 0.0),
        (360, 12.0, 0.0),
        (420, 17.0, 10.0),
        (480, 20.0, 0.0),
        (540, 20.0, 0.0),
        (600, 20.0, 0.0),
        (660, 20.0, 0.0),
        (720, 20.0, 0.0),
        (780, 20.0, 0.0),
        (840, 20.0, 0.0),
        (900, 20.0, 0.0),
        (960, 25.0, 12.0),
        (1_020, 30.0, 0.0),
        (1_080, 30.0, 0.0),
    ];
    let mut positions: Vec<Value> =
        steps.iter().map(|(s, milli, speed)| fix("van-1", *s, *milli, *speed)).collect();
    // It came late but is of the device that was followed.
    positions[4]["backfill"] = json!(true);
    // Another device that was not, and a fix that nobody trusts.
    let mut other = fix("van-1", 250, 500.0, 10.0);
    (other["device"], other["backfill"]) = (json!("d-2"), json!(true));
    let mut wrong = fix("van-1", 490, 900.0, 30.0);
    wrong["valid"] = json!(false);
    positions.extend([other, wrong]);
    let events = vec![
        event("van-1", 500, "arrived", ("r-1", "s1")),
        event("van-1", 890, "departed", ("r-1", "s1")),
    ];
    Told { positions, events, ..Told::default() }
}

/// Drives into twenty minutes of silence and out of them, then stands silent for twenty more.
fn silence() -> Vec<Value> {
    [(0, 0.0, 10.0), (60, 5.0, 10.0), (1_260, 125.0, 10.0), (2_460, 125.0, 0.0)]
        .map(|(s, milli, speed)| fix("van-2", s, milli, speed))
        .to_vec()
}

#[test]
fn trips_lie_between_standstills() {
    let mut told = morning();
    told.positions.extend(silence());
    let context = told.session();
    let trips = "SELECT vehicle, date_part('epoch', started) - 1796025600,
                        date_part('epoch', ended) - 1796025600, round(distance_m, 1), duration_s,
                        moving_s, round(avg_mps, 3), max_mps, start_lng, end_lng
                 FROM trips ORDER BY vehicle, started";
    check(
        &context,
        trips,
        &[
            // 20 and 10 thousandths of a degree.
            "van-1|120.0|480.0|2223.9|360.0|300.0|7.413|10.0|0.0|0.02",
            "van-1|900.0|1020.0|1112.0|120.0|120.0|9.266|12.0|0.02|0.03",
            "van-2|0.0|1260.0|13899.4|1260.0|1260.0|11.031|10.0|0.0|0.125",
        ],
    );
    let gaps = "SELECT vehicle, date_part('epoch', since) - 1796025600, seconds, round(metres),
                       route FROM gaps ORDER BY since";
    check(&context, gaps, &["van-2|60.0|1200.0|13343.0|r-1", "van-2|1260.0|1200.0|0.0|r-1"]);
}

#[test]
fn standstills_know_their_stop() {
    let mut told = morning();
    told.positions.extend(silence());
    // It passed by somewhere else at that time.
    told.events.push(event("van-9", 600, "arrived", ("r-9", "s9")));
    let context = told.session();
    let standing = "SELECT vehicle, date_part('epoch', since) - 1796025600, dwell_s,
                           round(lng, 4), at_stop, stop, stops, place = h3_cell(lat, lng, 10)
                    FROM standstills ORDER BY vehicle, since";
    check(
        &context,
        standing,
        &["van-1|480.0|420.0|0.02|true|s1|1|true", "van-2|1260.0|1200.0|0.125|false|~|0|true"],
    );
}

#[test]
fn rollups_add_up() {
    let context = morning().session();
    let rollups =
        "SELECT bucket, fixes, moving_s, round(distance_m, 1), round(avg_mps, 3), max_mps,
                          first_lng, last_lng FROM rollups ORDER BY bucket";
    check(
        &context,
        rollups,
        &[
            "2026-11-30T08:00:00Z|10|300.0|2223.9|3.0|10.0|0.0|0.02",
            "2026-11-30T08:10:00Z|9|120.0|1112.0|1.333|12.0|0.02|0.03",
        ],
    );
    // The same from the fixes themselves, the slow way.
    let driven: f64 = [5.0, 5.0, 2.0, 5.0, 3.0, 5.0, 5.0].iter().map(|m| m * 111.195_08).sum();
    let all = rows(&context, "SELECT sum(distance_m) FROM rollups");
    assert!((all[0].parse::<f64>().unwrap() - driven).abs() < 0.01, "{all:?}");
}

/// A street of way 7, with a limit of 50 km/h.
pub(crate) fn street() -> Road {
    let mut road = RoadBuilder::new();
    road.node(1, Position { lng: 0.0, lat: 0.0 });
    road.node(2, Position { lng: 0.1, lat: 0.0 });
    let attributes = Attributes {
        class: Class::Residential,
        speed_mps: 50.0 * 0.8 / 3.6,
        ..Attributes::default()
    };
    road.edge(7, (1, 2), &[], &attributes);
    road.finish().unwrap()
}

/// One fix in ten seconds on way 7.
pub(crate) fn fast() -> Vec<Value> {
    let speeds = [13.0, 16.0, 18.0, 15.0, 16.0, 40.0, 15.9];
    let fix = |(i, speed): (usize, &f64)| {
        let mut fix = fix("van-3", i as i64 * 10, i as f64, *speed);
        fix["matched_way"] = json!(7);
        // One that may have been beside it.
        fix["matched_confidence"] = json!(if i == 5 { 0.4 } else { 0.95 });
        fix
    };
    speeds.iter().enumerate().map(fix).collect()
}

#[test]
fn speeding_is_told_where_the_limit_is_known() {
    let speeding =
        "SELECT vehicle, date_part('epoch', since) - 1796025600, seconds, fixes, max_mps,
                           round(limit_mps, 3), round(over_mps, 3), way, lng
                    FROM speeding ORDER BY since";
    let told = Told { positions: fast(), road: Some(street()), ..Told::default() };
    // 15 m/s is 54 km/h: above 50, but not by more than five.
    check(
        &told.session(),
        speeding,
        &[
            "van-3|10.0|10.0|2|18.0|13.889|4.111|7|0.002",
            "van-3|40.0|20.0|2|16.0|13.889|2.111|7|0.004",
        ],
    );
    let told = Told { positions: fast(), ..Told::default() };
    check(&told.session(), speeding, &[]);
}

const STOPS: &str =
    "SELECT vehicle, route, stop, version, outcome, reason, visits, dwell_s, late_s,
                            on_time FROM stops ORDER BY route, stop";

#[test]
fn a_stop_is_planned_by_the_newest_version_and_visited_by_whoever_came() {
    let mut etas = plan(("van-1", 0), ("r-1", 1), &[("s1", 3_600), ("s2", 5_400), ("s3", 7_200)]);
    // s3 goes to another route of another vehicle, and s2 is promised for later.
    etas.extend(plan(("van-1", 600), ("r-1", 2), &[("s1", 3_600), ("s2", 6_000)]));
    etas.extend(plan(("van-2", 610), ("r-2", 1), &[("s3", 7_200)]));
    // The first route goes on with a third vehicle, which says it at a lower number.
    let mut taken = plan(("van-3", 4_000), ("r-1", 3), &[("s1", 3_600), ("s2", 6_000)]);
    for stop in &mut taken {
        stop["seq"] = json!(3);
    }
    etas.extend(taken);
    let events = vec![
        event("van-1", 3_000, "arrived", ("r-1", "s1")),
        event("van-1", 3_200, "departed", ("r-1", "s1")),
        event("van-1", 3_150, "completed", ("r-1", "s1")),
        event("van-1", 3_900, "predicted_late", ("r-1", "s2")),
        event("van-3", 6_600, "arrived", ("r-1", "s2")),
        event("van-2", 7_000, "arrived", ("r-2", "s3")),
    ];
    let context = Told { etas, events, ..Told::default() }.session();
    check(
        &context,
        STOPS,
        &[
            "van-1|r-1|s1|3|completed|~|1|200.0|-600.0|true",
            "van-3|r-1|s2|3|arrived|~|1|~|600.0|false",
            "van-2|r-2|s3|1|arrived|~|1|~|-200.0|true",
        ],
    );
    // Each arrival is held against what was said of the vehicle that came.
    let outcomes = "SELECT vehicle, stop, version, lead_s, error_s, covered FROM eta_outcomes
                    ORDER BY stop, version";
    check(
        &context,
        outcomes,
        &[
            "van-1|s1|1|3000.0|0.0|true",
            "van-1|s1|2|2400.0|0.0|true",
            "van-3|s2|3|2600.0|-1200.0|false",
            "van-2|s3|1|6390.0|-400.0|false",
        ],
    );
}

#[test]
fn a_second_arrival_adds_to_the_dwell_and_nothing_else() {
    let etas = plan(("van-1", 0), ("r-1", 1), &[("s1", 3_600), ("s2", 5_400), ("s3", 9_000)]);
    let mut failed = event("van-1", 3_100, "failed", ("r-1", "s1"));
    failed["cause"] = json!("nobody home");
    let mut refused = event("van-1", 5_100, "failed", ("r-1", "s2"));
    refused["cause"] = json!("refused");
    let events = vec![
        event("van-1", 3_000, "arrived", ("r-1", "s1")),
        failed,
        event("van-1", 3_200, "departed", ("r-1", "s1")),
        event("van-1", 4_000, "arrived", ("r-1", "s1")),
        event("van-1", 4_050, "completed", ("r-1", "s1")),
        event("van-1", 4_100, "departed", ("r-1", "s1")),
        event("van-1", 5_000, "arrived", ("r-1", "s2")),
        refused,
        event("van-1", 8_000, "completed", ("r-1", "s3")),
    ];
    let context = Told { etas, events, ..Told::default() }.session();
    check(
        &context,
        STOPS,
        &[
            // In time at first, and made good in the end; 200 and 100 seconds there.
            "van-1|r-1|s1|1|completed|~|2|300.0|-600.0|true",
            "van-1|r-1|s2|1|failed|refused|1|~|-400.0|true",
            // Nobody saw it arrive, but it was done by then.
            "van-1|r-1|s3|1|completed|~|0|~|-1000.0|true",
        ],
    );
    let visits = "SELECT stop, dwell_s FROM visits ORDER BY arrived";
    check(&context, visits, &["s1|200.0", "s1|100.0", "s2|~"]);
    let outcomes = "SELECT stop, lead_s FROM eta_outcomes ORDER BY stop";
    check(&context, outcomes, &["s1|3000.0", "s2|5000.0"]);
}

#[test]
fn a_stop_taken_out_is_listed_only_if_it_was_visited() {
    let mut etas = plan(("van-1", 0), ("r-1", 1), &[("s1", 3_600), ("s2", 5_400)]);
    etas.extend(plan(("van-1", 3_400), ("r-1", 2), &[("s4", 9_000)]));
    let events = vec![event("van-1", 3_000, "arrived", ("r-1", "s1"))];
    let context = Told { etas, events, ..Told::default() }.session();
    check(
        &context,
        "SELECT stop, version, outcome FROM stops ORDER BY stop",
        &["s1|1|arrived", "s4|2|open"],
    );
}
