//! The door over real sockets: who is answered, when, and what becomes of bad bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gateway::limits::WINDOW_BYTES_MAX;
use gateway::{Gateway, Listen, Settings};
use ingest::attribute::Attributes;
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, TenantId, VehicleId, percent_encoded};
use ingest::log::{Log, MemoryLog, Record, Topic};
use ingest::protocol::{Answer, Encode, Transport, by_name};
use ingest::record::{DeviceInput, DeviceRecord, Envelope};
use ingest::time::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::line::{Counted, FIXES_A_PACKET, Tracker, Van, WINDOW_MAX, keep_sending, within};
use crate::log::held::HeldLog;

mod any;
mod mqtt;
mod proxy;
mod tls;

const NOW: i64 = 1_790_000_000;
const IMEI: &str = "352093081452251";

struct Door {
    log: Arc<HeldLog>,
    stored: MemoryLog,
    gateway: Gateway,
    counted: Counted,
}

impl Door {
    /// Opens every protocol on free ports.
    async fn open(register_unknown: Option<&str>) -> Self {
        let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listen = ingest::protocol::PROTOCOLS.iter().flat_map(|protocol| {
            let transports = protocol.transports().iter();
            transports.map(move |t| Listen::plain(Some(*protocol), *t, anywhere))
        });
        Self::with(Settings {
            listen: listen.collect(),
            register_unknown: register_unknown.map(|t| TenantId::new(t).unwrap()),
            ..Settings::default()
        })
        .await
    }

    /// Knows the device [`IMEI`] of `acme/van-1`.
    async fn with(settings: Settings) -> Self {
        let clock: ingest::log::Clock = Arc::new(|| Timestamp::from_seconds(NOW));
        let stored = MemoryLog::new(4, Arc::clone(&clock));
        let device = DeviceId::new(IMEI).unwrap();
        let record = DeviceRecord {
            tenant: TenantId::new("acme").unwrap(),
            protocols: vec![],
            assignments: vec![(Timestamp::default(), Some(VehicleId::new("van-1").unwrap()))],
            networks: vec![],
            secret: None,
        };
        let key = percent_encoded(&device).into_bytes().into();
        stored.append(vec![record.envelope().into_record(Topic::Devices, key)]).await.unwrap();
        let log = Arc::new(HeldLog::new(Arc::new(stored.clone())));
        let counted = Counted::default();
        let shared = Arc::clone(&log) as Arc<dyn Log>;
        let gateway = Gateway::start(settings, shared, clock, &counted.metrics).await.unwrap();
        Self { log, stored, gateway, counted }
    }

    fn at(&self, protocol: &str, transport: Transport) -> SocketAddr {
        let found = self.gateway.listening().iter();
        let mut found = found.filter(|l| l.name == protocol && l.transport == transport);
        found.next().unwrap().address
    }

    async fn connect(&self, protocol: &str, transport: Transport) -> TcpStream {
        TcpStream::connect(self.at(protocol, transport)).await.unwrap()
    }

    /// Everything stored in a topic.
    fn records(&self, topic: Topic) -> Vec<Record> {
        let from: Vec<_> = (0..4).map(|p| (p, 0)).collect();
        let mut reader = self.stored.reader(topic, &from).unwrap();
        reader.poll(1 << 24, std::time::Duration::ZERO).unwrap()
    }

    fn inputs(&self) -> Vec<DeviceInput> {
        let decode = |r: Record| {
            DeviceInput::from_envelope(&Envelope::decode(r.value.unwrap()).unwrap()).unwrap()
        };
        self.records(Topic::Inputs).into_iter().map(decode).collect()
    }

    fn metric(&self, line: &str) -> f64 {
        self.counted.metric(line)
    }
}

fn reports(count: i64) -> Vec<Report> {
    let report = |n: i64| Report {
        device: DeviceId::new(IMEI).unwrap(),
        time: Some(Timestamp::from_seconds(NOW - count + n)),
        fix: Some(
            Fix::new(Measured {
                lng: -8.61 + n as f64 * 1e-4,
                lat: 41.15,
                valid: true,
                speed: Some(8.0),
                heading: Some(90.0),
                altitude: Some(80.0),
                accuracy: None,
            })
            .unwrap(),
        ),
        attributes: Attributes::default(),
        checksum_ok: None,
    };
    (0..count).map(report).collect()
}

fn encoder(protocol: &str, transport: Transport) -> Box<dyn Encode> {
    by_name(protocol).unwrap().encoder(transport, &DeviceId::new(IMEI).unwrap())
}

/// Reads until the device understands an answer.
async fn answer(stream: &mut (impl AsyncRead + Unpin), encode: &mut dyn Encode) -> Answer {
    let mut answers = Vec::new();
    let mut buffer = [0; 1024];
    while answers.is_empty() {
        let n = stream.read(&mut buffer).await.unwrap();
        assert_ne!(n, 0, "closed without an answer");
        encode.answer(&buffer[..n], &mut answers);
    }
    answers[0]
}

