//! A packet becomes a row: seen by SQL at once, archived once, whoever archives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::analytics::Limits;
use api::archive::{Archiver, Settings, Store, keep, verify};
use api::store::Store as OperationsStore;
use api::store::keys::{self, Role};
use api::{Api, ArchiveMetrics, ArchiveSettings, Places, Settings as ApiSettings};
use gateway::Metrics;
use ingest::log::{Log, MemoryLog, Topic};
use ingest::record::{Envelope, Kind};

use crate::line::{Tracker, Van, door, engine, eventually, records, stop, tenant, with_roles};

/// Rows wait so long before they are stored, seconds.
const FLUSH_S: f64 = 0.1;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("milepost-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }

    fn store(&self) -> Store {
        Store::open(&self.0.join("archive").display().to_string(), &BTreeMap::new()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

async fn archiver(log: &Arc<dyn Log>, store: Store, instance: &str) -> Archiver {
    let settings = Settings {
        store,
        instance: instance.to_owned(),
        flush_s: FLUSH_S,
        keep: keep::Rules::default(),
        derive: None,
        metrics: ArchiveMetrics::default(),
    };
    Archiver::start(Arc::clone(log), settings, milepost::clock::wall()).await.unwrap()
}

async fn api(log: &Arc<dyn Log>, data: &Path, store: Store) -> Api {
    let spill = data.join("spill");
    std::fs::create_dir_all(&spill).unwrap();
    let settings = ApiSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.to_owned(),
        open: None,
        road: None,
        secure: false,
        messages: api::message::Settings::default(),
        metrics: api::Metrics::default(),
        archive: Some(ArchiveSettings {
            store,
            limits: Limits::new(spill),
            doors: Places::default(),
            metrics: ArchiveMetrics::default(),
        }),
    };
    Api::start(settings, Arc::clone(log), milepost::clock::wall()).await.unwrap()
}

/// A key of a viewer of the vans' tenant.
async fn viewer(data: &Path) -> String {
    let (store, now) = (OperationsStore::open(data).unwrap(), milepost::clock::wall()());
    let key = store.write(move |c| keys::create(c, &tenant(), Role::Viewer, now)).await;
    store.close();
    key.unwrap()
}

/// What a query answers, as text.
async fn ask(api: &Api, key: &str, sql: &str) -> String {
    let url = format!("http://{}/v1/sql", api.listening());
    let (authorization, sql) = (format!("Bearer {key}"), sql.to_owned());
    let asked = move || {
        let request = ureq::post(url)
            .header("Authorization", authorization)
            .header("Content-Type", "application/sql")
            .header("Accept", "text/csv");
        request.send(sql).and_then(|mut answer| answer.body_mut().read_to_string())
    };
    match tokio::task::spawn_blocking(asked).await.unwrap() {
        Ok(text) => text,
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_packet_is_a_row_at_once_and_for_good() {
    with_roles(async {
        let (folder, clock) = (Folder::new("rows"), milepost::clock::wall());
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new(4, Arc::clone(&clock)));
        let van = Van::numbered(1, clock());
        log.append(van.known(clock())).await.unwrap();
        let engine = engine(&log, "engine");
        let archiver = archiver(&log, folder.store(), "one").await;
        let api = api(&log, &folder.0, folder.store()).await;
        let gateway = door(Arc::clone(&log), &Metrics::default()).await;
        eventually("they are ready", || engine.ready().is_ok() && api.ready().is_ok()).await;
        // The first key is of tenant `main`; the van is of `demo`, whose rows it does not see.
        let main = api.first_key().unwrap().to_owned();
        let demo = viewer(&folder.0).await;

        let tracker = Tracker::login(gateway.listening()[0].address, &van.device).await;
        for n in 0..20 {
            tracker.send(&van.fixes(n * 10..(n + 1) * 10)).await;
        }
        tracker.stored(200).await;
        let sql = "SELECT count(*), count(DISTINCT seq) FROM positions";
        let mut seen = String::new();
        for _ in 0..200 {
            seen = ask(&api, &demo, sql).await;
            if seen.ends_with("200,200\n") {
                break;
            }
            // Never a row twice on the way.
            let numbers = seen.lines().last().and_then(|line| line.split_once(','));
            assert!(numbers.is_none_or(|(all, different)| all == different), "{seen}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(seen.ends_with("\n200,200\n"), "{seen}");
        assert!(ask(&api, &main, sql).await.ends_with("\n0,0\n"));
        // What is now stands in a table of its own.
        let now = "SELECT l.vehicle, l.activity FROM live l JOIN
                   (SELECT vehicle, last_by(lat, time) AS lat, last_by(attributes, time) AS said
                    FROM positions GROUP BY vehicle) p
                   ON p.vehicle = l.vehicle AND abs(p.lat - l.lat) < 1e-6
                   AND p.said = l.attributes";
        assert_eq!(ask(&api, &demo, now).await.lines().count(), 2);
        assert_eq!(ask(&api, &main, "SELECT vehicle FROM live").await.lines().count(), 1);

        stop(engine).await;
        tokio::task::spawn_blocking(move || archiver.stop()).await.unwrap();
        let sql = "SELECT pid FROM positions ORDER BY pid";
        let archived: BTreeSet<String> =
            ask(&api, &demo, sql).await.lines().skip(1).map(str::to_owned).collect();
        assert_eq!(archived, pids(log.as_ref(), Topic::Inputs));
        assert_whole(&folder.store(), log.as_ref()).await;
        gateway.stop().await;
        api.stop().await;
    });
}

/// Identities of a topic's fixes.
fn pids(log: &dyn Log, topic: Topic) -> BTreeSet<String> {
    let values = records(log, topic).into_iter().filter_map(|record| record.value);
    let envelopes = values.map(|value| Envelope::decode(value).unwrap());
    let fixes = envelopes.filter(|e| matches!(e.kind, Kind::Fix | Kind::Position));
    fixes.filter_map(|fix| fix.pid).map(|pid| pid.to_string()).collect()
}

/// Everything on the log is in the archive, once.
async fn assert_whole(store: &Store, log: &dyn Log) {
    let clock = milepost::clock::wall();
    let partitions = log.partitions(Topic::Outputs);
    let found = verify::verify(store, partitions, &clock).await.unwrap();
    assert!(found.iter().all(verify::Found::is_good), "{found:?}");
    let written = pids(log, Topic::Outputs).len() as u64;
    assert_eq!((found[0].table, found[0].rows), ("positions", written));
}

#[cfg(feature = "kafka")]
mod kafka {
    use std::sync::Arc;

    use gateway::Metrics;
    use ingest::log::{Log, Topic};
    use milepost::log::kafka::{KafkaLog, Properties, topics};

    use super::{Folder, archiver, assert_whole};
    use crate::broker::Broker;
    use crate::line::{Tracker, Van, door, engine, eventually, stepped, stop, with_roles};
    use crate::log::kafka::extra;

    /// Two archivers share the partitions of a real broker; one leaves in the middle of it, and
    /// what it did not store the other one does.
    #[test]
    fn two_archivers_keep_every_output_once() {
        with_roles(async {
            let (folder, broker) = (Folder::new("two"), Broker::start("archive"));
            topics::create(&Properties::new(broker.address(), &extra()), 1).unwrap();
            let log = KafkaLog::connect(broker.address(), &extra()).unwrap();
            let log: Arc<dyn Log> = Arc::new(log);
            let now = milepost::clock::wall()();
            let vans: Vec<Van> = (0..8).map(|n| Van::numbered(n, now)).collect();
            for van in &vans {
                log.append(van.known(now)).await.unwrap();
            }
            let engine = engine(&log, "engine");
            let one = archiver(&log, folder.store(), "one").await;
            let gateway = door(Arc::clone(&log), &Metrics::default()).await;
            eventually("the engine is ready", || engine.ready().is_ok()).await;
            let two = archiver(&log, folder.store(), "two").await;
            let mut leaving = Some(one);
            for n in 0..10 {
                for van in &vans {
                    let tracker = Tracker::login(gateway.listening()[0].address, &van.device).await;
                    tracker.send(&van.fixes(n * 20..(n + 1) * 20)).await;
                    tracker.stored(20).await;
                }
                if n == 5
                    && let Some(one) = leaving.take()
                {
                    tokio::task::spawn_blocking(move || one.stop()).await.unwrap();
                }
            }
            stepped(log.as_ref()).await;
            stop(engine).await;
            let whole = || {
                let ends = (0..log.partitions(Topic::Outputs))
                    .map(|p| log.bounds(Topic::Outputs, p).unwrap());
                ends.filter(|bounds| bounds.end > bounds.start).count() > 0
            };
            eventually("there are outputs", whole).await;
            tokio::task::spawn_blocking(move || two.stop()).await.unwrap();
            // The one that stayed may not have taken over all in time: the next start does.
            let three = archiver(&log, folder.store(), "three").await;
            tokio::time::sleep(std::time::Duration::from_secs(4)).await;
            tokio::task::spawn_blocking(move || three.stop()).await.unwrap();
            assert_whole(&folder.store(), log.as_ref()).await;
            gateway.stop().await;
        });
    }
}
