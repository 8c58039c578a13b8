//! What a device does with its connection.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ingest::fix::Report;
use ingest::protocol::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::dial::Stream;
use super::{Device, Shared, Timeline};
use crate::drive::journey::Journey;
use crate::faults::Break;
use crate::ledger::Entry;
use crate::tracker::{Conversation, report};

/// Fixes a device keeps while it cannot send; older ones are given up and counted.
const KEPT_MAX: usize = 20_000;
/// Packets on their way without an answer: trackers send one and wait.
const IN_FLIGHT_MAX: usize = 1;
/// A server that has not answered for this long is given up, the connection with it.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// So is one that does not take a connection or its bytes.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// After its last fix a device still sends what it kept for this long.
const LINGER: Duration = Duration::from_secs(30);
/// Bytes read at once; answers are short.
const READ_BYTES: usize = 512;

/// A packet that may have to be sent again.
struct Outgoing {
    reports: Vec<Report>,
    entries: Rc<[Entry]>,
}

/// A live connection.
struct Link {
    stream: Box<dyn Stream>,
    conversation: Conversation,
    logged_in: bool,
    /// Packets without an answer, oldest first; one sent twice stands here twice.
    waiting: VecDeque<Rc<[Entry]>>,
    /// When the oldest question was put.
    asked: Instant,
}

/// Everything a device's task owns.
pub(super) struct Session<'a> {
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

impl<'a> Session<'a> {
    pub(super) fn new(shared: &'a Shared, timeline: Timeline, device: Device) -> Self {
        Self {
            shared,
            timeline,
            device,
            kept: VecDeque::new(),
            packets: VecDeque::new(),
            sent: 0,
            link: None,
            failures: 0,
            retry: Instant::now(),
        }
    }

    /// Fixes that are not known to be safe.
    pub(super) fn left(&self) -> usize {
        self.kept.len() + self.packets.iter().map(|p| p.entries.len()).sum::<usize>()
    }

    /// The device, for its next journey.
    pub(super) fn into_device(self) -> Device {
        self.device
    }

    /// Measures along the journey and sends, then lingers until all is answered.
    pub(super) async fn drive(&mut self, journey: &Journey) {
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
        let (address, transport) = (self.device.address, self.device.speech.transport);
        let connecting = timeout(CONNECT_LIMIT, (self.shared.dial)(address, transport));
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
        if write(&mut link.stream, &login).await.is_err() {
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
        let read = link.conversation.read_back(&reports, now);
        let entries = read.into_iter().map(|(pid, report)| {
            self.device.measured += 1;
            Entry { pid, n: self.device.measured, sent_at: now, report }
        });
        let entries: Rc<[Entry]> = entries.collect();
        let mut ledger = self.shared.ledger.borrow_mut();
        let name = self.device.speech.protocol.name();
        for entry in entries.iter() {
            ledger.sending((self.device.number, &self.device.vehicle), name, entry);
        }
        self.packets.push_back(Outgoing { reports, entries });
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
        let bytes = link.conversation.packet(&packet.reports);
        let broken = weather.breaks(bytes.len());
        let whole = if let Some(Break::Within(at)) = broken { &bytes[..at] } else { &bytes[..] };
        write(&mut link.stream, whole).await?;
        if broken.is_some() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let twice = weather.duplicates();
        if twice {
            let again = link.conversation.packet(&packet.reports);
            write(&mut link.stream, &again).await?;
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

async fn write(stream: &mut Box<dyn Stream>, bytes: &[u8]) -> io::Result<()> {
    match timeout(CONNECT_LIMIT, stream.write_all(bytes)).await {
        Ok(done) => done,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
