//! Every function of NRQL: how it is called, what it gives, what it makes of nulls.
//!
//! Invariants: a name stands once, in lower case; `docs/NRQL.md` is made of these tables, and the
//! evaluator computes what they do not call refused, and nothing else.

use super::functions::FunctionKind::{self, Aggregate, Scalar};

/// How well founded a function's meaning is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// New Relic's reference describes it.
    Documented,
    /// The reference names it at most; what it does was chosen here.
    Assumed,
    /// New Relic has it; a query with it is refused here.
    Refused,
}

impl Basis {
    /// In lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Assumed => "assumed",
            Self::Refused => "refused",
        }
    }
}

/// Name, least and most arguments, what becomes of nulls, how it is written, what it gives.
pub(super) type Row = (&'static str, usize, usize, &'static str, &'static str, &'static str);

/// No upper bound.
pub(super) const MANY: usize = usize::MAX;

const PASS: &str = "null";
const SKIP: &str = "skipped; null of none";
const ZERO: &str = "skipped; 0 of none";
const INNER: &str = "as the inner one";
const KEPT: &str = "kept";
const NONE: &str = "–";

/// All functions.
pub(super) const TABLES: &[(FunctionKind, Basis, &[Row])] = &[
    (Aggregate, Basis::Documented, AGGREGATES),
    (Aggregate, Basis::Assumed, ASSUMED_AGGREGATES),
    (Aggregate, Basis::Refused, REFUSED_AGGREGATES),
    (Scalar, Basis::Documented, SCALARS),
    (Scalar, Basis::Assumed, ASSUMED_SCALARS),
    (Scalar, Basis::Refused, REFUSED_SCALARS),
];

const AGGREGATES: &[Row] = &[
    (
        "apdex",
        1,
        2,
        SKIP,
        "apdex(a, t: 0.5)",
        "score and shares of satisfied, tolerated, frustrated",
    ),
    ("average", 1, 1, SKIP, "average(a)", "mean of numbers; of metrics sum by count"),
    ("bucketpercentile", 1, MANY, SKIP, "bucketPercentile(a_bucket, p…)", "of Prometheus buckets"),
    ("cardinality", 0, 3, ZERO, "cardinality(metric)", "distinct combinations of attributes"),
    ("cdfpercentage", 2, 11, SKIP, "cdfPercentage(a, n…)", "share of values up to each n"),
    ("count", 1, 1, ZERO, "count(*), count(a)", "rows, or rows with a value; of Metric the points"),
    ("datapointcount", 0, 1, ZERO, "datapointCount()", "points that were sent"),
    ("derivative", 1, 2, SKIP, "derivative(a, 1 second)", "slope of the line through the values"),
    ("earliest", 1, 1, SKIP, "earliest(a)", "value of the oldest row that has one"),
    ("filter", 2, 2, INNER, "filter(f(a), WHERE …)", "an aggregate of the rows that match"),
    (
        "funnel",
        2,
        MANY,
        ZERO,
        "funnel(a, WHERE … AS 'x', …)",
        "values of a that took 2 to 10 steps",
    ),
    ("histogram", 1, 4, ZERO, "histogram(a, 10, 40, 0)", "rows by range: width, buckets, start"),
    ("keyset", 0, 0, NONE, "keyset()", "attributes and their types, one a row"),
    ("latest", 1, 1, SKIP, "latest(a)", "value of the newest row that has one"),
    ("latestrate", 1, 2, SKIP, "latestrate(a, 1 second)", "change between the last two values"),
    ("max", 1, 1, SKIP, "max(a)", "largest number"),
    ("median", 1, 1, SKIP, "median(a)", "percentile(a, 50)"),
    ("min", 1, 1, SKIP, "min(a)", "smallest number"),
    (
        "percentage",
        2,
        2,
        "null of none",
        "percentage(f(a), WHERE …)",
        "filtered aggregate by all, × 100",
    ),
    ("percentile", 1, MANY, SKIP, "percentile(a, 95, …)", "approximate; middle of the bucket hit"),
    ("predictlinear", 1, 2, SKIP, "predictLinear(a, 1 hour)", "the line through the values, ahead"),
    ("rate", 1, 2, INNER, "rate(f(a), 1 minute)", "an aggregate scaled to an interval"),
    ("stddev", 1, 1, SKIP, "stddev(a)", "standard deviation of a population"),
    ("stdvar", 1, 1, SKIP, "stdvar(a)", "variance of a population"),
    ("sum", 1, 1, ZERO, "sum(a)", "numbers added up; of metrics their sums or counts"),
    (
        "uniquecount",
        1,
        MANY,
        ZERO,
        "uniqueCount(a, …, precision: 14)",
        "distinct values; an estimate beyond 256",
    ),
    ("uniques", 1, MANY, "skipped", "uniques(a, 1000)", "distinct values, 10,000 at most"),
];

