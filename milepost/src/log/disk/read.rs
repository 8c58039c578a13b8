//! Reads from the file: short transactions, at most [`ROWS_MAX`] rows each, because a long one
//! keeps the WAL from being used again (46 MB a second at full load).

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bytes::Bytes;
use ingest::log::local::Cursor;
use ingest::log::{Bounds, LogError, Record, Topic};
use ingest::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::batch::{Batch, Head, PARTITIONS, PerPartition, read_headers, read_heads};
use super::lock;
use super::schema::{self, code, is_compacted, refused, table};

/// Rows of one read transaction.
const ROWS_MAX: i64 = 200;
/// Records of one read transaction on a compacted topic; each scans its partition once.
const KEYS_MAX: i64 = 4_096;
/// Connections kept for the next reader; more are opened when needed and closed again.
const IDLE_MAX: usize = 8;

/// Connections that only read, shared by all readers of a process.
#[derive(Debug)]
pub(super) struct Connections {
    dir: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    /// Opens the first, so that a foreign file is refused here.
    pub(super) fn open(dir: &Path) -> Result<Self, LogError> {
        let first = schema::open_reader(dir)?;
        Ok(Self { dir: dir.to_owned(), idle: Mutex::new(vec![first]) })
    }

    /// Closes those that nobody uses. The writer's connection shall be the last: only it can copy
    /// the WAL into the file and remove it.
    pub(super) fn close(&self) {
        lock(&self.idle).clear();
    }

    /// Works with one of them.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.dir)?,
        };
        let answer = work(&connection);
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        answer
    }
}

/// Start and end of all partitions of a topic, and the next row's id and time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) starts: PerPartition<u64>,
    pub(super) ends: PerPartition<u64>,
    /// Of the oldest and the newest row; `None` when there is none.
    pub(super) times: Option<(Timestamp, Timestamp)>,
    /// Id of the row to come.
    pub(super) next_id: i64,
}

/// What the file holds of a topic.
pub(super) fn extent(connection: &Connection, topic: Topic) -> Result<Extent, LogError> {
    let mut extent = Extent {
        starts: [0; PARTITIONS as usize],
        ends: [0; PARTITIONS as usize],
        times: None,
        next_id: 1,
    };
    if is_compacted(topic) {
        let sql = "SELECT 0, at, heads FROM compact_end WHERE topic = ?1";
        if let Some((_, at, heads)) = one(connection, sql, params![code(topic)])? {
            extent.ends = heads.map(Head::end);
            extent.times = Some((at, at));
        }
        return Ok(extent);
    }
    let name = table(topic);
    let oldest = format!("SELECT id, at, heads FROM {name} ORDER BY id LIMIT 1");
    let newest = format!("SELECT id, at, heads FROM {name} ORDER BY id DESC LIMIT 1");
    // The oldest first: if retention works in between, the answer is only older than the truth.
    if let Some((_, first, oldest)) = one(connection, &oldest, [])?
        && let Some((id, last, newest)) = one(connection, &newest, [])?
    {
        extent.starts = oldest.map(|h| h.first);
        extent.ends = newest.map(Head::end);
        extent.times = Some((first, last));
        extent.next_id = id + 1;
    }
    Ok(extent)
}

/// Start and end of one partition.
pub(super) fn bounds(extent: &Extent, partition: u32) -> Bounds {
    let place = partition as usize;
    Bounds { start: extent.starts[place], end: extent.ends[place] }
}

/// Id, time and heads of one row.
type Known = (i64, Timestamp, PerPartition<Head>);

fn one(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<Known>, LogError> {
    let row = |row: &Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
    };
    let found = connection.query_row(sql, parameters, row).optional().map_err(|e| refused(&e))?;
    let Some((id, at, heads)) = found else { return Ok(None) };
    Ok(Some((id, Timestamp::from_micros(at), read_heads(&heads)?)))
}

