//! What a byte that means nothing costs a decoder, beside a byte of a good packet: a stranger must
//! not have us work for him.

use ingest::protocol::{Admission, Decode, Options, PROTOCOLS, Protocol, Step, Transport};
use ingest::time::Timestamp;
use nix::time::{ClockId, clock_gettime};

use crate::devices;

/// First argument for this alone.
pub(crate) const JUNK: &str = "junk";
/// The most that the worst bytes may cost, in good ones.
const RATIO_MAX: f64 = 10.0;
/// Bytes of one kind, as they are read from a socket.
const BYTES: usize = 256 * 1024;
const PIECE: usize = 16 * 1024;
/// Errors after which the door ends a connection.
const ERRORS: usize = 20;
const NOW: Timestamp = Timestamp::from_seconds(1_795_162_590);

/// Every protocol and its worst bytes.
#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
pub(crate) fn compare() {
    println!("protocol     | good ns/byte | worst ns/byte | ratio | of");
    for protocol in PROTOCOLS {
        let transport = protocol.transports()[0];
        let device = devices::id(0);
        let mut encoder = protocol.encoder(transport, &device);
        let mut login = encoder.login();
        let packet = encoder.packet(&[devices::report(&device)]);
        let good = cost(*protocol, transport, &login, &packet);
        login.extend_from_slice(&packet);
        let worst =
            patterns(&login)
                .into_iter()
                .map(|(name, junk)| (cost(*protocol, transport, &[], &junk), name))
                .chain(patterns(&packet).into_iter().map(|(name, junk)| {
                    (cost(*protocol, transport, &encoder.login(), &junk), name)
                }))
                .max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((worst, name)) = worst else { continue };
        let ratio = worst / good;
        let verdict = if ratio <= RATIO_MAX { "" } else { "  MISSED" };
        println!(
            "{:12} | {good:12.2} | {worst:13.2} | {ratio:5.1} | {name}{verdict}",
            protocol.name()
        );
    }
}

/// Bytes that look like the protocol's to different degrees.
fn patterns(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |_: &u8| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let mut broken = good.to_vec();
    if let Some(byte) = broken.get_mut(good.len() / 2) {
        *byte ^= 0x55;
    }
    vec![
        ("one letter", vec![b'Z']),
        ("zeros", vec![0]),
        ("ones", vec![0xff]),
        ("line ends", vec![b'\n']),
        ("random", vec![0; 65_536].iter().map(&mut random).collect()),
        ("its first byte", good[..1].to_vec()),
        ("its first bytes", good[..good.len().min(4)].to_vec()),
        ("halves", good[..good.len() / 2].to_vec()),
        ("its second half", good[good.len() / 2..].to_vec()),
        ("one byte wrong", broken),
    ]
}

/// Nanoseconds a byte of this, said over and over, by connections that end as the door ends them.
fn cost(protocol: &dyn Protocol, transport: Transport, login: &[u8], unit: &[u8]) -> f64 {
    let bytes: Vec<u8> = unit.iter().copied().cycle().take(BYTES).collect();
    let round = || {
        let begin = processor_seconds();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let mut decode = protocol.decoder(transport, &Options::default());
            decode.feed(login, NOW);
            let mut errors = 0;
            hear(decode.as_mut(), &mut errors);
            while errors <= ERRORS && !rest.is_empty() {
                let (piece, others) = rest.split_at(rest.len().min(PIECE));
                rest = others;
                decode.feed(piece, NOW);
                if !hear(decode.as_mut(), &mut errors) {
                    break;
                }
            }
        }
        (processor_seconds() - begin) * 1e9 / BYTES as f64
    };
    (0..3).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// Takes all that the decoder has; whether the connection goes on.
fn hear(decode: &mut dyn Decode, errors: &mut usize) -> bool {
    let mut report = ingest::fix::Report::of(devices::id(0));
    loop {
        match decode.poll(&mut report) {
            Ok(Step::NeedBytes) => return true,
            Ok(Step::Close) => return false,
            Ok(Step::Identify(_)) => decode.admit(Admission::Admitted),
            Ok(Step::Report | Step::Reply { .. }) => {}
            Err(error) => {
                *errors += 1;
                if !error.recoverable || *errors > ERRORS {
                    return false;
                }
            }
        }
    }
}

fn processor_seconds() -> f64 {
    let ran = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a thread's own clock");
    ran.tv_sec() as f64 + ran.tv_nsec() as f64 / 1e9
}
