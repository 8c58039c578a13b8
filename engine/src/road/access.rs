//! Who may use an edge: five profiles and sets of them.

use std::ops::BitOr;

/// What moves along the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Profile {
    /// A passenger car.
    Car = 0,
    /// A delivery van: 3.5 t, 2.8 m high, 2.1 m wide, 6 m long. The default everywhere.
    #[default]
    Van = 1,
    /// A rigid lorry: 18 t, 4.0 m high, 2.55 m wide, 10 m long.
    Truck = 2,
    /// A bicycle or cargo bike.
    Bike = 3,
    /// A person walking.
    Foot = 4,
}

impl Profile {
    /// Every profile, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Car, Self::Van, Self::Truck, Self::Bike, Self::Foot];

    /// The name the command line uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Car => "car",
            Self::Van => "van",
            Self::Truck => "truck",
            Self::Bike => "bike",
            Self::Foot => "foot",
        }
    }

    /// The profile of a name, `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Seconds to turn round in the street. A van's three-point turn takes 15 to 25 s; OSRM's
    /// `u_turn_penalty` is 20 s. On foot it costs nothing.
    pub fn turn_back_s(self) -> f64 {
        match self {
            Self::Car | Self::Van => 20.0,
            Self::Truck => 60.0,
            Self::Bike => 5.0,
            Self::Foot => 0.0,
        }
    }
}

/// A set of profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access(u8);

impl Access {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// All five.
    pub const ALL: Self = Self(0b1_1111);
    /// Car, van and truck.
    pub const MOTOR: Self = Self(0b0_0111);

    /// From the bits of the map file; unknown bits are dropped.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Bit `1 << profile` for each member.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether `profile` is a member.
    pub fn has(self, profile: Profile) -> bool {
        self.0 & (1 << profile as u8) != 0
    }

    /// Whether the two sets share a member.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The members that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nobody is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<Profile> for Access {
    fn from(profile: Profile) -> Self {
        Self(1 << profile as u8)
    }
}

impl BitOr for Access {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
