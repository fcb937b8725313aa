//! Answers of single queries.

use serde_json::json;

use super::super::{QueryContext, QueryLimits, run};
use super::{NOW, account, ask, check, refused, store};
use crate::domain::units::UnixMillis;
use crate::nrql::parse;
use crate::nrql::store::EventStore;

/// Four requests of two hosts.
fn requests() -> EventStore {
    store(&[
        json!({"ago": 240, "host": "a", "ms": 10, "code": "ok"}),
        json!({"ago": 180, "host": "b", "ms": 30, "code": "ok", "extra": 1}),
        json!({"ago": 120, "host": "a", "ms": 20, "code": "bad"}),
        json!({"ago": 60, "host": "a", "code": "ok"}),
    ])
}

#[test]
fn aggregates_without_facet() {
    let store = requests();
    check(&store, "SELECT count(*) FROM E", json!([{"count": 4}]));
    check(
        &store,
        "SELECT count(ms), sum(ms), average(ms) AS 'Mean', min(ms), max(ms) FROM E",
        json!([{"count.ms": 3, "sum.ms": 60, "Mean": 20, "min.ms": 10, "max.ms": 30}]),
    );
    check(
        &store,
        "SELECT latest(ms), earliest(ms), latest(host), uniqueCount(host), uniques(host) FROM E",
        json!([{
            "latest.ms": 20, "earliest.ms": 10, "latest.host": "a",
            "uniqueCount.host": 2, "uniques.host": ["a", "b"],
        }]),
    );
    check(
        &store,
        "SELECT stdvar(ms), stddev(host), stddev(none) FROM E WHERE host = 'a'",
        json!([{"stdvar.ms": 25, "stddev.host": 0, "stddev.none": null}]),
    );
    check(
        &store,
        "SELECT sum(host), average(host), max(host), count(host) FROM E",
        json!([{"sum.host": 0, "average.host": null, "max.host": null, "count.host": 4}]),
    );
    check(
        &store,
        "SELECT count(*), sum(ms), average(ms), latest(ms), uniqueCount(ms) FROM Nothing",
        json!([{
            "count": 0, "sum.ms": 0, "average.ms": null, "latest.ms": null, "uniqueCount.ms": 0,
        }]),
    );
}

#[test]
fn wildcards_stand_for_all_names_that_fit() {
    let store = store(&[
        json!({"ago": 50, "a.in.depth": 1, "host": "x"}),
        json!({"ago": 40, "a.out.depth": 5, "host": "x"}),
        json!({"ago": 30, "a.in.delay": 9, "host": "y"}),
        json!({"ago": 20, "a.in.depth": 3, "a.out.depth": 70, "host": "y"}),
    ]);
    check(
        &store,
        "SELECT sum(a.%.depth), count(%.depth), max(a.%in%) * 2 AS m, sum(b.%) FROM E",
        json!([{"sum.a.%.depth": 9, "count.%.depth": 3, "m": 18, "sum.b.%": 0}]),
    );
    check(&store, "SELECT count(*) FROM E WHERE %.delay > 8", json!([{"count": 1}]));
    check(
        &store,
        "SELECT max(d) FROM (SELECT sum(%.depth) AS d FROM E FACET host)",
        json!([{"max.d": 6}]),
    );
    // A quoted name is that name.
    check(&store, "SELECT sum(`a.%.depth`) FROM E", json!([{"sum.a.%.depth": 0}]));
}

#[test]
fn arithmetic_around_aggregates() {
    let store = requests();
    check(
        &store,
        "SELECT sum(ms) / count(*) AS r, (latest(extra) OR 0) + 1 AS o, -max(ms) AS n FROM E",
        json!([{"r": 15, "o": 2, "n": -30}]),
    );
    check(&store, "SELECT sum(ms) * 2 FROM E", json!([{"sum(ms) * 2": 120}]));
    check(
        &store,
        "SELECT percentage(count(*), WHERE code = 'ok') AS p, filter(sum(ms), WHERE host = 'a') \
         AS f, rate(count(*), 1 minute) AS r FROM E SINCE 10 minutes ago",
        json!([{"p": 75, "f": 30, "r": 0.4}]),
    );
    check(
        &store,
        "SELECT percentage(count(*), WHERE a = 1) AS p FROM Nothing",
        json!([{"p": null}]),
    );
}

