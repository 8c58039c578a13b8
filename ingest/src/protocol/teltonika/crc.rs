//! CRC-16/ARC, eight bytes at a time: what Teltonika calls CRC-16/IBM.

const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0_u16; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u16, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xa001 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut lane = 1;
    while lane < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[lane - 1][byte];
            tables[lane][byte] = (crc >> 8) ^ tables[0][(crc & 255) as usize];
            byte += 1;
        }
        lane += 1;
    }
    tables
}

static TABLES: [[u16; 256]; 8] = tables();

/// The checksum of a frame's data.
pub(super) fn of(data: &[u8]) -> u16 {
    let mut crc = 0_u16;
    let (chunks, rest) = data.as_chunks::<8>();
    for c in chunks {
        let lane = |n: usize, byte: u8| TABLES[n][usize::from(byte)];
        crc = lane(7, c[0] ^ crc as u8)
            ^ lane(6, c[1] ^ (crc >> 8) as u8)
            ^ lane(5, c[2])
            ^ lane(4, c[3])
            ^ lane(3, c[4])
            ^ lane(2, c[5])
            ^ lane(1, c[6])
            ^ lane(0, c[7]);
    }
    rest.iter().fold(crc, |crc, b| (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ b)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_s_check_value_holds_and_chunks_do_not_matter() {
        assert_eq!(of(b"123456789"), 0xbb3d);
        let slow = |data: &[u8]| {
            data.iter().fold(0_u16, |crc, b| {
                (0..8).fold(crc ^ u16::from(*b), |c, _| (c >> 1) ^ (0xa001 * (c & 1)))
            })
        };
        let data: Vec<u8> = (0..100_u8).map(|n| n.wrapping_mul(37)).collect();
        for end in 0..data.len() {
            assert_eq!(of(&data[..end]), slow(&data[..end]), "{end}");
        }
    }
}
