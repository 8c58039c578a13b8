//! What streets are called: one name a street, by its line of the grid.

const FIRST: [&str; 66] = [
    "Alder", "Amber", "Anchor", "Apple", "Ash", "Baker", "Barley", "Beech", "Birch", "Bishop",
    "Bramble", "Bridge", "Broom", "Canal", "Castle", "Cedar", "Chapel", "Cherry", "Church",
    "Clover", "Cooper", "Copper", "Crown", "Dove", "Drover", "Elm", "Falcon", "Fern", "Ferry",
    "Forge", "Fountain", "Garden", "Glover", "Grange", "Harbour", "Hawthorn", "Hazel", "Heron",
    "Hill", "Holly", "Iron", "Ivy", "Juniper", "King", "Lantern", "Larch", "Linden", "Maple",
    "Market", "Mason", "Meadow", "Mill", "Mint", "Oak", "Orchard", "Pine", "Poplar", "Quarry",
    "Rowan", "Saddler", "School", "Station", "Tanner", "Thorn", "Walnut", "Willow",
];

/// Name of the street on line `index` (any sign) running east to west or north to south.
pub(super) fn street(index: i32, east_west: bool, main: bool) -> String {
    let first = FIRST[(index * 29).rem_euclid(FIRST.len() as i32) as usize];
    let kind = match (east_west, main) {
        (true, true) => "Avenue",
        (false, true) => "Road",
        (true, false) => "Street",
        (false, false) => "Lane",
    };
    format!("{first} {kind}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_has_its_own_name() {
        let lines = (-32..=32).flat_map(|i| [true, false].map(|axis| street(i, axis, false)));
        assert_eq!(lines.collect::<BTreeSet<_>>().len(), 130);
    }
}
