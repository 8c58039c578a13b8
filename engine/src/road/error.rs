//! What can be wrong with a map file or with what a map is made from.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a map could not be opened, built or written.
#[derive(Debug, Error)]
pub enum RoadError {
    /// The file could not be read or written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Not a map file at all.
    #[error("`{path}` is not a Milepost map: expected a file made by `milepost map build`{found}")]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What it looks like instead, or nothing.
        found: &'static str,
    },
    /// A map of another version of the format.
    #[error("`{path}` is a map of format {found}, expected {expected}: build it again")]
    Version {
        /// Which file.
        path: PathBuf,
        /// The file's version.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// A map file that is cut short or damaged.
    #[error("map `{path}` is damaged: {what}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit, with the values.
        what: String,
    },
    /// The source is not an OpenStreetMap PBF file.
    #[error("`{path}` is {found}, expected OpenStreetMap PBF (.osm.pbf)")]
    NotPbf {
        /// Which file.
        path: PathBuf,
        /// What it is, in words.
        found: &'static str,
    },
    /// The source is PBF but broken.
    #[error("`{path}` cannot be decoded as OpenStreetMap PBF: {what}")]
    Pbf {
        /// Which file.
        path: PathBuf,
        /// What the decoder said.
        what: String,
    },
    /// The source holds no road at all.
    #[error("`{path}` holds no road: expected ways with a `highway` tag and their nodes")]
    NoRoads {
        /// Which file.
        path: PathBuf,
    },
    /// More than the format can number.
    #[error("{count} {what} are too many for one map, at most {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// An edge names a node that was not given.
    #[error("edge of way `{way}` ends at node `{node}`, which is not known")]
    UnknownNode {
        /// The way.
        way: i64,
        /// The node.
        node: i64,
    },
}
