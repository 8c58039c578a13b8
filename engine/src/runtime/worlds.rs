//! Worlds by what they are made of: maps found by hash, models and policies on topic `worlds`,
//! and the traffic there (`roads`).

mod roads;

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ingest::id::partition_of;
use ingest::log::{Log, LogError, NewRecord, Topic};
use ingest::record::{BadRecord, Envelope, Kind};
use ingest::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::scan::scan;
use crate::alert::Policy;
use crate::eta::EtaModel;
use crate::path::Snapshot;
use crate::record::digest::hex;
use crate::record::{TrafficPart, WorldRecord};
use crate::road::{Profile, Road, RoadError};
use crate::world::{Conditions, World};
use roads::Roads;

/// Worlds in memory at most: the present one, the one before (a partition may lag), the next.
pub const WORLDS_MAX: usize = 3;
/// What each further thread that steps partitions of its own may hold: one and the next.
const WORLDS_A_THREAD: usize = 2;

/// The road maps that this process can open, by the hash of their content.
#[derive(Debug, Clone, Default)]
pub struct Maps {
    /// The last one is what a new installation starts with.
    found: Vec<(String, Arc<Road>)>,
}

impl Maps {
    /// A map file, or every `*.mpr` of a directory by name; none at all is an error.
    pub fn open(path: &Path) -> Result<Self, MapsError> {
        let unreadable = |source| MapsError::Directory { path: path.to_owned(), source };
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            files.clear();
            for entry in std::fs::read_dir(path).map_err(unreadable)? {
                let file = entry.map_err(unreadable)?.path();
                if file.extension().is_some_and(|e| e == "mpr") {
                    files.push(file);
                }
            }
            files.sort();
        }
        let open = |file: &PathBuf| {
            let road = Road::open(file)?;
            Ok((road.hash().to_owned(), Arc::new(road)))
        };
        let found = files.iter().map(open).collect::<Result<Vec<_>, RoadError>>()?;
        if found.is_empty() {
            return Err(MapsError::None(path.to_owned()));
        }
        Ok(Self { found })
    }

    /// Maps that are open already, by their hash. The last is the one to start with.
    pub fn of(found: Vec<(String, Arc<Road>)>) -> Self {
        Self { found }
    }

    /// The map that a new installation starts with.
    pub fn newest(&self) -> Option<Arc<Road>> {
        self.found.last().map(|(_, road)| Arc::clone(road))
    }

    /// Whether there are none: then no World is ever appended.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    fn road(&self, hash: &str) -> Option<Arc<Road>> {
        self.found.iter().find(|(h, _)| h == hash).map(|(_, road)| Arc::clone(road))
    }
}

/// Why maps cannot be opened.
#[derive(Debug, Error)]
pub enum MapsError {
    /// The directory cannot be read.
    #[error("cannot read `{path}`")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A directory without maps.
    #[error("`{0}` holds no map: expected files `*.mpr` made by `milepost map build`")]
    None(PathBuf),
    /// A file that is no map.
    #[error(transparent)]
    Road(#[from] RoadError),
}

/// Why a World cannot be had now.
#[derive(Debug, Error)]
pub enum WorldError {
    /// No map of this content was given.
    #[error("map `{0}` is not in --map; add its file there")]
    NoMap(String),
    /// The topic `worlds` does not hold the part.
    #[error("part `{0}` of the world is not on the log")]
    NoPart(String),
    /// The part is not what it should be.
    #[error("part `{key}` of the world is not readable: {reason}")]
    BadPart {
        /// Its content hash.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// So many others are still in use by partitions that are behind.
    #[error("`{0}` other worlds are in use; waiting for partitions that are behind")]
    Full(usize),
    /// The log did not answer.
    #[error("reading the world's parts")]
    Log(#[from] LogError),
}

/// Loads Worlds and keeps at most [`WORLDS_MAX`] and two more for each thread beyond the first;
/// shared by all shards of a process.
pub struct Worlds {
    log: Arc<dyn Log>,
    maps: Maps,
    model: Part,
    policy: Part,
    roads: Roads,
    most: usize,
    loaded: Mutex<Vec<(WorldRecord, Arc<World>)>>,
    first: Arc<World>,
}

impl fmt::Debug for Worlds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worlds").field("maps", &self.maps).finish_non_exhaustive()
    }
}

/// A part of a World with its content hash.
struct Part {
    key: String,
    json: Bytes,
}

impl Part {
    fn of(content: &impl Serialize) -> Self {
        let json = serde_json::to_vec(content).unwrap_or_default();
        Self { key: hex(&Sha256::digest(&json)), json: json.into() }
    }

