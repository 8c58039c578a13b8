//! Numbers with units as mappers write them: speeds, heights, weights, durations.

/// A speed limit of `maxspeed` and its kin in km/h, `None` for what is no limit we know.
///
/// Understands plain numbers (km/h), `mph`, `knots`, `walk`, `none`, and implicit limits
/// `CC:zone` (wiki.openstreetmap.org/wiki/Key:maxspeed).
pub(super) fn speed_kmh(text: &str) -> Option<f64> {
    let text = text.split(';').next().unwrap_or("").trim();
    match text {
        "walk" => return Some(7.0),
        // German motorways: what is advised there.
        "none" => return Some(130.0),
        _ => {}
    }
    if let Some((number, unit)) = leading_number(text) {
        let factor = match unit {
            "" | "km/h" | "kmh" | "kph" => 1.0,
            "mph" => 1.609_344,
            "knots" => 1.852,
            _ => return None,
        };
        return (number > 0.0).then_some(number * factor);
    }
    implicit_kmh(text)
}

/// Limits that follow from a place's kind. Where countries differ, the common value, and
/// theirs by name.
fn implicit_kmh(text: &str) -> Option<f64> {
    let (country, kind) = text.split_once(':').unwrap_or(("", text));
    if let Some(zone) = kind.strip_prefix("zone") {
        return leading_number(zone.trim_start_matches(':')).map(|(number, _)| number);
    }
    Some(match (country, kind) {
        ("GB" | "US", "urban" | "nsl_restricted") | (_, "nsl_restricted") => 48.0,
        (_, "urban" | "city" | "town") => 50.0,
        ("DE" | "AT" | "CH", "rural") | (_, "trunk" | "expressway") => 100.0,
        ("FR" | "BE" | "NL" | "CZ", "rural") => 80.0,
        (_, "nsl_single") => 97.0,
        (_, "nsl_dual") => 113.0,
        (_, "rural") => 90.0,
        (_, "motorway") => 120.0,
        (_, "living_street") => 10.0,
        (_, "bicycle_road") => 30.0,
        (_, "pedestrian_zone") => 6.0,
        _ => return None,
    })
}

/// A length of `maxheight`, `maxwidth`, `maxlength` in metres: `3.8`, `3.8 m`, `12'6"`, `12 ft`.
pub(super) fn metres(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Some((feet, inches)) = text.split_once('\'') {
        let inches = leading_number(inches).map_or(0.0, |(number, _)| number);
        return Some(leading_number(feet)?.0 * 0.3048 + inches * 0.0254);
    }
    let (number, unit) = leading_number(text)?;
    match unit {
        "" | "m" => Some(number),
        "ft" | "feet" => Some(number * 0.3048),
        "cm" => Some(number / 100.0),
        _ => None,
    }
}

/// A weight of `maxweight` in tonnes: `3.5`, `7.5 t`, `5 st` (short tons), `10000 lbs`.
pub(super) fn tonnes(text: &str) -> Option<f64> {
    let (number, unit) = leading_number(text.trim())?;
    match unit {
        "" | "t" => Some(number),
        "st" => Some(number * 0.907_185),
        "lt" => Some(number * 1.016_047),
        "lbs" | "lb" => Some(number * 0.000_453_592),
        "kg" => Some(number / 1000.0),
        _ => None,
    }
}

/// A duration of `duration` in seconds: `MM`, `HH:MM`, `HH:MM:SS`.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let parts: Option<Vec<f64>> =
        text.trim().split(':').map(|part| part.parse().ok().filter(|&p| p >= 0.0)).collect();
    match parts?[..] {
        [minutes] => Some(minutes * 60.0),
        [hours, minutes] => Some(hours * 3600.0 + minutes * 60.0),
        [hours, minutes, seconds] => Some(hours * 3600.0 + minutes * 60.0 + seconds),
        _ => None,
    }
}

/// The number a text begins with, and what follows it without spaces.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: f64 = number.parse().ok()?;
    (number.is_finite() && number < 1e6).then(|| (number, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: Option<f64>, expected: Option<f64>) {
        let same = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 0.01,
            (None, None) => true,
            _ => false,
        };
        assert!(same, "{found:?}, expected {expected:?}");
    }

    #[test]
    fn speeds() {
        for (text, expected) in [
            ("50", Some(50.0)),
            ("30 mph", Some(48.28)),
            ("30mph", Some(48.28)),
            ("10 knots", Some(18.52)),
            ("walk", Some(7.0)),
            ("none", Some(130.0)),
            ("DE:urban", Some(50.0)),
            ("DE:rural", Some(100.0)),
            ("IT:rural", Some(90.0)),
            ("DE:zone:30", Some(30.0)),
            ("PT:zone30", Some(30.0)),
            ("FR:zone30", Some(30.0)),
            ("50;30", Some(50.0)),
            ("signals", None),
            ("variable", None),
            ("0", None),
            ("-5", None),
            ("5 bananas", None),
            ("", None),
        ] {
            check(speed_kmh(text), expected);
        }
    }

    #[test]
    fn sizes_and_times() {
        check(metres("3.8"), Some(3.8));
        check(metres("3.8 m"), Some(3.8));
        check(metres("12'6\""), Some(3.81));
        check(metres("13 ft"), Some(3.96));
        check(metres("default"), None);
        check(tonnes("7.5 t"), Some(7.5));
        check(tonnes("3.5"), Some(3.5));
        check(tonnes("10000 lbs"), Some(4.54));
        check(tonnes("none"), None);
        check(seconds("20"), Some(1200.0));
        check(seconds("01:30"), Some(5400.0));
        check(seconds("00:05:30"), Some(330.0));
        check(seconds("soon"), None);
    }
}
