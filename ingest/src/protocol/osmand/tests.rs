use super::*;
use crate::protocol::tests::{check_packets, received_at, talk};

#[test]
fn requests() {
    check_packets(&OsmAnd, include_str!("requests.txt"));
}

#[test]
fn a_device_that_may_not_speak_gets_400_and_the_next_request_is_heard() {
    let mut decoder = Decoder::default();
    let mut report = Report::of(DeviceId::new("-").expect("id"));
    let request = b"GET /?id=1&lat=1&lon=2 HTTP/1.1\r\n\r\n";
    for verdict in [Admission::Unknown, Admission::Refused] {
        decoder.feed(request, received_at());
        assert!(matches!(decoder.poll(&mut report), Ok(Step::Identify(_))));
        decoder.admit(verdict);
        let refusal = Step::Reply { bytes: http::bad_request(false), when: When::Immediate };
        assert_eq!(decoder.poll(&mut report), Ok(refusal));
        assert_eq!(decoder.poll(&mut report), Ok(Step::NeedBytes));
    }
    decoder.feed(request, received_at());
    assert!(matches!(decoder.poll(&mut report), Ok(Step::Identify(_))));
}

#[test]
fn heads_and_bodies_are_bounded() {
    let long = format!("GET /?id={} HTTP/1.1\r\n", "1".repeat(10_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    let large = "POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n".to_owned();
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let negative = "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned();
    for (request, status) in
        [(long, "431"), (many, "431"), (large, "413"), (chunked, "411"), (negative, "400")]
    {
        for size in [1, 1000, 20_000] {
            let mut decoder = Decoder::default();
            let events = talk(&mut decoder, request.as_bytes().chunks(size), false);
            assert_eq!(events.len(), 3, "{events:?}");
            assert!(events[1].contains(status), "{events:?}");
            assert_eq!(events[2], "close");
            assert!(decoder.inbox.is_empty());
        }
    }
}
