//! Protocol Buffers as bytes hold them: fields and packed numbers, read where they lie.
//!
//! ```text
//! message = { varint: number << 3 | kind, value }
//! kind 0: varint   1: 8 bytes   2: varint length, bytes   5: 4 bytes
//! ```
//! (`protobuf.dev/programming-guides/encoding`). Groups (kinds 3 and 4) were never a part of the
//! format we read. Nothing is copied and nothing is kept.

/// What is wrong with bytes, in words: the value and what was expected.
#[derive(Debug)]
pub(super) struct Broken(pub(super) String);

/// What a field of a message holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// A number; signed ones as the format's own kinds say.
    Varint(u64),
    /// A string, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no field of ours is.
    Fixed,
}

impl<'a> Value<'a> {
    /// The bytes of a field that must be bytes; `name` is of the field.
    pub(super) fn bytes(self, name: &str) -> Result<&'a [u8], Broken> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(Broken(format!("`{name}` is {}, expected bytes", other.kind()))),
        }
    }

    /// The number of a field that must be one.
    pub(super) fn number(self, name: &str) -> Result<u64, Broken> {
        match self {
            Self::Varint(number) => Ok(number),
            other => Err(Broken(format!("`{name}` is {}, expected a number", other.kind()))),
        }
    }

    /// Packed numbers, of which `before` came already: a writer gives all of them in one piece.
    pub(super) fn packed(self, name: &str, before: Varints<'a>) -> Result<Varints<'a>, Broken> {
        if !before.is_empty() {
            return Err(Broken(format!("`{name}` comes twice, expected all of it in one piece")));
        }
        self.bytes(name).map(Varints)
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Varint(_) => "a number",
            Self::Bytes(_) => "bytes",
            Self::Fixed => "of fixed width",
        }
    }
}

/// The fields of a message, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// Number and value of the next field; `None` behind the last.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Broken> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = varint(&mut self.0)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = varint(&mut self.0)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            kind => {
                let field = tag >> 3;
                return Err(Broken(format!(
                    "field {field} is of kind `{kind}`, expected 0, 1, 2 or 5"
                )));
            }
        };
        Ok(Some((tag >> 3, value)))
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Broken> {
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let Some((value, rest)) = split else {
            let left = self.0.len();
            return Err(Broken(format!("a field of `{length}` bytes where {left} are left")));
        };
        self.0 = rest;
        Ok(value)
    }
}

/// Numbers of a packed field, in order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Varints<'a>(&'a [u8]);

impl Varints<'_> {
    /// Whether none is left.
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next one; `name` is of the field, for who expected another.
    #[inline]
    pub(super) fn next(&mut self, name: &str) -> Result<u64, Broken> {
        if self.0.is_empty() {
            return Err(Broken(format!("`{name}` holds fewer numbers than what it goes with")));
        }
        varint(&mut self.0)
    }

    /// The next one as a step from the one before (`sint64`, zigzag).
    #[inline]
    pub(super) fn step(&mut self, name: &str, before: i64) -> Result<i64, Broken> {
        let step = zigzag(self.next(name)?);
        before.checked_add(step).ok_or_else(|| {
            Broken(format!("`{name}` steps by `{step}` from `{before}`, expected 64 bits"))
        })
    }

    /// Nothing may be left; `name` is of the field.
    pub(super) fn end(self, name: &str) -> Result<(), Broken> {
        if self.is_empty() {
            return Ok(());
        }
        Err(Broken(format!("`{name}` holds more numbers than what it goes with")))
    }
}

/// A signed number whose small values are small both ways.
#[inline]
pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[inline]
fn varint(bytes: &mut &[u8]) -> Result<u64, Broken> {
    match **bytes {
        [one, ref rest @ ..] if one < 0x80 => {
            *bytes = rest;
            Ok(u64::from(one))
        }
        [one, two, ref rest @ ..] if two < 0x80 => {
            *bytes = rest;
            Ok(u64::from(one & 0x7f) | u64::from(two) << 7)
        }
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &mut &[u8]) -> Result<u64, Broken> {
    let mut value = 0;
    for (shift, &byte) in (0..64).step_by(7).zip(bytes.iter()) {
        // Of the tenth byte one bit is left; decoders drop the others.
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            *bytes = &bytes[shift / 7 + 1..];
            return Ok(value);
        }
    }
    if bytes.len() < 10 {
        return Err(Broken("cut short inside a number".to_owned()));
    }
    Err(Broken(format!(
        "a number goes on behind `{:02x?}`, expected ten bytes at most",
        &bytes[..10]
    )))
}
