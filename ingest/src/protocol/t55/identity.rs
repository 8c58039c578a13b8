//! Lines and prefixes that name the device.

use crate::id::DeviceId;

/// Lines that begin so name their device; it ends before the first of the characters given.
const LINES: &[(&str, &[char])] = &[
    ("$PGID,", &['*']),
    ("$GPFID,", &['*']),
    ("$PSIWMDID,", &['*']),
    ("$DEVID,", &['*']),
    ("$PCPTI,", &[',', '*']),
    ("$CONNECT,", &[',', '*']),
    ("$IMEI=", &[',', '*']),
    ("IMEI ", &[',', '*']),
    ("IMEI=", &[',', '*']),
    ("IMEI:", &[',', '*']),
];
/// A line of so many hex digits alone is an identity.
const DIGITS_MIN: usize = 8;

/// The device that a whole line names, if it is such a line.
pub(super) fn of_line(line: &str) -> Option<DeviceId> {
    for (start, ends) in LINES {
        if let Some(rest) = line.strip_prefix(start) {
            return device(rest.split(*ends).next().unwrap_or(rest));
        }
    }
    let digits = line.len() >= DIGITS_MIN
        && line.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    digits.then(|| device(line)).flatten()
}

/// What stands before a sentence as an identity: without the comma that may follow it.
pub(super) fn trimmed(prefix: &str) -> &str {
    prefix.trim().trim_end_matches(',').trim()
}

/// An identity is one word.
pub(super) fn device(text: &str) -> Option<DeviceId> {
    let text = text.trim();
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    word.then(|| DeviceId::new(text).ok()).flatten()
}
