//! The outbox: what is to be told to whom, what became of it, and how far `outputs` is
//! contained in it.
//!
//! [`take`] writes messages and the next offsets in one transaction, so that an event is in the
//! outbox once, however often the thread that follows `outputs` is cut off. Beside that each
//! message has its place (tenant, destination, vehicle, seq), which is taken once.

use ingest::id::{OrderId, TenantId};
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::links::{self, LinkRow};
use super::{StoreError, addresses};
use crate::message::letter::{FAREWELL_MARK, LINK_MARK};
use crate::message::{Channel, Condition, Message, NewMessage, State};
use crate::policy::Policy;

/// How long messages that are done are kept, seconds (7 days), and what was told of which stop.
pub const KEPT_S: f64 = 7.0 * 86_400.0;
/// Messages of one tenant that are done and kept; the newest.
pub const KEPT_MAX: usize = 100_000;
/// How long the link in a message leads to its order's page, seconds (14 days).
const LINK_S: f64 = 14.0 * 86_400.0;
/// Messages that may wait in one lane; more are dead at once, and counted.
pub const WAITING_MAX: usize = 50_000;
/// Rows let go at a time, so that other writes never wait long.
const PRUNED_MAX: i64 = 5_000;

const COLUMNS: &str = "n, id, tenant, at_us, channel, lane, vehicle, event, ord, language, \
                       recipient, subject, body, html, until_us, due_us, state, tries, error, \
                       farewell";

/// What became of candidates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Wait to be sent.
    pub waiting: u64,
    /// Were told before.
    pub known: u64,
    /// Found their lane full.
    pub full: u64,
}

