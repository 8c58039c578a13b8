//! Outputs as bytes.

use ingest::id::DeviceId;
use ingest::record::{BadRecord, DeviceInput, Envelope, Kind};
use ingest::time::Timestamp;
use prost::Message;

use super::wire::{
    WireCause, WireEta, WireEvent, WireMatched, WirePath, WirePlanned, WirePosition, WireProposal,
    WireStopEta, opt, order_id, pid_bytes, pid_of, route_id, stop_id, time, wrong,
};
use crate::model::output::EtaTimes;
use crate::model::{
    Body, Cause, CauseKind, EtaOutput, Event, EventKind, Matched, Output, PathEdge, PathOutput,
    PlannedStop, PositionOutput, Proposal, StopEta, StopState,
};

/// An output as an envelope; `now` is the partition's time of the step that said it.
pub fn output_envelope(output: &Output, now: Timestamp) -> Envelope {
    let (kind, pid, received_at, payload) = match &output.body {
        Body::Position(p) => {
            let bytes = position_to_wire(p).encode_to_vec();
            (Kind::Position, Some(p.input.pid), p.input.received_at, bytes)
        }
        Body::Path(p) => (Kind::Path, None, now, path_to_wire(p).encode_to_vec()),
        Body::Eta(e) => (Kind::Eta, None, now, eta_to_wire(e).encode_to_vec()),
        Body::Event(e) => (Kind::Event, None, now, event_to_wire(e).encode_to_vec()),
    };
    Envelope { kind, pid, received_at, seq: output.seq, by: None, payload: payload.into() }
}

/// Reads an envelope of topic `outputs`.
pub fn output_from_envelope(envelope: &Envelope) -> Result<Output, BadRecord> {
    let payload = envelope.payload.clone();
    let body = match envelope.kind {
        Kind::Position => Body::Position(Box::new(position(envelope)?)),
        Kind::Path => Body::Path(path(&WirePath::decode(payload)?)?),
        Kind::Eta => Body::Eta(eta(WireEta::decode(payload)?)?),
        Kind::Event => Body::Event(Box::new(event(WireEvent::decode(payload)?)?)),
        other => return Err(BadRecord::UnknownKind(other as u32)),
    };
    Ok(Output { seq: envelope.seq, body })
}

fn hundredths(share: f64) -> u32 {
    (share * 100.0).round_ties_even() as u32
}

pub(super) fn matched_to_wire(m: &Matched) -> WireMatched {
    WireMatched {
        place: Some(m.position.into()),
        way: m.way,
        offset_cm: (m.offset_m * 100.0).round_ties_even() as u32,
        confidence_milli: (m.confidence * 1000.0).round_ties_even() as u32,
    }
}

pub(super) fn matched(w: WireMatched) -> Result<Matched, BadRecord> {
    let missing = || BadRecord::Value("place of a match is missing".into());
    Ok(Matched {
        position: w.place.ok_or_else(missing)?.into(),
        way: w.way,
        offset_m: f64::from(w.offset_cm) / 100.0,
        confidence: f64::from(w.confidence_milli) / 1000.0,
    })
}

fn position_to_wire(p: &PositionOutput) -> WirePosition {
    WirePosition {
        input: p.input.payload(),
        matched: p.matched.as_ref().map(matched_to_wire),
        backfill: p.backfill,
        route: p.route.as_ref().map(ToString::to_string),
        world: p.world,
    }
}

fn position(envelope: &Envelope) -> Result<PositionOutput, BadRecord> {
    let wire = WirePosition::decode(envelope.payload.clone())?;
    let pid = envelope.pid.ok_or_else(|| BadRecord::Value("pid is missing".into()))?;
    Ok(PositionOutput {
        input: DeviceInput::from_payload(pid, envelope.received_at, wire.input)?,
        matched: wire.matched.map(matched).transpose()?,
        backfill: wire.backfill,
        route: opt(wire.route.as_ref(), |r| route_id(r))?,
        world: wire.world,
    })
}

fn path_to_wire(p: &PathOutput) -> WirePath {
    WirePath {
        route: p.route.as_ref().map(ToString::to_string),
        ways: p.edges.iter().map(|e| e.way).collect(),
        from_nodes: p.edges.iter().map(|e| e.from_node).collect(),
        to_nodes: p.edges.iter().map(|e| e.to_node).collect(),
        entered_us: p.edges.iter().map(|e| e.entered.micros()).collect(),
        gap: p.gap,
    }
}

fn path(w: &WirePath) -> Result<PathOutput, BadRecord> {
    let n = w.ways.len();
    if [w.from_nodes.len(), w.to_nodes.len(), w.entered_us.len()] != [n; 3] {
        return Err(BadRecord::Value("path columns of unequal length".into()));
    }
    let edge = |i: usize| PathEdge {
        way: w.ways[i],
        from_node: w.from_nodes[i],
        to_node: w.to_nodes[i],
        entered: time(w.entered_us[i]),
    };
    Ok(PathOutput {
        route: opt(w.route.as_ref(), |r| route_id(r))?,
        edges: (0..n).map(edge).collect(),
        gap: w.gap,
    })
}

pub(super) fn stop_eta_to_wire(s: &StopEta) -> WireStopEta {
    let whole = |t: Timestamp| t.micros().div_euclid(1_000_000);
    let span = |from: Timestamp, to: Timestamp| u32::try_from(whole(to) - whole(from)).unwrap_or(0);
    let cause = |c: &Cause| WireCause {
        kind: c.kind as u32,
        seconds: c.seconds,
        stop: c.stop.as_ref().map(ToString::to_string),
    };
    WireStopEta {
        stop: s.stop.to_string(),
        order: s.order.to_string(),
        state: s.state as u32,
        p50_s: s.times.map(|t| whole(t.p50)),
        below_s: s.times.map_or(0, |t| span(t.p10, t.p50)),
        above_s: s.times.map_or(0, |t| span(t.p50, t.p90)),
        metres: s.metres.map(|m| m.round_ties_even() as u32),
        miss_centi: s.miss.map(hundredths),
        moved_s: s.moved_s,
        causes: s.causes.iter().map(cause).collect(),
    }
}

