//! Whole-system tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod gateway;
mod log;
mod packet;
mod tidy;
