//! What a step reads besides its vehicle: immutable, numbered, named by content.
//!
//! A World changes only by a `world` record appended to every partition of `inputs`, so that
//! replay needs `inputs`, a snapshot and the Worlds they name, and nothing else.

use std::sync::Arc;

use crate::alert::Policy;
use crate::eta::EtaModel;
use crate::road::Road;

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
}
