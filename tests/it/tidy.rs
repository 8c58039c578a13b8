//! House rules that clippy cannot express. Each failure says what to do instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const CRATES: [&str; 6] = ["ingest", "gateway", "engine", "api", "simulator", "milepost"];
/// Modules of the engine in import order: each uses those before it only.
const ENGINE_ORDER: [&str; 11] = [
    "model", "road", "path", "matching", "eta", "plan", "alert", "world", "record", "vehicle",
    "runtime",
];
const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
/// The only files that may hold `unsafe`, each for one need.
const UNSAFE_FILES: [&str; 2] = ["engine/src/road/mapped.rs", "gateway/benches/door/counting.rs"];
const NAMELESS: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "manager"];

/// A source file: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines before the file's tests begin, with their numbers from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("\n#[cfg(test)]").map_or(self.text.len(), |at| at + 1);
        self.text.get(..end).unwrap_or_default().lines().enumerate().map(|(i, l)| (i + 1, l))
    }
    fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.starts_with("tests/")
            || self.path.contains("/benches/")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<Source> {
    let mut open: Vec<PathBuf> = CRATES.iter().chain(&["tests"]).map(|c| root().join(c)).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 40, "only {} source files were found", found.len());
    found
}

#[track_caller]
fn report(faults: &[String], instead: &str) {
    assert!(faults.is_empty(), "{instead}:\n  {}", faults.join("\n  "));
}

#[test]
fn arrows_between_crates_never_turn_round() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("ingest", &[] as &[&str]),
        ("gateway", &["ingest"]),
        ("engine", &["ingest"]),
        ("api", &["ingest", "engine"]),
        ("simulator", &["ingest", "engine"]),
        ("milepost", &["ingest", "gateway", "engine", "api", "simulator"]),
    ]);
    let mut faults = Vec::new();
    for (name, may) in allowed {
        let manifest = std::fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        for other in CRATES.iter().filter(|c| **c != name && !may.contains(c)) {
            if manifest
                .lines()
                .any(|l| l.starts_with(&format!("{other}.")) || l.starts_with(&format!("{other} ")))
            {
                faults.push(format!("{name} imports {other}"));
            }
        }
    }
    report(&faults, "the design allows six arrows; move the code to the crate that may know it");
}

#[test]
fn engine_modules_use_only_those_before_them() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|s| s.path.starts_with("engine/src/") && !s.is_test()) {
        let module = source.path.trim_start_matches("engine/src/");
        let module = module.split(['/', '.']).next().unwrap_or_default();
        let Some(rank) = ENGINE_ORDER.iter().position(|m| *m == module) else { continue };
        for (number, line) in source.code().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            for later in &ENGINE_ORDER[rank + 1..] {
                if line.contains(&format!("crate::{later}::"))
                    || line.contains(&format!("crate::{later};"))
                {
                    faults.push(format!("{}:{number} uses {later}", source.path));
                }
            }
        }
    }
    report(
        &faults,
        "a module of engine may use only those before it in lib.rs; move the noun down",
    );
}

#[test]
fn what_a_crate_must_not_know_is_absent() {
    // (where, what, except in)
    let absences: [(&str, &[&str], &[&str]); 13] = [
        (
            "ingest/src",
            &["std::net::Tcp", "std::net::Udp", "tokio", "rdkafka::", "std::fs", "std::env"],
            &[],
        ),
        ("gateway/src", &["teltonika", "osmand", "nmea", "rusqlite", "rdkafka::", "std::env"], &[]),
        ("engine/src", &["std::env", "tokio", "rusqlite", "axum", "rdkafka::", "std::net"], &[]),
        ("engine/src", &["std::fs"], &["engine/src/road", "engine/src/runtime"]),
        ("engine/src", &["std::thread", "async fn"], &["engine/src/runtime"]),
        ("simulator/src", &["axum", "rusqlite", "rdkafka::", "std::env"], &[]),
        ("api/src", &["rdkafka::", "std::env"], &[]),
        ("milepost/src", &["rdkafka::"], &["milepost/src/log"]),
        ("ingest/src", &["datafusion", "parquet::", "arrow::"], &[]),
        ("gateway/src", &["datafusion", "parquet::", "arrow::"], &[]),
        ("engine/src", &["datafusion", "parquet::", "arrow::"], &[]),
        ("simulator/src", &["datafusion", "parquet::", "arrow::"], &[]),
        ("milepost/src", &["datafusion", "parquet::", "arrow::"], &[]),
    ];
    let mut faults = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test()) {
        for (at, words, except) in &absences {
            let covered =
                source.path.starts_with(at) && !except.iter().any(|e| source.path.starts_with(e));
            if !covered {
                continue;
            }
            for (number, line) in source.code().filter(|(_, l)| !l.trim_start().starts_with("//")) {
                if let Some(word) = words.iter().find(|w| line.contains(**w)) {
                    faults.push(format!("{}:{number} knows `{word}`", source.path));
                }
            }
        }
    }
    report(
        &faults,
        "design §2-3 says who may know what; pass it in as an argument or move the code",
    );
}

#[test]
fn files_are_short_and_named_by_what_they_hold() {
    let mut faults = Vec::new();
    for source in &sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{} has {lines} lines, at most {FILE_LINES_MAX}", source.path));
        }
        let stem = Path::new(&source.path).file_stem().unwrap().to_str().unwrap();
        if NAMELESS.contains(&stem) || stem == "mod" {
            faults.push(format!("{} has no name of its own", source.path));
        }
    }
    report(
        &faults,
        "cut a long file by concept into foo/; name it by the noun it holds, foo.rs beside foo/",
    );
}

