//! The window: a fix comes in, a provisional place and perhaps some committed edges go out.
//!
//! After Goh et al. 2012: what all living paths share is committed at once, which equals offline
//! Viterbi; what has waited longer than [`Lag`] is committed on the best path, and hypotheses that
//! disagree with it die, so that the committed path is connected and never revised.

use ingest::units::Position;

use crate::matching::candidate::{self, Seen};
use crate::matching::state::{COLUMNS_MAX, Cell, Doubt, Last, Live, Mark, Track};
use crate::matching::{
    MatchedPoint, Observation, Observed, Passed, Scratch, emission, transition, viterbi,
};
use crate::road::plane::{Plane, distance_m};
use crate::road::{Place, Profile, Road};

/// How long an edge may wait for certainty: until both `fixes` and `seconds` have passed, and in no
/// case for more than `columns` columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// Fixes after it.
    pub fixes: u32,
    /// Seconds after it.
    pub seconds: f64,
    /// Columns kept, at least 3.
    pub columns: usize,
}

impl Lag {
    /// Five fixes or 30 s, whichever comes later, in 16 columns; the seconds are
    /// those of driving, and at rest ten minutes are 30 s.
    pub const ONLINE: Self = Self { fixes: 5, seconds: 30.0, columns: COLUMNS_MAX };
    /// Nothing is committed before all paths agree or the trace ends.
    pub const OFFLINE: Self =
        Self { fixes: u32::MAX, seconds: f64::INFINITY, columns: u16::MAX as usize };
}

/// Straight distance beyond which a gap is bridged by one route instead of searches from every
/// hypothesis, metres.
pub(super) const BRIDGE_M: f64 = 3_000.0;
/// Beyond this distance there is no bridge: the path breaks. Metres.
const BREAK_M: f64 = 100_000.0;
/// A way longer than so many straight lines and these metres was not driven: the path breaks.
const DETOUR_FACTOR: f64 = 4.0;
/// See `DETOUR_FACTOR`.
const DETOUR_MOST_M: f64 = 2_000.0;
/// No road vehicle moves faster, metres per second.
const FASTEST_MPS: f64 = 70.0;
/// This many doubted fixes that agree with each other are believed.
const DOUBTED_MAX: u8 = 3;
/// Hypotheses and candidates considered at the two sides of a bridge.
const BRIDGE_ENDS: usize = 3;
/// Below this reported speed a vehicle stands still, metres per second.
const STANDING_MPS: f64 = 0.7;
/// Standing still is believed while the place stays within so many standard deviations.
const RESTING_SPEED_SIGMAS: f64 = 5.0;
/// Without speeds, so many standard deviations are no movement. Newson & Krumm 2009 take two.
const RESTING_SIGMAS: f64 = 2.0;
/// Nor are so many, if they take longer than a walk would: drift is slow.
const RESTING_SLOW_SIGMAS: f64 = 4.0;
/// Nor is drift at rest ever more than this, metres: a wide spread must not hide slow driving.
const RESTING_MOST_M: f64 = 20.0;
/// A slow walk, metres per second.
const RESTING_MPS: f64 = 1.0;
/// Without reported speeds the straight line between fixes stands in, with this relative error.
const STRAIGHT_ERROR: f64 = 0.1;
/// Error of a mean of two reported speeds over `dt` seconds: metres at rest, per metre, and per
/// second to the power of 1.5, as unseen accelerations of 0.6 m/s² add up.
const SPEED_ERROR: (f64, f64, f64) = (0.5, 0.05, 0.6);
/// Reported speeds are trusted up to this interval, seconds; then vehicles stop unseen.
const SPEED_TRUSTED_S: f64 = 20.0;
/// A path that moved less than this stood still, metres.
const STILL_M: f64 = 2.0;
/// A second counts in full towards [`Lag::seconds`] from this speed on, metres per second.
const FULL_MPS: f64 = 3.0;
/// How much a second at rest counts: ten minutes are 30 s.
const STILL_SHARE: f64 = 0.05;
/// Columns closer than this are thinned, seconds: half a minute then fits the window.
const SPAN_S: f64 = 4.5;
/// In a full window columns are thinned up to this, seconds.
const ROOM_SPAN_S: f64 = 60.0;
/// Least and most spread that a fix's own accuracy may claim, metres.
const ACCURACY_SIGMA_M: (f64, f64) = (3.0, 100.0);
/// The radius of 68 % of a circular normal distribution, in standard deviations of one axis.
const SIGMAS_OF_ACCURACY: f64 = 1.51;

