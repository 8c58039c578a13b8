//! Packets over real sockets: processor time of the thread that serves them, from the socket to the
//! queue and back, beside the references; how long an answer takes; what an idle session holds.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Instant;

use ingest::fix::Report;
use ingest::id::DeviceId;
use ingest::protocol::{Transport, by_name};

use crate::decode::{self, reports};
use crate::measure::{resident_bytes, seconds_of_thread};
use crate::serving::{self, Serving};
use crate::table::{Goal, Row};
use crate::{counting, reference, waiting};

/// Devices that speak at the same time.
const DEVICES: usize = 64;
/// Packets of each device.
const PACKETS: usize = 1_500;
/// Packets of each device before the time is taken.
const WARM: usize = 100;
/// Rounds; the best one of each counts.
const ROUNDS: usize = 5;
/// Answers that are waited for one by one.
const ANSWERS: usize = 5_000;
/// Idle sessions, and the argument of the process that holds their other ends.
const SESSIONS: usize = 10_000;
pub(crate) const HOLD: &str = "--hold";

/// What an idle session holds, in all and piece by piece.
pub(crate) fn memory() -> Vec<Row> {
    let mut rows: Vec<Row> =
        ["teltonika", "gt06", "jt808", "h02", "osmand"].into_iter().flat_map(idle).collect();
    rows.extend(decode::idle_bytes());
    rows
}

/// All of it.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = tcp();
    rows.extend(udp());
    rows.extend(latency());
    rows.extend(memory());
    rows
}

/// What the `n`th device of a protocol sends first, and then over and over.
fn device(name: &str, transport: Transport, n: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let protocol = by_name(name).expect("it is spoken");
    let id = serving::id(n);
    let mut encoder = protocol.encoder(transport, &id);
    let own = |r: Report| Report { device: id.clone(), ..r };
    let login = encoder.login();
    (login, reports().into_iter().map(|r| encoder.packet(&[own(r)])).collect())
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    waiting::bound_stream(&stream);
    stream
}

/// Processor seconds of each packet of `DEVICES` connections: all send one, then all wait.
fn packets(serving: &Serving, name: &str, answer: usize) -> f64 {
    let mut devices: Vec<_> = (0..DEVICES)
        .map(|n| {
            let (login, packets) = device(name, Transport::Tcp, n);
            let mut stream = connect(serving.address);
            if !login.is_empty() {
                assert!(answer > 0, "a login without an answer would meet the first packet");
                stream.write_all(&login).expect("sent");
                assert!(stream.read(&mut [0; 256]).expect("an answer to the login") > 0);
            }
            (stream, packets)
        })
        .collect();
    let mut told = vec![0; answer];
    let mut begun = (0.0, 0);
    for round in 0..WARM + PACKETS {
        if round == WARM {
            begun = (
                seconds_of_thread(serving.thread),
                serving.taken.load(std::sync::atomic::Ordering::Relaxed),
            );
        }
        let before = serving.taken.load(std::sync::atomic::Ordering::Relaxed);
        for (stream, packets) in &mut devices {
            stream.write_all(&packets[round % packets.len()]).expect("sent");
        }
        if answer == 0 {
            serving.until(before + DEVICES as u64);
        }
        for (stream, _) in devices.iter_mut().filter(|_| answer > 0) {
            stream.read_exact(&mut told).expect("an answer");
        }
    }
    (seconds_of_thread(serving.thread) - begun.0) / (DEVICES * PACKETS) as f64
}

/// The least of both, measured by turns, so that a busy minute of the machine meets both.
fn by_turns(reference: impl Fn() -> f64, ours: impl Fn() -> f64) -> [f64; 2] {
    let round = |[least, ours_least]: [f64; 2], _| [least.min(reference()), ours_least.min(ours())];
    (0..ROUNDS).fold([f64::INFINITY; 2], round)
}

fn pair(case: &str, [reference, ours]: [f64; 2], most: f64) -> [Row; 2] {
    let row = |case: String, seconds: f64| Row {
        case,
        figure: seconds * 1e6,
        unit: "us",
        ..Row::default()
    };
    [
        row(format!("{case}, reference loop"), reference),
        Row {
            ratio: Some((ours / reference, "reference")),
            goal: Some(Goal::RatioMost(most)),
            ..row(format!("{case}, the door"), ours)
        },
    ]
}

fn tcp() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, case, answer) in [
        ("teltonika", "CPU a TCP packet with answer (teltonika)", &[0_u8, 0, 0, 1] as &[u8]),
        ("suntech", "CPU a TCP packet without answer (suntech)", b""),
    ] {
        let both = by_turns(
            || packets(&reference::streams(answer), name, answer.len()),
            || packets(&Serving::door(name, Transport::Tcp), name, answer.len()),
        );
        rows.extend(pair(case, both, 2.5));
    }
    rows
}

