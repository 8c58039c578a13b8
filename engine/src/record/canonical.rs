//! Canonical JSON: keys sorted, times in milliseconds UTC, unknown values absent.

use ingest::attribute::{Attributes, Value as AttributeValue};
use ingest::log::Record;
use ingest::record::{
    BadRecord, DeadLetter, DeviceInput, DeviceRecord, Envelope, Kind, Order, OrderResult,
};
use ingest::time::Timestamp;
use serde_json::{Map, Value, json};

use super::checkpoint::{MARKER_KEY, MarkerRecord, StateRecord};
use super::input::{InputRecord, WorldRecord};
use super::{ClosureRecord, TrafficPart, digest::hex, output_from_envelope};
use crate::model::{
    Action, Body, Cause, Deed, EtaOutput, Event, Input, Output, PathOutput, PlannedStop,
    PositionOutput, Proposal, Route, StopEta, View, Window,
};
use crate::world::Shape;

type Json = Map<String, Value>;

fn put(json: &mut Json, key: &str, value: impl Into<Value>) {
    json.insert(key.to_owned(), value.into());
}
fn put_some<T: Into<Value>>(json: &mut Json, key: &str, value: Option<T>) {
    if let Some(value) = value {
        put(json, key, value);
    }
}
fn text(value: &impl ToString) -> Value {
    Value::String(value.to_string())
}

/// A stored record of any topic as one JSON object, with where it lies.
pub fn record(record: &Record) -> Result<Value, BadRecord> {
    let mut json = Json::new();
    put(&mut json, "topic", record.topic.short());
    put(&mut json, "partition", record.partition);
    put(&mut json, "offset", record.offset);
    put(&mut json, "appended_at", text(&record.appended_at));
    put(&mut json, "key", String::from_utf8_lossy(&record.key));
    let Some(value) = &record.value else {
        put(&mut json, "tombstone", true);
        return Ok(Value::Object(json));
    };
    let envelope = Envelope::decode(value.clone())?;
    put(&mut json, "kind", envelope.kind.name());
    body(&mut json, &envelope, &record.key)?;
    Ok(Value::Object(json))
}

/// An output as the digest sees it: without topic, partition and offset.
pub fn output(key: &str, envelope: &Envelope) -> Result<String, BadRecord> {
    let mut json = Json::new();
    put(&mut json, "key", key);
    put(&mut json, "kind", envelope.kind.name());
    body(&mut json, envelope, key.as_bytes())?;
    Ok(Value::Object(json).to_string())
}

fn body(json: &mut Json, envelope: &Envelope, key: &[u8]) -> Result<(), BadRecord> {
    put_some(json, "pid", envelope.pid.as_ref().map(text));
    if envelope.received_at != Timestamp::default() {
        put(json, "received_at", text(&envelope.received_at));
    }
    put_some(json, "by", envelope.by.clone());
    match envelope.kind {
        Kind::Fix | Kind::Report => device(json, &DeviceInput::from_envelope(envelope)?),
        Kind::Plan | Kind::Action | Kind::Assignment | Kind::Tick | Kind::World => {
            input(json, &InputRecord::from_envelope(envelope)?);
        }
        Kind::Position | Kind::Path | Kind::Eta | Kind::Event => {
            put(json, "seq", envelope.seq);
            said(json, &output_from_envelope(envelope)?);
        }
        Kind::State => state(json, &StateRecord::from_envelope(envelope)?),
        Kind::Marker => marker(json, &MarkerRecord::from_envelope(envelope)?),
        Kind::Device => belongs(json, &DeviceRecord::from_envelope(envelope)?),
        Kind::DeadLetter => {
            let letter = DeadLetter::from_envelope(envelope)?;
            put(json, "reason", letter.reason);
            put(json, "source", letter.source);
            put(json, "bytes", hex(&letter.bytes));
        }
        Kind::WorldPart => {
            put(json, "content", String::from_utf8_lossy(&envelope.payload));
        }
        Kind::Traffic => traffic(json, &TrafficPart::from_payload(&envelope.payload)?),
        Kind::Closure => closure(json, &ClosureRecord::from_envelope(envelope)?),
        Kind::Order => {
            let order = Order::from_envelope(envelope)?;
            put(json, "order", order.id);
            put(json, "command", order.command.name());
            put(json, "until", text(&order.until));
            put_some(json, "approved_by", order.approved_by);
        }
        Kind::OrderResult => {
            let result = OrderResult::from_envelope(envelope)?;
            put(json, "order", result.id);
            put(json, "outcome", result.outcome.name());
            put(json, "words", result.words);
        }
    }
    debug_assert!(key != MARKER_KEY || envelope.kind == Kind::Marker);
    Ok(())
}

