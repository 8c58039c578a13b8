//! What may be asked: one session per query, with the tables of one tenant and nothing else.

use std::sync::Arc;

use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider as _, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
};
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{FunctionRegistry as _, SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use engine::road::Road;
use ingest::id::TenantId;

use super::table::Archived;
use super::views::VIEWS;
use super::{
    Analytics, Limits, QueryError, Tables, asof, distinct, fleet, functions, live, rollups,
};
use crate::archive::schema::Table;

/// Functions that can make a value of any size out of a few bytes, past every account of memory.
const UNBOUNDED: [&str; 10] = [
    "repeat",
    "lpad",
    "rpad",
    "range",
    "generate_series",
    "gen_series",
    "array_repeat",
    "array_resize",
    "list_repeat",
    "list_resize",
];
/// Operators of one query, `JOIN` and `UNION` among them. Each may make its plan one level deeper,
/// and plans are walked by recursion.
const OPERATORS_MAX: usize = 1_000;
/// What a join holds of one side is there twice while it is put together, and counted once: a
/// cross join of four tables took 1,010 MiB where 512 were counted.
const HELD_TWICE: usize = 2;
/// Stack of a thread that computes, bytes: enough for a plan of so many levels, unoptimised.
pub(super) const STACK_BYTES: usize = 16 << 20;
/// Bytes of files' footers that are remembered.
const FOOTERS_MAX: usize = 64 << 20;

/// Threads that compute.
pub(super) fn threads(limits: &Limits) -> usize {
    match limits.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    }
}

/// Memory and disk that all queries share.
pub(super) fn runtime(limits: &Limits) -> Result<Arc<RuntimeEnv>, QueryError> {
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![limits.disk.clone()]))
        .with_max_temp_directory_size(limits.disk_bytes);
    Ok(RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes / HELD_TWICE)))
        .with_disk_manager_builder(disk)
        .with_metadata_cache_limit(FOOTERS_MAX)
        .build_arc()?)
}

/// A state with every function that may be called, and no tables.
pub(super) fn base(
    limits: &Limits,
    runtime: &Arc<RuntimeEnv>,
    road: Option<Arc<Road>>,
) -> SessionState {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads(limits))
        .with_information_schema(true)
        .with_default_catalog_and_schema("milepost", "public");
    let options = config.options_mut();
    // Each scan says for itself whether it chooses rows before it reads the other columns.
    options.execution.parquet.pushdown_filters = false;
    options.execution.parquet.reorder_filters = true;
    options.execution.time_zone = Some("UTC".to_owned());
    options.sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::clone(runtime))
        .with_default_features()
        .with_optimizer_rules(distinct::rules())
        .with_physical_optimizer_rules(asof::rules())
        .build();
    functions(&mut state, road);
    state
}

/// Which functions may be called.
pub(super) fn functions(state: &mut SessionState, road: Option<Arc<Road>>) {
    for name in UNBOUNDED {
        // An error means that there is none of that name.
        drop(state.deregister_udf(name));
    }
    functions::register(state, road);
    asof::register(state);
}

/// A session of its own, with every function and no tables.
pub(super) fn without_tables(base: &SessionState) -> Result<SessionContext, DataFusionError> {
    let state = SessionStateBuilder::new_from_existing(base.clone())
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let context = SessionContext::new_with_state(state);
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema("public", Arc::new(MemorySchemaProvider::new()))?;
    context.register_catalog("milepost", Arc::new(catalog));
    Ok(context)
}

/// Queries alone: no tables made, no rows changed, no settings, no files written.
pub(super) fn options() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

impl Analytics {
    /// A session of one tenant, with the views that a text names.
    pub(super) async fn session(
        &self,
        tenant: &TenantId,
        text: &str,
    ) -> Result<SessionContext, QueryError> {
        bounded(text)?;
        let context = without_tables(&self.base)?;
        let sources = match &self.tables {
            Tables::Here(sources) => sources,
            Tables::Files(tables, _) => {
                for (name, table) in tables {
                    context.register_table(name.as_str(), Arc::clone(table))?;
                }
                return Ok(context);
            }
            #[cfg(feature = "ballista")]
            Tables::Cluster(snapshot) => {
                for (name, view) in snapshot.views(tenant)? {
                    context.register_table(name, Arc::new(view))?;
                }
                let lower = text.to_lowercase();
                for view in needed(&lower, false) {
                    let plan = context.state().create_logical_plan(view.sql).await?;
                    context.register_table(view.name, Arc::new(ViewTable::new(plan, None)))?;
                }
                return Ok(context);
            }
        };
        let positions = sources.views.of(Table::Positions);
        for table in Table::ALL {
            let view = match table {
                Table::Positions => positions.clone(),
                other => sources.views.of(other),
            };
            let archived = Archived::new(sources.archive.clone(), table, view, tenant.clone());
            context.register_table(table.name(), Arc::new(archived))?;
        }
        let lower = text.to_lowercase();
        let all = ["information_schema", "show ", "describe"].iter().any(|w| lower.contains(w));
        let is_named = |name: &str| all || lower.contains(name);
        if let Some(operations) = &sources.operations {
            fleet::register(&context, operations, tenant, is_named)?;
        }
        if let Some(live) = sources.live.as_ref().filter(|_| is_named(live::NAME)) {
            live::register(&context, live, tenant)?;
        }
        for view in needed(&lower, all) {
            let plan = if view.name == rollups::NAME {
                let kept = self.kept(&sources.archive).await?;
                let (store, positions) = (&sources.archive, &positions);
                rollups::plan(&context, (store, tenant), (positions, kept.as_slice())).await?
            } else {
                context.state().create_logical_plan(view.sql).await?
            };
            let made = ViewTable::new(plan, Some(view.sql.to_owned()));
            context.register_table(view.name, Arc::new(made))?;
        }
        Ok(context)
    }
}

/// Refuses a text whose plan would be deeper than a stack.
fn bounded(text: &str) -> Result<(), QueryError> {
    // What cannot be read is said by whoever plans it.
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().unwrap_or_default();
    let operators = tokens.iter().filter(|token| deepens(token)).count();
    if operators > OPERATORS_MAX {
        return Err(QueryError::Refused(format!(
            "the query has {operators} operators, expected at most {OPERATORS_MAX}"
        )));
    }
    Ok(())
}

fn deepens(token: &Token) -> bool {
    match token {
        Token::Word(word) => DEEPENING.contains(&word.keyword),
        Token::EOF
        | Token::Number(..)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::Comma
        | Token::Whitespace(_)
        | Token::LParen
        | Token::RParen
        | Token::Period
        | Token::SemiColon => false,
        _ => true,
    }
}

/// Words that operators are made of.
const DEEPENING: [Keyword; 14] = [
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::IS,
    Keyword::IN,
    Keyword::LIKE,
    Keyword::ILIKE,
    Keyword::BETWEEN,
    Keyword::AT,
    Keyword::COLLATE,
    Keyword::JOIN,
    Keyword::UNION,
    Keyword::INTERSECT,
    Keyword::EXCEPT,
];

/// Views that a text names, and those that they name; in the order of [`VIEWS`], where each
/// stands behind those it is made of.
fn needed(text: &str, all: bool) -> Vec<&'static super::views::View> {
    let mut needed: Vec<_> = Vec::new();
    for view in VIEWS.iter().rev() {
        let named = |by: &str| by.contains(view.name);
        if all || named(text) || needed.iter().any(|n: &&super::views::View| named(n.sql)) {
            needed.push(view);
        }
    }
    needed.reverse();
    needed
}
