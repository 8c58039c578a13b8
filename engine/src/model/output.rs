//! All that a step may say.

use ingest::id::{DeviceId, OrderId, RouteId, StopId};
use ingest::record::{DeviceInput, Pid};
use ingest::time::Timestamp;
use ingest::units::Position;

use super::route::Window;

/// One output with its number; (vehicle, seq) is its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// From 1, without gaps, per vehicle.
    pub seq: u64,
    /// What is said.
    pub body: Body,
}

/// The four kinds of output.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A fix with its match as known at once.
    Position(Box<PositionOutput>),
    /// Edges the matcher has committed to.
    Path(PathOutput),
    /// Predicted arrivals that moved.
    Eta(EtaOutput),
    /// Something happened.
    Event(Box<Event>),
}

/// Where on the road a fix most likely was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matched {
    /// On the edge's geometry.
    pub position: Position,
    /// OpenStreetMap way.
    pub way: i64,
    /// Metres from the start of the directed edge.
    pub offset_m: f64,
    /// Probability of this candidate among all, 0 to 1.
    pub confidence: f64,
}

/// Each accepted fix, once.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionOutput {
    /// The fix as it came, whole.
    pub input: DeviceInput,
    /// Absent off road and for backfill.
    pub matched: Option<Matched>,
    /// Older than what its device had sent before, or of a source not followed: history only.
    pub backfill: bool,
    /// The active route.
    pub route: Option<RouteId>,
    /// Number of the World it was stepped with.
    pub world: u64,
}

/// One edge of the driven path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathEdge {
    /// OpenStreetMap way.
    pub way: i64,
    /// OpenStreetMap node it starts at.
    pub from_node: i64,
    /// OpenStreetMap node it ends at.
    pub to_node: i64,
    /// When the vehicle entered it.
    pub entered: Timestamp,
}

/// Edges that will not be revised, in driving order.
#[derive(Debug, Clone, PartialEq)]
pub struct PathOutput {
    /// The active route.
    pub route: Option<RouteId>,
    /// At least one.
    pub edges: Vec<PathEdge>,
    /// Not connected to the path before it (off road, tunnel, silence).
    pub gap: bool,
}

/// What a stop is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum StopState {
    /// After the next one.
    #[default]
    Later = 0,
    /// The one being driven to.
    Next = 1,
    /// The vehicle is there.
    Arrived = 2,
    /// The vehicle was there and left; nobody said how it went.
    Departed = 3,
    /// The visit succeeded.
    Completed = 4,
    /// The visit failed.
    Failed = 5,
    /// Left out.
    Skipped = 6,
}

impl StopState {
    /// Every state, by its number.
    pub const ALL: [Self; 7] = [
        Self::Later,
        Self::Next,
        Self::Arrived,
        Self::Departed,
        Self::Completed,
        Self::Failed,
        Self::Skipped,
    ];
    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Later => "later",
            Self::Next => "next",
            Self::Arrived => "arrived",
            Self::Departed => "departed",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
    /// Whether nothing is left to do there.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Departed | Self::Completed | Self::Failed | Self::Skipped)
    }
}

/// Why an arrival moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CauseKind {
    /// A visit took longer or shorter than expected.
    Dwell = 0,
    /// The way there did.
    Travel = 1,
    /// The roads ahead are slower or faster than expected.
    Traffic = 2,
    /// Waiting for a window to open.
    Waiting = 3,
    /// The plan changed.
    Plan = 4,
    /// The vehicle fell silent or was heard again.
    Signal = 5,
    /// What is left.
    Other = 6,
}

impl CauseKind {
    /// Every kind, by its number.
    pub const ALL: [Self; 7] = [
        Self::Dwell,
        Self::Travel,
        Self::Traffic,
        Self::Waiting,
        Self::Plan,
        Self::Signal,
        Self::Other,
    ];
    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dwell => "dwell",
            Self::Travel => "travel",
            Self::Traffic => "traffic",
            Self::Waiting => "waiting",
            Self::Plan => "plan",
            Self::Signal => "signal",
            Self::Other => "other",
        }
    }
}

