//! Every fix with the truth behind it, as CSV: the columns that `milepost match` reads, then
//! where the vehicle really was.

use std::io::{self, Write};

use engine::road::Road;
use ingest::units::{Heading, Metres, MetresPerSecond};

use crate::drive::Fleet;
use crate::noise::Receiver;

/// Writes all fixes that the fleet's receivers measure in `seconds`, one vehicle after the other.
/// Receivers are seeded, so these are the fixes that were sent.
pub fn write(
    out: &mut dyn Write,
    road: &Road,
    fleet: &Fleet,
    (seed, interval_s, seconds): (u64, u32, u32),
) -> io::Result<()> {
    write!(out, "trace,seq,t_ms,lon,lat,speed_mps,heading_deg,accuracy_m,")?;
    writeln!(out, "true_lon,true_lat,way,from_node,to_node,offset_m")?;
    for van in &fleet.vans {
        let mut receiver = Receiver::new(seed, van.number);
        let first = van.number % interval_s.max(1);
        for (seq, second) in (first..=seconds).step_by(interval_s.max(1) as usize).enumerate() {
            let at_s = f64::from(second);
            let truth = van.journey.at(road, at_s);
            let Ok(fix) = receiver.measure(&truth, at_s) else { continue };
            let time = fleet.start.plus_seconds(at_s).millis();
            let speed = fix.speed.map_or(0.0, MetresPerSecond::get);
            let heading = fix.heading.map_or(0.0, Heading::get);
            let accuracy = fix.accuracy.map_or(0.0, Metres::get);
            let (way, from, to) = road.osm(truth.place.edge);
            let (at, real) = (fix.position, truth.position);
            write!(out, "{},{seq},{time},{},{},", van.vehicle, at.lng, at.lat)?;
            write!(out, "{speed},{heading},{accuracy},{:.7},{:.7},", real.lng, real.lat)?;
            writeln!(out, "{way},{from},{to},{:.1}", truth.place.offset_m)?;
        }
    }
    out.flush()
}