#[test]
fn facets() {
    let store = requests();
    check(
        &store,
        "SELECT count(*) FROM E FACET host",
        json!([
            {"facet": "a", "host": "a", "count": 3},
            {"facet": "b", "host": "b", "count": 1},
        ]),
    );
    check(
        &store,
        "SELECT average(ms) FROM E FACET host",
        json!([
            {"facet": "b", "host": "b", "average.ms": 30},
            {"facet": "a", "host": "a", "average.ms": 15},
        ]),
    );
    check(
        &store,
        "SELECT sum(ms) FROM E FACET host, code LIMIT 2",
        json!([
            {"facet": ["a", "bad"], "sum.ms": 20},
            {"facet": ["a", "ok"], "sum.ms": 10},
        ]),
    );
    check(
        &store,
        "SELECT count(*) FROM E FACET CASES (WHERE ms > 15 AS 'slow', WHERE ms > 5 AS 'fast')",
        json!([{"facet": "slow", "count": 2}, {"facet": "fast", "count": 1}]),
    );
    check(
        &store,
        "SELECT count(*) FROM E FACET CASES (WHERE ms > 15 AS 'slow', OR 'Other')",
        json!([{"facet": "Other", "count": 2}, {"facet": "slow", "count": 2}]),
    );
    check(
        &store,
        "SELECT count(*) FROM E FACET host AS h ORDER BY count(*) ASC",
        json!([{"facet": "a", "h": "a", "count": 3}, {"facet": "b", "h": "b", "count": 1}]),
    );
    check(&store, "SELECT count(*) FROM E FACET nothing", json!([]));
    let result = ask(&store, "SELECT count(*) FROM E FACET code LIMIT 1").expect("an answer");
    let json = result.to_json();
    assert_eq!(json["otherResult"], json!({"count": 1}));
    assert_eq!(json["totalResult"], json!({"count": 4}));
    assert_eq!(json["metadata"]["facets"], json!(["code"]));
    assert_eq!(json["metadata"]["eventTypes"], json!(["E"]));
}

#[test]
fn facet_order_by_chooses_and_the_first_function_sorts() {
    let store = store(&[
        json!({"h": "a", "n": 1, "w": 30}),
        json!({"h": "b", "n": 2, "w": 20}),
        json!({"h": "c", "n": 3, "w": 10}),
    ]);
    let row = |h: &str, n: u32| json!({"facet": h, "h": h, "max.n": n});
    for (order, expected) in [
        ("", [row("c", 3), row("b", 2)]),
        (" ORDER BY max(w)", [row("b", 2), row("a", 1)]),
        (" ORDER BY max(w) DESC", [row("b", 2), row("a", 1)]),
        (" ORDER BY max(w) ASC", [row("b", 2), row("a", 1)]),
        (" ORDER BY max(w) + max(n)", [row("b", 2), row("a", 1)]),
        // Not right behind FACET it is about rows of events.
        (" SINCE 1 hour ago ORDER BY w", [row("c", 3), row("b", 2)]),
    ] {
        let text = format!("SELECT max(n) FROM E FACET h{order} LIMIT 2");
        check(&store, &text, json!(expected));
    }
    let ordered = "SELECT max(n) FROM E FACET h ORDER BY max(w) LIMIT 1 SINCE 2 minutes ago \
                   TIMESERIES 2 minutes";
    let json = ask(&store, ordered).expect("an answer").to_json();
    assert_eq!(json["results"][0]["facet"], json!("a"));
    let elsewhere = "SELECT max(n) FROM E FACET h LIMIT 2 ORDER BY w";
    let messages = ask(&store, elsewhere).expect("an answer").metadata.messages;
    assert!(messages[0].contains("right behind FACET"), "{messages:?}");
}

