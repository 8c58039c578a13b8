//! The door: where bytes come from, and when they are safe.
//!
//! No tracker knowledge: what bytes mean is `ingest`'s. A packet's way through here: [`listen`]
//! accepts it within the [`limits`], [`session`] (streams) or [`datagram`] feeds a decoder and
//! keeps replies back, [`admission`] says who may speak, [`publish`] appends to the log and waits
//! until that is durable; then the reply goes. [`metrics`] counts all of it.

pub mod admission;
mod conflict;
mod datagram;
mod health;
pub mod limits;
pub mod listen;
pub mod metrics;
mod publish;
mod session;

pub use limits::{Limits, Network};
pub use listen::{Gateway, Listen, Listening, Settings, StartError};
pub use metrics::Metrics;
