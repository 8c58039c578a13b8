//! What the writer keeps an eye on: free disk, the WAL's size, slow commits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Settings;
use super::shelf::{Intake, Shelf};
use super::space::Space;
use crate::clock::monotonic;

/// Between looks at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two alarms of one kind.
const REPEAT_EVERY: Duration = Duration::from_mins(1);
/// A WAL of this size is held by a reader that does not let go.
const WAL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// A commit that takes longer is told.
const COMMIT_MAX: Duration = Duration::from_secs(1);

/// Looks now and then, tells, and closes the intake when the disk runs full.
pub(super) struct Watch {
    shelf: Arc<Shelf>,
    settings: Settings,
    wal: PathBuf,
    looked: Option<Instant>,
    intake: Intake,
    /// Last told: slow commit, large WAL, unreadable disk.
    told: [Option<Instant>; 3],
}

impl Watch {
    pub(super) fn new(shelf: Arc<Shelf>, settings: Settings, file: &Path) -> Self {
        let mut wal = file.as_os_str().to_owned();
        wal.push("-wal");
        let wal = PathBuf::from(wal);
        Self { shelf, settings, wal, looked: None, intake: Intake::Open, told: [None; 3] }
    }

    /// A transaction of so many records took so long.
    pub(super) fn wrote(&mut self, records: usize, took: Duration) {
        if took > COMMIT_MAX && self.is_news(0) {
            let milliseconds = took.as_millis() as u64;
            tracing::warn!(records, milliseconds, "slow commit of the log");
        }
    }

    /// Looks at the disk once a second.
    pub(super) fn look(&mut self, connection: &Connection) {
        let now = monotonic();
        if self.looked.is_some_and(|last| now.duration_since(last) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        let wal = self.wal.metadata().map_or(0, |m| m.len());
        if wal > WAL_BYTES_MAX && self.is_news(1) {
            tracing::warn!(bytes = wal, "a reader keeps the log's WAL from beginning again");
        }
        match self.settings.probe.space() {
            Ok(space) => self.judge(space, reusable(connection)),
            Err(error) if self.is_news(2) => tracing::warn!(%error, "free disk is unknown"),
            Err(_) => {}
        }
    }

    /// Pages that retention has freed inside the file count as free: it never shrinks.
    fn judge(&mut self, space: Space, reusable: u64) {
        let free = space.free.saturating_add(reusable);
        let share = Space { free, ..space }.free_share();
        let least = self.settings.free_share_min;
        let intake = if share >= least {
            Intake::Open
        } else if share >= least / 2.0 {
            Intake::Draining
        } else {
            Intake::Shut
        };
        if intake == self.intake {
            return;
        }
        if intake > Intake::Open {
            let percent = share * 100.0;
            tracing::error!(free, percent, "log refuses appends: too little free disk");
        } else {
            tracing::info!(free, "log takes appends again");
        }
        self.intake = intake;
        self.shelf.set_intake(intake);
    }

    fn is_news(&mut self, kind: usize) -> bool {
        let now = monotonic();
        let news = self.told[kind].is_none_or(|last| now.duration_since(last) >= REPEAT_EVERY);
        if news {
            self.told[kind] = Some(now);
        }
        news
    }
}

/// Bytes of pages inside the file that hold nothing.
fn reusable(connection: &Connection) -> u64 {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).unwrap_or(0);
    (number("PRAGMA freelist_count") * number("PRAGMA page_size")) as u64
}
