//! Folders of Parquet files as tables: what somebody exported, or brought along.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::prelude::SessionContext;

use super::QueryError;

/// A table for each folder, its columns those of the folder's files.
pub(super) async fn tables(
    folders: &[(String, PathBuf)],
) -> Result<Vec<(String, Arc<dyn TableProvider>)>, QueryError> {
    let mut tables = Vec::new();
    for (name, folder) in folders {
        tables.push((name.clone(), table(name, folder).await?));
    }
    Ok(tables)
}

async fn table(name: &str, folder: &Path) -> Result<Arc<dyn TableProvider>, QueryError> {
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
    let options =
        ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
    let state = SessionContext::new().state();
    let config = ListingTableConfig::new(url).with_listing_options(options);
    let config = config.infer_schema(&state).await;
    let config = config.map_err(|error| unusable(&format!("holds no Parquet: {error}")))?;
    Ok(Arc::new(ListingTable::try_new(config)?))
}
