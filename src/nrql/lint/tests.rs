//! What the lint says, and what it leaves in peace.

use std::collections::BTreeSet;

use super::{AttributeKind, CODES, Catalogue, CatalogueError, Severity, lint};
use crate::nrql::parse;

fn codes(text: &str) -> Vec<&'static str> {
    let tree = parse(text).unwrap_or_else(|error| panic!("{text}: {error} {:?}", error.help));
    let catalogue = Catalogue::message_queue();
    lint(&tree, Some(&catalogue)).iter().map(|finding| finding.code).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(codes(text), expected, "{text}");
}

/// One query at least for every code.
const FINDINGS: &[(&str, &[&str])] = &[
    ("SELECT count(*) FROM X WHERE max(a) > 1", &["aggregate-in-where"]),
    ("SELECT count(*) FROM X FACET CASES (WHERE count(*) > 1)", &["aggregate-in-where"]),
    ("FROM X WITH max(a) AS b SELECT b", &["aggregate-in-with"]),
    ("SELECT count(*) FROM X SINCE 1702899296", &["ambiguous-time"]),
    ("FROM X JOIN (SELECT * FROM Y) ON id SELECT count(*)", &["join-star"]),
    ("FROM X JOIN (SELECT max(a) FROM Y FACET id) ON id SELECT count(*)", &["inner-facet-limit"]),
    ("SELECT max(a) FROM X TIMESERIES AUTO SLIDE BY 1 minute", &["slide-by-width"]),
    ("SELECT max(a) FROM X TIMESERIES 1 minute SLIDE BY 2 minutes", &["slide-gap"]),
    ("SELECT count(*) FROM X WHERE a RLIKE r'^a.*$'", &["anchored-pattern"]),
    ("SELECT count(*) FROM X WHERE a = true", &["boolean-comparison"]),
    (
        "SELECT max(x) FROM (SELECT count(*) AS 'x' FROM X FACET a LIMIT MAX SINCE 1 day ago)",
        &["clause-in-inner-query"],
    ),
    ("SELECT count(*) FROM X COMPARE WITH 1 day ago", &["compare-without-window"]),
    ("SELECT count(*) FROM X WHERE a = 'x' AND b = 1 AND a = 'y'", &["contradiction"]),
    ("SELECT sum(a) / 0 AS 'x' FROM X", &["division-by-zero"]),
    ("SELECT sum(a) AS 'x', max(a) AS 'x' FROM X", &["duplicate-label"]),
    ("SELECT sum(a) FROM X FACET b", &["facet-frequency"]),
    ("SELECT a FROM X FACET b", &["facet-on-rows"]),
    ("SELECT * FROM X TIMESERIES", &["facet-on-rows"]),
    ("SELECT count(*) FROM X FACET a ORDER BY max(b) DESC", &["facet-order-direction"]),
    ("SELECT latest(name), max(a) FROM X FACET b", &["facet-order-of-text"]),
    ("SELECT max(a) AS 'x', max(a) AS 'y' FROM X", &["identical-series"]),
    ("SELECT max(x) FROM (SELECT count(*) AS 'x' FROM X FACET a)", &["inner-facet-limit"]),
    ("SELECT count(*) FROM X WHERE a RLIKE r'(?=b)a'", &["invalid-pattern"]),
    ("SELECT capture(a, r'(') FROM X", &["invalid-pattern"]),
    ("SELECT count(*) FROM X SINCE 'soon'", &["invalid-time"]),
    ("SELECT count(*) FROM X SINCE today AT '25:00'", &["invalid-time"]),
    ("SELECT count(*) FROM X SINCE today WITH TIMEZONE 'Mars/Olympus'", &["invalid-time"]),
    ("SHOW EVENT TYPES SINCE 'soon'", &["invalid-time"]),
    ("SELECT a FROM X LIMIT 5001", &["limit-above-maximum"]),
    ("SELECT count(*) FROM X LIMIT 5", &["limit-without-effect"]),
    ("SELECT max(a) / 1024 FROM X", &["missing-alias"]),
    ("SELECT count(*), a FROM X", &["mixed-select"]),
    ("SELECT max(sum(a)) FROM X", &["nested-aggregate"]),
    ("SELECT filter(max(sum(a)), WHERE b = 1) FROM X", &["nested-aggregate"]),
    ("SELECT count(*) FROM X WHERE a = null", &["null-comparison"]),
    ("SELECT count(*) FROM X TIMESERIES ORDER BY a", &["order-with-timeseries"]),
    ("SELECT max(topic.throughput.in.bytesPerSecond) FROM MessageQueue", &["reserved-word"]),
    ("SELECT count(*) FROM X WHERE a > (SELECT max(b) FROM Y TIMESERIES)", &["sub-query-clause"]),
    ("SELECT sum(consumerGroup.lag.total) FROM MessageQueue", &["sum-of-gauge"]),
    ("SELECT a FROM X WHERE timestamp > 5", &["timestamp-filter"]),
    ("SELECT count(*) FROM X SINCE 1 day ago TIMESERIES 1 minute", &["too-many-buckets"]),
    ("SELECT count(*) FROM X TIMESERIES 5 minutes SLIDE BY 1 second", &["too-many-buckets"]),
    ("SELECT count(*) FROM X SINCE 367 minutes ago TIMESERIES 1 minute", &["too-many-buckets"]),
    (
        "SELECT a FROM X WHERE a > (SELECT max(a) FROM X) AND b > (SELECT max(b) FROM X) AND \
         c > (SELECT max(c) FROM X) AND d IN (SELECT uniques(d) FROM X)",
        &["too-many-sub-queries"],
    ),
    ("SELECT count(*) FROM MessageQueue WHERE loadScore > '5'", &["type-mismatch"]),
    ("SELECT count(*) FROM MessageQueue WHERE brokerId = 1", &["type-mismatch"]),
    ("SELECT a ^ 2 AS 'b' FROM X", &["undocumented-operator"]),
    ("SELECT max(loadScoer) FROM MessageQueue", &["unknown-attribute"]),
    ("SELECT count(*) FROM MesageQueue", &["unknown-event-type"]),
    ("SELECT baseline(a) FROM X", &["unknown-function"]),
    ("FROM X WITH a * 2 AS b SELECT max(a)", &["unused-binding"]),
    ("SELECT count(*) FROM X WHERE a = 'b%'", &["wildcard-in-equality"]),
    ("SELECT count(*) FROM X SINCE 1 hour ago UNTIL 2 hours ago", &["window-backwards"]),
    ("SELECT rate() FROM X", &["wrong-arguments"]),
    ("SELECT percentage(count(*), a) FROM X", &["wrong-arguments"]),
    ("SELECT average(a, b) FROM X", &["wrong-arguments"]),
];

