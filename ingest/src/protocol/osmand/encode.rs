//! A phone's side: one request a record, as a form in a POST, and what the answers say.

use std::fmt::Write as _;

use crate::attribute::{Key, Value, to_traccar};
use crate::fix::Report;
use crate::id::DeviceId;
use crate::protocol::{Answer, Encode};

/// Longest answer that is waited for, bytes; a longer one is no answer of a tracker port.
const ANSWER_MAX: usize = 8 * 1024;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Carries everything a report has: time to a millisecond, speed in knots with six decimals.
#[derive(Debug)]
pub(super) struct Encoder {
    device: DeviceId,
    partial: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(device: &DeviceId) -> Self {
        Self { device: device.clone(), partial: Vec::new() }
    }
}

impl Encode for Encoder {
    fn login(&mut self) -> Vec<u8> {
        self.partial.clear();
        Vec::new()
    }

    fn packet(&mut self, reports: &[Report]) -> Vec<u8> {
        let mut out = String::new();
        for report in reports {
            let form = form(&self.device, report);
            out.push_str("POST / HTTP/1.1\r\nHost: milepost\r\n");
            out.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
            add(&mut out, format_args!("Content-Length: {}\r\n\r\n{form}", form.len()));
        }
        out.into_bytes()
    }

    fn answer(&mut self, bytes: &[u8], out: &mut Vec<Answer>) {
        self.partial.extend_from_slice(bytes);
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut headers);
            let head = match response.parse(&self.partial) {
                Ok(httparse::Status::Complete(head)) => head,
                Ok(httparse::Status::Partial) if self.partial.len() < ANSWER_MAX => return,
                Ok(httparse::Status::Partial) | Err(_) => {
                    self.partial.clear();
                    out.push(Answer::NotStored);
                    return;
                }
            };
            let length = response
                .headers
                .iter()
                .find(|h| h.name.eq_ignore_ascii_case("content-length"))
                .and_then(|h| std::str::from_utf8(h.value).ok()?.trim().parse().ok())
                .unwrap_or(0_usize);
            if self.partial.len() < head.saturating_add(length) {
                return;
            }
            out.push(match response.code {
                Some(200..=299) => Answer::Stored,
                Some(400..=499) => Answer::Refused,
                _ => Answer::NotStored,
            });
            self.partial.drain(..head + length);
        }
    }

    fn records_max(&self) -> usize {
        1
    }

    fn acknowledges(&self) -> bool {
        true
    }
}

fn add(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).unwrap_or_default();
}

fn form(device: &DeviceId, report: &Report) -> String {
    let mut out = format!("id={}", encoded(device.as_str()));
    if let Some(time) = report.time {
        add(&mut out, format_args!("&timestamp={}", time.millis()));
    }
    if let Some(fix) = &report.fix {
        let place = fix.position;
        add(&mut out, format_args!("&lat={:.7}&lon={:.7}", place.lat, place.lng));
        add(&mut out, format_args!("&valid={}", fix.valid));
        if let Some(speed) = fix.speed {
            add(&mut out, format_args!("&speed={:.6}", speed.get() / KNOT_MPS));
        }
        if let Some(heading) = fix.heading {
            add(&mut out, format_args!("&bearing={}", heading.get()));
        }
        if let Some(altitude) = fix.altitude {
            add(&mut out, format_args!("&altitude={}", altitude.get()));
        }
        if let Some(accuracy) = fix.accuracy {
            add(&mut out, format_args!("&accuracy={}", accuracy.get()));
        }
    }
    for (key, value) in report.attributes.iter() {
        attribute(&key, &value, &mut out);
    }
    out
}

fn attribute(key: &Key<'_>, value: &Value<'_>, out: &mut String) {
    let (name, value) = to_traccar(key, value);
    let name = if name == "batteryLevel" { "batt" } else { &name };
    add(out, format_args!("&{}=", encoded(name)));
    match value {
        Value::Bool(v) => add(out, format_args!("{v}")),
        Value::Int(v) => add(out, format_args!("{v}")),
        Value::Float(v) => add(out, format_args!("{v:?}")),
        Value::Text(v) => out.push_str(&encoded(&v)),
    }
}

/// Percent-encoded, all but letters, digits and `._-`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            add(&mut out, format_args!("%{byte:02X}"));
        }
    }
    out
}