/// Lets everything that is ready run, until `done`.
async fn until(done: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if done() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never happened");
}

#[tokio::test]
async fn a_device_is_answered_only_when_its_data_is_durable() {
    let door = Door::open(None).await;
    let mut stream = door.connect("teltonika", Transport::Tcp).await;
    let mut device = encoder("teltonika", Transport::Tcp);
    door.log.hold();
    // The login's answer waits for nothing.
    stream.write_all(&device.login()).await.unwrap();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::LoggedIn);
    // The data's answer waits for the log.
    stream.write_all(&device.packet(&reports(5))).await.unwrap();
    until(|| door.log.waiting() > 0).await;
    let mut buffer = [0; 16];
    assert!(stream.try_read(&mut buffer).is_err(), "answered before it was durable");
    door.log.release();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::Stored);
    let inputs = door.inputs();
    assert_eq!(inputs.len(), 5);
    let place = |r: &Report| r.fix.as_ref().map(|f| f.position);
    assert_eq!(place(&inputs[0].report), place(&reports(5)[0]));
    assert!(door.records(Topic::Inputs).iter().all(|r| r.key == "acme/van-1"));
    door.gateway.stop().await;
}

#[tokio::test]
async fn devices_that_keep_sending_to_a_held_log_fill_their_windows_and_no_more() {
    const DEVICES: usize = 6;
    let door = Door::open(Some("acme")).await;
    let at = door.at("teltonika", Transport::Tcp);
    let vans = (0..DEVICES).map(|n| Van::numbered(n, Timestamp::from_seconds(NOW)));
    let stop = Arc::new(AtomicBool::new(false));
    let mut speaking = Vec::new();
    for kind in vans.zip(FIXES_A_PACKET.into_iter().cycle()) {
        speaking.push((Arc::new(Tracker::login(at, &kind.0.device).await), kind));
    }
    door.log.hold();
    let start = |(tracker, kind): (Arc<Tracker>, _)| {
        let sending = keep_sending(Arc::clone(&tracker), kind, Arc::clone(&stop));
        (tracker, tokio::spawn(sending))
    };
    let speaking: Vec<_> = speaking.into_iter().map(start).collect();
    let appending = || door.metric("milepost_gateway_appending_bytes") as usize;
    until(|| appending() >= WINDOW_BYTES_MAX * DEVICES / 2).await;
    // Nobody reads any more, however long the devices go on.
    let mut full = 0;
    while appending() != full {
        full = appending();
        for turn in 0..10_000 {
            tokio::task::yield_now().await;
            let bytes = if turn % 100 == 0 { appending() } else { full };
            assert!(bytes <= DEVICES * WINDOW_MAX, "`{bytes}` bytes are under way");
        }
    }
    assert!(speaking.iter().all(|(t, _)| t.hears_nothing()), "answered before it was durable");
    stop.store(true, Ordering::Relaxed);
    door.log.release();
    let mut sent = 0;
    for (tracker, sending) in speaking {
        let fixes = within("a device is read again", sending).await.unwrap();
        tracker.stored(fixes).await;
        sent += fixes as usize;
    }
    assert_eq!(door.inputs().len(), sent);
    assert_eq!(appending(), 0);
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_connection_that_ends_before_its_append_is_not_waited_for() {
    let door = Door::open(None).await;
    let device = DeviceId::new(IMEI).unwrap();
    door.log.hold();
    let tracker = Tracker::login(door.at("teltonika", Transport::Tcp), &device).await;
    tracker.send(&reports(2)).await;
    until(|| door.log.waiting() > 0).await;
    // Its own second connection from the same address takes its place.
    let second = Tracker::login(door.at("teltonika", Transport::Tcp), &device).await;
    until(|| door.log.waiting() == 0).await;
    assert!(door.metric("milepost_gateway_appending_bytes") < 0.5);
    drop(second);
    door.log.release();
    door.gateway.stop().await;
}

#[tokio::test]
async fn every_transport_waits_for_the_log() {
    let door = Door::open(None).await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.connect(door.at("teltonika", Transport::Udp)).await.unwrap();
    let mut http = door.connect("osmand", Transport::Http).await;
    let (mut tracker, mut phone) =
        (encoder("teltonika", Transport::Udp), encoder("osmand", Transport::Http));
    door.log.hold();
    udp.send(&tracker.packet(&reports(2))).await.unwrap();
    http.write_all(&phone.packet(&reports(1))).await.unwrap();
    until(|| door.log.waiting() == 2).await;
    let mut buffer = [0; 512];
    assert!(udp.try_recv(&mut buffer).is_err() && http.try_read(&mut buffer).is_err());
    door.log.release();
    assert_eq!(answer(&mut http, phone.as_mut()).await, Answer::Stored);
    let n = udp.recv(&mut buffer).await.unwrap();
    let mut answers = Vec::new();
    tracker.answer(&buffer[..n], &mut answers);
    assert_eq!(answers, [Answer::Stored]);
    // The same place and time from two sources of one device is one fact.
    assert_eq!(door.inputs().len(), 3);
    let received = "milepost_gateway_datagrams_received_total{protocol=\"teltonika\"}";
    let accepted = "milepost_gateway_datagrams_accepted_total{protocol=\"teltonika\"}";
    assert!((door.metric(received) - 1.0).abs() < 0.5 && (door.metric(accepted) - 1.0).abs() < 0.5);
    door.gateway.stop().await;
}

#[tokio::test]
async fn unknown_devices_are_refused_or_register_themselves() {
    let door = Door::open(None).await;
    let stranger = DeviceId::new("352093081452000").unwrap();
    let login = by_name("teltonika").unwrap().encoder(Transport::Tcp, &stranger).login();
    let mut stream = door.connect("teltonika", Transport::Tcp).await;
    stream.write_all(&login).await.unwrap();
    let mut buffer = [0; 16];
    assert_eq!(stream.read(&mut buffer).await.unwrap(), 0, "closed without a login reply");
    let mut phone = by_name("osmand").unwrap().encoder(Transport::Http, &stranger);
    let mut http = door.connect("osmand", Transport::Http).await;
    http.write_all(&phone.packet(&reports(1))).await.unwrap();
    assert_eq!(answer(&mut http, phone.as_mut()).await, Answer::Refused);
    let closed = "milepost_gateway_connections_closed_total{protocol=\"teltonika\",reason=\"unknown_device\"}";
    until(|| door.metric(closed) > 0.5).await;
    assert!(door.inputs().is_empty());
    door.gateway.stop().await;

    let door = Door::open(Some("acme")).await;
    let mut stream = door.connect("teltonika", Transport::Tcp).await;
    let mut device = by_name("teltonika").unwrap().encoder(Transport::Tcp, &stranger);
    stream.write_all(&login).await.unwrap();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::LoggedIn);
    stream.write_all(&device.packet(&reports(1))).await.unwrap();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::Stored);
    assert_eq!(door.records(Topic::Inputs)[0].key, "acme/~352093081452000");
    assert_eq!(door.records(Topic::Devices).len(), 2);
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_log_that_is_away_is_waited_for_and_told() {
    let door = Door::open(None).await;
    let mut stream = door.connect("teltonika", Transport::Tcp).await;
    let mut device = encoder("teltonika", Transport::Tcp);
    stream.write_all(&device.login()).await.unwrap();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::LoggedIn);
    door.log.refuse(Some("disk is full"));
    stream.write_all(&device.packet(&reports(1))).await.unwrap();
    until(|| door.gateway.ready().is_err()).await;
    door.log.refuse(None);
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::Stored);
    assert!(door.gateway.ready().is_ok());
    assert_eq!(door.inputs().len(), 1);
    door.gateway.stop().await;
}

