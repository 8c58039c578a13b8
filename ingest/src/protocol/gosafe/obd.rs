//! What a car answered to a diagnosis, as SAE J1979 has it: `41`, the question, up to four bytes.

use super::{hexadecimal, part};
use crate::protocol::wire::Draft;

/// Most answers of a group.
const ANSWERS_MAX: usize = 32;

/// Each answer behind its length in bytes; hex.
pub(super) fn read(hex: &str, draft: &mut Draft) {
    let mut rest = hex;
    for _ in 0..ANSWERS_MAX {
        let Some(length) = hexadecimal(part(rest, 0, 2)).filter(|_| rest.len() >= 2) else {
            return;
        };
        let end = 2 + 2 * length as usize;
        let one = part(rest, 2, end);
        rest = part(rest, end, rest.len());
        let byte = |at: usize| hexadecimal(part(one, at * 2, at * 2 + 2));
        let (Some(0x41), Some(question), Some(a)) = (byte(0), byte(1), byte(2)) else { continue };
        let word = byte(3).map(|b| (a * 256 + b) as f64);
        let percent = a as f64 * 100.0 / 255.0;
        match question {
            0x04 => draft.set("engine_load_percent", percent),
            0x05 => draft.set("coolant_celsius", a - 40),
            0x0c => draft.maybe("rpm", word.map(|v| v / 4.0)),
            0x0d => draft.set("obd_speed_mps", a as f64 / 3.6),
            0x0f => draft.set("intake_celsius", a - 40),
            0x10 => draft.maybe("intake_flow", word.map(|v| v / 100.0)),
            0x11 => draft.set("throttle_percent", percent),
            0x1f => draft.maybe("running_seconds", word.map(|v| v as i64)),
            0x2f => draft.set("fuel_percent", percent),
            _ => {}
        }
    }
}
