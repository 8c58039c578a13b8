//! Outputs as rows, and rows as columns in memory.
//!
//! Each table's row stands beside its columns of [`super::schema`], cell by cell, in their order.
//! Every row remembers its partition and offset until it is stored: that is what "once" rests on.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use datafusion::arrow::error::ArrowError;
use engine::model::{Body, EtaOutput, Event, Output, PathOutput, PositionOutput};
use engine::record::{canonical, output_from_envelope};
use ingest::id::{OrderId, RouteId, StopId, VehicleKey};
use ingest::log::Record;
use ingest::record::{BadRecord, Envelope, WireFix};
use ingest::time::Timestamp;
use ingest::units::Position;
use serde_json::{Map, Value};

use super::schema::{Column, ETAS, EVENTS, Kind, PATHS, POSITIONS, Table};

/// Where a record lies in `outputs`: partition and offset.
pub(crate) type Place = (u32, u64);

/// One value of a row.
#[derive(Debug, Clone, Copy)]
enum Cell<'a> {
    Text(&'a str),
    Time(i64),
    Flag(bool),
    /// A whole number, or a decimal without its point.
    Number(i64),
    Null,
}

impl<'a> Cell<'a> {
    fn text(value: Option<&'a str>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
    fn time(value: Option<Timestamp>) -> Self {
        value.map_or(Self::Null, |time| Self::Time(time.micros()))
    }
    fn number(value: Option<impl Into<i64>>) -> Self {
        value.map_or(Self::Null, |value| Self::Number(value.into()))
    }
    /// In steps of 1 / `by`.
    fn steps(value: Option<f64>, by: f64) -> Self {
        value.map_or(Self::Null, |value| Self::Number((value * by).round_ties_even() as i64))
    }
}

/// A column that is being filled.
#[derive(Debug)]
enum Filling {
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
    Flag(BooleanBuilder),
    Whole(Int64Builder),
    Decimal(Decimal128Builder),
}

impl Filling {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Word | Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Kind::Flag => Self::Flag(BooleanBuilder::new()),
            Kind::Whole => Self::Whole(Int64Builder::new()),
            Kind::Decimal(digits, scale) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(
                    datafusion::arrow::datatypes::DataType::Decimal128(digits, scale),
                ))
            }
        }
    }

    /// A cell of another kind than the column's is a null: rows and columns stand side by side,
    /// and a test goes through every one of them.
    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Text(column), Cell::Text(value)) => column.append_value(value),
            (Self::Text(column), _) => column.append_null(),
            (Self::Time(column), Cell::Time(value)) => column.append_value(value),
            (Self::Time(column), _) => column.append_null(),
            (Self::Flag(column), Cell::Flag(value)) => column.append_value(value),
            (Self::Flag(column), _) => column.append_null(),
            (Self::Whole(column), Cell::Number(value)) => column.append_value(value),
            (Self::Whole(column), _) => column.append_null(),
            (Self::Decimal(column), Cell::Number(value)) => column.append_value(value.into()),
            (Self::Decimal(column), _) => column.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(column) => Arc::new(column.finish()),
            Self::Time(column) => Arc::new(column.finish()),
            Self::Flag(column) => Arc::new(column.finish()),
            Self::Whole(column) => Arc::new(column.finish()),
            Self::Decimal(column) => Arc::new(column.finish()),
        }
    }
}

/// Rows of one table that are not stored yet.
#[derive(Debug)]
pub(crate) struct Columns {
    table: Table,
    filling: Vec<Filling>,
    places: Vec<Place>,
}

impl Columns {
    fn new(table: Table) -> Self {
        let filling = |column: &Column| Filling::new(column.kind);
        Self { table, filling: table.columns().iter().map(filling).collect(), places: Vec::new() }
    }

    fn push<const N: usize>(&mut self, place: Place, row: [Cell<'_>; N]) {
        for (column, cell) in self.filling.iter_mut().zip(row) {
            column.push(cell);
        }
        self.places.push(place);
    }

    /// What was pushed, in that order, with where each row comes from; empty afterwards.
    fn finish(&mut self) -> Result<Batch, ArrowError> {
        let columns = self.filling.iter_mut().map(Filling::finish).collect();
        let rows = RecordBatch::try_new(self.table.stored(), columns)?;
        Ok(Batch { rows, places: std::mem::take(&mut self.places) })
    }
}

/// Rows as stored, and the record that each came from.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) rows: RecordBatch,
    pub(crate) places: Vec<Place>,
}

