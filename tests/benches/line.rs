//! The whole line on one machine: `cargo bench -p tests --bench line -- [MAP.mpr]
//! [FIXES/S…] [VEHICLES@FIXES/S…] [kafka://HOST:PORT]`.
//!
//! First what one fix costs, stage by stage, driven turn by turn on one thread with a virtual
//! clock. Then the real thing: all roles in one process on the disk log, or on Kafka where one is
//! named, and beside them on the same cores a simulated fleet on real sockets, 5,000 vehicles that
//! send faster and faster until the engine no longer keeps up. Every vehicle has an active route of
//! at least eight stops that was planned before the clock starts.
//!
//! Processor time is read from the scheduler's statistics (Linux), so that other work on the
//! machine changes it little; where it saturates depends on the machine. With another number of
//! vehicles, as in `20000@10000`, a quarter of them sends datagrams.

#[path = "line/load.rs"]
mod load;
#[path = "line/processor.rs"]
mod processor;
#[path = "line/stages.rs"]
mod stages;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::road::{Road, import};

use load::Load;

/// Fixes a second that are tried one after the other, by so many vehicles.
const RATES: [u32; 5] = [5_000, 7_500, 10_000, 12_500, 15_000];
const VEHICLES: u32 = 5_000;
/// The seed of the town and of all fleets.
const SEED: u64 = 1;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let folder = std::env::temp_dir().join(format!("milepost-line-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let kafka = arguments.iter().find(|a| a.starts_with("kafka://")).map(String::as_str);
    let named = |a: &&String| load(a).is_none() && !a.starts_with("kafka://");
    let map = match arguments.iter().find(named) {
        Some(map) => PathBuf::from(map),
        None => town(&folder)?,
    };
    let road = Arc::new(Road::open(&map)?);
    stages::print(&road, &folder.join("stages"))?;
    let mut loads: Vec<Load> = arguments.iter().filter_map(|a| load(a)).collect();
    if loads.is_empty() {
        loads = RATES.iter().filter_map(|rate| load(&rate.to_string())).collect();
    }
    for (number, load) in loads.into_iter().enumerate() {
        let data = folder.join(number.to_string());
        if !load::print((&map, &road), &data, kafka, load)? {
            break;
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// `FIXES/S` or `VEHICLES@FIXES/S`.
fn load(text: &str) -> Option<Load> {
    let Some((vehicles, rate)) = text.split_once('@') else {
        return Some(Load { vehicles: VEHICLES, rate: text.parse().ok()?, datagrams: false });
    };
    Some(Load { vehicles: vehicles.parse().ok()?, rate: rate.parse().ok()?, datagrams: true })
}

/// The synthetic town as a map file.
fn town(folder: &Path) -> anyhow::Result<PathBuf> {
    let (source, target) = (folder.join("town.osm.pbf"), folder.join("town.mpr"));
    std::fs::write(&source, simulator::town::town(SEED))?;
    import::build(&source, &target)?;
    Ok(target)
}
