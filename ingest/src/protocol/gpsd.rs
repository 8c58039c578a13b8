//! gpsd: the reports of its clients' protocol, one JSON object a line, as `gpspipe -w` writes them.
//!
//! ```text
//! <id>                                              the device, before anything else
//! {"class":"TPV","mode":3,"time":"2026-11-20T08:15:30.000Z","lat":..,"lon":..,"altMSL":<m>,
//!  "speed":<m/s>,"track":..,"eph":<m>}
//! {"class":"SKY","hdop":..,"pdop":..,"vdop":..,"uSat":..,"nSat":..}   holds until the next
//! ```
//! gpsd names receivers, not vehicles: whoever relays its lines says first whose they are, as in
//! `(echo van-17; gpspipe -w) | nc`. Mode 0 and 1 are no fix. Nothing is answered. Source:
//! <https://gpsd.io/gpsd_json.html>, protocol 3.15; older names (`alt`, `epx`) are understood. Ignored:
//! VERSION, DEVICES, WATCH and every other class.

use serde_json::{Value as Json, json};

use super::phone::{number, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP, Told, Wire, Wired};
use super::{BadFrame, fields};
use crate::fix::{Measured, Report};
use crate::time::Timestamp;

/// Longest line, bytes: gpsd's own bound of a response.
const LINE_MAX: usize = 10_240;

/// gpsd.
pub(super) const GPSD: Wired = Wired {
    name: "gpsd",
    port: 5148,
    transports: TCP,
    signatures: &[Mark::Text("{\"class\"")],
    models: &["gpsd"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Gpsd::default()),
    login: |speaker| Sent::unanswered(format!("{}\n", speaker.device)),
    message,
};

/// The sky as last seen.
#[derive(Debug, Default)]
struct Gpsd {
    hdop: Option<f64>,
    pdop: Option<f64>,
    vdop: Option<f64>,
    used: Option<i64>,
    in_view: Option<i64>,
}

impl Wire for Gpsd {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        Cut::line(bytes, b"\r\n", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        if frame.first() != Some(&b'{') {
            // Lines of the other end's own: the first one is an id.
            return match told.device() {
                None => told.from(fields::text(frame)?.trim()),
                Some(_) => Err(Complaint::bad("report", frame)),
            };
        }
        let json: Json = serde_json::from_slice(frame)
            .map_err(|e| Complaint::new(BadFrame::Malformed, e.column(), e.to_string()))?;
        match text(&json, "class") {
            Some("TPV") => self.place(&json, told),
            Some("SKY") => self.sky(&json),
            _ => {}
        }
        Ok(())
    }
}

impl Gpsd {
    fn sky(&mut self, json: &Json) {
        let seen = json.get("satellites").and_then(Json::as_array);
        let used = |s: &&Json| s.get("used").and_then(Json::as_bool) == Some(true);
        let counted = |name: &str| json.get(name).and_then(Json::as_i64);
        let listed = seen.map(|all| all.len() as i64);
        self.used = counted("uSat")
            .or_else(|| seen.map(|all| all.iter().filter(used).count() as i64))
            .or(self.used);
        self.in_view = counted("nSat").or(listed).or(self.in_view);
        self.hdop = number(json, "hdop").or(self.hdop);
        self.pdop = number(json, "pdop").or(self.pdop);
        self.vdop = number(json, "vdop").or(self.vdop);
    }

    fn place(&self, json: &Json, told: &mut Told) {
        let (Some(lat), Some(lng)) = (number(json, "lat"), number(json, "lon")) else { return };
        let received_at = told.received_at;
        let draft = told.report();
        let time = text(json, "time").and_then(|t| Timestamp::parse(t).ok());
        draft.time(Some(time.unwrap_or(received_at)));
        let either = |names: [&str; 3]| names.into_iter().find_map(|name| number(json, name));
        draft.at = Some(Measured {
            lng,
            lat,
            valid: number(json, "mode").is_some_and(|mode| mode >= 2.0),
            speed: number(json, "speed"),
            heading: number(json, "track"),
            altitude: either(["altMSL", "alt", "altHAE"]),
            accuracy: either(["eph", "epx", "epy"]),
        });
        self.see(draft);
    }

    fn see(&self, draft: &mut Draft) {
        draft.maybe("hdop", self.hdop);
        draft.maybe("pdop", self.pdop);
        draft.maybe("vdop", self.vdop);
        draft.maybe("satellites", self.used);
        draft.maybe("satellites_in_view", self.in_view);
    }
}

fn message(_: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let mut line = json!({
        "class": "TPV", "device": "/dev/ttyACM0", "mode": if p.valid { 3 } else { 1 },
        "time": report.time.unwrap_or_default().to_string(), "lat": p.lat, "lon": p.lng,
        "altMSL": p.altitude, "speed": p.kmh / 3.6, "track": p.heading,
    })
    .to_string();
    line.push_str("\r\n");
    Sent::unanswered(line)
}

#[cfg(test)]
mod tests {
    use super::super::tests::talk;
    use super::super::{Options, Protocol, Transport};
    use super::*;

    #[test]
    fn the_sky_belongs_to_the_places_after_it() {
        let mut stream = b"van-17\n".to_vec();
        stream.extend(br#"{"class":"SKY","hdop":0.9,"uSat":8,"nSat":12}"#);
        stream.push(b'\n');
        stream.extend(
            br#"{"class":"TPV","mode":3,"time":"2026-11-20T08:15:30.000Z","lat":1.5,"lon":2}"#,
        );
        stream.push(b'\n');
        let mut decoder = GPSD.decoder(Transport::Tcp, &Options::default());
        assert_eq!(
            talk(decoder.as_mut(), [stream.as_slice()], false),
            ["van-17 2026-11-20T08:15:30.000Z A 1.5000000,2.0000000 hdop=0.9 satellites=8 \
              satellites_in_view=12"]
        );
    }
}
