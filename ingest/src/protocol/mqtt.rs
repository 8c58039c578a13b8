//! MQTT's packets: those that a client sends, read and written, and the answers to them.
//!
//! ```text
//! type<<4|flags, length of the rest (7 bits a byte, low first, at most 4 bytes), the rest
//! CONNECT     1 0  "MQTT", level (4: 3.1.1, 5), flags, keep alive s, [properties,] client id,
//!                  [[will properties,] will topic, will message,] [user,] [password]
//! PUBLISH     3 dup<<3|qos<<1|retain  topic, [id if qos > 0,] [properties,] message
//! PUBREL      6 2  id, [reason, properties]
//! SUBSCRIBE   8 2  id, [properties,] (filter, options)..
//! UNSUBSCRIBE a 2  id, [properties,] filter..
//! PINGREQ     c 0
//! DISCONNECT  e 0  [reason, properties]
//! ```
//! Numbers are big-endian, texts and binaries have a length of 16 bits in front; what stands in
//! brackets is of version 5, or where a flag says so. Properties are stepped over by their length.
//!
//! Source: MQTT 3.1.1 (OASIS, 2014) and MQTT 5.0 (OASIS, 2019). Not spoken: AUTH, topic aliases
//! (none are offered), 3.1's `MQIsdp`.

use bytes::Bytes;

use super::BadFrame;
use super::cursor::Cursor;
use super::wire::{Complaint, Cut};

/// Most filters of one subscription.
const FILTERS_MAX: usize = 64;
/// Bytes of a length at most, by the standard.
const LENGTH_BYTES_MAX: usize = 4;

/// CONNACK of 3.1.1: a version that is not spoken.
pub(super) const WRONG_VERSION: u8 = 1;
/// CONNACK of 3.1.1: a client id that is not taken.
pub(super) const WRONG_CLIENT: u8 = 2;
/// PINGRESP.
pub(super) const PONG: &[u8] = &[0xd0, 0];

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBREL: u8 = 6;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;

const CLEAN: u8 = 0x02;
const WILL: u8 = 0x04;
const PASSWORD: u8 = 0x40;
const USER: u8 = 0x80;

/// The version of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.1.1.
    V311,
    /// 5.0.
    V5,
}

/// The first packet of a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Connect<'a> {
    /// `None`: of a level that is not spoken; then nothing else has been read.
    pub(super) version: Option<Version>,
    pub(super) level: u8,
    pub(super) clean: bool,
    /// 0: none.
    pub(super) keep_alive_s: u16,
    pub(super) client: &'a str,
    /// Where its last will goes.
    pub(super) will: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a [u8]>,
}

/// A message of a topic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Publish<'a> {
    pub(super) topic: &'a str,
    /// 0 to 2.
    pub(super) qos: u8,
    /// 0 where `QoS` is 0.
    pub(super) id: u16,
    pub(super) payload: &'a [u8],
}

