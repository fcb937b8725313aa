//! The functions of NRQL, as its reference lists them.

pub use super::function_table::Basis;
use super::function_table::TABLES;

/// What a function works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    /// All rows of a window, a facet or a bucket.
    Aggregate,
    /// One row.
    Scalar,
}

/// One function of NRQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// In lower case.
    pub name: &'static str,
    /// What it works on.
    pub kind: FunctionKind,
    /// How well founded its meaning is.
    pub basis: Basis,
    /// Least arguments.
    pub least: usize,
    /// Most arguments; `usize::MAX` for any number.
    pub most: usize,
    /// What becomes of nulls.
    pub nulls: &'static str,
    /// A call, with defaults in their places.
    pub written: &'static str,
    /// What it gives.
    pub meaning: &'static str,
}

/// All functions: aggregates, then those of single rows.
pub fn all() -> impl Iterator<Item = Function> {
    TABLES.iter().flat_map(|(kind, basis, rows)| {
        rows.iter().map(|&(name, least, most, nulls, written, meaning)| Function {
            name,
            kind: *kind,
            basis: *basis,
            least,
            most,
            nulls,
            written,
            meaning,
        })
    })
}

/// Aggregates whose first argument is an aggregate.
pub(super) const WRAPPERS: &[&str] =
    &["filter", "percentage", "rate", "predictlinear", "derivative"];

/// Kind, least and most arguments of the function called `name`, whose case does not count.
pub fn function(name: &str) -> Option<(FunctionKind, usize, usize)> {
    let found = all().find(|function| function.name.eq_ignore_ascii_case(name))?;
    Some((found.kind, found.least, found.most))
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
        ("now", "SINCE and UNTIL"),
    ];
    let plain = name.to_ascii_lowercase();
    if let Some((_, ours)) = OTHERS.iter().find(|(other, _)| *other == plain) {
        return Some(ours);
    }
    all()
        .map(|function| (strsim::damerau_levenshtein(&plain, function.name), function.name))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nrql::eval;

    #[test]
    fn a_name_stands_once_and_is_found_in_any_case() {
        let mut names: Vec<_> = all().map(|function| function.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
        assert!(all().all(|function| function.least <= function.most));
        assert_eq!(function("uniqueCount"), Some((FunctionKind::Aggregate, 1, usize::MAX)));
        assert_eq!(function("LATEST").map(|(kind, ..)| kind), Some(FunctionKind::Aggregate));
        assert_eq!(function("baseline"), None);
        assert_eq!(nearest("averge"), Some("average"));
        assert_eq!(nearest("avg"), Some("average"));
        assert_eq!(nearest("zzzzzz"), None);
    }

    /// The evaluator computes what the tables do not call refused, and nothing else.
    #[test]
    fn the_tables_and_the_evaluator_know_the_same_functions() {
        // A form of whole queries: neither an aggregate nor a function of a row's values.
        const FORMS: &[&str] = &["keyset"];
        for function in all() {
            let name = function.name;
            let is_evaluated =
                eval::is_aggregate(name) || eval::expr::is_scalar(name) || FORMS.contains(&name);
            assert_eq!(is_evaluated, function.basis != Basis::Refused, "{name}");
            if is_evaluated && !FORMS.contains(&name) {
                let is_aggregate = function.kind == FunctionKind::Aggregate;
                assert_eq!(is_aggregate, eval::is_aggregate(name), "{name}");
            }
        }
        let known = eval::expr::scalar_names().chain(eval::aggregate_names());
        for name in known {
            assert!(function(name).is_some(), "{name} has no row");
        }
    }
}