#[test]
fn every_code_has_its_query() {
    let mut seen = BTreeSet::new();
    for (text, expected) in FINDINGS {
        check(text, expected);
        seen.extend(expected.iter().copied());
    }
    let all: BTreeSet<&str> = CODES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(seen, all);
    assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn sound_queries_are_left_in_peace() {
    for text in [
        "FROM MessageQueue SELECT average(broker.cpu.usage) AS 'CPU' SINCE 1 hour ago",
        "SELECT max(`topic.throughput.in.bytesPerSecond`) FROM MessageQueue",
        "SELECT count(*) FROM MessageQueue FACET CASES (WHERE loadScore > 5 AS 'x') SINCE today",
        "SELECT latest(displayName) FROM MessageQueue FACET entityGuid LIMIT MAX",
        "SELECT latest(displayName) FROM MessageQueue FACET entityGuid ORDER BY max(loadScore)",
        "SELECT max(loadScore) AS 'x' FROM MessageQueue WHERE tags.team = 'a' AND nr.id IS NULL",
        "SELECT a FROM X",
        "SELECT a FROM X SINCE {{since}} LIMIT {{n}}",
        "SELECT {{f}} FROM {{t}} FACET {{x}} TIMESERIES",
        "SELECT count(*) FROM X WHERE a = '{{x}}%' OR a = '%'",
        "SELECT count(*) FROM X SINCE '{{since}}' WITH TIMEZONE '{{zone}}'",
        "SELECT max(a) FROM X TIMESERIES 5 minutes SLIDE BY 5 minutes",
        "SELECT max(a) FROM X TIMESERIES 5 minutes SLIDE BY AUTO",
        "SELECT rate(sum(a), 1 minute), filter(count(*), WHERE b = 1) FROM X",
        "SELECT uniques(a) FROM X LIMIT 100",
        "SELECT count(*) FROM X SINCE 366 minutes ago TIMESERIES 1 minute",
        "SELECT a FROM X LIMIT 5000",
        "SELECT average(newrelic.timeslice.value, exclusiveTime: true) FROM Metric",
        "SELECT filter(percentage(count(*), WHERE error IS TRUE), WHERE 1 = 1) FROM X",
        "SELECT count(*) FROM X SINCE 100000000000",
        "SELECT count(*) FROM X SINCE monday UNTIL tuesday",
        "FROM MessageQueue WITH loadScore * 2 AS twice SELECT max(twice) WHERE twice > 1",
        "SELECT loadScore AS 'load' FROM MessageQueue ORDER BY load",
        "SELECT latest(metric[count]), getField(loadScore, total) FROM Metric",
        "SELECT getField(loadScore, total) FROM MessageQueue",
        "FROM MessageQueue JOIN (FROM X SELECT b, c) ON clusterName = b SELECT count(*) FACET c",
        "FROM (FROM X SELECT count(*) AS 'n' FACET a LIMIT MAX) SELECT max(n)",
        "SELECT sum(controller.isActive) FROM MessageQueue",
        "SELECT count(*) FROM X WHERE a RLIKE r'a.*\\$'",
    ] {
        check(text, &[]);
    }
}

#[test]
fn findings_name_their_text_and_the_fix() {
    let text = "SELECT max(loadScoer) FROM MessageQueue WHERE clusterNam = 'a'";
    let tree = parse(text).expect("a query");
    let findings = lint(&tree, Some(&Catalogue::message_queue()));
    let shown: Vec<(&str, &str)> = findings
        .iter()
        .map(|finding| {
            let span = finding.span;
            (&text[span.start..span.end], finding.help.as_deref().unwrap_or_default())
        })
        .collect();
    let expected =
        [("loadScoer", "did you mean loadScore?"), ("clusterNam", "did you mean clusterName?")];
    let starts = |(found, wanted): (&(&str, &str), &(&str, &str))| {
        found.0 == wanted.0 && found.1.starts_with(wanted.1.trim_end_matches('?'))
    };
    assert!(shown.len() == 2 && shown.iter().zip(&expected).all(starts), "{shown:?}");
    // Without a catalogue names are nobody's business.
    assert_eq!(lint(&tree, None), []);
}

/// The 36 queries of the dashboards that this project replaces, and what was wrong with them.
#[test]
fn the_seed_dashboards_have_their_known_faults() {
    let corpus = include_str!("../../../fixtures/nrql/valid.nrql");
    let (_, dashboards) = corpus.split_once("-- the dashboards").expect("the section");
    let mut found: Vec<(&str, usize)> = Vec::new();
    for text in dashboards.lines().skip(1).filter(|line| line.starts_with("FROM")) {
        for code in codes(text) {
            match found.iter_mut().find(|(known, _)| *known == code) {
                Some((_, count)) => *count += 1,
                None => found.push((code, 1)),
            }
        }
    }
    found.sort_unstable();
    let expected = [
        ("facet-frequency", 8),
        ("facet-order-of-text", 6),
        ("identical-series", 1),
        ("reserved-word", 3),
        ("sum-of-gauge", 6),
        ("unknown-attribute", 1),
    ];
    assert_eq!(found, expected);
}

#[test]
fn catalogues_come_from_json() {
    let catalogue = Catalogue::from_json(r#"{"A": {"x": "gauge", "y": "text"}, "B": ["z"]}"#)
        .expect("a catalogue");
    assert_eq!(catalogue.event_types["A"]["x"], AttributeKind::Gauge);
    assert_eq!(catalogue.event_types["B"]["z"], AttributeKind::Unknown);
    assert!(catalogue.complete);
    let tree = parse("SELECT sum(x), max(q) FROM A, B WHERE z = 1 AND y > 2").expect("a query");
    let codes: Vec<_> = lint(&tree, Some(&catalogue)).iter().map(|f| f.code).collect();
    assert_eq!(codes, ["sum-of-gauge", "unknown-attribute", "type-mismatch"]);
    let tree = parse("SELECT count(*) FROM Elsewhere").expect("a query");
    let findings = lint(&tree, Some(&catalogue));
    assert_eq!(findings.first().map(|f| f.severity), Some(Severity::Warning));
    for (text, expected) in [
        ("[]", "the file"),
        (r#"{"A": 1}"#, "A"),
        (r#"{"A": {"x": "level"}}"#, "A.x"),
        (r#"{"A": [1]}"#, "A"),
    ] {
        assert_eq!(
            Catalogue::from_json(text),
            Err(CatalogueError::Shape(expected.to_owned())),
            "{text}"
        );
    }
    assert!(matches!(Catalogue::from_json("{"), Err(CatalogueError::Json(_))));
}
