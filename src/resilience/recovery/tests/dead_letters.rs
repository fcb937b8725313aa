//! The dead-letter queue against a plain list.

use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::{NS, secs};
use crate::resilience::recovery::{DeadLetterQueue, Selection};

#[derive(Debug, Clone)]
enum Action {
    Push(u32),
    Take(Selection),
    Purge(Selection),
}

fn selection() -> impl Strategy<Value = Selection> {
    prop_oneof![
        Just(Selection::All),
        (0usize..8).prop_map(Selection::Oldest),
        // Empty, reversed and unknown ranges, too.
        (0u64..40, 0u64..40).prop_map(|(a, b)| Selection::Ids(RangeInclusive::new(a, b))),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => any::<u32>().prop_map(Action::Push),
        1 => selection().prop_map(Action::Take),
        1 => selection().prop_map(Action::Purge),
    ]
}

/// Splits the model's list by the selection's plain words.
fn split(list: &mut Vec<(u64, u32)>, selection: &Selection) -> Vec<(u64, u32)> {
    let mut taken = Vec::new();
    let mut kept = Vec::new();
    for (place, letter) in list.drain(..).enumerate() {
        let is_chosen = match selection {
            Selection::All => true,
            Selection::Oldest(count) => place < *count,
            Selection::Ids(ids) => *ids.start() <= letter.0 && letter.0 <= *ids.end(),
        };
        if is_chosen { taken.push(letter) } else { kept.push(letter) }
    }
    *list = kept;
    taken
}

proptest! {
    #[test]
    fn queue_is_a_bounded_list(
        capacity in 0usize..6,
        actions in prop::collection::vec(action(), 0..60),
    ) {
        let mut queue = DeadLetterQueue::new(capacity);
        let mut list: Vec<(u64, u32)> = Vec::new();
        let (mut next, mut evicted, mut replayed, mut purged) = (0, 0, 0, 0);
        for action in actions {
            match action {
                Action::Push(payload) => {
                    let out = queue.push(payload, "reason", 3, secs(1), secs(2));
                    list.push((next, payload));
                    next += 1;
                    let expected = (list.len() > capacity).then(|| list.remove(0));
                    evicted += u64::from(expected.is_some());
                    prop_assert_eq!(out.map(|letter| (letter.id, letter.payload)), expected);
                }
                Action::Take(selection) => {
                    let out = queue.take(&selection);
                    let out: Vec<_> = out.iter().map(|one| (one.id, one.payload)).collect();
                    let expected = split(&mut list, &selection);
                    replayed += expected.len() as u64;
                    prop_assert_eq!(out, expected);
                }
                Action::Purge(selection) => {
                    let expected = split(&mut list, &selection).len();
                    purged += expected as u64;
                    prop_assert_eq!(queue.purge(&selection), expected);
                }
            }
            let held: Vec<_> = queue.iter().map(|one| (one.id, one.payload)).collect();
            prop_assert_eq!(&held, &list);
            prop_assert!(queue.len() <= capacity);
            let stats = queue.stats();
            prop_assert_eq!(
                (stats.held, stats.pushed, stats.evicted, stats.replayed, stats.purged),
                (list.len() as u64, next, evicted, replayed, purged)
            );
            let gone = stats.evicted + stats.replayed + stats.purged;
            prop_assert_eq!(stats.pushed, stats.held + gone);
        }
    }
}

#[test]
fn a_letter_keeps_what_was_known() {
    let mut queue = DeadLetterQueue::default();
    assert!(queue.push("item", "no answer", 3, secs(5), secs(9) + NS).is_none());
    let letters = queue.take(&Selection::All);
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter.payload, letter.reason.as_str(), letter.attempts), ("item", "no answer", 3));
    assert_eq!((letter.first_failed_at, letter.dead_at), (secs(5), secs(9) + NS));
    assert!(queue.is_empty());
}

#[test]
fn a_thousand_are_kept_unless_told_otherwise() {
    let mut queue = DeadLetterQueue::default();
    for number in 0..1_000 {
        assert!(queue.push(number, "r", 1, secs(0), secs(0)).is_none());
    }
    assert_eq!(queue.push(1_000, "r", 1, secs(0), secs(0)).map(|one| one.payload), Some(0));
    assert_eq!(queue.len(), 1_000);
}
