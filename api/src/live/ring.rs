//! The newest outputs in the order they came, so that a stream can go on from where it was.
//!
//! A place in it is the vector of the next offset of every partition. Since outputs of one
//! vehicle lie in one partition in order, "all below this offset were delivered, or overtaken by
//! a newer one at or above it" is exact after every single frame.

use std::collections::VecDeque;
use std::sync::Arc;

use ingest::units::Position;

/// Outputs kept; a stream that is further behind gets `reset` (the public surface says so).
pub const OUTPUTS_MAX: usize = 100_000;
/// Version of topic `outputs`, first part of every id.
const TOPIC_VERSION: &str = "v1";

/// One output that streams may have to tell.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Partition of `outputs`.
    pub partition: u32,
    /// Offset in it.
    pub offset: u64,
    /// Number of its vehicle in the live view.
    pub vehicle: u32,
    /// What it is.
    pub kind: SlotKind,
    /// Where a position is, so that whoever looks elsewhere passes it without a look at its vehicle.
    pub at: Option<Position>,
    /// An event's own JSON fields, rendered once for all streams.
    pub event: Option<Arc<str>>,
}

/// What a slot tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// A position; a newer one of the vehicle overtakes it.
    Position,
    /// An eta; a newer one of the vehicle overtakes it.
    Eta,
    /// An event; always told.
    Event {
        /// Its number.
        seq: u64,
    },
}

/// The newest [`OUTPUTS_MAX`] slots.
#[derive(Debug)]
pub struct Ring {
    slots: VecDeque<Slot>,
    /// Number of the oldest slot.
    base: u64,
    /// By partition: the lowest offset from which a stream can still go on.
    floor: Vec<u64>,
    /// By partition: the next offset.
    ends: Vec<u64>,
}

impl Ring {
    /// Empty; each partition begins at its offset.
    pub fn new(from: &[u64]) -> Self {
        // Slot 0 means "no slot yet", so numbers begin at 1.
        Self { slots: VecDeque::new(), base: 1, floor: from.to_vec(), ends: from.to_vec() }
    }

    /// Number that the next slot will have.
    pub fn next(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    /// The next offset of every partition.
    pub fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// The output at `offset` is contained; `slot` where streams tell it.
    pub fn push(&mut self, partition: u32, offset: u64, slot: Option<Slot>) {
        if let Some(end) = self.ends.get_mut(partition as usize) {
            *end = (*end).max(offset + 1);
        }
        let Some(slot) = slot else { return };
        if self.slots.len() >= OUTPUTS_MAX
            && let Some(gone) = self.slots.pop_front()
        {
            self.base += 1;
            self.floor[gone.partition as usize] = gone.offset + 1;
        }
        self.slots.push_back(slot);
    }

    /// Offsets below this are gone from the log: nobody can go on from there.
    pub fn skip_to(&mut self, partition: u32, offset: u64) {
        let partition = partition as usize;
        if self.ends[partition] < offset {
            (self.ends[partition], self.floor[partition]) = (offset, offset);
        }
    }

    /// Slots from a number on, with their numbers. Numbers that are gone begin with the oldest.
    pub fn from(&self, number: u64) -> impl Iterator<Item = (u64, &Slot)> {
        let skipped = number.saturating_sub(self.base) as usize;
        let first = self.base + skipped as u64;
        self.slots.range(skipped.min(self.slots.len())..).zip(first..).map(|(s, n)| (n, s))
    }

    /// Whether a stream at slot `number` has missed slots that are gone.
    pub fn has_lost(&self, number: u64) -> bool {
        number < self.base
    }

    /// Number of the oldest slot there is.
    pub fn oldest(&self) -> u64 {
        self.base
    }

    /// Whether a stream can go on from this place.
    pub fn reaches(&self, place: &[u64]) -> bool {
        place.len() == self.ends.len()
            && place.iter().zip(&self.floor).all(|(at, floor)| at >= floor)
            && place.iter().zip(&self.ends).all(|(at, end)| at <= end)
    }
}

/// The id of a frame.
pub fn id_of(place: &[u64]) -> String {
    let mut id = Vec::with_capacity(4 + place.len() * 7);
    push_id(place, &mut id);
    String::from_utf8_lossy(&id).into_owned()
}

/// Appends the id of a frame: topic version and the next offset of each partition.
pub fn push_id(place: &[u64], out: &mut Vec<u8>) {
    out.extend_from_slice(TOPIC_VERSION.as_bytes());
    for (n, offset) in place.iter().enumerate() {
        out.push(if n == 0 { b'-' } else { b'.' });
        let (mut digits, mut at, mut rest) = ([0; 20], 20, *offset);
        while rest > 0 || at == 20 {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits[at..]);
    }
}

/// The place an id names; `None`: not an id of ours.
pub fn place_of(id: &str) -> Option<Vec<u64>> {
    let offsets = id.strip_prefix(TOPIC_VERSION)?.strip_prefix('-')?;
    if id.len() > 4096 {
        return None;
    }
    offsets.split('.').map(|offset| offset.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_place() {
        let check = |place: &[u64], expected: &str| {
            assert_eq!(id_of(place), expected);
            assert_eq!(place_of(expected).as_deref(), Some(place));
        };
        check(&[0], "v1-0");
        check(&[7, 0, 1_234_567_890], "v1-7.0.1234567890");
        check(&[u64::MAX], "v1-18446744073709551615");
    }
}
