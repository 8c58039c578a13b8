//! Frames as the protocol of server-sent events spells them, put together to one piece.

use axum::body::Bytes;
use engine::model::EtaOutput;
use engine::record::canonical;
use ingest::id::VehicleId;
use ingest::time::Timestamp;

use crate::live::Seen;
use crate::live::cell::Said;
use crate::live::ring::push_id;
use crate::view::AsOf;

/// Bytes that the arrivals of a route take, as a first guess.
const ETA_BYTES: usize = 2_048;

/// A piece in the making. Positions and events are copied while the fleet is read; the arrivals
/// of a route take time to encode, so they are put in when it is not any more.
#[derive(Debug)]
pub(super) struct Frames {
    as_of: AsOf,
    text: Vec<u8>,
    /// Where in the text whose arrivals go.
    etas: Vec<(usize, Seen)>,
    count: usize,
}

impl Frames {
    /// Without any yet; what they tell is complete up to `as_of`.
    pub(super) fn new(as_of: Timestamp) -> Self {
        Self { as_of: AsOf::new(as_of), text: Vec::new(), etas: Vec::new(), count: 0 }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Everything that was told before no longer counts.
    pub(super) fn reset(&mut self, why: &str) {
        self.begin("reset", None);
        let reason = serde_json::json!({ "reason": why });
        self.text.extend_from_slice(reason.to_string().as_bytes());
        self.text.extend_from_slice(b"\n\n");
    }

    /// Where a vehicle is; `place` is right after it.
    pub(super) fn position(&mut self, said: &Said<'_>, place: Option<&[u64]>) {
        self.begin("position", place);
        self.as_of.tell(said, &mut self.text);
        self.text.extend_from_slice(b"\n\n");
    }

    /// All arrivals of a vehicle's active route as last said, so that skipped etas lose nothing.
    pub(super) fn eta(&mut self, seen: Seen, place: Option<&[u64]>) {
        self.begin("eta", place);
        self.etas.push((self.text.len(), seen));
        self.text.extend_from_slice(b"\n\n");
    }

    /// Something has happened: whose, its number, its fields.
    pub(super) fn event(
        &mut self,
        (vehicle, seq, fields): (&VehicleId, u64, &str),
        place: Option<&[u64]>,
    ) {
        self.begin("event", place);
        let said = format!("{{\"vehicle\":\"{vehicle}\",\"seq\":{seq},{fields}}}\n\n");
        self.text.extend_from_slice(said.as_bytes());
    }

    fn begin(&mut self, name: &str, place: Option<&[u64]>) {
        self.count += 1;
        self.text.extend_from_slice(b"event: ");
        self.text.extend_from_slice(name.as_bytes());
        if let Some(place) = place {
            self.text.extend_from_slice(b"\nid: ");
            push_id(place, &mut self.text);
        }
        self.text.extend_from_slice(b"\ndata: ");
    }

    /// The piece; `None` where there is nothing to tell.
    pub(super) fn into_bytes(self) -> Option<Bytes> {
        if self.text.is_empty() {
            return None;
        }
        if self.etas.is_empty() {
            return Some(self.text.into());
        }
        let mut whole = Vec::with_capacity(self.text.len() + self.etas.len() * ETA_BYTES);
        let mut from = 0;
        for (at, seen) in &self.etas {
            whole.extend_from_slice(&self.text[from..*at]);
            whole.extend_from_slice(arrivals(seen).as_bytes());
            from = *at;
        }
        whole.extend_from_slice(&self.text[from..]);
        Some(whole.into())
    }

    /// The piece with a last, empty frame that says where it ends.
    pub(super) fn end(mut self, place: &[u64]) -> Bytes {
        self.text.extend_from_slice(b"id: ");
        push_id(place, &mut self.text);
        self.text.extend_from_slice(b"\n\n");
        self.into_bytes().unwrap_or_default()
    }
}

/// A sign of life.
pub(super) fn beat(place: &[u64], as_of: Timestamp) -> Bytes {
    let mut frames = Frames::new(as_of);
    frames.begin("as_of", Some(place));
    frames.text.extend_from_slice(format!("{{\"as_of\":\"{as_of}\"}}\n\n").as_bytes());
    frames.text.into()
}

/// The arrivals of a vehicle that has an active route.
fn arrivals(seen: &Seen) -> String {
    let mut json = serde_json::Map::new();
    if let Some((route, version)) = seen.view.route.clone() {
        let stops = seen.view.stops.iter().map(|stop| stop.eta.clone()).collect();
        canonical::eta(
            &mut json,
            &EtaOutput { route, version, whole: true, stops, planned: Vec::new() },
        );
    }
    json.insert("vehicle".to_owned(), seen.vehicle.as_str().into());
    json.insert("seq".to_owned(), seen.eta_seq.into());
    serde_json::Value::Object(json).to_string()
}
