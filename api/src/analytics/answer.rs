//! Rows as bytes: JSON, lines of JSON, CSV, Arrow, Parquet; a batch at a time, so that an answer
//! of any size needs the memory of a few batches.

use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::csv::WriterBuilder as CsvBuilder;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::json::StructMode;
use datafusion::arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder};
use ingest::time::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::json;
use std::sync::Arc;

use super::QueryError;

mod xlsx;

/// Rows of a row group of an answer; what is kept in memory.
const GROUP_ROWS: usize = 64 * 1024;
/// Bytes of one, before it has that many rows.
const GROUP_BYTES: usize = 8 << 20;
/// How JSON and CSV tell times: as exactly as they are held, so that every door gives the same.
const TIMES: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// How an answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One document: columns, rows as arrays, whether it was cut off.
    Json,
    /// An object a line.
    Lines,
    /// RFC 4180 with a header; text that a spreadsheet would take for a formula gets a `'`.
    Csv,
    /// Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
    /// A workbook for spreadsheet programs, of at most 50,000 rows.
    Xlsx,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] =
        [Self::Json, Self::Lines, Self::Csv, Self::Arrow, Self::Parquet, Self::Xlsx];
    /// The names of all formats.
    pub const NAMES: &str = "json, jsonl, csv, arrow, parquet or xlsx";

    /// As a parameter names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Lines => "jsonl",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
            Self::Xlsx => "xlsx",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Xlsx => xlsx::MEDIA_TYPE,
        }
    }

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Writes one answer.
pub(super) struct Encoder {
    schema: SchemaRef,
    begun: bool,
    as_of: Timestamp,
    form: Form,
}

enum Form {
    Json { rows: u64 },
    Lines,
    Csv,
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Xlsx(xlsx::Workbook),
}

impl Encoder {
    pub(super) fn new(
        format: Format,
        schema: &SchemaRef,
        as_of: Timestamp,
    ) -> Result<Self, QueryError> {
        let form = match format {
            Format::Json => Form::Json { rows: 0 },
            Format::Lines => Form::Lines,
            Format::Csv => Form::Csv,
            Format::Arrow => {
                let writer = StreamWriter::try_new(Vec::new(), schema).map_err(failed)?;
                Form::Arrow(Box::new(writer))
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties));
                Form::Parquet(Box::new(writer.map_err(failed)?))
            }
            Format::Xlsx => Form::Xlsx(xlsx::Workbook::new(schema)),
        };
        Ok(Self { schema: Arc::clone(schema), begun: false, as_of, form })
    }

    /// Whether it is read as a whole.
    pub(super) const fn is_document(&self) -> bool {
        matches!(self.form, Form::Json { .. })
    }

    /// The bytes that a batch adds.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Bytes, QueryError> {
        let first = !std::mem::replace(&mut self.begun, true);
        let mut out = Vec::new();
        match &mut self.form {
            Form::Json { rows } => {
                if first {
                    out.extend(beginning(&self.schema, self.as_of));
                }
                if batch.num_rows() > 0 {
                    if *rows > 0 {
                        out.push(b',');
                    }
                    out.extend(json_rows(batch)?);
                    *rows += batch.num_rows() as u64;
                }
            }
            Form::Lines => {
                let builder = WriterBuilder::new().with_explicit_nulls(false);
                let mut writer = times(builder).build::<_, LineDelimited>(&mut out);
                writer.write(batch).map_err(failed)?;
                writer.finish().map_err(failed)?;
            }
            Form::Csv => out = csv(batch, first)?,
            Form::Arrow(writer) => {
                writer.write(batch).map_err(failed)?;
                out = std::mem::take(writer.get_mut());
            }
            Form::Parquet(writer) => {
                writer.write(batch).map_err(failed)?;
                if writer.in_progress_size() > GROUP_BYTES {
                    writer.flush().map_err(failed)?;
                }
                out = std::mem::take(writer.inner_mut());
            }
            Form::Xlsx(book) => book.write(batch)?,
        }
        Ok(out.into())
    }

    /// The bytes that end it.
    pub(super) fn finish(mut self, cut: bool, seconds: f64) -> Result<Bytes, QueryError> {
        let mut out = Vec::new();
        if !self.begun {
            let empty = RecordBatch::new_empty(Arc::clone(&self.schema));
            out.extend(self.write(&empty)?);
        }
        match self.form {
            Form::Json { rows } => {
                let seconds = (seconds * 1_000.0).round() / 1_000.0;
                let end =
                    format!("],\"row_count\":{rows},\"cut_off\":{cut},\"seconds\":{seconds}}}");
                out.extend(end.into_bytes());
            }
            Form::Lines | Form::Csv => {}
            Form::Arrow(mut writer) => {
                writer.finish().map_err(failed)?;
                out.extend(std::mem::take(writer.get_mut()));
            }
            Form::Parquet(writer) => out.extend(writer.into_inner().map_err(failed)?),
            Form::Xlsx(book) => out.extend(book.finish()?),
        }
        Ok(out.into())
    }
}

