//! The log on disk under the checks, and what only it promises.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;
use ingest::log::{Log, LogError, NewRecord, Topic};
use milepost::log::disk::{DiskLog, LOG_FILE, Probe, Settings, Space};

use super::conform;
use super::harness::{Harness, PLENTY, POLL, ends, put, record, values, wait};
use super::memory::TestClock;

/// A directory of its own, gone with its owner.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("milepost-log-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Opens the log in it.
    pub(crate) fn open(&self, clock: &TestClock) -> DiskLog {
        DiskLog::open(&self.0, roomy(), clock.clock()).unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Default settings on a disk that is never full.
fn roomy() -> Settings {
    Settings {
        probe: Probe::new(|| Ok(Space { free: 9, total: 10 })),
        ..Settings::of(Path::new("."))
    }
}

/// The log on disk as the checks take it.
pub(crate) struct Disk {
    dir: Dir,
    clock: TestClock,
    log: Option<Arc<DiskLog>>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let (dir, clock) = (Dir::new(), TestClock::new());
        Self::at(dir, clock)
    }

    /// Opens what is there.
    pub(crate) fn at(dir: Dir, clock: TestClock) -> Self {
        let log = Some(Arc::new(dir.open(&clock)));
        Self { dir, clock, log }
    }

    /// Ends the log and gives its directory back.
    pub(crate) fn close(self) -> Dir {
        drop(self.log);
        self.dir
    }
}

impl Harness for Disk {
    fn log(&self) -> Arc<dyn Log> {
        Arc::clone(self.log.as_ref().unwrap()) as Arc<dyn Log>
    }

    fn restart(&mut self) -> bool {
        let log = self.log.take().unwrap();
        assert!(Arc::into_inner(log).is_some(), "the check has not dropped its log");
        self.log = Some(Arc::new(self.dir.open(&self.clock)));
        true
    }

    fn advance(&mut self, seconds: f64) -> bool {
        self.clock.advance(seconds);
        true
    }

    fn silence(&mut self, _: &str, _: Topic, _: &str) -> bool {
        false
    }
}

#[test]
fn the_log_on_disk_conforms() {
    conform(|_| Box::new(Disk::new()));
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    let log = dir.open(&clock);
    let second = DiskLog::open(dir.path(), roomy(), clock.clock()).err();
    let line = second.unwrap().to_string();
    assert!(line.contains(&format!("in use by process `{}`", std::process::id())), "{line}");

    let reading = DiskLog::open_reading(dir.path()).unwrap();
    let from = ends(&reading, Topic::Inputs);
    let mut reader = reading.reader(Topic::Inputs, &from).unwrap();
    assert_eq!(reader.poll(PLENTY, POLL).unwrap(), []);
    for n in 0..300 {
        put(&log, vec![record(Topic::Inputs, n % 3, "k", &n.to_string())]);
        put(&log, vec![record(Topic::States, n % 3, "k", &n.to_string())]);
    }
    let mut found = Vec::new();
    while found.len() < 300 {
        found.extend(reader.poll(1_000, POLL).unwrap());
    }
    assert_eq!(found.len(), 300);
    assert_eq!(reading.bounds(Topic::Inputs, 0).unwrap(), log.bounds(Topic::Inputs, 0).unwrap());
    let mut states = reading.reader(Topic::States, &[(0, 0), (1, 0), (2, 0)]).unwrap();
    assert_eq!(values(&states.poll(PLENTY, POLL).unwrap()).len(), 3);
    assert!(wait(reading.append(vec![record(Topic::Inputs, 0, "k", "v")])).is_err());
    assert!(reading.member("g", Topic::Inputs, "o").is_err());
    drop(log);
    // The writer has gone; the reader goes on, and the next writer may come.
    assert_eq!(reading.bounds(Topic::Inputs, 0).unwrap().end, 100);
    drop(dir.open(&clock));
}

