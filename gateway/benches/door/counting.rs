//! Memory as the process asks for it: how often, and how much is held. Counts only while told to,
//! so that what is timed does not pay for it.

#![expect(unsafe_code, reason = "an allocator can not be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

static COUNTING: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicI64 = AtomicI64::new(0);

/// The system's memory, counted.
pub(crate) struct Counting;

#[global_allocator]
static MEMORY: Counting = Counting;

/// Pieces held of each size, in steps of eight bytes; larger ones together at the end.
static PIECES: [AtomicI64; SIZES] = [const { AtomicI64::new(0) }; SIZES];
const SIZES: usize = 1025;
const STEP: usize = 8;

fn count(asked: u64, bytes: i64) {
    if COUNTING.load(Relaxed) {
        ASKED.fetch_add(asked, Relaxed);
        HELD.fetch_add(bytes, Relaxed);
    }
}

/// So many pieces more or less of this size.
fn hold(size: usize, more: i64) {
    if COUNTING.load(Relaxed) {
        PIECES[size.div_ceil(STEP).min(SIZES - 1)].fetch_add(more, Relaxed);
    }
}

/// Sizes of which at least `least` pieces more are held than [`start`] found, and how many.
pub(crate) fn pieces(least: i64) -> Vec<(usize, i64)> {
    let counts = PIECES.iter().map(|count| count.load(Relaxed));
    counts.enumerate().filter(|(_, n)| *n >= least).map(|(n, count)| (n * STEP, count)).collect()
}

// SAFETY: every call goes to the system's allocator as it came; counting touches three atomics
// and asks for no memory.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller's promise about `layout` is handed on.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        hold(layout.size(), 1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    // SAFETY: the caller's promise that `at` came from here with `layout` is handed on.
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        hold(layout.size(), -1);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
    // SAFETY: the caller's promises about all three are handed on.
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        hold(layout.size(), -1);
        hold(size, 1);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// From here on memory is counted.
pub(crate) fn start() {
    for pieces in &PIECES {
        pieces.store(0, Relaxed);
    }
    COUNTING.store(true, Relaxed);
}

/// How often memory has been asked for, and the bytes held, since [`start`].
pub(crate) fn so_far() -> (u64, i64) {
    (ASKED.load(Relaxed), HELD.load(Relaxed))
}

/// How often `work` asks for memory.
pub(crate) fn asked_by<T>(work: impl FnOnce() -> T) -> u64 {
    start();
    let before = so_far().0;
    std::hint::black_box(work());
    COUNTING.store(false, Relaxed);
    so_far().0 - before
}
