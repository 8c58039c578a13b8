//! Which protocol a stream or datagram speaks, by what it says first.
//!
//! Two steps. [`Protocol::signatures`] say how first messages begin: cheap, and enough where one alone fits,
//! or one by a word of its own. Where several fit (`$$` begins seven protocols) their own decoders
//! are tried on what is there, strictly, and one that makes sense of it alone is taken. As long as
//! neither decides more bytes are asked for; the caller bounds how many. Requests and MQTT are told
//! apart by what they ask.
//!
//! What no bytes can tell stays unrecognised: 32 binary bytes of h02 begin as some of jt600 do,
//! without a checksum in either.

use super::{BadFrame, Options, PROTOCOLS, Protocol, Step, Transport, by_name};
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
pub enum Mark {
    /// Text: itself, but `%` a digit, `~` a letter or one of ``[\]^_` ``, `?` any printable.
    Text(&'static str),
    /// Bytes: itself below 256, else a kind.
    Bytes(&'static [u16]),
}

impl Mark {
    /// Any byte.
    pub const ANY: u16 = 0x100;
    /// A byte that is no text.
    pub const RAW: u16 = 0x101;
    /// 0 to 4.
    pub const FEW: u16 = 0x102;
    /// 128 and more.
    pub const HIGH: u16 = 0x103;
    /// Two decimal digits.
    pub const BCD: u16 = 0x104;
    /// A digit as text.
    pub const DIGIT: u16 = 0x105;
    /// A byte that is not 0.
    pub const SOME: u16 = 0x106;
    /// Two decimal digits, but not a second `$`.
    pub const ID: u16 = 0x107;
}

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
            Self::Text(text) => {
                (text.len(), bytes.iter().zip(text.bytes()).all(|(b, t)| letter(t, *b)))
            }
            Self::Bytes(marks) => (marks.len(), bytes.iter().zip(marks).all(|(b, m)| kind(*m, *b))),
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
            Self::Text(text) => text.bytes().filter(|t| !b"%~?".contains(t)).count(),
            Self::Bytes(_) => 0,
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
        Mark::ANY => true,
        Mark::RAW => !byte.is_ascii_graphic(),
        Mark::FEW => byte <= 4,
        Mark::HIGH => byte >= 0x80,
        Mark::BCD => byte >> 4 <= 9 && byte & 15 <= 9,
        Mark::ID => byte != b'$' && kind(Mark::BCD, byte),
        Mark::DIGIT => byte.is_ascii_digit(),
        Mark::SOME => byte > 0,
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
    let marks = PROTOCOLS.iter().flat_map(|p| p.signatures().iter().map(move |m| (*p, m)));
    for (protocol, mark) in marks {
        let fit = mark.fit(bytes);
        if fit == Fit::No || !protocol.transports().contains(&transport) {
            continue;
        }
        let (own, room) = (mark.own(), fitting.len() < TRIED_MAX);
        match fitting.iter_mut().find(|c| c.protocol.name() == protocol.name()) {
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
    &[0x10, Mark::ANY, 0, 4, b'M' as u16, b'Q' as u16, b'T' as u16, b'T' as u16],
    &[0x10, Mark::HIGH, Mark::ANY, 0, 4, b'M' as u16, b'Q' as u16, b'T' as u16, b'T' as u16],
];

fn asked(bytes: &[u8]) -> Option<Asked> {
    let mqtt = CONNECT.map(|mark| Mark::Bytes(mark).fit(bytes));
    if mqtt.contains(&Fit::Yes) {
        return Some(Asked::So("owntracks", Transport::Mqtt));
    }
    let methods = METHODS.map(|m| Mark::Text(m).fit(bytes));
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
