//! The corpora, generated trees, limits.

mod generate;

use proptest::prelude::*;

use super::{HEIGHT_MAX, NESTING_MAX, TEXT_BYTES_MAX, parse};
use crate::nrql::ErrorKind;
use crate::nrql::lint::{Catalogue, FINDINGS_MAX, lint};

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
    let queries = corpus(include_str!("../../../../fixtures/nrql/valid.nrql"));
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn printing_and_parsing_are_inverse(tree in generate::statement()) {
        let printed = tree.to_string();
        match parse(&printed) {
            Ok(again) => prop_assert_eq!(&again, &tree, "{}", printed),
            Err(error) => prop_assert!(false, "{} ({:?})\n{}", error, error.help, printed),
        }
    }

    #[test]
    fn no_text_is_too_much(text in "\\PC{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_mixture_of_tokens_is_too_much(parts in proptest::collection::vec(
        proptest::sample::select(vec![
            "SELECT", "FROM", "WHERE", "(", ")", "a", "'x'", ",", "FACET", "CASES", "AS", "OR",
            "IN", "NOT", "1", "hours", "ago", "SINCE", "TIMESERIES", "[", "]", "*", "-", "{{x}}",
            "WITH", "JOIN", "ON", "=", "LIKE", "`b`", "count", ":", "BETWEEN", "AND", "LIMIT",
        ]), 0..40))
    {
        let text = parts.join(" ");
        if let Ok(tree) = parse(&text) {
            prop_assert_eq!(parse(&tree.to_string()), Ok(tree));
        }
    }
}

#[test]
fn one_form_for_all_that_mean_the_same() {
    for (text, expected) in [
        ("from X select count ( * )", "SELECT count(*) FROM X"),
        (
            "SELECT a FROM X WHERE (a = 1 AND b = 2) OR (c)",
            "SELECT a FROM X WHERE a = 1 AND b = 2 OR c",
        ),
        (
            "SELECT a FROM X WHERE a = 1 WHERE b = 2 OR c = 3",
            "SELECT a FROM X WHERE a = 1 AND (b = 2 OR c = 3)",
        ),
        (
            "SELECT a-(b-c), (a-b)-c, -(-a), (-a) ^ 2 FROM X",
            "SELECT a - (b - c), a - b - c, - -a, -a ^ 2 FROM X",
        ),
        (
            "SELECT a FROM X WHERE NOT (a AND b) AND NOT a = 1",
            "SELECT a FROM X WHERE NOT (a AND b) AND NOT a = 1",
        ),
        ("SELECT a FROM X WHERE (NOT a) = 1", "SELECT a FROM X WHERE (NOT a) = 1"),
        ("SELECT a FROM X WHERE (a = 1) IS TRUE", "SELECT a FROM X WHERE (a = 1) IS TRUE"),
        ("SELECT \"it's\", r\"it's\" FROM X", "SELECT 'it\\'s', r\"it's\" FROM X"),
        ("SELECT `ok`, `a b`, `from` FROM `X`, `Y Z`", "SELECT `ok`, `a b`, `from` FROM X, `Y Z`"),
        (
            "SELECT a FROM X SINCE 1 HOUR AGO UNTIL NOW",
            "SELECT a FROM X SINCE 1 hour AGO UNTIL NOW",
        ),
        ("SELECT a FROM X TIMESERIES LIMIT", "SELECT a FROM X TIMESERIES AUTO"),
        (
            "SELECT a FROM X FACET b ORDER BY c LIMIT 2",
            "SELECT a FROM X FACET b ORDER BY c LIMIT 2",
        ),
        (
            "SELECT a FROM X FACET b LIMIT 2 ORDER BY c",
            "SELECT a FROM X ORDER BY c FACET b LIMIT 2",
        ),
        (
            "SELECT a FROM X FACET cases(WHERE a AS 'x') OR 'y'",
            "SELECT a FROM X FACET CASES (WHERE a AS 'x', OR 'y')",
        ),
        (
            "FROM X JOIN (FROM Y SELECT a) ON a SELECT b",
            "SELECT b FROM X INNER JOIN (SELECT a FROM Y) ON a",
        ),
        (
            "SELECT cardinality(m, include:{a,b}) FROM X",
            "SELECT cardinality(m, include: [a, b]) FROM X",
        ),
        ("SELECT rate(count(*), 1 minutes) FROM X", "SELECT rate(count(*), 1 minute) FROM X"),
        ("SELECT 'a\\n\\t\\q\\\\n' FROM X", "SELECT 'a\\n\\t\\\\q\\\\n' FROM X"),
        (r"SELECT 'a\n\t\q\\n' FROM X", r"SELECT 'a\n\t\\q\\n' FROM X"),
        ("SELECT 1.0, 1e3, .5 FROM X", "SELECT 1.0, 1000.0, 0.5 FROM X"),
    ] {
        check(text, expected);
    }
}

