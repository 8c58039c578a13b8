//! The connection's side of orders: tells its devices what the door has for them, one at a time,
//! and hears their answers.

use ingest::attribute::{Key, Value};
use ingest::command::Outcome;
use ingest::fix::Report;
use ingest::id::DeviceId;
use ingest::log::NewRecord;
use ingest::protocol::{Telling, Transport};
use ingest::time::Timestamp;
use tokio::time::Instant;

use super::Session;
use crate::command::result;
use crate::limits::ANSWER_LIMIT;

/// An order that was told and not answered yet.
pub(super) struct Told {
    id: String,
    device: DeviceId,
    /// When.
    pub(super) since: Instant,
}

impl Session {
    /// Whether it may tell its devices something now.
    pub(super) fn may_tell(&self) -> bool {
        self.told.is_none() && !self.is_closing() && self.spoken.transport == Transport::Tcp
    }

    /// Tells the next order.
    pub(super) fn tell(&mut self) {
        let now = self.now();
        for device in self.identities.clone() {
            let mut ended = Vec::new();
            while let Some(order) = self.door().orders.next(&device, now, &mut ended) {
                self.orders = self.orders % u16::MAX + 1;
                let (command, number) = (&order.command, self.orders);
                let telling = Telling { device: &device, command, number, at: now };
                let Some(bytes) = self.decode.command(&telling) else {
                    let end = (Outcome::Unsupported, self.spoken.protocol.name());
                    ended.push(result(&device, order.id, end, now));
                    continue;
                };
                self.out.extend_from_slice(&bytes);
                self.door().metrics.order_told();
                ended.push(result(&device, order.id.clone(), (Outcome::Sent, ""), now));
                self.told = Some(Box::new(Told { id: order.id, device, since: Instant::now() }));
                return self.append_ends(ended);
            }
            self.append_ends(ended);
        }
    }

    /// What came of orders goes to the log.
    fn append_ends(&mut self, ended: Vec<NewRecord>) {
        if !ended.is_empty() {
            self.fresh().records.extend(ended);
            self.append();
        }
    }

    /// The report may be the answer to what was told.
    pub(super) fn hear_answer(&mut self, report: &Report, now: Timestamp) {
        let Some(told) = self.told.as_ref().filter(|t| t.device == report.device) else {
            return;
        };
        let key = Key::from("command_result");
        let Some(Value::Text(words)) = report.attributes.get(&key) else { return };
        let answered = result(&told.device, told.id.clone(), (Outcome::Answered, &*words), now);
        self.fresh().records.push(answered);
        self.door().metrics.order_answered();
        self.told = None;
        self.presence.order();
    }

    /// An answer that has not come by now is not waited for any more.
    pub(super) fn forget_told(&mut self) {
        if self.told.as_ref().is_some_and(|told| told.since.elapsed() >= ANSWER_LIMIT) {
            self.told = None;
            self.presence.order();
        }
    }
}
