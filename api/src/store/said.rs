//! What customers said about their orders; dispatchers read it with the delivery.

use ingest::id::{OrderId, TenantId};
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// How a customer would have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Instructions {
    /// In their words, at most 1,000 characters; empty: none.
    pub text: String,
    /// `there`, `safe_place` or `another_time`: the answer to a new time.
    pub answer: Option<String>,
    /// When they said so.
    pub at: Timestamp,
}

/// How it was for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// 1 to 5, 5 is best.
    pub rating: Option<u8>,
    /// In their words, at most 1,000 characters.
    pub comment: String,
    /// When they said so.
    pub at: Timestamp,
}

/// The newest that was said about an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// How they would have it.
    pub instructions: Option<Instructions>,
    /// How it was.
    pub feedback: Option<Feedback>,
}

/// What was said about an order.
pub fn find(
    connection: &Connection,
    tenant: &TenantId,
    order: &OrderId,
) -> Result<Said, StoreError> {
    let time = Timestamp::from_micros;
    let found = connection
        .query_row(
            "SELECT instructions, answer, instructions_us, rating, comment, feedback_us FROM said
             WHERE tenant = ?1 AND ord = ?2",
            params![tenant.as_str(), order.as_str()],
            |row| {
                let text: Option<String> = row.get(0)?;
                let answer = row.get(1)?;
                let at: Option<i64> = row.get(2)?;
                let instructions = at.map(|at| Instructions {
                    text: text.unwrap_or_default(),
                    answer,
                    at: time(at),
                });
                let (rating, comment): (Option<u8>, Option<String>) = (row.get(3)?, row.get(4)?);
                let at: Option<i64> = row.get(5)?;
                let comment = comment.unwrap_or_default();
                let feedback = at.map(|at| Feedback { rating, comment, at: time(at) });
                Ok(Said { instructions, feedback })
            },
        )
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Takes the place of the instructions before. A text or an answer that is absent stays.
pub fn instruct(
    connection: &Connection,
    (tenant, order): (&TenantId, &OrderId),
    text: Option<&str>,
    answer: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO said (tenant, ord, instructions, answer, instructions_us)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (tenant, ord) DO UPDATE SET instructions = COALESCE(?3, instructions),
             answer = COALESCE(?4, answer), instructions_us = ?5",
        params![tenant.as_str(), order.as_str(), text, answer, now.micros()],
    )?;
    Ok(())
}

/// Takes the place of the feedback before.
pub fn rate(
    connection: &Connection,
    (tenant, order): (&TenantId, &OrderId),
    feedback: &Feedback,
) -> Result<(), StoreError> {
    let Feedback { rating, comment, at } = feedback;
    connection.execute(
        "INSERT INTO said (tenant, ord, rating, comment, feedback_us)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (tenant, ord) DO UPDATE SET rating = ?3, comment = ?4, feedback_us = ?5",
        params![tenant.as_str(), order.as_str(), rating, comment, at.micros()],
    )?;
    Ok(())
}
