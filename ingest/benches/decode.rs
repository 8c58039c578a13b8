//! How fast each protocol is decoded, on one thread: `cargo bench -p ingest --bench decode`.
//!
//! Prints one line a case, the best of [`ROUNDS`] rounds: what a second of processor time holds,
//! and the ratios to `nom-teltonika` on the same packets and to `nmea` on the same sentences. Linux
//! only: the time is the thread's own as the scheduler counts it, so that a busy machine does not
//! change it much.

use std::hint::black_box;

use ingest::attribute::{Key, Value};
use ingest::fix::{Fix, Measured, Report};
use ingest::id::DeviceId;
use ingest::protocol::{Admission, Decode, Options, Protocol, Step, Transport, by_name};
use ingest::time::Timestamp;

const ROUNDS: usize = 7;
/// Records of each round.
const RECORDS: usize = 200_000;
/// Records of one packet, as trackers that send in bundles do.
const BUNDLE: usize = 20;
/// The same where `nom-teltonika` reads along: it takes no longer packet than 1,280 bytes.
const BUNDLE_SHORT: usize = 8;

fn main() {
    let records = reports();
    for (name, bundle) in [("teltonika", BUNDLE), ("osmand", 1), ("t55", BUNDLE)] {
        let Some(protocol) = by_name(name) else { continue };
        let (stream, count) = stream(protocol, &records, bundle);
        let rate = best(count, || decode(protocol, &stream));
        let bytes = stream.iter().map(Vec::len).sum::<usize>() as f64 / count as f64;
        show(&format!("{name} records/s, {bytes:.0} bytes each"), rate);
    }
    packets(&records);
    sentences();
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn show(what: &str, rate: f64) {
    println!("{what}: {rate:.0}");
}

/// Units of work a second in the fastest of some rounds.
fn best(count: usize, mut work: impl FnMut() -> usize) -> f64 {
    let round = |work: &mut dyn FnMut() -> usize| {
        let begin = processor_seconds();
        assert_eq!(black_box(work()), count, "the whole stream is decoded");
        count as f64 / (processor_seconds() - begin)
    };
    (0..ROUNDS).map(|_| round(&mut work)).fold(0.0, f64::max)
}

/// Seconds this thread has run, from the scheduler's statistics.
fn processor_seconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = statistics.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e9
}

/// Fixes of a driving van with what an FMB tracker sends along: 21 elements.
fn reports() -> Vec<Report> {
    let Ok(device) = DeviceId::new("352093081452251") else { return Vec::new() };
    let fix = |n: i32| Measured {
        lng: -8.61 + f64::from(n) * 1e-5,
        lat: 41.15 + f64::from(n) * 1e-5,
        valid: true,
        speed: Some(12.5),
        heading: Some(91.0),
        altitude: Some(104.0),
        accuracy: None,
    };
    (0..BUNDLE as i32)
        .map(|n| {
            let mut report = Report::of(device.clone());
            report.time = Some(Timestamp::from_seconds(1_795_162_530 + i64::from(n)));
            report.fix = Fix::new(fix(n)).ok();
            for (name, value) in [("ignition", true), ("motion", true)] {
                report.attributes.set(Key::Known(name, 0), Value::Bool(value));
            }
            for (name, value) in [("power_volts", 12.61), ("battery_volts", 4.1), ("hdop", 0.7)] {
                report.attributes.set(Key::Known(name, 0), Value::Float(value));
            }
            for (name, value) in [("satellites", 14), ("rssi", 4), ("odometer_metres", 61_383)] {
                report.attributes.set(Key::Known(name, 0), Value::Int(value));
            }
            for id in [24, 68, 69, 80, 113, 200, 205, 206, 303, 387, 449, 636, 12_000] {
                report.attributes.set(Key::Io(id), Value::Int(i64::from(id) + i64::from(n)));
            }
            report
        })
        .collect()
}

/// The packets of a connection, and how many records they hold.
fn stream(protocol: &dyn Protocol, records: &[Report], bundle: usize) -> (Vec<Vec<u8>>, usize) {
    let transport = protocol.transports()[0];
    let mut device = protocol.encoder(transport, &records[0].device);
    let mut stream = vec![device.login()];
    let packets = records.chunks(bundle).map(|some| device.packet(some)).collect::<Vec<_>>();
    let cycles = RECORDS / records.len();
    stream.extend(packets.iter().cycle().take(cycles * packets.len()).cloned());
    (stream, cycles * records.len())
}

