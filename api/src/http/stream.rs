//! Server-sent events: `position`, `eta`, `event`, `reset`, with exact resume; `as_of` where there
//! is nothing to tell.
//!
//! A stream is pulled: the next piece is made when the client's socket has room for it. One that
//! is slow skips positions and etas that were overtaken meanwhile, never an event; one that falls
//! out of the ring gets `reset`. Each frame's id is the place right after it ([`crate::live::ring`]).

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use engine::model::{Body as Said, EtaOutput};
use engine::record::canonical;
use futures_util::stream;
use ingest::id::VehicleId;
use ingest::time::Timestamp;
use ingest::units::Position;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::Asked;
use super::vehicles::bounds_of;
use crate::app::Shared;
use crate::auth::{Caller, Reader, still_valid};
use crate::live::ring::{id_of, place_of};
use crate::live::{Bounds, Seen, SlotKind};
use crate::problem::{Failures, Problem};
use crate::view::AsOf;

/// Streams open at a time.
const STREAMS_MAX: usize = 10_000;
/// Frames of one piece; bounds what waits in front of a socket.
const FRAMES_MAX: usize = 512;
/// Least time between two pieces: what moves meanwhile is told once.
const TICK: Duration = Duration::from_millis(100);
/// A sign of life, with the newest id, when there was nothing to tell: `as_of`, so that nobody
/// takes a quiet night for a broken line.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How often the key or session is checked again.
const CHECK: Duration = Duration::from_mins(1);
/// Vehicles that a stream may name.
const VEHICLES_MAX: usize = 1_000;

/// What a stream is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// `west,south,east,north`: vehicles whose newest position is inside.
    bbox: Option<String>,
    /// Ids, comma-separated, at most 1,000.
    vehicles: Option<String>,
    /// Some of `position,eta,event`; absent: all.
    kinds: Option<String>,
}

/// What passes.
#[derive(Debug, Default)]
struct Filter {
    bounds: Option<Bounds>,
    vehicles: Option<HashSet<VehicleId>>,
    position: bool,
    eta: bool,
    event: bool,
}

impl Filter {
    fn new(which: &Which) -> Result<Self, Problem> {
        let mut filter = Self { bounds: None, vehicles: None, ..Self::default() };
        filter.bounds = which.bbox.as_deref().map(bounds_of).transpose()?;
        if let Some(ids) = &which.vehicles {
            let vehicle = |id: &str| {
                let expected = "vehicle ids, comma-separated";
                VehicleId::new(id.trim()).map_err(|_bad| Problem::value("vehicles", id, expected))
            };
            let ids = ids.split(',').map(vehicle).collect::<Result<HashSet<_>, _>>()?;
            if ids.len() > VEHICLES_MAX {
                let shown = ids.len().to_string();
                return Err(Problem::value("vehicles", &shown, "at most 1000 ids"));
            }
            filter.vehicles = Some(ids);
        }
        for kind in which.kinds.as_deref().unwrap_or("position,eta,event").split(',') {
            match kind.trim() {
                "position" => filter.position = true,
                "eta" => filter.eta = true,
                "event" => filter.event = true,
                other => {
                    let expected = "some of position, eta, event";
                    return Err(Problem::value("kinds", other, expected));
                }
            }
        }
        Ok(filter)
    }

    fn kind(&self, kind: SlotKind) -> bool {
        match kind {
            SlotKind::Position => self.position,
            SlotKind::Eta => self.eta,
            SlotKind::Event { .. } => self.event,
        }
    }

    fn place(&self, at: Position) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.contains(at))
    }

    fn vehicle(&self, seen: &Seen) -> bool {
        let named = self.vehicles.as_ref().is_none_or(|ids| ids.contains(&seen.vehicle));
        let last = seen.view.last.as_ref();
        named && (self.bounds.is_none() || last.is_some_and(|last| self.place(last.position)))
    }
}

/// Everything that happens, as it happens.
#[utoipa::path(get, path = "/stream", tag = "stream", params(Which,
        ("Last-Event-ID" = Option<String>, Header, description = "goes on after this frame")),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, content_type = "text/event-stream", body = String), Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    headers: HeaderMap,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let filter = Filter::new(&which)?;
    if !app.live.caught_up() {
        return Err(Problem::unavailable("the live view is still being read".to_owned()));
    }
    let guard = Open::begin(&app)?;
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default().to_owned());
    let stream = Stream::new(app, who, filter, guard, last.as_deref());
    let frames = stream::unfold(stream, |mut stream| async move {
        let piece = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), stream))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// Counts a stream as open until it is dropped.
