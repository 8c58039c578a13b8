//! Datagrams: each is one whole conversation, answered when its records are durable. Those of one
//! read share an append.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ingest::id::DeviceId;
use ingest::log::NewRecord;
use ingest::protocol::{Admission, BadFrame, Protocol, Recognised, Step, Transport, recognise};
use ingest::record::DeviceRecord;
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::admission::Claim;
use crate::batch::{self, Answer, Batch};
use crate::door::Door;
use crate::entrance::Speech;
use crate::lent;
use crate::limits::{DATAGRAMS_IN_FLIGHT_MAX, DRAIN_LIMIT};
use crate::metrics::Counters;
use crate::publish::input;

/// How often the kernel's own count is read.
const SECOND: Duration = Duration::from_secs(1);

/// One UDP socket.
pub(crate) struct Datagrams {
    pub(crate) door: Arc<Door>,
    pub(crate) name: &'static str,
    pub(crate) speech: Arc<Speech>,
    pub(crate) socket: Arc<UdpSocket>,
    /// Whether it counts what the kernel dropped at its address, where several sockets share one.
    pub(crate) counts_drops: bool,
}

/// What a datagram said.
#[derive(Default)]
struct Said {
    records: Vec<NewRecord>,
    replies: Vec<Bytes>,
    trouble: Option<&'static str>,
}

/// What the datagrams of one read said.
#[derive(Default)]
struct Heard {
    /// Goes at once.
    answers: Vec<Answer>,
    records: Vec<NewRecord>,
    /// Of each datagram with records: where it is counted, and its trouble.
    waiting: Vec<(Arc<Counters>, Option<&'static str>)>,
    /// Goes when the records are durable.
    after: Vec<Answer>,
    room: Option<OwnedSemaphorePermit>,
}

impl Datagrams {
    /// Reads until it is told to stop, then waits for what is under way.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(DATAGRAMS_IN_FLIGHT_MAX));
        let mut second = tokio::time::interval(SECOND);
        let mut dropped = 0;
        loop {
            tokio::select! {
                ready = self.socket.readable() => if ready.is_ok() {
                    self.read(&room).await;
                },
                _ = second.tick(), if self.counts_drops => dropped = self.count_dropped(dropped),
                _ = stop.changed() => break,
            }
        }
        let all = DATAGRAMS_IN_FLIGHT_MAX as u32;
        if timeout(DRAIN_LIMIT, room.acquire_many(all)).await.is_err() {
            tracing::warn!(protocol = self.name, "datagrams were left unanswered");
        }
    }

    /// Takes what has arrived.
    async fn read(&self, room: &Arc<Semaphore>) {
        let mut batch = Batch::lent();
        // An error here is an earlier answer that found nobody; reading goes on.
        if batch.read(&self.socket).is_ok() {
            let mut heard = Heard::default();
            for (bytes, peer) in batch.datagrams() {
                self.receive(bytes, peer, room, &mut heard).await;
            }
            self.answer(heard).await;
        }
        batch.back();
    }

    /// Sends what may go, and the rest when the records are durable.
    async fn answer(&self, heard: Heard) {
        batch::send(&self.socket, &heard.answers).await;
        if heard.records.is_empty() {
            return;
        }
        let durable = self.door.publisher.append(heard.records);
        let socket = Arc::clone(&self.socket);
        tokio::spawn(async move {
            let taken = durable.await.is_ok();
            for (counters, trouble) in heard.waiting {
                match trouble {
                    _ if !taken => counters.rejected("log"),
                    Some(reason) => counters.rejected(reason),
                    None => {
                        counters.accepted.inc();
                    }
                }
            }
            if taken {
                batch::send(&socket, &heard.after).await;
            }
            drop(heard.room);
        });
    }

