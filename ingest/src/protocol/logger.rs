//! Phones that fill in a URL: `GPSLogger` for Android, and `PhoneTrack` of Nextcloud.
//!
//! ```text
//! GET  /?lat=..&lon=..&alt=<m>&acc=<m>&spd=<m/s>&dir=..&sat=..&time=<RFC 3339>&timestamp=<s>
//!      &batt=<%>&ischarging=..&hdop=..&aid=<Android's id>&ser=<serial>&profile=..         <- 200
//! GET  /log/<kind>/<token>/<name>?lat=..&lon=..&alt=..&acc=..&speed=<m/s>&bearing=..
//!      &sat=..&bat=<%>&timestamp=..        /logGet/<token>/<name>?.. likewise             <- 200
//! POST the same as a form, or as a JSON object
//! POST /logPostMultiple/<token>/<name> {"points":[[lat,lon,timestamp,altitude,accuracy,battery,
//!      satellites,user agent,speed,bearing]..]}                                          <- 200
//! ```
//! Both let people write the URL, so names have synonyms. `GPSLogger` is named by `id`, else by
//! `aid`, `ser` or `profile`, else by the path; `PhoneTrack` by what stands behind the kind of
//! log: token and name, or a name alone. Source: gpslogger.app, "Log to custom URL"; the README and
//! wiki of julien-nc/phonetrack. What has no meaning here is kept under the sender's own name.

use serde_json::Value as Json;

use super::http::Request;
use super::osmand::{pairs, time};
use super::phone::{Phone, answer, json_of, missing};
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Draft, HTTP, Told, Wired};
use super::{BadFrame, fields};
use crate::fix::{Measured, Report};
use crate::id::{percent_decoded, percent_encoded};
use crate::time::Timestamp;

/// Most points of a request.
const BATCH_MAX: usize = 1000;

/// `GPSLogger`.
pub(super) const GPSLOGGER: Wired = Wired {
    name: "gpslogger",
    port: 5146,
    transports: HTTP,
    signatures: &[],
    models: &["GPSLogger for Android"],
    idle_minutes: 5,
    acknowledges: true,
    wire: |_| Box::new(Phone { read: gpslogger, taken: "", is_shared: false }),
    login: super::sender::no_login,
    message: |_, report| {
        let query = query(report, "dir", "spd");
        get(&format!("/?aid={}&{query}", percent_encoded(&report.device)))
    },
};

/// `PhoneTrack`.
pub(super) const PHONETRACK: Wired = Wired {
    name: "phonetrack",
    port: 5147,
    transports: HTTP,
    signatures: &[],
    models: &["PhoneTrack for Android", "PhoneTrack for Nextcloud"],
    idle_minutes: 5,
    acknowledges: true,
    wire: |_| Box::new(Phone { read: phonetrack, taken: "", is_shared: false }),
    login: super::sender::no_login,
    message: phonetrack_message,
};

/// A place in the making.
#[derive(Debug, Default)]
struct Place {
    lat: Option<f64>,
    lng: Option<f64>,
    at: Measured,
    time: Option<Timestamp>,
    id: Option<String>,
    /// An id of less weight.
    name: Option<String>,
}

impl Place {
    fn pair(&mut self, key: &str, value: &str, draft: &mut Draft) {
        let number = value.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        match key.to_ascii_lowercase().as_str() {
            "lat" | "latitude" => self.lat = number,
            "lon" | "lng" | "long" | "longitude" => self.lng = number,
            "alt" | "altitude" | "ele" => self.at.altitude = number,
            "acc" | "accuracy" => self.at.accuracy = number.filter(|v| *v >= 0.0),
            "spd" | "speed" | "s" => self.at.speed = number.filter(|v| *v >= 0.0),
            "spd_kph" => self.at.speed = number.filter(|v| *v >= 0.0).map(|kmh| kmh / 3.6),
            "dir" | "bearing" | "course" | "heading" => {
                self.at.heading = number.filter(|v| *v >= 0.0);
            }
            "time" | "timestamp" | "ts" | "tst" => self.time = time(value).ok().or(self.time),
            "id" | "deviceid" | "device" => self.id = Some(value.to_owned()),
            "aid" | "androidid" => self.name = Some(value.to_owned()),
            "ser" | "serial" | "profile" if self.name.is_none() => {
                self.name = Some(value.to_owned());
            }
            "ser" | "serial" | "profile" | "date" | "timeoffset" | "starttimestamp" => {}
            "sat" | "sats" | "satellites" => {
                draft.maybe("satellites", number.filter(|n| *n >= 0.0).map(|n| n as i64));
            }
            "batt" | "bat" | "battery" => {
                let percent = number.filter(|p| (0.0..=100.0).contains(p));
                draft.maybe("battery_percent", percent);
            }
            "ischarging" => draft.set("charging", matches!(value, "true" | "1")),
            "hdop" => draft.maybe("hdop", number),
            "vdop" => draft.maybe("vdop", number),
            "pdop" => draft.maybe("pdop", number),
            "act" | "activity" => draft.set("activity", value),
            _ if value.is_empty() => {}
            _ => match fields::decimal(value) {
                Some(number) => draft.named(key, number),
                None => draft.named(key, value),
            },
        }
    }

