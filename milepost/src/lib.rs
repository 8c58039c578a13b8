//! The parts of the one binary, as a library so that whole-system tests can import them.
//!
//! Only here: Kafka, the environment, the wall clock, configuration.

pub mod clock;
pub mod commands;
pub mod config;
pub mod log;
pub mod roles;
