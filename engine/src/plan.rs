//! Better orders of the remaining stops.
