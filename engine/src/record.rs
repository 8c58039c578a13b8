//! Plans, actions, assignments, worlds, states and outputs as bytes and as canonical JSON.
//!
//! [`input`] and [`output`] are the payloads inside [`ingest::record::Envelope`], [`checkpoint`]
//! what recovery starts from, [`canonical`] the one JSON that `log dump`, `replay` and the digest
//! share, [`traffic`] the part of a World that changes all day. The private state of a vehicle is [`crate::vehicle`]'s own.

pub mod canonical;
pub mod checkpoint;
pub mod digest;
pub mod input;
pub mod output;
pub mod traffic;
mod wire;

pub use checkpoint::{Killed, MarkerRecord, Seen, StateRecord};
pub use digest::Digest;
pub use input::{InputRecord, TickRecord, WorldRecord};
pub use output::{output_envelope, output_from_envelope};
pub use traffic::{ClosureRecord, TrafficPart};
