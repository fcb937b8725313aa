//! Expressions by their texts, and the fast path against the slow one.

use std::sync::Arc;

use indexmap::IndexMap;
use proptest::prelude::*;

use super::*;
use crate::nrql::ast::{Query, Statement};
use crate::nrql::value::MetricValue;

struct MapRow(IndexMap<Arc<str>, Value>);

impl RowLike for MapRow {
    fn get(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or(Value::Null)
    }

    fn timestamp(&self) -> UnixMillis {
        UnixMillis(self.get("timestamp").as_f64().unwrap_or_default() as i64)
    }

    fn event_type(&self) -> &str {
        "Sample"
    }

    fn account(&self) -> Option<AccountId> {
        None
    }
}

fn row(values: &[(&str, Value)]) -> MapRow {
    MapRow(values.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect())
}

fn scope() -> Scope {
    Scope::new(TimeZone::UTC, UnixMillis(1_700_000_000_000))
}

fn query(text: &str) -> Query {
    match crate::nrql::parse(text) {
        Ok(Statement::Select(query)) => *query,
        other => panic!("{text}: {other:?}"),
    }
}

fn compiled(text: &str, scope: &Scope) -> Result<CompiledExpr, NrqlError> {
    compile(&query(&format!("SELECT {text} FROM Sample")).select[0].expr, scope)
}

fn condition(text: &str) -> CompiledExpr {
    let query = query(&format!("SELECT count(*) FROM Sample WHERE {text}"));
    compile(&query.filter.expect("WHERE"), &scope()).expect(text)
}