impl Track {
    /// Takes one fix. Pure: the same track, road and fix give the same answer.
    pub fn observe(
        &mut self,
        road: &Road,
        observation: &Observation,
        scratch: &mut Scratch,
        out: &mut Observed,
    ) {
        out.clear();
        if !self.fits(road) {
            self.reset();
            self.edges = road.edges() as u32;
        }
        let (lng, lat) = observation.position.to_e7();
        let observation = &Observation { position: Position::from_e7(lng, lat), ..*observation };
        let Some(last) = self.last else {
            self.start(road, observation, scratch, out);
            return;
        };
        if self.heard.is_some_and(|heard| observation.time <= heard) {
            return;
        }
        let seen = self.seen(observation, &last);
        if self.rests(&seen, &last) {
            self.rest(&seen);
            self.settle(road, scratch, out);
            return;
        }
        if implausible(&seen) && !self.believe(observation) {
            return;
        }
        if self.doubt.take().is_some_and(|d| d.fixes >= DOUBTED_MAX)
            || seen.straight_m > BREAK_M
            || self.marks.is_empty()
        {
            self.break_off(road, scratch, out);
            self.start(road, observation, scratch, out);
            return;
        }
        self.fixes = self.fixes.wrapping_add(1);
        candidate::collect(road, &seen, &mut scratch.near, &mut scratch.candidates);
        if seen.straight_m > BRIDGE_M {
            if !self.bridge(road, &seen, scratch, out) {
                self.break_off(road, scratch, out);
                self.start(road, observation, scratch, out);
                return;
            }
        } else {
            scratch.step.advance(
                road,
                self,
                (&seen, &scratch.candidates),
                (&mut scratch.router, &mut scratch.routed),
            );
        }
        if observation.accuracy_m.is_none() && self.spread.is_due(seen.weight) {
            self.spread.learn(scratch.step.places(&scratch.candidates));
        }
        self.push(&seen, &scratch.step);
        self.settle(road, scratch, out);
    }

    /// After a new column: drops what holds no decision, commits what is decided, answers.
    fn settle(&mut self, road: &Road, scratch: &mut Scratch, out: &mut Observed) {
        self.thin(scratch);
        self.make_room(scratch);
        self.commit(road, scratch, out);
        self.answer(road, out);
    }

    /// Whether a fix tells of no movement: the receiver says so and the place agrees, or, where
    /// speeds are not reported, it lies within the errors of the last (Newson & Krumm 2009, §4.1).
    /// Drift at rest says nothing about the road, so such a fix moves no hypothesis.
    fn rests(&self, seen: &Seen, last: &Last) -> bool {
        if self.marks.is_empty() {
            return false;
        }
        match (seen.speed_mps, last.speed_mps) {
            (Some(now), Some(before)) => {
                now.max(before) < STANDING_MPS
                    && seen.straight_m < RESTING_SPEED_SIGMAS * seen.sigma_m
            }
            (None, None) => {
                let slow = seen.straight_m < RESTING_MPS * seen.elapsed_s;
                let sigmas = if slow { RESTING_SLOW_SIGMAS } else { RESTING_SIGMAS };
                seen.straight_m < (sigmas * seen.sigma_m).min(RESTING_MOST_M)
            }
            _ => false,
        }
    }

