//! Which protocol a stream or datagram speaks, by what it says first.
//!
//! Two steps. [`SIGNATURES`] say how first messages begin: cheap, and enough where one alone fits,
//! or one by a word of its own. Where several fit (`$$` begins seven protocols) their own decoders
//! are tried on what is there, strictly, and one that makes sense of it alone is taken. As long as
//! neither decides more bytes are asked for; the caller bounds how many. Requests and MQTT are told
//! apart by what they ask.
//!
//! What no bytes can tell stays unrecognised: 32 binary bytes of h02 begin as some of jt600 do,
//! without a checksum in either.

use super::{BadFrame, Options, Protocol, Step, Transport, by_name};
use crate::fix::Report;
use crate::id::DeviceId;
use crate::time::Timestamp;

/// So many letters of its own are a word: nobody begins with them by accident.
const WORD: usize = 3;
/// Candidates that are tried at most.
const TRIED_MAX: usize = 16;

/// What first bytes say.
#[derive(Debug, Clone, Copy)]
pub enum Recognised {
    /// Too little to decide; ask again with more. A datagram gets no more: nothing.
    Need,
    /// This protocol, travelling this way.
    As(&'static dyn Protocol, Transport),
    /// No protocol begins like this, or more than one and nothing can tell which.
    Nothing,
}

/// How a first message begins.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// Text: itself, but `%` a digit, `~` a letter or one of ``[\]^_` ``, `?` any printable.
    Text(&'static str),
    /// Bytes: itself below 256, else a kind.
    Bytes(&'static [u16]),
}

/// Any byte.
const ANY: u16 = 0x100;
/// A byte that is no text.
const RAW: u16 = 0x101;
/// 0 to 4.
const FEW: u16 = 0x102;
/// 128 and more.
const HIGH: u16 = 0x103;
/// Two decimal digits.
const BCD: u16 = 0x104;
/// Two decimal digits, but not a second `$`.
const ID: u16 = 0x107;
/// A digit as text.
const DIGIT: u16 = 0x105;
/// A byte that is not 0.
const SOME: u16 = 0x106;

use Mark::{Bytes, Text};

/// First bytes of each protocol. Several lines of one are alternatives.
const SIGNATURES: &[(&str, Mark)] = &[
    ("ais", Text("!??VDM,")),
    ("ais", Text("!??VDO,")),
    ("ais", Text("\\~:")),
    ("aplicom", Bytes(&[b'D' as u16, RAW])),
    ("aplicom", Bytes(&[b'E' as u16, RAW])),
    ("aplicom", Bytes(&[b'F' as u16, RAW])),
    ("aplicom", Bytes(&[b'H' as u16, RAW])),
    ("arnavi", Bytes(&[0xff, 0x22])),
    ("arnavi", Bytes(&[0xff, 0x23])),
    ("arnavi", Bytes(&[0xff, 0x24])),
    ("arnavi", Bytes(&[0xff, 0x25])),
    ("arnavi", Text("$AV,V")),
    ("atrack", Text("@P,")),
    ("atrack", Bytes(&[b'@' as u16, ANY, ANY, ANY, FEW, ANY])),
    ("atrack", Bytes(&[0xfe, 0x02])),
    ("bce", Bytes(&[ANY, ANY, ANY, ANY, ANY, ANY, FEW, 0])),
    ("calamp", Bytes(&[HIGH, FEW])),
    ("calamp", Bytes(&[HIGH, 5])),
    ("calamp", Bytes(&[HIGH, 8])),
    ("castel", Text("@@")),
    ("castel", Bytes(&[b'$' as u16, b'$' as u16, SOME, 0])),
    ("cellocator", Text("MCGP")),
    ("eelink", Bytes(&[0x67, 0x67])),
    ("eelink", Bytes(&[b'E' as u16, b'L' as u16])),
    ("egts", Bytes(&[1, ANY, ANY, 0x0b, 0])),
    ("egts", Bytes(&[1, ANY, ANY, 0x10, 0])),
    ("fifotrack", Text("$$%%,")),
    ("fifotrack", Text("$$%%%,")),
    ("fifotrack", Text("$$%%%%,")),
    ("freematics", Text("?#%")),
    ("freematics", Text("?#EV=")),
    ("freematics", Text("???????#%")),
    ("freematics", Text("???????#EV=")),
    ("freematics", Text("????????#%")),
    ("freematics", Text("????????#EV=")),
    ("freematics", Text("???????????????#%")),
    ("galileo", Bytes(&[1, SOME, ANY, ANY, SOME])),
    ("galileo", Bytes(&[7, ANY, ANY])),
    ("galileo", Bytes(&[8, ANY, ANY])),
    ("gl200", Text("+")),
    ("globalsat", Text("GS~,")),
    ("globalsat", Text("$%%%%%%%%%%%%%%%")),
    ("gosafe", Text("*GS%%,")),
    ("gosafe", Bytes(&[0xf8])),
    ("gps103", Text("imei:")),
    ("gps103", Text("##,imei:")),
    ("gps103", Text("%%%%%%%%%%%%%%%;")),
    ("gpsd", Text("{\"class\"")),
    ("gt06", Bytes(&[0x78, 0x78])),
    ("gt06", Bytes(&[0x79, 0x79])),
    ("h02", Text("*~~,")),
    ("h02", Bytes(&[b'$' as u16, ID, BCD, BCD, BCD, BCD, BCD, BCD, BCD, BCD, BCD, BCD])),
    ("h02", Bytes(&[b'X' as u16, RAW])),
    ("huasheng", Bytes(&[0xc0, 0])),
    ("its", Text("$,")),
    ("its", Text("$Header,")),
    ("its", Text("$~~~,")),
    ("its", Text("$TEL%")),
    ("jt600", Bytes(&[b'$' as u16, ID, BCD, BCD, BCD, BCD])),
    ("jt600", Text("(%%%%%%%%%%%%%%%,U")),
    ("jt600", Text("(%%%%%%%%%%,")),
    ("jt808", Bytes(&[0x7e])),
    ("laipac", Text("$AV~")),
    ("laipac", Text("$ECHK,")),
    ("laipac", Text("$EAV~")),
    ("megastek", Text("STX")),
    ("megastek", Text("LOGSTX,")),
    ("megastek", Text("$MGV")),
    ("megastek", Text("%%%%$MGV")),
    ("megastek", Text("%%%%$")),
    ("meiligao", Bytes(&[b'$' as u16, b'$' as u16, FEW, ANY])),
    ("meitrack", Text("$$~%%,")),
    ("meitrack", Text("$$~%%%,")),
    ("meitrack", Text("$$~%%%%,")),
    ("mictrack", Text("MT;")),
    ("mictrack", Text("%%%%%%%%%%%%%%%$")),
    ("minifinder2", Bytes(&[0xab, ANY])),
    ("navis", Text("@NTC")),
    ("pt502", Text("$POS,")),
    ("pt502", Text("$PH~,")),
    ("retranslator", Bytes(&[ANY, FEW, 0, 0, DIGIT, DIGIT, DIGIT])),
    ("ruptela", Bytes(&[FEW, ANY, 0, FEW])),
    ("starlink", Text("$SLU")),
    ("startek", Text("&&~%")),
    ("suntech", Text("ST%%%")),
    ("suntech", Text("SA%%%")),
    ("suntech", Text("~~~;")),
    ("suntech", Bytes(&[0x81, 0])),
    ("suntech", Bytes(&[0x82, 0])),
    ("suntech", Bytes(&[2, 0])),
    ("t55", Text("$GPRM~,")),
    ("t55", Text("$GNRMC,")),
    ("t55", Text("$GPGGA,")),
    ("t55", Text("$GNGGA,")),
    ("t55", Text("$PGID,")),
    ("t55", Text("$PCPTI,")),
    ("t55", Text("$PSIWMDID,")),
    ("t55", Text("$CONNECT,")),
    ("t55", Text("$TRCCR,")),
    ("t55", Text("%%%%%%%%%%%%%%%\r")),
    ("t55", Text("%%%%%%%%%%%%%%%\n")),
    ("t800x", Bytes(&[0x23, 0x23])),
    ("t800x", Bytes(&[0x25, 0x25])),
    ("t800x", Bytes(&[0x26, 0x26])),
    ("t800x", Bytes(&[0x27, 0x27])),
    ("taip", Text(">~")),
    ("taip", Text("\r\n>~")),
    ("teltonika", Bytes(&[0, 0x0f, DIGIT])),
    ("teltonika", Bytes(&[0, ANY, ANY, ANY, 1, ANY, 0, 0x0f, DIGIT])),
    ("tk103", Text("(%%%%%%%%%%%%")),
    ("topin", Bytes(&[0x78, 0x78])),
    ("totem", Text("$$~~%%%%%%%%")),
    ("totem", Text("$$~%%%%%%%%%")),
    ("totem", Text("$$%~%%%%%%%%%")),
    ("totem", Text("$$%%%%~~")),
    ("totem", Text("$$%%%%~%")),
    ("totem", Text("$$%%%%%~")),
    ("totem", Text("$$%%%%%%%%%%")),
    ("trv", Text("TRV")),
    ("trv", Text("IW~")),
    ("ulbotech", Text("*TS%%,")),
    ("ulbotech", Bytes(&[0xf8, 1])),
    ("upro", Text("*~~2%")),
    ("watch", Text("[?~*")),
    ("wialon", Text("#~#")),
    ("wialon", Text("#~~#")),
    ("wialon", Text("%%%%%%%%%%%%%%%#~")),
    ("xexun", Text("GPRMC,")),
    ("xexun", Text("%%%%%%%%%%%%,")),
    ("xexun", Text(",+")),
    ("xexun2", Bytes(&[0xfa, 0xaf])),
    ("xirgo", Text("$$%%%%%%%%%,")),
    ("xirgo", Text("$$%%%%%%%%%%%%%%%,")),
];

/// How far bytes follow a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    No,
    /// As far as they go.
    SoFar,
    Yes,
}

impl Mark {
    fn fit(self, bytes: &[u8]) -> Fit {
        let (length, fits) = match self {
            Text(text) => (text.len(), bytes.iter().zip(text.bytes()).all(|(b, t)| letter(t, *b))),
            Bytes(marks) => (marks.len(), bytes.iter().zip(marks).all(|(b, m)| kind(*m, *b))),
        };
        match fits {
            false => Fit::No,
            true if bytes.len() < length => Fit::SoFar,
            true => Fit::Yes,
        }
    }

