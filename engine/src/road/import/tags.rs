//! What the tags of a way and of a node on it mean for traffic.
//!
//! After wiki.openstreetmap.org/wiki/Key:access: the key nearest to the vehicle decides.

use crate::road::access::{Access, Profile};
use crate::road::class::Class;

use super::quantity;

/// Tags of one element, in file order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tags<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl<'a> Tags<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|tag| tag.0 == key).map(|tag| tag.1)
    }

    pub(super) fn is(&self, key: &str, value: &str) -> bool {
        self.get(key) == Some(value)
    }
}

/// Traffic on a way, from its tags alone.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a road, as mapped")]
pub(super) struct Traffic {
    pub(super) class: Class,
    pub(super) along: Access,
    pub(super) against: Access,
    /// Car speeds along and against, m/s.
    pub(super) mps: [f64; 2],
    /// Whole crossing of a ferry, seconds.
    pub(super) crossing_s: Option<f64>,
    pub(super) business: Business,
    pub(super) roundabout: bool,
    pub(super) tunnel: bool,
    pub(super) bridge: bool,
    pub(super) toll: bool,
}

/// Who may come only with business there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Business {
    /// Everybody.
    pub(super) all: bool,
    /// Lorries.
    pub(super) trucks: bool,
}

/// Measures of van and truck: metres high, wide, long and tonnes. Van: Mercedes Sprinter L3H2
/// and its like; truck: the EU's limits for height and width (96/53/EC), 18 t, 10 m.
const VAN: [f64; 4] = [2.8, 2.1, 6.0, 3.5];
const TRUCK: [f64; 4] = [4.0, 2.55, 10.0, 18.0];

/// OSRM `car.lua` `speed_reduction`: what is driven on average of what is allowed.
const OF_LIMIT: f64 = 0.8;

/// Groups of profiles that a key speaks of, from the general to the special.
const KEYS: [(&str, u8); 8] = [
    ("access", 0b1_1111),
    ("vehicle", 0b0_1111),
    ("motor_vehicle", 0b0_0111),
    ("motorcar", 0b0_0011),
    ("goods", 0b0_0010),
    ("hgv", 0b0_0100),
    ("bicycle", 0b0_1000),
    ("foot", 0b1_0000),
];

impl Traffic {
    /// `None` where the way is no road for anybody.
    pub(super) fn of(tags: &Tags<'_>) -> Option<Self> {
        let (class, usual) = class(tags)?;
        let mut business = Business { all: is_by_nature_destination(class, tags), trucks: false };
        let both = allowed(tags, usual, "", &mut business);
        let both = within_limits(tags, both);
        let along = allowed(tags, both, ":forward", &mut business);
        let against = allowed(tags, both, ":backward", &mut business);
        let (along, against) = directed(tags, class, along, against);
        if (along | against).is_empty() {
            return None;
        }
        let flag = |key: &str| tags.get(key).is_some_and(|value| value != "no");
        Some(Self {
            class,
            along,
            against,
            mps: speeds(tags, class),
            crossing_s: (class == Class::Ferry)
                .then(|| tags.get("duration").and_then(quantity::seconds))
                .flatten()
                .filter(|&s| s > 0.0),
            business,
            roundabout: is_roundabout(tags),
            tunnel: flag("tunnel") && !tags.is("tunnel", "building_passage"),
            bridge: flag("bridge"),
            toll: tags.is("toll", "yes"),
        })
    }
}

