//! Inputs other than a device's: plans, actions, assignments, ticks, worlds.

use bytes::Bytes;
use ingest::id::{DeviceId, VehicleId};
use ingest::record::{BadRecord, DeviceInput, Envelope, Kind, Pid};
use ingest::time::Timestamp;
use prost::Message;

use super::wire::{
    WireAction, WireAssignment, WireRoute, WireStop, WireTick, WireWorld, opt, order_id, pid_bytes,
    pid_of, route_id, stop_id, time, wrong,
};
use crate::model::{Action, Assignment, Deed, Input, Route, Stop};

/// What a record of `inputs` says, whoever it is for.
#[derive(Debug, Clone, PartialEq)]
pub enum InputRecord {
    /// To the vehicle of the record's key.
    Vehicle(Input),
    /// To the partition: time has passed.
    Tick(TickRecord),
    /// To the partition: from here on another World holds.
    World(WorldRecord),
}

/// The owner's sign that time has passed; carries its time in the envelope's `received_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickRecord {
    /// The partition has a new owner: silence before it was ours.
    pub resumed: bool,
}

/// The parts of a World, each by the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorldRecord {
    /// Rises with every change.
    pub number: u64,
    /// Road map: [`crate::road::Road::hash`]; found in `--map FILE|DIR`.
    pub map: String,
    /// ETA model: key in topic `worlds`.
    pub model: String,
    /// Policies: key in topic `worlds`.
    pub policy: String,
    /// Slow and closed edges: key in topic `worlds`; empty: every road is at free flow.
    pub traffic: String,
    /// Where in its partition of `worlds` that part was when this was written.
    pub traffic_at: u64,
}

impl InputRecord {
    /// Reads an envelope of topic `inputs`.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        let payload = envelope.payload.clone();
        let pid = || envelope.pid.ok_or_else(|| BadRecord::Value("pid is missing".into()));
        Ok(match envelope.kind {
            Kind::Fix | Kind::Report => {
                Self::Vehicle(Input::Device(Box::new(DeviceInput::from_envelope(envelope)?)))
            }
            Kind::Plan => Self::Vehicle(Input::Plan {
                pid: pid()?,
                received_at: envelope.received_at,
                by: envelope.by.clone(),
                route: Box::new(route(WireRoute::decode(payload)?)?),
            }),
            Kind::Action => Self::Vehicle(Input::Action(action(
                pid()?,
                envelope,
                &WireAction::decode(payload)?,
            )?)),
            Kind::Assignment => {
                let wire = WireAssignment::decode(payload)?;
                Self::Vehicle(Input::Assignment(Assignment {
                    pid: pid()?,
                    received_at: envelope.received_at,
                    device: DeviceId::new(&wire.device).map_err(|e| wrong(&e))?,
                    vehicle: opt(wire.vehicle.as_ref(), |v| {
                        VehicleId::new(v).map_err(|e| wrong(&e))
                    })?,
                    from: time(wire.from_us),
                }))
            }
            Kind::Tick => Self::Tick(TickRecord { resumed: WireTick::decode(payload)?.resumed }),
            Kind::World => Self::World(WireWorld::decode(payload)?.into()),
            other => return Err(BadRecord::UnknownKind(other as u32)),
        })
    }
}

fn envelope(
    kind: Kind,
    pid: Option<Pid>,
    at: Timestamp,
    by: Option<&str>,
    m: &impl Message,
) -> Envelope {
    let by = by.map(str::to_owned);
    Envelope { kind, pid, received_at: at, seq: 0, by, payload: m.encode_to_vec().into() }
}

/// A plan as an input.
pub fn plan_envelope(route: &Route, pid: Pid, at: Timestamp, by: Option<&str>) -> Envelope {
    envelope(Kind::Plan, Some(pid), at, by, &route_to_wire(route))
}

/// A route alone, as a plan record holds it; for the private state of a vehicle.
pub(crate) fn route_bytes(route: &Route) -> Bytes {
    route_to_wire(route).encode_to_vec().into()
}

/// Reads what [`route_bytes`] wrote.
pub(crate) fn route_from_bytes(bytes: Bytes) -> Result<Route, BadRecord> {
    route(WireRoute::decode(bytes)?)
}

fn route_to_wire(route: &Route) -> WireRoute {
    let stop = |s: &Stop| WireStop {
        id: s.id.to_string(),
        order: s.order.to_string(),
        place: Some(s.position.into()),
        window: s.window.map(Into::into),
        service_s: s.service_s,
    };
    WireRoute {
        id: route.id.to_string(),
        version: route.version,
        depot: Some(route.depot.into()),
        shift: Some(route.shift.into()),
        time_zone: route.time_zone.clone(),
        stops: route.stops.iter().map(stop).collect(),
        transfer: route.transfer.map(pid_bytes),
        moved_away: route.moved_away.iter().map(ToString::to_string).collect(),
    }
}

