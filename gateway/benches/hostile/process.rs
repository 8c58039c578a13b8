//! The other processes of the bench. Each ends when its input does.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::{crowd, serving};

/// Two threads, as many as the machine of the goal has processors.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let own = std::env::current_exe().expect("a name");
        let mut child = Command::new(own)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, input, output }
    }

    /// What it tells at its end.
    fn end(self) -> String {
        let Self { mut child, input, mut output } = self;
        drop(input);
        let mut told = String::new();
        output.read_to_string(&mut told).expect("its last words");
        drop(child.wait());
        told
    }
}

/// The door.
pub(crate) struct Door {
    process: Process,
    pub(crate) stream: SocketAddr,
    datagram: SocketAddr,
}

impl Door {
    pub(crate) fn open() -> Self {
        let mut process = Process::start(&[serving::SERVE]);
        let mut line = String::new();
        process.output.read_line(&mut line).expect("its addresses");
        let (stream, datagram) = line.trim_end().split_once(' ').expect("two addresses");
        let address = |text: &str| text.parse().expect("an address");
        Self { stream: address(stream), datagram: address(datagram), process }
    }

    /// The most memory it has had.
    pub(crate) fn peak_bytes(&self) -> f64 {
        let file = format!("/proc/{}/status", self.process.child.id());
        let status = std::fs::read_to_string(file).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.map_or(f64::NAN, |kib| kib * 1024.0)
    }

    /// Its counters, by name and labels.
    pub(crate) fn close(self) -> Vec<(String, u64)> {
        let told = self.process.end();
        let counter = |line: &str| {
            let (name, count) = line.strip_prefix("milepost_gateway_")?.rsplit_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        told.lines().filter_map(counter).filter(|(n, _)| !n.contains("_seconds")).collect()
    }
}

/// Those who are not looked at.
pub(crate) struct Others(Process);

impl Others {
    pub(crate) fn begin(how: &str, door: &Door) -> Self {
        let [stream, datagram] = [door.stream, door.datagram].map(|address| address.to_string());
        Self(Process::start(&[crowd::CROWD, how, &stream, &datagram]))
    }

    /// How many datagrams they sent.
    pub(crate) fn end(self) -> u64 {
        self.0.end().trim().parse().expect("a count")
    }
}
