//! Vehicles that are near each other, and what they say, end to end.

use ingest::time::Timestamp;
use ingest::units::Position;

/// Bytes that belong to nobody, as a share of all, from which on they are squeezed out: one in so
/// many. A look then reads little that it does not show, and a byte is moved a few times at most.
const HOLES_ONE_IN: usize = 4;

/// Vehicles near each other.
#[derive(Debug, Default)]
pub(super) struct Cell {
    members: Vec<Member>,
    /// What they say, in no order, with holes where somebody said less before, or has gone.
    text: Vec<u8>,
    /// Bytes of holes.
    holes: usize,
}

/// A vehicle in a cell: whether it lies in a box is known without touching anything else of it.
#[derive(Debug, Clone, Copy)]
struct Member {
    number: u32,
    at: Position,
    /// Time of the fix.
    time: Timestamp,
    /// Where in the cell's text it says…
    from: u32,
    /// …so many bytes…
    bytes: u32,
    /// …and has room for so many.
    room: u32,
}

/// What a vehicle says, as its cell holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// Its number in the fleet.
    pub(crate) number: u32,
    /// Time of the fix.
    pub(crate) time: Timestamp,
    /// Its position as JSON but for its end ([`crate::view::AsOf`]).
    pub(crate) text: &'a [u8],
}

impl Cell {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A vehicle comes; its index.
    pub(super) fn push(&mut self, number: u32, at: Position, said: (Timestamp, &[u8])) -> u32 {
        let (from, bytes) = (self.text.len() as u32, said.1.len() as u32);
        self.text.extend_from_slice(said.1);
        self.members.push(Member { number, at, time: said.0, from, bytes, room: bytes });
        self.members.len() as u32 - 1
    }

    /// A vehicle says something else from where it is now.
    pub(super) fn set(&mut self, index: u32, at: Position, (time, text): (Timestamp, &[u8])) {
        let Some(member) = self.members.get_mut(index as usize) else { return };
        (member.at, member.time, member.bytes) = (at, time, text.len() as u32);
        if member.bytes > member.room {
            self.holes += member.room as usize;
            (member.from, member.room) = (self.text.len() as u32, member.bytes);
            self.text.extend_from_slice(text);
        } else {
            let from = member.from as usize;
            self.text[from..from + text.len()].copy_from_slice(text);
        }
        self.squeeze();
    }

    /// A vehicle goes; the number of the one that takes its index, if one does.
    pub(super) fn remove(&mut self, index: u32) -> Option<u32> {
        if index as usize >= self.members.len() {
            return None;
        }
        self.holes += self.members.swap_remove(index as usize).room as usize;
        self.squeeze();
        self.members.get(index as usize).map(|member| member.number)
    }

    /// What a vehicle says.
    pub(super) fn get(&self, index: u32) -> Option<Said<'_>> {
        self.members.get(index as usize).map(|member| self.said(member))
    }

    /// What those say whose place passes.
    pub(super) fn of(&self, passes: impl Fn(Position) -> bool) -> impl Iterator<Item = Said<'_>> {
        let those = self.members.iter().filter(move |member| passes(member.at));
        those.map(move |member| self.said(member))
    }

    fn said(&self, member: &Member) -> Said<'_> {
        let from = member.from as usize;
        let text = &self.text[from..from + member.bytes as usize];
        Said { number: member.number, time: member.time, text }
    }

    /// Lays the texts end to end again once too much of them is holes.
    fn squeeze(&mut self) {
        if self.holes * HOLES_ONE_IN <= self.text.len() {
            return;
        }
        let mut text = Vec::with_capacity(self.text.len() - self.holes);
        for member in &mut self.members {
            let (from, bytes) = (member.from as usize, member.bytes as usize);
            (member.from, member.room) = (text.len() as u32, member.bytes);
            text.extend_from_slice(&self.text[from..from + bytes]);
        }
        (self.text, self.holes) = (text, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Position {
        Position { lng: -8.61, lat: 41.15 }
    }

    #[test]
    fn everybody_says_what_was_said_last_and_little_else_is_kept() {
        let (mut cell, mut now) = (Cell::default(), Vec::new());
        let text = |n: u32, turn: u32| "x".repeat(100 + (n * 7 + turn * 13) as usize % 90);
        for n in 0..50 {
            let index = cell.push(n, at(), (Timestamp::default(), text(n, 0).as_bytes()));
            assert_eq!(index, n);
            now.push((n, text(n, 0)));
        }
        for turn in 1..200 {
            let index = turn * 31 % now.len() as u32;
            if turn % 5 == 0 {
                now.swap_remove(index as usize);
                let moved = cell.remove(index);
                assert_eq!(moved, now.get(index as usize).map(|(number, _)| *number));
            } else {
                let said = format!("{}-{turn}", text(index, turn));
                cell.set(index, at(), (Timestamp::default(), said.as_bytes()));
                now[index as usize].1 = said;
            }
            let said = cell.of(|_| true).map(|s| (s.number, s.text.to_vec()));
            let expected = now.iter().map(|(n, text)| (*n, text.clone().into_bytes()));
            assert!(said.eq(expected), "turn {turn}");
            let live: usize = now.iter().map(|(_, text)| text.len()).sum();
            assert!(cell.text.len() <= live * 2, "{} for {live}", cell.text.len());
        }
        assert_eq!(cell.get(0).map(|said| said.number), Some(now[0].0));
    }
}
