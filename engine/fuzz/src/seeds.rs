//! First inputs: a few streets with restrictions as a file of OpenStreetMap, whose blobs are not
//! compressed, so that a changed byte is a changed field; and the maps that become of them.

use std::path::Path;

use engine::road::import;

/// Writes the first inputs of a target into a folder, and says how many.
///
/// # Panics
/// When the folder can not be written to.
pub fn write(target: &str, folder: &Path) -> usize {
    // The smaller a map is, the more of them are tried in a second.
    let files = [town(2, false), town(3, true), Vec::new()];
    let inputs: Vec<Vec<u8>> = match target {
        "pbf" => files.to_vec(),
        _ => files.iter().filter_map(|file| image(file)).collect(),
    };
    for (number, input) in inputs.iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), input).expect("a seed is written");
    }
    inputs.len()
}

fn image(file: &[u8]) -> Option<Vec<u8>> {
    let path = super::file();
    std::fs::write(&path, file).expect("a temporary file is written");
    import::import(&path).ok()
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Packed numbers; `signed` ones as steps from one to the next.
fn packed(out: &mut Vec<u8>, field: u64, values: &[i64], signed: bool) {
    let (mut all, mut before) = (Vec::new(), 0);
    for &value in values {
        let step = value - before;
        varint(&mut all, if signed { (step << 1 ^ step >> 63) as u64 } else { value as u64 });
        before = value;
    }
    bytes(out, field, &all);
}

fn blob(out: &mut Vec<u8>, kind: &str, content: &[u8]) {
    let (mut header, mut body) = (Vec::new(), Vec::new());
    bytes(&mut body, 1, content);
    bytes(&mut header, 1, kind.as_bytes());
    number(&mut header, 3, body.len() as u64);
    out.extend_from_slice(&(header.len() as u32).to_be_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(&body);
}

/// The table of strings, by number; the first is the empty one.
const STRINGS: &str = "|highway|residential|primary|name|Rua 1|oneway|yes|type|restriction|\
    no_left_turn|only_straight_on|from|via|to|maxspeed|30 mph|access|private|junction|roundabout|50";

/// A grid of `side` × `side` junctions 100 m apart; with more tags and a restriction over a way
/// where it is `rich`.
fn town(side: i64, rich: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut header = Vec::new();
    bytes(&mut header, 4, b"OsmSchema-V0.6");
    bytes(&mut header, 4, b"DenseNodes");
    blob(&mut file, "OSMHeader", &header);
    let mut strings = Vec::new();
    STRINGS.split('|').for_each(|text| bytes(&mut strings, 1, text.as_bytes()));
    for group in [nodes(side), ways(side, rich), relations(rich)] {
        let mut block = Vec::new();
        bytes(&mut block, 1, &strings);
        bytes(&mut block, 2, &group);
        blob(&mut file, "OSMData", &block);
    }
    file
}

fn nodes(side: i64) -> Vec<u8> {
    let ids: Vec<i64> = (1..=side * side).collect();
    let lat: Vec<i64> = ids.iter().map(|id| 411_500_000 + (id - 1) / side * 9_000).collect();
    let lng: Vec<i64> = ids.iter().map(|id| -86_100_000 + (id - 1) % side * 12_000).collect();
    let (mut dense, mut group) = (Vec::new(), Vec::new());
    packed(&mut dense, 1, &ids, true);
    packed(&mut dense, 8, &lat, true);
    packed(&mut dense, 9, &lng, true);
    bytes(&mut group, 2, &dense);
    group
}

fn ways(side: i64, rich: bool) -> Vec<u8> {
    let mut group = Vec::new();
    for line in 0..side {
        let row: Vec<i64> = (0..side).map(|n| line * side + n + 1).collect();
        let column: Vec<i64> = (0..side).map(|n| n * side + line + 1).collect();
        for (id, through) in [(100 + line, row), (200 + line, column)] {
            let plain: (&[i64], &[i64]) = (&[1, 4], &[2, 5]);
            let tagged: (&[i64], &[i64]) = (&[1, 6, 15, 17, 19], &[3, 7, 16, 18, 20]);
            let (keys, values) = if rich && id % 2 == 0 { tagged } else { plain };
            let mut way = Vec::new();
            number(&mut way, 1, id as u64);
            packed(&mut way, 2, keys, false);
            packed(&mut way, 3, values, false);
            packed(&mut way, 8, &through, true);
            bytes(&mut group, 3, &way);
        }
    }
    group
}

fn relations(rich: bool) -> Vec<u8> {
    let mut group = Vec::new();
    // From row 0 over node 2, or over column 1, into another street.
    let at_node: (&[i64], &[i64]) = (&[100, 2, 201], &[1, 0, 1]);
    let over_way: (&[i64], &[i64]) = (&[100, 201, 101], &[1, 1, 1]);
    for (id, (members, kinds)) in [(900, at_node), (901, if rich { over_way } else { at_node })] {
        let mut relation = Vec::new();
        number(&mut relation, 1, id);
        packed(&mut relation, 2, &[8, 9], false);
        packed(&mut relation, 3, &[9, if id == 900 { 10 } else { 11 }], false);
        packed(&mut relation, 8, &[12, 13, 14], false);
        packed(&mut relation, 9, members, true);
        packed(&mut relation, 10, kinds, false);
        bytes(&mut group, 4, &relation);
    }
    group
}