/// Rows of every table that are not stored yet.
#[derive(Debug)]
pub(crate) struct Rows {
    tables: [Columns; Table::ALL.len()],
}

impl Default for Rows {
    fn default() -> Self {
        Self { tables: Table::ALL.map(Columns::new) }
    }
}

/// What a record of `outputs` holds.
#[derive(Debug)]
pub(crate) struct Said {
    key: VehicleKey,
    output: Output,
    at: Timestamp,
}

impl Said {
    /// Reads a record; `None` for a tombstone.
    pub(crate) fn read(record: &Record) -> Result<Option<Self>, BadRecord> {
        let Some(value) = record.value.clone() else { return Ok(None) };
        let key = VehicleKey::parse(&record.key).map_err(|e| BadRecord::Value(e.to_string()))?;
        let envelope = Envelope::decode(value)?;
        Ok(Some(Self { key, output: output_from_envelope(&envelope)?, at: envelope.received_at }))
    }

    /// Where its rows go.
    pub(crate) const fn table(&self) -> Table {
        match self.output.body {
            Body::Position(_) => Table::Positions,
            Body::Path(_) => Table::Paths,
            Body::Eta(_) => Table::Etas,
            Body::Event(_) => Table::Events,
        }
    }
}

impl Rows {
    /// Adds the rows of one output.
    pub(crate) fn push(&mut self, place: Place, said: &Said) {
        let columns = &mut self.tables[said.table() as usize];
        let who = Who { key: &said.key, seq: said.output.seq as i64, at: said.at };
        match &said.output.body {
            Body::Position(position) => push_position(columns, place, &who, position),
            Body::Path(path) => push_path(columns, place, &who, path),
            Body::Eta(eta) => push_eta(columns, place, &who, eta),
            Body::Event(event) => push_event(columns, place, &who, event),
        }
    }

    /// How many rows there are in all.
    pub(crate) fn len(&self) -> usize {
        self.tables.iter().map(|columns| columns.places.len()).sum()
    }

    /// A table's rows; none are left of it.
    pub(crate) fn take(&mut self, table: Table) -> Result<Batch, ArrowError> {
        self.tables[table as usize].finish()
    }
}

/// Who said something, as which number, when.
struct Who<'a> {
    key: &'a VehicleKey,
    seq: i64,
    at: Timestamp,
}

impl Who<'_> {
    /// The cells that lead every row.
    fn cells(&self, time: Timestamp) -> [Cell<'_>; 4] {
        [
            Cell::Text(self.key.tenant.as_str()),
            Cell::Text(self.key.vehicle.as_str()),
            Cell::Time(time.micros()),
            Cell::Number(self.seq),
        ]
    }
}

/// Latitude and longitude in steps of 10^-6 degrees.
fn degrees(position: Position) -> (Cell<'static>, Cell<'static>) {
    let (lng, lat) = position.to_e7();
    (micro(lat), micro(lng))
}

/// The nearest step of 10^-6 degrees, of two the one away from zero.
fn micro(e7: i32) -> Cell<'static> {
    let e7 = i64::from(e7);
    Cell::Number((e7 + 5 * e7.signum()) / 10)
}

fn push_position(columns: &mut Columns, place: Place, who: &Who<'_>, said: &PositionOutput) {
    // Only what has a place is a position.
    let Some(fix) = &said.input.report.fix else { return };
    let (report, fix) = (&said.input.report, WireFix::from(fix));
    let pid = said.input.pid.to_string();
    let own_time = report.time.filter(|time| *time != said.input.time);
    let matched = said.matched.as_ref();
    let (on_lat, on_lng) = matched.map_or((Cell::Null, Cell::Null), |m| degrees(m.position));
    let attributes = canonical::attributes(&report.attributes).map(|all| all.to_string());
    let [tenant, vehicle, time, seq] = who.cells(said.input.time);
    let row: [Cell<'_>; POSITIONS.len()] = [
        tenant,
        vehicle,
        time,
        seq,
        Cell::Text(&pid),
        Cell::Time(said.input.received_at.micros()),
        Cell::Text(report.device.as_str()),
        Cell::Text(&said.input.protocol),
        Cell::time(own_time),
        Cell::Flag(fix.valid),
        micro(fix.lat_e7),
        micro(fix.lng_e7),
        Cell::number(fix.altitude_cm),
        Cell::number(fix.speed_mm_s),
        Cell::number(fix.heading_cdeg),
        Cell::number(fix.accuracy_cm),
        on_lat,
        on_lng,
        Cell::number(matched.map(|m| m.way)),
        Cell::steps(matched.map(|m| m.offset_m), 100.0),
        Cell::steps(matched.map(|m| m.confidence), 1_000.0),
        Cell::Flag(said.backfill),
        Cell::text(said.route.as_ref().map(RouteId::as_str)),
        Cell::Number(said.world as i64),
        report.checksum_ok.map_or(Cell::Null, Cell::Flag),
        Cell::text(attributes.as_deref()),
    ];
    columns.push(place, row);
}

