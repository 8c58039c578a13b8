//! What is kept of one vehicle: at most sixteen columns of at most twelve hypotheses.
//!
//! Columns lie one behind the other in one list, oldest first. Each hypothesis names the one it
//! comes from in the column before. A column in which no path changes its edge is dropped once
//! its neighbours lie close enough together: it holds no decision.

use ingest::time::Timestamp;
use ingest::units::Position;
use thiserror::Error;

use crate::matching::online::Lag;
use crate::matching::spread::{SIGMAS, Spread};
use crate::road::{EdgeId, Place, Road};

/// Most hypotheses of a column. Twelve keep the true one on 99.9 % of simulated fixes.
pub(super) const CELLS_MAX: usize = 12;
/// Most columns online; see [`Lag`].
pub(super) const COLUMNS_MAX: usize = 16;
/// No edge: off the road and never on one yet.
const NO_EDGE: u32 = u32::MAX;
/// Layout of [`Track::to_bytes`].
const VERSION: u8 = 2;
/// Most bytes an online track is stored in.
pub const BYTES_MAX: usize =
    21 + Spread::BYTES + 2 * 25 + COLUMNS_MAX * 13 + COLUMNS_MAX * CELLS_MAX * 9 + CELLS_MAX * 12;

/// One hypothesis of one column: a place, or off the road having left it at that place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    pub(super) edge: u32,
    pub(super) offset_m: f32,
    /// Index in the column before.
    pub(super) back: u8,
    pub(super) off_road: bool,
}

impl Cell {
    pub(super) fn on(edge: EdgeId, offset_m: f32, back: u8) -> Self {
        Self { edge: edge.0, offset_m, back, off_road: false }
    }

    /// Off the road, having left it at `left`.
    pub(super) fn off(left: Option<Place>, back: u8) -> Self {
        let (edge, offset_m) = left.map_or((NO_EDGE, 0.0), |p| (p.edge.0, p.offset_m as f32));
        Self { edge, offset_m, back, off_road: true }
    }

    /// The place on the road; absent off it.
    pub(super) fn driven(&self) -> Option<Place> {
        self.place().filter(|_| !self.off_road)
    }

    /// The place, or where the road was left; absent when never on the road.
    pub(super) fn place(&self) -> Option<Place> {
        (self.edge != NO_EDGE)
            .then(|| Place { edge: EdgeId(self.edge), offset_m: f64::from(self.offset_m) })
    }
}

/// What only the newest column needs of each hypothesis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Live {
    /// Price of the best path here, less that of the best of all.
    pub(super) score: f32,
    /// Probability of being here, all paths together; a column's sum is 1.
    pub(super) mass: f32,
    /// Of the offset, square metres.
    pub(super) variance: f32,
}

/// A column: when, after how many fixes, how many hypotheses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mark {
    pub(super) time: Timestamp,
    pub(super) fix: u32,
    pub(super) cells: u8,
}

/// An accepted fix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Last {
    pub(super) position: Position,
    pub(super) time: Timestamp,
    pub(super) speed_mps: Option<f64>,
}

/// A fix too far away to be true, unless more of them follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Doubt {
    pub(super) last: Last,
    pub(super) fixes: u8,
}

/// The matcher's state of one vehicle: bounded, cloneable, storable.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    pub(super) lag: Lag,
    /// Edges of the road it belongs to; another road resets it.
    pub(super) edges: u32,
    pub(super) fixes: u32,
    pub(super) spread: Spread,
    /// The last fix that moved.
    pub(super) last: Option<Last>,
    /// When the last fix was.
    pub(super) heard: Option<Timestamp>,
    pub(super) doubt: Option<Doubt>,
    /// The first column's edge is committed.
    pub(super) begun: bool,
    pub(super) marks: Vec<Mark>,
    pub(super) cells: Vec<Cell>,
    pub(super) live: Vec<Live>,
}

/// Bytes that are no track of this version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadTrack {
    /// Written by another version.
    #[error("track layout `{0}`, expected `{VERSION}`")]
    Version(u8),
    /// Cut short, or longer than its own counts say.
    #[error("track of `{0}` bytes does not match its counts")]
    Length(usize),
    /// A count or index outside its bounds, or a number that is none.
    #[error("track holds {0} outside its bounds")]
    Bounds(&'static str),
}

impl Track {
    /// Nothing seen yet; answers within [`Lag::ONLINE`].
    pub fn new() -> Self {
        Self::with_lag(Lag::ONLINE)
    }

    /// Nothing seen yet; commits within `lag`. The lag is not part of the bytes.
    pub fn with_lag(lag: Lag) -> Self {
        Self {
            lag,
            edges: 0,
            fixes: 0,
            spread: Spread::new(),
            last: None,
            heard: None,
            doubt: None,
            begun: false,
            marks: Vec::new(),
            cells: Vec::new(),
            live: Vec::new(),
        }
    }

