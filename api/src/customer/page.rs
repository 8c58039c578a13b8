//! The page, readable without script: status, window and one sentence first. The parts that
//! change are made here too, for the first page as for each frame of the stream.

use std::fmt::{self, Write};

use ingest::time::Timestamp;

use super::drawing::Frame;
use super::frame::{Own, answer_words};
use super::local::Local;
use super::words::{Words, filled};
use crate::policy::{Stage, Standing, Visible};
use crate::tiles::ATTRIBUTION;

const STYLE: &str = include_str!("../web/customer.css");
const SCRIPT: &str = include_str!("../web/customer.js");

/// How a page is told: in which language, by which clock, where to.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    pub(crate) words: &'static Words,
    pub(crate) local: Local,
    pub(crate) token: String,
    /// What the sender is called.
    pub(crate) brand: String,
}

/// The parts that change.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Parts {
    pub(crate) title: String,
    pub(crate) stage: &'static str,
    pub(crate) standing: &'static str,
    /// Status, window, sentence, strip, reason, choices.
    pub(crate) live: String,
    /// What is said on the map.
    pub(crate) chip: String,
    /// What moves on the map.
    pub(crate) over: String,
    /// The steps of the order.
    pub(crate) steps: String,
}

/// Text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Adds to a text.
pub(super) fn append(out: &mut String, text: fmt::Arguments<'_>) {
    if out.write_fmt(text).is_err() {
        debug_assert!(false, "a string takes everything, and what is written here never fails");
    }
}

impl Telling {
    /// The parts of what is visible now.
    pub(crate) fn parts(&self, visible: &Visible, own: &Own) -> Parts {
        let standing = match visible.standing {
            Standing::OnTime => "on_time",
            Standing::AtRisk => "at_risk",
            Standing::Late => "late",
        };
        let headline = self.words.headline(visible.stage, visible.standing);
        let when = self.when(visible);
        let title = match &when {
            Some(when) => format!("{when} · {headline}"),
            None => headline.to_owned(),
        };
        Parts {
            title,
            stage: visible.stage.name(),
            standing,
            live: self.live(visible, own, headline, when.as_deref()),
            chip: self.chip(visible),
            over: Frame::of(own.door, visible).over(visible),
            steps: self.steps(visible.stage),
        }
    }

    /// The one time that answers: the window, the end, or what was promised.
    fn when(&self, visible: &Visible) -> Option<String> {
        if let Some(at) = visible.over_at {
            return Some(self.local.time(at));
        }
        let expected = visible.expected.map(|expected| (expected.from, expected.to));
        let span = expected.or(visible.promise)?;
        Some(self.local.span(span, visible.now, self.words))
    }

    fn live(&self, visible: &Visible, own: &Own, headline: &str, when: Option<&str>) -> String {
        let words = self.words;
        let mut out = format!(
            "<h1 class=\"status\">{}{headline}</h1><p class=\"when\"><bdi>{}</bdi></p>",
            shape(visible),
            when.map_or(words.no_time.to_owned(), escaped)
        );
        let mut sentences = Vec::new();
        if visible.standing == Standing::Late
            && let Some(promise) = visible.promise
        {
            let window = self.local.span(promise, visible.now, words);
            sentences.push(filled(words.sorry, &[("window", &window)]));
        } else if let Some(expected) = visible.expected {
            sentences.push(filled(words.likely, &[("time", &self.local.time(expected.likely))]));
        }
        match visible.stage {
            Stage::Next | Stage::Arriving => sentences.push(words.you_are_next.to_owned()),
            Stage::OnTheWay => {
                let n = visible.stops_before.map(|n| n.to_string());
                sentences.extend(n.map(|n| filled(words.stops_before, &[("n", &n)])));
            }
            Stage::Failed | Stage::Skipped => sentences.push(words.not_made.to_owned()),
            _ => {}
        }
        if visible.unseen {
            sentences.push(words.unseen.to_owned());
        }
        append(&mut out, format_args!("<p class=\"say\">{}</p>", escaped(&sentences.join(" "))));
        out = format!("<div class=\"first\">{out}</div>");
        out.push_str(&self.strip(visible));
        if visible.standing == Standing::Late {
            if let Some(cause) = words.cause(visible.cause) {
                append(&mut out, format_args!("<p class=\"why\"><b>{}</b> {cause}</p>", words.why));
            }
            out.push_str(&self.choices(own));
        }
        if let Some(phone) = &visible.phone {
            let phone = escaped(phone);
            append(
                &mut out,
                format_args!(
                    "<p class=\"why\"><a href=\"tel:{phone}\">{} {phone}</a></p>",
                    words.call
                ),
            );
        }
        out
    }

