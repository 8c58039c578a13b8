//! Which message an event becomes for whom, and on which condition.

use engine::model::{Event, EventKind};
use engine::record::canonical;
use ingest::time::Timestamp;
use serde_json::{Map, Value, json};

use super::outbox::{Happened, id_of};
use super::{Channel, Condition, NewMessage};
use crate::live::Seen;
use crate::store::routes::{RouteRow, StopRow};
use crate::store::webhooks::WebhookRow;
use crate::view::{eta_json, window_json};

/// An event with what is known around it.
pub(crate) struct Of<'a> {
    pub(crate) happened: &'a Happened,
    /// Its route as planned.
    pub(crate) route: Option<&'a RouteRow>,
    /// Its vehicle as it is known now.
    pub(crate) seen: Option<&'a Seen>,
}

impl Of<'_> {
    /// The stop as planned.
    pub(crate) fn stop(&self) -> Option<&StopRow> {
        let id = self.happened.event.stop.as_ref()?;
        self.route?.body.stops.iter().find(|stop| stop.id == id.as_str())
    }
}

/// The visit of an event, if it is of one.
pub(crate) fn visit(event: &Event) -> Option<(String, String)> {
    Some((event.route.as_ref()?.to_string(), event.stop.as_ref()?.to_string()))
}

/// When a program is told: late and on time again each time they alternate, everything else of a
/// visit once, what is of no visit each time.
pub(crate) fn program(event: &Event) -> Condition {
    let Some(of) = visit(event) else { return Condition::Each };
    let late = EventKind::PredictedLate.name();
    match event.kind {
        EventKind::BackOnTime => Condition::Ends { event: late, of },
        kind => Condition::Once { event: kind.name(), of },
    }
}

/// What a program is told: the event as the log has it, with what was promised and is expected.
pub(crate) fn to_program(of: &Of<'_>, hook: &WebhookRow, now: Timestamp) -> NewMessage {
    let Happened { key, seq, event } = of.happened;
    let mut fields = Map::new();
    fields.insert("vehicle".to_owned(), key.vehicle.as_str().into());
    fields.insert("seq".to_owned(), (*seq).into());
    canonical::event(&mut fields, event);
    let kind = fields.remove("type").unwrap_or(Value::Null);
    if let Some(window) = of.stop().and_then(|stop| stop.window) {
        fields.insert("promise".to_owned(), json!(window_json(window)));
    }
    let view = of.seen.zip(event.order.as_ref()).and_then(|(seen, id)| seen.view.stop_of(id));
    if let Some(eta) = view.and_then(eta_json) {
        fields.insert("eta".to_owned(), json!(eta));
    }
    let body = json!({"type": kind, "timestamp": event.at.to_string(), "data": fields});
    let order = event.order.as_ref().map(ToString::to_string);
    NewMessage {
        id: id_of(of.happened, &hook.id),
        tenant: key.tenant.clone(),
        at: event.at,
        channel: Channel::Webhook,
        lane: hook.id.clone(),
        destination: hook.id.clone(),
        of: Some((key.vehicle.clone(), *seq)),
        event: event.kind.name().to_owned(),
        subject: subject(event, order.as_deref(), key.vehicle.as_str()),
        order,
        language: None,
        recipient: hook.url.clone(),
        body: body.to_string(),
        html: None,
        until: None,
        due: now,
        page: None,
    }
}

/// `predicted_late o-981`, for lists.
fn subject(event: &Event, order: Option<&str>, vehicle: &str) -> String {
    format!("{} {}", event.kind.name(), order.unwrap_or(vehicle))
}
