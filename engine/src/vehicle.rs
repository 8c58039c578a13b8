//! The step function: one vehicle, one input, all that it means. Pure.

use bytes::Bytes;
use ingest::id::VehicleKey;
use ingest::record::BadRecord;
use ingest::time::Timestamp;

use crate::model::{Body, Input, Output, PositionOutput, View};
use crate::world::World;

/// Version of the layout of [`Vehicle::private`].
pub const SCHEMA: u32 = 1;

/// Reused working memory of one shard; carries nothing from step to step.
#[derive(Debug, Default)]
pub struct Scratch {}

/// One vehicle: what people see of it and what only its next step needs.
#[derive(Debug, Clone)]
pub struct Vehicle {
    key: VehicleKey,
    view: View,
    wake_at: Option<Timestamp>,
}

impl Vehicle {
    /// A vehicle nothing is known of.
    pub fn new(key: VehicleKey) -> Self {
        Self { key, view: View::default(), wake_at: None }
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
        let _ = private;
        Ok(Self { key, view, wake_at: None })
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
        Bytes::new()
    }
    /// When it wants to be woken, by the partition's time.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.wake_at
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
    pub fn step(
        &mut self,
        world: &World,
        input: Input,
        now: Timestamp,
        scratch: &mut Scratch,
        out: &mut Vec<Output>,
    ) {
        let _ = (now, scratch);
        if let Input::Device(input) = input
            && input.report.fix.is_some()
        {
            let position = PositionOutput {
                input: *input,
                matched: None,
                backfill: false,
                route: None,
                world: world.number,
            };
            let output =
                Output { seq: self.view.seq + 1, body: Body::Position(Box::new(position)) };
            self.view.apply(&output);
            out.push(output);
        }
    }
}