#[tokio::test]
async fn bad_bytes_are_counted_sampled_and_end_nothing_but_a_flood() {
    let door = Door::open(None).await;
    let mut stream = door.connect("teltonika", Transport::Tcp).await;
    let mut device = encoder("teltonika", Transport::Tcp);
    stream.write_all(&device.login()).await.unwrap();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::LoggedIn);
    let mut broken = device.packet(&reports(1));
    let last = broken.len() - 1;
    broken[last] ^= 0xff;
    stream.write_all(&broken).await.unwrap();
    // The device sends anew; it does not wait for an answer to what was broken.
    let mut device = encoder("teltonika", Transport::Tcp);
    device.login();
    device.answer(&[1], &mut Vec::new());
    stream.write_all(&device.packet(&reports(2))).await.unwrap();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::Stored);
    assert_eq!(door.inputs().len(), 2);
    assert_eq!(door.records(Topic::DeadLetters).len(), 1);
    let bad = "milepost_gateway_frames_bad_total{protocol=\"teltonika\",reason=\"checksum\"}";
    assert!((door.metric(bad) - 1.0).abs() < 0.5);
    for _ in 0..21 {
        // It may be closed while we still write.
        if stream.write_all(&broken).await.is_err() {
            break;
        }
    }
    let mut buffer = [0; 64];
    assert!(matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)), "the flood goes on");
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_drain_answers_what_is_on_its_way() {
    let door = Door::open(None).await;
    let mut stream = door.connect("teltonika", Transport::Tcp).await;
    let mut device = encoder("teltonika", Transport::Tcp);
    stream.write_all(&device.login()).await.unwrap();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::LoggedIn);
    door.log.hold();
    stream.write_all(&device.packet(&reports(3))).await.unwrap();
    until(|| door.log.waiting() > 0).await;
    let log = Arc::clone(&door.log);
    let stopping = tokio::spawn(door.gateway.stop());
    tokio::task::yield_now().await;
    log.release();
    assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::Stored);
    stopping.await.unwrap();
    let mut buffer = [0; 8];
    assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
}
