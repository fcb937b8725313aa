//! Sketches against exact figures.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn percentiles(values: &[f64]) -> Percentiles {
    let mut sketch = Percentiles::default();
    values.iter().for_each(|value| sketch.insert(*value));
    sketch
}

/// New Relic's published answers are middles of buckets with 32 in an octave.
#[test]
fn answers_are_middles_of_buckets() {
    let cases = [(1.0, 1.015_625), (3.01, 3.031_25), (19.2, 19.25), (-3.01, -3.031_25), (0.0, 0.0)];
    for (value, expected) in cases {
        let sketch = percentiles(&[value, value, value]);
        assert_eq!(sketch.percentile(95.0), Some(expected), "{value}");
        assert_eq!(sketch.count(), 3);
    }
    assert_eq!(Percentiles::default().percentile(50.0), None);
}

#[test]
fn errors_grow_with_the_spread() {
    let cases = [
        (1.0, 1.0 / 64.0),
        (900.0, 1.0 / 64.0),
        (1_100.0, 1.0 / 32.0),
        (1e6, 1.0 / 32.0),
        (1e12, 1.0 / 16.0),
        (1e24, 1.0 / 8.0),
    ];
    for (greatest, expected) in cases {
        let sketch = percentiles(&[1.0, greatest]);
        assert_eq!(sketch.relative_error(), expected, "{greatest}");
        let negative = percentiles(&[-greatest, -1.0]);
        assert_eq!(negative.relative_error(), expected, "-{greatest}");
    }
}

#[test]
fn the_whole_range_of_floats_fits() {
    let sketch = percentiles(&[f64::MAX, -f64::MAX, 5e-324, -5e-324, 1.0, f64::NAN]);
    assert_eq!(sketch.count(), 5);
    assert!(sketch.bytes() < 2 * 512 * 8);
    for percent in [0.0, 20.0, 50.0, 99.0, 100.0] {
        assert!(sketch.percentile(percent).is_some_and(f64::is_finite), "{percent}");
    }
}

proptest! {
    #[test]
    fn percentiles_are_within_the_error(
        mut values in prop::collection::vec(-2_000.0f64..2_000.0, 1..300),
        percent in 0.0f64..100.0,
    ) {
        let sketch = percentiles(&values);
        values.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * values.len() as f64).ceil().max(1.0) as usize;
        let exact = values[rank - 1];
        let got = sketch.percentile(percent).expect("values");
        let error = sketch.relative_error() * exact.abs() * 1.000_001;
        prop_assert!((got - exact).abs() <= error, "{got} for {exact}");
    }

    #[test]
    fn merging_is_seeing_everything(
        values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 0..200),
        cut in 0usize..200,
    ) {
        let cut = cut.min(values.len());
        let mut merged = percentiles(&values[..cut]);
        merged.merge(&percentiles(&values[cut..]));
        prop_assert_eq!(merged, percentiles(&values));
    }

    #[test]
    fn few_distinct_values_are_counted_exactly(
        values in prop::collection::vec(0u32..400, 0..250),
        cut in 0usize..250,
    ) {
        let cut = cut.min(values.len());
        let count = |values: &[u32]| {
            let mut sketch = HyperLogLog::default();
            values.iter().for_each(|value| sketch.insert(&Value::Number((*value).into())));
            sketch
        };
        let mut merged = count(&values[..cut]);
        merged.merge(&count(&values[cut..]));
        let exact = values.iter().collect::<BTreeSet<_>>().len() as u64;
        prop_assert_eq!(merged.count(), exact);
    }
}

#[test]
fn many_distinct_values_are_estimated() {
    for precision in [10, 14] {
        let error = 4.0 * 1.04 / f64::from(1 << (precision / 2));
        for count in [257u64, 1_000, 20_000, 300_000] {
            let mut halves = [HyperLogLog::new(precision), HyperLogLog::new(precision)];
            let mut whole = HyperLogLog::new(precision);
            for value in 0..count {
                let hash = hash_text(&format!("value {value}"));
                halves[value as usize % 2].insert_hash(hash);
                whole.insert_hash(hash);
            }
            let [mut merged, other] = halves;
            merged.merge(&other);
            assert_eq!(merged.count(), whole.count());
            let off = (whole.count() as f64 - count as f64).abs() / count as f64;
            assert!(off < error, "{count} distinct: {} at precision {precision}", whole.count());
        }
    }
}

#[test]
fn equal_values_have_equal_hashes() {
    let same = [
        (Value::Number(5.0), Value::Integer(5)),
        (Value::Number(0.0), Value::Number(-0.0)),
        (Value::text("a"), Value::text("a")),
    ];
    for (one, other) in same {
        assert_eq!(hash_value(&one), hash_value(&other), "{one:?}");
    }
    let different = [
        Value::Number(1.0),
        Value::text("1"),
        Value::Bool(true),
        Value::Integer(i64::MAX),
        Value::Integer(i64::MAX - 1),
        Value::List(vec![Value::Number(1.0), Value::Number(2.0)]),
        Value::List(vec![Value::Number(2.0), Value::Number(1.0)]),
    ];
    let hashes: BTreeSet<_> = different.iter().map(hash_value).collect();
    assert_eq!(hashes.len(), different.len());
    assert_eq!(hash_value(&Value::Null), None);
}
