//! What a customer is told, in their language and at their hours.

use engine::model::EventKind;
use ingest::time::Timestamp;
use serde_json::json;

use super::language::{Language, zone};
use super::outbox::{Happened, id_of};
use super::reason::reason;
use super::template::{Template, Values, fill};
use super::told::Of;
use super::words::{self, farewell};
use super::{Channel, Condition, NewMessage};
use crate::store::addresses::Rules;
use crate::store::routes::ContactRow;
use crate::store::webhooks::WebhookRow;

/// Stands for the customer's link until it is made, when the message is written.
pub(crate) const LINK_MARK: &str = "\u{1}link\u{1}";
/// Stands for the link that ends the messages.
pub(crate) const FAREWELL_MARK: &str = "\u{1}farewell\u{1}";
/// Lane of all mail.
pub(crate) const MAIL_LANE: &str = "mail";
/// Expected times are told in steps of this, seconds: nobody arrives at 14:03.
const STEP_S: i64 = 300;
/// That somebody arrives soon or is there matters for so long, seconds (half an hour).
const SOON_S: f64 = 1_800.0;
/// What has happened matters for so long, seconds (a day).
const DONE_S: f64 = 86_400.0;
/// A delay matters until the expected arrival, and without one for so long, seconds (4 h).
const LATE_S: f64 = 14_400.0;

/// When a customer is told of an event: once a visit.
pub(crate) fn condition(kind: EventKind, of: (String, String)) -> Condition {
    let event = kind.name();
    match kind {
        EventKind::BackOnTime => {
            Condition::OnceAfter { event, after: EventKind::PredictedLate.name(), of }
        }
        _ => Condition::Once { event, of },
    }
}

/// When the message may be sent, unless it no longer matters by then.
pub(crate) fn due(of: &Of<'_>, rules: &Rules, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let zone = zone(of.route.map_or("UTC", |route| route.body.time_zone.as_str()));
    let due = rules.quiet.map_or(now, |quiet| quiet.over(now, &zone));
    let until = until(of);
    (due < until).then_some((due, until))
}

fn until(of: &Of<'_>) -> Timestamp {
    let at = of.happened.event.at;
    match of.happened.event.kind {
        EventKind::ArrivingSoon | EventKind::Arrived => at.plus_seconds(SOON_S),
        EventKind::PredictedLate | EventKind::BackOnTime => {
            expected(of).map_or(at.plus_seconds(LATE_S), |(_, latest)| latest)
        }
        _ => at.plus_seconds(DONE_S),
    }
}

/// The expected span of the stop's arrival.
fn expected(of: &Of<'_>) -> Option<(Timestamp, Timestamp)> {
    let stop = of.happened.event.stop.as_ref()?;
    let times = of.seen?.view.times(stop)?;
    Some((times.p10, times.p90))
}

/// The fields of a template for one customer.
struct Filled {
    values: Vec<(&'static str, String)>,
}

impl Values for Filled {
    fn value(&self, field: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == field).map(|(_, value)| value.as_str())
    }
}

impl Filled {
    fn new(of: &Of<'_>, contact: &ContactRow, language: Language, link: bool) -> Self {
        let event = &of.happened.event;
        let zone = zone(of.route.map_or("UTC", |route| route.body.time_zone.as_str()));
        let mut values = Vec::with_capacity(9);
        let mut put = |name, value: Option<String>| {
            // Line breaks would let a value begin lines, or headers, of its own.
            let plain = |text: String| text.replace(|sign: char| sign.is_control(), " ");
            values.extend(value.map(|value| (name, plain(value))));
        };
        let time = |at| language.time(at, event.at, &zone);
        let round = |at: Timestamp, up: bool| {
            let (step, micros) = (STEP_S * 1_000_000, at.micros());
            let steps = micros.div_euclid(step) + i64::from(up && micros.rem_euclid(step) > 0);
            Timestamp::from_micros(steps * step)
        };
        put("order", event.order.as_ref().map(ToString::to_string));
        let name = contact.name.clone().or_else(|| of.stop().and_then(|stop| stop.name.clone()));
        put("name", name.filter(|name| !name.trim().is_empty()));
        let window = of.stop().and_then(|stop| stop.window);
        put("window_from", window.and_then(|(from, _)| time(Timestamp::from_micros(from))));
        put("window_to", window.and_then(|(_, to)| time(Timestamp::from_micros(to))));
        let expected = expected(of);
        put("expected_from", expected.and_then(|(from, _)| time(round(from, false))));
        put("expected_to", expected.and_then(|(_, to)| time(round(to, true))));
        let late = event.expected_late_s.map(|late| (late + 59) / 60);
        put("late_minutes", late.map(|minutes| language.number(minutes)));
        put("cause", event.cause.as_deref().and_then(|cause| reason(cause, language)));
        values.extend(link.then(|| ("link", LINK_MARK.to_owned())));
        Self { values }
    }
}

