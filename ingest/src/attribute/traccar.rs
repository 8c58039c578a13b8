//! Traccar's names and units, for `milepost decode --keys traccar` and for phones that send them.

use std::borrow::Cow;

use super::spelling::{self, Spelling};
use super::{Attribute, Key, Name, OTHER_MAX, TEXT_MAX, Value};

/// An attribute under Traccar's name and in its unit.
pub fn to_traccar(key: &Key<'_>, value: &Value<'_>) -> (String, Value<'static>) {
    let (name, value) = spelled(key, value, None);
    (name, value.into_owned())
}

/// The same as Traccar writes it for devices of a protocol, where units and names of its decoders
/// differ from each other.
pub fn to_traccar_of(protocol: &str, key: &Key<'_>, value: &Value<'_>) -> (String, Value<'static>) {
    let spelling = match key {
        Key::Known(name, number) => spelling::of(protocol, name.as_str(), *number),
        _ => None,
    };
    let (name, value) = spelled(key, value, spelling);
    (name, value.into_owned())
}

fn spelled<'a>(
    key: &Key<'_>,
    value: &Value<'a>,
    spelling: Option<&Spelling>,
) -> (String, Value<'a>) {
    let Key::Known(name, number) = key else { return (key.to_string(), value.clone()) };
    let known = name.entry();
    let theirs = spelling.map(|s| s.theirs).filter(|n| !n.is_empty()).unwrap_or(known.traccar);
    if let Some((before, after)) = theirs.split_once('%') {
        let value = times(value, known.traccar_factor.thousandths);
        let theirs = format!("{before}{}{after}", number.saturating_sub(1));
        return (theirs, spelling.map_or(value.clone(), |s| s.form(value)));
    }
    let theirs = match (number, theirs.split_once('#')) {
        (0, None) => theirs.to_owned(),
        (n, None) => format!("{theirs}{n}"),
        (n, Some((before, after))) => format!("{before}{n}{after}"),
    };
    let value = times(value, known.traccar_factor.thousandths);
    (theirs, spelling.map_or(value.clone(), |s| s.form(value)))
}

/// An attribute of ours for Traccar's name and unit: a registered key, `io<N>`, or the sender's
/// own name, cut to what a key may hold. `None` for an empty name.
pub fn from_traccar<'a>(name: &'a str, value: Value<'a>) -> Option<(Key<'a>, Value<'a>)> {
    if let Some(io) = name.strip_prefix("io").and_then(|n| canonical(n)?.parse().ok()) {
        return Some((Key::Io(io), value));
    }
    if let Some((known, number)) = registered(name) {
        return Some((Key::Known(known, number), divided(value, known.entry())));
    }
    let name = cut(name, OTHER_MAX);
    (!name.is_empty()).then_some((Key::Other(Cow::Borrowed(name)), value))
}

/// The part of a text that fits into `most` bytes, whole characters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let end = text.floor_char_boundary(most);
    text.get(..end).unwrap_or("")
}

/// A text value: cut to [`TEXT_MAX`], with NULs at its end, which pad fixed fields, removed.
pub(crate) fn text_value(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(cut(text.trim_end_matches('\0'), TEXT_MAX)))
}

/// Longest name of Traccar's in the registry, bytes, and digits of a number.
const THEIRS_MAX: usize = 40;
const DIGITS_MAX: usize = 5;

/// The first line of the registry that a name of Traccar's fits, and the number in it.
fn registered(name: &str) -> Option<(Name, u16)> {
    if name.len() > THEIRS_MAX + DIGITS_MAX {
        return None;
    }
    let mut found = Name::of_traccar(name).filter(|n| !n.is_numbered()).map(|n| (n, 0));
    if !name.bytes().any(|b| b.is_ascii_digit()) {
        return found;
    }
    let mut offer = |offered: Option<(Name, u16)>| {
        found = [found, offered].into_iter().flatten().min();
    };
    let runs = digits_of(name);
    for (from, to) in runs {
        let (before, after) = (name.get(..from)?, name.get(to..)?);
        offer(number(name.get(from..to)?).and_then(|n| Some((within(before, after)?, n))));
        if after.is_empty() {
            for at in from..to {
                let (stem, digits) = name.split_at_checked(at)?;
                let line = Name::of_traccar(stem).filter(|n| !n.is_numbered());
                offer(line.zip(number(digits)));
            }
        }
    }
    found
}