#[test]
fn a_facet_needs_the_first_functions_attribute() {
    let store = store(&[json!({"host": "a", "ms": 1}), json!({"host": "b"})]);
    check(
        &store,
        "SELECT average(ms), count(*) FROM E FACET host",
        json!([{"facet": "a", "host": "a", "average.ms": 1, "count": 1}]),
    );
}

#[test]
fn keys_are_spelled_one_way() {
    let store = requests();
    check(&store, "select COUNT(*), Sum(ms) from E", json!([{"count": 4, "sum.ms": 60}]));
    check(
        &store,
        "SELECT UNIQUECOUNT(host) AS n, max(COUNT) FROM (SELECT Count(*) FROM E FACET host)",
        json!([{"n": 2, "max.COUNT": null}]),
    );
    check(
        &store,
        "SELECT sum(count) FROM (SELECT COUNT(*) FROM E FACET host)",
        json!([{"sum.count": 4}]),
    );
    let raw = ask(&store, "SELECT SUM(ms) FROM E").expect("an answer").raw_response();
    assert_eq!(raw["metadata"]["contents"][0]["function"], json!("sum"));
}

#[test]
fn the_precision_of_unique_count() {
    let events: Vec<_> = (0..3_000).map(|n| json!({"n": n, "k": n % 200})).collect();
    let store = store(&events);
    let count = |text: &str| {
        let json = ask(&store, &format!("SELECT {text} AS u FROM E")).expect(text).to_json();
        json["results"][0]["u"].as_f64().expect("a number")
    };
    let off = |text: &str| (count(text) - 3_000.0).abs() / 3_000.0;
    assert!(off("uniqueCount(n)") < 0.02);
    assert_eq!(count("uniqueCount(n)"), count("uniqueCount(n, precision: 14)"));
    assert!(off("uniqueCount(n, precision: 18)") < 0.005);
    assert!(off("uniqueCount(n, precision: 4)") > 0.02, "sixteen registers tell less");
    assert_eq!(count("uniqueCount(n, 4)"), count("uniqueCount(n, precision: 4)"));
    assert_eq!(count("uniqueCount(n, k, 4)"), count("uniqueCount(n, k, precision: 4)"));
    assert!((count("uniqueCount(k, precision: 4)") - 200.0).abs() < 1e-9, "exact up to 256");
    for wrong in ["precision: 3", "precision: 19", "20", "precision: 'x'"] {
        let text = format!("SELECT uniqueCount(n, {wrong}) FROM E");
        refused(&store, &text, "precision");
    }
}

#[test]
fn percentiles_of_one_attribute_share_a_key() {
    let store = store(&[json!({"x": 1}), json!({"x": 1})]);
    let json =
        ask(&store, "SELECT percentile(x, 50), percentile(x, 99) FROM E").expect("an answer");
    let members = json.to_json()["results"][0]["percentile.x"].clone();
    assert_eq!(members.as_object().expect("a map").len(), 2, "{members}");
}

#[test]
fn series() {
    let store = requests();
    let end = NOW / 1_000;
    check(
        &store,
        "SELECT count(*), average(ms) FROM E SINCE 5 minutes ago TIMESERIES 2 minutes",
        json!([
            {"beginTimeSeconds": end - 240, "endTimeSeconds": end - 120, "count": 2,
             "average.ms": 20},
            {"beginTimeSeconds": end - 120, "endTimeSeconds": end, "count": 2, "average.ms": 20},
        ]),
    );
    check(
        &store,
        "SELECT average(ms) FROM E FACET host SINCE 4 minutes ago TIMESERIES 2 minutes LIMIT 1",
        json!([
            {"facet": "b", "host": "b", "beginTimeSeconds": end - 240,
             "endTimeSeconds": end - 120, "average.ms": 30},
            {"facet": "b", "host": "b", "beginTimeSeconds": end - 120, "endTimeSeconds": end,
             "average.ms": null},
        ]),
    );
    let text = "SELECT count(*) FROM E FACET host SINCE 4 minutes ago TIMESERIES 2 minutes LIMIT 1";
    let json = ask(&store, text).expect("an answer").to_json();
    assert_eq!(json["totalResult"][0]["count"], json!(2));
    assert_eq!(json["otherResult"][1]["count"], json!(0));
    check(
        &store,
        "SELECT count(*) FROM E SINCE 4 minutes ago TIMESERIES 2 minutes SLIDE BY 1 minute",
        json!([
            {"beginTimeSeconds": end - 240, "endTimeSeconds": end - 120, "count": 2},
            {"beginTimeSeconds": end - 180, "endTimeSeconds": end - 60, "count": 2},
            {"beginTimeSeconds": end - 120, "endTimeSeconds": end, "count": 2},
        ]),
    );
}