    /// Letters of its own; none of a mark of bytes.
    fn own(self) -> usize {
        match self {
            Text(text) => text.bytes().filter(|t| !b"%~?".contains(t)).count(),
            Bytes(_) => 0,
        }
    }
}

fn letter(mark: u8, byte: u8) -> bool {
    match mark {
        b'%' => byte.is_ascii_digit(),
        b'~' => (b'A'..=b'z').contains(&byte),
        b'?' => byte.is_ascii_graphic(),
        mark => mark == byte,
    }
}

fn kind(mark: u16, byte: u8) -> bool {
    match mark {
        ANY => true,
        RAW => !byte.is_ascii_graphic(),
        FEW => byte <= 4,
        HIGH => byte >= 0x80,
        BCD => byte >> 4 <= 9 && byte & 15 <= 9,
        ID => byte != b'$' && kind(BCD, byte),
        DIGIT => byte.is_ascii_digit(),
        SOME => byte > 0,
        mark => mark == u16::from(byte),
    }
}

/// What the beginning of a stream ([`Transport::Tcp`]), or a whole datagram, speaks.
pub fn recognise(bytes: &[u8], transport: Transport) -> Recognised {
    let whole = transport == Transport::Udp;
    if !whole {
        match asked(bytes) {
            Some(Asked::So(name, how)) => {
                return by_name(name).map_or(Recognised::Nothing, |p| Recognised::As(p, how));
            }
            Some(Asked::Need) => return Recognised::Need,
            None => {}
        }
    }
    let mut fitting: Vec<Candidate> = Vec::new();
    let mut open = false;
    for (name, mark) in SIGNATURES {
        let fit = mark.fit(bytes);
        if fit == Fit::No {
            continue;
        }
        let Some(protocol) = by_name(name).filter(|p| p.transports().contains(&transport)) else {
            continue;
        };
        let (own, room) = (mark.own(), fitting.len() < TRIED_MAX);
        match fitting.iter_mut().find(|c| c.protocol.name() == *name) {
            Some(before) if fit == Fit::Yes => before.own = before.own.max(own),
            None if fit == Fit::Yes && room => {
                fitting.push(Candidate { protocol, own });
            }
            Some(_) => {}
            None => open = true,
        }
    }
    let most = fitting.iter().map(|c| c.own).max().unwrap_or(0);
    if most >= WORD {
        fitting.retain(|c| c.own == most);
        open = false;
    }
    match fitting.as_slice() {
        [] if open && !whole => Recognised::Need,
        [] => Recognised::Nothing,
        [one] if !open || whole => Recognised::As(one.protocol, transport),
        several => decided(several, open, bytes, transport),
    }
}

/// A protocol that may begin like this.
struct Candidate {
    protocol: &'static dyn Protocol,
    /// Letters of its own that are there.
    own: usize,
}

/// What a decoder makes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    /// It complains.
    No,
    /// It waits for the end of a frame.
    Begun,
    /// It has taken all of it and has nothing to say.
    Quiet,
    /// It names a device, reports, answers, or lacks nothing but an identity.
    Yes,
}

