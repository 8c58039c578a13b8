//! SQL on an Apache `DataFusion` Ballista cluster, for what is too much for one machine.
//!
//! A query is planned here, as everywhere, with the tenant's filter in it, over plain listings of
//! the files of one snapshot: nothing else can be sent to a cluster. What is not archived yet,
//! what people said and rollups that are kept are not asked there. A window over no rows at all
//! never ends on Ballista 55.0, so such a query ends when its time does. Scheduler and executors are
//! this program too, since they have to know its functions and where the archive is. They trust
//! whoever reaches them, as all of Ballista does: their ports belong on a network of their own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ballista_core::error::BallistaError;
use ballista_core::extension::SessionStateExt as _;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::utils::{default_config_producer, default_session_builder};
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::view::ViewTable;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::{SessionConfig, col, lit};
use ingest::id::TenantId;
use ingest::log::Clock;
use ingest::time::Timestamp;
use tokio::runtime::Runtime;

use super::{Analytics, Limits, QueryError, Tables, session};
use crate::archive::delta::{Delta, Listed, Listing};
use crate::archive::schema::Table;
use crate::archive::{ArchiveError, Store};

#[cfg(test)]
mod tests;

impl From<BallistaError> for QueryError {
    fn from(error: BallistaError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Analytics {
    /// Over what is archived now, on the cluster whose scheduler listens at `HOST:PORT`.
    ///
    /// # Errors
    /// When the archive cannot be read. A scheduler that is not there is told by each query.
    pub async fn on_cluster(
        limits: Limits,
        archive: Store,
        scheduler: &str,
        clock: &Clock,
    ) -> Result<Self, QueryError> {
        let snapshot = Snapshot::take(archive, clock).await?;
        let mut made = Self::of(limits, Tables::Cluster(snapshot), None)?;
        // It comes back with none but a cluster's own functions.
        let mut base = made.base.clone().upgrade_for_ballista(format!("http://{scheduler}"))?;
        session::functions(&mut base, None);
        made.base = base;
        Ok(made)
    }
}

/// Which files each table had at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    store: Store,
    pub(super) taken_at: Timestamp,
    listings: Vec<(Table, Arc<Listing>)>,
}

impl Snapshot {
    async fn take(store: Store, clock: &Clock) -> Result<Self, ArchiveError> {
        let mut listings = Vec::new();
        for table in Table::ALL {
            // Of no partition is asked how far it is archived.
            let found = Delta::existing(&store, table, 0, clock).await?;
            let missing =
                || ArchiveError::NoTable { place: store.url().to_string(), table: table.name() };
            listings.push((table, found.ok_or_else(missing)?.listing()));
        }
        Ok(Self { store, taken_at: clock(), listings })
    }