pub(crate) struct Open(Shared);

impl Open {
    pub(crate) fn begin(app: &Shared) -> Result<Self, Problem> {
        let before = app.streams.fetch_add(1, Ordering::Relaxed);
        let open = Self(Arc::clone(app));
        app.metrics.streams.inc();
        if before >= STREAMS_MAX {
            return Err(Problem::unavailable(format!("{STREAMS_MAX} streams are open")));
        }
        Ok(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.streams.dec();
    }
}

/// One client.
struct Stream {
    app: Shared,
    who: Caller,
    filter: Filter,
    /// The next offset of each partition: all before was told.
    place: Vec<u64>,
    /// Number of the next slot of the ring to look at.
    slot: u64,
    changed: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    begin: Option<Begin>,
    check_at: Instant,
    beat_at: Instant,
    pause_until: Instant,
    _open: Open,
}

/// How a stream begins.
enum Begin {
    /// With everything as it is now.
    Fresh,
    /// After a frame it had.
    Resume(Vec<u64>),
    /// It cannot go on: `reset`, then everything as it is now.
    Reset(&'static str),
}

impl Stream {
    fn new(app: Shared, who: Caller, filter: Filter, open: Open, last: Option<&str>) -> Self {
        let begin = match last {
            None | Some("") => Begin::Fresh,
            Some(id) => match place_of(id) {
                Some(place) => Begin::Resume(place),
                None => Begin::Reset("the id is not one of ours"),
            },
        };
        let (changed, closing) = (app.live.watch(), app.closing.subscribe());
        let now = Instant::now();
        Self {
            app,
            who,
            filter,
            place: Vec::new(),
            slot: 0,
            changed,
            closing,
            begin: Some(begin),
            check_at: now + CHECK,
            beat_at: now + HEARTBEAT,
            pause_until: now,
            _open: open,
        }
    }

    /// The next piece; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(begin) = self.begin.take() {
            return Some(self.first(begin));
        }
        loop {
            if *self.closing.borrow() {
                return None;
            }
            let now = Instant::now();
            if now >= self.check_at {
                self.check_at = now + CHECK;
                if !still_valid(&self.app, &self.who) {
                    return None;
                }
            }
            sleep_until(self.pause_until).await;
            self.changed.borrow_and_update();
            if let Some(piece) = self.piece() {
                let now = Instant::now();
                (self.pause_until, self.beat_at) = (now + TICK, now + HEARTBEAT);
                return Some(piece);
            }
            if Instant::now() >= self.beat_at {
                self.beat_at = Instant::now() + HEARTBEAT;
                let (id, as_of) = (id_of(&self.place), self.app.live.as_of());
                let data = format!("{{\"as_of\":\"{as_of}\"}}");
                let mut text = String::new();
                push(&mut text, "as_of", Some(&id), &data);
                return Some(text.into());
            }
            let until = self.check_at.min(self.beat_at);
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                closed = self.closing.changed() => closed.ok()?,
                () = sleep_until(until) => {}
            }
        }
    }

    fn first(&mut self, begin: Begin) -> Bytes {
        match begin {
            Begin::Fresh => self.everything(None),
            Begin::Reset(why) => self.everything(Some(why)),
            Begin::Resume(place) => {
                let fleet = self.app.live.read();
                if !fleet.ring.reaches(&place) {
                    drop(fleet);
                    return self.everything(Some("the id is unknown or too far behind"));
                }
                self.slot = fleet.ring.oldest();
                self.place = place;
                Bytes::from_static(b": going on\n\n")
            }
        }
    }

    /// Everything as it is now. Only the last frame has an id, so that a client that loses the
    /// rest begins again.
    fn everything(&mut self, reset: Option<&'static str>) -> Bytes {
        let (all, as_of) = {
            let fleet = self.app.live.read();
            self.place = fleet.ring.ends().to_vec();
            self.slot = fleet.ring.next();
            (fleet.all(&self.who.tenant), fleet.as_of())
        };
        let mut text = String::new();
        if let Some(why) = reset {
            self.app.metrics.resets.inc();
            let data = serde_json::json!({ "reason": why });
            push(&mut text, "reset", None, &data.to_string());
        }
        for seen in all.iter().filter(|seen| self.filter.vehicle(seen)) {
            let mut frames = Vec::with_capacity(2);
            if self.filter.position && seen.view.last.is_some() {
                frames.push((seen.position_seq, SlotKind::Position));
            }
            if self.filter.eta && seen.view.route.is_some() {
                frames.push((seen.eta_seq, SlotKind::Eta));
            }
            // By seq, which only rises for a vehicle.
            frames.sort_unstable_by_key(|(seq, _)| *seq);
            for (_, kind) in frames {
                if let Some((name, data)) = frame(seen, kind, None, as_of) {
                    push(&mut text, name, None, &data);
                }
            }
        }
        text.extend(["id: ", &id_of(&self.place), "\n\n"]);
        text.into()
    }

    /// What there is to tell, at most [`FRAMES_MAX`] frames.
    fn piece(&mut self) -> Option<Bytes> {
        let (mut chosen, begun) = (Vec::new(), self.place.clone());
        let as_of = {
            let fleet = self.app.live.read();
            if fleet.ring.has_lost(self.slot) {
                drop(fleet);
                return Some(self.everything(Some("too slow: more than 100,000 outputs behind")));
            }
            for (number, slot) in fleet.ring.from(self.slot) {
                if chosen.len() >= FRAMES_MAX {
                    break;
                }
                self.slot = number + 1;
                let Some(at) = self.place.get_mut(slot.partition as usize) else { continue };
                if slot.offset < *at {
                    continue;
                }
                *at = slot.offset + 1;
                if slot.at.is_some_and(|at| !self.filter.place(at)) {
                    continue;
                }
                let entry = fleet.entry(slot.vehicle);
                let newest = match slot.kind {
                    SlotKind::Position => entry.position_slot == number,
                    SlotKind::Eta => entry.eta_slot == number,
                    SlotKind::Event { .. } => true,
                };
                if !newest || entry.key.tenant != self.who.tenant || !self.filter.kind(slot.kind) {
                    continue;
                }
                let seen = fleet.seen(slot.vehicle);
                if self.filter.vehicle(&seen) {
                    let event = slot.event.clone();
                    chosen.push((seen, slot.kind, event, (slot.partition, slot.offset + 1)));
                }
            }
            fleet.as_of()
        };
        told(&chosen, begun, as_of)
    }
}