#[test]
fn a_directory_is_for_its_owner_only() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    let log = dir.open(&clock);
    put(&log, vec![record(Topic::Inputs, 0, "k", "v")]);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir.path()), 0o700);
    let files: Vec<_> = dir.path().read_dir().unwrap().map(|f| f.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let shared = Dir::new();
    std::fs::create_dir(shared.path()).unwrap();
    std::fs::set_permissions(shared.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(shared.path().join("thesis.txt"), "x").unwrap();
    let line = DiskLog::open(shared.path(), roomy(), clock.clock()).err().unwrap().to_string();
    assert!(line.contains("holds other files"), "{line}");
    assert_eq!(mode(shared.path()), 0o755);
}

#[test]
fn foreign_and_broken_files_are_refused_by_name() {
    let clock = TestClock::new();
    let check = |bytes: &[u8], expected: &str| {
        let dir = Dir::new();
        std::fs::create_dir(dir.path()).unwrap();
        std::fs::write(dir.path().join(LOG_FILE), bytes).unwrap();
        for error in [
            DiskLog::open(dir.path(), roomy(), clock.clock()).err(),
            DiskLog::open_reading(dir.path()).err(),
        ] {
            let line = error.unwrap().to_string();
            assert!(line.contains(expected) && line.contains(LOG_FILE), "{line}");
        }
    };
    check(&b"not a database, just some bytes of somebody".repeat(100), "file is not a database");
    let dir = Dir::new();
    drop(dir.open(&clock));
    let mut other = std::fs::read(dir.path().join(LOG_FILE)).unwrap();
    other[60..64].copy_from_slice(&99u32.to_be_bytes());
    check(&other, "a log of version `99`");
    other[68..72].copy_from_slice(&7u32.to_be_bytes());
    check(&other, "another SQLite file");
    let line = DiskLog::open_reading(Path::new("/nowhere")).err().unwrap().to_string();
    assert!(line.contains("holds no log"), "{line}");
}

#[test]
fn a_full_disk_takes_nothing_until_there_is_room() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    let free = Arc::new(AtomicU64::new(u64::MAX / 4));
    let probed = Arc::clone(&free);
    let total = u64::MAX / 2;
    let ask = move || Ok(Space { free: probed.load(Ordering::Relaxed), total });
    let settings = Settings { probe: Probe::new(ask), ..roomy() };
    let log = DiskLog::open(dir.path(), settings, clock.clock()).unwrap();
    put(&log, vec![record(Topic::Inputs, 0, "k", "kept")]);
    let mut member = log.member("g", Topic::Inputs, "o").unwrap();
    while log.committed("g", Topic::Inputs, 0).unwrap().is_none() {
        drop(member.poll(PLENTY, POLL).unwrap());
        let offsets = vec![(0, 1)];
        member.commit(ingest::log::Commit { records: Vec::new(), offsets }).unwrap();
    }
    let append = || wait(log.append(vec![record(Topic::Inputs, 0, "k", "new")]));
    let commit = |member: &mut dyn ingest::log::Member| {
        member.commit(ingest::log::Commit { records: Vec::new(), offsets: vec![(0, 1)] })
    };
    let until = |done: &mut dyn FnMut() -> bool| {
        for _ in 0..100 {
            if done() {
                return;
            }
            std::thread::sleep(POLL);
        }
        panic!("the log did not notice");
    };
    free.store(total / 100 * 8, Ordering::Relaxed);
    until(&mut || matches!(append(), Err(LogError::Full(_))));
    commit(&mut *member).unwrap();
    free.store(total / 100 * 4, Ordering::Relaxed);
    until(&mut || matches!(commit(&mut *member), Err(LogError::Full(_))));
    assert!(matches!(append(), Err(LogError::Full(_))));
    free.store(total / 2, Ordering::Relaxed);
    until(&mut || append().is_ok());
    commit(&mut *member).unwrap();
    let notice = log.notice().unwrap();
    assert!(notice.contains("7 days") && notice.contains("free"), "{notice}");
}

