//! What recovery starts from: a vehicle's state, and a partition's marker.

use bytes::Bytes;
use ingest::attribute::Attributes;
use ingest::id::DeviceId;
use ingest::record::{BadRecord, Envelope, Kind};
use ingest::time::Timestamp;
use prost::Message;

use super::WorldRecord;
use super::output::{event, event_to_wire, matched, matched_to_wire, proposal, proposal_to_wire};
use super::output::{stop_eta, stop_eta_to_wire};
use super::wire::{
    WireKilled, WireLast, WireMarker, WireOpen, WireSeen, WireState, WireStopView, WireView,
    WireWorld, opt, route_id, time, wrong,
};
use crate::model::view::LastFix;
use crate::model::{OpenException, StopView, View};

/// One vehicle at one input offset: the value of topic `states`.
#[derive(Debug, Clone, PartialEq)]
pub struct StateRecord {
    /// Version of the layout of `private`.
    pub schema: u32,
    /// Inputs below this offset are contained.
    pub contains: u64,
    /// What people see.
    pub view: View,
    /// The rest, as [`crate::vehicle`] lays it out; empty for a retired vehicle.
    pub private: Bytes,
    /// Inputs stepped so far.
    pub steps: u64,
    /// At which of them it panicked: the last three.
    pub panics: Vec<u64>,
    /// What was last heard of each source, so that a resend is known; in the order of first use.
    pub seen: Vec<Seen>,
}

/// The last inputs of one source of a vehicle: half of each pid, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// A device's id; empty for what people did.
    pub source: String,
    /// The lower 64 bits of each pid.
    pub pids: Vec<u64>,
}

/// A partition's marker: the value of topic `states` under the key `#`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkerRecord {
    /// Inputs from here on must be stepped again; every state contains all before.
    pub from: u64,
    /// The partition's time before that input.
    pub now: Timestamp,
    /// Outputs of those inputs lie at or above this offset.
    pub outputs_from: u64,
    /// The World that held before that input.
    pub world: Option<WorldRecord>,
    /// Version of the layout of private states.
    pub schema: u32,
    /// Version of the engine that wrote it.
    pub version: String,
    /// The partition's time of the newest complete snapshot.
    pub snapshot_at: Option<Timestamp>,
    /// Inputs that ended the process and were dead-lettered instead: they are never stepped.
    pub killed: Vec<Killed>,
    /// Set while inputs are stepped one a commit: the one being tried. When the process dies
    /// there, it is the one that kills.
    pub trying: Option<Killed>,
    /// Times the partition was taken at `started_from` since something was committed there.
    pub starts: u32,
    /// The committed offset of the last start.
    pub started_from: u64,
}

/// One step that ends the process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Killed {
    /// The input.
    pub offset: u64,
    /// The vehicle whose wake-up it was; `None`: the input itself.
    pub woken: Option<Bytes>,
}

/// Key of a partition's marker in `states` and `snapshots`; no vehicle's key has this form.
pub const MARKER_KEY: &[u8] = b"#";

fn envelope(kind: Kind, message: &impl Message) -> Envelope {
    Envelope {
        kind,
        pid: None,
        received_at: Timestamp::default(),
        seq: 0,
        by: None,
        payload: message.encode_to_vec().into(),
    }
}

impl StateRecord {
    /// As an envelope for `states`.
    pub fn envelope(&self) -> Envelope {
        let wire = WireState {
            schema: self.schema,
            contains: self.contains,
            view: Some(view_to_wire(&self.view)),
            private: self.private.clone(),
            steps: self.steps,
            panics: self.panics.clone(),
            seen: self.seen.iter().map(WireSeen::from).collect(),
        };
        envelope(Kind::State, &wire)
    }
    /// Reads an envelope of kind `State`.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        let wire = WireState::decode(envelope.payload.clone())?;
        Ok(Self {
            schema: wire.schema,
            contains: wire.contains,
            view: view(wire.view.unwrap_or_default())?,
            private: wire.private,
            steps: wire.steps,
            panics: wire.panics,
            seen: wire.seen.into_iter().map(Seen::from).collect(),
        })
    }
}

