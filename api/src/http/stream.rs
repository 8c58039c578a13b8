//! Server-sent events: `position`, `eta`, `event`, `reset`, with exact resume; `as_of` where there
//! is nothing to tell.
//!
//! A stream is pulled: the next piece is made when there is more (told at most ten times a second,
//! [`crate::live::tail`]) and the client's socket has room for it. One that is slow skips positions
//! and etas that were overtaken meanwhile, never an event; one that falls out of the ring gets
//! `reset`. Each frame's id is the place right after it ([`crate::live::ring`]).
//!
//! Nine thousand clients look at the same fleet, so nothing is encoded for one of them that another
//! has had: positions and events are bytes already, and a piece copies them ([`frames`]).

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use engine::model::View;
use futures_util::stream;
use ingest::id::{TenantId, VehicleId};
use ingest::units::Position;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};
use utoipa::IntoParams;

use super::Asked;
use super::vehicles::bounds_of;
use crate::app::Shared;
use crate::auth::{Caller, Reader, still_valid};
use crate::live::ring::place_of;
use crate::live::{Bounds, Fleet, SlotKind};
use crate::problem::{Failures, Problem};

mod frames;

use frames::Frames;

/// Streams open at a time.
const STREAMS_MAX: usize = 10_000;
/// Frames of one piece; bounds what waits in front of a socket.
const FRAMES_MAX: usize = 512;
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

    fn vehicle(&self, id: &VehicleId, view: &View) -> bool {
        let named = self.vehicles.as_ref().is_none_or(|ids| ids.contains(id));
        let last = view.last.as_ref();
        named && (self.bounds.is_none() || last.is_some_and(|last| self.place(last.position)))
    }

    /// The vehicles of a tenant that pass now.
    fn choose(&self, fleet: &Fleet, tenant: &TenantId) -> Vec<u32> {
        let mut found: Vec<u32> = match (&self.bounds, &self.vehicles) {
            (Some(bounds), _) => fleet.inside(tenant, *bounds),
            (None, Some(ids)) => ids.iter().filter_map(|id| fleet.number_of(tenant, id)).collect(),
            (None, None) => fleet.numbers(tenant).collect(),
        };
        found.retain(|number| {
            let entry = fleet.entry(*number);
            self.vehicle(&entry.key.vehicle, &entry.view)
        });
        found
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
    begin: Option<Begin>,
    check_at: Instant,
    beat_at: Instant,
    /// Rings when one of the two is due, at the latest.
    timer: Pin<Box<Sleep>>,
    /// There may be more than the last piece held.
    behind: bool,
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
        let (changed, now) = (app.live.watch(), Instant::now());
        Self {
            app,
            who,
            filter,
            place: Vec::new(),
            slot: 0,
            changed,
            begin: Some(begin),
            check_at: now + CHECK,
            beat_at: now + HEARTBEAT,
            timer: Box::pin(sleep_until(now + HEARTBEAT)),
            behind: false,
            _open: open,
        }
    }

    /// The next piece; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(begin) = self.begin.take() {
            return Some(self.first(begin));
        }
        loop {
            if *self.app.closing.borrow() {
                return None;
            }
            let now = Instant::now();
            if now >= self.check_at {
                self.check_at = now + CHECK;
                if !still_valid(&self.app, &self.who) {
                    return None;
                }
            }
            if self.behind
                && let Some(piece) = self.piece()
            {
                self.beat_at = now + HEARTBEAT;
                return Some(piece);
            }
            if now >= self.beat_at {
                self.beat_at = now + HEARTBEAT;
                return Some(frames::beat(&self.place, self.app.live.as_of()));
            }
            if self.timer.is_elapsed() {
                self.timer.as_mut().reset(self.check_at.min(self.beat_at));
            }
            tokio::select! {
                // Also told when the api closes.
                changed = self.changed.changed() => {
                    changed.ok()?;
                    self.behind = true;
                }
                () = self.timer.as_mut() => {}
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
                (self.slot, self.place, self.behind) = (fleet.ring.oldest(), place, true);
                Bytes::from_static(b": going on\n\n")
            }
        }
    }

    /// Everything as it is now. Only the last frame has an id, so that a client that loses the
    /// rest begins again.
    fn everything(&mut self, reset: Option<&'static str>) -> Bytes {
        let fleet = self.app.live.read();
        self.place = fleet.ring.ends().to_vec();
        self.slot = fleet.ring.next();
        let mut frames = Frames::new(fleet.as_of());
        if let Some(why) = reset {
            self.app.metrics.resets.inc();
            frames.reset(why);
        }
        for number in self.filter.choose(&fleet, &self.who.tenant) {
            let entry = fleet.entry(number);
            let position = fleet.said(number).filter(|_| self.filter.position);
            let eta = self.filter.eta && entry.view.route.is_some();
            // By seq, which only rises for a vehicle.
            if eta && entry.eta_seq < entry.position_seq {
                frames.eta(fleet.seen(number), None);
            }
            if let Some(said) = position {
                frames.position(&said, None);
            }
            if eta && entry.eta_seq >= entry.position_seq {
                frames.eta(fleet.seen(number), None);
            }
        }
        drop(fleet);
        frames.end(&self.place)
    }

    /// What there is to tell, at most [`FRAMES_MAX`] frames.
    fn piece(&mut self) -> Option<Bytes> {
        let fleet = self.app.live.read();
        if fleet.ring.has_lost(self.slot) {
            drop(fleet);
            return Some(self.everything(Some("too slow: more than 100,000 outputs behind")));
        }
        let mut frames = Frames::new(fleet.as_of());
        self.behind = false;
        for (number, slot) in fleet.ring.from(self.slot) {
            if frames.count() >= FRAMES_MAX {
                self.behind = true;
                break;
            }
            self.slot = number + 1;
            let Some(at) = self.place.get_mut(slot.partition as usize) else { continue };
            if slot.offset < *at {
                continue;
            }
            *at = slot.offset + 1;
            if slot.at.is_some_and(|at| !self.filter.place(at)) || !self.filter.kind(slot.kind) {
                continue;
            }
            let entry = fleet.entry(slot.vehicle);
            let newest = match slot.kind {
                SlotKind::Position => entry.position_slot == number,
                SlotKind::Eta => entry.eta_slot == number && entry.view.route.is_some(),
                SlotKind::Event { .. } => true,
            };
            let ours = entry.key.tenant == self.who.tenant;
            if !ours || !newest || !self.filter.vehicle(&entry.key.vehicle, &entry.view) {
                continue;
            }
            tracing::trace!(target: ingest::PACKET, offset = slot.offset + 1, "tell");
            let place = Some(self.place.as_slice());
            match (slot.kind, fleet.said(slot.vehicle), slot.event.as_deref()) {
                (SlotKind::Position, Some(said), _) => frames.position(&said, place),
                (SlotKind::Eta, ..) => frames.eta(fleet.seen(slot.vehicle), place),
                (SlotKind::Event { seq }, _, Some(event)) => {
                    frames.event((&entry.key.vehicle, seq, event), place);
                }
                _ => {}
            }
        }
        drop(fleet);
        frames.into_bytes()
    }
}
