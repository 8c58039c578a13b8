//! Proxies that say for whom they connect, and others that may not.

use super::*;

/// A door for teltonika that believes loopback, or nobody.
async fn door(believed: &str) -> Door {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut settings = Settings {
        listen: vec![Listen::plain(by_name("teltonika"), Transport::Tcp, anywhere)],
        proxies: vec![gateway::Network::parse(believed).unwrap()],
        register_unknown: Some(TenantId::new("acme").unwrap()),
        ..Settings::default()
    };
    settings.limits.connections_per_address = 2;
    Door::with(settings).await
}

fn closed(door: &Door, reason: &str) -> f64 {
    door.metric(&format!(
        "milepost_gateway_connections_closed_total{{protocol=\"teltonika\",reason=\"{reason}\"}}"
    ))
}

/// Connects for somebody and logs in as a device; whether that was granted.
async fn login_as(device: &str, door: &Door, header: &[u8]) -> (TcpStream, bool) {
    let device = DeviceId::new(device).unwrap();
    let mut device = by_name("teltonika").unwrap().encoder(Transport::Tcp, &device);
    let mut stream = door.connect("teltonika", Transport::Tcp).await;
    stream.write_all(&[header, &device.login()].concat()).await.unwrap();
    let mut buffer = [0; 16];
    let granted = stream.read(&mut buffer).await.is_ok_and(|n| buffer[..n] == [1]);
    (stream, granted)
}

async fn login_for(door: &Door, header: &[u8]) -> (TcpStream, bool) {
    login_as(IMEI, door, header).await
}

const ANA: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 5027\r\n";
const EVE: &[u8] = b"PROXY TCP4 192.0.2.8 198.51.100.1 56324 5027\r\n";

#[tokio::test]
async fn conflicts_are_between_the_addresses_that_the_proxy_names() {
    let door = door("127.0.0.0/8").await;
    let (mut stream, granted) = login_for(&door, ANA).await;
    assert!(granted);
    // The same identity from another address, while the first one lives.
    assert!(!login_for(&door, EVE).await.1);
    until(|| !door.inputs().is_empty()).await;
    let conflict = door.inputs().remove(0).report;
    let named = ingest::attribute::Key::Other(ingest::record::CONFLICT.into());
    let address = ingest::attribute::Value::Text("192.0.2.8".into());
    assert_eq!(conflict.attributes.get(&named), Some(address));
    // In version 2, byte by byte: the same address replaces itself.
    let rest = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x13, 0xa3];
    let header = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &rest].concat();
    let mut device = encoder("teltonika", Transport::Tcp);
    let mut second = door.connect("teltonika", Transport::Tcp).await;
    for byte in [header, device.login()].concat() {
        second.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(answer(&mut second, device.as_mut()).await, Answer::LoggedIn);
    assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)), "it has been replaced");
    door.gateway.stop().await;
}

#[tokio::test]
async fn limits_are_those_of_the_addresses_that_the_proxy_names() {
    let door = door("127.0.0.0/8").await;
    let (one, first) = login_as("352093081452001", &door, EVE).await;
    let (other, second) = login_as("352093081452002", &door, EVE).await;
    assert!(first && second);
    assert!(!login_as("352093081452003", &door, EVE).await.1, "a third one of this address");
    until(|| closed(&door, "address_limit") > 0.5).await;
    assert!(login_for(&door, ANA).await.1, "another address");
    // The proxy itself sees whether we live, as often as it likes.
    for _ in 0..3 {
        assert!(login_as("352093081452004", &door, b"PROXY UNKNOWN\r\n").await.1);
    }
    drop((one, other));
    door.gateway.stop().await;
}

#[tokio::test]
async fn nobody_else_may_say_for_whom_it_connects() {
    let door = door("10.0.0.0/8").await;
    assert!(!login_for(&door, ANA).await.1);
    until(|| closed(&door, "proxy_header") > 0.5).await;
    let bad = "milepost_gateway_frames_bad_total{protocol=\"teltonika\",reason=\"malformed\"}";
    assert!((door.metric(bad) - 1.0).abs() < 0.5);
    assert!(login_for(&door, b"").await.1);
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_proxy_that_does_not_say_is_refused() {
    let door = door("127.0.0.0/8").await;
    assert!(!login_for(&door, b"").await.1);
    until(|| closed(&door, "proxy_header") > 0.5).await;
    door.gateway.stop().await;
}