    /// Forgets everything; keeps its memory and its lag.
    pub fn reset(&mut self) {
        let (marks, cells) = (std::mem::take(&mut self.marks), std::mem::take(&mut self.cells));
        let live = std::mem::take(&mut self.live);
        *self = Self { marks, cells, live, ..Self::with_lag(self.lag) };
        self.clear_columns();
    }

    /// When the last fix was; absent before the first.
    pub fn last_time(&self) -> Option<Timestamp> {
        self.heard
    }

    pub(super) fn clear_columns(&mut self) {
        self.marks.clear();
        self.cells.clear();
        self.live.clear();
    }

    /// Where column `index` begins in `cells`.
    pub(super) fn start_of(&self, index: usize) -> usize {
        self.marks.iter().take(index).map(|m| usize::from(m.cells)).sum()
    }

    /// The hypotheses of column `index`.
    pub(super) fn column(&self, index: usize) -> &[Cell] {
        let start = self.start_of(index);
        &self.cells[start..start + usize::from(self.marks[index].cells)]
    }

    /// The newest column's; empty when there is none.
    pub(super) fn newest(&self) -> &[Cell] {
        &self.cells[self.cells.len() - self.live.len()..]
    }

    /// Index of the best hypothesis of the newest column.
    pub(super) fn best(&self) -> Option<usize> {
        (0..self.live.len()).min_by(|a, b| self.live[*a].score.total_cmp(&self.live[*b].score))
    }

    /// Forgets the columns before `index`, of which only hypothesis `keep` stays.
    pub(super) fn begin_at(&mut self, index: usize, keep: usize) {
        let start = self.start_of(index);
        let cells = usize::from(self.marks[index].cells);
        let kept = Cell { back: 0, ..self.cells[start + keep] };
        if index + 1 == self.marks.len() {
            let live = Live { score: 0.0, ..self.live[keep] };
            self.live.clear();
            self.live.push(live);
        }
        self.cells.drain(..start + cells - 1);
        self.cells[0] = kept;
        self.marks.drain(..index);
        self.marks[0].cells = 1;
        if let Some(next) = self.marks.get(1) {
            let cells = usize::from(next.cells);
            for cell in &mut self.cells[1..=cells] {
                cell.back = 0;
            }
        }
    }

    /// Whether column `index` holds no decision: of every chain through it, `marks` telling which
    /// live, the hypothesis shares its edge with the one before or the one after.
    pub(super) fn is_plain(&self, index: usize, marks: &[u16]) -> bool {
        let (before, here, after) =
            (self.column(index - 1), self.column(index), self.column(index + 1));
        after.iter().enumerate().filter(|(k, _)| marks[index + 1] & (1 << k) != 0).all(|(_, c)| {
            let middle = &here[usize::from(c.back)];
            let first = &before[usize::from(middle.back)];
            let plain = !first.off_road && !middle.off_road && !c.off_road;
            let same = first.off_road && middle.off_road && c.off_road;
            let forward = middle.edge == c.edge && middle.offset_m <= c.offset_m
                || middle.edge == first.edge && first.offset_m <= middle.offset_m;
            same && first.edge == c.edge || plain && forward
        })
    }

    /// Takes column `index` out of every chain.
    pub(super) fn drop_column(&mut self, index: usize) {
        let start = self.start_of(index);
        let (here, after) =
            (usize::from(self.marks[index].cells), usize::from(self.marks[index + 1].cells));
        for k in 0..after {
            let back = usize::from(self.cells[start + here + k].back);
            self.cells[start + here + k].back = self.cells[start + back].back;
        }
        self.cells.drain(start..start + here);
        self.marks.remove(index);
    }

    /// Whether every edge is one of `road`'s.
    pub(super) fn fits(&self, road: &Road) -> bool {
        self.edges as usize == road.edges()
    }

    /// Length of [`Track::to_bytes`]; at most [`BYTES_MAX`] online.
    pub fn bytes_len(&self) -> usize {
        let last = |last: Option<&Last>| match last {
            None => 1,
            Some(l) if l.speed_mps.is_none() => 17,
            Some(_) => 25,
        };
        let head = 21
            + Spread::BYTES
            + last(self.last.as_ref())
            + last(self.doubt.as_ref().map(|d| &d.last));
        head + self.marks.len() * 13 + self.cells.len() * 9 + self.live.len() * 12
    }

