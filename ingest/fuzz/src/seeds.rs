//! First inputs of a protocol: made by its own encoder, stored in `corpus.txt` and, with
//! `MILEPOST_SHARED`, of its open vectors.

use std::path::Path;

use ingest::fix::{Fix, Measured, Report};
use ingest::protocol::Protocol;
use ingest::time::Timestamp;

use crate::device;

/// Reports of a seed.
const REPORTS: [i64; 2] = [1, 3];

/// Writes them into a folder, and says how many.
///
/// # Panics
/// When the folder can not be written to.
pub fn write(protocol: &'static dyn Protocol, folder: &Path) -> usize {
    let mut inputs = encoded(protocol);
    inputs.extend(stored(protocol));
    inputs.extend(vectors(protocol));
    for (number, input) in inputs.iter().enumerate() {
        let path = folder.join(format!("seed-{number}"));
        std::fs::write(path, input).expect("a seed is written");
    }
    inputs.len()
}

fn report(second: i64) -> Report {
    let mut report = Report::of(device());
    report.time = Some(Timestamp::from_seconds(1_795_162_000 + second));
    let measured = Measured {
        lng: -8.61 + second as f64 * 1e-4,
        lat: 41.15,
        valid: true,
        speed: Some(8.0),
        heading: Some(90.0),
        altitude: Some(80.0),
        accuracy: None,
    };
    report.fix = Fix::new(measured).ok();
    report
}

/// A login and packets over each transport, fed strictly at once and leniently in pieces.
fn encoded(protocol: &'static dyn Protocol) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (index, transport) in protocol.transports().iter().enumerate() {
        for count in REPORTS {
            let mut device = protocol.encoder(*transport, &device());
            let mut bytes = device.login();
            let reports: Vec<Report> = (0..count).map(report).collect();
            for some in reports.chunks(device.records_max()) {
                bytes.extend(device.packet(some));
            }
            for manner in [0xf0, 0x14] {
                inputs.push([&[manner | index as u8], bytes.as_slice()].concat());
            }
        }
    }
    inputs
}

/// What earlier runs found: one input a line, the protocol's name and hex digits.
fn stored(protocol: &'static dyn Protocol) -> impl Iterator<Item = Vec<u8>> {
    let lines = include_str!("../corpus.txt").lines().filter_map(|line| line.split_once(' '));
    lines.filter(|(name, _)| *name == protocol.name()).map(|(_, digits)| bytes(digits))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    hex.as_bytes().chunks_exact(2).map(|d| digit(d[0]) << 4 | digit(d[1])).collect()
}

/// Payloads of the open vectors behind the logins they depend on.
fn vectors(protocol: &'static dyn Protocol) -> Vec<Vec<u8>> {
    let Ok(shared) = std::env::var("MILEPOST_SHARED") else { return Vec::new() };
    let path = Path::new(&shared).join("vectors").join(format!("{}.jsonl", protocol.name()));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let hex = |value: &serde_json::Value| bytes(value.as_str().unwrap_or_default());
    let input = |line: &str| {
        let vector: serde_json::Value = serde_json::from_str(line).expect("a vector");
        let earlier = vector["depends_on_login"].as_array().into_iter().flatten();
        let bytes: Vec<u8> = earlier.flat_map(hex).chain(hex(&vector["payload_hex"])).collect();
        [&[0x30], bytes.as_slice()].concat()
    };
    text.lines().map(input).collect()
}
