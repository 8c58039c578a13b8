//! Protocols: bytes in, reports and replies out. No socket, no clock; a test is a loop over bytes.
//!
//! One protocol is one file: framing, decode, encode, docs, tests. Everything known about it sits
//! in its one `impl Protocol` and one line of [`PROTOCOLS`]; port table, `--help`, README table
//! and the simulator's menu are made from that slice.

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::command::Command;
use crate::fix::Report;
use crate::id::DeviceId;
use crate::time::Timestamp;

mod ais;
mod angle;
mod aplicom;
mod arnavi;
mod atrack;
mod bce;
mod calamp;
mod castel;
mod cellocator;
mod checksum;
mod clock;
mod cursor;
mod diagnosis;
mod eelink;
mod egts;
mod fields;
mod fifotrack;
mod flespi;
mod freematics;
mod galileo;
mod gl200;
mod globalsat;
mod gosafe;
mod gps103;
mod gpsd;
mod gpsgate;
mod gt06;
mod h02;
mod http;
mod huasheng;
mod inbox;
mod its;
mod jt600;
mod jt808;
mod laipac;
mod logger;
mod megastek;
mod meiligao;
mod meitrack;
mod mictrack;
mod minifinder2;
mod mqtt;
mod navis;
mod osmand;
mod owntracks;
mod phone;
mod pt502;
mod recognition;
mod retranslator;
mod ruptela;
mod scan;
mod sender;
mod starlink;
mod startek;
mod suntech;
mod t55;
mod t800x;
mod taip;
mod teltonika;
mod tk103;
mod topin;
mod totem;
mod trv;
mod ulbotech;
mod upro;
mod watch;
mod wialon;
mod wire;
mod xexun;
mod xexun2;
mod xirgo;

pub use osmand::OsmAnd;
pub use recognition::{Mark, Recognised, recognise};
pub use t55::T55;
pub use teltonika::Teltonika;

/// Every protocol the gateway speaks, by name.
pub const PROTOCOLS: &[&dyn Protocol] = &[
    &ais::AIS,
    &aplicom::APLICOM,
    &arnavi::ARNAVI,
    &atrack::ATRACK,
    &bce::BCE,
    &calamp::CALAMP,
    &castel::CASTEL,
    &cellocator::CELLOCATOR,
    &eelink::EELINK,
    &egts::EGTS,
    &fifotrack::FIFOTRACK,
    &flespi::FLESPI,
    &freematics::FREEMATICS,
    &galileo::GALILEO,
    &gl200::GL200,
    &globalsat::GLOBALSAT,
    &gosafe::GOSAFE,
    &gps103::GPS103,
    &gpsd::GPSD,
    &gpsgate::GPSGATE,
    &logger::GPSLOGGER,
    &gt06::GT06,
    &h02::H02,
    &huasheng::HUASHENG,
    &its::ITS,
    &jt600::JT600,
    &jt808::JT808,
    &laipac::LAIPAC,
    &megastek::MEGASTEK,
    &meiligao::MEILIGAO,
    &meitrack::MEITRACK,
    &mictrack::MICTRACK,
    &minifinder2::MINIFINDER2,
    &navis::NAVIS,
    &OsmAnd,
    &phone::OVERLAND,
    &owntracks::OwnTracks,
    &logger::PHONETRACK,
    &pt502::PT502,
    &retranslator::RETRANSLATOR,
    &ruptela::RUPTELA,
    &starlink::STARLINK,
    &startek::STARTEK,
    &suntech::SUNTECH,
    &T55,
    &t800x::T800X,
    &taip::TAIP,
    &Teltonika,
    &tk103::TK103,
    &topin::TOPIN,
    &totem::TOTEM,
    &trv::TRV,
    &ulbotech::ULBOTECH,
    &upro::UPRO,
    &watch::WATCH,
    &wialon::WIALON,
    &xexun::XEXUN,
    &xexun2::XEXUN2,
    &xirgo::XIRGO,
];

