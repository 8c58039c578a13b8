//! flespi: what its channels have decoded, posted to a stream of type HTTP.
//!
//! ```text
//! POST / [{"ident":"..","timestamp":<s>,"position.latitude":..,"position.longitude":..,
//!          "position.altitude":<m>,"position.speed":<km/h>,"position.direction":..,
//!          "position.hdop":..,"position.satellites":..,"position.valid":..,"<name>":..}..]    <- 200
//! ```
//! A request speaks for as many devices as it holds idents; each of them is asked for. Parameters
//! have flespi's unified names and units; those that the registry knows become its own, all others
//! keep theirs. Source: flespi.com, "HTTP stream" and "Message parameters".

use serde_json::{Value as Json, json};

use super::BadFrame;
use super::http::Request;
use super::phone::{Phone, answer, json_of, missing, number, post, text};
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Draft, HTTP, Told, Wired};
use crate::attribute::Value;
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Most messages of a request.
const BATCH_MAX: usize = 1000;
/// Most devices of a request: it is read once for each.
const DEVICES_MAX: usize = 64;

/// flespi.
pub(super) const FLESPI: Wired = Wired {
    name: "flespi",
    port: 5149,
    transports: HTTP,
    signatures: &[],
    models: &["flespi stream"],
    idle_minutes: 5,
    acknowledges: true,
    wire: |_| Box::new(Phone { read, taken: "", is_shared: true }),
    login: super::sender::no_login,
    message,
};

fn read(request: &Request<'_>, told: &mut Told) -> Result<(), Complaint> {
    let json = json_of(request)?;
    let all = json.as_array().ok_or_else(|| missing("messages"))?;
    if all.len() > BATCH_MAX {
        let reason = format!("batch of `{}`, expected at most {BATCH_MAX}", all.len());
        return Err(Complaint::new(BadFrame::Length, 0, reason));
    }
    let mut devices: Vec<&str> = Vec::new();
    for one in all {
        let ident = text(one, "ident").ok_or_else(|| missing("ident"))?;
        if !devices.contains(&ident) {
            devices.push(ident);
        }
        if devices.len() > DEVICES_MAX {
            let reason = format!("more than {DEVICES_MAX} devices");
            return Err(Complaint::new(BadFrame::Length, 0, reason));
        }
    }
    let Some(device) = devices.get(told.part) else { return Ok(()) };
    told.from(device)?;
    if told.part + 1 < devices.len() {
        told.again();
    }
    for one in all.iter().filter(|one| text(one, "ident") == Some(device)) {
        message_of(one, told.report());
    }
    Ok(())
}

fn message_of(one: &Json, draft: &mut Draft) {
    let seconds = number(one, "timestamp");
    draft.time(seconds.map(|s| Timestamp::default().plus_seconds(s)));
    let (lat, lng) = (number(one, "position.latitude"), number(one, "position.longitude"));
    if let (Some(lat), Some(lng)) = (lat, lng) {
        draft.at = Some(Measured {
            lng,
            lat,
            valid: one.get("position.valid").and_then(Json::as_bool).unwrap_or(true),
            speed: number(one, "position.speed").map(|kmh| kmh / 3.6),
            heading: number(one, "position.direction"),
            altitude: number(one, "position.altitude"),
            accuracy: None,
        });
    }
    for (name, value) in one.as_object().into_iter().flatten() {
        parameter(name, value, draft);
    }
}

