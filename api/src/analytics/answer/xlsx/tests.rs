//! What a spreadsheet program gets.

use super::{ROWS_MAX, Workbook, zip};

#[test]
fn a_workbook_holds_the_rows_and_computes_nothing() {
    use datafusion::arrow::array::{
        Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    };
    use datafusion::arrow::datatypes::{Field, Schema};
    use std::sync::Arc;

    let times = TimestampMicrosecondArray::from(vec![Some(1_796_025_600_000_000), None]);
    let columns: Vec<datafusion::arrow::array::ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("=1+1"), Some("a <plain> &\u{1}\"b\"")])),
        Arc::new(Float64Array::from(vec![Some(-1.5), Some(f64::NAN)])),
        Arc::new(times.with_timezone("UTC")),
    ];
    let field = |(name, column): (&str, &datafusion::arrow::array::ArrayRef)| {
        Field::new(name, column.data_type().clone(), true)
    };
    let fields: Vec<_> = ["word", "number", "time"].into_iter().zip(&columns).map(field).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let mut book = Workbook::new(&schema);
    book.write(&batch).unwrap();
    let files = zip::tests::files(&book.finish().unwrap());
    assert_eq!(files[0].0, "[Content_Types].xml");
    let (path, sheet) = files.last().unwrap();
    assert_eq!(path, "xl/worksheets/sheet1.xml");
    let (_, rows) = sheet.split_once("<sheetData>").unwrap();
    let text = |style: &str, text: &str| {
        format!("<c t=\"inlineStr\"{style}><is><t xml:space=\"preserve\">{text}</t></is></c>")
    };
    let header = ["word", "number", "time"].map(|name| text(" s=\"1\"", name)).join("");
    // 2026-11-30 is day 46,356 since 1899-12-30; 08:00 is a third of it.
    let expected = format!(
        "<row>{header}</row><row>{}<c><v>-1.5</v></c><c s=\"2\"><v>46356.33333333333</v></c></row>\
         <row>{}<c/><c/></row></sheetData></worksheet>",
        text("", "'=1+1"),
        text("", "a &lt;plain&gt; &amp;\u{fffd}&quot;b&quot;")
    );
    assert_eq!(rows, expected);
    let mut book = Workbook::new(&schema);
    let error = (0..=ROWS_MAX / 2).find_map(|_| book.write(&batch).err()).unwrap().to_string();
    assert!(error.contains("at most 50000 rows"), "{error}");
}