/// The smallest id whose row `after` holds for; holds for all later rows too. `None`: no row.
fn search(
    connection: &Connection,
    topic: Topic,
    after: impl Fn(&Known) -> bool,
) -> Result<Option<Known>, LogError> {
    let name = table(topic);
    let ends = format!("SELECT min(id), max(id) FROM {name}");
    let ends = connection
        .query_row(&ends, [], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)))
        .map_err(|e| refused(&e))?;
    let (Some(mut low), Some(mut high)) = ends else { return Ok(None) };
    let from = format!("SELECT id, at, heads FROM {name} WHERE id >= ?1 ORDER BY id LIMIT 1");
    let mut found = None;
    while low <= high {
        let middle = low + (high - low) / 2;
        match one(connection, &from, params![middle])? {
            Some(known) if !after(&known) => low = known.0 + 1,
            known => {
                found = known.or(found);
                high = middle - 1;
            }
        }
    }
    Ok(found)
}

/// First offset whose append time is not before `time`.
pub(super) fn offset_at(
    connection: &Connection,
    (topic, partition): (Topic, u32),
    time: Timestamp,
) -> Result<Option<u64>, LogError> {
    if is_compacted(topic) {
        let sql = "SELECT min(place) FROM compact WHERE topic = ?1 AND partition = ?2 AND at >= ?3";
        return connection
            .query_row(sql, params![code(topic), partition, time.micros()], |row| {
                row.get::<_, Option<i64>>(0)
            })
            .map(|place| place.map(|p| p as u64))
            .map_err(|e| refused(&e));
    }
    let Some((_, _, heads)) = search(connection, topic, |row| row.1 >= time)? else {
        return Ok(None);
    };
    let first = heads[partition as usize].first;
    let end = bounds(&extent(connection, topic)?, partition).end;
    Ok((first < end).then_some(first))
}

/// The offset a group has committed.
pub(super) fn committed(
    connection: &Connection,
    group: &str,
    (topic, partition): (Topic, u32),
) -> Result<Option<u64>, LogError> {
    let sql =
        "SELECT next FROM committed WHERE member_group = ?1 AND topic = ?2 AND partition = ?3";
    connection
        .query_row(sql, params![group, code(topic), partition], |row| row.get::<_, i64>(0))
        .optional()
        .map(|next| next.map(|n| n as u64))
        .map_err(|e| refused(&e))
}

/// Reads what lies in the file for these cursors, all of which are below `ends`. Goes on until
/// something was found, the ends are reached, or `room` is used up.
pub(super) fn read(
    connection: &Connection,
    (topic, ends): (Topic, &PerPartition<u64>),
    cursors: &mut [&mut Cursor],
    room: &mut usize,
    out: &mut Vec<Record>,
) -> Result<(), LogError> {
    let before = out.len();
    if is_compacted(topic) {
        for cursor in cursors {
            while *room > 0 && cursor.offset < ends[cursor.partition as usize] {
                read_keys(connection, (topic, ends), cursor, room, out)?;
            }
        }
        return Ok(());
    }
    for cursor in cursors.iter_mut().filter(|c| c.hint == 0) {
        let (partition, offset) = (cursor.partition as usize, cursor.offset);
        if let Some((id, _, _)) = search(connection, topic, |r| r.2[partition].end() > offset)? {
            cursor.hint = id as u64;
        }
    }
    while out.len() == before && read_rows(connection, topic, cursors, room, out)? {}
    Ok(())
}

