//! Queries that parse, and back.

use super::parse;

#[track_caller]
fn check(text: &str, expected: &str) {
    let tree = parse(text).unwrap_or_else(|error| panic!("{text}: {error} {:?}", error.help));
    assert_eq!(tree.to_string(), expected, "{text}");
    let again = parse(expected).unwrap_or_else(|error| panic!("{expected}: {error}"));
    assert_eq!(tree, again, "{text}");
}

#[test]
fn basics() {
    check("select count(*) from X", "SELECT count(*) FROM X");
    check(
        "FROM X SELECT a, b AS 'c' WHERE a = 1 OR b=2 AND NOT c > 3 SINCE 30 minutes ago LIMIT 5",
        "SELECT a, b AS 'c' FROM X WHERE a = 1 OR b = 2 AND NOT c > 3 LIMIT 5 SINCE 30 minutes AGO",
    );
}
