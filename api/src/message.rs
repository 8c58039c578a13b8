//! Messages: what is told to programs and customers, once, and until it arrives.
//!
//! [`outbox`] follows `outputs` and writes what is to be told into the operations store, together
//! with how far it has read; [`sender`] takes it from there, a lane at a time: to [`webhook`]s, or
//! by mail. [`address`] keeps us from being sent into our own network.
//!
//! Exactly once into the outbox, at least once out of it: a message is sent until its receiver
//! says yes, under one id, by which a receiver that answered into the void knows it again. A
//! replay of the past runs nothing of this, so it tells nobody; an event older than
//! [`outbox::OLD_S`] tells nobody either.
//!
//! One message per condition ([`Condition`]). Programs keep a copy of what is, so they are told
//! each time a delivery becomes late and each time that ends. People are told once per visit that
//! it is late and once, after that, that it is not: somebody who hears both for the third time
//! stops reading.

use ingest::id::{TenantId, VehicleId};
use ingest::time::Timestamp;

pub(crate) mod address;
pub mod hours;
pub mod language;
pub(crate) mod letter;
pub mod mail;
pub(crate) mod outbox;
pub(crate) mod people;
mod reason;
pub(crate) mod sender;
pub mod template;
pub(crate) mod told;
pub(crate) mod webhook;
pub(crate) mod words;

/// How messages are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Webhooks may go to loopback and private addresses. Never in open mode.
    pub allow_private: bool,
    /// Mail to customers.
    pub mail: MailSettings,
}

/// How mail is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailSettings {
    /// `smtp://HOST:PORT`, or `smtps://USER:PASSWORD@HOST`; `None`: mail stays in the list.
    pub smtp: Option<String>,
    /// The sender's address.
    pub from: String,
    /// Where customers reach us, such as `https://track.example.org`; `None`: no links in mail.
    pub page: Option<String>,
}

/// By what a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// To a tenant's program.
    Webhook,
    /// To a customer's mailbox.
    Mail,
    /// To a customer's phone, by a tenant's program that sends text messages.
    Sms,
}

impl Channel {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Webhook, Self::Mail, Self::Sms];

    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
            Self::Sms => "sms",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == text)
    }
}

/// What has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be sent, or sent again.
    Waiting,
    /// The receiver has it.
    Sent,
    /// Given up: tried for a day in vain, or the receiver does not want it.
    Dead,
    /// Nothing is configured that could send it; kept to be read here.
    Kept,
}

impl State {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Dead, Self::Kept];

    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Kept => "kept",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

/// When a message is told; a visit is named by route and stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Each time.
    Each,
    /// Once for a visit.
    Once {
        /// What counts as told.
        event: &'static str,
        /// Of which visit.
        of: (String, String),
    },
    /// Only while `event` counts as told, which it does not any more then.
    Ends {
        /// What counted as told.
        event: &'static str,
        /// Of which visit.
        of: (String, String),
    },
    /// Once for a visit, and only after `after` was told.
    OnceAfter {
        /// What counts as told.
        event: &'static str,
        /// What must have been told before.
        after: &'static str,
        /// Of which visit.
        of: (String, String),
    },
}

/// A message to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Stays the same over every try.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// When what it tells happened.
    pub at: Timestamp,
    /// By what it travels.
    pub channel: Channel,
    /// What is sent together and rests together: a webhook's id, or `mail`.
    pub lane: String,
    /// Who is told of each event once.
    pub destination: String,
    /// The output that it tells; `None`: asked for by hand.
    pub of: Option<(VehicleId, u64)>,
    /// Name of the event.
    pub event: String,
    /// The order concerned.
    pub order: Option<String>,
    /// In which language.
    pub language: Option<String>,
    /// Address of the receiver.
    pub recipient: String,
    /// In one line.
    pub subject: String,
    /// What is sent.
    pub body: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// When it no longer matters.
    pub until: Option<Timestamp>,
    /// Not sent before.
    pub due: Timestamp,
    /// Where customers reach us: the marks of links are filled in when it is written.
    pub page: Option<String>,
}

/// A message as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its number; rises.
    pub n: i64,
    /// Stays the same over every try.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// When what it tells happened.
    pub at: Timestamp,
    /// By what it travels.
    pub channel: Channel,
    /// What is sent together.
    pub lane: String,
    /// The vehicle concerned.
    pub vehicle: Option<String>,
    /// Name of the event.
    pub event: String,
    /// The order concerned.
    pub order: Option<String>,
    /// In which language.
    pub language: Option<String>,
    /// Address of the receiver.
    pub recipient: String,
    /// In one line.
    pub subject: String,
    /// What is sent.
    pub body: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// The link that ends messages to its receiver.
    pub farewell: Option<String>,
    /// When it no longer matters.
    pub until: Option<Timestamp>,
    /// When it is due.
    pub due: Timestamp,
    /// What has become of it.
    pub state: State,
    /// How often it was tried.
    pub tries: u32,
    /// Why it did not arrive.
    pub error: Option<String>,
}

impl Message {
    /// Its state as people are shown it: what waits after a try that failed has `failed`.
    pub fn shown(&self) -> &'static str {
        match self.state {
            State::Waiting if self.tries > 0 => "failed",
            state => state.name(),
        }
    }
}
