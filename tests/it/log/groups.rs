//! Groups: who reads what, and what a commit makes visible.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ingest::log::{
    Commit, Log, LogError, Member, NewRecord, Polled, RECORD_BYTES_MAX, Record, Topic,
};

use super::harness::{
    Harness, PLENTY, POLL, assigned, ends, polled, put, read, record, text, values,
};

/// Commits where all partitions end, so that a group begins with what the check writes.
fn begin(harness: &dyn Harness, group: &str) {
    let log = harness.log();
    let mut member = log.member(group, Topic::Inputs, "begin").unwrap();
    let all = ends(&*log, Topic::Inputs);
    let mut owned = Vec::new();
    while owned.len() < all.len() {
        owned.extend(assigned(harness, &mut *member));
    }
    member.commit(Commit { records: Vec::new(), offsets: all }).unwrap();
    member.leave().unwrap();
}

fn inputs(log: &dyn Log, partition: u32, count: usize) -> Vec<u64> {
    let new = |n: usize| record(Topic::Inputs, partition, "k", &n.to_string());
    put(log, (0..count).map(new).collect())
}

/// Echoes inputs into the same partition of outputs.
fn echo(records: &[Record]) -> Commit {
    let mut offsets = BTreeMap::new();
    let mut out = Vec::new();
    for input in records {
        offsets.insert(input.partition, input.offset + 1);
        let (key, value) = text(input);
        out.push(record(Topic::Outputs, input.partition, &key, &value.unwrap()));
    }
    Commit { records: out, offsets: offsets.into_iter().collect() }
}

pub(crate) fn outputs_and_offsets_appear_together_or_not_at_all(harness: &mut dyn Harness) {
    begin(harness, "commit");
    let log = harness.log();
    let from = ends(&*log, Topic::Outputs);
    let given = inputs(&*log, 0, 3);
    let mut member = log.member("commit", Topic::Inputs, "a").unwrap();
    let records = polled(harness, &mut *member, 3);
    let committed = || log.committed("commit", Topic::Inputs, 0).unwrap();
    let before = committed();
    let giant = NewRecord {
        value: Some(Bytes::from(vec![0; RECORD_BYTES_MAX])),
        ..record(Topic::Outputs, 0, "giant", "")
    };
    let mut refused = echo(&records);
    refused.records.push(giant);
    assert!(matches!(member.commit(refused), Err(LogError::TooLarge { .. })));
    assert_eq!(committed(), before);
    assert_eq!(read(harness, Topic::Outputs, &from), []);
    member.rewind().unwrap();
    let again = polled(harness, &mut *member, 3);
    assert_eq!(again, records);
    let mut both = echo(&again);
    both.records.push(record(Topic::States, 0, "commit", "state"));
    member.commit(both).unwrap();
    assert_eq!(committed(), Some(given[2] + 1));
    assert_eq!(values(&read(harness, Topic::Outputs, &from)), ["0", "1", "2"]);
    assert_eq!(values(&read(harness, Topic::States, &[(0, 0)])), ["state"]);
}

pub(crate) fn a_group_goes_on_where_it_committed(harness: &mut dyn Harness) {
    begin(harness, "resume");
    let log = harness.log();
    inputs(&*log, 1, 10);
    let mut member = log.member("resume", Topic::Inputs, "a").unwrap();
    let records = polled(harness, &mut *member, 10);
    member.commit(echo(&records[..4])).unwrap();
    member.leave().unwrap();
    drop((member, log));
    harness.restart();
    let log = harness.log();
    assert_eq!(log.committed("resume", Topic::Inputs, 1).unwrap(), Some(records[4].offset));
    let mut member = log.member("resume", Topic::Inputs, "a").unwrap();
    assert_eq!(polled(harness, &mut *member, 6), records[4..]);
}

pub(crate) fn groups_do_not_disturb_each_other(harness: &mut dyn Harness) {
    begin(harness, "apart-a");
    begin(harness, "apart-b");
    let log = harness.log();
    inputs(&*log, 2, 5);
    let mut first = log.member("apart-a", Topic::Inputs, "x").unwrap();
    let mut second = log.member("apart-b", Topic::Inputs, "x").unwrap();
    let records = polled(harness, &mut *first, 5);
    first.commit(echo(&records)).unwrap();
    assert_eq!(polled(harness, &mut *second, 5), records);
    let committed = |group| log.committed(group, Topic::Inputs, 2).unwrap().unwrap();
    assert!(committed("apart-b") <= records[0].offset);
    assert_eq!(committed("apart-a"), records[4].offset + 1);
    assert_eq!(log.committed("apart-never", Topic::Inputs, 2).unwrap(), None);
}

pub(crate) fn rewind_reads_again_from_the_commit(harness: &mut dyn Harness) {
    begin(harness, "rewind");
    let log = harness.log();
    inputs(&*log, 3, 6);
    let mut member = log.member("rewind", Topic::Inputs, "a").unwrap();
    let records = polled(harness, &mut *member, 6);
    member.commit(echo(&records[..2])).unwrap();
    let rewound: BTreeMap<u32, Option<u64>> = member.rewind().unwrap().into_iter().collect();
    assert_eq!(rewound[&3], Some(records[1].offset + 1));
    assert_eq!(rewound.len() as u32, log.partitions(Topic::Inputs));
    assert_eq!(polled(harness, &mut *member, 4), records[2..]);
}

