//! The checksums of trackers.

/// Bytes of a reflected CRC that are taken at a time.
const LANES: usize = 16;

/// A CRC-16 by tables: the low bit first (`reflected`), [`LANES`] bytes at a time, or the high bit
/// first.
#[derive(Debug)]
pub(super) struct Crc16 {
    tables: [[u16; 256]; LANES],
    start: u16,
    end: u16,
    reflected: bool,
}

impl Crc16 {
    const fn new(polynomial: u16, reflected: bool, start: u16, end: u16) -> Self {
        let mut tables = [[0; 256]; LANES];
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
            tables[0][i] = crc;
            i += 1;
        }
        // What a byte leaves when so many bytes of 0 follow it.
        let mut lane = 1;
        while lane < LANES {
            let mut i = 0;
            while i < 256 {
                let crc = tables[lane - 1][i];
                tables[lane][i] = (crc >> 8) ^ tables[0][(crc & 255) as usize];
                i += 1;
            }
            lane += 1;
        }
        Self { tables, start, end, reflected }
    }
    pub(super) fn of(&self, bytes: &[u8]) -> u16 {
        let crc = if self.reflected {
            let (chunks, rest) = bytes.as_chunks::<LANES>();
            let crc = chunks.iter().fold(self.start, |crc, chunk| self.lanes(crc, chunk));
            self.one_by_one(crc, rest)
        } else {
            let step =
                |crc: u16, b: &u8| crc << 8 ^ self.tables[0][usize::from((crc >> 8) as u8 ^ b)];
            bytes.iter().fold(self.start, step)
        };
        crc ^ self.end
    }
    fn one_by_one(&self, crc: u16, bytes: &[u8]) -> u16 {
        let step = |crc: u16, b: &u8| crc >> 8 ^ self.tables[0][usize::from((crc as u8) ^ b)];
        bytes.iter().fold(crc, step)
    }
    fn lanes(&self, crc: u16, [first, second, rest @ ..]: &[u8; LANES]) -> u16 {
        let lane = |n: usize, byte: u8| self.tables[n][usize::from(byte)];
        // What waits for the last chunk's checksum comes in last.
        let mut ahead = 0;
        for (n, byte) in rest.iter().enumerate() {
            ahead ^= lane(LANES - 3 - n, *byte);
        }
        ahead ^ (lane(LANES - 1, first ^ crc as u8) ^ lane(LANES - 2, second ^ (crc >> 8) as u8))
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

    #[test]
    fn lanes_are_bytes_one_by_one() {
        let bytes: Vec<u8> = (0..100_u8).map(|n| n.wrapping_mul(37)).collect();
        for crc in [&X25, &KERMIT, &MODBUS, &ARC] {
            for end in 0..bytes.len() {
                let slow = crc.one_by_one(crc.start, &bytes[..end]) ^ crc.end;
                assert_eq!(crc.of(&bytes[..end]), slow, "{end}");
            }
        }
    }
}