/// Class and who may use such a way where nothing else is said.
fn class(tags: &Tags<'_>) -> Option<(Class, Access)> {
    let walkers = Access::from(Profile::Bike) | Profile::Foot.into();
    let foot = Access::from(Profile::Foot);
    let Some(highway) = tags.get("highway") else {
        let ferry = tags.is("route", "ferry");
        return ferry.then_some((Class::Ferry, Access::ALL));
    };
    let open = tags.is("area", "yes");
    let (class, usual) = match highway {
        "motorway" => (Class::Motorway, Access::MOTOR),
        "motorway_link" => (Class::MotorwayLink, Access::MOTOR),
        "trunk" => (Class::Trunk, Access::ALL),
        "trunk_link" => (Class::TrunkLink, Access::ALL),
        "primary" => (Class::Primary, Access::ALL),
        "primary_link" => (Class::PrimaryLink, Access::ALL),
        "secondary" => (Class::Secondary, Access::ALL),
        "secondary_link" => (Class::SecondaryLink, Access::ALL),
        "tertiary" => (Class::Tertiary, Access::ALL),
        "tertiary_link" => (Class::TertiaryLink, Access::ALL),
        "unclassified" | "road" => (Class::Unclassified, Access::ALL),
        "residential" => (Class::Residential, Access::ALL),
        "living_street" => (Class::LivingStreet, Access::ALL),
        "service" => (Class::Service, Access::ALL),
        "track" => (Class::Track, Access::ALL),
        // Buses only, unless tags say more.
        "busway" => (Class::Service, Access::NONE),
        "pedestrian" => (Class::Pedestrian, foot),
        "cycleway" => (Class::Cycleway, walkers),
        "path" => (Class::Footway, walkers),
        "footway" | "bridleway" => (Class::Footway, foot),
        "steps" => (Class::Steps, foot),
        _ => return None,
    };
    let usual = match (open, class) {
        // The outline of a square can be walked, the outline of a yard is not driven.
        (true, Class::Pedestrian | Class::Footway) => foot,
        (true, _) => return None,
        (false, _) if tags.is("motorroad", "yes") => Access::MOTOR,
        (false, _) => usual,
    };
    Some((class, usual))
}

fn is_by_nature_destination(class: Class, tags: &Tags<'_>) -> bool {
    let service = tags.get("service").unwrap_or("");
    class == Class::Track
        || (class == Class::Service
            && matches!(
                service,
                "driveway" | "parking_aisle" | "drive-through" | "emergency_access"
            ))
}

/// Applies the access keys with a suffix (`""`, `:forward`, `:backward`) to what is usual.
fn allowed(tags: &Tags<'_>, usual: Access, suffix: &str, business: &mut Business) -> Access {
    let mut access = usual;
    for (key, who) in KEYS {
        let who = Access::from_bits(who);
        let value = if suffix.is_empty() {
            tags.get(key)
        } else {
            tags.0.iter().find(|tag| tag.0.strip_prefix(key) == Some(suffix)).map(|tag| tag.1)
        };
        let Some(value) = value else { continue };
        // Several values: the first one that means something to us.
        let meaning = value.split(';').find_map(|value| meaning(value.trim()));
        let Some((may, with_business)) = meaning else { continue };
        if !may {
            access = access.without(who);
        } else if key == "access" {
            // It says to whom the usual users are restricted, and lets nobody else in.
            business.all |= with_business;
        } else {
            access = access | who;
            if who.has(Profile::Van) {
                business.all = with_business;
            } else if who.has(Profile::Truck) {
                business.trucks = with_business;
            }
        }
    }
    access
}

/// Whether a value lets one in, and whether only with business there.
fn meaning(value: &str) -> Option<(bool, bool)> {
    match value {
        "yes" | "designated" | "permissive" | "official" | "public" => Some((true, false)),
        "destination" | "local" | "private" | "customers" | "delivery" | "permit" | "residents"
        | "resident" | "discouraged" | "employees" | "staff" => Some((true, true)),
        "no" | "agricultural" | "forestry" | "emergency" | "military" | "use_sidepath"
        | "dismount" | "psv" | "bus" | "restricted" => Some((false, false)),
        _ => None,
    }
}