/// The protocol of a name.
pub fn by_name(name: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().copied().find(|p| p.name() == name)
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// A stream; one decoder a connection.
    Tcp,
    /// One datagram is one whole conversation; one decoder a datagram.
    Udp,
    /// A stream of HTTP/1.1 requests; one decoder a connection.
    Http,
    /// A stream of MQTT packets; one decoder a connection.
    Mqtt,
}

impl Transport {
    /// `tcp`, `udp`, `http` or `mqtt`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Http => "http",
            Self::Mqtt => "mqtt",
        }
    }
    /// The transport of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp, Self::Http, Self::Mqtt].into_iter().find(|t| t.name() == name)
    }
}

/// What to do with a wrong checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksum {
    /// Refuse the frame (production).
    #[default]
    Strict,
    /// Decode it all the same and say so in [`Report::checksum_ok`] (scoring, forensics).
    Lenient,
}

/// How to set up a decoder or encoder.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What to do with wrong checksums.
    pub checksum: Checksum,
    /// Device model where the bytes alone leave it open (`decoder_config.modelOverride`).
    pub model: Option<String>,
    /// Which fields its messages have, where people choose them on the device, in the maker's own
    /// notation.
    pub format: Option<String>,
}

/// One protocol: its facts, its decoder, its encoder.
pub trait Protocol: Send + Sync + std::fmt::Debug {
    /// Lower case name, Traccar's where it has one.
    fn name(&self) -> &'static str;
    /// Port that devices of this kind are usually set to.
    fn default_port(&self) -> u16;
    /// How it may arrive.
    fn transports(&self) -> &'static [Transport];
    /// Port that devices of this kind are usually set to where they arrive this way. A second kind
    /// of stream has its own; datagrams share the number.
    fn port(&self, _transport: Transport) -> u16 {
        self.default_port()
    }
    /// How its first messages begin; any one of them. None where requests tell
    /// ([`recognise`]).
    fn signatures(&self) -> &'static [Mark] {
        &[]
    }
    /// Models and programs known to speak it, for people.
    fn models(&self) -> &'static [&'static str];
    /// How long a silent connection is kept.
    fn idle_limit(&self) -> Duration;
    /// A decoder for one connection (TCP, HTTP) or one datagram (UDP).
    fn decoder(&self, transport: Transport, options: &Options) -> Box<dyn Decode>;
    /// The device's side of the conversation, for the simulator and for tests.
    fn encoder(&self, transport: Transport, device: &DeviceId) -> Box<dyn Encode>;
}

/// The server's side: decodes one stream.
pub trait Decode: Send {
    /// Accept bytes exactly as they arrived; any split is legal. `received_at` completes
    /// messages that carry no date and stamps time replies. Buffers at most one frame of the
    /// protocol's own maximum.
    fn feed(&mut self, bytes: &[u8], received_at: Timestamp);
    /// What to do next. Call until `NeedBytes`. `Step::Report` has filled `report`, which the
    /// caller reuses.
    fn poll(&mut self, report: &mut Report) -> Result<Step, DecodeError>;
    /// No more bytes follow: the stream is closed, or a message came whole from elsewhere (a
    /// file, a quarantine). What the decoder holds back to see what follows becomes due, and an
    /// unfinished frame an error; with [`Checksum::Lenient`] a frame whose length field
    /// contradicts its bytes is decoded all the same. Poll on until `NeedBytes`; feeding again
    /// begins the next message.
    fn end(&mut self) {}
    /// Answers `Step::Identify`: may this device speak, and if not, why.
    fn admit(&mut self, verdict: Admission);
    /// What was shown along with the identity that `Step::Identify` asks about: a password, a token,
    /// an authentication code. `None`: nothing, or the protocol has no such thing.
    fn shown(&self) -> Option<&[u8]> {
        None
    }
    /// The bytes that tell `device` to do something, in the dialect that this stream speaks;
    /// `number` is what its answer may carry. `None`: it can not be told that, or not this way. An
    /// answer comes as a report with the attribute `command_result`.
    fn command(&mut self, _order: &Telling<'_>) -> Option<Bytes> {
        None
    }
    /// Whether a frame has begun and not ended (the progress timeout runs).
    fn mid_frame(&self) -> bool;
    /// How long this stream may be silent, where its peer has said so (MQTT's keep alive); `None`:
    /// [`Protocol::idle_limit`].
    fn idle_limit(&self) -> Option<Duration> {
        None
    }
    /// The next raw frame as the stream splitter cuts it, for `milepost decode` of frame vectors;
    /// consumes it. `None`: incomplete. Streams without own framing answer `None`.
    fn frame(&mut self) -> Option<Bytes> {
        None
    }
}

