//! `repeat`, `lpad` and `rpad` within bounds: a few bytes of SQL may not ask for a gigabyte.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::common::{Result, exec_err};

use super::argument::{Arguments, Kind};
use super::scalar::{About, Gives};

/// Bytes of one value that is made.
const VALUE_MAX: usize = 64 << 10;
/// Bytes of the values that are made of one batch of rows.
const BATCH_MAX: usize = 32 << 20;

/// What there is.
pub(super) const TEXT: [About; 3] = [
    About {
        name: "repeat",
        call: "repeat(text, times)",
        meaning: "a text so many times, at most 64 KiB",
        takes: &[Kind::Text, Kind::Whole],
        optional: 0,
        gives: Gives::Text,
        work: repeat,
    },
    About {
        name: "lpad",
        call: "lpad(text, characters, fill)",
        meaning: "a text filled up from the left, with blanks unless said, at most 64 KiB",
        takes: &[Kind::Text, Kind::Whole, Kind::Text],
        optional: 1,
        gives: Gives::Text,
        work: |arguments| pad(arguments, true),
    },
    About {
        name: "rpad",
        call: "rpad(text, characters, fill)",
        meaning: "a text filled up to the right, with blanks unless said, at most 64 KiB",
        takes: &[Kind::Text, Kind::Whole, Kind::Text],
        optional: 1,
        gives: Gives::Text,
        work: |arguments| pad(arguments, false),
    },
];

/// Values of one batch.
#[derive(Default)]
struct Made {
    values: StringViewBuilder,
    bytes: usize,
}

impl Made {
    fn push(&mut self, value: &str) -> Result<()> {
        self.bytes += value.len();
        if value.len() > VALUE_MAX {
            return exec_err!("a text has {} bytes, expected at most {VALUE_MAX}", value.len());
        }
        if self.bytes > BATCH_MAX {
            return exec_err!("the texts of one batch have more than {BATCH_MAX} bytes");
        }
        self.values.append_value(value);
        Ok(())
    }
}

fn repeat(arguments: &Arguments) -> Result<ArrayRef> {
    let (words, times) = (arguments.words(0)?, arguments.wholes(1)?);
    let mut made = Made::default();
    for row in 0..arguments.rows() {
        let (Some(word), Some(times)) = (words.get(row), times.get(row)) else {
            made.values.append_null();
            continue;
        };
        let bytes = times.max(0).saturating_mul(word.len() as i64);
        if bytes > VALUE_MAX as i64 {
            return exec_err!("times is `{times}`, expected a text of at most {VALUE_MAX} bytes");
        }
        let times = if word.is_empty() { 0 } else { times.max(0) as usize };
        made.push(&word.repeat(times))?;
    }
    Ok(Arc::new(made.values.finish()))
}

/// PostgreSQL's: what is longer is cut off at its end.
fn pad(arguments: &Arguments, left: bool) -> Result<ArrayRef> {
    let (words, lengths) = (arguments.words(0)?, arguments.wholes(1)?);
    let fills = if arguments.len() > 2 { Some(arguments.words(2)?) } else { None };
    let mut made = Made::default();
    for row in 0..arguments.rows() {
        let fill = fills.as_ref().map_or(Some(" "), |fills| fills.get(row));
        let (Some(word), Some(length), Some(fill)) = (words.get(row), lengths.get(row), fill)
        else {
            made.values.append_null();
            continue;
        };
        // A character has at least one byte.
        if length > VALUE_MAX as i64 {
            return exec_err!("characters is `{length}`, expected at most {VALUE_MAX}");
        }
        let length = length.max(0) as usize;
        let own: String = word.chars().take(length).collect();
        let missing = length - own.chars().count();
        let filling: String = fill.chars().cycle().take(missing).collect();
        made.push(&if left { filling + &own } else { own + &filling })?;
    }
    Ok(Arc::new(made.values.finish()))
}
