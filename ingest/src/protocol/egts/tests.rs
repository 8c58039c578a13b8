use super::*;
use crate::protocol::tests::{Setting, talk};
use crate::protocol::{Checksum, Transport};

/// A record of an object with a place on the equator.
fn record(number: u8, object: u8, longitude: u8) -> Vec<u8> {
    let place = [[0; 4], [0; 4], [0, 0, 0, longitude]].concat();
    let place = [place, vec![1], vec![0; 8]].concat();
    let mut out = vec![place.len() as u8 + 3, 0, number, 0, 1, object, 0, 0, 0, TELEDATA, TELEDATA];
    out.extend([16, place.len() as u8, 0]);
    out.extend(place);
    out
}

#[test]
fn a_dispatchers_packet_is_read_once_for_each_of_its_objects() {
    let body = [record(1, 7, 0), record(2, 7, 64), record(3, 9, 128), record(4, 7, 0)].concat();
    let packet = packed(5, 1, &body);
    let checksum = Checksum::Strict;
    let setting = Setting { protocol: &EGTS, transport: Transport::Tcp, checksum };
    let steps = talk(setting.decoder().as_mut(), [packet.as_slice()], false);
    let devices: Vec<&str> = steps.iter().filter_map(|s| s.split(' ').next()).collect();
    assert_eq!(devices, ["7", "7", "9", "7", "<-"], "{steps:?}");
    let taken = taken(0, 5, TELEDATA, &[1, 2, 3, 4]).escape_ascii().to_string();
    assert_eq!(steps.last(), Some(&format!("<- {taken} durable")));
}
