//! What tenants have set for messages to customers, and which customers want none.

use engine::record::digest::hex;
use ingest::id::TenantId;
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::keys::{hash, random_bytes};
use crate::message::hours::Quiet;
use crate::message::template::Template;

/// How long the link under a message ends them, seconds (90 days).
const TOKEN_S: f64 = 90.0 * 86_400.0;
/// Rows let go at a time.
const PRUNED_MAX: i64 = 5_000;

/// What a tenant has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// When customers are left alone; `None`: never.
    pub quiet: Option<Quiet>,
    /// Names of the events they are told of.
    pub events: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        let told = ["arriving_soon", "predicted_late", "back_on_time", "completed", "failed"];
        Self { quiet: Some(Quiet::default()), events: told.map(str::to_owned).to_vec() }
    }
}

/// As stored.
#[derive(Serialize, Deserialize)]
struct RulesText {
    quiet: Option<(u16, u16)>,
    events: Vec<String>,
}

/// What a tenant has set, or what holds until it does.
pub fn rules(connection: &Connection, tenant: &TenantId) -> Result<Rules, StoreError> {
    let sql = "SELECT body FROM message_rules WHERE tenant = ?1";
    let text: Option<String> =
        connection.query_row(sql, params![tenant.as_str()], |row| row.get(0)).optional()?;
    let Some(text) = text else { return Ok(Rules::default()) };
    let stored: RulesText =
        serde_json::from_str(&text).map_err(|e| StoreError::Value(e.to_string()))?;
    let quiet = stored.quiet.map(|(from, to)| Quiet { from, to });
    Ok(Rules { quiet, events: stored.events })
}

/// Sets what a tenant wants.
pub fn put_rules(
    connection: &Connection,
    tenant: &TenantId,
    rules: &Rules,
) -> Result<(), StoreError> {
    let quiet = rules.quiet.map(|quiet| (quiet.from, quiet.to));
    let text = serde_json::to_string(&RulesText { quiet, events: rules.events.clone() });
    let text = text.map_err(|e| StoreError::Value(e.to_string()))?;
    connection.execute(
        "INSERT OR REPLACE INTO message_rules (tenant, body) VALUES (?1, ?2)",
        params![tenant.as_str(), text],
    )?;
    Ok(())
}

/// A tenant's own template.
pub fn template(
    connection: &Connection,
    tenant: &TenantId,
    (event, language): (&str, &str),
) -> Result<Option<Template>, StoreError> {
    let found = connection
        .query_row(
            "SELECT subject, body FROM templates
             WHERE tenant = ?1 AND event = ?2 AND language = ?3",
            params![tenant.as_str(), event, language],
            |row| Ok(Template { subject: row.get(0)?, text: row.get(1)? }),
        )
        .optional()?;
    Ok(found)
}

/// Sets a tenant's own template; `None`: the usual one again.
pub fn put_template(
    connection: &Connection,
    tenant: &TenantId,
    (event, language): (&str, &str),
    template: Option<&Template>,
) -> Result<(), StoreError> {
    let of = params![tenant.as_str(), event, language];
    connection
        .execute("DELETE FROM templates WHERE tenant = ?1 AND event = ?2 AND language = ?3", of)?;
    if let Some(Template { subject, text }) = template {
        connection.execute(
            "INSERT INTO templates (tenant, event, language, subject, body)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![tenant.as_str(), event, language, subject, text],
        )?;
    }
    Ok(())
}

/// Whether an address wants no messages of a tenant.
pub fn opted_out(
    connection: &Connection,
    tenant: &TenantId,
    address: &str,
) -> Result<bool, StoreError> {
    let found = connection
        .query_row(
            "SELECT 1 FROM opted_out WHERE tenant = ?1 AND address = ?2",
            params![tenant.as_str(), address],
            |_| Ok(()),
        )
        .optional()?;
    Ok(found.is_some())
}

/// A token that ends the messages of a tenant to an address; only its hash stays.
pub fn new_token(
    connection: &Connection,
    tenant: &TenantId,
    address: &str,
    now: Timestamp,
) -> Result<String, StoreError> {
    let token = hex(&random_bytes()?[..16]);
    connection.execute(
        "INSERT INTO opt_out_tokens (hash, tenant, address, at_us) VALUES (?1, ?2, ?3, ?4)",
        params![hash(&token).as_slice(), tenant.as_str(), address, now.micros()],
    )?;
    Ok(token)
}

/// Whose messages to which address a token ends.
pub fn of_token(
    connection: &Connection,
    token: &str,
) -> Result<Option<(TenantId, String)>, StoreError> {
    let found: Option<(String, String)> = connection
        .query_row(
            "SELECT tenant, address FROM opt_out_tokens WHERE hash = ?1",
            params![hash(token).as_slice()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let whose = |(tenant, address): (String, String)| {
        let tenant = TenantId::new(&tenant).map_err(|e| StoreError::Value(e.to_string()))?;
        Ok((tenant, address))
    };
    found.map(whose).transpose()
}

/// An address wants no more messages; what waits for it is taken out. Whether the token is known.
pub fn opt_out(connection: &Connection, token: &str, now: Timestamp) -> Result<bool, StoreError> {
    let Some((tenant, address)) = of_token(connection, token)? else { return Ok(false) };
    connection.execute(
        "INSERT OR IGNORE INTO opted_out (tenant, address, at_us) VALUES (?1, ?2, ?3)",
        params![tenant.as_str(), address, now.micros()],
    )?;
    connection.execute(
        "DELETE FROM messages WHERE state = 'waiting' AND tenant = ?1 AND recipient = ?2
         AND channel <> 'webhook'",
        params![tenant.as_str(), address],
    )?;
    Ok(true)
}

/// Lets the oldest tokens go.
pub fn prune(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM opt_out_tokens WHERE hash IN
         (SELECT hash FROM opt_out_tokens WHERE at_us < ?1 LIMIT ?2)",
        params![now.plus_seconds(-TOKEN_S).micros(), PRUNED_MAX],
    )?;
    Ok(())
}
