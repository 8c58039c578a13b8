//! Keys of programs: 256 random bits, stored as their SHA-256, scoped to a tenant and a role.

use std::fmt;
use std::str::FromStr;

use engine::record::digest::hex;
use ingest::id::TenantId;
use ingest::time::Timestamp;
use rand::TryRng;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::StoreError;

/// What somebody may do. The operations of each role stand with the handlers (`auth.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Works one route: its stops and its place.
    Driver,
    /// Sees everything of the tenant, changes nothing.
    Viewer,
    /// Plans, acts, accepts.
    Dispatcher,
    /// Everything, devices and vehicles too.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Driver, Self::Viewer, Self::Dispatcher, Self::Admin];
    /// As JSON and the command line spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Viewer => "viewer",
            Self::Dispatcher => "dispatcher",
            Self::Admin => "admin",
        }
    }
}

/// A text that names no role.
#[derive(Debug, Error)]
#[error("role `{0}` is not one of admin, dispatcher, viewer, driver")]
pub struct NotARole(String);

impl FromStr for Role {
    type Err = NotARole;
    fn from_str(text: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|r| r.name() == text).ok_or_else(|| NotARole(text.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key as the store knows it: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Public part; names the key in `by` and lists.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// What it may do.
    pub role: Role,
}

/// 32 random bytes of the operating system.
pub(crate) fn random_bytes() -> Result<[u8; 32], StoreError> {
    let mut bytes = [0; 32];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|e| StoreError::Value(format!("no random bytes: {e}")))?;
    Ok(bytes)
}

/// Makes a key and returns it; only its hash stays. Form: `mp_<id>_<secret>`, both hex.
pub fn create(
    connection: &Connection,
    tenant: &TenantId,
    role: Role,
    now: Timestamp,
) -> Result<String, StoreError> {
    let (id, secret) = (hex(&random_bytes()?[..6]), hex(&random_bytes()?));
    let key = format!("mp_{id}_{secret}");
    connection
        .execute("INSERT OR IGNORE INTO tenants (tenant) VALUES (?1)", params![tenant.as_str()])?;
    connection.execute(
        "INSERT INTO keys (id, hash, tenant, role, created_us) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, hash(&key).as_slice(), tenant.as_str(), role.name(), now.micros()],
    )?;
    Ok(key)
}

/// Ends a key; its sessions and streams end with it. `false`: there is no such key.
pub fn revoke(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = connection.execute(
        "UPDATE keys SET revoked_us = ?3 WHERE tenant = ?1 AND id = ?2 AND revoked_us IS NULL",
        params![tenant.as_str(), id, now.micros()],
    )?;
    connection.execute("DELETE FROM sessions WHERE key = ?1", params![id])?;
    Ok(done > 0)
}

/// Keys of a tenant that are not revoked, by id.
pub fn list(connection: &Connection, tenant: &TenantId) -> Result<Vec<StoredKey>, StoreError> {
    let mut select = connection
        .prepare("SELECT id FROM keys WHERE tenant = ?1 AND revoked_us IS NULL ORDER BY id")?;
    let ids: Vec<String> = select
        .query_map(params![tenant.as_str()], |row| row.get(0))?
        .collect::<Result<_, rusqlite::Error>>()?;
    ids.iter().filter_map(|id| by_id(connection, id).transpose()).collect()
}

/// Whether there is any key at all; the first start makes one.
pub fn any(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection.query_row("SELECT EXISTS (SELECT 1 FROM keys)", [], |row| row.get(0))?)
}

/// The key that was presented, unless it is unknown or revoked. Compares hashes, whose bytes an
/// attacker cannot steer, so the time of the comparison tells nothing.
pub fn find(connection: &Connection, presented: &str) -> Result<Option<StoredKey>, StoreError> {
    let Some((id, _)) = presented.strip_prefix("mp_").and_then(|rest| rest.split_once('_')) else {
        return Ok(None);
    };
    let stored: Option<Vec<u8>> = connection
        .query_row("SELECT hash FROM keys WHERE id = ?1", params![id], |row| row.get(0))
        .optional()?;
    if stored.as_deref() != Some(hash(presented).as_slice()) {
        return Ok(None);
    }
    by_id(connection, id)
}

/// The key of this id, unless it is revoked.
pub fn by_id(connection: &Connection, id: &str) -> Result<Option<StoredKey>, StoreError> {
    let row: Option<(String, String)> = connection
        .query_row(
            "SELECT tenant, role FROM keys WHERE id = ?1 AND revoked_us IS NULL",
            params![id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    row.map(|(tenant, role)| {
        Ok(StoredKey {
            id: id.to_owned(),
            tenant: TenantId::new(&tenant).map_err(|e| StoreError::Value(e.to_string()))?,
            role: role.parse().map_err(|e: NotARole| StoreError::Value(e.to_string()))?,
        })
    })
    .transpose()
}

/// SHA-256 of a secret; it is random enough that no slow hash is needed.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