    /// Repeats the newest column at a later time.
    fn rest(&mut self, seen: &Seen) {
        self.fixes = self.fixes.wrapping_add(1);
        let cells = self.live.len();
        for k in 0..cells {
            let cell = self.cells[self.cells.len() - cells];
            self.cells.push(Cell { back: k as u8, ..cell });
        }
        self.marks.push(Mark { time: seen.time, fix: self.fixes, cells: cells as u8 });
        if seen.speed_mps.is_some()
            && let Some(last) = &mut self.last
        {
            last.time = seen.time;
            last.speed_mps = seen.speed_mps;
        }
        self.heard = Some(seen.time);
    }

    /// Commits what is left on the best path and starts anew: the end of a trace.
    pub fn flush(&mut self, road: &Road, scratch: &mut Scratch, out: &mut Observed) {
        out.clear();
        if self.fits(road) {
            self.break_off(road, scratch, out);
        }
        out.gap = false;
        self.reset();
    }

    fn start(&mut self, road: &Road, o: &Observation, scratch: &mut Scratch, out: &mut Observed) {
        let first = Last { position: o.position, time: o.time, speed_mps: None };
        let mut seen = self.seen(o, &first);
        seen.weight = 1.0;
        seen.elapsed_s = emission::INDEPENDENT_S;
        self.fixes = self.fixes.wrapping_add(1);
        candidate::collect(road, &seen, &mut scratch.near, &mut scratch.candidates);
        scratch.step.begin(&seen, &scratch.candidates);
        self.push(&seen, &scratch.step);
        self.answer(road, out);
    }

    /// What a fix says, given the one before.
    fn seen(&self, o: &Observation, last: &Last) -> Seen {
        let elapsed_s = o.time.seconds_since(last.time);
        let straight_m = distance_m(last.position, o.position);
        let (sigma_m, reach_m) = match o.accuracy_m {
            Some(a) => {
                let own = a / SIGMAS_OF_ACCURACY;
                let own = own.clamp(ACCURACY_SIGMA_M.0, ACCURACY_SIGMA_M.1);
                (own, own)
            }
            None => (self.spread.sigma_m, self.spread.reach_m),
        };
        let speed = o.speed_mps.filter(|s| s.is_finite());
        let mean = match (last.speed_mps, speed) {
            (Some(a), Some(b)) => Some(f64::midpoint(a, b)),
            (a, b) => a.or(b),
        };
        let by_speed = mean.filter(|_| elapsed_s <= SPEED_TRUSTED_S).map(|mean| {
            let metres = mean * elapsed_s;
            let late = SPEED_ERROR.2 * elapsed_s * elapsed_s.sqrt();
            (metres, SPEED_ERROR.0 + SPEED_ERROR.1 * metres + late)
        });
        // A receiver whose speeds and places contradict each other is believed for its places.
        let by_speed =
            by_speed.filter(|(metres, spread)| straight_m <= metres + 4.0 * spread + 6.0 * sigma_m);
        let by_place = (straight_m, sigma_m + STRAIGHT_ERROR * straight_m);
        let plane = Plane::new(o.position);
        Seen {
            position: o.position,
            time: o.time,
            speed_mps: speed,
            heading: o.heading.filter(|h| h.is_finite()),
            sigma_m,
            reach_m,
            weight: emission::weight(elapsed_s),
            elapsed_s,
            straight_m,
            travelled: by_speed.unwrap_or(by_place),
            by_speed: by_speed.is_some(),
            before_at: plane.to_metres(last.position),
            plane,
        }
    }

    /// Whether a fix that is too far away is believed after all, because others said the same.
    fn believe(&mut self, o: &Observation) -> bool {
        let speed_mps = o.speed_mps.filter(|s| s.is_finite());
        let last = Last { position: o.position, time: o.time, speed_mps };
        let fixes = match self.doubt {
            Some(d) if !implausible(&self.seen(o, &d.last)) => d.fixes + 1,
            _ => 1,
        };
        self.doubt = Some(Doubt { last, fixes });
        fixes >= DOUBTED_MAX
    }

