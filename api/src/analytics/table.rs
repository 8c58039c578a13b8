//! A table of the archive as one tenant sees it.
//!
//! The tenant's filter is part of the table: no plan can be made that goes without. Files that
//! hold nobody else are read as they are; where several tenants share a file, and for what is not
//! archived yet, rows are filtered before anything else sees them.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::UInt64Array;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column as At, Literal};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::union::UnionExec;
use ingest::id::TenantId;

use super::late::leave_few;
use crate::archive::delta::Listed;
use crate::archive::scan::Scan;
use crate::archive::schema::Table;
use crate::archive::tail::View;
use crate::archive::{ArchiveError, Store};

/// A table of the archive and what is not archived yet, of one tenant, at one moment.
#[derive(Debug)]
pub(crate) struct Archived {
    store: Store,
    table: Table,
    view: View,
    tenant: TenantId,
    schema: SchemaRef,
}

impl Archived {
    pub(crate) fn new(store: Store, table: Table, view: View, tenant: TenantId) -> Self {
        let all = table.answered();
        let schema =
            Arc::new(Schema::new(all.fields().iter().skip(1).cloned().collect::<Vec<_>>()));
        Self { store, table, view, tenant, schema }
    }

    /// Files that may hold rows of the tenant that the filters want.
    fn files(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&Listed>> {
        let tenant = self.tenant.as_str();
        let ours = |file: &&Listed| {
            let (first, last) = &file.about.tenants;
            first.as_str() <= tenant && tenant <= last.as_str()
        };
        let files: Vec<&Listed> = self.view.listing.files.iter().filter(ours).collect();
        let Some(wanted) = conjunction(filters.to_vec()) else { return Ok(files) };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let wanted = state.create_physical_expr(wanted, &schema)?;
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema));
        let Some(pruning) = builder.build(wanted) else {
            return Ok(files);
        };
        let kept = pruning.prune(&Known(&files))?;
        Ok(files.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(file, _)| file).collect())
    }

    fn scan_files(
        &self,
        state: &dyn Session,
        files: Vec<&Listed>,
        (columns, limit, late): (Vec<usize>, Option<usize>, bool),
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = Scan {
            store: &self.store,
            table: self.table,
            schema: self.table.answered(),
            groups: side_by_side(files, state.config().target_partitions()),
            predicate: None,
            projection: Some(columns),
            limit,
            sorted: false,
            late,
        };
        scan.plan(state.runtime_env()).map_err(query_error)
    }
}

/// A tenant's rows of a plan whose first column is the tenant; without that column.
pub(super) fn only_of(
    tenant: &TenantId,
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let tenant = ScalarValue::Utf8View(Some(tenant.as_str().to_owned()));
    let is_ours: Arc<dyn PhysicalExpr> = Arc::new(BinaryExpr::new(
        Arc::new(At::new("tenant", 0)),
        Operator::Eq,
        Arc::new(Literal::new(tenant)),
    ));
    let rest: Vec<usize> = (1..plan.schema().fields().len()).collect();
    let filter = FilterExecBuilder::new(is_ours, plan).apply_projection(Some(rest))?.build()?;
    Ok(Arc::new(filter))
}

/// Files in at most so many groups of about the same size, neighbours together.
fn side_by_side(files: Vec<&Listed>, groups: usize) -> Vec<Vec<&Listed>> {
    let all: u64 = files.iter().map(|file| file.size).sum();
    let share = all.div_ceil(groups.max(1) as u64).max(1);
    let mut grouped: Vec<Vec<&Listed>> = Vec::new();
    let mut filled = u64::MAX;
    for file in files {
        if filled >= share {
            grouped.push(Vec::new());
            filled = 0;
        }
        filled += file.size;
        if let Some(group) = grouped.last_mut() {
            group.push(file);
        }
    }
    grouped
}

/// An error of the archive as the query engine carries it.
pub(crate) fn query_error(error: ArchiveError) -> DataFusionError {
    match error {
        ArchiveError::Query(error) => error,
        other => DataFusionError::External(Box::new(other)),
    }
}

#[async_trait]
impl TableProvider for Archived {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // They choose files; rows are filtered again, in the files where that is possible.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let limit = limit.filter(|_| filters.is_empty());
        let late = leave_few(filters);
        // The tenant's column leads the stored rows and no others.
        let columns: Vec<usize> = match projection {
            Some(projection) => projection.iter().map(|i| i + 1).collect(),
            None => (1..=self.schema.fields().len()).collect(),
        };
        let with_tenant: Vec<usize> = std::iter::once(0).chain(columns.iter().copied()).collect();
        let is_pure = |file: &&Listed| {
            let (first, last) = &file.about.tenants;
            first == self.tenant.as_str() && last == self.tenant.as_str()
        };
        let (pure, shared): (Vec<_>, Vec<_>) =
            self.files(state, filters)?.into_iter().partition(is_pure);
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !pure.is_empty() {
            parts.push(self.scan_files(state, pure, (columns.clone(), limit, late))?);
        }
        if !shared.is_empty() {
            let plan = self.scan_files(state, shared, (with_tenant.clone(), None, late))?;
            parts.push(only_of(&self.tenant, plan)?);
        }
        let newest = self.view.beyond().map_err(query_error)?;
        if !newest.is_empty() {
            let schema = self.table.answered();
            let plan = MemorySourceConfig::try_new_exec(&[newest], schema, Some(with_tenant))?;
            parts.push(only_of(&self.tenant, plan)?);
        }
        match parts.len() {
            0 => {
                let schema = self.table.answered().project(&columns)?;
                Ok(Arc::new(EmptyExec::new(Arc::new(schema))))
            }
            1 => Ok(parts.remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }
}

/// What the Delta log knows of files, for leaving some out.
struct Known<'a>(&'a [&'a Listed]);

impl Known<'_> {
    fn values(&self, column: &Column, largest: bool) -> Option<ArrayRef> {
        let words = |of: fn(&Listed) -> &(String, String)| -> ArrayRef {
            let value = |file: &&Listed| {
                let (first, last) = of(file);
                Some(if largest { last.clone() } else { first.clone() })
            };
            Arc::new(self.0.iter().map(value).collect::<StringViewArray>())
        };
        match column.name() {
            "vehicle" => Some(words(|file| &file.about.vehicles)),
            "time" => {
                let time = |file: &&Listed| {
                    let (first, last) = file.about.times;
                    if largest { last } else { first }
                };
                let times = TimestampMicrosecondArray::from_iter_values(self.0.iter().map(time));
                Some(Arc::new(times.with_timezone("UTC")))
            }
            _ => None,
        }
    }
}

impl PruningStatistics for Known<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, false)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, true)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let known = matches!(column.name(), "vehicle" | "time");
        let zeros = || UInt64Array::from_value(0, self.0.len());
        known.then(|| -> ArrayRef { Arc::new(zeros()) })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.0.iter().map(|file| file.about.rows);
        Some(Arc::new(UInt64Array::from_iter_values(rows)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
