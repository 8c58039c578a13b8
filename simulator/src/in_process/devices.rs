//! The fleet's devices without sockets: what they send becomes input records at once.

use std::collections::VecDeque;

use engine::road::Road;
use ingest::fix::Report;
use ingest::id::VehicleKey;
use ingest::log::{NewRecord, Topic};
use ingest::record::DeviceInput;

use super::{InProcessError, InProcessSettings};
use crate::drive::Fleet;
use crate::faults::Weather;
use crate::ledger::{Entry, Ledger};
use crate::noise::Receiver;
use crate::tracker::{Conversation, Speech, report};

/// All devices.
pub(super) struct Devices {
    all: Vec<Silent>,
    interval_s: u32,
    records_per_packet: usize,
    ledger: Ledger,
}

/// A device without a socket.
struct Silent {
    speech: Speech,
    receiver: Receiver,
    weather: Weather,
    conversation: Conversation,
    kept: VecDeque<Report>,
    measured: u64,
    key: bytes::Bytes,
}

impl Devices {
    pub(super) fn new(
        settings: &InProcessSettings,
        fleet: &Fleet,
        ledger: Ledger,
    ) -> Result<Self, InProcessError> {
        let seed = settings.fleet.seed;
        let device = |van: &crate::drive::Van| {
            let speech = Speech::named(&van.protocol)?;
            let (conversation, _) =
                Conversation::open(speech, &van.device, &fleet.tenant, fleet.start);
            let key = VehicleKey { tenant: fleet.tenant.clone(), vehicle: van.vehicle.clone() };
            Ok::<_, InProcessError>(Silent {
                speech,
                receiver: Receiver::new(seed, van.number),
                weather: Weather::new(settings.faults, seed, van.number),
                conversation,
                kept: VecDeque::new(),
                measured: 0,
                key: key.to_string().into(),
            })
        };
        Ok(Self {
            all: fleet.vans.iter().map(device).collect::<Result<_, _>>()?,
            interval_s: settings.interval_s.max(1),
            records_per_packet: settings.records_per_packet.max(1),
            ledger,
        })
    }

    /// What all devices send in this second of the simulation.
    pub(super) fn speak(&mut self, road: &Road, fleet: &Fleet, second: u32) -> Vec<NewRecord> {
        let (at_s, now) = (f64::from(second), fleet.start.plus_seconds(f64::from(second)));
        let mut records = Vec::new();
        for (device, van) in self.all.iter_mut().zip(&fleet.vans) {
            if second % self.interval_s != van.number % self.interval_s {
                continue;
            }
            let truth = van.journey.at(road, at_s);
            let fix = device.receiver.measure(&truth, at_s);
            device.kept.extend(report(&van.device, now, fix));
            let offline = device.weather.is_offline(at_s, f64::from(self.interval_s));
            if offline || van.journey.is_silent(at_s) {
                continue;
            }
            let most = device.conversation.records_max().min(self.records_per_packet);
            let mut packets: Vec<Vec<Report>> = Vec::new();
            while device.kept.len() >= self.records_per_packet {
                packets.push(device.kept.drain(..most.min(device.kept.len())).collect());
            }
            if packets.len() > 1 && device.weather.reorders() {
                packets.swap(0, 1);
            }
            for reports in packets {
                let packet = device.conversation.read_back(&reports, now);
                let times = 1 + usize::from(device.weather.duplicates());
                for (pid, read) in packet {
                    device.measured += 1;
                    let protocol = device.speech.protocol.name();
                    let input = DeviceInput::new(&fleet.tenant, protocol, read.clone(), now);
                    debug_assert_eq!(input.pid, pid, "the gateway makes the same identity");
                    let entry = Entry { pid, n: device.measured, sent_at: now, report: read };
                    self.ledger.sending((van.number, &van.vehicle), protocol, &entry);
                    self.ledger.answered(&van.vehicle, protocol, &entry, now);
                    let record = input.envelope().into_record(Topic::Inputs, device.key.clone());
                    records.extend(std::iter::repeat_n(record, times));
                }
            }
        }
        records
    }

    /// The ledger, written to its end.
    pub(super) fn end(mut self) -> Result<Ledger, InProcessError> {
        self.ledger.flush()?;
        Ok(self.ledger)
    }
}
