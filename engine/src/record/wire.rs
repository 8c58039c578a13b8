//! The engine's messages as Protocol Buffers lay them out. Fields are only added.

use bytes::Bytes;
use ingest::id::{BadId, OrderId, RouteId, StopId};
use ingest::record::{BadRecord, Pid, WireAttributes};
use ingest::time::Timestamp;
use ingest::units::Position;
use prost::Message;

use crate::model::Window;

pub(super) fn wrong(e: &BadId) -> BadRecord {
    BadRecord::Value(e.to_string())
}
pub(super) fn route_id(text: &str) -> Result<RouteId, BadRecord> {
    RouteId::new(text).map_err(|e| wrong(&e))
}
pub(super) fn stop_id(text: &str) -> Result<StopId, BadRecord> {
    StopId::new(text).map_err(|e| wrong(&e))
}
pub(super) fn order_id(text: &str) -> Result<OrderId, BadRecord> {
    OrderId::new(text).map_err(|e| wrong(&e))
}
pub(super) fn pid_bytes(pid: Pid) -> Bytes {
    Bytes::copy_from_slice(&pid.0.to_be_bytes())
}
pub(super) fn pid_of(bytes: &[u8]) -> Result<Pid, BadRecord> {
    let bytes: [u8; 16] =
        bytes.try_into().map_err(|e| BadRecord::Value(format!("pid of 16 bytes: {e}")))?;
    Ok(Pid(u128::from_be_bytes(bytes)))
}
pub(super) fn time(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}
pub(super) fn opt<T, R>(
    text: Option<&T>,
    read: impl Fn(&T) -> Result<R, BadRecord>,
) -> Result<Option<R>, BadRecord> {
    text.map(read).transpose()
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WirePlace {
    #[prost(sint32, tag = "1")]
    pub(super) lng_e7: i32,
    #[prost(sint32, tag = "2")]
    pub(super) lat_e7: i32,
}

impl From<Position> for WirePlace {
    fn from(position: Position) -> Self {
        let (lng_e7, lat_e7) = position.to_e7();
        Self { lng_e7, lat_e7 }
    }
}
impl From<WirePlace> for Position {
    fn from(wire: WirePlace) -> Self {
        Self::from_e7(wire.lng_e7, wire.lat_e7)
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireWindow {
    #[prost(sfixed64, tag = "1")]
    pub(super) from_us: i64,
    #[prost(sfixed64, tag = "2")]
    pub(super) to_us: i64,
}

impl From<Window> for WireWindow {
    fn from(w: Window) -> Self {
        Self { from_us: w.from.micros(), to_us: w.to.micros() }
    }
}
impl From<WireWindow> for Window {
    fn from(w: WireWindow) -> Self {
        Self { from: time(w.from_us), to: time(w.to_us) }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireStop {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) order: String,
    #[prost(message, optional, tag = "3")]
    pub(super) place: Option<WirePlace>,
    #[prost(message, optional, tag = "4")]
    pub(super) window: Option<WireWindow>,
    #[prost(double, tag = "5")]
    pub(super) service_s: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireRoute {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(uint64, tag = "2")]
    pub(super) version: u64,
    #[prost(message, optional, tag = "3")]
    pub(super) depot: Option<WirePlace>,
    #[prost(message, optional, tag = "4")]
    pub(super) shift: Option<WireWindow>,
    #[prost(string, tag = "5")]
    pub(super) time_zone: String,
    #[prost(message, repeated, tag = "6")]
    pub(super) stops: Vec<WireStop>,
    #[prost(bytes = "bytes", optional, tag = "7")]
    pub(super) transfer: Option<Bytes>,
    #[prost(string, repeated, tag = "8")]
    pub(super) moved_away: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireAction {
    #[prost(string, optional, tag = "1")]
    pub(super) route: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) stop: Option<String>,
    /// 1 arrived, 2 completed, 3 failed, 4 skipped, 5 activate, 6 finish, 7 accept, 8 refuse,
    /// 9 retire.
    #[prost(uint32, tag = "3")]
    pub(super) deed: u32,
    #[prost(string, optional, tag = "4")]
    pub(super) reason: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(super) proposal: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireAssignment {
    #[prost(string, tag = "1")]
    pub(super) device: String,
    #[prost(string, optional, tag = "2")]
    pub(super) vehicle: Option<String>,
    #[prost(sfixed64, tag = "3")]
    pub(super) from_us: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireTick {
    #[prost(bool, tag = "1")]
    pub(super) resumed: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireWorld {
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    #[prost(string, tag = "2")]
    pub(super) map: String,
    #[prost(string, tag = "3")]
    pub(super) model: String,
    #[prost(string, tag = "4")]
    pub(super) policy: String,
    #[prost(string, tag = "5")]
    pub(super) traffic: String,
    #[prost(uint64, tag = "6")]
    pub(super) traffic_at: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireTraffic {
    #[prost(string, tag = "1")]
    pub(super) map: String,
    /// Each number less the one before; one byte of `levels` for each.
    #[prost(uint32, repeated, tag = "2")]
    pub(super) slow: Vec<u32>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) levels: Bytes,
    #[prost(message, repeated, tag = "4")]
    pub(super) closed: Vec<WireClosed>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireClosed {
    #[prost(string, tag = "1")]
    pub(super) tenant: String,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) edges: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireClosure {
    #[prost(uint64, tag = "1")]
    pub(super) version: u64,
    #[prost(bool, tag = "2")]
    pub(super) removed: bool,
    #[prost(string, tag = "3")]
    pub(super) tenant: String,
    #[prost(string, tag = "4")]
    pub(super) id: String,
    #[prost(sfixed64, tag = "5")]
    pub(super) from_us: i64,
    #[prost(sfixed64, optional, tag = "6")]
    pub(super) until_us: Option<i64>,
    #[prost(string, optional, tag = "7")]
    pub(super) reason: Option<String>,
    #[prost(message, repeated, tag = "8")]
    pub(super) edges: Vec<WireEdgeName>,
    #[prost(int64, optional, tag = "9")]
    pub(super) way: Option<i64>,
    #[prost(message, repeated, tag = "10")]
    pub(super) polygon: Vec<WirePlace>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireEdgeName {
    #[prost(int64, tag = "1")]
    pub(super) way: i64,
    #[prost(int64, tag = "2")]
    pub(super) from: i64,
    #[prost(int64, tag = "3")]
    pub(super) to: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WireMatched {
    #[prost(message, optional, tag = "1")]
    pub(super) place: Option<WirePlace>,
    #[prost(int64, tag = "2")]
    pub(super) way: i64,
    #[prost(uint32, tag = "3")]
    pub(super) offset_cm: u32,
    /// Thousandths.
    #[prost(uint32, tag = "4")]
    pub(super) confidence_milli: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WirePosition {
    /// A `WireReport` of `ingest`, whole.
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) input: Bytes,
    #[prost(message, optional, tag = "2")]
    pub(super) matched: Option<WireMatched>,
    #[prost(bool, tag = "3")]
    pub(super) backfill: bool,
    #[prost(string, optional, tag = "4")]
    pub(super) route: Option<String>,
    #[prost(uint64, tag = "5")]
    pub(super) world: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WirePath {
    #[prost(string, optional, tag = "1")]
    pub(super) route: Option<String>,
    #[prost(int64, repeated, tag = "2")]
    pub(super) ways: Vec<i64>,
    #[prost(int64, repeated, tag = "3")]
    pub(super) from_nodes: Vec<i64>,
    #[prost(int64, repeated, tag = "4")]
    pub(super) to_nodes: Vec<i64>,
    #[prost(sfixed64, repeated, tag = "5")]
    pub(super) entered_us: Vec<i64>,
    #[prost(bool, tag = "6")]
    pub(super) gap: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireCause {
    #[prost(uint32, tag = "1")]
    pub(super) kind: u32,
    #[prost(sint64, tag = "2")]
    pub(super) seconds: i64,
    #[prost(string, optional, tag = "3")]
    pub(super) stop: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireStopEta {
    #[prost(string, tag = "1")]
    pub(super) stop: String,
    #[prost(string, tag = "2")]
    pub(super) order: String,
    #[prost(uint32, tag = "3")]
    pub(super) state: u32,
    /// Seconds since the epoch; absent together.
    #[prost(int64, optional, tag = "4")]
    pub(super) p50_s: Option<i64>,
    /// p50 − p10, seconds.
    #[prost(uint32, tag = "5")]
    pub(super) below_s: u32,
    /// p90 − p50, seconds.
    #[prost(uint32, tag = "6")]
    pub(super) above_s: u32,
    #[prost(uint32, optional, tag = "7")]
    pub(super) metres: Option<u32>,
    /// Hundredths.
    #[prost(uint32, optional, tag = "8")]
    pub(super) miss_centi: Option<u32>,
    #[prost(sint64, tag = "9")]
    pub(super) moved_s: i64,
    #[prost(message, repeated, tag = "10")]
    pub(super) causes: Vec<WireCause>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireEta {
    #[prost(string, tag = "1")]
    pub(super) route: String,
    #[prost(uint64, tag = "2")]
    pub(super) version: u64,
    #[prost(bool, tag = "3")]
    pub(super) whole: bool,
    #[prost(message, repeated, tag = "4")]
    pub(super) stops: Vec<WireStopEta>,
    /// Of a whole route: what was planned for each of `stops`.
    #[prost(message, repeated, tag = "5")]
    pub(super) planned: Vec<WirePlanned>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct WirePlanned {
    #[prost(message, optional, tag = "1")]
    pub(super) place: Option<WirePlace>,
    #[prost(message, optional, tag = "2")]
    pub(super) window: Option<WireWindow>,
    #[prost(double, tag = "3")]
    pub(super) service_s: f64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireProposal {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) id: Bytes,
    #[prost(string, repeated, tag = "2")]
    pub(super) stops: Vec<String>,
    #[prost(sint64, tag = "3")]
    pub(super) gain_s: i64,
    #[prost(sint64, tag = "4")]
    pub(super) seconds: i64,
    #[prost(uint32, tag = "5")]
    pub(super) metres: u32,
    #[prost(int64, repeated, tag = "6")]
    pub(super) edges: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireEvent {
    #[prost(uint32, tag = "1")]
    pub(super) kind: u32,
    #[prost(sfixed64, tag = "2")]
    pub(super) at_us: i64,
    #[prost(bool, tag = "3")]
    pub(super) overdue: bool,
    #[prost(string, optional, tag = "4")]
    pub(super) route: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) stop: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) order: Option<String>,
    #[prost(sint64, optional, tag = "7")]
    pub(super) expected_late_s: Option<i64>,
    /// Hundredths.
    #[prost(uint32, optional, tag = "8")]
    pub(super) probability_centi: Option<u32>,
    #[prost(string, optional, tag = "9")]
    pub(super) cause: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub(super) device: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub(super) by: Option<String>,
    #[prost(message, optional, tag = "12")]
    pub(super) proposal: Option<WireProposal>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireStopView {
    #[prost(message, optional, tag = "1")]
    pub(super) eta: Option<WireStopEta>,
    #[prost(sfixed64, optional, tag = "2")]
    pub(super) arrived_us: Option<i64>,
    #[prost(sfixed64, optional, tag = "3")]
    pub(super) departed_us: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireOpen {
    #[prost(uint64, tag = "1")]
    pub(super) seq: u64,
    #[prost(message, optional, tag = "2")]
    pub(super) event: Option<WireEvent>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireLast {
    #[prost(string, tag = "1")]
    pub(super) device: String,
    #[prost(sfixed64, tag = "2")]
    pub(super) time_us: i64,
    #[prost(sfixed64, tag = "3")]
    pub(super) received_us: i64,
    #[prost(message, optional, tag = "4")]
    pub(super) place: Option<WirePlace>,
    #[prost(message, optional, tag = "5")]
    pub(super) matched: Option<WireMatched>,
    #[prost(double, optional, tag = "6")]
    pub(super) speed_mps: Option<f64>,
    #[prost(double, optional, tag = "7")]
    pub(super) heading: Option<f64>,
    #[prost(double, optional, tag = "8")]
    pub(super) accuracy_m: Option<f64>,
    #[prost(message, optional, tag = "9")]
    pub(super) attributes: Option<WireAttributes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireView {
    #[prost(uint64, tag = "1")]
    pub(super) seq: u64,
    #[prost(message, optional, tag = "2")]
    pub(super) last: Option<WireLast>,
    #[prost(string, optional, tag = "3")]
    pub(super) route: Option<String>,
    #[prost(uint64, tag = "4")]
    pub(super) version: u64,
    #[prost(message, repeated, tag = "5")]
    pub(super) stops: Vec<WireStopView>,
    #[prost(message, repeated, tag = "6")]
    pub(super) open: Vec<WireOpen>,
    #[prost(message, optional, tag = "7")]
    pub(super) proposal: Option<WireProposal>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireState {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(uint64, tag = "2")]
    pub(super) contains: u64,
    #[prost(message, optional, tag = "3")]
    pub(super) view: Option<WireView>,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) private: Bytes,
    /// Steps so far and at which of them it panicked: the last three.
    #[prost(uint64, tag = "5")]
    pub(super) steps: u64,
    #[prost(uint64, repeated, tag = "6")]
    pub(super) panics: Vec<u64>,
    #[prost(message, repeated, tag = "7")]
    pub(super) seen: Vec<WireSeen>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireSeen {
    #[prost(string, tag = "1")]
    pub(super) source: String,
    #[prost(fixed64, repeated, tag = "2")]
    pub(super) pids: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireKilled {
    #[prost(uint64, tag = "1")]
    pub(super) offset: u64,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) woken: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireMarker {
    #[prost(uint64, tag = "1")]
    pub(super) from: u64,
    #[prost(sfixed64, tag = "2")]
    pub(super) now_us: i64,
    #[prost(uint64, tag = "3")]
    pub(super) outputs_from: u64,
    #[prost(message, optional, tag = "4")]
    pub(super) world: Option<WireWorld>,
    #[prost(uint32, tag = "5")]
    pub(super) schema: u32,
    #[prost(string, tag = "6")]
    pub(super) version: String,
    #[prost(sfixed64, optional, tag = "7")]
    pub(super) snapshot_us: Option<i64>,
    #[prost(message, repeated, tag = "8")]
    pub(super) killed: Vec<WireKilled>,
    #[prost(message, optional, tag = "9")]
    pub(super) trying: Option<WireKilled>,
    #[prost(uint32, tag = "10")]
    pub(super) starts: u32,
    #[prost(uint64, tag = "11")]
    pub(super) started_from: u64,
}