/// Protocols whose first message carries a checksum: that it holds is no accident.
const PROVEN: &[&str] = &[
    "bce",
    "castel",
    "cellocator",
    "egts",
    "fifotrack",
    "galileo",
    "gt06",
    "jt808",
    "meiligao",
    "meitrack",
    "minifinder2",
    "navis",
    "ruptela",
    "startek",
    "totem",
    "ulbotech",
    "xexun2",
];

/// The one of several whose decoder makes sense of it, or whose checksum holds, alone.
fn decided(several: &[Candidate], open: bool, bytes: &[u8], transport: Transport) -> Recognised {
    let udp = transport == Transport::Udp;
    let tried = several.iter().map(|c| (c, tried(c.protocol, bytes, transport)));
    let tried: Vec<_> = tried.filter(|(_, trial)| *trial != Trial::No).collect();
    let of = |which: Trial| tried.iter().filter(move |(_, t)| *t == which).map(|(c, _)| *c);
    let sure: Vec<_> = of(Trial::Yes).collect();
    let proven = |c: &&Candidate| PROVEN.contains(&c.protocol.name());
    let holds: Vec<_> = sure.iter().copied().filter(proven).collect();
    let begun = of(Trial::Begun).count();
    match (sure.as_slice(), holds.as_slice()) {
        (_, [one]) => Recognised::As(one.protocol, transport),
        // Binary fields without a checksum make sense easily: the others are heard out.
        ([one], _) if one.own == 0 && begun > 0 && !udp => Recognised::Need,
        ([one], _) => Recognised::As(one.protocol, transport),
        ([_, ..], _) => Recognised::Nothing,
        _ => match tried.as_slice() {
            [(one, Trial::Quiet)] if !open => Recognised::As(one.protocol, transport),
            [] if !open => Recognised::Nothing,
            _ if udp => Recognised::Nothing,
            _ => Recognised::Need,
        },
    }
}

