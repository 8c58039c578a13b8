//! Kill -9: what was acknowledged is there, and outputs and offsets agree.
//!
//! The child is this test binary, told by the environment to write until it is killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ingest::log::{Commit, Log, Polled, Topic};
use milepost::clock;
use milepost::log::disk::{DiskLog, Settings};

use super::disk::{Dir, Disk};
use super::harness::{Harness, PLENTY, POLL, read, record, text, wait};
use super::memory::TestClock;

/// Where the child writes.
const DIR: &str = "MILEPOST_TEST_KILL_DIR";
const WRITERS: u32 = 4;
/// Acknowledgements that the parent reads before it kills, by round.
const ROUNDS: [usize; 6] = [1, 40, 300, 1_500, 97, 700];

/// Not a test by itself: does nothing unless it was started to be killed.
#[test]
fn child() {
    if let Some(dir) = std::env::var_os(DIR) {
        write_until_killed(Path::new(&dir));
    }
}

fn write_until_killed(dir: &Path) {
    // How full this machine's disk is says nothing about the log.
    let settings = Settings { free_share_min: 0.0, ..Settings::of(dir) };
    let log: Arc<dyn Log> = Arc::new(DiskLog::open(dir, settings, clock::wall()).unwrap());
    let echo = {
        let log = Arc::clone(&log);
        std::thread::spawn(move || echo(&*log))
    };
    for writer in 0..WRITERS {
        let log = Arc::clone(&log);
        std::thread::spawn(move || append(&*log, writer));
    }
    echo.join().unwrap();
}

/// Says each acknowledged offset on stdout.
fn append(log: &dyn Log, writer: u32) {
    let mut next = log.bounds(Topic::Inputs, writer).unwrap().end;
    loop {
        let batch: Vec<_> =
            (next..next + 3).map(|n| record(Topic::Inputs, writer, "k", &n.to_string())).collect();
        let offsets = wait(log.append(batch)).unwrap();
        assert_eq!(offsets, [next, next + 1, next + 2]);
        next += 3;
        let line = format!("ack {writer} {next}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

/// Echoes inputs into outputs, a state beside each commit.
fn echo(log: &dyn Log) {
    let mut member = log.member("echo", Topic::Inputs, "me").unwrap();
    loop {
        let Polled::Records(records) = member.poll(PLENTY, POLL).unwrap() else { continue };
        let mut offsets = BTreeMap::new();
        let mut out = Vec::new();
        for input in records {
            let value = text(&input).1.unwrap();
            offsets.insert(input.partition, input.offset + 1);
            out.push(record(Topic::Outputs, input.partition, "k", &value));
            out.push(record(Topic::States, input.partition, "state", &value));
        }
        member.commit(Commit { records: out, offsets: offsets.into_iter().collect() }).unwrap();
    }
}

/// Reads so many acknowledgements, kills, reads what was still said; the ends acknowledged.
fn run_and_kill(dir: &Path, acknowledgements: usize) -> BTreeMap<u32, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "log::kill::child", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ends = BTreeMap::new();
    let mut seen = 0;
    while let Some(Ok(line)) = lines.next() {
        let mut words = line.split(' ');
        if words.next() == Some("ack")
            && let (Some(Ok(writer)), Some(Ok(end))) =
                (words.next().map(str::parse::<u32>), words.next().map(str::parse::<u64>))
        {
            ends.insert(writer, end);
            seen += 1;
            if seen == acknowledgements {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(seen >= acknowledgements, "the child ended by itself after {seen} lines");
    ends
}

#[test]
fn nothing_acknowledged_is_lost_and_outputs_agree_with_offsets() {
    let mut dir = Dir::new();
    let mut before = BTreeMap::new();
    for round in ROUNDS {
        let acknowledged = run_and_kill(dir.path(), round);
        let harness = Disk::at(dir, TestClock::new());
        let log = harness.log();
        for partition in 0..WRITERS {
            let inputs = read(&harness, Topic::Inputs, &[(partition, 0)]);
            let least = acknowledged.get(&partition).or(before.get(&partition)).copied();
            assert!(inputs.len() as u64 >= least.unwrap_or(0), "{} of {least:?}", inputs.len());
            let numbered = inputs
                .iter()
                .zip(0..)
                .all(|(r, n)| text(r).1 == Some(n.to_string()) && r.offset == n);
            assert!(numbered, "inputs of {partition} have a gap or a double");
            let committed = log.committed("echo", Topic::Inputs, partition).unwrap().unwrap_or(0);
            let outputs = read(&harness, Topic::Outputs, &[(partition, 0)]);
            assert_eq!(outputs.len() as u64, committed, "outputs of {partition}");
            assert!(outputs.iter().zip(0..).all(|(r, n)| text(r).1 == Some(n.to_string())));
            let states = read(&harness, Topic::States, &[(partition, 0)]);
            let state = states.last().and_then(|r| text(r).1);
            assert_eq!(state, committed.checked_sub(1).map(|n| n.to_string()));
            before.insert(partition, inputs.len() as u64);
        }
        drop(log);
        dir = harness.close();
    }
}
