//! How much of the disk is left.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A disk's size and what is free of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this process may still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Space {
    /// Free share, 0 to 1; an empty disk's is 1.
    pub fn free_share(self) -> f64 {
        if self.total == 0 { 1.0 } else { self.free as f64 / self.total as f64 }
    }
}

/// Looks at the disk that holds the log; tests pass one that lies.
#[derive(Clone)]
pub struct Probe(Arc<dyn Fn() -> io::Result<Space> + Send + Sync>);

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

impl Probe {
    /// Asks this.
    pub fn new(ask: impl Fn() -> io::Result<Space> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Asks the file system that holds `dir`.
    pub fn of(dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self::new(move || {
            let found = rustix::fs::statvfs(&dir)?;
            let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
            Ok(Space { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
        })
    }

    /// What is free now.
    pub fn space(&self) -> io::Result<Space> {
        (self.0)()
    }
}

/// Bytes for people: `12.3 GB`.
pub(super) fn readable(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes < 1e9 { format!("{:.0} MB", bytes / 1e6) } else { format!("{:.1} GB", bytes / 1e9) }
}
