use super::*;
use crate::protocol::tests::{bytes, check_packets, received_at, talk};

#[test]
fn packets_of_the_document() {
    check_packets(&Teltonika, include_str!("packets.txt"));
}

fn decoder(checksum: Checksum) -> Decoder {
    Decoder::new(Transport::Tcp, &Options { checksum, ..Options::default() })
}

const LOGIN: &str = "000f333532303933303831343532323531";
const RECORD: &str = "000000000000003608010000016b40d8ea300100000000000000000000000000000001050215030101\
                      01425e0f01f10000601a014e0000000000000000010000c7cf";

#[test]
fn nobody_learns_whether_an_unknown_device_is_unknown() {
    let mut report = Report::of(DeviceId::new("-").expect("id"));
    for (verdict, answer) in [(Admission::Unknown, None), (Admission::Refused, Some([0]))] {
        let mut decoder = decoder(Checksum::Strict);
        decoder.feed(&bytes(LOGIN), received_at());
        assert!(matches!(decoder.poll(&mut report), Ok(Step::Identify(_))));
        decoder.admit(verdict);
        if let Some(answer) = answer {
            let bytes = Bytes::copy_from_slice(&answer);
            let reply = Step::Reply { bytes, when: When::Immediate };
            assert_eq!(decoder.poll(&mut report), Ok(reply));
        }
        assert_eq!(decoder.poll(&mut report), Ok(Step::Close));
        decoder.feed(&bytes(RECORD), received_at());
        assert_eq!(decoder.poll(&mut report), Ok(Step::Close));
    }
}

#[test]
fn a_datagram_of_an_unknown_device_is_not_answered() {
    let mut decoder = Decoder::new(Transport::Udp, &Options::default());
    let mut report = Report::of(DeviceId::new("-").expect("id"));
    decoder.feed(
        &bytes(
            "003dcafe0105000f33353230393330383634303336353508010000016b4f815b30010000000000000000\
             000000000000000103021503010101425dbc000001",
        ),
        received_at(),
    );
    assert!(matches!(decoder.poll(&mut report), Ok(Step::Identify(_))));
    decoder.admit(Admission::Unknown);
    assert_eq!(decoder.poll(&mut report), Ok(Step::NeedBytes));
}

#[test]
fn a_record_out_of_range_is_an_error_of_its_own_and_is_answered() {
    let mut data = bytes("0802");
    let record = &bytes(RECORD)[10..10 + 24];
    for lat in [bytes("1dcd6500"), bytes("7fffffff")] {
        data.extend(&record[..13]);
        data.extend(lat);
        data.extend(&record[17..]);
        data.extend([0; 6]);
    }
    data.push(2);
    let stream = [bytes(LOGIN), command::wrapped(&data)].concat();
    let events = talk(&mut decoder(Checksum::Strict), [stream.as_slice()], false);
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(events[1].contains(" V 50.0000000,0.0000000 "), "{events:?}");
    assert!(events[2].starts_with("! range latitude `214.7"), "{events:?}");
    assert_eq!(events[3], "<- \\x00\\x00\\x00\\x02 durable");
}

#[test]
fn garbage_is_dropped_and_the_stream_found_again() {
    let clean = [bytes(LOGIN), bytes(RECORD)].concat();
    let expected = talk(&mut decoder(Checksum::Strict), [clean.as_slice()], false);
    for garbage in ["deadbeef", "0001", "00000000ffffffff08", "47455420", "00 00 00 01 00 00"] {
        let stream = [bytes(garbage), clean.clone()].concat();
        let events = talk(&mut decoder(Checksum::Strict), [stream.as_slice()], false);
        assert!(events[0].starts_with('!'), "{events:?}");
        assert_eq!(events[1..], expected, "{garbage}");
    }
}

#[test]
fn nothing_makes_it_hold_more_than_a_frame() {
    let mut decoder = decoder(Checksum::Lenient);
    let head = bytes("00000000 00003ff0 08ff");
    for n in 0..2000_usize {
        let chunk: Vec<u8> = (0..997).map(|i| (i * n) as u8).collect();
        let chunk = if n % 40 == 0 { &head } else { &chunk };
        talk(&mut decoder, [chunk.as_slice()], false);
        assert!(decoder.inbox.rest().len() <= FRAME_MAX);
    }
}

#[test]
fn a_photo_is_fetched_to_its_end() {
    let message = |content: &str| {
        let content = bytes(content);
        let mut data = bytes("0c010d");
        data.extend((content.len() as u32).to_be_bytes());
        data.extend(content);
        data.push(1);
        command::wrapped(&data)
    };
    let piece = |offset: u32, length: u16| {
        let mut text = format!("0200000007{offset:08x}{length:04x}");
        text.push_str(&"ab".repeat(usize::from(length)));
        message(&text)
    };
    let stream =
        [bytes(LOGIN), message("010000000700000900"), piece(0, 2048), piece(2048, 256)].concat();
    let events = talk(&mut decoder(Checksum::Strict), [stream.as_slice()], false);
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(events[1].contains("\\x00\\x00\\x00\\x00\\x08\\x00\\x01"), "{events:?}");
    assert!(events[2].contains("\\x00\\x00\\x08\\x00\\x01\\x00\\x01"), "{events:?}");
    assert_eq!(events[3], "352093081452251 - photo_bytes=2304 photo_id=7");
}
