//! TK103 (Xexun, Kintech and others): text in parentheses, two dialects of it.
//!
//! ```text
//! (<id 12><command 4><content>)              <- (<id>AP05) to BP05, (<id>AP01HSO) to BP00
//!   BP05 IMEI and place    BR00 place    BO01 alarm digit and place    BZ00 cells
//!   place: yymmdd<A|V>ddmm.mmmm<N|S>dddmm.mmmm<E|W><km/h 5>hhmmss<course 6><state 8>L<metres hex>
//!   state: 0 main power, 1 acc, 2 bits of input 2, panic button, output 2, cut off, 3 bits of
//!   four lines, 5-7 fuel sensor (hex)
//! (<id>,<command>,ddmmyy,<A|V>,ddmm.mmmmN,dddmm.mmmmE,<km/h>,hhmmss,<course>,..)
//!   ZC20,ddmmyy,hhmmss,<grade>,<battery 0.01 V>,<power 0.1 V>,..     ZC03,..,$<text>$
//! ```
//! Source: "TK103 GPRS communication protocol" v1.4 (first dialect), Xexun "TK102-2/TK103-2
//! protocol" (second). A `$` opens text in which parentheses are letters. Ignored: cells in lists, routes
//! (BQ86). The document leaves the state's digits from 2 on open; how they are read here is how
//! other servers read them.

use super::cursor::Cursor;
use super::fields::{Fields, decimal, hexadecimal, part, text};
use super::recognition::Mark;
use super::sender::{Plain, Sent, Speaker, flag};
use super::wire::{Complaint, Cut, Draft, TCP_UDP, Told, Wire, Wired};
use super::{When, angle, clock};
use crate::fix::{Measured, Report};

/// Longest message, bytes.
const LINE_MAX: usize = 1024;
/// Letters of a state.
const STATE: usize = 8;
/// Places for cells of a battery.
const CELLS: u16 = 24;
/// Letters of an id in the first dialect.
const ID: usize = 12;

/// TK103 and relatives.
pub(super) const TK103: Wired = Wired {
    name: "tk103",
    port: 5002,
    transports: TCP_UDP,
    signatures: &[Mark::Text("(%%%%%%%%%%%%")],
    models: &["TK103", "GPS-103-A", "Xexun TK103-2", "Kintech", "VT206", "BTT-05"],
    idle_minutes: 15,
    acknowledges: false,
    wire: |_| Box::new(Tk103),
    login,
    message,
};

#[derive(Debug)]
struct Tk103;

impl Wire for Tk103 {
    fn cut(&self, bytes: &[u8], whole: bool) -> Cut {
        if let Some(skip) = Cut::before(b'(', bytes) {
            return skip;
        }
        let mut inside = false;
        for (at, byte) in bytes.iter().enumerate().take(LINE_MAX) {
            match byte {
                b'$' => inside = !inside,
                b')' if !inside => return Cut::frame(at + 1),
                _ => {}
            }
        }
        Cut::unended(bytes.len(), whole, LINE_MAX)
    }

    fn read(&mut self, frame: &[u8], told: &mut Told) -> Result<(), Complaint> {
        let line = text(frame)?;
        let line = line.strip_prefix('(').unwrap_or(line);
        let line = line.strip_suffix(')').unwrap_or(line);
        let (id, rest) = line.split_once(',').unwrap_or((line, ""));
        if (5..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()) {
            told.from(id)?;
            return separated(rest, told);
        }
        let at = command_at(line).ok_or_else(|| Complaint::bad("command", frame))?;
        let (id, command, content) =
            (part(line, 0, at), part(line, at, at + 4), line.get(at + 4..));
        told.from(id)?;
        packed(command, content.unwrap_or(""), told)
    }
}

/// Where the command stands: behind twelve letters, or where two capitals and two digits are.
fn command_at(line: &str) -> Option<usize> {
    let command = |at: &usize| match line.as_bytes().get(*at..*at + 4) {
        Some([b'B', b, c, d]) => b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit(),
        _ => false,
    };
    [ID].into_iter().chain(8..20).find(command)
}

fn packed(command: &str, content: &str, told: &mut Told) -> Result<(), Complaint> {
    let id = told.device().unwrap_or_default().to_owned();
    match command {
        "BP00" => {
            let tail = if content.ends_with("HSO") { "HSO" } else { "" };
            told.reply(format!("({id}AP01{tail})"), When::Immediate);
            return Ok(());
        }
        "BP05" => told.reply(format!("({id}AP05)"), When::Immediate),
        _ => {}
    }
    if command == "BS50" {
        return pack(content, told);
    }
    let at = place_at(content);
    let Some(at) = at else {
        if matches!(command, "BZ00" | "BP05") {
            cells(content, told.report());
        }
        return Ok(());
    };
    let draft = told.report();
    if command == "BO01" {
        draft.maybe("alarm", content.chars().next().and_then(alarm));
    }
    let day_first = content.starts_with(",G,");
    packed_place(part(content, at, content.len()), day_first, draft)?;
    // A clock that was never set.
    let received_at = told.received_at;
    if told.last().is_timeless() {
        told.last().time(Some(received_at));
    }
    Ok(())
}