    /// A long gap: one route from the best hypothesis to the best of a few candidates.
    fn bridge(
        &mut self,
        road: &Road,
        seen: &Seen,
        scratch: &mut Scratch,
        out: &mut Observed,
    ) -> bool {
        let mut best: Option<(f64, usize, usize)> = None;
        for index in 0..self.live.len().min(BRIDGE_ENDS) {
            let Some(from) = self.newest()[index].place() else { continue };
            for (k, c) in scratch.candidates.iter().take(BRIDGE_ENDS).enumerate() {
                let Some(path) = scratch.router.route(road, from, c.place(), Profile::Van) else {
                    continue;
                };
                let late = path.seconds / seen.elapsed_s.max(1.0);
                let cost = f64::from(self.live[index].score) + c.cost + late;
                if best.is_none_or(|(least, ..)| cost < least) {
                    best = Some((cost, index, k));
                }
            }
        }
        let Some((_, index, k)) = best else {
            return false;
        };
        self.commit_to(road, (self.marks.len() - 1, index), scratch, out);
        scratch.step.only(seen, &scratch.candidates[k]);
        true
    }

    /// Commits all that is left on the best path and forgets the columns.
    fn break_off(&mut self, road: &Road, scratch: &mut Scratch, out: &mut Observed) {
        if let Some(best) = self.best() {
            self.commit_to(road, (self.marks.len() - 1, best), scratch, out);
            out.gap = self.begun;
        }
        self.clear_columns();
        self.begun = false;
        self.last = None;
        self.heard = None;
        self.doubt = None;
    }

    fn push(&mut self, seen: &Seen, step: &viterbi::Step) {
        let cells = step.next.len() as u8;
        self.marks.push(Mark { time: seen.time, fix: self.fixes, cells });
        self.live.clear();
        for n in &step.next {
            self.cells.push(n.cell);
            self.live.push(Live {
                score: n.score as f32,
                mass: n.mass as f32,
                variance: n.variance as f32,
            });
        }
        self.last =
            Some(Last { position: seen.position, time: seen.time, speed_mps: seen.speed_mps });
        self.heard = Some(seen.time);
    }

    /// Drops the column before the newest where it holds no decision and its neighbours are close
    /// in time, or nothing moved.
    fn thin(&mut self, scratch: &mut Scratch) {
        self.mark_living(&mut scratch.marks);
        let count = self.marks.len();
        if count < 3 || !self.is_plain(count - 2, &scratch.marks) {
            return;
        }
        let (before, after) = (&self.marks[count - 3], &self.marks[count - 1]);
        let close = after.time.seconds_since(before.time) <= SPAN_S;
        if close || self.is_still(count - 3, &scratch.marks) {
            self.drop_column(count - 2);
            scratch.marks.remove(count - 2);
        }
    }

    /// In a full window drops a column that holds no decision, of those the one whose neighbours
    /// are closest in time, so that no commit is forced for want of room.
    fn make_room(&mut self, scratch: &mut Scratch) {
        if self.marks.len() <= self.lag.columns {
            return;
        }
        let span = |k: &usize| self.marks[k + 1].time.seconds_since(self.marks[k - 1].time);
        let plain = (1..self.marks.len() - 1).filter(|k| self.is_plain(*k, &scratch.marks));
        let least = plain.min_by(|a, b| span(a).total_cmp(&span(b)));
        if let Some(index) = least.filter(|k| span(k) <= ROOM_SPAN_S) {
            self.drop_column(index);
            scratch.marks.remove(index);
        }
    }

    /// Whether no living path moved by more than two metres since column `index`.
    fn is_still(&self, index: usize, marks: &[u16]) -> bool {
        let newest = self.marks.len() - 1;
        (0..self.live.len()).filter(|k| marks[newest] & (1 << k) != 0).all(|k| {
            let last = self.column(newest)[k];
            let mut back = usize::from(last.back);
            for column in (index + 1..newest).rev() {
                back = usize::from(self.column(column)[back].back);
            }
            let first = self.column(index)[back];
            first.edge == last.edge && f64::from(first.offset_m - last.offset_m).abs() < STILL_M
        })
    }

