//! `milepost route`: the quickest way between two positions.

use std::path::PathBuf;

use anyhow::{Context, bail};
use engine::path::{Path, Router, line};
use engine::road::{Near, Profile, Road};
use ingest::time::Timestamp;
use ingest::units::Position;
use serde_json::{Value, json};

/// Farther than this from any road a position is not on the road, metres.
const SNAP_MAX_M: f64 = 5000.0;
/// Edges that count as equally near, metres beyond the nearest.
const SNAP_TIE_M: f64 = 0.5;
/// Edges tried at each end when the nearest lead nowhere, such as a fenced-off yard's.
const SNAP_TRIES: usize = 12;

/// Finds the quickest way between two positions.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The map (.mpr).
    #[arg(long)]
    map: PathBuf,
    /// Where to start: LNG,LAT.
    #[arg(long, value_parser = position, allow_hyphen_values = true, value_name = "LNG,LAT")]
    from: Position,
    /// Where to go: LNG,LAT.
    #[arg(long, value_parser = position, allow_hyphen_values = true, value_name = "LNG,LAT")]
    to: Position,
    /// Who drives: car, van, truck, bike or foot.
    #[arg(long, value_parser = profile, default_value = "van")]
    profile: Profile,
    /// When to leave (RFC 3339); the answer then says when one arrives at free flow.
    #[arg(long, value_parser = Timestamp::parse, value_name = "TIME")]
    depart: Option<Timestamp>,
}

/// Runs the command.
#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments like this")]
pub fn run(args: Args) -> anyhow::Result<()> {
    let road = Road::open(&args.map)?;
    let from = snap(&road, args.from, args.profile).context("no start")?;
    let to = snap(&road, args.to, args.profile).context("no target")?;
    let Some((path, from, to)) = quickest(&road, &from, &to, args.profile) else {
        bail!(
            "no way for a {} from {},{} to {},{}",
            args.profile.name(),
            args.from.lng,
            args.from.lat,
            args.to.lng,
            args.to.lat
        );
    };
    let mut points = Vec::new();
    line(&road, (from.place, to.place), &path.edges, &mut points);
    let edges: Vec<Value> = path
        .edges
        .iter()
        .map(|&edge| {
            let (way, from_node, to_node) = road.osm(edge);
            json!([way, from_node, to_node])
        })
        .collect();
    let points: Vec<Value> =
        points.iter().map(|at| json!([rounded(at.lng, 1e7), rounded(at.lat, 1e7)])).collect();
    let mut document = json!({
        "seconds": rounded(path.seconds, 1e3),
        "metres": rounded(path.metres, 1e3),
        "edges": edges,
        "line": points,
    });
    if let Some(depart) = args.depart {
        document["arrive"] = json!(depart.plus_seconds(path.seconds).to_string());
    }
    #[expect(clippy::print_stdout, reason = "the answer of a command is its standard output")]
    {
        println!("{document}");
    }
    Ok(())
}

fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}

/// Edges near a position that the profile may use, nearest first.
fn snap(road: &Road, at: Position, profile: Profile) -> anyhow::Result<Vec<Near>> {
    let mut near = Vec::new();
    for radius_m in [50.0, 500.0, SNAP_MAX_M] {
        road.near_for(at, radius_m, profile.into(), &mut near);
        if !near.is_empty() {
            near.truncate(SNAP_TRIES);
            return Ok(near);
        }
    }
    bail!(
        "position `{},{}` (LNG,LAT) has no road for a {} within {SNAP_MAX_M} m",
        at.lng,
        at.lat,
        profile.name()
    )
}

/// The quickest way between the nearest edges of both ends, either direction of each; where
/// those are not connected, the one that strays least from the positions asked for.
fn quickest(
    road: &Road,
    from: &[Near],
    to: &[Near],
    profile: Profile,
) -> Option<(Path, Near, Near)> {
    // For a way or two a search is quicker than making the map's hierarchy.
    let mut router = Router::searching();
    let mut pairs: Vec<(Near, Near)> =
        from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to))).collect();
    let stray = |pair: &(Near, Near)| pair.0.distance_m + pair.1.distance_m;
    pairs.sort_by(|a, b| stray(a).total_cmp(&stray(b)));
    let mut best: Option<(Path, Near, Near)> = None;
    let mut most = f64::INFINITY;
    for pair in pairs {
        if stray(&pair) > most {
            break;
        }
        if let Some(path) = router.route(road, pair.0.place, pair.1.place, profile) {
            most = most.min(stray(&pair) + SNAP_TIE_M);
            if best.as_ref().is_none_or(|best| path.seconds < best.0.seconds) {
                best = Some((path, pair.0, pair.1));
            }
        }
    }
    best
}

fn position(text: &str) -> Result<Position, String> {
    let expected = || format!("`{text}` is no position, expected LNG,LAT in degrees");
    let (lng, lat) = text.split_once(',').ok_or_else(expected)?;
    let (lng, lat) = (lng.trim().parse(), lat.trim().parse());
    let (Ok(lng), Ok(lat)) = (lng, lat) else { return Err(expected()) };
    Position::new(lng, lat).map_err(|error| error.to_string())
}

fn profile(text: &str) -> Result<Profile, String> {
    let names = Profile::ALL.map(Profile::name).join(", ");
    Profile::from_name(text)
        .ok_or_else(|| format!("`{text}` is no profile, expected one of {names}"))
}
