//! The target of libFuzzer. `FUZZ_TARGET` is `pbf` or `map`. With `FUZZ_SEEDS` its first inputs
//! are written into that folder, and that is all.

#![no_main]

use std::path::Path;
use std::sync::OnceLock;

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

fn choose() {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let target: fn(&[u8]) = match name.as_str() {
        "pbf" => fuzz::pbf,
        "map" => fuzz::map,
        _ => {
            eprintln!("FUZZ_TARGET `{name}` is neither pbf nor map");
            std::process::exit(2);
        }
    };
    if let Ok(folder) = std::env::var("FUZZ_SEEDS") {
        println!("{name}: {} seeds", fuzz::seeds::write(&name, Path::new(&folder)));
        std::process::exit(0);
    }
    CHOSEN.get_or_init(|| target);
}

libfuzzer_sys::fuzz_target!(init: choose(), |input: &[u8]| {
    CHOSEN.get().expect("chosen before the first input")(input);
});
