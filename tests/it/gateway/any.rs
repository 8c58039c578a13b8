//! One port for every protocol.

use super::*;

async fn door() -> Door {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listen = [Transport::Tcp, Transport::Udp].map(|t| Listen::plain(None, t, anywhere));
    Door::with(Settings { listen: listen.into(), ..Settings::default() }).await
}

/// Some that differ in how they begin and how they are told apart.
const SOME: [(&str, Transport); 8] = [
    ("teltonika", Transport::Tcp),
    ("gt06", Transport::Tcp),
    ("jt808", Transport::Tcp),
    ("wialon", Transport::Tcp),
    ("tk103", Transport::Tcp),
    ("osmand", Transport::Http),
    ("owntracks", Transport::Http),
    ("owntracks", Transport::Mqtt),
];

#[tokio::test]
async fn devices_of_any_protocol_are_answered_on_one_port() {
    let door = door().await;
    let mut stored = 0;
    for (protocol, transport) in SOME {
        let mut device = encoder(protocol, transport);
        let mut stream = door.connect(gateway::ANY, Transport::Tcp).await;
        let login = device.login();
        if !login.is_empty() {
            stream.write_all(&login).await.unwrap();
            assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::LoggedIn, "{protocol}");
        }
        stream.write_all(&device.packet(&reports(1))).await.unwrap();
        if device.acknowledges() {
            assert_eq!(answer(&mut stream, device.as_mut()).await, Answer::Stored, "{protocol}");
            stored += 1;
            let inputs = door.inputs();
            assert!(inputs.iter().any(|i| i.protocol == protocol), "{protocol}");
            assert!(inputs.len() >= stored);
        }
    }
    door.gateway.stop().await;
}

#[tokio::test]
async fn what_is_not_recognised_is_refused_and_counted() {
    let door = door().await;
    let closed =
        "milepost_gateway_connections_closed_total{protocol=\"any\",reason=\"unrecognised\"}";
    let mut stream = door.connect(gateway::ANY, Transport::Tcp).await;
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").await.unwrap();
    assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    until(|| door.metric(closed) > 0.5).await;
    // Something that might become a protocol is waited for up to the bound.
    let mut stream = door.connect(gateway::ANY, Transport::Tcp).await;
    let long = [b"GET /".as_slice(), &[b'x'; gateway::limits::RECOGNISE_MAX]].concat();
    stream.write_all(&long).await.unwrap();
    assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    until(|| door.metric(closed) > 1.5).await;
    door.gateway.stop().await;
}

#[tokio::test]
async fn datagrams_are_counted_as_what_they_are() {
    let door = door().await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.connect(door.at(gateway::ANY, Transport::Udp)).await.unwrap();
    let mut tracker = encoder("teltonika", Transport::Udp);
    udp.send(&tracker.packet(&reports(1))).await.unwrap();
    let mut buffer = [0; 512];
    let n = udp.recv(&mut buffer).await.unwrap();
    let mut answers = Vec::new();
    tracker.answer(&buffer[..n], &mut answers);
    assert_eq!(answers, [Answer::Stored]);
    udp.send(b"\x16\x03 no protocol").await.unwrap();
    let count = |what: &str, protocol: &str| {
        door.metric(&format!("milepost_gateway_datagrams_{what}_total{{protocol=\"{protocol}\"}}"))
    };
    until(|| count("received", gateway::ANY) > 0.5).await;
    assert!((count("accepted", "teltonika") - 1.0).abs() < 0.5);
    let rejected =
        "milepost_gateway_datagrams_rejected_total{protocol=\"any\",reason=\"unrecognised\"}";
    assert!((door.metric(rejected) - 1.0).abs() < 0.5);
    door.gateway.stop().await;
}
