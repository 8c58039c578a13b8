//! Queries over files and what is not in them yet: each row once, nobody else's ever.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::ipc::reader::StreamReader;
use engine::model::EventKind;
use ingest::id::TenantId;
use ingest::log::{Log, MemoryLog};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::{Analytics, Ask, Format, Limits, QueryError};
use crate::archive::tests::{
    Folder, PARTITIONS, archive, clock, event, fleet, planned, position, runtime, say,
};

pub(super) struct World {
    pub(super) folder: Folder,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) log: Arc<MemoryLog>,
}

impl World {
    /// A fleet that is archived.
    pub(super) fn new(name: &str) -> Self {
        let world = Self::empty(name);
        fleet(world.log.as_ref());
        archive(&world.runtime, &world.log, &world.folder.store());
        world
    }

    fn empty(name: &str) -> Self {
        let (folder, runtime) = (Folder::new(&format!("sql-{name}")), runtime());
        Self { folder, runtime, log: Arc::new(MemoryLog::new(PARTITIONS, clock())) }
    }

    /// Over what is there now.
    pub(super) fn analytics(&self, change: impl FnOnce(&mut Limits)) -> Arc<Analytics> {
        let mut limits = Limits { threads: 2, ..Limits::new(self.folder.0.join("spill")) };
        std::fs::create_dir_all(&limits.disk).unwrap();
        change(&mut limits);
        let log: Arc<dyn Log> = Arc::clone(&self.log) as _;
        let made = Analytics::once(limits, self.folder.store(), (log, clock()), None);
        Arc::new(self.runtime.block_on(made).unwrap())
    }

    fn ask(&self, over: &Arc<Analytics>, tenant: &str, ask: Ask) -> Result<Vec<u8>, QueryError> {
        let tenant = TenantId::new(tenant).unwrap();
        self.runtime.block_on(async {
            let mut answer = over.ask(&tenant, ask).await?;
            let mut bytes = Vec::new();
            while let Some(piece) = answer.pieces.recv().await {
                bytes.extend(piece?);
            }
            Ok(bytes)
        })
    }

    /// The rows of a query as JSON arrays.
    pub(super) fn rows(&self, over: &Arc<Analytics>, tenant: &str, sql: &str) -> Value {
        let bytes = self.ask(over, tenant, asked(sql)).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        document["rows"].clone()
    }
}

fn asked(sql: &str) -> Ask {
    Ask { id: None, sql: sql.to_owned(), format: Format::Json, rows: None, seconds: 30.0 }
}

#[test]
fn a_row_is_seen_once_in_files_or_beyond() {
    let world = World::new("once");
    let count = "SELECT count(*), count(DISTINCT vehicle || '/' || seq) FROM positions";
    assert_eq!(world.rows(&world.analytics(|_| {}), "acme", count), json!([[603, 603]]));
    say(world.log.as_ref(), "acme", "van-1", 206, vec![position("acme", "van-1", 4_000)]);
    say(world.log.as_ref(), "other", "van-1", 51, vec![position("other", "van-1", 4_000)]);
    let over = world.analytics(|_| {});
    assert_eq!(world.rows(&over, "acme", count), json!([[604, 604]]));
    let newest = "SELECT seq, lat, lng, speed_mps, heading, matched_way, route FROM positions
                  WHERE time > TIMESTAMP '2026-11-30T09:50:00Z'";
    let wanted = json!([[206, 41.189, -8.211, 8.4, 91.0, 42, "r-1"]]);
    assert_eq!(world.rows(&over, "acme", newest), wanted);
    // A view that was taken before the archive went on still sees each row once.
    archive(&world.runtime, &world.log, &world.folder.store());
    assert_eq!(world.rows(&over, "acme", count), json!([[604, 604]]));
}

#[test]
fn a_tenant_sees_its_own_rows_and_no_way_leads_to_others() {
    let world = World::new("tenants");
    let over = world.analytics(|_| {});
    for (tenant, rows) in [("acme", 603), ("other", 50), ("nobody", 0)] {
        assert_eq!(world.rows(&over, tenant, "SELECT count(*) FROM positions"), json!([[rows]]));
        let device = "SELECT count(*) FROM positions WHERE device = 'd-van-1'";
        let of_van_1 = if tenant == "acme" { 201 } else { rows };
        assert_eq!(world.rows(&over, tenant, device), json!([[of_van_1]]));
    }
    for sql in
        ["SELECT tenant FROM positions", "SELECT count(*) FROM positions WHERE tenant = 'other'"]
    {
        let refused = world.ask(&over, "acme", asked(sql)).unwrap_err();
        assert!(matches!(refused, QueryError::Refused(_)), "{sql}: {refused}");
    }
}

