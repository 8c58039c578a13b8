//! OpenStreetMap's PBF format, as its wiki page "PBF Format" lays it out, writing only.
//!
//! ```text
//! file  = { length: u32 BE | BlobHeader | Blob }
//! Blob  = zlib of a HeaderBlock (first) or a PrimitiveBlock (8,000 elements of one kind)
//! ```
//! Nodes are dense; elements come by kind and then by id. Coordinates are in units of 100
//! nanodegrees (granularity 100), so what is written is what is read. No metadata: nobody edited
//! this town.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use prost::Message;

/// Keys and values of an element.
pub type Tags = Vec<(&'static str, String)>;

/// A point.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Rises in the file.
    pub id: i64,
    /// 1e-7 degrees.
    pub lng_e7: i64,
    /// 1e-7 degrees.
    pub lat_e7: i64,
    /// Keys and values.
    pub tags: Tags,
}

/// A line through nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Rises in the file.
    pub id: i64,
    /// Ids of its nodes in order.
    pub nodes: Vec<i64>,
    /// Keys and values.
    pub tags: Tags,
}

/// A member of a relation and its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// A node.
    Node(i64, &'static str),
    /// A way.
    Way(i64, &'static str),
}

/// Elements that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// Rises in the file.
    pub id: i64,
    /// In order.
    pub members: Vec<Member>,
    /// Keys and values.
    pub tags: Tags,
}

/// All elements of a file, each kind sorted by id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Element {
    /// Points.
    pub nodes: Vec<Node>,
    /// Lines.
    pub ways: Vec<Way>,
    /// What belongs together.
    pub relations: Vec<Relation>,
}

/// Elements of one block (the format's own advice).
const BLOCK_ELEMENTS: usize = 8_000;

#[derive(Clone, PartialEq, Message)]
struct BlobHeader {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(int32, tag = "3")]
    datasize: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Blob {
    #[prost(int32, tag = "2")]
    raw_size: i32,
    #[prost(bytes = "vec", tag = "3")]
    zlib: Vec<u8>,
}

