//! Where it is slow: what driving took in the places seen today, and what that says of others.
//!
//! A vehicle keeps the places it has driven through as spots. What driving takes somewhere else is
//! the mean of the spots around it, by how near they are, how long ago and for how long they were
//! seen (a kernel regression: Nadaraya 1964, Watson 1964), with all of the town that it knows as
//! one more voice: far from everything seen it is as likely to be slow as any place was. Means are
//! of logarithms, and a small excess is taken for luck at lights: only a queue convinces. How much
//! the voices differ is how little is known: at the edge of a jam, when it has only just begun,
//! and everywhere else on a day on which a part of the town stands still.

use libm::{exp, log, sqrt};

use ingest::time::Timestamp;
use ingest::units::Position;

use crate::road::plane::Plane;

/// Spots remembered: a territory of some ten square kilometres. A further one replaces the one
/// that says least.
pub const SPOTS_MAX: usize = 48;
/// Driving within this of a spot's middle belongs to it, metres.
const SPOT_M: f64 = 300.0;
/// A spot speaks for places up to this far away, metres, less the farther.
const REACH_M: f64 = 1500.0;
/// What was seen in a spot fades over this much free-flow driving in it, seconds: who drives
/// through it once more knows it anew; …
const FADES_FREE_S: f64 = 80.0;
/// …over this time of driving in it, however little it covers, seconds, …
const FADES_S: f64 = 600.0;
/// …and over this time elsewhere: a jam lasts for an hour or two.
const KEEPS_S: f64 = 5400.0;
/// The town speaks as loudly as a spot seen for this long, seconds, …
const TOWN_VOICE_S: f64 = 40.0;
/// …and is thought to be as usual in so many spots more than were seen.
const TOWN_BEGINS: f64 = 8.0;
/// A spot's own ratio begins with this much free-flow driving at the day's, seconds, …
const SPOT_BEGINS_S: f64 = 10.0;
/// …and this much standing is not counted, seconds: one red light.
const LIGHT_S: f64 = 30.0;
/// This many times the day's ratio is a queue and believed; less only by its share of the way
/// there, in logarithms, and at least by [`LUCK`].
const QUEUE: f64 = 2.5;
const LUCK: f64 = 0.2;
/// Ratios to the day's beyond these are errors of the map, as logarithms.
const LOG_MIN: f64 = -0.5;
const LOG_MAX: f64 = 2.2;

/// Driving in one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Where.
    pub middle: Position,
    /// Seconds driven there, fading.
    pub seconds: f64,
    /// The same way at free flow.
    pub free_s: f64,
    /// When it was last seen.
    pub at: Timestamp,
}

/// The places seen, in the order in which they came; at most [`SPOTS_MAX`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spots(pub Vec<Spot>);

/// What driving takes somewhere, against the day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Local {
    /// Median of the ratio to the day's.
    pub ratio: f64,
    /// Spread of its logarithm, standard deviation.
    pub sd: f64,
}

/// What is not known of one place is wrong of the next one too, by this share of its variance.
const SHARED: f64 = 0.5;

impl Local {
    /// Spread that is shared with the rest of the way, standard deviation of the logarithm.
    pub fn shared_sd(self) -> f64 {
        sqrt(SHARED) * self.sd
    }
    /// Variance of the logarithm that one place has for itself.
    pub fn own_variance(self) -> f64 {
        (1.0 - SHARED) * self.sd * self.sd
    }
}

impl Default for Local {
    /// As the day.
    fn default() -> Self {
        Self { ratio: 1.0, sd: 0.0 }
    }
}

impl Spot {
    /// How much of it is still true at `now`.
    fn kept(&self, now: Timestamp) -> f64 {
        exp(-now.seconds_since(self.at).max(0.0) / KEEPS_S)
    }

    /// How loudly it speaks at `now`: the seconds it was seen for, faded.
    fn voice(&self, now: Timestamp) -> f64 {
        self.seconds * self.kept(now)
    }

