//! Time-based one-time passwords (RFC 6238 over HMAC-SHA1, 6 digits, 30 s), as every
//! authenticator app computes them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use ingest::time::Timestamp;
use sha1::Sha1;

/// Seconds of one code.
const STEP_S: i64 = 30;
/// Codes before and after the present one that count too, for clocks that are off.
const SKEW: i64 = 1;
/// Bytes of a secret (RFC 4226 §4).
pub(crate) const SECRET_LEN: usize = 20;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The code of a step.
pub(crate) fn code(secret: &[u8], step: i64) -> Option<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash.last()? & 0xf);
    let four = hash.get(at..at + 4)?;
    let word = four.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    Some((word & 0x7fff_ffff) % 1_000_000)
}

/// The step that a code is of, if it is one of now and after `used`: each counts once.
pub(crate) fn step_of(secret: &[u8], presented: &str, now: Timestamp, used: i64) -> Option<i64> {
    let wanted = (presented.len() == 6 && presented.bytes().all(|b| b.is_ascii_digit()))
        .then(|| presented.parse().ok())
        .flatten();
    let now = now.micros().div_euclid(STEP_S * 1_000_000);
    let fits = |step: &i64| *step > used && wanted.is_some() && code(secret, *step) == wanted;
    (now - SKEW..=now + SKEW).find(fits)
}

/// A secret as it is typed into an app.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let (mut out, mut word, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        word = word << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(BASE32[(word >> bits & 31) as usize]));
        }
        word &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(BASE32[(word << (5 - bits) & 31) as usize]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B; the last six of its eight digits.
    #[test]
    fn the_vectors_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (seconds, wanted) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            let now = Timestamp::from_seconds(seconds);
            assert_eq!(step_of(secret, wanted, now, 0), Some(seconds / 30), "{seconds}");
            assert_eq!(step_of(secret, wanted, now, seconds / 30), None, "used");
            assert_eq!(step_of(secret, wanted, now.plus_seconds(90.0), 0), None, "over");
        }
        for wrong in ["", "28708", "2870820", "28708x", "000000"] {
            assert_eq!(step_of(secret, wrong, Timestamp::from_seconds(59), 0), None);
        }
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
    }
}
