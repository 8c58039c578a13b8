//! What the functions answer, asked in SQL.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray as _, Float64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Field, Float64Type, Schema};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionContext;
use datafusion::prelude::SessionConfig;

mod aggregates;
mod shapes;

/// Every function, no table.
fn session() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(4);
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    let state = SessionStateBuilder::new().with_config(config).with_default_features();
    let mut state = state.build();
    super::register(&mut state, None);
    SessionContext::new_with_state(state)
}

fn table(context: &SessionContext, name: &str, columns: Vec<(&str, ArrayRef)>, batch: usize) {
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let count = rows.num_rows();
    let pieces: Vec<Vec<RecordBatch>> = (0..count.div_ceil(batch))
        .map(|i| vec![rows.slice(i * batch, batch.min(count - i * batch))])
        .collect();
    context.register_table(name, Arc::new(MemTable::try_new(schema, pieces).unwrap())).unwrap();
}

fn rows(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let frame = context.sql(sql).await.map_err(|error| error.strip_backtrace())?;
        frame.collect().await.map_err(|error| error.strip_backtrace())
    })
}

/// All cells as text, `|` between columns, a line a row; `~` is null.
fn text(batches: &[RecordBatch]) -> String {
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cell = |column: &ArrayRef| {
                if column.is_null(row) {
                    "~".to_owned()
                } else {
                    array_value_to_string(column, row).unwrap()
                }
            };
            lines.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    lines.join("\n")
}

/// What an expression is.
#[track_caller]
fn check(expression: &str, expected: &str) {
    let context = session();
    let constant = rows(&context, &format!("SELECT {expression}")).unwrap();
    assert_eq!(text(&constant), expected, "{expression}");
}

#[track_caller]
fn check_number(expression: &str, expected: f64, at_most: f64) {
    let found = rows(&session(), &format!("SELECT CAST({expression} AS double)")).unwrap();
    let found = found[0].column(0).as_primitive::<Float64Type>().value(0);
    assert!((found - expected).abs() <= at_most, "{expression} is {found}, expected {expected}");
}

#[track_caller]
fn refused(expression: &str, says: &str) {
    let error = rows(&session(), &format!("SELECT {expression}")).unwrap_err();
    assert!(error.contains(says), "{expression}: {error}");
}

/// As [`check`], of the columns `a`, `b` and so on with these values in one row of three; the
/// other two are null.
#[track_caller]
fn check_rows(expression: &str, values: Vec<ArrayRef>, expected: &str) {
    let context = session();
    let columns = ["a", "b", "c", "d"].into_iter().zip(values).collect();
    table(&context, "t", columns, 2);
    let found = text(&rows(&context, &format!("SELECT {expression} FROM t")).unwrap());
    let mut found: Vec<_> = found.lines().collect();
    found.sort_unstable();
    let mut wanted = vec![expected, "~", "~"];
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{expression}");
}

fn numbers(value: f64) -> ArrayRef {
    Arc::new(Float64Array::from(vec![None, Some(value), None]))
}

fn words(value: &str) -> ArrayRef {
    Arc::new(StringViewArray::from(vec![None, Some(value), None]))
}

fn time(text: &str) -> i64 {
    ingest::time::Timestamp::parse(text).unwrap().micros()
}