/// The same with datagrams.
fn datagrams(serving: &Serving) -> f64 {
    let devices: Vec<_> = (0..DEVICES)
        .map(|n| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.connect(serving.address).expect("connected");
            waiting::bound_socket(&socket);
            (socket, device("teltonika", Transport::Udp, n).1)
        })
        .collect();
    let (mut told, mut begun) = ([0; 64], 0.0);
    for round in 0..WARM + PACKETS {
        if round == WARM {
            begun = seconds_of_thread(serving.thread);
        }
        for (socket, packets) in &devices {
            socket.send(&packets[round % packets.len()]).expect("sent");
        }
        for (socket, _) in &devices {
            socket.recv(&mut told).expect("an answer");
        }
    }
    (seconds_of_thread(serving.thread) - begun) / (DEVICES * PACKETS) as f64
}

fn udp() -> [Row; 2] {
    let both = by_turns(
        || datagrams(&reference::datagrams(&[0, 5, 0, 1, 1, 1, 1])),
        || datagrams(&Serving::door("teltonika", Transport::Udp)),
    );
    pair("CPU a datagram with answer (teltonika)", both, 3.0)
}

/// From the packet's last byte sent until its answer has come, one at a time.
fn latency() -> Vec<Row> {
    let serving = Serving::door("teltonika", Transport::Tcp);
    let (login, packets) = device("teltonika", Transport::Tcp, 0);
    let mut stream = connect(serving.address);
    let mut told = [0; 4];
    stream.write_all(&login).expect("sent");
    stream.read_exact(&mut told[..1]).expect("logged in");
    #[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
    let mut waited: Vec<f64> = (0..ANSWERS)
        .map(|n| {
            let begin = Instant::now();
            stream.write_all(&packets[n % packets.len()]).expect("sent");
            stream.read_exact(&mut told).expect("an answer");
            begin.elapsed().as_secs_f64()
        })
        .collect();
    waited.sort_by(f64::total_cmp);
    let row = |case: &str, share: f64| Row {
        case: format!("socket to answer after durable, {case}"),
        figure: waited[(ANSWERS as f64 * share) as usize] * 1e6,
        unit: "us",
        ..Row::default()
    };
    vec![row("p50", 0.5), row("p99", 0.99)]
}

/// Heap and resident bytes of a session whose device, known before, has logged in, sent and been
/// answered; and what it is made of.
fn idle(name: &'static str) -> Vec<Row> {
    let transport = by_name(name).map_or(Transport::Tcp, |p| p.transports()[0]);
    let serving = Serving::knowing(name, transport, SESSIONS);
    counting::start();
    let before = (counting::so_far().1, resident_bytes());
    let own = std::env::current_exe().expect("a name");
    let mut others = Command::new(own)
        .args([HOLD, name, &serving.address.to_string(), &SESSIONS.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the other ends");
    let mut line = String::new();
    let told = others.stdout.take().expect("its output");
    BufReader::new(told).read_line(&mut line).expect("it is ready");
    assert_eq!(line, "held\n", "every session is there");
    serving.until(SESSIONS as u64);
    let each = |bytes: f64| bytes / SESSIONS as f64;
    let heap = each((counting::so_far().1 - before.0) as f64);
    let resident = each(resident_bytes() - before.1);
    let pieces = counting::pieces(SESSIONS as i64 / 4);
    drop(others.stdin.take());
    waiting::until("the end of the other ends", || !matches!(others.try_wait(), Ok(None)));
    let mut rows = vec![Row {
        case: format!("memory of an idle session ({name}; {resident:.0} B resident)"),
        figure: heap,
        unit: "B",
        goal: Some(Goal::Most(1500.0)),
        ..Row::default()
    }];
    rows.extend(pieces.into_iter().map(|(size, count)| Row {
        case: format!("  of it pieces of {size} B"),
        figure: each(count as f64),
        unit: "",
        ..Row::default()
    }));
    rows
}

/// The other ends of idle sessions, until the input ends.
#[expect(clippy::print_stdout, reason = "it tells the bench when it is ready")]
pub(crate) fn hold(name: &str, address: &str, count: &str) {
    let (Ok(address), Ok(count)) = (address.parse::<SocketAddr>(), count.parse::<usize>()) else {
        return;
    };
    let transport = by_name(name).map_or(Transport::Tcp, |p| p.transports()[0]);
    let streams: Vec<TcpStream> = (0..count)
        .map(|n| {
            let (login, packets) = device(name, transport, n);
            let mut stream = connect(address);
            let mut told = [0; 512];
            if !login.is_empty() {
                stream.write_all(&login).expect("sent");
                assert!(stream.read(&mut told).expect("an answer to the login") > 0);
            }
            stream.write_all(&packets[0]).expect("sent");
            if by_name(name).is_some_and(|p| acknowledges(p, transport)) {
                assert!(stream.read(&mut told).expect("an answer") > 0);
            }
            stream
        })
        .collect();
    println!("held");
    drop(std::io::stdin().read_line(&mut String::new()));
    drop(streams);
}

fn acknowledges(protocol: &dyn ingest::protocol::Protocol, transport: Transport) -> bool {
    DeviceId::new("-").is_ok_and(|id| protocol.encoder(transport, &id).acknowledges())
}
