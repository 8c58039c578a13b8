//! Every protocol's decoder on one thread, fed by the protocol's own encoder: one message a packet,
//! from the bytes to a whole report in our units, checksums judged.

use std::hint::black_box;
use std::process::{Command, Stdio};

use ingest::attribute::{Key, Value};
use ingest::fix::{Fix, Measured, Report};
use ingest::id::DeviceId;
use ingest::protocol::{Admission, Decode, Options, PROTOCOLS, Protocol, Step, Transport, by_name};
use ingest::time::Timestamp;

use crate::measure::best;
use crate::table::{Goal, Row};
use crate::{counting, waiting};

/// Messages that are sent over and over.
const MESSAGES: usize = 20;
/// Messages of one round.
const ROUND: usize = 40_000;
/// Rounds of [`MESSAGES`] of the two runs whose difference is counted under callgrind.
const CALLGRIND: [usize; 2] = [5, 55];
/// Argument of such a run.
pub(crate) const UNDER_CALLGRIND: &str = "--decode";

const BINARY: [&str; 3] = ["gt06", "jt808", "h02 binary"];
/// Whose goal is that of texts: those that the goals name.
const TEXTS: [&str; 5] = ["gl200", "gps103", "h02", "suntech", "wialon"];
/// Decoders of bytes, which ask for no memory.
const ASKLESS: [&str; 4] = ["teltonika", "gt06", "jt808", "h02 binary"];
/// A short binary message of H02, as devices send it between texts.
const H02_BINARY: &str = "2427051711092134091406135002584900014337822e000000ffffffffff0000";

/// What one device says.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) protocol: &'static dyn Protocol,
    pub(crate) transport: Transport,
    pub(crate) login: Vec<u8>,
    pub(crate) messages: Vec<Vec<u8>>,
}

impl Case {
    /// A device of a protocol that says `reports`, `bundle` in one packet.
    pub(crate) fn of(protocol: &'static dyn Protocol, reports: &[Report], bundle: usize) -> Self {
        let streams = |t: &&Transport| **t != Transport::Udp;
        let transports = protocol.transports();
        let transport = transports.iter().find(streams).or(transports.first()).copied();
        let transport = transport.unwrap_or(Transport::Tcp);
        let mut device = protocol.encoder(transport, &reports[0].device);
        let login = device.login();
        let messages = reports.chunks(bundle).map(|some| device.packet(some)).collect();
        let name = match bundle {
            1 => protocol.name().to_owned(),
            _ => format!("{} {bundle} a packet", protocol.name()),
        };
        Self { name, protocol, transport, login, messages }
    }

    fn named(name: &str, reports: &[Report]) -> Option<Self> {
        if name == "h02 binary" {
            let hex = H02_BINARY.as_bytes().chunks(2);
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            let protocol = by_name("h02")?;
            let messages = vec![hex.filter_map(byte).collect(); MESSAGES];
            let (name, transport) = (name.to_owned(), Transport::Tcp);
            return Some(Self { name, protocol, transport, login: Vec::new(), messages });
        }
        match name.split_once(' ') {
            Some((name, rest)) => {
                let bundle = rest.split(' ').next()?.parse().ok()?;
                Some(Self::of(by_name(name)?, reports, bundle))
            }
            None => Some(Self::of(by_name(name)?, reports, 1)),
        }
    }

    /// Decodes all messages this often: how many reports.
    pub(crate) fn decode(&self, rounds: usize) -> usize {
        let fresh = || self.protocol.decoder(self.transport, &Options::default());
        let Ok(nobody) = DeviceId::new("-") else { return 0 };
        let mut report = Report::of(nobody);
        let mut decoder = fresh();
        let mut taken = take(decoder.as_mut(), &self.login, &mut report);
        for message in self.messages.iter().cycle().take(rounds * self.messages.len()) {
            if self.transport == Transport::Udp {
                decoder = fresh();
            }
            taken += take(decoder.as_mut(), message, &mut report);
        }
        taken
    }

    fn row(&self, counted: bool) -> Row {
        let bytes = self.messages.iter().map(Vec::len).sum::<usize>() as f64;
        let (few, once) = (self.decode(1), self.decode(2));
        let each = once - few;
        let rounds = ROUND / MESSAGES;
        let count = few + each * (rounds - 1);
        let figure = best(count, || self.decode(rounds));
        let [one, many] = [1, 101].map(|n| counting::asked_by(|| self.decode(n)));
        let per_round = self.messages.len() as f64;
        let name = self.name.as_str();
        let goal = match name {
            _ if BINARY.contains(&name) => Some(Goal::Least(5e6)),
            _ if TEXTS.contains(&name) => Some(Goal::Least(2e6)),
            _ if name.starts_with("teltonika ") => Some(Goal::Least(5e6)),
            _ => None,
        };
        Row {
            case: format!("decode {name}"),
            figure,
            unit: "records/s",
            bytes: Some(bytes / each.max(1) as f64),
            instructions: (counted || goal.is_some())
                .then(|| self.instructions())
                .flatten()
                .map(|all| all / bytes),
            asks: Some((many - one) as f64 / 100.0 / per_round),
            ratio: None,
            goal,
        }
    }