/// What is the same under another name.
const SAME: &[(&str, &str)] = &[
    ("battery.charging.status", "charging"),
    ("battery.level", "battery_percent"),
    ("battery.voltage", "battery_volts"),
    ("can.engine.coolant.temperature", "coolant_celsius"),
    ("can.engine.load.level", "engine_load_percent"),
    ("can.engine.rpm", "rpm"),
    ("can.fuel.level", "fuel_percent"),
    ("can.fuel.volume", "fuel_litres"),
    ("can.throttle.pedal.level", "throttle_percent"),
    ("device.temperature", "device_celsius"),
    ("din", "input_mask"),
    ("dout", "output_mask"),
    ("engine.ignition.status", "ignition"),
    ("engine.rpm", "rpm"),
    ("event.enum", "event"),
    ("external.powersource.voltage", "power_volts"),
    ("fuel.level", "fuel_percent"),
    ("fuel.volume", "fuel_litres"),
    ("gsm.cellid", "cell_id"),
    ("gsm.lac", "cell_area"),
    ("gsm.mcc", "cell_country"),
    ("gsm.mnc", "cell_network"),
    ("gsm.signal.level", "rssi"),
    ("humidity", "humidity_percent"),
    ("movement.status", "motion"),
    ("position.hdop", "hdop"),
    ("position.pdop", "pdop"),
    ("position.satellites", "satellites"),
    ("rfid.code", "driver_id"),
    ("driver.id", "driver_id"),
    ("ibutton.code", "driver_id"),
    ("vehicle.vin", "vin"),
];

fn parameter(name: &str, value: &Json, draft: &mut Draft) {
    let factored = |by: f64| value.as_f64().map(|v| v * by);
    match name {
        "ident" | "timestamp" | "position.latitude" | "position.longitude"
        | "position.altitude" | "position.direction" | "position.speed" | "position.valid" => {
            return;
        }
        "alarm.event.trigger" | "alarm.event" => {
            if value.as_bool() == Some(true) {
                draft.alarm("general");
            }
            return;
        }
        "can.vehicle.speed" => return draft.maybe("obd_speed_mps", factored(1.0 / 3.6)),
        "vehicle.mileage" | "can.vehicle.mileage" => {
            return draft.maybe("odometer_metres", factored(1000.0));
        }
        "engine.motorhours" => return draft.maybe("engine_on_seconds", factored(3600.0)),
        _ => {}
    }
    let value: Value<'_> = match value {
        Json::Bool(v) => (*v).into(),
        Json::Number(n) => match n.as_i64() {
            Some(whole) => whole.into(),
            None => n.as_f64().unwrap_or(0.0).into(),
        },
        Json::String(text) => text.as_str().into(),
        _ => return,
    };
    match SAME.iter().find(|(theirs, _)| *theirs == name) {
        Some((_, ours)) => draft.set(*ours, value),
        None => draft.named(name, value),
    }
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let seconds = report.time.unwrap_or_default().micros() as f64 / 1e6;
    let body = json!([{
        "ident": speaker.device, "timestamp": seconds,
        "position.latitude": p.lat, "position.longitude": p.lng, "position.speed": p.kmh,
        "position.direction": p.heading, "position.altitude": p.altitude,
        "position.valid": p.valid,
        "engine.ignition.status": flag(report, "ignition").unwrap_or(false),
    }]);
    Sent::new(post(&body), answer("", false))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_packets;
    use super::*;

    #[test]
    fn a_request_speaks_for_each_of_its_devices() {
        let place = r#""position.latitude":1.5,"position.longitude":2"#;
        let body = format!(
            r#"[{{"ident":"a","timestamp":1795162530,{place},"din":3}},
                {{"ident":"b","timestamp":1795162531,"battery.level":50}},
                {{"ident":"a","timestamp":1795162532,"x y":"z"}}]"#
        );
        let events = "a 2026-11-20T08:15:30.000Z A 1.5000000,2.0000000 input_mask=3 | \
                      a 2026-11-20T08:15:32.000Z x y=\"z\" | \
                      b 2026-11-20T08:15:31.000Z battery_percent=50 | \
                      <- HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n durable";
        let request = post(&serde_json::from_str(&body).expect("JSON"));
        let hex = super::super::cursor::hex(&request);
        check_packets(&FLESPI, &format!("@ http\n{hex} | {events}"));
    }
}
