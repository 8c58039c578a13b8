//! Reports, as documents, tables and workbooks.

#![expect(unused_qualifications, reason = "utoipa spells out the type of the parameters")]

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use ingest::time::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::sql::{analytics, respond};
use super::{Asked, known_vehicle};
use crate::analytics::report::{PERIOD_MAX_S, Period, REPORTS, Report};
use crate::analytics::{Ask, Format};
use crate::app::Shared;
use crate::auth::Reader;
use crate::problem::{Failures, Problem};

/// Period of a report unless asked otherwise, seconds: a week.
const PERIOD_S: f64 = 7.0 * 86_400.0;

/// All reports.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportsOut {
    /// In no order.
    reports: Vec<ReportOut>,
    /// What every report takes.
    parameters: Vec<ParameterOut>,
}

/// A report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportOut {
    /// As its address names it.
    name: &'static str,
    /// What it tells.
    meaning: &'static str,
}

/// A parameter of reports.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParameterOut {
    /// As the address names it.
    name: &'static str,
    /// What it says, and what holds without it.
    meaning: &'static str,
}

const PARAMETERS: [ParameterOut; 5] = [
    ParameterOut { name: "from", meaning: "RFC 3339; absent: a week before `to`" },
    ParameterOut { name: "to", meaning: "RFC 3339, not within the period; absent: now" },
    ParameterOut { name: "vehicle", meaning: "only this vehicle's; absent: all" },
    ParameterOut { name: "zone", meaning: "whose days are meant; absent: UTC" },
    ParameterOut {
        name: "format",
        meaning: "json, jsonl, csv, arrow, parquet or xlsx; absent: json",
    },
];

/// Of what, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The first time; absent: a week before `to`.
    from: Option<String>,
    /// The first time behind the period, at most 367 days after `from`; absent: now.
    to: Option<String>,
    /// Only this vehicle's.
    vehicle: Option<String>,
    /// Whose days are meant, such as `Europe/Lisbon`; absent: UTC.
    zone: Option<String>,
    /// `json`, `jsonl`, `csv`, `arrow`, `parquet` or `xlsx`; absent: `json`.
    format: Option<String>,
}

/// Which reports there are.
#[utoipa::path(get, path = "/reports", tag = "history",
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, body = ReportsOut), Failures))]
pub(crate) async fn list(Reader(_who): Reader) -> Result<Json<ReportsOut>, Problem> {
    let report = |report: Report| ReportOut { name: report.name, meaning: report.meaning };
    let reports = REPORTS.map(report).into();
    std::future::ready(Ok(Json(ReportsOut { reports, parameters: PARAMETERS.into() }))).await
}

/// A report of a period.
#[utoipa::path(get, path = "/reports/{name}", tag = "history",
    params(("name" = String, Path), Which),
    security(("key" = ["admin", "dispatcher", "viewer"])),
    responses((status = 200, description = "Rows as `POST /v1/sql` answers them, or a workbook."),
        Failures))]
pub(crate) async fn get(
    Reader(who): Reader,
    State(app): State<Shared>,
    Path(name): Path<String>,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let report = Report::from_name(&name).ok_or_else(|| Problem::unknown("report", &name))?;
    let period = period(&which, app.now())?;
    let analytics = analytics(&app)?;
    let limits = analytics.limits();
    let format = which.format.as_deref().map_or(Ok(Format::Json), |name| {
        Format::from_name(name).ok_or_else(|| Problem::value("format", name, Format::NAMES))
    })?;
    let ask = Ask {
        id: None,
        sql: report.query(&period),
        format,
        rows: (format == Format::Json).then_some(limits.rows),
        seconds: limits.seconds,
    };
    let mut response = respond(analytics, &who.tenant, ask).await?;
    if which.format.is_some() {
        let file = format!("attachment; filename=\"{}.{}\"", report.name, format.name());
        if let Ok(file) = HeaderValue::from_str(&file) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
        }
    }
    Ok(response)
}

fn period(which: &Which, now: Timestamp) -> Result<Period, Problem> {
    let time = |name: &'static str, text: &Option<String>| {
        let wrong = |text: &str| Problem::value(name, text, "a time of RFC 3339");
        text.as_deref().map(|t| Timestamp::parse(t).map_err(|_bad| wrong(t))).transpose()
    };
    let to = time("to", &which.to)?.unwrap_or(now);
    let from = time("from", &which.from)?.unwrap_or(to.plus_seconds(-PERIOD_S));
    let seconds = to.seconds_since(from);
    if !(seconds > 0.0 && seconds <= PERIOD_MAX_S) {
        let days = PERIOD_MAX_S / 86_400.0;
        let expected = format!("a time before `{to}`, by at most {days} days");
        return Err(Problem::value("from", &from.to_string(), &expected));
    }
    let zone = which.zone.as_deref().unwrap_or("UTC");
    if TimeZone::get(zone).is_err() {
        return Err(Problem::value("zone", zone, "a time zone such as `Europe/Lisbon`"));
    }
    let vehicle = which.vehicle.as_deref().map(known_vehicle).transpose()?;
    Ok(Period { from, to, now, vehicle, zone: zone.to_owned() })
}