#[test]
fn comparisons() {
    let store = requests();
    let text = "SELECT count(*) FROM E SINCE 2 minutes ago COMPARE WITH 2 minutes ago";
    check(
        &store,
        text,
        json!([{"comparison": "current", "count": 2}, {"comparison": "previous", "count": 2}]),
    );
    let text = "SELECT count(*) FROM E FACET host SINCE 2 minutes ago COMPARE WITH 2 minutes ago";
    let json = ask(&store, text).expect("an answer").to_json();
    assert_eq!(
        json["currentResults"],
        json!([{"comparison": "current", "facet": "a", "host": "a", "count": 2}])
    );
    assert_eq!(
        json["previousResults"],
        json!([{"comparison": "previous", "facet": "a", "host": "a", "count": 1}])
    );
    assert_eq!(json["metadata"]["timeWindow"]["compareWith"], json!("2 MINUTES AGO"));
}

#[test]
fn nested() {
    let store = requests();
    check(
        &store,
        "SELECT max(rpm) FROM (SELECT count(*) AS rpm FROM E WHERE host = 'a' TIMESERIES 2 minutes) \
         SINCE 4 minutes ago",
        json!([{"max.rpm": 2}]),
    );
    check(
        &store,
        "SELECT host, n FROM (SELECT count(*) AS n FROM E FACET host) WHERE n > 1",
        json!([{"host": "a", "n": 3, "timestamp": NOW - 3_600_000}]),
    );
    check(
        &store,
        "SELECT sum(count) FROM (SELECT count(*) FROM E FACET host LIMIT 1)",
        json!([{"sum.count": 3}]),
    );
    check(
        &store,
        "SELECT host, n FROM (SELECT count(*) AS n FROM E FACET host)",
        json!([
            {"host": "a", "n": 3, "timestamp": NOW - 3_600_000},
            {"host": "b", "n": 1, "timestamp": NOW - 3_600_000},
        ]),
    );
    check(
        &store,
        "SELECT percentage(count(*), WHERE n = 1) AS single FROM (SELECT count(*) AS n FROM E \
         FACET code)",
        json!([{"single": 50}]),
    );
    refused(
        &store,
        "SELECT max(n) FROM (SELECT count(*) AS n FROM E SINCE 1 day ago)",
        "outermost",
    );
}

