//! The messages to the customer whose visit an event is of.

use ingest::time::Timestamp;

use super::letter::{self, Letter};
use super::told::{self, Of};
use super::{Condition, NewMessage};
use crate::app::App;
use crate::store::addresses::Rules;
use crate::store::webhooks::WebhookRow;
use crate::store::{StoreError, addresses};

/// What a customer may be told of an event.
pub(crate) enum People {
    /// Nothing: no address is known of them, or the event is of no visit.
    Unknown,
    /// Nothing any more: by the time that they may be told it no longer matters.
    Past,
    /// These, one for each address; so many addresses want no messages.
    Letters(Vec<(NewMessage, Condition)>, u64),
}

impl People {
    /// By the tenant's rules and templates.
    pub(crate) fn of(
        app: &App,
        of: &Of<'_>,
        (hooks, rules): (&[WebhookRow], &Rules),
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let (happened, store) = (of.happened, &app.store);
        let contact = of.stop().and_then(|stop| stop.contact.as_ref());
        let (Some(contact), Some(visit)) = (contact, told::visit(&happened.event)) else {
            return Ok(Self::Unknown);
        };
        let Some(span) = letter::due(of, rules, now) else { return Ok(Self::Past) };
        let tenant = &happened.key.tenant;
        let page = app.messages.mail.page.as_deref();
        let own = |event: &str, language: &str| {
            store.read(|c| addresses::template(c, tenant, (event, language))).ok().flatten()
        };
        let letter = Letter::new(of, contact, own, page.is_some());
        let mut all = Vec::new();
        if let Some(address) = &contact.email {
            all.push(letter.mail(happened, address, page, span));
        }
        if let Some(phone) = &contact.phone {
            let texting = hooks.iter().filter(|hook| hook.wants("sms"));
            all.extend(texting.map(|hook| letter.sms(happened, (phone, hook), page, span)));
        }
        if all.is_empty() {
            return Ok(Self::Unknown);
        }
        let (mut letters, mut refused) = (Vec::with_capacity(all.len()), 0);
        for message in all {
            if store.read(|c| addresses::opted_out(c, tenant, &message.recipient))? {
                refused += 1;
            } else {
                let condition = letter::condition(happened.event.kind, visit.clone());
                letters.push((message, condition));
            }
        }
        Ok(Self::Letters(letters, refused))
    }

    /// Messages that are not written though there is somebody to tell.
    pub(crate) fn dropped(&self) -> u64 {
        match self {
            Self::Unknown => 0,
            Self::Past => 1,
            Self::Letters(_, refused) => *refused,
        }
    }

    /// The messages.
    pub(crate) fn letters(self) -> Vec<(NewMessage, Condition)> {
        match self {
            Self::Letters(letters, _) => letters,
            Self::Unknown | Self::Past => Vec::new(),
        }
    }
}