/// By partition the next offset that is not contained.
pub fn offsets(connection: &Connection) -> Result<Vec<(u32, u64)>, StoreError> {
    let mut select = connection.prepare("SELECT partition, next FROM followed")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Messages and the offsets after their events, together.
pub fn take(
    connection: &Connection,
    offsets: &[(u32, u64)],
    candidates: &[(NewMessage, Condition)],
) -> Result<Taken, StoreError> {
    let mut taken = Taken::default();
    for (message, condition) in candidates {
        if !holds(connection, message, condition)? {
            taken.known += 1;
            continue;
        }
        let full = lane_is_full(connection, &message.lane)?;
        let state = if full { State::Dead } else { State::Waiting };
        let error = full.then_some("too many messages wait for this receiver");
        match insert(connection, message, state, error)? {
            0 => taken.known += 1,
            _ if full => taken.full += 1,
            _ => taken.waiting += 1,
        }
    }
    for (partition, next) in offsets {
        connection.execute(
            "INSERT INTO followed (partition, next) VALUES (?1, ?2)
             ON CONFLICT (partition) DO UPDATE SET next = MAX(next, ?2)",
            params![partition, *next as i64],
        )?;
    }
    Ok(taken)
}

/// Whether one of these was told before: each is told once of its visit.
pub fn known(
    connection: &Connection,
    candidates: &[(NewMessage, Condition)],
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM told WHERE tenant = ?1 AND destination = ?2 AND route = ?3
               AND stop = ?4 AND event = ?5";
    let mut select = connection.prepare(sql)?;
    for (message, condition) in candidates {
        let Condition::Once { event, of: (route, stop) } = condition else { continue };
        let place = params![message.tenant.as_str(), message.destination, route, stop, event];
        if select.exists(place)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes messages back that wait and are not due yet; what they were to tell counts as untold.
pub fn take_back(
    connection: &Connection,
    candidates: &[(NewMessage, Condition)],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (message, condition) in candidates {
        let Condition::Once { event, of: (route, stop) } = condition else { continue };
        let tenant = message.tenant.as_str();
        let gone = connection.execute(
            "DELETE FROM messages WHERE id = ?1 AND tenant = ?2 AND state = 'waiting'
             AND tries = 0 AND due_us > ?3",
            params![message.id, tenant, now.micros()],
        )?;
        if gone == 0 {
            continue;
        }
        connection.execute(
            "DELETE FROM told WHERE tenant = ?1 AND destination = ?2 AND route = ?3 AND stop = ?4
             AND event = ?5",
            params![tenant, message.destination, route, stop, event],
        )?;
    }
    Ok(())
}

/// A message that is asked for by hand.
pub fn add(connection: &Connection, message: &NewMessage) -> Result<(), StoreError> {
    insert(connection, message, State::Waiting, None)?;
    Ok(())
}

/// Whether the condition of a message is to be told now; it counts as told then.
fn holds(
    connection: &Connection,
    message: &NewMessage,
    condition: &Condition,
) -> Result<bool, StoreError> {
    let place = |event: &'static str, (route, stop): &(String, String)| {
        [message.tenant.to_string(), message.destination.clone(), route.clone(), stop.clone()]
            .into_iter()
            .chain([event.to_owned()])
            .collect::<Vec<_>>()
    };
    let mark = |event, of: &(String, String)| -> Result<bool, StoreError> {
        let place = place(event, of);
        let at = message.at.micros();
        let marked = connection.execute(
            "INSERT OR IGNORE INTO told (tenant, destination, route, stop, event, at_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![place[0], place[1], place[2], place[3], place[4], at],
        )?;
        Ok(marked == 1)
    };
    let is = "tenant = ?1 AND destination = ?2 AND route = ?3 AND stop = ?4 AND event = ?5";
    match condition {
        Condition::Each => Ok(true),
        Condition::Once { event, of } => mark(event, of),
        Condition::Ends { event, of } => {
            let sql = format!("DELETE FROM told WHERE {is}");
            let ended = connection.execute(&sql, rusqlite::params_from_iter(place(event, of)))?;
            Ok(ended == 1)
        }
        Condition::OnceAfter { event, after, of } => {
            let sql = format!("SELECT 1 FROM told WHERE {is}");
            let values = rusqlite::params_from_iter(place(after, of));
            let told = connection.query_row(&sql, values, |_| Ok(())).optional()?;
            Ok(told.is_some() && mark(event, of)?)
        }
    }
}

fn lane_is_full(connection: &Connection, lane: &str) -> Result<bool, StoreError> {
    let beyond = connection
        .prepare("SELECT 1 FROM messages WHERE state = 'waiting' AND lane = ?1 LIMIT 1 OFFSET ?2")?
        .query_row(params![lane, WAITING_MAX as i64 - 1], |_| Ok(()))
        .optional()?;
    Ok(beyond.is_some())
}

fn insert(
    connection: &Connection,
    message: &NewMessage,
    state: State,
    error: Option<&str>,
) -> Result<usize, StoreError> {
    let of = message.of.as_ref();
    let Written { body, html, farewell } = written(connection, message)?;
    let done = connection
        .prepare(
            "INSERT OR IGNORE INTO messages
             (id, tenant, at_us, channel, lane, destination, vehicle, seq, event, ord, language,
              recipient, subject, body, html, until_us, due_us, state, error, farewell)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18, ?19, ?20)",
        )?
        .execute(params![
            message.id,
            message.tenant.as_str(),
            message.at.micros(),
            message.channel.name(),
            message.lane,
            message.destination,
            of.map(|(vehicle, _)| vehicle.as_str()),
            of.map(|(_, seq)| *seq as i64),
            message.event,
            message.order,
            message.language,
            message.recipient,
            message.subject,
            body,
            html,
            message.until.map(Timestamp::micros),
            message.due.micros(),
            state.name(),
            error,
            farewell
        ])?;
    Ok(done)
}

/// What stands in the outbox.
struct Written {
    body: String,
    html: Option<String>,
    farewell: Option<String>,
}

/// A message with its links made.
fn written(connection: &Connection, message: &NewMessage) -> Result<Written, StoreError> {
    let (mut body, mut html) = (message.body.clone(), message.html.clone());
    let Some(page) = &message.page else { return Ok(Written { body, html, farewell: None }) };
    let mut fill = |mark: &str, value: &str| {
        body = body.replace(mark, value);
        html = html.take().map(|html| html.replace(mark, value));
    };
    if message.body.contains(LINK_MARK) {
        fill(LINK_MARK, &link(connection, message, page)?);
    }
    if message.channel != Channel::Mail {
        return Ok(Written { body, html, farewell: None });
    }
    let token = addresses::new_token(connection, &message.tenant, &message.recipient, message.at)?;
    let language = message.language.as_deref().unwrap_or("en");
    let farewell = format!("{page}/o/{token}?language={language}");
    fill(FAREWELL_MARK, &farewell);
    Ok(Written { body, html, farewell: Some(farewell) })
}

/// A link to the page of a message's order; to the front page where the order has too many.
fn link(connection: &Connection, message: &NewMessage, page: &str) -> Result<String, StoreError> {
    let order = message.order.as_deref().map(OrderId::new).transpose();
    let Some(order) = order.map_err(|e| StoreError::Value(e.to_string()))? else {
        return Ok(page.to_owned());
    };
    let row = LinkRow {
        id: links::new_id()?,
        tenant: message.tenant.clone(),
        order,
        policy: Policy::default(),
        created: message.at,
        not_before: message.at,
        expires: message.at.plus_seconds(LINK_S),
        revoked: None,
        opened: 0,
    };
    let token = links::create(connection, &row)?;
    Ok(token.map_or_else(|| page.to_owned(), |token| format!("{page}/t/{token}")))
}

fn columns(row: &Row<'_>) -> rusqlite::Result<Message> {
    let wrong = |column, text: String| {
        rusqlite::Error::InvalidColumnType(column, text, rusqlite::types::Type::Text)
    };
    let (tenant, channel, state): (String, String, String) =
        (row.get(2)?, row.get(4)?, row.get(16)?);
    Ok(Message {
        n: row.get(0)?,
        id: row.get(1)?,
        tenant: TenantId::new(&tenant).map_err(|_bad| wrong(2, tenant))?,
        at: Timestamp::from_micros(row.get(3)?),
        channel: Channel::parse(&channel).ok_or_else(|| wrong(4, channel))?,
        lane: row.get(5)?,
        vehicle: row.get(6)?,
        event: row.get(7)?,
        order: row.get(8)?,
        language: row.get(9)?,
        recipient: row.get(10)?,
        subject: row.get(11)?,
        body: row.get(12)?,
        html: row.get(13)?,
        until: row.get::<_, Option<i64>>(14)?.map(Timestamp::from_micros),
        due: Timestamp::from_micros(row.get(15)?),
        state: State::parse(&state).ok_or_else(|| wrong(16, state))?,
        tries: row.get(17)?,
        error: row.get(18)?,
        farewell: row.get(19)?,
    })
}

/// Lanes in which something waits.
pub fn lanes(connection: &Connection) -> Result<Vec<String>, StoreError> {
    // Walks from lane to lane by the index instead of over all that waits.
    let mut select = connection.prepare(
        "WITH RECURSIVE lanes (lane) AS (
             SELECT MIN(lane) FROM messages WHERE state = 'waiting'
             UNION ALL
             SELECT (SELECT MIN(lane) FROM messages
                     WHERE state = 'waiting' AND lane > lanes.lane)
             FROM lanes WHERE lanes.lane IS NOT NULL)
         SELECT lane FROM lanes WHERE lane IS NOT NULL",
    )?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is due in a lane, longest due first.
pub fn due(
    connection: &Connection,
    lane: &str,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Message>, StoreError> {
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM messages WHERE state = 'waiting' AND lane = ?1 AND due_us <= ?2
         ORDER BY due_us LIMIT ?3"
    ))?;
    let rows = select.query_map(params![lane, now.micros(), limit as i64], columns)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What became of a try: its state, why, and when the next is due.
pub fn tried(
    connection: &Connection,
    n: i64,
    (state, error): (State, Option<&str>),
    due: Option<Timestamp>,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE messages SET state = ?2, error = ?3, due_us = COALESCE(?4, due_us),
         tries = tries + 1 WHERE n = ?1 AND state = 'waiting'",
        params![n, state.name(), error, due.map(Timestamp::micros)],
    )?;
    Ok(())
}

