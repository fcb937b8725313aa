//! Functions by their calls, with the examples of New Relic's pages.

use jiff::tz::TimeZone;

use super::*;
use crate::domain::units::UnixMillis;
use crate::nrql::ast::Statement;
use crate::nrql::eval::batch::Batch;
use crate::nrql::eval::expr::compile;

fn eval(text: &str, zone: &str) -> Result<Value, String> {
    let whole = format!("SELECT {text} FROM Sample");
    let query = match crate::nrql::parse(&whole) {
        Ok(Statement::Select(query)) => query,
        other => panic!("{text}: {other:?}"),
    };
    let scope = Scope::new(TimeZone::get(zone).expect("a zone"), UnixMillis(0));
    let expr = compile(&query.select[0].expr, &scope).map_err(|fault| fault.message)?;
    let row = [("t", Value::text("abc abc")), ("u", Value::text("É")), ("n", Value::Number(2.0))];
    let row = row.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
    Ok(expr.eval(&Batch::from_rows("Sample", &[row])).value(0))
}

fn check(cases: &[(&str, Value)]) {
    for (text, expected) in cases {
        assert_eq!(eval(text, "UTC").as_ref(), Ok(expected), "{text}");
    }
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn number(number: f64) -> Value {
    Value::Number(number)
}

fn list(values: &[Value]) -> Value {
    Value::List(values.to_vec())
}

#[test]
fn numbers() {
    check(&[
        ("abs(-n)", number(2.0)),
        ("round(2.5)", number(3.0)),
        ("round(-2.5)", number(-2.0)),
        ("round(0.49999999999999994)", number(0.0)),
        ("round(9007199254740993)", number(9_007_199_254_740_992.0)),
        ("round(0.34, 0.1)", number(0.3)),
        ("round(17, 5)", number(15.0)),
        ("floor(-0.5)", number(-1.0)),
        ("ceil(0.2)", number(1.0)),
        ("sqrt(-1)", Value::Null),
        ("sqrt(16)", number(4.0)),
        ("pow(n, 10)", number(1_024.0)),
        ("ln(0)", Value::Null),
        ("ln(1)", number(0.0)),
        ("log2(8)", number(3.0)),
        ("log10(1000)", number(3.0)),
        ("exp(0)", number(1.0)),
        ("sign(-7)", number(-1.0)),
        ("mod(7, 3)", number(1.0)),
        ("mod(-7, 3)", number(2.0)),
        ("mod(7, 0)", Value::Null),
        ("clamp_max(n, 1)", number(1.0)),
        ("clamp_min(n, 3)", number(3.0)),
        ("clamp_min(t, 3)", Value::Null),
        ("getCdfCount(n, 2)", number(1.0)),
        ("getCdfCount(t, 2)", number(0.0)),
        ("buckets(n, 10, 5)", text("2 - 4")),
        ("buckets(n * 100, 10, 5)", text("8 - 10")),
        ("convert(90000, 'ms', 'min')", number(1.5)),
        ("convert(1, 'min', 'lbs')", Value::Null),
        ("convert(1, 'GiBy', 'By')", number(1_073_741_824.0)),
    ]);
}

#[test]
fn texts() {
    check(&[
        ("lower('ÀB')", text("àb")),
        ("upper(u)", text("É")),
        ("upper(n)", Value::Null),
        ("length(u)", number(1.0)),
        ("length(tuple(1, 2, 3))", number(3.0)),
        ("concat(t, '-', n, absent, true)", text("abc abc-2true")),
        ("concat(0.692, ' ', 0, precision: 2)", text("0.69 0")),
        ("concat()", text("")),
        ("string(1.5)", text("1.5")),
        ("string(2)", text("2")),
        ("string(3.14159, precision: 2)", text("3.14")),
        ("string(9223372036854775807)", text("9223372036854775807")),
        ("string(tuple(1, 'a'))", text("[1, a]")),
        ("string(absent)", Value::Null),
        ("numeric(' 12.5 ')", number(12.5)),
        ("numeric('9223372036854775807')", Value::Integer(i64::MAX)),
        ("numeric('abc')", Value::Null),
        ("numeric('nan')", Value::Null),
        ("boolean('TRUE')", Value::Bool(true)),
        ("boolean('yes')", Value::Null),
        ("substring(t, 0, 3)", text("abc")),
        ("substring(t, 4)", text("abc")),
        ("substring(t, -2)", text("bc")),
        ("substring(t, -99, 1)", text("a")),
        ("substring(t, 99)", text("")),
        ("substring(absent, 1)", Value::Null),
        ("position(t, 'b')", number(1.0)),
        ("position(t, 'b', 1)", number(5.0)),
        ("position(t, 'b', -1)", number(5.0)),
        ("position(t, 'b', 2)", Value::Null),
        ("indexOf(t, 'c')", number(2.0)),
        ("replace(t, 'abc', 'x')", text("x x")),
        ("split(t, ' ')[1]", text("abc")),
        ("join(split(t, ' '), '+')", text("abc+abc")),
        ("trim('  a ')", text("a")),
        ("encode('hi?>', 'base64')", text("aGk/Pg==")),
        ("encode('hi?>', 'base64url')", text("aGk_Pg==")),
        ("decode('aGk_Pg', 'base64url')", text("hi?>")),
        ("decode('%%', 'base64')", Value::Null),
        ("encode('a', 'rot13')", Value::Null),
        ("cidrAddress('10.0.14.7', 24)", text("10.0.14.0/24")),
        ("cidrAddress('10.0.14.7/8')", text("10.0.0.0/8")),
        ("cidrAddress('10.0.14.7', 24, false)", text("10.0.14.0")),
        ("cidrAddress('10.0.14.7', 33)", Value::Null),
        ("cidrAddress('nowhere', 8)", Value::Null),
    ]);
    let long = eval(&format!("concat('{}', t)", "é".repeat(4_090)), "UTC").expect("a text");
    assert_eq!(long.as_str().map(|text| text.chars().count()), Some(4_096));
}

#[test]
fn parts_of_texts() {
    check(&[
        ("capture(t, r'(?P<first>\\w+) .*')", text("abc")),
        ("capture(t, r'(\\w+)')", Value::Null),
        ("capture(t, r'(a)(b)?.*')", list(&[text("a"), text("b")])),
        ("capture(n, r'(.*)')", Value::Null),
        ("aparse('www.Example.com/x', '%WWW.*.com%')", text("Example")),
        ("aparse(t, '* *')", list(&[text("abc"), text("abc")])),
        ("aparse(t, 'z*')", Value::Null),
        ("aparse('a(b)c', 'a(*)c')", text("b")),
        ("mapKeys(jparse('{\"b\": 1, \"a\": 2}'))", list(&[text("b"), text("a")])),
        (
            "mapValues(jparse('{\"b\": 1, \"a\": [true]}'))",
            list(&[number(1.0), list(&[Value::Bool(true)])]),
        ),
        ("jparse('nonsense')", Value::Null),
        ("jparse('9007199254740993')", Value::Integer(9_007_199_254_740_993)),
    ]);
    let depth = format!("jparse('{}1{}')", "[".repeat(500), "]".repeat(500));
    assert_eq!(eval(&depth, "UTC"), Ok(Value::Null), "no stack is spent on deep JSON");
}

#[test]
fn paths_into_json() {
    let json = r#"{"a": "x", "b": {"c": [1, 2], "d": 100},
        "e": [{"id": 1, "l": "A"}, {"id": 2, "l": "B"}, {"id": 3, "l": "C"}]}"#;
    let ids = |of: &[f64]| list(&of.iter().map(|id| number(*id)).collect::<Vec<_>>());
    let cases = [
        ("a", text("x")),
        (r#"["a"]"#, text("x")),
        ("b.d", number(100.0)),
        ("b.c[1]", number(2.0)),
        ("[a, b][0]", text("x")),
        ("e[0].id", number(1.0)),
        ("e[0,2][*].id", ids(&[1.0, 3.0])),
        ("e[0:2].id", ids(&[1.0, 2.0])),
        ("e[:2].id", ids(&[1.0, 2.0])),
        ("e[:-2].id", ids(&[1.0])),
        ("e[1:].id", ids(&[2.0, 3.0])),
        ("e[-1:].id", ids(&[3.0])),
        ("e[2:1].id", ids(&[])),
        ("e[*].id", ids(&[1.0, 2.0, 3.0])),
        ("nothing.here", Value::Null),
    ];
    for (path, expected) in cases {
        assert_eq!(eval(&format!("jparse('{json}', '{path}')"), "UTC"), Ok(expected), "{path}");
    }
    let fault = eval("jparse(t, 'a[')", "UTC").expect_err("no path");
    assert_eq!(fault, "jparse() has an invalid path 'a['");
}

#[test]
fn times() {
    // Sunday, 15 July 2018, 18:05:09.045 UTC; still Sunday in Los Angeles, Monday in Tokyo.
    let at = "1531677909045";
    let cases = [
        ("UTC", "yearOf(@)", text("2018")),
        ("UTC", "yearOf(@, numeric)", number(2018.0)),
        ("UTC", "quarterOf(@)", text("Q3 2018")),
        ("UTC", "quarterOf(@, numeric)", number(3.0)),
        ("UTC", "monthOf(@)", text("July 2018")),
        ("UTC", "monthOf(@, numeric)", number(7.0)),
        ("UTC", "weekOf(@)", text("Week of July 9")),
        ("Asia/Tokyo", "weekOf(@)", text("Week of July 16")),
        ("UTC", "weekdayOf(@)", text("Sunday")),
        ("UTC", "weekdayOf(@, numeric)", number(0.0)),
        ("Asia/Tokyo", "weekdayOf(@, string)", text("Monday")),
        ("UTC", "dateOf(@)", text("July 15, 2018")),
        ("Asia/Tokyo", "dateOf(@)", text("July 16, 2018")),
        ("UTC", "dayOfMonthOf(@)", text("15")),
        ("UTC", "daysInMonthOf(@, numeric)", number(31.0)),
        ("UTC", "hourOf(@)", text("18:00")),
        ("Asia/Tokyo", "hourOf(@)", text("3:00")),
        ("UTC", "hourOf(@, numeric)", number(18.0)),
        ("UTC", "minuteOf(@)", text("5")),
        ("UTC", "minuteOf(t)", Value::Null),
        ("UTC", "hourOf(1e300)", Value::Null),
        ("UTC", "toDatetime(1234567)", text("1970-01-01T00:20:34.567Z")),
        ("UTC", "fromTimestamp(@)", text("2018-07-15T18:05:09.045Z")),
        ("Asia/Kolkata", "toDatetime(@)", text("2018-07-15T23:35:09.045+05:30")),
        (
            "UTC",
            "toDatetime(1234567, 'yyyy-MM-dd', timezone: 'America/Los_Angeles')",
            text("1969-12-31"),
        ),
        ("America/Los_Angeles", "toDatetime(1234567, 'yyyy-MM-dd')", text("1969-12-31")),
        ("UTC", "toDatetime(@, 'EEE d MMM yy, h:mm a')", text("Sun 15 Jul 18, 6:05 PM")),
        ("UTC", "toDatetime(@, 'EEEE MMMM D QQQ SS')", text("Sunday July 196 Q3 04")),
        ("Asia/Kolkata", "toDatetime(@, 'HH O')", text("23 GMT+05:30")),
    ];
    for (zone, call, expected) in cases {
        assert_eq!(eval(&call.replace('@', at), zone), Ok(expected), "{call} in {zone}");
    }
}

#[test]
fn texts_of_times() {
    let cases = [
        ("UTC", "'2023-10-18T15:27:03.123Z'", "", Some(1_697_642_823_123i64)),
        ("UTC", "'2023-10-18T15:27:03'", "", Some(1_697_642_823_000)),
        ("UTC", "'2023-10-18T15:27:03+02:00'", "", Some(1_697_635_623_000)),
        ("UTC", "'2023-11-03 11:00:32'", "yyyy-MM-dd HH:mm:ss", Some(1_699_009_232_000)),
        (
            "America/Los_Angeles",
            "'2023-11-03 11:00:32'",
            "yyyy-MM-dd HH:mm:ss",
            Some(1_699_034_432_000),
        ),
        ("UTC", "'2023-10-18 15:27'", "yyyy-MM-dd HH:mm", Some(1_697_642_820_000)),
        ("UTC", "'2023-10-18'", "yyyy-MM-dd", Some(1_697_587_200_000)),
        ("UTC", "'2023 day 291'", "yyyy 'day' D", Some(1_697_587_200_000)),
        ("UTC", "'2023-10'", "yyyy-MM", Some(1_696_118_400_000)),
        ("UTC", "'2023 Q4'", "yyyy qqq", Some(1_696_118_400_000)),
        ("UTC", "'2023'", "yyyy", Some(1_672_531_200_000)),
        ("UTC", "'00:30'", "HH:mm", Some(1_800_000)),
        ("UTC", "'00:30 GMT-1'", "HH:mm O", Some(5_400_000)),
        ("UTC", "'00:30 GMT+1'", "HH:mm O", Some(-1_800_000)),
        ("UTC", "'2023-10-18 3:27 PM'", "yyyy-MM-dd h:mm a", Some(1_697_642_820_000)),
        ("UTC", "'2023-10-18 3:27 pm'", "yyyy-MM-dd h:mm a", None),
        ("UTC", "'2023-10-18 3:27'", "yyyy-MM-dd h:mm", None),
        ("UTC", "'2023-02-30'", "yyyy-MM-dd", None),
        ("UTC", "'18 October 2023'", "d MMMM yyyy", Some(1_697_587_200_000)),
        ("UTC", "'Wed 18 Oct 23'", "EEE d MMM yy", Some(1_697_587_200_000)),
        ("UTC", "'nonsense'", "", None),
        ("UTC", "n", "", None),
    ];
    for (zone, value, pattern, expected) in cases {
        let pattern = pattern.replace('\'', "\\'");
        let pattern = if pattern.is_empty() { pattern } else { format!(", '{pattern}'") };
        let call = format!("toTimestamp({value}{pattern})");
        let expected = expected.map_or(Value::Null, |millis| number(millis as f64));
        assert_eq!(eval(&call, zone), Ok(expected), "{call} in {zone}");
    }
    for (call, expected) in [
        ("toTimestamp(t, 'yyyy[')", "toTimestamp() has an unsupported pattern 'yyyy['"),
        ("toDatetime(n, 'W')", "toDatetime() has an unsupported pattern 'W'"),
        ("toDatetime(n, 'yyyy', 'Nowhere')", "toDatetime() has no time zone 'Nowhere'"),
    ] {
        assert_eq!(eval(call, "UTC"), Err(expected.to_owned()), "{call}");
    }
}