/// A packet of a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Packet<'a> {
    Connect(Connect<'a>),
    Publish(Publish<'a>),
    Release(u16),
    Subscribe {
        id: u16,
        /// Filters with the `QoS` that is asked for, at most [`FILTERS_MAX`].
        wanted: Vec<(&'a str, u8)>,
    },
    Unsubscribe {
        id: u16,
        /// At most [`FILTERS_MAX`].
        filters: Vec<&'a str>,
    },
    Ping,
    Disconnect,
}

/// What CONNACK grants beside the connection; version 5 alone says it.
#[derive(Debug, Clone, Default)]
pub(super) struct Granted {
    pub(super) packet_max: u32,
    /// Instead of the keep alive that was asked for.
    pub(super) keep_alive_s: Option<u16>,
    /// Instead of an empty client id.
    pub(super) client: Option<String>,
}

/// The next packet, at most `most` bytes. `first`: it must be CONNECT.
pub(super) fn cut(bytes: &[u8], first: bool, most: usize) -> Cut {
    let Some((head, rest)) = bytes.split_first() else { return Cut::Need };
    let lost = |kind, reason: String| Cut::Lost { kind, reason, answer: Bytes::new() };
    let flags_hold = match head >> 4 {
        PUBLISH => head & 0x06 != 0x06,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => head % 16 == 2,
        CONNECT | PINGREQ | DISCONNECT => head % 16 == 0,
        _ => false,
    };
    if !flags_hold || (first && head >> 4 != CONNECT) {
        let expected = if first { "CONNECT" } else { "a packet of a client" };
        let reason = format!("`{head:02x}` begins no packet, expected {expected}");
        return lost(BadFrame::Malformed, reason);
    }
    match length(rest) {
        Ok(None) => Cut::Need,
        Ok(Some((length, used))) if 1 + used + length <= most => {
            Cut::of_length(1 + used + length, bytes, most)
        }
        Ok(Some(_)) => lost(BadFrame::Length, format!("packet longer than {most} bytes")),
        Err(TooLong) => lost(BadFrame::Length, "length of more than 4 bytes".into()),
    }
}

struct TooLong;

/// A length and its own bytes; `None`: not all of it is there.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, TooLong> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() < LENGTH_BYTES_MAX { Ok(None) } else { Err(TooLong) }
}

type Read<T> = Result<T, Complaint>;

fn wrong(what: &str) -> Complaint {
    Complaint::new(BadFrame::Malformed, 0, format!("{what} is not as the standard has it"))
}

fn binary<'a>(cursor: &mut Cursor<'a>) -> Read<&'a [u8]> {
    let length = cursor.u16()?;
    cursor.take(length.into())
}

fn words<'a>(cursor: &mut Cursor<'a>) -> Read<&'a str> {
    let bytes = binary(cursor)?;
    let text = std::str::from_utf8(bytes).ok().filter(|t| !t.contains('\0'));
    text.ok_or_else(|| Complaint::bad("text", bytes))
}

/// Steps over the properties of version 5.
fn properties(cursor: &mut Cursor<'_>, version: Version) -> Read<()> {
    if version == Version::V311 {
        return Ok(());
    }
    match length(cursor.rest()) {
        Ok(Some((length, used))) => cursor.skip(used + length),
        _ => Err(wrong("length of properties")),
    }
}

fn id_of(cursor: &mut Cursor<'_>) -> Read<u16> {
    let id = cursor.u16()?;
    if id == 0 { Err(wrong("packet id `0`")) } else { Ok(id) }
}

impl<'a> Packet<'a> {
    /// Reads a whole packet as [`cut`] found it.
    pub(super) fn read(frame: &'a [u8], version: Version) -> Read<Self> {
        let (head, rest) = frame.split_first().ok_or_else(|| Complaint::short(0))?;
        let Ok(Some((length, used))) = length(rest) else { return Err(wrong("length")) };
        let body = rest.get(used..used + length).ok_or_else(|| Complaint::short(frame.len()))?;
        let cursor = &mut Cursor::new(body);
        let packet = match head >> 4 {
            CONNECT => return connect(cursor).map(Self::Connect),
            PUBLISH => return publish(cursor, head >> 1 & 3, version).map(Self::Publish),
            PUBREL => return id_of(cursor).map(Self::Release),
            SUBSCRIBE => {
                let id = id_of(cursor)?;
                properties(cursor, version)?;
                let one = |c: &mut Cursor<'a>| Ok((words(c)?, c.u8()? & 0x03));
                Self::Subscribe { id, wanted: filters(cursor, one)? }
            }
            UNSUBSCRIBE => {
                let id = id_of(cursor)?;
                properties(cursor, version)?;
                Self::Unsubscribe { id, filters: filters(cursor, words)? }
            }
            PINGREQ => Self::Ping,
            DISCONNECT => Self::Disconnect,
            _ => return Err(wrong("type of packet")),
        };
        Ok(packet)
    }

