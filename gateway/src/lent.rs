//! Reports that decoders fill: lent while bytes are decoded. A thread keeps some, with the memory of
//! their attributes, so that no idle connection and no datagram needs one of its own.

use std::cell::RefCell;

use ingest::fix::Report;
use ingest::id::DeviceId;

/// Reports that a thread keeps.
const SPARE_MAX: usize = 8;

thread_local! {
    #[expect(clippy::vec_box, reason = "a session carries the pointer, not the report")]
    static SPARE: RefCell<Vec<Box<Report>>> = const { RefCell::new(Vec::new()) };
}

/// A report of nobody with nothing in it.
pub(crate) fn report(nobody: &DeviceId) -> Box<Report> {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| Box::new(Report::of(nobody.clone())))
}

/// Takes a report back; nothing of what was in it is seen again.
pub(crate) fn back(mut report: Box<Report>, nobody: &DeviceId) {
    let mut attributes = std::mem::take(&mut report.attributes);
    attributes.clear();
    *report = Report { attributes, ..Report::of(nobody.clone()) };
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_MAX {
            spare.push(report);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::attribute::{Key, Value};

    #[test]
    fn the_next_one_sees_nothing_of_the_last() {
        let (nobody, van) = (DeviceId::new("-").unwrap(), DeviceId::new("van").unwrap());
        let mut first = report(&nobody);
        *first = Report { checksum_ok: Some(true), ..Report::of(van) };
        first.attributes.set(Key::from("ignition"), Value::Bool(true));
        back(first, &nobody);
        assert_eq!(*report(&nobody), Report::of(nobody));
    }
}
