//! The fixed-size records of a map: edges and the summary.

use ingest::units::Position;

use super::access::{Access, Profile};
use super::class::Class;
use super::image::{i32_at, u32_at};
use super::plane::METRES_PER_DEGREE;

/// Bytes of an edge in the file.
pub(crate) const EDGE: usize = 26;

/// One directed edge as it lies in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct EdgeRecord {
    pub(crate) tail: u32,
    pub(crate) head: u32,
    pub(crate) length_mm: u32,
    /// Street number; the top bit says that the edge runs against the street's points.
    pub(crate) street: u32,
    pub(crate) way: u32,
    /// Free-flow speed of cars, cm/s, at least 1.
    pub(crate) car_cmps: u16,
    pub(crate) class: u8,
    pub(crate) access: u8,
    pub(crate) flags: u16,
}

/// The edge runs against its street's points.
pub(crate) const AGAINST: u32 = 1 << 31;

/// Turns out of this edge are in the turn table.
pub(crate) const FLAG_TURNS: u16 = 1;
/// Only for those who have business there: private, destination, customers, delivery.
pub(crate) const FLAG_DESTINATION: u16 = 1 << 1;
/// Lorries only on business, whoever else may drive through.
pub(crate) const FLAG_TRUCK_DESTINATION: u16 = 1 << 6;
/// Part of a roundabout.
pub(crate) const FLAG_ROUNDABOUT: u16 = 1 << 2;
/// In a tunnel.
pub(crate) const FLAG_TUNNEL: u16 = 1 << 3;
/// On a bridge.
pub(crate) const FLAG_BRIDGE: u16 = 1 << 4;
/// Costs money.
pub(crate) const FLAG_TOLL: u16 = 1 << 5;

impl EdgeRecord {
    pub(crate) fn read(bytes: &[u8; EDGE]) -> Self {
        let [slow, fast, class, access, low, high] = bytes[20..].try_into().unwrap_or([0; 6]);
        Self {
            tail: u32_at(bytes, 0),
            head: u32_at(bytes, 4),
            length_mm: u32_at(bytes, 8),
            street: u32_at(bytes, 12),
            way: u32_at(bytes, 16),
            car_cmps: u16::from_le_bytes([slow, fast]),
            class,
            access,
            flags: u16::from_le_bytes([low, high]),
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for word in [self.tail, self.head, self.length_mm, self.street, self.way] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.car_cmps.to_le_bytes());
        out.extend_from_slice(&[self.class, self.access]);
        out.extend_from_slice(&self.flags.to_le_bytes());
    }

    pub(crate) fn length_m(&self) -> f64 {
        f64::from(self.length_mm) / 1000.0
    }

    pub(crate) fn access(&self) -> Access {
        Access::from_bits(self.access)
    }

    pub(crate) fn class(&self) -> Class {
        Class::from_number(self.class)
    }

    pub(crate) fn is_destination_only(&self, profile: Profile) -> bool {
        let own = if profile == Profile::Truck { FLAG_TRUCK_DESTINATION } else { 0 };
        self.flags & (FLAG_DESTINATION | own) != 0
    }

    /// Whether `next` is this edge driven back.
    pub(crate) fn turns_back(&self, next: &Self) -> bool {
        self.street ^ next.street == AGAINST
    }
}

/// Map-wide facts: the box of all nodes and what the import counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// South-west corner; with `most` the box of all points, which may span the antimeridian.
    pub least: Corner,
    /// North-east corner.
    pub most: Corner,
    /// Turn restrictions that were applied.
    pub restrictions: u32,
    /// Restrictions that name ways or nodes which are not in the map, or make no sense.
    pub restrictions_unused: u32,
    /// Restrictions with conditions (hours, weights), which are not applied.
    pub restrictions_conditional: u32,
    /// Highest speed of each profile on any edge, cm/s: the router's bound.
    pub(crate) fastest_cmps: [u16; 5],
}

/// A corner of the map in 1e-7 degrees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Corner {
    /// Longitude.
    pub lng: i32,
    /// Latitude.
    pub lat: i32,
}

impl Summary {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        Self {
            least: Corner { lng: i32_at(bytes, 0), lat: i32_at(bytes, 4) },
            most: Corner { lng: i32_at(bytes, 8), lat: i32_at(bytes, 12) },
            restrictions: u32_at(bytes, 16),
            restrictions_unused: u32_at(bytes, 20),
            restrictions_conditional: u32_at(bytes, 24),
            fastest_cmps: [28, 30, 32, 34, 36].map(|at| u32_at(bytes, at) as u16),
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        for value in [self.least.lng, self.least.lat, self.most.lng, self.most.lat] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        for count in [self.restrictions, self.restrictions_unused, self.restrictions_conditional] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        for speed in self.fastest_cmps {
            out.extend_from_slice(&speed.to_le_bytes());
        }
        out.resize(64, 0);
        out
    }

    /// South-west and north-east corner of everything on the map.
    pub fn corners(&self) -> (Position, Position) {
        let corner = |at: Corner| Position::from_e7(at.lng, at.lat);
        (corner(self.least), corner(self.most))
    }

    /// The highest speed of a profile on any edge, metres per second; at least 0.01.
    pub(crate) fn fastest_mps(&self, profile: Profile) -> f64 {
        f64::from(self.fastest_cmps[profile as usize].max(1)) / 100.0
    }

    /// Least metres that a degree of longitude has anywhere on the map: no road is shorter than
    /// the straight line measured with it.
    pub(crate) fn least_metres_per_lng(&self) -> f64 {
        let (least, most) = self.corners();
        let farthest = least.lat.abs().max(most.lat.abs()).min(90.0);
        libm::cos(farthest.to_radians()).max(0.0) * METRES_PER_DEGREE
    }
}
