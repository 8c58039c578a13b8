//! The target of libFuzzer. `FUZZ_PROTOCOL` names the protocol; without it all names are printed.
//! With `FUZZ_SEEDS` its first inputs are written into that folder, and that is all.

#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use ingest::protocol::{PROTOCOLS, Protocol, by_name};

static CHOSEN: OnceLock<&'static dyn Protocol> = OnceLock::new();

fn choose() {
    let Ok(name) = std::env::var("FUZZ_PROTOCOL") else {
        PROTOCOLS.iter().for_each(|p| println!("{}", p.name()));
        std::process::exit(0);
    };
    let Some(protocol) = by_name(&name) else {
        eprintln!("protocol `{name}` is unknown");
        std::process::exit(2);
    };
    if let Ok(folder) = std::env::var("FUZZ_SEEDS") {
        println!("{name}: {} seeds", fuzz::seeds::write(protocol, Path::new(&folder)));
        std::process::exit(0);
    }
    CHOSEN.get_or_init(|| protocol);
}

libfuzzer_sys::fuzz_target!(init: choose(), |input: &[u8]| {
    fuzz::feed(*CHOSEN.get().expect("chosen before the first input"), input);
});