/// BS50, a battery's cells and sensors in hex digits. No document of it is known; this is what its
/// messages show.
fn pack(content: &str, told: &mut Told) -> Result<(), Complaint> {
    let bytes: Vec<u8> = (0..content.len() / 2)
        .map_while(|at| hexadecimal(part(content, 2 * at, 2 * at + 2)))
        .map(|v| v as u8)
        .collect();
    let mut c = Cursor::new(&bytes);
    let draft = told.report();
    c.skip(3)?;
    let count = u16::from(c.u8()?).min(CELLS);
    for nth in 1..=CELLS {
        let volts = f64::from(c.u16_le()?) / 1000.0;
        if nth <= count {
            draft.set(("battery_volts", nth), volts);
        }
    }
    c.skip(1)?;
    draft.set("battery_amperes", f64::from(c.i16_le()?) / 100.0);
    draft.set("battery_volts", f64::from(c.u16_le()?) / 100.0);
    draft.set("battery_percent", c.u8()?);
    c.skip(5)?;
    draft.set("battery_cycles", c.u16_le()?);
    c.skip(7)?;
    let sensors = u16::from(c.u8()?).min(CELLS);
    draft.set("power_celsius", i64::from(c.u8()?) - 40);
    draft.set("equilibrium_celsius", i64::from(c.u8()?) - 40);
    for nth in 1..=sensors {
        draft.set(("battery_celsius", nth), i64::from(c.u8()?) - 40);
    }
    c.skip(5)?;
    draft.set("capacity_ampere_hours", f64::from(c.u16_le()?) / 100.0);
    draft.set("discharge_capacity", c.u32_le()?);
    Ok(())
}

/// `{country,network,area,id}`, at most ten.
fn cells(content: &str, draft: &mut Draft) {
    for (nth, cell) in (1..=10).zip(content.split('{').skip(1)) {
        let mut fields = Fields::new(cell.split('}').next().unwrap_or(""), ',');
        let mut whole = || fields.whole().unwrap_or(0);
        draft.cell(nth, (whole() as u16, whole() as u16, whole() as u32, whole() as u64));
    }
}

/// The alarm digit of BO01.
fn alarm(digit: char) -> Option<&'static str> {
    Some(match digit {
        '0' => "powerCut",
        '1' => "accident",
        '2' => "sos",
        '3' => "vibration",
        '4' => "lowSpeed",
        '5' => "overspeed",
        '6' => "geofenceExit",
        _ => return None,
    })
}

/// Where the date of a place begins.
fn place_at(content: &str) -> Option<usize> {
    let bytes = content.as_bytes();
    let letter = bytes.iter().position(|b| matches!(b, b'A' | b'V'))?;
    let from = letter.checked_sub(6)?;
    bytes[from..letter].iter().all(u8::is_ascii_digit).then_some(from)
}

fn packed_place(text: &str, day_first: bool, draft: &mut Draft) -> Result<(), Complaint> {
    let bad = || Complaint::bad("place", text.as_bytes());
    let (date, valid) = (part(text, 0, 6), part(text, 6, 7) == "A");
    let rest = part(text, 7, text.len());
    let north = rest.find(['N', 'S']).ok_or_else(bad)?;
    let (lat, rest) = rest.split_at(north);
    let east = rest.find(['E', 'W']).ok_or_else(bad)?;
    let (lng, rest) = rest.split_at(east);
    let latitude = angle::sided(lat.trim(), part(lng, 0, 1)).ok_or_else(bad)?;
    let longitude = angle::sided(part(lng, 1, lng.len()).trim(), part(rest, 0, 1));
    let longitude = longitude.ok_or_else(bad)?;
    let rest = part(rest, 1, rest.len());
    let (speed, time) = (decimal(part(rest, 0, 5).trim()), part(rest, 5, 11));
    let tail = part(rest, 11, rest.len());
    let (course, state, metres) = match (tail.split_once(','), tail.split_once('L')) {
        (Some((course, _)), _) if day_first => (course, "", ""),
        // The course takes what the state leaves.
        (_, Some((before, metres))) => {
            let at = before.len().saturating_sub(STATE);
            (part(before, 0, at), part(before, at, before.len()), metres)
        }
        _ => (part(tail, 0, 6), part(tail, 6, tail.len()), ""),
    };
    draft.at = Some(Measured {
        lat: latitude,
        lng: longitude,
        valid,
        speed: speed.map(|v| v / 3.6),
        heading: decimal(course.trim()),
        ..Measured::default()
    });
    let moment = if day_first { clock::ddmmyy_hhmmss } else { clock::yymmdd_hhmmss };
    draft.time(moment(date, time));
    if state.len() >= STATE {
        draft.set("charging", part(state, 0, 1) == "0");
        draft.set("ignition", part(state, 1, 2) == "1");
        let digit = |at: usize| hexadecimal(part(state, at, at + 1)).unwrap_or(0);
        draft.set(("input", 2), digit(2) & 1 != 0);
        draft.set("panic", digit(2) & 2 != 0);
        draft.set(("output", 2), digit(2) & 4 != 0);
        if digit(2) & 8 != 0 {
            draft.set("blocked", true);
        }
        for bit in (0..4).filter(|bit| digit(3) >> bit & 1 != 0) {
            draft.set(("high_line", 3 - bit), true);
        }
        draft.maybe("fuel_count", hexadecimal(part(state, 5, 8)));
    }
    draft.maybe("odometer_metres", hexadecimal(part(metres, 0, 8)));
    Ok(())
}

