//! A mail server of a few lines: it takes every mail, but none for `refused@…`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A mail as it came.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    pub(super) to: String,
    /// Head and body.
    pub(super) text: String,
}

pub(super) struct Mailbox {
    pub(super) url: String,
    got: Arc<Mutex<Vec<Mail>>>,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<Mail>>> = Arc::default();
        let into = Arc::clone(&got);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let into = Arc::clone(&into);
                std::thread::spawn(move || {
                    let answered = stream.try_clone().unwrap();
                    // A client that leaves in the middle is its own affair.
                    drop(talk(BufReader::new(stream), answered, &into));
                });
            }
        });
        Self { url, got }
    }

    pub(super) fn got(&self) -> Vec<Mail> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until so many have come.
    #[track_caller]
    pub(super) fn wait_for(&self, count: usize) -> Vec<Mail> {
        for _ in 0..1_000 {
            let got = self.got();
            if got.len() >= count {
                return got;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} of {count} mails came", self.got().len());
    }
}

fn talk(lines: impl BufRead, mut say: impl Write, into: &Mutex<Vec<Mail>>) -> std::io::Result<()> {
    say.write_all(b"220 test ESMTP\r\n")?;
    let (mut to, mut text, mut reading) = (String::new(), String::new(), false);
    for line in lines.lines() {
        let line = line?;
        let line = line.trim_end_matches('\r');
        if reading {
            if line == "." {
                reading = false;
                let mail = Mail { to: to.clone(), text: std::mem::take(&mut text) };
                into.lock().unwrap().push(mail);
                say.write_all(b"250 taken\r\n")?;
            } else {
                text.push_str(line);
                text.push('\n');
            }
            continue;
        }
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-test\r\n250 8BITMIME\r\n",
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                if to.starts_with("refused@") { "550 no such mailbox\r\n" } else { "250 ok\r\n" }
            }
            "DATA" => {
                reading = true;
                "354 go on\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        say.write_all(answer.as_bytes())?;
    }
    Ok(())
}
