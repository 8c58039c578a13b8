//! The runtime on the log in memory, turn by turn, with a vehicle whose steps are plain to see.

mod failures;
mod recovery;
mod scene;
mod time;
pub(super) mod toy;
