//! What a customer may see: one pure function from all that is known of a visit to what its
//! link shows.
//!
//! Nothing else makes a [`Visible`], and pages and frames are made of one alone, so that whatever
//! the policy withholds is not there to be sent. Beyond every policy: nothing live before the
//! vehicle is on its way or after the visit is over, no position older than [`SEEN_S`], and no
//! way without the vehicle at its beginning.

use engine::model::CauseKind;
use engine::model::output::EtaTimes;
use engine::model::view::{MISS_AT_RISK, MISS_LATE};
use ingest::time::Timestamp;
use ingest::units::Position;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A position older than this, seconds, is withdrawn (`ui/ui.md` §12).
pub const SEEN_S: f64 = 120.0;
/// From so many seconds before the expected arrival on, the vehicle is arriving.
pub const ARRIVING_S: f64 = 300.0;
/// Between p10 and p90 lie 8 arrivals of 10, the customer is told of 9 of 10. Each side is made
/// wider by the ratio of the normal distribution's quantiles, 1.6449 / 1.2816.
pub const WIDER: f64 = 1.2835;

/// How far a visit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its route has not begun.
    Planned,
    /// Other stops come first.
    OnTheWay,
    /// The vehicle drives to it.
    Next,
    /// It does, and is minutes away.
    Arriving,
    /// The vehicle is there.
    Arrived,
    /// The vehicle was there; nobody said how it went.
    Visited,
    /// It succeeded.
    Delivered,
    /// It failed.
    Failed,
    /// It was left out.
    Skipped,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 9] = [
        Self::Planned,
        Self::OnTheWay,
        Self::Next,
        Self::Arriving,
        Self::Arrived,
        Self::Visited,
        Self::Delivered,
        Self::Failed,
        Self::Skipped,
    ];
    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::OnTheWay => "on_the_way",
            Self::Next => "next",
            Self::Arriving => "arriving",
            Self::Arrived => "arrived",
            Self::Visited => "visited",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
    /// Whether nothing is left to come.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Visited | Self::Delivered | Self::Failed | Self::Skipped)
    }
    /// Whether the vehicle is on its route and the visit is not over.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::OnTheWay | Self::Next | Self::Arriving | Self::Arrived)
    }
}

/// `always` or `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Whenever there is something to show.
    Always,
    /// Not at all.
    Never,
}

/// Conditions that must all hold; at least one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// At most so many stops come before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stops: Option<u32>,
    /// The likely arrival is at most so many minutes away.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub eta_min: Option<u32>,
    /// At most so many metres are left to drive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub distance_m: Option<u32>,
    /// The visit is in one of these stages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub states: Option<Vec<Stage>>,
}

/// When an element is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Condition {
    /// In a word.
    Plain(Word),
    /// While all of it holds.
    When(When),
}

impl Condition {
    const ALWAYS: Self = Self::Plain(Word::Always);
    const NEVER: Self = Self::Plain(Word::Never);

    /// While the customer's own stop is the next one.
    fn own_is_next() -> Self {
        Self::When(When { stops: Some(0), ..When::default() })
    }

    /// What does not hold without a value that is unknown does not hold.
    fn holds(&self, facts: &Facts) -> bool {
        let when = match self {
            Self::Plain(word) => return *word == Word::Always,
            Self::When(when) => when,
        };
        let minutes = facts.times.map(|times| times.p50.seconds_since(facts.now) / 60.0);
        when.stops.is_none_or(|most| facts.stops_before.is_some_and(|n| n <= most as usize))
            && when.eta_min.is_none_or(|most| minutes.is_some_and(|left| left <= f64::from(most)))
            && when.distance_m.is_none_or(|most| facts.metres.is_some_and(|m| m <= f64::from(most)))
            && when.states.as_ref().is_none_or(|stages| stages.contains(&facts.stage))
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::When(when) if *when == When::default())
    }
}

