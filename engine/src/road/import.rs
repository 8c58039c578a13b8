//! OpenStreetMap PBF into a map file.
//!
//! Three passes: relations (which restrictions and polygons there are), ways (which are roads
//! and areas), nodes (where those lie). Only what is used is kept, so memory follows the roads
//! and areas of a file, not its size. In reading order: `frame` finds the blobs, `blob` unpacks
//! one, `wire` and `block` decode what it holds, `pbf` makes passes of that; `tags` and `quantity` understand tags, `relations`, `ways`, `nodes` and `areas` keep
//! what they are named after.

mod areas;
mod blob;
mod block;
mod frame;
mod nodes;
mod pbf;
mod quantity;
mod relations;
mod tags;
#[cfg(test)]
mod tests;
mod ways;
mod wire;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::builder::RoadBuilder;
use super::error::RoadError;
use areas::Outlines;
use block::Element;
use nodes::Nodes;
use pbf::{NODES, RELATIONS, Source, WAYS};
use relations::Relations;
use tags::Tags;
use ways::Roads;

/// The bytes of the map that an OpenStreetMap PBF file makes. The same file gives the same
/// bytes.
pub fn import(source: &Path) -> Result<Vec<u8>, RoadError> {
    let mut pbf = Source::open(source)?;
    let mut relations = Relations::default();
    pbf.pass(RELATIONS, |element| {
        if let Element::Relation { members, tags } = element {
            relations.read(members, tags);
        }
    })?;
    let (roads, outlines) = read_ways(&mut pbf, &relations)?;
    if roads.is_empty() {
        return Err(RoadError::NoRoads { path: source.to_owned() });
    }
    let mut nodes = Nodes::wanted([roads.refs(), outlines.refs()].concat());
    pbf.pass(NODES, |element| {
        if let Element::Node { id, lng_lat, tags } = element {
            nodes.read(id, lng_lat, tags);
        }
    })?;
    let mut builder = RoadBuilder::new();
    builder.areas(outlines.write(&relations.multipolygons, &nodes));
    drop(outlines);
    roads.build(&nodes, &mut builder);
    drop((roads, nodes));
    for restriction in relations.restrictions {
        builder.restriction(restriction);
    }
    builder.conditional_restrictions(relations.conditional);
    builder.image()
}

/// Imports `source` and writes the map to `target`: under another name first, synced, then
/// renamed, so that a map that is there is whole.
pub fn build(source: &Path, target: &Path) -> Result<(), RoadError> {
    write(target, &import(source)?)
}

fn write(target: &Path, image: &[u8]) -> Result<(), RoadError> {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = target.with_file_name(name);
    let io = |source| RoadError::Io { action: "write", path: target.to_owned(), source };
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(image)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&partial, target)) {
        // The error that matters is the first one; what is left behind is named `.partial`.
        drop(fs::remove_file(&partial));
        return Err(io(error));
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).map_err(io)
}

fn read_ways(pbf: &mut Source, relations: &Relations) -> Result<(Roads, Outlines), RoadError> {
    let mut parts: Vec<i64> =
        relations.multipolygons.iter().flat_map(|area| area.ways.iter().copied()).collect();
    parts.sort_unstable();
    parts.dedup();
    let (mut roads, mut outlines) = (Roads::default(), Outlines::default());
    pbf.pass(WAYS, |element| {
        let Element::Way { id, refs, tags } = element else { return };
        let tags = Tags(tags);
        roads.way(id, refs, &tags);
        let part = parts.binary_search(&id).is_ok();
        outlines.way(id, refs, areas::kind(&tags), part);
    })?;
    Ok((roads, outlines))
}
