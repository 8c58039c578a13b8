//! The file of the log: its tables, its settings, who may open it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest::log::{LogError, Retention, Topic};
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// The log's file inside a data directory; SQLite keeps `-wal` and `-shm` beside it.
pub const LOG_FILE: &str = "log.sqlite";
const LOCK_FILE: &str = "log.lock";
/// Marks a SQLite file as a log of ours ("Mile").
const APPLICATION_ID: i32 = 0x4d69_6c65;
const VERSION: i32 = 1;
/// A writer waits this long for a lock that only a backup's first moment holds.
const BUSY: Duration = Duration::from_secs(10);

/// Pages between checkpoints, WAL kept after one, page cache: measured (notes of the log, §2.3).
const PRAGMAS: &str = "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; \
     PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=67108864; \
     PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY;";

const TABLES: &str = "
CREATE TABLE compact(
  topic INTEGER NOT NULL, partition INTEGER NOT NULL, key BLOB NOT NULL,
  place INTEGER NOT NULL, at INTEGER NOT NULL, value BLOB, headers BLOB NOT NULL,
  PRIMARY KEY(topic, partition, key)) WITHOUT ROWID;
CREATE INDEX tombstone ON compact(at) WHERE value IS NULL;
CREATE TABLE compact_end(topic INTEGER PRIMARY KEY, at INTEGER NOT NULL, heads BLOB NOT NULL);
CREATE TABLE committed(
  member_group TEXT NOT NULL, topic INTEGER NOT NULL, partition INTEGER NOT NULL,
  next INTEGER NOT NULL, PRIMARY KEY(member_group, topic, partition)) WITHOUT ROWID;";

/// The number of a topic in the file; never changes.
pub(super) const fn code(topic: Topic) -> i64 {
    match topic {
        Topic::Devices => 1,
        Topic::Inputs => 2,
        Topic::Outputs => 3,
        Topic::States => 4,
        Topic::Snapshots => 5,
        Topic::Worlds => 6,
        Topic::Commands => 7,
        Topic::DeadLetters => 8,
    }
}

/// The topic of a stored number.
pub(super) fn topic_of(number: i64) -> Option<Topic> {
    Topic::ALL.into_iter().find(|t| code(*t) == number)
}

/// Whether only the newest record of each key is kept.
pub(super) const fn is_compacted(topic: Topic) -> bool {
    matches!(topic.retention(), Retention::Compacted)
}

/// The table of a topic that is not compacted; one row per commit, `id` rises by one.
pub(super) const fn table(topic: Topic) -> &'static str {
    match topic {
        Topic::Inputs => "batch_inputs",
        Topic::Outputs => "batch_outputs",
        Topic::Snapshots => "batch_snapshots",
        Topic::Worlds => "batch_worlds",
        Topic::Commands => "batch_commands",
        Topic::DeadLetters => "batch_dead_letters",
        // These lie in `compact`; no statement is ever made for them.
        Topic::Devices | Topic::States => "compact",
    }
}

/// What SQLite says, by what the caller can do about it.
pub(super) fn refused(error: &rusqlite::Error) -> LogError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LogError::Full(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LogError::Corrupt(text),
        _ => LogError::Unavailable(text),
    }
}

pub(super) fn unavailable(what: &str, path: &Path, error: &std::io::Error) -> LogError {
    LogError::Unavailable(format!("{what} `{}`: {error}", path.display()))
}

/// Makes a data directory, for its owner only, or checks one that is there.
///
/// # Errors
/// When it cannot be made, or holds files of others and is open to others.
pub fn prepare(dir: &Path) -> Result<(), LogError> {
    if !dir.exists() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        return made.map_err(|e| unavailable("cannot create data directory", dir, &e));
    }
    let failed = |e: std::io::Error| unavailable("cannot use data directory", dir, &e);
    let open_to_others = dir.metadata().map_err(failed)?.permissions().mode() & 0o077;
    if open_to_others == 0 {
        return Ok(());
    }
    let empty = dir.read_dir().map_err(failed)?.next().is_none();
    if empty || dir.join(LOG_FILE).exists() || dir.join("ops.sqlite").exists() {
        return std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed);
    }
    Err(LogError::Unavailable(format!(
        "data directory `{}` holds other files and is open to others: expected an empty directory, \
         one that Milepost made, or mode 0700",
        dir.display()
    )))
}

