//! The crowd, in a process of its own: as many sessions as [`devices::KNOWN`] less those that speak.

use std::future::Future;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{interval, sleep};

use crate::devices::{self, KNOWN, SPEAKING};

/// First argument of the process; then what it does.
pub(crate) const CROWD: &str = "--crowd";
/// Sessions that have logged in and are silent.
pub(crate) const QUIET: &str = "quiet";
/// Sessions that do their worst.
pub(crate) const HOSTILE: &str = "hostile";

/// Connections that say one byte a second.
const SLOW: usize = 5_000;
/// Connections that say nothing.
const MUTE: usize = 2_000;
/// Sockets of datagrams that mean nothing, and how many each sends in ten milliseconds.
const JUNK_SOCKETS: usize = 16;
const JUNK_AT_ONCE: usize = 4;
/// Bytes that mean nothing.
const JUNK: [u8; 1_024] = [0x5A; 1_024];
/// Pause of one that was thrown out.
const BACK_AFTER: Duration = Duration::from_millis(500);

/// Crowds until the input ends, then tells how many datagrams it sent.
#[expect(clippy::print_stdout, reason = "it tells the bench what it sent")]
pub(crate) fn run(how: &str, stream: &str, datagram: &str) {
    let (Ok(stream), Ok(datagram)) = (stream.parse(), datagram.parse()) else { return };
    let runtime = crate::process::runtime();
    let (sent, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    runtime.block_on(async {
        for n in 0..KNOWN - SPEAKING {
            if how == QUIET {
                tokio::spawn(devices::silent(SPEAKING + n, stream));
            } else {
                tokio::spawn(visitor(n, stream));
            }
        }
        let sockets = if how == QUIET { 0 } else { JUNK_SOCKETS };
        let junk: Vec<_> = (0..sockets)
            .map(|n| tokio::spawn(junk(n, datagram, Arc::clone(&sent), Arc::clone(&over))))
            .collect();
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        drop(end.await);
        over.store(true, Ordering::Relaxed);
        for socket in junk {
            drop(socket.await);
        }
    });
    println!("{}", sent.load(Ordering::Relaxed));
    runtime.shutdown_background();
}

/// One that comes again whenever it is thrown out.
async fn visitor(n: usize, to: SocketAddr) {
    loop {
        if let Ok(stream) = devices::connect(2, n, to).await {
            // What is said to it, or that it is thrown out, is no error here.
            drop(match n {
                _ if n < SLOW => slow(stream).await,
                _ if n < SLOW + MUTE => mute(stream).await,
                _ => flood(n, stream).await,
            });
        }
        sleep(BACK_AFTER).await;
    }
}

/// Says a login a byte a second.
async fn slow(mut stream: TcpStream) -> std::io::Result<()> {
    let (login, _) = devices::words(&devices::id(KNOWN));
    for byte in login {
        stream.write_all(&[byte]).await?;
        sleep(Duration::from_secs(1)).await;
    }
    mute(stream).await
}

/// Waits for the end.
async fn mute(mut stream: TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

/// One of five ways to say too much.
async fn flood(n: usize, stream: TcpStream) -> std::io::Result<()> {
    let (known, unknown) = (devices::id(SPEAKING + n), devices::id(KNOWN + n));
    match n % 5 {
        0 => packets(stream, &known, true).await,
        1 => packets(stream, &known, false).await,
        2 => over_and_over(stream, &JUNK).await,
        3 => over_and_over(stream, &devices::words(&unknown).0).await,
        _ => {
            // A frame that is said to be as long as can be, after a good login.
            let (login, _) = devices::words(&known);
            let mut stream = stream;
            stream.write_all(&login).await?;
            stream.write_all(&[0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 8]).await?;
            over_and_over(stream, &JUNK).await
        }
    }
}

/// A known device that sends as fast as it can, and hears the answers or lets them pile up.
async fn packets(
    stream: TcpStream,
    known: &ingest::id::DeviceId,
    hears: bool,
) -> std::io::Result<()> {
    let (login, packet) = devices::words(known);
    let many = packet.repeat(50);
    let (reading, mut writing) = stream.into_split();
    let heard: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> =
        if hears { Box::pin(hear(reading)) } else { Box::pin(std::future::pending()) };
    writing.write_all(&login).await?;
    tokio::select! {
        () = heard => Ok(()),
        said = async { loop { writing.write_all(&many).await?; } } => said,
    }
}

async fn hear(mut reading: tokio::net::tcp::OwnedReadHalf) {
    let mut answers = [0; 4_096];
    while reading.read(&mut answers).await.is_ok_and(|n| n > 0) {}
}

async fn over_and_over(mut stream: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(bytes).await?;
    }
}

/// Datagrams that mean nothing, until it is over.
async fn junk(n: usize, to: SocketAddr, sent: Arc<AtomicU64>, over: Arc<AtomicBool>) {
    let from = SocketAddrV4::new(Ipv4Addr::new(127, 3, 0, 1 + n as u8), 0);
    let Ok(socket) = UdpSocket::bind(from).await else { return };
    let mut turn = interval(Duration::from_millis(10));
    while !over.load(Ordering::Relaxed) {
        turn.tick().await;
        for _ in 0..JUNK_AT_ONCE {
            let gone = socket.send_to(&JUNK[..200], to).await.is_ok();
            sent.fetch_add(u64::from(gone), Ordering::Relaxed);
        }
    }
}
