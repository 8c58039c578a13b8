//! Devices of a vehicle: which belong to it, which one is followed, what is history.

use ingest::id::DeviceId;
use ingest::record::DeviceInput;
use ingest::time::Timestamp;

use crate::model::Assignment;

/// Most devices that belong to a vehicle at one time; a further one is history only.
pub const SOURCES_MAX: usize = 4;
/// Devices that belonged to it earlier and are remembered, for what they sent before they left.
const GONE_MAX: usize = 4;
/// A followed device that is silent this long, seconds, gives way to another.
const CHANGE_OVER_S: f64 = 60.0;
/// A device must be better for this long, seconds, before it is followed instead.
const BETTER_HOLD_S: f64 = 60.0;
/// Better means that its [`Source::coarseness`] is this much smaller.
const BETTER_FACTOR: f64 = 0.5;
/// Accuracy of a device that states none, metres.
const ACCURACY_M: f64 = 10.0;
/// Contacts closer than this, seconds, are one packet.
const PACKET_S: f64 = 0.5;
/// Share of a new interval or accuracy in the usual one.
const LEARN: f64 = 0.2;

/// One device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    pub(super) device: DeviceId,
    /// It belongs to the vehicle from then…
    pub(super) from: Timestamp,
    /// …until then.
    pub(super) until: Option<Timestamp>,
    /// Its own time of its newest fix.
    pub(super) newest: Option<Timestamp>,
    /// When it was last heard, by the partition's time.
    pub(super) heard: Option<Timestamp>,
    /// Usual seconds between two contacts; 0 until known.
    pub(super) interval_s: f64,
    /// Usual accuracy, metres.
    pub(super) accuracy_m: f64,
    /// Since when it is better than the one followed.
    pub(super) better_since: Option<Timestamp>,
}

/// What a fix is to its vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The vehicle's position.
    Followed,
    /// The same, and the first after a change of source.
    ChangedOver,
    /// History.
    Backfill,
}

/// The devices, in the order in which they came; at most [`SOURCES_MAX`] present ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sources {
    pub(super) list: Vec<Source>,
    pub(super) followed: Option<DeviceId>,
}

impl Source {
    fn new(device: DeviceId, from: Timestamp) -> Self {
        Self {
            device,
            from,
            until: None,
            newest: None,
            heard: None,
            interval_s: 0.0,
            accuracy_m: ACCURACY_M,
            better_since: None,
        }
    }
    fn owns(&self, time: Timestamp) -> bool {
        self.from <= time && self.until.is_none_or(|until| time < until)
    }
    /// The smaller, the better a position it gives: how far off it is and how old it gets.
    fn coarseness(&self) -> f64 {
        self.accuracy_m + self.interval_s.max(1.0) * 4.0
    }
    fn hear(&mut self, now: Timestamp) {
        if let Some(before) = self.heard {
            let gap = now.seconds_since(before);
            if gap >= PACKET_S {
                // An outage is not the usual interval.
                let gap = if self.interval_s > 0.0 { gap.min(4.0 * self.interval_s) } else { gap };
                let learn = if self.interval_s > 0.0 { LEARN } else { 1.0 };
                self.interval_s += learn * (gap - self.interval_s);
            }
        }
        self.heard = self.heard.max(Some(now));
    }
    fn silent(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|u| u <= now)
            || self.heard.is_none_or(|h| now.seconds_since(h) >= CHANGE_OVER_S)
    }
}

impl Sources {
    /// A device comes or goes; `ours`: it comes.
    pub(super) fn assign(&mut self, change: &Assignment, ours: bool) {
        let known = self.list.iter().position(|s| s.device == change.device);
        match (known, ours) {
            (Some(i), false) => {
                let source = &mut self.list[i];
                if source.until.is_none() && change.from >= source.from {
                    source.until = Some(change.from);
                }
            }
            (Some(i), true) => {
                let source = &mut self.list[i];
                if source.until.is_some() {
                    (source.from, source.until) = (change.from, None);
                }
            }
            (None, true) => self.admit(&change.device, change.from),
            (None, false) => {}
        }
    }

