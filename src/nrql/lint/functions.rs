//! The functions of NRQL, as its reference lists them.

/// What a function works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    /// All rows of a window, a facet or a bucket.
    Aggregate,
    /// One row.
    Scalar,
}

use FunctionKind::{Aggregate, Scalar};

/// No upper bound.
const MANY: usize = usize::MAX;

/// Name in lower case, kind, least and most arguments.
const FUNCTIONS: &[(&str, FunctionKind, usize, usize)] = &[
    ("abs", Scalar, 1, 1),
    ("accountid", Scalar, 0, 0),
    ("aggregationendtime", Aggregate, 0, 0),
    ("aparse", Scalar, 2, 2),
    ("apdex", Aggregate, 1, 2),
    ("average", Aggregate, 1, 1),
    ("blob", Scalar, 1, 1),
    ("boolean", Scalar, 1, 1),
    ("bucketpercentile", Aggregate, 1, MANY),
    ("buckets", Scalar, 1, 4),
    ("bytecountestimate", Aggregate, 0, 1),
    ("capture", Scalar, 2, 2),
    ("cardinality", Aggregate, 0, 3),
    ("cases", Scalar, 1, MANY),
    ("cdfpercentage", Aggregate, 2, 11),
    ("ceil", Scalar, 1, 1),
    ("cidraddress", Scalar, 1, 3),
    ("clamp_max", Scalar, 2, 2),
    ("clamp_min", Scalar, 2, 2),
    ("concat", Scalar, 0, 21),
    ("contains", Scalar, 2, 2),
    ("convert", Scalar, 3, 3),
    ("correlation", Aggregate, 2, 2),
    ("count", Aggregate, 1, 1),
    ("covariance", Aggregate, 2, 2),
    ("datapointcount", Aggregate, 0, 1),
    ("dateof", Scalar, 1, 1),
    ("datetimeof", Scalar, 1, 1),
    ("dayofmonthof", Scalar, 1, 2),
    ("decode", Scalar, 2, 2),
    ("derivative", Aggregate, 1, 2),
    ("dimensions", Scalar, 0, 2),
    ("earliest", Aggregate, 1, 1),
    ("encode", Scalar, 2, 2),
    ("entitymetadata", Scalar, 0, 1),
    ("eventtype", Scalar, 0, 0),
    ("exp", Scalar, 1, 1),
    ("filter", Aggregate, 2, 2),
    ("floor", Scalar, 1, 1),
    ("fromdatetime", Scalar, 1, 3),
    ("fromtimestamp", Scalar, 1, 3),
    ("funnel", Aggregate, 2, MANY),
    ("getcdfcount", Scalar, 2, 2),
    ("getfield", Scalar, 2, 2),
    ("histogram", Aggregate, 1, 4),
    ("hourof", Scalar, 1, 2),
    ("if", Scalar, 2, 3),
    ("indexof", Scalar, 2, 3),
    ("join", Scalar, 1, 2),
    ("jparse", Scalar, 1, 2),
    ("keyset", Aggregate, 0, 0),
    ("latest", Aggregate, 1, 1),
    ("latestrate", Aggregate, 1, 2),
    ("length", Scalar, 1, 1),
    ("ln", Scalar, 1, 1),
    ("log", Scalar, 1, 2),
    ("log10", Scalar, 1, 1),
    ("log2", Scalar, 1, 1),
    ("lookup", Scalar, 1, 1),
    ("lower", Scalar, 1, 1),
    ("mapkeys", Scalar, 1, 1),
    ("mapvalues", Scalar, 1, 1),
    ("max", Aggregate, 1, 1),
    ("median", Aggregate, 1, 1),
    ("min", Aggregate, 1, 1),
    ("minuteof", Scalar, 1, 2),
    ("mod", Scalar, 2, 2),
    ("mode", Aggregate, 1, 1),
    ("monthof", Scalar, 1, 2),
    ("newrelicblob", Scalar, 1, 1),
    ("numeric", Scalar, 1, 1),
    ("percentage", Aggregate, 2, 2),
    ("percentile", Aggregate, 1, MANY),
    ("position", Scalar, 2, 3),
    ("pow", Scalar, 2, 2),
    ("predictlinear", Aggregate, 1, 2),
    ("quarterof", Scalar, 1, 2),
    ("rate", Aggregate, 1, 2),
    ("round", Scalar, 1, 2),
    ("row_id", Scalar, 0, 0),
    ("secondof", Scalar, 1, 1),
    ("split", Scalar, 2, 2),
    ("sqrt", Scalar, 1, 1),
    ("stddev", Aggregate, 1, 1),
    ("stdvar", Aggregate, 1, 1),
    ("string", Scalar, 1, 2),
    ("substring", Scalar, 2, 3),
    ("sum", Aggregate, 1, 1),
    ("timestamp", Scalar, 0, 1),
    ("todatetime", Scalar, 1, 3),
    ("totimestamp", Scalar, 1, 3),
    ("trim", Scalar, 1, 1),
    ("tuple", Scalar, 1, MANY),
    ("uniquecount", Aggregate, 1, MANY),
    ("uniques", Aggregate, 1, MANY),
    ("upper", Scalar, 1, 1),
    ("weekdayof", Scalar, 1, 2),
    ("weekof", Scalar, 1, 1),
    ("yearof", Scalar, 1, 2),
];

/// Aggregates whose first argument is an aggregate.
pub(super) const WRAPPERS: &[&str] =
    &["filter", "percentage", "rate", "predictlinear", "derivative"];

/// Kind, least and most arguments of the function called `name`, whose case does not count.
pub fn function(name: &str) -> Option<(FunctionKind, usize, usize)> {
    let plain = name.to_ascii_lowercase();
    let at = FUNCTIONS.binary_search_by(|(known, ..)| (*known).cmp(&plain)).ok()?;
    FUNCTIONS.get(at).map(|(_, kind, least, most)| (*kind, *least, *most))
}

/// The function that `name` most probably means.
pub(in crate::nrql) fn nearest(name: &str) -> Option<&'static str> {
    const OTHERS: &[(&str, &str)] = &[
        ("avg", "average"),
        ("mean", "average"),
        ("count_distinct", "uniqueCount"),
        ("distinct", "uniques"),
        ("p95", "percentile"),
        ("quantile", "percentile"),
        ("last", "latest"),
        ("first", "earliest"),
        ("coalesce", "a OR b"),
        ("ifnull", "a OR b"),
        ("isnull", "a IS NULL"),
        ("cast", "numeric"),
        ("replace", "concat"),
        ("now", "SINCE and UNTIL"),
    ];
    let plain = name.to_ascii_lowercase();
    if let Some((_, ours)) = OTHERS.iter().find(|(other, _)| *other == plain) {
        return Some(ours);
    }
    FUNCTIONS
        .iter()
        .map(|(known, ..)| (strsim::damerau_levenshtein(&plain, known), *known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_found_in_any_case() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(function("uniqueCount"), Some((Aggregate, 1, MANY)));
        assert_eq!(function("LATEST").map(|(kind, ..)| kind), Some(Aggregate));
        assert_eq!(function("baseline"), None);
        assert_eq!(nearest("averge"), Some("average"));
        assert_eq!(nearest("avg"), Some("average"));
        assert_eq!(nearest("zzzzzz"), None);
    }
}