fn device(json: &mut Json, input: &DeviceInput) {
    let report = &input.report;
    put(json, "device", text(&report.device));
    put(json, "protocol", input.protocol.as_str());
    put(json, "time", text(&input.time));
    put_some(json, "device_time", report.time.filter(|t| *t != input.time).map(|t| text(&t)));
    if let Some(fix) = &report.fix {
        put(json, "valid", fix.valid);
        put(json, "lat", fix.position.lat);
        put(json, "lng", fix.position.lng);
        put_some(json, "speed_mps", fix.speed.map(|v| number(v.get())));
        put_some(json, "heading", fix.heading.map(|v| number(v.get())));
        put_some(json, "altitude_m", fix.altitude.map(|v| number(v.get())));
        put_some(json, "accuracy_m", fix.accuracy.map(|v| number(v.get())));
    }
    put_some(json, "checksum_ok", report.checksum_ok);
    put_some(json, "attributes", attributes(&report.attributes));
}

/// Attributes as a JSON object; `None` where there are none.
pub fn attributes(attributes: &Attributes) -> Option<Value> {
    let all = attributes.iter().map(|(key, value)| (key.to_string(), attribute(&value)));
    (!attributes.is_empty()).then(|| Value::Object(all.collect()))
}

/// The JSON of an attribute's value; numbers that are whole are spelled as integers.
fn attribute(value: &AttributeValue<'_>) -> Value {
    match value {
        AttributeValue::Bool(v) => Value::Bool(*v),
        AttributeValue::Int(v) => Value::from(*v),
        AttributeValue::Float(v) => number(*v),
        AttributeValue::Text(v) => Value::from(&**v),
    }
}

/// A finite number, without a fraction where it has none.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

fn window(w: Window) -> Value {
    json!({"from": w.from.to_string(), "to": w.to.to_string()})
}

fn input(json: &mut Json, input: &InputRecord) {
    match input {
        InputRecord::Tick(tick) => put(json, "resumed", tick.resumed),
        InputRecord::World(w) => put(json, "world", world(w)),
        InputRecord::Vehicle(Input::Plan { route, .. }) => plan(json, route),
        InputRecord::Vehicle(Input::Action(a)) => action(json, a),
        InputRecord::Vehicle(Input::Assignment(a)) => {
            put(json, "device", text(&a.device));
            put_some(json, "vehicle", a.vehicle.as_ref().map(text));
            put(json, "from", text(&a.from));
        }
        InputRecord::Vehicle(Input::Device(d)) => device(json, d),
        InputRecord::Vehicle(Input::Wake { .. } | Input::Resumed | Input::Traffic(_)) => {}
    }
}

fn world(w: &WorldRecord) -> Value {
    let mut json = Json::new();
    put(&mut json, "number", w.number);
    put(&mut json, "map", w.map.as_str());
    put(&mut json, "model", w.model.as_str());
    put(&mut json, "policy", w.policy.as_str());
    put_some(&mut json, "traffic", Some(w.traffic.as_str()).filter(|key| !key.is_empty()));
    Value::Object(json)
}

fn traffic(json: &mut Json, part: &TrafficPart) {
    put(json, "map", part.map.as_str());
    let slow = part.edges.slow.iter().map(|(edge, level)| json!([edge.0, level]));
    put(json, "slow", slow.collect::<Vec<_>>());
    let closed = part.edges.closed.iter().map(|(tenant, edges)| {
        (tenant.to_string(), edges.iter().map(|edge| edge.0).collect::<Vec<_>>().into())
    });
    put(json, "closed", closed.collect::<Json>());
}

fn closure(json: &mut Json, record: &ClosureRecord) {
    let closure = &record.closure;
    put(json, "tenant", text(&closure.tenant));
    put(json, "id", text(&closure.id));
    put(json, "version", record.version);
    put(json, "removed", record.removed);
    put(json, "from", text(&closure.from));
    put_some(json, "until", closure.until.as_ref().map(text));
    put_some(json, "reason", closure.reason.clone());
    match &closure.shape {
        Shape::Edges(named) => put(json, "edges", json!(named)),
        Shape::Way(way) => put(json, "way", *way),
        Shape::Polygon(corners) => {
            let corners: Vec<_> = corners.iter().map(|p| json!([p.lng, p.lat])).collect();
            put(json, "polygon", corners);
        }
    }
}