/// The one writer's lock, held until dropped.
pub(super) fn lock_dir(dir: &Path) -> Result<File, LogError> {
    let path = dir.join(LOCK_FILE);
    let failed = |e: std::io::Error| unavailable("cannot open", &path, &e);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    if file.try_lock().is_err() {
        let mut holder = String::new();
        drop(file.take(20).read_to_string(&mut holder));
        return Err(LogError::Unavailable(format!(
            "data directory `{}` is in use by process `{}`: one process writes a disk log, others \
             only read it",
            dir.display(),
            holder.trim()
        )));
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

/// The writer's connection; makes the file when there is none.
pub(super) fn open_writer(dir: &Path) -> Result<Connection, LogError> {
    let path = dir.join(LOG_FILE);
    // SQLite gives its `-wal` and `-shm` the mode of the file.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|e| unavailable("cannot open", &path, &e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(&path, flags)?;
    connection.execute_batch(PRAGMAS).map_err(|e| foreign(&path, &e))?;
    let empty = "SELECT count(*) = 0 FROM sqlite_schema";
    if connection.query_row(empty, [], |row| row.get(0)).map_err(|e| foreign(&path, &e))? {
        let streams = Topic::ALL.into_iter().filter(|t| !is_compacted(*t)).map(|topic| {
            let name = table(topic);
            format!(
                "CREATE TABLE {name}(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, \
                 heads BLOB NOT NULL, data BLOB NOT NULL);"
            )
        });
        let script = format!(
            "BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION_ID}; \
             PRAGMA user_version={VERSION}; {TABLES} {} COMMIT;",
            streams.collect::<String>()
        );
        connection.execute_batch(&script).map_err(|e| refused(&e))?;
    }
    check(&connection, &path)?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, LogError> {
    let path = file_of(dir)?;
    let connection = connect_reading(&path)?;
    connection
        .execute_batch("PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY;")
        .map_err(|e| foreign(&path, &e))?;
    check(&connection, &path)?;
    Ok(connection)
}

/// A connection that only reads any SQLite file.
pub(super) fn connect_reading(path: &Path) -> Result<Connection, LogError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// The log's file, which must be there.
fn file_of(dir: &Path) -> Result<PathBuf, LogError> {
    let path = dir.join(LOG_FILE);
    if path.exists() {
        return Ok(path);
    }
    Err(LogError::Unavailable(format!("`{}` holds no log: expected `{LOG_FILE}`", dir.display())))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, LogError> {
    let connection = Connection::open_with_flags(path, flags).map_err(|e| foreign(path, &e))?;
    connection.busy_timeout(BUSY).map_err(|e| refused(&e))?;
    Ok(connection)
}

fn check(connection: &Connection, path: &Path) -> Result<(), LogError> {
    let number = |pragma| {
        connection.query_row(pragma, [], |row| row.get::<_, i32>(0)).map_err(|e| foreign(path, &e))
    };
    let (id, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if (id, version) == (APPLICATION_ID, VERSION) {
        return Ok(());
    }
    let found = if id == APPLICATION_ID {
        format!("a log of version `{version}`")
    } else {
        "another SQLite file".to_owned()
    };
    Err(LogError::Corrupt(format!(
        "`{}` is {found}: expected a log of version `{VERSION}`",
        path.display()
    )))
}

fn foreign(path: &Path, error: &rusqlite::Error) -> LogError {
    match refused(error) {
        LogError::Corrupt(text) => LogError::Corrupt(format!("`{}`: {text}", path.display())),
        LogError::Unavailable(text) => {
            LogError::Unavailable(format!("`{}`: {text}", path.display()))
        }
        other => other,
    }
}
