//! Opens sockets; several may share an address, and the kernel spreads what comes over them.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use crate::limits::SOCKETS_MAX;

/// Connections waiting to be accepted.
const BACKLOG: i32 = 4096;
/// Receive buffer of a UDP socket, bytes: a second of a large fleet (the kernel may give less).
const UDP_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Listeners at an address, and the address itself: port 0 has become a free one.
pub(crate) fn tcp(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let open = |shared: bool, at: SocketAddr| {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        bind(&socket, shared, at)?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    several(address, count, TcpListener::local_addr, open)
}

/// The same for datagrams.
pub(crate) fn udp(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<UdpSocket>)> {
    let open = |shared: bool, at: SocketAddr| {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_recv_buffer_size(UDP_BUFFER_BYTES)?;
        bind(&socket, shared, at)?;
        UdpSocket::from_std(socket.into())
    };
    several(address, count, UdpSocket::local_addr, open)
}

fn bind(socket: &Socket, shared: bool, at: SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&at.into())
}

/// One socket has its address for itself. Several are opened after one that had: otherwise a second
/// door would be let in where one stands, and each be given a part of the devices.
fn several<S>(
    address: SocketAddr,
    count: usize,
    at: impl Fn(&S) -> io::Result<SocketAddr>,
    open: impl Fn(bool, SocketAddr) -> io::Result<S>,
) -> io::Result<(SocketAddr, Vec<S>)> {
    let alone = open(false, address)?;
    let address = at(&alone)?;
    if count <= 1 {
        return Ok((address, vec![alone]));
    }
    drop(alone);
    let sockets = (0..count.min(SOCKETS_MAX)).map(|_| open(true, address));
    Ok((address, sockets.collect::<io::Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_shared_among_ours_alone() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (address, listeners) = tcp(any, 3).unwrap();
        assert_eq!(listeners.len(), 3);
        assert!(tcp(address, 3).is_err() && tcp(address, 1).is_err(), "nobody else's");
        let peers: Vec<_> =
            (0..48).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        for _ in &peers {
            tokio::select! {
                accepted = listeners[0].accept() => drop(accepted.unwrap()),
                accepted = listeners[1].accept() => drop(accepted.unwrap()),
                accepted = listeners[2].accept() => drop(accepted.unwrap()),
            }
        }
        let (address, sockets) = udp(any, 3).unwrap();
        assert_eq!(sockets.len(), 3);
        assert!(udp(address, 1).is_err());
    }
}
