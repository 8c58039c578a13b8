//! Decoders that others have written, on the same bytes in the same run.

use std::hint::black_box;

use ingest::protocol::by_name;

use crate::decode::{Case, reports};
use crate::measure::best;
use crate::table::{Goal, Row};

/// Messages of each round.
const COUNT: usize = 100_000;
/// Records of one packet: `nom-teltonika` takes none longer than 1,280 bytes.
const BUNDLE: usize = 8;

/// Ours beside theirs.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = teltonika();
    rows.extend(sentences());
    rows
}

fn pair(case: &str, unit: &'static str, ours: f64, theirs: f64, goal: f64) -> [Row; 2] {
    let to = if unit == "records/s" { "nom-teltonika" } else { "nmea" };
    [
        Row { case: format!("{case} by {to}"), figure: theirs, unit, ..Row::default() },
        Row {
            case: format!("{case} by us"),
            figure: ours,
            unit,
            ratio: Some((ours / theirs, to)),
            goal: Some(Goal::RatioLeast(goal)),
            ..Row::default()
        },
    ]
}

/// Teltonika packets, both with every value read into memory of its own: ours in our units into a
/// report that is used again, theirs as they came into a packet of its own.
fn teltonika() -> Vec<Row> {
    let Some(protocol) = by_name("teltonika") else { return Vec::new() };
    let reports = reports();
    let whole = reports.len() / BUNDLE * BUNDLE;
    let case = Case::of(protocol, &reports[..whole], BUNDLE);
    let rounds = COUNT / whole;
    let ours = best(rounds * whole, || case.decode(rounds));
    let theirs = best(rounds * whole, || {
        let all = case.messages.iter().cycle().take(rounds * case.messages.len());
        all.map(|packet| their_records(packet)).sum()
    });
    pair("teltonika, 8 records a packet", "records/s", ours, theirs, 2.5).into()
}

fn their_records(mut packet: &[u8]) -> usize {
    match nom_teltonika::decoder::take_frame(&mut packet) {
        Ok(nom_teltonika::protocol::FrameView::Avl(packet)) => {
            black_box(packet.evaluate()).records().len()
        }
        Ok(_) | Err(_) => 0,
    }
}

/// RMC and GGA, one sentence after the other. Each RMC is of another second and so is each GGA, so
/// that every sentence of ours is a report as well.
fn sentences() -> Vec<Row> {
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
    let Some(protocol) = by_name("t55") else { return Vec::new() };
    let mut rows = Vec::new();
    for (name, sentence) in [("RMC", &rmc as &dyn Fn(usize) -> String), ("GGA", &gga)] {
        let lines: Vec<String> = (0..COUNT).map(sentence).collect();
        let whole = lines.concat().into_bytes();
        let mut messages: Vec<_> = whole.chunks(1400).map(<[u8]>::to_vec).collect();
        // The last GGA waits for an RMC.
        messages.push(rmc(COUNT + 1).into_bytes());
        let case = Case {
            name: name.to_owned(),
            protocol,
            transport: protocol.transports()[0],
            login: b"IMEI 352093081452251\r\n".to_vec(),
            messages,
        };
        let ours = best(COUNT + 1, || case.decode(1));
        let theirs = best(COUNT, || {
            lines.iter().filter(|l| nmea::parse_bytes(l.trim_end().as_bytes()).is_ok()).count()
        });
        rows.extend(pair(name, "sentences/s", ours, theirs, 3.0));
    }
    rows
}