    /// For each column the set of hypotheses from which a newest one descends.
    fn mark_living(&self, marks: &mut Vec<u16>) {
        marks.clear();
        marks.resize(self.marks.len(), 0);
        let mut living: u16 = (1 << self.live.len()) - 1;
        let mut end = self.cells.len();
        for (index, mark) in self.marks.iter().enumerate().rev() {
            marks[index] = living;
            let start = end - usize::from(mark.cells);
            let mut before = 0;
            for (k, cell) in self.cells[start..end].iter().enumerate() {
                if living & (1 << k) != 0 {
                    before |= 1 << cell.back;
                }
            }
            living = before;
            end = start;
        }
    }

    /// Commits up to the newest column in which one hypothesis is left, or that is overdue;
    /// `scratch.marks` are as [`Track::mark_living`] has them.
    fn commit(&mut self, road: &Road, scratch: &mut Scratch, out: &mut Observed) {
        loop {
            let agreed = scratch.marks.iter().rposition(|m| m.is_power_of_two());
            if let Some(index) = agreed
                && (index > 0 || !self.begun)
            {
                let keep = scratch.marks[index].trailing_zeros() as usize;
                self.commit_to(road, (index, keep), scratch, out);
            }
            let Some(index) = self.overdue(road) else { return };
            let Some(keep) = self.best().map(|b| self.ancestor(b, index)) else { return };
            self.keep_descendants(index, keep);
            self.commit_to(road, (index, keep), scratch, out);
            self.mark_living(&mut scratch.marks);
        }
    }

    /// The newest column that has waited too long, if it is not the first already.
    fn overdue(&self, road: &Road) -> Option<usize> {
        let over = self.marks.len().saturating_sub(self.lag.columns);
        let late = self.late(road);
        let index = late.unwrap_or(0).max(over);
        let undecided = index > 0 || (late.is_some() && self.marks[0].cells > 1);
        undecided.then_some(index)
    }

    /// The newest column after which more fixes and seconds lie than the lag allows. Seconds count
    /// by the way the best path makes in them: what tells two branches apart is the way, and a
    /// vehicle that waits at a fork or creeps in a jam would be committed to one by noise alone.
    fn late(&self, road: &Road) -> Option<usize> {
        let newest = self.marks.last()?;
        let whole = newest.time.seconds_since(self.marks[0].time);
        if whole <= self.lag.seconds || newest.fix.wrapping_sub(self.marks[0].fix) <= self.lag.fixes
        {
            return None;
        }
        let (mut cell, mut seconds) = (self.best()?, 0.0);
        for index in (0..self.marks.len()).rev() {
            let mark = &self.marks[index];
            let fixes = newest.fix.wrapping_sub(mark.fix);
            if fixes > self.lag.fixes && seconds > self.lag.seconds {
                return Some(index);
            }
            if index == 0 {
                break;
            }
            let after = self.column(index)[cell];
            cell = usize::from(after.back);
            let before = self.column(index - 1)[cell];
            let took = mark.time.seconds_since(self.marks[index - 1].time);
            let share = match (before.driven(), after.driven()) {
                (Some(a), Some(b)) => {
                    let metres = distance_m(road.position_at(a), road.position_at(b));
                    metres / (FULL_MPS * took.max(1e-3))
                }
                _ => 1.0,
            };
            seconds += took * share.clamp(STILL_SHARE, 1.0);
        }
        None
    }

    /// The hypothesis of column `index` from which the newest column's `cell` descends.
    fn ancestor(&self, mut cell: usize, index: usize) -> usize {
        for column in (index + 1..self.marks.len()).rev() {
            cell = usize::from(self.column(column)[cell].back);
        }
        cell
    }

