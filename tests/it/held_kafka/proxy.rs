//! Stands between a client and a broker and can withhold the answers to produce requests.
//!
//! It changes no byte. Both sides send frames of a length (four bytes) and that many bytes; a
//! request's begin with its API's number (two bytes; 0 is produce), a version (two) and the number
//! by which the answer is known (four), an answer's with that number (Kafka protocol guide,
//! "Request and Response Headers"). An answer that is withheld holds back those behind it on its
//! connection; a broker answers in order anyway.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Largest frame either side may send, bytes.
const FRAME_MAX: usize = 16 * 1024 * 1024;
const PRODUCE: [u8; 2] = [0, 0];

/// Lives as long as the runtime that opened it.
pub(super) struct Proxy {
    gate: Arc<Gate>,
}

struct Gate {
    held: watch::Sender<bool>,
    withheld: AtomicUsize,
}

/// Numbers of the produce requests of one connection that are not answered yet.
type Produced = Arc<Mutex<BTreeSet<[u8; 4]>>>;

impl Proxy {
    /// Takes connections at `at`, each to be one to `broker`.
    pub(super) async fn open(at: SocketAddr, broker: SocketAddr) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let (held, _) = watch::channel(false);
        let gate = Arc::new(Gate { held, withheld: AtomicUsize::new(0) });
        let accepted = Arc::clone(&gate);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(broker) = TcpStream::connect(broker).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_broker, to_broker) = broker.into_split();
                let produced = Produced::default();
                tokio::spawn(requests(from_client, to_broker, Arc::clone(&produced)));
                let gate = Arc::clone(&accepted);
                tokio::spawn(answers(from_broker, to_client, produced, gate));
            }
        });
        Self { gate }
    }

    /// From now on no answer to a produce request is passed on.
    pub(super) fn hold(&self) {
        self.gate.held.send_replace(true);
    }

    /// Passes on what was withheld, and all that follow.
    pub(super) fn release(&self) {
        self.gate.held.send_replace(false);
    }

    /// Connections on which an answer is being withheld.
    pub(super) fn withheld(&self) -> usize {
        self.gate.withheld.load(Ordering::SeqCst)
    }
}

/// One frame with its length, or `None` when the side has closed or says no frame.
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = from.read_u32().await.ok()?;
    let size = usize::try_from(length).ok().filter(|size| (4..=FRAME_MAX).contains(size))?;
    let mut frame = vec![0; 4 + size];
    frame[..4].copy_from_slice(&length.to_be_bytes());
    from.read_exact(&mut frame[4..]).await.ok()?;
    Some(frame)
}

fn number(frame: &[u8], at: usize) -> [u8; 4] {
    [frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]
}

async fn requests(mut client: OwnedReadHalf, mut broker: OwnedWriteHalf, produced: Produced) {
    while let Some(request) = frame(&mut client).await {
        if request.len() >= 12 && request[4..6] == PRODUCE {
            produced.lock().unwrap().insert(number(&request, 8));
        }
        if broker.write_all(&request).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut broker: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    produced: Produced,
    gate: Arc<Gate>,
) {
    let mut held = gate.held.subscribe();
    while let Some(answer) = frame(&mut broker).await {
        let of_produce = produced.lock().unwrap().remove(&number(&answer, 4));
        if of_produce {
            gate.withheld.fetch_add(1, Ordering::SeqCst);
            // An error means that the proxy has gone, and nothing is withheld any more.
            drop(held.wait_for(|held| !held).await);
            gate.withheld.fetch_sub(1, Ordering::SeqCst);
        }
        if client.write_all(&answer).await.is_err() {
            return;
        }
    }
}