fn plan(json: &mut Json, route: &Route) {
    put(json, "route", text(&route.id));
    put(json, "version", route.version);
    put(json, "depot", json!({"lat": route.depot.lat, "lng": route.depot.lng}));
    put(json, "shift", window(route.shift));
    put(json, "time_zone", route.time_zone.as_str());
    let stops = route.stops.iter().map(|stop| {
        let mut json = Json::new();
        put(&mut json, "id", text(&stop.id));
        put(&mut json, "order", text(&stop.order));
        put(&mut json, "lat", stop.position.lat);
        put(&mut json, "lng", stop.position.lng);
        put_some(&mut json, "window", stop.window.map(window));
        put(&mut json, "service_s", number(stop.service_s));
        Value::Object(json)
    });
    put(json, "stops", stops.collect::<Vec<_>>());
    put_some(json, "transfer", route.transfer.as_ref().map(text));
    if !route.moved_away.is_empty() {
        put(json, "moved_away", route.moved_away.iter().map(text).collect::<Vec<_>>());
    }
}

fn action(json: &mut Json, action: &Action) {
    put_some(json, "route", action.route.as_ref().map(text));
    put_some(json, "stop", action.stop.as_ref().map(text));
    let (name, detail) = match &action.deed {
        Deed::Arrived => ("arrived", None),
        Deed::Completed => ("completed", None),
        Deed::Failed { reason } => ("failed", Some(("reason", Value::from(reason.as_str())))),
        Deed::Skipped => ("skipped", None),
        Deed::Activate => ("activate", None),
        Deed::Finish => ("finish", None),
        Deed::AcceptReroute(id) => ("accept_reroute", Some(("proposal", text(id)))),
        Deed::RefuseReroute(id) => ("refuse_reroute", Some(("proposal", text(id)))),
        Deed::Retire => ("retire", None),
    };
    put(json, "action", name);
    if let Some((key, value)) = detail {
        put(json, key, value);
    }
}

fn said(json: &mut Json, output: &Output) {
    match &output.body {
        Body::Position(p) => position(json, p),
        Body::Path(p) => path(json, p),
        Body::Eta(e) => eta(json, e),
        Body::Event(e) => event(json, e),
    }
}

fn position(json: &mut Json, output: &PositionOutput) {
    device(json, &output.input);
    if let Some(m) = &output.matched {
        let matched = json!({
            "lat": m.position.lat, "lng": m.position.lng, "way": m.way,
            "offset_m": number(m.offset_m), "confidence": number(m.confidence),
        });
        put(json, "matched", matched);
    }
    put(json, "backfill", output.backfill);
    put_some(json, "route", output.route.as_ref().map(text));
    put(json, "world", output.world);
}

fn path(json: &mut Json, path: &PathOutput) {
    put_some(json, "route", path.route.as_ref().map(text));
    let edges =
        path.edges.iter().map(|e| json!([e.way, e.from_node, e.to_node, e.entered.to_string()]));
    put(json, "edges", edges.collect::<Vec<_>>());
    put(json, "gap", path.gap);
}

/// An `eta` output's own fields, as `log dump` and the api's stream spell them.
pub fn eta(json: &mut Json, eta: &EtaOutput) {
    put(json, "route", text(&eta.route));
    put(json, "version", eta.version);
    if eta.whole {
        put(json, "whole", true);
    }
    put(json, "stops", eta.stops.iter().map(stop_eta).collect::<Vec<_>>());
    if !eta.planned.is_empty() {
        put(json, "planned", eta.planned.iter().map(planned_stop).collect::<Vec<_>>());
    }
}

fn planned_stop(planned: &PlannedStop) -> Value {
    let mut json = Json::new();
    put(&mut json, "lat", planned.position.lat);
    put(&mut json, "lng", planned.position.lng);
    put_some(&mut json, "window", planned.window.map(window));
    put(&mut json, "service_s", number(planned.service_s));
    Value::Object(json)
}

/// One stop's line of an `eta` output.
pub fn stop_eta(stop: &StopEta) -> Value {
    let mut json = Json::new();
    put(&mut json, "stop", text(&stop.stop));
    put(&mut json, "order", text(&stop.order));
    put(&mut json, "state", stop.state.name());
    if let Some(times) = &stop.times {
        put(&mut json, "p10", text(&times.p10));
        put(&mut json, "p50", text(&times.p50));
        put(&mut json, "p90", text(&times.p90));
    }
    put_some(&mut json, "metres", stop.metres.map(number));
    put_some(&mut json, "miss", stop.miss.map(number));
    put(&mut json, "moved_s", stop.moved_s);
    put(&mut json, "causes", causes(&stop.causes));
    Value::Object(json)
}

/// Why an arrival moved.
pub fn causes(causes: &[Cause]) -> Value {
    causes.iter().map(cause).collect()
}

fn cause(cause: &Cause) -> Value {
    let mut json = Json::new();
    put(&mut json, "kind", cause.kind.name());
    put(&mut json, "seconds", cause.seconds);
    put_some(&mut json, "stop", cause.stop.as_ref().map(text));
    Value::Object(json)
}