#[test]
fn files_of_ones_own_are_tables() {
    let world = World::new("files");
    let limits = || Limits::new(world.folder.0.join("spill"));
    let over = |name: &str, folder: &str| {
        let folders = [(name.to_owned(), world.folder.0.join(folder))];
        let made = Analytics::over_files(limits(), &folders, clock()());
        world.runtime.block_on(made).map(Arc::new)
    };
    let trucks = over("trucks", "positions").unwrap();
    let sql = "SELECT tenant, count(DISTINCT vehicle), max(h3_cell(lat, lng, 3) > '') FROM trucks
               GROUP BY tenant ORDER BY tenant";
    let rows = world.rows(&trucks, "main", sql);
    assert_eq!(rows, json!([["acme", 3, true], ["other", 1, true]]));
    assert!(world.ask(&trucks, "main", asked("SELECT * FROM positions")).is_err());
    assert!(world.ask(&trucks, "main", asked("COPY trucks TO '/tmp/x.csv'")).is_err());
    for (folder, why) in [("none", "no folder"), ("spill", "holds no Parquet")] {
        std::fs::create_dir_all(&limits().disk).unwrap();
        let refused = over("trucks", folder).unwrap_err().to_string();
        assert!(refused.contains(why) && refused.contains(folder), "{refused}");
    }
}

#[test]
fn what_is_not_a_query_is_refused() {
    let world = World::new("refused");
    let over = world.analytics(|_| {});
    for sql in [
        "",
        "SELECT",
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE positions",
        "INSERT INTO positions SELECT * FROM positions",
        "DELETE FROM positions",
        "UPDATE positions SET seq = 1",
        "COPY positions TO '/tmp/positions.csv'",
        "COPY (SELECT 1) TO 's3://bucket/x.parquet'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT 1; SELECT 2",
        "SELECT repeat('x', 1000000000)",
        "SELECT range(1, 10000000000)",
        "SELECT * FROM other.public.positions",
        "SELECT nothing FROM positions",
    ] {
        let refused = world.ask(&over, "acme", asked(sql)).unwrap_err();
        assert!(matches!(refused, QueryError::Refused(_)), "{sql}: {refused:?}");
    }
}

#[test]
fn time_memory_and_rows_are_bounded() {
    let world = World::new("bounded");
    let over = world.analytics(|limits| {
        limits.memory_bytes = 96 << 20;
        limits.disk_bytes = 1 << 20;
    });
    let two = "FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    for endless in [
        "SELECT count(*) FROM generate_series(1, 9000000000000)".to_owned(),
        // Joins that write much for what they read, and one that never writes.
        format!("SELECT sum(a.value * b.value) {two}"),
        format!("SELECT sum(a.value * b.value) {two} WHERE a.value % 2 = b.value % 2"),
        format!("SELECT sum(a.value * b.value) {two} WHERE a.value + b.value < 0"),
        format!("SELECT sum(a.value) {two} WHERE a.value % 2 = b.value % 2 AND a.value < -b.value"),
    ] {
        let ask = Ask { seconds: 0.3, ..asked(&endless) };
        let late = world.ask(&over, "acme", ask).unwrap_err();
        assert!(matches!(late, QueryError::TooLong(_)), "{endless}: {late:?}");
    }
    let large =
        "SELECT a.value, b.value FROM generate_series(1, 3000) a, generate_series(1, 3000) b
                 ORDER BY b.value * 7 % 1000, a.value";
    let much = world.ask(&over, "acme", asked(large)).unwrap_err();
    assert!(matches!(much, QueryError::TooMuch(_)), "{much:?}");
    let cut = Ask { rows: Some(10), ..asked("SELECT seq FROM positions ORDER BY seq") };
    let document: Value = serde_json::from_slice(&world.ask(&over, "acme", cut).unwrap()).unwrap();
    assert_eq!(document["cut_off"], true);
    assert_eq!(document["rows"].as_array().map(Vec::len), Some(10));
    let wide = "SELECT repeat('x', 65536) FROM generate_series(1, 3000)";
    let document: Value =
        serde_json::from_slice(&world.ask(&over, "acme", asked(wide)).unwrap()).unwrap();
    assert_eq!(document["cut_off"], true);
    let rows = document["rows"].as_array().map_or(0, Vec::len);
    assert!((1_024..1_100).contains(&rows), "64 MiB and a piece: {rows}");
    for (sum, fits) in [(1_001, true), (1_002, false), (100_000, false)] {
        let sql = format!("SELECT {}", vec!["1"; sum].join("+"));
        let answer = world.ask(&over, "acme", asked(&sql));
        assert_eq!(answer.is_ok(), fits, "{sum}: {:?}", answer.err());
    }
    let tables = format!("SELECT 1 FROM {}", vec!["positions"; 20_000].join(","));
    assert!(matches!(world.ask(&over, "acme", asked(&tables)), Err(QueryError::Refused(_))));
    // Nothing is left behind of them.
    assert_eq!(world.rows(&over, "acme", "SELECT count(*) FROM events"), json!([[3]]));
}