const ASSUMED_AGGREGATES: &[Row] = &[
    ("aggregationendtime", 0, 0, NONE, "aggregationEndTime()", "end of the window or bucket"),
    ("bytecountestimate", 0, 1, ZERO, "bytecountestimate()", "bytes of names and values"),
];

const REFUSED_AGGREGATES: &[Row] = &[
    ("correlation", 2, 2, SKIP, "correlation(a, b)", "how two numbers go together"),
    ("covariance", 2, 2, SKIP, "covariance(a, b)", "how two numbers vary together"),
    ("mode", 1, 1, SKIP, "mode(a)", "most frequent value"),
];

const SCALARS: &[Row] = &[
    ("abs", 1, 1, PASS, "abs(n)", "size without sign"),
    ("accountid", 0, 0, NONE, "accountId()", "account of the row"),
    ("aparse", 2, 2, PASS, "aparse(s, 'x*y%')", "texts at the * of a pattern, of several a list"),
    ("boolean", 1, 1, PASS, "boolean(a)", "truth value of a text"),
    ("buckets", 1, 4, PASS, "buckets(a, 10, 40, 0)", "range that a number is in; for FACET"),
    ("capture", 2, 2, PASS, "capture(s, r'(?P<x>…)')", "named groups of a regular expression"),
    ("cases", 1, MANY, NONE, "cases(WHERE … AS 'x', …)", "first case that holds; for FACET"),
    ("ceil", 1, 1, PASS, "ceil(n)", "next whole number above"),
    ("cidraddress", 1, 3, PASS, "cidrAddress(s, bits)", "network that an address is in"),
    ("clamp_max", 2, 2, PASS, "clamp_max(n, most)", "n, at most so much"),
    ("clamp_min", 2, 2, PASS, "clamp_min(n, least)", "n, at least so much"),
    ("concat", 0, 21, "left out", "concat(a, b, …, precision: 2)", "one text of up to 20 values"),
    ("convert", 3, 3, PASS, "convert(n, 'ms', 's')", "another unit"),
    ("dateof", 1, 1, PASS, "dateOf(t)", "January 2, 2026"),
    ("dayofmonthof", 1, 2, PASS, "dayOfMonthOf(t)", "1 to 31"),
    ("decode", 2, 2, PASS, "decode(s, 'base64')", "text from base64 or URL form"),
    ("encode", 2, 2, PASS, "encode(s, 'base64')", "text in base64 or URL form"),
    ("eventtype", 0, 0, NONE, "eventType()", "type of the row"),
    ("exp", 1, 1, PASS, "exp(n)", "e to the power of n"),
    ("floor", 1, 1, PASS, "floor(n)", "next whole number below"),
    ("getcdfcount", 2, 2, PASS, "getCdfCount(metric, n)", "values of a distribution up to n"),
    ("getfield", 2, 2, PASS, "getField(metric, count), metric[count]", "a member of a metric"),
    ("hourof", 1, 2, PASS, "hourOf(t)", "18:00"),
    ("if", 2, 3, "not chosen by a null", "if(c, a, b)", "a where c holds, else b or null"),
    (
        "indexof",
        2,
        3,
        PASS,
        "indexOf(s, part, 0)",
        "where its nth occurrence begins, from 0; null if nowhere",
    ),
    ("join", 1, 2, "left out", "join(list, ', ')", "one text of a list"),
    ("jparse", 1, 2, PASS, "jparse(s, 'path')", "value in a JSON text"),
    ("length", 1, 1, PASS, "length(a)", "characters, or members"),
    ("ln", 1, 1, PASS, "ln(n)", "natural logarithm; null up to 0"),
    ("log", 1, 2, PASS, "log(n, base)", "logarithm, natural without a base"),
    ("log10", 1, 1, PASS, "log10(n)", "logarithm to 10"),
    ("log2", 1, 1, PASS, "log2(n)", "logarithm to 2"),
    ("lower", 1, 1, PASS, "lower(s)", "in lower case"),
    ("mapkeys", 1, 1, PASS, "mapKeys(map)", "its keys"),
    ("mapvalues", 1, 1, PASS, "mapValues(map)", "its values"),
    ("minuteof", 1, 2, PASS, "minuteOf(t)", "0 to 59"),
    ("mod", 2, 2, PASS, "mod(n, d)", "remainder with the sign of d"),
    ("monthof", 1, 2, PASS, "monthOf(t)", "January 2026"),
    ("numeric", 1, 1, PASS, "numeric(s)", "number of a text"),
    ("position", 2, 3, PASS, "position(s, part, 0)", "as indexOf"),
    ("pow", 2, 2, PASS, "pow(n, e)", "n to the power of e"),
    ("quarterof", 1, 2, PASS, "quarterOf(t)", "Q1 2026"),
    ("round", 1, 2, PASS, "round(n, 0.01)", "nearest multiple of 1 or the second; halves go up"),
    ("split", 2, 2, PASS, "split(s, ',')", "a list of parts"),
    ("sqrt", 1, 1, PASS, "sqrt(n)", "square root; null below 0"),
    ("string", 1, 2, PASS, "string(a, precision: 2)", "text of a value"),
    ("substring", 2, 3, PASS, "substring(s, start, length)", "part of a text, from 0"),
    ("todatetime", 1, 3, PASS, "toDatetime(t, 'yyyy-MM-dd')", "text of a time"),
    ("totimestamp", 1, 3, PASS, "toTimestamp(s, 'yyyy-MM-dd')", "milliseconds of a text"),
    ("trim", 1, 1, PASS, "trim(s)", "without spaces around it"),
    ("tuple", 1, MANY, KEPT, "tuple(a, b, …)", "a list; for FACET and uniques"),
    ("upper", 1, 1, PASS, "upper(s)", "in upper case"),
    ("weekdayof", 1, 2, PASS, "weekdayOf(t)", "Monday"),
    ("weekof", 1, 1, PASS, "weekOf(t)", "Week of December 29"),
    ("yearof", 1, 2, PASS, "yearOf(t)", "2026"),
];

