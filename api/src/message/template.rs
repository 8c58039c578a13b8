//! Templates: a subject and a text with fields in braces.
//!
//! `{order}` stands for the order's id; [`FIELDS`] names them all. What stands in square brackets
//! is left out when one of the fields within is not known: `[, because of {cause}]`. `{{`, `}}`,
//! `[[` and `]]` stand for the signs themselves. Anything else is refused when it is saved, with
//! its place.

use std::fmt;

/// Every field.
pub const FIELDS: [&str; 9] = [
    "order",
    "name",
    "window_from",
    "window_to",
    "expected_from",
    "expected_to",
    "late_minutes",
    "cause",
    "link",
];
/// Longest subject, characters.
pub const SUBJECT_MAX: usize = 200;
/// Longest text, characters.
pub const TEXT_MAX: usize = 10_000;

/// A template of one event in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// In one line.
    pub subject: String,
    /// Paragraphs, with an empty line between them.
    pub text: String,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTemplate {
    /// The text that is not understood.
    pub value: String,
    /// What was expected instead.
    pub expected: String,
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, expected {}", self.value, self.expected)
    }
}

/// A piece of a template.
enum Part<'a> {
    Sign(char),
    Field(&'a str),
    Begin,
    End,
}

/// The values of the fields, each in the reader's language; `None` where it is not known.
pub(crate) trait Values {
    /// Of one of [`FIELDS`].
    fn value(&self, field: &str) -> Option<&str>;
}

/// Refuses a text that cannot be filled.
pub fn check(text: &str) -> Result<(), BadTemplate> {
    parts(text).map(drop)
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, BadTemplate> {
    let bad = |value: &str, expected: &str| BadTemplate {
        value: value.chars().take(60).collect(),
        expected: expected.to_owned(),
    };
    let (mut parts, mut rest, mut open) = (Vec::new(), text, false);
    while let Some(sign) = rest.chars().next() {
        let after = rest.get(sign.len_utf8()..).unwrap_or_default();
        let double = matches!(sign, '{' | '}' | '[' | ']') && after.starts_with(sign);
        if double {
            parts.push(Part::Sign(sign));
            rest = after.get(1..).unwrap_or_default();
            continue;
        }
        rest = after;
        match sign {
            '{' => {
                let named = after.split_once('}');
                let (field, beyond) = named.ok_or_else(|| bad(after, "a } after its {"))?;
                let known = FIELDS.contains(&field);
                let all = format!("one of the fields {}", FIELDS.join(", "));
                parts.push(Part::Field(known.then_some(field).ok_or_else(|| bad(field, &all))?));
                rest = beyond;
            }
            '}' => return Err(bad("}", "a { before it, or }} for the sign itself")),
            '[' if open => return Err(bad(after, "a ] before the next [")),
            ']' if !open => return Err(bad("]", "a [ before it, or ]] for the sign itself")),
            '[' | ']' => {
                open = sign == '[';
                parts.push(if open { Part::Begin } else { Part::End });
            }
            sign => parts.push(Part::Sign(sign)),
        }
    }
    if open { Err(bad(text, "a ] after its [")) } else { Ok(parts) }
}

/// A text with its fields filled in. One that was never checked stays as it is where it is wrong.
pub(crate) fn fill(text: &str, values: &impl Values) -> String {
    let Ok(parts) = parts(text) else { return text.to_owned() };
    let (mut done, mut within, mut whole) = (String::new(), None::<String>, true);
    for part in parts {
        match part {
            Part::Begin => (within, whole) = (Some(String::new()), true),
            Part::End => {
                let section = within.take().unwrap_or_default();
                done.push_str(if whole { &section } else { "" });
            }
            Part::Sign(sign) => within.as_mut().unwrap_or(&mut done).push(sign),
            Part::Field(field) => match values.value(field) {
                Some(value) => within.as_mut().unwrap_or(&mut done).push_str(value),
                None => whole = false,
            },
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known;
    impl Values for Known {
        fn value(&self, field: &str) -> Option<&str> {
            match field {
                "order" => Some("o-1"),
                "link" => Some("https://x/t/1"),
                _ => None,
            }
        }
    }

    #[test]
    fn fields_are_filled_and_sections_without_them_left_out() {
        let text = "[Hello {name}, ]{order} is late[ because of {cause}]. [See {link}] {{[[]]}}";
        assert_eq!(check(text), Ok(()));
        assert_eq!(fill(text, &Known), "o-1 is late. See https://x/t/1 {[]}");
        assert_eq!(fill("a {name} b", &Known), "a  b");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text: &str| check(text).unwrap_err().value;
        assert_eq!(wrong("{oder} is late"), "oder");
        assert_eq!(wrong("{order.__class__}"), "order.__class__");
        assert_eq!(wrong("late {order"), "order");
        assert_eq!(wrong("late }"), "}");
        assert_eq!(wrong("[a [b]]"), "b]]");
        assert_eq!(wrong("a ] b"), "]");
        assert!(check("[a").unwrap_err().expected.contains(']'));
        assert!(check("{}").unwrap_err().expected.contains("late_minutes"));
    }
}
