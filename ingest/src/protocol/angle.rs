//! Latitudes and longitudes as devices spell them.

use super::fields::decimal;

/// `ddmm.mmmm` (any number of degree digits), as receivers write. Minutes from 60 on, which come
/// of digits changed on the way, are carried: no digit of them is more doubtful than the others.
pub(super) fn degrees_minutes(text: &str) -> Option<f64> {
    let value = decimal(text)?;
    let magnitude = value.abs();
    let degrees = (magnitude / 100.0).floor();
    let minutes = magnitude - degrees * 100.0;
    Some((degrees + minutes / 60.0) * value.signum())
}

/// The same with its hemisphere.
pub(super) fn sided(text: &str, side: &str) -> Option<f64> {
    signed(degrees_minutes(text)?, side)
}

/// A magnitude with its hemisphere's sign.
pub(super) fn signed(degrees: f64, side: &str) -> Option<f64> {
    match side.as_bytes().first()? {
        b'N' | b'E' | b'n' | b'e' => Some(degrees),
        b'S' | b'W' | b's' | b'w' => Some(-degrees.abs()),
        _ => None,
    }
}

/// Degrees and minutes with `decimals` of a minute, and the hemisphere, for `width` degree digits.
pub(super) fn shown(degrees: f64, width: usize, decimals: u32) -> String {
    let unit = 10_u64.pow(decimals);
    // In the last decimal's units, so that 60 minutes never appear.
    let units = (degrees.abs() * 60.0 * unit as f64).round() as u64;
    let (whole, rest) = (units / (60 * unit), units % (60 * unit));
    let (minutes, fraction) = (rest / unit, rest % unit);
    format!("{whole:0width$}{minutes:02}.{fraction:0decimals$}", decimals = decimals as usize)
}

/// The letter of a latitude's hemisphere.
pub(super) fn north(lat: f64) -> char {
    if lat < 0.0 { 'S' } else { 'N' }
}

/// The letter of a longitude's hemisphere.
pub(super) fn east(lng: f64) -> char {
    if lng < 0.0 { 'W' } else { 'E' }
}