/// When each element of a customer's page is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Where the vehicle is. Absent: while yours is the next stop.
    pub vehicle: Condition,
    /// The way it takes to you; only with the vehicle. Absent: while yours is the next stop.
    pub route: Condition,
    /// When it will come. Absent: always.
    pub eta: Condition,
    /// What was promised. Absent: always.
    pub window: Condition,
    /// How many stops come before. Absent: while yours is the next stop.
    pub stops_before: Condition,
    /// How far it has to drive. Absent: while yours is the next stop.
    pub distance: Condition,
    /// When the visit ended. Absent: always.
    pub proof: Condition,
    /// What the vehicle is called. Absent: while yours is the next stop.
    pub name: Condition,
    /// How to call the driver. Absent: never.
    pub phone: Condition,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            vehicle: Condition::own_is_next(),
            route: Condition::own_is_next(),
            eta: Condition::ALWAYS,
            window: Condition::ALWAYS,
            stops_before: Condition::own_is_next(),
            distance: Condition::own_is_next(),
            proof: Condition::ALWAYS,
            name: Condition::own_is_next(),
            phone: Condition::NEVER,
        }
    }
}

impl Policy {
    /// The element whose condition is empty and so would mean nothing.
    pub fn meaningless(&self) -> Option<&'static str> {
        let elements = [
            (&self.vehicle, "vehicle"),
            (&self.route, "route"),
            (&self.eta, "eta"),
            (&self.window, "window"),
            (&self.stops_before, "stops_before"),
            (&self.distance, "distance"),
            (&self.proof, "proof"),
            (&self.name, "name"),
            (&self.phone, "phone"),
        ];
        elements.into_iter().find(|(condition, _)| condition.is_empty()).map(|(_, name)| name)
    }
}

/// Where a vehicle was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// On the road where it was matched.
    pub position: Position,
    /// Degrees from north.
    pub heading: Option<f64>,
    /// When.
    pub time: Timestamp,
}

/// All that is known of one customer's visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The moment it is looked at.
    pub now: Timestamp,
    /// How far it is.
    pub stage: Stage,
    /// What was promised.
    pub promise: Option<(Timestamp, Timestamp)>,
    /// When it is expected.
    pub times: Option<EtaTimes>,
    /// Probability of missing the promise.
    pub miss: Option<f64>,
    /// What most of the delay comes from.
    pub cause: Option<CauseKind>,
    /// Stops before it.
    pub stops_before: Option<usize>,
    /// Metres to drive.
    pub metres: Option<f64>,
    /// Where the vehicle is.
    pub vehicle: Option<Sighting>,
    /// The way from there to the door.
    pub way: Option<Vec<Position>>,
    /// What the vehicle is called.
    pub name: Option<String>,
    /// How to call its driver.
    pub phone: Option<String>,
    /// When the visit ended.
    pub over_at: Option<Timestamp>,
}

/// A span that holds nine arrivals of ten, and the likeliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Rounded down.
    pub from: Timestamp,
    /// Rounded up.
    pub to: Timestamp,
    /// As likely before as after.
    pub likely: Timestamp,
}

/// How the visit stands with its promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// All well, or nothing was promised.
    OnTime,
    /// It may be missed.
    AtRisk,
    /// It will probably be.
    Late,
}

/// What a customer is shown; made by [`visible`] alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Visible {
    /// The moment it is true for.
    pub now: Timestamp,
    /// How far the visit is, as far as that may be told.
    pub stage: Stage,
    /// How it stands with its promise.
    pub standing: Standing,
    /// What was promised.
    pub promise: Option<(Timestamp, Timestamp)>,
    /// When it is expected.
    pub expected: Option<Expected>,
    /// What most of the delay comes from, while it is late.
    pub cause: Option<CauseKind>,
    /// Stops before it.
    pub stops_before: Option<usize>,
    /// Metres to drive.
    pub metres: Option<f64>,
    /// Where the vehicle is.
    pub vehicle: Option<Sighting>,
    /// The way from there to the door.
    pub way: Option<Vec<Position>>,
    /// What the vehicle is called.
    pub name: Option<String>,
    /// How to call its driver.
    pub phone: Option<String>,
    /// When the visit ended.
    pub over_at: Option<Timestamp>,
    /// The vehicle would be shown, but was not heard of lately.
    pub unseen: bool,
    /// Nobody else makes one.
    sealed: Sealed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sealed;

