//! Devices that behave: each says one packet in [`PERIOD`] and waits for its answer.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use ingest::fix::{Fix, Measured, Report};
use ingest::id::DeviceId;
use ingest::protocol::{Transport, by_name};
use ingest::time::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use crate::serving::PROTOCOL;

/// Devices that speak.
pub(crate) const SPEAKING: usize = 11_000;
/// Devices that the door knows: those that speak, are silent, or are in strange hands.
pub(crate) const KNOWN: usize = SPEAKING + 8_000;
/// From one packet of a device to the next.
const PERIOD: Duration = Duration::from_secs(10);
/// Packets of each device; the first one is not counted, all come in within it.
const PACKETS: usize = 5;
/// An answer that has not come by then is missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Devices behind one address.
const AN_ADDRESS: usize = 100;

/// The `n`th device.
pub(crate) fn id(n: usize) -> DeviceId {
    DeviceId::new(&format!("{}", 352_093_080_000_000_u64 + n as u64)).expect("an id")
}

/// A place, and nothing else.
pub(crate) fn report(device: &DeviceId) -> Report {
    let place = Measured {
        lng: -8.61,
        lat: 41.15,
        valid: true,
        speed: Some(12.5),
        heading: Some(91.0),
        altitude: Some(104.0),
        accuracy: None,
    };
    let mut report = Report::of(device.clone());
    report.time = Some(Timestamp::from_seconds(1_795_162_530));
    report.fix = Fix::new(place).ok();
    report
}

/// What a device sends to be known, and one packet.
pub(crate) fn words(device: &DeviceId) -> (Vec<u8>, Vec<u8>) {
    let mut encoder = by_name(PROTOCOL).expect("it is spoken").encoder(Transport::Tcp, device);
    (encoder.login(), encoder.packet(&[report(device)]))
}

/// Connects as the `n`th of those whose addresses are `127.net.*.*`.
pub(crate) async fn connect(net: u8, n: usize, to: SocketAddr) -> std::io::Result<TcpStream> {
    let [high, low] = ((n / AN_ADDRESS) as u16 + 1).to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddrV4::new(Ipv4Addr::new(127, net, high, low), 0).into())?;
    socket.set_nodelay(true)?;
    socket.connect(to).await
}

/// What they noticed.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    /// Seconds until each answer; sorted.
    waited: Vec<f64>,
}

impl Heard {
    /// Milliseconds within which this share of the answers came.
    pub(crate) fn waited_ms(&self, share: f64) -> f64 {
        let at = (self.waited.len() as f64 * share) as usize;
        self.waited.get(at).map_or(f64::NAN, |seconds| seconds * 1e3)
    }
}

/// All of them, spread evenly over the period.
pub(crate) fn speak(to: SocketAddr) -> Heard {
    let runtime = crate::process::runtime();
    runtime.block_on(async {
        let begin = tokio::time::Instant::now() + Duration::from_secs(1);
        let mut devices = JoinSet::new();
        for n in 0..SPEAKING {
            devices.spawn(device(n, to, begin + PERIOD.mul_f64(n as f64 / SPEAKING as f64)));
        }
        let mut heard = Heard::default();
        while let Some(one) = devices.join_next().await {
            let waited = one.expect("a device");
            heard.asked += PACKETS - 1;
            heard.answered += waited.len();
            heard.waited.extend(waited);
        }
        heard.waited.sort_by(f64::total_cmp);
        heard
    })
}

/// One device; how many seconds each answer took that came.
async fn device(n: usize, to: SocketAddr, begin: tokio::time::Instant) -> Vec<f64> {
    let (login, packet) = words(&id(n));
    let mut stream = None;
    let mut waited = Vec::with_capacity(PACKETS);
    for nth in 0..PACKETS {
        sleep_until(begin + PERIOD * nth as u32).await;
        let asked = timeout(PATIENCE, ask(&mut stream, n, to, &login, &packet)).await;
        match asked {
            Ok(Ok(seconds)) if nth > 0 => waited.push(seconds),
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => stream = None,
        }
    }
    waited
}

/// Says a packet, after a login where it is not connected, and waits for the answer.
async fn ask(
    held: &mut Option<TcpStream>,
    n: usize,
    to: SocketAddr,
    login: &[u8],
    packet: &[u8],
) -> std::io::Result<f64> {
    let mut answer = [0; 4];
    if held.is_none() {
        let mut stream = connect(1, n, to).await?;
        stream.write_all(login).await?;
        stream.read_exact(&mut answer[..1]).await?;
        *held = Some(stream);
    }
    let stream = held.as_mut().ok_or(std::io::ErrorKind::NotConnected)?;
    #[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
    let said = Instant::now();
    stream.write_all(packet).await?;
    stream.read_exact(&mut answer).await?;
    Ok(said.elapsed().as_secs_f64())
}

/// Devices that have said one packet and say nothing more.
pub(crate) async fn silent(n: usize, to: SocketAddr) {
    let (login, packet) = words(&id(n));
    let mut held = None;
    while ask(&mut held, n, to, &login, &packet).await.is_err() {
        held = None;
        sleep(Duration::from_secs(1)).await;
    }
    std::future::pending::<()>().await;
}
