//! Devices on real sockets: one task each, on the caller's single-threaded runtime.
//!
//! A device measures on the second, keeps what it cannot send, sends when it has a packet's
//! worth, and forgets a packet only when the server has answered it. After a broken connection
//! it logs in again and sends again.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::road::Road;
use ingest::fix::Report;
use ingest::id::{DeviceId, TenantId, VehicleId};
use ingest::log::Clock;
use ingest::protocol::{Answer, Transport};
use ingest::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::drive::journey::Journey;
use crate::faults::{Break, Weather};
use crate::ledger::{Entry, Ledger};
use crate::noise::Receiver;
use crate::tracker::{Conversation, Speech, report};

/// Fixes a device keeps while it cannot send; older ones are given up and counted.
pub const KEPT_MAX: usize = 20_000;
/// Packets on their way without an answer.
const IN_FLIGHT_MAX: usize = 4;
/// A server that has not answered for this long is given up, the connection with it.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// So is one that does not take a connection or its bytes.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// After its last fix a device still sends what it kept for this long.
const LINGER: Duration = Duration::from_secs(30);
/// Bytes read at once; answers are short.
const READ_BYTES: usize = 512;

/// Where each protocol and transport listens.
pub type Ports = BTreeMap<(String, Transport), SocketAddr>;

/// What all devices of a simulation share.
pub struct Shared {
    /// The map.
    pub road: Arc<Road>,
    /// Whose devices.
    pub tenant: TenantId,
    /// The time of day.
    pub clock: Clock,
    /// Seconds between two fixes, whole.
    pub interval_s: f64,
    /// Fixes of one packet.
    pub records_per_packet: usize,
    /// What was sent and answered.
    pub ledger: RefCell<Ledger>,
    /// What happened on the network.
    pub counts: RefCell<Counts>,
}

/// What happened on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections made.
    pub connects: u64,
    /// Connections that broke or were given up.
    pub breaks: u64,
    /// Logins and requests the server refused.
    pub refusals: u64,
    /// Packets sent, again counted again.
    pub packets: u64,
    /// Fixes given up because too many were kept.
    pub given_up: u64,
    /// Fixes that were still kept at the end.
    pub left: u64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// When a journey's seconds begin.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    /// By the time of day.
    pub start: Timestamp,
    /// The same moment on the runtime's timer.
    pub origin: Instant,
    /// Fixes are taken from this second of the journey on…
    pub from_s: f64,
    /// …up to this one.
    pub until_s: f64,
}

impl Timeline {
    /// A journey that begins at `start`, which may lie ahead or behind, for `seconds`.
    pub fn new(start: Timestamp, clock: &Clock, seconds: f64) -> Self {
        let (now, ahead) = (Instant::now(), start.seconds_since(clock()));
        let origin = if ahead >= 0.0 {
            now + Duration::from_secs_f64(ahead)
        } else {
            now.checked_sub(Duration::from_secs_f64(-ahead)).unwrap_or(now)
        };
        Self { start, origin, from_s: (-ahead).max(0.0), until_s: seconds }
    }

    fn instant(&self, at_s: f64) -> Instant {
        self.origin + Duration::from_secs_f64(at_s.max(0.0))
    }
}

/// One device.
#[derive(Debug)]
pub struct Device {
    /// Number of its vehicle.
    pub number: u32,
    /// Its vehicle.
    pub vehicle: VehicleId,
    /// Its id.
    pub id: DeviceId,
    /// What it speaks.
    pub speech: Speech,
    /// Where to.
    pub address: SocketAddr,
    /// How it errs.
    pub receiver: Receiver,
    /// What goes wrong.
    pub weather: Weather,
    /// Counts its fixes.
    pub measured: u64,
}

/// A packet that may have to be sent again.
struct Outgoing {
    bytes: Vec<u8>,
    entries: Rc<[Entry]>,
}

/// A live connection.
struct Link {
    stream: TcpStream,
    conversation: Conversation,
    logged_in: bool,
    /// Packets without an answer, oldest first; one sent twice stands here twice.
    waiting: VecDeque<Rc<[Entry]>>,
    /// When the oldest question was put.
    asked: Instant,
}

/// Everything a device's task owns.
struct Session<'a> {
    shared: &'a Shared,
    timeline: Timeline,
    device: Device,
    /// Not yet in any packet, oldest first.
    kept: VecDeque<Report>,
    /// Sent or to be sent, not answered, oldest first.
    packets: VecDeque<Outgoing>,
    /// Of `packets`, how many the present connection has sent.
    sent: usize,
    link: Option<Link>,
    failures: u32,
    retry: Instant,
}

