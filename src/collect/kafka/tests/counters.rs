//! The book of counters against the rule written out plainly.

use proptest::prelude::*;

use super::super::counters::{Book, Reading, Tally, TopicOnBroker, TopicOnBrokerRef};

fn rate(per_second: f64, window_ms: i64) -> Reading {
    Reading::Rate { per_second, window_ms }
}

#[test]
fn readings() {
    // (at_ms, value) → what it means
    let cases: &[(i64, f64, Reading)] = &[
        (1_000, 10.0, Reading::FirstSight),
        (16_000, 160.0, rate(10.0, 15_000)),
        (16_000, 170.0, Reading::SameInstant),
        (17_000, 170.0, rate(10.0, 1_000)),
        (18_000, 170.0, rate(0.0, 1_000)),
        (19_000, 5.0, Reading::Reset),
        (19_500, 10.0, rate(10.0, 500)),
        (15_000, 11.0, Reading::SameInstant),
        (20_500, 10.0, rate(0.0, 1_000)),
    ];
    let mut book: Book<i32, 2> = Book::new(10, 600_000);
    for (at_ms, value, expected) in cases {
        assert_eq!(book.read(&0, *at_ms).rate(1, *value), *expected, "at {at_ms}");
    }
    assert_eq!(book.read(&0, 20_500).rate(0, 1.0), Reading::FirstSight, "series are apart");
    assert_eq!(book.read(&7, 20_500).rate(1, 1.0), Reading::FirstSight, "identities are apart");
    let expected = Tally { first_seen: 3, resets: 1, refused: 0 };
    assert_eq!((book.take_tally(), book.take_tally()), (expected, Tally::default()));
}

#[test]
fn a_full_book_refuses_and_an_old_row_makes_room() {
    let mut book: Book<TopicOnBroker, 1> = Book::new(2, 600_000);
    let key = |broker, topic| TopicOnBrokerRef { broker, topic };
    assert_eq!(book.read(&key(0, "a"), 0).rate(0, 1.0), Reading::FirstSight);
    assert_eq!(book.read(&key(1, "a"), 500_000).rate(0, 1.0), Reading::FirstSight);
    assert_eq!(book.read(&key(0, "b"), 500_000).rate(0, 1.0), Reading::Refused);
    book.expire(600_000);
    assert_eq!(book.len(), 2, "ten minutes are kept");
    book.expire(600_001);
    assert_eq!(book.len(), 1);
    assert_eq!(book.read(&key(0, "b"), 600_001).rate(0, 1.0), Reading::FirstSight);
    assert_eq!(book.read(&key(1, "a"), 600_500).rate(0, 2.0), rate(1.0 / 100.5, 100_500));
    assert_eq!(book.take_tally().refused, 1);
    book.expire(i64::MAX);
    assert!(book.is_empty());
}

proptest! {
    /// Growth is never lost and never invented: rates times windows add up to what the counter
    /// grew by, resets apart.
    #[test]
    fn rates_add_up(steps in prop::collection::vec((0i64..5_000, -50i64..1_000), 1..60)) {
        let mut book: Book<i32, 1> = Book::new(1, i64::MAX);
        let (mut at_ms, mut value) = (0, 0i64);
        let mut base: Option<i64> = None;
        let mut summed = 0.0;
        for (wait_ms, growth) in steps {
            at_ms += wait_ms;
            value = (value + growth).max(0);
            match book.read(&0, at_ms).rate(0, value as f64) {
                Reading::FirstSight | Reading::Reset => {
                    base = Some(value);
                    summed = 0.0;
                }
                Reading::Rate { per_second, window_ms } => {
                    prop_assert!(per_second >= 0.0 && window_ms > 0);
                    summed += per_second * window_ms as f64 / 1000.0;
                    let grown = (value - base.expect("seen before")) as f64;
                    prop_assert!((summed - grown).abs() <= 1e-9 * grown.max(1.0));
                }
                Reading::SameInstant => prop_assert_eq!(wait_ms, 0),
                Reading::Refused => prop_assert!(false, "there is room for one"),
            }
        }
    }
}
