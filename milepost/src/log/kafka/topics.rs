//! Makes the topics, and refuses what is not as it should be.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use ingest::log::{LogError, Retention, Topic};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::properties::Properties;
use super::{ASK_LIMIT, unavailable, within};

/// Partitions of every topic: divisible by 1 to 4, 6, 8, 12, 16, 24 (design §4.1).
pub const PARTITIONS: u32 = 48;
/// Largest message of a topic, bytes: our largest record with its envelope.
const MESSAGE_BYTES_MAX: &str = "2097152";
const DAY_MS: u64 = 86_400_000;
/// A new partition has a leader within this time, or the cluster is not well: one broker on a
/// busy machine takes half a minute for all of ours.
const LEADER_LIMIT: Duration = Duration::from_mins(2);

/// What a topic must be like: name and value of its settings.
fn settings(topic: Topic) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("max.message.bytes", MESSAGE_BYTES_MAX.to_owned()),
    ];
    match topic.retention() {
        Retention::Compacted => settings.extend([
            ("cleanup.policy", "compact".to_owned()),
            // The newest segment is never compacted: without these a restore would grow unbounded.
            ("segment.ms", "600000".to_owned()),
            ("segment.bytes", "67108864".to_owned()),
            ("min.cleanable.dirty.ratio", "0.1".to_owned()),
            ("max.compaction.lag.ms", "600000".to_owned()),
        ]),
        Retention::Days(days) => settings.extend([
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", (u64::from(days) * DAY_MS).to_string()),
        ]),
    }
    settings
}

/// Settings that must hold for Milepost to be right; the others only make it faster.
const CHECKED: [&str; 3] = ["message.timestamp.type", "cleanup.policy", "retention.ms"];

/// Makes the topics that are missing; `replication` -1 is the cluster's own default. Answers
/// with the names it has made.
///
/// # Errors
/// `Unavailable` when no broker answers or refuses.
pub fn create(properties: &Properties, replication: i32) -> Result<Vec<String>, LogError> {
    let admin = admin(properties)?;
    let names = Topic::ALL.map(Topic::name);
    let settings = Topic::ALL.map(settings);
    let topics: Vec<NewTopic<'_>> = names
        .iter()
        .zip(&settings)
        .map(|(name, settings)| {
            let new =
                NewTopic::new(name, PARTITIONS.cast_signed(), TopicReplication::Fixed(replication));
            settings.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(Duration::from_secs(30)))
        .operation_timeout(Some(Duration::from_secs(30)));
    let answers = wait(admin.create_topics(&topics, &options))?.map_err(unavailable)?;
    let mut made = Vec::new();
    for answer in answers {
        match answer {
            Ok(name) => made.push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(LogError::Unavailable(format!("topic `{name}` was not made: {code}")));
            }
        }
    }
    if !made.is_empty() {
        until_led(properties)?;
    }
    Ok(made)
}

/// Waits until every partition has a leader that answers: a role that starts at once would
/// otherwise find topics that nobody leads yet, and give up.
fn until_led(properties: &Properties) -> Result<(), LogError> {
    let asker: BaseConsumer = properties.asker("topics").create().map_err(unavailable)?;
    for topic in Topic::ALL {
        for partition in 0..PARTITIONS.cast_signed() {
            within(LEADER_LIMIT, || asker.fetch_watermarks(&topic.name(), partition, ASK_LIMIT))?;
        }
    }
    Ok(())
}

/// The number of partitions of every topic, all of them as they should be.
///
/// # Errors
/// `Corrupt` names the topic and what was expected; `Unavailable` when no broker answers.
pub fn check(properties: &Properties) -> Result<BTreeMap<Topic, u32>, LogError> {
    let admin = admin(properties)?;
    let metadata = metadata(&admin, properties)?;
    let mut partitions = BTreeMap::new();
    for topic in Topic::ALL {
        let name = topic.name();
        let found = metadata.topics().iter().find(|t| t.name() == name);
        let count = found.map_or(0, |t| t.partitions().len() as u32);
        if count == 0 {
            return Err(LogError::Corrupt(format!(
                "topic `{name}` is missing; `milepost topics create --log …` makes it"
            )));
        }
        if count != PARTITIONS {
            return Err(LogError::Corrupt(format!(
                "topic `{name}` has `{count}` partitions, expected {PARTITIONS}"
            )));
        }
        partitions.insert(topic, count);
    }
    check_settings(&admin)?;
    Ok(partitions)
}

/// Whether none of the topics is there: a cluster that Milepost has never seen.
///
/// # Errors
/// `Unavailable` when no broker answers.
pub fn none_exists(properties: &Properties) -> Result<bool, LogError> {
    let admin = admin(properties)?;
    let metadata = metadata(&admin, properties)?;
    let names = Topic::ALL.map(Topic::name);
    Ok(!metadata.topics().iter().any(|t| names.iter().any(|n| n == t.name())))
}

fn check_settings(admin: &AdminClient<DefaultClientContext>) -> Result<(), LogError> {
    let names = Topic::ALL.map(Topic::name);
    let wanted: Vec<ResourceSpecifier<'_>> =
        names.iter().map(|n| ResourceSpecifier::Topic(n)).collect();
    let options = AdminOptions::new().request_timeout(Some(ASK_LIMIT));
    let answers = wait(admin.describe_configs(&wanted, &options))?.map_err(unavailable)?;
    for (topic, answer) in Topic::ALL.into_iter().zip(answers) {
        let found: ConfigResource = answer.map_err(unavailable)?;
        for (key, value) in settings(topic).iter().filter(|(k, _)| CHECKED.contains(k)) {
            let is = found.get(key).and_then(|e| e.value.clone()).unwrap_or_default();
            if is != *value {
                return Err(LogError::Corrupt(format!(
                    "topic `{}` has {key} `{is}`, expected `{value}`",
                    topic.name()
                )));
            }
        }
    }
    Ok(())
}

fn metadata(
    admin: &AdminClient<DefaultClientContext>,
    properties: &Properties,
) -> Result<Metadata, LogError> {
    admin.inner().fetch_metadata(None, ASK_LIMIT).map_err(|error| {
        LogError::Unavailable(format!("no broker answers at `{}`: {error}", properties.brokers()))
    })
}

fn admin(properties: &Properties) -> Result<AdminClient<DefaultClientContext>, LogError> {
    properties.admin().create().map_err(unavailable)
}

/// Waits on this thread, which may belong to a runtime already.
fn wait<T: Send>(question: impl Future<Output = T> + Send) -> Result<T, LogError> {
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(unavailable)?;
            Ok(runtime.block_on(question))
        });
        asked.join().unwrap_or_else(|_panic| Err(unavailable("the admin client has panicked")))
    })
}