/// One transaction over rows. `false`: nothing is left in the file.
fn read_rows(
    connection: &Connection,
    topic: Topic,
    cursors: &mut [&mut Cursor],
    room: &mut usize,
    out: &mut Vec<Record>,
) -> Result<bool, LogError> {
    let from = cursors.iter().map(|c| c.hint).min().unwrap_or(0);
    let name = table(topic);
    let sql = format!("SELECT id, at, heads, data FROM {name} WHERE id >= ?1 ORDER BY id LIMIT ?2");
    let mut statement = connection.prepare(&sql).map_err(|e| refused(&e))?;
    let mut rows = statement.query(params![from as i64, ROWS_MAX]).map_err(|e| refused(&e))?;
    let mut seen = 0;
    while *room > 0
        && let Some(row) = rows.next().map_err(|e| refused(&e))?
    {
        seen += 1;
        let id: i64 = row.get(0).map_err(|e| refused(&e))?;
        let heads = row.get_ref(2).and_then(|h| Ok(h.as_blob()?)).map_err(|e| refused(&e))?;
        let heads = read_heads(heads)?;
        if cursors.iter().any(|c| c.offset < heads[c.partition as usize].end()) {
            let batch = stored(row)?;
            serve(&batch, topic, cursors.iter_mut().map(|c| &mut **c), (room, out))?;
        }
        if *room > 0 {
            for cursor in cursors.iter_mut() {
                cursor.hint = cursor.hint.max(id as u64 + 1);
            }
        }
    }
    Ok(*room > 0 && seen == ROWS_MAX)
}

fn stored(row: &Row<'_>) -> Result<Batch, LogError> {
    let read = || -> rusqlite::Result<_> {
        Ok((
            row.get::<_, i64>(0)?,
            row.get(1)?,
            row.get::<_, Vec<u8>>(2)?,
            row.get::<_, Vec<u8>>(3)?,
        ))
    };
    let (id, at, heads, data) = read().map_err(|e| refused(&e))?;
    Batch::stored(id, at, &heads, data.into())
}

/// Gives a row's records to the cursors that stand in it or just before it.
pub(super) fn serve<'c>(
    batch: &Batch,
    topic: Topic,
    cursors: impl Iterator<Item = &'c mut Cursor>,
    (room, out): (&mut usize, &mut Vec<Record>),
) -> Result<(), LogError> {
    for cursor in cursors {
        let (partition, wanted) = (cursor.partition, cursor.offset);
        let head = batch.heads[partition as usize];
        if *room == 0 || wanted >= head.end() {
            continue;
        }
        if wanted < head.first {
            return Err(LogError::OffsetGone { topic, partition, wanted, start: head.first });
        }
        cursor.offset = batch.read((topic, partition, wanted), room, out)?;
        cursor.hint = batch.id as u64;
    }
    Ok(())
}

/// One transaction over the newest records of a partition's keys, by offset.
fn read_keys(
    connection: &Connection,
    (topic, ends): (Topic, &PerPartition<u64>),
    cursor: &mut Cursor,
    room: &mut usize,
    out: &mut Vec<Record>,
) -> Result<(), LogError> {
    let partition = cursor.partition;
    let sql = "SELECT place, at, key, value, headers FROM compact \
         WHERE topic = ?1 AND partition = ?2 AND place >= ?3 ORDER BY place LIMIT ?4";
    let mut statement = connection.prepare(sql).map_err(|e| refused(&e))?;
    let wanted = params![code(topic), partition, cursor.offset as i64, KEYS_MAX];
    let mut rows = statement.query(wanted).map_err(|e| refused(&e))?;
    let mut seen = 0;
    while *room > 0
        && let Some(row) = rows.next().map_err(|e| refused(&e))?
    {
        seen += 1;
        let (record, headers) = key_record(row, topic, partition).map_err(|e| refused(&e))?;
        let record = Record { headers: read_headers(&headers)?, ..record };
        *room = room.saturating_sub(record.key.len() + record.value.as_ref().map_or(0, Bytes::len));
        cursor.offset = record.offset + 1;
        out.push(record);
    }
    if *room > 0 && seen < KEYS_MAX {
        cursor.offset = cursor.offset.max(ends[partition as usize]);
    }
    Ok(())
}

fn key_record(row: &Row<'_>, topic: Topic, partition: u32) -> rusqlite::Result<(Record, Vec<u8>)> {
    let record = Record {
        topic,
        partition,
        offset: row.get::<_, i64>(0)? as u64,
        appended_at: Timestamp::from_micros(row.get(1)?),
        key: row.get::<_, Vec<u8>>(2)?.into(),
        value: row.get::<_, Option<Vec<u8>>>(3)?.map(Bytes::from),
        headers: Vec::new(),
    };
    Ok((record, row.get(4)?))
}
