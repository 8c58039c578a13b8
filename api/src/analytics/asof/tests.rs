//! ASOF joins, against the same looked up row by row.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::prelude::SessionConfig;

type Row = (Option<i64>, Option<i64>, i64);

fn session(partitions: usize) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(64);
    config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_physical_optimizer_rules(super::rules());
    let mut state = state.build();
    super::register(&mut state);
    SessionContext::new_with_state(state)
}

fn table(context: &SessionContext, name: &str, rows: &[Row]) {
    let whole = |values: Vec<Option<i64>>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let word = |i: &Row| i.0.map(|key| format!("a vehicle with a long name {key}"));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("k", whole(rows.iter().map(|row| row.0).collect())),
        ("t", whole(rows.iter().map(|row| row.1).collect())),
        ("v", whole(rows.iter().map(|row| Some(row.2)).collect())),
        ("w", Arc::new(rows.iter().map(word).collect::<StringViewArray>())),
    ];
    let fields: Vec<_> =
        columns.iter().map(|(name, c)| Field::new(*name, c.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let pieces = (0..rows.len().div_ceil(50))
        .map(|i| batch.slice(i * 50, 50.min(rows.len() - i * 50)))
        .collect();
    context
        .register_table(name, Arc::new(MemTable::try_new(schema, vec![pieces]).unwrap()))
        .unwrap();
}

fn ask(context: &SessionContext, sql: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let batches = runtime.block_on(async {
        let frame = super::frame(context, sql, SQLOptions::new().with_allow_ddl(false)).await;
        frame.map_err(|e| e.strip_backtrace())?.collect().await.map_err(|e| e.strip_backtrace())
    })?;
    let mut lines = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |c: &ArrayRef| {
                let null = || "~".to_owned();
                if c.is_null(row) { null() } else { array_value_to_string(c, row).unwrap() }
            };
            lines.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    Ok(lines)
}

/// Rows with nulls now and then, every time of the right table once a key.
fn random(count: usize, seed: u64, keys: u64, spread: u64) -> Vec<Row> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041);
        state >> 33
    };
    let mut seen = std::collections::BTreeSet::new();
    let mut rows = Vec::new();
    while rows.len() < count {
        let key = (next() % 20 > 0).then(|| (next() % keys) as i64);
        let time = (next() % 20 > 0).then(|| (next() % spread) as i64);
        if seed == 1 || seen.insert((key, time)) || key.is_none() || time.is_none() {
            rows.push((key, time, rows.len() as i64));
        }
    }
    rows
}

#[test]
fn every_row_finds_the_one_that_is_newest() {
    for (left, right) in [(1_000, 1_000), (2_000, 30), (30, 2_000), (500, 0), (0, 10)] {
        for keys in [1, 5, 200] {
            let (a, b) = (random(left, 1, keys, 3_000), random(right, 2, keys, 30_000));
            let context = session(if keys == 5 { 1 } else { 3 });
            table(&context, "a", &a);
            table(&context, "b", &b);
            for operator in [">=", ">", "<=", "<"] {
                let fits = |a: i64, b: i64| match operator {
                    ">=" => a >= b,
                    ">" => a > b,
                    "<=" => a <= b,
                    _ => a < b,
                };
                let found = |row: &Row| {
                    let (Some(key), Some(time)) = (row.0, row.1) else { return None };
                    let same = b.iter().filter(|b| b.0 == Some(key));
                    let fit = same.filter(|b| b.1.is_some_and(|t| fits(time, t)));
                    if operator.starts_with('>') {
                        fit.max_by_key(|b| b.1)
                    } else {
                        fit.min_by_key(|b| b.1)
                    }
                };
                let expected: Vec<_> = a
                    .iter()
                    .map(|row| {
                        let found = found(row).map_or("~|~".to_owned(), |b| {
                            format!("{}|a vehicle with a long name {}", b.2, b.0.unwrap())
                        });
                        format!("{}|{found}", row.2)
                    })
                    .collect();
                let sql = format!(
                    "SELECT a.v, b.v, b.w FROM a ASOF JOIN b MATCH_CONDITION (a.t {operator} b.t)
                     ON a.k = b.k ORDER BY a.v"
                );
                assert_eq!(
                    ask(&context, &sql).unwrap(),
                    expected,
                    "{left} {right} {keys} {operator}"
                );
            }
        }
    }
}