/// The second dialect, behind the id.
fn separated(rest: &str, told: &mut Told) -> Result<(), Complaint> {
    let mut fields = Fields::new(rest, ',');
    let command = fields.text();
    let draft = told.report();
    match command {
        "ZC11" | "DW31" | "DW51" => draft.alarm("movement"),
        "ZC12" | "DW32" => draft.alarm("lowBattery"),
        "ZC13" | "DW33" => draft.alarm("powerCut"),
        "ZC15" | "DW35" => draft.set("ignition", true),
        "ZC16" | "DW36" => draft.set("ignition", false),
        "ZC17" | "DW37" => draft.alarm("removing"),
        "ZC25" | "DW3E" => draft.alarm("sos"),
        "ZC26" | "DW3F" => draft.alarm("tampering"),
        "ZC27" | "DW40" => draft.alarm("lowPower"),
        _ => {}
    }
    match command {
        "ZC20" => {
            let (date, time) = (fields.text(), fields.text());
            draft.time(clock::ddmmyy_hhmmss(date, time));
            draft.maybe("battery_percent", fields.whole().and_then(grade));
            let volts =
                |v: Option<i64>, parts: f64| v.filter(|v| *v != 65_535).map(|v| v as f64 / parts);
            draft.maybe("battery_volts", volts(fields.whole(), 100.0));
            draft.maybe("power_volts", volts(fields.whole(), 10.0));
        }
        "ZC03" => {
            let (date, time) = (fields.text(), fields.text());
            draft.time(clock::ddmmyy_hhmmss(date, time));
            draft.set("command_result", fields.rest().trim_matches('$'));
        }
        "DW50" | "DW51" => {}
        _ => {
            let (date, valid) = (fields.text(), fields.text() == "A");
            let sided = |text: &str| {
                let (value, side) = text.split_at_checked(text.len().checked_sub(1)?)?;
                angle::sided(value, side)
            };
            let (lat, lng) = (sided(fields.text()), sided(fields.text()));
            let (kmh, time, heading) = (fields.decimal(), fields.text(), fields.decimal());
            let (Some(lat), Some(lng)) = (lat, lng) else {
                return Err(Complaint::bad("place", rest.as_bytes()));
            };
            let speed = kmh.map(|v| v / 3.6);
            draft.at = Some(Measured { lng, lat, valid, speed, heading, ..Measured::default() });
            draft.time(clock::ddmmyy_hhmmss(date, time));
        }
    }
    Ok(())
}

/// The battery's grade in percent, as the document's table.
fn grade(grade: i64) -> Option<i64> {
    [0, 5, 10, 20, 50, 80, 100].get(usize::try_from(grade).ok()?).copied()
}

/// The device's id in the first dialect's length.
fn id(speaker: &Speaker) -> String {
    format!("{:0>ID$}", part(&speaker.device, speaker.device.len().saturating_sub(ID), usize::MAX))
}

fn login(speaker: &mut Speaker) -> Sent {
    let device = &speaker.device;
    if device.len() == ID {
        let id = id(speaker);
        return Sent::new(format!("({id}BP00{device:0>15}HSO)"), format!("({id}AP01HSO)"));
    }
    Sent::default()
}

fn message(speaker: &mut Speaker, report: &Report) -> Sent {
    let p = Plain::of(report);
    let (lat, lng) = (angle::shown(p.lat, 2, 5), angle::shown(p.lng, 3, 5));
    let (north, east) = (angle::north(p.lat), angle::east(p.lng));
    let (date, time, status) = (p.ddmmyy(), p.hhmmss(), p.status());
    let device = &speaker.device;
    if device.len() != ID {
        return Sent::unanswered(format!(
            "({device},DW30,{date},{status},{lat}{north},{lng}{east},{:.3},{time},{:.2},0)",
            p.kmh, p.heading,
        ));
    }
    let acc = u8::from(flag(report, "ignition").unwrap_or(false));
    Sent::unanswered(format!(
        "({device}BR00{}{status}{lat}{north}{lng}{east}{:05.1}{time}{:06.2}0{acc}000000L00000000)",
        p.yymmdd(),
        p.kmh,
        p.heading,
    ))
}
