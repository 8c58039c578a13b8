//! The side door for operators: `/livez`, `/readyz`, `/metrics`.
//!
//! On loopback anybody may read them; bound elsewhere they need an admin's key.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::problem::Problem;
use crate::serve::StartError;
use crate::store::keys::{self, Role};
use crate::store::{Store, StoreError};

/// What Prometheus reads.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why a part cannot do its work, or nothing.
pub type Readiness = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the server answers from.
pub struct Checks {
    /// By part (`gateway`, `engine`, `api`): all must be ready.
    pub ready: Vec<(&'static str, Readiness)>,
    /// Everything that is counted.
    pub registry: Registry,
    /// Directory of the operations store, whose admins may look from elsewhere. `None`: nobody
    /// may, so that an address beyond loopback is refused.
    pub keys: Option<std::path::PathBuf>,
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<_> = self.ready.iter().map(|(name, _)| name).collect();
        f.debug_struct("Checks").field("ready", &parts).finish_non_exhaustive()
    }
}

struct Door {
    checks: Checks,
    /// Where a key is needed.
    store: Option<Store>,
}

/// The running server.
#[derive(Debug)]
pub struct Ops {
    address: SocketAddr,
    closing: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
}

impl Ops {
    /// Binds and serves. Needs a tokio runtime.
    pub async fn start(listen: SocketAddr, checks: Checks) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { address: listen, source };
        let store = if listen.ip().is_loopback() {
            None
        } else {
            let data = checks.keys.as_ref().ok_or(StartError::OpenElsewhere(listen))?;
            Some(Store::open(data)?)
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let door = Arc::new(Door { checks, store });
        let router = Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .layer(middleware::from_fn_with_state(Arc::clone(&door), admit))
            .with_state(Arc::clone(&door));
        let closing = watch::Sender::new(false);
        let mut closed = closing.subscribe();
        let server = tokio::spawn(async move {
            // An error means that the sender is gone, which is closed too.
            let closed = async move { drop(closed.wait_for(|closing| *closing).await) };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(closed).await {
                tracing::error!(%error, "the operations server has stopped");
            }
            if let Some(store) = &door.store {
                store.close();
            }
        });
        Ok(Self { address, closing, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it.
    pub async fn stop(self) {
        self.closing.send_replace(true);
        if self.server.await.is_err() {
            tracing::error!("the operations server panicked");
        }
    }
}

async fn admit(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let Some(store) = &door.store else { return next.run(request).await };
    let value = request.headers().get(header::AUTHORIZATION);
    let key = value.and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let found = key.map_or(Ok(None), |key| store.read(|c| keys::find(c, key)));
    match found {
        Ok(Some(key)) if key.role == Role::Admin => next.run(request).await,
        Ok(Some(_)) => Problem::forbidden("expected an admin's key".to_owned()).into_response(),
        Ok(None) => Problem::no_key().into_response(),
        Err::<_, StoreError>(error) => Problem::from(error).into_response(),
    }
}

/// 200 when every part can do its work, else 503 with what holds it up, a line each.
async fn readyz(State(door): State<Arc<Door>>) -> Response {
    let mut reasons = String::new();
    for (part, ready) in &door.checks.ready {
        if let Err(reason) = ready() {
            reasons.extend([*part, ": ", &reason, "\n"]);
        }
    }
    let answer = if reasons.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, reasons)
    };
    std::future::ready(answer.into_response()).await
}

async fn metrics(State(door): State<Arc<Door>>) -> Response {
    let mut text = String::new();
    let answer = match encode(&mut text, &door.checks.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    std::future::ready(answer).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use ingest::id::TenantId;
    use ingest::time::Timestamp;

    use super::*;
    use crate::Metrics;

    fn ask(address: SocketAddr, path: &str, key: Option<&str>) -> (u16, String) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.get(format!("http://{address}{path}"));
        if let Some(key) = key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let mut answer = request.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    fn checks(well: &Arc<AtomicBool>, keys: Option<std::path::PathBuf>) -> Checks {
        let mut registry = Registry::default();
        Metrics::default().register(&mut registry);
        let well = Arc::clone(well);
        let ready = move || {
            if well.load(Ordering::Relaxed) { Ok(()) } else { Err("not yet".to_owned()) }
        };
        Checks { ready: vec![("engine", Box::new(ready))], registry, keys }
    }

    #[test]
    fn readiness_and_metrics_are_told() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let well = Arc::new(AtomicBool::new(false));
        let listen = "127.0.0.1:0".parse().unwrap();
        let ops = runtime.block_on(Ops::start(listen, checks(&well, None))).unwrap();
        let address = ops.address();
        assert_eq!(ask(address, "/livez", None).0, 200);
        assert_eq!(ask(address, "/readyz", None), (503, "engine: not yet\n".to_owned()));
        well.store(true, Ordering::Relaxed);
        assert_eq!(ask(address, "/readyz", None).0, 200);
        let text = ask(address, "/metrics", None).1;
        assert!(text.contains("milepost_engine_packet_to_live_seconds_count 0"), "{text}");
        runtime.block_on(ops.stop());
    }

    #[test]
    fn beyond_loopback_it_takes_an_admins_key() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let well = Arc::new(AtomicBool::new(true));
        let listen = "0.0.0.0:0".parse().unwrap();
        assert!(runtime.block_on(Ops::start(listen, checks(&well, None))).is_err());
        let data = std::env::temp_dir().join(format!("milepost-ops-{}", std::process::id()));
        let store = Store::open(&data).unwrap();
        let (tenant, now) = (TenantId::new("acme").unwrap(), Timestamp::from_seconds(1));
        let made = store.write(move |c| {
            let admin = keys::create(c, &tenant, Role::Admin, now)?;
            Ok::<_, StoreError>((admin, keys::create(c, &tenant, Role::Viewer, now)?))
        });
        let (admin, viewer) = runtime.block_on(made).unwrap();
        let started = Ops::start(listen, checks(&well, Some(data.clone())));
        let ops = runtime.block_on(started).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], ops.address().port()));
        let status = |key| ask(address, "/readyz", key).0;
        assert_eq!((status(None), status(Some(&viewer)), status(Some(&admin))), (401, 403, 200));
        runtime.block_on(ops.stop());
        store.close();
        drop(std::fs::remove_dir_all(&data));
    }
}
