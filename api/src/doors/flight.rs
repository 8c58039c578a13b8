//! Arrow Flight SQL: statements and prepared statements without parameters, and the tables there
//! are. A call carries `authorization: Bearer KEY`; a handshake with any user and the key as the
//! password answers with the same.

use std::pin::Pin;
use std::sync::Arc;

use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, CommandGetCatalogs, CommandGetDbSchemas,
    CommandGetTableTypes, CommandGetTables, CommandPreparedStatementQuery, CommandStatementQuery,
    DoPutPreparedStatementResult, ProstMessageExt as _, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse,
    IpcMessage, SchemaAsIpc, Ticket,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::writer::IpcWriteOptions;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::Known;
use crate::analytics::{Analytics, Ask, Format, QueryError};
use crate::auth::Caller;

/// Largest message that is read, bytes; a statement.
const MESSAGE_MAX: usize = 1 << 20;

/// Serves until `closing` turns true.
pub(super) async fn serve(
    listener: TcpListener,
    analytics: Arc<Analytics>,
    known: Known,
    mut closing: watch::Receiver<bool>,
) {
    let service =
        FlightServiceServer::new(Desk { analytics, known }).max_decoding_message_size(MESSAGE_MAX);
    let closed = async move {
        // An error means that the sender is gone, which is closed too.
        drop(closing.wait_for(|closing| *closing).await);
    };
    let served = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), closed)
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the door for Flight SQL has closed");
    }
}

/// Who answers calls.
struct Desk {
    analytics: Arc<Analytics>,
    known: Known,
}

type Call<T> = Result<Response<T>, Status>;
type Flight = <Desk as FlightService>::DoGetStream;

impl Desk {
    fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let given = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let key = given.and_then(|value| value.strip_prefix("Bearer "));
        key.and_then(|key| self.known.caller(key.trim()))
            .ok_or_else(|| Status::unauthenticated("expected `authorization: Bearer KEY`"))
    }

    async fn describe(&self, caller: &Caller, sql: &str) -> Result<SchemaRef, Status> {
        self.analytics.describe(&caller.tenant, sql).await.map_err(|error| status(&error))
    }

    /// How a statement's rows are fetched: by its text.
    async fn info(
        &self,
        caller: &Caller,
        sql: String,
        descriptor: FlightDescriptor,
    ) -> Call<FlightInfo> {
        let schema = self.describe(caller, &sql).await?;
        let ticket = TicketStatementQuery { statement_handle: sql.into_bytes().into() };
        let endpoint =
            FlightEndpoint::new().with_ticket(Ticket::new(ticket.as_any().encode_to_vec()));
        let info = FlightInfo::new()
            .try_with_schema(&schema)
            .map_err(|error| Status::internal(error.to_string()))?
            .with_endpoint(endpoint)
            .with_descriptor(descriptor);
        Ok(Response::new(info))
    }

    async fn fetch(&self, caller: &Caller, handle: &[u8]) -> Call<Flight> {
        let sql = text(handle)?;
        let limits = self.analytics.limits();
        let ask = Ask {
            id: None,
            sql,
            format: Format::Arrow,
            rows: None,
            seconds: limits.export_seconds,
        };
        let rows = self.analytics.rows(&caller.tenant, ask).await.map_err(|e| status(&e))?;
        let batches = ReceiverStream::new(rows.batches)
            .map_err(|error| FlightError::Tonic(Box::new(status(&error))));
        Ok(Response::new(encode(rows.schema, batches)))
    }
}

fn encode(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<datafusion::arrow::array::RecordBatch, FlightError>>
    + Send
    + 'static,
) -> Flight {
    let encoded = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Box::pin(encoded.map_err(Status::from))
}

fn text(bytes: &[u8]) -> Result<String, Status> {
    String::from_utf8(bytes.to_vec())
        .map_err(|error| Status::invalid_argument(format!("statement is not UTF-8: {error}")))
}

fn status(error: &QueryError) -> Status {
    let text = error.to_string();
    match error {
        QueryError::Refused(_) => Status::invalid_argument(text),
        QueryError::TooMuch(_) | QueryError::Busy(_) => Status::resource_exhausted(text),
        QueryError::TooLong(_) => Status::deadline_exceeded(text),
        QueryError::Ended => Status::cancelled(text),
        QueryError::Archive(_) | QueryError::NotReady => Status::unavailable(text),
        QueryError::Failed(_) => Status::internal(text),
    }
}

/// A command's own ticket: what is asked of catalogues is computed when it is fetched.
fn own_ticket(
    command: &impl arrow_flight::sql::ProstMessageExt,
    schema: &SchemaRef,
) -> Call<FlightInfo> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(command.as_any().encode_to_vec()));
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(|error| Status::internal(error.to_string()))?
        .with_endpoint(endpoint);
    Ok(Response::new(info))
}