    /// Logarithm of its ratio to the `day`'s as far as it is believed.
    fn excess(&self, day: f64) -> f64 {
        let light_s = (self.seconds - day * self.free_s).clamp(0.0, LIGHT_S);
        let seconds = self.seconds - light_s;
        let ratio = (SPOT_BEGINS_S * day + seconds) / (SPOT_BEGINS_S + self.free_s);
        let excess = log(ratio / day).clamp(LOG_MIN, LOG_MAX);
        excess * (excess.abs() / log(QUEUE)).clamp(LUCK, 1.0)
    }
}

impl Spots {
    /// Takes in `seconds` of driving at `here` that covered what takes `free_s` at free flow.
    pub fn saw(&mut self, here: Position, at: Timestamp, (seconds, free_s): (f64, f64)) {
        let plane = Plane::new(here);
        let apart = |spot: &Spot| {
            let (x, y) = plane.to_metres(spot.middle);
            x * x + y * y
        };
        let nearest = self.0.iter_mut().min_by(|a, b| apart(a).total_cmp(&apart(b)));
        if let Some(spot) = nearest.filter(|s| apart(s) <= SPOT_M * SPOT_M) {
            let away = at.seconds_since(spot.at).max(seconds) - seconds;
            let driven = free_s.max(0.0) / FADES_FREE_S + seconds / FADES_S;
            let keep = exp(-driven - away / KEEPS_S);
            spot.seconds = spot.seconds * keep + seconds;
            spot.free_s = (spot.free_s * keep + free_s).max(0.0);
            spot.at = spot.at.max(at);
            return;
        }
        if self.0.len() >= SPOTS_MAX {
            let quietest = (0..self.0.len())
                .min_by(|a, b| self.0[*a].voice(at).total_cmp(&self.0[*b].voice(at)));
            if let Some(quietest) = quietest {
                self.0.remove(quietest);
            }
        }
        self.0.push(Spot { middle: here, seconds, free_s: free_s.max(0.0), at });
    }
}

/// The spots as one prediction needs them.
#[derive(Debug, Default)]
pub struct Field {
    plane: Option<Plane>,
    /// x and y in metres, excess, voice.
    voices: Vec<(f64, f64, f64, f64)>,
    /// Mean of the excess in the town, and of its square.
    town: (f64, f64),
}

impl Field {
    /// Reads the spots as of `now`, when the day's ratio is `day`.
    pub fn read(&mut self, spots: &Spots, day: f64, now: Timestamp) {
        self.voices.clear();
        self.plane = spots.0.first().map(|s| Plane::new(s.middle));
        let Some(plane) = &self.plane else { return };
        let (mut count, mut sum, mut squares) = (TOWN_BEGINS, 0.0, 0.0);
        for spot in &spots.0 {
            let (x, y) = plane.to_metres(spot.middle);
            let (kept, excess) = (spot.kept(now), spot.excess(day));
            self.voices.push((x, y, excess, spot.seconds * kept));
            count += kept;
            sum += kept * excess;
            squares += kept * excess * excess;
        }
        self.town = (sum / count, squares / count);
    }

    /// What a drive from one place to another takes, by three places on the line between them.
    pub fn between(&self, from: Position, to: Position) -> Local {
        let Some(plane) = &self.plane else { return Local::default() };
        let ((ax, ay), (bx, by)) = (plane.to_metres(from), plane.to_metres(to));
        let shares = [1.0 / 6.0, 0.5, 5.0 / 6.0];
        let at = shares.map(|s| self.at(ax + s * (bx - ax), ay + s * (by - ay)));
        let ratio = at.iter().map(|l| l.ratio).sum::<f64>() / 3.0;
        // What is slower takes more of the time.
        let sd = at.iter().map(|l| l.ratio * l.sd).sum::<f64>() / (3.0 * ratio);
        Local { ratio, sd }
    }

