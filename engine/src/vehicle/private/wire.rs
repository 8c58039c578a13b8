//! The private state as Protocol Buffers lay it out. Fields are only added.

use bytes::Bytes;
use prost::Message;

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WirePoint {
    #[prost(uint32, tag = "1")]
    pub(super) edge: u32,
    #[prost(double, tag = "2")]
    pub(super) offset_m: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireSource {
    #[prost(string, tag = "1")]
    pub(super) device: String,
    #[prost(sfixed64, tag = "2")]
    pub(super) from_us: i64,
    #[prost(sfixed64, optional, tag = "3")]
    pub(super) until_us: Option<i64>,
    #[prost(sfixed64, optional, tag = "4")]
    pub(super) newest_us: Option<i64>,
    #[prost(sfixed64, optional, tag = "5")]
    pub(super) heard_us: Option<i64>,
    #[prost(double, tag = "6")]
    pub(super) interval_s: f64,
    #[prost(double, tag = "7")]
    pub(super) accuracy_m: f64,
    #[prost(sfixed64, optional, tag = "8")]
    pub(super) better_us: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireLeg {
    #[prost(uint32, optional, tag = "1")]
    pub(super) from: Option<u32>,
    #[prost(message, optional, tag = "2")]
    pub(super) to: Option<WirePoint>,
    #[prost(double, tag = "3")]
    pub(super) free_s: f64,
    #[prost(double, tag = "4")]
    pub(super) metres: f64,
    #[prost(message, repeated, tag = "5")]
    pub(super) or_to: Vec<WirePoint>,
    #[prost(double, tag = "6")]
    pub(super) slow_s: f64,
    /// The lower and the upper half; none for no cells.
    #[prost(fixed64, repeated, tag = "7")]
    pub(super) cells: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireSaid {
    #[prost(uint32, tag = "1")]
    pub(super) state: u32,
    #[prost(sint64, optional, tag = "2")]
    pub(super) p50_s: Option<i64>,
    #[prost(uint32, optional, tag = "3")]
    pub(super) miss: Option<u32>,
    #[prost(sint64, repeated, tag = "4")]
    pub(super) ledger: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireVisit {
    #[prost(uint32, tag = "1")]
    pub(super) state: u32,
    #[prost(sfixed64, optional, tag = "2")]
    pub(super) arrived_us: Option<i64>,
    #[prost(sfixed64, optional, tag = "3")]
    pub(super) departed_us: Option<i64>,
    #[prost(message, optional, tag = "4")]
    pub(super) leg: Option<WireLeg>,
    #[prost(message, optional, tag = "5")]
    pub(super) said: Option<WireSaid>,
    #[prost(bool, tag = "6")]
    pub(super) late: bool,
    #[prost(sfixed64, optional, tag = "7")]
    pub(super) late_us: Option<i64>,
    #[prost(bool, tag = "8")]
    pub(super) soon: bool,
    #[prost(bool, tag = "9")]
    pub(super) late_before: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WirePlan {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) route: Bytes,
    #[prost(uint32, tag = "2")]
    pub(super) phase: u32,
    #[prost(message, repeated, tag = "3")]
    pub(super) visits: Vec<WireVisit>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireSpot {
    #[prost(double, tag = "1")]
    pub(super) lng: f64,
    #[prost(double, tag = "2")]
    pub(super) lat: f64,
    #[prost(double, tag = "3")]
    pub(super) seconds: f64,
    #[prost(double, tag = "4")]
    pub(super) free_s: f64,
    #[prost(sfixed64, tag = "5")]
    pub(super) at_us: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireSearch {
    #[prost(sfixed64, tag = "1")]
    pub(super) at_us: i64,
    #[prost(uint32, tag = "2")]
    pub(super) late: u32,
    #[prost(uint32, tag = "3")]
    pub(super) open: u32,
    #[prost(bool, tag = "4")]
    pub(super) astray: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireSeen {
    #[prost(sfixed64, tag = "1")]
    pub(super) us: i64,
    #[prost(double, tag = "2")]
    pub(super) lng: f64,
    #[prost(double, tag = "3")]
    pub(super) lat: f64,
    #[prost(double, optional, tag = "4")]
    pub(super) speed_mps: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireHalt {
    #[prost(sfixed64, tag = "1")]
    pub(super) since_us: i64,
    #[prost(sfixed64, tag = "2")]
    pub(super) last_us: i64,
    #[prost(double, tag = "3")]
    pub(super) lng: f64,
    #[prost(double, tag = "4")]
    pub(super) lat: f64,
    #[prost(uint32, tag = "5")]
    pub(super) fixes: u32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireAtStop {
    #[prost(uint32, tag = "1")]
    pub(super) stop: u32,
    #[prost(double, tag = "2")]
    pub(super) lng: f64,
    #[prost(double, tag = "3")]
    pub(super) lat: f64,
    #[prost(sfixed64, tag = "4")]
    pub(super) arrived_us: i64,
    #[prost(sfixed64, optional, tag = "5")]
    pub(super) leaving_us: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireWay {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) edges: Vec<u32>,
    #[prost(message, optional, tag = "2")]
    pub(super) target: Option<WirePoint>,
    #[prost(uint32, tag = "3")]
    pub(super) at: u32,
    #[prost(double, tag = "4")]
    pub(super) free_s: f64,
    #[prost(double, tag = "5")]
    pub(super) metres: f64,
    #[prost(double, tag = "6")]
    pub(super) slow_s: f64,
    #[prost(fixed64, repeated, tag = "7")]
    pub(super) cells: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireJourney {
    #[prost(sfixed64, tag = "1")]
    pub(super) began_us: i64,
    #[prost(message, optional, tag = "2")]
    pub(super) at: Option<WireAtStop>,
    #[prost(string, optional, tag = "3")]
    pub(super) last_stop: Option<String>,
    #[prost(bool, tag = "4")]
    pub(super) at_depot: bool,
    #[prost(message, optional, tag = "5")]
    pub(super) way: Option<WireWay>,
    #[prost(uint32, tag = "6")]
    pub(super) astray: u32,
    #[prost(sfixed64, optional, tag = "7")]
    pub(super) on_way_us: Option<i64>,
    #[prost(double, tag = "8")]
    pub(super) pending_s: f64,
    #[prost(double, tag = "9")]
    pub(super) stuck_s: f64,
    #[prost(double, repeated, tag = "10")]
    pub(super) spent: Vec<f64>,
    #[prost(sfixed64, optional, tag = "11")]
    pub(super) predicted_us: Option<i64>,
    #[prost(message, optional, tag = "12")]
    pub(super) slow: Option<WirePoint>,
    #[prost(double, tag = "13")]
    pub(super) slow_s: f64,
    #[prost(message, optional, tag = "14")]
    pub(super) on_way: Option<WirePoint>,
    #[prost(uint32, optional, tag = "15")]
    pub(super) brief_stop: Option<u32>,
    #[prost(message, optional, tag = "16")]
    pub(super) brief: Option<WireHalt>,
    #[prost(message, optional, tag = "17")]
    pub(super) on_way_left: Option<WirePoint>,
    #[prost(message, optional, tag = "18")]
    pub(super) way_left: Option<WireWay>,
    #[prost(double, tag = "19")]
    pub(super) kept_s: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireLeft {
    #[prost(sfixed64, tag = "1")]
    pub(super) at_us: i64,
    #[prost(double, tag = "2")]
    pub(super) to_drive_s: f64,
    #[prost(double, tag = "3")]
    pub(super) driven_s: f64,
    #[prost(double, tag = "4")]
    pub(super) driven_m: f64,
    #[prost(sfixed64, tag = "5")]
    pub(super) strayed_us: i64,
    #[prost(double, tag = "6")]
    pub(super) strayed_to_drive_s: f64,
    #[prost(sfixed64, optional, tag = "7")]
    pub(super) wasted_us: Option<i64>,
    #[prost(double, repeated, tag = "8")]
    pub(super) to_places_s: Vec<f64>,
    #[prost(double, repeated, tag = "9")]
    pub(super) busy_to_places_s: Vec<f64>,
    #[prost(double, tag = "10")]
    pub(super) busy_driven_s: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WirePrivate {
    #[prost(sfixed64, optional, tag = "1")]
    pub(super) wake_us: Option<i64>,
    #[prost(message, repeated, tag = "2")]
    pub(super) sources: Vec<WireSource>,
    #[prost(string, optional, tag = "3")]
    pub(super) followed: Option<String>,
    #[prost(bool, tag = "4")]
    pub(super) silent_said: bool,
    #[prost(sfixed64, optional, tag = "5")]
    pub(super) heard_us: Option<i64>,
    #[prost(message, repeated, tag = "6")]
    pub(super) plans: Vec<WirePlan>,
    #[prost(string, tag = "7")]
    pub(super) map: String,
    #[prost(message, optional, tag = "8")]
    pub(super) last: Option<WireSeen>,
    #[prost(message, optional, tag = "9")]
    pub(super) probe: Option<WireSeen>,
    #[prost(message, optional, tag = "10")]
    pub(super) halt: Option<WireHalt>,
    #[prost(message, optional, tag = "11")]
    pub(super) place: Option<WirePoint>,
    #[prost(double, repeated, tag = "12")]
    pub(super) driving: Vec<f64>,
    #[prost(double, repeated, tag = "13")]
    pub(super) visits: Vec<f64>,
    #[prost(message, optional, tag = "14")]
    pub(super) journey: Option<WireJourney>,
    #[prost(bool, tag = "15")]
    pub(super) long_stop: bool,
    /// 1: said; 2: said before.
    #[prost(uint32, tag = "16")]
    pub(super) off_route: u32,
    #[prost(message, optional, tag = "17")]
    pub(super) left: Option<WireLeft>,
    #[prost(sfixed64, optional, tag = "18")]
    pub(super) offered_us: Option<i64>,
    #[prost(uint32, tag = "19")]
    pub(super) refused: u32,
    #[prost(sfixed64, optional, tag = "20")]
    pub(super) look_us: Option<i64>,
    #[prost(bytes = "bytes", tag = "21")]
    pub(super) track: Bytes,
    #[prost(message, repeated, tag = "22")]
    pub(super) spots: Vec<WireSpot>,
    #[prost(message, optional, tag = "23")]
    pub(super) searched: Option<WireSearch>,
    #[prost(double, repeated, tag = "24")]
    pub(super) beside: Vec<f64>,
}
