//! Distances and shapes, against figures from another way of computing them.

use super::{check, check_number, check_rows, numbers, refused, words};

#[test]
fn distances_and_bearings_are_those_of_vectors() {
    // By the angle between two unit vectors, and by the tangent plane.
    check_number("distance_m(41.1496, -8.6110, 38.7223, -9.1393)", 273_634.779_362, 1e-5);
    check_number("distance_m(0, 0, 0, 1)", 111_195.079_734, 1e-5);
    check_number("distance_m(41.15, -8.61, 41.15001, -8.61)", 1.111_951, 1e-6);
    check_number("distance_m(90, 0, -90, 0)", 20_015_114.352_186, 1e-5);
    check_number("distance_m(10, 179.5, 10, -179.5)", 109_505.734_708, 1e-5);
    check_number("bearing(41.1496, -8.6110, 38.7223, -9.1393)", 189.644_875_326, 1e-8);
    check_number("bearing(41.1496, -8.6110, 41.1496, -8.0)", 89.798_971_565, 1e-8);
    check_number("bearing(1, 1, 1, 1)", 0.0, 0.0);
    check_number("bearing(1, 1, 0, 1)", 180.0, 1e-12);
    check("distance_m(NULL, 0, 0, 0)", "~");
    // Decimals, whole numbers, and columns.
    check_number(
        "distance_m(CAST(0 AS decimal(9,7)), 0::smallint, 0.0, 1::bigint)",
        111_195.08,
        0.01,
    );
    check_rows(
        "round(distance_m(a, b, c, 0))",
        vec![numbers(0.0), numbers(1.0), numbers(0.0)],
        "111195.0",
    );
    refused("distance_m(0, 0, 95, 0)", "latitude is `95`, expected -90 to 90");
    refused("distance_m(0, 0, 0)", "is given 3 arguments");
    refused("distance_m(true, 0, 0, 0)", "argument 1 of `distance_m");
}

const WITH_HOLE: &str = "'POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0), (4 4, 6 4, 6 6, 4 6, 4 4))'";

#[test]
fn what_is_in_an_area_is_in_it() {
    let within = |lat: f64, lng: f64| format!("within({lat}, {lng}, {WITH_HOLE})");
    check(&within(1.0, 9.0), "true");
    check(&within(5.0, 5.0), "false");
    check(&within(5.0, 3.9), "true");
    check(&within(11.0, 5.0), "false");
    check(&within(5.0, -0.1), "false");
    // One of two neighbours holds a place on their common side.
    let (west, east) = ("'POLYGON((0 0,1 0,1 1,0 1,0 0))'", "'polygon((1 0,2 0,2 1,1 1,1 0))'");
    check(&format!("within(0.5, 1, {west}) <> within(0.5, 1, {east})"), "true");
    let two = "'MULTIPOLYGON (((0 0,1 0,1 1,0 0)), ((5 5,6 5,6 6,5 5)))'";
    check(&format!("within(5.2, 5.8, {two}) AND NOT within(3, 3, {two})"), "true");
    check("within(1, 1, 'POLYGON EMPTY')", "false");
    check("within(NULL, 1, 'POLYGON EMPTY')", "~");
    check_rows(
        "within(a, b, 'POLYGON((0 0,2 0,2 2,0 2,0 0))')",
        vec![numbers(1.0), numbers(1.0)],
        "true",
    );
    check_rows(
        "within(a, 1, b)",
        vec![numbers(1.0), words("POLYGON((0 0,2 0,2 2,0 2,0 0))")],
        "true",
    );
    refused("within(1, 1, 'POINT(1 1)')", "expected a POLYGON or MULTIPOLYGON");
    refused("within(1, 1, 'POLYGON((0 0,2 0,2 2))')", "expected a closed ring");
    refused("within(1, 1, 'POLYGON((0 0,2 0,2 x))')", "expected a number at byte 19");
    refused("within(1, 1, 'POLYGON((0 0,200 0,2 2,0 0))')", "longitude is `200`");
    refused("within(1, 1, 'circle(1)')", "shape is `circle(1)`, expected POINT");
    refused("length_m('LINESTRING(1 1, 2 2) x')", "expected its end");
    refused("length_m('LINESTRING(1e999 1)')", "expected a number");
    refused("length_m('')", "expected POINT");
}

#[test]
fn lengths_are_sums_of_distances() {
    let line = "'LINESTRING(-8.611 41.1496,-8.611 41.15,-8.61 41.15,-8.61 41.151)'";
    check_number(&format!("length_m({line})"), 239.401_832, 1e-6);
    check_number("length_m('POLYGON((-9 41,-8 41,-8 42,-9 42,-9 41))')", 388_943.271_478, 1e-5);
    check_number("length_m('POINT(1 2)')", 0.0, 0.0);
    check_number("length_m('LINESTRING EMPTY')", 0.0, 0.0);
    check("length_m(NULL)", "~");
}

#[test]
fn a_line_loses_what_lies_near_it() {
    // One thousandth of a degree is 111 m; the second point lies 11 m beside the line.
    let line = "'LINESTRING (0 0, 0.001 0.0001, 0.002 0, 0.003 0.001)'";
    check(&format!("simplify({line}, 10)"), "LINESTRING (0 0, 0.001 0.0001, 0.002 0, 0.003 0.001)");
    check(&format!("simplify({line}, 15)"), "LINESTRING (0 0, 0.002 0, 0.003 0.001)");
    check(&format!("simplify({line}, 1000)"), "LINESTRING (0 0, 0.003 0.001)");
    // An area stays one.
    let square = "POLYGON ((0 0, 0.001 0, 0.001 0.001, 0 0.001, 0 0))";
    check(&format!("simplify('{square}', 1000)"), square);
    check("simplify('POINT (1.5 2)', 5)", "POINT (1.5 2)");
    check("simplify('LINESTRING (1 1)', 5)", "LINESTRING (1 1)");
    check("simplify('LINESTRING (1 1, 1 1, 1 1)', 0)", "LINESTRING (1 1, 1 1)");
    check("simplify(NULL, 5)", "~");
    refused("simplify('POINT(1 1)', -1)", "tolerance is `-1`");
    refused("simplify('POINT(1 1)', 'Infinity'::double)", "tolerance is `inf`");
}

#[test]
fn nothing_left_out_is_farther_than_it_may_be() {
    use crate::analytics::functions::shape::Shape;
    use crate::analytics::functions::sphere::Place;

    // A path that wanders, long enough for several pieces.
    let mut state = 1_u64;
    let mut step = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((state >> 40) as f64 / f64::from(1 << 24) - 0.5) * 2e-4
    };
    let (mut lat, mut lng) = (41.0, -8.0);
    let walk = |_| {
        lat += step();
        lng += step();
        Place { lng, lat }
    };
    let line: Vec<Place> = (0..10_000).map(walk).collect();
    let Shape::Line(simple) = Shape::Line(line.clone()).simplified(20.0) else { panic!() };
    assert!(simple.len() < line.len() / 2, "{}", simple.len());
    // The slow way: every point against every segment, by dense sampling of the segment.
    for place in line.iter().step_by(97) {
        let near = simple.windows(2).any(|pair| {
            (0..=200).any(|i| {
                let share = f64::from(i) / 200.0;
                let at = Place {
                    lng: pair[0].lng + share * (pair[1].lng - pair[0].lng),
                    lat: pair[0].lat + share * (pair[1].lat - pair[0].lat),
                };
                at.distance_m(*place) <= 20.5
            })
        });
        assert!(near, "{place:?}");
    }
}