fn push_path(columns: &mut Columns, place: Place, who: &Who<'_>, path: &PathOutput) {
    for (i, edge) in (0..).zip(&path.edges) {
        let [tenant, vehicle, time, seq] = who.cells(edge.entered);
        let row: [Cell<'_>; PATHS.len()] = [
            tenant,
            vehicle,
            time,
            seq,
            Cell::Number(i),
            Cell::Number(edge.way),
            Cell::Number(edge.from_node),
            Cell::Number(edge.to_node),
            Cell::Flag(path.gap && i == 0),
            Cell::text(path.route.as_ref().map(RouteId::as_str)),
        ];
        columns.push(place, row);
    }
}

fn push_eta(columns: &mut Columns, place: Place, who: &Who<'_>, eta: &EtaOutput) {
    for (i, stop) in eta.stops.iter().enumerate() {
        let planned = eta.planned.get(i);
        let window = planned.and_then(|planned| planned.window);
        let (lat, lng) = planned.map_or((Cell::Null, Cell::Null), |p| degrees(p.position));
        let causes = (!stop.causes.is_empty()).then(|| canonical::causes(&stop.causes).to_string());
        let [tenant, vehicle, time, seq] = who.cells(who.at);
        let row: [Cell<'_>; ETAS.len()] = [
            tenant,
            vehicle,
            time,
            seq,
            Cell::Text(eta.route.as_str()),
            Cell::Number(eta.version as i64),
            Cell::Text(stop.stop.as_str()),
            Cell::Text(stop.order.as_str()),
            Cell::number(eta.whole.then_some(i as i64)),
            Cell::Text(stop.state.name()),
            Cell::time(stop.times.map(|times| times.p10)),
            Cell::time(stop.times.map(|times| times.p50)),
            Cell::time(stop.times.map(|times| times.p90)),
            Cell::steps(stop.metres, 1.0),
            Cell::steps(stop.miss, 100.0),
            Cell::Number(stop.moved_s),
            Cell::text(causes.as_deref()),
            lat,
            lng,
            Cell::time(window.map(|window| window.from)),
            Cell::time(window.map(|window| window.to)),
            Cell::steps(planned.map(|planned| planned.service_s), 1_000.0),
        ];
        columns.push(place, row);
    }
}

fn push_event(columns: &mut Columns, place: Place, who: &Who<'_>, event: &Event) {
    let mut detail = Map::new();
    if let Some(device) = &event.device {
        detail.insert("device".to_owned(), device.as_str().into());
    }
    if let Some(proposal) = &event.proposal {
        detail.insert("proposal".to_owned(), canonical::proposal(proposal));
    }
    let detail = (!detail.is_empty()).then(|| Value::Object(detail).to_string());
    let [tenant, vehicle, time, seq] = who.cells(event.at);
    let row: [Cell<'_>; EVENTS.len()] = [
        tenant,
        vehicle,
        time,
        seq,
        Cell::Time(who.at.micros()),
        Cell::Text(event.kind.name()),
        Cell::Flag(event.overdue),
        Cell::text(event.route.as_ref().map(RouteId::as_str)),
        Cell::text(event.stop.as_ref().map(StopId::as_str)),
        Cell::text(event.order.as_ref().map(OrderId::as_str)),
        Cell::number(event.expected_late_s),
        Cell::steps(event.probability, 100.0),
        Cell::text(event.cause.as_deref()),
        Cell::text(event.by.as_deref()),
        Cell::text(detail.as_deref()),
    ];
    columns.push(place, row);
}
