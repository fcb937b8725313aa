//! How well founded NRQL is, as it is understood here; `docs/NRQL.md` says the same at length.

use crate::sim::newrelic::claims::ClaimLevel::{Assumed, Conformant, Documented};
use crate::sim::newrelic::claims::{Claim, claim};

const REFERENCE: &str = "NRQL syntax, clauses, and functions";
const NESTED: &str = "Nested aggregation: ordered calculations with a single query";
const SUB: &str = "Subqueries in NRQL";
const JOIN: &str = "How to use JOIN in NRQL";
const TIME: &str = "Set time range on dashboards and charts";
const FUNNELS: &str = "Use funnels to evaluate related event data";
const METRICS: &str = "Query metric data type";
const LIVE: &str = "published live answers";
const NONE: &str = "none";

/// Behaviours of the query language.
pub(super) const CLAIMS: &[Claim] = &[
    claim("nrql", "clauses stand in any order behind SELECT and FROM", Documented, REFERENCE),
    claim("nrql", "without SINCE the window is the last hour", Documented, REFERENCE),
    claim("nrql", "LIMIT: 10 facets, 100 events by default, 5,000 at most", Documented, REFERENCE),
    claim("nrql", "LIMIT above 5,000 is cut, with a remark", Assumed, NONE),
    claim("nrql", "FACET takes five attributes or expressions", Documented, REFERENCE),
    claim(
        "nrql",
        "facets by the first function if count, min, max, average or percentile, else by frequency",
        Documented,
        REFERENCE,
    ),
    claim("nrql", "facets of equal rank stand by their value", Assumed, NONE),
    claim("nrql", "rows with a null in FACET make no facet", Documented, REFERENCE),
    claim("nrql", "rows without a facet count in the total only", Assumed, NONE),
    claim(
        "nrql",
        "TIMESERIES: 366 buckets, back from the end of the window",
        Documented,
        REFERENCE,
    ),
    claim(
        "nrql",
        "TIMESERIES AUTO: 30 minutes for a day, 6 hours for a week",
        Documented,
        REFERENCE,
    ),
    claim("nrql", "TIMESERIES AUTO: its widths for other windows", Assumed, NONE),
    claim("nrql", "SLIDE BY goes with a bucket of fixed width only", Documented, REFERENCE),
    claim(
        "nrql",
        "COMPARE WITH shows the facets of the present window in both",
        Documented,
        REFERENCE,
    ),
    claim(
        "nrql",
        "SINCE, UNTIL and COMPARE WITH only in the outermost of nested queries",
        Documented,
        NESTED,
    ),
    claim("nrql", "three sub-queries, with windows of their own", Documented, SUB),
    claim("nrql", "JOIN: its kinds, one a query, limits of its sides", Documented, JOIN),
    claim("nrql", "WITH names values of rows and may stand without FROM", Documented, REFERENCE),
    claim("nrql", "time expressions, units and time zones", Documented, TIME),
    claim("nrql", "begin and end of 45 worked examples of windows", Conformant, TIME),
    claim(
        "nrql",
        "BETWEEN is a syntax error",
        Assumed,
        "not in the reference, nor in any dashboard",
    ),
    claim(
        "nrql",
        "reserved words as names without back-quotes are read; lint warns",
        Assumed,
        "documented: back-quotes are needed",
    ),
    claim(
        "nrql",
        "names with % behind or before a dot stand for all that fit",
        Documented,
        METRICS,
    ),
    claim("nrql", "of one row such a name reads the first attribute by alphabet", Assumed, NONE),
    claim("nrql", "LIKE knows % alone and ignores case", Documented, REFERENCE),
    claim("nrql", "RLIKE: RE2 over the whole text", Documented, REFERENCE),
    claim("nrql", "a comparison with null is false, != and NOT IN, NOT LIKE too", Assumed, NONE),
    claim("nrql", "the text true equals the value true", Assumed, "events store booleans as texts"),
    claim("nrql", "texts and numbers are never equal", Documented, REFERENCE),
    claim("nrql", "halves are rounded up", Assumed, NONE),
    claim("nrql", "count(*) over Metric adds the counts of its points up", Documented, METRICS),
    claim("nrql", "uniques: 1,000 values by default, 10,000 at most", Documented, REFERENCE),
    claim("nrql", "uniqueCount: exact to 256 values, then an estimate", Documented, REFERENCE),
    claim("nrql", "uniqueCount: how many registers the estimate has", Assumed, NONE),
    claim(
        "nrql",
        "histogram: width 10, 40 buckets by default, 1 to 500 of them, ends take what is outside",
        Documented,
        REFERENCE,
    ),
    claim("nrql", "histogram: its result is a map by lower bound, raw a list", Assumed, LIVE),
    claim(
        "nrql",
        "percentile: log-linear, 320 buckets, so its error grows with the spread",
        Documented,
        REFERENCE,
    ),
    claim("nrql", "percentile: the values 1.015625, 3.03125, 19.25", Conformant, LIVE),
    claim("nrql", "funnel: steps in any order of their own, of one attribute", Documented, FUNNELS),
    claim("nrql", "stddev and stdvar are those of a population", Assumed, NONE),
    claim("nrql", "a percentage of nothing is null", Assumed, NONE),
    claim("nrql", "rate and derivative without an interval are per second", Assumed, NONE),
    claim("nrql", "the key of an expression without AS is its text", Assumed, NONE),
    claim("nrql", "shapes of median, apdex and cdfPercentage", Assumed, NONE),
    claim("nrql", "keyset: one row per attribute", Assumed, NONE),
    claim("nrql", "there are no roll-ups, so RAW changes nothing", Assumed, "documented: it does"),
    claim(
        "nrql",
        "syntax errors: position, unexpected '…', perhaps unbalanced (",
        Conformant,
        LIVE,
    ),
    claim("nrql", "wording of other refusals", Assumed, NONE),
];