/// Polls once; commits what came by echoing it, except partitions that are no longer ours.
fn turn(member: &mut dyn Member, owned: &mut Vec<u32>) -> usize {
    match member.poll(PLENTY, Duration::from_millis(20)) {
        Ok(Polled::Assigned(partitions)) => owned.extend(partitions),
        Ok(Polled::Revoked { partitions, .. }) => owned.retain(|p| !partitions.contains(p)),
        Ok(Polled::Records(records)) if records.is_empty() => {}
        Ok(Polled::Records(records)) => match member.commit(echo(&records)) {
            Ok(()) => return records.len(),
            Err(LogError::Fenced(_)) => drop(member.rewind()),
            Err(error) => panic!("commit: {error}"),
        },
        Err(error) => panic!("poll: {error}"),
    }
    0
}

pub(crate) fn two_members_share_and_every_record_is_committed_once(harness: &mut dyn Harness) {
    const EACH: usize = 20;
    begin(harness, "share");
    let log = harness.log();
    let partitions = log.partitions(Topic::Inputs);
    let from = ends(&*log, Topic::Outputs);
    let write = |round: usize| {
        let new = |n: usize| {
            let value = (round * EACH + n).to_string();
            (0..partitions).map(move |p| record(Topic::Inputs, p, "k", &value)).collect::<Vec<_>>()
        };
        put(&*log, (0..EACH).flat_map(new).collect());
    };
    let mut a = log.member("share", Topic::Inputs, "a").unwrap();
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    write(0);
    for _ in 0..3 {
        turn(&mut *a, &mut of_a);
    }
    let mut b = log.member("share", Topic::Inputs, "b").unwrap();
    write(1);
    let all = partitions as usize;
    let mut settled = false;
    for _ in 0..harness.patience() * 10 {
        let moved = turn(&mut *a, &mut of_a) + turn(&mut *b, &mut of_b);
        settled = of_a.len() == all / 2 && of_b.len() == all - all / 2;
        if settled && moved == 0 {
            break;
        }
    }
    assert!(settled, "a holds {of_a:?}, b holds {of_b:?}");
    a.leave().unwrap();
    write(2);
    for _ in 0..harness.patience() * 10 {
        if turn(&mut *b, &mut of_b) == 0
            && (0..partitions).all(|p| {
                let end = log.bounds(Topic::Inputs, p).unwrap().end;
                log.committed("share", Topic::Inputs, p).unwrap().is_some_and(|c| c >= end)
            })
        {
            break;
        }
    }
    let mut said: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for output in read(harness, Topic::Outputs, &from) {
        said.entry(output.partition).or_default().push(text(&output).1.unwrap());
    }
    let expected: Vec<String> = (0..3 * EACH).map(|n| n.to_string()).collect();
    assert_eq!(said.len(), all);
    assert!(said.values().all(|values| *values == expected), "{said:?}");
}

pub(crate) fn a_replaced_member_commits_nothing(harness: &mut dyn Harness) {
    begin(harness, "fence");
    let log = harness.log();
    let from = ends(&*log, Topic::Outputs);
    inputs(&*log, 4, 4);
    let mut old = log.member("fence", Topic::Inputs, "same").unwrap();
    let records = polled(harness, &mut *old, 4);
    let mut new = log.member("fence", Topic::Inputs, "same").unwrap();
    assert_eq!(polled(harness, &mut *new, 4), records);
    assert!(matches!(old.commit(echo(&records)), Err(LogError::Fenced(_))));
    assert_eq!(read(harness, Topic::Outputs, &from), []);
    new.commit(echo(&records)).unwrap();
    assert_eq!(read(harness, Topic::Outputs, &from).len(), 4);
}

pub(crate) fn a_silent_member_loses_its_partitions(harness: &mut dyn Harness) {
    begin(harness, "silence");
    let log = harness.log();
    let from = ends(&*log, Topic::Outputs);
    inputs(&*log, 5, 4);
    let mut silent = log.member("silence", Topic::Inputs, "silent").unwrap();
    let records = polled(harness, &mut *silent, 4);
    let mut other = log.member("silence", Topic::Inputs, "other").unwrap();
    if !harness.silence("silence", Topic::Inputs, "silent") {
        return;
    }
    assert_eq!(polled(harness, &mut *other, 4), records);
    assert!(matches!(silent.commit(echo(&records)), Err(LogError::Fenced(_))));
    other.commit(echo(&records)).unwrap();
    assert_eq!(read(harness, Topic::Outputs, &from).len(), 4);
    let lost = silent.poll(PLENTY, POLL).unwrap();
    assert!(matches!(lost, Polled::Revoked { lost: true, .. }), "{lost:?}");
}
