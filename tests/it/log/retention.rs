//! Old records go.

use ingest::log::{LogError, Topic};

use super::harness::{Harness, POLL, put, read, record, values};

pub(crate) fn old_records_go_and_readers_are_told(harness: &mut dyn Harness) {
    let topic = Topic::Commands;
    let log = harness.log();
    let old = put(&*log, vec![record(topic, 0, "d", "old"), record(topic, 0, "d", "old too")]);
    let mut late = log.reader(topic, &[(0, old[0])]).unwrap();
    if !harness.advance(86_400.0 + 60.0) {
        return;
    }
    put(&*log, vec![record(topic, 0, "d", "new")]);
    for _ in 0..harness.patience() {
        if log.bounds(topic, 0).unwrap().start > old[1] {
            break;
        }
        std::thread::sleep(POLL);
    }
    let gone = |error: Option<LogError>| {
        let wanted = old[0];
        assert!(
            matches!(error, Some(LogError::OffsetGone { wanted: w, start, .. }) if w == wanted && start > old[1]),
            "{error:?}"
        );
    };
    gone(log.reader(topic, &[(0, old[0])]).err());
    gone(late.poll(1, POLL).err());
    let start = log.bounds(topic, 0).unwrap().start;
    assert_eq!(values(&read(harness, topic, &[(0, start)])), ["new"]);
}
