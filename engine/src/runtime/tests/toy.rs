//! A vehicle that says what it is told: it wakes after two silent minutes, and panics at certain
//! speeds.

use std::cell::Cell;

use bytes::Bytes;
use ingest::id::VehicleKey;
use ingest::record::BadRecord;
use ingest::time::Timestamp;
use ingest::units::MetresPerSecond;

use crate::model::{Body, Changed, Deed, Event, EventKind, Input, Output, PositionOutput, View};
use crate::world::World;

pub(in crate::runtime) const SCHEMA: u32 = 1;
/// A fix at this speed panics.
pub(in crate::runtime) const PANICS: f64 = 13.0;
/// After a fix at this speed the next wake-up panics.
pub(in crate::runtime) const WAKES_BADLY: f64 = 14.0;
/// Seconds of silence until it says so.
const SILENCE_S: f64 = 120.0;

thread_local! {
    /// Another version of the engine says one thing more about each fix.
    pub(in crate::runtime) static TALKATIVE: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug, Default)]
pub(in crate::runtime) struct Scratch {}

#[derive(Debug, Clone)]
pub(in crate::runtime) struct Vehicle {
    key: VehicleKey,
    view: View,
    wake_at: Option<Timestamp>,
    silent: bool,
    bad: bool,
    /// The wake-up stays where it is when the partition is taken.
    firm: bool,
}

impl Vehicle {
    pub(in crate::runtime) fn new(key: VehicleKey) -> Self {
        Self { key, view: View::default(), wake_at: None, silent: false, bad: false, firm: false }
    }

    pub(in crate::runtime) fn restore(
        key: VehicleKey,
        view: View,
        schema: u32,
        private: &Bytes,
    ) -> Result<Self, BadRecord> {
        if schema != SCHEMA {
            return Err(BadRecord::Value(format!("schema `{schema}`, expected `{SCHEMA}`")));
        }
        let mut vehicle = Self { view, ..Self::new(key) };
        if let [silent, bad, firm, wake @ ..] = private.as_ref() {
            (vehicle.silent, vehicle.bad, vehicle.firm) = (*silent == 1, *bad == 1, *firm == 1);
            vehicle.wake_at =
                wake.try_into().ok().map(|b| Timestamp::from_micros(i64::from_le_bytes(b)));
        }
        Ok(vehicle)
    }

    pub(in crate::runtime) fn key(&self) -> &VehicleKey {
        &self.key
    }

    pub(in crate::runtime) fn view(&self) -> &View {
        &self.view
    }

    /// Goes by no road.
    #[expect(clippy::unused_self, reason = "stands in for a vehicle, which looks at itself")]
    pub(in crate::runtime) fn heeds(&self, _: &Changed) -> bool {
        false
    }

    pub(in crate::runtime) fn private(&self) -> Bytes {
        let mut bytes = vec![u8::from(self.silent), u8::from(self.bad), u8::from(self.firm)];
        bytes.extend(self.wake_at.iter().flat_map(|at| at.micros().to_le_bytes()));
        bytes.into()
    }

    pub(in crate::runtime) fn wake_at(&self) -> Option<Timestamp> {
        self.wake_at
    }

    pub(in crate::runtime) fn clear_wake(&mut self) {
        self.wake_at = None;
        self.bad = false;
    }

    pub(in crate::runtime) fn set_aside(&mut self, now: Timestamp) -> Output {
        let mut out = Vec::new();
        self.say(EventKind::SetAside, now, false, &mut out);
        out.remove(0)
    }

    #[expect(clippy::too_many_arguments, reason = "as the real one")]
    pub(in crate::runtime) fn step(
        &mut self,
        world: &World,
        input: Input,
        now: Timestamp,
        _: &mut Scratch,
        out: &mut Vec<Output>,
    ) {
        match input {
            Input::Device(input) => {
                if self.silent {
                    self.say(EventKind::SignalBack, now, false, out);
                    self.silent = false;
                }
                let speed =
                    input.report.fix.as_ref().and_then(|f| f.speed).map(MetresPerSecond::get);
                self.wake_at = Some(now.plus_seconds(SILENCE_S));
                if input.report.fix.is_some() {
                    let position = PositionOutput {
                        input: *input,
                        matched: None,
                        backfill: false,
                        route: None,
                        world: world.number,
                    };
                    self.out(Body::Position(Box::new(position)), out);
                }
                assert!(speed != Some(PANICS), "a fix at {PANICS} m/s");
                self.bad |= speed == Some(WAKES_BADLY);
                if TALKATIVE.get() {
                    self.say(EventKind::MovingAgain, now, false, out);
                }
            }
            Input::Wake { overdue } => {
                self.wake_at = None;
                assert!(!self.bad, "a wake-up after {WAKES_BADLY} m/s");
                self.silent = true;
                self.say(EventKind::NoSignal, now, overdue, out);
            }
            Input::Resumed if self.firm => {}
            Input::Resumed => {
                self.wake_at = self.wake_at.map(|_| now.plus_seconds(SILENCE_S));
            }
            Input::Action(action) if action.deed == Deed::Retire => {
                let seq = self.view.seq;
                *self = Self::new(self.key.clone());
                self.view.seq = seq;
            }
            Input::Action(action) if action.deed == Deed::Skipped => {
                self.wake_at = Some(now.plus_seconds(60.0));
                self.firm = true;
            }
            Input::Action(_) => self.say(EventKind::Arrived, now, false, out),
            Input::Plan { .. } | Input::Assignment(_) | Input::Traffic(_) => {}
        }
    }

    fn say(&mut self, kind: EventKind, now: Timestamp, overdue: bool, out: &mut Vec<Output>) {
        let event = Event { overdue, ..Event::new(kind, now) };
        self.out(Body::Event(Box::new(event)), out);
    }

    fn out(&mut self, body: Body, out: &mut Vec<Output>) {
        let output = Output { seq: self.view.seq + 1, body };
        self.view.apply(&output);
        out.push(output);
    }
}
