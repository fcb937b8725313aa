//! The Metric API through the router.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use super::MetricFault;
use crate::nrql::{MetricKind, MetricValue, Value};
use crate::ports::testing::EPOCH;
use crate::sim::newrelic::tests::{KEY, Service, USER_KEY, config};
use crate::sim::newrelic::{FaultWindow, IngestFault, NewRelicConfig, StoredEvent, Target};

const PATH: &str = "/metric/v1";
const OK: &str = r#"[{"metrics":[{"name":"m","value":1}]}]"#;

/// Changes a good request's headers: a value to set, or `None` to leave the header out.
type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

fn check_envelope(name: &str, path: &str, changes: Changes<'_>, body: &str, expected: u16) {
    let service = Service::new(config());
    let length = body.len().to_string();
    let mut headers = BTreeMap::from([
        ("api-key", KEY),
        ("content-type", "application/json"),
        ("content-length", &length),
    ]);
    for (header, value) in changes {
        match value {
            Some(value) => headers.insert(header, value),
            None => headers.remove(header),
        };
    }
    let headers: Vec<_> = headers.into_iter().collect();
    let (status, text) = service.raw(path, &headers, body.to_owned());
    assert_eq!(status, expected, "{name}: {text}");
    let requests = service.newrelic.requests();
    assert_eq!((requests.len(), requests[0].part), (1, Target::Metric), "{name}");
    assert_eq!(requests[0].status, expected, "{name}");
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    service.settle();
    if status == 202 {
        assert_eq!(answer["requestId"].as_str(), requests[0].uuid.as_deref(), "{name}");
    } else {
        assert!(answer["error"].is_string(), "{name}: {text}");
        assert!(service.newrelic.events("Metric").is_empty(), "{name}");
    }
}

