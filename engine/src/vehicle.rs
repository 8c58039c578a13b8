//! The step function: one vehicle, one input, all that it means. Pure.
//!
//! In the order of a fix's way through it: `device` (whose fix it is, where it is) with `source`
//! (which device is followed), `motion` (halts), `presence` (arrived, departed), `journey` and
//! `way` (progress along the road), `forecast` (arrivals) and `tell` (what is said of them);
//! `reroute` proposes, `traffic` hears of changed roads; `planning` and `plan` take plans and actions, `timer` wakes, `state` is all that is kept and
//! `private` its bytes.

mod device;
mod forecast;
mod journey;
mod motion;
mod plan;
mod planning;
mod presence;
mod private;
mod reroute;
mod source;
mod state;
mod tell;
mod timer;
mod traffic;
mod way;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use ingest::id::VehicleKey;
use ingest::record::BadRecord;
use ingest::time::Timestamp;

use crate::model::{Body, Changed, Input, Output, View};
use crate::world::World;

pub use plan::PLANS_MAX;
pub use source::SOURCES_MAX;
pub use state::Scratch;
use state::{Say, State, Step};

/// Version of the layout of [`Vehicle::private`].
pub const SCHEMA: u32 = 2;

/// One vehicle: what people see of it and what only its next step needs.
#[derive(Debug, Clone)]
pub struct Vehicle {
    key: VehicleKey,
    view: View,
    state: State,
    wake_at: Option<Timestamp>,
}

impl Vehicle {
    /// A vehicle nothing is known of.
    pub fn new(key: VehicleKey) -> Self {
        Self { key, view: View::default(), state: State::default(), wake_at: None }
    }

    /// From a checkpoint: the view and the bytes of [`Vehicle::private`], laid out as `schema`.
    pub fn restore(
        key: VehicleKey,
        view: View,
        schema: u32,
        private: &Bytes,
    ) -> Result<Self, BadRecord> {
        if schema != SCHEMA {
            return Err(BadRecord::Value(format!(
                "state of {key}: schema `{schema}`, expected `{SCHEMA}`"
            )));
        }
        let (state, wake_at) = private::read(private)?;
        Ok(Self { key, view, state, wake_at })
    }

    /// Whose state it is.
    pub fn key(&self) -> &VehicleKey {
        &self.key
    }
    /// What people see.
    pub fn view(&self) -> &View {
        &self.view
    }
    /// The rest, for a checkpoint; empty for a retired vehicle.
    pub fn private(&self) -> Bytes {
        private::write(&self.state, self.wake_at)
    }
    /// When it wants to be woken, by the partition's time.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.wake_at
    }
    /// Whether a change of the roads may concern it, so that it is to be told
    /// [`Input::Traffic`]. No change of which it says no can change what it says next.
    pub fn heeds(&self, changed: &Changed) -> bool {
        self.state.heeds(changed)
    }
    /// A step of it panicked: it no longer wants the wake-up that caused it.
    pub fn clear_wake(&mut self) {
        self.wake_at = None;
    }
    /// Says that its inputs go to `dead-letters` from now on; takes the next seq.
    pub fn set_aside(&mut self, now: Timestamp) -> Output {
        let event = crate::model::Event::new(crate::model::EventKind::SetAside, now);
        let output = Output { seq: self.view.seq + 1, body: Body::Event(Box::new(event)) };
        self.view.apply(&output);
        output
    }

    /// Pure: same state, world, input and `now` give the same outputs, appended to `out` with
    /// rising `seq`. `scratch` is reused working memory.
    #[expect(clippy::too_many_arguments, reason = "two of them are memory that is reused")]
    pub fn step(
        &mut self,
        world: &World,
        input: Input,
        now: Timestamp,
        scratch: &mut Scratch,
        out: &mut Vec<Output>,
    ) {
        tracing::trace!(target: ingest::PACKET, "step");
        let overdue = matches!(input, Input::Wake { overdue: true });
        let say = Say { view: &mut self.view, out, overdue };
        let mut step = Step { key: &self.key, state: &mut self.state, world, now, scratch, say };
        step.on_map();
        match input {
            Input::Device(input) => step.device(*input),
            Input::Plan { route, by, .. } => step.plan(*route, by),
            Input::Action(action) => step.action(action),
            Input::Assignment(change) => step.assignment(&change),
            Input::Wake { .. } => step.wake(),
            Input::Resumed => step.resumed(),
            Input::Traffic(changed) => step.roads_changed(&changed),
        }
        self.wake_at = self.state.wake_at(&world.policy, now);
    }
}
