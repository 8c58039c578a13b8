//! The grid: crossings, streets between them, one-ways, roundabouts, signals, yards.

use std::collections::{BTreeMap, BTreeSet};

use super::{Draft, RADIUS_M, Spot, Tags, land, names, ring, tags};

/// Distance between two lines of the grid, metres.
const BLOCK_M: f64 = 190.0;
/// Lines to each side of the middle one.
const LINES: i32 = 32;
/// Lines to each side of the middle one that belong to the centre.
const CENTRE_LINES: i32 = 10;

/// A crossing's name: its line from west to east, its line from south to north.
pub(crate) type Cross = (i32, i32);
/// A street's name: the crossing it starts at, and whether it runs east (else north).
pub(crate) type Street = (Cross, bool);

/// Importance of a street, as OpenStreetMap's `highway` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    Primary,
    Secondary,
    Tertiary,
    Residential,
}

impl Rank {
    fn of_line(line: i32) -> Self {
        match line.rem_euclid(8) {
            0 => Self::Primary,
            4 => Self::Secondary,
            2 | 6 if line.abs() <= 12 => Self::Tertiary,
            _ => Self::Residential,
        }
    }
    fn highway(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Tertiary => "tertiary",
            Self::Residential => "residential",
        }
    }
    fn speed(self, outside: bool) -> &'static str {
        match self {
            Self::Primary if outside => "70",
            Self::Residential => "30",
            _ => "50",
        }
    }
}

/// Where streets meet.
#[derive(Debug, Clone)]
pub(crate) enum Junction {
    /// In one node.
    Plain(i64),
    /// In a roundabout of eight nodes, counterclockwise from the east.
    Round([i64; 8]),
}

impl Junction {
    /// The node that a street arriving from east (0), north (1), west (2) or south (3) uses.
    pub(crate) fn arm(&self, side: usize) -> i64 {
        match self {
            Self::Plain(node) => *node,
            Self::Round(nodes) => nodes[side * 2 % 8],
        }
    }
}

/// One block's length of a street.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) rank: Rank,
    /// 1 with the grid's direction, -1 against it, 0 both ways.
    oneway: i32,
    bridge: bool,
    /// Over the motorway, at this angle from the town's centre.
    pub(crate) over_ring: Option<f64>,
    /// The way it became part of; 0 before.
    way: i64,
    middle: (i64, Spot),
}

/// The grid as it was laid.
#[derive(Default)]
pub(crate) struct Grid {
    pub(crate) spots: BTreeMap<Cross, Spot>,
    pub(crate) junctions: BTreeMap<Cross, Junction>,
    pub(crate) blocks: BTreeMap<Street, Block>,
    /// Crossings at which every way ends, because a turn is forbidden there.
    split: BTreeSet<Cross>,
}

/// The crossing at the far end of a street.
pub(crate) fn far_end(((i, j), east): Street) -> Cross {
    if east { (i + 1, j) } else { (i, j + 1) }
}

/// Lays crossings and streets and writes them as ways.
pub(crate) fn lay(draft: &mut Draft) -> Grid {
    let mut grid = Grid::default();
    place_crossings(draft, &mut grid);
    choose_blocks(draft, &mut grid);
    make_junctions(draft, &mut grid);
    for line in -LINES..=LINES {
        write_line(draft, &mut grid, line, true);
        write_line(draft, &mut grid, line, false);
    }
    grid
}

fn place_crossings(draft: &mut Draft, grid: &mut Grid) {
    for i in -LINES..=LINES {
        for j in -LINES..=LINES {
            let (x, y) = (f64::from(i) * BLOCK_M, f64::from(j) * BLOCK_M);
            let bend = |v: f64| 55.0 * libm::sin(v / 900.0);
            let at = Spot::new(
                x + bend(y) + draft.chance.between(-18.0, 18.0),
                y + bend(x + 400.0) + draft.chance.between(-18.0, 18.0),
            );
            let at = ring::beside(land::beside_river(at));
            if at.radius() <= RADIUS_M {
                grid.spots.insert((i, j), at);
            }
        }
    }
}

