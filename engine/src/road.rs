//! The road network: import, the mapped file, the spatial index.

/// The road network of one map. Immutable.
#[derive(Debug, Default)]
pub struct Road {}
