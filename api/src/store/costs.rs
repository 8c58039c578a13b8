//! What lateness costs a tenant.

use ingest::id::TenantId;
use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// What lateness costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    /// Of one minute late at one stop, not negative; 1 unless set.
    pub rate_per_minute: f64,
    /// Code of ISO 4217.
    pub currency: Option<String>,
}

/// What is set, or what holds until then.
pub fn of(connection: &Connection, tenant: &TenantId) -> Result<Costs, StoreError> {
    let row = connection
        .query_row(
            "SELECT rate_per_minute, currency FROM tenants WHERE tenant = ?1",
            params![tenant.as_str()],
            |row| Ok(Costs { rate_per_minute: row.get(0)?, currency: row.get(1)? }),
        )
        .optional()?;
    Ok(row.unwrap_or(Costs { rate_per_minute: 1.0, currency: None }))
}

/// Sets it.
pub fn put(connection: &Connection, tenant: &TenantId, costs: &Costs) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO tenants (tenant, rate_per_minute, currency) VALUES (?1, ?2, ?3)
         ON CONFLICT (tenant) DO UPDATE SET rate_per_minute = ?2, currency = ?3",
        params![tenant.as_str(), costs.rate_per_minute, costs.currency],
    )?;
    Ok(())
}