fn choose_blocks(draft: &mut Draft, grid: &mut Grid) {
    let parks = land::parks();
    for (&cross, &from) in &grid.spots {
        for east in [true, false] {
            let street = (cross, east);
            let Some(&to) = grid.spots.get(&far_end(street)) else { continue };
            let line = if east { cross.1 } else { cross.0 };
            let rank = Rank::of_line(line);
            let over_river = land::over_river(from, to);
            let over_ring = ring::crosses(from, to);
            let narrow = matches!(rank, Rank::Tertiary | Rank::Residential);
            let gone = (over_river && narrow)
                || (over_ring.is_some() && (rank != Rank::Primary || line.abs() > 16))
                || (narrow && parks.iter().any(|park| park.holds(street)))
                || (rank == Rank::Residential && draft.chance.happens(0.06));
            // Asked of every block, so that a dropped one changes no other.
            let bow = draft.chance.normal() * 7.0;
            if gone {
                continue;
            }
            let (dx, dy) = ((to.x - from.x) / BLOCK_M, (to.y - from.y) / BLOCK_M);
            let middle = from.between(to, 0.5);
            let middle = Spot::new(middle.x - dy * bow, middle.y + dx * bow);
            let oneway = one_way(cross, line, rank);
            let bridge = over_river || over_ring.is_some();
            let middle = (0, middle);
            let block = Block { rank, oneway, bridge, over_ring, way: 0, middle };
            grid.blocks.insert(street, block);
        }
    }
}

/// In the centre every second small street is one-way, neighbours in turn.
fn one_way((i, j): Cross, line: i32, rank: Rank) -> i32 {
    let central = i.abs() <= CENTRE_LINES && j.abs() <= CENTRE_LINES;
    match line.rem_euclid(4) {
        1 if central && rank == Rank::Residential => 1,
        3 if central && rank == Rank::Residential => -1,
        _ => 0,
    }
}

fn make_junctions(draft: &mut Draft, grid: &mut Grid) {
    let mut used = BTreeSet::new();
    for street in grid.blocks.keys() {
        used.extend([street.0, far_end(*street)]);
    }
    for cross @ (i, j) in used {
        let at = grid.spots[&cross];
        let ranks = [Rank::of_line(i), Rank::of_line(j)];
        let big = ranks.iter().all(|r| matches!(r, Rank::Primary | Rank::Secondary));
        let primary = ranks.contains(&Rank::Primary);
        let junction = if big && draft.chance.happens(0.22) {
            Junction::Round(roundabout(draft, at))
        } else {
            let node = draft.node(at);
            if big && draft.chance.happens(0.6) {
                draft.tag_node(node, "highway", "traffic_signals");
            }
            if primary && draft.chance.happens(0.35) {
                grid.split.insert(cross);
            }
            Junction::Plain(node)
        };
        grid.junctions.insert(cross, junction);
    }
}

fn roundabout(draft: &mut Draft, at: Spot) -> [i64; 8] {
    const RADIUS: f64 = 22.0;
    let nodes = std::array::from_fn(|k| {
        let turn = Spot::at(RADIUS, std::f64::consts::FRAC_PI_4 * k as f64);
        draft.node(Spot::new(at.x + turn.x, at.y + turn.y))
    });
    let mut round = nodes.to_vec();
    round.push(nodes[0]);
    let pairs = [("highway", "primary"), ("junction", "roundabout"), ("maxspeed", "30")];
    draft.way(round, tags(&pairs));
    nodes
}

/// Writes one line of the grid: blocks of one kind in a row become one way.
fn write_line(draft: &mut Draft, grid: &mut Grid, line: i32, east: bool) {
    let street = |k: i32| (if east { (k, line) } else { (line, k) }, east);
    let mut k = -LINES;
    while k < LINES {
        if !grid.blocks.contains_key(&street(k)) {
            k += 1;
            continue;
        }
        let first = k;
        while k < LINES && (k == first || continues(grid, street(k - 1), street(k))) {
            k += 1;
        }
        let row: Vec<Street> = (first..k).map(street).collect();
        write_way(draft, grid, &row);
    }
}