#[test]
fn buckets_begin_where_they_should() {
    let at = "TIMESTAMPTZ '2026-11-30T08:57:31.250Z'";
    let bucket = |interval: &str| format!("time_bucket({interval}, {at})");
    check(&bucket("INTERVAL '10 minutes'"), "2026-11-30T08:50:00Z");
    check(&bucket("'10 minutes'"), "2026-11-30T08:50:00Z");
    check(&bucket("INTERVAL '1 hour'"), "2026-11-30T08:00:00Z");
    check(&bucket("INTERVAL '1 day'"), "2026-11-30T00:00:00Z");
    // A Monday.
    check(&bucket("INTERVAL '7 days'"), "2026-11-30T00:00:00Z");
    // 702 times two weeks after the origin.
    check(&bucket("INTERVAL '2 weeks'"), "2026-11-30T00:00:00Z");
    check(&bucket("INTERVAL '1 month'"), "2026-11-01T00:00:00Z");
    check(&bucket("INTERVAL '3 months'"), "2026-10-01T00:00:00Z");
    check(&bucket("INTERVAL '1 year'"), "2026-01-01T00:00:00Z");
    check(&bucket("INTERVAL '500 milliseconds'"), "2026-11-30T08:57:31Z");
    check(
        "time_bucket(INTERVAL '1 day', TIMESTAMPTZ '2026-11-30T05:59:00Z', \
         TIMESTAMPTZ '2020-01-01T06:00:00Z')",
        "2026-11-29T06:00:00Z",
    );
    // Before the origin, and a month that begins on its 15th.
    check("time_bucket('1 hour', TIMESTAMPTZ '1969-12-31T23:59:59Z')", "1969-12-31T23:00:00Z");
    check(
        "time_bucket('1 month', TIMESTAMPTZ '1999-03-10T00:00:00Z', \
         TIMESTAMPTZ '2000-01-15T00:00:00Z')",
        "1999-02-15T00:00:00Z",
    );
    check("time_bucket('1 hour', CAST(NULL AS TIMESTAMP))", "~");
    check("time_bucket(NULL, now())", "~");
    check("time_bucket('1 day', DATE '2026-11-30')", "2026-11-30T00:00:00");
    refused("time_bucket(INTERVAL '0 days', now())", "0 days and 0 ns, expected either whole");
    refused("time_bucket(INTERVAL '1 month 1 day', now())", "1 months, 1 days");
    refused("time_bucket(INTERVAL '-1 hour', now())", "-3600000000000 ns");
    refused("time_bucket(1, 2, 3)", "is given");
}

#[test]
fn a_bucket_that_is_asked_for_becomes_a_span_of_time() {
    let context = session();
    let times: Vec<i64> = (0..100).map(|i| time("2026-11-30T08:00:00Z") + i * 60_000_000).collect();
    let times = TimestampMicrosecondArray::from(times).with_timezone("UTC");
    table(&context, "t", vec![("time", Arc::new(times))], 10);
    let wanted = "time_bucket(INTERVAL '10 minutes', time) = TIMESTAMPTZ '2026-11-30T08:10:00Z'";
    let found = rows(&context, &format!("SELECT count(*) FROM t WHERE {wanted}")).unwrap();
    assert_eq!(text(&found), "10");
    let plan = rows(&context, &format!("EXPLAIN SELECT * FROM t WHERE {wanted}")).unwrap();
    assert!(!text(&plan).contains("time_bucket"), "{}", text(&plan));
    let by = "SELECT time_bucket('1 hour', time) AS hour, count(*) FROM t GROUP BY hour ORDER BY 1";
    assert_eq!(
        text(&rows(&context, by).unwrap()),
        "2026-11-30T08:00:00Z|60\n2026-11-30T09:00:00Z|40"
    );
}

