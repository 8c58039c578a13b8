//! The HTTP side: registering a fleet, and asking what became of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ingest::id::{TenantId, percent_encoded};
use ingest::time::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;

use crate::drive::Van;
use crate::drive::shift::Shift;

/// Requests at the same time while a fleet is registered.
const REGISTER_THREADS: usize = 24;
/// Tries of one request that the server cannot take now.
const TRIES_MAX: u32 = 8;
/// Longest answer, bytes: a page of 1,000 events.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;

/// What went wrong with the API.
#[derive(Debug, Error)]
pub enum ApiError {
    /// No answer.
    #[error("{method} {url}: {source}")]
    Unreachable {
        /// GET or PUT.
        method: &'static str,
        /// What was asked.
        url: String,
        /// Why not.
        source: Box<ureq::Error>,
    },
    /// An answer that is not success.
    #[error("{method} {url}: status `{status}`, expected success: {body}")]
    Refused {
        /// GET or PUT.
        method: &'static str,
        /// What was asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// The problem document, cut to 400 characters.
        body: String,
    },
}

impl ApiError {
    /// Whether the same request may succeed later.
    fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
        }
    }
}

/// A client of the API; shared by threads.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    key: Option<String>,
}

impl Client {
    /// `base` is the API's address, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .max_idle_connections_per_host(REGISTER_THREADS)
            .max_idle_connections(REGISTER_THREADS);
        let base = base.trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base).to_owned();
        Self { agent: config.build().into(), base, key: key.map(str::to_owned) }
    }

    /// Reads a resource below `/v1`.
    pub fn get(&self, path: &str) -> Result<Value, ApiError> {
        let text = self.get_text(path)?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Whose key it is; `None` where the API does not say.
    pub fn tenant(&self) -> Result<Option<TenantId>, ApiError> {
        let session = self.get("/session")?;
        Ok(session["tenant"].as_str().and_then(|tenant| TenantId::new(tenant).ok()))
    }

    /// Reads a resource below `/v1` as it is.
    pub fn get_text(&self, path: &str) -> Result<String, ApiError> {
        self.again("GET", path, |url| {
            let accept = "application/x-ndjson, application/json;q=0.9";
            let mut request = self.agent.get(url).header("accept", accept);
            if let Some(key) = &self.key {
                request = request.header("authorization", format!("Bearer {key}"));
            }
            request.call()
        })
    }

    /// Puts a resource below `/v1`.
    pub fn put(&self, path: &str, body: &Value) -> Result<(), ApiError> {
        self.again("PUT", path, |url| {
            let mut request = self.agent.put(url);
            if let Some(key) = &self.key {
                request = request.header("authorization", format!("Bearer {key}"));
            }
            request.send_json(body)
        })
        .map(|_| ())
    }

    /// Posts to a resource below `/v1`; its answer.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        let text = self.again("POST", path, |url| {
            let mut request = self.agent.post(url);
            if let Some(key) = &self.key {
                request = request.header("authorization", format!("Bearer {key}"));
            }
            request.send_json(body)
        })?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn again(
        &self,
        method: &'static str,
        path: &str,
        call: impl Fn(&str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<String, ApiError> {
        let url = format!("{}/v1{path}", self.base);
        let mut tries = 0;
        loop {
            tries += 1;
            match once(method, &url, &call) {
                Err(error) if error.is_retryable() && tries < TRIES_MAX => {
                    std::thread::sleep(Duration::from_millis(50 << tries));
                }
                other => return other,
            }
        }
    }

    /// Registers vehicles, devices and routes, many at a time.
    pub fn register(&self, vans: &[Van], start: Timestamp) -> Result<(), ApiError> {
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let work = || {
            while let Some(van) = vans.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut failed = match self.register_van(van, start) {
                    Ok(()) => continue,
                    Err(error) => (failed.lock().unwrap_or_else(PoisonError::into_inner), error),
                };
                failed.0.get_or_insert(failed.1);
                next.store(vans.len(), Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..REGISTER_THREADS.min(vans.len()) {
                scope.spawn(work);
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn register_van(&self, van: &Van, start: Timestamp) -> Result<(), ApiError> {
        let vehicle = van.vehicle.as_str();
        let name = format!("Van {}", van.number + 1);
        let body = json!({"name": name, "profile": "van", "time_zone": "UTC"});
        self.put(&format!("/vehicles/{vehicle}"), &body)?;
        let protocol = van.protocol.split('/').next();
        let body = json!({"vehicle": vehicle, "protocols": [protocol]});
        self.put(&format!("/devices/{}", percent_encoded(&van.device)), &body)?;
        self.put_route(vehicle, &van.shift, start)
    }

    /// Puts a vehicle's route.
    pub fn put_route(
        &self,
        vehicle: &str,
        shift: &Shift,
        start: Timestamp,
    ) -> Result<(), ApiError> {
        self.put(&format!("/routes/{}", shift.route), &route_json(vehicle, shift, start))
    }
}

fn once(
    method: &'static str,
    url: &str,
    call: &impl Fn(&str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<String, ApiError> {
    let unreachable =
        |source| ApiError::Unreachable { method, url: url.to_owned(), source: Box::new(source) };
    let mut response = call(url).map_err(unreachable)?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(ANSWER_MAX).read_to_string();
    let text = text.map_err(unreachable)?;
    if (200..300).contains(&status) {
        return Ok(text);
    }
    let body = text.chars().take(400).collect();
    Err(ApiError::Refused { method, url: url.to_owned(), status, body })
}

/// Languages of the customers, in turn.
const LANGUAGES: [&str; 6] = ["en", "de", "es", "pt", "fr", "ar"];

fn route_json(vehicle: &str, shift: &Shift, start: Timestamp) -> Value {
    let route = shift.to_route(start, 1);
    let stop = |(k, stop): (usize, &engine::model::Stop)| {
        let mut json = json!({
            "id": stop.id.as_str(),
            "order": stop.order.as_str(),
            "lat": stop.position.lat,
            "lng": stop.position.lng,
            "service_s": stop.service_s,
            "name": format!("Stop {}", k + 1),
            "contact": {
                "email": format!("{}@example.com", stop.order.as_str()),
                "language": LANGUAGES[k % LANGUAGES.len()],
            },
        });
        if let Some(window) = stop.window {
            json["window"] = json!({"from": window.from.to_string(), "to": window.to.to_string()});
        }
        json
    };
    json!({
        "vehicle": vehicle,
        "depot": {"lat": route.depot.lat, "lng": route.depot.lng},
        "shift": {"start": route.shift.from.to_string(), "end": route.shift.to.to_string()},
        "time_zone": route.time_zone,
        "stops": route.stops.iter().enumerate().map(stop).collect::<Vec<_>>(),
    })
}
