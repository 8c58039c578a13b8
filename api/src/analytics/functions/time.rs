//! `time_bucket`: times brought down to the beginning of their interval.

use std::sync::Arc;

use chrono::{DateTime, Datelike as _, Months};
use datafusion::arrow::array::{
    Array as _, AsArray as _, IntervalMonthDayNanoArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::Described;

/// For people.
pub(super) const ABOUT: Described = Described {
    call: "time_bucket(interval, time, origin)",
    meaning: "the beginning of the interval that holds a time; intervals are counted from origin, \
              unless said from Monday 2000-01-03, months from 2000-01-01",
};

/// 2000-01-03, a Monday, so that weeks begin with one; microseconds.
const MONDAY: i64 = 946_857_600_000_000;
/// 2000-01-01, microseconds.
const NEW_YEAR: i64 = 946_684_800_000_000;
const DAY: i64 = 86_400_000_000;

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Micros(i64),
    Months(i64),
}

impl Width {
    fn read(interval: IntervalMonthDayNano) -> Result<Self> {
        let IntervalMonthDayNano { months, days, nanoseconds } = interval;
        if months > 0 && days == 0 && nanoseconds == 0 {
            return Ok(Self::Months(months.into()));
        }
        let micros = i64::from(days).checked_mul(DAY);
        let micros = micros.and_then(|micros| micros.checked_add(nanoseconds / 1_000));
        match micros {
            Some(micros) if months == 0 && micros > 0 && nanoseconds % 1_000 == 0 => {
                Ok(Self::Micros(micros))
            }
            _ => exec_err!(
                "interval is {months} months, {days} days and {nanoseconds} ns, expected either \
                 whole months or whole microseconds, more than none"
            ),
        }
    }

    const fn origin(self) -> i64 {
        match self {
            Self::Micros(_) => MONDAY,
            Self::Months(_) => NEW_YEAR,
        }
    }

    /// Beginning and end of the bucket that holds a time; `None` past the end of the calendar.
    fn bucket(self, origin: i64, time: i64) -> Option<(i64, i64)> {
        match self {
            Self::Micros(width) => {
                let into = time.checked_sub(origin)?.rem_euclid(width);
                let begin = time.checked_sub(into)?;
                Some((begin, begin.checked_add(width)?))
            }
            Self::Months(width) => {
                let count = |micros: i64| {
                    let date = DateTime::from_timestamp_micros(micros)?;
                    Some(i64::from(date.year()) * 12 + i64::from(date.month0()))
                };
                let after = |months: i64| {
                    let origin = DateTime::from_timestamp_micros(origin)?;
                    let step = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
                    let moved = if months < 0 {
                        origin.checked_sub_months(step)
                    } else {
                        origin.checked_add_months(step)
                    };
                    Some(moved?.timestamp_micros())
                };
                let whole = (count(time)? - count(origin)?).div_euclid(width) * width;
                // An origin within a month: that month's bucket begins later than the time.
                let whole = if after(whole)? > time { whole - width } else { whole };
                Some((after(whole)?, after(whole + width)?))
            }
        }
    }
}

/// `time_bucket`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeBucket {
    signature: Signature,
}

impl TimeBucket {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// A time as it is read: microseconds, in its own zone.
pub(super) fn read_as(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Timestamp(_, zone) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        DataType::Date32 | DataType::Date64 => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, None))
        }
        given if given.is_null() || given.is_string() => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
        }
        _ => None,
    }
}

