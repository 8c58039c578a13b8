//! What the door costs, beside others that do the same, in one table: `make bench-gateway`.
//!
//! Decoders beside `nom-teltonika` and `nmea`, with instructions a byte where valgrind is
//! installed; processor time of a packet beside raw loops, answers, idle memory over real sockets.
//! `cargo bench -p gateway --bench door -- NAME` measures decoders of that name alone, `-- sockets`
//! sockets alone, `-- memory` what an idle session holds piece by piece, `-- peers` our decoders beside others'.

#![expect(clippy::expect_used, reason = "a benchmark ends at the first thing that fails")]

mod counting;
mod decode;
mod measure;
mod peers;
mod reference;
mod serving;
mod sockets;
mod table;
mod waiting;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [decode::UNDER_CALLGRIND, name, rounds] => {
            std::hint::black_box(decode::again(name, rounds.parse().unwrap_or(1)));
        }
        [sockets::HOLD, name, address, count] => sockets::hold(name, address, count),
        ["memory"] => table::print(&sockets::memory()),
        ["sockets"] => table::print(&sockets::rows()),
        ["peers"] => table::print(&peers::rows()),
        [name] => table::print(&decode::rows(Some(name))),
        _ => {
            let mut rows = decode::rows(None);
            rows.extend(peers::rows());
            rows.extend(sockets::rows());
            table::print(&rows);
        }
    }
}
