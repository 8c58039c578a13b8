//! A consistent copy of a SQLite file, also while another process writes it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ingest::log::LogError;
use rusqlite::params;

use super::schema::{connect_reading, refused, unavailable};
use super::space::{Probe, readable};

/// A copy needs this much more than the file holds: the WAL grows while a writer goes on.
const RESERVE_BYTES: u64 = 256 * 1024 * 1024;

/// Copies the SQLite file `from` to `to`, which must not be there yet, for its owner only, as it
/// stands at one moment; returns the copy's size. `VACUUM INTO`, since the backup interface
/// begins again with each commit of another process. The copy is written beside `to`, synced, and
/// then renamed, so that `to` is whole when it is there.
///
/// # Errors
/// [`LogError::Full`] when the disk has not the room, otherwise as reading and writing fail.
pub fn copy(from: &Path, to: &Path) -> Result<u64, LogError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |e: std::io::Error| unavailable(what, &path, &e)
    };
    let connection = connect_reading(from)?;
    let dir = to.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let held = from.metadata().map_err(failed("cannot read", from))?.len();
    let free = Probe::of(dir).space().map_err(failed("cannot ask for free space of", dir))?.free;
    if free < held.saturating_add(RESERVE_BYTES) {
        return Err(LogError::Full(format!(
            "a copy of `{}` needs up to {} in `{}`, which has {} free",
            from.display(),
            readable(held + RESERVE_BYTES),
            dir.display(),
            readable(free)
        )));
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    // Empty, it may be written into; made here so that it is never open to others.
    let mut make = OpenOptions::new();
    make.write(true).create(true).truncate(true).mode(0o600);
    make.open(part).map_err(failed("cannot write", part))?;
    let name = part
        .to_str()
        .ok_or_else(|| LogError::Unavailable(format!("path `{}` is not UTF-8", part.display())))?;
    connection.execute("VACUUM INTO ?1", params![name]).map_err(|e| refused(&e))?;
    let file = File::open(part).map_err(failed("cannot open", part))?;
    file.sync_all().map_err(failed("cannot sync", part))?;
    // A link, not a rename: it never replaces what is there.
    std::fs::hard_link(part, to).map_err(failed("cannot make", to))?;
    std::fs::remove_file(part).map_err(failed("cannot remove", part))?;
    File::open(dir).and_then(|d| d.sync_all()).map_err(failed("cannot sync", dir))?;
    Ok(to.metadata().map_err(failed("cannot read", to))?.len())
}
