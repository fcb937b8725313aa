//! Regular expressions: whole values, captures, bounded time.

use super::*;

#[test]
fn expressions_match_whole_values_in_either_case() {
    let check = |regex: &str, value: &str, expected: bool| {
        let pattern = Pattern::new(regex, false).expect(regex);
        assert_eq!(pattern.matches(value), Ok(expected), "{regex} on {value}");
    };
    check("abc", "abc", true);
    check("abc", "ABC", true);
    check("abc", "xabc", false);
    check("abc", "abcx", false);
    check("a|abc", "abc", true);
    check("^Datastore/.*", "datastore/x", true);
    check("^a$", "a\n", false);
    check(".*", "a\nb", false);
    // Look-ahead needs the other engine, under the same rules.
    check("(?!x).*b", "ab", true);
    check("(?!x).*b", "XB", false);
    check("a|(?!x)abc", "abc", true);
    assert!(Pattern::new("(?!x).*", false).expect("compiles").backtracks());
    assert!(!Pattern::new("[^x].*", false).expect("compiles").backtracks());
    let exact = Pattern::new("(?!x)abc", true).expect("compiles");
    assert_eq!((exact.matches("abc"), exact.matches("ABC")), (Ok(true), Ok(false)));
}

#[test]
fn captures_take_the_first_group() {
    let check = |regex: &str, value: &str, expected: Option<&str>| {
        let pattern = Pattern::new(regex, false).expect(regex);
        let found = pattern.capture(value).expect("bounded");
        assert_eq!(found.as_deref(), expected, "{regex} on {value}");
    };
    let host = "b-1.orders.abc123.c4.kafka.us-east-1.amazonaws.com:9092";
    check(r"^[^\.]+\.([^\.]+)\..*", host, Some("orders"));
    check(r"kafka\.([^\.]+)\.amazonaws", host, Some("us-east-1"));
    check(r"amazonaws\.com", host, Some("amazonaws.com"));
    check("(x)?b.*", host, None);
    check("z(a)", host, None);
    check(r"(?<=kafka\.)([^.]+)", host, Some("us-east-1"));
}

#[test]
fn an_expression_that_would_run_for_ever_is_stopped() {
    let pattern = Pattern::new(r"(?!x)(?:(a+)+)+\1c", false).expect("compiles");
    assert!(pattern.backtracks());
    let value = "a".repeat(4_000);
    assert_eq!(pattern.matches(&value), Err(PatternError::Backtracked(4_000)));
    assert!(matches!(pattern.capture(&value), Err(PatternError::Backtracked(_))));
    // The same without look-around runs in linear time.
    let linear = Pattern::new("(a+)+c", false).expect("compiles");
    assert_eq!(linear.matches(&value), Ok(false));
    // Values longer than any attribute's match nothing.
    let any = Pattern::new(".*", false).expect("compiles");
    assert_eq!(any.matches(&"a".repeat(20_000)), Ok(false));
    assert_eq!(any.capture(&"a".repeat(20_000)), Ok(None));
}

#[test]
fn a_rule_whose_expression_runs_away_is_reported_and_harms_no_other() {
    let wild = rule("wild", r"[{attribute: a, regex: '(?!x)(?:(a+)+)+\1c'}]", SOURCE, TARGET);
    let tame = rule("tame", "[{attribute: a, present: true}]", SOURCE, TARGET);
    let rules = sound(&format!("{wild}{tame}"));
    let long = "a".repeat(4_000);
    let (from, to) = (guid("X", "1"), guid("Y", "2"));
    let attributes = [
        ("a", crate::definitions::Scalar::Text(&long)),
        ("from", crate::definitions::Scalar::Text(&from)),
        ("to", crate::definitions::Scalar::Text(&to)),
    ];
    let point = crate::definitions::Point { event_type: "Metric", attributes: &attributes };
    let applied = rules.apply_reported(point, &[], 1, &NoEntities);
    assert_eq!(applied.matches.len(), 1);
    assert_eq!(applied.matches[0].rule.name, "tame");
    let [unresolved] = &*applied.unresolved else { panic!("{:?}", applied.unresolved) };
    assert_eq!((unresolved.rule.name.as_str(), unresolved.end), ("wild", None));
    assert!(unresolved.reason.to_string().contains("back-tracked more than"));
}