/// The chosen frames as text; each id is the place right after its frame. `place` is where
/// the piece began: of a partition without a frame nothing is claimed yet.
fn told(chosen: &[Chosen], mut place: Vec<u64>, as_of: Timestamp) -> Option<Bytes> {
    let mut text = String::with_capacity(chosen.len() * 400);
    for (seen, kind, event, (partition, after)) in chosen {
        tracing::trace!(target: ingest::PACKET, offset = after, "tell");
        place[*partition as usize] = *after;
        if let Some((name, data)) = frame(seen, *kind, event.as_deref(), as_of) {
            push(&mut text, name, Some(&id_of(&place)), &data);
        }
    }
    (!text.is_empty()).then(|| text.into())
}

/// Appends one frame as the protocol of server-sent events spells it.
fn push(text: &mut String, name: &str, id: Option<&str>, data: &str) {
    text.extend(["event: ", name]);
    if let Some(id) = id {
        text.extend(["\nid: ", id]);
    }
    text.extend(["\ndata: ", data, "\n\n"]);
}

/// A frame to be told: the vehicle, what, its event's fields, and the place after it.
type Chosen = (Seen, SlotKind, Option<Arc<str>>, (u32, u64));

/// The name and data of a frame.
fn frame(
    seen: &Seen,
    kind: SlotKind,
    event: Option<&str>,
    as_of: Timestamp,
) -> Option<(&'static str, String)> {
    match kind {
        SlotKind::Position => {
            let (last, mut text) = (seen.view.last.as_ref()?, String::with_capacity(512));
            AsOf::new(as_of).tell(seen.text.as_deref()?, last.time, &mut text);
            Some(("position", text))
        }
        SlotKind::Eta => Some(("eta", eta(seen)?)),
        SlotKind::Event { seq } => {
            let vehicle = &seen.vehicle;
            Some(("event", format!("{{\"vehicle\":\"{vehicle}\",\"seq\":{seq},{}}}", event?)))
        }
    }
}

/// All arrivals of the active route as last said, so that skipped etas lose nothing.
fn eta(seen: &Seen) -> Option<String> {
    let (route, version) = seen.view.route.clone()?;
    let stops = seen.view.stops.iter().map(|stop| stop.eta.clone()).collect();
    let mut json = serde_json::Map::new();
    let said = Said::Eta(EtaOutput { route, version, whole: true, stops });
    if let Said::Eta(eta) = &said {
        canonical::eta(&mut json, eta);
    }
    json.insert("vehicle".to_owned(), seen.vehicle.as_str().into());
    json.insert("seq".to_owned(), seen.eta_seq.into());
    Some(serde_json::Value::Object(json).to_string())
}