#[test]
fn sub_queries_and_joins() {
    let store = requests();
    check(
        &store,
        "SELECT count(*) FROM E WHERE ms > (SELECT average(ms) FROM E)",
        json!([{"count": 1}]),
    );
    check(
        &store,
        "SELECT count(*) FROM E WHERE host IN (SELECT uniques(host) FROM E WHERE ms = 30)",
        json!([{"count": 1}]),
    );
    check(
        &store,
        "FROM E JOIN (FROM E SELECT average(ms) AS mean FACET host LIMIT MAX) ON host \
         SELECT latest(mean) FACET host",
        json!([
            {"facet": "a", "host": "a", "latest.mean": 15},
            {"facet": "b", "host": "b", "latest.mean": 30},
        ]),
    );
    check(
        &store,
        "FROM E LEFT JOIN (FROM E SELECT count(*) AS n WHERE code = 'bad' FACET host AS h) \
         ON host = h SELECT max(n), count(*) FACET host",
        json!([{"facet": "a", "host": "a", "max.n": 1, "count": 3}]),
    );
    for (join, count) in [("JOIN", 3), ("INNER JOIN", 3), ("LEFT JOIN", 4)] {
        check(
            &store,
            &format!(
                "FROM E {join} (FROM E SELECT count(*) AS n WHERE code = 'bad' FACET host) \
                 ON host SELECT count(*)"
            ),
            json!([{"count": count}]),
        );
    }
    check(
        &store,
        "SELECT sum(n) FROM (SELECT count(*) AS n FROM E WHERE host IN (SELECT uniques(host) \
         FROM E) AND ms <= (SELECT max(ms) FROM E)) SINCE 2 minutes ago COMPARE WITH 2 minutes ago",
        json!([{"comparison": "current", "sum.n": 1}, {"comparison": "previous", "sum.n": 2}]),
    );
    refused(
        &store,
        "SELECT count(*) FROM E WHERE ms > (SELECT max(ms) FROM E) AND ms > (SELECT min(ms) FROM E) \
         AND ms > (SELECT sum(ms) FROM E) AND ms > (SELECT count(*) FROM E)",
        "at most 3",
    );
}

#[test]
fn raw_events() {
    let store = requests();
    check(
        &store,
        "SELECT host, extra FROM E LIMIT 2",
        json!([
            {"host": "a", "extra": null, "timestamp": NOW - 60_000},
            {"host": "a", "extra": null, "timestamp": NOW - 120_000},
        ]),
    );
    check(
        &store,
        "SELECT * FROM E WHERE extra = 1",
        json!([{"host": "b", "ms": 30, "code": "ok", "extra": 1, "timestamp": NOW - 180_000}]),
    );
    check(
        &store,
        "SELECT ms FROM E ORDER BY ms DESC LIMIT 2 OFFSET 1",
        json!([
            {"ms": 20, "timestamp": NOW - 120_000},
            {"ms": 10, "timestamp": NOW - 240_000},
        ]),
    );
    check(
        &store,
        "SELECT keyset() FROM E",
        json!([
            {"key": "code", "type": "string"}, {"key": "extra", "type": "numeric"},
            {"key": "host", "type": "string"}, {"key": "ms", "type": "numeric"},
            {"key": "timestamp", "type": "numeric"},
        ]),
    );
    check(&store, "SHOW EVENT TYPES", json!([{"eventType": "E"}]));
    check(&store, "WITH 6 * 7 AS n SELECT n + 1 AS m", json!([{"m": 43, "timestamp": NOW}]));
}

#[test]
fn metrics() {
    let gauge = |sum: f64, count: f64| json!({"type": "gauge", "count": count, "sum": sum, "min": 1, "max": 5, "latest": 4});
    let store = store(&[
        json!({"eventType": "Metric", "metricName": "g", "g": gauge(10.0, 4.0), "host": "a"}),
        json!({"eventType": "Metric", "metricName": "g", "g": gauge(2.0, 2.0), "host": "b",
               "ago": 30}),
        json!({"eventType": "Metric", "metricName": "c", "c": {"type": "count", "count": 7},
               "host": "a"}),
    ]);
    check(
        &store,
        "SELECT average(g), sum(g), min(g), max(g), latest(g), count(g) FROM Metric",
        json!([{"average.g": 2, "sum.g": 12, "min.g": 1, "max.g": 5, "latest.g": 4, "count.g": 6}]),
    );
    check(
        &store,
        "SELECT sum(c), average(c), max(c), latest(c) FROM Metric",
        json!([{"sum.c": 7, "average.c": null, "max.c": null, "latest.c": null}]),
    );
    check(&store, "SELECT datapointCount() FROM Metric", json!([{"datapointCount": 3}]));
    let result = ask(&store, "SELECT count(*) FROM Metric").expect("an answer");
    assert_eq!(result.to_json()["results"], json!([{"count": 7}]));
    assert!(result.metadata.messages[0].contains("count(*) of Metric"));
    check(
        &store,
        "SELECT cardinality(g), cardinality(c) FROM Metric",
        json!([{"cardinality.g": 2, "cardinality.c": 1}]),
    );
    for (arguments, expected) in [
        ("", 3),
        ("exclude: {host}", 2),
        ("include: {host}", 2),
        ("g, exclude: {host}", 1),
        ("g, include: {metricName, host}", 2),
        ("include: {host}, exclude: {host}", 1),
    ] {
        let text = format!("SELECT cardinality({arguments}) AS c FROM Metric");
        check(&store, &text, json!([{"c": expected}]));
    }
    refused(&store, "SELECT cardinality(g, include: {1}) FROM Metric", "names of attributes");
}