    async fn receive(
        &self,
        bytes: &[u8],
        peer: SocketAddr,
        room: &Arc<Semaphore>,
        heard: &mut Heard,
    ) {
        let may = self.door.may_send(peer.ip().to_canonical());
        let found = if may { self.spoken(bytes) } else { Err("rate") };
        let counters = found.as_ref().map_or(self.speech.counters(), |(_, counters)| *counters);
        counters.received.inc();
        counters.bytes.inc_by(bytes.len() as u64);
        let protocol = match found {
            Ok((protocol, _)) => protocol,
            Err(reason) => return counters.rejected(reason),
        };
        let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
            return counters.rejected("busy");
        };
        let said = self.decode((protocol, counters.as_ref()), bytes, peer).await;
        let answers = answers(said.replies, counters, bytes.len(), peer);
        if said.records.is_empty() {
            match said.trouble {
                Some(reason) => counters.rejected(reason),
                None => {
                    counters.accepted.inc();
                }
            }
            return heard.answers.extend(answers);
        }
        heard.records.extend(said.records);
        heard.after.extend(answers);
        heard.waiting.push((Arc::clone(counters), said.trouble));
        match &mut heard.room {
            Some(room) => room.merge(permit),
            room => *room = Some(permit),
        }
    }

    /// What a datagram speaks, or why it is not taken.
    fn spoken(
        &self,
        bytes: &[u8],
    ) -> Result<(&'static dyn Protocol, &Arc<Counters>), &'static str> {
        let (known, found) = match self.speech.as_ref() {
            Speech::One(spoken) => return Ok((spoken.protocol, &spoken.counters)),
            Speech::Any { known, .. } => (known, recognise(bytes, Transport::Udp)),
        };
        let Recognised::As(protocol, transport) = found else { return Err("unrecognised") };
        let spoken = known.get(&(protocol.name(), transport)).ok_or("unrecognised")?;
        Ok((spoken.protocol, &spoken.counters))
    }

    async fn decode(
        &self,
        (protocol, counters): (&'static dyn Protocol, &Counters),
        bytes: &[u8],
        peer: SocketAddr,
    ) -> Said {
        let now = (self.door.publisher.clock)();
        let name = protocol.name();
        let mut decode = protocol.decoder(Transport::Udp, &self.door.options);
        let mut said = Said::default();
        let mut speaker: Option<(DeviceId, Arc<DeviceRecord>)> = None;
        let mut report = lent::report(&self.door.nobody);
        let mut ended = false;
        decode.feed(bytes, now);
        loop {
            match decode.poll(&mut report) {
                Ok(Step::NeedBytes) if !ended => {
                    ended = true;
                    decode.end();
                }
                Ok(Step::NeedBytes | Step::Close) => break,
                Ok(Step::Identify(device)) => {
                    let address = peer.ip().to_canonical();
                    let shown = decode.shown();
                    let claim = Claim { device: &device, protocol: name, address, shown };
                    let verdict = self.door.admit(&claim, counters).await;
                    if verdict.record.is_err() {
                        let unknown = verdict.admission == Admission::Unknown;
                        said.trouble = Some(if unknown { "unknown_device" } else { "refused" });
                    }
                    speaker = verdict.record.ok().map(|r| (device, r));
                    decode.admit(verdict.admission);
                }
                Ok(Step::Report) => {
                    if let Some((_, belongs)) =
                        speaker.as_ref().filter(|(d, _)| *d == report.device)
                    {
                        counters.records.inc();
                        said.records.push(input(belongs, name, &report, now));
                    }
                }
                Ok(Step::Reply { bytes, .. }) => said.replies.push(bytes),
                Err(error) => {
                    counters.bad(error.kind);
                    let whole = error.kind == BadFrame::Range;
                    if !whole {
                        said.trouble = Some("bad_frame");
                    }
                    if whole || self.door.may_sample() {
                        let letter =
                            self.door.publisher.dead_letter(name, &peer.to_string(), &error);
                        said.records.push(letter);
                    }
                    if !error.recoverable {
                        break;
                    }
                }
            }
        }
        lent::back(report, &self.door.nobody);
        said
    }

    /// Adds what the kernel has dropped since `before`, and returns its count.
    fn count_dropped(&self, before: u64) -> u64 {
        let Ok(address) = self.socket.local_addr() else { return before };
        let table = if address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
        let Ok(text) = std::fs::read_to_string(table) else { return before };
        let now = dropped_of(&text, address.port()).unwrap_or(before);
        self.speech.counters().kernel_dropped.inc_by(now.saturating_sub(before));
        now
    }
}

/// Answers to a datagram, together no larger than what was asked: the door is no amplifier.
fn answers(
    replies: Vec<Bytes>,
    counters: &Arc<Counters>,
    asked: usize,
    to: SocketAddr,
) -> impl Iterator<Item = Answer> {
    let mut room = Some(asked);
    let fits = move |reply: &Bytes| {
        room = room.and_then(|room| room.checked_sub(reply.len()));
        room.is_some()
    };
    let answer = move |bytes| Answer { bytes, to, counters: Arc::clone(counters) };
    replies.into_iter().take_while(fits).map(answer)
}

/// The `drops` column of the lines of a port in `/proc/net/udp` (Linux `proc(5)`), together: one
/// line for each socket that shares it.
fn dropped_of(table: &str, port: u16) -> Option<u64> {
    let port = format!(":{port:04X}");
    let here =
        |line: &&str| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port));
    let drops = |line: &str| line.split_whitespace().last()?.parse::<u64>().ok();
    let mut lines = table.lines().skip(1).filter(here).map(drops).peekable();
    lines.peek()?;
    lines.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_drops_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode ref pointer drops\n  \
                     512: 0100007F:13A3 00000000:0000 07 00000000:00000000 00:00000000 00000000  \
                     0        0 12345 2 0000000000000000 42\n  \
                     512: 0100007F:13A3 00000000:0000 07 00000000:00000000 00:00000000 00000000  \
                     0        0 12346 2 0000000000000000 8\n";
        assert_eq!(dropped_of(table, 0x13a3), Some(50));
        assert_eq!(dropped_of(table, 0x13a4), None);
    }
}