#[test]
fn functions_fit_a_screen() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test()) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let is_function = [
                "fn ",
                "pub fn ",
                "pub(crate) fn ",
                "pub(super) fn ",
                "async fn ",
                "pub async fn ",
                "pub(crate) async fn ",
                "pub(super) async fn ",
                "const fn ",
                "pub const fn ",
            ]
            .iter()
            .any(|p| body.starts_with(p));
            if !is_function || body.ends_with(';') || body.ends_with('}') {
                continue;
            }
            let close = format!("{}}}", " ".repeat(line.len() - body.len()));
            let length = lines[start..].iter().position(|l| *l == close).unwrap_or(0);
            if length > FUNCTION_LINES_MAX + 5 {
                faults.push(format!("{}:{} has {length} lines", source.path, start + 1));
            }
        }
    }
    report(&faults, "keep the branching in the parent and move straight work out");
}

#[test]
fn public_items_are_documented() {
    let kinds = [
        "pub fn ",
        "pub const ",
        "pub static ",
        "pub struct ",
        "pub enum ",
        "pub trait ",
        "pub type ",
        "pub mod ",
        "pub async fn ",
        "pub const fn ",
    ];
    let mut faults = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test()) {
        let code: Vec<(usize, &str)> = source.code().collect();
        for (i, (number, line)) in code.iter().enumerate() {
            let item = line.trim_start();
            if !kinds.iter().any(|k| item.starts_with(k)) || item.contains("$name") {
                continue;
            }
            // A `pub mod` carries its own `//!`.
            let above = code[..i].iter().rev().map(|(_, l)| l.trim());
            let mut above = above.take_while(|l| !l.is_empty() && !l.ends_with(['{', ';']));
            let documented =
                item.starts_with("pub mod ") || above.any(|line| line.starts_with("///"));
            if !documented {
                faults.push(format!("{}:{number} {item}", source.path));
            }
        }
    }
    report(
        &faults,
        "say what it is, its unit and range, who owns it, what happens when full or absent",
    );
}

#[test]
fn unsafe_stays_where_it_is_named_and_explained() {
    let mut faults = Vec::new();
    for source in &sources() {
        for (number, line) in source.code() {
            let code = line.split("//").next().unwrap_or_default();
            if !(code.contains("unsafe {")
                || code.contains("unsafe fn")
                || code.contains("unsafe impl"))
            {
                continue;
            }
            if source.path == "tests/it/tidy.rs" {
                continue;
            }
            let explained = source.text.lines().take(number - 1).collect::<Vec<_>>();
            let explained = explained.iter().rev().take(6).any(|l| l.contains("// SAFETY:"));
            if !UNSAFE_FILES.contains(&source.path.as_str()) || !explained {
                faults.push(format!("{}:{number}", source.path));
            }
        }
    }
    report(
        &faults,
        "unsafe belongs in one named file per need, with a SAFETY comment for each block",
    );
}

#[test]
fn nothing_is_left_for_later() {
    let words = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("];
    let mut faults = Vec::new();
    for source in sources().iter().filter(|s| s.path != "tests/it/tidy.rs") {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|w| line.contains(**w)) {
                faults.push(format!("{}:{} {word}", source.path, number + 1));
            }
        }
    }
    report(&faults, "finish it, or open an issue and cite it");
}

#[test]
fn only_the_clock_reads_the_time() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test() && s.path != "milepost/src/clock.rs") {
        for (number, line) in source.code().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            if line.contains("SystemTime::now") || line.contains("std::time::Instant::now") {
                faults.push(format!("{}:{number}", source.path));
            }
        }
    }
    report(&faults, "time is an argument; take a Clock or a Timestamp");
}

/// The packet table of ARCHITECTURE.md, in order.
pub(crate) const PACKET: [&str; 11] = [
    "gateway/src/entrance.rs",
    "gateway/src/session.rs",
    "ingest/src/protocol/teltonika.rs",
    "ingest/src/fix.rs",
    "ingest/src/record/heard.rs",
    "gateway/src/publish.rs",
    "engine/src/runtime/shard.rs",
    "engine/src/vehicle.rs",
    "engine/src/runtime/commit.rs",
    "api/src/live.rs",
    "api/src/http/stream.rs",
];

#[test]
fn architecture_names_files_that_exist_in_the_packets_order() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut faults = Vec::new();
    for word in text.split('`').skip(1).step_by(2) {
        let path = word.trim_end_matches('/');
        let looks = path.contains('/')
            && !path.contains([' ', '<', '*', '{', ':', '$'])
            && CRATES.iter().chain(&["tests", "deploy", ".ci"]).any(|c| path.starts_with(c));
        if looks && !root().join(path).exists() {
            faults.push(format!("`{word}` does not exist"));
        }
    }
    let mut from = text.find("| # |").expect("the packet table");
    for file in PACKET {
        match text.get(from..).and_then(|rest| rest.find(file)) {
            Some(at) => from += at,
            None => faults.push(format!("the packet table lacks {file} at its place")),
        }
    }
    report(
        &faults,
        "keep ARCHITECTURE.md true: name the files as they are, the packet's in its order",
    );
}

#[test]
fn the_readme_lists_every_protocol() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let row = |p: &&dyn ingest::protocol::Protocol| {
        let transports: Vec<_> = p.transports().iter().map(|t| t.name()).collect();
        let mut ports: Vec<_> = p.transports().iter().map(|t| p.port(*t).to_string()).collect();
        ports.dedup();
        let (name, ports, models) = (p.name(), ports.join(", "), p.models().join(", "));
        format!("| {name} | {ports} | {} | {models} |", transports.join(", "))
    };
    let rows: Vec<_> = ingest::protocol::PROTOCOLS.iter().map(row).collect();
    assert!(
        text.contains(&rows.join("\n")),
        "README.md's table of protocols should read:\n{}",
        rows.join("\n")
    );
}
