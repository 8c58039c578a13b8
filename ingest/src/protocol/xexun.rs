//! Xexun: RMC with the device's IMEI behind it; the full form has more before and after.
//!
//! ```text
//! GPRMC,hhmmss.sss,A,ddmm.mmmm,N,dddmm.mmmm,E,<knots>,<course>,ddmmyy,..,A*hh,<F|L>,[<word>,]
//!   imei:<IMEI>,
//! <yymmddhhmm..>,<number>,GPRMC,..*hh,<F|L>,<word>, imei:<IMEI>,<satellites>,<altitude>
//!   ,<F|L>:<battery>V,<charging>,<length>,<crc>,<mcc>,<mnc>,<area>,<cell>      areas, cells in hex
//! ```
//! `F` is a fix, `L` the last one or none. Words: `help me`, `low battery`, `move`, `speed`,
//! `stockade`, `ACC On`, `ACC OFF`. Nothing is answered. Source: Xexun "TK102 and XT009 protocol".
//! Ignored: the local time and the telephone number's owner.

use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{angle, checksum, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
const KNOT_MPS: f64 = 1852.0 / 3600.0;

/// Xexun.
pub(super) const XEXUN: Wired = Wired {
    name: "xexun",
    port: 5006,
    transports: TCP_UDP,
    signatures: &[Mark::Text("GPRMC,"), Mark::Text("%%%%%%%%%%%%,"), Mark::Text(",+")],
    models: &["Xexun TK101", "TK102", "TK103", "TK201", "XT009", "XT107"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Xexun),
    login: super::sender::no_login,
    message,
};

#[derive(Debug)]
struct Xexun;

impl Wire for Xexun {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        Cut::line(bytes, b"\r\n\0", whole, LINE_MAX)
    }

    /// The part that both forms have.
    fn split(&self, frame: &[u8]) -> Vec<u8> {
        let find = |what: &[u8]| frame.windows(what.len()).position(|w| w == what);
        let from = find(b"RMC,").map_or(0, |at| at.saturating_sub(2));
        let imei = find(b"imei:").unwrap_or(frame.len());
        let comma = frame[imei..].iter().position(|b| *b == b',');
        let to = comma.map_or(frame.len(), |at| imei + at + 1);
        frame.get(from..to).unwrap_or_default().to_vec()
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?;
        let imei = line.find("imei:").ok_or_else(|| Complaint::bad("IMEI", frame))?;
        let mut rest = Fields::new(part(line, imei + 5, line.len()), ',');
        told.from(rest.text())?;
        let Some(from) = line.find("RMC,").map(|at| at.saturating_sub(2)) else { return Ok(()) };
        let (rmc, behind) = part(line, from, imei).split_once('*').unwrap_or_default();
        if let Some(sum) = hexadecimal(part(behind, 0, 2)) {
            told.checksum(sum as u32, checksum::xor(rmc.as_bytes()).into())?;
        }
        let draft = told.report();
        fix(rmc, draft);
        words(part(behind, 3, behind.len()), draft);
        full(&mut rest, draft);
        let number = part(line, 0, from).split(',').nth(1);
        draft.maybe("number", number.filter(|n| !n.is_empty()));
        Ok(())
    }
}

fn fix(rmc: &str, draft: &mut Draft) {
    let mut f = Fields::new(rmc, ',');
    f.skip(1);
    let (time, valid) = (f.text(), f.text() == "A");
    let mut sided = || {
        let (value, side) = (f.text(), f.text());
        angle::sided(value, side)
    };
    let (lat, lng) = (sided(), sided());
    let (speed, heading) = (f.decimal().map(|v| v * KNOT_MPS), f.decimal());
    let time = clock::ddmmyy_hhmmss(f.text(), time);
    draft.time(time);
    if let (Some(lat), Some(lng), Some(_)) = (lat, lng, time) {
        draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
    }
}

/// Between the checksum and the IMEI.
fn words(text: &str, draft: &mut Draft) {
    let mut f = Fields::new(text, ',');
    draft.maybe("signal", Some(f.text()).filter(|s| !s.is_empty()));
    let word = f.text().to_ascii_lowercase();
    let alarm = match word.trim_end_matches(['!', '.']) {
        "help me" => "sos",
        "low battery" => "lowBattery",
        "move" => "movement",
        "speed" => "overspeed",
        "stockade" => "geofence",
        "acc on" => return draft.set("ignition", true),
        "acc off" => return draft.set("ignition", false),
        _ => return,
    };
    draft.alarm(alarm);
}

/// Behind the IMEI.
fn full(f: &mut Fields<'_>, draft: &mut Draft) {
    let satellites = f.whole();
    let altitude = f.decimal();
    draft.maybe("satellites", satellites);
    if let Some(at) = &mut draft.at {
        at.altitude = altitude;
    }
    let volts = f.text().trim_start_matches(['F', 'L', ':']).trim_end_matches('V');
    draft.maybe("battery_volts", decimal(volts));
    draft.maybe("charging", f.whole().map(|v| v == 1));
    f.skip(2);
    let (country, network) = (f.whole(), f.whole());
    if let (Some(country), Some(network), Some(area), Some(id)) =
        (country, network, f.hex(), f.hex())
    {
        draft.cell(1, (country as u16, network as u16, area as u32, id as u64));
    }
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let rmc = format!("GPRMC,{}.000,{},{},,,A", p.hhmmss(), p.rmc(), p.ddmmyy());
    Sent::unanswered(format!(
        "{}{},,{rmc}*{:02X},{},, imei:{},09,{:.1},F:4.10V,0,100,0,,,,\r\n",
        p.yymmdd(),
        p.hhmmss(),
        checksum::xor(rmc.as_bytes()),
        if p.valid { 'F' } else { 'L' },
        speaker.device,
        p.altitude,
    ))
}