    /// Answers to a new time; each a form of its own, so that they work without script.
    fn choices(&self, own: &Own) -> String {
        let words = self.words;
        let given = own.said.instructions.as_ref().and_then(|said| said.answer.as_deref());
        if let Some(given) = given.and_then(|answer| answer_words(answer, words)) {
            let said = filled(words.answered, &[("answer", given)]);
            return format!("<p class=\"why\" data-state=\"answered\">{said}</p>");
        }
        let button = |answer: &str, text: &str, class: &str| {
            format!("<button name=\"answer\" value=\"{answer}\" class=\"{class}\">{text}</button>")
        };
        format!(
            "<form class=\"choices\" method=\"post\" action=\"/t/{}/instructions\"><p><b>{}</b></p>\
             {}{}{}<p class=\"soft\">{}</p></form>",
            self.token,
            words.suits,
            button("there", words.there, "main"),
            button("safe_place", words.safe_place, ""),
            button("another_time", words.another_time, ""),
            words.no_answer
        )
    }

    /// Promised and expected on one axis of time, with now.
    fn strip(&self, visible: &Visible) -> String {
        let expected = visible.expected.map(|expected| (expected.from, expected.to));
        let spans = [visible.promise, expected];
        let Some(scale) = Scale::of(&spans, visible.now) else { return String::new() };
        let (words, mut out) = (self.words, String::new());
        out.push_str(
            "<svg class=\"strip\" viewBox=\"0 0 358 74\" aria-hidden=\"true\" dir=\"ltr\">",
        );
        out.push_str("<path class=\"axis\" d=\"M0 34h358\"/>");
        if let Some((from, to)) = visible.promise {
            let (x, width) = scale.block(from, to);
            append(
                &mut out,
                format_args!(
                    "<rect class=\"pr\" x=\"{x:.1}\" y=\"22\" width=\"{width:.1}\" height=\"24\" rx=\"6\"/>"
                ),
            );
        }
        if let Some((from, to)) = expected {
            let (x, width) = scale.block(from, to);
            let width = width.max(8.0);
            append(
                &mut out,
                format_args!(
                    "<rect class=\"ex\" x=\"{x:.1}\" y=\"27\" width=\"{width:.1}\" height=\"14\" rx=\"7\"/>"
                ),
            );
        }
        for at in scale.ticks(&self.local) {
            let x = scale.x(at);
            append(
                &mut out,
                format_args!(
                    "<path class=\"tick\" d=\"M{x:.1} 47v5\"/><text x=\"{x:.1}\" y=\"67\">{}</text>",
                    self.local.time(at)
                ),
            );
        }
        let x = scale.x(visible.now);
        append(
            &mut out,
            format_args!(
                "<path class=\"now\" d=\"M{x:.1} 16v34\"/><text class=\"n\" x=\"{:.1}\" y=\"12\">{}</text></svg>",
                x.clamp(24.0, 334.0),
                words.now
            ),
        );
        out.push_str("<p class=\"legend\">");
        if let Some(promise) = visible.promise {
            let window = self.local.span(promise, visible.now, words);
            let said = escaped(&filled(words.promised, &[("window", &window)]));
            append(&mut out, format_args!("<span class=\"k kp\">{said}</span> "));
        }
        if expected.is_some() {
            append(&mut out, format_args!("<span class=\"k ke\">{}</span>", words.expected));
        }
        out.push_str("</p>");
        out
    }

    /// What is said on the map: how far and how old, or when there will be something to see.
    fn chip(&self, visible: &Visible) -> String {
        let words = self.words;
        if let Some(seen) = &visible.vehicle {
            let age = words.age(visible.now.seconds_since(seen.time));
            let mut out = String::new();
            if let Some(metres) = visible.metres {
                let distance = filled(words.away, &[("distance", &distance(metres))]);
                append(&mut out, format_args!("<bdi>{distance}</bdi> · "));
            }
            let age =
                format!("<span class=\"age\" data-at=\"{}\">{age}</span>", seen.time.millis());
            out.push_str(&filled(words.seen, &[("age", &age)]));
            return out;
        }
        if visible.stage.is_over() || visible.stage == Stage::Arrived {
            return String::new();
        }
        if visible.unseen { words.unseen.to_owned() } else { words.appears.to_owned() }
    }

