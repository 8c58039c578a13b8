//! What good devices notice when a crowd does its worst: `make bench-hostile`.
//!
//! The door stands in a process of its own, in front of a log that needs [`serving::DURABLE`] for an
//! append. Twice 19,000 sessions: first 11,000 devices that speak and 8,000 that are silent, then the
//! same speaking ones and 8,000 of a crowd ([`crowd`]) in place of the silent ones, beside datagrams
//! that mean nothing. Printed: answers, how long they took, memory of the door, and whether its
//! counters tell the same as those who spoke. No limit is switched off; all addresses are loopback's,
//! which is not exempt here.

#![expect(clippy::expect_used, reason = "a benchmark ends at the first thing that fails")]

mod crowd;
mod devices;
mod junk;
mod process;
mod serving;

use devices::Heard;
use process::{Door, Others};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [serving::SERVE] => serving::serve(),
        [crowd::CROWD, how, stream, datagram] => crowd::run(how, stream, datagram),
        [junk::JUNK] => junk::compare(),
        _ => {
            junk::compare();
            compare();
        }
    }
}

/// One run: what the devices heard, and the door's memory and counters at its end.
struct Run {
    heard: Heard,
    bytes: f64,
    counters: Vec<(String, u64)>,
    datagrams: u64,
}

fn run(how: &str) -> Run {
    let door = Door::open();
    let others = Others::begin(how, &door);
    let heard = devices::speak(door.stream);
    let bytes = door.peak_bytes();
    let datagrams = others.end();
    Run { heard, bytes, counters: door.close(), datagrams }
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn compare() {
    let calm = run(crowd::QUIET);
    let hostile = run(crowd::HOSTILE);
    println!("run     | packets | answered | p50 ms | p99 ms | p99.9 ms | peak MiB of the door");
    for (name, Run { heard, bytes, .. }) in [("calm", &calm), ("hostile", &hostile)] {
        let Heard { asked, answered, .. } = heard;
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| heard.waited_ms(share));
        let share = 100.0 * *answered as f64 / *asked as f64;
        println!(
            "{name:7} | {asked:7} | {share:6.3} % | {p50:6.2} | {p99:6.2} | {p999:8.2} | {:.1}",
            bytes / 1024.0 / 1024.0
        );
    }
    let p99 = hostile.heard.waited_ms(0.99) / calm.heard.waited_ms(0.99);
    println!("p99 {p99:.2} x calm (<= 2)");
    println!("memory {:.2} x calm (<= 1.25)", hostile.bytes / calm.bytes);
    println!("what the door counted of the hostile run:");
    for (name, count) in hostile.counters.iter().filter(|(_, count)| *count > 0) {
        println!("  {name} {count}");
    }
    let sum = |part: &str| -> u64 {
        hostile.counters.iter().filter(|(n, _)| n.contains(part)).map(|(_, c)| c).sum()
    };
    let [taken, rejected, received, dropped] =
        ["datagrams_accepted", "datagrams_rejected", "datagrams_received", "datagrams_kernel"]
            .map(sum);
    println!(
        "datagrams: {} sent = {received} received + {dropped} dropped by the kernel; {received} = \
         {taken} accepted + {rejected} rejected",
        hostile.datagrams
    );
    assert_eq!(received, taken + rejected, "every datagram is accounted for");
    assert_eq!(hostile.datagrams, received + dropped, "every datagram is accounted for");
}