#[test]
fn readers_far_behind_are_served_from_the_file_and_starve_nobody() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    let log = dir.open(&clock);
    let big = Bytes::from(vec![7; 20_000]);
    let new = |partition: u32| NewRecord {
        value: Some(big.clone()),
        ..record(Topic::Inputs, partition, "k", "")
    };
    // More than memory keeps.
    for _ in 0..150 {
        put(&log, (0..8).map(|_| new(0)).collect());
    }
    let end = log.bounds(Topic::Inputs, 0).unwrap().end;
    let mut reader = log.reader(Topic::Inputs, &[(0, 0), (1, 0)]).unwrap();
    assert!(!reader.poll(50_000, POLL).unwrap().is_empty());
    put(&log, vec![new(1)]);
    let mut count = 0;
    let mut polls_until_seen = 0;
    while reader.position(1) == Some(0) {
        count += reader.poll(50_000, POLL).unwrap().len();
        polls_until_seen += 1;
    }
    assert!(polls_until_seen <= 2, "partition 1 waited for {count} records of partition 0");
    let mut last = reader.position(0).unwrap();
    while last < end {
        for record in reader.poll(1_000_000, POLL).unwrap() {
            assert_eq!((record.partition, record.offset), (0, last));
            last += 1;
        }
    }
    assert_eq!(reader.poll(1, std::time::Duration::ZERO).unwrap(), []);
}

#[test]
fn when_all_records_have_gone_offsets_still_go_on() {
    let topic = Topic::Commands;
    let mut disk = Disk::new();
    let last = put(&*disk.log(), vec![record(topic, 0, "d", "a"), record(topic, 0, "d", "b")])[1];
    disk.advance(2.0 * 86_400.0);
    let start = |disk: &Disk| disk.log().bounds(topic, 0).unwrap().start;
    for _ in 0..100 {
        if start(&disk) > last {
            break;
        }
        std::thread::sleep(POLL);
    }
    for _ in 0..2 {
        let bounds = disk.log().bounds(topic, 0).unwrap();
        assert_eq!((bounds.start, bounds.end), (last + 1, last + 1));
        disk.restart();
    }
    assert_eq!(put(&*disk.log(), vec![record(topic, 0, "d", "c")]), [last + 1]);
    assert_eq!(put(&*disk.log(), vec![record(topic, 1, "d", "c")]), [0]);
}

#[test]
fn what_waits_when_a_log_is_closed_is_written() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    let log = dir.open(&clock);
    let appends: Vec<_> = (0..2_000)
        .map(|n| log.append(vec![record(Topic::Inputs, n % 16, "k", &n.to_string())]))
        .collect();
    drop(log);
    for append in appends {
        wait(append).unwrap();
    }
    let log = dir.open(&clock);
    let count: u64 = ends(&log, Topic::Inputs).iter().map(|(_, end)| end).sum();
    assert_eq!(count, 2_000);
}

#[test]
fn more_than_may_wait_is_refused_and_the_rest_is_written() {
    let (dir, clock) = (Dir::new(), TestClock::new());
    let log = dir.open(&clock);
    let value = "x".repeat(1_000_000);
    let appends: Vec<_> = (0..200)
        .map(|n| log.append(vec![record(Topic::Inputs, 0, &n.to_string(), &value)]))
        .collect();
    let answers: Vec<_> = appends.into_iter().map(wait).collect();
    assert!(answers.iter().all(|a| matches!(a, Ok(_) | Err(LogError::Full(_)))));
    let taken = answers.iter().filter(|a| a.is_ok()).count() as u64;
    assert!((64..200).contains(&taken), "{taken}");
    assert_eq!(log.bounds(Topic::Inputs, 0).unwrap().end, taken);
    assert!(wait(log.append(vec![record(Topic::Inputs, 0, "k", "again")])).is_ok());
}
