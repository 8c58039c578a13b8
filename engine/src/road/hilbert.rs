//! The Hilbert curve: an order of places in which neighbours on the ground are neighbours in
//! the file, so that a search touches few pages.

/// Place of a point on the Hilbert curve of order 32 over all of longitude and latitude,
/// given in 1e-7 degrees. The usual rotate-and-flip walk from the largest square down
/// (Warren, Hacker's Delight, §16-2).
pub(crate) fn key(lng: i32, lat: i32) -> u64 {
    let (mut x, mut y) = ((lng as u32) ^ (1 << 31), (lat as u32) ^ (1 << 31));
    let mut key = 0;
    for bit in (0..32).rev() {
        let (right, up) = ((x >> bit) & 1, (y >> bit) & 1);
        key = (key << 2) | u64::from((3 * right) ^ up);
        if up == 0 {
            if right == 1 {
                (x, y) = (!x, !y);
            }
            (x, y) = (y, x);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_keys_are_neighbours() {
        // A square of 32 × 32 around zero crosses the middle of the curve; sorted by key, each
        // quarter of it must be walked without a jump.
        let mut points: Vec<(i32, i32)> =
            (0..32).flat_map(|x| (0..32).map(move |y| (x, y))).collect();
        points.sort_by_key(|&(x, y)| key(x, y));
        for pair in points.windows(2) {
            let step = (pair[0].0 - pair[1].0).abs() + (pair[0].1 - pair[1].1).abs();
            assert_eq!(step, 1, "{pair:?}");
        }
    }
}
