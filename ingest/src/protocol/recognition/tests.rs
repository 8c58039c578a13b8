use std::collections::BTreeMap;

use super::*;
use crate::protocol::PROTOCOLS;
use crate::protocol::tests::{an_id, bytes, received_at, shared};

/// What a beginning is recognised as, byte by byte as a stream, at once as a datagram.
fn seen_as(message: &[u8], transport: Transport) -> Option<(&'static str, Transport)> {
    let from = if transport == Transport::Udp { message.len() } else { 1 };
    for end in from..=message.len() {
        match recognise(&message[..end], transport) {
            Recognised::As(protocol, transport) => return Some((protocol.name(), transport)),
            Recognised::Nothing => return None,
            Recognised::Need => {}
        }
    }
    None
}

/// Its devices' own first line, an IMEI, is also t55's.
const ALIKE: [&str; 1] = ["gpsd"];

#[test]
fn every_protocol_is_recognised_by_what_its_devices_say_first() {
    let mut faults = Vec::new();
    for protocol in PROTOCOLS.iter().copied() {
        for transport in protocol.transports().iter().copied() {
            let mut report = Report::of(an_id(protocol));
            report.time = Some(received_at());
            report.fix = crate::fix::Fix::new(crate::fix::Measured {
                lng: -8.61,
                lat: 41.15,
                valid: true,
                ..crate::fix::Measured::default()
            })
            .ok();
            let mut device = protocol.encoder(transport, &report.device);
            let mut first = if transport == Transport::Udp { Vec::new() } else { device.login() };
            first.extend(device.packet(std::slice::from_ref(&report)));
            let how = if transport == Transport::Udp { Transport::Udp } else { Transport::Tcp };
            let seen = seen_as(&first, how);
            if seen != Some((protocol.name(), transport)) && !ALIKE.contains(&protocol.name()) {
                let first = first[..first.len().min(40)].escape_ascii();
                faults.push(format!("{} {transport:?} {seen:?}: {first}", protocol.name()));
            }
        }
    }
    assert!(faults.is_empty(), "not recognised:\n{}", faults.join("\n"));
}

/// What a vector says from the beginning of its connection.
fn first_of(vector: &serde_json::Value) -> (Vec<u8>, Transport) {
    let hex = |v: &serde_json::Value| v.as_str().map(bytes);
    if let Some(request) = vector.get("request").filter(|r| !r.is_null()) {
        let text = |name: &str| request[name].as_str().unwrap_or_default();
        let body = text("body");
        let head = format!("{} {} HTTP/1.1\r\n", text("method"), text("uri"));
        let message = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        return (message.into_bytes(), Transport::Tcp);
    }
    let udp = vector["decoder_config"]["arg1"] == true;
    let earlier = vector["depends_on_login"].as_array().into_iter().flatten().filter_map(hex);
    let message: Vec<u8> = earlier.chain(hex(&vector["payload_hex"])).flatten().collect();
    (message, if udp { Transport::Udp } else { Transport::Tcp })
}

#[test]
fn open_vectors_are_recognised() {
    let Some(folder) = shared() else {
        eprintln!("skipped: no shared data");
        return;
    };
    let (mut all, mut right) = (0, 0);
    let mut wrong = BTreeMap::<String, usize>::new();
    let mut missed = BTreeMap::<String, usize>::new();
    for protocol in PROTOCOLS {
        let path = folder.join("vectors").join(format!("{}.jsonl", protocol.name()));
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let vector: serde_json::Value = serde_json::from_str(line).expect("a vector");
            let (message, mut transport) = first_of(&vector);
            if !protocol.transports().contains(&Transport::Tcp)
                && protocol.transports().contains(&Transport::Udp)
            {
                transport = Transport::Udp;
            }
            all += 1;
            match seen_as(&message, transport) {
                Some((name, _)) if name == protocol.name() => right += 1,
                Some((name, _)) => {
                    let start = message[..message.len().min(24)].escape_ascii();
                    *wrong.entry(format!("{} as {name}: {start}", protocol.name())).or_default() +=
                        1;
                }
                None => {
                    let start = message[..message.len().min(24)].escape_ascii();
                    *missed.entry(format!("{}: {start}", protocol.name())).or_default() += 1;
                }
            }
        }
    }
    eprintln!("recognised {right} of {all}; missed {missed:#?}; wrong {wrong:#?}");
    assert!(wrong.is_empty(), "recognised wrongly: {wrong:#?}");
    assert!(right * 100 >= all * 95, "recognised {right} of {all}; missed {missed:#?}");
}