    fn record(&self) -> NewRecord {
        let envelope = Envelope {
            kind: Kind::WorldPart,
            pid: None,
            received_at: Timestamp::default(),
            seq: 0,
            by: None,
            payload: self.json.clone(),
        };
        envelope.into_record(Topic::Worlds, Bytes::copy_from_slice(self.key.as_bytes()))
    }
}

impl Worlds {
    /// `model` and `policy` are those of a new installation.
    pub fn new(log: Arc<dyn Log>, maps: Maps, model: &EtaModel, policy: &Policy) -> Self {
        let first = World {
            number: 0,
            road: Arc::new(Road::default()),
            model: Arc::new(model.clone()),
            policy: Arc::new(policy.clone()),
            conditions: Arc::default(),
        };
        Self {
            log,
            maps,
            model: Part::of(model),
            policy: Part::of(policy),
            roads: Roads::default(),
            most: WORLDS_MAX,
            loaded: Mutex::new(Vec::with_capacity(WORLDS_MAX)),
            first: Arc::new(first),
        }
    }

    /// For so many threads, each of which steps partitions of its own.
    pub(super) fn for_threads(self, threads: usize) -> Self {
        Self { most: WORLDS_MAX + WORLDS_A_THREAD * threads.saturating_sub(1), ..self }
    }

    /// What holds before the first `world` record: no roads, number 0.
    pub(super) fn first(&self) -> Arc<World> {
        Arc::clone(&self.first)
    }