    /// As a client sends it. Texts longer than 65,535 bytes are cut by none that call this.
    pub(super) fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = Vec::new();
        let head = match self {
            Self::Connect(connect) => {
                put_connect(&mut body, connect);
                CONNECT << 4
            }
            Self::Publish(publish) => {
                put(&mut body, publish.topic.as_bytes());
                if publish.qos > 0 {
                    body.extend(publish.id.to_be_bytes());
                }
                put_properties(&mut body, version, &[]);
                body.extend(publish.payload);
                PUBLISH << 4 | publish.qos << 1
            }
            Self::Release(id) => {
                body.extend(id.to_be_bytes());
                PUBREL << 4 | 2
            }
            Self::Subscribe { id, wanted } => {
                body.extend(id.to_be_bytes());
                put_properties(&mut body, version, &[]);
                for (filter, qos) in wanted {
                    put(&mut body, filter.as_bytes());
                    body.push(*qos);
                }
                SUBSCRIBE << 4 | 2
            }
            Self::Unsubscribe { id, filters } => {
                body.extend(id.to_be_bytes());
                put_properties(&mut body, version, &[]);
                for filter in filters {
                    put(&mut body, filter.as_bytes());
                }
                UNSUBSCRIBE << 4 | 2
            }
            Self::Ping => PINGREQ << 4,
            Self::Disconnect => DISCONNECT << 4,
        };
        framed(head, &body)
    }
}

fn filters<'a, T>(
    cursor: &mut Cursor<'a>,
    one: impl Fn(&mut Cursor<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    let mut all = Vec::new();
    while cursor.left() > 0 && all.len() < FILTERS_MAX {
        all.push(one(cursor)?);
    }
    if all.is_empty() || cursor.left() > 0 { Err(wrong("number of filters")) } else { Ok(all) }
}

impl Connect<'_> {
    /// Nobody's, of a version.
    pub(super) const fn of(version: Version) -> Self {
        Self {
            version: Some(version),
            level: match version {
                Version::V311 => 4,
                Version::V5 => 5,
            },
            clean: false,
            keep_alive_s: 0,
            client: "",
            will: None,
            user: None,
            password: None,
        }
    }
}

fn connect<'a>(cursor: &mut Cursor<'a>) -> Read<Connect<'a>> {
    if words(cursor)? != "MQTT" {
        return Err(wrong("name of the protocol"));
    }
    let version = match cursor.u8()? {
        4 => Version::V311,
        5 => Version::V5,
        level => return Ok(Connect { version: None, level, ..Connect::of(Version::V311) }),
    };
    let flags = cursor.u8()?;
    let has = |flag: u8| flags & flag != 0;
    let will_bits = flags >> 3 & 7;
    let alone = version == Version::V311 && has(PASSWORD) && !has(USER);
    if has(1) || alone || will_bits & 3 == 3 || (!has(WILL) && will_bits > 0) {
        return Err(wrong("flags of CONNECT"));
    }
    let mut connect =
        Connect { clean: has(CLEAN), keep_alive_s: cursor.u16()?, ..Connect::of(version) };
    properties(cursor, version)?;
    connect.client = words(cursor)?;
    if has(WILL) {
        properties(cursor, version)?;
        connect.will = Some(words(cursor)?);
        binary(cursor)?;
    }
    connect.user = has(USER).then(|| words(cursor)).transpose()?;
    connect.password = has(PASSWORD).then(|| binary(cursor)).transpose()?;
    if cursor.left() > 0 { Err(wrong("end of CONNECT")) } else { Ok(connect) }
}

fn publish<'a>(cursor: &mut Cursor<'a>, qos: u8, version: Version) -> Read<Publish<'a>> {
    let topic = words(cursor)?;
    if topic.is_empty() || topic.contains(['+', '#']) {
        return Err(wrong("topic"));
    }
    let id = if qos > 0 { id_of(cursor)? } else { 0 };
    properties(cursor, version)?;
    Ok(Publish { topic, qos, id, payload: cursor.rest() })
}

fn put(body: &mut Vec<u8>, text: &[u8]) {
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text);
}

