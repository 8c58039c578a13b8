//! Classes of road, after OpenStreetMap's `highway` values, and how fast each is driven.

/// The class of an edge. Links are the ramps of the class they are named after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(missing_docs, reason = "each is the `highway` value of the same name")]
pub enum Class {
    Motorway = 0,
    MotorwayLink = 1,
    Trunk = 2,
    TrunkLink = 3,
    Primary = 4,
    PrimaryLink = 5,
    Secondary = 6,
    SecondaryLink = 7,
    Tertiary = 8,
    TertiaryLink = 9,
    #[default]
    Unclassified = 10,
    Residential = 11,
    LivingStreet = 12,
    /// Access roads, car parks, alleys, driveways.
    Service = 13,
    /// Farm and forest tracks.
    Track = 14,
    Pedestrian = 15,
    Cycleway = 16,
    /// Footways, paths, bridleways.
    Footway = 17,
    Steps = 18,
    /// A ferry line (`route=ferry`).
    Ferry = 19,
}

impl Class {
    /// Every class, in the order of their numbers.
    pub const ALL: [Self; 20] = [
        Self::Motorway,
        Self::MotorwayLink,
        Self::Trunk,
        Self::TrunkLink,
        Self::Primary,
        Self::PrimaryLink,
        Self::Secondary,
        Self::SecondaryLink,
        Self::Tertiary,
        Self::TertiaryLink,
        Self::Unclassified,
        Self::Residential,
        Self::LivingStreet,
        Self::Service,
        Self::Track,
        Self::Pedestrian,
        Self::Cycleway,
        Self::Footway,
        Self::Steps,
        Self::Ferry,
    ];

    /// From its number in the map file; an unknown number is [`Class::Service`], the most modest.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Service)
    }

    /// The `highway` value without `_link`: a ramp is drawn as the road it belongs to.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Motorway | Self::MotorwayLink => "motorway",
            Self::Trunk | Self::TrunkLink => "trunk",
            Self::Primary | Self::PrimaryLink => "primary",
            Self::Secondary | Self::SecondaryLink => "secondary",
            Self::Tertiary | Self::TertiaryLink => "tertiary",
            Self::Unclassified => "unclassified",
            Self::Residential => "residential",
            Self::LivingStreet => "living_street",
            Self::Service => "service",
            Self::Track => "track",
            Self::Pedestrian => "pedestrian",
            Self::Cycleway => "cycleway",
            Self::Footway => "footway",
            Self::Steps => "steps",
            Self::Ferry => "ferry",
        }
    }

    /// Whether it is a ramp.
    pub const fn is_link(self) -> bool {
        matches!(
            self,
            Self::MotorwayLink
                | Self::TrunkLink
                | Self::PrimaryLink
                | Self::SecondaryLink
                | Self::TertiaryLink
        )
    }

    /// Free-flow speed of cars and vans where no limit is signed, km/h: what is driven on
    /// average without congestion, bends and crossings included, not what is allowed.
    /// Source: OSRM `profiles/car.lua`, table `speeds` (v5.27); tracks 15 from its `maxspeed`
    /// for `grade2`-like surfaces, ways meant for walkers 6 (a van at walking pace, where it is
    /// let in), ferries 5 from its `route_speeds`, used where no duration is mapped.
    pub fn free_flow_kmh(self) -> f64 {
        match self {
            Self::Motorway => 90.0,
            Self::MotorwayLink => 45.0,
            Self::Trunk => 85.0,
            Self::TrunkLink | Self::Tertiary => 40.0,
            Self::Primary => 65.0,
            Self::PrimaryLink => 30.0,
            Self::Secondary => 55.0,
            Self::SecondaryLink | Self::Unclassified | Self::Residential => 25.0,
            Self::TertiaryLink => 20.0,
            Self::LivingStreet => 10.0,
            Self::Service | Self::Track => 15.0,
            Self::Pedestrian | Self::Cycleway | Self::Footway | Self::Steps => 6.0,
            Self::Ferry => 5.0,
        }
    }

    /// Speed of a bicycle on it, metres per second. Source: OSRM `profiles/bicycle.lua`
    /// (15 km/h on streets, 12 on paths and tracks, 6 where one shares with walkers, 2 on
    /// steps); ferries keep the ferry's own speed.
    pub fn bike_mps(self) -> f64 {
        match self {
            Self::Track | Self::Footway => 12.0 / 3.6,
            Self::Pedestrian => 6.0 / 3.6,
            Self::Steps => 2.0 / 3.6,
            _ => 15.0 / 3.6,
        }
    }

    /// Walking speed on it, metres per second. Source: OSRM `profiles/foot.lua`, 5 km/h
    /// everywhere; half of it on stairs.
    pub fn foot_mps(self) -> f64 {
        if self == Self::Steps { 2.5 / 3.6 } else { 5.0 / 3.6 }
    }
}

/// No free-flow average is above this: 140 km/h.
pub(crate) const CAR_MAX_MPS: f64 = 140.0 / 3.6;
/// Vans are driven, governed or allowed at 120 km/h at most: so many centimetres a second.
pub(crate) const VAN_MAX_CMPS: u16 = 3_333;
/// Lorries carry a limiter at 90 km/h (EU directive 92/6/EEC); 85 is held on average.
pub(crate) const TRUCK_MAX_MPS: f64 = 85.0 / 3.6;
/// Off motorways lorries accelerate and corner more slowly than cars.
pub(crate) const TRUCK_FACTOR: f64 = 0.9;