/// Feeds a decoder of its own and looks at the first that comes of it.
fn tried(protocol: &dyn Protocol, bytes: &[u8], transport: Transport) -> Trial {
    let Ok(nobody) = DeviceId::new("-") else { return Trial::No };
    let mut decoder = protocol.decoder(transport, &Options::default());
    decoder.feed(bytes, Timestamp::default());
    match decoder.poll(&mut Report::of(nobody)) {
        Ok(Step::Identify(_) | Step::Report | Step::Reply { .. }) => Trial::Yes,
        Err(error) if error.kind == BadFrame::NoIdentity => Trial::Yes,
        Ok(Step::NeedBytes) if !decoder.mid_frame() => Trial::Quiet,
        Ok(Step::NeedBytes) => Trial::Begun,
        Ok(Step::Close) | Err(_) => Trial::No,
    }
}

/// What a request or an MQTT client asks for.
enum Asked {
    So(&'static str, Transport),
    Need,
}

const METHODS: [&str; 6] = ["GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE "];
const CONNECT: [&[u16]; 2] = [
    &[0x10, ANY, 0, 4, b'M' as u16, b'Q' as u16, b'T' as u16, b'T' as u16],
    &[0x10, HIGH, ANY, 0, 4, b'M' as u16, b'Q' as u16, b'T' as u16, b'T' as u16],
];

fn asked(bytes: &[u8]) -> Option<Asked> {
    let mqtt = CONNECT.map(|mark| Bytes(mark).fit(bytes));
    if mqtt.contains(&Fit::Yes) {
        return Some(Asked::So("owntracks", Transport::Mqtt));
    }
    let methods = METHODS.map(|m| Text(m).fit(bytes));
    if methods.contains(&Fit::Yes) {
        return Some(request(bytes));
    }
    let begun = mqtt.contains(&Fit::SoFar) || methods.contains(&Fit::SoFar);
    begun.then_some(Asked::Need)
}

/// A request is told by its path, its query's names, or the first name in its body.
fn request(bytes: &[u8]) -> Asked {
    let Some(head) = position(bytes, b"\r\n\r\n") else { return Asked::Need };
    let (head, body) = (&bytes[..head], &bytes[head + 4..]);
    let line = head.split(|b| *b == b'\r').next().unwrap_or_default();
    let target = line.split(|b| *b == b' ').nth(1).unwrap_or_default();
    let http = |name| Asked::So(name, Transport::Http);
    if target.starts_with(b"/log") {
        return http("phonetrack");
    }
    let has = |within: &[u8], names: [&str; 3]| {
        names.iter().any(|name| position(within, name.as_bytes()).is_some())
    };
    if has(target, ["aid=", "ser=", "profile="]) || has(body, ["aid=", "ser=", "\"aid\""]) {
        return http("gpslogger");
    }
    let body = body.trim_ascii_start();
    match body.first() {
        Some(b'[') => http("flespi"),
        Some(b'{') if has(body, ["\"_type\"", "\"_type\"", "\"tst\""]) => http("owntracks"),
        Some(b'{') if position(body, b"\"locations\"").is_some() => http("overland"),
        Some(b'{') if !body.trim_ascii_end().ends_with(b"}") => Asked::Need,
        None if position(&head.to_ascii_lowercase(), b"content-length: 0").is_none()
            && head.starts_with(b"P") =>
        {
            Asked::Need
        }
        _ => http("osmand"),
    }
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests;
