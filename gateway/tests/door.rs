//! The door over real sockets: secrets, orders, datagrams by the batch, a fleet that is sent home.

#![expect(clippy::unwrap_used, reason = "a test fails where it can not go on")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway::{Gateway, Limits, Listen, Metrics, Settings};
use ingest::command::{Command, Outcome};
use ingest::fix::Report;
use ingest::id::{DeviceId, TenantId, percent_encoded};
use ingest::log::{Log, MemoryLog, Topic};
use ingest::network::Network;
use ingest::protocol::{Transport, by_name};
use ingest::record::{DeviceRecord, Envelope, Kind, Order, OrderResult};
use ingest::secret::Secret;
use ingest::time::Timestamp;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

const IMEI: &str = "352093081452251";
const NOW: Timestamp = Timestamp::from_seconds(1_795_162_590);

fn device() -> DeviceId {
    DeviceId::new(IMEI).unwrap()
}

/// A device of `acme` that may speak from anywhere.
fn record() -> DeviceRecord {
    DeviceRecord {
        tenant: TenantId::new("acme").unwrap(),
        protocols: vec![],
        assignments: vec![],
        networks: vec![],
        secret: None,
    }
}

fn key() -> bytes::Bytes {
    percent_encoded(&device()).into_bytes().into()
}

/// An open door and its log.
struct Door {
    registry: Registry,
    log: MemoryLog,
    gateway: Gateway,
}

impl Door {
    async fn open(record: DeviceRecord, protocols: &[(&str, Transport)], limits: Limits) -> Self {
        let log = MemoryLog::new(2, Arc::new(|| NOW));
        log.append(vec![record.envelope().into_record(Topic::Devices, key())]).await.unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = protocols.iter().map(|(p, t)| Listen::plain(by_name(p), *t, any)).collect();
        let settings = Settings { listen, limits, sockets: 2, ..Settings::default() };
        let shared = Arc::new(log.clone());
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        let gateway = Gateway::start(settings, shared, Arc::new(|| NOW), &metrics).await.unwrap();
        Self { registry, log, gateway }
    }

    fn counted(&self, name: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap().parse().unwrap()
    }

    fn at(&self, name: &str, transport: Transport) -> SocketAddr {
        let found = |l: &&gateway::Listening| l.name == name && l.transport == transport;
        self.gateway.listening().iter().find(found).unwrap().address
    }

    /// What is answered to bytes; nothing where the connection ends.
    async fn ask(&self, name: &str, transport: Transport, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.at(name, transport)).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = vec![0; 512];
        let count = stream.read(&mut answer).await.unwrap_or(0);
        answer.truncate(count);
        answer
    }

    fn stored(&self, topic: Topic, kind: Kind) -> Vec<Envelope> {
        let from: Vec<_> = (0..2).map(|p| (p, 0)).collect();
        let mut reader = self.log.reader(topic, &from).unwrap();
        let records = reader.poll(1 << 24, Duration::ZERO).unwrap();
        let envelopes = records.into_iter().map(|r| Envelope::decode(r.value.unwrap()).unwrap());
        envelopes.filter(|e| e.kind == kind).collect()
    }

    async fn order(&self, id: &str, command: Command) {
        let (id, by) = (id.to_owned(), "ana".to_owned());
        let (until, approved_by) = (NOW.plus_seconds(60.0), Some("rui".to_owned()));
        let order = Order { id, command, at: NOW, until, by, approved_by };
        let record = order.envelope().into_record(Topic::Commands, key());
        self.log.append(vec![record]).await.unwrap();
    }

    /// Waits until so much has come of orders.
    async fn results(&self, count: usize) -> Vec<(String, Outcome, String)> {
        loop {
            let results = self.stored(Topic::Commands, Kind::OrderResult);
            if results.len() >= count {
                let read = |e| {
                    let result = OrderResult::from_envelope(e).unwrap();
                    (result.id, result.outcome, result.words)
                };
                return results.iter().map(read).collect();
            }
            tokio::task::yield_now().await;
        }
    }
}

fn with_secret() -> DeviceRecord {
    DeviceRecord { secret: Secret::new([7; 16], b"open sesame"), ..record() }
}

