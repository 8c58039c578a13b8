//! What the diagnostic plug of a car says, SAE J1979 and J2012.

/// A fault's code: a letter for the part of the car, and four digits.
pub(super) fn fault(code: u16) -> String {
    let letter = char::from(b"PCBU"[usize::from(code >> 14)]);
    format!("{letter}{:04X}", code & 0x3fff)
}

/// Bytes of a value (PID) of mode 1.
pub(super) fn width(id: u8) -> usize {
    match id {
        0x01 | 0x24..=0x2b | 0x34..=0x3b | 0x4f | 0x50 => 4,
        0x02
        | 0x03
        | 0x0c
        | 0x10
        | 0x14..=0x1b
        | 0x1f
        | 0x21..=0x23
        | 0x31
        | 0x32
        | 0x3c..=0x3f
        | 0x42..=0x44
        | 0x4d
        | 0x4e
        | 0x53..=0x55
        | 0x59
        | 0x5d
        | 0x5e => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_letter_is_in_the_upper_bits() {
        let codes = [0x0326, 0x4035, 0x9234, 0xc021].map(super::fault);
        assert_eq!(codes, ["P0326", "C0035", "B1234", "U0021"]);
    }
}
