//! `trajectory` and `trajectory_length_m`: fixes in order of time as one line.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, Float64Array, LargeBinaryArray,
    LargeBinaryBuilder, StringViewBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err, internal_datafusion_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::argument::{Kind, ticks};
use super::shape::{POINTS_MAX, Shape, line_length_m};
use super::sphere::Place;
use super::{Described, time};

/// Bytes of a point in a state: time, latitude, longitude.
const POINT: usize = 24;
/// Bytes that a point becomes as text, for which nobody accounts when the time comes.
const POINT_TEXT: usize = 40;

/// What is made of the points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Made {
    Line,
    Length,
}

/// `trajectory` or `trajectory_length_m`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Trajectory {
    made: Made,
    signature: Signature,
}

impl Trajectory {
    /// For people.
    pub(super) const LINE: Described = Described {
        call: "trajectory(lat, lng, time)",
        meaning: "the places in order of time as a WKT LINESTRING; a single one stands twice",
    };
    /// For people.
    pub(super) const LENGTH: Described = Described {
        call: "trajectory_length_m(lat, lng, time)",
        meaning: "metres along the places in order of time",
    };

    pub(super) fn new(made: Made) -> Self {
        Self { made, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Trajectory {
    fn name(&self) -> &str {
        match self.made {
            Made::Line => "trajectory",
            Made::Length => "trajectory_length_m",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [lat, lng, at] = given else {
            return plan_err!("`{}(lat, lng, time)` is given {}", self.name(), given.len());
        };
        let (lat, lng) = (Kind::Number.read_as(lat), Kind::Number.read_as(lng));
        let (Some(lat), Some(lng), Some(at)) = (lat, lng, time::read_as(at)) else {
            let name = self.name();
            return plan_err!("`{name}` is given {given:?}, expected two numbers and a time");
        };
        Ok(vec![lat, lng, at])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.made {
            Made::Line => DataType::Utf8View,
            Made::Length => DataType::Float64,
        })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "points");
        Ok(vec![Arc::new(Field::new(name, DataType::LargeBinary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(Lines::new(self.made))))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Lines::new(self.made)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// A place at a time, microseconds.
#[derive(Debug, Clone, Copy)]
struct Point {
    time: i64,
    place: Place,
}

impl Point {
    fn to_bytes(self) -> [u8; POINT] {
        let mut bytes = [0; POINT];
        let words =
            [self.time.to_le_bytes(), self.place.lat.to_le_bytes(), self.place.lng.to_le_bytes()];
        for (into, word) in bytes.chunks_exact_mut(8).zip(words) {
            into.copy_from_slice(&word);
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk()?;
        let (lat, rest) = rest.split_first_chunk()?;
        let place =
            Place { lng: f64::from_le_bytes(*rest.first_chunk()?), lat: f64::from_le_bytes(*lat) };
        Some(Self { time: i64::from_le_bytes(*time), place })
    }
}

/// The points of each group.
#[derive(Debug)]
struct Lines {
    made: Made,
    of_group: Vec<Vec<Point>>,
    /// How many there are in all.
    points: usize,
}

impl Lines {
    fn new(made: Made) -> Self {
        Self { made, of_group: Vec::new(), points: 0 }
    }

    fn push(&mut self, group: usize, point: Point) -> Result<()> {
        let line = &mut self.of_group[group];
        if line.len() >= POINTS_MAX {
            return exec_err!("a trajectory has more than {POINTS_MAX} points, ask for less time");
        }
        line.push(point);
        self.points += 1;
        Ok(())
    }

    fn see(
        &mut self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
        (groups, group): (usize, impl Fn(usize) -> usize),
    ) -> Result<()> {
        self.of_group.resize(groups, Vec::new());
        let points = Points::read(values)?;
        let is_wanted = |row: usize| filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        for row in (0..points.len()).filter(|row| is_wanted(*row)) {
            if let Some(point) = points.get(row)? {
                self.push(group(row), point)?;
            }
        }
        Ok(())
    }

    fn see_states(
        &mut self,
        states: &[ArrayRef],
        (groups, group): (usize, impl Fn(usize) -> usize),
    ) -> Result<()> {
        self.of_group.resize(groups, Vec::new());
        let states = states.first().and_then(|states| states.as_binary_opt::<i64>());
        let missing = || internal_datafusion_err!("the points of a trajectory are missing");
        for (row, points) in states.ok_or_else(missing)?.iter().enumerate() {
            for point in points.unwrap_or_default().chunks_exact(POINT) {
                if let Some(point) = Point::from_bytes(point) {
                    self.push(group(row), point)?;
                }
            }
        }
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> Vec<Vec<Point>> {
        let lines = emit_to.take_needed(&mut self.of_group);
        self.points = self.points.saturating_sub(lines.iter().map(Vec::len).sum());
        lines
    }

    fn held_bytes(&self) -> usize {
        // A vector holds up to twice of what was pushed.
        self.points * (2 * POINT + POINT_TEXT) + self.of_group.capacity() * size_of::<Vec<Point>>()
    }
}

/// Points in order of time, and so that equal times make no difference between two runs.
fn in_order(mut line: Vec<Point>) -> Vec<Place> {
    line.sort_unstable_by(|a, b| {
        let lat = || a.place.lat.total_cmp(&b.place.lat);
        a.time.cmp(&b.time).then_with(lat).then_with(|| a.place.lng.total_cmp(&b.place.lng))
    });
    line.into_iter().map(|point| point.place).collect()
}

fn line_text(line: Vec<Point>) -> Option<String> {
    let mut places = in_order(line);
    if let [only] = places.as_slice() {
        places.push(*only);
    }
    (!places.is_empty()).then(|| Shape::Line(places).to_string())
}

fn line_metres(line: Vec<Point>) -> Option<f64> {
    let places = in_order(line);
    (!places.is_empty()).then(|| line_length_m(&places))
}

fn state_of<'a>(lines: impl Iterator<Item = &'a [Point]>) -> LargeBinaryArray {
    let mut states = LargeBinaryBuilder::new();
    for line in lines {
        let bytes: Vec<u8> = line.iter().flat_map(|point| point.to_bytes()).collect();
        states.append_value(bytes);
    }
    states.finish()
}

/// Rows of latitude, longitude and time.
struct Points<'a> {
    lat: &'a Float64Array,
    lng: &'a Float64Array,
    times: datafusion::arrow::array::Int64Array,
}

impl<'a> Points<'a> {
    fn read(values: &'a [ArrayRef]) -> Result<Self> {
        let [lat, lng, times] = values else {
            return Err(internal_datafusion_err!("{} columns of a trajectory", values.len()));
        };
        let (lat, lng) = (lat.as_primitive::<Float64Type>(), lng.as_primitive::<Float64Type>());
        Ok(Self { lat, lng, times: ticks(times)? })
    }

    fn len(&self) -> usize {
        self.times.len()
    }

    /// `None` where anything of it is null.
    fn get(&self, row: usize) -> Result<Option<Point>> {
        if self.lat.is_null(row) || self.lng.is_null(row) || self.times.is_null(row) {
            return Ok(None);
        }
        let place = Place::new(self.lat.value(row), self.lng.value(row))?;
        Ok(Some(Point { time: self.times.value(row), place }))
    }
}

impl GroupsAccumulator for Lines {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.see(values, filter, (total, |row| groups[row]))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let made = self.made;
        let lines = self.emit(emit_to).into_iter();
        Ok(match made {
            Made::Line => {
                let mut texts = StringViewBuilder::with_capacity(lines.len());
                for line in lines {
                    texts.append_option(line_text(line));
                }
                Arc::new(texts.finish())
            }
            Made::Length => Arc::new(lines.map(line_metres).collect::<Float64Array>()),
        })
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let lines = self.emit(emit_to);
        Ok(vec![Arc::new(state_of(lines.iter().map(Vec::as_slice)))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.see_states(states, (total, |row| groups[row]))
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let points = Points::read(values)?;
        let is_wanted = |row: usize| filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        let mut states = LargeBinaryBuilder::new();
        for row in 0..points.len() {
            let point = if is_wanted(row) { points.get(row)? } else { None };
            states.append_option(point.map(Point::to_bytes));
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn size(&self) -> usize {
        self.held_bytes()
    }
}

/// One group.
#[derive(Debug)]
struct One(Lines);

impl One {
    fn points(&self) -> Vec<Point> {
        self.0.of_group.first().cloned().unwrap_or_default()
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.see(values, None, (1, |_| 0))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(match self.0.made {
            Made::Line => ScalarValue::Utf8View(line_text(self.points())),
            Made::Length => ScalarValue::Float64(line_metres(self.points())),
        })
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.held_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let states = state_of(std::iter::once(self.points().as_slice()));
        Ok(vec![ScalarValue::try_from_array(&states, 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.see_states(states, (1, |_| 0))
    }
}
