//! Letters of six bits, as ITU-R M.1371 packs them into sentences.

/// Bits of a message, one a byte.
#[derive(Debug, Default)]
pub(super) struct Bits(Vec<bool>);

impl Bits {
    /// The bits of a payload, up to the first letter that is none of its alphabet.
    pub(super) fn of(payload: &str) -> Self {
        let six = |letter: u8| match letter {
            48..=87 => Some(letter - 48),
            96..=119 => Some(letter - 56),
            _ => None,
        };
        let letters = payload.bytes().map_while(six);
        Self(letters.flat_map(|six| (0..6).rev().map(move |bit| six >> bit & 1 == 1)).collect())
    }
    /// A number of at most 63 bits; `None` behind the end.
    pub(super) fn unsigned(&self, from: usize, length: usize) -> Option<u64> {
        let bits = self.0.get(from..from + length)?;
        Some(bits.iter().fold(0, |n, bit| n << 1 | u64::from(*bit)))
    }
    /// The same in two's complement.
    pub(super) fn signed(&self, from: usize, length: usize) -> Option<i64> {
        let value = self.unsigned(from, length)? as i64;
        let sign = 1 << (length - 1);
        Some(if value & sign == 0 { value } else { value - 2 * sign })
    }
    /// Appends the low bits of a number.
    pub(super) fn push(&mut self, value: i64, length: usize) {
        self.0.extend((0..length).rev().map(|bit| value >> bit.min(63) & 1 == 1));
    }
    /// As letters; a last one that is not full is filled with zeros.
    pub(super) fn payload(&self) -> String {
        let letter = |bits: &[bool]| {
            let six = (0..6).fold(0_u8, |n, at| n << 1 | u8::from(bits.get(at) == Some(&true)));
            char::from(if six < 40 { six + 48 } else { six + 56 })
        };
        self.0.chunks(6).map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_bits_and_back() {
        let mut bits = Bits::default();
        bits.push(9, 6);
        bits.push(-3, 28);
        bits.push(1022, 14);
        let read = Bits::of(&bits.payload());
        assert_eq!(read.unsigned(0, 6), Some(9));
        assert_eq!(read.signed(6, 28), Some(-3));
        assert_eq!(read.unsigned(34, 14), Some(1022));
        assert_eq!(read.unsigned(48, 6), None);
    }
}