pub(super) fn stop_eta(w: WireStopEta) -> Result<StopEta, BadRecord> {
    let times = w.p50_s.map(|p50| EtaTimes {
        p10: Timestamp::from_seconds(p50 - i64::from(w.below_s)),
        p50: Timestamp::from_seconds(p50),
        p90: Timestamp::from_seconds(p50 + i64::from(w.above_s)),
    });
    let cause = |c: WireCause| {
        let kind = CauseKind::ALL.into_iter().find(|k| *k as u32 == c.kind);
        Ok(Cause {
            kind: kind.unwrap_or(CauseKind::Other),
            seconds: c.seconds,
            stop: opt(c.stop.as_ref(), |s| stop_id(s))?,
        })
    };
    let state = StopState::ALL.into_iter().find(|s| *s as u32 == w.state);
    Ok(StopEta {
        stop: stop_id(&w.stop)?,
        order: order_id(&w.order)?,
        state: state.ok_or_else(|| BadRecord::Value(format!("stop state `{}`", w.state)))?,
        times,
        metres: w.metres.map(f64::from),
        miss: w.miss_centi.map(|c| f64::from(c) / 100.0),
        moved_s: w.moved_s,
        causes: w.causes.into_iter().map(cause).collect::<Result<_, BadRecord>>()?,
    })
}

fn eta_to_wire(e: &EtaOutput) -> WireEta {
    WireEta {
        route: e.route.to_string(),
        version: e.version,
        whole: e.whole,
        stops: e.stops.iter().map(stop_eta_to_wire).collect(),
        planned: e.planned.iter().map(planned_to_wire).collect(),
    }
}

fn planned_to_wire(p: &PlannedStop) -> WirePlanned {
    WirePlanned {
        place: Some(p.position.into()),
        window: p.window.map(Into::into),
        service_s: p.service_s,
    }
}

fn planned(w: WirePlanned) -> Result<PlannedStop, BadRecord> {
    let missing = || BadRecord::Value("place of a planned stop is missing".into());
    Ok(PlannedStop {
        position: w.place.ok_or_else(missing)?.into(),
        window: w.window.map(Into::into),
        service_s: w.service_s,
    })
}

fn eta(w: WireEta) -> Result<EtaOutput, BadRecord> {
    Ok(EtaOutput {
        route: route_id(&w.route)?,
        version: w.version,
        whole: w.whole,
        stops: w.stops.into_iter().map(stop_eta).collect::<Result<_, _>>()?,
        planned: w.planned.into_iter().map(planned).collect::<Result<_, _>>()?,
    })
}

pub(super) fn proposal_to_wire(p: &Proposal) -> WireProposal {
    WireProposal {
        id: pid_bytes(p.id),
        stops: p.stops.iter().map(ToString::to_string).collect(),
        gain_s: p.gain_s,
        seconds: p.seconds,
        metres: p.metres.round_ties_even() as u32,
        edges: p.edges.iter().flat_map(|(way, from, to)| [*way, *from, *to]).collect(),
    }
}

pub(super) fn proposal(w: &WireProposal) -> Result<Proposal, BadRecord> {
    Ok(Proposal {
        id: pid_of(&w.id)?,
        stops: w.stops.iter().map(|s| stop_id(s)).collect::<Result<_, _>>()?,
        gain_s: w.gain_s,
        seconds: w.seconds,
        metres: f64::from(w.metres),
        edges: w.edges.as_chunks().0.iter().map(|[way, from, to]| (*way, *from, *to)).collect(),
    })
}

pub(super) fn event_to_wire(e: &Event) -> WireEvent {
    WireEvent {
        kind: e.kind as u32,
        at_us: e.at.micros(),
        overdue: e.overdue,
        route: e.route.as_ref().map(ToString::to_string),
        stop: e.stop.as_ref().map(ToString::to_string),
        order: e.order.as_ref().map(ToString::to_string),
        expected_late_s: e.expected_late_s,
        probability_centi: e.probability.map(hundredths),
        cause: e.cause.clone(),
        device: e.device.as_ref().map(ToString::to_string),
        by: e.by.clone(),
        proposal: e.proposal.as_ref().map(proposal_to_wire),
    }
}

pub(super) fn event(w: WireEvent) -> Result<Event, BadRecord> {
    let kind = EventKind::ALL.into_iter().find(|k| *k as u32 == w.kind);
    Ok(Event {
        kind: kind.ok_or_else(|| BadRecord::Value(format!("event kind `{}`", w.kind)))?,
        at: time(w.at_us),
        overdue: w.overdue,
        route: opt(w.route.as_ref(), |r| route_id(r))?,
        stop: opt(w.stop.as_ref(), |s| stop_id(s))?,
        order: opt(w.order.as_ref(), |o| order_id(o))?,
        expected_late_s: w.expected_late_s,
        probability: w.probability_centi.map(|c| f64::from(c) / 100.0),
        cause: w.cause,
        device: opt(w.device.as_ref(), |d| DeviceId::new(d).map_err(|e| wrong(&e)))?,
        by: w.by,
        proposal: opt(w.proposal.as_ref(), proposal)?,
    })
}
