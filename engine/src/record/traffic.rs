//! What the roads take now, as bytes: the part of a World, and the closures it is made of.

use bytes::Bytes;
use ingest::id::{ClosureId, TenantId};
use ingest::record::{BadRecord, Envelope, Kind};
use ingest::time::Timestamp;
use prost::Message;

use super::wire::{WireClosed, WireClosure, WireEdgeName, WireTraffic, time, wrong};
use crate::road::EdgeId;
use crate::world::conditions::Edges;
use crate::world::{Closure, Shape};

/// Slow edges that one part holds at most; those that cost most stay.
pub const SLOW_MAX: usize = 50_000;

/// Slow and closed edges of one map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrafficPart {
    /// The map whose numbers these are.
    pub map: String,
    /// The edges.
    pub edges: Edges,
}

/// A closure as a dispatcher set it, or its end.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosureRecord {
    /// 1 when it is set, more with every change; the highest counts.
    pub version: u64,
    /// It is taken back: nothing is closed any more.
    pub removed: bool,
    /// The closure.
    pub closure: Closure,
}

impl TrafficPart {
    /// As the payload of its envelope: the same content gives the same bytes.
    pub fn payload(&self) -> Bytes {
        let mut slow = self.edges.slow.clone();
        slow.sort_unstable();
        let closed = self.edges.closed.iter().map(|(tenant, edges)| WireClosed {
            tenant: tenant.to_string(),
            edges: steps(edges.iter().map(|edge| edge.0)),
        });
        WireTraffic {
            map: self.map.clone(),
            slow: steps(slow.iter().map(|slow| slow.0.0)),
            levels: slow.iter().map(|slow| slow.1).collect::<Vec<u8>>().into(),
            closed: closed.collect(),
        }
        .encode_to_vec()
        .into()
    }

    /// Reads the payload of an envelope of [`Kind::Traffic`].
    pub fn from_payload(payload: &Bytes) -> Result<Self, BadRecord> {
        let wire = WireTraffic::decode(payload.clone())?;
        let slow = numbers(&wire.slow).zip(wire.levels.iter().copied());
        let closed = wire.closed.iter().map(|closed| {
            let tenant = TenantId::new(&closed.tenant).map_err(|e| wrong(&e))?;
            Ok((tenant, numbers(&closed.edges).collect()))
        });
        let closed = closed.collect::<Result<_, BadRecord>>()?;
        Ok(Self { edges: Edges { slow: slow.collect(), closed }, map: wire.map })
    }

    /// Its envelope for topic `worlds`.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            kind: Kind::Traffic,
            pid: None,
            received_at: Timestamp::default(),
            seq: 0,
            by: None,
            payload: self.payload(),
        }
    }
}

/// Ascending numbers as the steps between them.
fn steps(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut before = 0_u32;
    numbers.map(|number| number.wrapping_sub(std::mem::replace(&mut before, number))).collect()
}

fn numbers(steps: &[u32]) -> impl Iterator<Item = EdgeId> {
    steps.iter().scan(0_u32, |number, step| {
        *number = number.wrapping_add(*step);
        Some(EdgeId(*number))
    })
}

impl ClosureRecord {
    /// The key of its record in topic `worlds`: no content hash has a slash.
    pub fn key(&self) -> Bytes {
        format!("closure/{}/{}", self.closure.tenant, self.closure.id).into()
    }

    /// Its envelope, caused by a person.
    pub fn envelope(&self, by: Option<&str>, at: Timestamp) -> Envelope {
        let Closure { tenant, id, from, until, shape, reason } = &self.closure;
        let mut wire = WireClosure {
            version: self.version,
            removed: self.removed,
            tenant: tenant.to_string(),
            id: id.to_string(),
            from_us: from.micros(),
            until_us: until.map(Timestamp::micros),
            reason: reason.clone(),
            edges: Vec::new(),
            way: None,
            polygon: Vec::new(),
        };
        match shape {
            Shape::Edges(named) => {
                let name = |&(way, from, to)| WireEdgeName { way, from, to };
                wire.edges = named.iter().map(name).collect();
            }
            Shape::Way(way) => wire.way = Some(*way),
            Shape::Polygon(corners) => {
                wire.polygon = corners.iter().map(|&corner| corner.into()).collect();
            }
        }
        Envelope {
            kind: Kind::Closure,
            pid: None,
            received_at: at,
            seq: 0,
            by: by.map(str::to_owned),
            payload: wire.encode_to_vec().into(),
        }
    }

    /// Reads an envelope of [`Kind::Closure`].
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        let wire = WireClosure::decode(envelope.payload.clone())?;
        let shape = match wire.way {
            Some(way) => Shape::Way(way),
            None if wire.polygon.is_empty() => {
                Shape::Edges(wire.edges.iter().map(|e| (e.way, e.from, e.to)).collect())
            }
            None => Shape::Polygon(wire.polygon.into_iter().map(Into::into).collect()),
        };
        shape.check().map_err(|error| BadRecord::Value(error.to_string()))?;
        let closure = Closure {
            tenant: TenantId::new(&wire.tenant).map_err(|e| wrong(&e))?,
            id: ClosureId::new(&wire.id).map_err(|e| wrong(&e))?,
            from: time(wire.from_us),
            until: wire.until_us.map(time),
            shape,
            reason: wire.reason,
        };
        Ok(Self { version: wire.version, removed: wire.removed, closure })
    }
}
