//! Kept rollups as one tenant sees them, and positions as whoever makes rollups does.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use ingest::id::TenantId;

use super::columns;
use crate::analytics::table::{only_of, query_error};
use crate::archive::Store;
use crate::archive::delta::Listed;
use crate::archive::derived::File;
use crate::archive::file::Hour;
use crate::archive::scan::{Scan, parquet, source};
use crate::archive::schema::Table;

/// The kept files of some hours, of one tenant.
#[derive(Debug)]
pub(super) struct Kept {
    store: Store,
    tenant: TenantId,
    files: Vec<File>,
    schema: SchemaRef,
}

impl Kept {
    pub(super) fn new(store: &Store, tenant: &TenantId, files: Vec<File>) -> Self {
        let rest = columns().fields().iter().skip(1).cloned().collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(rest));
        Self { store: store.clone(), tenant: tenant.clone(), files, schema }
    }
}

#[async_trait]
impl TableProvider for Kept {
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
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // The tenant's column leads the stored rows and no others.
        let all = || (0..self.schema.fields().len()).collect();
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(all);
        if self.files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(self.schema.project(&wanted)?))));
        }
        let stored = std::iter::once(0).chain(wanted.iter().map(|i| i + 1)).collect();
        let groups = state.config().target_partitions().min(self.files.len()).max(1);
        let share = self.files.len().div_ceil(groups);
        let file = |file: &File| PartitionedFile::new_from_meta(file.meta.clone());
        let group = |files: &[File]| FileGroup::new(files.iter().map(file).collect());
        let groups = self.files.chunks(share).map(group).collect();
        let read = |builder: FileScanConfigBuilder| builder.with_file_groups(groups);
        let place = (&self.store, &**state.runtime_env());
        let plan = parquet(place, source(&columns()), Some(stored), read);
        only_of(&self.tenant, plan.map_err(query_error)?)
    }
}

/// Archived positions of everybody, of some hours; never part of a catalogue that is asked.
#[derive(Debug)]
pub(super) struct Everybody {
    store: Store,
    files: Vec<Listed>,
}

impl Everybody {
    pub(super) const fn new(store: Store, files: Vec<Listed>) -> Self {
        Self { store, files }
    }
}

#[async_trait]
impl TableProvider for Everybody {
    fn schema(&self) -> SchemaRef {
        Table::Positions.answered()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut hours: BTreeMap<Hour, Vec<&Listed>> = BTreeMap::new();
        for file in &self.files {
            hours.entry(file.hour).or_default().push(file);
        }
        let scan = Scan {
            store: &self.store,
            table: Table::Positions,
            schema: self.schema(),
            groups: hours.into_values().collect(),
            predicate: None,
            projection: projection.cloned(),
            limit,
            sorted: false,
            late: false,
        };
        scan.plan(state.runtime_env()).map_err(query_error)
    }
}
