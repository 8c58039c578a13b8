//! Passes over the elements of a PBF file.

use std::path::{Path, PathBuf};

use osmpbf::{BlobDecode, BlobError, BlobReader, Element, ErrorKind};

use crate::road::RoadError;

use super::frame;

/// What a blob holds, as bits: a later pass skips the blobs that hold nothing for it.
pub(super) const NODES: u8 = 1;
pub(super) const WAYS: u8 = 2;
pub(super) const RELATIONS: u8 = 4;

/// Features of the format that we understand.
const FEATURES: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];

/// A PBF file whose frame is whole.
pub(super) struct Source {
    path: PathBuf,
    /// What each blob holds, known after the first pass.
    holds: Vec<u8>,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, RoadError> {
        frame::check(path)?;
        Ok(Self { path: path.to_owned(), holds: Vec::new() })
    }

    /// Gives every element of the wanted blobs to `each`, in file order. Wanted are the blobs
    /// that hold any of `wanted`; in the first pass all.
    pub(super) fn pass(
        &mut self,
        wanted: u8,
        mut each: impl FnMut(Element<'_>),
    ) -> Result<(), RoadError> {
        let first = self.holds.is_empty();
        let reader = BlobReader::from_path(&self.path).map_err(|error| self.explain(error))?;
        for (index, blob) in reader.enumerate() {
            let blob = blob.map_err(|error| self.explain(error))?;
            if self.holds.get(index).is_some_and(|holds| holds & wanted == 0) {
                continue;
            }
            let mut holds = 0;
            match blob.decode().map_err(|error| self.explain(error))? {
                BlobDecode::OsmHeader(header) => self.check_features(header.required_features())?,
                BlobDecode::OsmData(block) => block.for_each_element(|element| {
                    holds |= match element {
                        Element::Node(_) | Element::DenseNode(_) => NODES,
                        Element::Way(_) => WAYS,
                        Element::Relation(_) => RELATIONS,
                    };
                    each(element);
                }),
                BlobDecode::Unknown(_) => {}
            }
            if first {
                self.holds.push(holds);
            }
        }
        Ok(())
    }

    fn check_features(&self, required: &[String]) -> Result<(), RoadError> {
        match required.iter().find(|feature| !FEATURES.contains(&feature.as_str())) {
            None => Ok(()),
            Some(feature) => Err(RoadError::Pbf {
                path: self.path.clone(),
                what: format!("it requires `{feature}`, which is not supported"),
            }),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every caller is done with it")]
    fn explain(&self, error: osmpbf::Error) -> RoadError {
        let what = match error.kind() {
            ErrorKind::Blob(BlobError::Empty) => {
                "a blob is not compressed with zlib, the only method supported".to_owned()
            }
            ErrorKind::Protobuf { location, err } => format!("damaged {location}: {err}"),
            ErrorKind::Io(err) => format!("damaged blob: {err}"),
            _ => error.to_string(),
        };
        RoadError::Pbf { path: self.path.clone(), what }
    }
}