    /// A device that belongs to the vehicle from `from` on, where there is room.
    pub(super) fn admit(&mut self, device: &DeviceId, from: Timestamp) {
        let present = self.list.iter().filter(|s| s.until.is_none()).count();
        if present >= SOURCES_MAX {
            return;
        }
        if self.list.len() - present >= GONE_MAX
            && let Some(oldest) = self.list.iter().position(|s| s.until.is_some())
        {
            self.list.remove(oldest);
        }
        self.list.push(Source::new(device.clone(), from));
    }

    /// Whether the device is known at all.
    pub(super) fn knows(&self, device: &DeviceId) -> bool {
        self.list.iter().any(|s| s.device == *device)
    }

    /// A sign of life at `now` about `time`; whether the device belongs to the vehicle.
    pub(super) fn hear(&mut self, device: &DeviceId, time: Timestamp, now: Timestamp) -> bool {
        let source = self.list.iter_mut().find(|s| s.device == *device);
        source.filter(|s| s.owns(time)).is_some_and(|source| {
            source.hear(now);
            true
        })
    }

    /// What a fix is, and remembers it. After [`Sources::hear`].
    pub(super) fn place(&mut self, input: &DeviceInput, now: Timestamp) -> Standing {
        let device = &input.report.device;
        let Some(i) = self.list.iter().position(|s| s.device == *device) else {
            return Standing::Backfill;
        };
        let source = &mut self.list[i];
        if !source.owns(input.time) || source.newest.is_some_and(|n| input.time < n) {
            return Standing::Backfill;
        }
        let fix = input.report.fix.as_ref();
        if !fix.is_some_and(|f| f.valid) {
            return self.standing_of_invalid(device);
        }
        source.newest = Some(input.time);
        if let Some(accuracy) = fix.and_then(|f| f.accuracy) {
            source.accuracy_m += LEARN * (accuracy.get() - source.accuracy_m);
        }
        self.follow(i, input.time, now)
    }

    /// A receiver without reception says where it was; nothing depends on it.
    fn standing_of_invalid(&self, device: &DeviceId) -> Standing {
        let followed = self.followed.as_ref().is_none_or(|f| f == device);
        if followed { Standing::Followed } else { Standing::Backfill }
    }

    fn follow(&mut self, i: usize, time: Timestamp, now: Timestamp) -> Standing {
        let Some(f) = self.followed.as_ref() else {
            self.followed = Some(self.list[i].device.clone());
            return Standing::Followed;
        };
        let Some(followed) = self.list.iter().position(|s| s.device == *f) else {
            return self.change_over(i);
        };
        if followed == i {
            return Standing::Followed;
        }
        let (ours, other) = (&self.list[i], &self.list[followed]);
        // What it saw before the other's newest fix was seen already.
        if other.newest.is_some_and(|newest| time <= newest) {
            return Standing::Backfill;
        }
        let better = ours.interval_s > 0.0
            && other.interval_s > 0.0
            && ours.coarseness() < BETTER_FACTOR * other.coarseness();
        let silent = other.silent(now);
        let source = &mut self.list[i];
        let since = if better { Some(*source.better_since.get_or_insert(now)) } else { None };
        source.better_since = since;
        if silent || since.is_some_and(|s| now.seconds_since(s) >= BETTER_HOLD_S) {
            return self.change_over(i);
        }
        Standing::Backfill
    }

    fn change_over(&mut self, i: usize) -> Standing {
        for source in &mut self.list {
            source.better_since = None;
        }
        self.followed = Some(self.list[i].device.clone());
        Standing::ChangedOver
    }

    /// Usual seconds between two signs of life of the vehicle: those of its liveliest device;
    /// `None` while no device belongs to it.
    pub(super) fn interval_s(&self) -> Option<f64> {
        let present = self.list.iter().filter(|s| s.until.is_none());
        present.map(|s| s.interval_s).fold(None, |least: Option<f64>, s| {
            Some(least.map_or(s, |l| if l > 0.0 && (s == 0.0 || l < s) { l } else { s }))
        })
    }
}

