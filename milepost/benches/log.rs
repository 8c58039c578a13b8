//! The disk log against a plain file with fsync, in one run on one disk.
//!
//! `cargo bench -p milepost --bench log [-- SECONDS]`; each part runs so many seconds (default 5).
//! Records are of 200 bytes. CPU is that of the whole process, producers and readers included.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ingest::log::{Commit, Log, LogError, NewRecord, Polled, Topic};
use milepost::clock::{monotonic, wall};
use milepost::log::disk::{DiskLog, PARTITIONS, Settings};

const RECORD_BYTES: usize = 200;

fn main() -> Result<(), LogError> {
    let seconds = std::env::args().filter_map(|a| a.parse().ok()).next_back().unwrap_or(5);
    let length = Duration::from_secs(seconds);
    let dir = std::env::temp_dir().join(format!("milepost-bench-{}", std::process::id()));
    let answer = all(&dir, length);
    drop(std::fs::remove_dir_all(&dir));
    answer
}

fn all(dir: &Path, length: Duration) -> Result<(), LogError> {
    let log = Arc::new(DiskLog::open(dir, Settings::of(dir), wall())?);
    let one = one_at_a_time(&*log, length)?;
    let plain = plain(dir, 1, length);
    say("one record at a time", &one, Some(&plain));
    for group in [100, 1_000] {
        let ours = flat_out(&log, group, length)?;
        let plain = self::plain(dir, group, length);
        say(&format!("flat out, appends of {group}"), &ours, Some(&plain));
    }
    let commits = commits_flat_out(&log, length)?;
    say("flat out, commits of 5,000 outputs by 4 members", &commits, None);
    drop(log);
    std::fs::remove_dir_all(dir).map_err(|e| LogError::Unavailable(e.to_string()))?;
    full_load(dir, length, Load { shards: 16, inputs: 20_000, outputs: 30_000 })?;
    std::fs::remove_dir_all(dir).map_err(|e| LogError::Unavailable(e.to_string()))?;
    full_load(dir, length, Load { shards: 2, inputs: 20_000, outputs: 30_000 })
}

/// What a part measured.
struct Measured {
    records: u64,
    took: Duration,
    cpu: f64,
    written: u64,
    latencies: Vec<Duration>,
}

/// Measures the process while something runs.
struct Meter {
    began: Instant,
    cpu: f64,
    written: u64,
}

impl Meter {
    fn start() -> Self {
        Self { began: monotonic(), cpu: cpu_seconds(), written: bytes_written() }
    }

    fn stop(self, records: u64, mut latencies: Vec<Duration>) -> Measured {
        latencies.sort_unstable();
        let took = monotonic().duration_since(self.began);
        let (cpu, written) = (cpu_seconds() - self.cpu, bytes_written() - self.written);
        Measured { records, took, cpu, written, latencies }
    }
}

/// User and system time of this process; 0 where there is no `/proc`.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    after.split(' ').skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Bytes this process has sent to disks; 0 where there is no `/proc`.
fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn say(name: &str, ours: &Measured, plain: Option<&Measured>) {
    let rate = |m: &Measured| m.records as f64 / m.took.as_secs_f64();
    let each = |m: &Measured| m.cpu * 1e6 / m.records.max(1) as f64;
    let ms = |m: &Measured, share: f64| {
        let at = ((m.latencies.len() as f64 * share) as usize).min(m.latencies.len() - 1);
        m.latencies[at].as_secs_f64() * 1e3
    };
    let line = |m: &Measured| {
        format!(
            "{:>9.0} records/s  {:>6.2} us CPU/record  {:>3.0} % of a core  p50 {:>6.2} p99 {:>7.2} \
             p99.9 {:>7.2} max {:>7.2} ms  {:>4.1} bytes written per byte",
            rate(m),
            each(m),
            m.cpu / m.took.as_secs_f64() * 100.0,
            ms(m, 0.5),
            ms(m, 0.99),
            ms(m, 0.999),
            ms(m, 1.0),
            m.written as f64 / (m.records.max(1) as f64 * RECORD_BYTES as f64),
        )
    };
    println!("{name}\n  log          {}", line(ours));
    if let Some(plain) = plain {
        let (rate, each) = (rate(ours) / rate(plain), each(ours) / each(plain));
        let latency = ms(ours, 0.5) / ms(plain, 0.5);
        println!("  file + fsync {}", line(plain));
        println!("  ratio        rate {rate:.2}  CPU {each:.2}  p50 {latency:.2}");
    }
}

fn record(topic: Topic, partition: u32, value: &Bytes) -> NewRecord {
    NewRecord {
        topic,
        partition: Some(partition),
        key: Bytes::from_static(b"acme/van-17"),
        value: Some(value.clone()),
        headers: vec![("kind", Bytes::from_static(b"fix"))],
    }
}

/// So that key, headers and value make the record's size.
fn value() -> Bytes {
    Bytes::from(vec![0x5a; RECORD_BYTES - 11 - 7])
}

