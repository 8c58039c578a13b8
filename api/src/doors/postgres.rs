//! PostgreSQL's protocol, for `psql`, Grafana and whatever has its driver: simple and extended
//! queries without parameters. Any user; the password is a key.
//!
//! What clients say by habit before they ask (`BEGIN`, settings of their own) is answered and
//! does nothing.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures_util::{Sink, StreamExt as _, stream};
use pgwire::api::auth::cleartext::CleartextPasswordAuthStartupHandler;
use pgwire::api::auth::{
    AuthSource, DefaultServerParameterProvider, LoginInfo, Password, StartupHandler,
};
use pgwire::api::portal::{Format as Formats, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{
    DataRowEncoder, DescribePortalResponse, DescribeStatementResponse, FieldInfo, QueryResponse,
    Response, Tag,
};
use pgwire::api::stmt::{NoopQueryParser, StoredStatement};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, PgWireServerHandlers, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::DataRow;
use pgwire::tokio::process_socket;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_stream::wrappers::ReceiverStream;

use super::Known;
use crate::analytics::{Analytics, Ask, Format, QueryError};
use crate::auth::Caller;

/// Connections at a time; more are closed at once.
const CONNECTIONS_MAX: usize = 100;
/// Settings that clients make by habit; they change nothing here.
const HABITS: [&str; 7] = [
    "application_name",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "extra_float_digits",
    "search_path",
    "statement_timeout",
];

/// Serves until `closing` turns true.
pub(super) async fn serve(
    listener: TcpListener,
    analytics: Arc<Analytics>,
    known: Known,
    mut closing: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // An error means that the sender is gone, which is closed too.
            _ = closing.wait_for(|closing| *closing) => return,
        };
        let Ok((socket, _)) = accepted else { continue };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else { continue };
        let seat = Arc::new(Seat::new(Arc::clone(&analytics), known.clone()));
        let mut closing = closing.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = process_socket(socket, None, Handlers(seat)) => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a PostgreSQL client is gone");
                    }
                }
                _ = closing.wait_for(|closing| *closing) => {}
            }
            drop(permit);
        });
    }
}

/// One connection.
struct Seat {
    analytics: Arc<Analytics>,
    known: Known,
    key: Arc<OnceLock<String>>,
    startup: Arc<CleartextPasswordAuthStartupHandler<Keys, DefaultServerParameterProvider>>,
    parser: Arc<NoopQueryParser>,
}

/// Whose key a password is.
struct Keys {
    known: Known,
    key: Arc<OnceLock<String>>,
}

impl Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

#[async_trait]
impl AuthSource for Keys {
    async fn get_password(&self, _: &LoginInfo) -> PgWireResult<Password> {
        // Keys are stored as hashes: there is none to be told.
        std::future::ready(Err(refused("28000", "passwords are not told".to_owned()))).await
    }

    async fn verify_password(&self, _: &LoginInfo, given: &[u8]) -> PgWireResult<Option<()>> {
        let key = std::str::from_utf8(given).unwrap_or_default();
        let found = self.known.caller(key).map(|_caller| {
            // Set once: a connection has one startup.
            drop(self.key.set(key.to_owned()));
        });
        std::future::ready(Ok(found)).await
    }
}

/// Handlers of one connection.
struct Handlers(Arc<Seat>);

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.0)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.0)
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        Arc::clone(&self.0.startup)
    }
}

impl Seat {
    fn new(analytics: Arc<Analytics>, known: Known) -> Self {
        let key = Arc::new(OnceLock::new());
        let keys = Keys { known: known.clone(), key: Arc::clone(&key) };
        let mut parameters = DefaultServerParameterProvider::default();
        parameters.server_version = format!("16.0-milepost-{}", env!("CARGO_PKG_VERSION"));
        let startup = Arc::new(CleartextPasswordAuthStartupHandler::new(keys, parameters));
        Self { analytics, known, key, startup, parser: Arc::new(NoopQueryParser::new()) }
    }

