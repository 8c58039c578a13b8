//! The log on a real broker under the checks, and what only a broker can show.
//!
//! Built with the feature `kafka` alone; `deploy/kafka/with-broker.sh` starts a broker and names
//! it in `KAFKA_BOOTSTRAP`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::log::{Commit, Log, LogError, Topic};
use milepost::log::kafka::{KafkaLog, Properties, topics};

use super::conform;
use super::harness::{Harness, assigned, ends, polled, put, read, record, values};

#[expect(clippy::disallowed_methods, reason = "with-broker.sh names the broker by this")]
pub(crate) fn bootstrap() -> String {
    std::env::var("KAFKA_BOOTSTRAP").unwrap()
}

/// Short sessions: a static member that leaves keeps its partitions until its session ends.
pub(crate) fn extra() -> BTreeMap<String, String> {
    [("session.timeout.ms", "1500"), ("heartbeat.interval.ms", "300")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

struct Broker {
    log: Arc<KafkaLog>,
}

impl Broker {
    fn new() -> Self {
        topics::create(&Properties::new(&bootstrap(), &extra()), 1).unwrap();
        Self { log: Arc::new(KafkaLog::connect(&bootstrap(), &extra()).unwrap()) }
    }
}

impl Harness for Broker {
    fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
    }
    fn restart(&mut self) -> bool {
        *self = Self::new();
        true
    }
    fn advance(&mut self, _seconds: f64) -> bool {
        false
    }
    fn silence(&mut self, _group: &str, _topic: Topic, _owner: &str) -> bool {
        false
    }
}

#[test]
fn the_log_on_kafka_conforms() {
    conform(|_| Box::new(Broker::new()));
}

#[test]
fn an_owner_that_joins_again_has_all_at_once_and_the_old_one_commits_nothing() {
    let broker = Broker::new();
    let log = broker.log();
    let from = ends(&*log, Topic::Outputs);
    let commit = |offset: u64, value: &str| Commit {
        records: vec![record(Topic::Outputs, 5, "acme/van-1", value)],
        offsets: vec![(5, offset)],
    };
    let mut first = log.member("again", Topic::Inputs, "one").unwrap();
    assert_eq!(assigned(&broker, first.as_mut()).len(), topics::PARTITIONS as usize);
    // Other checks share the broker: what they wrote before is not this group's.
    first.commit(Commit { records: Vec::new(), offsets: ends(&*log, Topic::Inputs) }).unwrap();
    first.rewind().unwrap();
    let a = put(&*log, vec![record(Topic::Inputs, 5, "acme/van-1", "a")])[0];
    assert_eq!(values(&polled(&broker, first.as_mut(), 1)), ["a"]);
    first.commit(commit(a + 1, "A")).unwrap();

    let mut second = log.member("again", Topic::Inputs, "one").unwrap();
    assert_eq!(assigned(&broker, second.as_mut()).len(), topics::PARTITIONS as usize);
    put(&*log, vec![record(Topic::Inputs, 5, "acme/van-1", "b")]);
    let stale = first.commit(commit(a + 2, "stale")).unwrap_err();
    assert!(stale.is_retryable(), "{stale}");
    assert_eq!(values(&polled(&broker, second.as_mut(), 1)), ["b"]);
    second.commit(commit(a + 2, "B")).unwrap();
    assert_eq!(values(&read(&broker, Topic::Outputs, &from)), ["A", "B"]);
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let away = KafkaLog::connect("127.0.0.1:1", &BTreeMap::new());
    assert!(matches!(away, Err(LogError::Unavailable(_))), "{away:?}");
    Broker::new();
    assert_eq!(topics::check(&Properties::new(&bootstrap(), &extra())).unwrap().len(), 8);
}
