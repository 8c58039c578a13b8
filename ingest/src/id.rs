//! Identities. Ids of tenants, vehicles, routes, stops, orders and closures are
//! `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`; a device's is 1 to 64 printable ASCII characters.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Longest id of any kind, in bytes.
pub const ID_MAX: usize = 64;

/// A text that is no id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} id `{value}` is not {expected}")]
pub struct BadId {
    /// Which kind of id.
    pub kind: &'static str,
    /// The text, cut to 80 characters, control characters replaced.
    pub value: String,
    /// What would have been right.
    pub expected: &'static str,
}

fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:path, $expected:literal) => {
        $(#[$doc])*
        #[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the characters and the length.
            pub fn new(text: &str) -> Result<Self, BadId> {
                if $check(text.as_bytes()) {
                    Ok(Self(text.into()))
                } else {
                    Err(BadId { kind: $kind, value: shown(text), expected: $expected })
                }
            }
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl Clone for $name {
            #[inline]
            fn clone(&self) -> Self {
                Self(Arc::clone(&self.0))
            }
            /// Nothing is counted where it is the same already, as with reports of one device.
            #[inline]
            fn clone_from(&mut self, source: &Self) {
                if !Arc::ptr_eq(&self.0, &source.0) {
                    self.0 = Arc::clone(&source.0);
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

id!(
    /// One organisation; owns devices, vehicles, routes, people.
    TenantId, "tenant", plain, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
);
id!(
    /// One vehicle of a tenant, or `~<device>` for a device that is assigned to none.
    VehicleId, "vehicle", vehicle, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
);
id!(
    /// One route: the ordered stops of one vehicle for one shift.
    RouteId, "route", plain, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
);
id!(
    /// One stop of a route.
    StopId, "stop", plain, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
);
id!(
    /// A customer's order, delivered at a stop.
    OrderId, "order", plain, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
);
id!(
    /// One closure of roads, set by a dispatcher.
    ClosureId, "closure", plain, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
);
id!(
    /// What a tracker or phone calls itself: IMEI, serial, phone number.
    DeviceId, "device", printable, "1 to 64 printable ASCII characters"
);

fn plain(text: &[u8]) -> bool {
    text.len() <= ID_MAX
        && text.first().is_some_and(u8::is_ascii_alphanumeric)
        && text.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}

fn printable(text: &[u8]) -> bool {
    (1..=ID_MAX).contains(&text.len()) && text.iter().all(|b| (0x20..0x7f).contains(b))
}

/// A vehicle's own id, or `~` and a percent-encoded device id (at most 3 × 64 bytes).
fn vehicle(text: &[u8]) -> bool {
    match text.split_first() {
        Some((b'~', rest)) => {
            (1..=3 * ID_MAX).contains(&rest.len())
                && rest.iter().all(|b| b.is_ascii_alphanumeric() || b"._-%".contains(b))
        }
        _ => plain(text),
    }
}

impl VehicleId {
    /// The stand-in vehicle of a device that is assigned to none: `~<device>`.
    pub fn of_unassigned(device: &DeviceId) -> Self {
        Self(format!("~{}", percent_encoded(device)).into())
    }
    /// Whether this is a stand-in for an unassigned device.
    pub fn is_unassigned(&self) -> bool {
        self.0.starts_with('~')
    }
}

/// A device id as keys and URLs spell it: all but letters, digits and `._-` percent-encoded.
pub fn percent_encoded(device: &DeviceId) -> String {
    let mut out = String::with_capacity(device.0.len());
    for b in device.0.bytes() {
        if b.is_ascii_alphanumeric() || b"._-".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push('%');
            out.extend([b >> 4, b & 15].map(|d| char::from(b"0123456789ABCDEF"[usize::from(d)])));
        }
    }
    out
}

/// Reads what [`percent_encoded`] wrote: a device id in a key or URL.
pub fn percent_decoded(text: &str) -> Result<DeviceId, BadId> {
    let wrong =
        || BadId { kind: "device", value: shown(text), expected: "a percent-encoded device id" };
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let mut digit = || bytes.next().and_then(|d| char::from(d).to_digit(16));
            let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
            out.push((high * 16 + low) as u8);
        } else {
            out.push(b);
        }
    }
    DeviceId::new(&String::from_utf8_lossy(&out))
}

/// The key of everything about one vehicle: `<tenant>/<vehicle>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VehicleKey {
    /// Whose vehicle.
    pub tenant: TenantId,
    /// Which one.
    pub vehicle: VehicleId,
}

impl VehicleKey {
    /// Reads `<tenant>/<vehicle>`.
    pub fn parse(key: &[u8]) -> Result<Self, BadId> {
        let text = String::from_utf8_lossy(key);
        let (tenant, vehicle) = text.split_once('/').ok_or_else(|| BadId {
            kind: "vehicle key",
            value: shown(&text),
            expected: "<tenant>/<vehicle>",
        })?;
        Ok(Self { tenant: TenantId::new(tenant)?, vehicle: VehicleId::new(vehicle)? })
    }
}

impl fmt::Display for VehicleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.vehicle)
    }
}

/// The partition of a key: murmur2 as Kafka's Java clients hash, made positive, modulo.
/// The same key lies in the same partition on every log.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// Murmur2, 32 bit, seed 0x9747b28c, as in Kafka's `Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ (data.len() as u32);
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = chunks.remainder();
    for (i, b) in rest.iter().enumerate() {
        h ^= u32::from(*b) << (8 * i);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        assert!(VehicleId::new("van-17").is_ok());
        assert!(VehicleId::new("~356%2F1").is_ok());
        for wrong in ["", "-x", "a b", "a/b", "~", "ä"] {
            assert!(VehicleId::new(wrong).is_err(), "{wrong}");
        }
        assert!(DeviceId::new("a b/c").is_ok());
        assert!(DeviceId::new("a\nb").is_err());
        let odd = DeviceId::new("a b/c%").unwrap();
        assert_eq!(percent_encoded(&odd), "a%20b%2Fc%25");
        assert_eq!(percent_decoded("a%20b%2Fc%25"), Ok(odd));
        assert!(percent_decoded("a%2").is_err());
    }

    /// Expected values: Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }
}