/// Takes out who is too high, wide, long or heavy.
fn within_limits(tags: &Tags<'_>, access: Access) -> Access {
    let first = |keys: [&str; 2], read: fn(&str) -> Option<f64>| {
        keys.iter().find_map(|key| tags.get(key)).and_then(read)
    };
    let limits = [
        first(["maxheight", "maxheight:physical"], quantity::metres),
        first(["maxwidth", "maxwidth:physical"], quantity::metres),
        first(["maxlength", "maxlength"], quantity::metres),
        first(["maxweight", "maxweightrating"], quantity::tonnes),
    ];
    let fits = |size: [f64; 4]| {
        limits.iter().zip(size).all(|(limit, size)| limit.is_none_or(|limit| size <= limit))
    };
    let mut access = access;
    for (profile, size) in [(Profile::Van, VAN), (Profile::Truck, TRUCK)] {
        if !fits(size) {
            access = access.without(profile.into());
        }
    }
    access
}

fn is_roundabout(tags: &Tags<'_>) -> bool {
    matches!(tags.get("junction"), Some("roundabout" | "circular"))
}

/// Takes out the direction that one-way streets forbid; people on foot walk both ways, bikes
/// where contraflow is signed.
fn directed(tags: &Tags<'_>, class: Class, along: Access, against: Access) -> (Access, Access) {
    let foot = Access::from(Profile::Foot);
    let bike = Access::from(Profile::Bike);
    let wheels = Access::MOTOR | bike;
    let implied = is_roundabout(tags) || class == Class::Motorway;
    let oneway = tags.get("oneway:motor_vehicle").or_else(|| tags.get("oneway:vehicle"));
    let (mut forward, mut backward) = match oneway.or_else(|| tags.get("oneway")) {
        Some("yes" | "true" | "1") => (wheels, Access::NONE),
        Some("-1" | "reverse") => (Access::NONE, wheels),
        // Lanes whose direction changes with the hour cannot be promised.
        Some("reversible") => (Access::NONE, Access::NONE),
        Some("no" | "false" | "0" | "alternating") => (wheels, wheels),
        _ if implied => (wheels, Access::NONE),
        _ => (wheels, wheels),
    };
    match tags.get("oneway:bicycle") {
        Some("no") => (forward, backward) = (forward | bike, backward | bike),
        Some("yes") => backward = backward.without(bike),
        Some("-1") => forward = forward.without(bike),
        _ if contraflow(tags) => (forward, backward) = (forward | bike, backward | bike),
        _ => {}
    }
    let keep = |access: Access, may: Access| {
        access.without(wheels.without(may)).without(Access::ALL.without(wheels | foot))
    };
    let walks_back = !tags.is("oneway:foot", "yes");
    let against = keep(against, backward);
    (keep(along, forward), if walks_back { against } else { against.without(foot) })
}

fn contraflow(tags: &Tags<'_>) -> bool {
    ["cycleway", "cycleway:left", "cycleway:right", "cycleway:both"]
        .iter()
        .any(|key| tags.get(key).is_some_and(|value| value.starts_with("opposite")))
        || ["cycleway:left:oneway", "cycleway:right:oneway", "cycleway:both:oneway"]
            .iter()
            .any(|key| matches!(tags.get(key), Some("no" | "-1")))
}

/// Free-flow car speeds along and against, m/s: the class's usual one or a share of the signed
/// limit, never more than the surface and small roads allow.
fn speeds(tags: &Tags<'_>, class: Class) -> [f64; 2] {
    let limit = ["maxspeed", "zone:maxspeed", "source:maxspeed", "maxspeed:type"]
        .iter()
        .find_map(|key| tags.get(key).and_then(quantity::speed_kmh));
    let most = surface_kmh(tags).min(class_most_kmh(class, tags));
    [":forward", ":backward"].map(|side| {
        let mut limits = tags.0.iter().filter(|tag| tag.0.strip_prefix("maxspeed") == Some(side));
        let limit = limits.find_map(|tag| quantity::speed_kmh(tag.1)).or(limit);
        let kmh = limit.map_or(class.free_flow_kmh(), |limit| limit * OF_LIMIT);
        kmh.min(most).max(3.0) / 3.6
    })
}

