//! Files of OpenStreetMap that somebody made by hand: each is refused with one line, or read as
//! what it says, and none ends the process or fills its memory.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;

/// A message of Protocol Buffers as it is written.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn with(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    fn packed(self, field: u64, values: &[i64]) -> Self {
        let mut all = Self::default();
        for &value in values {
            all.varint(value as u64);
        }
        self.bytes(field, &all.0)
    }

    /// Steps, zigzag.
    fn steps(self, field: u64, steps: &[i64]) -> Self {
        let steps: Vec<i64> = steps.iter().map(|&step| zigzag(step)).collect();
        self.packed(field, &steps)
    }
}

fn zigzag(value: i64) -> i64 {
    value << 1 ^ value >> 63
}

fn message() -> Message {
    Message::default()
}

/// A blob in its frame.
fn framed(kind: &str, blob: &Message) -> Vec<u8> {
    let header = message().bytes(1, kind.as_bytes()).number(3, blob.0.len() as i64);
    [&(header.0.len() as u32).to_be_bytes()[..], &header.0, &blob.0].concat()
}

fn header() -> Vec<u8> {
    framed("OSMHeader", &message().with(1, &message().bytes(4, b"OsmSchema-V0.6")))
}

/// Strings that all blocks share: 1 and 2 make a road, 3 and 4 a restriction.
fn strings() -> Message {
    ["", "highway", "residential", "type", "restriction", "barrier", "gate"]
        .iter()
        .fold(message(), |table, string| table.bytes(1, string.as_bytes()))
}

/// A block around one group.
fn block(group: &Message) -> Message {
    message().with(1, &strings()).with(2, group)
}

fn dense() -> Message {
    message().steps(1, &[1, 1, 1]).steps(8, &[410_000_000, 9_000, 0]).steps(9, &[-86, 9_000, 9_000])
}

fn way() -> Message {
    message().number(1, 7).packed(2, &[1]).packed(3, &[2]).steps(8, &[1, 1, 1])
}

fn relation() -> Message {
    let relation = message().number(1, 9).packed(2, &[3]).packed(3, &[4]);
    relation.packed(8, &[0]).steps(9, &[7]).packed(10, &[1])
}

/// Imports a file of blocks as raw blobs behind a usual header.
fn import_blocks(name: &str, blocks: &[Message]) -> Result<Vec<u8>, RoadError> {
    let blobs = blocks.iter().map(|block| framed("OSMData", &message().with(1, block)));
    import_bytes(name, &blobs.fold(header(), |file, blob| [file, blob].concat()))
}

fn import_bytes(name: &str, bytes: &[u8]) -> Result<Vec<u8>, RoadError> {
    let name = format!("milepost-hostile-{name}-{}.osm.pbf", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, bytes).unwrap();
    let image = import(&path);
    fs::remove_file(&path).unwrap();
    image
}

#[track_caller]
fn check(name: &str, block: Message, expected: &str) {
    let usual = [block_of(2, &dense()), block_of(3, &way())];
    let error = import_blocks(name, &[&usual[..], &[block]].concat()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}\nexpected … {expected} …");
}

fn block_of(field: u64, element: &Message) -> Message {
    block(&message().with(field, element))
}

#[test]
fn plain_and_dense_nodes_raw_and_zlib_make_the_same_map() {
    let usual = [block_of(2, &dense()), block_of(3, &way()), block_of(4, &relation())];
    let expected = import_blocks("dense", &usual).unwrap();
    let node = |id: i64, lat: i64, lng: i64| {
        message().number(1, zigzag(id)).number(8, zigzag(lat)).number(9, zigzag(lng))
    };
    // Granularity and offsets: (410_000_000 + n) × 100 = 41e9 - 5_000 + 500 × m.
    let nodes = [node(1, 10, -10), node(2, 1_810, 1_790), node(3, 1_810, 3_590)];
    let group = nodes.iter().fold(message(), |group, node| group.with(1, node));
    let plain = block(&group).number(17, 500).number(19, 41_000_000_000 - 5_000);
    let plain = plain.number(20, -8_600 + 5_000);
    let found = import_blocks("plain", &[&[plain], &usual[1..]].concat()).unwrap();
    assert_eq!(found, expected);
    let zlib = usual.iter().fold(header(), |file, block| {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(6));
        zlib.write_all(&block.0).unwrap();
        let blob = message().number(2, block.0.len() as i64).bytes(3, &zlib.finish().unwrap());
        [file, framed("OSMData", &blob)].concat()
    });
    assert_eq!(import_bytes("zlib", &zlib).unwrap(), expected);
}