#[test]
fn cells_are_those_of_h3s_own_documents() {
    // h3geo.org/docs/quickstart and the reference of cellToBoundary.
    check("h3_cell(37.775938728915946, -122.41795063018799, 9)", "8928308280fffff");
    check_rows(
        "h3_cell(a, b, 9)",
        vec![numbers(37.775_938_728_915_946), numbers(-122.417_950_630_187_99)],
        "8928308280fffff",
    );
    // The index's own bits: resolution in bits 52 to 55, three bits a digit.
    check("h3_parent('8928308280fffff', 8)", "8828308281fffff");
    check("h3_parent('8928308280fffff', 5)", "85283083fffffff");
    check("h3_parent('8928308280fffff', 0)", "8029fffffffffff");
    check_number("h3_lat('85283473fffffff')", 37.345_793_375_368, 1e-9);
    check_number("h3_lng('85283473fffffff')", -121.976_375_972_551, 1e-9);
    let corners = [
        (37.271_355_866_731_895, -121.915_080_327_056_22),
        (37.353_926_450_852_256, -121.862_223_289_024_91),
        (37.428_341_186_094_35, -121.923_549_996_301_6),
        (37.420_128_677_677_8, -122.037_734_964_270_3),
        (37.337_556_084_352_98, -122.090_428_929_043_95),
        (37.263_197_974_618_24, -122.029_101_309_19),
    ];
    let outline = text(&rows(&session(), "SELECT h3_boundary('85283473fffffff')").unwrap());
    let Ok(super::shape::Shape::Polygon(rings)) = super::shape::Shape::read(&outline) else {
        panic!("{outline}")
    };
    assert_eq!(rings[0].len(), 7);
    for (place, (lat, lng)) in rings[0].iter().zip(corners) {
        assert!((place.lat - lat).abs() < 1e-9 && (place.lng - lng).abs() < 1e-9, "{outline}");
    }
    check("h3_cell(NULL, 1, 9)", "~");
    check("h3_parent(NULL, 1)", "~");
    refused("h3_cell(91, 0, 9)", "latitude is `91`");
    refused("h3_cell(0, 180.5, 9)", "longitude is `180.5`");
    refused("h3_cell(0, 'NaN'::double, 9)", "longitude is `NaN`");
    refused("h3_cell(0, 0, 16)", "resolution is `16`, expected 0 to 15");
    refused("h3_parent('8928308280fffff', 10)", "at most the cell's own, 9");
    refused("h3_lat('porto')", "cell is `porto`");
    refused("h3_cell('x', 0, 9)", "expected a number");
}

#[test]
fn a_disk_holds_the_cells_of_its_rings_and_no_others() {
    let context = session();
    let cell = "h3_cell(41.1496, -8.6110, 9)";
    for k in [0_usize, 1, 5] {
        let sql = format!(
            "SELECT count(DISTINCT c), max(h3_distance({cell}, c)), count(h3_distance({cell}, c)) \
             FROM (SELECT unnest(h3_disk({cell}, {k})) AS c)"
        );
        let all = 3 * k * (k + 1) + 1;
        assert_eq!(text(&rows(&context, &sql).unwrap()), format!("{all}|{k}|{all}"));
    }
    check("h3_disk(NULL, 1)", "~");
    refused("h3_disk('8928308280fffff', 101)", "k is `101`, expected 0 to 100");
    refused("h3_disk('8928308280fffff', -1)", "k is `-1`");
    refused("h3_distance('8928308280fffff', '85283473fffffff')", "expected two of one resolution");
    let cells: ArrayRef = Arc::new(StringViewArray::from(vec!["8928308280fffff"; 1_000]));
    table(&context, "many", vec![("cell", cells)], 1_000);
    let error = rows(&context, "SELECT h3_disk(cell, 100) FROM many").unwrap_err();
    assert!(error.contains("more than 1048576 cells for 1000 rows"), "{error}");
}