#[tonic::async_trait]
impl FlightSqlService for Desk {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Call<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>> {
        let expected =
            || Status::unauthenticated("expected basic authorization, the key as password");
        let given = request.metadata().get("authorization").and_then(|v| v.to_str().ok());
        let basic = given.and_then(|v| v.strip_prefix("Basic ")).ok_or_else(expected)?;
        let decoded = BASE64.decode(basic).map_err(|_bad| expected())?;
        let decoded = String::from_utf8(decoded).map_err(|_bad| expected())?;
        let key = decoded.split_once(':').map(|(_, key)| key.to_owned()).ok_or_else(expected)?;
        self.known.caller(&key).ok_or_else(expected)?;
        let answer = HandshakeResponse { protocol_version: 0, payload: key.clone().into() };
        let answers = stream::once(std::future::ready(Ok(answer)));
        let mut response: Response<Pin<Box<dyn Stream<Item = _> + Send>>> =
            Response::new(Box::pin(answers));
        let bearer = format!("Bearer {key}").parse().map_err(|_bad| expected())?;
        response.metadata_mut().insert("authorization", bearer);
        std::future::ready(Ok(response)).await
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Call<FlightInfo> {
        let caller = self.caller(request.metadata())?;
        self.info(&caller, query.query, request.into_inner()).await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Call<Flight> {
        let caller = self.caller(request.metadata())?;
        self.fetch(&caller, &ticket.statement_handle).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let caller = self.caller(request.metadata())?;
        let schema = self.describe(&caller, &query.query).await?;
        let IpcMessage(schema) = SchemaAsIpc::new(&schema, &IpcWriteOptions::default())
            .try_into()
            .map_err(|error| Status::internal(format!("{error:?}")))?;
        Ok(ActionCreatePreparedStatementResult {
            // A statement is its text: nothing is kept for it.
            prepared_statement_handle: query.query.into_bytes().into(),
            dataset_schema: schema,
            parameter_schema: Bytes::new(),
        })
    }

    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        std::future::ready(self.caller(request.metadata()).map(drop)).await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Call<FlightInfo> {
        let caller = self.caller(request.metadata())?;
        let sql = text(&query.prepared_statement_handle)?;
        self.info(&caller, sql, request.into_inner()).await
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Call<Flight> {
        let caller = self.caller(request.metadata())?;
        self.fetch(&caller, &query.prepared_statement_handle).await
    }

    async fn do_put_prepared_statement_query(
        &self,
        _: CommandPreparedStatementQuery,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let text = "parameters are not bound here: write values into the statement";
        std::future::ready(Err(Status::unimplemented(text))).await
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Call<FlightInfo> {
        self.caller(request.metadata())?;
        let schema = query.into_builder().schema();
        std::future::ready(own_ticket(&query, &schema)).await
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<Ticket>,
    ) -> Call<Flight> {
        self.caller(request.metadata())?;
        let mut builder = query.into_builder();
        builder.append("milepost");
        let (schema, batch) = (builder.schema(), builder.build());
        std::future::ready(Ok(one(schema, batch))).await
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Call<FlightInfo> {
        self.caller(request.metadata())?;
        let schema = query.clone().into_builder().schema();
        std::future::ready(own_ticket(&query, &schema)).await
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<Ticket>,
    ) -> Call<Flight> {
        self.caller(request.metadata())?;
        let mut builder = query.into_builder();
        builder.append("milepost", "public");
        let (schema, batch) = (builder.schema(), builder.build());
        std::future::ready(Ok(one(schema, batch))).await
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Call<FlightInfo> {
        self.caller(request.metadata())?;
        let schema = query.clone().into_builder().schema();
        std::future::ready(own_ticket(&query, &schema)).await
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        request: Request<Ticket>,
    ) -> Call<Flight> {
        let caller = self.caller(request.metadata())?;
        let mut builder = query.into_builder();
        let tables = self.analytics.schemas(&caller.tenant).await.map_err(|e| status(&e))?;
        for (name, schema) in tables {
            builder
                .append("milepost", "public", name, "TABLE", &schema)
                .map_err(|error| Status::internal(error.to_string()))?;
        }
        let (schema, batch) = (builder.schema(), builder.build());
        Ok(one(schema, batch))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Call<FlightInfo> {
        self.caller(request.metadata())?;
        let schema = query.into_builder().schema();
        std::future::ready(own_ticket(&query, &schema)).await
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<Ticket>,
    ) -> Call<Flight> {
        self.caller(request.metadata())?;
        let mut builder = query.into_builder();
        builder.append("TABLE");
        let (schema, batch) = (builder.schema(), builder.build());
        std::future::ready(Ok(one(schema, batch))).await
    }

    async fn do_get_fallback(&self, request: Request<Ticket>, message: Any) -> Call<Flight> {
        self.caller(request.metadata())?;
        let text = format!("`{}` is not offered", message.type_url);
        std::future::ready(Err(Status::unimplemented(text))).await
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {
        std::future::ready(()).await;
    }
}

fn one(
    schema: SchemaRef,
    batch: Result<datafusion::arrow::array::RecordBatch, FlightError>,
) -> Response<Flight> {
    let batches = stream::once(std::future::ready(batch));
    Response::new(encode(schema, batches.boxed()))
}
