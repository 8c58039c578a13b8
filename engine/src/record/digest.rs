//! One hash over everything a log's outputs say: SHA-256 over canonical JSON by (key, seq).

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// Collects outputs in any order of keys, each key in order of seq, as partitions give them.
#[derive(Debug, Default)]
pub struct Digest {
    lines: BTreeMap<String, Vec<u8>>,
    outputs: u64,
}

impl Digest {
    /// The next output of `key`: its canonical JSON, one line without its end.
    pub fn add(&mut self, key: &str, line: &str) {
        if !self.lines.contains_key(key) {
            self.lines.insert(key.to_owned(), Vec::new());
        }
        if let Some(lines) = self.lines.get_mut(key) {
            lines.extend_from_slice(line.as_bytes());
            lines.push(b'\n');
        }
        self.outputs += 1;
    }
    /// How many were added.
    pub fn outputs(&self) -> u64 {
        self.outputs
    }
    /// Takes in what another one has collected; its keys must be others.
    pub fn merge(&mut self, other: Self) {
        self.outputs += other.outputs;
        self.lines.extend(other.lines);
    }
    /// 64 hex digits.
    pub fn hex(&self) -> String {
        let mut hash = Sha256::new();
        for lines in self.lines.values() {
            hash.update(lines);
        }
        hex(&hash.finalize())
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |d: u8| char::from(b"0123456789abcdef"[usize::from(d)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}
