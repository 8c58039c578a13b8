//! What a step reads besides its vehicle: immutable, numbered, named by content.
//!
//! A World changes only by a `world` record appended to every partition of `inputs`, so that
//! replay needs `inputs`, a snapshot and the Worlds they name, and nothing else.

mod model;
mod policy;

pub use model::EtaModel;
pub use policy::Policy;
