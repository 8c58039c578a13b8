//! What the roads take now, for whom: everybody's slow edges, each tenant's closures.
//!
//! A closure holds for the vehicles of the tenant who said it: nobody else can check it, and
//! nobody may close a road for others.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::id::TenantId;

use crate::model::input::Changed;
use crate::path::traffic::cells;
use crate::path::{Feed, Traffic};
use crate::road::{EdgeId, Road};

/// Tenants with closures whose ways come from weights of their own, some tens of megabytes each
/// for a city: the first by name. The others' ways that meet a closure are searched, which gives
/// the same in milliseconds instead of microseconds.
const WEIGHTED_MAX: usize = 4;

/// What slow and closed edges there are on one map, by number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edges {
    /// Slow ones with their levels.
    pub slow: Vec<(EdgeId, u8)>,
    /// Each tenant's closed ones; no tenant has none.
    pub closed: BTreeMap<TenantId, Vec<EdgeId>>,
}

/// What the roads take now. Immutable.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    everybody: Traffic,
    own: BTreeMap<TenantId, Traffic>,
}

impl Conditions {
    /// Makes them from the ones that `feed` made before.
    pub fn new(feed: &mut Feed, edges: &Edges) -> Self {
        let known = feed.road().edges();
        let is_known = |edge: &EdgeId| (edge.0 as usize) < known;
        let slow = edges.slow.iter().copied().filter(|slow| is_known(&slow.0)).collect();
        let everybody = feed.slowed(slow);
        let own = edges.closed.iter().zip(0..).map(|((tenant, closed), nth)| {
            let closed = closed.iter().copied().filter(is_known).collect();
            (tenant.clone(), feed.closed(&everybody, closed, nth < WEIGHTED_MAX))
        });
        Self { own: own.collect(), everybody }
    }

    /// For the vehicles of a tenant.
    pub fn of(&self, tenant: &TenantId) -> &Traffic {
        self.own.get(tenant).unwrap_or(&self.everybody)
    }

    /// What changes for whom from these to the `next` ones of the same map.
    pub fn changes_to(&self, next: &Self, road: &Road) -> Changes {
        let changed = |before: &Traffic, after: &Traffic| {
            let edges = before.changes_to(after);
            let cells = cells(road, &edges);
            Arc::new(Changed { edges: edges.into_iter().map(|edge| edge.0).collect(), cells })
        };
        let tenants = self.own.keys().chain(next.own.keys());
        let own = tenants.map(|tenant| (tenant.clone(), changed(self.of(tenant), next.of(tenant))));
        Changes { own: own.collect(), everybody: changed(&self.everybody, &next.everybody) }
    }
}

/// Which edges changed for whom.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    everybody: Arc<Changed>,
    own: BTreeMap<TenantId, Arc<Changed>>,
}

impl Changes {
    /// For the vehicles of a tenant.
    pub fn of(&self, tenant: &TenantId) -> &Arc<Changed> {
        self.own.get(tenant).unwrap_or(&self.everybody)
    }

    /// Whether nothing changed for anybody.
    pub fn is_empty(&self) -> bool {
        std::iter::once(&self.everybody).chain(self.own.values()).all(|c| c.edges.is_empty())
    }
}