#[test]
fn every_format_holds_the_same() {
    let world = World::new("formats");
    let over = world.analytics(|_| {});
    let sql = "SELECT seq, time, '=1+1' AS formula, -1 AS number FROM positions
               WHERE vehicle = 'van-2' AND seq <= 2 ORDER BY seq";
    let bytes = |format| world.ask(&over, "acme", Ask { format, ..asked(sql) }).unwrap();
    let text = |format| String::from_utf8(bytes(format)).unwrap();
    assert_eq!(
        text(Format::Csv),
        "seq,time,formula,number\n1,2026-11-30T08:50:01.000000Z,'=1+1,-1\n\
         2,2026-11-30T08:50:07.000000Z,'=1+1,-1\n"
    );
    assert_eq!(
        text(Format::Lines).lines().next().unwrap(),
        r#"{"seq":1,"time":"2026-11-30T08:50:01.000000Z","formula":"=1+1","number":-1}"#
    );
    let document: Value = serde_json::from_slice(&bytes(Format::Json)).unwrap();
    assert_eq!(document["columns"][1], json!({"name": "time", "type": "timestamp"}));
    assert_eq!(document["rows"][1], json!([2, "2026-11-30T08:50:07.000000Z", "=1+1", -1]));
    assert_eq!(document["row_count"], 2);
    let arrow = bytes(Format::Arrow);
    let batches: Vec<_> =
        StreamReader::try_new(arrow.as_slice(), None).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values(), &[1, 2]);
    let parquet =
        ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes(Format::Parquet))).unwrap();
    let rows: usize = parquet.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 2);
}

#[test]
fn stops_say_what_was_promised_and_what_happened() {
    let world = World::empty("stops");
    let bodies = vec![
        planned(0),
        event(EventKind::Arrived, "s1", 590),
        event(EventKind::Departed, "s1", 700),
        event(EventKind::Completed, "s1", 690),
        event(EventKind::Arrived, "s2", 1_300),
    ];
    say(world.log.as_ref(), "acme", "van-1", 1, bodies);
    let over = world.analytics(|_| {});
    let stops =
        "SELECT stop, \"order\", outcome, dwell_s, late_s, on_time FROM stops ORDER BY stop";
    let wanted = json!([
        // The window of s1 closes at 630, that of s2 at 1,230.
        ["s1", "o-s1", "completed", 110.0, -40.0, true],
        ["s2", "o-s2", "arrived", null, 70.0, false],
    ]);
    assert_eq!(world.rows(&over, "acme", stops), wanted);
    // Said at second 1 as second 600 and 1,200; the lead counts from then.
    let outcomes = "SELECT stop, lead_s, error_s, covered FROM eta_outcomes ORDER BY stop";
    let wanted = json!([["s1", 589.0, 10.0, true], ["s2", 1_299.0, -100.0, true]]);
    assert_eq!(world.rows(&over, "acme", outcomes), wanted);
}

#[test]
fn a_query_can_be_looked_at_and_ended() {
    let world = World::new("ended");
    let over = world.analytics(|_| {});
    let tenant = TenantId::new("acme").unwrap();
    let endless = "SELECT value FROM generate_series(1, 9000000000000)";
    let ask = Ask { id: Some("long".to_owned()), format: Format::Csv, ..asked(endless) };
    world.runtime.block_on(async {
        let mut answer = over.ask(&tenant, ask.clone()).await.unwrap();
        answer.pieces.recv().await.unwrap().unwrap();
        assert!(over.progress(&tenant, "long").unwrap().rows > 0);
        assert!(over.ask(&tenant, ask).await.is_err());
        let other = TenantId::new("other").unwrap();
        assert!(!over.end(&other, "long") && over.end(&tenant, "long"));
        let mut last = None;
        while let Some(piece) = answer.pieces.recv().await {
            last = Some(piece);
        }
        assert!(matches!(last, Some(Err(QueryError::Ended))), "{last:?}");
        assert_eq!(over.progress(&tenant, "long"), None);
    });
}
