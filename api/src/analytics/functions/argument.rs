//! Arguments row by row: numbers and text however they are stored, constants held once.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray as _, Float64Array, Int64Array, StringViewArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::ColumnarValue;

/// What an argument has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any number; read as a double.
    Number,
    /// A whole number; read as 64 bits.
    Whole,
    /// Text.
    Text,
    /// A time; read in microseconds, UTC.
    Time,
}

impl Kind {
    /// As which type it is read, `None` where the type given is another kind of thing.
    pub(super) fn read_as(self, given: &DataType) -> Option<DataType> {
        let value = if let DataType::Dictionary(_, value) = given { value } else { given };
        let (fits, read) = match self {
            Self::Number => (value.is_numeric(), DataType::Float64),
            Self::Whole => (value.is_integer(), DataType::Int64),
            Self::Text => (value.is_string(), DataType::Utf8View),
            Self::Time => {
                let is_time = matches!(value, DataType::Timestamp(..));
                (is_time, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
            }
        };
        (fits || value.is_null()).then_some(read)
    }

    /// For messages.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Whole => "a whole number",
            Self::Text => "text",
            Self::Time => "a time",
        }
    }
}

/// The arguments of one call over many rows.
#[derive(Debug)]
pub(super) struct Arguments {
    /// Each with its step from row to row: 0 for a constant, which is held once.
    values: Vec<(ArrayRef, usize)>,
    rows: usize,
}

impl Arguments {
    /// Of `rows` rows; of one row where all are constants.
    pub(super) fn new(given: &[ColumnarValue], rows: usize) -> Result<Self> {
        let value = |value: &ColumnarValue| match value {
            ColumnarValue::Array(array) => Ok((Arc::clone(array), 1)),
            ColumnarValue::Scalar(scalar) => Ok((scalar.to_array()?, 0)),
        };
        let values = given.iter().map(value).collect::<Result<Vec<_>>>()?;
        let is_constant = values.iter().all(|(_, step)| *step == 0);
        Ok(Self { values, rows: if is_constant { 1 } else { rows } })
    }

    /// How many rows are asked for.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// How many arguments there are.
    pub(super) const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether one row answers for all.
    pub(super) fn is_constant(&self) -> bool {
        self.values.iter().all(|(_, step)| *step == 0)
    }

    /// The argument of that place as numbers.
    pub(super) fn numbers(&self, place: usize) -> Result<Column<'_, Float64Array>> {
        self.column(place, |array| array.as_primitive_opt::<Float64Type>())
    }

    /// The argument of that place as whole numbers.
    pub(super) fn wholes(&self, place: usize) -> Result<Column<'_, Int64Array>> {
        self.column(place, |array| array.as_primitive_opt::<Int64Type>())
    }

    /// The argument of that place as text.
    pub(super) fn words(&self, place: usize) -> Result<Column<'_, StringViewArray>> {
        self.column(place, |array| array.as_string_view_opt())
    }

    /// The argument of that place as times.
    pub(super) fn times(&self, place: usize) -> Result<Column<'_, TimestampMicrosecondArray>> {
        self.column(place, |array| array.as_primitive_opt::<TimestampMicrosecondType>())
    }

    fn column<'a, A>(
        &'a self,
        place: usize,
        read: impl Fn(&'a dyn Array) -> Option<&'a A>,
    ) -> Result<Column<'a, A>> {
        let found = self.values.get(place);
        let found = found.and_then(|(array, step)| Some((read(array.as_ref())?, *step)));
        // The planner has made it so.
        let missing = || internal_datafusion_err!("argument {place} is not of the type asked for");
        let (array, step) = found.ok_or_else(missing)?;
        Ok(Column { array, step })
    }
}

/// One argument over all rows.
#[derive(Debug)]
pub(super) struct Column<'a, A> {
    array: &'a A,
    step: usize,
}

impl<'a, A> Column<'a, A>
where
    &'a A: ArrayAccessor,
{
    /// Its value in a row; `None` is null.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<<&'a A as ArrayAccessor>::Item> {
        let at = row * self.step;
        self.array.is_valid(at).then(|| self.array.value(at))
    }
}

/// A time as the whole number it is counted in; numbers in an order of their own that is theirs.
pub(super) fn ticks(times: &ArrayRef) -> Result<Int64Array> {
    Ok(match times.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => counted::<TimestampSecondType>(times)?,
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            counted::<TimestampMillisecondType>(times)?
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            counted::<TimestampMicrosecondType>(times)?
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => counted::<TimestampNanosecondType>(times)?,
        DataType::Float64 => times.as_primitive::<Float64Type>().unary(in_order),
        _ => counted::<Int64Type>(times)?,
    })
}

fn counted<T: ArrowPrimitiveType<Native = i64>>(times: &ArrayRef) -> Result<Int64Array> {
    let missing = || internal_datafusion_err!("times are {}", times.data_type());
    Ok(times.as_primitive_opt::<T>().ok_or_else(missing)?.reinterpret_cast())
}

/// Whole numbers in the order of `f64::total_cmp`.
fn in_order(number: f64) -> i64 {
    let bits = number.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}
