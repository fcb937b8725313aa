//! `docs/NRQL.md`, made of the tables of the code.

use std::fmt::Write as _;
use std::path::Path;

use super::eval::QueryLimits;
use super::lint::{Basis, CODES, Function, FunctionKind, functions};
use super::{HEIGHT_MAX, NESTING_MAX, TEXT_BYTES_MAX};

const HEAD: &str = "\
# NRQL

The query language as it is understood here: by `shakedown nrql check` and `eval`, by the \
simulated New Relic and by every check that asks it. Generated from the tables of `src/nrql/`; a \
test compares this file with them. Write it anew with \
`SHAKEDOWN_BLESS=1 cargo test --lib nrql::document`.

*Documented* is what New Relic's pages say, *assumed* what they leave open and was chosen here. \
How well founded each behaviour is stands in the claims of `docs/NEWRELIC.md`, areas `nrql` and \
`nrql service`.
";

/// Clause, form, default, limits and meaning.
const CLAUSES: &[(&str, &str, &str)] = &[
    (
        "`SELECT item [AS 'name'], …`",
        "required, but not beside `SHOW EVENT TYPES`",
        "aggregates, or attributes and `*`; `FROM` may stand first",
    ),
    (
        "`FROM Type, …`",
        "required, but not behind `WITH`",
        "several types at once; `FROM (SELECT …)` asks the answer of an inner query, to any depth",
    ),
    (
        "`WHERE c`",
        "all rows",
        "`= != < <= > >=`, `AND OR NOT`, `IS [NOT] NULL\\|TRUE\\|FALSE`, `[NOT] IN (…)`, `[NOT] LIKE`, `[NOT] RLIKE`; no `BETWEEN`",
    ),
    (
        "`WITH e AS name`",
        "–",
        "a name for a value of the row; several names for a list, as of `aparse`",
    ),
    (
        "`a.%.b`, `%.b`",
        "–",
        "every attribute that fits, in `SELECT` and `WHERE`; of one row the first that it has",
    ),
    (
        "`FACET a, …`",
        "–",
        "1 to 5 attributes or expressions; `AS 'name'`; `ORDER BY f()`; a null makes no facet",
    ),
    (
        "`FACET CASES (WHERE c AS 'x', …)`",
        "–",
        "the first case that holds; `OR 'Other'` for the rest",
    ),
    (
        "`TIMESERIES n unit`",
        "`AUTO`",
        "366 buckets at most, counted back from the end of the window; `AUTO`, `MAX`",
    ),
    ("`SLIDE BY n unit`", "–", "behind buckets of a fixed width: each begins that much later"),
    ("`SINCE t`", "`1 hour ago`", "inclusive; outermost query and sub-queries"),
    ("`UNTIL t`", "`NOW`", "exclusive; outermost query and sub-queries"),
    (
        "`COMPARE WITH n unit AGO`",
        "–",
        "the same window earlier, with the facets of the present one",
    ),
    ("`WITH TIMEZONE 'zone'`", "UTC", "where days begin, and texts without a zone are"),
    (
        "`LIMIT n\\|MAX`",
        "10 facets, 100 events",
        "5,000; what is above is cut, with a remark; inner queries have it too",
    ),
    ("`OFFSET n`", "0", "events left out first"),
    ("`ORDER BY a [ASC\\|DESC]`", "newest first", "events only"),
    (
        "`[INNER\\|LEFT] JOIN (FROM …) ON a = b`",
        "`INNER`",
        "a sub-query's rows beside those of the query",
    ),
    ("`RAW`", "–", "without effect: there are no roll-ups"),
    ("`EXPLAIN`", "–", "a remark in the metadata"),
    ("`SHOW EVENT TYPES`", "last hour", "types that have events in the window"),
];

/// Query and elements of `results`.
const SHAPES: &[(&str, &str, Basis)] = &[
    ("`SELECT count(*)`", "`{\"count\": 12}`", Basis::Documented),
    ("`SELECT average(a), sum(b) AS 'B'`", "`{\"average.a\": 1.5, \"B\": 7}`", Basis::Documented),
    (
        "`SELECT average(a) / 2`",
        "`{\"average(a) / 2\": 0.75}`: the text is the key",
        Basis::Assumed,
    ),
    (
        "`SELECT percentile(a, 95, 99)`",
        "`{\"percentile.a\": {\"95\": 1.0, \"99\": 3.0}}`",
        Basis::Documented,
    ),
    ("`SELECT uniques(a)`", "`{\"uniques.a\": [\"x\", \"y\"]}`", Basis::Documented),
    (
        "`SELECT histogram(a, 20, 10)`",
        "`{\"histogram.a\": {\"0\": 50, \"20\": 12, …}}`; raw a list",
        Basis::Assumed,
    ),
    ("`… FACET a`", "`{\"facet\": \"x\", \"a\": \"x\", \"count\": 3}`", Basis::Documented),
    ("`… FACET a, b`", "`{\"facet\": [\"x\", \"y\"], \"count\": 3}`", Basis::Documented),
    ("`… FACET CASES (…)`", "`{\"facet\": \"Good\", \"count\": 3}`", Basis::Documented),
    (
        "`… TIMESERIES`",
        "`{\"beginTimeSeconds\": 0, \"endTimeSeconds\": 60, \"count\": 3}` a bucket",
        Basis::Documented,
    ),
    ("`… FACET a TIMESERIES`", "one for each facet and bucket", Basis::Documented),
    ("`… COMPARE WITH …`", "`\"comparison\": \"current\"` and `\"previous\"`", Basis::Documented),
    ("`SELECT a, b` and `*`", "one object an event, with `timestamp`", Basis::Documented),
    (
        "aggregates of no row",
        "one object: counts and sums 0, others null; with `FACET` none",
        Basis::Documented,
    ),
];