    /// As bytes; see [`Track::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes_len());
        out.push(VERSION);
        out.extend(self.edges.to_le_bytes());
        out.extend(self.fixes.to_le_bytes());
        self.spread.put(&mut out);
        out.push(u8::from(self.begun));
        out.extend(self.heard.map_or(i64::MIN, Timestamp::micros).to_le_bytes());
        put_last(&mut out, self.last.as_ref());
        put_last(&mut out, self.doubt.as_ref().map(|d| &d.last));
        out.push(self.doubt.map_or(0, |d| d.fixes));
        out.extend((self.marks.len() as u16).to_le_bytes());
        for mark in &self.marks {
            out.extend(mark.time.micros().to_le_bytes());
            out.extend(mark.fix.to_le_bytes());
            out.push(mark.cells);
        }
        for cell in &self.cells {
            out.extend(cell.edge.to_le_bytes());
            out.extend(cell.offset_m.to_le_bytes());
            out.push(cell.back | if cell.off_road { OFF_BIT } else { 0 });
        }
        for live in &self.live {
            out.extend(live.score.to_le_bytes());
            out.extend(live.mass.to_le_bytes());
            out.extend(live.variance.to_le_bytes());
        }
        out
    }

    /// The exact state that [`Track::to_bytes`] wrote; refuses anything it cannot have written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadTrack> {
        let mut read = Reader { bytes, whole: bytes.len() };
        let version = read.byte()?;
        if version != VERSION {
            return Err(BadTrack::Version(version));
        }
        let mut track = Self::new();
        track.edges = u32::from_le_bytes(read.take()?);
        track.fixes = u32::from_le_bytes(read.take()?);
        track.spread = read.spread()?;
        track.begun = read.byte()? != 0;
        let heard = i64::from_le_bytes(read.take()?);
        track.heard = (heard != i64::MIN).then(|| Timestamp::from_micros(heard));
        track.last = read.last()?;
        let doubt = read.last()?;
        let fixes = read.byte()?;
        track.doubt = doubt.map(|last| Doubt { last, fixes });
        let columns = usize::from(u16::from_le_bytes(read.take()?));
        if columns > COLUMNS_MAX {
            return Err(BadTrack::Bounds("columns"));
        }
        for _ in 0..columns {
            let time = Timestamp::from_micros(i64::from_le_bytes(read.take()?));
            let fix = u32::from_le_bytes(read.take()?);
            track.marks.push(Mark { time, fix, cells: read.byte()? });
        }
        read.cells(&mut track)?;
        if read.bytes.is_empty() { Ok(track) } else { Err(BadTrack::Length(bytes.len())) }
    }
}

impl Default for Track {
    fn default() -> Self {
        Self::new()
    }
}

/// Of a cell's last byte: off the road.
const OFF_BIT: u8 = 0x80;

fn put_last(out: &mut Vec<u8>, last: Option<&Last>) {
    let Some(last) = last else {
        out.push(0);
        return;
    };
    out.push(if last.speed_mps.is_some() { 2 } else { 1 });
    let (lng, lat) = last.position.to_e7();
    out.extend(lng.to_le_bytes());
    out.extend(lat.to_le_bytes());
    out.extend(last.time.micros().to_le_bytes());
    if let Some(speed) = last.speed_mps {
        out.extend(speed.to_le_bytes());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    whole: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadTrack> {
        let (head, rest) =
            self.bytes.split_first_chunk::<N>().ok_or(BadTrack::Length(self.whole))?;
        self.bytes = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, BadTrack> {
        Ok(self.take::<1>()?[0])
    }

    fn number(&mut self, what: &'static str) -> Result<f32, BadTrack> {
        let value = f32::from_le_bytes(self.take()?);
        if value.is_finite() { Ok(value) } else { Err(BadTrack::Bounds(what)) }
    }

    fn spread(&mut self) -> Result<Spread, BadTrack> {
        let (mut logs, mut rest) = ([0.0; SIGMAS], [0.0; 3]);
        for number in logs.iter_mut().chain(&mut rest) {
            *number = self.number("a spread")?;
        }
        Spread::from_numbers(logs, rest)
    }

    fn last(&mut self) -> Result<Option<Last>, BadTrack> {
        let kind = self.byte()?;
        if kind == 0 {
            return Ok(None);
        }
        let lng = i32::from_le_bytes(self.take()?);
        let lat = i32::from_le_bytes(self.take()?);
        let time = Timestamp::from_micros(i64::from_le_bytes(self.take()?));
        let speed = if kind == 2 { Some(f64::from_le_bytes(self.take()?)) } else { None };
        if speed.is_some_and(|s| !s.is_finite()) {
            return Err(BadTrack::Bounds("a speed"));
        }
        Ok(Some(Last { position: Position::from_e7(lng, lat), time, speed_mps: speed }))
    }

    fn cells(&mut self, track: &mut Track) -> Result<(), BadTrack> {
        let mut before = 1;
        for mark in track.marks.clone() {
            let cells = usize::from(mark.cells);
            if cells == 0 || cells > CELLS_MAX {
                return Err(BadTrack::Bounds("hypotheses"));
            }
            for _ in 0..cells {
                let edge = u32::from_le_bytes(self.take()?);
                let offset_m = self.number("an offset")?;
                let last = self.byte()?;
                let (back, off_road) = (last & !OFF_BIT, last & OFF_BIT != 0);
                if usize::from(back) >= before
                    || (edge >= track.edges && !(off_road && edge == NO_EDGE))
                {
                    return Err(BadTrack::Bounds("a hypothesis"));
                }
                track.cells.push(Cell { edge, offset_m, back, off_road });
            }
            before = cells;
        }
        for _ in 0..track.marks.last().map_or(0, |m| m.cells) {
            let score = self.number("a price")?;
            let mass = self.number("a probability")?;
            track.live.push(Live { score, mass, variance: self.number("a variance")? });
        }
        Ok(())
    }
}