fn sample() -> MapRow {
    row(&[
        ("n", Value::Number(5.0)),
        ("zero", Value::Number(0.0)),
        ("text", Value::text("Hello World")),
        ("digits", Value::text("5")),
        ("flag", Value::text("true")),
        ("truth", Value::Bool(true)),
        ("big", Value::Integer(i64::MAX)),
        ("gauge", Value::Metric(Arc::new(MetricValue::gauge(2.5)))),
        ("summary", Value::Metric(Arc::new(MetricValue::summary(4.0, 10.0, 1.0, 4.0)))),
        ("json", Value::text(r#"{"a": {"b": [1, 2, 3]}, "c d": "x"}"#)),
        ("timestamp", Value::Number(1_700_000_000_000.0)),
    ])
}

fn check(text: &str, expected: &Value) {
    let expr = compiled(text, &scope()).expect(text);
    let row = sample();
    assert_eq!(&expr.eval_row(&row), expected, "{text}");
    let batch = Batch::from_rows("Sample", std::slice::from_ref(&row.0));
    assert_eq!(&expr.eval(&batch).value(0), expected, "{text}, by column");
}

const CONDITIONS: &[(&str, bool)] = &[
    ("n = 5", true),
    ("n != 5", false),
    ("5 = n", true),
    ("4 < n", true),
    ("n <= 4", false),
    ("absent = 5", false),
    ("absent != 5", false),
    ("NOT absent = 5", true),
    ("absent IS NULL", true),
    ("n IS NOT NULL", true),
    ("digits = 5", false),
    ("digits != 5", true),
    ("digits < 6", false),
    ("numeric(digits) = 5", true),
    ("text = 'hello world'", false),
    ("text LIKE 'hello%'", true),
    ("text LIKE '%O w%d'", true),
    ("text LIKE 'h_llo%'", false),
    ("text LIKE 'hello'", false),
    ("text LIKE 'hello%wor'", false),
    ("text NOT LIKE '%xyz%'", true),
    ("absent NOT LIKE '%xyz%'", false),
    ("n LIKE '5'", false),
    ("text RLIKE r'Hello'", false),
    ("text RLIKE r'H.*d'", true),
    ("absent NOT RLIKE r'.*'", false),
    ("text NOT IN ('a', 'b')", true),
    ("absent NOT IN ('a')", false),
    ("n IN ('5', 4, 5)", true),
    ("digits IN (5)", false),
    ("digits IN ('5', 4)", true),
    ("n IN (4, zero, n)", true),
    ("-zero IN (0)", true),
    ("big IN (9223372036854775807)", true),
    ("big IN (9223372036854775806)", false),
    ("gauge IN (2.5, 7)", true),
    ("truth IN ('true')", true),
    ("flag IS TRUE", true),
    ("flag = true", true),
    ("flag IN (true)", true),
    ("truth IS TRUE", true),
    ("truth IS NOT FALSE", true),
    ("n IS TRUE", false),
    ("flag", true),
    ("text OR flag", true),
    ("absent OR n = 5", true),
    ("(absent OR n) = 5", true),
    ("(absent OR zero) = 5", false),
    ("n = 4 OR n = 5 AND text = 'x'", false),
    ("big = 9223372036854775807", true),
    ("big > 9223372036854775806", true),
    ("big = 9223372036854775806", false),
    ("big - 9223372036854775806 < 1.5", true),
    ("big - 9223372036854775806 > 0.5", true),
    ("big > n", true),
    ("n < big", true),
    ("gauge > 2", true),
    ("gauge[count] = 1", true),
    ("text > 'Hello'", true),
    ("'b' > 'a'", true),
    ("eventType() = 'Sample'", true),
    ("text = digits", false),
    ("text != digits", true),
    ("n != digits", true),
];

#[test]
fn conditions() {
    let row = sample();
    let batch = Batch::from_rows("Sample", std::slice::from_ref(&row.0));
    for (text, expected) in CONDITIONS {
        let condition = condition(text);
        assert_eq!(condition.is_true(&row), *expected, "{text}");
        assert_eq!(condition.select(&batch).get(0), *expected, "{text}, by column");
    }
}

#[test]
fn arithmetic() {
    let number = |value: f64| Value::Number(value);
    let cases = [
        ("1 + 2 * 3", number(7.0)),
        ("n / 2", number(2.5)),
        ("n / zero", Value::Null),
        ("zero / zero", Value::Null),
        ("n % 3", number(2.0)),
        ("-n", number(-5.0)),
        ("2 ^ 3", number(8.0)),
        ("n + text", Value::Null),
        ("n + absent", Value::Null),
        ("n + digits", Value::Null),
        ("big - 1", number(i64::MAX as f64)),
        ("absent OR 7", number(7.0)),
        ("text OR 7", Value::text("Hello World")),
        ("absent OR 'none'", Value::text("none")),
        ("exp(1000)", Value::Null),
        ("gauge + 1", number(3.5)),
        ("summary", Value::Metric(Arc::new(MetricValue::summary(4.0, 10.0, 1.0, 4.0)))),
    ];
    for (text, expected) in cases {
        check(text, &expected);
    }
}

#[test]
fn members() {
    let number = |value: f64| Value::Number(value);
    let cases = [
        ("summary[sum]", number(10.0)),
        ("summary[total]", number(10.0)),
        ("getField(summary, max)", number(4.0)),
        ("getField(summary, 'latest')", Value::Null),
        ("gauge[type]", Value::text("gauge")),
        ("gauge[nothing]", Value::Null),
        ("text[sum]", Value::Null),
        ("tuple(n, text)[0]", number(5.0)),
        ("tuple(n, text)[7]", Value::Null),
        ("jparse(json)['c d']", Value::text("x")),
    ];
    for (text, expected) in cases {
        check(text, &expected);
    }
}

#[test]
fn choices() {
    let cases = [
        ("if(n > 3, 'many', 'few')", Value::text("many")),
        ("if(n > 30, 'many', 'few')", Value::text("few")),
        ("if(n > 30, 'many')", Value::Null),
        ("if(absent > 3, 1, 2)", Value::Number(2.0)),
        ("cases(WHERE n > 30 AS 'a', WHERE n > 3 AS 'b', WHERE n > 2 AS 'c')", Value::text("b")),
    ];
    for (text, expected) in cases {
        check(text, &expected);
    }
}

/// Of several branches that hold the first counts, row by row.
#[test]
fn earlier_branches_win() {
    let numbers = [1.0, 5.0, 3.0];
    let rows = numbers.map(|number| row(&[("n", Value::Number(number))]).0);
    let batch = Batch::from_rows("Sample", &rows);
    let text = "cases(WHERE n > 4 AS 'great', WHERE n > 2 AS 'some')";
    let column = compiled(text, &scope()).expect("compiles").eval(&batch);
    let expected = [Value::Null, Value::text("great"), Value::text("some")];
    assert_eq!([column.value(0), column.value(1), column.value(2)], expected);
}

#[test]
fn bindings_see_earlier_ones() {
    let query = query(
        "FROM Sample WITH n * 2 AS twice, twice + 1 AS more, \
         aparse(text, '* *') AS (first, second) SELECT more, second, first",
    );
    let mut scope = scope();
    query.bindings.iter().for_each(|binding| scope.bind(binding).expect("binds"));
    assert_eq!(scope.bound().collect::<Vec<_>>(), ["first", "more", "second", "twice"]);
    let row = sample();
    let batch = Batch::from_rows("Sample", std::slice::from_ref(&row.0));
    let expected = [Value::Number(11.0), Value::text("World"), Value::text("Hello")];
    for (item, expected) in query.select.iter().zip(expected) {
        let expr = compile(&item.expr, &scope).expect("compiles");
        assert_eq!(expr.eval_row(&row), expected);
        assert_eq!(expr.eval(&batch).value(0), expected);
    }
}

/// Each name is evaluated wherever it stands: forty doublings would never end.
#[test]
fn bindings_cannot_grow_without_bound() {
    let mut scope = scope();
    let mut ended = None;
    for level in 0..40 {
        let before = if level == 0 { "n".to_owned() } else { format!("x{}", level - 1) };
        let query = query(&format!("FROM Sample WITH {before} + {before} AS x{level} SELECT n"));
        if let Err(fault) = scope.bind(&query.bindings[0]) {
            ended = Some((level, fault));
            break;
        }
    }
    let (level, fault) = ended.expect("an end");
    assert_eq!((level, fault.kind), (12, crate::nrql::ErrorKind::Limit));
    assert_eq!(fault.message, "The expression is too complex");
}

#[test]
fn sub_queries_are_answered_by_the_scope() {
    let text = "SELECT count(*) FROM Sample WHERE digits IN (FROM Other SELECT uniques(a)) \
                AND n > (SELECT average(n) FROM Other)";
    let whole = query(text);
    let filter = whole.filter.expect("WHERE");
    let mut scope = scope();
    let fault = compile(&filter, &scope).expect_err("nobody has answered");
    assert_eq!(fault.message, "Sub-queries are not allowed here");
    let members = Value::List(vec![Value::text("4"), Value::text("5")]);
    scope.answer(query("FROM Other SELECT uniques(a)"), members);
    scope.answer(query("SELECT average(n) FROM Other"), Value::Number(4.5));
    assert!(compile(&filter, &scope).expect("compiles").is_true(&sample()));
}

#[test]
fn errors_name_what_is_wrong() {
    let cases = [
        ("baseline(n)", "Unknown function baseline()"),
        ("abs()", "abs() takes one argument"),
        ("pow(n)", "pow() takes 2 arguments"),
        ("if(n)", "if() takes a condition and one or two values"),
        (
            "capture(text, r'(')",
            "capture() has an invalid regular expression '(': error: unclosed group",
        ),
        ("capture(text, r'a')", "capture() takes a pattern of 1 to 16 captures"),
        ("capture(text, r'(a{1000}){1000}')", "capture() has an invalid regular expression"),
        ("hourOf(timestamp, roman)", "hourOf() takes string or numeric as its format"),
    ];
    for (text, expected) in cases {
        let fault = compiled(text, &scope()).expect_err(text);
        assert!(fault.message.starts_with(expected), "{text}: {}", fault.message);
    }
    let attributes =
        compiled("n + if(text = 'a', gauge[sum], absent)", &scope()).expect("compiles");
    let names = attributes.attributes();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    assert_eq!(names, ["absent", "gauge", "n", "text"]);
    assert_eq!(
        compiled("1 + 1", &scope()).expect("compiles").constant(),
        Some(&Value::Number(2.0))
    );
    assert!(is_scalar("hourOf") && is_scalar("IF") && !is_scalar("count"));
}

/// Values that meet in one attribute.
fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(Value::Null),
        4 => (-3i32..4).prop_map(|number| Value::Number(f64::from(number) / 2.0)),
        1 => prop::sample::select(vec![i64::MAX, i64::MAX - 1, i64::MIN]).prop_map(Value::Integer),
        4 => prop::sample::select(vec!["a", "B", "ab", "true", "FALSE", "1", "é"]).prop_map(Value::text),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => (0i32..3).prop_map(|n| Value::Metric(Arc::new(MetricValue::gauge(n.into())))),
        1 => (0i32..3).prop_map(|n| Value::Metric(Arc::new(MetricValue::count(n.into())))),
    ]
}

