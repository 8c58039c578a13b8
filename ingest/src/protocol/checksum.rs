//! The checksums of trackers.

/// A CRC-16 by table: the low bit first (`reflected`) or the high bit first.
#[derive(Debug)]
pub(super) struct Crc16 {
    table: [u16; 256],
    start: u16,
    end: u16,
    reflected: bool,
}

impl Crc16 {
    const fn new(polynomial: u16, reflected: bool, start: u16, end: u16) -> Self {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = if reflected { i as u16 } else { (i as u16) << 8 };
            let mut bit = 0;
            while bit < 8 {
                let out = if reflected { crc & 1 != 0 } else { crc & 0x8000 != 0 };
                crc = if reflected { crc >> 1 } else { crc << 1 };
                if out {
                    crc ^= polynomial;
                }
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        Self { table, start, end, reflected }
    }
    pub(super) fn of(&self, bytes: &[u8]) -> u16 {
        let step = |crc: u16, b: &u8| {
            if self.reflected {
                crc >> 8 ^ self.table[usize::from((crc as u8) ^ b)]
            } else {
                crc << 8 ^ self.table[usize::from((crc >> 8) as u8 ^ b)]
            }
        };
        bytes.iter().fold(self.start, step) ^ self.end
    }
}

/// CRC-16/X-25 ("CRC-ITU" of GT06).
pub(super) static X25: Crc16 = Crc16::new(0x8408, true, 0xffff, 0xffff);
/// CRC-16/KERMIT.
pub(super) static KERMIT: Crc16 = Crc16::new(0x8408, true, 0, 0);
/// CRC-16/MODBUS.
pub(super) static MODBUS: Crc16 = Crc16::new(0xa001, true, 0xffff, 0);
/// CRC-16/ARC ("CRC-16/IBM").
pub(super) static ARC: Crc16 = Crc16::new(0xa001, true, 0, 0);
/// CRC-16/CCITT-FALSE.
pub(super) static CCITT_FALSE: Crc16 = Crc16::new(0x1021, false, 0xffff, 0);

/// CRC-16/XMODEM.
pub(super) static XMODEM: Crc16 = Crc16::new(0x1021, false, 0, 0);

/// CRC-8/NRSC-5 (polynomial 31 from ff on, the high bit first).
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    let bit = |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x31 };
    bytes.iter().fold(0xff, |crc, byte| (0..8).fold(crc ^ byte, bit))
}

/// All bytes, exclusive-or.
pub(super) fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |x, b| x ^ b)
}

/// All bytes, added, the low byte.
pub(super) fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |x, b| x.wrapping_add(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check values of Greg Cook's catalogue of CRC algorithms: each of `123456789`.
    #[test]
    fn they_are_the_catalogues() {
        let text = b"123456789";
        for (crc, check) in [
            (&X25, 0x906e),
            (&KERMIT, 0x2189),
            (&MODBUS, 0x4b37),
            (&ARC, 0xbb3d),
            (&CCITT_FALSE, 0x29b1),
            (&XMODEM, 0x31c3),
        ] {
            assert_eq!(crc.of(text), check, "{crc:?}");
        }
        assert_eq!(crc8(text), 0xf7);
    }
}
