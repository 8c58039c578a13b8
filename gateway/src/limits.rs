//! Every bound of the door, by name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use ingest::network::LOOPBACK;
pub use ingest::network::{Network, NotANetwork};

/// A login, and any frame that has begun, must be complete this long after connecting or after
/// its first byte (contract §3).
pub const PROGRESS_LIMIT: Duration = Duration::from_secs(10);
/// An HTTP request whose records are not durable after this long is answered 503 (design §5).
pub const HTTP_DURABLE_LIMIT: Duration = Duration::from_secs(10);
/// More bad frames than this within a minute close the connection (contract §3).
pub const BAD_FRAMES_A_MINUTE_MAX: u32 = 20;
/// Identities one connection may use; a concentrator has dozens, not thousands.
pub const IDENTITIES_MAX: usize = 256;
/// Appends of one connection that are not yet durable; at this bound its socket is not read.
pub const WINDOW_APPENDS_MAX: usize = 32;
/// Bytes of records of one connection that are not yet durable.
pub const WINDOW_BYTES_MAX: usize = 256 * 1024;
/// Seconds of its pace that a device may say at once: at the usual pace 64 KiB, a thousand records.
/// One that was out of reach for a day at a fix in five seconds sends the rest in four minutes.
pub const PACE_BURST: Duration = Duration::from_secs(8);
/// Bytes by which a connection must have said whose it is: more than any protocol's first frame.
pub const LOGIN_BYTES_MAX: usize = 128 * 1024;
/// Bytes of records of all connections that are not yet durable; beyond, only connections that have
/// none under way are read.
pub const APPENDING_BYTES_MAX: i64 = 1024 * 1024;
/// Bytes read from a connection at a time. Records of one such read may go beyond the two windows;
/// lent from the stack only while there is something to
/// read, so that an idle connection owns no buffer.
pub const READ_BYTES: usize = 4 * 1024;
/// Unsent reply bytes of one connection; at this bound its socket is not read.
pub const REPLY_BYTES_MAX: usize = 4 * 1024;
/// A reply that the device does not take within this long ends its connection.
pub const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Datagrams whose records are not yet durable, a socket; beyond, datagrams are not acknowledged.
pub const DATAGRAMS_IN_FLIGHT_MAX: usize = 4096;
/// How long an append is tried again while the log is full or away; then the connection is
/// closed without a reply and the device sends again.
pub const RETRY_FOR: Duration = Duration::from_mins(1);
/// TLS handshakes under way at a time; others wait within [`PROGRESS_LIMIT`]. One costs a
/// processor about a millisecond.
pub const HANDSHAKES_MAX: usize = 128;
/// Bytes by which a protocol must be recognised on a socket that takes any.
pub const RECOGNISE_MAX: usize = 8 * 1024;
/// How often certificates are looked at for a change.
pub const RELOAD_EVERY: Duration = Duration::from_secs(30);
/// Bad frames kept as samples in `dead-letters`, a second, all connections together.
pub const SAMPLES_A_SECOND_MAX: u32 = 10;
/// Draining on shutdown: replies still waited for this long.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(8);
/// Connections closed in a second on shutdown, so that their devices do not all come back at once.
pub const CLOSES_A_SECOND: f64 = 2_000.0;
/// On shutdown all connections have begun to close after this long, however many there are.
pub const CLOSES_WITHIN_MAX: Duration = Duration::from_secs(5);
/// A peer that confirms nothing of what was sent to it, or of a probe, for this long is gone.
pub const PEER_GONE_AFTER: Duration = Duration::from_mins(1);
/// Silence after which a peer is probed.
pub const PROBE_AFTER: Duration = Duration::from_mins(2);
/// Orders that wait for one device; beyond, they are not taken.
pub const ORDERS_A_DEVICE_MAX: usize = 16;
/// Orders that wait for devices, all together.
pub const ORDERS_MAX: usize = 10_000;
/// How long the next order to a device waits for the answer to the last one.
pub const ANSWER_LIMIT: Duration = Duration::from_mins(1);
/// Sockets that share one address, at most.
pub const SOCKETS_MAX: usize = 64;
/// Addresses that are counted at the same time; beyond, the counts start anew.
const ADDRESSES_MAX: usize = 65_536;

/// Limits that a deployment sets: `[gateway.limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time, all listeners together.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_per_address: u32,
    /// Bytes a second from one device, after [`PACE_BURST`]; 0: any. What is said faster is not read
    /// until its time has come.
    pub bytes_per_device: u32,
    /// Datagrams a second from one address.
    pub datagrams_per_address: u32,
    /// Connections accepted in a second, all listeners together; a fifth of that after a start,
    /// rising for ten seconds. Others wait.
    pub accepts_per_second: u32,
    /// Whether devices are told what can do harm, such as to stop an engine. A second person has to
    /// approve each all the same.
    pub harmful_commands: bool,
    /// Ranges free of what is counted for one address or device: operators' networks, where
    /// thousands of devices share an address.
    pub exempt: Vec<Network>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 50_000,
            connections_per_address: 256,
            bytes_per_device: 8 * 1024,
            datagrams_per_address: 200,
            accepts_per_second: 3_000,
            harmful_commands: false,
            exempt: Vec::from(LOOPBACK),
        }
    }
}

impl Limits {
    /// Whether counts leave this address alone.
    pub fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|n| n.contains(address))
    }

    /// Bytes a second of a device from here; 0: any.
    pub(crate) fn pace(&self, address: IpAddr) -> u32 {
        if self.is_exempt(address) { 0 } else { self.bytes_per_device }
    }
}

/// A count for each address, at most [`ADDRESSES_MAX`] of them.
#[derive(Debug, Default)]
pub(crate) struct PerAddress {
    counts: Mutex<HashMap<IpAddr, u32>>,
}

impl PerAddress {
    /// One more from here, unless there are `most` already.
    pub(crate) fn enter(&self, address: IpAddr, most: u32) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&address) {
            counts.clear();
        }
        let count = counts.entry(address).or_insert(0);
        let room = *count < most;
        *count += u32::from(room);
        room
    }
    /// One less.
    pub(crate) fn leave(&self, address: IpAddr) {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
    /// Forgets all counts (a new second begins).
    pub(crate) fn clear(&self) {
        self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_only_so_many() {
        let table = PerAddress::default();
        let here = "192.0.2.1".parse().unwrap();
        assert!(table.enter(here, 2) && table.enter(here, 2) && !table.enter(here, 2));
        table.leave(here);
        assert!(table.enter(here, 2));
    }
}