    /// Instructions of one round of messages; `None` where there is no callgrind.
    fn instructions(&self) -> Option<f64> {
        let own = std::env::current_exe().ok()?;
        let run = |rounds: usize| {
            let mut counted = Command::new("valgrind")
                .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
                .arg(&own)
                .args([UNDER_CALLGRIND, &self.name, &rounds.to_string()])
                .stderr(Stdio::piped())
                .spawn()
                .ok()?;
            waiting::until("a count of instructions", || !matches!(counted.try_wait(), Ok(None)));
            let told = std::io::read_to_string(counted.stderr.take()?).ok()?;
            let collected = told.lines().find_map(|l| l.split("Collected :").nth(1))?;
            collected.trim().parse::<f64>().ok()
        };
        let [few, many] = CALLGRIND;
        Some((run(many)? - run(few)?) / (many - few) as f64)
    }
}

/// Takes everything that a packet says: how many reports.
fn take(decoder: &mut dyn Decode, packet: &[u8], report: &mut Report) -> usize {
    let mut taken = 0;
    decoder.feed(packet, Timestamp::from_seconds(1_795_162_530));
    loop {
        match decoder.poll(report) {
            Ok(Step::NeedBytes | Step::Close) | Err(_) => return taken,
            Ok(Step::Identify(_)) => decoder.admit(Admission::Admitted),
            Ok(Step::Report) => {
                black_box(&report);
                taken += 1;
            }
            Ok(Step::Reply { bytes, .. }) => drop(black_box(bytes)),
        }
    }
}

/// Fixes of a driving van with what an FMB tracker sends along: 21 elements.
pub(crate) fn reports() -> Vec<Report> {
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
    (0..MESSAGES as i32)
        .map(|n| {
            let mut report = Report::of(device.clone());
            report.time = Some(Timestamp::from_seconds(1_795_162_530 + i64::from(n)));
            report.fix = Fix::new(fix(n)).ok();
            for (name, value) in [("ignition", true), ("motion", true)] {
                report.attributes.set(Key::from(name), Value::Bool(value));
            }
            for (name, value) in [("power_volts", 12.61), ("battery_volts", 4.1), ("hdop", 0.7)] {
                report.attributes.set(Key::from(name), Value::Float(value));
            }
            for (name, value) in [("satellites", 14), ("rssi", 4), ("odometer_metres", 61_383)] {
                report.attributes.set(Key::from(name), Value::Int(value));
            }
            for id in [24, 68, 69, 80, 113, 200, 205, 206, 303, 387, 449, 636, 12_000] {
                report.attributes.set(Key::Io(id), Value::Int(i64::from(id) + i64::from(n)));
            }
            report
        })
        .collect()
}

/// One row a protocol, and those cases that have a name of their own. Instructions are counted for
/// those that have a goal, and for whichever is asked for by name.
pub(crate) fn rows(only: Option<&str>) -> Vec<Row> {
    let reports = reports();
    let own = ["teltonika 20 a packet", "h02 binary"];
    let names = PROTOCOLS.iter().map(|p| p.name()).chain(own);
    let wanted = names.filter(|name| only.is_none_or(|o| name.contains(o)));
    let row = |name: &str| {
        let mut row = Case::named(name, &reports)?.row(only.is_some());
        if ASKLESS.iter().any(|a| name.starts_with(a)) && row.asks > Some(0.0) {
            row.case.push_str(" (asks for memory)");
        }
        Some(row)
    };
    wanted.filter_map(row).collect()
}

/// What each protocol's decoder holds when it has heard a login and a packet.
pub(crate) fn idle_bytes() -> Vec<Row> {
    let reports = reports();
    let Ok(nobody) = DeviceId::new("-") else { return Vec::new() };
    let mut report = Report::of(nobody);
    let mut held = |case: &Case| {
        // What a thread keeps for all of them is there after the first one.
        let all: Vec<i64> = (0..3)
            .map(|_| {
                counting::start();
                let before = counting::so_far().1;
                let mut decoder = case.protocol.decoder(case.transport, &Options::default());
                take(decoder.as_mut(), &case.login, &mut report);
                take(decoder.as_mut(), &case.messages[0], &mut report);
                let held = counting::so_far().1 - before;
                drop(decoder);
                held
            })
            .collect();
        all[2]
    };
    let row = |protocol: &&'static dyn Protocol| {
        let case = Case::of(*protocol, &reports, 1);
        let figure = held(&case) as f64;
        let case = format!("memory of an idle decoder ({})", case.name);
        Row { case, figure, unit: "B", ..Row::default() }
    };
    PROTOCOLS.iter().map(row).collect()
}

/// What runs under callgrind.
pub(crate) fn again(name: &str, rounds: usize) -> usize {
    Case::named(name, &reports()).map_or(0, |case| case.decode(rounds))
}
