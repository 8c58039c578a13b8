//! An extract twice: the second time with other ids and a degree further east.

use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;
use prost::Message;

/// Added to every id.
const IDS: i64 = 1 << 40;
/// Added to every longitude, 1e-9 degrees.
const EAST: i64 = 1_000_000_000;

#[derive(Clone, PartialEq, Message)]
struct BlobHeader {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(int32, tag = "3")]
    datasize: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Blob {
    #[prost(bytes = "vec", optional, tag = "1")]
    raw: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    zlib: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Block {
    #[prost(bytes = "vec", tag = "1")]
    strings: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    groups: Vec<Group>,
    #[prost(int32, optional, tag = "17")]
    granularity: Option<i32>,
    #[prost(int64, optional, tag = "19")]
    lat_offset: Option<i64>,
    #[prost(int64, optional, tag = "20")]
    lng_offset: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Group {
    #[prost(message, optional, tag = "2")]
    dense: Option<Dense>,
    #[prost(message, repeated, tag = "3")]
    ways: Vec<Way>,
    #[prost(message, repeated, tag = "4")]
    relations: Vec<Relation>,
}

#[derive(Clone, PartialEq, Message)]
struct Dense {
    #[prost(sint64, repeated, tag = "1")]
    ids: Vec<i64>,
    #[prost(sint64, repeated, tag = "8")]
    lats: Vec<i64>,
    #[prost(sint64, repeated, tag = "9")]
    lngs: Vec<i64>,
    #[prost(int32, repeated, tag = "10")]
    tags: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Way {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(uint32, repeated, tag = "2")]
    keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    values: Vec<u32>,
    #[prost(sint64, repeated, tag = "8")]
    refs: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Relation {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(uint32, repeated, tag = "2")]
    keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    values: Vec<u32>,
    #[prost(int32, repeated, tag = "8")]
    roles: Vec<i32>,
    #[prost(sint64, repeated, tag = "9")]
    members: Vec<i64>,
    #[prost(int32, repeated, tag = "10")]
    kinds: Vec<i32>,
}

/// The bytes of an extract, and of its elements once more.
pub(crate) fn twice(source: &Path) -> Vec<u8> {
    let file = std::fs::read(source).expect("an extract");
    let (mut out, mut rest) = (file.clone(), &file[..]);
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (header, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        let header = BlobHeader::decode(header).expect("a header");
        let (blob, behind) = behind.split_at(header.datasize as usize);
        rest = behind;
        if header.kind == "OSMData" {
            let raw = renumbered(&unpacked(blob));
            let blob = Blob { raw: Some(raw), zlib: None }.encode_to_vec();
            let header = BlobHeader { datasize: blob.len() as i32, ..header }.encode_to_vec();
            out.extend((header.len() as u32).to_be_bytes());
            out.extend(header);
            out.extend(blob);
        }
    }
    out
}

fn unpacked(blob: &[u8]) -> Vec<u8> {
    let blob = Blob::decode(blob).expect("a blob");
    let Some(zlib) = blob.zlib else { return blob.raw.expect("bytes") };
    let mut raw = Vec::new();
    ZlibDecoder::new(&zlib[..]).read_to_end(&mut raw).expect("zlib");
    raw
}

/// Ids are steps from one to the next, so that the first of each list moves all.
fn renumbered(raw: &[u8]) -> Vec<u8> {
    let mut block = Block::decode(raw).expect("a block");
    block.lng_offset = Some(block.lng_offset.unwrap_or(0) + EAST);
    let first = |ids: &mut Vec<i64>| ids.first_mut().into_iter().for_each(|id| *id += IDS);
    for group in &mut block.groups {
        group.dense.iter_mut().for_each(|dense| first(&mut dense.ids));
        for way in &mut group.ways {
            way.id += IDS;
            first(&mut way.refs);
        }
        for relation in &mut group.relations {
            relation.id += IDS;
            first(&mut relation.members);
        }
    }
    block.encode_to_vec()
}