/// A message no longer matters: it is taken out unsent.
pub fn drop_unsent(connection: &Connection, n: i64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM messages WHERE n = ?1 AND state = 'waiting'", params![n])?;
    Ok(())
}

/// Sends a message of a lane again, under its own id; whether it is there.
pub fn replay(
    connection: &Connection,
    (tenant, lane): (&TenantId, &str),
    id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let again = connection.execute(
        "UPDATE messages SET state = 'waiting', tries = 0, error = NULL, due_us = ?4
         WHERE tenant = ?1 AND lane = ?2 AND id = ?3",
        params![tenant.as_str(), lane, id, now.micros()],
    )?;
    Ok(again > 0)
}

/// Messages of a tenant, newest first, before a number; of one lane if asked.
pub fn list(
    connection: &Connection,
    tenant: &TenantId,
    lane: Option<&str>,
    (before, limit): (i64, usize),
) -> Result<Vec<Message>, StoreError> {
    let of_lane = if lane.is_some() { "lane = ?4 AND" } else { "?4 IS NULL AND" };
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM messages WHERE {of_lane} tenant = ?1 AND n < ?2
         ORDER BY n DESC LIMIT ?3"
    ))?;
    let rows = select.query_map(params![tenant.as_str(), before, limit as i64, lane], columns)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lets the oldest go: by age, and beyond [`KEPT_MAX`] of a tenant.
pub fn prune(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let old = now.plus_seconds(-KEPT_S).micros();
    connection.execute(
        "DELETE FROM messages WHERE n IN (SELECT n FROM messages
         WHERE at_us < ?1 AND state <> 'waiting' LIMIT ?2)",
        params![old, PRUNED_MAX],
    )?;
    connection.execute(
        "DELETE FROM told WHERE (tenant, destination, route, stop, event) IN
         (SELECT tenant, destination, route, stop, event FROM told WHERE at_us < ?1 LIMIT ?2)",
        params![old, PRUNED_MAX],
    )?;
    addresses::prune(connection, now)?;
    let mut tenants = connection.prepare("SELECT DISTINCT tenant FROM messages")?;
    let tenants: Vec<String> =
        tenants.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for tenant in tenants {
        connection.execute(
            "DELETE FROM messages WHERE state <> 'waiting' AND n IN
             (SELECT n FROM messages WHERE tenant = ?1 ORDER BY n DESC LIMIT ?2 OFFSET ?3)",
            params![tenant, PRUNED_MAX, KEPT_MAX as i64],
        )?;
    }
    Ok(())
}