fn wait(appending: ingest::log::Appending) -> Result<Vec<u64>, LogError> {
    let failed = |e: std::io::Error| LogError::Unavailable(e.to_string());
    tokio::runtime::Builder::new_current_thread().build().map_err(failed)?.block_on(appending)
}

/// The plain file: writes a group, waits until it is durable, begins again.
fn plain(dir: &Path, group: usize, length: Duration) -> Measured {
    let path = PathBuf::from(format!("{}-plain", dir.display()));
    let bytes = vec![0x5a; group * RECORD_BYTES];
    let meter = Meter::start();
    let mut latencies = Vec::new();
    if let Ok(mut file) = File::create(&path) {
        while monotonic().duration_since(meter.began) < length {
            let began = monotonic();
            if file.write_all(&bytes).and_then(|()| file.sync_data()).is_err() {
                break;
            }
            latencies.push(monotonic().duration_since(began));
        }
    }
    let measured = meter.stop((latencies.len() * group) as u64, latencies);
    drop(std::fs::remove_file(path));
    measured
}

fn one_at_a_time(log: &dyn Log, length: Duration) -> Result<Measured, LogError> {
    let (value, meter) = (value(), Meter::start());
    let mut latencies = Vec::new();
    while monotonic().duration_since(meter.began) < length {
        let began = monotonic();
        wait(log.append(vec![record(Topic::Inputs, 0, &value)]))?;
        latencies.push(monotonic().duration_since(began));
        // Idle, as between two packets of a small fleet.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(meter.stop(latencies.len() as u64, latencies))
}

/// Four producers, each with up to 8 appends on the way.
fn flat_out(log: &Arc<DiskLog>, group: usize, length: Duration) -> Result<Measured, LogError> {
    let meter = Meter::start();
    let began = meter.began;
    let producers: Vec<_> = (0..4u32)
        .map(|producer| {
            let log = Arc::clone(log);
            std::thread::spawn(move || -> Result<Vec<Duration>, LogError> {
                let value = value();
                let mut on_the_way = std::collections::VecDeque::new();
                let mut latencies = Vec::new();
                while monotonic().duration_since(began) < length {
                    let new = |n: usize| {
                        let partition = (producer * 4 + n as u32 % 4) % PARTITIONS;
                        record(Topic::Inputs, partition, &value)
                    };
                    on_the_way.push_back((monotonic(), log.append((0..group).map(new).collect())));
                    if on_the_way.len() == 8
                        && let Some((at, appending)) = on_the_way.pop_front()
                    {
                        wait(appending)?;
                        latencies.push(monotonic().duration_since(at));
                    }
                }
                for (at, appending) in on_the_way {
                    wait(appending)?;
                    latencies.push(monotonic().duration_since(at));
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for producer in producers {
        latencies.extend(joined(producer)?);
    }
    Ok(meter.stop((latencies.len() * group) as u64, latencies))
}

fn joined<T>(thread: std::thread::JoinHandle<Result<T, LogError>>) -> Result<T, LogError> {
    thread.join().map_err(|_panic| LogError::Unavailable("a thread panicked".to_owned()))?
}

fn commits_flat_out(log: &Arc<DiskLog>, length: Duration) -> Result<Measured, LogError> {
    let meter = Meter::start();
    let began = meter.began;
    let members: Vec<_> = (0..4u32)
        .map(|number| {
            let log = Arc::clone(log);
            std::thread::spawn(move || -> Result<Vec<Duration>, LogError> {
                let group = format!("flat-{number}");
                let mut member = log.member(&group, Topic::Inputs, "bench")?;
                while !matches!(member.poll(1, Duration::ZERO)?, Polled::Assigned(_)) {}
                let (value, mut latencies) = (value(), Vec::new());
                while monotonic().duration_since(began) < length {
                    let new = |n: u32| record(Topic::Outputs, n % PARTITIONS, &value);
                    let records = (0..5_000).map(new).collect();
                    let at = monotonic();
                    member.commit(Commit { records, offsets: vec![(number, 1)] })?;
                    latencies.push(monotonic().duration_since(at));
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for member in members {
        latencies.extend(joined(member)?);
    }
    Ok(meter.stop(latencies.len() as u64 * 5_000, latencies))
}

/// Records a second in and out, and members that commit every 100 ms.
#[derive(Clone, Copy)]
struct Load {
    shards: u32,
    inputs: u64,
    outputs: u64,
}

/// The whole: inputs handed over every millisecond, members that read them and commit three
/// outputs for two inputs, a reader of all outputs.
fn full_load(dir: &Path, length: Duration, load: Load) -> Result<(), LogError> {
    let log = Arc::new(DiskLog::open(dir, Settings::of(dir), wall())?);
    let stop = Arc::new(AtomicBool::new(false));
    let (out, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let shards: Vec<_> = (0..load.shards)
        .map(|number| {
            let (log, stop, out) = (Arc::clone(&log), Arc::clone(&stop), Arc::clone(&out));
            std::thread::spawn(move || shard(&*log, number, load, (&stop, &out)))
        })
        .collect();
    let reader = {
        let (log, stop, seen) = (Arc::clone(&log), Arc::clone(&stop), Arc::clone(&seen));
        std::thread::spawn(move || follow(&*log, &stop, &seen))
    };
    std::thread::sleep(Duration::from_millis(500));
    let meter = Meter::start();
    let (count, appends) = produce(&log, load, (meter.began, length))?;
    std::thread::sleep(Duration::from_millis(300));
    stop.store(true, Ordering::Relaxed);
    let mut commits = Vec::new();
    for shard in shards {
        commits.extend(joined(shard)?);
    }
    joined(reader)?;
    let written = out.load(Ordering::Relaxed);
    let backlog: u64 = (0..PARTITIONS)
        .map(|p| {
            let end = log.bounds(Topic::Inputs, p).map_or(0, |b| b.end);
            let done = log.committed("engine", Topic::Inputs, p).ok().flatten().unwrap_or(0);
            end - done
        })
        .sum();
    let measured = meter.stop(count + written, appends);
    let name = format!(
        "{} in + {} out a second, {} members: {count} in, {written} out, {} read; {backlog} not \
         committed at the end; append to durable:",
        load.inputs,
        load.outputs,
        load.shards,
        seen.load(Ordering::Relaxed)
    );
    say(&name, &measured, None);
    commits.sort_unstable();
    say_commits(&commits);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn say_commits(commits: &[Duration]) {
    let at = |share: f64| {
        let place = ((commits.len() as f64 * share) as usize).min(commits.len() - 1);
        commits[place].as_secs_f64() * 1e3
    };
    let (p50, p99, most) = (at(0.5), at(0.99), at(1.0));
    println!("  commits      {}  p50 {p50:.1} p99 {p99:.1} max {most:.1} ms", commits.len());
}

/// Hands over what is due each millisecond; waits for the answers in another thread.
fn produce(
    log: &DiskLog,
    load: Load,
    (began, length): (Instant, Duration),
) -> Result<(u64, Vec<Duration>), LogError> {
    let (sender, receiver) = std::sync::mpsc::channel::<(Instant, ingest::log::Appending)>();
    let answers = std::thread::spawn(move || -> Result<Vec<Duration>, LogError> {
        let mut latencies = Vec::new();
        for (at, appending) in receiver {
            wait(appending)?;
            latencies.push(monotonic().duration_since(at));
        }
        Ok(latencies)
    });
    let (value, mut count) = (value(), 0);
    loop {
        let now = monotonic();
        let since = now.duration_since(began);
        if since >= length {
            break;
        }
        let due = (since.as_secs_f64() * load.inputs as f64) as u64 - count;
        // As sessions do: an append for each packet of five records.
        for packet in 0..due / 5 {
            let partition = ((count + packet) % u64::from(PARTITIONS)) as u32;
            let records = (0..5).map(|_| record(Topic::Inputs, partition, &value)).collect();
            drop(sender.send((now, log.append(records))));
        }
        count += due / 5 * 5;
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(sender);
    Ok((count, joined(answers)?))
}

/// Polls, and commits every 100 ms or 5,000 inputs.
fn shard(
    log: &dyn Log,
    number: u32,
    load: Load,
    (stop, out): (&AtomicBool, &AtomicU64),
) -> Result<Vec<Duration>, LogError> {
    let mut member = log.member("engine", Topic::Inputs, &format!("shard-{number}"))?;
    let (value, mut latencies) = (value(), Vec::new());
    let (mut offsets, mut inputs) = (std::collections::BTreeMap::new(), 0u64);
    let mut last = monotonic();
    while !stop.load(Ordering::Relaxed) || inputs > 0 {
        match member.poll(1024 * 1024, Duration::from_millis(20))? {
            Polled::Records(records) => {
                for record in records {
                    offsets.insert(record.partition, record.offset + 1);
                    inputs += 1;
                }
            }
            Polled::Assigned(_) | Polled::Revoked { .. } => {}
        }
        let due = monotonic().duration_since(last) >= Duration::from_millis(100);
        if inputs == 0 || !(due || inputs >= 5_000 || stop.load(Ordering::Relaxed)) {
            continue;
        }
        last = monotonic();
        let count = inputs * load.outputs / load.inputs;
        let to: Vec<u32> = offsets.keys().copied().collect();
        let new = |n: u64| record(Topic::Outputs, to[n as usize % to.len()], &value);
        let records = (0..count).map(new).collect();
        let offsets: Vec<(u32, u64)> = std::mem::take(&mut offsets).into_iter().collect();
        member.commit(Commit { records, offsets })?;
        latencies.push(monotonic().duration_since(last));
        out.fetch_add(count, Ordering::Relaxed);
        inputs = 0;
    }
    Ok(latencies)
}

/// Reads all outputs as they come.
fn follow(log: &dyn Log, stop: &AtomicBool, seen: &AtomicU64) -> Result<(), LogError> {
    let from: Vec<(u32, u64)> = (0..PARTITIONS).map(|p| (p, 0)).collect();
    let mut reader = log.reader(Topic::Outputs, &from)?;
    while !stop.load(Ordering::Relaxed) {
        let records = reader.poll(1024 * 1024, Duration::from_millis(20))?;
        seen.fetch_add(records.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}
