//! Phones that post JSON: how their requests are read and answered, and Overland.
//!
//! ```text
//! POST / {"locations":[{"type":"Feature","geometry":{"coordinates":[lng,lat]},"properties":{
//!         "timestamp":"..","speed":<m/s>,"course":..,"altitude":..,"horizontal_accuracy":<m>,
//!         "battery_level":<0 to 1>,"battery_state":"..","motion":[..],"device_id":".."}}..]}
//!                                                                                <- {"result":"ok"}
//! ```
//! The body of the answer is the whole message: an Overland phone that reads anything else sends
//! its batch again for ever. A request that can not be read is answered 400.
//!
//! Source: the README of aaronpk/Overland-iOS, "API". Ignored: trips and visits.

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::http::{self, Request};
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, HTTP, Told, Wire, Wired};
use super::{BadFrame, When};
use crate::attribute::Value;
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Most places of one batch; Overland sends up to a thousand.
const BATCH_MAX: usize = 1000;

/// Overland.
pub(super) const OVERLAND: Wired = Wired {
    name: "overland",
    port: 5145,
    transports: HTTP,
    signatures: &[],
    models: &["Overland for iOS", "Overland for Android"],
    idle_minutes: 5,
    acknowledges: true,
    wire: |_| Box::new(Phone { read: overland, taken: r#"{"result":"ok"}"#, is_shared: false }),
    login: super::sender::no_login,
    message: overland_message,
};

/// How a phone's request is read, and what says that it is stored.
#[derive(Debug)]
pub(super) struct Phone {
    pub(super) read: fn(&Request<'_>, &mut Told) -> Result<(), Complaint>,
    pub(super) taken: &'static str,
    /// Whether a request may speak for many devices.
    pub(super) is_shared: bool,
}

impl Wire for Phone {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        match http::cut(bytes) {
            Ok(Some(request)) => Cut::frame(request.length),
            Ok(None) => Cut::Need,
            Err(refusal) => {
                Cut::Lost { kind: refusal.kind, reason: refusal.reason, answer: refusal.answer }
            }
        }
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let Ok(Some(request)) = http::cut(frame) else {
            return Err(Complaint::bad("request", frame));
        };
        told.open();
        told.frame_shows(request.secret());
        let read = (self.read)(&request, told);
        match read {
            Ok(()) if told.is_again() => {}
            Ok(()) => told.reply(answer(self.taken, request.close), When::AfterDurable),
            Err(_) => told.reply(http::bad_request(request.close), When::Immediate),
        }
        read
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn refusal(&self) -> &'static [u8] {
        if self.is_shared {
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        }
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    }
}

/// The body as JSON.
pub(super) fn json_of(request: &Request<'_>) -> Result<Json, Complaint> {
    serde_json::from_slice(request.body)
        .map_err(|e| Complaint::new(BadFrame::Malformed, e.column(), e.to_string()))
}

pub(super) fn answer(body: &str, close: bool) -> Bytes {
    if body.is_empty() {
        return http::ok(close);
    }
    let close = if close { "Connection: close\r\n" } else { "" };
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\n{close}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into()
}

pub(super) fn number(json: &Json, name: &str) -> Option<f64> {
    json.get(name)?.as_f64()
}

pub(super) fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    json.get(name)?.as_str().filter(|t| !t.is_empty())
}

pub(super) fn missing(what: &str) -> Complaint {
    Complaint::new(BadFrame::Malformed, 0, format!("`{what}` is missing"))
}

fn overland(request: &Request<'_>, told: &mut Told) -> Result<(), Complaint> {
    let json = &json_of(request)?;
    let all = json.get("locations").and_then(Json::as_array);
    let all = all.ok_or_else(|| missing("locations"))?;
    if all.len() > BATCH_MAX {
        let reason = format!("batch of `{}`, expected at most {BATCH_MAX}", all.len());
        return Err(Complaint::new(BadFrame::Length, 0, reason));
    }
    for one in all {
        let Some(properties) = one.get("properties") else { continue };
        let angles = one.pointer("/geometry/coordinates").and_then(Json::as_array);
        let angle = |at: usize| angles.and_then(|a| a.get(at)).and_then(Json::as_f64);
        let (Some(lng), Some(lat)) = (angle(0), angle(1)) else { continue };
        told.from(text(properties, "device_id").ok_or_else(|| missing("device_id"))?)?;
        let draft = told.report();
        let time = text(properties, "timestamp").and_then(|t| Timestamp::parse(t).ok());
        draft.time(time);
        // Negative speeds and courses say that they are not known.
        let known = |name: &str| number(properties, name).filter(|v| *v >= 0.0);
        draft.at = Some(Measured {
            lat,
            lng,
            valid: true,
            speed: known("speed"),
            heading: known("course"),
            altitude: number(properties, "altitude"),
            accuracy: known("horizontal_accuracy"),
        });
        let battery = number(properties, "battery_level").filter(|v| *v >= 0.0);
        draft.maybe("battery_percent", battery.map(|v| (v * 100.0).round() as i64));
        match text(properties, "battery_state") {
            Some("charging" | "full") => draft.set("charging", true),
            Some("unplugged") => draft.set("charging", false),
            _ => {}
        }
        let motion = properties.get("motion").and_then(Json::as_array);
        let motion = motion.and_then(|m| m.first()).and_then(Json::as_str);
        draft.maybe("activity", motion.map(Value::from));
    }
    Ok(())
}

pub(super) fn post(body: &Json) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: milepost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn overland_message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let body = json!({"locations": [{
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [p.lng, p.lat]},
        "properties": {
            "device_id": speaker.device, "timestamp": report.time.unwrap_or_default().to_string(),
            "speed": p.kmh / 3.6, "course": p.heading, "altitude": p.altitude,
        },
    }]});
    Sent::new(post(&body), answer(r#"{"result":"ok"}"#, false))
}