/// Whether two neighbouring blocks belong to one way.
fn continues(grid: &Grid, before: Street, after: Street) -> bool {
    let (Some(a), Some(b)) = (grid.blocks.get(&before), grid.blocks.get(&after)) else {
        return false;
    };
    let plain = matches!(grid.junctions.get(&after.0), Some(Junction::Plain(_)));
    let alike = (a.rank, a.oneway, a.bridge) == (b.rank, b.oneway, b.bridge);
    plain && alike && !grid.split.contains(&after.0)
}

fn write_way(draft: &mut Draft, grid: &mut Grid, row: &[Street]) {
    let Some(&(start, east)) = row.first() else { return };
    let (out, inward) = if east { (0, 2) } else { (1, 3) };
    let mut nodes = vec![grid.junctions[&start].arm(out)];
    for street in row {
        let Some(block) = grid.blocks.get_mut(street) else { continue };
        block.middle.0 = draft.node(block.middle.1);
        block.way = draft.ways.len() as i64 + 1;
        nodes.extend([block.middle.0, grid.junctions[&far_end(*street)].arm(inward)]);
    }
    let block = &grid.blocks[&row[0]];
    if block.oneway < 0 {
        nodes.reverse();
    }
    let outside = grid.spots[&start].radius() > ring::RADIUS_M * 0.8;
    draft.way(nodes, street_tags(block, start, east, outside));
}

fn street_tags(block: &Block, (i, j): Cross, east: bool, outside: bool) -> Tags {
    let line = if east { j } else { i };
    let main = matches!(block.rank, Rank::Primary | Rank::Secondary);
    let mut tags = tags(&[
        ("highway", block.rank.highway()),
        ("name", &names::street(line, east, main)),
        ("maxspeed", block.rank.speed(outside)),
    ]);
    if block.oneway != 0 {
        tags.push(("oneway", "yes".into()));
    }
    if block.bridge {
        tags.extend([("bridge", "yes".to_owned()), ("layer", "1".to_owned())]);
    }
    if main {
        tags.push(("lanes", "2".into()));
    }
    tags
}

/// Forbids some turns across the oncoming traffic of main streets, and orders one or two.
pub(crate) fn forbid_turns(draft: &mut Draft, grid: &Grid) {
    for &(i, j) in &grid.split {
        let Some(Junction::Plain(via)) = grid.junctions.get(&(i, j)) else { continue };
        let (west, south) = (((i - 1, j), true), ((i, j - 1), false));
        let (east, north) = (((i, j), true), ((i, j), false));
        let pick = draft.chance.below(4);
        let (kind, from, to) = match pick {
            0 => ("no_left_turn", west, north),
            1 => ("no_left_turn", east, south),
            2 => ("no_left_turn", south, west),
            _ => ("only_straight_on", north, south),
        };
        if let (Some(from), Some(to)) = (grid.blocks.get(&from), grid.blocks.get(&to))
            && from.oneway == 0
            && to.oneway == 0
        {
            draft.restriction(kind, from.way, *via, to.way);
        }
    }
}

/// Short service ways into the blocks; some are private.
pub(crate) fn yards(draft: &mut Draft, grid: &Grid) {
    for ((_, east), block) in &grid.blocks {
        let wanted = block.rank == Rank::Residential && draft.chance.happens(0.14);
        let depth = draft.chance.between(35.0, 75.0);
        if !wanted || block.bridge {
            continue;
        }
        let (node, at) = block.middle;
        let (dx, dy) = if *east { (4.0, depth) } else { (depth, 4.0) };
        let end = draft.node(Spot::new(at.x + dx, at.y + dy));
        let mut tags = tags(&[("highway", "service")]);
        if draft.chance.happens(0.12) {
            tags.push(("access", "private".into()));
        }
        draft.way(vec![node, end], tags);
    }
}
