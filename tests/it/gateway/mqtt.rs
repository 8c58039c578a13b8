//! Phones that speak MQTT to the door as to a broker.

use super::*;

const CLOSED: &str = "milepost_gateway_connections_closed_total{protocol=\"owntracks\",reason=";

async fn connected(door: &Door) -> (TcpStream, Box<dyn Encode>) {
    let mut stream = door.connect("owntracks", Transport::Mqtt).await;
    let mut phone = encoder("owntracks", Transport::Mqtt);
    stream.write_all(&phone.login()).await.unwrap();
    assert_eq!(answer(&mut stream, phone.as_mut()).await, Answer::LoggedIn);
    (stream, phone)
}

#[tokio::test]
async fn a_place_is_acknowledged_when_it_is_durable() {
    let door = Door::open(None).await;
    let (mut stream, mut phone) = connected(&door).await;
    door.log.hold();
    stream.write_all(&phone.packet(&reports(1))).await.unwrap();
    until(|| door.log.waiting() > 0).await;
    // A ping is answered behind what came before it.
    stream.write_all(&[0xc0, 0]).await.unwrap();
    assert!(stream.try_read(&mut [0; 16]).is_err(), "answered before it was durable");
    door.log.release();
    let mut answers = [0; 6];
    stream.read_exact(&mut answers).await.unwrap();
    assert_eq!((answers[0], answers[1], &answers[4..]), (0x40, 2, [0xd0, 0].as_slice()));
    let inputs = door.inputs();
    assert_eq!((inputs.len(), inputs[0].protocol.as_str()), (1, "owntracks"));
    assert!(door.records(Topic::Inputs).iter().all(|r| r.key == "acme/van-1"));
    // DISCONNECT ends it.
    stream.write_all(&[0xe0, 0]).await.unwrap();
    assert_eq!(stream.read(&mut answers).await.unwrap(), 0);
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_stranger_is_not_connected() {
    let door = Door::open(None).await;
    let stranger = DeviceId::new("ana/phone").unwrap();
    let login = by_name("owntracks").unwrap().encoder(Transport::Mqtt, &stranger).login();
    let mut stream = door.connect("owntracks", Transport::Mqtt).await;
    stream.write_all(&login).await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "closed without CONNACK");
    until(|| door.metric(&format!("{CLOSED}\"unknown_device\"}}")) > 0.5).await;
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_second_connection_of_a_phone_takes_its_place() {
    let door = Door::open(None).await;
    let (mut first, _) = connected(&door).await;
    let (mut second, mut phone) = connected(&door).await;
    assert_eq!(first.read(&mut [0; 16]).await.unwrap(), 0);
    second.write_all(&phone.packet(&reports(1))).await.unwrap();
    assert_eq!(answer(&mut second, phone.as_mut()).await, Answer::Stored);
    door.gateway.stop().await;
}

#[tokio::test]
async fn one_and_a_half_keep_alives_of_silence_end_it() {
    let door = Door::open(None).await;
    let (mut stream, _) = connected(&door).await;
    // From here on time passes whenever nothing else is left to do.
    tokio::time::pause();
    let since = tokio::time::Instant::now();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    // What passed before is less than a second.
    assert!((89..=90).contains(&since.elapsed().as_secs()));
    until(|| door.metric(&format!("{CLOSED}\"idle_timeout\"}}")) > 0.5).await;
    tokio::time::resume();
    door.gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_mqtt_ends_at_once() {
    let door = Door::open(None).await;
    for noise in [&b"\x30\x05hello"[..], b"GET / HTTP/1.1\r\n\r\n", &[0x10, 0xff, 0xff, 0xff, 0xff]]
    {
        let mut stream = door.connect("owntracks", Transport::Mqtt).await;
        stream.write_all(noise).await.unwrap();
        assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    }
    until(|| door.metric(&format!("{CLOSED}\"bad_frames\"}}")) > 2.5).await;
    assert!(door.inputs().is_empty());
    door.gateway.stop().await;
}
