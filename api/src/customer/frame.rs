//! The JSON of `/t/{token}.json` and of each frame of its stream: made of what is visible and of
//! what is the customer's own, so that nothing else can be in it.

use ingest::time::Timestamp;
use ingest::units::Position;
use serde::Serialize;
use utoipa::ToSchema;

use super::words::Words;
use crate::policy::{Standing, Visible};
use crate::store::said::Said;
use crate::view::{PlaceJson, WindowJson};

/// What is the customer's own, whatever the policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Own {
    /// Their order.
    pub(crate) order: String,
    /// Their door.
    pub(crate) door: Position,
    /// What they said.
    pub(crate) said: Said,
    /// Until when their link works, if nothing ends it before.
    pub(crate) expires: Timestamp,
}

/// What a customer sees of their order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct TrackingOut {
    /// Which order.
    order: String,
    /// `planned`, `on_the_way`, `next`, `arriving`, `arrived`, `visited`, `delivered`, `failed`
    /// or `skipped`.
    state: &'static str,
    /// `on_time`, `at_risk` or `late`.
    status: &'static str,
    /// The moment it is true for.
    as_of: String,
    /// Where it is brought.
    door: PlaceJson,
    /// What was promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    promise: Option<WindowJson>,
    /// When it is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta: Option<ExpectedOut>,
    /// Why it is late: `dwell`, `travel`, `traffic`, `waiting`, `plan` or `signal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// Stops before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stops_before: Option<usize>,
    /// Metres to drive.
    #[serde(skip_serializing_if = "Option::is_none")]
    metres: Option<f64>,
    /// Where the vehicle is.
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicle: Option<SightingOut>,
    /// The way from there to the door, longitude and latitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Vec<[f64; 2]>>,
    /// What the vehicle is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// How to call its driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The vehicle would be shown, but was not heard of for two minutes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unseen: bool,
    /// When the visit ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// Until when this works, if nothing ends it before; it ends 2 hours after the visit.
    expires_at: String,
    /// What the customer said before.
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
}

/// When it is expected, nine times of ten.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ExpectedOut {
    from: String,
    to: String,
    /// The likeliest.
    likely: String,
}

/// Where the vehicle was seen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SightingOut {
    lat: f64,
    lng: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<f64>,
    /// When.
    time: String,
}

impl TrackingOut {
    pub(crate) fn new(visible: &Visible, own: &Own) -> Self {
        let text = |at: Timestamp| at.to_string();
        let status = match visible.standing {
            Standing::OnTime => "on_time",
            Standing::AtRisk => "at_risk",
            Standing::Late => "late",
        };
        let instructions = own.said.instructions.as_ref();
        Self {
            order: own.order.clone(),
            state: visible.stage.name(),
            status,
            as_of: text(visible.now),
            door: PlaceJson { lat: own.door.lat, lng: own.door.lng },
            promise: visible
                .promise
                .map(|(from, to)| WindowJson { from: text(from), to: text(to) }),
            eta: visible.expected.map(|expected| ExpectedOut {
                from: text(expected.from),
                to: text(expected.to),
                likely: text(expected.likely),
            }),
            cause: visible.cause.map(engine::model::CauseKind::name),
            stops_before: visible.stops_before,
            metres: visible.metres.map(f64::round),
            vehicle: visible.vehicle.map(|seen| SightingOut {
                lat: rounded(seen.position.lat),
                lng: rounded(seen.position.lng),
                heading: seen.heading,
                time: text(seen.time),
            }),
            route: visible
                .way
                .as_ref()
                .map(|way| way.iter().map(|at| [rounded(at.lng), rounded(at.lat)]).collect()),
            name: visible.name.clone(),
            phone: visible.phone.clone(),
            unseen: visible.unseen,
            ended_at: visible.over_at.map(text),
            expires_at: text(own.expires),
            instructions: instructions.map(|said| said.text.clone()).filter(|t| !t.is_empty()),
        }
    }
}

/// A metre, not more.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e5).round() / 1e5
}

/// What an answer to a new time is called.
pub(crate) fn answer_words(answer: &str, words: &Words) -> Option<&'static str> {
    match answer {
        "there" => Some(words.there),
        "safe_place" => Some(words.safe_place),
        "another_time" => Some(words.another_time),
        _ => None,
    }
}
