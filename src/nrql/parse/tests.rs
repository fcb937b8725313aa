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

/// How a refusal stands in `invalid.nrql`.
fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(tree) => panic!("{text}: is read as {tree}"),
        Err(error) => {
            let message = error.message.replace("NRQL Syntax Error: ", "");
            assert_ne!(error.kind, ErrorKind::Timeout);
            assert!(error.span.is_some_and(|span| span.end <= text.len()), "{text}: no place");
            format!("--     {message} | {}", error.help.unwrap_or_default())
        }
    }
}

#[test]
fn refusals_say_where_and_what_instead() {
    let path = format!("{}/fixtures/nrql/invalid.nrql", env!("CARGO_MANIFEST_DIR"));
    let written = std::fs::read_to_string(&path).expect("the corpus");
    let mut found = String::new();
    let mut cases = 0;
    for line in written.lines().filter(|line| !line.starts_with("--     ")) {
        found.push_str(line);
        found.push('\n');
        if !line.is_empty() && !line.starts_with("--") {
            cases += 1;
            found.push_str(&refusal(line));
            found.push('\n');
        }
    }
    assert!(cases >= 60, "only {cases} cases");
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(&path, &found).expect("written");
    } else {
        assert_eq!(found, written);
    }
}
