//! Hexagons of the earth: Uber's H3, by h3o.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, StringViewBuilder,
};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use h3o::error::LocalIjError;
use h3o::{CellIndex, LatLng, Resolution};

use super::argument::{Arguments, Kind};
use super::scalar::{About, Gives};
use super::shape::short;
use super::sphere::Place;

/// Largest disk, in steps from its middle: 30,301 cells.
const DISK_K_MAX: i64 = 100;
/// Cells that `h3_disk` makes of one batch of rows: 32 MiB of text.
const DISK_CELLS_MAX: usize = 1 << 20;

use Kind::{Number, Text, Whole};

/// What there is.
pub(super) const CELLS: [About; 7] = [
    About {
        name: "h3_cell",
        call: "h3_cell(lat, lng, resolution)",
        meaning: "the H3 cell that holds a place, as text; resolution 0 to 15",
        takes: &[Number, Number, Whole],
        optional: 0,
        gives: Gives::Text,
        work: cell,
    },
    About {
        name: "h3_parent",
        call: "h3_parent(cell, resolution)",
        meaning: "the cell of a coarser resolution that holds a cell's middle",
        takes: &[Text, Whole],
        optional: 0,
        gives: Gives::Text,
        work: parent,
    },
    About {
        name: "h3_distance",
        call: "h3_distance(a, b)",
        meaning: "steps between two cells of one resolution; null where H3 cannot tell",
        takes: &[Text, Text],
        optional: 0,
        gives: Gives::Whole,
        work: distance,
    },
    About {
        name: "h3_disk",
        call: "h3_disk(cell, k)",
        meaning: "the cells at most k steps away, as a list; k 0 to 100",
        takes: &[Text, Whole],
        optional: 0,
        gives: Gives::Texts,
        work: disk,
    },
    About {
        name: "h3_boundary",
        call: "h3_boundary(cell)",
        meaning: "a cell's outline as a WKT POLYGON",
        takes: &[Text],
        optional: 0,
        gives: Gives::Text,
        work: boundary,
    },
    About {
        name: "h3_lat",
        call: "h3_lat(cell)",
        meaning: "latitude of a cell's middle, degrees",
        takes: &[Text],
        optional: 0,
        gives: Gives::Number,
        work: |arguments| middle(arguments, LatLng::lat),
    },
    About {
        name: "h3_lng",
        call: "h3_lng(cell)",
        meaning: "longitude of a cell's middle, degrees",
        takes: &[Text],
        optional: 0,
        gives: Gives::Number,
        work: |arguments| middle(arguments, LatLng::lng),
    },
];

fn read(word: &str) -> Result<CellIndex> {
    let expected = || {
        let word = short(word);
        exec_datafusion_err!("cell is `{word}`, expected an H3 cell such as `89392206e77ffff`")
    };
    word.parse().map_err(|_bad| expected())
}

fn resolution(number: i64) -> Result<Resolution> {
    let found = u8::try_from(number).ok().and_then(|number| Resolution::try_from(number).ok());
    found.ok_or_else(|| exec_datafusion_err!("resolution is `{number}`, expected 0 to 15"))
}

/// Appends cells as text, without a string for each.
#[derive(Default)]
struct Hex(String);

impl Hex {
    fn of(&mut self, cell: CellIndex) -> &str {
        self.0.clear();
        let index = u64::from(cell);
        // Fifteen digits: the first bits of an index are zeros, the next are its mode.
        for digit in (0..15).rev() {
            let digit = (index >> (4 * digit)) as usize & 15;
            self.0.extend(char::from_digit(digit as u32, 16));
        }
        &self.0
    }
}

fn cell(arguments: &Arguments) -> Result<ArrayRef> {
    let (lat, lng) = (arguments.numbers(0)?, arguments.numbers(1)?);
    let resolutions = arguments.wholes(2)?;
    let (mut cells, mut hex) = (StringViewBuilder::with_capacity(arguments.rows()), Hex::default());
    for row in 0..arguments.rows() {
        let (Some(lat), Some(lng), Some(number)) =
            (lat.get(row), lng.get(row), resolutions.get(row))
        else {
            cells.append_null();
            continue;
        };
        let place = Place::new(lat, lng)?;
        let place = LatLng::new(place.lat, place.lng)
            .map_err(|error| exec_datafusion_err!("place is `{lat}, {lng}`: {error}"))?;
        cells.append_value(hex.of(place.to_cell(resolution(number)?)));
    }
    Ok(Arc::new(cells.finish()))
}

