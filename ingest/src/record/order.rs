//! Orders to devices and what came of them: the values of topic `commands`, both under the key of
//! the device.

use prost::Message;

use super::{BadRecord, Envelope, Kind};
use crate::command::{Command, Outcome};
use crate::time::Timestamp;

/// Longest time that an order waits for its device, seconds: as long as the topic keeps it.
pub const ORDER_S_MAX: u32 = 86_400;

/// A command to a device, by a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its own id; what comes of it carries the same.
    pub id: String,
    /// What to do.
    pub command: Command,
    /// When it was ordered.
    pub at: Timestamp,
    /// After that it is not sent any more; at most [`ORDER_S_MAX`] after `at`.
    pub until: Timestamp,
    /// Whose key it was ordered with.
    pub by: String,
    /// Whose key it was approved with; another than `by`.
    pub approved_by: Option<String>,
}

impl Order {
    /// Whether everybody has agreed who has to.
    pub fn is_agreed(&self) -> bool {
        let approved = self.approved_by.as_ref().is_some_and(|who| *who != self.by);
        !self.command.is_harmful() || approved
    }
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderResult {
    /// Of which one.
    pub id: String,
    /// What came of it.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// The device's own words, or why.
    pub words: String,
}

#[derive(Clone, PartialEq, Message)]
struct WireOrder {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(uint32, optional, tag = "3")]
    seconds: Option<u32>,
    #[prost(string, optional, tag = "4")]
    words: Option<String>,
    #[prost(sfixed64, tag = "5")]
    until_us: i64,
    #[prost(string, optional, tag = "6")]
    approved_by: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct WireResult {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    outcome: String,
    #[prost(string, tag = "3")]
    words: String,
}

fn envelope(kind: Kind, at: Timestamp, by: Option<String>, payload: Vec<u8>) -> Envelope {
    Envelope { kind, pid: None, received_at: at, seq: 0, by, payload: payload.into() }
}

impl Order {
    /// As an envelope for `commands`.
    pub fn envelope(&self) -> Envelope {
        let (seconds, words) = match &self.command {
            Command::Interval(seconds) => (Some(*seconds), None),
            Command::Text(words) => (None, Some(words.clone())),
            _ => (None, None),
        };
        let wire = WireOrder {
            id: self.id.clone(),
            name: self.command.name().to_owned(),
            seconds,
            words,
            until_us: self.until.micros(),
            approved_by: self.approved_by.clone(),
        };
        envelope(Kind::Order, self.at, Some(self.by.clone()), wire.encode_to_vec())
    }

    /// Reads an envelope of kind `Order`.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        let wire = WireOrder::decode(envelope.payload.clone())?;
        let command = Command::new(&wire.name, wire.seconds, wire.words.as_deref())
            .map_err(|e| BadRecord::Value(e.to_string()))?;
        Ok(Self {
            id: wire.id,
            command,
            at: envelope.received_at,
            until: Timestamp::from_micros(wire.until_us),
            by: envelope.by.clone().unwrap_or_default(),
            approved_by: wire.approved_by,
        })
    }
}

impl OrderResult {
    /// As an envelope for `commands`.
    pub fn envelope(&self) -> Envelope {
        let (id, outcome) = (self.id.clone(), self.outcome.name().to_owned());
        let wire = WireResult { id, outcome, words: self.words.clone() };
        envelope(Kind::OrderResult, self.at, None, wire.encode_to_vec())
    }

    /// Reads an envelope of kind `OrderResult`.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, BadRecord> {
        let wire = WireResult::decode(envelope.payload.clone())?;
        let outcome = Outcome::by_name(&wire.outcome)
            .ok_or_else(|| BadRecord::Value(format!("outcome `{}`", wire.outcome)))?;
        Ok(Self { id: wire.id, outcome, at: envelope.received_at, words: wire.words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_results_come_back_as_they_were() {
        let at = Timestamp::from_seconds;
        for command in [Command::Interval(30), Command::Text("getver".into()), Command::EngineStop]
        {
            let (id, by) = ("c-1".to_owned(), "ana".to_owned());
            let approved_by = Some("rui".to_owned());
            let order = Order { id, command, at: at(10), until: at(70), by, approved_by };
            assert_eq!(Order::from_envelope(&order.envelope()).unwrap(), order);
            assert!(order.is_agreed());
            let alone = Order { approved_by: Some("ana".into()), ..order };
            assert_eq!(alone.is_agreed(), !alone.command.is_harmful(), "nobody approves their own");
        }
        let (id, words) = ("c-1".to_owned(), "OK".to_owned());
        let result = OrderResult { id, outcome: Outcome::Answered, at: at(12), words };
        assert_eq!(OrderResult::from_envelope(&result.envelope()).unwrap(), result);
    }
}