fn decode(protocol: &dyn Protocol, stream: &[Vec<u8>]) -> usize {
    let transport: Transport = protocol.transports()[0];
    let mut decoder = protocol.decoder(transport, &Options::default());
    stream.iter().map(|packet| take(decoder.as_mut(), packet)).sum()
}

fn take(decoder: &mut dyn Decode, packet: &[u8]) -> usize {
    let Ok(nobody) = DeviceId::new("-") else { return 0 };
    let mut report = Report::of(nobody);
    let mut taken = 0;
    decoder.feed(packet, Timestamp::from_seconds(1_795_162_530));
    while let Ok(step) = decoder.poll(&mut report) {
        match step {
            Step::NeedBytes | Step::Close => break,
            Step::Identify(_) => decoder.admit(Admission::Admitted),
            Step::Report => {
                black_box(&report);
                taken += 1;
            }
            Step::Reply { bytes, .. } => drop(black_box(bytes)),
        }
    }
    taken
}

/// Teltonika packets, ours and the crate's, both with every value read into memory of its own:
/// ours in our units into a report that is reused, theirs as they came into a packet of its own.
fn packets(records: &[Report]) {
    let Some(protocol) = by_name("teltonika") else { return };
    let whole = records.len() / BUNDLE_SHORT * BUNDLE_SHORT;
    let (stream, count) = stream(protocol, &records[..whole], BUNDLE_SHORT);
    let ours = best(count, || decode(protocol, &stream));
    // Without the login, which is no packet.
    let theirs = best(count, || stream[1..].iter().map(|packet| their_records(packet)).sum());
    show("teltonika records/s, in short packets", ours);
    show("teltonika records/s of the nom-teltonika crate", theirs);
    show("teltonika ratio, hundredths", ours / theirs * 100.0);
}

fn their_records(mut packet: &[u8]) -> usize {
    match nom_teltonika::decoder::take_frame(&mut packet) {
        Ok(nom_teltonika::protocol::FrameView::Avl(packet)) => {
            black_box(packet.evaluate()).records().len()
        }
        Ok(_) | Err(_) => 0,
    }
}

/// RMC and GGA, one sentence after the other, ours and the crate's. Each RMC is of another second
/// and so is each GGA, so that every sentence of ours is a report as well.
fn sentences() {
    let checked = |body: String| {
        let sum = body.bytes().fold(0, |x, b| x ^ b);
        format!("${body}*{sum:02X}\r\n")
    };
    let clock = |n: usize| format!("{:02}{:02}{:02}.00", n / 3600 % 24, n / 60 % 60, n % 60);
    let rmc = |n: usize| {
        let place = "4807.0381,N,01131.0004,E,022.4,084.4,201126,003.1,W,A";
        checked(format!("GPRMC,{},A,{place}", clock(n)))
    };
    let gga = |n: usize| {
        let place = "4807.0381,N,01131.0004,E,1,08,0.9,545.4,M,46.9,M,,";
        checked(format!("GPGGA,{},{place}", clock(n)))
    };
    for (name, sentence) in [("RMC", &rmc as &dyn Fn(usize) -> String), ("GGA", &gga)] {
        let lines: Vec<String> = (0..RECORDS).map(sentence).collect();
        let whole = lines.concat().into_bytes();
        let Some(protocol) = by_name("t55") else { return };
        let mut stream = vec![b"IMEI 352093081452251\r\n".to_vec()];
        stream.extend(whole.chunks(1400).map(<[u8]>::to_vec));
        // The last GGA waits for an RMC.
        stream.push(rmc(RECORDS + 1).into_bytes());
        let ours = best(RECORDS + 1, || decode(protocol, &stream));
        let theirs = best(RECORDS, || {
            lines.iter().filter(|l| nmea::parse_bytes(l.trim_end().as_bytes()).is_ok()).count()
        });
        show(&format!("{name} sentences/s"), ours);
        show(&format!("{name} sentences/s of the nmea crate"), theirs);
        show(&format!("{name} ratio, hundredths"), ours / theirs * 100.0);
    }
}
