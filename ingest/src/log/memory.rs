//! The log in memory: tests and in-process simulation.

/// A log that lives as long as its value.
#[derive(Debug)]
pub struct MemoryLog;
