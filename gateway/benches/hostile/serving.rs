//! The door in a process of its own.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway::{Gateway, Limits, Listen, Metrics, Settings};
use ingest::id::{DeviceId, TenantId, percent_encoded};
use ingest::log::{Appending, Bounds, Log, LogError, Member, MemoryLog, NewRecord, Reader, Topic};
use ingest::protocol::{Transport, by_name};
use ingest::record::DeviceRecord;
use ingest::time::Timestamp;
use prometheus_client::registry::Registry;

use crate::devices;

/// First argument of the process.
pub(crate) const SERVE: &str = "--serve";
/// How long an append takes, as on a disk or in a cluster.
pub(crate) const DURABLE: Duration = Duration::from_millis(5);
/// What all speak.
pub(crate) const PROTOCOL: &str = "teltonika";

/// Takes inputs after [`DURABLE`] and keeps none of them; devices lie in memory.
struct Slow(MemoryLog);

impl Log for Slow {
    fn partitions(&self, topic: Topic) -> u32 {
        self.0.partitions(topic)
    }
    fn append(&self, records: Vec<NewRecord>) -> Appending {
        if records.first().is_some_and(|r| r.topic == Topic::Devices) {
            return self.0.append(records);
        }
        drop(records);
        Box::pin(async {
            tokio::time::sleep(DURABLE).await;
            Ok(Vec::new())
        })
    }
    fn bounds(&self, topic: Topic, partition: u32) -> Result<Bounds, LogError> {
        self.0.bounds(topic, partition)
    }
    fn offset_at(&self, t: Topic, p: u32, time: Timestamp) -> Result<Option<u64>, LogError> {
        self.0.offset_at(t, p, time)
    }
    fn committed(&self, group: &str, t: Topic, p: u32) -> Result<Option<u64>, LogError> {
        self.0.committed(group, t, p)
    }
    fn reader(&self, topic: Topic, from: &[(u32, u64)]) -> Result<Box<dyn Reader>, LogError> {
        self.0.reader(topic, from)
    }
    fn member(&self, group: &str, t: Topic, owner: &str) -> Result<Box<dyn Member>, LogError> {
        self.0.member(group, t, owner)
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_seconds(since.map_or(0, |since| since.as_secs() as i64))
}

/// Every device there is, in one append.
async fn registered() -> MemoryLog {
    let log = MemoryLog::new(1, Arc::new(now));
    let tenant = TenantId::new("bench").expect("a tenant");
    let record = |device: &DeviceId| {
        let (tenant, key) = (tenant.clone(), percent_encoded(device).into_bytes().into());
        let none = DeviceRecord {
            tenant,
            protocols: vec![],
            assignments: vec![],
            networks: vec![],
            secret: None,
        };
        none.envelope().into_record(Topic::Devices, key)
    };
    let all = (0..devices::KNOWN).map(|n| record(&devices::id(n))).collect();
    log.append(all).await.expect("devices are registered");
    log
}

/// Serves until the input ends; tells its addresses first and its counters last.
#[expect(clippy::print_stdout, reason = "it tells the bench where it listens and what it counted")]
pub(crate) fn serve() {
    let runtime = crate::process::runtime();
    runtime.block_on(async {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = [Transport::Tcp, Transport::Udp];
        let settings = Settings {
            listen: listen.map(|t| Listen::plain(by_name(PROTOCOL), t, any)).into(),
            limits: Limits { exempt: Vec::new(), ..Limits::default() },
            sockets: 2,
            ..Settings::default()
        };
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        let log = Arc::new(Slow(registered().await));
        let gateway = Gateway::start(settings, log, Arc::new(now), &metrics).await;
        let gateway = gateway.expect("the door opens");
        let [stream, datagram] = [0, 1].map(|n| gateway.listening()[n].address);
        println!("{stream} {datagram}");
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        drop(end.await);
        // The kernel's count of what it dropped is read once a second.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("counters");
        print!("{text}");
    });
}
