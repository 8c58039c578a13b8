//! Vehicles, devices and routes of a tenant as tables: what people said, as of now.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionContext;
use ingest::id::TenantId;

use super::QueryError;
use crate::store::{Store, StoreError, devices, routes, vehicles};

/// Rows of each that a query sees at most; a fleet is smaller.
const ROWS_MAX: usize = 100_000;

/// Makes those of the tables `vehicles`, `devices` and `routes` that are named.
pub(super) fn register(
    context: &SessionContext,
    operations: &Store,
    tenant: &TenantId,
    is_named: impl Fn(&str) -> bool,
) -> Result<(), QueryError> {
    let failed = |error: StoreError| QueryError::Failed(error.to_string());
    if is_named("vehicles") {
        let rows = operations.read(|c| vehicles::list(c, tenant, "", ROWS_MAX)).map_err(failed)?;
        context.register_table("vehicles", table(of_vehicles(&rows))?)?;
    }
    if is_named("devices") {
        let rows = operations.read(|c| devices::list(c, tenant, "", ROWS_MAX)).map_err(failed)?;
        context.register_table("devices", table(of_devices(&rows))?)?;
    }
    if is_named("routes") {
        let rows = operations.read(|c| routes::list(c, tenant, None, ("", ROWS_MAX)));
        context.register_table("routes", table(of_routes(&rows.map_err(failed)?))?)?;
    }
    Ok(())
}

/// A column and its name.
pub(super) type Named = (&'static str, ArrayRef);

/// A table that is there in memory.
pub(super) fn table(columns: Vec<Named>) -> Result<Arc<MemTable>, DataFusionError> {
    let field = |(name, column): &Named| Field::new(*name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
}

/// A column of text.
pub(super) fn text<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringViewArray>())
}

/// A column of times, from microseconds.
pub(super) fn time(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn of_vehicles(rows: &[vehicles::VehicleRow]) -> Vec<Named> {
    vec![
        ("vehicle", text(rows.iter().map(|row| Some(&row.vehicle)))),
        ("name", text(rows.iter().map(|row| Some(&row.body.name)))),
        ("profile", text(rows.iter().map(|row| Some(&row.body.profile)))),
        ("time_zone", text(rows.iter().map(|row| Some(&row.body.time_zone)))),
    ]
}

fn of_devices(rows: &[devices::DeviceRow]) -> Vec<Named> {
    let newest = |row: &devices::DeviceRow| row.assignments.last().cloned();
    vec![
        ("device", text(rows.iter().map(|row| Some(&row.device)))),
        ("vehicle", text(rows.iter().map(|row| newest(row).and_then(|(_, vehicle)| vehicle)))),
        ("valid_from", time(rows.iter().map(|row| newest(row).map(|(from, _)| from)))),
        ("protocols", text(rows.iter().map(|row| Some(row.protocols.join(" "))))),
    ]
}

fn of_routes(rows: &[routes::RouteRow]) -> Vec<Named> {
    let number = |of: fn(&routes::RouteRow) -> f64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<Float64Array>())
    };
    let whole = |of: fn(&routes::RouteRow) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<Int64Array>())
    };
    vec![
        ("route", text(rows.iter().map(|row| Some(&row.route)))),
        ("version", whole(|row| row.version as i64)),
        ("vehicle", text(rows.iter().map(|row| Some(&row.vehicle)))),
        ("shift_from", time(rows.iter().map(|row| Some(row.body.shift.0)))),
        ("shift_to", time(rows.iter().map(|row| Some(row.body.shift.1)))),
        ("time_zone", text(rows.iter().map(|row| Some(&row.body.time_zone)))),
        ("depot_lat", number(|row| row.body.depot.lat)),
        ("depot_lng", number(|row| row.body.depot.lng)),
        ("stops", whole(|row| row.body.stops.len() as i64)),
    ]
}