    /// Whose connection it is; looked up for every query, so that a revoked key ends it.
    fn caller(&self) -> PgWireResult<Caller> {
        let caller = self.key.get().and_then(|key| self.known.caller(key));
        caller.ok_or_else(|| refused("28000", "the key is not valid".to_owned()))
    }

    async fn describe(&self, sql: &str, formats: &Formats) -> PgWireResult<Vec<FieldInfo>> {
        if habit(sql).is_some() {
            return Ok(Vec::new());
        }
        let described = self.analytics.describe(&self.caller()?.tenant, sql).await;
        described.map(|schema| fields(&schema, formats)).map_err(|error| failed(&error))
    }

    async fn query(&self, sql: &str, formats: &Formats) -> PgWireResult<Response> {
        if let Some(tag) = habit(sql) {
            return Ok(Response::Execution(Tag::new(tag)));
        }
        let seconds = self.analytics.limits().seconds;
        let ask = Ask { id: None, sql: sql.to_owned(), format: Format::Arrow, rows: None, seconds };
        let rows = self.analytics.rows(&self.caller()?.tenant, ask).await;
        let rows = rows.map_err(|error| failed(&error))?;
        let fields = Arc::new(fields(&rows.schema, formats));
        let known = Arc::clone(&fields);
        let lines = ReceiverStream::new(rows.batches).flat_map(move |batch| {
            let lines = batch.map_err(|error| failed(&error)).and_then(|b| encode(&b, &known));
            match lines {
                Ok(lines) => stream::iter(lines.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            }
        });
        Ok(Response::Query(QueryResponse::new(fields, lines)))
    }
}

#[async_trait]
impl SimpleQueryHandler for Seat {
    async fn do_query<C>(&self, _: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let query = query.trim().trim_end_matches(';');
        if query.is_empty() {
            return Ok(vec![Response::EmptyQuery]);
        }
        Ok(vec![self.query(query, &Formats::UnifiedText).await?])
    }
}

#[async_trait]
impl ExtendedQueryHandler for Seat {
    type Statement = String;
    type QueryParser = NoopQueryParser;

    fn query_parser(&self) -> Arc<Self::QueryParser> {
        Arc::clone(&self.parser)
    }

    async fn do_query<C>(
        &self,
        _: &mut C,
        portal: &Portal<Self::Statement>,
        _: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if portal.parameter_len() > 0 {
            let text = "parameters are not bound here: write values into the statement";
            return Err(refused("0A000", text.to_owned()));
        }
        let sql = portal.statement.statement.trim().trim_end_matches(';');
        self.query(sql, &portal.result_column_format).await
    }

    async fn do_describe_statement<C>(
        &self,
        _: &mut C,
        statement: &StoredStatement<Self::Statement>,
    ) -> PgWireResult<DescribeStatementResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let sql = statement.statement.trim().trim_end_matches(';');
        let fields = self.describe(sql, &Formats::UnifiedText).await?;
        Ok(DescribeStatementResponse::new(Vec::new(), fields))
    }

    async fn do_describe_portal<C>(
        &self,
        _: &mut C,
        portal: &Portal<Self::Statement>,
    ) -> PgWireResult<DescribePortalResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let sql = portal.statement.statement.trim().trim_end_matches(';');
        let fields = self.describe(sql, &portal.result_column_format).await?;
        Ok(DescribePortalResponse::new(fields))
    }
}

/// The tag that answers what a client says by habit; `None`: it is to be asked.
fn habit(sql: &str) -> Option<&'static str> {
    let lower = sql.to_lowercase();
    let mut words = lower.split_whitespace();
    match words.next()? {
        "begin" | "start" => Some("BEGIN"),
        "commit" | "end" => Some("COMMIT"),
        "rollback" => Some("ROLLBACK"),
        "discard" => Some("DISCARD ALL"),
        "set" => {
            let name = words.find(|word| !matches!(*word, "session" | "local"))?;
            let name = name.split('=').next().unwrap_or_default();
            HABITS.contains(&name).then_some("SET")
        }
        _ => None,
    }
}