    /// Before a forced commit: hypotheses of later columns that do not descend from the one kept
    /// are dropped, so that the path stays connected.
    fn keep_descendants(&mut self, index: usize, keep: usize) {
        let mut kept: u16 = 1 << keep;
        let mut start = self.start_of(index + 1);
        let mut index = index + 1;
        while index < self.marks.len() {
            let count = usize::from(self.marks[index].cells);
            let (mut now, mut write) = (0_u16, 0_usize);
            let newest = index + 1 == self.marks.len();
            for k in 0..count {
                let cell = self.cells[start + k];
                if kept & (1 << cell.back) == 0 {
                    continue;
                }
                let back = (kept & ((1 << cell.back) - 1)).count_ones() as u8;
                now |= 1 << k;
                self.cells[start + write] = Cell { back, ..cell };
                if newest {
                    self.live[write] = self.live[k];
                }
                write += 1;
            }
            self.cells.drain(start + write..start + count);
            if newest {
                self.live.truncate(write);
            }
            self.marks[index].cells = write as u8;
            start += write;
            kept = now;
            index += 1;
        }
    }

    /// Commits the path to hypothesis `cell` of column `index`, which becomes the first column.
    fn commit_to(
        &mut self,
        road: &Road,
        (index, cell): (usize, usize),
        scratch: &mut Scratch,
        out: &mut Observed,
    ) {
        scratch.chain.clear();
        let mut at = cell;
        for column in (0..=index).rev() {
            let cell = self.column(column)[at];
            scratch.chain.push(cell);
            at = usize::from(cell.back);
        }
        scratch.chain.reverse();
        let mut before: Option<(Place, Mark)> = None;
        for column in 0..=index {
            let (cell, mark) = (scratch.chain[column], self.marks[column]);
            let Some(place) = cell.place() else { continue };
            match before {
                None if !self.begun => {
                    out.committed.push(Passed {
                        edge: place.edge,
                        entered: mark.time,
                        from_m: place.offset_m,
                        joined: false,
                    });
                    self.begun = true;
                }
                None => {}
                Some(from) => pass(road, from, (place, mark), scratch, out),
            }
            out.reached = Some(place);
            before = Some((place, mark));
        }
        self.begin_at(index, cell);
    }

    fn answer(&self, road: &Road, out: &mut Observed) {
        let Some(best) = self.best() else { return };
        let cell = self.newest()[best];
        if cell.off_road {
            return;
        }
        out.matched = cell.place().map(|place| MatchedPoint {
            place,
            position: road.position_at(place),
            confidence: f64::from(self.live[best].mass).clamp(0.0, 1.0),
        });
    }
}

/// Faster than any road vehicle, the spread of both fixes taken off.
fn implausible(seen: &Seen) -> bool {
    let surely = seen.straight_m - 6.0 * seen.sigma_m;
    surely > FASTEST_MPS * seen.elapsed_s
}

/// Commits the edges between two places of one path.
fn pass(
    road: &Road,
    (from, start): (Place, Mark),
    (to, end): (Place, Mark),
    scratch: &mut Scratch,
    out: &mut Observed,
) {
    let metres = transition::path_between(
        road,
        &mut scratch.router,
        &mut scratch.routed,
        (from, to, end.time.seconds_since(start.time)),
        &mut scratch.path,
    );
    let straight = distance_m(road.position_at(from), road.position_at(to));
    let likely = |m: &f64| *m <= DETOUR_FACTOR * straight + DETOUR_MOST_M;
    let Some(metres) = metres.filter(likely) else {
        out.gap = true;
        let entered = end.time;
        out.committed.push(Passed { edge: to.edge, entered, from_m: to.offset_m, joined: false });
        return;
    };
    let elapsed = end.time.seconds_since(start.time);
    let left = road.length_m(from.edge) - from.offset_m;
    if let [edge] = *scratch.path
        && road.reverse(from.edge) == Some(edge)
    {
        // It turned where it stood and drove back, or drove on to where it is and turned there.
        let (from_m, entered) =
            if to.offset_m > left { (left, start.time) } else { (to.offset_m, end.time) };
        out.committed.push(Passed { edge, entered, from_m, joined: true });
        return;
    }
    let mut driven = left;
    for edge in &scratch.path {
        let share = if metres > 0.0 { (driven / metres).clamp(0.0, 1.0) } else { 1.0 };
        let entered = start.time.plus_seconds(share * elapsed);
        out.committed.push(Passed { edge: *edge, entered, from_m: 0.0, joined: true });
        driven += road.length_m(*edge);
    }
}
