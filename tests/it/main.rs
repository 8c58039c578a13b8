//! Whole-system tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archive;
#[cfg(feature = "kafka")]
mod broker;
mod closure;
mod gateway;
#[cfg(feature = "kafka")]
mod held_kafka;
mod line;
mod log;
mod packet;
mod resend;
mod tidy;
