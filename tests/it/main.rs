//! Whole-system tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod gateway;
mod line;
mod log;
mod packet;
mod resend;
mod tidy;
