//! A webhook receiver of a few lines, that behaves as badly as a test wants.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it was sent.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// What it does with a request.
pub(super) enum Answer {
    Status(u16),
    /// 302 to somewhere else.
    Elsewhere(String),
    /// Nothing, for longer than anybody waits.
    Silence,
    /// 200 and ten megabytes.
    Flood,
}

pub(super) struct Receiver {
    pub(super) url: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    /// `answer` is asked with the number of the request, from 0.
    pub(super) fn new(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (into, answer) = (Arc::clone(&got), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (into, answer) = (Arc::clone(&into), Arc::clone(&answer));
                std::thread::spawn(move || {
                    while let Some(request) = read(&stream) {
                        let n = {
                            let mut all = into.lock().unwrap();
                            all.push(request);
                            all.len() - 1
                        };
                        if !reply(&stream, answer(n)) {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, got }
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until it has so many.
    #[track_caller]
    pub(super) fn wait_for(&self, count: usize) -> Vec<Got> {
        for _ in 0..1_000 {
            let got = self.got();
            if got.len() >= count {
                return got;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} of {count} arrived", self.got().len());
    }
}

fn read(mut stream: &TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let headers: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |n| n.parse().unwrap());
    let mut body = bytes[head + 4..].to_vec();
    let mut rest = vec![0; length - body.len()];
    stream.read_exact(&mut rest).ok()?;
    body.extend(rest);
    Some(Got { headers, body: String::from_utf8(body).unwrap() })
}

/// Whether the connection may go on.
fn reply(mut stream: &TcpStream, answer: Answer) -> bool {
    let mut say = |text: String| stream.write_all(text.as_bytes()).is_ok();
    match answer {
        Answer::Status(status) => say(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n")),
        Answer::Elsewhere(url) => {
            say(format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n"))
        }
        Answer::Silence => {
            std::thread::sleep(Duration::from_mins(2));
            false
        }
        Answer::Flood => {
            say("HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n".to_owned());
            (0..1_000).all(|_| say("x".repeat(10_000)))
        }
    }
}
