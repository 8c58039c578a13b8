//! `last_by` and `first_by`: the value that stands beside the greatest or the least time.
//!
//! Of each group the best time so far and the place of its value are kept; values stay in arrays
//! of their own type, of which only the winners' rows are taken out of each batch. What others
//! have beaten since is let go when it is most of what is held.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryViewArray, BooleanArray, Int64Array, StringViewArray,
    UInt32Array, new_null_array,
};
use datafusion::arrow::compute::{interleave, nullif, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::argument::ticks;
use super::{Described, time};

/// Rows that may be held beside those that are still the best.
const BEATEN_ROWS_MAX: usize = 16 * 1024;
/// Arrays that are held at most.
const PIECES_MAX: usize = 512;

/// Which of the rows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Which {
    Last,
    First,
}

/// `last_by` or `first_by`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct By {
    which: Which,
    signature: Signature,
}

impl By {
    /// For people.
    pub(super) const LAST: Described = Described {
        call: "last_by(value, time)",
        meaning: "the value of the row with the greatest time, null if it is null there; of rows \
                  of one time any",
    };
    /// For people.
    pub(super) const FIRST: Described = Described {
        call: "first_by(value, time)",
        meaning: "the value of the row with the least time, null if it is null there; of rows of \
                  one time any",
    };