fn parent(arguments: &Arguments) -> Result<ArrayRef> {
    let (words, resolutions) = (arguments.words(0)?, arguments.wholes(1)?);
    let (mut cells, mut hex) = (StringViewBuilder::with_capacity(arguments.rows()), Hex::default());
    for row in 0..arguments.rows() {
        let (Some(word), Some(number)) = (words.get(row), resolutions.get(row)) else {
            cells.append_null();
            continue;
        };
        let cell = read(word)?;
        let Some(parent) = cell.parent(resolution(number)?) else {
            let own = u8::from(cell.resolution());
            return exec_err!("resolution is `{number}`, expected at most the cell's own, {own}");
        };
        cells.append_value(hex.of(parent));
    }
    Ok(Arc::new(cells.finish()))
}

fn distance(arguments: &Arguments) -> Result<ArrayRef> {
    let (from, to) = (arguments.words(0)?, arguments.words(1)?);
    let steps = |row: usize| -> Result<Option<i64>> {
        let (Some(from), Some(to)) = (from.get(row), to.get(row)) else { return Ok(None) };
        match read(from)?.grid_distance(read(to)?) {
            Ok(steps) => Ok(Some(steps.into())),
            Err(LocalIjError::ResolutionMismatch) => {
                exec_err!("cells are `{from}` and `{to}`, expected two of one resolution")
            }
            // Too far apart, or a pentagon between them.
            Err(_) => Ok(None),
        }
    };
    let steps: Int64Array = (0..arguments.rows()).map(steps).collect::<Result<_>>()?;
    Ok(Arc::new(steps))
}

fn disk(arguments: &Arguments) -> Result<ArrayRef> {
    let (words, radii) = (arguments.words(0)?, arguments.wholes(1)?);
    let (mut cells, mut hex) = (ListBuilder::new(StringViewBuilder::new()), Hex::default());
    let mut made = 0;
    for row in 0..arguments.rows() {
        let (Some(word), Some(k)) = (words.get(row), radii.get(row)) else {
            cells.append_null();
            continue;
        };
        if !(0..=DISK_K_MAX).contains(&k) {
            return exec_err!("k is `{k}`, expected 0 to {DISK_K_MAX}");
        }
        made += (3 * k * (k + 1) + 1) as usize;
        if made > DISK_CELLS_MAX {
            let rows = arguments.rows();
            return exec_err!(
                "k is `{k}`: more than {DISK_CELLS_MAX} cells for {rows} rows, expected a smaller \
                 k or fewer rows"
            );
        }
        for cell in read(word)?.grid_disk::<Vec<_>>(k as u32) {
            cells.values().append_value(hex.of(cell));
        }
        cells.append(true);
    }
    Ok(Arc::new(cells.finish()))
}

fn boundary(arguments: &Arguments) -> Result<ArrayRef> {
    let words = arguments.words(0)?;
    let mut outlines = StringViewBuilder::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let Some(word) = words.get(row) else {
            outlines.append_null();
            continue;
        };
        let corners = read(word)?.boundary();
        let place = |corner: &LatLng| Place { lng: corner.lng(), lat: corner.lat() };
        let mut ring: Vec<Place> = corners.iter().map(place).collect();
        ring.extend(ring.first().copied());
        outlines.append_value(super::shape::Shape::Polygon(vec![ring]).to_string());
    }
    Ok(Arc::new(outlines.finish()))
}

fn middle(arguments: &Arguments, of: fn(LatLng) -> f64) -> Result<ArrayRef> {
    let words = arguments.words(0)?;
    let degrees = |row: usize| -> Result<Option<f64>> {
        words.get(row).map(|word| read(word).map(|cell| of(LatLng::from(cell)))).transpose()
    };
    let degrees: Float64Array = (0..arguments.rows()).map(degrees).collect::<Result<_>>()?;
    Ok(Arc::new(degrees))
}