impl Visible {
    /// Whether it shows just what another did, at whatever moment.
    pub fn shows_as(&self, other: &Self) -> bool {
        let mut then = self.clone();
        then.now = other.now;
        then == *other
    }
}

/// What `policy` shows of `facts`.
pub fn visible(policy: &Policy, facts: &Facts) -> Visible {
    let live = facts.stage.is_live();
    let coming = !facts.stage.is_over() && facts.stage != Stage::Arrived;
    let while_live = |condition: &Condition| live && condition.holds(facts);
    let fresh = |seen: &Sighting| facts.now.seconds_since(seen.time) <= SEEN_S;
    let may_vehicle = while_live(&policy.vehicle);
    let vehicle = facts.vehicle.filter(|seen| may_vehicle && fresh(seen));
    let may_way = vehicle.is_some() && policy.route.holds(facts);
    let may_stops = while_live(&policy.stops_before);
    let may_eta = coming && policy.eta.holds(facts);
    let may_window = coming && policy.window.holds(facts);
    let standing = match facts.miss.filter(|_| may_eta && may_window) {
        Some(miss) if miss >= MISS_LATE => Standing::Late,
        Some(miss) if miss >= MISS_AT_RISK => Standing::AtRisk,
        _ => Standing::OnTime,
    };
    // That one is next tells how many stops come before.
    let told = may_stops || vehicle.is_some() || facts.stage == Stage::Arrived || !live;
    let may_proof = facts.stage.is_over() && policy.proof.holds(facts);
    Visible {
        now: facts.now,
        stage: if told { facts.stage } else { Stage::OnTheWay },
        standing,
        promise: facts.promise.filter(|_| may_window),
        expected: facts.times.filter(|_| may_eta).map(|times| expected(times, facts.now)),
        cause: facts.cause.filter(|_| standing == Standing::Late),
        stops_before: facts.stops_before.filter(|_| may_stops),
        metres: facts.metres.filter(|_| while_live(&policy.distance)),
        vehicle,
        way: if may_way { facts.way.clone() } else { None },
        name: facts.name.clone().filter(|_| while_live(&policy.name)),
        phone: facts.phone.clone().filter(|_| while_live(&policy.phone)),
        over_at: facts.over_at.filter(|_| may_proof),
        unseen: may_vehicle && vehicle.is_none(),
        sealed: Sealed,
    }
}

/// Nine arrivals of ten, rounded outward: to 5 minutes beyond an hour, 2 beyond a quarter, else 1;
/// never in the past.
fn expected(times: EtaTimes, now: Timestamp) -> Expected {
    let away = times.p50.seconds_since(now) / 60.0;
    let minutes: i64 = if away > 60.0 {
        5
    } else if away > 15.0 {
        2
    } else {
        1
    };
    let unit = minutes * 60_000_000;
    let wider = |side: f64| (side.max(0.0) * WIDER * 1e6) as i64;
    let least = times.p50.micros() - wider(times.p50.seconds_since(times.p10));
    let most = times.p50.micros() + wider(times.p90.seconds_since(times.p50));
    let from = least.max(now.micros()).div_euclid(unit) * unit;
    let to = (most.max(from + 1) + unit - 1).div_euclid(unit) * unit;
    let likely = times.p50.max(now);
    Expected { from: Timestamp::from_micros(from), to: Timestamp::from_micros(to), likely }
}

#[cfg(test)]
mod tests;
