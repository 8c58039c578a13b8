use super::*;

#[test]
fn quantiles_are_of_the_sorted_values() {
    let mut values = [5.0, 1.0, 3.0, 2.0, 4.0];
    assert_eq!(quantile(&mut values, 0.5), Some(3.0));
    assert_eq!(quantile(&mut values, 1.0), Some(5.0));
    assert_eq!(quantile(&mut [], 0.5), None);
}
