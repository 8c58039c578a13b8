//! Datagrams by the batch: one system call reads many (`recvmmsg`) or sends many (`sendmmsg`).

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::Arc;

use bytes::Bytes;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::metrics::Counters;

/// Datagrams of one system call.
const BATCH: usize = 32;
/// Largest datagram, by IP.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Batches that a thread keeps for its sockets. Their memory is the system's until it is written.
const SPARE_MAX: usize = 2;

thread_local! {
    static SPARE: RefCell<Vec<Batch>> = const { RefCell::new(Vec::new()) };
}

/// What one call read.
pub(crate) struct Batch {
    space: Vec<u8>,
    arrived: Vec<(usize, SocketAddr)>,
}

impl Batch {
    /// An empty one, used before where there is one.
    pub(crate) fn lent() -> Self {
        SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Self {
            space: vec![0; BATCH * DATAGRAM_BYTES_MAX],
            arrived: Vec::with_capacity(BATCH),
        })
    }

    /// Keeps its memory for the next one.
    pub(crate) fn back(self) {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_MAX {
                spare.push(self);
            }
        });
    }

    /// Reads what is there, at most [`BATCH`] datagrams.
    pub(crate) fn read(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let descriptor = socket.as_raw_fd();
        self.arrived.clear();
        socket.try_io(Interest::READABLE, || self.receive(descriptor))
    }

    fn receive(&mut self, socket: RawFd) -> io::Result<()> {
        // Made anew for each call: the system shortens their addresses to what the last call read.
        let mut heads = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let places = self.space.chunks_exact_mut(DATAGRAM_BYTES_MAX);
        let mut places: Vec<_> = places.map(|place| [IoSliceMut::new(place)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let read = recvmmsg(socket, &mut heads, places.iter_mut(), flags, None)?;
        // A datagram without a sender can not be answered, nor limited.
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let arrived = read.map(|one| (one.bytes, one.address.and_then(address).unwrap_or(nowhere)));
        self.arrived.extend(arrived);
        Ok(())
    }

    /// Each datagram and who sent it, as they came.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        let places = self.space.chunks_exact(DATAGRAM_BYTES_MAX);
        places.zip(&self.arrived).map(|(place, (length, peer))| (&place[..*length], *peer))
    }
}

fn address(stored: SockaddrStorage) -> Option<SocketAddr> {
    let four = stored.as_sockaddr_in().map(|a| SocketAddr::V4(SocketAddrV4::from(*a)));
    four.or_else(|| stored.as_sockaddr_in6().map(|a| SocketAddr::V6(SocketAddrV6::from(*a))))
}

/// One answer.
pub(crate) struct Answer {
    pub(crate) bytes: Bytes,
    pub(crate) to: SocketAddr,
    pub(crate) counters: Arc<Counters>,
}

/// Sends answers in their order and counts those that went. A peer that can not be reached sends
/// again or does not care.
pub(crate) async fn send(socket: &UdpSocket, mut answers: &[Answer]) {
    while !answers.is_empty() {
        let some = &answers[..answers.len().min(BATCH)];
        let sent = socket.try_io(Interest::WRITABLE, || send_some(socket.as_raw_fd(), some));
        let gone = match sent {
            Ok(count) => {
                for answer in &some[..count] {
                    answer.counters.replies.inc();
                }
                count.max(1)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if socket.writable().await.is_err() {
                    return;
                }
                0
            }
            Err(_first_failed) => 1,
        };
        answers = &answers[gone..];
    }
}

fn send_some(socket: RawFd, answers: &[Answer]) -> io::Result<usize> {
    let mut heads = MultiHeaders::<SockaddrStorage>::preallocate(answers.len(), None);
    let slices: Vec<_> = answers.iter().map(|a| [IoSlice::new(&a.bytes)]).collect();
    let to: Vec<_> = answers.iter().map(|a| Some(SockaddrStorage::from(a.to))).collect();
    let flags = MsgFlags::MSG_DONTWAIT;
    Ok(sendmmsg(socket, &mut heads, &slices, &to, [], flags)?.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use ingest::protocol::Transport;

    #[tokio::test]
    async fn many_are_read_and_answered_at_once() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = UdpSocket::bind(any).await.unwrap();
        let peers: Vec<_> =
            (0..BATCH + 8).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        for (n, peer) in peers.iter().enumerate() {
            peer.send_to(&vec![n as u8; n], socket.local_addr().unwrap()).unwrap();
        }
        let counters = Metrics::default().of("test", Transport::Udp);
        let (mut batch, mut seen) = (Batch::lent(), 0);
        while seen < peers.len() {
            socket.readable().await.unwrap();
            if batch.read(&socket).is_err() {
                continue;
            }
            let answers: Vec<_> = batch
                .datagrams()
                .map(|(bytes, to)| {
                    let n = peers.iter().position(|p| p.local_addr().unwrap() == to).unwrap();
                    assert_eq!(bytes, vec![n as u8; n]);
                    let bytes = Bytes::copy_from_slice(&[n as u8]);
                    Answer { bytes, to, counters: Arc::clone(&counters) }
                })
                .collect();
            assert!(answers.len() <= BATCH);
            seen += answers.len();
            send(&socket, &answers).await;
        }
        for (n, peer) in peers.iter().enumerate() {
            let mut answer = [0; 8];
            assert_eq!(peer.recv(&mut answer).unwrap(), 1);
            assert_eq!(usize::from(answer[0]), n);
        }
        assert_eq!(counters.replies.get() as usize, peers.len());
        batch.back();
    }
}
