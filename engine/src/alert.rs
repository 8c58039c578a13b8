//! Rules: when a deviation is raised, and when it is cleared.

mod policy;

pub use policy::Policy;
