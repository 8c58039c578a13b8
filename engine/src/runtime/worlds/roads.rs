//! The traffic of Worlds: which one the next World shall have, and the conditions made of parts.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ingest::log::{NewRecord, Topic};
use sha2::{Digest as _, Sha256};

use super::WORLDS_MAX;
use crate::path::Feed;
use crate::record::digest::hex;
use crate::record::{TrafficPart, WorldRecord};
use crate::road::Road;
use crate::world::Conditions;

/// A part and its name.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) key: String,
    pub(super) part: Arc<TrafficPart>,
}

impl Named {
    fn of(part: TrafficPart) -> Self {
        Self { key: hex(&Sha256::digest(part.payload())), part: Arc::new(part) }
    }

    pub(super) fn record(&self) -> NewRecord {
        let key = Bytes::copy_from_slice(self.key.as_bytes());
        self.part.envelope().into_record(Topic::Worlds, key)
    }
}

/// Conditions of one part on one map.
#[derive(Debug)]
struct Done {
    map: String,
    key: String,
    conditions: Arc<Conditions>,
}

#[derive(Debug, Default)]
struct Bench {
    /// Of the map asked for last.
    feed: Option<Feed>,
    /// The newest at the end, at most [`WORLDS_MAX`].
    done: Vec<Done>,
}

/// What all shards of a process and its aggregator know of the traffic.
#[derive(Debug, Default)]
pub(super) struct Roads {
    /// The World that holds in partition 0, while one of this process's shards owns that.
    leads: Mutex<Option<WorldRecord>>,
    /// What the next World shall have.
    wanted: Mutex<Option<Named>>,
    bench: Mutex<Bench>,
}

impl Roads {
    pub(super) fn lead(&self, present: Option<WorldRecord>) {
        *self.leads.lock().unwrap_or_else(PoisonError::into_inner) = present;
    }

    pub(super) fn leads(&self) -> Option<WorldRecord> {
        self.leads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn wanted(&self) -> Option<Named> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a part's conditions ready, so that no shard waits for them, then wants it.
    pub(super) fn want(&self, part: Option<TrafficPart>, road: &Arc<Road>) {
        let named = part.map(Named::of);
        if let Some(named) = &named {
            self.conditions(road, &named.key, &named.part);
        }
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = named;
    }

    /// Conditions that were made before.
    pub(super) fn made(&self, road: &Road, key: &str) -> Option<Arc<Conditions>> {
        let bench = self.bench.lock().unwrap_or_else(PoisonError::into_inner);
        let done = bench.done.iter().find(|d| d.key == key && d.map == road.hash());
        done.map(|done| Arc::clone(&done.conditions))
    }

    /// The conditions of a part: free flow where it is of another map.
    pub(super) fn conditions(
        &self,
        road: &Arc<Road>,
        key: &str,
        part: &TrafficPart,
    ) -> Arc<Conditions> {
        if let Some(made) = self.made(road, key) {
            return made;
        }
        if part.map != road.hash() {
            return Arc::default();
        }
        let mut bench = self.bench.lock().unwrap_or_else(PoisonError::into_inner);
        if bench.feed.as_ref().is_none_or(|feed| feed.road().hash() != road.hash()) {
            bench.feed = Some(Feed::new(road));
        }
        let Some(feed) = &mut bench.feed else { return Arc::default() };
        let conditions = Arc::new(Conditions::new(feed, &part.edges));
        if bench.done.len() >= WORLDS_MAX {
            bench.done.remove(0);
        }
        let (map, key) = (road.hash().to_owned(), key.to_owned());
        bench.done.push(Done { map, key, conditions: Arc::clone(&conditions) });
        conditions
    }
}
