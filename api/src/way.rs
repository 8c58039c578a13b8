//! Ways along the roads of the map, for drawing: from where a vehicle is to a door.

use std::fmt;
use std::sync::{Arc, Mutex};

use engine::path::{Router, line};
use engine::road::{Near, Profile, Road, plane};
use ingest::units::Position;

use crate::store::lock;

/// Beyond this straight distance no way is drawn: the search would be long, and nobody near.
const DISTANCE_M_MAX: f64 = 60_000.0;
/// A road further away is not where one stands.
const SNAP_M_MAX: f64 = 300.0;
/// Roads near each end that are tried.
const TRIES: usize = 3;

/// Finds ways, one at a time: a search takes up to some milliseconds, so not on an async thread.
pub(crate) struct Ways {
    road: Arc<Road>,
    router: Mutex<Router>,
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ways").field("road", &self.road).finish_non_exhaustive()
    }
}

impl Ways {
    pub(crate) fn new(road: Arc<Road>) -> Self {
        Self { road, router: Mutex::default() }
    }

    /// The quickest way between two places, its ends at the road; `None` where there is none.
    pub(crate) fn between(
        &self,
        from: Position,
        to: Position,
        profile: Profile,
    ) -> Option<Vec<Position>> {
        if plane::distance_m(from, to) > DISTANCE_M_MAX {
            return None;
        }
        let (starts, ends) = (self.near(from, profile), self.near(to, profile));
        let mut router = lock(&self.router);
        let pairs = starts.iter().flat_map(|start| ends.iter().map(move |end| (start, end)));
        let stray = |near: &Near| near.distance_m;
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by(|a, b| (stray(a.0) + stray(a.1)).total_cmp(&(stray(b.0) + stray(b.1))));
        let found = pairs.into_iter().take(TRIES).find_map(|(start, end)| {
            let ends = (start.place, end.place);
            router.route(&self.road, ends.0, ends.1, profile).map(|path| (ends, path))
        });
        let (ends, path) = found?;
        let mut points = Vec::new();
        line(&self.road, ends, &path.edges, &mut points);
        Some(points)
    }

    fn near(&self, at: Position, profile: Profile) -> Vec<Near> {
        let mut near = Vec::new();
        for radius_m in [30.0, SNAP_M_MAX] {
            self.road.near_for(at, radius_m, profile.into(), &mut near);
            if !near.is_empty() {
                break;
            }
        }
        near.truncate(TRIES);
        near
    }
}