/// Case, address, change of headers, body, status.
#[rustfmt::skip]
const ENVELOPE: &[(&str, &str, Changes<'static>, &str, u16)] = &[
    ("plain", PATH, &[], OK, 202),
    ("of an agent", "/metric/v1/infra", &[], OK, 202),
    ("charset", PATH, &[("content-type", Some("Application/JSON; charset=utf-8"))], OK, 202),
    ("empty array", PATH, &[], "[]", 202),
    ("white space first", PATH, &[], "  \n []", 202),
    ("bad JSON, told later", PATH, &[], "[", 202),
    ("object", PATH, &[], r#"{"metrics":[]}"#, 400),
    ("number", PATH, &[], "5", 400),
    ("blank", PATH, &[], "   ", 400),
    ("nothing", PATH, &[], "", 400),
    ("length of a lie", PATH, &[("content-length", Some("5"))], OK, 400),
    ("bad length", PATH, &[("content-length", Some("many"))], OK, 400),
    ("no key", PATH, &[("api-key", None)], OK, 403),
    ("wrong key", PATH, &[("api-key", Some("wrong"))], OK, 403),
    ("user key", PATH, &[("api-key", Some(USER_KEY))], OK, 403),
    ("license header", PATH, &[("api-key", None), ("x-license-key", Some(KEY))], OK, 202),
    ("key in the address", "/metric/v1?a=b&Api-Key=0123456789abcdef0123456789abcdef0123NRAL",
        &[("api-key", None)], OK, 202),
    ("escaped in the address", "/metric/v1?api-key=%30123456789abcdef0123456789abcdef0123NRAL",
        &[("api-key", None)], OK, 202),
    ("wrong in the address", "/metric/v1?Api-Key=x", &[("api-key", None)], OK, 403),
    ("both agree", "/metric/v1?Api-Key=0123456789abcdef0123456789abcdef0123NRAL", &[], OK, 202),
    ("both differ", "/metric/v1?Api-Key=x", &[], OK, 403),
    ("no length", PATH, &[("content-length", None)], OK, 411),
    ("chunks", PATH, &[("content-length", None), ("transfer-encoding", Some("chunked"))], OK, 202),
    ("too long", PATH, &[("content-length", Some("1000001"))], OK, 413),
    ("no type", PATH, &[("content-type", None)], OK, 415),
    ("text", PATH, &[("content-type", Some("text/plain"))], OK, 415),
    ("almost JSON", PATH, &[("content-type", Some("application/jsonx"))], OK, 415),
    ("identity", PATH, &[("content-encoding", Some("Identity"))], OK, 202),
    ("deflate", PATH, &[("content-encoding", Some("deflate"))], OK, 415),
    ("brotli", PATH, &[("content-encoding", Some("br"))], OK, 415),
    ("not gzip", PATH, &[("content-encoding", Some("gzip"))], OK, 400),
];

#[test]
fn the_envelope_is_checked_to_the_letter() {
    for (name, path, changes, body, expected) in ENVELOPE {
        check_envelope(name, path, changes, body, *expected);
    }
    let padded = format!("[{}]", " ".repeat(999_998));
    check_envelope("longest", PATH, &[], &padded, 202);
    let chunked: Changes<'_> = &[("content-length", None), ("transfer-encoding", Some("chunked"))];
    check_envelope("longest in chunks", PATH, chunked, &padded, 202);
    check_envelope("too long in chunks", PATH, chunked, &format!("{padded} "), 413);
    let address = |bytes: usize| format!("{PATH}?{}", "x".repeat(bytes - PATH.len() - 1));
    check_envelope("longest address", &address(8_192), &[], OK, 202);
    check_envelope("address too long", &address(8_193), &[], OK, 414);
    check_envelope("address before key", &address(8_193), &[("api-key", None)], OK, 414);
    let long = "x".repeat(17_000);
    check_envelope("head too long", PATH, &[("x-trace", Some(&long))], OK, 431);
    check_envelope("long head", PATH, &[("x-trace", Some(&long[..15_000]))], OK, 202);
}

#[test]
fn other_paths_are_not_found() {
    let service = Service::new(config());
    assert_eq!(service.send("/metric/v2", OK).0, 404);
    assert_eq!(service.send("/", OK).0, 404);
    assert!(service.send("/metric/v2", OK).1.contains("error"));
    assert!(service.newrelic.requests().is_empty());
}

fn stored(points: &str, config: NewRelicConfig) -> (Service, Vec<StoredEvent>) {
    let service = Service::new(config);
    let (status, text) = service.send(PATH, points);
    assert_eq!(status, 202, "{text}");
    service.settle();
    let events = service.newrelic.events("Metric");
    (service, events)
}

#[test]
fn data_points_are_stored_in_the_documented_form() {
    let at = EPOCH.0 - 5_000;
    let body = json!([{
        "common": {"timestamp": at, "interval.ms": 10_000, "attributes": {"host": "a", "k": 1}},
        "metrics": [
            {"name": "g", "type": "gauge", "value": 1.5, "attributes": {"k": true, "n": null}},
            {"name": "c", "type": "count", "value": 7, "timestamp": at + 1, "interval.ms": 20_000},
            {"name": "s", "type": "summary", "value": {"count": 5, "sum": 3.2, "min": 0.1, "max": 1}},
            {"name": "cc", "type": "cumulativeCount", "value": {"count": 5, "cumulative": 50}},
            {"name": "d", "type": "distribution", "value": {"count": 2, "sum": 3, "min": 1, "max": 2}},
            {"name": "u", "type": "uniqueCount", "value": 9},
        ],
    }]);
    let (service, events) = stored(&body.to_string(), config());
    let value = |name: &str| match events.iter().find_map(|event| event.get(name)) {
        Some(Value::Metric(value)) => **value,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(value("g"), MetricValue::gauge(1.5));
    assert_eq!(value("c"), MetricValue::count(7.0));
    assert_eq!(value("s"), MetricValue::summary(5.0, 3.2, 0.1, 1.0));
    let blank = MetricValue::count(0.0);
    let cumulative = MetricKind::CumulativeCount;
    assert_eq!(value("cc"), MetricValue { kind: cumulative, count: 5.0, latest: 50.0, ..blank });
    let kind = MetricKind::Distribution;
    assert_eq!(value("d"), MetricValue { kind, count: 2.0, sum: 3.0, min: 1.0, max: 2.0, ..blank });
    assert_eq!(value("u"), MetricValue { kind: MetricKind::UniqueCount, count: 9.0, ..blank });

    let gauge = events.iter().find(|event| event.get("g").is_some()).expect("stored");
    let number = |number: i64| Some(Value::Number(number as f64));
    assert_eq!(gauge.timestamp.0, at);
    assert_eq!(gauge.get("metricName"), Some(&Value::text("g")));
    assert_eq!(gauge.get("newrelic.source"), Some(&Value::text("metricAPI")));
    assert_eq!(gauge.get("host"), Some(&Value::text("a")));
    assert_eq!(gauge.get("k"), Some(&Value::Bool(true)), "the point's own wins");
    assert_eq!(gauge.get("n"), None);
    assert_eq!(gauge.get("endTimestamp").cloned(), number(at + 10_000));
    let count = events.iter().find(|event| event.get("c").is_some()).expect("stored");
    assert_eq!(count.timestamp.0, at + 1);
    assert_eq!(count.get("interval.ms").cloned(), number(20_000));
    assert_eq!(count.get("endTimestamp").cloned(), number(at + 20_001));
    assert_eq!(service.newrelic.counters().points_stored, 6);
    assert_eq!(service.newrelic.requests()[0].events_stored, 6);
    assert!(service.newrelic.integration_errors().is_empty());
}

#[test]
fn what_new_relic_sets_itself_is_overwritten() {
    let attributes = r#"{"metricName":"x","endTimestamp":1,"newrelic.source":"x","name":"kept"}"#;
    let body = format!(r#"[{{"metrics":[{{"name":"m","value":1,"attributes":{attributes}}}]}}]"#);
    let (_, events) = stored(&body, config());
    assert_eq!(events[0].get("metricName"), Some(&Value::text("m")));
    assert_eq!(events[0].get("newrelic.source"), Some(&Value::text("metricAPI")));
    assert_eq!(events[0].get("name"), Some(&Value::text("kept")));
    assert_ne!(events[0].get("endTimestamp"), Some(&Value::Number(1.0)));
}

/// Sends a good data point and `point`; whether the latter was dropped, and why.
fn check_point(point: &str, expected: Option<MetricFault>) {
    let good = r#"{"name":"good","value":1}"#;
    let body = format!(r#"[{{"metrics":[{good},{point}]}}]"#);
    let (service, events) = stored(&body, config());
    let dropped = usize::from(expected.is_some());
    assert_eq!(events.len(), 2 - dropped, "{point:.90}");
    let counters = service.newrelic.counters();
    let faults: Vec<_> = counters.points_rejected.into_iter().collect();
    let wanted: Vec<_> = expected.into_iter().map(|fault| (fault, 1)).collect();
    assert_eq!(faults, wanted, "{point:.90}");
    let rows = service.newrelic.events("NrIntegrationError");
    assert_eq!(rows.len(), dropped, "{point:.90}");
    for row in rows {
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(text("newRelicFeature").as_deref(), Some("Metrics"));
        assert_eq!(text("category").as_deref(), Some("BadRequest"));
        assert_eq!(text("apiKeyPrefix").as_deref(), Some("012345"));
        assert_eq!(text("requestId").as_deref(), row.uuid.as_deref());
        assert_eq!(text("message"), expected.map(|fault| fault.message(1)));
        assert_eq!(text("name"), None);
    }
}

#[test]
fn bad_data_points_are_dropped_one_by_one() {
    use MetricFault::{
        IntervalInvalid, IntervalMissing, Malformed, NameLength, NameMissing, TimestampInvalid,
        TypeUnknown, Value,
    };
    let x = |count: usize| "x".repeat(count);
    let check = |point: String, fault| check_point(&point, fault);
    let of = |rest: &str| format!(r#"{{"name":"m","value":1{rest}}}"#);
    check("5".into(), Some(Malformed));
    check("[]".into(), Some(Malformed));
    check(of(r#","attributes":[1]"#), Some(Malformed));
    check(of(r#","attributes":null"#), None);
    check(of(r#","whatever":{"a":[1]}"#), None);
    check(r#"{"value":1}"#.into(), Some(NameMissing));
    check(r#"{"name":"","value":1}"#.into(), Some(NameMissing));
    check(r#"{"name":7,"value":1}"#.into(), Some(NameMissing));
    check(format!(r#"{{"name":"{}","value":1}}"#, x(255)), None);
    check(format!(r#"{{"name":"{}","value":1}}"#, x(256)), Some(NameLength));
    check(of(r#","type":"histogram""#), Some(TypeUnknown));
    check(of(r#","type":5"#), Some(TypeUnknown));
    check(r#"{"name":"m"}"#.into(), Some(Value));
    for bad in [r#""1""#, "true", "null", "[1]", r#"{"count":1}"#] {
        check(format!(r#"{{"name":"m","value":{bad}}}"#), Some(Value));
    }
    let summary = |fields: &str| {
        format!(r#"{{"name":"m","type":"summary","interval.ms":1,"value":{{{fields}}}}}"#)
    };
    check(summary(r#""count":1,"sum":1,"min":1,"max":1"#), None);
    check(summary(r#""count":1,"sum":1,"min":1"#), Some(Value));
    check(summary(r#""count":1,"sum":1,"min":1,"max":"1""#), Some(Value));
    check(of(r#","type":"summary","interval.ms":1"#), Some(Value));
    check(of(r#","type":"count""#), Some(IntervalMissing));
    check(of(r#","type":"count","interval.ms":1"#), None);
    for bad in ["0", "-1", "1.5", r#""10""#] {
        check(of(&format!(r#","type":"count","interval.ms":{bad}"#)), Some(IntervalInvalid));
    }
    check(of(r#","timestamp":"soon""#), Some(TimestampInvalid));
}

#[test]
fn attributes_and_numbers_have_their_limits() {
    use MetricFault::{
        AttributeIsMetric, AttributeNameLength, AttributeNameMissing, AttributeNested,
        AttributeReserved, AttributeValueLength, NumberRange, TooManyAttributes,
    };
    let x = |count: usize| "x".repeat(count);
    let check = |point: String, fault| check_point(&point, fault);
    let attributes = |inner: &str| format!(r#"{{"name":"m","value":1,"attributes":{{{inner}}}}}"#);
    let many = |count: usize| (0..count).map(|n| format!(r#""a{n}":1"#)).collect::<Vec<_>>();
    check(attributes(&many(100).join(",")), None);
    check(attributes(&many(101).join(",")), Some(TooManyAttributes));
    check(attributes(r#""":1"#), Some(AttributeNameMissing));
    check(attributes(&format!(r#""{}":1"#, x(255))), None);
    check(attributes(&format!(r#""{}":1"#, x(256))), Some(AttributeNameLength));
    check(attributes(&format!(r#""a":"{}""#, "é".repeat(4_096))), None);
    check(attributes(&format!(r#""a":"{}""#, x(4_097))), Some(AttributeValueLength));
    check(attributes(r#""a":[1]"#), Some(AttributeNested));
    check(attributes(r#""a":{}"#), Some(AttributeNested));
    for reserved in [
        "interval.ms",
        "timestamp",
        "value",
        "common",
        "min",
        "max",
        "count",
        "sum",
        "metrics",
        "type",
    ] {
        check(attributes(&format!(r#""{reserved}":1"#)), Some(AttributeReserved));
    }
    check(attributes(r#""m":1"#), Some(AttributeIsMetric));
    // Numbers.
    for bad in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9223372036854775808"] {
        check(format!(r#"{{"name":"m","value":{bad}}}"#), Some(NumberRange));
    }
    check(r#"{"name":"m","value":9223372036854775807}"#.into(), None);
    check(r#"{"name":"m","value":1.7976931348623157e308}"#.into(), None);
    check(r#"{"name":"NaN, Infinity, 1e999","value":1}"#.into(), None);
    for bad in ["18446744073709551615", "NaN", "1e999"] {
        check(attributes(&format!(r#""a":{bad}"#)), Some(NumberRange));
    }
    check(attributes(r#""a":"NaN""#), None);
}

#[test]
fn timestamps_are_read_by_their_magnitude() {
    use MetricFault::TimestampRange;
    let (hour, now) = (3_600_000, EPOCH.0);
    let at = |timestamp: String, expected: i64| {
        let body = format!(r#"[{{"metrics":[{{"name":"m","value":1,"timestamp":{timestamp}}}]}}]"#);
        let (_, events) = stored(&body, config());
        assert_eq!(events[0].timestamp.0, expected, "{timestamp}");
    };
    let time = now - 5_000;
    at((time / 1_000).to_string(), time);
    at(time.to_string(), time);
    at(format!("{}123", time), time);
    at(format!("{}123456", time), time);
    at(format!("{time}.9"), time);
    at((now - 48 * hour).to_string(), now - 48 * hour);
    at((now + 24 * hour).to_string(), now + 24 * hour);
    let out = |timestamp: i64| {
        let point = format!(r#"{{"name":"m","value":1,"timestamp":{timestamp}}}"#);
        check_point(&point, Some(TimestampRange));
    };
    out(now - 48 * hour - 1);
    out(now + 24 * hour + 1);
    out(0);
    out(-5);
    let (_, events) = stored(OK, config());
    assert_eq!(events[0].timestamp, EPOCH, "without one, the present");
}

#[test]
fn a_fault_of_a_block_costs_the_block() {
    let point = r#"{"name":"m","value":1}"#;
    let check = |bad: &str, points: u64, fault: MetricFault| {
        let body = format!(r#"[{bad},{{"metrics":[{point}]}}]"#);
        let (service, events) = stored(&body, config());
        assert_eq!(events.len(), 1, "{bad}");
        let faults = service.newrelic.counters().points_rejected;
        assert_eq!(faults, BTreeMap::from([(fault, points)]), "{bad}");
    };
    let common = |inner: &str| format!(r#"{{"metrics":[{point},{point}],"common":{inner}}}"#);
    check(&common(r#"{"attributes":{"a":1e999}}"#), 2, MetricFault::Common);
    check(&common(r#"{"timestamp":18446744073709551615}"#), 2, MetricFault::Common);
    check(&common(r#"{"interval.ms":-1}"#), 2, MetricFault::Common);
    check(&common("[]"), 2, MetricFault::Common);
    check("{}", 1, MetricFault::MetricsMissing);
    check(r#"{"metrics":{"name":"m"}}"#, 1, MetricFault::MetricsMissing);
}

#[test]
fn unreadable_bodies_are_lost_whole_with_a_row() {
    let check = |body: &str| {
        let service = Service::new(config());
        assert_eq!(service.send(PATH, body).0, 202, "{body:.40}");
        service.settle();
        assert_eq!(service.newrelic.counters().bodies_unreadable, 1, "{body:.40}");
        let errors = service.newrelic.integration_errors();
        assert_eq!(errors[0].message, "Error parsing JSON payload", "{body:.40}");
        assert!(service.newrelic.events("Metric").is_empty(), "{body:.40}");
    };
    for body in ["[", "[1]", "[[]]", "[{}]x", r#"[{"metrics":[{"name":}]}]"#] {
        check(body);
    }
    check(&format!(r#"[{{"metrics":{}}}]"#, "[".repeat(5_000)));
    let service = Service::new(NewRelicConfig { decoded_bytes_max: 100_000, ..config() });
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    bomb.write_all(b"[").expect("memory");
    bomb.write_all(&vec![b' '; 50_000_000]).expect("memory");
    let bomb = bomb.finish().expect("memory");
    let length = bomb.len().to_string();
    let headers = [
        ("api-key", KEY),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("content-length", &length),
    ];
    assert_eq!(service.raw(PATH, &headers, bomb).0, 202);
    service.settle();
    assert_eq!(service.newrelic.counters().bodies_unreadable, 1);
    let not_utf8 = b"[{\"metrics\":[{\"name\":\"\xff\",\"value\":1}]}]".to_vec();
    let length = not_utf8.len().to_string();
    let headers =
        [("api-key", KEY), ("content-type", "application/json"), ("content-length", &length)];
    assert_eq!(service.raw(PATH, &headers, not_utf8).0, 202);
    service.settle();
    assert_eq!(service.newrelic.counters().bodies_unreadable, 2);
}

fn rate_limit_types(service: &Service) -> Vec<String> {
    let rows = service.newrelic.events("NrIntegrationError");
    rows.iter()
        .filter(|row| row.get("category") == Some(&Value::text("RateLimit")))
        .filter_map(|row| row.get("rateLimitType").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

#[test]
fn requests_are_limited_by_the_minute() {
    let service = Service::new(NewRelicConfig { metric_posts_per_minute: 2, ..config() });
    let statuses = |count| (0..count).map(|_| service.send(PATH, OK).0).collect::<Vec<_>>();
    assert_eq!(statuses(4), [202, 202, 429, 429]);
    let length = OK.len().to_string();
    let headers =
        [("api-key", KEY), ("content-type", "application/json"), ("content-length", &length)];
    let (status, answer, _) = service.whole(PATH, &headers, OK);
    // The epoch lies 40 s before the end of a minute.
    assert_eq!((status, answer["retry-after"].as_bytes()), (429, &b"40"[..]));
    // The Event API has a minute of its own.
    assert_eq!(service.post("{}").0, 200);
    service.clock.advance(Duration::from_secs(40));
    assert_eq!(statuses(3), [202, 202, 429]);
    service.settle();
    assert_eq!(rate_limit_types(&service), ["RequestsPerMinute", "RequestsPerMinute"]);
}

#[test]
fn data_points_are_limited_by_the_minute() {
    let service = Service::new(NewRelicConfig { metric_points_per_minute: 2, ..config() });
    let three =
        r#"[{"metrics":[{"name":"m","value":1},{"name":"m","value":2},{"name":"m","value":3}]}]"#;
    assert_eq!(service.send(PATH, three).0, 202);
    service.settle();
    assert_eq!(service.newrelic.events("Metric").len(), 3, "what was taken is stored");
    assert_eq!([service.send(PATH, OK).0, service.send(PATH, OK).0], [429, 429]);
    assert_eq!(rate_limit_types(&service), ["DatapointsPerMinute"]);
    service.clock.advance(Duration::from_secs(40));
    assert_eq!(service.send(PATH, OK).0, 202);
}

#[test]
fn time_series_are_counted_by_the_day() {
    let config = NewRelicConfig { metric_series_per_day: 3, ..config() };
    let service = Service::new(config);
    let send = |host: &str, other: &str| {
        let attributes = format!(r#"{{"host":"{host}","b":"{other}"}}"#);
        let point = format!(r#"{{"name":"m","value":1,"attributes":{attributes}}}"#);
        assert_eq!(service.send(PATH, &format!(r#"[{{"metrics":[{point}]}}]"#)).0, 202);
        service.settle();
    };
    send("a", "b");
    send("b", "a");
    send("a", "b");
    send("c", "c");
    assert_eq!(service.newrelic.counters().series_over_account, 0);
    send("d", "d");
    send("e", "e");
    assert_eq!(service.newrelic.counters().series_over_account, 2);
    assert_eq!(service.newrelic.events("Metric").len(), 6, "raw points are kept");
    assert_eq!(rate_limit_types(&service), ["UniqueTimeseriesPerDay"]);
    service.clock.advance(Duration::from_secs(86_400));
    send("f", "f");
    assert_eq!(service.newrelic.counters().series_over_account, 2);
}

#[test]
fn faults_hit_the_part_that_they_aim_at() {
    let check = |target: Target, expected: [u16; 3]| {
        let service = Service::new(config());
        let down = IngestFault::Status { code: 503, retry_after_seconds: Some(3) };
        service.newrelic.inject(FaultWindow::always(down, EPOCH).at(target));
        let statuses = [
            service.post("{}").0,
            service.send(PATH, OK).0,
            service.send("/infra/v2/metrics/events/bulk", "[]").0,
        ];
        assert_eq!(statuses, expected, "{target:?}");
    };
    check(Target::default(), [503, 202, 202]);
    check(Target::Event, [503, 202, 202]);
    check(Target::Metric, [200, 503, 202]);
    check(Target::Infra, [200, 202, 503]);
    check(Target::NerdGraph, [200, 202, 202]);
    check(Target::All, [503, 503, 503]);
    let service = Service::new(config());
    let limit = IngestFault::BodyTooLarge { body_bytes_max: 10 };
    service.newrelic.inject(FaultWindow::always(limit, EPOCH).at(Target::Metric));
    assert_eq!([service.send(PATH, OK).0, service.send(PATH, "[]").0], [413, 202]);
    service.newrelic.clear_faults();
    service.newrelic.inject(FaultWindow::always(IngestFault::GarbageBody, EPOCH).at(Target::All));
    let (status, text) = service.send(PATH, OK);
    assert!(status == 202 && text.starts_with("<html>"), "{status} {text}");
}

/// The Python telemetry SDK's requests, as fixtures/newrelic/telemetry-sdk.json describes them.
#[test]
fn a_telemetry_sdk_is_understood() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/newrelic/telemetry-sdk.json");
    let text = std::fs::read_to_string(file).expect("a fixture");
    let shift = |text: &str| text.replace("1700000000123", &EPOCH.0.to_string());
    let fixture: serde_json::Value = serde_json::from_str(&shift(&text)).expect("JSON");
    let service = Service::new(config());
    for request in fixture["requests"].as_array().expect("a list") {
        let path = request["path"].as_str().expect("a path");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(request["body"].to_string().as_bytes()).expect("memory");
        let body = gzip.finish().expect("memory");
        let length = body.len().to_string();
        let headers = [
            ("api-key", KEY),
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
            ("content-length", &length),
        ];
        let (status, answer) = service.raw(path, &headers, body);
        assert!(matches!(status, 200 | 202), "{path}: {answer}");
    }
    service.settle();
    let points = service.newrelic.events("Metric");
    let lag = points.iter().find_map(|point| point.get("orders.lag"));
    assert_eq!(lag.and_then(Value::as_f64), Some(3.0));
    assert_eq!(points.len(), 3);
    let queues = service.newrelic.events("QueueSample");
    assert_eq!(queues[0].get("depth"), Some(&Value::Number(7.0)));
    assert!(service.newrelic.integration_errors().is_empty());
}