    fn finish(self, received_at: Timestamp, draft: &mut Draft) -> Result<(), Complaint> {
        let (Some(lat), Some(lng)) = (self.lat, self.lng) else { return Err(missing("lat, lon")) };
        draft.time(Some(self.time.unwrap_or(received_at)));
        draft.at = Some(Measured { lat, lng, valid: true, ..self.at });
        Ok(())
    }
}

/// The target's path without the slashes around it, and its query.
fn split(target: &str) -> (&str, &str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    (path.trim_matches('/'), query)
}

/// Fills in a place of a query, a form or a JSON object.
fn fill(request: &Request<'_>, place: &mut Place, draft: &mut Draft) -> Result<(), Complaint> {
    let (_, query) = split(request.target);
    for (key, value) in pairs(query) {
        place.pair(&key, &value, draft);
    }
    if is_json(request) {
        for (key, value) in json_of(request)?.as_object().into_iter().flatten() {
            match value {
                Json::String(text) => place.pair(key, text, draft),
                Json::Number(_) | Json::Bool(_) => place.pair(key, &value.to_string(), draft),
                _ => {}
            }
        }
        return Ok(());
    }
    let form = String::from_utf8_lossy(request.body);
    for (key, value) in pairs(&form) {
        place.pair(&key, &value, draft);
    }
    Ok(())
}

fn is_json(request: &Request<'_>) -> bool {
    request.body.trim_ascii_start().starts_with(b"{")
}

fn gpslogger(request: &Request<'_>, told: &mut Told) -> Result<(), Complaint> {
    let mut place = Place::default();
    fill(request, &mut place, told.report())?;
    let (path, _) = split(request.target);
    let path = (!path.is_empty()).then(|| path.to_owned());
    let id = place.id.take().or(place.name.take()).or(path);
    let id = id.filter(|id| !id.trim().is_empty()).ok_or_else(|| missing("aid"))?;
    told.from(id.trim())?;
    let received_at = told.received_at;
    place.finish(received_at, told.last())
}

fn phonetrack(request: &Request<'_>, told: &mut Told) -> Result<(), Complaint> {
    let (path, _) = split(request.target);
    let id = phonetrack_id(path).ok_or_else(|| missing("name"))?;
    let id =
        percent_decoded(&id).map_err(|e| Complaint::new(BadFrame::Malformed, 0, e.to_string()))?;
    told.from(id.as_str())?;
    let received_at = told.received_at;
    if is_json(request) {
        let json = json_of(request)?;
        if let Some(points) = json.get("points").and_then(Json::as_array) {
            if points.len() > BATCH_MAX {
                let reason = format!("batch of `{}`, expected at most {BATCH_MAX}", points.len());
                return Err(Complaint::new(BadFrame::Length, 0, reason));
            }
            return points.iter().try_for_each(|point| listed(point, received_at, told.report()));
        }
    }
    let mut place = Place::default();
    fill(request, &mut place, told.report())?;
    place.finish(received_at, told.last())
}

/// What stands behind the kind of log.
fn phonetrack_id(path: &str) -> Option<String> {
    let mut segments = path.split('/').skip_while(|s| !s.starts_with("log"));
    let id = match segments.next() {
        Some("log") => segments.skip(1).collect::<Vec<_>>().join("/"),
        Some(_) => segments.collect::<Vec<_>>().join("/"),
        None => path.to_owned(),
    };
    (!id.is_empty()).then_some(id)
}

