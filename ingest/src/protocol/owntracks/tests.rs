use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::protocol::tests::{Setting, talk};
use crate::protocol::wire::Cut;
use crate::protocol::{Admission, Checksum, Step};

const AT: Timestamp = Timestamp::from_seconds(1_795_162_530);
const HERE: &str = r#"{"_type":"location","tst":1795162520,"lat":41.15,"lon":-8.61,"batt":71}"#;
const SEEN: &str = "ana/phone 2026-11-20T08:15:20.000Z A 41.1500000,-8.6100000 battery_percent=71";

fn over_mqtt() -> Box<dyn Decode> {
    let setting =
        Setting { protocol: &OwnTracks, transport: Transport::Mqtt, checksum: Checksum::Strict };
    setting.decoder()
}

fn hello(version: Version) -> Connect<'static> {
    Connect {
        client: "anaphone",
        clean: true,
        keep_alive_s: 60,
        will: Some("owntracks/ana/phone"),
        user: Some("ana"),
        password: Some(b"secret"),
        ..Connect::of(version)
    }
}

fn place(qos: u8, id: u16) -> Packet<'static> {
    let (topic, payload) = ("owntracks/ana/phone", HERE.as_bytes());
    Packet::Publish(Publish { topic, qos, id, payload })
}

fn stream(version: Version, packets: &[Packet<'_>]) -> Vec<u8> {
    packets.iter().flat_map(|p| p.encode(version)).collect()
}

fn told(stream: &[u8]) -> Vec<String> {
    let whole = talk(over_mqtt().as_mut(), [stream], false);
    let single = talk(over_mqtt().as_mut(), stream.chunks(1), false);
    assert_eq!(whole, single);
    whole
}

#[test]
fn a_phone_is_answered_as_by_a_broker() {
    let wanted = vec![("owntracks/ana/phone/cmd", 2), ("+/x", 0)];
    let all = [
        Packet::Connect(hello(Version::V311)),
        Packet::Subscribe { id: 1, wanted },
        place(0, 0),
        place(1, 0x1234),
        place(2, 7),
        Packet::Release(7),
        Packet::Unsubscribe { id: 2, filters: vec!["+/x"] },
        Packet::Ping,
        Packet::Disconnect,
    ];
    let expected = [
        r"<-  \x02\x00\x00 now",
        r"<- \x90\x04\x00\x01\x01\x00 now",
        SEEN,
        SEEN,
        r"<- @\x02\x124 durable",
        SEEN,
        r"<- P\x02\x00\x07 durable",
        r"<- p\x02\x00\x07 now",
        r"<- \xb0\x02\x00\x02 now",
        r"<- \xd0\x00 now",
        "close",
    ];
    assert_eq!(told(&stream(Version::V311, &all)), expected);
}

#[test]
fn version_5_says_what_is_granted() {
    let all = [
        Packet::Connect(Connect { client: "", keep_alive_s: 0, ..hello(Version::V5) }),
        place(1, 3),
        Packet::Unsubscribe { id: 2, filters: vec!["+/x", "y"] },
    ];
    let events = told(&stream(Version::V5, &all));
    assert!(events[0].contains(r"\x11\x00\x00\x00\x00\'\x00\x01\x00\x00\x13\x04\xb0\x12"));
    assert_eq!(
        events[1..],
        [SEEN, r"<- @\x02\x00\x03 durable", r"<- \xb0\x05\x00\x02\x00\x00\x00 now"]
    );
}

#[test]
fn what_is_no_conversation_ends() {
    let refused = |packet: &[u8], expected: &[&str]| assert_eq!(told(packet), expected);
    refused(
        b"GET / HTTP/1.1\r\n\r\n",
        &["! malformed `47` begins no packet, expected CONNECT", "close"],
    );
    refused(&[0x10, 0xff, 0xff, 0xff, 0x7f], &["! length packet longer than 65536 bytes", "close"]);
    refused(&[0x10, 0xff, 0xff, 0xff, 0xff], &["! length length of more than 4 bytes", "close"]);
    let third = Connect { level: 3, ..hello(Version::V311) };
    let third = Packet::Connect(third).encode(Version::V311);
    refused(
        &third,
        &["! malformed MQTT level `3`, expected 4 or 5", r"<-  \x02\x00\x01 now", "close"],
    );
    let twice = [Packet::Connect(hello(Version::V311)), Packet::Connect(hello(Version::V311))];
    assert_eq!(
        told(&stream(Version::V311, &twice))[1..],
        ["! malformed second packet `CONNECT` can not be read", "close"]
    );
}

#[test]
fn what_can_not_be_read_is_answered_all_the_same() {
    let (topic, payload) = ("owntracks/ana/phone", b"{".as_slice());
    let all = [
        Packet::Connect(hello(Version::V311)),
        Packet::Publish(Publish { topic, qos: 1, id: 9, payload }),
        place(1, 10),
    ];
    let events = told(&stream(Version::V311, &all));
    assert!(events[1].starts_with("! malformed EOF"), "{events:?}");
    assert_eq!(events[2..], [r"<- @\x02\x00\t durable", SEEN, r"<- @\x02\x00\n durable"]);
}

/// What a stream gets when its device may not speak.
fn refused_as(verdict: Admission, version: Version, connect: Connect<'_>) -> Vec<Step> {
    let mut decoder = over_mqtt();
    decoder.feed(&stream(version, &[Packet::Connect(connect), place(1, 1)]), AT);
    let mut report = Report::of(DeviceId::new("-").expect("id"));
    let mut steps = Vec::new();
    loop {
        match decoder.poll(&mut report).expect("well-formed") {
            Step::NeedBytes => panic!("it should close"),
            Step::Identify(device) => {
                assert_eq!(device.as_str(), "ana/phone");
                decoder.admit(verdict);
            }
            Step::Close => return steps,
            step => steps.push(step),
        }
    }
}

#[test]
fn a_device_is_refused_before_it_is_connected() {
    let reply = |bytes: &'static [u8]| Step::Reply { bytes: bytes.into(), when: When::Immediate };
    let refused = |version| refused_as(Admission::Refused, version, hello(version));
    assert_eq!(refused(Version::V311), [reply(&[0x20, 2, 0, 5])]);
    assert_eq!(refused(Version::V5), [reply(&[0x20, 3, 0, 0x87, 0])]);
    let unknown = refused_as(Admission::Unknown, Version::V311, hello(Version::V311));
    assert_eq!(unknown, []);
    // Without a will its first location names it.
    let late = Connect { will: None, ..hello(Version::V311) };
    let late = refused_as(Admission::Unknown, Version::V311, late);
    assert_eq!(late, [reply(&[0x20, 2, 0, 0])]);
}

#[test]
fn silence_is_measured_by_the_keep_alive() {
    let limit = |version, keep_alive_s| {
        let connect = Connect { keep_alive_s, ..hello(version) };
        let mut decoder = over_mqtt();
        talk(decoder.as_mut(), [stream(version, &[Packet::Connect(connect)]).as_slice()], false);
        decoder.idle_limit().expect("its own")
    };
    assert_eq!(limit(Version::V311, 60), Duration::from_secs(90));
    assert_eq!(limit(Version::V311, 0), Duration::from_mins(30));
    assert_eq!(limit(Version::V311, 3601), Duration::from_millis(5_401_500));
    assert_eq!(limit(Version::V5, 0), Duration::from_mins(30));
}

/// Texts and numbers that any packet is made of.
type Parts = (String, String, Vec<u8>, u16, u8, bool);

fn parts() -> impl Strategy<Value = Parts> {
    let text = || "[a-zä/]{1,20}";
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    (text(), text(), bytes, 1_u16.., 0_u8..3, any::<bool>())
}

fn packets((topic, client, bytes, id, qos, flag): &Parts, version: Version) -> Vec<Packet<'_>> {
    let (topic, client, bytes) = (topic.as_str(), client.as_str(), bytes.as_slice());
    let connect = Connect {
        client,
        clean: *flag,
        keep_alive_s: *id,
        will: flag.then_some(topic),
        user: Some(topic),
        password: flag.then_some(bytes),
        ..Connect::of(version)
    };
    let publish = Publish { topic, qos: *qos, id: if *qos > 0 { *id } else { 0 }, payload: bytes };
    vec![
        Packet::Connect(connect),
        Packet::Publish(publish),
        Packet::Release(*id),
        Packet::Subscribe { id: *id, wanted: vec![(topic, *qos), (client, 0)] },
        Packet::Unsubscribe { id: *id, filters: vec![topic, client] },
        Packet::Ping,
        Packet::Disconnect,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn packets_are_read_as_they_were_written(parts in parts()) {
        for version in [Version::V311, Version::V5] {
            for packet in packets(&parts, version) {
                let bytes = packet.encode(version);
                let first = matches!(packet, Packet::Connect(_));
                for end in 0..bytes.len() {
                    prop_assert!(matches!(mqtt::cut(&bytes[..end], first, PACKET_MAX), Cut::Need));
                }
                let cut = mqtt::cut(&bytes, first, PACKET_MAX);
                prop_assert!(matches!(cut, Cut::Frame { to, .. } if to == bytes.len()), "{cut:?}");
                prop_assert_eq!(Packet::read(&bytes, version).expect("its own"), packet);
            }
        }
    }

    #[test]
    fn changed_packets_never_panic_and_are_split_anywhere(
        parts in parts(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        size in 1_usize..40,
    ) {
        for version in [Version::V311, Version::V5] {
            let mut bytes = stream(version, &packets(&parts, version));
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let whole = talk(over_mqtt().as_mut(), [bytes.as_slice()], true);
            prop_assert_eq!(talk(over_mqtt().as_mut(), bytes.chunks(size), true), whole);
        }
    }
}
