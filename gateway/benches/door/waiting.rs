//! Waits that end: nothing here is waited for longer than [`LONGEST`], and what did not come is
//! named.

use std::net::{TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest wait of any kind: for an answer, a record, a process, the end of a thread.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_micros(20);

/// Waits until `done`, and panics with `what` when that takes longer than [`LONGEST`].
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !done() {
        assert!(begin.elapsed() < LONGEST, "{what} within {LONGEST:?}: it did not come");
        std::thread::sleep(PAUSE);
    }
}

/// What another thread tells, as long as it is waited for.
pub(crate) fn told<T>(what: &str, channel: &mpsc::Receiver<T>) -> T {
    match channel.recv_timeout(LONGEST) {
        Ok(value) => value,
        Err(error) => panic!("{what} within {LONGEST:?}: {error}"),
    }
}

/// Waits for a thread's end.
pub(crate) fn end_of(what: &str, thread: JoinHandle<()>) {
    until(what, || thread.is_finished());
    assert!(thread.join().is_ok(), "{what}: it panicked");
}

/// Reads and writes of this stream end.
pub(crate) fn bound_stream(stream: &TcpStream) {
    stream.set_read_timeout(Some(LONGEST)).expect("a bound on reading");
    stream.set_write_timeout(Some(LONGEST)).expect("a bound on writing");
}

/// Reads of this socket end.
pub(crate) fn bound_socket(socket: &UdpSocket) {
    socket.set_read_timeout(Some(LONGEST)).expect("a bound on reading");
}