/// Where the runs of digits in a name begin and end.
fn digits_of(name: &str) -> impl Iterator<Item = (usize, usize)> {
    let digit = |at: usize| name.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    (0..name.len())
        .filter(move |at| digit(*at) && (*at == 0 || !digit(at - 1)))
        .map(move |from| (from, (from..name.len()).find(|at| !digit(*at)).unwrap_or(name.len())))
}

/// The line whose name has its number between these.
fn within(before: &str, after: &str) -> Option<Name> {
    let mut theirs = [0; THEIRS_MAX];
    let length = before.len() + 1 + after.len();
    let (head, rest) = theirs.get_mut(..length)?.split_at_mut(before.len());
    head.copy_from_slice(before.as_bytes());
    let (mark, tail) = rest.split_first_mut()?;
    *mark = b'#';
    tail.copy_from_slice(after.as_bytes());
    Name::of_traccar(std::str::from_utf8(&theirs[..length]).ok()?)
}

/// The number of a key, from 1.
fn number(digits: &str) -> Option<u16> {
    canonical(digits)?.parse().ok().filter(|n| *n > 0)
}

/// Digits that are written back as they came.
fn canonical(digits: &str) -> Option<&str> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    (plain && (digits == "0" || !digits.starts_with('0'))).then_some(digits)
}

fn times<'a>(value: &Value<'a>, thousandths: i64) -> Value<'a> {
    match value {
        Value::Int(v) if thousandths % 1000 == 0 => {
            Value::Int(v.saturating_mul(thousandths / 1000))
        }
        Value::Int(v) => Value::Float(*v as f64 * thousandths as f64 / 1000.0),
        Value::Float(v) => Value::Float(v * thousandths as f64 / 1000.0),
        other => other.clone(),
    }
}

fn divided<'a>(value: Value<'a>, known: &Attribute) -> Value<'a> {
    let thousandths = known.traccar_factor.thousandths;
    match value {
        _ if thousandths == 1000 => value,
        Value::Int(v) if v.checked_mul(1000).is_some_and(|v| v % thousandths == 0) => {
            Value::Int(v * 1000 / thousandths)
        }
        Value::Int(v) => Value::Float(v as f64 * 1000.0 / thousandths as f64),
        Value::Float(v) => Value::Float(v * 1000.0 / thousandths as f64),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::REGISTRY;
    use super::*;

    /// The number in a name, found by trying a line.
    fn number_in(known: &Attribute, name: &str) -> Option<u16> {
        match known.traccar.split_once('#') {
            Some((before, after)) => number(name.strip_prefix(before)?.strip_suffix(after)?),
            None => match name.strip_prefix(known.traccar)? {
                "" => Some(0),
                digits => number(digits),
            },
        }
    }

    #[test]
    fn a_name_is_that_of_the_first_line_that_fits() {
        let digits = ["", "0", "1", "2", "01", "12", "65535", "65536"];
        for line in REGISTRY {
            assert!(line.traccar.len() <= THEIRS_MAX);
            assert!(!["i", "io", "io#"].contains(&line.traccar), "`io7` is a number alone");
            for digits in digits {
                for name in [
                    line.traccar.replace('#', digits),
                    format!("{}{digits}", line.traccar),
                    format!("{digits}{}", line.traccar),
                    format!("{}{digits}x", line.traccar),
                ] {
                    let slow = REGISTRY.iter().find_map(|a| Some((a.name, number_in(a, &name)?)));
                    let fast = registered(&name).map(|(name, n)| (name.as_str(), n));
                    assert_eq!(fast, slow, "{name}");
                }
            }
        }
    }
}