fn put_length(body: &mut Vec<u8>, mut length: usize) {
    loop {
        let more = if length > 0x7f { 0x80 } else { 0 };
        body.push((length & 0x7f) as u8 | more);
        length >>= 7;
        if length == 0 {
            return;
        }
    }
}

fn put_properties(body: &mut Vec<u8>, version: Version, all: &[u8]) {
    if version == Version::V5 {
        put_length(body, all.len());
        body.extend(all);
    }
}

fn put_connect(body: &mut Vec<u8>, connect: &Connect<'_>) {
    put(body, b"MQTT");
    body.push(connect.level);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let (will, user) = (connect.will.is_some(), connect.user.is_some());
    let password = connect.password.is_some();
    body.push(
        flag(connect.clean, CLEAN) | flag(will, WILL) | flag(user, USER) | flag(password, PASSWORD),
    );
    body.extend(connect.keep_alive_s.to_be_bytes());
    let version = connect.version.unwrap_or(Version::V311);
    put_properties(body, version, &[]);
    put(body, connect.client.as_bytes());
    if let Some(topic) = connect.will {
        put_properties(body, version, &[]);
        put(body, topic.as_bytes());
        put(body, br#"{"_type":"lwt"}"#);
    }
    connect.user.iter().for_each(|user| put(body, user.as_bytes()));
    connect.password.iter().for_each(|password| put(body, password));
}

fn framed(head: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![head];
    put_length(&mut packet, body.len());
    packet.extend(body);
    packet
}

/// CONNACK: taken. A session is never kept.
pub(super) fn connected(version: Version, granted: &Granted) -> Bytes {
    let mut body = vec![0, 0];
    if version == Version::V5 {
        // Session expiry interval 0, maximum packet size, server keep alive, assigned client id.
        let mut all = vec![0x11, 0, 0, 0, 0, 0x27];
        all.extend(granted.packet_max.to_be_bytes());
        if let Some(seconds) = granted.keep_alive_s {
            all.push(0x13);
            all.extend(seconds.to_be_bytes());
        }
        if let Some(client) = &granted.client {
            all.push(0x12);
            put(&mut all, client.as_bytes());
        }
        put_properties(&mut body, version, &all);
    }
    framed(0x20, &body).into()
}

/// CONNACK: not taken, for a reason of the version's own list.
pub(super) fn refused(version: Version, reason: u8) -> Bytes {
    let mut body = vec![0, reason];
    put_properties(&mut body, version, &[]);
    framed(0x20, &body).into()
}

/// CONNACK: this device may not.
pub(super) const fn not_authorised(version: Version) -> &'static [u8] {
    match version {
        Version::V311 => &[0x20, 2, 0, 5],
        Version::V5 => &[0x20, 3, 0, 0x87, 0],
    }
}

/// PUBACK or PUBREC: the message is stored. `None`: it wants no answer.
pub(super) fn taken(publish: &Publish<'_>) -> Option<Bytes> {
    let head = match publish.qos {
        0 => return None,
        1 => 0x40,
        _ => 0x50,
    };
    Some(framed(head, &publish.id.to_be_bytes()).into())
}

/// PUBCOMP: the end of a message of `QoS` 2.
pub(super) fn completed(id: u16) -> Bytes {
    framed(0x70, &id.to_be_bytes()).into()
}

/// SUBACK: granted, at most `QoS` 1.
pub(super) fn subscribed(version: Version, id: u16, wanted: &[(&str, u8)]) -> Bytes {
    let mut body = id.to_be_bytes().to_vec();
    put_properties(&mut body, version, &[]);
    body.extend(wanted.iter().map(|(_, qos)| (*qos).min(1)));
    framed(0x90, &body).into()
}

/// UNSUBACK.
pub(super) fn unsubscribed(version: Version, id: u16, filters: usize) -> Bytes {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        put_properties(&mut body, version, &[]);
        body.extend(std::iter::repeat_n(0, filters));
    }
    framed(0xb0, &body).into()
}
