//! A vehicle's track out of the archive and what is not in it yet.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, Float64Type, Int64Type, TimestampMicrosecondType,
};
use ingest::id::{TenantId, VehicleId};
use ingest::time::Timestamp;

use super::{Analytics, Ask, Format, QueryError};
use crate::history::Point;

impl Analytics {
    /// Points of a vehicle between two times, by time; at most `limit`, the oldest. Each with its
    /// device.
    pub(crate) async fn track(
        self: &Arc<Self>,
        tenant: &TenantId,
        vehicle: &VehicleId,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
    ) -> Result<Vec<(String, Point)>, QueryError> {
        // An id has letters, digits and `._-`, a time digits: neither can end a literal.
        let sql = format!(
            "SELECT device, time, seq, lat, lng, matched_lat, matched_lng, speed_mps, heading,
                    backfill, valid
             FROM positions
             WHERE vehicle = '{vehicle}' AND time >= TIMESTAMP '{from}' AND time <= TIMESTAMP '{to}'
             ORDER BY time, seq LIMIT {limit}"
        );
        let seconds = self.limits.seconds;
        let ask = Ask { id: None, sql, format: Format::Arrow, rows: None, seconds };
        let mut rows = self.rows(tenant, ask).await?;
        let mut points = Vec::new();
        while let Some(batch) = rows.batches.recv().await {
            points_of(&batch?, &mut points);
        }
        Ok(points)
    }
}

fn points_of(batch: &RecordBatch, points: &mut Vec<(String, Point)>) {
    let column = |i: usize| batch.column(i);
    let devices = column(0).as_string_view();
    let times = column(1).as_primitive::<TimestampMicrosecondType>();
    let seqs = column(2).as_primitive::<Int64Type>();
    let number = |i: usize| column(i).as_primitive::<Float64Type>();
    let (lat, lng, on_lat, on_lng) = (number(3), number(4), number(5), number(6));
    let (speed, heading) = (number(7), number(8));
    let (backfill, valid) = (column(9).as_boolean(), column(10).as_boolean());
    for row in 0..batch.num_rows() {
        let e7 = |column: &PrimitiveArray<Float64Type>| {
            at(column, row).map(|degrees| (degrees * 1e7).round() as i32)
        };
        let (Some(lat), Some(lng)) = (e7(lat), e7(lng)) else { continue };
        let point = Point {
            seq: seqs.value(row) as u64,
            time_us: times.value(row),
            at: (lng, lat),
            matched: e7(on_lng).zip(e7(on_lat)),
            speed: at(speed, row).map(|mps| (mps * 1e3).round() as u32),
            heading: at(heading, row).map(|degrees| (degrees * 100.0).round() as u16),
            backfill: backfill.value(row),
            valid: valid.value(row),
        };
        points.push((devices.value(row).to_owned(), point));
    }
}

fn at<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}
