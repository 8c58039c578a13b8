//! A vehicle in its partition, with what the runtime keeps beside it.

use std::collections::VecDeque;

use bytes::Bytes;
use ingest::id::VehicleKey;
use ingest::record::{BadRecord, Pid};
use ingest::time::Timestamp;

use super::poison;
use super::stepping::{SCHEMA, Vehicle};
use crate::model::{Deed, Input, View};
use crate::record::{Seen, StateRecord};

/// Inputs of one source that are remembered to know a resend.
const PIDS_MAX: usize = 256;
/// Sources remembered of one vehicle: its devices (at most 4 live ones), those before, people.
const SOURCES_MAX: usize = 8;

/// One vehicle of a partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) vehicle: Vehicle,
    /// Inputs below are contained; only recovery looks at it.
    pub(super) contains: u64,
    /// Steps so far.
    pub(super) steps: u64,
    /// The steps that panicked: the last three.
    pub(super) panics: Vec<u64>,
    pub(super) seen: Remembered,
    /// The wake-up that the timers hold.
    pub(super) wake: Option<Timestamp>,
    /// The first input that changed it since its last checkpoint.
    pub(super) changed: Option<u64>,
    /// Number of its newest output when it was restored.
    pub(super) restored_seq: u64,
    /// Wake-ups within one input.
    woken: (u64, u32),
}

impl Slot {
    pub(super) fn new(vehicle: Vehicle) -> Self {
        Self {
            wake: vehicle.wake_at(),
            restored_seq: vehicle.view().seq,
            vehicle,
            contains: 0,
            steps: 0,
            panics: Vec::new(),
            seen: Remembered::default(),
            changed: None,
            woken: (0, 0),
        }
    }

    /// From a checkpoint.
    pub(super) fn restore(key: &Bytes, state: StateRecord) -> Result<Self, BadRecord> {
        let id = VehicleKey::parse(key).map_err(|e| BadRecord::Value(e.to_string()))?;
        let vehicle = Vehicle::restore(id, state.view, state.schema, &state.private)?;
        Ok(Self {
            contains: state.contains,
            steps: state.steps,
            panics: state.panics,
            seen: Remembered::restore(state.seen),
            ..Self::new(vehicle)
        })
    }

    /// From a checkpoint that this version cannot read: only the numbers go on.
    pub(super) fn restore_seq(key: &Bytes, state: StateRecord) -> Result<Self, BadRecord> {
        let view = View { seq: state.view.seq, ..View::default() };
        let bare = StateRecord { view, schema: SCHEMA, private: Bytes::new(), ..state };
        Self::restore(key, bare)
    }

    /// As a checkpoint that contains all inputs below `contains`.
    pub(super) fn state(&self, contains: u64) -> StateRecord {
        StateRecord {
            schema: SCHEMA,
            contains,
            view: self.vehicle.view().clone(),
            private: self.vehicle.private(),
            steps: self.steps,
            panics: self.panics.clone(),
            seen: self.seen.to_records(),
        }
    }

    /// Goes on numbering after `seq`.
    pub(super) fn renumber(&mut self, seq: u64) -> Result<(), BadRecord> {
        let mut view = self.vehicle.view().clone();
        view.seq = seq;
        let key = self.vehicle.key().clone();
        self.vehicle = Vehicle::restore(key, view, SCHEMA, &self.vehicle.private())?;
        Ok(())
    }

    pub(super) fn is_aside(&self) -> bool {
        poison::is_aside(&self.panics)
    }

    /// A step of it was left out.
    pub(super) fn stumbled(&mut self) {
        self.steps += 1;
        poison::note(&mut self.panics, self.steps);
    }

    /// How often it has been woken within this input, this time included.
    pub(super) fn woken(&mut self, offset: u64) -> u32 {
        if self.woken.0 != offset {
            self.woken = (offset, 0);
        }
        self.woken.1 += 1;
        self.woken.1
    }
}

/// The input's pid if it retires its vehicle.
pub(super) fn retires(input: &Input) -> Option<Pid> {
    match input {
        Input::Action(action) if action.deed == Deed::Retire => Some(action.pid),
        _ => None,
    }
}

/// What was heard lately, by source, so that a resend is known.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// In the order of last use.
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    name: String,
    /// Half of each pid, oldest first. A new one equals one of 256 others once in 10^16.
    pids: VecDeque<u64>,
}

impl Remembered {
    fn restore(seen: Vec<Seen>) -> Self {
        let source = |s: Seen| Source { name: s.source, pids: s.pids.into() };
        Self { sources: seen.into_iter().map(source).collect() }
    }

    fn to_records(&self) -> Vec<Seen> {
        let seen =
            |s: &Source| Seen { source: s.name.clone(), pids: s.pids.iter().copied().collect() };
        self.sources.iter().map(seen).collect()
    }

    /// Remembers an input; `false`: it was here before.
    pub(super) fn insert(&mut self, input: &Input) -> bool {
        let (source, pid) = match input {
            Input::Device(device) => (device.report.device.as_str(), device.pid),
            Input::Plan { pid, .. } => ("", *pid),
            Input::Action(action) => ("", action.pid),
            Input::Assignment(assignment) => ("", assignment.pid),
            Input::Wake { .. } | Input::Resumed | Input::Traffic(_) => return true,
        };
        self.remember(source, pid)
    }

    /// Forgets all but this input of a person.
    pub(super) fn forget_but(&mut self, pid: Pid) {
        self.sources.clear();
        self.remember("", pid);
    }

    fn remember(&mut self, name: &str, pid: Pid) -> bool {
        let half = pid.0 as u64;
        let last = self.sources.len().wrapping_sub(1);
        if let Some(at) = self.sources.iter().rposition(|s| s.name == name) {
            if self.sources[at].pids.contains(&half) {
                return false;
            }
            if at != last {
                let source = self.sources.remove(at);
                self.sources.push(source);
            }
        } else {
            if self.sources.len() >= SOURCES_MAX {
                self.sources.remove(0);
            }
            self.sources.push(Source { name: name.to_owned(), pids: VecDeque::new() });
        }
        if let Some(source) = self.sources.last_mut() {
            if source.pids.len() >= PIDS_MAX {
                source.pids.pop_front();
            }
            source.pids.push_back(half);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resend_is_known_within_256_of_its_device() {
        let mut seen = Remembered::default();
        assert!((0..256).all(|n| seen.remember("a", Pid(n))));
        assert!(seen.remember("b", Pid(0)));
        assert!(!seen.remember("a", Pid(0)));
        assert!(seen.remember("a", Pid(256)));
        assert!(seen.remember("a", Pid(0)));
        let mut restored = Remembered::restore(seen.to_records());
        assert!(!restored.remember("a", Pid(0)));
        assert!(!restored.remember("b", Pid(0)));
        assert_eq!(restored.to_records(), seen.to_records());
    }

    #[test]
    fn the_source_not_heard_for_longest_is_forgotten_first() {
        let mut seen = Remembered::default();
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            assert!(seen.remember(name, Pid(1)));
        }
        assert!(seen.remember("a", Pid(2)));
        assert!(seen.remember("i", Pid(1)));
        assert!(!seen.remember("a", Pid(1)));
        assert!(seen.remember("b", Pid(1)));
        assert_eq!(seen.sources.len(), SOURCES_MAX);
    }
}