#[tokio::test]
async fn a_device_with_a_secret_shows_it() {
    let doors =
        [("wialon", Transport::Tcp), ("teltonika", Transport::Tcp), ("osmand", Transport::Http)];
    let door = Door::open(with_secret(), &doors, Limits::default()).await;
    let login = |password: &str| format!("#L#{IMEI};{password}\r\n").into_bytes();
    let tcp = Transport::Tcp;
    assert_eq!(door.ask("wialon", tcp, &login("open sesame")).await, b"#AL#1\r\n");
    for wrong in ["open barley", "NA", ""] {
        assert_eq!(door.ask("wialon", tcp, &login(wrong)).await, b"#AL#0\r\n", "{wrong}");
    }
    let mut encode = by_name("teltonika").unwrap().encoder(tcp, &device());
    let answer = door.ask("teltonika", tcp, &encode.login()).await;
    assert_eq!(answer, [0], "a protocol that shows nothing is no way round");

    let get = |header: &str| {
        format!("GET /?id={IMEI}&lat=41.1&lon=-8.6 HTTP/1.1\r\nHost: a\r\n{header}\r\n")
            .into_bytes()
    };
    let http = Transport::Http;
    let taken = door.ask("osmand", http, &get("Authorization: Bearer open sesame\r\n")).await;
    assert!(taken.starts_with(b"HTTP/1.1 200"), "{}", taken.escape_ascii());
    for wrong in ["", "Authorization: Bearer open barley\r\n"] {
        let refused = door.ask("osmand", http, &get(wrong)).await;
        assert!(refused.starts_with(b"HTTP/1.1 400"), "{wrong}");
    }
    assert_eq!(door.stored(Topic::Inputs, Kind::Fix).len(), 1, "one of three was taken");
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_proxys_connection_is_not_believed_for_the_next_request() {
    let doors = [("overland", Transport::Http), ("owntracks", Transport::Mqtt)];
    let door = Door::open(with_secret(), &doors, Limits::default()).await;
    let place = format!(
        r#"{{"locations":[{{"geometry":{{"coordinates":[-8.6,41.1]}},"properties":{{"timestamp":"2026-11-20T08:15:30Z","device_id":"{IMEI}"}}}}]}}"#
    );
    let post = |header: &str| {
        let length = place.len();
        format!("POST / HTTP/1.1\r\nHost: a\r\n{header}Content-Length: {length}\r\n\r\n{place}")
    };
    let mut stream = TcpStream::connect(door.at("overland", Transport::Http)).await.unwrap();
    let mut answer = [0; 512];
    for (header, status) in
        [("Authorization: Basic YTpvcGVuIHNlc2FtZQ==\r\n", "HTTP/1.1 200"), ("", "HTTP/1.1 400")]
    {
        stream.write_all(post(header).as_bytes()).await.unwrap();
        let count = stream.read(&mut answer).await.unwrap();
        assert!(answer[..count].starts_with(status.as_bytes()), "{header}");
    }
    assert_eq!(door.stored(Topic::Inputs, Kind::Fix).len(), 1);

    // MQTT: CONNECT with a will, whose topic says who speaks, and a password.
    let connect = |password: &str| {
        let text = |t: &str| [&(t.len() as u16).to_be_bytes()[..], t.as_bytes()].concat();
        let topic = format!("owntracks/{IMEI}");
        let body = [
            text("MQTT"),
            vec![4, 0xc6, 0, 60],
            text("phone"),
            text(&topic),
            text("gone"),
            text("ana"),
            text(password),
        ]
        .concat();
        [&[0x10, body.len() as u8][..], &body].concat()
    };
    let mqtt = Transport::Mqtt;
    assert_eq!(door.ask("owntracks", mqtt, &connect("open sesame")).await, [0x20, 2, 0, 0]);
    let refused = door.ask("owntracks", mqtt, &connect("open barley")).await;
    assert_eq!(refused, [0x20, 2, 0, 5], "not authorised");
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_device_speaks_from_its_networks_alone() {
    let networks = vec![Network::parse("10.0.0.0/8").unwrap()];
    let doors = [("teltonika", Transport::Tcp)];
    let door = Door::open(DeviceRecord { networks, ..record() }, &doors, Limits::default()).await;
    let mut encode = by_name("teltonika").unwrap().encoder(Transport::Tcp, &device());
    assert_eq!(door.ask("teltonika", Transport::Tcp, &encode.login()).await, [0]);
    door.gateway.stop().await;
}

#[tokio::test]
async fn an_order_waits_for_its_device_and_its_answer_comes_back() {
    let doors = [("teltonika", Transport::Tcp)];
    let limits = Limits { harmful_commands: true, ..Limits::default() };
    let door = Door::open(record(), &doors, limits).await;
    door.order("early", Command::Restart).await;
    let mut stream = TcpStream::connect(door.at("teltonika", Transport::Tcp)).await.unwrap();
    let mut encode = by_name("teltonika").unwrap().encoder(Transport::Tcp, &device());
    stream.write_all(&encode.login()).await.unwrap();
    let mut told = [0; 64];
    stream.read_exact(&mut told[..1]).await.unwrap();
    assert_eq!(told[0], 1, "first the login");
    let restart = 20 + "cpureset".len();
    stream.read_exact(&mut told[..restart]).await.unwrap();
    assert_eq!(&told[15..restart - 5], b"cpureset");
    // The next one follows the answer to the last.
    door.order("late", Command::EngineStop).await;
    assert_eq!(door.results(1).await, [("early".to_owned(), Outcome::Sent, String::new())]);
    stream.write_all(&answer(b"OK")).await.unwrap();
    let stop = 20 + "setdigout 1".len();
    stream.read_exact(&mut told[..stop]).await.unwrap();
    assert_eq!(&told[15..stop - 5], b"setdigout 1");
    let results = door.results(3).await;
    assert!(results.contains(&("early".to_owned(), Outcome::Answered, "OK".to_owned())));
    assert!(results.contains(&("late".to_owned(), Outcome::Sent, String::new())));
    door.gateway.stop().await;
}

#[tokio::test]
async fn harm_is_off_by_default() {
    let doors = [("teltonika", Transport::Tcp)];
    let door = Door::open(record(), &doors, Limits::default()).await;
    door.order("stop", Command::EngineStop).await;
    let results = door.results(1).await;
    assert_eq!((results[0].0.as_str(), results[0].1), ("stop", Outcome::Refused));
    door.gateway.stop().await;
}

/// A device's answer in codec 12.
fn answer(words: &[u8]) -> Vec<u8> {
    let mut data = vec![0x0c, 1, 6];
    data.extend((words.len() as u32).to_be_bytes());
    data.extend(words);
    data.push(1);
    let crc = data.iter().fold(0_u16, |crc, b| {
        (0..8).fold(crc ^ u16::from(*b), |c, _| (c >> 1) ^ (0xa001 * (c & 1)))
    });
    let mut frame = vec![0; 4];
    frame.extend((data.len() as u32).to_be_bytes());
    frame.extend(&data);
    frame.extend(u32::from(crc).to_be_bytes());
    frame
}

#[tokio::test]
async fn datagrams_are_answered_when_they_are_stored() {
    let doors = [("teltonika", Transport::Udp)];
    let door = Door::open(record(), &doors, Limits::default()).await;
    let mut encode = by_name("teltonika").unwrap().encoder(Transport::Udp, &device());
    let mut sockets = Vec::new();
    for n in 0..50 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(door.at("teltonika", Transport::Udp)).await.unwrap();
        let report = Report { time: Some(NOW.plus_seconds(-f64::from(n))), ..Report::of(device()) };
        socket.send(&encode.packet(&[report])).await.unwrap();
        sockets.push(socket);
    }
    for socket in sockets {
        let mut told = [0; 16];
        assert_eq!(socket.recv(&mut told).await.unwrap(), 7);
    }
    let stored = [Kind::Fix, Kind::Report].map(|kind| door.stored(Topic::Inputs, kind).len());
    assert_eq!(stored.iter().sum::<usize>(), 50);
    door.gateway.stop().await;
}

#[tokio::test]
async fn who_says_too_much_is_heard_later_and_wholly() {
    let doors = [("teltonika", Transport::Tcp)];
    // The burst is 160 kB, and some 40 kB beyond it take two seconds at most.
    let limits = Limits { bytes_per_device: 20_000, exempt: Vec::new(), ..Limits::default() };
    let door = Door::open(record(), &doors, limits).await;
    let stream = TcpStream::connect(door.at("teltonika", Transport::Tcp)).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let mut encode = by_name("teltonika").unwrap().encoder(Transport::Tcp, &device());
    writing.write_all(&encode.login()).await.unwrap();
    let report = Report { time: Some(NOW), ..Report::of(device()) };
    let packet = encode.packet(&[report]);
    let count = 200_000 / packet.len();
    let all = packet.repeat(count);
    let said = tokio::spawn(async move { writing.write_all(&all).await.map(|()| writing) });
    let mut told = vec![0; 1 + 4 * count];
    reading.read_exact(&mut told).await.unwrap();
    assert!(told[1..].chunks(4).all(|answer| answer == [0, 0, 0, 1]), "every packet is answered");
    assert!(door.counted("milepost_gateway_paced_total") > 0, "and some were read later");
    drop(said.await.unwrap().unwrap());
    door.gateway.stop().await;
}

#[tokio::test]
async fn who_does_not_say_who_he_is_is_thrown_out() {
    let doors = [("gps103", Transport::Tcp)];
    let door = Door::open(record(), &doors, Limits::default()).await;
    let mut stream = TcpStream::connect(door.at("gps103", Transport::Tcp)).await.unwrap();
    // Line ends between frames are no bad frames.
    let nothing = [b'\n'; 4096];
    let mut said = 0;
    while stream.write_all(&nothing).await.is_ok() {
        said += nothing.len();
        assert!(said < 64 << 20, "the door listens for ever");
    }
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_door_that_closes_sends_everybody_home() {
    let doors = [("teltonika", Transport::Tcp)];
    let door = Door::open(record(), &doors, Limits::default()).await;
    let mut streams = Vec::new();
    for _ in 0..40 {
        streams.push(TcpStream::connect(door.at("teltonika", Transport::Tcp)).await.unwrap());
    }
    let (door, ()) = (door.gateway, tokio::task::yield_now().await);
    door.stop().await;
    for mut stream in streams {
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "closed");
    }
}
