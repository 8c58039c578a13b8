//! Elements of a block, given one by one as they are read; nothing is kept.
//!
//! ```text
//! PrimitiveBlock = 1 strings, 2 { group }, 17 granularity, 19 lat_offset, 20 lon_offset
//! group          = 1 { node } | 2 dense nodes | 3 { way } | 4 { relation }
//! node           = 1 id, 2 keys, 3 vals, 8 lat, 9 lon
//! dense nodes    = 1 ids, 8 lats, 9 lons, 10 { { key, value } 0 }
//! way            = 1 id, 2 keys, 3 vals, 8 refs
//! relation       = 1 id, 2 keys, 3 vals, 8 roles, 9 members, 10 types
//! ```
//! (`wiki.openstreetmap.org/wiki/PBF_Format`). Ids, refs, members and dense places are steps from
//! the one before; a place is offset + granularity × number, in 1e-9 degrees. Who edited what, and
//! when, is passed over.

use super::pbf::{NODES, RELATIONS, WAYS};
use super::wire::{Broken, Fields, Value, Varints, zigzag};

/// Strings of one block: 8,000 elements (what writers put into one) with 128 tags each.
const STRINGS_MAX: usize = 2 << 20;
/// 1e-9 degrees where a block does not say.
const GRANULARITY: i64 = 100;

/// Keys and values of an element, in file order.
pub(super) type TagList<'a> = [(&'a str, &'a str)];

/// What an element is, with all that is used of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Element<'a> {
    /// A point.
    Node {
        id: i64,
        /// 1e-7 degrees, as written: perhaps not on this earth.
        lng_lat: (i64, i64),
        tags: &'a TagList<'a>,
    },
    /// A line through nodes.
    Way { id: i64, refs: &'a [i64], tags: &'a TagList<'a> },
    /// Elements that belong together.
    Relation { members: &'a [Member<'a>], tags: &'a TagList<'a> },
}

/// A member of a relation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) kind: MemberKind,
    pub(super) id: i64,
    pub(super) role: &'a str,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberKind {
    Node,
    Way,
    Relation,
}

/// A block whose strings are known.
struct Block<'a> {
    strings: Vec<&'a str>,
    granularity: i64,
    /// Longitude and latitude, 1e-9 degrees.
    offset: (i64, i64),
}

/// Memory of the elements of one block, used again from one to the next.
#[derive(Default)]
struct Working<'a> {
    tags: Vec<(&'a str, &'a str)>,
    refs: Vec<i64>,
    members: Vec<Member<'a>>,
}

