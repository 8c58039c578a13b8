//! A tracker without its socket: what it measures, what it sends, and what the server will read.
//!
//! Any protocol is spoken through its encoder. Beside it runs the protocol's own decoder on the
//! same bytes, so that what is recorded of a fix are the values the protocol can carry.

use ingest::fix::{Fix, Report};
use ingest::id::{DeviceId, TenantId};
use ingest::protocol::{
    Admission, Answer, Decode, DecodeError, Encode, Options, Protocol, Step, Transport,
};
use ingest::record::{Pid, pid};
use ingest::time::Timestamp;
use ingest::units::OutOfRange;
use thiserror::Error;

/// What a device speaks and how it travels.
#[derive(Debug, Clone, Copy)]
pub struct Speech {
    /// The protocol.
    pub protocol: &'static dyn Protocol,
    /// The transport that was named, else its first stream.
    pub transport: Transport,
}

/// A name that is no protocol a simulated device can speak.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("protocol `{name}` is not known, expected one of {known}")]
pub struct UnknownProtocol {
    /// The name.
    pub name: String,
    /// Those there are.
    pub known: String,
}

impl Speech {
    /// The protocol of a name, over its first stream, or as `teltonika/udp` over the transport
    /// behind the slash.
    ///
    /// # Errors
    /// When there is no such protocol, or it does not travel that way.
    pub fn named(name: &str) -> Result<Self, UnknownProtocol> {
        let (id, wanted) = match name.split_once('/') {
            Some((id, transport)) => (id, Some(transport)),
            None => (name, None),
        };
        let travels = |protocol: &'static dyn Protocol| {
            let fits = |t: &Transport| wanted.map_or(*t != Transport::Udp, |w| w == t.name());
            let transport = protocol.transports().iter().copied().find(fits)?;
            Some(Self { protocol, transport })
        };
        ingest::protocol::by_name(id).and_then(travels).ok_or_else(|| {
            let known: Vec<_> = ingest::protocol::PROTOCOLS.iter().map(|p| p.name()).collect();
            UnknownProtocol { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

/// One connection's conversation as the device holds it.
///
/// An encoder remembers what it has sent to understand the answers, so what is only read back
/// goes through a second one.
pub struct Conversation {
    encoder: Box<dyn Encode>,
    shadow: Box<dyn Encode>,
    mirror: Box<dyn Decode>,
    speech: Speech,
    scratch: Report,
    tenant: TenantId,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("device", &self.scratch.device).finish_non_exhaustive()
    }
}

impl Conversation {
    /// A new connection; its login has to be sent first.
    pub fn open(
        speech: Speech,
        device: &DeviceId,
        tenant: &TenantId,
        now: Timestamp,
    ) -> (Self, Vec<u8>) {
        let mut encoder = speech.protocol.encoder(speech.transport, device);
        let mirror = speech.protocol.decoder(speech.transport, &Options::default());
        let mut shadow = speech.protocol.encoder(speech.transport, device);
        let login = encoder.login();
        let scratch = Report::of(device.clone());
        let tenant = tenant.clone();
        let same = shadow.login();
        let mut conversation = Self { encoder, shadow, mirror, speech, scratch, tenant };
        conversation.mirror.feed(&same, now);
        conversation.read(now, &mut Vec::new());
        (conversation, login)
    }

    /// What the server will read of a packet of these reports, oldest first: identities, and
    /// values as the protocol can carry them.
    pub fn read_back(&mut self, reports: &[Report], now: Timestamp) -> Vec<(Pid, Report)> {
        let bytes = self.shadow.packet(reports);
        if self.speech.transport == Transport::Udp {
            self.mirror = self.speech.protocol.decoder(Transport::Udp, &Options::default());
        }
        self.mirror.feed(&bytes, now);
        let mut read = Vec::with_capacity(reports.len());
        self.read(now, &mut read);
        read
    }

    /// One packet of reports to be sent now, at most [`Conversation::records_max`], oldest first.
    /// A packet that is sent again is made again.
    pub fn packet(&mut self, reports: &[Report]) -> Vec<u8> {
        self.encoder.packet(reports)
    }

    /// Bytes from the server; appends what they say.
    pub fn answer(&mut self, bytes: &[u8], out: &mut Vec<Answer>) {
        self.encoder.answer(bytes, out);
    }

    /// Most records of one packet.
    pub fn records_max(&self) -> usize {
        self.encoder.records_max().max(1)
    }

    /// Whether the server answers data.
    pub fn acknowledges(&self) -> bool {
        self.encoder.acknowledges()
    }

    fn read(&mut self, now: Timestamp, out: &mut Vec<(Pid, Report)>) {
        loop {
            match self.mirror.poll(&mut self.scratch) {
                Ok(Step::Identify(_)) => self.mirror.admit(Admission::Admitted),
                Ok(Step::Report) => {
                    out.push((pid(&self.tenant, &self.scratch, now), self.scratch.clone()));
                }
                Ok(Step::Reply { .. }) | Err(DecodeError { recoverable: true, .. }) => {}
                Ok(Step::NeedBytes | Step::Close) | Err(_) => return,
            }
        }
    }
}

/// A report of a fix as the device itself has it, before any protocol.
pub fn report(device: &DeviceId, time: Timestamp, fix: Result<Fix, OutOfRange>) -> Option<Report> {
    let fix = fix.ok()?;
    Some(Report { time: Some(time), fix: Some(fix), ..Report::of(device.clone()) })
}

#[cfg(test)]
mod tests {
    use ingest::fix::Measured;
    use ingest::protocol::PROTOCOLS;

    use super::*;

    fn reports(device: &DeviceId, start: Timestamp) -> Vec<Report> {
        let fix = |k: i64| {
            let k = k as f64;
            Fix::new(Measured {
                lng: -8.610_987_6 + k * 1.234e-5,
                lat: 41.149_612_3 - k * 0.777e-5,
                valid: true,
                speed: Some(8.437 + k),
                heading: Some((359.87 + k * 7.31) % 360.0),
                altitude: Some(87.5),
                accuracy: Some(6.0),
            })
        };
        (0..5).filter_map(|k| report(device, start.plus_seconds(k as f64), fix(k))).collect()
    }

    /// What a server reads from these bytes, fed one by one.
    fn served(
        speech: Speech,
        tenant: &TenantId,
        bytes: &[u8],
        now: Timestamp,
    ) -> Vec<(Pid, Report)> {
        let mut decoder = speech.protocol.decoder(speech.transport, &Options::default());
        let mut out = Vec::new();
        let mut report = Report::of(DeviceId::new("nobody").expect("an id"));
        for byte in bytes {
            decoder.feed(&[*byte], now);
            loop {
                match decoder.poll(&mut report).expect("good bytes") {
                    Step::NeedBytes | Step::Close => break,
                    Step::Identify(_) => decoder.admit(Admission::Admitted),
                    Step::Report => out.push((pid(tenant, &report, now), report.clone())),
                    Step::Reply { .. } => {}
                }
            }
        }
        out
    }

    #[test]
    fn what_is_recorded_is_what_the_server_reads() {
        let tenant = TenantId::new("demo").expect("an id");
        let device = DeviceId::new("352000100000019").expect("an id");
        let now = Timestamp::parse("2026-11-20T08:15:30Z").expect("a time");
        for protocol in PROTOCOLS {
            let Ok(speech) = Speech::named(protocol.name()) else { continue };
            let (mut device_side, login) = Conversation::open(speech, &device, &tenant, now);
            let mut bytes = login;
            let mut recorded = Vec::new();
            let per = device_side.records_max().min(2);
            for chunk in reports(&device, now).chunks(per) {
                recorded.extend(device_side.read_back(chunk, now));
                bytes.extend(device_side.packet(chunk));
            }
            assert_eq!(recorded.len(), 5, "{}", protocol.name());
            assert_eq!(served(speech, &tenant, &bytes, now), recorded, "{}", protocol.name());
        }
    }

    #[test]
    fn a_datagram_is_read_by_itself() {
        let tenant = TenantId::new("demo").expect("an id");
        let device = DeviceId::new("352000100000019").expect("an id");
        let now = Timestamp::parse("2026-11-20T08:15:30Z").expect("a time");
        let speech = Speech::named("teltonika/udp").expect("it travels so");
        let (mut device_side, login) = Conversation::open(speech, &device, &tenant, now);
        assert!(login.is_empty());
        for chunk in reports(&device, now).chunks(2) {
            let recorded = device_side.read_back(chunk, now);
            assert_eq!(recorded.len(), chunk.len());
            let mut decoder = speech.protocol.decoder(speech.transport, &Options::default());
            decoder.feed(&device_side.packet(chunk), now);
            let (mut read, mut report) = (0, Report::of(device.clone()));
            let mut answers = Vec::new();
            loop {
                match decoder.poll(&mut report).expect("good bytes") {
                    Step::NeedBytes | Step::Close => break,
                    Step::Identify(_) => decoder.admit(Admission::Admitted),
                    Step::Report => {
                        assert_eq!(report, recorded[read].1);
                        read += 1;
                    }
                    Step::Reply { bytes, .. } => device_side.answer(&bytes, &mut answers),
                }
            }
            assert_eq!((read, answers.as_slice()), (chunk.len(), &[Answer::Stored][..]));
        }
        let error = Speech::named("osmand/udp").expect_err("HTTP needs a stream");
        assert!(error.to_string().contains("`osmand/udp`"), "{error}");
    }
}