    /// The World of a record, loaded when it is not in memory.
    pub(super) fn get(&self, record: &WorldRecord) -> Result<Arc<World>, WorldError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, world)) = loaded.iter().find(|(r, _)| r == record) {
            return Ok(Arc::clone(world));
        }
        if loaded.len() >= self.most {
            let idle = loaded.iter().position(|(_, world)| Arc::strong_count(world) == 1);
            loaded.remove(idle.ok_or(WorldError::Full(self.most))?);
        }
        let road = self.road(record).ok_or_else(|| WorldError::NoMap(record.map.clone()))?;
        // The router's part of the map is made now, not in the step that asks for it first.
        drop(Snapshot::shared(&road, Profile::Van));
        let conditions = self.conditions(&road, record)?;
        let world = Arc::new(World {
            number: record.number,
            road,
            conditions,
            model: Arc::new(self.part(&record.model, &self.model)?),
            policy: Arc::new(self.part(&record.policy, &self.policy)?),
        });
        loaded.push((record.clone(), Arc::clone(&world)));
        Ok(world)
    }

    /// Whether the map of a World is here.
    pub(super) fn has(&self, record: &WorldRecord) -> bool {
        self.road(record).is_some()
    }

    fn road(&self, record: &WorldRecord) -> Option<Arc<Road>> {
        self.maps.road(&record.map)
    }

    /// The World that should follow `present`; `None`: it may stay.
    pub(super) fn next(&self, present: Option<&WorldRecord>) -> Option<WorldRecord> {
        let (newest, _) = self.maps.found.last()?;
        let map = present.map(|p| &p.map).filter(|m| self.maps.road(m).is_some());
        let map = map.unwrap_or(newest).clone();
        let kept = present.filter(|p| p.map == map).map(|p| p.traffic.clone());
        let traffic = self.roads.wanted().filter(|named| named.part.map == map);
        let wanted = WorldRecord {
            number: present.map_or(0, |p| p.number) + 1,
            map,
            model: self.model.key.clone(),
            policy: self.policy.key.clone(),
            traffic: traffic.map_or(kept.unwrap_or_default(), |named| named.key),
            traffic_at: present.map_or(0, |p| p.traffic_at),
        };
        let same = present.is_some_and(|p| {
            p.map == wanted.map
                && p.model == wanted.model
                && p.policy == wanted.policy
                && p.traffic == wanted.traffic
        });
        (!same).then_some(wanted)
    }

    /// The parts that [`Worlds::next`] names, for topic `worlds`; the traffic, where there is
    /// any, is the last.
    pub(super) fn parts(&self) -> Vec<NewRecord> {
        let traffic = self.roads.wanted().map(|named| named.record());
        [self.model.record(), self.policy.record()].into_iter().chain(traffic).collect()
    }

    /// The World that holds in partition 0, said by the shard that owns it; `None`: no more.
    pub(super) fn lead(&self, present: Option<&WorldRecord>) {
        self.roads.lead(present.cloned());
    }

    /// What [`Worlds::lead`] said last, and its map.
    pub(super) fn leads(&self) -> Option<(WorldRecord, Arc<Road>)> {
        let present = self.roads.leads()?;
        let road = self.road(&present)?;
        Some((present, road))
    }

    /// The traffic that the next World shall have; `None`: whatever the present one has.
    pub(super) fn want(&self, part: Option<TrafficPart>, road: &Arc<Road>) {
        self.roads.want(part, road);
    }

    /// The traffic of a World.
    pub(super) fn traffic(&self, record: &WorldRecord) -> Result<TrafficPart, WorldError> {
        let key = &record.traffic;
        if key.is_empty() {
            return Ok(TrafficPart::default());
        }
        if let Some(named) = self.roads.wanted().filter(|named| named.key == *key) {
            return Ok(TrafficPart::clone(&named.part));
        }
        let payload = self.stored(key, record.traffic_at)?;
        let bad = |e: BadRecord| WorldError::BadPart { key: key.clone(), reason: e.to_string() };
        TrafficPart::from_payload(&payload).map_err(bad)
    }

    fn conditions(
        &self,
        road: &Arc<Road>,
        record: &WorldRecord,
    ) -> Result<Arc<Conditions>, WorldError> {
        if record.traffic.is_empty() {
            return Ok(Arc::default());
        }
        match self.roads.made(road, &record.traffic) {
            Some(made) => Ok(made),
            None => Ok(self.roads.conditions(road, &record.traffic, &self.traffic(record)?)),
        }
    }

    fn part<T: DeserializeOwned>(&self, key: &str, ours: &Part) -> Result<T, WorldError> {
        let bad = |reason: String| WorldError::BadPart { key: key.to_owned(), reason };
        let json = if key == ours.key { ours.json.clone() } else { self.stored(key, 0)? };
        serde_json::from_slice(&json).map_err(|e| bad(e.to_string()))
    }

    /// A part by its key; looked for from an offset on, where it was once, and if it is gone
    /// there, among all: parts are written again before they go.
    fn stored(&self, key: &str, from: u64) -> Result<Bytes, WorldError> {
        let partition = partition_of(key.as_bytes(), self.log.partitions(Topic::Worlds));
        let bounds = self.log.bounds(Topic::Worlds, partition)?;
        let from = from.max(bounds.start);
        let find = |offsets| {
            scan(&*self.log, (Topic::Worlds, partition), offsets, |record| {
                match record.value.filter(|_| record.key.as_ref() == key.as_bytes()) {
                    Some(value) => ControlFlow::Break(value),
                    None => ControlFlow::Continue(()),
                }
            })
        };
        let found = match find(from..bounds.end)? {
            None => find(bounds.start..from.min(bounds.end))?,
            found => found,
        };
        let value = found.ok_or_else(|| WorldError::NoPart(key.to_owned()))?;
        let bad = |e: BadRecord| WorldError::BadPart { key: key.to_owned(), reason: e.to_string() };
        Ok(Envelope::decode(value).map_err(bad)?.payload)
    }
}
