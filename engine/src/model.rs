//! The nouns of delivery: routes, stops, actions, predicted arrivals, events, and the view.
//!
//! [`route`] and [`action`] are what people want, [`input`] is all that a step may be told,
//! [`output`] all that it may say, and [`view`] is what somebody who only reads the outputs
//! knows: the api keeps one a vehicle, and a vehicle's own is the same fold, so they agree.

pub mod action;
pub mod input;
pub mod output;
pub mod route;
pub mod view;

pub use action::{Action, Assignment, Deed};
pub use input::{Changed, Input};
pub use output::{
    Body, Cause, CauseKind, EtaOutput, Event, EventKind, Matched, Output, PathEdge, PathOutput,
    PlannedStop, PositionOutput, Proposal, StopEta, StopState,
};
pub use route::{Route, Stop, Window};
pub use view::{Activity, OpenException, Status, StopView, View};