    pub(super) fn new(which: Which) -> Self {
        Self { which, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn best(&self, args: &AccumulatorArgs<'_>) -> Best {
        Best::new(self.which, args.return_field.data_type().clone())
    }
}

impl AggregateUDFImpl for By {
    fn name(&self) -> &str {
        match self.which {
            Which::Last => "last_by",
            Which::First => "first_by",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [value, by] = given else {
            return plan_err!("`{}(value, time)` is given {} arguments", self.name(), given.len());
        };
        let by_as = match by {
            DataType::Timestamp(..) => by.clone(),
            by if by.is_integer() => DataType::Int64,
            by if by.is_numeric() => DataType::Float64,
            by if by.is_string() => {
                return plan_err!("`{}` is given {by}, expected a time or number", self.name());
            }
            by => match time::read_as(by) {
                Some(read) => read,
                None => {
                    return plan_err!("`{}` is given {by}, expected a time or number", self.name());
                }
            },
        };
        let value = if value.is_null() { DataType::Utf8View } else { value.clone() };
        Ok(vec![value, by_as])
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let Some(value) = given.first() else {
            return plan_err!("`{}` is given no value", self.name());
        };
        Ok(value.clone())
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let value = args.return_field.as_ref().clone();
        let value = value.with_name(format_state_name(args.name, "value")).with_nullable(true);
        let by = Field::new(format_state_name(args.name, "by"), DataType::Int64, true);
        Ok(vec![Arc::new(value), Arc::new(by)])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(self.best(&args))))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.best(&args)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Where a value is held: which piece, which row of it.
type Place = (u32, u32);
/// The only row of the first piece, a null: nothing was seen.
const NOWHERE: Place = (0, 0);

/// The best row of each group.
#[derive(Debug)]
struct Best {
    which: Which,
    kind: DataType,
    /// Such that the greatest is the best, whichever is asked for.
    by: Vec<i64>,
    places: Vec<Place>,
    pieces: Vec<ArrayRef>,
    /// Rows and bytes of the pieces.
    rows: usize,
    bytes: usize,
}

impl Best {
    fn new(which: Which, kind: DataType) -> Self {
        let pieces = vec![new_null_array(&kind, 1)];
        Self { which, kind, by: Vec::new(), places: Vec::new(), pieces, rows: 0, bytes: 0 }
    }

    /// What a time counts: the greatest wins.
    fn count(&self, times: &ArrayRef) -> Result<Int64Array> {
        let ticks = ticks(times)?;
        Ok(match self.which {
            Which::Last => ticks,
            Which::First => ticks.unary(|tick| !tick),
        })
    }

    fn see(
        &mut self,
        (values, by): (&ArrayRef, &Int64Array),
        filter: Option<&BooleanArray>,
        (groups, group): (usize, impl Fn(usize) -> usize),
    ) -> Result<()> {
        self.by.resize(groups, i64::MIN);
        self.places.resize(groups, NOWHERE);
        let piece = self.pieces.len() as u32;
        let mut won = Vec::new();
        let is_wanted = |row: usize| filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        for row in 0..by.len() {
            if by.is_null(row) || !is_wanted(row) {
                continue;
            }
            let (group, by) = (group(row), by.value(row));
            let place = &mut self.places[group];
            if *place == NOWHERE || by > self.by[group] {
                self.by[group] = by;
                if place.0 != piece {
                    won.push(group);
                }
                *place = (piece, row as u32);
            }
        }
        if won.is_empty() {
            return Ok(());
        }
        let rows: UInt32Array = won.iter().map(|group| Some(self.places[*group].1)).collect();
        for (row, group) in (0..).zip(won) {
            self.places[group].1 = row;
        }
        self.hold(take(values, &rows, None)?);
        if self.rows > 2 * self.places.len() + BEATEN_ROWS_MAX || self.pieces.len() > PIECES_MAX {
            self.let_go()?;
        }
        Ok(())
    }

    fn hold(&mut self, values: ArrayRef) {
        let values = without_the_rest(values);
        self.rows += values.len();
        self.bytes += values.get_array_memory_size();
        self.pieces.push(values);
    }

    /// The values of the first groups.
    fn values(&self, groups: usize) -> Result<ArrayRef> {
        let pieces: Vec<&dyn Array> = self.pieces.iter().map(AsRef::as_ref).collect();
        let place = |(piece, row): &Place| (*piece as usize, *row as usize);
        let places: Vec<_> = self.places.iter().take(groups).map(place).collect();
        Ok(interleave(&pieces, &places)?)
    }

    /// Holds what is still the best and nothing else.
    fn let_go(&mut self) -> Result<()> {
        let best = self.values(self.places.len())?;
        self.pieces.truncate(1);
        (self.rows, self.bytes) = (0, 0);
        for (row, place) in (0..).zip(&mut self.places) {
            if *place != NOWHERE {
                *place = (1, row);
            }
        }
        self.hold(best);
        Ok(())
    }

    /// The first groups' values and what they count; they are gone afterwards.
    fn emit(&mut self, emit_to: EmitTo) -> Result<(ArrayRef, Int64Array)> {
        let groups = match emit_to {
            EmitTo::All => self.places.len(),
            EmitTo::First(groups) => groups,
        };
        let values = self.values(groups)?;
        let places = emit_to.take_needed(&mut self.places);
        let by = emit_to.take_needed(&mut self.by).into_iter();
        let by = by.zip(places).map(|(by, place)| (place != NOWHERE).then_some(by)).collect();
        if self.places.is_empty() {
            self.pieces.truncate(1);
            (self.rows, self.bytes) = (0, 0);
        }
        Ok((values, by))
    }

    fn held_bytes(&self) -> usize {
        let each = size_of::<i64>() + size_of::<Place>();
        self.bytes + self.places.capacity() * each
    }
}

/// Views without the bytes that only rows let go have used.
fn without_the_rest(values: ArrayRef) -> ArrayRef {
    let any = values.as_any();
    if let Some(text) = any.downcast_ref::<StringViewArray>() {
        Arc::new(text.gc())
    } else if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
        Arc::new(bytes.gc())
    } else {
        values
    }
}

fn two(arrays: &[ArrayRef]) -> Result<(&ArrayRef, &ArrayRef)> {
    match arrays {
        [value, by] => Ok((value, by)),
        other => Err(internal_datafusion_err!("{} columns of a value and its time", other.len())),
    }
}

impl GroupsAccumulator for Best {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let (values, times) = two(values)?;
        let by = self.count(times)?;
        self.see((values, &by), filter, (total, |row| groups[row]))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.emit(emit_to)?.0)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (values, by) = self.emit(emit_to)?;
        Ok(vec![values, Arc::new(by)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        let (values, by) = two(states)?;
        self.see((values, by.as_primitive::<Int64Type>()), None, (total, |row| groups[row]))
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let (values, times) = two(values)?;
        let by: ArrayRef = Arc::new(self.count(times)?);
        let by = match filter {
            Some(filter) => {
                let unwanted = filter.iter().map(|wanted| Some(wanted != Some(true)));
                nullif(&by, &unwanted.collect())?
            }
            None => by,
        };
        Ok(vec![Arc::clone(values), by])
    }

    fn size(&self) -> usize {
        self.held_bytes()
    }
}

/// One group.
#[derive(Debug)]
struct One(Best);

impl One {
    fn value(&self) -> Result<ScalarValue> {
        if self.0.places.is_empty() {
            return ScalarValue::try_from(&self.0.kind);
        }
        ScalarValue::try_from_array(&self.0.values(1)?, 0)
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (values, times) = two(values)?;
        let by = self.0.count(times)?;
        self.0.see((values, &by), None, (1, |_| 0))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.value()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.held_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let seen = self.0.places.first().is_some_and(|place| *place != NOWHERE);
        let by = self.0.by.first().copied().filter(|_| seen);
        Ok(vec![self.value()?, ScalarValue::Int64(by)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (values, by) = two(states)?;
        self.0.see((values, by.as_primitive::<Int64Type>()), None, (1, |_| 0))
    }
}
