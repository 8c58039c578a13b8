//! A customer's stream: a frame when what is visible has changed, at most every two seconds.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::frame::Own;
use super::page::Telling;
use super::visit::Visit;
use super::words::Words;
use super::{Opened, Told, base, drawing, looked, seen};
use crate::app::Shared;
use crate::http::stream::Open;
use crate::policy::Visible;
use crate::problem::Problem;
use crate::store::links::{self, LinkRow};
use crate::store::lock;

/// Least time between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// How often the link and its visit are read again.
const CHECK: Duration = Duration::from_secs(30);
/// A sign of life where nothing changed.
const BEAT: Duration = Duration::from_secs(10);

/// Streams of one link at a time: a household's telephones, not a flood.
const STREAMS_OF_LINK_MAX: usize = 20;

/// Counts a stream as one of its link's until it is dropped.
struct Seat {
    app: Shared,
    link: String,
}

impl Seat {
    fn take(app: &Shared, link: &str) -> Result<Self, Problem> {
        let mut watching = lock(&app.watching);
        let taken = watching.entry(link.to_owned()).or_default();
        if *taken >= STREAMS_OF_LINK_MAX {
            let detail = format!("{STREAMS_OF_LINK_MAX} streams of this link are open");
            return Err(Problem::unavailable(detail));
        }
        *taken += 1;
        Ok(Self { app: Arc::clone(app), link: link.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut watching = lock(&self.app.watching);
        if let Some(taken) = watching.get_mut(&self.link) {
            *taken -= 1;
            if *taken == 0 {
                watching.remove(&self.link);
            }
        }
    }
}

/// The frames of a link as the body of an answer.
pub(super) fn frames(
    app: &Shared,
    opened: Opened,
    token: String,
    words: &'static Words,
) -> Result<Body, Problem> {
    let now = Instant::now();
    let watching = Watching {
        telling: opened.telling(&token, words),
        closing: app.closing.subscribe(),
        app: Arc::clone(app),
        own: opened.own(),
        _seat: Seat::take(app, &opened.link.id)?,
        link: opened.link,
        visit: opened.visit,
        token,
        told: None,
        look_at: now,
        check_at: now + CHECK,
        beat_at: now + BEAT,
        over: false,
        _open: Open::begin(app)?,
    };
    let frames = stream::unfold(watching, |mut watching| async move {
        let piece = watching.next().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), watching))
    });
    Ok(Body::from_stream(frames))
}

/// One customer.
struct Watching {
    app: Shared,
    link: LinkRow,
    visit: Visit,
    own: Own,
    telling: Telling,
    token: String,
    closing: watch::Receiver<bool>,
    told: Option<Last>,
    look_at: Instant,
    check_at: Instant,
    beat_at: Instant,
    over: bool,
    _open: Open,
    _seat: Seat,
}

/// What was told last.
struct Last {
    /// The vehicle's number of outputs then.
    seq: Option<u64>,
    visible: Visible,
    frame: drawing::Frame,
}

impl Watching {
    /// The next piece; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            tokio::select! {
                () = sleep_until(self.look_at) => {}
                closed = self.closing.changed() => closed.ok()?,
            }
            if *self.closing.borrow() {
                return None;
            }
            let now = Instant::now();
            self.look_at = now + LOOK;
            if now >= self.check_at {
                self.check_at = now + CHECK;
                if !self.still_valid().await {
                    self.over = true;
                    return Some(Bytes::from_static(b"event: end\ndata: {}\n\n"));
                }
            }
            if let Some(piece) = self.look().await {
                self.beat_at = Instant::now() + BEAT;
                return Some(piece);
            }
            if Instant::now() >= self.beat_at {
                self.beat_at = Instant::now() + BEAT;
                let as_of = self.app.now();
                return Some(format!("event: beat\ndata: {{\"as_of\":\"{as_of}\"}}\n\n").into());
            }
        }
        None
    }

    /// Reads the link and its visit again; an order may have gone to another vehicle.
    async fn still_valid(&mut self) -> bool {
        match super::opened(&self.app, &self.token, &None).await {
            Ok(opened) => {
                self.own = opened.own();
                (self.link, self.visit) = (opened.link, opened.visit);
                self.told = self.told.take().map(|told| Last { seq: None, ..told });
                true
            }
            Err(super::Refused::Gone) => false,
            // A store that does not answer for a moment ends nobody's stream.
            Err(_) => {
                let now = self.app.now();
                let found = self.app.store.read(|c| links::of_token(c, &self.token, now));
                !matches!(found, Ok(None))
            }
        }
    }

    /// A frame, if what is visible has changed.
    async fn look(&mut self) -> Option<Bytes> {
        let seq = seen(&self.app, &self.link, &self.visit).map(|seen| seen.view.seq);
        if let Some(told) = &self.told
            && seq.is_some()
            && told.seq == seq
            && Instant::now() < self.beat_at
        {
            return None;
        }
        let (app, link, visit) = (Arc::clone(&self.app), self.link.clone(), self.visit.clone());
        let looking = tokio::task::spawn_blocking(move || looked(&app, &link, &visit));
        let visible = looking.await.ok()?;
        if let Some(told) = self.told.as_mut().filter(|told| visible.shows_as(&told.visible)) {
            told.seq = seq;
            return None;
        }
        let parts = self.telling.parts(&visible, &self.own);
        let frame = drawing::Frame::of(self.own.door, &visible);
        let other = self.told.as_ref().is_none_or(|told| told.frame != frame);
        let base = if other { self.drawn(frame).await } else { None };
        let told = Told { as_of: visible.now.to_string(), parts: &parts, base };
        let json = serde_json::to_string(&told).ok()?;
        self.told = Some(Last { seq, visible, frame });
        Some(format!("event: state\ndata: {json}\n\n").into())
    }

    async fn drawn(&self, frame: drawing::Frame) -> Option<String> {
        let app = Arc::clone(&self.app);
        tokio::task::spawn_blocking(move || base(&app, frame)).await.ok()
    }
}
