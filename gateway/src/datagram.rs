//! Datagrams: each is one whole conversation, answered when its records are durable.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ingest::fix::Report;
use ingest::id::DeviceId;
use ingest::log::NewRecord;
use ingest::protocol::{Admission, BadFrame, Protocol, Recognised, Step, Transport, recognise};
use ingest::record::DeviceRecord;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::door::Door;
use crate::entrance::Speech;
use crate::limits::{DATAGRAMS_IN_FLIGHT_MAX, DRAIN_LIMIT};
use crate::metrics::Counters;
use crate::publish::input;

/// Largest datagram, by IP.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// How often per-address counts begin anew and the kernel's own count is read.
const SECOND: Duration = Duration::from_secs(1);

/// One UDP listener.
pub(crate) struct Datagrams {
    pub(crate) door: Arc<Door>,
    pub(crate) name: &'static str,
    pub(crate) speech: Speech,
    pub(crate) socket: Arc<UdpSocket>,
}

/// What a datagram said.
#[derive(Default)]
struct Said {
    records: Vec<NewRecord>,
    replies: Vec<Bytes>,
    trouble: Option<&'static str>,
}

impl Datagrams {
    /// Reads until it is told to stop, then waits for what is under way.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(DATAGRAMS_IN_FLIGHT_MAX));
        let mut buffer = vec![0_u8; DATAGRAM_BYTES_MAX];
        let mut second = tokio::time::interval(SECOND);
        let mut dropped = 0;
        loop {
            tokio::select! {
                read = self.socket.recv_from(&mut buffer) => {
                    // An error here is an earlier reply that found nobody; reading goes on.
                    if let Ok((n, peer)) = read {
                        self.receive(&buffer[..n], peer, &room).await;
                    }
                }
                _ = second.tick() => {
                    self.door.datagrams.clear();
                    dropped = self.count_dropped(dropped);
                }
                _ = stop.changed() => break,
            }
        }
        let all = DATAGRAMS_IN_FLIGHT_MAX as u32;
        if timeout(DRAIN_LIMIT, room.acquire_many(all)).await.is_err() {
            tracing::warn!(protocol = self.name, "datagrams were left unanswered");
        }
    }

    async fn receive(&self, bytes: &[u8], peer: SocketAddr, room: &Arc<Semaphore>) {
        let address = peer.ip().to_canonical();
        let limits = &self.door.limits;
        let may = limits.is_exempt(address)
            || self.door.datagrams.enter(address, limits.datagrams_per_address);
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
        let mut said = self.decode((protocol, counters), bytes, peer).await;
        if said.records.is_empty() {
            match said.trouble {
                Some(reason) => counters.rejected(reason),
                None => {
                    counters.accepted.inc();
                }
            }
            return send(&self.socket, counters, &said.replies, bytes.len(), peer).await;
        }
        let durable = self.door.publisher.append(std::mem::take(&mut said.records));
        let (socket, counters) = (Arc::clone(&self.socket), counters.clone());
        let asked = bytes.len();
        tokio::spawn(async move {
            let taken = durable.await.is_ok();
            match said.trouble {
                _ if !taken => counters.rejected("log"),
                Some(reason) => counters.rejected(reason),
                None => {
                    counters.accepted.inc();
                }
            }
            if taken {
                send(&socket, &counters, &said.replies, asked, peer).await;
            }
            drop(permit);
        });
    }

    /// What a datagram speaks, or why it is not taken.
    fn spoken(&self, bytes: &[u8]) -> Result<(&'static dyn Protocol, &Counters), &'static str> {
        let (known, found) = match &self.speech {
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
        #[expect(clippy::expect_used, reason = "one dash is a printable device id")]
        let mut report = Report::of(DeviceId::new("-").expect("a dash is a device id"));
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
                    let verdict = self.door.admit(&device, name).await;
                    if verdict.record.is_none() {
                        let unknown = verdict.admission == Admission::Unknown;
                        said.trouble = Some(if unknown { "unknown_device" } else { "refused" });
                    }
                    speaker = verdict.record.map(|r| (device, r));
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

/// Sends replies, none larger than what was asked: the door is no amplifier.
async fn send(
    socket: &UdpSocket,
    counters: &Counters,
    replies: &[Bytes],
    asked: usize,
    peer: SocketAddr,
) {
    let mut room = asked;
    for reply in replies {
        if reply.len() > room {
            return;
        }
        room -= reply.len();
        // A peer that is gone sends again or does not care.
        if socket.send_to(reply, peer).await.is_ok() {
            counters.replies.inc();
        }
    }
}

/// The `drops` column of the line of a port in `/proc/net/udp` (Linux `proc(5)`).
fn dropped_of(table: &str, port: u16) -> Option<u64> {
    let port = format!(":{port:04X}");
    let line = table
        .lines()
        .skip(1)
        .find(|l| l.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port)))?;
    line.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_drops_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode ref pointer drops\n  \
                     512: 0100007F:13A3 00000000:0000 07 00000000:00000000 00:00000000 00000000  \
                     0        0 12345 2 0000000000000000 42\n";
        assert_eq!(dropped_of(table, 0x13a3), Some(42));
        assert_eq!(dropped_of(table, 0x13a4), None);
    }
}
