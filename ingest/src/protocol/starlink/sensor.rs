//! What a wireless sensor says of itself: base64 around Protocol Buffers.

/// Longest text looked at, bytes.
const TEXT_MAX: usize = 256;
/// The field of the battery.
const BATTERY: u64 = 9;

/// The sensor's battery, in millivolts.
pub(super) fn millivolts(base64: &str) -> Option<u64> {
    let bytes = bytes(base64.get(..base64.len().min(TEXT_MAX))?)?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match tag & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if tag >> 3 == BATTERY {
                    return Some(value);
                }
            }
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    None
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn bytes(base64: &str) -> Option<Vec<u8>> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in base64.trim_end_matches('=').bytes() {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_battery_is_found_behind_a_text() {
        // Field 3, two letters; field 9, 3058.
        assert_eq!(millivolts("GgJhYkjyFw=="), Some(3058));
        assert_eq!(millivolts("GgJhYg=="), None);
        assert_eq!(millivolts("no base64"), None);
    }
}