const ASSUMED_SCALARS: &[Row] = &[
    ("acos", 1, 1, PASS, "acos(n)", "arc cosine"),
    ("asin", 1, 1, PASS, "asin(n)", "arc sine"),
    ("atan", 1, 1, PASS, "atan(n)", "arc tangent"),
    ("atan2", 2, 2, PASS, "atan2(y, x)", "angle of a point"),
    ("cbrt", 1, 1, PASS, "cbrt(n)", "cube root"),
    ("cos", 1, 1, PASS, "cos(n)", "cosine"),
    ("daysinmonthof", 1, 2, PASS, "daysInMonthOf(t)", "28 to 31"),
    ("fromdatetime", 1, 3, PASS, "fromDatetime(s, 'yyyy-MM-dd')", "as toTimestamp"),
    ("fromtimestamp", 1, 3, PASS, "fromTimestamp(t, 'yyyy-MM-dd')", "as toDatetime"),
    ("replace", 3, 3, PASS, "replace(s, part, other)", "every part replaced"),
    ("sign", 1, 1, PASS, "sign(n)", "-1, 0 or 1"),
    ("sin", 1, 1, PASS, "sin(n)", "sine"),
    ("tan", 1, 1, PASS, "tan(n)", "tangent"),
];

const REFUSED_SCALARS: &[Row] = &[
    ("blob", 1, 1, PASS, "blob(a)", "a long text kept aside"),
    ("contains", 2, 2, PASS, "contains(list, a)", "whether a is a member"),
    ("datetimeof", 1, 1, PASS, "datetimeOf(t)", "date and time"),
    ("dimensions", 0, 2, NONE, "dimensions(include: (…))", "attributes of a metric; for FACET"),
    ("entitymetadata", 0, 1, NONE, "entityMetadata()", "what is known of an entity"),
    ("lookup", 1, 1, NONE, "FROM lookup(table)", "rows of an uploaded table"),
    ("newrelicblob", 1, 1, PASS, "newrelicBlob(a)", "a long text kept aside"),
    ("row_id", 0, 0, NONE, "row_id()", "number of a row"),
    ("secondof", 1, 1, PASS, "secondOf(t)", "0 to 59"),
    ("timestamp", 0, 1, NONE, "timestamp()", "time of the row"),
];
