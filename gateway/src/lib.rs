//! The door: where bytes come from, and when they are safe.
//!
//! No tracker knowledge: what bytes mean is `ingest`'s. A packet's way through here: [`listen`]
//! opens sockets, `entrance` accepts within the [`limits`] and at the pace of `ramp`, and sees to
//! PROXY headers, TLS and recognition, [`session`] (streams) or [`datagram`] (by the [`batch`])
//! feeds a decoder and keeps replies back,
//! [`admission`] says who may speak, [`publish`] appends to the log and waits until that is
//! durable; then the reply goes. `command` is the other way: orders to devices. [`metrics`] counts
//! all of it.

pub mod admission;
mod batch;
mod command;
mod conflict;
mod datagram;
mod door;
mod entrance;
mod health;
mod lent;
pub mod limits;
pub mod listen;
pub mod metrics;
mod proxy;
mod publish;
mod ramp;
mod session;
mod socket;
mod stream;
mod tls;

pub use limits::{Limits, Network};
pub use listen::{ANY, Gateway, Listen, Listening, Settings, StartError};
pub use metrics::Metrics;
pub use tls::{TlsError, TlsFiles};
