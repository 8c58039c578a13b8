//! `OwnTracks`, over HTTP and over MQTT.
//!
//! ```text
//! POST / {"_type":"location","topic":"owntracks/<user>/<device>","tid":"..","tst":<s>,"lat":..,
//!         "lon":..,"acc":<m>,"alt":<m>,"vel":<km/h>,"cog":<degrees>,"batt":<%>,"t":".."}   <- []
//!
//! CONNECT, its will on owntracks/<user>/<device>                                      <- CONNACK
//! PUBLISH owntracks/<user>/<device> {"_type":"location", as above without topic}       <- PUBACK
//! ```
//! There is no broker: nothing is passed on, subscriptions are granted and stay silent. A message
//! of `QoS` 1 or 2 is answered when it is stored; one that comes again has the same identity, so
//! `QoS` 2 needs no memory here. The will, which every phone leaves at its own topic, names the
//! device before CONNACK; without one the first location does.
//!
//! Source: owntracks.org/booklet/tech/json and /tech/mqtt; the packets are those of [`super::mqtt`].
//! Ignored: waypoints, transitions, cards, commands, encrypted messages, and the will's text. A
//! device is named by its topic without `owntracks/`; over HTTP by `tid` where there is none.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::http::Request;
use super::mqtt::{self, Connect, Packet, Publish, Version};
use super::phone::{Phone, answer, json_of, missing, number, post, text};
use super::sender::{Plain, Sent, Speaker, no_login};
use super::wire::{Complaint, Cut, HTTP, Told, Wire, Wired};
use super::{BadFrame, Decode, Encode, Options, Protocol, Transport, When};
use crate::fix::{Measured, Report};
use crate::id::DeviceId;
use crate::time::Timestamp;

/// Most bytes of a packet; waypoints and cards with a picture are the longest.
const PACKET_MAX: usize = 64 * 1024;
/// Keep alive of clients that ask for none or a longer one, where they can be told so (MQTT 5),
/// seconds.
const KEEP_ALIVE_S: u16 = 1200;

const MODELS: &[&str] = &["OwnTracks for Android", "OwnTracks for iOS"];

const OVER_HTTP: Wired = Wired {
    name: "owntracks",
    port: 5144,
    transports: HTTP,
    signatures: &[],
    models: MODELS,
    idle_minutes: 5,
    acknowledges: true,
    wire: |_| Box::new(Phone { read: request, taken: "[]", is_shared: false }),
    login: no_login,
    message: request_of,
};

const OVER_MQTT: Wired = Wired {
    name: "owntracks",
    port: 1883,
    transports: &[Transport::Mqtt],
    signatures: &[],
    models: MODELS,
    idle_minutes: 30,
    acknowledges: true,
    wire: |_| Box::new(Listener::default()),
    login: connect_of,
    message: publish_of,
};

/// `OwnTracks`: one protocol, two ways to travel.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnTracks;

const fn over(transport: Transport) -> &'static Wired {
    match transport {
        Transport::Mqtt => &OVER_MQTT,
        _ => &OVER_HTTP,
    }
}

impl Protocol for OwnTracks {
    fn name(&self) -> &'static str {
        OVER_HTTP.name
    }
    fn default_port(&self) -> u16 {
        OVER_HTTP.port
    }
    fn port(&self, transport: Transport) -> u16 {
        over(transport).port
    }
    fn transports(&self) -> &'static [Transport] {
        &[Transport::Http, Transport::Mqtt]
    }
    fn models(&self) -> &'static [&'static str] {
        MODELS
    }
    fn idle_limit(&self) -> Duration {
        OVER_HTTP.idle_limit()
    }
    fn decoder(&self, transport: Transport, options: &Options) -> Box<dyn Decode> {
        over(transport).decoder(transport, options)
    }
    fn encoder(&self, transport: Transport, device: &DeviceId) -> Box<dyn Encode> {
        over(transport).encoder(transport, device)
    }
}

fn device_of(topic: &str) -> &str {
    topic.strip_prefix("owntracks/").unwrap_or(topic)
}

fn request(request: &Request<'_>, told: &mut Told) -> Result<(), Complaint> {
    let json = &json_of(request)?;
    message(json, text(json, "topic").or(text(json, "tid")), told)
}

/// One message of a topic.
fn message(json: &Json, topic: Option<&str>, told: &mut Told) -> Result<(), Complaint> {
    if text(json, "_type") != Some("location") {
        return Ok(());
    }
    told.from(device_of(topic.ok_or_else(|| missing("topic"))?))?;
    let draft = told.report();
    let lat = number(json, "lat").ok_or_else(|| missing("lat"))?;
    let lng = number(json, "lon").ok_or_else(|| missing("lon"))?;
    let time = json.get("tst").and_then(Json::as_i64).ok_or_else(|| missing("tst"))?;
    draft.time(Some(Timestamp::from_seconds(time)));
    draft.at = Some(Measured {
        lat,
        lng,
        valid: true,
        speed: number(json, "vel").map(|v| v / 3.6),
        heading: number(json, "cog"),
        altitude: number(json, "alt"),
        accuracy: number(json, "acc"),
    });
    draft.maybe("event", text(json, "t"));
    draft.maybe("battery_percent", number(json, "batt").map(|v| v as i64));
    Ok(())
}

/// What a phone speaks to in a broker's place.
#[derive(Debug, Default)]
struct Listener {
    /// Of the connection; `None` before CONNECT.
    version: Option<Version>,
    keep_alive_s: u16,
}