#[test]
fn spreads() {
    let store = store(&[json!({"x": 1}), json!({"x": 3}), json!({"x": 25}), json!({"x": -2})]);
    check(
        &store,
        "SELECT histogram(x, 20, 4) AS h FROM E",
        json!([{"h": {"0": 3, "5": 0, "10": 0, "15": 1}}]),
    );
    check(
        &store,
        "SELECT apdex(x, t: 1) AS a, cdfPercentage(x, 1, 3) AS c FROM E",
        json!([{
            "a": {"score": 0.625, "s": 2, "t": 1, "f": 1, "count": 4}, "c": {"1": 50, "3": 75},
        }]),
    );
    check(
        &store,
        "SELECT funnel(x, WHERE x > 0 AS 'one', WHERE x > 2 AS 'two') AS f FROM E",
        json!([{"f": {"one": 3, "two": 2}}]),
    );
    let json = ask(&store, "SELECT percentile(x, 50, 99) FROM E").expect("an answer").to_json();
    let p99 = json["results"][0]["percentile.x"]["99"].as_f64().expect("a number");
    assert!((p99 - 25.0).abs() / 25.0 < 0.02, "{p99}");
}

#[test]
fn trends() {
    let store = store(&[
        json!({"ago": 30, "x": 10}),
        json!({"ago": 20, "x": 20}),
        json!({"ago": 10, "x": 30}),
    ]);
    check(
        &store,
        "SELECT derivative(x, 1 minute) AS d, latestrate(x, 1 second) AS l, \
         predictLinear(x, 10 seconds) AS p FROM E",
        json!([{"d": 60, "l": 1, "p": 50}]),
    );
    check(
        &store,
        "SELECT derivative(x, 1 minute) AS d, latestrate(x, 1 second) AS l FROM E WHERE x = 10",
        json!([{"d": null, "l": null}]),
    );
}

#[test]
fn what_means_nothing_is_refused() {
    let store = requests();
    for (text, message) in [
        ("SELECT baseline(ms) FROM E", "Unknown function baseline()"),
        ("SELECT host, count(*) FROM E", "must be inside an aggregator"),
        ("SELECT *, count(*) FROM E", "cannot be combined"),
        ("SELECT host FROM E FACET host", "FACET requires an aggregator"),
        ("SELECT host FROM E TIMESERIES", "TIMESERIES requires an aggregator"),
        ("SELECT sum(average(ms)) FROM E", "cannot take another"),
        ("SELECT count(*) FROM E WHERE count(*) > 1", "WHERE cannot contain"),
        ("SELECT count(*) FROM E TIMESERIES 1 second", "366"),
        ("SELECT rate(ms, 1 minute) FROM E", "rate() requires an aggregator"),
        ("SELECT percentage(count(*)) FROM E", "percentage() requires"),
        ("SELECT average(ms, host) FROM E", "average() takes one argument"),
        (
            "SELECT correlation(ms, code) FROM E",
            "correlation() is a function that is not simulated",
        ),
        (
            "SELECT capture(a, r'(x)'), capture(b, r'(x)'), capture(c, r'(x)'), \
             capture(d, r'(x)'), capture(e, r'(x)'), capture(f, r'(x)') FROM E",
            "at most 5",
        ),
        ("SELECT count(ms, host) FROM E", "count() takes one argument"),
        ("SELECT cdfPercentage(ms,1,2,3,4,5,6,7,8,9,10,11) FROM E", "at most 10"),
        ("FROM E WITH sum(ms) AS s SELECT s", "no aggregator function"),
        ("SELECT count(*) FROM E TIMESERIES MAX SLIDE BY 1 minute", "not AUTO or MAX"),
        ("SELECT histogram(ms, 10, 501) FROM E", "between 1 and 500"),
        ("SELECT funnel(ms, WHERE ms > 1) FROM E", "between 2 and 10"),
        ("SELECT count(*) FROM E FACET a, b, c, d, e, f", "at most 5"),
    ] {
        refused(&store, text, message);
    }
}

