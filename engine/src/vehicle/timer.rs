//! One wake-up a vehicle: the earliest of what it waits for.

use ingest::time::Timestamp;

use crate::alert::{Policy, Turn};
use crate::model::EventKind;

use super::forecast::Occasion;
use super::state::{State, Step};

impl State {
    /// When the vehicle wants to be woken next.
    pub(super) fn wake_at(&self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        let silence = self.sources.interval_s().and_then(|i| self.silence.due(policy, i));
        let free = self.plans.active().filter(|_| !self.plans.is_free(now));
        // A shift that has begun waits for the end of the one before.
        let waits = free.filter(|_| self.plans.due(now).is_some()).map(|p| p.route.shift.to);
        let times = [silence, self.look_at, self.plans.next_shift(now), waits];
        // Strictly later: what is due at `now` has been done.
        times.into_iter().flatten().min().map(|t| t.max(now.plus_seconds(1e-6)))
    }
}

impl Step<'_> {
    /// The time it asked for has come.
    pub(super) fn wake(&mut self) {
        let (now, policy) = (self.now, &self.world.policy);
        if let Some(interval_s) = self.state.sources.interval_s()
            && self.state.silence.look(policy, interval_s, now) == Some(Turn::Raise)
        {
            self.event(EventKind::NoSignal, now);
        }
        self.activate_due();
        if self.state.look_at.is_some_and(|t| t <= now) {
            self.forecast(Occasion::Progress);
        }
    }

    /// The partition has a new owner: silence before `now` was ours.
    pub(super) fn resumed(&mut self) {
        self.state.silence.resumed(self.now);
    }
}