/// A part of the change of an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Why.
    pub kind: CauseKind,
    /// Whole seconds, later is positive.
    pub seconds: i64,
    /// Where, for a dwell.
    pub stop: Option<StopId>,
}

/// The predicted arrival at one stop, or its end.
#[derive(Debug, Clone, PartialEq)]
pub struct StopEta {
    /// Which stop.
    pub stop: StopId,
    /// Its order.
    pub order: OrderId,
    /// What it is doing.
    pub state: StopState,
    /// Earlier than this with probability 0.1. The three times are absent once the stop is done
    /// or reached, and hold whole seconds.
    pub times: Option<EtaTimes>,
    /// Metres to drive until there, in sequence; absent where times are.
    pub metres: Option<f64>,
    /// Probability that service starts after the window closes, 0 to 1, in hundredths; absent
    /// without a window and once it is decided.
    pub miss: Option<f64>,
    /// Change of p50 since the last one written, whole seconds; 0 for the first.
    pub moved_s: i64,
    /// They add up to `moved_s` exactly.
    pub causes: Vec<Cause>,
}

/// Three quantiles of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtaTimes {
    /// Probability 0.1.
    pub p10: Timestamp,
    /// Probability 0.5.
    pub p50: Timestamp,
    /// Probability 0.9.
    pub p90: Timestamp,
}

/// Arrivals of the active route that moved by more than a minute or changed their state.
#[derive(Debug, Clone, PartialEq)]
pub struct EtaOutput {
    /// Which route.
    pub route: RouteId,
    /// Which version of it.
    pub version: u64,
    /// True when `stops` holds every stop of the route in driving order (a new plan or version);
    /// otherwise only those that changed.
    pub whole: bool,
    /// In driving order.
    pub stops: Vec<StopEta>,
    /// What was planned for each of `stops`, in their order; empty unless `whole`, and in
    /// records that were written before there was such a field.
    pub planned: Vec<PlannedStop>,
}

impl EtaOutput {
    /// Nothing is left of the route.
    pub fn withdrawn(route: RouteId, version: u64) -> Self {
        Self { route, version, whole: true, stops: Vec::new(), planned: Vec::new() }
    }
}

/// What the engine took over from a plan for one stop: the promise that history is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedStop {
    /// The door.
    pub position: Position,
    /// Earliest and latest service start that were promised.
    pub window: Option<Window>,
    /// Planned service time, seconds.
    pub service_s: f64,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum EventKind {
    /// Left a stop.
    Departed = 0,
    /// Reached a stop.
    Arrived = 1,
    /// A visit succeeded.
    Completed = 2,
    /// A visit failed.
    Failed = 3,
    /// A stop was left out.
    Skipped = 4,
    /// The next stop is minutes away.
    ArrivingSoon = 5,
    /// A window will probably be missed; opens an exception.
    PredictedLate = 6,
    /// It will not after all; closes it.
    BackOnTime = 7,
    /// Leaves the way to the next stop; opens an exception.
    OffRoute = 8,
    /// Is back on a way to it; closes it.
    BackOnRoute = 9,
    /// Stands where no stop is; opens an exception.
    LongStop = 10,
    /// Moves again; closes it.
    MovingAgain = 11,
    /// Nothing was heard; opens an exception.
    NoSignal = 12,
    /// Was heard again; closes it.
    SignalBack = 13,
    /// A better path or order of stops is proposed.
    RerouteProposed = 14,
    /// It was taken.
    RerouteAccepted = 15,
    /// It was not, or it is void.
    RerouteRefused = 16,
    /// A plan was not taken over.
    PlanRefused = 17,
    /// A stop that was moved away had been finished here.
    MovedTooLate = 18,
    /// Another device is followed.
    SourceChanged = 19,
    /// Two connections claim one device.
    DeviceConflict = 20,
    /// Its inputs go to `dead-letters` from now on.
    SetAside = 21,
}

