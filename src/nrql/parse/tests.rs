//! The corpora, generated trees, limits.

use super::{HEIGHT_MAX, NESTING_MAX, TEXT_BYTES_MAX, parse};
use crate::nrql::ErrorKind;

/// Queries of a corpus file, with their lines.
fn corpus(text: &str) -> Vec<(usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with("--")).collect()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let tree = parse(text).unwrap_or_else(|error| panic!("{text}: {error} {:?}", error.help));
    assert_eq!(tree.to_string(), expected, "{text}");
    let again = parse(expected).unwrap_or_else(|error| panic!("{expected}: {error}"));
    assert_eq!(tree, again, "{text}");
}

#[test]
fn the_corpus_parses_and_prints_to_itself() {
    let queries = corpus(include_str!("../../../fixtures/nrql/valid.nrql"));
    assert!(queries.len() >= 250, "only {} queries", queries.len());
    for (line, text) in queries {
        let tree = match parse(text) {
            Ok(tree) => tree,
            Err(error) => panic!("valid.nrql:{line}: {error} ({:?})\n{text}", error.help),
        };
        let printed = tree.to_string();
        let again = match parse(&printed) {
            Ok(again) => again,
            Err(error) => panic!("valid.nrql:{line}: {error}\n{text}\n{printed}"),
        };
        assert_eq!(tree, again, "valid.nrql:{line}: {printed}");
        assert_eq!(printed, again.to_string());
    }
}
