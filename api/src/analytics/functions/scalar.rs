//! Functions of one value a row, described by a table.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::argument::{Arguments, Kind};

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Number,
    Whole,
    Text,
    Flag,
    Texts,
    /// A timestamp without zone.
    LocalTime,
}

impl Gives {
    fn data_type(self) -> DataType {
        match self {
            Self::Number => DataType::Float64,
            Self::Whole => DataType::Int64,
            Self::Text => DataType::Utf8View,
            Self::Flag => DataType::Boolean,
            Self::LocalTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Texts => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)))
            }
        }
    }
}

/// A function.
#[derive(Debug)]
pub(super) struct About {
    pub(super) name: &'static str,
    /// How it is called, for people.
    pub(super) call: &'static str,
    pub(super) meaning: &'static str,
    pub(super) takes: &'static [Kind],
    /// How many of the last arguments may be left out.
    pub(super) optional: usize,
    pub(super) gives: Gives,
    pub(super) work: fn(&Arguments) -> Result<ArrayRef>,
}

/// It, as the query engine calls it.
#[derive(Debug)]
pub(super) struct Scalar {
    about: &'static About,
    signature: Signature,
}

impl Scalar {
    pub(super) fn new(about: &'static About) -> Self {
        Self { about, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.about.name == other.about.name
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.about.name.hash(state);
    }
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        self.about.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let About { call, takes, optional, .. } = self.about;
        if given.len() > takes.len() || given.len() + optional < takes.len() {
            return plan_err!("`{call}` is given {} arguments", given.len());
        }
        let read = |(place, (kind, given)): (usize, (&Kind, &DataType))| {
            let Some(read) = kind.read_as(given) else {
                let expected = kind.words();
                return plan_err!(
                    "argument {} of `{call}` is {given}, expected {expected}",
                    place + 1
                );
            };
            Ok(read)
        };
        takes.iter().zip(given).enumerate().map(read).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.about.gives.data_type())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::new(&args.args, args.number_rows)?;
        let answer = (self.about.work)(&arguments)?;
        if arguments.is_constant() {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?));
        }
        Ok(ColumnarValue::Array(answer))
    }
}
