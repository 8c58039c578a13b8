//! Rows as a workbook (Office Open XML, ECMA-376): one sheet, a header, numbers and times as such.
//!
//! Only what a table needs is written, cells with their text in place, in a zip archive of five
//! small files. Every spreadsheet program reads that.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
};
use datafusion::arrow::util::display::array_value_to_string;

use super::super::QueryError;
use super::is_formula;

mod zip;

#[cfg(test)]
mod tests;

/// Media type of a workbook.
pub(super) const MEDIA_TYPE: &str =
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Rows of a workbook: it is made in memory as a whole. What is longer is for CSV or Parquet.
const ROWS_MAX: usize = 50_000;
/// Bytes of its sheet before they are compressed.
const SHEET_MAX: usize = 32 << 20;
/// Characters of a cell, as Excel has it; what is longer is cut off.
const CELL_MAX: usize = 32_767;
/// Days from 1899-12-30, from which Excel counts, to 1970-01-01.
const EPOCH_DAYS: f64 = 25_569.0;
const DAY_S: f64 = 86_400.0;

/// The files around the sheet: what there is, and how headers, times and dates look.
const AROUND: [(&str, &str); 5] = [
    ("[Content_Types].xml", include_str!("xlsx/content_types.xml")),
    ("_rels/.rels", include_str!("xlsx/rels.xml")),
    ("xl/workbook.xml", include_str!("xlsx/workbook.xml")),
    ("xl/_rels/workbook.xml.rels", include_str!("xlsx/workbook_rels.xml")),
    ("xl/styles.xml", include_str!("xlsx/styles.xml")),
];
/// What stands before the header.
const BEFORE: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n",
    "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">",
    "<sheetViews><sheetView workbookViewId=\"0\"><pane ySplit=\"1\" topLeftCell=\"A2\" ",
    "activePane=\"bottomLeft\" state=\"frozen\"/></sheetView></sheetViews>",
    "<sheetFormatPr defaultRowHeight=\"15\" defaultColWidth=\"20\"/><sheetData><row>"
);
const BOLD: u8 = 1;
const TIME: u8 = 2;
const DATE: u8 = 3;

/// A workbook that is being written.
pub(super) struct Workbook {
    sheet: String,
    rows: usize,
}

impl Workbook {
    pub(super) fn new(schema: &Schema) -> Self {
        let mut sheet = String::from(BEFORE);
        for field in schema.fields() {
            text(&mut sheet, field.name(), Some(BOLD));
        }
        sheet.push_str("</row>");
        Self { sheet, rows: 0 }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        self.rows += batch.num_rows();
        let columns: Vec<ArrayRef> = batch.columns().iter().map(plain).collect();
        for row in 0..batch.num_rows() {
            if self.rows > ROWS_MAX || self.sheet.len() > SHEET_MAX {
                return Err(QueryError::TooMuch(format!(
                    "a workbook holds at most {ROWS_MAX} rows and {} MiB of text, \
                     ask for fewer or for csv",
                    SHEET_MAX >> 20
                )));
            }
            self.sheet.push_str("<row>");
            for column in &columns {
                cell(&mut self.sheet, column, row);
            }
            self.sheet.push_str("</row>");
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, QueryError> {
        self.sheet.push_str("</sheetData></worksheet>");
        let mut archive = zip::Archive::default();
        for (path, text) in AROUND {
            archive.add(path, text.as_bytes())?;
        }
        archive.add("xl/worksheets/sheet1.xml", self.sheet.as_bytes())?;
        Ok(archive.finish())
    }
}

fn cell(out: &mut String, column: &ArrayRef, row: usize) {
    if column.is_null(row) {
        out.push_str("<c/>");
        return;
    }
    match column.data_type() {
        DataType::Float64 => number(out, column.as_primitive::<Float64Type>().value(row), None),
        DataType::Int64 => {
            number(out, column.as_primitive::<Int64Type>().value(row) as f64, None);
        }
        DataType::Boolean => {
            let value = u8::from(column.as_boolean().value(row));
            push(out, ["<c t=\"b\"><v>", &value.to_string(), "</v></c>"]);
        }
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            number(out, micros as f64 / 1e6 / DAY_S + EPOCH_DAYS, Some(TIME));
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            number(out, f64::from(days) + EPOCH_DAYS, Some(DATE));
        }
        _ => text(out, &array_value_to_string(column, row).unwrap_or_default(), None),
    }
}

fn push<const N: usize>(out: &mut String, parts: [&str; N]) {
    out.extend(parts);
}

/// What is not finite has no cell.
fn number(out: &mut String, value: f64, style: Option<u8>) {
    let style = style.map(|style| format!(" s=\"{style}\"")).unwrap_or_default();
    if value.is_finite() {
        push(out, ["<c", &style, "><v>", &value.to_string(), "</v></c>"]);
    } else {
        out.push_str("<c/>");
    }
}

fn text(out: &mut String, value: &str, style: Option<u8>) {
    let style = style.map(|style| format!(" s=\"{style}\"")).unwrap_or_default();
    let value = escaped(&harmless(value));
    let (before, after) = ("><is><t xml:space=\"preserve\">", "</t></is></c>");
    push(out, ["<c t=\"inlineStr\"", &style, before, &value, after]);
}

/// As XML has it; signs that it cannot hold become the replacement character.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for sign in value.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                push(&mut out, ["&#", &u32::from(sign).to_string(), ";"]);
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            sign => out.push(sign),
        }
    }
    out
}

/// As a type that has a cell of its own; anything else is written as text.
fn plain(cells: &ArrayRef) -> ArrayRef {
    let wanted = match cells.data_type() {
        kind if kind.is_integer() => DataType::Int64,
        kind if kind.is_numeric() => DataType::Float64,
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, None),
        other => other.clone(),
    };
    cast(cells, &wanted).unwrap_or_else(|_bad| Arc::clone(cells))
}

/// Text that no spreadsheet computes, as CSV has it.
fn harmless(text: &str) -> String {
    let quote = if is_formula(text) { "'" } else { "" };
    quote.chars().chain(text.chars()).take(CELL_MAX).collect()
}
