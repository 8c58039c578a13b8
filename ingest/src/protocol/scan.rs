//! Finds bytes in frames.

use memchr::{memchr, memchr2, memchr3};

/// Where the first of `any` stands.
pub(super) fn find_any(bytes: &[u8], any: &[u8]) -> Option<usize> {
    match *any {
        [] => None,
        [a] => memchr(a, bytes),
        [a, c] => memchr2(a, c, bytes),
        [a, c, d] => memchr3(a, c, d, bytes),
        [a, c, d, ref more @ ..] => {
            let first = memchr3(a, c, d, bytes);
            find_any(&bytes[..first.unwrap_or(bytes.len())], more).or(first)
        }
    }
}

/// Where the first such byte stands.
pub(super) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    memchr(byte, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_found_wherever_it_stands() {
        for length in 0..70 {
            for at in 0..length {
                let mut bytes = vec![b'.'; length];
                bytes[at] = b';';
                bytes[length - 1] = b';';
                for any in [&b";"[..], b"\r;", b"\r\n;", b"abc;", b"abcd;"] {
                    assert_eq!(find_any(&bytes, any), Some(at), "{length}");
                }
            }
            assert_eq!(find(&vec![b'.'; length], b';'), None);
        }
    }
}
