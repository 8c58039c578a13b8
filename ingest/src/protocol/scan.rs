//! Finds bytes in frames.

/// Bytes that are looked at together.
const TOGETHER: usize = 16;

/// Where the first byte stands for which `is` holds. For comparisons with a few bytes: those of a
/// chunk are compared at once, without a branch for each.
pub(super) fn find(bytes: &[u8], is: impl Fn(u8) -> bool) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<TOGETHER>();
    let misses = |chunk: &&[u8; TOGETHER]| !chunk.iter().fold(false, |any, b| any | is(*b));
    let from = TOGETHER * chunks.iter().take_while(misses).count();
    bytes[from..].iter().position(|b| is(*b)).map(|at| from + at)
}

/// Where the first of `any` stands.
pub(super) fn find_any(bytes: &[u8], any: &[u8]) -> Option<usize> {
    match *any {
        [a] => find(bytes, |b| b == a),
        [a, c] => find(bytes, |b| b == a || b == c),
        [a, c, d] => find(bytes, |b| b == a || b == c || b == d),
        [a, c, d, e] => find(bytes, |b| b == a || b == c || b == d || b == e),
        _ => find(bytes, |b| any.contains(&b)),
    }
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
            assert_eq!(find(&vec![b'.'; length], |b| b == b';'), None);
        }
    }
}
