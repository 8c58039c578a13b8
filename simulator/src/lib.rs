//! A world to try it in: a seeded town, a fleet with its day, trackers that speak real protocols,
//! a network with faults, and the score of what was made of it all.
//!
//! In reading order: [`chance`] is where everything random comes from, [`town`] a map, [`traffic`]
//! and [`drive`] the fleet's day on any map, [`noise`] what a receiver makes of it, [`tracker`]
//! what a device says, [`faults`] what goes wrong, [`network`] real sockets, [`ledger`] what was
//! sent, [`score`] what was made of it. [`live`] puts them together in front of a running
//! Milepost, [`in_process`] around an engine on a virtual clock.

pub mod chance;
pub mod drive;
pub mod faults;
pub mod in_process;
pub mod ledger;
pub mod live;
pub mod network;
pub mod noise;
pub mod score;
pub mod town;
pub mod trace;
pub mod tracker;
pub mod traffic;