/// What is told, before the customer's address is known.
pub(crate) struct Letter {
    language: Language,
    subject: String,
    text: String,
}

impl Letter {
    /// By the tenant's own template, or the usual one.
    pub(crate) fn new(
        of: &Of<'_>,
        contact: &ContactRow,
        own: impl FnOnce(&str, &str) -> Option<Template>,
        link: bool,
    ) -> Self {
        let language = Language::of_tag(contact.language.as_deref().unwrap_or("en"));
        let kind = of.happened.event.kind;
        let template = own(kind.name(), language.name());
        let template = template.unwrap_or_else(|| words::template(kind, language));
        let values = Filled::new(of, contact, language, link);
        let subject = fill(&template.subject, &values).replace(LINK_MARK, "");
        Self { language, subject, text: fill(&template.text, &values) }
    }

    /// As a mail; with links where customers can reach us.
    pub(crate) fn mail(
        &self,
        happened: &Happened,
        address: &str,
        page: Option<&str>,
        (due, until): (Timestamp, Timestamp),
    ) -> NewMessage {
        let destination = format!("mail:{address}");
        let farewell = farewell(self.language);
        let text = match page {
            Some(_) => format!("{}\n\n-- \n{farewell}: {FAREWELL_MARK}\n", self.text),
            None => format!("{}\n", self.text),
        };
        NewMessage {
            id: id_of(happened, &destination),
            tenant: happened.key.tenant.clone(),
            at: happened.event.at,
            channel: Channel::Mail,
            lane: MAIL_LANE.to_owned(),
            destination,
            of: Some((happened.key.vehicle.clone(), happened.seq)),
            event: happened.event.kind.name().to_owned(),
            order: happened.event.order.as_ref().map(ToString::to_string),
            language: Some(self.language.name().to_owned()),
            recipient: address.to_owned(),
            subject: self.subject.clone(),
            body: text,
            html: Some(self.html(page.is_some())),
            until: Some(until),
            due,
            page: page.map(str::to_owned),
        }
    }

    /// As a text message that a tenant's program sends on.
    pub(crate) fn sms(
        &self,
        happened: &Happened,
        (phone, hook): (&str, &WebhookRow),
        page: Option<&str>,
        span: (Timestamp, Timestamp),
    ) -> NewMessage {
        let link =
            if self.text.contains(LINK_MARK) { format!(" {LINK_MARK}") } else { String::new() };
        let destination = format!("sms:{}:{phone}", hook.id);
        let order = happened.event.order.as_ref().map(ToString::to_string);
        let body = json!({
            "type": "sms",
            "timestamp": happened.event.at.to_string(),
            "data": {
                "to": phone,
                "text": format!("{}{link}", self.subject),
                "language": self.language.name(),
                "event": happened.event.kind.name(),
                "order": order,
            },
        });
        // A mark has signs that JSON writes in its own way.
        let body = body.to_string().replace("\\u0001link\\u0001", LINK_MARK);
        NewMessage {
            id: id_of(happened, &destination),
            channel: Channel::Sms,
            lane: hook.id.clone(),
            destination,
            recipient: phone.to_owned(),
            body,
            html: None,
            ..self.mail(happened, phone, page, span)
        }
    }

    fn html(&self, farewell_link: bool) -> String {
        let (language, direction) = (self.language.name(), self.language.direction());
        let paragraphs: Vec<String> = self
            .text
            .split("\n\n")
            .map(|paragraph| format!("<p>{}</p>", escaped(paragraph).replace('\n', "<br>\n")))
            .collect();
        let text = paragraphs.join("\n");
        let text = text.replace(LINK_MARK, &format!("<a href=\"{LINK_MARK}\">{LINK_MARK}</a>"));
        let last = if farewell_link {
            let words = farewell(self.language);
            format!("\n<p><small><a href=\"{FAREWELL_MARK}\">{words}</a></small></p>")
        } else {
            String::new()
        };
        format!(
            "<!doctype html>\n<html lang=\"{language}\" dir=\"{direction}\">\n<meta \
             charset=\"utf-8\">\n<body>\n{text}{last}\n</body>\n</html>\n"
        )
    }
}

/// Text as HTML shows it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            sign => out.push(sign),
        }
    }
    out
}
