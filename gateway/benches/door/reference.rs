//! The least that a server can do: a raw epoll loop that reads and answers, and a loop around
//! recvmmsg and sendmmsg. Nothing is decoded, nothing kept.

use std::collections::HashMap;
use std::io::{IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::Sender;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;

use crate::serving::{Serving, own_thread};

/// Events of one wait.
const EVENTS: usize = 256;
/// Datagrams of one call.
const DATAGRAMS: usize = 32;
const WAIT_MS: u16 = 20;

/// Reads packets of streams and sends `answer` to each, where it is not empty.
pub(crate) fn streams(answer: &'static [u8]) -> Serving {
    Serving::start(move |taken, tell, stopped| {
        if let Err(error) = stream_loop(answer, &taken, &tell, stopped) {
            panic!("the reference ended: {error}");
        }
    })
}

fn stream_loop(
    answer: &[u8],
    taken: &Arc<AtomicU64>,
    tell: &Sender<(SocketAddr, i32)>,
    mut stopped: Receiver<()>,
) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    tell.send((listener.local_addr()?, own_thread())).expect("it is heard");
    let mut streams: HashMap<u64, TcpStream> = HashMap::new();
    let mut events = [EpollEvent::empty(); EVENTS];
    let mut buffer = [0; 16 * 1024];
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        let count = epoll.wait(&mut events, EpollTimeout::from(WAIT_MS))?;
        for event in &events[..count] {
            let Some(stream) = streams.get_mut(&event.data()) else {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let number = stream.as_raw_fd() as u64;
                let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
                epoll.add(&stream, EpollEvent::new(flags, number))?;
                streams.insert(number, stream);
                continue;
            };
            match stream.read(&mut buffer) {
                Ok(1..) => {
                    taken.fetch_add(1, Relaxed);
                    if !answer.is_empty() {
                        stream.write_all(answer)?;
                    }
                }
                Ok(0) | Err(_) => drop(streams.remove(&event.data())),
            }
        }
    }
    Ok(())
}

/// Reads datagrams and sends `answer` to each.
pub(crate) fn datagrams(answer: &'static [u8]) -> Serving {
    Serving::start(move |taken, tell, stopped| {
        if let Err(error) = datagram_loop(answer, &taken, &tell, stopped) {
            panic!("the reference ended: {error}");
        }
    })
}

fn datagram_loop(
    answer: &[u8],
    taken: &Arc<AtomicU64>,
    tell: &Sender<(SocketAddr, i32)>,
    mut stopped: Receiver<()>,
) -> std::io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    tell.send((socket.local_addr()?, own_thread())).expect("it is heard");
    let mut heads = MultiHeaders::<SockaddrStorage>::preallocate(DATAGRAMS, None);
    let mut back = MultiHeaders::<SockaddrStorage>::preallocate(DATAGRAMS, None);
    let mut space = vec![[0_u8; 2048]; DATAGRAMS];
    let mut events = [EpollEvent::empty(); 1];
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        epoll.wait(&mut events, EpollTimeout::from(WAIT_MS))?;
        let mut buffers: Vec<_> = space.iter_mut().map(|s| [IoSliceMut::new(s)]).collect();
        let (descriptor, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let read = recvmmsg(descriptor, &mut heads, buffers.iter_mut(), flags, None);
        let Ok(read) = read else { continue };
        let peers: Vec<Option<SockaddrStorage>> = read.map(|message| message.address).collect();
        taken.fetch_add(peers.len() as u64, Relaxed);
        let answers: Vec<_> = peers.iter().map(|_| [IoSlice::new(answer)]).collect();
        sendmmsg(descriptor, &mut back, &answers, &peers, [], MsgFlags::empty())?;
    }
    Ok(())
}