fn refused(code: &str, text: String) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), code.to_owned(), text)))
}

/// An error under the code that PostgreSQL's clients know.
fn failed(error: &QueryError) -> PgWireError {
    let code = match error {
        QueryError::Refused(_) => "42601",
        QueryError::TooMuch(_) => "53200",
        QueryError::Busy(_) => "53300",
        QueryError::TooLong(_) | QueryError::Ended => "57014",
        QueryError::Archive(_) | QueryError::NotReady => "57P03",
        QueryError::Failed(_) => "XX000",
    };
    refused(code, error.to_string())
}

/// What a column is to PostgreSQL.
fn pg_type(kind: &DataType) -> Type {
    match kind {
        DataType::Boolean => Type::BOOL,
        kind if kind.is_integer() => Type::INT8,
        kind if kind.is_floating() || kind.is_decimal() => Type::FLOAT8,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        _ => Type::TEXT,
    }
}

fn fields(schema: &Schema, formats: &Formats) -> Vec<FieldInfo> {
    let field = |(i, field): (usize, &Arc<datafusion::arrow::datatypes::Field>)| {
        let kind = pg_type(field.data_type());
        FieldInfo::new(field.name().clone(), None, None, kind, formats.format_for(i))
    };
    schema.fields().iter().enumerate().map(field).collect()
}

/// A column as one of the few types that are told.
fn told(column: &ArrayRef, field: &FieldInfo) -> PgWireResult<ArrayRef> {
    let kind = match *field.datatype() {
        Type::INT8 => DataType::Int64,
        Type::FLOAT8 => DataType::Float64,
        Type::DATE => DataType::Date32,
        Type::TIMESTAMPTZ | Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return Ok(Arc::clone(column)),
    };
    cast(column, &kind).map_err(|error| refused("22003", error.to_string()))
}

fn encode(batch: &RecordBatch, fields: &Arc<Vec<FieldInfo>>) -> PgWireResult<Vec<DataRow>> {
    let columns: PgWireResult<Vec<ArrayRef>> = batch
        .columns()
        .iter()
        .zip(fields.iter())
        .map(|(column, field)| told(column, field))
        .collect();
    let columns = columns?;
    let options = FormatOptions::default();
    let texts: Result<Vec<_>, _> =
        columns.iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect();
    let texts = texts.map_err(|error| refused("XX000", error.to_string()))?;
    let mut encoder = DataRowEncoder::new(Arc::clone(fields));
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        for ((column, field), text) in columns.iter().zip(fields.iter()).zip(&texts) {
            cell(&mut encoder, (column, row), field, text)?;
        }
        rows.push(encoder.take_row());
    }
    Ok(rows)
}

fn cell(
    encoder: &mut DataRowEncoder,
    (column, row): (&ArrayRef, usize),
    field: &FieldInfo,
    text: &ArrayFormatter<'_>,
) -> PgWireResult<()> {
    if column.is_null(row) {
        return encoder.encode_field(&None::<&str>);
    }
    match *field.datatype() {
        Type::BOOL => encoder.encode_field(&column.as_boolean().value(row)),
        Type::INT8 => encoder.encode_field(&column.as_primitive::<Int64Type>().value(row)),
        Type::FLOAT8 => encoder.encode_field(&column.as_primitive::<Float64Type>().value(row)),
        Type::DATE => {
            let date = column.as_primitive::<Date32Type>().value_as_date(row);
            encoder.encode_field(&date)
        }
        Type::TIMESTAMP => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            encoder.encode_field(&column.value_as_datetime(row))
        }
        Type::TIMESTAMPTZ => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            encoder.encode_field(&column.value_as_datetime(row).map(|time| time.and_utc()))
        }
        _ => encoder.encode_field(&text.value(row).to_string().as_str()),
    }
}
