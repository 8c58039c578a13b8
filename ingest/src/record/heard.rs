//! What a device has said, on its way to the log: a [`DeviceInput`] whose parts
//! are still the decoder's.

use std::cell::RefCell;

use bytes::Bytes;

use super::{AHEAD_MAX_S, DeviceInput, Kind, Pid, pid, wire};
use crate::PACKET;
use crate::fix::Report;
use crate::id::TenantId;
use crate::log::{NewRecord, Topic};
use crate::time::Timestamp;

thread_local! {
    /// Where payloads are written, one after the other.
    static PAYLOAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A fix or report as an input, not copied.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// Identity.
    pub pid: Pid,
    /// When the gateway read it.
    pub received_at: Timestamp,
    /// Protocol it came by.
    pub protocol: &'a str,
    /// The time that counts: the device's own, or `received_at` where that is missing or more
    /// than [`AHEAD_MAX_S`] ahead of it.
    pub time: Timestamp,
    /// What the device said; its `time` is the device's own.
    pub report: &'a Report,
}

impl<'a> Heard<'a> {
    /// Settles the time and makes the identity.
    pub fn new(
        tenant: &TenantId,
        protocol: &'a str,
        report: &'a Report,
        received_at: Timestamp,
    ) -> Self {
        tracing::trace!(target: PACKET, "record");
        let time = report
            .time
            .filter(|t| t.seconds_since(received_at) <= AHEAD_MAX_S)
            .unwrap_or(received_at);
        Self { pid: pid(tenant, report, received_at), received_at, protocol, time, report }
    }

    /// `Fix` where it has a position, else `Report`.
    pub fn kind(&self) -> Kind {
        if self.report.fix.is_some() { Kind::Fix } else { Kind::Report }
    }

    fn with_payload<T>(&self, take: impl FnOnce(&[u8]) -> T) -> T {
        PAYLOAD.with_borrow_mut(|payload| {
            payload.clear();
            wire::put::report(payload, self.protocol, self.time, self.report);
            take(payload)
        })
    }

    /// The payload alone.
    pub(super) fn payload(&self) -> Bytes {
        self.with_payload(Bytes::copy_from_slice)
    }

    /// As a record of `inputs` under the key of a vehicle.
    pub fn record(&self, key: Bytes) -> NewRecord {
        let kind = self.kind();
        let value = self.with_payload(|payload| {
            wire::put::envelope(kind as u32, self.pid, self.received_at, payload)
        });
        NewRecord {
            topic: Topic::Inputs,
            partition: None,
            key,
            value: Some(value.into()),
            headers: vec![("kind", Bytes::from_static(kind.name().as_bytes()))],
        }
    }
}

impl<'a> From<&'a DeviceInput> for Heard<'a> {
    fn from(input: &'a DeviceInput) -> Self {
        let DeviceInput { pid, received_at, protocol, time, report } = input;
        Self { pid: *pid, received_at: *received_at, protocol, time: *time, report }
    }
}
