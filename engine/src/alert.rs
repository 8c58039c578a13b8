//! Rules: when a deviation is raised, and when it is cleared.
//!
//! One file a rule. Each is a small state machine told what is true now; it answers with a
//! [`Turn`] once when the condition begins and once when it ends. Thresholds are [`Policy`]'s.

pub mod late;
pub mod long_stop;
pub mod no_signal;
pub mod off_route;
mod policy;
pub mod reroute;
pub mod soon;

pub use late::Late;
pub use long_stop::LongStop;
pub use no_signal::Silence;
pub use off_route::OffRoute;
pub use policy::Policy;
pub use reroute::Offers;
pub use soon::Soon;

/// A condition begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is true from now on.
    Raise,
    /// It is no longer true.
    Clear,
}