    fn at(&self, x: f64, y: f64) -> Local {
        let (town, town_square) = self.town;
        let (mut weight, mut sum, mut squares) =
            (TOWN_VOICE_S, TOWN_VOICE_S * town, TOWN_VOICE_S * town_square);
        for (spot_x, spot_y, excess, voice) in &self.voices {
            let (dx, dy) = (spot_x - x, spot_y - y);
            let near = 1.0 - (dx * dx + dy * dy) / (REACH_M * REACH_M);
            if near > 0.0 {
                let near = near * near;
                let voice = voice * near * near;
                weight += voice;
                sum += voice * excess;
                squares += voice * excess * excess;
            }
        }
        let mean = sum / weight;
        Local { ratio: exp(mean), sd: sqrt((squares / weight - mean * mean).max(0.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 1.4;

    fn metres(x: f64) -> Position {
        Plane::new(Position { lng: 0.0, lat: 0.0 }).to_position(x, 0.0)
    }

    /// Drives along a line whose free flow is 10 m/s from 0 m on, `mps` by place, and asks about a
    /// stretch of it.
    fn asked(
        mps: impl Fn(f64) -> f64,
        until_m: f64,
        later_s: f64,
        (from, to): (f64, f64),
    ) -> Local {
        let (mut spots, mut x, mut t) = (Spots::default(), 0.0, 0.0);
        while x < until_m {
            (x, t) = (x + 10.0 * mps(x), t + 10.0);
            spots.saw(metres(x), Timestamp::from_seconds(0).plus_seconds(t), (10.0, mps(x)));
        }
        assert!(spots.0.len() <= SPOTS_MAX);
        let mut field = Field::default();
        field.read(&spots, DAY, Timestamp::from_seconds(0).plus_seconds(t + later_s));
        field.between(metres(from), metres(to))
    }

    #[test]
    fn an_ordinary_day_says_nothing_special() {
        let usual = |x: f64| if (x / 400.0) as i64 % 2 == 0 { 9.0 } else { 6.0 };
        let local = asked(usual, 6000.0, 0.0, (3000.0, 5000.0));
        assert!((0.9..1.1).contains(&local.ratio) && local.sd < 0.1, "{local:?}");
    }

    #[test]
    fn a_jam_is_known_where_it_was_seen_and_guessed_around() {
        let jam = |x: f64| if (2000.0..4000.0).contains(&x) { 1.2 } else { 8.0 };
        let inside = asked(jam, 6000.0, 0.0, (2500.0, 3500.0));
        assert!(inside.ratio > 3.0, "{inside:?}");
        let outside = asked(jam, 6000.0, 0.0, (5000.0, 6000.0));
        assert!(outside.ratio < 1.8, "{outside:?}");
        // Half way in it nobody knows how far it reaches.
        let ahead = asked(jam, 3000.0, 0.0, (3200.0, 3800.0));
        assert!(ahead.ratio > 1.8 && ahead.sd > 0.3, "{ahead:?}");
        // Elsewhere it is a little likelier to be slow than on a day without a jam.
        let far = asked(jam, 3000.0, 0.0, (5500.0, 6500.0));
        assert!((1.0..1.4).contains(&far.ratio) && far.sd > 0.2, "{far:?}");
    }

    #[test]
    fn a_jam_is_forgotten_with_time_and_when_it_is_driven_through() {
        let jam = |x: f64| if (2000.0..4000.0).contains(&x) { 1.2 } else { 8.0 };
        let fresh = asked(jam, 4000.0, 0.0, (2500.0, 3500.0)).ratio;
        let later = asked(jam, 4000.0, 3600.0, (2500.0, 3500.0)).ratio;
        let next_day = asked(jam, 4000.0, 86_400.0, (2500.0, 3500.0)).ratio;
        assert!(fresh > later && later > 2.0 && next_day < 1.01, "{fresh} {later} {next_day}");
        let mut spots = Spots::default();
        for (t, free_s) in (0..60).map(|t| (t, if t < 30 { 1.0 } else { 7.0 })) {
            let at = Timestamp::from_seconds(0).plus_seconds(f64::from(t) * 10.0);
            spots.saw(metres(f64::from(t % 30) * 10.0), at, (10.0, free_s));
        }
        let mut field = Field::default();
        field.read(&spots, DAY, Timestamp::from_seconds(600));
        let local = field.between(metres(0.0), metres(300.0));
        assert!(local.ratio < 2.0, "five minutes at full speed: {local:?}");
    }
}