    fn steps(&self, stage: Stage) -> String {
        let at = match stage {
            Stage::Planned => 0,
            Stage::OnTheWay | Stage::Next | Stage::Arriving | Stage::Arrived => 1,
            _ => 2,
        };
        let mut out = String::new();
        for (n, word) in self.words.steps.iter().enumerate() {
            let word = if n == 2 && at == 2 { self.words.stages[stage as usize] } else { word };
            let class = match n.cmp(&at) {
                std::cmp::Ordering::Less => "past",
                std::cmp::Ordering::Equal => "here",
                std::cmp::Ordering::Greater => "",
            };
            let current = if n == at { " aria-current=\"step\"" } else { "" };
            append(&mut out, format_args!("<li class=\"{class}\"{current}>{word}</li>"));
        }
        out
    }

    /// The whole page. `base` is the drawing under what moves; `note` tells that something was
    /// saved; `nonce` names this page's own style and script.
    pub(crate) fn page(&self, parts: &Parts, own: &Own, base: &str, nonce: &str) -> String {
        let words = self.words;
        let direction = if words.rtl { "rtl" } else { "ltr" };
        let order = escaped(&filled(words.order, &[("order", &own.order)]));
        let mut out = String::with_capacity(24 << 10);
        append(
            &mut out,
            format_args!(
                "<!doctype html><html lang=\"{}\" dir=\"{direction}\" data-state=\"live\" \
             data-stage=\"{}\" data-standing=\"{}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"robots\" content=\"noindex\"><title>{}</title>\
             <link rel=\"icon\" href=\"data:,\"><style nonce=\"{nonce}\">{STYLE}</style>\
             <noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript></head>",
                words.code,
                parts.stage,
                parts.standing,
                escaped(&parts.title)
            ),
        );
        append(
            &mut out,
            format_args!(
                "<body data-zone=\"{}\" data-s=\"{}\" data-min=\"{}\" data-unseen=\"{}\" data-saved=\"{}\">\
             <header><b><bdi>{}</bdi></b><span>{order}</span></header>\
             <p id=\"offline\" role=\"status\" data-say=\"{}\" hidden></p>\
             <main><section id=\"live\" aria-live=\"polite\">{}</section>",
                self.local.zone(),
                words.seconds,
                words.minutes,
                words.unseen,
                words.saved,
                escaped(&self.brand),
                words.offline,
                parts.live
            ),
        );
        append(
            &mut out,
            format_args!(
                "<section class=\"map\"><svg viewBox=\"0 0 780 464\" role=\"img\" aria-label=\"{}\">\
             <g id=\"base\">{base}</g><g id=\"over\">{}</g></svg><p id=\"chip\">{}</p></section>\
             <ol id=\"steps\">{}</ol>",
                words.map, parts.over, parts.chip, parts.steps
            ),
        );
        out.push_str(&self.forms(own, parts));
        append(
            &mut out,
            format_args!(
                "</main><footer><p>{}</p><p><bdi>{ATTRIBUTION}</bdi></p></footer>\
             <script nonce=\"{nonce}\">{SCRIPT}</script></body></html>",
                words.footer
            ),
        );
        out
    }

    /// What the customer may say: instructions before, feedback after.
    fn forms(&self, own: &Own, parts: &Parts) -> String {
        let (words, token) = (self.words, &self.token);
        let over = Stage::ALL.iter().any(|s| s.is_over() && s.name() == parts.stage);
        if over {
            let given = own.said.feedback.as_ref();
            let mut radios = String::new();
            for (n, word) in (1_u8..).zip(words.ratings) {
                let checked = if given.and_then(|f| f.rating) == Some(n) { " checked" } else { "" };
                append(
                    &mut radios,
                    format_args!(
                        "<label><input type=\"radio\" name=\"rating\" value=\"{n}\"{checked}> {word}</label>"
                    ),
                );
            }
            let comment = escaped(given.map_or("", |f| f.comment.as_str()));
            return format!(
                "<form class=\"card\" method=\"post\" action=\"/t/{token}/feedback\"><fieldset>\
                 <legend>{}</legend>{radios}</fieldset><label for=\"comment\">{}</label>\
                 <textarea id=\"comment\" name=\"comment\" maxlength=\"1000\" rows=\"3\">{comment}</textarea>\
                 <button>{}</button> <span class=\"saved\" role=\"status\"></span></form>",
                words.how_was_it, words.comment, words.send
            );
        }
        let text = own.said.instructions.as_ref().map_or("", |said| said.text.as_str());
        format!(
            "<form class=\"card\" method=\"post\" action=\"/t/{token}/instructions\">\
             <label for=\"text\"><b>{}</b></label><p class=\"soft\" id=\"hint\">{}</p>\
             <textarea id=\"text\" name=\"text\" maxlength=\"1000\" rows=\"2\" \
             aria-describedby=\"hint\">{}</textarea>\
             <button>{}</button> <span class=\"saved\" role=\"status\"></span></form>",
            words.instructions,
            words.hint,
            escaped(text),
            words.save
        )
    }
}

