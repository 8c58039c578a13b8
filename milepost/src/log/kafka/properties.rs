//! Every librdkafka setting we make, with its reason. Users' own win over all of them.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;

/// Brokers and the user's own properties.
#[derive(Debug, Clone)]
pub struct Properties {
    brokers: String,
    extra: BTreeMap<String, String>,
}

/// Longest a transaction may stay open; the broker ends it then, and until then readers of what
/// it wrote wait.
const TRANSACTION_TIMEOUT_MS: u32 = 5_000;

impl Properties {
    /// `brokers` is `HOST:PORT[,…]`, `extra` any property of librdkafka (`[log.kafka]`).
    pub fn new(brokers: &str, extra: &BTreeMap<String, String>) -> Self {
        Self { brokers: brokers.to_owned(), extra: extra.clone() }
    }

    /// Where the cluster is.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    fn with(&self, settings: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        // The default waits up to 10 s between attempts; measured 9 s longer without output.
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "500");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        for (name, value) in &self.extra {
            // A property of producers is unknown to consumers and the other way round; librdkafka
            // only warns of that.
            config.set(name, value);
        }
        config
    }

    /// A client that makes and describes topics.
    pub(super) fn admin(&self) -> ClientConfig {
        self.with(&[])
    }

    /// The plain producer.
    pub(super) fn producer(&self) -> ClientConfig {
        self.with(&[
            ("acks", "all"),
            ("enable.idempotence", "true"),
            // Above the brokers' and below the bound at which a device is told to send again.
            ("message.timeout.ms", "30000"),
            ("message.max.bytes", "2097152"),
            ("linger.ms", "2"),
            ("compression.type", "lz4"),
            // The bound of what waits for the broker; beyond it appends are refused as full.
            ("queue.buffering.max.messages", "200000"),
            ("queue.buffering.max.kbytes", "131072"),
        ])
    }

    /// The producer of a member's transactions.
    pub(super) fn transactions(&self, id: &str) -> ClientConfig {
        let timeout = TRANSACTION_TIMEOUT_MS.to_string();
        let mut config = self.with(&[
            ("enable.idempotence", "true"),
            ("transaction.timeout.ms", &timeout),
            ("message.max.bytes", "2097152"),
            ("linger.ms", "2"),
            ("compression.type", "lz4"),
            ("queue.buffering.max.messages", "500000"),
            ("queue.buffering.max.kbytes", "262144"),
        ]);
        config.set("transactional.id", id);
        config
    }

    fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.with(&[
            ("enable.auto.commit", "false"),
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
            ("fetch.wait.max.ms", "50"),
            ("fetch.message.max.bytes", "2097152"),
            // Prefetch would otherwise be 64 MiB a partition.
            ("queued.max.messages.kbytes", "16384"),
        ]);
        config.set("group.id", group);
        config
    }

    /// A consumer that only asks questions about a group.
    pub(super) fn asker(&self, group: &str) -> ClientConfig {
        self.consumer(group)
    }

    /// The same, and open transactions do not keep it waiting: who holds what.
    pub(super) fn unstable_asker(&self, group: &str) -> ClientConfig {
        let mut config = self.consumer(group);
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// A reader without a group.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.consumer("milepost-readers");
        // The broker says "end of partition" only after this wait: recovery reads to many ends.
        config.set("enable.partition.eof", "true").set("fetch.wait.max.ms", "20");
        config
    }

    /// A member: static, so that an instance that comes back in time keeps its partitions.
    pub(super) fn member(&self, group: &str, owner: &str) -> ClientConfig {
        let mut config = self.consumer(group);
        config
            .set("group.instance.id", owner)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500")
            .set("max.poll.interval.ms", "300000");
        for (name, value) in &self.extra {
            config.set(name, value);
        }
        config
    }
}