/// Gives the elements of the `wanted` kinds in the block's order, and says which kinds it holds.
pub(super) fn read(
    bytes: &[u8],
    wanted: u8,
    each: &mut impl FnMut(Element<'_>),
) -> Result<u8, Broken> {
    let block = Block::read(bytes)?;
    let mut working = Working::default();
    let (mut fields, mut holds) = (Fields(bytes), 0);
    while let Some((field, value)) = fields.next()? {
        if field == 2 {
            holds |= block.group(value.bytes("primitivegroup")?, wanted, &mut working, each)?;
        }
    }
    Ok(holds)
}

impl<'a> Block<'a> {
    /// What stands beside the groups, in whatever order.
    fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut block = Self { strings: Vec::new(), granularity: GRANULARITY, offset: (0, 0) };
        let mut fields = Fields(bytes);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => block.read_strings(value.bytes("stringtable")?)?,
                // An `int32`: who writes a negative one extends its sign to 64 bits.
                17 => block.granularity = value.number("granularity")? as i64,
                19 => block.offset.1 = value.number("lat_offset")? as i64,
                20 => block.offset.0 = value.number("lon_offset")? as i64,
                _ => {}
            }
        }
        if !(1..=i64::from(i32::MAX)).contains(&block.granularity) {
            let found = block.granularity;
            return Err(Broken(format!("granularity `{found}`, expected 1 to {}", i32::MAX)));
        }
        Ok(block)
    }

    fn read_strings(&mut self, bytes: &'a [u8]) -> Result<(), Broken> {
        let mut fields = Fields(bytes);
        while let Some((field, value)) = fields.next()? {
            if field != 1 {
                continue;
            }
            let index = self.strings.len();
            if index == STRINGS_MAX {
                return Err(Broken(format!("more than {STRINGS_MAX} strings in a block")));
            }
            let string = str::from_utf8(value.bytes("string")?)
                .map_err(|error| Broken(format!("string {index} is not UTF-8: {error}")))?;
            self.strings.push(string);
        }
        Ok(())
    }

    fn string(&self, index: u64) -> Result<&'a str, Broken> {
        let string = usize::try_from(index).ok().and_then(|index| self.strings.get(index));
        string.copied().ok_or_else(|| {
            let count = self.strings.len();
            Broken(format!("string `{index}` is asked for where a block holds {count}"))
        })
    }

    /// A place in 1e-7 degrees of a node's numbers.
    fn place(&self, id: i64, lng: i64, lat: i64) -> Result<(i64, i64), Broken> {
        let degrees = |number: i64, offset: i64, name: &str| {
            let nano = number.checked_mul(self.granularity).and_then(|at| at.checked_add(offset));
            nano.map(|nano| nano / 100).ok_or_else(|| {
                let granularity = self.granularity;
                Broken(format!(
                    "{name} `{number}` of node `{id}` with granularity `{granularity}` and offset \
                     `{offset}`, expected degrees"
                ))
            })
        };
        Ok((degrees(lng, self.offset.0, "lon")?, degrees(lat, self.offset.1, "lat")?))
    }

    fn group(
        &self,
        bytes: &[u8],
        wanted: u8,
        working: &mut Working<'a>,
        each: &mut impl FnMut(Element<'_>),
    ) -> Result<u8, Broken> {
        let (mut fields, mut holds) = (Fields(bytes), 0);
        while let Some((field, value)) = fields.next()? {
            let kind = match field {
                1 | 2 => NODES,
                3 => WAYS,
                4 => RELATIONS,
                _ => continue,
            };
            holds |= kind;
            if kind & wanted == 0 {
                continue;
            }
            let bytes = value.bytes("an element")?;
            match field {
                1 => self.node(bytes, working, each)?,
                2 => self.dense(bytes, working, each)?,
                3 => self.way(bytes, working, each)?,
                _ => self.relation(bytes, working, each)?,
            }
        }
        Ok(holds)
    }

    fn node(
        &self,
        bytes: &[u8],
        working: &mut Working<'a>,
        each: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Broken> {
        let mut fields = Fields(bytes);
        let (mut head, mut lng, mut lat) = (Head::default(), None, None);
        while let Some((field, value)) = fields.next()? {
            match field {
                // Only a plain node's id is zigzag.
                1 => head.id = Some(zigzag(value.number("id")?)),
                8 => lat = Some(zigzag(value.number("lat")?)),
                9 => lng = Some(zigzag(value.number("lon")?)),
                _ => head.read(field, value)?,
            }
        }
        let id = head.id("node")?;
        let (Some(lng), Some(lat)) = (lng, lat) else {
            return Err(Broken(format!("node `{id}` lacks its place")));
        };
        self.tags(head, working)?;
        each(Element::Node { id, lng_lat: self.place(id, lng, lat)?, tags: &working.tags });
        Ok(())
    }

    fn dense(
        &self,
        bytes: &[u8],
        working: &mut Working<'a>,
        each: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Broken> {
        let mut fields = Fields(bytes);
        let [mut ids, mut lats, mut lngs, mut tags] = [Varints::default(); 4];
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => ids = value.packed("id", ids)?,
                8 => lats = value.packed("lat", lats)?,
                9 => lngs = value.packed("lon", lngs)?,
                10 => tags = value.packed("keys_vals", tags)?,
                _ => {}
            }
        }
        let tagged = !tags.is_empty();
        let (mut id, mut lat, mut lng) = (0, 0, 0);
        while !ids.is_empty() {
            id = ids.step("id", id)?;
            lat = lats.step("lat", lat)?;
            lng = lngs.step("lon", lng)?;
            working.tags.clear();
            if tagged {
                self.dense_tags(&mut tags, working)?;
            }
            each(Element::Node { id, lng_lat: self.place(id, lng, lat)?, tags: &working.tags });
        }
        lats.end("lat")?;
        lngs.end("lon")?;
        tags.end("keys_vals")
    }

    /// Keys and values of the next dense node, up to the 0 behind them.
    fn dense_tags(&self, tags: &mut Varints<'_>, working: &mut Working<'a>) -> Result<(), Broken> {
        loop {
            let key = tags.next("keys_vals")?;
            if key == 0 {
                return Ok(());
            }
            let value = tags.next("keys_vals")?;
            working.tags.push((self.string(key)?, self.string(value)?));
        }
    }

    fn way(
        &self,
        bytes: &[u8],
        working: &mut Working<'a>,
        each: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Broken> {
        let mut fields = Fields(bytes);
        let (mut head, mut refs) = (Head::default(), Varints::default());
        while let Some((field, value)) = fields.next()? {
            match field {
                8 => refs = value.packed("refs", refs)?,
                _ => head.read(field, value)?,
            }
        }
        let id = head.id("way")?;
        self.tags(head, working)?;
        working.refs.clear();
        let mut at = 0;
        while !refs.is_empty() {
            at = refs.step("refs", at)?;
            working.refs.push(at);
        }
        each(Element::Way { id, refs: &working.refs, tags: &working.tags });
        Ok(())
    }

    fn relation(
        &self,
        bytes: &[u8],
        working: &mut Working<'a>,
        each: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Broken> {
        let mut fields = Fields(bytes);
        let (mut head, [mut roles, mut ids, mut kinds]) = (Head::default(), Default::default());
        while let Some((field, value)) = fields.next()? {
            match field {
                8 => roles = value.packed("roles_sid", roles)?,
                9 => ids = value.packed("memids", ids)?,
                10 => kinds = value.packed("types", kinds)?,
                _ => head.read(field, value)?,
            }
        }
        let id = head.id("relation")?;
        self.tags(head, working)?;
        working.members.clear();
        let mut at = 0;
        while !ids.is_empty() {
            at = ids.step("memids", at)?;
            let kind = match kinds.next("types")? {
                0 => MemberKind::Node,
                1 => MemberKind::Way,
                2 => MemberKind::Relation,
                other => {
                    return Err(Broken(format!(
                        "member `{at}` of relation `{id}` is of type `{other}`, expected 0 (node), \
                         1 (way) or 2 (relation)"
                    )));
                }
            };
            let role = self.string(roles.next("roles_sid")?)?;
            working.members.push(Member { kind, id: at, role });
        }
        roles.end("roles_sid")?;
        kinds.end("types")?;
        each(Element::Relation { members: &working.members, tags: &working.tags });
        Ok(())
    }

    /// Keys with their values.
    fn tags(&self, head: Head<'_>, working: &mut Working<'a>) -> Result<(), Broken> {
        let Head { mut keys, mut values, .. } = head;
        working.tags.clear();
        while !keys.is_empty() {
            let key = self.string(keys.next("keys")?)?;
            working.tags.push((key, self.string(values.next("vals")?)?));
        }
        values.end("vals")
    }
}

/// What every element but a dense node begins with.
#[derive(Debug, Clone, Copy, Default)]
struct Head<'b> {
    id: Option<i64>,
    keys: Varints<'b>,
    values: Varints<'b>,
}

impl<'b> Head<'b> {
    fn read(&mut self, field: u64, value: Value<'b>) -> Result<(), Broken> {
        match field {
            1 => self.id = Some(value.number("id")? as i64),
            2 => self.keys = value.packed("keys", self.keys)?,
            3 => self.values = value.packed("vals", self.values)?,
            _ => {}
        }
        Ok(())
    }

    fn id(&self, name: &str) -> Result<i64, Broken> {
        self.id.ok_or_else(|| Broken(format!("a {name} lacks its id")))
    }
}
