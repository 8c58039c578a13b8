//! What else a device said: one value out of a JSON object.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, StringViewBuilder};
use datafusion::common::Result;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::argument::{Arguments, Kind};
use super::scalar::{About, Gives};

/// What there is.
pub(super) const ATTRIBUTE: [About; 2] = [
    About {
        name: "attribute",
        call: "attribute(attributes, key)",
        meaning: "a value of a JSON object as text; null where there is none or no object",
        takes: &[Kind::Text, Kind::Text],
        optional: 0,
        gives: Gives::Text,
        work: text,
    },
    About {
        name: "attribute_number",
        call: "attribute_number(attributes, key)",
        meaning: "a number of a JSON object; null where there is none or another kind of value",
        takes: &[Kind::Text, Kind::Text],
        optional: 0,
        gives: Gives::Number,
        work: number,
    },
];

/// Finds a key in an object without keeping the rest of it.
struct Find<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        // To the end, so that half an object is none.
        while let Some(is_it) = map.next_key_seed(Is(self.0))? {
            if is_it {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is the one.
struct Is<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

fn find(object: &str, key: &str) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_str(object);
    let found = Find(key).deserialize(&mut reader).ok()??;
    reader.end().is_ok().then_some(found)
}

fn text(arguments: &Arguments) -> Result<ArrayRef> {
    let (objects, keys) = (arguments.words(0)?, arguments.words(1)?);
    let mut values = StringViewBuilder::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let asked = objects.get(row).zip(keys.get(row));
        match asked.and_then(|(object, key)| find(object, key)) {
            None | Some(Value::Null) => values.append_null(),
            Some(Value::String(value)) => values.append_value(value),
            Some(value) => values.append_value(value.to_string()),
        }
    }
    Ok(Arc::new(values.finish()))
}

fn number(arguments: &Arguments) -> Result<ArrayRef> {
    let (objects, keys) = (arguments.words(0)?, arguments.words(1)?);
    let value = |row: usize| find(objects.get(row)?, keys.get(row)?)?.as_f64();
    let values: Float64Array = (0..arguments.rows()).map(value).collect();
    Ok(Arc::new(values))
}
