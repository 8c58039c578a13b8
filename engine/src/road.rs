//! The road network: import, the mapped file, the spatial index.