    /// A tenant's rows of each table.
    pub(super) fn views(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(&'static str, ViewTable)>, QueryError> {
        let view = |(table, listing): &(Table, Arc<Listing>)| {
            let plan = self.view(*table, &listing.files, tenant)?;
            Ok((table.name(), plan))
        };
        self.listings.iter().map(view).collect()
    }

    fn view(
        &self,
        table: Table,
        files: &[Listed],
        tenant: &TenantId,
    ) -> Result<ViewTable, QueryError> {
        let is_ours = |file: &&Listed| {
            let (first, last) = &file.about.tenants;
            first.as_str() <= tenant.as_str() && tenant.as_str() <= last.as_str()
        };
        let mut ours: Vec<&str> =
            files.iter().filter(is_ours).map(|file| file.path.as_str()).collect();
        if ours.is_empty() {
            // A listing has to be of something, and a cluster may wait for ever for a part that
            // reads no file: one that holds no row of this tenant, or else a folder that is not.
            let smallest = files.iter().min_by_key(|file| file.size);
            ours.push(smallest.map_or("none/", |file| file.path.as_str()));
        }
        let root = self.store.root()?;
        let url = |file: &&str| {
            let path = self.store.path(table, file)?;
            let slash = if file.ends_with('/') { "/" } else { "" };
            Ok(ListingTableUrl::parse(format!("{root}{path}{slash}"))?)
        };
        let urls = ours.iter().map(url).collect::<Result<Vec<_>, QueryError>>()?;
        let options =
            ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(options)
            .with_schema(Arc::new(plain(&table.answered())));
        let listing = provider_as_source(Arc::new(ListingTable::try_new(config)?));
        let rest = table.columns().iter().filter(|column| column.name != "tenant");
        let plan = LogicalPlanBuilder::scan(table.name(), listing, None)?
            .filter(col("tenant").eq(lit(tenant.as_str())))?
            .project(rest.map(|column| col(column.name)))?
            .build()?;
        Ok(ViewTable::new(plan, None))
    }
}

/// Text that is sent from one to another as Ballista advises: views make frames too large.
fn plain(schema: &Schema) -> Schema {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8View => field.as_ref().clone().with_data_type(DataType::Utf8),
        _ => field.as_ref().clone(),
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

/// A cluster finds the files where this store has them.
fn with_store(runtime: &RuntimeEnv, store: &Store) -> Result<(), DataFusionError> {
    let root = store.root().map_err(|error| DataFusionError::External(Box::new(error)))?;
    runtime.register_object_store(&root, store.objects());
    Ok(())
}

/// What a scheduler plans with.
fn state(config: SessionConfig, store: &Store) -> Result<SessionState, DataFusionError> {
    let mut state = default_session_builder(config)?;
    session::functions(&mut state, None);
    with_store(state.runtime_env(), store)?;
    Ok(state)
}

/// Threads that a part of a cluster works on: plans are walked by recursion there too.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> std::io::Result<Runtime> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.enable_all().thread_name("cluster").thread_stack_size(session::STACK_BYTES).build()
}

/// Is the scheduler of a cluster that queries an archive, until the process ends.
///
/// # Errors
/// When the address cannot be listened at.
pub async fn scheduler(listen: SocketAddr, archive: Store) -> Result<(), QueryError> {
    let plans = Arc::new(move |config: SessionConfig| state(config, &archive));
    let cluster =
        BallistaCluster::new_memory(listen.to_string(), plans, Arc::new(default_config_producer));
    let config = SchedulerConfig {
        external_host: listen.ip().to_string(),
        bind_host: listen.ip().to_string(),
        bind_port: listen.port(),
        ..SchedulerConfig::default()
    };
    Ok(start_server(cluster, listen, Arc::new(config)).await?)
}

/// What an executor is.
#[derive(Debug, Clone)]
pub struct Executor {
    /// Where it gives its results to others; the port after it is what the scheduler speaks to.
    pub listen: SocketAddr,
    /// Its scheduler.
    pub scheduler: (String, u16),
    /// Parts of queries that it works on at a time.
    pub threads: usize,
    /// Memory for all of them, bytes.
    pub memory_bytes: usize,
    /// Where it lays down what others are to fetch, and what does not fit into memory.
    pub work: PathBuf,
}

/// Is an executor of a cluster that queries an archive, until the process is told to end.
///
/// # Errors
/// When its addresses cannot be listened at or no scheduler is there.
pub async fn executor(as_: Executor, archive: Store) -> Result<(), QueryError> {
    let known = state(default_config_producer(), &archive)?;
    let spill = as_.work.clone();
    let runtime = move |_: &SessionConfig| {
        let made = RuntimeEnvBuilder::new().with_temp_file_path(&spill).build_arc()?;
        with_store(&made, &archive)?;
        Ok(made)
    };
    let config = ExecutorProcessConfig {
        bind_host: as_.listen.ip().to_string(),
        external_host: Some(as_.listen.ip().to_string()),
        port: as_.listen.port(),
        grpc_port: as_.listen.port() + 1,
        scheduler_host: as_.scheduler.0,
        scheduler_port: as_.scheduler.1,
        scheduler_connect_timeout_seconds: CONNECT_S,
        vcores: as_.threads,
        work_dir: Some(as_.work.display().to_string()),
        memory_pool_size: Some(as_.memory_bytes as u64),
        override_function_registry: Some(Arc::new(BallistaFunctionRegistry::from(&known))),
        override_runtime_producer: Some(Arc::new(runtime)),
        ..ExecutorProcessConfig::default()
    };
    Ok(start_executor_process(Arc::new(config)).await?)
}

/// How long an executor waits for its scheduler, seconds.
const CONNECT_S: u16 = 30;