#[test]
fn slips_in_names_of_functions_get_a_hint() {
    let store = requests();
    let statement = parse("SELECT averge(ms) FROM E").expect("a query");
    let context = QueryContext {
        store: &store,
        accounts: &[account(1)],
        now: UnixMillis(NOW),
        limits: QueryLimits::default(),
    };
    let error = run("SELECT averge(ms) FROM E", &statement, &context).expect_err("a slip");
    assert_eq!(error.help.as_deref(), Some("did you mean average?"));
}

#[test]
fn answers_too_large_to_hold_are_refused_before_they_are_made() {
    let events: Vec<_> = (0..2_000).map(|n| json!({"u": format!("u{n}"), "v": n})).collect();
    let store = store(&events);
    let points: Vec<String> = (1..50).map(|point| point.to_string()).collect();
    for text in [
        format!(
            "SELECT percentile(v, {}) FROM E FACET u TIMESERIES MAX LIMIT MAX",
            points.join(", ")
        ),
        "SELECT histogram(v, 10, 500) FROM E FACET u TIMESERIES 5 minutes LIMIT MAX".to_owned(),
        format!(
            "SELECT {} FROM E FACET u LIMIT MAX",
            (0..6)
                .map(|at| { format!("histogram(v, {}, 500)", at + 1) })
                .collect::<Vec<_>>()
                .join(", ")
        ),
    ] {
        refused(&store, &text, "memory limit");
    }
    let fits = "SELECT histogram(v, 10, 500) FROM E FACET u LIMIT 100";
    assert_eq!(ask(&store, fits).expect("an answer").results.len(), 100);
}

#[test]
fn the_old_form_of_answers() {
    let store = requests();
    let raw = |text: &str| ask(&store, text).expect("an answer").raw_response();
    let plain = raw("SELECT count(*), sum(ms) AS 'S', uniques(host) FROM E");
    assert_eq!(plain["results"], json!([{"count": 4}, {"sum": 60}, {"members": ["a", "b"]}]));
    assert_eq!(
        plain["metadata"]["contents"],
        json!([
            {"function": "count", "simple": true},
            {"function": "alias", "alias": "S",
             "contents": {"function": "sum", "attribute": "ms", "simple": true}},
            {"function": "uniques", "attribute": "host", "simple": true},
        ])
    );
    assert_eq!(plain["metadata"]["rawSince"], json!("60 MINUTES AGO"));
    assert_eq!(plain["performanceStats"], json!({"inspectedCount": 4}));
    let facets = raw("SELECT count(*) FROM E FACET extra");
    assert_eq!(facets["facets"], json!([{"name": 1, "results": [{"count": 1}]}]));
    assert_eq!(facets["unknownGroup"], json!({"results": [{"count": 3}]}));
    assert_eq!(facets["totalResult"], json!({"results": [{"count": 4}]}));
    let series = raw("SELECT count(*) FROM E FACET host SINCE 4 minutes ago TIMESERIES 2 minutes");
    assert_eq!(series["facets"][1]["timeSeries"][0]["results"], json!([{"count": 1}]));
    let compared = raw("SELECT count(*) FROM E SINCE 2 minutes ago COMPARE WITH 2 minutes ago");
    assert_eq!(compared["previous"]["results"], json!([{"count": 2}]));
    let events = raw("SELECT host FROM E LIMIT 1");
    assert_eq!(events["results"][0]["events"][0]["host"], json!("a"));
}
