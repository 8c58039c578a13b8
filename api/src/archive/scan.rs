//! Listed files as a plan that reads them.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use object_store::ObjectMeta;

use super::ArchiveError;
use super::delta::Listed;
use super::schema::{SORTED_BY, TIME, Table};
use super::store::Store;

/// Bytes read from the end of a file at once: its footer and, mostly, its page index.
const FOOTER_HINT: usize = 64 * 1024;

/// What is to be read.
pub(crate) struct Scan<'a> {
    pub(crate) store: &'a Store,
    pub(crate) table: Table,
    /// As its columns are answered: the table's stored or its answered schema.
    pub(crate) schema: SchemaRef,
    /// Files that are read one after the other; groups are read side by side.
    pub(crate) groups: Vec<Vec<&'a Listed>>,
    /// Which rows; those that a file's statistics or pages rule out are skipped, and the others
    /// too.
    pub(crate) predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Which columns.
    pub(crate) projection: Option<Vec<usize>>,
    pub(crate) limit: Option<usize>,
    /// Whether each group is sorted as each file is.
    pub(crate) sorted: bool,
    /// Whether rows are chosen before their other columns are read: right where few are wanted.
    pub(crate) late: bool,
}

impl Scan<'_> {
    /// The plan; files are opened when it runs.
    pub(crate) fn plan(self, runtime: &RuntimeEnv) -> Result<Arc<dyn ExecutionPlan>, ArchiveError> {
        let mut groups = Vec::new();
        for group in &self.groups {
            let files: Result<Vec<_>, ArchiveError> =
                group.iter().map(|file| self.file(file)).collect();
            groups.push(FileGroup::new(files?));
        }
        let ordering =
            if self.sorted { ordering(&self.schema).into_iter().collect() } else { vec![] };
        let read = |builder: FileScanConfigBuilder| {
            builder.with_file_groups(groups).with_output_ordering(ordering).with_limit(self.limit)
        };
        let source = source(&self.schema).with_pushdown_filters(self.late);
        let source = match &self.predicate {
            Some(predicate) => source.with_predicate(Arc::clone(predicate)),
            None => source,
        };
        parquet((self.store, runtime), source, self.projection.clone(), read)
    }

    fn file(&self, file: &Listed) -> Result<PartitionedFile, ArchiveError> {
        let meta = ObjectMeta {
            location: self.store.path(self.table, &file.path)?,
            last_modified: chrono::DateTime::from_timestamp_millis(file.stored_ms)
                .unwrap_or_default(),
            size: file.size,
            e_tag: None,
            version: None,
        };
        let statistics = Arc::new(statistics(&self.schema, file));
        Ok(PartitionedFile::new_from_meta(meta).with_statistics(statistics))
    }
}

/// How files of a schema are read.
pub(crate) fn source(schema: &SchemaRef) -> ParquetSource {
    ParquetSource::new(Arc::clone(schema))
        .with_metadata_size_hint(FOOTER_HINT)
        .with_enable_page_index(true)
        .with_bloom_filter_on_read(true)
        .with_reorder_filters(true)
}

/// A plan that reads Parquet files: which columns, and whatever else.
pub(crate) fn parquet(
    (store, runtime): (&Store, &RuntimeEnv),
    source: ParquetSource,
    columns: Option<Vec<usize>>,
    read: impl FnOnce(FileScanConfigBuilder) -> FileScanConfigBuilder,
) -> Result<Arc<dyn ExecutionPlan>, ArchiveError> {
    let url = ObjectStoreUrl::parse(store.root()?.as_str())?;
    let objects = store.objects();
    runtime.register_object_store(url.as_ref(), Arc::clone(&objects));
    let cache = runtime.cache_manager.get_file_metadata_cache();
    let factory = Arc::new(CachedParquetFileReaderFactory::new(objects, cache));
    let source = source.with_parquet_file_reader_factory(factory);
    let config = read(FileScanConfigBuilder::new(url, Arc::new(source)));
    let config: FileScanConfig = config.with_projection_indices(columns)?.build();
    Ok(DataSourceExec::from_data_source(config))
}

/// Files are sorted by tenant, vehicle, time and number.
fn ordering(schema: &SchemaRef) -> Option<LexOrdering> {
    let by =
        |i: usize| PhysicalSortExpr::new_default(Arc::new(Column::new(schema.field(i).name(), i)));
    LexOrdering::new((0..=SORTED_BY).map(by))
}

/// What the Delta log knows of a file, so that it need not be opened for that.
fn statistics(schema: &SchemaRef, file: &Listed) -> Statistics {
    let mut columns = vec![ColumnStatistics::new_unknown(); schema.fields().len()];
    let text = |i: usize, value: &str| match schema.field(i).data_type() {
        datafusion::arrow::datatypes::DataType::Utf8View => {
            ScalarValue::Utf8View(Some(value.to_owned()))
        }
        _ => ScalarValue::Utf8(Some(value.to_owned())),
    };
    let time = |micros: i64| ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
    let about = &file.about;
    let spans = [
        (text(0, &about.tenants.0), text(0, &about.tenants.1)),
        (text(1, &about.vehicles.0), text(1, &about.vehicles.1)),
        (time(about.times.0), time(about.times.1)),
    ];
    debug_assert_eq!(spans.len(), TIME + 1);
    for (column, (min, max)) in columns.iter_mut().zip(spans) {
        column.min_value = Precision::Inexact(min);
        column.max_value = Precision::Inexact(max);
        column.null_count = Precision::Exact(0);
    }
    Statistics {
        num_rows: Precision::Exact(about.rows as usize),
        total_byte_size: Precision::Absent,
        column_statistics: columns,
    }
}