/// An event's own fields, as `log dump` and the api's stream spell them.
pub fn event(json: &mut Json, event: &Event) {
    put(json, "type", event.kind.name());
    put(json, "at", text(&event.at));
    put(json, "overdue", event.overdue);
    put_some(json, "route", event.route.as_ref().map(text));
    put_some(json, "stop", event.stop.as_ref().map(text));
    put_some(json, "order", event.order.as_ref().map(text));
    put_some(json, "expected_late_s", event.expected_late_s);
    put_some(json, "probability", event.probability.map(number));
    put_some(json, "cause", event.cause.clone());
    put_some(json, "device", event.device.as_ref().map(text));
    put_some(json, "by", event.by.clone());
    put_some(json, "proposal", event.proposal.as_ref().map(proposal));
}

/// A reroute proposal.
pub fn proposal(p: &Proposal) -> Value {
    json!({
        "id": p.id.to_string(),
        "stops": p.stops.iter().map(text).collect::<Vec<_>>(),
        "gain_s": p.gain_s,
        "seconds": p.seconds,
        "metres": number(p.metres),
        "edges": p.edges.iter().map(|(w, a, b)| json!([w, a, b])).collect::<Vec<_>>(),
    })
}

fn state(json: &mut Json, state: &StateRecord) {
    put(json, "schema", state.schema);
    put(json, "contains", state.contains);
    put(json, "steps", state.steps);
    put(json, "view", view(&state.view));
    put(json, "private", hex(&state.private));
    if !state.panics.is_empty() {
        put(json, "panics", state.panics.clone());
    }
    let seen = state.seen.iter().map(|seen| {
        let bytes: Vec<u8> = seen.pids.iter().flat_map(|pid| pid.to_le_bytes()).collect();
        json!({"source": seen.source, "pids": seen.pids.len(), "hash": format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes))})
    });
    put(json, "seen", seen.collect::<Vec<_>>());
}

/// A vehicle's view.
pub fn view(view: &View) -> Value {
    let mut json = Json::new();
    put(&mut json, "seq", view.seq);
    if let Some(last) = &view.last {
        let mut fix = Json::new();
        put(&mut fix, "device", text(&last.device));
        put(&mut fix, "time", text(&last.time));
        put(&mut fix, "received_at", text(&last.received_at));
        put(&mut fix, "lat", last.position.lat);
        put(&mut fix, "lng", last.position.lng);
        put_some(&mut fix, "speed_mps", last.speed_mps.map(number));
        put_some(&mut fix, "heading", last.heading.map(number));
        put(&mut json, "last", fix);
    }
    if let Some((route, version)) = &view.route {
        put(&mut json, "route", text(route));
        put(&mut json, "version", *version);
    }
    let stops = view.stops.iter().map(|stop| {
        let mut json = Json::new();
        put(&mut json, "eta", stop_eta(&stop.eta));
        put_some(&mut json, "arrived_at", stop.arrived_at.as_ref().map(text));
        put_some(&mut json, "departed_at", stop.departed_at.as_ref().map(text));
        Value::Object(json)
    });
    put(&mut json, "stops", stops.collect::<Vec<_>>());
    let open = view.open.iter().map(|open| {
        let mut json = Json::new();
        put(&mut json, "seq", open.seq);
        event(&mut json, &open.event);
        Value::Object(json)
    });
    put(&mut json, "open", open.collect::<Vec<_>>());
    put_some(&mut json, "proposal", view.proposal.as_ref().map(proposal));
    Value::Object(json)
}

fn marker(json: &mut Json, marker: &MarkerRecord) {
    put(json, "from", marker.from);
    put(json, "now", text(&marker.now));
    put(json, "outputs_from", marker.outputs_from);
    put_some(json, "world", marker.world.as_ref().map(world));
    put(json, "schema", marker.schema);
    put(json, "version", marker.version.as_str());
    put_some(json, "snapshot_at", marker.snapshot_at.as_ref().map(text));
    if !marker.killed.is_empty() {
        put(json, "killed", marker.killed.iter().map(|k| k.offset).collect::<Vec<_>>());
    }
    put_some(json, "trying", marker.trying.as_ref().map(|k| k.offset));
}

fn belongs(json: &mut Json, device: &DeviceRecord) {
    put(json, "tenant", text(&device.tenant));
    put(json, "protocols", device.protocols.clone());
    let assignments = device.assignments.iter().map(|(from, vehicle)| {
        let mut json = Json::new();
        put(&mut json, "from", text(from));
        put_some(&mut json, "vehicle", vehicle.as_ref().map(text));
        Value::Object(json)
    });
    put(json, "assignments", assignments.collect::<Vec<_>>());
}