const SPAN: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &'static str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (span, time, origin) = match given {
            [span, time] => (span, time, None),
            [span, time, origin] => (span, time, Some(origin)),
            _ => return plan_err!("`{}` is given {} arguments", ABOUT.call, given.len()),
        };
        let is_span = matches!(span, DataType::Interval(_)) || span.is_string() || span.is_null();
        let origin = origin.map_or(Some(None), |origin| read_as(origin).map(Some));
        let (true, Some(time), Some(origin)) = (is_span, read_as(time), origin) else {
            return plan_err!("`{}` is given {given:?}", ABOUT.call);
        };
        // One zone for both: what is answered is in the time's.
        let origin = origin.map(|_| time.clone());
        Ok([SPAN, time].into_iter().chain(origin).collect())
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let Some(time) = given.get(1) else {
            return plan_err!("`{}` is given no time", ABOUT.call);
        };
        Ok(time.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| {
            let is_scalar = matches!(arg, ColumnarValue::Scalar(_));
            Ok((arg.to_array(if is_scalar { 1 } else { rows })?, usize::from(!is_scalar)))
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let (Some(spans), Some(times)) = (arrays.first(), arrays.get(1)) else {
            return exec_err!("`{}` is given no time", ABOUT.call);
        };
        let spans = (spans.0.as_primitive::<IntervalMonthDayNanoType>(), spans.1);
        let times = (times.0.as_primitive::<TimestampMicrosecondType>(), times.1);
        let origins = arrays.get(2);
        let origins =
            origins.map(|(a, step)| (a.as_primitive::<TimestampMicrosecondType>(), *step));
        let buckets = buckets(rows, spans, times, origins)?;
        let zone = match args.return_field.data_type() {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let buckets = buckets.with_timezone_opt(zone);
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&buckets, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(buckets)))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        let is_constant =
            |input: &ExprProperties| input.sort_properties == SortProperties::Singleton;
        match inputs {
            [span, time, origin @ ..] if is_constant(span) && origin.iter().all(is_constant) => {
                Ok(time.sort_properties)
            }
            _ => Ok(SortProperties::Unordered),
        }
    }

    /// What is asked of a bucket is asked of its times, so that files can be left out.
    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        _: &SimplifyContext,
    ) -> Result<PreimageResult> {
        let [Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(span)), _), time] = args else {
            return Ok(PreimageResult::None);
        };
        let Expr::Literal(ScalarValue::TimestampMicrosecond(Some(asked), zone), _) = literal else {
            return Ok(PreimageResult::None);
        };
        let width = Width::read(*span)?;
        match width.bucket(width.origin(), *asked) {
            Some((begin, end)) if begin == *asked => {
                let bound = |at| ScalarValue::TimestampMicrosecond(Some(at), zone.clone());
                let interval = Box::new(Interval::try_new(bound(begin), bound(end))?);
                Ok(PreimageResult::Range { expr: time.clone(), interval })
            }
            _ => Ok(PreimageResult::None),
        }
    }
}

type Steps<'a, A> = (&'a A, usize);

fn buckets(
    rows: usize,
    spans: Steps<'_, IntervalMonthDayNanoArray>,
    times: Steps<'_, TimestampMicrosecondArray>,
    origins: Option<Steps<'_, TimestampMicrosecondArray>>,
) -> Result<TimestampMicrosecondArray> {
    // Neighbours mostly share a bucket: as long as they do nothing is divided.
    let mut last: Option<(IntervalMonthDayNano, Option<i64>, (i64, i64))> = None;
    let bucket = |row: usize| -> Result<Option<i64>> {
        let (span_at, time_at) = (row * spans.1, row * times.1);
        if spans.0.is_null(span_at) || times.0.is_null(time_at) {
            return Ok(None);
        }
        let (span, time) = (spans.0.value(span_at), times.0.value(time_at));
        let origin = match origins {
            Some((origins, step)) if origins.is_null(row * step) => return Ok(None),
            Some((origins, step)) => Some(origins.value(row * step)),
            None => None,
        };
        if let Some((known, known_origin, (begin, end))) = last
            && (begin..end).contains(&time)
            && (known, known_origin) == (span, origin)
        {
            return Ok(Some(begin));
        }
        let width = Width::read(span)?;
        let found = width.bucket(origin.unwrap_or(width.origin()), time);
        let found =
            found.ok_or_else(|| exec_datafusion_err!("time is `{time}` µs: too far off"))?;
        last = Some((span, origin, found));
        Ok(Some(found.0))
    };
    (0..rows).map(bucket).collect()
}