/// The page of a link that does not work, whatever the reason.
pub(crate) fn gone(words: &Words, title: &str, detail: &str, nonce: &str) -> String {
    let direction = if words.rtl { "rtl" } else { "ltr" };
    format!(
        "<!doctype html><html lang=\"{}\" dir=\"{direction}\" data-state=\"gone\"><head>\
         <meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>{title}</title>\
         <link rel=\"icon\" href=\"data:,\"><style nonce=\"{nonce}\">{STYLE}</style></head><body>\
         <main class=\"gone\"><h1>{title}</h1><p>{detail}</p></main></body></html>",
        words.code
    )
}

/// The sign before the status: a circle, a triangle, a diamond; a tick and a cross at the end.
fn shape(visible: &Visible) -> &'static str {
    match (visible.stage, visible.standing) {
        (Stage::Failed | Stage::Skipped, _) => {
            "<svg class=\"s\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><rect class=\"bad\" x=\"2\" \
             y=\"2\" width=\"16\" height=\"16\" rx=\"3\"/><path class=\"g\" d=\"M7 7l6 6m0-6-6 6\"/></svg>"
        }
        (Stage::Delivered | Stage::Visited, _) => {
            "<svg class=\"s\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><circle class=\"ring\" cx=\"10\" \
             cy=\"10\" r=\"8\"/><path class=\"t\" d=\"M6 10l3 3 5-6\"/></svg>"
        }
        (_, Standing::Late) => {
            "<svg class=\"s\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><path class=\"bad\" d=\"M10 1l9 \
             9-9 9-9-9z\"/><path class=\"g\" d=\"M10 6v5m0 3v.1\"/></svg>"
        }
        (_, Standing::AtRisk) => {
            "<svg class=\"s\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><path class=\"risk\" d=\"M10 2l9 \
             16H1z\"/><path class=\"gr\" d=\"M10 8v4m0 3v.1\"/></svg>"
        }
        _ => {
            "<svg class=\"s\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><circle class=\"good\" cx=\"10\" \
             cy=\"10\" r=\"8\"/></svg>"
        }
    }
}

/// Kilometres with one decimal; tens of metres below one.
fn distance(metres: f64) -> String {
    if metres < 1_000.0 {
        return format!("{:.0} m", (metres / 10.0).round().max(1.0) * 10.0);
    }
    format!("{:.1} km", metres / 1_000.0)
}

/// Time on the strip.
#[derive(Debug, Clone, Copy)]
struct Scale {
    from: Timestamp,
    seconds: f64,
}

/// Units of the strip.
const STRIP: f64 = 358.0;
/// A promise further away than this is not set against now, seconds.
const STRIP_S_MAX: f64 = 43_200.0;

impl Scale {
    fn of(spans: &[Option<(Timestamp, Timestamp)>], now: Timestamp) -> Option<Self> {
        let known = || spans.iter().flatten();
        let least = known().map(|span| span.0).min()?.min(now);
        let most = known().map(|span| span.1).max()?.max(now);
        let seconds = most.seconds_since(least);
        if seconds > STRIP_S_MAX {
            return None;
        }
        let pad = (seconds * 0.12).max(300.0);
        Some(Self { from: least.plus_seconds(-pad), seconds: seconds + 2.0 * pad })
    }

    fn x(self, at: Timestamp) -> f64 {
        (at.seconds_since(self.from) / self.seconds * STRIP).clamp(0.0, STRIP)
    }

    fn block(self, from: Timestamp, to: Timestamp) -> (f64, f64) {
        let x = self.x(from);
        (x, self.x(to) - x)
    }

    /// Round times of the place, at most six, none so near an edge that it would be cut off.
    fn ticks(self, local: &Local) -> Vec<Timestamp> {
        let minutes = self.seconds / 60.0;
        let steps = [10_i64, 15, 30, 60, 120, 180, 240];
        let step = steps.into_iter().find(|step| minutes / *step as f64 <= 5.0).unwrap_or(360);
        let first = self.from.micros().div_euclid(60_000_000) + 1;
        let minute = |n: i64| Timestamp::from_micros(n * 60_000_000);
        let ahead = (step - local.minute(minute(first)).rem_euclid(step)) % step;
        (0..8)
            .map(|n| minute(first + ahead + n * step))
            .take_while(|at| at.seconds_since(self.from) <= self.seconds)
            .filter(|at| (18.0..STRIP - 18.0).contains(&self.x(*at)))
            .collect()
    }
}
