//! The logs of the one binary: on disk, or on Kafka.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use ingest::log::Log;

pub mod disk;
pub mod kafka;

use crate::clock;
use crate::config::Config;
use disk::{DiskLog, Settings};
use kafka::KafkaLog;

/// Where a log is, as `--log` and `--data` say it.
enum Place<'a> {
    Disk(&'a Path),
    Kafka(&'a str),
}

fn place<'a>(data: Option<&'a Path>, log: Option<&'a str>) -> anyhow::Result<Place<'a>> {
    match (log, data) {
        (Some(log), _) if log.starts_with("kafka://") => Ok(Place::Kafka(log)),
        (Some(log), _) => {
            bail!("log `{log}` is unknown: expected `kafka://HOST:PORT`, or `--data DIR` alone")
        }
        (None, Some(dir)) => Ok(Place::Disk(dir)),
        (None, None) => {
            bail!("no log is named: expected `--data DIR` or `--log kafka://HOST:PORT`")
        }
    }
}

/// Opens the log for writing: `--log` when given, otherwise the one in the data directory.
///
/// # Errors
/// When neither is given, the name is unknown, another process writes it, or it cannot be opened.
pub fn open(data: Option<&Path>, log: Option<&str>) -> anyhow::Result<Arc<dyn Log>> {
    match place(data, log)? {
        Place::Disk(dir) => {
            let log = DiskLog::open(dir, Settings::of(dir), clock::wall())
                .with_context(|| format!("open log in `{}`", dir.display()))?;
            match log.notice() {
                Ok(notice) => tracing::info!(notice, "log is open"),
                Err(error) => tracing::warn!(%error, "log cannot say what it needs"),
            }
            Ok(Arc::new(log))
        }
        Place::Kafka(log) => Ok(Arc::new(connect(log)?)),
    }
}

/// Makes the topics on a cluster that has none of them; one that has is checked when it is opened.
///
/// # Errors
/// When no broker answers or it refuses.
pub fn prepare(log: &str, config: &Config) -> anyhow::Result<()> {
    let properties = kafka::Properties::new(kafka::brokers(log)?, &config.log.kafka);
    if kafka::topics::none_exists(&properties)? {
        let made = kafka::topics::create(&properties, CLUSTERS_OWN)?;
        tracing::info!(topics = made.len(), "made the topics");
    }
    Ok(())
}

/// Replication as the cluster has it by default.
const CLUSTERS_OWN: i32 = -1;

/// Opens the log for reading, also while another process writes it.
///
/// # Errors
/// When neither is given, the name is unknown, or there is no log.
pub fn open_reading(data: Option<&Path>, log: Option<&str>) -> anyhow::Result<Arc<dyn Log>> {
    match place(data, log)? {
        Place::Disk(dir) => {
            let log = DiskLog::open_reading(dir)
                .with_context(|| format!("read log in `{}`", dir.display()))?;
            Ok(Arc::new(log))
        }
        Place::Kafka(log) => Ok(Arc::new(connect(log)?)),
    }
}

fn connect(log: &str) -> anyhow::Result<KafkaLog> {
    let extra = Config::load(None)?.log.kafka;
    KafkaLog::connect(kafka::brokers(log)?, &extra).with_context(|| format!("open log `{log}`"))
}
