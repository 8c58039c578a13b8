//! Distances, directions and shapes.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, StringViewBuilder};
use datafusion::common::{Result, exec_err};

use super::argument::{Arguments, Kind};
use super::scalar::{About, Gives};
use super::shape::{Shape, short};
use super::sphere::Place;

use Kind::{Number, Text};

/// What there is.
pub(super) const GEOMETRY: [About; 5] = [
    About {
        name: "distance_m",
        call: "distance_m(lat1, lng1, lat2, lng2)",
        meaning: "metres between two places along a great circle, at most 0.56 % wrong",
        takes: &[Number, Number, Number, Number],
        optional: 0,
        gives: Gives::Number,
        work: |arguments| two_places(arguments, Place::distance_m),
    },
    About {
        name: "bearing",
        call: "bearing(lat1, lng1, lat2, lng2)",
        meaning: "direction from the first place to the second, degrees clockwise from true north",
        takes: &[Number, Number, Number, Number],
        optional: 0,
        gives: Gives::Number,
        work: |arguments| two_places(arguments, Place::bearing),
    },
    About {
        name: "within",
        call: "within(lat, lng, polygon)",
        meaning: "whether a place lies in a POLYGON or MULTIPOLYGON in WKT, holes left out",
        takes: &[Number, Number, Text],
        optional: 0,
        gives: Gives::Flag,
        work: within,
    },
    About {
        name: "length_m",
        call: "length_m(shape)",
        meaning: "metres of a LINESTRING in WKT, or of the rings of a POLYGON",
        takes: &[Text],
        optional: 0,
        gives: Gives::Number,
        work: length_m,
    },
    About {
        name: "simplify",
        call: "simplify(shape, tolerance_m)",
        meaning: "a shape in WKT with fewer points, none left out farther away than tolerance_m",
        takes: &[Text, Number],
        optional: 0,
        gives: Gives::Text,
        work: simplify,
    },
];

/// The shape that was read last: mostly all rows ask about one.
#[derive(Default)]
struct Last(Option<(String, Shape)>);

impl Last {
    fn read(&mut self, text: &str) -> Result<&Shape> {
        if self.0.as_ref().is_none_or(|(known, _)| known != text) {
            self.0 = None;
        }
        let known = match self.0.take() {
            Some(known) => known,
            None => (text.to_owned(), Shape::read(text)?),
        };
        Ok(&self.0.insert(known).1)
    }
}

fn two_places(arguments: &Arguments, of: fn(Place, Place) -> f64) -> Result<ArrayRef> {
    let (lat, lng) = (arguments.numbers(0)?, arguments.numbers(1)?);
    let (to_lat, to_lng) = (arguments.numbers(2)?, arguments.numbers(3)?);
    let value = |row: usize| -> Result<Option<f64>> {
        let (Some(lat), Some(lng)) = (lat.get(row), lng.get(row)) else { return Ok(None) };
        let (Some(to_lat), Some(to_lng)) = (to_lat.get(row), to_lng.get(row)) else {
            return Ok(None);
        };
        Ok(Some(of(Place::new(lat, lng)?, Place::new(to_lat, to_lng)?)))
    };
    let values: Float64Array = (0..arguments.rows()).map(value).collect::<Result<_>>()?;
    Ok(Arc::new(values))
}

fn within(arguments: &Arguments) -> Result<ArrayRef> {
    let (lat, lng, shapes) = (arguments.numbers(0)?, arguments.numbers(1)?, arguments.words(2)?);
    let mut last = Last::default();
    let mut is_in = |row: usize| -> Result<Option<bool>> {
        let (Some(lat), Some(lng), Some(text)) = (lat.get(row), lng.get(row), shapes.get(row))
        else {
            return Ok(None);
        };
        match last.read(text)? {
            Shape::Point(_) | Shape::Line(_) => {
                exec_err!("shape is `{}`, expected a POLYGON or MULTIPOLYGON", short(text))
            }
            area => Ok(Some(area.contains(Place::new(lat, lng)?))),
        }
    };
    let flags: BooleanArray = (0..arguments.rows()).map(&mut is_in).collect::<Result<_>>()?;
    Ok(Arc::new(flags))
}

fn length_m(arguments: &Arguments) -> Result<ArrayRef> {
    let shapes = arguments.words(0)?;
    let metres =
        |row: usize| shapes.get(row).map(|text| Shape::read(text).map(|shape| shape.length_m()));
    let metres: Float64Array =
        (0..arguments.rows()).map(|row| metres(row).transpose()).collect::<Result<_>>()?;
    Ok(Arc::new(metres))
}

fn simplify(arguments: &Arguments) -> Result<ArrayRef> {
    let (shapes, tolerances) = (arguments.words(0)?, arguments.numbers(1)?);
    let mut simple = StringViewBuilder::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let (Some(text), Some(tolerance)) = (shapes.get(row), tolerances.get(row)) else {
            simple.append_null();
            continue;
        };
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            return exec_err!("tolerance is `{tolerance}`, expected metres, at least 0");
        }
        simple.append_value(Shape::read(text)?.simplified(tolerance).to_string());
    }
    Ok(Arc::new(simple.finish()))
}