#[test]
fn elements_that_do_not_fit_are_named() {
    let unknown = |kind| message().number(1, 9).packed(8, &[0]).steps(9, &[7]).packed(10, &[kind]);
    check("member", block_of(4, &unknown(7)), "member `7` of relation `9` is of type `7`");
    check("negative", block_of(4, &unknown(-1)), "of type `18446744073709551615`, expected 0");
    let coarse = block_of(2, &dense()).number(17, i64::from(i32::MAX)).number(19, i64::MAX);
    check("offset", coarse, "lat `410000000` of node `1` with granularity `2147483647` and offset");
    check("coarse", block_of(2, &dense()).number(17, -1), "granularity `-1`, expected 1 to");
    check("zero", block_of(2, &dense()).number(17, 0), "granularity `0`, expected 1 to");
    let far = message().steps(1, &[i64::MAX, 1]).steps(8, &[0, 0]).steps(9, &[0, 0]);
    check("far", block_of(2, &far), "`id` steps by `1` from `9223372036854775807`");
    let few = message().steps(1, &[1, 1]).steps(8, &[0]).steps(9, &[0, 0]);
    check("few", block_of(2, &few), "`lat` holds fewer numbers");
    let many = message().steps(1, &[1]).steps(8, &[0]).steps(9, &[0, 0]);
    check("many", block_of(2, &many), "`lon` holds more numbers");
    let open = message().steps(1, &[1]).steps(8, &[0]).steps(9, &[0]).packed(10, &[5, 6]);
    check("open", block_of(2, &open), "`keys_vals` holds fewer numbers");
    let lost = message().number(1, 7).packed(2, &[1]).packed(3, &[90]);
    check("lost", block_of(3, &lost), "string `90` is asked for where a block holds 7");
    let odd = message().number(1, 7).packed(2, &[1, 1]).packed(3, &[2]);
    check("odd", block_of(3, &odd), "`vals` holds fewer numbers");
    check("nameless", block_of(3, &message().steps(8, &[1])), "a way lacks its id");
    check("placeless", block_of(1, &message().number(1, 4)), "node `2` lacks its place");
    let twice = way().steps(8, &[4]);
    check("twice", block_of(3, &twice), "`refs` comes twice, expected all of it in one piece");
    check("loose", block_of(3, &message().number(8, 4)), "`refs` is a number, expected bytes");
    let latin = message().with(1, &message().bytes(1, b"Stra\xdfe"));
    check("latin", latin, "string 0 is not UTF-8");
    let group = message().bytes(2, &[0x0b]);
    check("kind", group, "field 1 is of kind `3`, expected 0, 1, 2 or 5, in the blob at byte");
    let long = message().bytes(2, &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    check("long", long, "a number goes on behind `[ff, ff, ff, ff, ff, ff, ff, ff, ff, ff]`");
    check(
        "beyond",
        message().bytes(2, &[0x12, 0x7f, 1]),
        "a field of `127` bytes where 1 are left",
    );
    check("short", message().bytes(2, &[0x12, 0x80]), "cut short inside a number");
}

#[test]
fn nodes_that_are_not_on_earth_are_left_out() {
    let dense =
        message().steps(1, &[1, 1, 1]).steps(8, &[0, 0, 0]).steps(9, &[0, 9_000, i64::MAX / 200]);
    let image = import_blocks("earth", &[block_of(2, &dense), block_of(3, &way())]).unwrap();
    assert_eq!(Road::from_bytes(Bytes::Owned(image)).unwrap().nodes(), 2);
}

#[test]
fn blobs_that_do_not_fit_are_named() {
    let zlib = |bytes: &[u8]| {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(9));
        zlib.write_all(bytes).unwrap();
        zlib.finish().unwrap()
    };
    let raw = block(&message()).0;
    let good = zlib(&raw);
    let size = raw.len() as i64;
    let check = |blob: Message, expected: &str| {
        let file = [header(), framed("OSMData", &blob)].concat();
        let error = import_bytes("blob", &file).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\nexpected … {expected} …");
    };
    for (field, name) in [(4, "lzma"), (5, "bzip2"), (6, "lz4"), (7, "zstd")] {
        let expected = format!("a blob is compressed with `{name}`, expected zlib or none");
        check(message().number(2, size).bytes(field, &good), &expected);
    }
    check(message().bytes(3, &good), "a blob of zlib lacks its `raw_size`");
    check(message().number(2, 33 << 20).bytes(3, &good), "holds `34603008` bytes uncompressed");
    check(message().number(2, -1).bytes(3, &good), "at most 33554432 are allowed");
    check(message().number(2, 30 << 20).bytes(3, &good), "`raw_size` is `31457280`, but");
    check(message().number(2, size - 1).bytes(3, &good), "holds more than its `raw_size`");
    check(message().number(2, size + 1).bytes(3, &good), "expected `");
    check(message().number(2, size).bytes(3, &good[..good.len() - 8]), "zlib is cut short");
    check(message().number(2, size).bytes(3, b"\x78\x9c\xff\xff\xff"), "damaged zlib");
    check(message().number(2, size).bytes(1, &raw).bytes(3, &good), "both `raw` and `zlib_data`");
    check(message().number(2, 9), "a blob holds nothing");
    let foreign = message().with(1, &message().bytes(4, b"HistoricalInformation"));
    let file = framed("OSMHeader", &foreign);
    let error = import_bytes("feature", &file).unwrap_err().to_string();
    assert!(
        error.contains("it requires `HistoricalInformation`, which is not supported"),
        "{error}"
    );
}

#[test]
fn a_bomb_of_blobs_goes_off_in_little_memory() {
    // Empty groups, 32 MiB of them in 32 KiB: three are more than a small file may hold.
    let empty = vec![[0x12, 0]; 15 << 20].concat();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(9));
    zlib.write_all(&empty).unwrap();
    let blob = message().number(2, empty.len() as i64).bytes(3, &zlib.finish().unwrap());
    let blobs = framed("OSMData", &blob).repeat(3);
    let error = import_bytes("bomb", &[header(), blobs].concat()).unwrap_err().to_string();
    assert!(error.contains("bytes are uncompressed, expected at most 67108864"), "{error}");
}

#[test]
fn more_strings_than_a_block_holds_are_refused() {
    let strings = message().bytes(1, &vec![[0x0a, 0]; (2 << 20) + 1].concat());
    let error = import_blocks("strings", &[strings]).unwrap_err().to_string();
    assert!(error.contains("more than 2097152 strings in a block"), "{error}");
}