/// Signed limits say little on roads that are narrow by nature. OSRM drives alleys, driveways
/// and car parks at 5 km/h, which includes waiting; free of other cars 10 is driven.
fn class_most_kmh(class: Class, tags: &Tags<'_>) -> f64 {
    match (class, tags.get("service")) {
        (Class::Service, Some("driveway" | "parking_aisle" | "drive-through" | "alley")) => 10.0,
        (Class::Service | Class::Track, _) => 20.0,
        (Class::LivingStreet, _) => 15.0,
        (Class::Pedestrian | Class::Footway | Class::Cycleway | Class::Steps, _) => 6.0,
        _ => f64::INFINITY,
    }
}

/// OSRM `car.lua`, table `surface_speeds`, km/h.
fn surface_kmh(tags: &Tags<'_>) -> f64 {
    match tags.get("surface").unwrap_or("") {
        "cement" | "compacted" | "fine_gravel" => 80.0,
        "paving_stones" | "metal" | "bricks" => 60.0,
        "grass" | "wood" | "sett" | "grass_paver" | "gravel" | "unpaved" | "ground" | "dirt"
        | "pebblestone" | "tartan" => 40.0,
        "cobblestone" | "unhewn_cobblestone" | "clay" => 30.0,
        "earth" | "stone" | "rocky" | "sand" => 20.0,
        "mud" => 10.0,
        _ => f64::INFINITY,
    }
}

