//! People's accounts: who may log in with a password.
//!
//! An account begins without a password; a one-time link leads to where its owner sets one. In
//! sessions and in `by` a person stands under their id, as a key does.

use engine::record::digest::hex;
use ingest::id::TenantId;
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::keys::{NotARole, Role, StoredKey, hash, random_bytes};
use super::{StoreError, sessions};

/// How long the one-time link works, seconds (24 h).
pub const WELCOME_S: f64 = 86_400.0;
/// Accounts of one tenant.
pub const PEOPLE_MAX: usize = 1_000;
/// What ids of people begin with; no key's does.
const PREFIX: &str = "p_";
const COLUMNS: &str = "id, tenant, email, name, role, password, totp, totp_used, totp_waiting, \
                       created_us, disabled_us, version";

/// An account as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Its id.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// Lower case; no two accounts have the same.
    pub email: String,
    /// For people.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Hash of the password, once it is set.
    pub password: Option<String>,
    /// Secret of the one-time codes, where they are on.
    pub totp: Option<Vec<u8>>,
    /// Step of the newest code that was used.
    pub totp_used: i64,
    /// Secret that was shown but not confirmed.
    pub totp_waiting: Option<Vec<u8>>,
    /// When it was made.
    pub created: Timestamp,
    /// Since when it may not log in.
    pub disabled: Option<Timestamp>,
    /// Rises with each change.
    pub version: u64,
}

/// Whether an id is a person's.
pub fn is_id(id: &str) -> bool {
    id.starts_with(PREFIX)
}

/// An id for a new person.
pub fn new_id() -> Result<String, StoreError> {
    Ok(format!("{PREFIX}{}", hex(&random_bytes()?[..8])))
}

fn columns(row: &Row<'_>) -> rusqlite::Result<(PersonRow, String)> {
    let tenant: String = row.get(1)?;
    let wrong = |text| rusqlite::Error::InvalidColumnType(1, text, rusqlite::types::Type::Text);
    let person = PersonRow {
        id: row.get(0)?,
        tenant: TenantId::new(&tenant).map_err(|_bad| wrong(tenant))?,
        email: row.get(2)?,
        name: row.get(3)?,
        role: Role::Driver,
        password: row.get(5)?,
        totp: row.get(6)?,
        totp_used: row.get(7)?,
        totp_waiting: row.get(8)?,
        created: Timestamp::from_micros(row.get(9)?),
        disabled: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_micros),
        version: row.get::<_, i64>(11)? as u64,
    };
    Ok((person, row.get(4)?))
}

fn with_role((person, role): (PersonRow, String)) -> Result<PersonRow, StoreError> {
    let role = role.parse().map_err(|e: NotARole| StoreError::Value(e.to_string()))?;
    Ok(PersonRow { role, ..person })
}

fn one(connection: &Connection, by: &str, value: &str) -> Result<Option<PersonRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM people WHERE {by} = ?1");
    let found = connection.query_row(&sql, params![value], columns).optional()?;
    found.map(with_role).transpose()
}

/// The account of a mail address.
pub fn of_email(connection: &Connection, email: &str) -> Result<Option<PersonRow>, StoreError> {
    one(connection, "email", &email.to_lowercase())
}

/// An account by its id.
pub fn by_id(connection: &Connection, id: &str) -> Result<Option<PersonRow>, StoreError> {
    one(connection, "id", id)
}

/// A tenant's account by its id.
pub fn find(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<PersonRow>, StoreError> {
    Ok(by_id(connection, id)?.filter(|person| person.tenant == *tenant))
}

/// What a session of a person may do; `None` once the account is gone or disabled.
pub fn as_key(connection: &Connection, id: &str) -> Result<Option<StoredKey>, StoreError> {
    let person = by_id(connection, id)?.filter(|person| person.disabled.is_none());
    Ok(person.map(|PersonRow { id, tenant, role, .. }| StoredKey { id, tenant, role }))
}

/// The accounts of a tenant after an id, in order of their ids.
pub fn list(
    connection: &Connection,
    tenant: &TenantId,
    (after, limit): (&str, usize),
) -> Result<Vec<PersonRow>, StoreError> {
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM people WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?;
    let rows = select.query_map(params![tenant.as_str(), after, limit as i64], columns)?;
    rows.map(|row| with_role(row?)).collect()
}

/// Writes an account, new or changed. One that is disabled has no session any more.
pub fn put(connection: &Connection, person: &PersonRow) -> Result<(), StoreError> {
    connection.execute(
        &format!(
            "INSERT OR REPLACE INTO people ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        ),
        params![
            person.id,
            person.tenant.as_str(),
            person.email,
            person.name,
            person.role.name(),
            person.password,
            person.totp,
            person.totp_used,
            person.totp_waiting,
            person.created.micros(),
            person.disabled.map(Timestamp::micros),
            person.version as i64
        ],
    )?;
    if person.disabled.is_some() {
        sessions::end_all(connection, &person.id)?;
    }
    Ok(())
}

/// Removes an account with its sessions and links; whether it was there.
pub fn delete(connection: &Connection, tenant: &TenantId, id: &str) -> Result<bool, StoreError> {
    let gone = connection.execute(
        "DELETE FROM people WHERE tenant = ?1 AND id = ?2",
        params![tenant.as_str(), id],
    )?;
    if gone > 0 {
        sessions::end_all(connection, id)?;
        connection.execute("DELETE FROM welcomes WHERE person = ?1", params![id])?;
    }
    Ok(gone > 0)
}

/// A one-time token for setting a password, in place of an older one; only its hash stays.
pub fn welcome(connection: &Connection, id: &str, now: Timestamp) -> Result<String, StoreError> {
    let token = hex(&random_bytes()?);
    connection.execute(
        "DELETE FROM welcomes WHERE person = ?1 OR expires_us <= ?2",
        params![id, now.micros()],
    )?;
    connection.execute(
        "INSERT INTO welcomes (hash, person, expires_us) VALUES (?1, ?2, ?3)",
        params![hash(&token).as_slice(), id, now.plus_seconds(WELCOME_S).micros()],
    )?;
    Ok(token)
}

/// Whose token this is, while it works.
pub fn of_welcome(
    connection: &Connection,
    token: &str,
    now: Timestamp,
) -> Result<Option<PersonRow>, StoreError> {
    let person: Option<String> = connection
        .query_row(
            "SELECT person FROM welcomes WHERE hash = ?1 AND expires_us > ?2",
            params![hash(token).as_slice(), now.micros()],
            |row| row.get(0),
        )
        .optional()?;
    person.map_or(Ok(None), |id| by_id(connection, &id))
}

/// Sets the password of a token's owner, uses the token up and ends the owner's sessions.
pub fn set_password(
    connection: &Connection,
    token: &str,
    password: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(person) = of_welcome(connection, token, now)? else { return Ok(false) };
    connection.execute("DELETE FROM welcomes WHERE person = ?1", params![person.id])?;
    sessions::end_all(connection, &person.id)?;
    let (password, version) = (Some(password.to_owned()), person.version + 1);
    put(connection, &PersonRow { password, version, ..person })?;
    Ok(true)
}

/// Uses a code's step up; `false` where it or a later one was used meanwhile.
pub fn use_code(connection: &Connection, id: &str, step: i64) -> Result<bool, StoreError> {
    let used = connection.execute(
        "UPDATE people SET totp_used = ?2 WHERE id = ?1 AND totp_used < ?2",
        params![id, step],
    )?;
    Ok(used > 0)
}
