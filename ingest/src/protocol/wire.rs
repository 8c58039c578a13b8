//! What most protocols share: frames are cut from a stream, each frame is read, a device that a
//! frame names is asked about before anything it said is reported, and answers follow reports.
//!
//! A protocol of this kind is a [`Wire`] (how to cut, how to read) and a [`Wired`] value (its
//! facts). A dialect is another value. Nothing here knows a protocol.

use std::fmt;
use std::time::Duration;

use super::recognition::Mark;
use super::sender::{Sender, Sent, Speaker};
use super::{Decode, Encode, Options, Protocol, Telling, Transport};
use crate::fix::Report;
use crate::id::DeviceId;

mod cut;
mod decoder;
mod draft;
mod told;

pub(super) use cut::{Cut, Fault};
pub(super) use draft::{Complaint, Draft};
pub(super) use told::Told;

/// A protocol as a value.
pub(super) struct Wired {
    pub(super) name: &'static str,
    pub(super) port: u16,
    pub(super) transports: &'static [Transport],
    /// How its first messages begin; any one of them.
    pub(super) signatures: &'static [Mark],
    pub(super) models: &'static [&'static str],
    pub(super) idle_minutes: u64,
    /// Whether a report is answered when it is stored.
    pub(super) acknowledges: bool,
    pub(super) wire: fn(&Options) -> Box<dyn Wire>,
    /// What a device sends first.
    pub(super) login: fn(&mut Speaker) -> Sent,
    /// What a device sends for one report.
    pub(super) message: fn(&mut Speaker, &Report) -> Sent,
}

pub(super) const TCP: &[Transport] = &[Transport::Tcp];
pub(super) const UDP: &[Transport] = &[Transport::Udp];
pub(super) const HTTP: &[Transport] = &[Transport::Http];
pub(super) const TCP_UDP: &[Transport] = &[Transport::Tcp, Transport::Udp];

impl fmt::Debug for Wired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wired({})", self.name)
    }
}

impl Protocol for Wired {
    fn name(&self) -> &'static str {
        self.name
    }
    fn signatures(&self) -> &'static [Mark] {
        self.signatures
    }
    fn default_port(&self) -> u16 {
        self.port
    }
    fn transports(&self) -> &'static [Transport] {
        self.transports
    }
    fn models(&self) -> &'static [&'static str] {
        self.models
    }
    fn idle_limit(&self) -> Duration {
        Duration::from_mins(self.idle_minutes)
    }
    fn decoder(&self, transport: Transport, options: &Options) -> Box<dyn Decode> {
        Box::new(decoder::Decoder::new((self.wire)(options), transport, options))
    }
    fn encoder(&self, transport: Transport, device: &DeviceId) -> Box<dyn Encode> {
        let speaker = Speaker::new(device, transport);
        Box::new(Sender::new(speaker, self.login, self.message, self.acknowledges))
    }
}

/// How a protocol is cut and read. Lives as long as the connection and may remember.
pub(super) trait Wire: Send {
    /// The first frame of `bytes`, which are not empty. `whole`: nothing follows them, so that an
    /// end of line may be missing. The verdict on a beginning must not change when more follows,
    /// except from [`Cut::Need`].
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut;
    /// What a frame says. On an error nothing of it is reported; its answers are still given,
    /// since the gateway keeps what can not be read. A frame of several devices is read once for
    /// each ([`Told::again`]).
    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint>;
    /// A frame as a splitter of its own would hand it on: unescaped, without its ends.
    fn split(&self, frame: &[u8]) -> Vec<u8> {
        frame.to_vec()
    }
    /// What a device that may not speak is told.
    fn refusal(&self) -> &'static [u8] {
        b""
    }
    /// Whether many devices speak over one connection, so that one that may not does not end it.
    fn is_shared(&self) -> bool {
        false
    }
    /// How long the stream may be silent, where its peer has said so.
    fn idle_limit(&self) -> Option<Duration> {
        None
    }
    /// What tells a device to do something; see [`Decode::command`].
    fn command(&mut self, _telling: &Telling<'_>) -> Option<Vec<u8>> {
        None
    }
}