impl Device {
    /// Drives one journey: measures along its timeline, and lingers until all is answered.
    /// Answers itself, for a next journey.
    pub async fn run(self, shared: Rc<Shared>, journey: Rc<Journey>, timeline: Timeline) -> Self {
        let now = Instant::now();
        let mut session = Session {
            shared: &shared,
            timeline,
            device: self,
            kept: VecDeque::new(),
            packets: VecDeque::new(),
            sent: 0,
            link: None,
            failures: 0,
            retry: now,
        };
        session.drive(&journey).await;
        let left =
            session.kept.len() + session.packets.iter().map(|p| p.entries.len()).sum::<usize>();
        shared.counts.borrow_mut().left += left as u64;
        session.device
    }
}

impl Session<'_> {
    async fn drive(&mut self, journey: &Journey) {
        let Timeline { from_s, until_s, .. } = self.timeline;
        let interval = self.shared.interval_s;
        // Fixes are on the whole second; devices wake at their own fraction of it.
        let fraction = f64::from(self.device.number) * 0.618_034 % 1.0;
        let phase = f64::from(self.device.number) % interval;
        let mut next_s = (from_s / interval).ceil() * interval + libm::floor(phase);
        let last = self.timeline.instant(until_s + fraction) + LINGER;
        loop {
            let measuring = next_s <= until_s;
            if !measuring && (self.is_done() || Instant::now() >= last) {
                return;
            }
            let wake = if measuring {
                self.timeline.instant(next_s + fraction)
            } else {
                Instant::now() + Duration::from_millis(200)
            };
            self.listen(wake).await;
            if measuring && Instant::now() >= wake {
                let silent = self.measure(journey, next_s);
                next_s += interval;
                if silent {
                    self.hang_up();
                    continue;
                }
            }
            self.send(!measuring).await;
        }
    }

    fn is_done(&self) -> bool {
        self.kept.is_empty() && self.packets.is_empty()
    }

    /// Takes a fix; answers whether the device has no network now.
    fn measure(&mut self, journey: &Journey, at_s: f64) -> bool {
        let truth = journey.at(&self.shared.road, at_s);
        let time = self.timeline.start.plus_seconds(at_s);
        let fix = self.device.receiver.measure(&truth, at_s);
        if let Some(report) = report(&self.device.id, time, fix) {
            self.kept.push_back(report);
        }
        if self.kept.len() > KEPT_MAX {
            self.kept.pop_front();
            self.shared.counts.borrow_mut().given_up += 1;
        }
        let offline = self.device.weather.is_offline(at_s, self.shared.interval_s);
        offline || journey.is_silent(at_s)
    }

    /// Reads answers until `wake`, or until an answer makes room for another packet.
    async fn listen(&mut self, wake: Instant) {
        let mut bytes = [0_u8; READ_BYTES];
        loop {
            let Some(link) = &mut self.link else {
                sleep_until(wake).await;
                return;
            };
            let patience = link.asked + ANSWER_LIMIT;
            let asking = !link.logged_in || !link.waiting.is_empty();
            let until = if asking { wake.min(patience) } else { wake };
            tokio::select! {
                biased;
                read = link.stream.read(&mut bytes) => match read {
                    Ok(n) if n > 0 => {
                        if self.hear(&bytes[..n]) {
                            return;
                        }
                    }
                    _ => self.hang_up_broken(),
                },
                () = sleep_until(until) => {
                    if until < wake {
                        self.hang_up_broken();
                        continue;
                    }
                    return;
                }
            }
        }
    }

    /// Takes in an answer; says whether there is something to do about it.
    fn hear(&mut self, bytes: &[u8]) -> bool {
        let Some(link) = &mut self.link else { return false };
        let mut answers = Vec::new();
        link.conversation.answer(bytes, &mut answers);
        for answer in answers {
            let Some(link) = &mut self.link else { return false };
            match answer {
                Answer::LoggedIn => {
                    link.logged_in = true;
                    self.failures = 0;
                }
                Answer::Refused | Answer::NotStored => {
                    self.shared.counts.borrow_mut().refusals += 1;
                    self.hang_up_broken();
                }
                Answer::Stored => {
                    link.asked = Instant::now();
                    self.failures = 0;
                    let stored = link.waiting.pop_front();
                    if let Some(entries) = stored {
                        self.forget(&entries);
                    }
                }
            }
        }
        !self.kept.is_empty() || self.sent < self.packets.len()
    }

    /// The packet of these entries is safe.
    fn forget(&mut self, entries: &Rc<[Entry]>) {
        let now = (self.shared.clock)();
        let mut ledger = self.shared.ledger.borrow_mut();
        let name = self.device.speech.protocol.name();
        for entry in entries.iter() {
            ledger.answered(&self.device.vehicle, name, entry, now);
        }
        if let Some(k) = self.packets.iter().position(|p| Rc::ptr_eq(&p.entries, entries)) {
            self.packets.remove(k);
            self.sent -= usize::from(k < self.sent);
        }
    }

    fn hang_up(&mut self) {
        self.link = None;
        self.sent = 0;
    }

    fn hang_up_broken(&mut self) {
        self.hang_up();
        self.failures += 1;
        self.shared.counts.borrow_mut().breaks += 1;
        let pause = self.device.weather.pause_s(self.failures);
        self.retry = Instant::now() + Duration::from_secs_f64(pause);
    }

    /// Sends what is due: packets again after a break, then new ones.
    async fn send(&mut self, all: bool) {
        let enough = |kept: usize, per: usize| kept >= per || (all && kept > 0);
        let due = enough(self.kept.len(), self.shared.records_per_packet);
        if !due && self.packets.is_empty() {
            return;
        }
        if self.link.is_none() && (Instant::now() < self.retry || !self.connect().await) {
            return;
        }
        while self.link.as_ref().is_some_and(|l| l.logged_in && l.waiting.len() < IN_FLIGHT_MAX) {
            if self.sent == self.packets.len() {
                if !enough(self.kept.len(), self.shared.records_per_packet) {
                    return;
                }
                self.pack();
                if self.sent == self.packets.len() {
                    continue;
                }
                // The next packet, if there is one, overtakes this one.
                let more = enough(self.kept.len(), self.shared.records_per_packet);
                if more && self.device.weather.reorders() {
                    self.pack();
                    let last = self.packets.len() - 1;
                    self.packets.swap(last - 1, last);
                }
            }
            if let Err(error) = self.post().await {
                tracing::debug!(device = %self.device.id, %error, "connection broke");
                self.hang_up_broken();
            }
        }
    }

    /// Connects and logs in; answers whether there is a link.
    async fn connect(&mut self) -> bool {
        let address = self.device.address;
        let connecting = timeout(CONNECT_LIMIT, TcpStream::connect(address));
        let Ok(Ok(stream)) = connecting.await else {
            self.hang_up_broken();
            return false;
        };
        let now = (self.shared.clock)();
        let tenant = &self.shared.tenant;
        let (conversation, login) =
            Conversation::open(self.device.speech, &self.device.id, tenant, now);
        // A login without an answer counts at once.
        let logged_in = login.is_empty() || !conversation.acknowledges();
        let asked = Instant::now();
        let waiting = VecDeque::new();
        let mut link = Link { stream, conversation, logged_in, waiting, asked };
        self.shared.counts.borrow_mut().connects += 1;
        let nodelay = link.stream.set_nodelay(true);
        if nodelay.is_err() || write(&mut link.stream, &login).await.is_err() {
            self.hang_up_broken();
            return false;
        }
        self.link = Some(link);
        self.sent = 0;
        true
    }

    /// Makes one packet of what is kept and writes it into the ledger.
    fn pack(&mut self) {
        let Some(link) = &mut self.link else { return };
        let most = link.conversation.records_max().min(self.shared.records_per_packet);
        let reports: Vec<Report> = self.kept.drain(..most.min(self.kept.len())).collect();
        let now = (self.shared.clock)();
        let packet = link.conversation.packet(&reports, now);
        let entries = packet.reports.into_iter().map(|(pid, report)| {
            self.device.measured += 1;
            Entry { pid, n: self.device.measured, sent_at: now, report }
        });
        let entries: Rc<[Entry]> = entries.collect();
        let mut ledger = self.shared.ledger.borrow_mut();
        let name = self.device.speech.protocol.name();
        for entry in entries.iter() {
            ledger.sending((self.device.number, &self.device.vehicle), name, entry);
        }
        self.packets.push_back(Outgoing { bytes: packet.bytes, entries });
    }

    /// Sends the next unsent packet, faults included.
    async fn post(&mut self) -> io::Result<()> {
        let Some(packet) = self.packets.get(self.sent) else { return Ok(()) };
        let Some(link) = &mut self.link else { return Ok(()) };
        let weather = &mut self.device.weather;
        let garbage = weather.garbage();
        if !garbage.is_empty() {
            write(&mut link.stream, &garbage).await?;
        }
        self.shared.counts.borrow_mut().packets += 1;
        match weather.breaks(packet.bytes.len()) {
            Some(Break::Within(at)) => {
                write(&mut link.stream, &packet.bytes[..at]).await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Some(Break::After) => {
                write(&mut link.stream, &packet.bytes).await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            None => write(&mut link.stream, &packet.bytes).await?,
        }
        let twice = weather.duplicates();
        if twice {
            write(&mut link.stream, &packet.bytes).await?;
        }
        if !link.conversation.acknowledges() {
            self.packets.remove(self.sent);
            return Ok(());
        }
        if link.waiting.is_empty() {
            link.asked = Instant::now();
        }
        for _ in 0..=usize::from(twice) {
            link.waiting.push_back(Rc::clone(&packet.entries));
        }
        self.sent += 1;
        Ok(())
    }
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    match timeout(CONNECT_LIMIT, stream.write_all(bytes)).await {
        Ok(done) => done,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