fn route(wire: WireRoute) -> Result<Route, BadRecord> {
    let missing = |what: &str| BadRecord::Value(format!("{what} is missing"));
    let stop = |s: WireStop| {
        Ok(Stop {
            id: stop_id(&s.id)?,
            order: order_id(&s.order)?,
            position: s.place.ok_or_else(|| missing("place of a stop"))?.into(),
            window: s.window.map(Into::into),
            service_s: s.service_s,
        })
    };
    Ok(Route {
        id: route_id(&wire.id)?,
        version: wire.version,
        depot: wire.depot.ok_or_else(|| missing("depot"))?.into(),
        shift: wire.shift.ok_or_else(|| missing("shift"))?.into(),
        time_zone: wire.time_zone,
        stops: wire.stops.into_iter().map(stop).collect::<Result<_, BadRecord>>()?,
        transfer: opt(wire.transfer.as_ref(), |b| pid_of(b))?,
        moved_away: wire.moved_away.iter().map(|s| stop_id(s)).collect::<Result<_, _>>()?,
    })
}

/// An action as an input.
pub fn action_envelope(action: &Action) -> Envelope {
    let (deed, reason, proposal) = match &action.deed {
        Deed::Arrived => (1, None, None),
        Deed::Completed => (2, None, None),
        Deed::Failed { reason } => (3, Some(reason.clone()), None),
        Deed::Skipped => (4, None, None),
        Deed::Activate => (5, None, None),
        Deed::Finish => (6, None, None),
        Deed::AcceptReroute(id) => (7, None, Some(pid_bytes(*id))),
        Deed::RefuseReroute(id) => (8, None, Some(pid_bytes(*id))),
        Deed::Retire => (9, None, None),
    };
    let wire = WireAction {
        route: action.route.as_ref().map(ToString::to_string),
        stop: action.stop.as_ref().map(ToString::to_string),
        deed,
        reason,
        proposal,
    };
    envelope(Kind::Action, Some(action.pid), action.received_at, action.by.as_deref(), &wire)
}

fn action(pid: Pid, envelope: &Envelope, wire: &WireAction) -> Result<Action, BadRecord> {
    let proposal = || {
        let bytes = wire.proposal.as_ref();
        bytes.ok_or_else(|| BadRecord::Value("proposal is missing".into())).and_then(|b| pid_of(b))
    };
    let deed = match wire.deed {
        1 => Deed::Arrived,
        2 => Deed::Completed,
        3 => Deed::Failed { reason: wire.reason.clone().unwrap_or_default() },
        4 => Deed::Skipped,
        5 => Deed::Activate,
        6 => Deed::Finish,
        7 => Deed::AcceptReroute(proposal()?),
        8 => Deed::RefuseReroute(proposal()?),
        9 => Deed::Retire,
        other => return Err(BadRecord::Value(format!("deed `{other}`, expected 1 to 9"))),
    };
    Ok(Action {
        pid,
        received_at: envelope.received_at,
        by: envelope.by.clone(),
        route: opt(wire.route.as_ref(), |r| route_id(r))?,
        stop: opt(wire.stop.as_ref(), |s| stop_id(s))?,
        deed,
    })
}

/// An assignment as an input; the same goes to the old and the new vehicle.
pub fn assignment_envelope(a: &Assignment, by: Option<&str>) -> Envelope {
    let wire = WireAssignment {
        device: a.device.to_string(),
        vehicle: a.vehicle.as_ref().map(ToString::to_string),
        from_us: a.from.micros(),
    };
    envelope(Kind::Assignment, Some(a.pid), a.received_at, by, &wire)
}

/// A tick as an input of one partition.
pub fn tick_envelope(tick: TickRecord, at: Timestamp) -> Envelope {
    envelope(Kind::Tick, None, at, None, &WireTick { resumed: tick.resumed })
}

/// A World as an input of one partition.
pub fn world_envelope(world: &WorldRecord, at: Timestamp) -> Envelope {
    envelope(Kind::World, None, at, None, &WireWorld::from(world))
}

impl From<WireWorld> for WorldRecord {
    fn from(w: WireWorld) -> Self {
        Self {
            number: w.number,
            map: w.map,
            model: w.model,
            policy: w.policy,
            traffic: w.traffic,
            traffic_at: w.traffic_at,
        }
    }
}
impl From<&WorldRecord> for WireWorld {
    fn from(w: &WorldRecord) -> Self {
        Self {
            number: w.number,
            map: w.map.clone(),
            model: w.model.clone(),
            policy: w.policy.clone(),
            traffic: w.traffic.clone(),
            traffic_at: w.traffic_at,
        }
    }
}
