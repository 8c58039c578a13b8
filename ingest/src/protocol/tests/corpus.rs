//! What `ingest/fuzz` feeds for minutes, for a moment: its stored corpus and packets of our own
//! encoders, at every split and with changes that are the same in every run.

use super::{Checksum, PROTOCOLS, Protocol, Setting, Transport, bytes, received_at, talk};
use crate::fix::{Fix, Measured, Report};
use crate::id::DeviceId;
use crate::time::Timestamp;

/// Inputs of all protocols, found by `make fuzz` from packets of our encoders: name and hex digits,
/// of which the first two say how the others are fed.
const CORPUS: &str = include_str!("../../../fuzz/corpus.txt");
/// Changed copies of one input.
const CHANGES: usize = 40;
/// Longest input that is fed at every split; longer ones are at some.
const EVERY_SPLIT_MAX: usize = 512;

/// An input: how it is fed, and what.
type Input = (Setting, Vec<u8>);

fn encoded(protocol: &'static dyn Protocol) -> Vec<Input> {
    let device = DeviceId::new("352093081452251").expect("digits");
    let mut report = Report::of(device.clone());
    report.time = Some(Timestamp::from_seconds(received_at().micros() / 1_000_000 - 30));
    let place = Measured { lng: -8.61, lat: 41.15, valid: true, ..Measured::default() };
    report.fix = Fix::new(Measured { speed: Some(8.0), heading: Some(90.0), ..place }).ok();
    let input = |transport: &Transport| {
        let mut speaker = protocol.encoder(*transport, &device);
        let mut stream = speaker.login();
        stream.extend(speaker.packet(std::slice::from_ref(&report)));
        (Setting { protocol, transport: *transport, checksum: Checksum::Strict }, stream)
    };
    protocol.transports().iter().map(input).collect()
}

/// As `fuzz::Manner` reads the first byte: two bits of transport, one of checksum.
fn stored(protocol: &'static dyn Protocol) -> impl Iterator<Item = Input> {
    let of = CORPUS.lines().filter_map(|line| line.split_once(' '));
    of.filter(|(name, _)| *name == protocol.name()).map(move |(_, hex)| {
        let input = bytes(hex);
        let (manner, stream) = input.split_first().expect("a manner");
        let transports = protocol.transports();
        let transport = transports[usize::from(manner & 3) % transports.len()];
        let checksum = if manner & 4 == 0 { Checksum::Strict } else { Checksum::Lenient };
        (Setting { protocol, transport, checksum }, stream.to_vec())
    })
}

/// Fed whole and in two pieces, wherever they part, it says the same.
#[track_caller]
fn says_the_same(setting: Setting, stream: &[u8], parts: impl Iterator<Item = usize>) {
    let whole = talk(setting.decoder().as_mut(), [stream], true);
    if setting.transport == Transport::Udp {
        return;
    }
    for at in parts {
        let (first, second) = stream.split_at(at);
        let pieces = talk(setting.decoder().as_mut(), [first, second], true);
        let name = setting.protocol.name();
        assert_eq!(pieces, whole, "{name} parted at {at}: {}", stream.escape_ascii());
    }
}

/// Numbers that look random and are not (Marsaglia's xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end.max(1)
    }
    /// Changes a few places: a byte, a bit, a piece gone, said twice, or of another input.
    fn change(&mut self, stream: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(3) {
            let from = self.below(stream.len());
            let to = (from + 1 + self.below(8)).min(stream.len());
            match self.below(6) {
                0 => stream.iter_mut().skip(from).take(1).for_each(|b| *b = self.below(256) as u8),
                1 => stream.iter_mut().skip(from).take(1).for_each(|b| *b ^= 1 << self.below(8)),
                2 => drop(stream.drain(from.min(to)..to)),
                3 => stream.extend_from_within(from.min(to)..to),
                4 => stream.truncate(from),
                _ => {
                    let piece = self.below(other.len());
                    stream.extend_from_slice(&other[piece..other.len().min(piece + 64)]);
                }
            }
        }
    }
}

#[test]
fn the_corpus_is_fed_at_every_split() {
    for protocol in PROTOCOLS.iter().copied() {
        for (setting, stream) in encoded(protocol).into_iter().chain(stored(protocol)) {
            let step = stream.len() / EVERY_SPLIT_MAX + 1;
            says_the_same(setting, &stream, (1..stream.len()).step_by(step));
        }
    }
}

#[test]
fn the_corpus_is_fed_with_changes() {
    for (nth, protocol) in PROTOCOLS.iter().copied().enumerate() {
        let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15 ^ nth as u64);
        let inputs: Vec<Input> = encoded(protocol).into_iter().chain(stored(protocol)).collect();
        for (setting, stream) in &inputs {
            for _ in 0..CHANGES {
                let (_, other) = &inputs[numbers.below(inputs.len())];
                let mut changed = stream.clone();
                numbers.change(&mut changed, other);
                let length = changed.len();
                let parts = [numbers.below(length), length / 2, length.saturating_sub(1)];
                says_the_same(*setting, &changed, parts.into_iter());
            }
        }
    }
}

#[test]
fn the_corpus_is_of_protocols_that_are_spoken() {
    let stored = PROTOCOLS.iter().copied().map(|p| stored(p).count()).sum::<usize>();
    assert_eq!(stored, CORPUS.lines().count(), "each line is a name and hex digits");
}