/// Columns of one kind are the fast paths, so most rows of a table share kinds.
fn tables() -> impl Strategy<Value = Vec<IndexMap<Arc<str>, Value>>> {
    let column = (any::<u8>(), prop::collection::vec(values(), 70));
    (prop::collection::vec(column, 3), 0usize..70).prop_map(|(columns, rows)| {
        let of = |kind: u8, value: &Value| match (kind % 4, value) {
            (0, Value::Number(_) | Value::Null) | (1, Value::Text(_) | Value::Null) => {
                value.clone()
            }
            (2 | 3, value) => value.clone(),
            _ => Value::Null,
        };
        (0..rows)
            .map(|row| {
                let names = ["a", "b", "c"].into_iter().zip(&columns);
                names.map(|(name, (kind, own))| (Arc::from(name), of(*kind, &own[row]))).collect()
            })
            .collect()
    })
}

fn texts() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "absent",
        "1",
        "0.5",
        "'a'",
        "'AB'",
        "true",
        "9223372036854775807",
        "null",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let operators = vec!["+", "-", "*", "/", "%", "=", "!=", "<", "<=", ">", ">=", "AND", "OR"];
        let of_one = vec![
            "NOT (@)",
            "(@ IS NULL)",
            "(@ IS NOT TRUE)",
            "(@ IS FALSE)",
            "abs(@)",
            "lower(@)",
            "length(@)",
            "(@ LIKE '%a%')",
            "(@ NOT LIKE 'a%')",
            "(@ RLIKE r'a.*')",
            "string(@)",
            "(@ IN ('a', 1, 'true'))",
            "(@ NOT IN ('b', 0.5, true))",
            "numeric(@)",
            "a[sum]",
            "getField(b, count)",
            "boolean(@)",
            "concat(@, '-', a)",
            "capture(@, r'(.).*')",
            "-(@)",
            "substring(@, 1)",
            "round(@)",
            "tuple(@, b)[0]",
            "position(@, 'b')",
        ];
        prop_oneof![
            (two.clone(), prop::sample::select(operators))
                .prop_map(|((left, right), operator)| format!("({left} {operator} {right})")),
            (inner.clone(), prop::sample::select(of_one))
                .prop_map(|(operand, form)| form.replace('@', &operand)),
            (inner, two).prop_map(|(condition, (then, otherwise))| format!(
                "if({condition}, {then}, {otherwise})"
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn columns_and_rows_agree(text in texts(), rows in tables()) {
        let expr = compiled(&text, &scope()).expect(&text);
        let batch = Batch::from_rows("Sample", &rows);
        let column = expr.eval(&batch);
        let selected = expr.select(&batch);
        prop_assert_eq!(column.len(), rows.len());
        let (numbers, valid) = column.numbers();
        let there = column.validity();
        for (at, values) in rows.iter().enumerate() {
            let row = MapRow(values.clone());
            let expected = expr.eval_row(&row);
            prop_assert_eq!(column.value(at), expected.clone(), "{} of {:?}", text, values);
            prop_assert_eq!(selected.get(at), expr.is_true(&row), "{} of {:?}", text, values);
            prop_assert_eq!(there.get(at), expected != Value::Null);
            prop_assert_eq!(valid.get(at).then(|| numbers[at]), expected.as_f64());
        }
    }

    #[test]
    fn slices_and_picks_of_batches_agree(rows in tables(), cut in 0usize..70) {
        let batch = Batch::from_rows("Sample", &rows);
        let cut = cut.min(rows.len());
        let reversed: Vec<u32> = (0..rows.len() as u32).rev().collect();
        let taken = batch.take(&reversed);
        for name in ["a", "b", "c"] {
            let Some(column) = batch.column(name) else { continue };
            let tail = column.clone().slice(cut, rows.len());
            let back = taken.column(name).expect("the same columns");
            for (at, _) in rows.iter().enumerate() {
                prop_assert_eq!(back.value(rows.len() - 1 - at), column.value(at));
                if at >= cut {
                    prop_assert_eq!(tail.value(at - cut), column.value(at));
                }
            }
        }
    }
}
