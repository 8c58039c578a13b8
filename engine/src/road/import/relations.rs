//! Relations that matter: turn restrictions and polygons of several ways.

use crate::road::access::{Access, Profile};
use crate::road::area::AreaKind;
use crate::road::builder::{Restriction, Via};

use super::areas;
use super::block::{Member, MemberKind, TagList};
use super::tags::Tags;

/// A polygon made of ways: outer rings and holes.
pub(super) struct Multipolygon {
    pub(super) kind: AreaKind,
    pub(super) ways: Vec<i64>,
}

/// What the relations of a file say.
#[derive(Default)]
pub(super) struct Relations {
    pub(super) restrictions: Vec<Restriction>,
    /// Restrictions under conditions, which are not applied.
    pub(super) conditional: u32,
    pub(super) multipolygons: Vec<Multipolygon>,
}

impl Relations {
    pub(super) fn read(&mut self, members: &[Member<'_>], tags: &TagList<'_>) {
        let tags = Tags(tags);
        match tags.get("type") {
            Some("restriction") => self.restriction(members, &tags),
            Some("multipolygon") => {
                if let Some(kind) = areas::kind(&tags) {
                    let ways = members.iter().filter(|member| member.kind == MemberKind::Way);
                    let ways = ways.map(|member| member.id).collect();
                    self.multipolygons.push(Multipolygon { kind, ways });
                }
            }
            _ => {}
        }
    }

    fn restriction(&mut self, members: &[Member<'_>], tags: &Tags<'_>) {
        let by_hour = tags.get("hour_on").or_else(|| tags.get("day_on")).is_some();
        let conditional = tags
            .0
            .iter()
            .any(|tag| tag.0.starts_with("restriction") && tag.0.ends_with(":conditional"));
        if by_hour || conditional {
            self.conditional += 1;
        }
        if by_hour {
            return;
        }
        let exempt = exempt(tags);
        for (key, binds) in BINDS {
            let binds = Access::from_bits(binds).without(exempt);
            let Some(kind) = tags.get(key) else { continue };
            if binds.is_empty() || !(kind.starts_with("no_") || kind.starts_with("only_")) {
                continue;
            }
            if let Some(restriction) = spelled(members, kind, binds) {
                self.restrictions.push(restriction);
            }
        }
    }
}

/// Keys of a restriction and whom each binds. Walkers turn as they like.
const BINDS: [(&str, u8); 6] = [
    ("restriction", 0b0_1111),
    ("restriction:motor_vehicle", 0b0_0111),
    ("restriction:motorcar", 0b0_0011),
    ("restriction:goods", 0b0_0010),
    ("restriction:hgv", 0b0_0100),
    ("restriction:bicycle", 0b0_1000),
];

fn exempt(tags: &Tags<'_>) -> Access {
    let mut exempt = Access::NONE;
    for who in tags.get("except").unwrap_or("").split([';', ',']) {
        exempt = exempt
            | match who.trim() {
                "motor_vehicle" => Access::MOTOR,
                "motorcar" => Access::from(Profile::Car) | Profile::Van.into(),
                "goods" => Profile::Van.into(),
                "hgv" => Profile::Truck.into(),
                "bicycle" => Profile::Bike.into(),
                _ => Access::NONE,
            };
    }
    exempt
}

fn spelled(members: &[Member<'_>], kind: &str, binds: Access) -> Option<Restriction> {
    let (mut from, mut to, mut via_ways, mut via_node) = (vec![], vec![], vec![], None);
    for member in members {
        let way = member.kind == MemberKind::Way;
        match member.role {
            "from" if way => from.push(member.id),
            "to" if way => to.push(member.id),
            "via" if way => via_ways.push(member.id),
            "via" if member.kind == MemberKind::Node => via_node = Some(member.id),
            _ => {}
        }
    }
    let via = match (via_ways.is_empty(), via_node) {
        (false, _) => Via::Ways(via_ways),
        (true, Some(node)) => Via::Node(node),
        (true, None) => return None,
    };
    let only = kind.starts_with("only_");
    let turn_back = kind == "no_u_turn" || kind == "only_u_turn";
    Some(Restriction { from, via, to, only, turn_back, binds })
}
