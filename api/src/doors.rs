//! Doors for analysts beside HTTP: Arrow Flight SQL (ADBC and its drivers) and PostgreSQL's
//! protocol (`psql`, Grafana). Both ask [`crate::analytics`] under the same policy, and both know
//! people by their keys alone.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::analytics::Analytics;
use crate::auth::Caller;
use crate::store::Store;
use crate::store::keys::{self, Role};

mod flight;
mod postgres;

/// Where the doors listen; `None`: this one stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Places {
    /// Arrow Flight SQL.
    pub flight: Option<SocketAddr>,
    /// PostgreSQL's protocol.
    pub postgres: Option<SocketAddr>,
}

/// The open doors.
#[derive(Debug)]
pub(crate) struct Doors {
    /// Transport and address of each.
    pub(crate) listening: Vec<(&'static str, SocketAddr)>,
    tasks: Vec<JoinHandle<()>>,
}

/// Whom the doors know.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) store: Arc<Store>,
}

impl Known {
    /// Whose key it is, where its role may ask.
    pub(crate) fn caller(&self, key: &str) -> Option<Caller> {
        let found = self.store.read(|c| keys::find(c, key)).ok().flatten()?;
        let may = matches!(found.role, Role::Viewer | Role::Dispatcher | Role::Admin);
        may.then_some(Caller {
            tenant: found.tenant,
            role: found.role,
            key: found.id,
            cookie: None,
        })
    }
}

impl Doors {
    /// Opens them. Needs a tokio runtime; they close when `closing` turns true.
    pub(crate) async fn open(
        places: Places,
        analytics: &Arc<Analytics>,
        known: &Known,
        closing: &watch::Sender<bool>,
    ) -> Result<Self, (SocketAddr, std::io::Error)> {
        let mut doors = Self { listening: Vec::new(), tasks: Vec::new() };
        if let Some(place) = places.flight {
            let listener = bind(place).await?;
            let address = listener.local_addr().map_err(|e| (place, e))?;
            doors.listening.push(("flight-sql", address));
            let serve =
                flight::serve(listener, Arc::clone(analytics), known.clone(), closing.subscribe());
            doors.tasks.push(tokio::spawn(serve));
        }
        if let Some(place) = places.postgres {
            let listener = bind(place).await?;
            let address = listener.local_addr().map_err(|e| (place, e))?;
            doors.listening.push(("postgres", address));
            let serve = postgres::serve(
                listener,
                Arc::clone(analytics),
                known.clone(),
                closing.subscribe(),
            );
            doors.tasks.push(tokio::spawn(serve));
        }
        Ok(doors)
    }

    /// Waits until they are closed.
    pub(crate) async fn closed(self) {
        for task in self.tasks {
            if task.await.is_err_and(|error| error.is_panic()) {
                tracing::error!("a door for analysts panicked");
            }
        }
    }
}

async fn bind(place: SocketAddr) -> Result<TcpListener, (SocketAddr, std::io::Error)> {
    TcpListener::bind(place).await.map_err(|error| (place, error))
}
