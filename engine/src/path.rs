//! Shortest paths on the road network.
