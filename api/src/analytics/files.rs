//! Folders of Parquet files as tables: what somebody exported, or brought along.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::common::config::TableParquetOptions;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;

use super::QueryError;
use super::late::leave_few;

/// A table for each folder, its columns those of the folder's files.
pub(super) async fn tables(
    folders: &[(String, PathBuf)],
) -> std::result::Result<Vec<(String, Arc<dyn TableProvider>)>, QueryError> {
    let mut tables = Vec::new();
    for (name, folder) in folders {
        tables.push((name.clone(), table(name, folder).await?));
    }
    Ok(tables)
}

async fn table(
    name: &str,
    folder: &Path,
) -> std::result::Result<Arc<dyn TableProvider>, QueryError> {
    let unusable = |why: &str| {
        let folder = folder.display();
        QueryError::Refused(format!("table `{name}`: `{folder}` {why}"))
    };
    if !folder.is_dir() {
        return Err(unusable("is no folder, expected one that holds Parquet files"));
    }
    let url =
        url::Url::from_directory_path(folder.canonicalize().map_err(|e| unusable(&e.to_string()))?)
            .map_err(|()| unusable("has no address"))?;
    let url = ListingTableUrl::parse(url.as_str())?;
    let state = SessionContext::new().state();
    let options = |late: bool| {
        let mut parquet = TableParquetOptions::default();
        parquet.global.pushdown_filters = late;
        parquet.global.reorder_filters = true;
        let format = ParquetFormat::default().with_options(parquet);
        ListingOptions::new(Arc::new(format)).with_file_extension(".parquet")
    };
    let config = ListingTableConfig::new(url).with_listing_options(options(false));
    let config = config.infer_schema(&state).await;
    let config = config.map_err(|error| unusable(&format!("holds no Parquet: {error}")))?;
    let late = ListingTable::try_new(config.clone().with_listing_options(options(true)))?;
    Ok(Arc::new(Folder { all: ListingTable::try_new(config)?, late }))
}

/// A folder, read in either of two ways ([`super::late`]).
#[derive(Debug)]
struct Folder {
    all: ListingTable,
    late: ListingTable,
}

#[async_trait]
impl TableProvider for Folder {
    fn schema(&self) -> SchemaRef {
        TableProvider::schema(&self.all)
    }

    fn table_type(&self) -> TableType {
        self.all.table_type()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        self.all.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let table = if leave_few(filters) { &self.late } else { &self.all };
        table.scan(state, projection, filters, limit).await
    }
}