#[cfg(test)]
mod tests {
    use ingest::fix::{Fix, Measured, Report};
    use ingest::id::TenantId;
    use ingest::record::Pid;

    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_seconds(s)
    }

    fn assignment(device: &str, from: i64) -> Assignment {
        Assignment {
            pid: Pid(1),
            received_at: at(from),
            device: DeviceId::new(device).unwrap(),
            vehicle: None,
            from: at(from),
        }
    }

    /// Course lines: device, its own time, time of receipt. Answers one letter a line: Followed,
    /// Changed over, Backfill.
    #[track_caller]
    fn check(sources: &mut Sources, course: &[(&str, i64, i64)], expected: &str) {
        let tenant = TenantId::new("acme").unwrap();
        let mut found = String::new();
        for (device, time, now) in course {
            let mut report = Report::of(DeviceId::new(device).unwrap());
            report.time = Some(at(*time));
            let measured = Measured { valid: true, ..Measured::default() };
            report.fix = Some(Fix::new(measured).unwrap());
            let input = DeviceInput::new(&tenant, "test", report, at(*now));
            sources.hear(&input.report.device, input.time, at(*now));
            found.push(match sources.place(&input, at(*now)) {
                Standing::Followed => 'F',
                Standing::ChangedOver => 'C',
                Standing::Backfill => 'B',
            });
        }
        assert_eq!(found, expected);
    }

    fn two() -> Sources {
        let mut sources = Sources::default();
        sources.assign(&assignment("a", 0), true);
        sources.assign(&assignment("b", 0), true);
        sources
    }

    #[test]
    fn late_fixes_and_strangers_are_history() {
        let mut sources = two();
        check(&mut sources, &[("a", 10, 10), ("a", 8, 11), ("a", 10, 12), ("c", 13, 13)], "FBFB");
    }

    #[test]
    fn one_is_followed_until_it_is_silent() {
        let mut sources = two();
        check(&mut sources, &[("a", 10, 10), ("b", 11, 11), ("b", 69, 69)], "FBB");
        check(&mut sources, &[("b", 71, 71), ("b", 81, 81)], "CF");
        // The first comes back with what it kept: history. Its clock is behind by a minute.
        check(&mut sources, &[("a", 20, 85), ("a", 30, 86), ("b", 91, 91)], "BBF");
        check(&mut sources, &[("a", 100, 160), ("b", 161, 161)], "CB");
    }

    #[test]
    fn the_better_one_wins_after_a_minute() {
        let mut sources = two();
        let mut found = Vec::new();
        for t in 1..200 {
            if t % 30 == 1 {
                check(&mut sources, &[("a", t, t)], if found.is_empty() { "F" } else { "B" });
            }
            let followed = sources.followed.as_ref().map(|d| d.as_str().to_owned());
            let expected = match (followed.as_deref(), sources.list[1].better_since) {
                (Some("a"), Some(since)) if t - since.millis() / 1000 >= 60 => "C",
                (Some("a"), _) => "B",
                _ => "F",
            };
            check(&mut sources, &[("b", t, t)], expected);
            if expected == "C" {
                found.push(t);
            }
        }
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn an_assignment_decides() {
        let mut sources = two();
        check(&mut sources, &[("a", 10, 10), ("b", 11, 11)], "FB");
        sources.assign(&assignment("a", 20), false);
        check(&mut sources, &[("a", 15, 21), ("a", 22, 22), ("b", 23, 23)], "FBC");
        sources.assign(&assignment("a", 40), true);
        check(&mut sources, &[("a", 30, 41), ("a", 41, 42)], "BB");
        for name in ["c", "d", "e"] {
            sources.assign(&assignment(name, 50), true);
        }
        assert!(!sources.knows(&DeviceId::new("e").unwrap()), "four at most");
    }
}
