//! Values of attributes.

use std::borrow::Cow;

use super::text_value;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// At most [`super::TEXT_MAX`] bytes.
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// The same with a text of its own.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::Float(v) => Value::Float(v),
            Self::Text(v) => Value::Text(Cow::Owned(v.into_owned())),
        }
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}
impl From<i16> for Value<'_> {
    fn from(value: i16) -> Self {
        Self::Int(value.into())
    }
}
impl From<u64> for Value<'_> {
    /// Numbers beyond the signed range are its largest.
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}
impl From<u16> for Value<'_> {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}
impl From<u8> for Value<'_> {
    fn from(value: u8) -> Self {
        Self::Int(value.into())
    }
}
impl From<i8> for Value<'_> {
    fn from(value: i8) -> Self {
        Self::Int(value.into())
    }
}
impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}
impl<'a> From<&'a str> for Value<'a> {
    /// Cut to [`super::TEXT_MAX`], without NULs at its end, which pad fixed fields.
    fn from(value: &'a str) -> Self {
        text_value(value)
    }
}
impl From<String> for Value<'_> {
    /// Cut as a borrowed text is.
    fn from(mut value: String) -> Self {
        let Value::Text(kept) = text_value(&value) else { return Self::Text(Cow::Owned(value)) };
        let length = kept.len();
        value.truncate(length);
        Self::Text(Cow::Owned(value))
    }
}