impl Listener {
    fn connect(&mut self, connect: &Connect<'_>, told: &mut Told) -> Result<(), Complaint> {
        told.open();
        let Some(version) = connect.version else {
            told.reply(mqtt::refused(Version::V311, mqtt::WRONG_VERSION), When::Immediate);
            told.close();
            let reason = format!("MQTT level `{}`, expected 4 or 5", connect.level);
            return Err(Complaint::new(BadFrame::Malformed, 0, reason));
        };
        self.version = Some(version);
        if connect.client.is_empty() && version == Version::V311 && !connect.clean {
            told.reply(mqtt::refused(version, mqtt::WRONG_CLIENT), When::Immediate);
            told.close();
            return Err(Complaint::bad("client id", b""));
        }
        let long = connect.keep_alive_s == 0 || connect.keep_alive_s > KEEP_ALIVE_S;
        let shorter = version == Version::V5 && long;
        self.keep_alive_s = if shorter { KEEP_ALIVE_S } else { connect.keep_alive_s };
        // The user's name is not looked at: the topic says who speaks.
        if let Some(password) = connect.password {
            told.shows(password);
        }
        if let Some(topic) = connect.will {
            told.from(device_of(topic))?;
        }
        let assigned = connect.client.is_empty().then(|| told.received_at.micros());
        let granted = mqtt::Granted {
            packet_max: PACKET_MAX as u32,
            keep_alive_s: shorter.then_some(KEEP_ALIVE_S),
            client: assigned.map(|n| format!("phone-{n:x}")),
        };
        told.reply(mqtt::connected(version, &granted), When::Immediate);
        Ok(())
    }

    fn packet(&mut self, packet: &Packet<'_>, told: &mut Told) -> Result<(), Complaint> {
        let version = self.version.unwrap_or(Version::V311);
        match packet {
            Packet::Connect(_) if self.version.is_some() => {
                told.close();
                return Err(Complaint::bad("second packet", b"CONNECT"));
            }
            Packet::Connect(connect) => return self.connect(connect, told),
            Packet::Publish(publish) => {
                let said = published(publish, told);
                if let Some(answer) = mqtt::taken(publish) {
                    told.reply(answer, When::AfterDurable);
                }
                return said;
            }
            Packet::Release(id) => told.reply(mqtt::completed(*id), When::Immediate),
            Packet::Subscribe { id, wanted } => {
                told.reply(mqtt::subscribed(version, *id, wanted), When::Immediate);
            }
            Packet::Unsubscribe { id, filters } => {
                told.reply(mqtt::unsubscribed(version, *id, filters.len()), When::Immediate);
            }
            Packet::Ping => told.reply(Bytes::from_static(mqtt::PONG), When::Immediate),
            Packet::Disconnect => told.close(),
        }
        Ok(())
    }
}

fn published(publish: &Publish<'_>, told: &mut Told) -> Result<(), Complaint> {
    // An empty message deletes a retained one, of which there are none.
    if publish.payload.is_empty() {
        return Ok(());
    }
    let json: Json = serde_json::from_slice(publish.payload)
        .map_err(|e| Complaint::new(BadFrame::Malformed, e.column(), e.to_string()))?;
    message(&json, Some(publish.topic), told)
}

impl Wire for Listener {
    fn cut(&self, bytes: &[u8], _whole: bool) -> Cut {
        mqtt::cut(bytes, self.version.is_none(), PACKET_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        match Packet::read(frame, self.version.unwrap_or(Version::V311)) {
            Ok(packet) => self.packet(&packet, told),
            Err(complaint) => {
                // The standard ends a connection at a malformed packet.
                told.close();
                Err(complaint)
            }
        }
    }

    fn refusal(&self) -> &'static [u8] {
        mqtt::not_authorised(self.version.unwrap_or(Version::V311))
    }

    /// One and a half times the keep alive (MQTT 3.1.1 §3.1.2.10).
    fn idle_limit(&self) -> Option<Duration> {
        Some(match self.keep_alive_s {
            0 => OVER_MQTT.idle_limit(),
            seconds => Duration::from_secs(seconds.into()) * 3 / 2,
        })
    }
}

fn body_of(report: &Report) -> Json {
    let p = Plain::of(report);
    let seconds = report.time.unwrap_or_default().millis().div_euclid(1000);
    json!({
        "_type": "location", "tst": seconds, "lat": p.lat, "lon": p.lng,
        "vel": p.kmh.round(), "cog": p.degrees(), "alt": p.altitude.round(),
    })
}

fn topic_of(speaker: &Speaker) -> String {
    format!("owntracks/{}", speaker.device)
}

fn request_of(speaker: &mut Speaker, report: &Report) -> Sent {
    let mut body = body_of(report);
    body["topic"] = topic_of(speaker).into();
    Sent::new(post(&body), answer("[]", false))
}

fn connect_of(speaker: &mut Speaker) -> Sent {
    let topic = topic_of(speaker);
    let connect = Connect {
        client: &speaker.device,
        clean: true,
        keep_alive_s: 60,
        will: Some(&topic),
        ..Connect::of(Version::V311)
    };
    let granted = mqtt::Granted::default();
    let sent = Packet::Connect(connect).encode(Version::V311);
    Sent::new(sent, mqtt::connected(Version::V311, &granted))
}

fn publish_of(speaker: &mut Speaker, report: &Report) -> Sent {
    let id = (speaker.next() % u32::from(u16::MAX)) as u16 + 1;
    let (topic, body) = (topic_of(speaker), body_of(report).to_string());
    let publish = Publish { topic: &topic, qos: 1, id, payload: body.as_bytes() };
    let answer = mqtt::taken(&publish).unwrap_or_default();
    Sent::new(Packet::Publish(publish).encode(Version::V311), answer)
}

#[cfg(test)]
mod tests;