/// Who cannot pass a node, and whether others should only with business behind it.
pub(super) fn barrier(tags: &Tags<'_>) -> (Access, bool) {
    let Some(kind) = tags.get("barrier") else { return (Access::NONE, false) };
    // After OSRM `car.lua`: these open or are driven over, unless tags say no.
    let opens = matches!(
        kind,
        "gate"
            | "lift_gate"
            | "swing_gate"
            | "sliding_gate"
            | "cattle_grid"
            | "border_control"
            | "toll_booth"
            | "sally_port"
            | "no"
            | "entrance"
            | "height_restrictor"
            | "arch"
            | "kerb"
            | "spikes"
            | "checkpoint"
            | "bump_gate"
            | "wicket_gate"
            | "yes"
    ) || tags.is("bollard", "rising");
    let usual = if opens { Access::ALL } else { Access::ALL.without(Access::MOTOR) };
    let mut business = Business::default();
    let passes = within_limits(tags, allowed(tags, usual, "", &mut business));
    (Access::ALL.without(passes), business.all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line: class, who goes along, who goes against, km/h both ways, marks.
    #[track_caller]
    fn check(tags: &str, expected: &str) {
        let tags: Vec<(&str, &str)> =
            tags.split_whitespace().filter_map(|tag| tag.split_once('=')).collect();
        let who = |access: Access| -> String {
            let letters = Profile::ALL.iter().zip("cvtbf".chars());
            letters.map(|(&profile, c)| if access.has(profile) { c } else { '-' }).collect()
        };
        let found = Traffic::of(&Tags(&tags)).map_or_else(
            || "none".to_owned(),
            |traffic| {
                let [along, against] = traffic.mps.map(|mps| mps * 3.6);
                let mark =
                    |set: bool, mark: &str| if set { format!(" {mark}") } else { String::new() };
                format!(
                    "{:?} {} {} {along:.0} {against:.0}{}{}{}",
                    traffic.class,
                    who(traffic.along),
                    who(traffic.against),
                    mark(traffic.business.all, "business"),
                    mark(traffic.business.trucks, "trucks"),
                    mark(traffic.roundabout, "roundabout"),
                )
            },
        );
        assert_eq!(found, expected);
    }

    #[test]
    fn classes_and_speeds() {
        check("highway=residential", "Residential cvtbf cvtbf 25 25");
        check("highway=residential maxspeed=50", "Residential cvtbf cvtbf 40 40");
        check("highway=primary maxspeed=30mph", "Primary cvtbf cvtbf 39 39");
        check("highway=motorway maxspeed=none", "Motorway cvt-- ----- 104 104");
        check(
            "highway=secondary maxspeed:forward=70 maxspeed:backward=50",
            "Secondary cvtbf cvtbf 56 40",
        );
        check("highway=unclassified source:maxspeed=DE:rural", "Unclassified cvtbf cvtbf 80 80");
        check("highway=tertiary surface=cobblestone maxspeed=50", "Tertiary cvtbf cvtbf 30 30");
        check("highway=service maxspeed=50", "Service cvtbf cvtbf 20 20");
        check("highway=service service=alley", "Service cvtbf cvtbf 10 10");
        check("highway=service service=driveway", "Service cvtbf cvtbf 10 10 business");
        check("highway=footway", "Footway ----f ----f 6 6");
        check("highway=steps", "Steps ----f ----f 6 6");
        check("highway=cycleway", "Cycleway ---bf ---bf 6 6");
        check("highway=track", "Track cvtbf cvtbf 15 15 business");
        check("highway=construction", "none");
        check("highway=service area=yes", "none");
        check("highway=pedestrian area=yes", "Pedestrian ----f ----f 6 6");
        check("waterway=river", "none");
        check("route=ferry motor_vehicle=no", "Ferry ---bf ---bf 5 5");
    }

    #[test]
    fn one_way_streets() {
        check("highway=residential oneway=yes", "Residential cvtbf ----f 25 25");
        check("highway=residential oneway=-1", "Residential ----f cvtbf 25 25");
        check("highway=residential oneway=yes oneway:bicycle=no", "Residential cvtbf ---bf 25 25");
        check(
            "highway=residential oneway=yes cycleway=opposite_lane",
            "Residential cvtbf ---bf 25 25",
        );
        check(
            "highway=residential oneway=-1 cycleway:left:oneway=-1",
            "Residential ---bf cvtbf 25 25",
        );
        check("highway=tertiary junction=roundabout", "Tertiary cvtbf ----f 40 40 roundabout");
        check("highway=motorway oneway=no", "Motorway cvt-- cvt-- 90 90");
        check("highway=primary oneway=reversible", "Primary ----f ----f 65 65");
        check("highway=residential vehicle:backward=no", "Residential cvtbf ----f 25 25");
    }

    #[test]
    fn access() {
        check("highway=service access=private", "Service cvtbf cvtbf 15 15 business");
        check("highway=service access=no", "none");
        check("highway=service access=no foot=yes", "Service ----f ----f 15 15");
        check("highway=residential motor_vehicle=no", "Residential ---bf ---bf 25 25");
        check("highway=residential vehicle=destination", "Residential cvtbf cvtbf 25 25 business");
        check("highway=pedestrian motor_vehicle=delivery", "Pedestrian cvt-f cvt-f 6 6 business");
        check("highway=footway access=yes", "Footway ----f ----f 6 6");
        check("highway=residential hgv=no", "Residential cv-bf cv-bf 25 25");
        check("highway=residential hgv=destination", "Residential cvtbf cvtbf 25 25 trucks");
        check("highway=residential maxweight=3.5", "Residential cv-bf cv-bf 25 25");
        check("highway=residential maxheight=2.5", "Residential c--bf c--bf 25 25");
        check("highway=residential maxheight=default", "Residential cvtbf cvtbf 25 25");
        check("highway=trunk motorroad=yes", "Trunk cvt-- cvt-- 85 85");
        check("highway=residential access=agricultural;forestry", "none");
    }

    #[test]
    fn barriers() {
        let of = |tags: &[(&str, &str)]| barrier(&Tags(tags));
        assert_eq!(of(&[]), (Access::NONE, false));
        assert_eq!(of(&[("barrier", "bollard")]), (Access::MOTOR, false));
        assert_eq!(of(&[("barrier", "bollard"), ("bollard", "rising")]), (Access::NONE, false));
        assert_eq!(of(&[("barrier", "gate")]), (Access::NONE, false));
        assert_eq!(of(&[("barrier", "gate"), ("access", "no")]), (Access::ALL, false));
        assert_eq!(of(&[("barrier", "gate"), ("access", "private")]), (Access::NONE, true));
        assert_eq!(of(&[("barrier", "block"), ("motor_vehicle", "yes")]), (Access::NONE, false));
        let truck = Access::from(Profile::Truck);
        assert_eq!(of(&[("barrier", "height_restrictor"), ("maxheight", "3")]), (truck, false));
    }
}