/// What differs from live New Relic, or what nobody could tell.
const UNKNOWN: &[&str] = &[
    "There are no roll-ups: long windows read every point, and `RAW` changes nothing.",
    "A comparison with null is false, also `!=`, `NOT IN` and `NOT LIKE`. The pages do not say so; \
published dashboards write `a != 'x' OR a IS NULL`.",
    "The text `true` equals the value true, since events store truth values as texts.",
    "Reserved words as names need no back-quotes here; the lint warns (`reserved-word`).",
    "Keys of results of expressions without `AS`, and the shapes of `histogram`, `median`, `apdex` \
and `cdfPercentage`, are not published.",
    "Widths of `TIMESERIES AUTO` are published for a day and for a week only.",
    "Facets of equal rank stand by their value, so that the same events give the same answer.",
    "`stddev` and `stdvar` are those of a population; halves are rounded up; `rate`, `derivative` and \
`latestrate` without an interval are per second; a percentage of nothing is null.",
    "How exact `uniqueCount` is beyond 256 values is not published.",
    "Time-outs are counted in rows and not in seconds, so that an answer does not depend on the \
machine.",
    "Wording of errors follows published ones for syntax (`unexpected '…'`) and is our own elsewhere.",
    "Functions that are called refused below are known to the lint; a query with one is refused.",
];

/// The text of `docs/NRQL.md`.
fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "\n## Clauses\n\nIn any order behind `SELECT` and `FROM`; case does not count.\n\n",
    );
    text.push_str("| Clause | Default | Meaning and limits |\n|---|---|---|\n");
    for (form, default, meaning) in CLAUSES {
        writeln!(text, "| {form} | {default} | {meaning} |").expect("a string");
    }
    limits(&mut text);
    text.push_str("\n## Aggregates\n");
    table(&mut text, FunctionKind::Aggregate);
    text.push_str(
        "\n## Functions of single rows\n\nThey stand in aggregates, in conditions and in facets.\n",
    );
    table(&mut text, FunctionKind::Scalar);
    text.push_str("\n## Results\n\n| Query | Elements of `results` | Level |\n|---|---|---|\n");
    for (query, shape, level) in SHAPES {
        writeln!(text, "| {query} | {shape} | {} |", level.as_str()).expect("a string");
    }
    text.push_str(
        "\n## Lint\n\nError: the query fails or answers something else than it asks. Warning: ",
    );
    text.push_str("probably not what is meant. Advice: it works.\n\n");
    text.push_str("| Code | Severity | Meaning |\n|---|---|---|\n");
    for (code, severity, meaning) in CODES {
        writeln!(text, "| `{code}` | {} | {meaning} |", severity.as_str()).expect("a string");
    }
    text.push_str("\n## What differs from New Relic, or is unknown\n\n");
    for line in UNKNOWN {
        writeln!(text, "- {line}").expect("a string");
    }
    text
}

fn limits(text: &mut String) {
    let QueryLimits { rows_max, groups_max, bytes_max, subqueries_max, results_max } =
        QueryLimits::default();
    text.push_str("\n## Limits\n\n| What | At most |\n|---|---|\n");
    let rows: [(&str, u64); 8] = [
        ("rows or facets of an answer", results_max),
        ("sub-queries", subqueries_max as u64),
        ("rows that all steps of a query go through (its time-out)", rows_max),
        ("facets that a step tells apart", groups_max as u64),
        ("bytes that a query holds", bytes_max as u64),
        ("bytes of a query's text", TEXT_BYTES_MAX as u64),
        ("parentheses and inner queries, one in another", NESTING_MAX as u64),
        ("height of an expression", HEIGHT_MAX as u64),
    ];
    for (what, most) in rows {
        writeln!(text, "| {what} | {most} |").expect("a string");
    }
}

fn table(text: &mut String, kind: FunctionKind) {
    text.push_str("\n| Call | Arguments | Nulls | Result | Level |\n|---|---|---|---|---|\n");
    let mut rows: Vec<Function> = functions().filter(|row| row.kind == kind).collect();
    rows.sort_by_key(|row| row.name);
    for row in rows {
        let arguments = match (row.least, row.most) {
            (least, usize::MAX) => format!("{least} and more"),
            (least, most) if least == most => format!("{least}"),
            (least, most) => format!("{least} to {most}"),
        };
        let Function { nulls, written, meaning, .. } = row;
        let level = row.basis.as_str();
        writeln!(text, "| `{written}` | {arguments} | {nulls} | {meaning} | {level} |")
            .expect("a string");
    }
}

#[test]
fn the_document_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/NRQL.md");
    let text = document();
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "write it anew: SHAKEDOWN_BLESS=1 cargo test --lib nrql::document");
}

/// A call stands in the row of the function that it calls, and the lint has no complaint about
/// how many arguments it has.
#[test]
fn the_calls_of_the_document_are_those_of_their_rows() {
    for function in functions().filter(|function| function.name != "lookup") {
        let call = function.written.to_ascii_lowercase();
        assert!(call.starts_with(&format!("{}(", function.name)), "{}", function.written);
        if function.written.contains(['…', '[', '*']) || function.name == "dimensions" {
            continue;
        }
        let text = format!("SELECT {} FROM T", function.written.replace("(f(a)", "(sum(a)"));
        let statement = super::parse(&text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let findings = super::lint::lint(&statement, None);
        let wrong = findings
            .iter()
            .find(|finding| matches!(finding.code, "wrong-arguments" | "unknown-function"));
        assert_eq!(wrong, None, "{text}");
    }
}
