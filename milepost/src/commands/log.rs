//! `milepost log dump`: stored records as canonical JSON, also while another process writes.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::builder::PossibleValuesParser;
use engine::record::{Digest, canonical};
use ingest::log::{Log, LogError, Reader, Record, Topic};
use ingest::record::{Envelope, Kind};
use ingest::time::{NotATime, Timestamp};
use serde_json::{Value, json};

use crate::log::open_reading;

/// Bytes asked of a reader at a time.
const PIECE: usize = 1024 * 1024;
/// A poll's wait, and how many may bring nothing before a dump gives up: half a minute.
const WAIT: Duration = Duration::from_millis(100);
const EMPTY_POLLS_MAX: u32 = 300;

/// Looks into the log.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Stored records, one line each, by partition and offset, in canonical JSON.
    Dump(Dump),
}

#[derive(Debug, clap::Args)]
struct Dump {
    /// Which topic.
    #[arg(value_parser = PossibleValuesParser::new(Topic::ALL.map(Topic::short)))]
    topic: String,
    /// Directory of a disk log.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another log: `kafka://HOST:PORT[,…]`.
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// Only records of this kind.
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name)))]
    kind: Option<String>,
    /// Only records appended at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Only records appended before this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Of outputs: instead of the records their number and one hash over all of them.
    #[arg(long)]
    digest: bool,
}

fn time(text: &str) -> Result<Timestamp, NotATime> {
    Timestamp::parse(text)
}

/// Runs `milepost log …`.
///
/// # Errors
/// When the log cannot be read, or `--digest` is asked of another topic than outputs.
pub fn run(args: Args) -> anyhow::Result<()> {
    let What::Dump(Dump { topic, data, log, kind, from, to, digest }) = args.what;
    let topic = Topic::from_short(&topic).context("topic is one of the listed")?;
    let log = open_reading(data.as_deref(), log.as_deref())?;
    let selection = Selection { topic, kind, from, to };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if digest {
        if topic != Topic::Outputs {
            bail!("`--digest` of topic `{topic}`: expected `outputs`");
        }
        digest_of(&*log, &selection).map(|answer| writeln!(out, "{answer}"))?
    } else {
        dump(&*log, &selection, &mut out)?
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("write to stdout"),
    }
}

/// Which records of a log.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Of this topic.
    pub topic: Topic,
    /// Only of this kind, by name.
    pub kind: Option<String>,
    /// Appended at or after.
    pub from: Option<Timestamp>,
    /// Appended before.
    pub to: Option<Timestamp>,
}

/// Writes the selected records, one line of canonical JSON each, by partition and offset, up to
/// where the log ends now. A record that is not decodable becomes a line that says why and holds
/// its bytes. The inner result is the writer's.
///
/// # Errors
/// When the log cannot be read.
pub fn dump(
    log: &dyn Log,
    selection: &Selection,
    out: &mut impl Write,
) -> anyhow::Result<io::Result<()>> {
    let mut written = Ok(());
    walk(log, selection, &mut |record| {
        let line = match canonical::record(record) {
            Ok(line) => line,
            Err(error) => undecodable(record, &error.to_string()),
        };
        if selection.kind.as_ref().is_none_or(|kind| line["kind"] == kind.as_str()) {
            written = writeln!(out, "{line}");
        }
        Ok(written.is_ok())
    })?;
    Ok(written)
}

/// Number and digest of the selected outputs.
///
/// # Errors
/// When the log cannot be read, or an output is not decodable.
pub fn digest_of(log: &dyn Log, selection: &Selection) -> anyhow::Result<Value> {
    let mut digest = Digest::default();
    walk(log, selection, &mut |record| {
        let place = || format!("{}/{} offset `{}`", record.topic, record.partition, record.offset);
        let Some(value) = &record.value else { return Ok(true) };
        let envelope = Envelope::decode(value.clone()).with_context(place)?;
        if selection.kind.as_ref().is_none_or(|kind| kind == envelope.kind.name()) {
            let key = std::str::from_utf8(&record.key).with_context(place)?;
            digest.add(key, &canonical::output(key, &envelope).with_context(place)?);
        }
        Ok(true)
    })?;
    Ok(json!({"outputs": digest.outputs(), "digest": digest.hex()}))
}

fn undecodable(record: &Record, error: &str) -> Value {
    let value = record.value.as_deref().unwrap_or_default();
    json!({
        "topic": record.topic.short(),
        "partition": record.partition,
        "offset": record.offset,
        "appended_at": record.appended_at.to_string(),
        "key": String::from_utf8_lossy(&record.key),
        "undecodable": error,
        "bytes": engine::record::digest::hex(value),
    })
}

/// What a walk does with a record; `false` ends it.
type Visit<'v> = &'v mut dyn FnMut(&Record) -> anyhow::Result<bool>;

/// Visits the records appended in the selected time, by partition and offset.
fn walk(log: &dyn Log, selection: &Selection, visit: Visit<'_>) -> anyhow::Result<()> {
    let topic = selection.topic;
    for partition in 0..log.partitions(topic) {
        let end = log.bounds(topic, partition)?.end;
        let (mut reader, mut position) = match selection.from {
            None => at_start(log, topic, partition)?,
            Some(time) => match log.offset_at(topic, partition, time)? {
                Some(offset) => (log.reader(topic, &[(partition, offset)])?, offset),
                None => continue,
            },
        };
        let mut empty = 0;
        'partition: while position < end {
            let records = match reader.poll(PIECE, WAIT) {
                Ok(records) => records,
                // Retention has overtaken us: go on with what is left.
                Err(LogError::OffsetGone { .. }) => {
                    (reader, position) = at_start(log, topic, partition)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            empty = if records.is_empty() { empty + 1 } else { 0 };
            if empty > EMPTY_POLLS_MAX {
                bail!("{topic}/{partition} does not go on from offset `{position}`, end `{end}`");
            }
            for record in records {
                if record.offset >= end || selection.to.is_some_and(|to| record.appended_at >= to) {
                    break 'partition;
                }
                let early = selection.from.is_some_and(|from| record.appended_at < from);
                if !early && !visit(&record)? {
                    return Ok(());
                }
            }
            position = reader.position(partition).unwrap_or(end);
        }
    }
    Ok(())
}

/// A reader at the start of a partition, and that start.
fn at_start(
    log: &dyn Log,
    topic: Topic,
    partition: u32,
) -> Result<(Box<dyn Reader>, u64), LogError> {
    loop {
        let start = log.bounds(topic, partition)?.start;
        match log.reader(topic, &[(partition, start)]) {
            // Retention works at the same time; the start only rises, up to the end.
            Err(LogError::OffsetGone { .. }) => {}
            Err(error) => return Err(error),
            Ok(reader) => return Ok((reader, start)),
        }
    }
}