impl MarkerRecord {
    /// As an envelope for `states`.
    pub fn envelope(&self) -> Envelope {
        let wire = WireMarker {
            from: self.from,
            now_us: self.now.micros(),
            outputs_from: self.outputs_from,
            world: self.world.as_ref().map(WireWorld::from),
            schema: self.schema,
            version: self.version.clone(),
            snapshot_us: self.snapshot_at.map(Timestamp::micros),
            killed: self.killed.iter().map(WireKilled::from).collect(),
            trying: self.trying.as_ref().map(WireKilled::from),
            starts: self.starts,
            started_from: self.started_from,
        };
        envelope(Kind::Marker, &wire)
    }
    /// Reads an envelope of kind `Marker`.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        let wire = WireMarker::decode(envelope.payload.clone())?;
        Ok(Self {
            from: wire.from,
            now: time(wire.now_us),
            outputs_from: wire.outputs_from,
            world: wire.world.map(WorldRecord::from),
            schema: wire.schema,
            version: wire.version,
            snapshot_at: wire.snapshot_us.map(time),
            killed: wire.killed.into_iter().map(Killed::from).collect(),
            trying: wire.trying.map(Killed::from),
            starts: wire.starts,
            started_from: wire.started_from,
        })
    }
}

impl From<&Seen> for WireSeen {
    fn from(s: &Seen) -> Self {
        Self { source: s.source.clone(), pids: s.pids.clone() }
    }
}
impl From<WireSeen> for Seen {
    fn from(w: WireSeen) -> Self {
        Self { source: w.source, pids: w.pids }
    }
}
impl From<&Killed> for WireKilled {
    fn from(k: &Killed) -> Self {
        Self { offset: k.offset, woken: k.woken.clone() }
    }
}
impl From<WireKilled> for Killed {
    fn from(w: WireKilled) -> Self {
        Self { offset: w.offset, woken: w.woken }
    }
}

fn view_to_wire(view: &View) -> WireView {
    let stop = |s: &StopView| WireStopView {
        eta: Some(stop_eta_to_wire(&s.eta)),
        arrived_us: s.arrived_at.map(Timestamp::micros),
        departed_us: s.departed_at.map(Timestamp::micros),
    };
    let last = |l: &LastFix| WireLast {
        device: l.device.to_string(),
        time_us: l.time.micros(),
        received_us: l.received_at.micros(),
        place: Some(l.position.into()),
        matched: l.matched.as_ref().map(matched_to_wire),
        speed_mps: l.speed_mps,
        heading: l.heading,
        accuracy_m: l.accuracy_m,
        attributes: (!l.attributes.is_empty()).then(|| (&l.attributes).into()),
    };
    let open = |o: &OpenException| WireOpen { seq: o.seq, event: Some(event_to_wire(&o.event)) };
    WireView {
        seq: view.seq,
        last: view.last.as_ref().map(last),
        route: view.route.as_ref().map(|(id, _)| id.to_string()),
        version: view.route.as_ref().map_or(0, |(_, version)| *version),
        stops: view.stops.iter().map(stop).collect(),
        open: view.open.iter().map(open).collect(),
        proposal: view.proposal.as_ref().map(proposal_to_wire),
    }
}

fn view(w: WireView) -> Result<View, BadRecord> {
    let missing = |what: &str| BadRecord::Value(format!("{what} is missing"));
    let stop = |s: WireStopView| {
        Ok(StopView {
            eta: stop_eta(s.eta.ok_or_else(|| missing("eta of a stop"))?)?,
            arrived_at: s.arrived_us.map(time),
            departed_at: s.departed_us.map(time),
        })
    };
    let last = |l: WireLast| {
        Ok::<_, BadRecord>(LastFix {
            device: DeviceId::new(&l.device).map_err(|e| wrong(&e))?,
            time: time(l.time_us),
            received_at: time(l.received_us),
            position: l.place.ok_or_else(|| missing("place of the last fix"))?.into(),
            matched: l.matched.map(matched).transpose()?,
            speed_mps: l.speed_mps,
            heading: l.heading,
            accuracy_m: l.accuracy_m,
            attributes: l.attributes.map(Attributes::try_from).transpose()?.unwrap_or_default(),
        })
    };
    let open = |o: WireOpen| {
        let event_wire = o.event.ok_or_else(|| missing("event of an exception"))?;
        Ok(OpenException { seq: o.seq, event: event(event_wire)? })
    };
    let route = opt(w.route.as_ref(), |r| route_id(r))?;
    Ok(View {
        seq: w.seq,
        last: w.last.map(last).transpose()?,
        route: route.map(|id| (id, w.version)),
        stops: w.stops.into_iter().map(stop).collect::<Result<_, BadRecord>>()?,
        open: w.open.into_iter().map(open).collect::<Result<_, BadRecord>>()?,
        proposal: opt(w.proposal.as_ref(), proposal)?,
    })
}
