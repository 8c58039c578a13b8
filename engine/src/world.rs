//! What a step reads besides its vehicle: immutable, numbered, named by content.
//!
//! A World changes only by a `world` record appended to every partition of `inputs`, so that
//! replay needs `inputs`, a snapshot and the Worlds they name, and nothing else.
//!
//! What changes while vehicles drive is the traffic. Its way from a street to every arrival:
//!
//! ```text
//! vehicle    path, event outputs: edges with the times they were entered      topic outputs
//! api        POST /v1/closures: a shape and when it is closed                 topic worlds
//! one place  runtime/aggregator  reads both; speeds: seconds an edge takes,
//!                                closure: the edges of a shape. When the
//!                                outcome has changed: a part, named by its
//!                                content (record/traffic), and a World that
//!                                names it (runtime/owner)                     worlds, inputs
//! shard      runtime/worlds      loads the part; path/traffic makes weights
//!            runtime/partition   which edges changed; whom may it concern
//!            vehicle/traffic     ways, legs, arrivals, a proposal             topic outputs
//! ```
//! In reading order: [`closure`] is what a dispatcher says, [`speeds`] what vehicles show,
//! [`conditions`] what of it holds for whom.

pub mod closure;
pub mod conditions;
pub mod speeds;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ingest::id::TenantId;

use crate::alert::Policy;
use crate::eta::EtaModel;
use crate::path::Traffic;
use crate::road::Road;

pub use closure::{Closure, Shape};
pub use conditions::Conditions;
pub use speeds::Speeds;

/// All that a step reads besides its vehicle.
#[derive(Debug, Clone)]
pub struct World {
    /// Rises with every change; 0 before the first `world` record.
    pub number: u64,
    /// The map.
    pub road: Arc<Road>,
    /// Priors of the prediction.
    pub model: Arc<EtaModel>,
    /// Thresholds of the rules.
    pub policy: Arc<Policy>,
    /// What the roads take now.
    pub conditions: Arc<Conditions>,
}

impl World {
    /// What the roads take now for the vehicles of a tenant.
    pub fn traffic(&self, tenant: &TenantId) -> &Traffic {
        self.conditions.of(tenant)
    }
}
