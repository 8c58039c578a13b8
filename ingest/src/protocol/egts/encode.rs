//! The device's side.

use super::{AUTH, FULL, TELEDATA, YEAR_2010, packed, taken, welcome};
use crate::fix::Report;
use crate::protocol::sender::{Plain, Sent, Speaker, whole};

/// One record of a service; the packet's number is the record's.
fn single(number: u16, service: u8, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut body = (content.len() as u16 + 3).to_le_bytes().to_vec();
    body.extend(number.to_le_bytes());
    body.extend([0, service, service, kind]);
    body.extend((content.len() as u16).to_le_bytes());
    body.extend(content);
    packed(number, 1, &body)
}

pub(super) fn login(speaker: &mut Speaker) -> Sent {
    speaker.restart();
    let number = speaker.next() as u16;
    let mut content = vec![0, 0, 0, 0, 2];
    content.extend(format!("{:0>15.15}", speaker.device).bytes());
    let mut answer = taken(0, number, AUTH, &[number]);
    answer.extend(welcome(1));
    Sent::new(single(number, AUTH, 1, &content), answer)
}

pub(super) fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    // The server's packets are as many: two for the login, one for each of ours.
    let number = speaker.next() as u16;
    let p = Plain::of(report);
    let seconds = report.time.unwrap_or_default().millis().div_euclid(1000) - YEAR_2010;
    let mut content = (seconds as u32).to_le_bytes().to_vec();
    content.extend(((p.lat.abs() / 90.0 * FULL).round() as u32).to_le_bytes());
    content.extend(((p.lng.abs() / 180.0 * FULL).round() as u32).to_le_bytes());
    let bit = |set: bool, bit: u32| u8::from(set) << bit;
    content.push(
        bit(p.valid, 0)
            | bit(p.lat < 0.0, 5)
            | bit(p.lng < 0.0, 6)
            | bit(true, 7)
            | bit(p.valid, 1),
    );
    let (course, below) = (p.degrees(), p.altitude < 0.0);
    let speed = ((p.kmh * 10.0).round() as u16).min(0x3fff);
    let speed = speed | u16::from(below) << 14 | (course >> 8) << 15;
    content.extend(speed.to_le_bytes());
    content.push(course as u8);
    let odometer = whole(report, "odometer_metres").unwrap_or(0) / 100;
    content.extend(&odometer.to_le_bytes()[..3]);
    content.extend([0, whole(report, "event").unwrap_or(0) as u8]);
    content.extend(&(p.altitude.abs().round() as u32).to_le_bytes()[..3]);
    Sent::new(single(number, TELEDATA, 16, &content), taken(number, number, TELEDATA, &[number]))
}