#[test]
fn expressions_know_their_text() {
    let text = "SELECT  average( a ) / 1048576 , (b) AS 'x' FROM X";
    let Ok(crate::nrql::ast::Statement::Select(query)) = parse(text) else {
        panic!("it parses");
    };
    let shown: Vec<&str> =
        query.select.iter().map(|item| crate::nrql::expression_text(text, &item.expr)).collect();
    assert_eq!(shown, ["average( a ) / 1048576", "(b)"]);
}

#[test]
fn positions_count_lines_and_characters() {
    let error = parse("SELECT 'größe'\nFROM X\n  WHER a = 1").expect_err("WHER");
    assert_eq!(error.message, "NRQL Syntax Error: Error at line 3 position 3, unexpected 'WHER'");
    let error = parse("SELECT 'größe' 🙂 FROM X").expect_err("no name");
    assert_eq!(error.message, "NRQL Syntax Error: Error at line 1 position 16, unexpected '🙂'");
}

#[test]
fn depth_height_and_length_are_bounded() {
    // What is accepted can be printed, judged and dropped as well.
    let select = |what: &str| {
        parse(&format!("SELECT {what} FROM X")).inspect(|tree| {
            assert_eq!(parse(&tree.to_string()).as_ref(), Ok(tree));
            drop(lint(tree, Some(&Catalogue::message_queue())));
        })
    };
    let limited = |what: String| select(&what).expect_err("too much").kind == ErrorKind::Limit;
    for (open, close) in [("(", ")"), ("f(", ")"), ("NOT ", ""), ("- ", ""), ("[", "]"), ("+", "")]
    {
        let nested = |depth: usize| format!("{}a{}", open.repeat(depth), close.repeat(depth));
        assert!(select(&nested(NESTING_MAX)).is_ok(), "{open}");
        assert!(limited(nested(NESTING_MAX + 1)), "{open}");
    }
    let nested =
        |depth: usize| format!("{}a{}", "(SELECT ".repeat(depth), " FROM X)".repeat(depth));
    assert!(select(&nested(NESTING_MAX)).is_ok());
    assert!(limited(nested(NESTING_MAX + 1)));
    for operator in [" + ", " OR ", " = 1 AND "] {
        let chain = |length: usize| vec!["a"; length].join(operator);
        assert!(select(&chain(HEIGHT_MAX / 2 - 1)).is_ok(), "{operator}");
        assert!(limited(chain(HEIGHT_MAX + 2)), "{operator}");
    }
    assert!(limited(format!("a{}", "[0]".repeat(HEIGHT_MAX + 1))));
    assert!(limited(" ".repeat(TEXT_BYTES_MAX)));
    // What stands side by side is not nested.
    for part in ["f(a), ", "(a), ", "NOT a, ", "-a, ", "[a], ", "a[0], ", "+a, "] {
        assert!(select(&format!("{}b", part.repeat(2 * NESTING_MAX))).is_ok(), "{part}");
    }
    let long = format!("SELECT a FROM X WHERE b IN ({}1)", "1,".repeat(30_000));
    assert!(parse(&long).is_ok());
    let clauses = format!("SELECT a FROM X {}", "WHERE a ".repeat(HEIGHT_MAX + 1));
    assert_eq!(parse(&clauses).expect_err("too much").kind, ErrorKind::Limit);
}

/// Texts as long as may be that make the most of every loop; a quadratic one would take minutes.
#[test]
fn the_longest_texts_take_no_longer_than_their_length() {
    let fill = |head: &str, part: &str, tail: &str| {
        let room = TEXT_BYTES_MAX - head.len() - tail.len();
        format!("{head}{}{tail}", part.repeat(room / part.len()))
    };
    for text in [
        fill("", "(", ""),
        fill("SELECT ", "a,", "a FROM X"),
        fill("SELECT ", "q(),", "a FROM MessageQueue"),
        fill("SELECT ", "lagg,", "a FROM MessageQueue"),
        fill("SELECT a FROM ", "MesageQueue,", "X"),
        fill("SELECT max(a) FROM MessageQueue WITH a AS (", "b,", "c)"),
        fill("SELECT ", "{{", ""),
        fill("SELECT a FROM X WHERE b IN (", "'',", "'')"),
        fill("SELECT ", "/**/", "a FROM X"),
        fill("SELECT a FROM X ", "\n", ""),
        fill("SELECT a", ".a", " FROM X"),
        fill("SELECT ", "`", ""),
        fill("SELECT a FROM X WHERE a = '", "\\", ""),
        fill("SELECT f(", "WHERE a,", "b) FROM X"),
        fill("SELECT a FROM X ", ";", ""),
    ] {
        if let Ok(tree) = parse(&text) {
            assert!(lint(&tree, Some(&Catalogue::message_queue())).len() <= FINDINGS_MAX);
            drop(tree.to_string());
        }
    }
}