#[test]
fn attributes_are_taken_out_of_their_object() {
    let object = r#"'{"ignition":true,"odometer":123.5,"rpm":900,"door":"open","nothing":null,"deep":{"rpm":1}}'"#;
    check(&format!("attribute({object}, 'ignition')"), "true");
    check(&format!("attribute({object}, 'odometer')"), "123.5");
    check(&format!("attribute({object}, 'rpm')"), "900");
    check(&format!("attribute({object}, 'door')"), "open");
    check(&format!("attribute({object}, 'deep')"), "{\"rpm\":1}");
    check(&format!("attribute({object}, 'nothing')"), "~");
    check(&format!("attribute({object}, 'fuel')"), "~");
    check(&format!("attribute_number({object}, 'odometer')"), "123.5");
    check(&format!("attribute_number({object}, 'rpm')"), "900.0");
    check(&format!("attribute_number({object}, 'door')"), "~");
    check("attribute('[1,2]', 'a')", "~");
    check("attribute('{\"a\":1', 'a')", "~");
    check("attribute('{\"a\":1} x', 'a')", "~");
    check("attribute(NULL, 'a')", "~");
    check_rows("attribute(a, b)", vec![words(r#"{"k":"v"}"#), words("k")], "v");
}

#[test]
fn texts_are_made_within_bounds() {
    check("repeat('ab', 3)", "ababab");
    check("repeat('ab', -1)", "");
    check("repeat('', 9000000000)", "");
    check("length(repeat('x', 65536))", "65536");
    check("lpad('7', 3, '0')", "007");
    check("lpad('7', 3)", "  7");
    check("rpad('é', 4, 'ab')", "éaba");
    check("lpad('abcdef', 3, 'x')", "abc");
    check("rpad('abc', 5, '')", "abc");
    check("lpad(NULL, 3, 'x')", "~");
    refused("repeat('x', 65537)", "times is `65537`");
    refused("repeat('xy', 9223372036854775807)", "times is `9223372036854775807`");
    refused("lpad('x', 70000)", "characters is `70000`");
    refused("rpad('x', 40000, 'é')", "a text has 79999 bytes");
    let context = session();
    let words: ArrayRef = Arc::new(StringViewArray::from(vec!["x"; 1_000]));
    table(&context, "many", vec![("word", words)], 1_000);
    let error = rows(&context, "SELECT repeat(word, 60000) FROM many").unwrap_err();
    assert!(error.contains("more than 33554432 bytes"), "{error}");
}

#[test]
fn clocks_of_a_place_are_changed_with_the_seasons() {
    let lisbon = |time: &str| format!("local_time(TIMESTAMPTZ '{time}', 'Europe/Lisbon')");
    check(&lisbon("2026-11-30T08:57:31Z"), "2026-11-30T08:57:31");
    check(&lisbon("2026-07-01T23:30:00Z"), "2026-07-02T00:30:00");
    // Clocks go forward on 2026-03-29 and back on 2026-10-25, both at 01:00 UTC.
    check(&lisbon("2026-03-29T00:59:59Z"), "2026-03-29T00:59:59");
    check(&lisbon("2026-03-29T01:00:00Z"), "2026-03-29T02:00:00");
    check(&lisbon("2026-10-25T00:59:59Z"), "2026-10-25T01:59:59");
    check(&lisbon("2026-10-25T01:00:00Z"), "2026-10-25T01:00:00");
    check("local_time(TIMESTAMPTZ '2026-01-01T00:00:00Z', 'Asia/Kolkata')", "2026-01-01T05:30:00");
    check("local_time(NULL, 'UTC')", "~");
    let times = "TIMESTAMPTZ '2026-01-01T00:00:01.5Z', TIMESTAMPTZ '2026-01-01T00:00:00.250Z'";
    check(&format!("seconds_between({times})"), "-1.25");
    check("seconds_between(now(), NULL)", "~");
    refused("local_time(now(), 'Atlantis')", "zone is `Atlantis`");
    let context = session();
    let hours: Vec<i64> =
        (0..48).map(|i| time("2026-10-24T12:00:00Z") + i * 3_600_000_000).collect();
    let times = TimestampMicrosecondArray::from(hours).with_timezone("UTC");
    table(&context, "t", vec![("time", Arc::new(times))], 20);
    let days = "SELECT CAST(local_time(time, 'Europe/Lisbon') AS date) AS day, count(*) FROM t
                GROUP BY day ORDER BY day";
    // The day of the change has 25 hours.
    let wanted = "2026-10-24|11\n2026-10-25|25\n2026-10-26|12";
    assert_eq!(text(&rows(&context, days).unwrap()), wanted);
}

#[test]
fn without_a_map_no_limit_is_known() {
    check("speed_limit_mps(42)", "~");
    refused("speed_limit_mps('motorway')", "expected a whole number");
}

#[test]
fn every_function_is_described_and_can_be_called() {
    let context = session();
    let state = context.state();
    for described in super::described() {
        let name = described.call.split('(').next().unwrap();
        let found = state.scalar_functions().contains_key(name)
            || state.aggregate_functions().contains_key(name);
        assert!(found && !described.meaning.is_empty(), "{name}");
    }
    assert_eq!(super::described().count(), 25);
}
