//! Delta debugging: fewer and fewer of a list of things, as long as what is left still fails.
//!
//! Source: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input" (2002).
//!
//! Invariant: what is left in the end is 1-minimal: without any one thing of it, nothing fails.

/// Drops things, numbered from 0 to `count`, until what is left is 1-minimal.
///
/// `test` is given lists of things to keep, boldest first, and says which of them is the first to
/// fail still. The things that are left.
///
/// # Errors
/// Whatever `test` fails with; it knows the last list that it accepted.
pub fn ddmin<E>(
    count: usize,
    mut test: impl FnMut(&[Vec<usize>]) -> Result<Option<usize>, E>,
) -> Result<Vec<usize>, E> {
    let mut kept: Vec<usize> = (0..count).collect();
    if kept.is_empty() || test(&[Vec::new()])?.is_some() {
        return Ok(Vec::new());
    }
    let mut parts = 2;
    while kept.len() > 1 {
        let chunks = split(&kept, parts);
        // With two parts, the complement of one is the other.
        let complements = if parts > 2 { complements(&chunks) } else { Vec::new() };
        let (alone, candidates) = (chunks.len(), [chunks, complements].concat());
        match test(&candidates)? {
            Some(index) => {
                parts = if index < alone { 2 } else { (parts - 1).max(2) };
                kept.clone_from(&candidates[index]);
            }
            None if parts >= kept.len() => break,
            None => parts = (parts * 2).min(kept.len()),
        }
    }
    Ok(kept)
}

/// `parts` lists of nearly equal length, in order.
fn split(all: &[usize], parts: usize) -> Vec<Vec<usize>> {
    let parts = parts.clamp(1, all.len().max(1));
    let bound = |part: usize| part * all.len() / parts;
    (0..parts).map(|part| all[bound(part)..bound(part + 1)].to_vec()).collect()
}

/// All chunks but one, for each of them.
fn complements(chunks: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let without = |left: usize| {
        let rest = chunks.iter().enumerate().filter(|(index, _)| *index != left);
        rest.flat_map(|(_, chunk)| chunk.iter().copied()).collect()
    };
    (0..chunks.len()).map(without).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    /// Shrinks with `fails` as the test; what is left, and how often it was asked.
    fn shrink(count: usize, fails: impl Fn(&[usize]) -> bool) -> (Vec<usize>, usize) {
        let mut asked = 0;
        let left = ddmin(count, |candidates| {
            asked += candidates.len();
            Ok::<_, Infallible>(candidates.iter().position(|kept| fails(kept)))
        });
        let Ok(left) = left;
        (left, asked)
    }

    fn is_one_minimal(left: &[usize], fails: impl Fn(&[usize]) -> bool) -> bool {
        (0..left.len()).all(|out| {
            let mut fewer = left.to_vec();
            fewer.remove(out);
            !fails(&fewer)
        })
    }

    #[test]
    fn finds_what_is_needed() {
        let check = |count: usize, needed: &[usize], asked_max: usize| {
            let (left, asked) = shrink(count, |kept| needed.iter().all(|n| kept.contains(n)));
            assert_eq!(left, needed, "{count}");
            assert!(asked <= asked_max, "{needed:?} of {count} took {asked}");
        };
        check(0, &[], 0);
        check(1, &[0], 1);
        check(8, &[], 1);
        check(16, &[5], 9);
        check(16, &[0, 15], 60);
        check(64, &[3, 17, 40], 250);
        check(4, &[0, 1, 2, 3], 20);
    }

    proptest! {
        /// Any predicate at all, monotone or not, by a table of its answers.
        #[test]
        fn what_is_left_is_one_minimal_and_fails(
            table in proptest::collection::vec(any::<bool>(), 1 << 7),
        ) {
            let all = (1 << 7) - 1;
            let fails = |kept: &[usize]| {
                let set = kept.iter().fold(0usize, |set, thing| set | 1 << thing);
                set == all || table[set]
            };
            let (left, asked) = shrink(7, fails);
            prop_assert!(fails(&left));
            prop_assert!(is_one_minimal(&left, fails), "{left:?}");
            prop_assert!(asked < 200);
        }

        #[test]
        fn any_of_several_causes_will_do(
            causes in vec(btree_set(0usize..20, 1..4), 1..4),
        ) {
            let fails =
                |kept: &[usize]| causes.iter().any(|cause| cause.iter().all(|n| kept.contains(n)));
            let (left, _) = shrink(20, fails);
            prop_assert!(causes.iter().any(|cause| cause.iter().copied().eq(left.iter().copied())));
        }
    }
}
