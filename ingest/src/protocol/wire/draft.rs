//! A report in the making, and what is wrong with a frame that makes none.

use crate::attribute::{Key, Value};
use crate::fix::{Measured, Report};
use crate::id::DeviceId;
use crate::protocol::BadFrame;
use crate::time::Timestamp;

/// What is wrong with a frame: kind, offset, words.
#[derive(Debug)]
pub(in crate::protocol) struct Complaint(pub(super) Box<(BadFrame, usize, String)>);

impl Complaint {
    pub(in crate::protocol) fn new(
        kind: BadFrame,
        offset: usize,
        reason: impl Into<String>,
    ) -> Self {
        Self(Box::new((kind, offset, reason.into())))
    }
    /// A value that can not be read.
    pub(in crate::protocol) fn bad(what: &str, text: &[u8]) -> Self {
        let shown = text[..text.len().min(48)].escape_ascii();
        Self::new(BadFrame::Malformed, 0, format!("{what} `{shown}` can not be read"))
    }
    /// The frame ends before its fields do.
    pub(in crate::protocol) fn short(offset: usize) -> Self {
        Self::new(BadFrame::Truncated, offset, "frame ends before its fields do")
    }
}

/// What names an attribute in a decoder: mostly a constant text, seen as the number of its line.
pub(in crate::protocol) trait Keyed<'a> {
    fn key(self) -> Key<'a>;
}
impl<'a> Keyed<'a> for Key<'a> {
    fn key(self) -> Key<'a> {
        self
    }
}
#[expect(clippy::inline_always, reason = "a constant text becomes a number")]
impl<'a> Keyed<'a> for &'static str {
    #[inline(always)]
    fn key(self) -> Key<'a> {
        Key::from((self, 0))
    }
}
#[expect(clippy::inline_always, reason = "a constant text becomes a number")]
impl<'a> Keyed<'a> for (&'static str, u16) {
    #[inline(always)]
    fn key(self) -> Key<'a> {
        Key::from(self)
    }
}

/// A report in the making.
#[derive(Debug)]
pub(in crate::protocol) struct Draft {
    pub(super) report: Report,
    /// Where; checked when the report is handed over.
    pub(in crate::protocol) at: Option<Measured>,
}

impl Draft {
    pub(super) fn new(device: DeviceId) -> Self {
        Self { report: Report::of(device), at: None }
    }
    /// The device's own time; absent where the fields name none.
    pub(in crate::protocol) fn time(&mut self, time: Option<Timestamp>) {
        self.report.time = time;
    }
    #[expect(clippy::inline_always, reason = "a constant key becomes the number of its line")]
    #[inline(always)]
    pub(in crate::protocol) fn set<'a>(
        &mut self,
        key: impl Keyed<'a>,
        value: impl Into<Value<'a>>,
    ) {
        self.report.attributes.set(key.key(), value.into());
    }
    /// Sets what is there.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(in crate::protocol) fn maybe<'a>(
        &mut self,
        key: impl Keyed<'a>,
        value: Option<impl Into<Value<'a>>>,
    ) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }
    /// Adds an alarm to those the report has: names joined by commas.
    pub(in crate::protocol) fn alarm(&mut self, name: &str) {
        let key = Key::from("alarm");
        let all = match self.report.attributes.get(&key) {
            Some(Value::Text(before)) => format!("{before},{name}"),
            _ => name.to_owned(),
        };
        self.report.attributes.set(key, Value::Text(all.into()));
    }
    /// A value under a name that the sender chose; the registry's where it knows it.
    pub(in crate::protocol) fn named<'a>(&mut self, name: &'a str, value: impl Into<Value<'a>>) {
        if let Some((key, value)) = crate::attribute::from_traccar(name, value.into()) {
            self.report.attributes.set(key, value);
        }
    }
    /// Whether the fields read so far named no time.
    pub(in crate::protocol) fn is_timeless(&self) -> bool {
        self.report.time.is_none()
    }
    /// An attribute that is text.
    pub(in crate::protocol) fn words(&self, key: impl Keyed<'static>) -> Option<String> {
        match self.report.attributes.get(&key.key()) {
            Some(Value::Text(text)) => Some(text.into_owned()),
            _ => None,
        }
    }
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(in crate::protocol) fn has(&self, key: impl Keyed<'static>) -> bool {
        self.report.attributes.get(&key.key()).is_some()
    }
    /// One radio cell: country, network, area, id and, where known, strength in dBm.
    pub(in crate::protocol) fn cell(
        &mut self,
        nth: u16,
        (mcc, mnc, area, id): (u16, u16, u32, u64),
    ) {
        self.set(("cell_country", nth), mcc);
        self.set(("cell_network", nth), mnc);
        self.set(("cell_area", nth), area);
        self.set(("cell_id", nth), id);
    }
}