impl EventKind {
    /// Every kind, by its number.
    pub const ALL: [Self; 22] = [
        Self::Departed,
        Self::Arrived,
        Self::Completed,
        Self::Failed,
        Self::Skipped,
        Self::ArrivingSoon,
        Self::PredictedLate,
        Self::BackOnTime,
        Self::OffRoute,
        Self::BackOnRoute,
        Self::LongStop,
        Self::MovingAgain,
        Self::NoSignal,
        Self::SignalBack,
        Self::RerouteProposed,
        Self::RerouteAccepted,
        Self::RerouteRefused,
        Self::PlanRefused,
        Self::MovedTooLate,
        Self::SourceChanged,
        Self::DeviceConflict,
        Self::SetAside,
    ];
    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Departed => "departed",
            Self::Arrived => "arrived",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::ArrivingSoon => "arriving_soon",
            Self::PredictedLate => "predicted_late",
            Self::BackOnTime => "back_on_time",
            Self::OffRoute => "off_route",
            Self::BackOnRoute => "back_on_route",
            Self::LongStop => "long_stop",
            Self::MovingAgain => "moving_again",
            Self::NoSignal => "no_signal",
            Self::SignalBack => "signal_back",
            Self::RerouteProposed => "reroute_proposed",
            Self::RerouteAccepted => "reroute_accepted",
            Self::RerouteRefused => "reroute_refused",
            Self::PlanRefused => "plan_refused",
            Self::MovedTooLate => "moved_too_late",
            Self::SourceChanged => "source_changed",
            Self::DeviceConflict => "device_conflict",
            Self::SetAside => "set_aside",
        }
    }
    /// The kind whose exception this one closes.
    pub const fn closes(self) -> Option<Self> {
        match self {
            Self::BackOnTime => Some(Self::PredictedLate),
            Self::BackOnRoute => Some(Self::OffRoute),
            Self::MovingAgain => Some(Self::LongStop),
            Self::SignalBack => Some(Self::NoSignal),
            _ => None,
        }
    }
    /// Whether nothing is predicted of its stop any more.
    pub const fn decides(self) -> bool {
        matches!(self, Self::Arrived | Self::Completed | Self::Failed | Self::Skipped)
    }
    /// Whether it opens an exception that another kind closes.
    pub const fn opens(self) -> bool {
        matches!(self, Self::PredictedLate | Self::OffRoute | Self::LongStop | Self::NoSignal)
    }
}

/// Something happened; only the fields that its kind has are set.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// When, by the partition's time or, for arrivals and departures, by the fix's.
    pub at: Timestamp,
    /// Said late: more than a minute after it was due. Nobody outside is told of old things.
    pub overdue: bool,
    /// The route it belongs to.
    pub route: Option<RouteId>,
    /// The stop.
    pub stop: Option<StopId>,
    /// The stop's order.
    pub order: Option<OrderId>,
    /// Expected lateness, seconds, given that it is late.
    pub expected_late_s: Option<i64>,
    /// Probability of what is predicted, 0 to 1, in hundredths.
    pub probability: Option<f64>,
    /// In words, for people: a street, a reason, a refusal.
    pub cause: Option<String>,
    /// The device concerned.
    pub device: Option<DeviceId>,
    /// Who caused it.
    pub by: Option<String>,
    /// What is proposed, accepted or refused.
    pub proposal: Option<Proposal>,
}

impl Event {
    /// An event with nothing but its kind and time.
    pub fn new(kind: EventKind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            overdue: false,
            route: None,
            stop: None,
            order: None,
            expected_late_s: None,
            probability: None,
            cause: None,
            device: None,
            by: None,
            proposal: None,
        }
    }
}

/// A better way to do what is left of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Its identity, made of vehicle, route, version and seq.
    pub id: Pid,
    /// The remaining stops in the proposed order; the present order for a mere change of path.
    pub stops: Vec<StopId>,
    /// Expected gain, seconds of lateness and driving saved.
    pub gain_s: i64,
    /// Driving time of the proposal to its first stop, seconds.
    pub seconds: i64,
    /// Its length to its first stop, metres.
    pub metres: f64,
    /// The streets to its first stop as OpenStreetMap (way, from node, to node), at most
    /// [`PROPOSAL_EDGES_MAX`].
    pub edges: Vec<(i64, i64, i64)>,
}

/// Edges of a proposal that are spelled out; a driver is guided by far fewer.
pub const PROPOSAL_EDGES_MAX: usize = 200;