/// Corners in nanodegrees; the format requires all four.
#[derive(Clone, PartialEq, Message)]
struct BoundingBox {
    #[prost(sint64, required, tag = "1")]
    left: i64,
    #[prost(sint64, required, tag = "2")]
    right: i64,
    #[prost(sint64, required, tag = "3")]
    top: i64,
    #[prost(sint64, required, tag = "4")]
    bottom: i64,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderBlock {
    #[prost(message, optional, tag = "1")]
    bbox: Option<BoundingBox>,
    #[prost(string, repeated, tag = "4")]
    required_features: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    optional_features: Vec<String>,
    #[prost(string, tag = "16")]
    writing_program: String,
}

#[derive(Clone, PartialEq, Message)]
struct StringTable {
    #[prost(bytes = "vec", repeated, tag = "1")]
    texts: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct DenseNodes {
    #[prost(sint64, repeated, tag = "1")]
    id: Vec<i64>,
    #[prost(sint64, repeated, tag = "8")]
    lat: Vec<i64>,
    #[prost(sint64, repeated, tag = "9")]
    lon: Vec<i64>,
    #[prost(int32, repeated, tag = "10")]
    keys_vals: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct WireWay {
    #[prost(int64, required, tag = "1")]
    id: i64,
    #[prost(uint32, repeated, tag = "2")]
    keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    vals: Vec<u32>,
    #[prost(sint64, repeated, tag = "8")]
    refs: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct WireRelation {
    #[prost(int64, required, tag = "1")]
    id: i64,
    #[prost(uint32, repeated, tag = "2")]
    keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    vals: Vec<u32>,
    #[prost(int32, repeated, tag = "8")]
    roles_sid: Vec<i32>,
    #[prost(sint64, repeated, tag = "9")]
    memids: Vec<i64>,
    #[prost(int32, repeated, tag = "10")]
    types: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct PrimitiveGroup {
    #[prost(message, optional, tag = "2")]
    dense: Option<DenseNodes>,
    #[prost(message, repeated, tag = "3")]
    ways: Vec<WireWay>,
    #[prost(message, repeated, tag = "4")]
    relations: Vec<WireRelation>,
}

#[derive(Clone, PartialEq, Message)]
struct PrimitiveBlock {
    #[prost(message, optional, tag = "1")]
    texts: Option<StringTable>,
    #[prost(message, repeated, tag = "2")]
    groups: Vec<PrimitiveGroup>,
}

/// Texts of one block; number 0 is empty, as dense nodes need it.
struct Texts {
    known: BTreeMap<String, u32>,
    list: Vec<Vec<u8>>,
}

impl Texts {
    fn new() -> Self {
        Self { known: BTreeMap::new(), list: vec![Vec::new()] }
    }
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.known.insert(text.to_owned(), number);
        self.list.push(text.as_bytes().to_vec());
        number
    }
    fn tags(&mut self, tags: &Tags) -> (Vec<u32>, Vec<u32>) {
        tags.iter().map(|(k, v)| (self.number(k), self.number(v))).unzip()
    }
}

/// The whole file.
pub fn file(elements: &Element) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, "OSMHeader", &header(&elements.nodes));
    for nodes in elements.nodes.chunks(BLOCK_ELEMENTS) {
        let mut texts = Texts::new();
        let dense = Some(dense(nodes, &mut texts));
        push_block(&mut out, texts, PrimitiveGroup { dense, ..Default::default() });
    }
    for ways in elements.ways.chunks(BLOCK_ELEMENTS) {
        let mut texts = Texts::new();
        let ways = ways.iter().map(|way| wire_way(way, &mut texts)).collect();
        push_block(&mut out, texts, PrimitiveGroup { ways, ..Default::default() });
    }
    for relations in elements.relations.chunks(BLOCK_ELEMENTS) {
        let mut texts = Texts::new();
        let relations = relations.iter().map(|r| wire_relation(r, &mut texts)).collect();
        push_block(&mut out, texts, PrimitiveGroup { relations, ..Default::default() });
    }
    out
}

fn header(nodes: &[Node]) -> HeaderBlock {
    let nano = |values: &mut dyn Iterator<Item = i64>| {
        values.fold((i64::MAX, i64::MIN), |(least, most), v| (least.min(v), most.max(v)))
    };
    let (left, right) = nano(&mut nodes.iter().map(|n| n.lng_e7 * 100));
    let (bottom, top) = nano(&mut nodes.iter().map(|n| n.lat_e7 * 100));
    HeaderBlock {
        bbox: (!nodes.is_empty()).then_some(BoundingBox { left, right, top, bottom }),
        required_features: vec!["OsmSchema-V0.6".into(), "DenseNodes".into()],
        optional_features: vec!["Sort.Type_then_ID".into()],
        writing_program: "milepost".into(),
    }
}

fn push_block(out: &mut Vec<u8>, texts: Texts, group: PrimitiveGroup) {
    let texts = Some(StringTable { texts: texts.list });
    push(out, "OSMData", &PrimitiveBlock { texts, groups: vec![group] });
}

fn push(out: &mut Vec<u8>, kind: &str, message: &impl Message) {
    let raw = message.encode_to_vec();
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::new(6));
    let packed = packer.write_all(&raw).and_then(|()| packer.finish());
    #[expect(clippy::expect_used, reason = "writing to a Vec cannot fail")]
    let zlib = packed.expect("a Vec takes every byte");
    let blob = Blob { raw_size: raw.len() as i32, zlib }.encode_to_vec();
    let head = BlobHeader { kind: kind.to_owned(), datasize: blob.len() as i32 }.encode_to_vec();
    out.extend((head.len() as u32).to_be_bytes());
    out.extend(head);
    out.extend(blob);
}

/// Differences between neighbours, the first to 0.
fn deltas(values: impl Iterator<Item = i64>) -> Vec<i64> {
    values
        .scan(0, |last, value| {
            let step = value - *last;
            *last = value;
            Some(step)
        })
        .collect()
}

fn dense(nodes: &[Node], texts: &mut Texts) -> DenseNodes {
    let mut keys_vals = Vec::new();
    for node in nodes {
        for (key, value) in &node.tags {
            keys_vals.extend([texts.number(key) as i32, texts.number(value) as i32]);
        }
        keys_vals.push(0);
    }
    // Without a tag in the whole block the list is left out.
    if nodes.iter().all(|n| n.tags.is_empty()) {
        keys_vals.clear();
    }
    DenseNodes {
        id: deltas(nodes.iter().map(|n| n.id)),
        lat: deltas(nodes.iter().map(|n| n.lat_e7)),
        lon: deltas(nodes.iter().map(|n| n.lng_e7)),
        keys_vals,
    }
}

fn wire_way(way: &Way, texts: &mut Texts) -> WireWay {
    let (keys, vals) = texts.tags(&way.tags);
    WireWay { id: way.id, keys, vals, refs: deltas(way.nodes.iter().copied()) }
}

fn wire_relation(relation: &Relation, texts: &mut Texts) -> WireRelation {
    let (keys, vals) = texts.tags(&relation.tags);
    let parts = relation.members.iter().map(|member| match member {
        Member::Node(id, role) => (*id, *role, 0),
        Member::Way(id, role) => (*id, *role, 1),
    });
    let parts: Vec<_> = parts.collect();
    WireRelation {
        id: relation.id,
        keys,
        vals,
        roles_sid: parts.iter().map(|(_, role, _)| texts.number(role) as i32).collect(),
        memids: deltas(parts.iter().map(|(id, ..)| *id)),
        types: parts.iter().map(|(.., kind)| *kind).collect(),
    }
}
