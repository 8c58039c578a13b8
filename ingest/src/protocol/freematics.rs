//! Freematics: datagrams of keys and values, UDP.
//!
//! ```text
//! <feed>#EV=<event>,TS=<ms>,ID=<id>[,SSI=..][,VIN=..]*hh   <- 1#EV=<event>,RX=1,TS=<ms>*hh
//! <feed>#<key hex>:<value>,..*hh       `=` for `:` in some; values of three axes between `;`
//!   0 ms since the start, begins a record    11 ddmmyy   10 hhmmsscc   A lat   B lng
//!   C altitude   D km/h   E course   F satellites   20 acceleration   24 battery 0.01 V
//!   82 inside 0.1 °C     1xx answer of the car to question xx
//! ```
//! `hh` is the sum of the bytes before the asterisk. A feed is what the device was told at its
//! login, else its own id. Source: Freematics "Hub API" and the firmware's notes on its telelogger.
//! Ignored: signal strength of the event.

use super::fields::{decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, Told, UDP, Wire, Wired};
use super::{When, checksum, clock};
use crate::attribute::Key;
use crate::fix::{Measured, Report};

/// Longest datagram, bytes.
const LINE_MAX: usize = 2 * 1024;
/// Most records of a datagram.
const RECORDS_MAX: usize = 64;

/// Freematics.
pub(super) const FREEMATICS: Wired = Wired {
    name: "freematics",
    port: 5170,
    transports: UDP,
    signatures: &[
        Mark::Text("?#%"),
        Mark::Text("?#EV="),
        Mark::Text("???????#%"),
        Mark::Text("???????#EV="),
        Mark::Text("????????#%"),
        Mark::Text("????????#EV="),
        Mark::Text("???????????????#%"),
    ],
    models: &["Freematics ONE+", "Freematics ONE", "Freematics Esprit"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Freematics),
    login,
    message,
};

#[derive(Debug)]
struct Freematics;

impl Wire for Freematics {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        Cut::line(bytes, b"\r\n\0", whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?.trim();
        let (body, sum) = line.split_once('*').unwrap_or((line, ""));
        if let Some(sent) = hexadecimal(sum).filter(|_| !sum.is_empty()) {
            told.checksum(sent as u32, checksum::sum(body.as_bytes()).into())?;
        }
        let (feed, content) =
            body.split_once('#').ok_or_else(|| Complaint::bad("message", frame))?;
        let named = |name: &str| {
            let mut pairs = content.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        if let Some(event) = named("EV") {
            told.from(named("ID").unwrap_or(feed))?;
            if let Some(vin) = named("VIN") {
                told.report().set("vin", vin);
            }
            let time = named("TS").unwrap_or("0");
            told.reply(answer(event, time), When::Immediate);
            return Ok(());
        }
        told.from(feed)?;
        records(content, told);
        Ok(())
    }
}

fn answer(event: &str, time: &str) -> String {
    let body = format!("1#EV={event},RX=1,TS={time}");
    format!("{body}*{:X}", checksum::sum(body.as_bytes()))
}

/// A record in the making.
#[derive(Debug, Default)]
struct Record {
    at: Measured,
    lat: Option<f64>,
    lng: Option<f64>,
    date: Option<String>,
    clock: Option<String>,
    /// No satellite.
    unfixed: bool,
}

fn records(content: &str, told: &mut Told) {
    let received_at = told.received_at;
    let (mut record, mut count) = (Record::default(), 0);
    for pair in content.split(',') {
        let Some((key, value)) = pair.split_once([':', '=']) else { continue };
        let Some(key) = hexadecimal(key) else { continue };
        if key == 0 || count == 0 {
            if count > 0 {
                std::mem::take(&mut record).finish(told.last(), received_at);
            }
            if count == RECORDS_MAX {
                return;
            }
            count += 1;
            told.report();
        }
        record.pair(key, value, told.last());
    }
    if count > 0 {
        record.finish(told.last(), received_at);
    }
}

impl Record {
    fn pair(&mut self, key: i64, value: &str, draft: &mut Draft) {
        let number = decimal(value);
        match key {
            0x0 => {}
            0x0a => self.lat = number,
            0x0b => self.lng = number,
            0x0c => self.at.altitude = number,
            0x0d => self.at.speed = number.map(|kmh| kmh / 3.6),
            0x0e => self.at.heading = number,
            0x0f => {
                self.unfixed = number == Some(0.0);
                draft.maybe("satellites", number.map(|n| n as i64));
            }
            0x10 => self.clock = Some(format!("{value:0>8}")),
            0x11 => self.date = Some(format!("{value:0>6}")),
            0x20 => draft.set("acceleration_word", value),
            0x24 => draft.maybe("battery_volts", number.map(|v| v / 100.0)),
            0x82 => draft.maybe("device_celsius", number.map(|v| v / 10.0)),
            0x104 => draft.maybe("engine_load_percent", number),
            0x105 => draft.maybe("coolant_celsius", number),
            0x10c => draft.maybe("rpm", number.map(|n| n as i64)),
            0x10d => draft.maybe("obd_speed_mps", number.map(|kmh| kmh / 3.6)),
            0x10f => draft.maybe("intake_celsius", number),
            0x111 => draft.maybe("throttle_percent", number),
            0x12f => draft.maybe("fuel_percent", number),
            0x131 => draft.maybe("trip_metres", number.map(|km| km * 1000.0)),
            _ => {
                let key = u32::try_from(key).ok().map(Key::Io);
                if let (Some(key), Some(number)) = (key, number) {
                    draft.set(key, number);
                }
            }
        }
    }

    fn finish(self, draft: &mut Draft, received_at: crate::time::Timestamp) {
        if let (Some(lat), Some(lng)) = (self.lat, self.lng) {
            draft.at = Some(Measured { lat, lng, valid: !self.unfixed, ..self.at });
        }
        let Some(clock) = self.clock else { return };
        let Some(of_day) = clock::pairs::<3>(part(&clock, 0, 6)) else { return };
        draft.time(match self.date {
            Some(date) => clock::ddmmyy_hhmmss(&date, part(&clock, 0, 6)),
            None => Some(clock::nearest(of_day, received_at)),
        });
    }
}

fn login(speaker: &mut Speaker) -> Sent {
    let body = format!("{0}#EV=1,TS=0,ID={0}", speaker.device);
    Sent::new(format!("{body}*{:X}", checksum::sum(body.as_bytes())), answer("1", "0"))
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let number = speaker.next();
    let body = format!(
        "{}#0:{number},11:{},10:{}00,A:{:.6},B:{:.6},C:{:.1},D:{:.2},E:{:.1},F:{},24:1250",
        speaker.device,
        p.ddmmyy(),
        p.hhmmss(),
        p.lat,
        p.lng,
        p.altitude,
        p.kmh,
        p.heading,
        if p.valid { 9 } else { 0 },
    );
    Sent::unanswered(format!("{body}*{:X}", checksum::sum(body.as_bytes())))
}
