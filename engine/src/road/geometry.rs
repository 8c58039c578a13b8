//! The points of a street as steps from one to the next.
//!
//! ```text
//! per street, from its first node to its last, for each point between them and the last node:
//!     lng, lat i16         a step in 1e-7 degrees, about 360 m at most; or, for a longer one,
//!     -32768 i16, lng, lat i32
//! ```
//! Where a street begins stands in the nodes, so no point is kept twice, and most take four bytes
//! instead of sixteen. Numbers of seven bits a byte would take as many, and a branch for each byte.

/// A place in 1e-7 degrees.
pub(crate) type Spot = (i32, i32);

/// In place of the first half of a step: a long one follows.
const LONG: i16 = i16::MIN;

/// Appends the steps from the first of some points to each of the others.
pub(crate) fn write(points: &[Spot], out: &mut Vec<u8>) {
    for pair in points.windows(2) {
        let step = (pair[1].0.wrapping_sub(pair[0].0), pair[1].1.wrapping_sub(pair[0].1));
        if let (Ok(lng), Ok(lat)) = (i16::try_from(step.0), i16::try_from(step.1))
            && lng != LONG
        {
            out.extend_from_slice(&lng.to_le_bytes());
            out.extend_from_slice(&lat.to_le_bytes());
        } else {
            out.extend_from_slice(&LONG.to_le_bytes());
            out.extend_from_slice(&step.0.to_le_bytes());
            out.extend_from_slice(&step.1.to_le_bytes());
        }
    }
}

/// Takes a step from the front; `None` where the bytes end.
fn step(bytes: &mut &[u8]) -> Option<(i32, i32)> {
    let (&lng, rest) = bytes.split_first_chunk()?;
    let lng = i16::from_le_bytes(lng);
    if lng != LONG {
        let (&lat, rest) = rest.split_first_chunk()?;
        *bytes = rest;
        return Some((lng.into(), i16::from_le_bytes(lat).into()));
    }
    let (&lng, rest) = rest.split_first_chunk()?;
    let (&lat, rest) = rest.split_first_chunk()?;
    *bytes = rest;
    Some((i32::from_le_bytes(lng), i32::from_le_bytes(lat)))
}

/// Appends a number, seven bits a byte, the lowest first.
pub(crate) fn varint(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number from the front; `None` where the bytes end. Bits beyond 32 are lost.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    Some(value)
}

/// The points of a street or of the rest of one, its first included.
#[derive(Debug, Clone)]
pub(crate) struct Points<'a> {
    next: Option<Spot>,
    steps: &'a [u8],
}

impl<'a> Points<'a> {
    pub(crate) fn new(first: Spot, steps: &'a [u8]) -> Self {
        Self { next: Some(first), steps }
    }
}

impl Iterator for Points<'_> {
    type Item = Spot;

    fn next(&mut self) -> Option<Spot> {
        let here = self.next?;
        self.next = step(&mut self.steps)
            .map(|(lng, lat)| (here.0.wrapping_add(lng), here.1.wrapping_add(lat)));
        Some(here)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn points_come_back(
            steps in proptest::collection::vec((any::<bool>(), any::<i32>(), any::<i32>()), 0..40),
        ) {
            let mut points = vec![(0_i32, 0_i32)];
            for (long, lng, lat) in steps {
                let shift = if long { 0 } else { 15 };
                let (x, y) = points[points.len() - 1];
                points.push((x.wrapping_add(lng >> shift), y.wrapping_add(lat >> shift)));
            }
            let mut bytes = Vec::new();
            write(&points, &mut bytes);
            let back: Vec<Spot> = Points::new(points[0], &bytes).collect();
            prop_assert_eq!(back, points);
        }

        #[test]
        fn any_bytes_come_to_an_end(steps in proptest::collection::vec(any::<u8>(), 0..99)) {
            prop_assert!(Points::new((0, 0), &steps).count() <= steps.len() + 1);
        }
    }
}