fn small() -> SessionContext {
    let context = session(2);
    let rows = |rows: &[(i64, i64, i64)]| -> Vec<Row> {
        rows.iter().map(|(k, t, v)| (Some(*k), Some(*t), *v)).collect()
    };
    table(&context, "a", &rows(&[(1, 10, 0), (1, 20, 1), (2, 20, 2), (3, 5, 3)]));
    table(&context, "b", &rows(&[(1, 9, 100), (1, 15, 101), (2, 25, 102), (2, 1, 103)]));
    context
}

#[test]
fn filters_do_not_change_what_is_newest() {
    let context = small();
    let join = "FROM a ASOF JOIN b MATCH_CONDITION (a.t >= b.t) ON a.k = b.k";
    let check =
        |sql: &str, expected: &[&str]| assert_eq!(ask(&context, sql).unwrap(), expected, "{sql}");
    check(&format!("SELECT a.v, b.v {join} ORDER BY a.v"), &["0|100", "1|101", "2|103", "3|~"]);
    // 100 is an older row of the second: it does not become the newest.
    check(&format!("SELECT a.v, b.v {join} WHERE b.v < 101 ORDER BY a.v"), &["0|100"]);
    check(&format!("SELECT a.v, b.v {join} WHERE b.v IS NULL"), &["3|~"]);
    check(&format!("SELECT a.v, b.v {join} WHERE a.k = 1 AND a.t > 10"), &["1|101"]);
    check(&format!("SELECT count(*) {join}"), &["4"]);
    check(
        &format!("SELECT max(b.v) AS m, a.k {join} GROUP BY a.k HAVING max(b.v) > 102"),
        &["103|2"],
    );
    // Turned round, nested, in parentheses, as a subquery, with a sum of columns, explained.
    check(
        "SELECT a.v, b.v FROM a ASOF JOIN b MATCH_CONDITION (b.t <= a.t) ON b.k = a.k ORDER BY a.v",
        &["0|100", "1|101", "2|103", "3|~"],
    );
    check(
        &format!(
            "WITH c AS (SELECT a.v AS x, b.v AS y {join}) SELECT sum(y) AS n FROM c UNION ALL
                  SELECT count(*) FROM (SELECT * {join}) ORDER BY n DESC"
        ),
        &["304", "4"],
    );
    check(
        "SELECT a.v, b.v FROM (a ASOF JOIN b MATCH_CONDITION (a.t + 5 >= b.t) ON a.k = b.k)
         JOIN (SELECT 2 AS k) c ON c.k = a.k",
        &["2|102"],
    );
    let plan =
        ask(&context, &format!("EXPLAIN SELECT a.v {join} WHERE a.k = 1")).unwrap().join("\n");
    assert!(plan.contains("AsofExec: asof_ge"), "{plan}");
    // Rows of the left table are left out before the join.
    assert!(plan.rfind("FilterExec").unwrap() > plan.rfind("AsofExec").unwrap(), "{plan}");
}

#[test]
fn what_is_no_asof_join_is_said_so() {
    let context = small();
    for (join, says) in [
        ("MATCH_CONDITION (a.t = b.t) ON a.k = b.k", "MATCH_CONDITION is `=`"),
        ("MATCH_CONDITION (a.t) ON a.k = b.k", "MATCH_CONDITION is `a.t`"),
        ("MATCH_CONDITION (a.t >= b.t)", "needs `ON`"),
        ("MATCH_CONDITION (a.t >= b.t) USING (k)", "needs `ON`"),
        ("MATCH_CONDITION (a.t >= b.t) ON a.k > b.k", "needs `ON` with equalities"),
        ("MATCH_CONDITION (a.t >= b.t) ON a.k = b.k AND a.v < b.v", "needs `ON` with equalities"),
        ("MATCH_CONDITION (a.t >= a.v) ON a.k = b.k", "needs `ON` with equalities"),
    ] {
        let error =
            ask(&context, &format!("SELECT a.v, b.v FROM a ASOF JOIN b {join}")).unwrap_err();
        assert!(error.contains(says), "{join}: {error}");
    }
    assert!(ask(&context, "CREATE TABLE c AS SELECT 1").is_err());
}
