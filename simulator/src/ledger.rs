//! What was sent and what was answered, as JSON lines (contract §5).
//!
//! A fix has a line written before it is sent, and another when it is answered; the later line
//! of a `pid` counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};

use ingest::fix::Report;
use ingest::id::VehicleId;
use ingest::record::Pid;
use ingest::time::Timestamp;
use ingest::units::{Heading, MetresPerSecond};

/// A fix on its way.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its identity.
    pub pid: Pid,
    /// Counts the fixes of its device from 1.
    pub n: u64,
    /// When it was first sent.
    pub sent_at: Timestamp,
    /// As the protocol carries it.
    pub report: Report,
}

/// What is remembered of a fix that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Number of its vehicle.
    pub van: u32,
    /// Its time, milliseconds since the epoch.
    pub millis: i64,
    /// Where, 1e-7 degrees: lng, lat.
    pub at: (i32, i32),
}

/// The ledger of a simulation.
pub struct Ledger {
    out: Option<Box<dyn Write + Send>>,
    line: String,
    sent: BTreeMap<Pid, Sent>,
    acked: BTreeSet<Pid>,
    failed: Option<io::Error>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sent, acked) = (self.sent.len(), self.acked.len());
        f.debug_struct("Ledger").field("sent", &sent).field("acked", &acked).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Writes its lines to `out`; without one it only counts.
    pub fn new(out: Option<Box<dyn Write + Send>>) -> Self {
        let (sent, acked) = (BTreeMap::new(), BTreeSet::new());
        Self { out, line: String::new(), sent, acked, failed: None }
    }

    /// Before sending.
    pub fn sending(&mut self, van: (u32, &VehicleId), protocol: &str, entry: &Entry) {
        let fix = entry.report.fix.as_ref();
        let sent = Sent {
            van: van.0,
            millis: entry.report.time.unwrap_or(entry.sent_at).millis(),
            at: fix.map_or((0, 0), |fix| fix.position.to_e7()),
        };
        self.sent.insert(entry.pid, sent);
        self.write(van.1, protocol, (entry, None));
    }

    /// When the answer says that it is safe. A second answer to the same fix changes nothing.
    pub fn answered(&mut self, vehicle: &VehicleId, protocol: &str, entry: &Entry, at: Timestamp) {
        if self.acked.insert(entry.pid) {
            self.write(vehicle, protocol, (entry, Some(at)));
        }
    }

    /// Everything that was sent, by its identity.
    pub fn sent(&self) -> &BTreeMap<Pid, Sent> {
        &self.sent
    }

    /// What was answered.
    pub fn acked(&self) -> &BTreeSet<Pid> {
        &self.acked
    }

    /// Forgets what was sent and answered, for runs without an end.
    pub fn forget_all(&mut self) {
        self.sent.clear();
        self.acked.clear();
    }

    /// Writes what is buffered; says the first error since the last call.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }

    fn write(
        &mut self,
        vehicle: &VehicleId,
        protocol: &str,
        (entry, acked_at): (&Entry, Option<Timestamp>),
    ) {
        let Some(out) = &mut self.out else { return };
        self.line.clear();
        spell(&mut self.line, vehicle, protocol, (entry, acked_at));
        if let Err(error) = out.write_all(self.line.as_bytes()) {
            self.failed.get_or_insert(error);
        }
    }
}

/// One line; ids hold no character that JSON escapes but for the device's.
fn spell(
    line: &mut String,
    vehicle: &VehicleId,
    protocol: &str,
    (entry, acked_at): (&Entry, Option<Timestamp>),
) {
    let report = &entry.report;
    let device = serde_json::Value::from(report.device.as_str());
    let fields = (|| {
        let Entry { pid, n, sent_at, .. } = entry;
        write!(
            line,
            "{{\"pid\":\"{pid}\",\"device\":{device},\"vehicle\":\"{vehicle}\",\"n\":{n}"
        )?;
        write!(line, ",\"protocol\":\"{protocol}\",\"sent_at\":\"{sent_at}\",\"acked_at\":")?;
        match acked_at {
            Some(at) => write!(line, "\"{at}\"")?,
            None => line.write_str("null")?,
        }
        if let Some(time) = report.time {
            write!(line, ",\"time\":\"{time}\"")?;
        }
        if let Some(fix) = &report.fix {
            write!(line, ",\"lat\":{},\"lng\":{}", fix.position.lat, fix.position.lng)?;
            if let Some(speed) = fix.speed.map(MetresPerSecond::get) {
                write!(line, ",\"speed_mps\":{speed}")?;
            }
            if let Some(heading) = fix.heading.map(Heading::get) {
                write!(line, ",\"heading\":{heading}")?;
            }
        }
        line.write_str("}\n")
    })();
    debug_assert!(fields.is_ok(), "a String takes every character");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ingest::fix::{Fix, Measured};
    use ingest::id::DeviceId;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_the_contracts() {
        let shared = Shared::default();
        let mut ledger = Ledger::new(Some(Box::new(shared.clone())));
        let time = Timestamp::parse("2026-11-20T08:15:30.250Z").unwrap();
        let measured = Measured {
            lng: -8.61099,
            lat: 41.14961,
            valid: true,
            speed: Some(8.4),
            heading: Some(91.0),
            ..Measured::default()
        };
        let mut report = Report::of(DeviceId::new("352093081452251").unwrap());
        report.time = Some(time);
        report.fix = Some(Fix::new(measured).unwrap());
        let entry = Entry { pid: Pid(5), n: 1, sent_at: time, report };
        let vehicle = VehicleId::new("van-0001").unwrap();
        ledger.sending((0, &vehicle), "teltonika", &entry);
        ledger.answered(&vehicle, "teltonika", &entry, time.plus_seconds(1.0));
        ledger.answered(&vehicle, "teltonika", &entry, time.plus_seconds(2.0));
        ledger.flush().unwrap();
        let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = serde_json::json!({
            "pid": "00000000000000000000000000000005", "device": "352093081452251",
            "vehicle": "van-0001", "n": 1, "protocol": "teltonika",
            "sent_at": "2026-11-20T08:15:30.250Z", "acked_at": null,
            "time": "2026-11-20T08:15:30.250Z", "lat": 41.14961, "lng": -8.61099,
            "speed_mps": 8.4, "heading": 91
        });
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], expected);
        assert_eq!(lines[1]["acked_at"], "2026-11-20T08:15:31.250Z");
        assert_eq!((ledger.sent().len(), ledger.acked().len()), (1, 1));
    }
}
