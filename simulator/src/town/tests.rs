use super::*;

#[test]
fn same_seed_same_bytes() {
    assert_eq!(town(3), town(3));
    assert_ne!(town(3), town(4));
}

#[test]
fn size_is_a_towns() {
    let bytes = town(1);
    assert!((300_000..4_000_000).contains(&bytes.len()), "{} bytes", bytes.len());
}
