//! One fuzz target for each protocol: what is fed, and what must hold of it.
//!
//! An input is one byte of [`Manner`] and the bytes of a connection or datagram. Whatever they
//! are: nothing panics (overflow and debug assertions on), the decoder comes to rest, and a
//! stream that arrives in pieces says what it says at once. The fuzzer itself bounds time and
//! memory. `run.sh` holds the recipe; a found case becomes a unit test of its protocol.

pub mod seeds;

use ingest::fix::Report;
use ingest::id::DeviceId;
use ingest::protocol::{
    Admission, Checksum, Decode, Options, Protocol, Step, Transport, recognise,
};
use ingest::time::Timestamp;

/// More steps than an input of the fuzzer's length can mean.
const STEPS_MAX: usize = 100_000;
/// 2026-11-20T08:15:30Z.
const RECEIVED_AT: Timestamp = Timestamp::from_seconds(1_795_162_530);

/// How bytes are fed: the first byte of an input.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Which of the protocol's transports.
    pub transport: Transport,
    /// Whether wrong checksums are let through.
    pub checksum: Checksum,
    /// What every identity is told.
    pub verdict: Admission,
    /// Bytes of a piece.
    pub piece: usize,
}

impl Manner {
    /// Two bits of transport, one of checksum, one of verdict, four of the pieces' length.
    pub fn of(protocol: &dyn Protocol, byte: u8) -> Self {
        let transports = protocol.transports();
        Self {
            transport: transports[usize::from(byte & 3) % transports.len()],
            checksum: if byte & 4 == 0 { Checksum::Strict } else { Checksum::Lenient },
            verdict: if byte & 8 == 0 { Admission::Admitted } else { Admission::Refused },
            piece: usize::from(byte >> 4) * 3 + 1,
        }
    }

    fn decoder(self, protocol: &dyn Protocol) -> Box<dyn Decode> {
        let options = Options { checksum: self.checksum, ..Options::default() };
        protocol.decoder(self.transport, &options)
    }
}

/// Feeds one input.
///
/// # Panics
/// When something that must hold does not.
pub fn feed(protocol: &dyn Protocol, input: &[u8]) {
    let Some((manner, bytes)) = input.split_first() else { return };
    let manner = Manner::of(protocol, *manner);
    let whole = conversation(protocol, manner, bytes.len().max(1), bytes);
    if manner.transport != Transport::Udp {
        let pieces = conversation(protocol, manner, manner.piece, bytes);
        assert_eq!(pieces, whole, "in pieces of {} bytes", manner.piece);
    }
    let (once, cut) = (frames(protocol, manner, bytes.len().max(1), bytes), manner.piece);
    if manner.transport != Transport::Udp {
        assert_eq!(frames(protocol, manner, cut, bytes), once, "cut in pieces of {cut} bytes");
    }
    let how = if manner.transport == Transport::Udp { Transport::Udp } else { Transport::Tcp };
    recognise(bytes, how);
    let mut device = protocol.encoder(manner.transport, &device());
    device.answer(bytes, &mut Vec::new());
}

/// Every step that a decoder takes, in words.
fn conversation(
    protocol: &dyn Protocol,
    manner: Manner,
    piece: usize,
    bytes: &[u8],
) -> Vec<String> {
    let mut decoder = manner.decoder(protocol);
    let mut said = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.feed(piece, RECEIVED_AT);
        settle(decoder.as_mut(), manner.verdict, &mut said);
    }
    decoder.end();
    settle(decoder.as_mut(), manner.verdict, &mut said);
    said
}

fn settle(decoder: &mut dyn Decode, verdict: Admission, said: &mut Vec<String>) {
    let mut report = Report::of(device());
    for _ in 0..STEPS_MAX {
        match decoder.poll(&mut report) {
            Ok(Step::NeedBytes | Step::Close) => return,
            Ok(Step::Identify(_)) => decoder.admit(verdict),
            Ok(Step::Report) => said.push(format!("{report:?}")),
            Ok(step) => said.push(format!("{step:?}")),
            Err(error) => said.push(format!("{:?} {}", error.kind, error.reason)),
        }
    }
    panic!("the decoder does not come to rest");
}

/// Every frame that the splitter cuts; at most one a byte.
fn frames(protocol: &dyn Protocol, manner: Manner, piece: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = manner.decoder(protocol);
    let mut all = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.feed(piece, RECEIVED_AT);
        while let Some(frame) = decoder.frame() {
            all.push(frame.to_vec());
            assert!(all.len() <= bytes.len(), "the splitter cuts without an end");
        }
    }
    all
}

/// Who speaks in seeds.
pub fn device() -> DeviceId {
    DeviceId::new("352093081452251").expect("digits are a device id")
}
