//! What a device says: bytes in, fixes out.
//!
//! A leaf: no socket, no runtime, no clock, no Kafka. In reading order: [`units`], [`time`] and
//! [`id`] are the words; [`fix`] is what a receiver measured, [`attribute`] what came with it;
//! [`network`] and [`secret`] say where a device may speak from and what it shows, [`command`] what
//! it may be told;
//! [`protocol`] turns bytes into [`fix::Report`]s; [`record`] turns those into the bytes of the
//! log, and [`log`] is the log itself as everybody sees it.

pub mod attribute;
pub mod command;
pub mod fix;
pub mod id;
pub mod log;
pub mod network;
pub mod protocol;
pub mod record;
pub mod secret;
pub mod time;
pub mod units;

/// Target of the trace events that show one packet passing the files of ARCHITECTURE.md's table.
pub const PACKET: &str = "packet";