/// The names of a listed point's values.
const LISTED: [&str; 10] =
    ["lat", "lon", "timestamp", "alt", "acc", "bat", "sat", "useragent", "speed", "bearing"];

fn listed(point: &Json, received_at: Timestamp, draft: &mut Draft) -> Result<(), Complaint> {
    let mut place = Place::default();
    let values = point.as_array().ok_or_else(|| missing("point"))?;
    for (name, value) in LISTED.into_iter().zip(values) {
        match value {
            Json::String(text) => place.pair(name, text, draft),
            Json::Number(_) => place.pair(name, &value.to_string(), draft),
            _ => {}
        }
    }
    place.finish(received_at, draft)
}

fn query(report: &Report, heading: &str, speed: &str) -> String {
    let p = Plain::of(report);
    format!(
        "lat={:.7}&lon={:.7}&alt={:.1}&{speed}={:.3}&{heading}={:.2}&timestamp={}",
        p.lat,
        p.lng,
        p.altitude,
        p.kmh / 3.6,
        p.heading,
        report.time.unwrap_or_default().millis().div_euclid(1000),
    )
}

fn get(target: &str) -> Sent {
    let request = format!("GET {target} HTTP/1.1\r\nHost: milepost\r\n\r\n");
    Sent::new(request, answer("", false))
}

fn phonetrack_message(_: &mut Speaker, report: &Report) -> Sent {
    let query = query(report, "bearing", "speed");
    get(&format!("/log/gpslogger/{}?{query}", percent_encoded(&report.device)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_packets;
    use super::*;

    #[test]
    fn what_people_write_into_the_url_is_understood() {
        let ok = "<- HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n durable";
        let place = "2026-11-20T08:15:30.000Z A 1.5000000,2.0000000 3m/s 90deg";
        let file = |target: &str, events: &str| {
            let request = format!("GET {target} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n");
            format!("@ http\n\"{request}\" | {events} | {ok}")
        };
        let query = "lat=1.5&longitude=2&spd=3&dir=90&time=2026-11-20T08:15:30Z&batt=55.0&ser=s";
        for (target, id) in
            [(format!("/?{query}&aid=7f"), "7f"), (format!("/phones/anna?{query}"), "s")]
        {
            let events = format!("{id} {place} battery_percent=55.0");
            check_packets(&GPSLOGGER, &file(&target, &events));
        }
        let query = "lat=1.5&lon=2&speed=3&bearing=90&timestamp=1795162530&sat=7&useragent=x";
        for path in ["/apps/phonetrack/log/gpslogger/t0k/anna", "/logGet/t0k/anna"] {
            let events = format!("t0k/anna {place} satellites=7 useragent=\"x\"");
            check_packets(&PHONETRACK, &file(&format!("{path}?{query}"), &events));
        }
    }

    #[test]
    fn who_says_nothing_is_told_so() {
        let refused = "<- HTTP/1.1 400 Bad Request\\r\\nContent-Length: 0\\r\\n\\r\\n now";
        let request = "\"GET /?lat=1 HTTP/1.1\\r\\n\\r\\n\"";
        let file = format!("@ http\n{request} | ! malformed `aid` is missing | {refused}");
        check_packets(&GPSLOGGER, &file);
    }

    #[test]
    fn points_come_in_lists() {
        let body =
            r#"{"points":[[1.5,2,1795162530,null,4.5,55,7,"app",3,90],[1.25,2.5,1795162531]]}"#;
        let request = format!(
            "POST /logPostMultiple/t0k/anna HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let hex = super::super::cursor::hex(request.as_bytes());
        check_packets(
            &PHONETRACK,
            &format!(
                "@ http\n{hex} | t0k/anna 2026-11-20T08:15:30.000Z A 1.5000000,2.0000000 3m/s 90deg \
                 +-4.5m battery_percent=55.0 satellites=7 useragent=\"app\" | t0k/anna \
                 2026-11-20T08:15:31.000Z A 1.2500000,2.5000000 | <- HTTP/1.1 200 OK\\r\\nContent-Length: \
                 0\\r\\n\\r\\n durable"
            ),
        );
    }
}