/// A command on its way to a device.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// Who is told.
    pub device: &'a DeviceId,
    /// What to do.
    pub command: &'a Command,
    /// Rises with every command of a connection, from 1.
    pub number: u16,
    /// Now.
    pub at: Timestamp,
}

/// What a decoder wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing more without more bytes.
    NeedBytes,
    /// The stream named its device; nothing further is decoded until [`Decode::admit`].
    Identify(DeviceId),
    /// The caller's report has been filled.
    Report,
    /// Answer the device.
    Reply {
        /// The exact bytes.
        bytes: Bytes,
        /// When it may go.
        when: When,
    },
    /// The protocol ends the connection here (an HTTP `Connection: close`, a refused login),
    /// after the replies before it have been sent.
    Close,
}

/// When a reply may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Login, heartbeat, time: at once (but after replies that were decoded earlier).
    Immediate,
    /// When every report decoded before it is durable.
    AfterDurable,
}

/// The verdict on an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may speak.
    Admitted,
    /// Nobody knows this device.
    Unknown,
    /// It may not, though known: retired, wrong protocol, conflict with a live connection.
    Refused,
}

/// Bytes that mean nothing. Never the end of a stream by itself: count, sample, go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason} at byte {offset}")]
pub struct DecodeError {
    /// Closed set, for the counter's label.
    pub kind: BadFrame,
    /// Offset within the frame (or within the skipped bytes).
    pub offset: usize,
    /// Lower case, value in backticks, what was expected.
    pub reason: String,
    /// The bad frame, at most [`SAMPLE_MAX`] bytes of it.
    pub sample: Bytes,
    /// False: the stream can not be followed any further; close it.
    pub recoverable: bool,
}

impl DecodeError {
    /// A bad frame in a stream that can go on; the sample is cut to [`SAMPLE_MAX`].
    fn new(kind: BadFrame, offset: usize, reason: impl Into<String>, frame: &[u8]) -> Self {
        let sample = Bytes::copy_from_slice(&frame[..frame.len().min(SAMPLE_MAX)]);
        Self { kind, offset, reason: reason.into(), sample, recoverable: true }
    }
}

/// Longest sample of a bad frame, bytes.
pub const SAMPLE_MAX: usize = 256;

/// Why a frame is bad; the label of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BadFrame {
    /// Its own checksum is wrong.
    Checksum,
    /// A length that cannot be, or longer than the protocol allows.
    Length,
    /// Ends before its fields do.
    Truncated,
    /// A field or structure that the protocol does not know.
    Malformed,
    /// A value outside of its range (latitude 91).
    Range,
    /// Data before any identity.
    NoIdentity,
}

impl BadFrame {
    /// Label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Length => "length",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Range => "range",
            Self::NoIdentity => "no_identity",
        }
    }
}

/// The device's side: what a tracker of this kind sends, and what it makes of the answers.
pub trait Encode: Send {
    /// What it sends first on a new connection; empty where the protocol has no login.
    fn login(&mut self) -> Vec<u8>;
    /// One packet that carries the reports, oldest first, as a tracker would send it now.
    fn packet(&mut self, reports: &[Report]) -> Vec<u8>;
    /// Bytes from the server, any split; appends what they say.
    fn answer(&mut self, bytes: &[u8], out: &mut Vec<Answer>);
    /// Most records one packet can carry.
    fn records_max(&self) -> usize;
    /// Whether the protocol answers data at all (raw NMEA does not).
    fn acknowledges(&self) -> bool;
}

/// What the server said to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The login holds.
    LoggedIn,
    /// The login or request was refused.
    Refused,
    /// The oldest unanswered packet is safe, all of its records.
    Stored,
    /// The oldest unanswered packet was not taken; send it again.
    NotStored,
}

#[cfg(test)]
mod tests;