fn failed(error: impl std::error::Error) -> QueryError {
    QueryError::Failed(error.to_string())
}

fn times(builder: WriterBuilder) -> WriterBuilder {
    builder.with_timestamp_format(TIMES.to_owned()).with_timestamp_tz_format(TIMES.to_owned())
}

/// `{"as_of":…,"columns":[{"name":…,"type":…},…],"rows":[`
fn beginning(schema: &Schema, as_of: Timestamp) -> Vec<u8> {
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| json!({"name": field.name(), "type": sql_type(field.data_type())}))
        .collect();
    let head = json!({"as_of": as_of.to_string(), "columns": columns}).to_string();
    let mut bytes = head.into_bytes();
    bytes.pop();
    bytes.extend(b",\"rows\":[");
    bytes
}

/// A type as people know it.
pub(crate) fn sql_type(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Float32 | DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(..) => "decimal".to_owned(),
        kind if kind.is_integer() => "bigint".to_owned(),
        DataType::Dictionary(_, value) => sql_type(value),
        other => other.to_string().to_lowercase(),
    }
}

/// Rows as arrays, with commas between them and no brackets around.
fn json_rows(batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
    let mut out = Vec::new();
    let builder =
        WriterBuilder::new().with_explicit_nulls(true).with_struct_mode(StructMode::ListOnly);
    let mut writer = times(builder).build::<_, JsonArray>(&mut out);
    writer.write(batch).map_err(failed)?;
    writer.finish().map_err(failed)?;
    // `[` and `]` stand around what an array writer writes.
    let inner = out.len().saturating_sub(1);
    Ok(out.get(1..inner).unwrap_or_default().to_vec())
}

fn csv(batch: &RecordBatch, header: bool) -> Result<Vec<u8>, QueryError> {
    let columns: Result<Vec<ArrayRef>, QueryError> = batch.columns().iter().map(harmless).collect();
    let columns = columns?;
    let field = |(field, column): (&Arc<datafusion::arrow::datatypes::Field>, &ArrayRef)| {
        field.as_ref().clone().with_data_type(column.data_type().clone()).with_nullable(true)
    };
    let schema = batch.schema();
    let fields: Vec<_> = schema.fields().iter().zip(&columns).map(field).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(failed)?;
    let mut out = Vec::new();
    let mut writer = CsvBuilder::new()
        .with_header(header)
        .with_timestamp_format(TIMES.to_owned())
        .with_timestamp_tz_format(TIMES.to_owned())
        .build(&mut out);
    writer.write(&rows).map_err(failed)?;
    drop(writer);
    Ok(out)
}

/// Text that a spreadsheet would compute begins with a `'`; lists and the like become text.
fn harmless(column: &ArrayRef) -> Result<ArrayRef, QueryError> {
    let text = match column.data_type() {
        DataType::Utf8 => Arc::clone(column),
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(..) => {
            cast(column, &DataType::Utf8).map_err(failed)?
        }
        kind if kind.is_nested() => cast(column, &DataType::Utf8).map_err(failed)?,
        _ => return Ok(Arc::clone(column)),
    };
    let words = text.as_string::<i32>();
    if !words.iter().flatten().any(is_formula) {
        return Ok(text);
    }
    let quoted: StringArray = words
        .iter()
        .map(|word| {
            word.map(|word| if is_formula(word) { format!("'{word}") } else { word.to_owned() })
        })
        .collect();
    Ok(Arc::new(quoted))
}

/// Whether a spreadsheet would compute a cell rather than show it.
pub(crate) fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}
