//! Processor time of this process's threads, by their names.

use std::collections::BTreeMap;

/// Microseconds of processor time so far, by a thread's name without its number.
pub(crate) type Spent = BTreeMap<String, f64>;

/// Of all threads there are now.
pub(crate) fn spent() -> Spent {
    let mut spent = Spent::new();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for thread in threads {
        let read = |file: &str| std::fs::read_to_string(thread.path().join(file));
        let (Ok(name), Ok(statistics)) = (read("comm"), read("schedstat")) else { continue };
        let nanos = statistics.split(' ').next().and_then(|n| n.parse::<f64>().ok());
        let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        *spent.entry(name.to_owned()).or_default() += nanos.unwrap_or_default() / 1e3;
    }
    spent
}

/// Of this thread alone, microseconds.
pub(crate) fn here() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1e3
}

/// Microseconds of one name.
pub(crate) fn of(spent: &Spent, name: &str) -> f64 {
    spent.get(name).copied().unwrap_or_default()
}
