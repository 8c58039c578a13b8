//! Weights that change under way: queries hold a snapshot, changes make the next one.

use std::sync::{Arc, PoisonError, RwLock};

use crate::path::cost::compared;
use crate::road::{EdgeId, Road};

use super::update::Updater;
use super::{Metric, Snapshot};

/// The share of a map's edges above which a whole customisation is quicker than an update.
const WHOLE_FROM: usize = 12;

/// A metric that is changed by one owner while anybody queries it. A change is worked out on a
/// second copy of the weights and put in place by swapping two pointers, so no query waits for
/// it. Holds two copies; one more for each epoch that a query still holds.
#[derive(Debug)]
pub struct Live {
    current: RwLock<Snapshot>,
    updater: Updater,
    /// The copy before the current one, once no query holds it any more.
    spare: Option<Arc<Metric>>,
    /// States whose edges changed from the spare copy to the current one.
    behind: Vec<u32>,
}

impl Live {
    /// Begins with the weights of a snapshot.
    pub fn new(start: Snapshot) -> Self {
        let updater = Updater::new(&start.hierarchy.topology);
        Self { current: RwLock::new(start), updater, spare: None, behind: Vec::new() }
    }

    /// The newest weights. The lock is held for two reference counts.
    pub fn snapshot(&self) -> Snapshot {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the seconds of some edges from tail to head; infinite closes one. Edges that the
    /// profile may not use stay closed. Few changes cost by what they reach, many as much as a
    /// customisation.
    pub fn change(&mut self, road: &Road, changes: &[(EdgeId, f64)]) {
        let now = self.snapshot();
        let whole = changes.len() > now.hierarchy.states() / WHOLE_FROM;
        let spare = self.spare.take().and_then(|spare| Arc::try_unwrap(spare).ok());
        let mut next = if let Some(mut spare) = spare {
            self.catch_up(&now, &mut spare, whole);
            spare
        } else {
            Metric::clone(&now.metric)
        };
        self.behind.clear();
        for &(edge, seconds) in changes {
            if road.seconds(edge, next.profile).is_some() {
                for state in now.hierarchy.on_edge(edge) {
                    next.whole[state as usize] = compared(seconds);
                    self.behind.push(state);
                }
            }
        }
        self.apply(&now, &mut next, whole);
        let hierarchy = Arc::clone(&now.hierarchy);
        let next = Snapshot { hierarchy, metric: Arc::new(next) };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        self.spare = Some(std::mem::replace(&mut *current, next).metric);
    }

    /// Works out the rows that the edges of `behind` reach.
    fn apply(&mut self, now: &Snapshot, next: &mut Metric, whole: bool) {
        let hierarchy = &*now.hierarchy;
        let mut shortcuts = std::mem::take(&mut next.shortcuts);
        if whole {
            shortcuts.remake(&next.entry(hierarchy));
            self.updater.touched.clear();
            self.updater.touched.extend(0..hierarchy.states() as u32);
        } else {
            let states = self.behind.iter().copied();
            self.updater.run(&next.entry(hierarchy), states, &mut shortcuts);
        }
        next.shortcuts = shortcuts;
    }

    /// Brings the spare copy to the current weights: the rows that the last change touched,
    /// unless the whole is made anyway.
    fn catch_up(&self, now: &Snapshot, spare: &mut Metric, whole: bool) {
        for &state in &self.behind {
            spare.whole[state as usize] = now.metric.whole[state as usize];
        }
        if !whole {
            let topology = &now.hierarchy.topology;
            spare.shortcuts.copy_rows(topology, &now.metric.shortcuts, &self.updater.touched);
        }
    }
}
