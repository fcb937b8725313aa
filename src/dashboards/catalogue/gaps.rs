//! A dashboard about gaps: what of a desired topology is there, what is missing and what to do
//! about it, and what of that which is shown was filled in.
//!
//! Source: the events `MessageQueueCoverage` and `MessageQueueGap`; `docs/HYBRID.md` says when they
//! are told.

use super::parts::{event, events, figure};
use super::{Parameters, Template};
use crate::dashboards::draft::{Draft, DraftPage};
use crate::dashboards::model::Visualization;
use crate::dashboards::query::{Ask, Condition, Facet, Fold, Measure, Subject};
use crate::domain::metric::Unit;

/// One dashboard.
pub(super) const GAPS: [Template; 1] = [Template {
    name: "gap-visibility",
    title: "Gap Visibility",
    summary: "What of the desired topology is there, what is missing, and what was filled in.",
    awaits: None,
    notes: &[
        "Coverage and gaps are told only by a pipeline with a topology; without one, only the page \
         Sources has data.",
        "Tables hold the gaps of the last half hour; Told counts how often, once a minute by \
         default. A gap that was closed meanwhile was told less often.",
        "Recommendations are those of docs/GAPS.md; what is merely unexpected has none.",
        "dataSource is infrastructure, gapFilled or simulated; docs/HYBRID.md says when.",
    ],
    pages,
}];

const COVERAGE: Subject = Subject::Events("MessageQueueCoverage");
const GAP: Subject = Subject::AboutEntities("MessageQueueGap");
/// Below this, in percent, somebody should look.
const COVERAGE_WARNING: f64 = 95.0;
/// Below this, in percent, the estate as a whole is in question: GAP010.
const COVERAGE_CRITICAL: f64 = 80.0;

fn pages(_: &Parameters) -> Vec<DraftPage> {
    vec![coverage(), gaps(), sources()]
}

fn is(attribute: &'static str, value: &str) -> Condition {
    Condition::Is(attribute, value.to_owned())
}

/// A billboard of what the newest telling says of the whole topology.
fn of_all(title: &str, attribute: &'static str, unit: Unit) -> Draft {
    let measure = event(Fold::Latest, attribute, unit, title);
    figure(title, Ask::about(COVERAGE).select(measure).only(is("entityType", "ALL")))
}

fn percentage(fold: Fold) -> Ask {
    Ask::about(COVERAGE)
        .select(event(fold, "coverage.percentage", Unit::Percent, "Coverage"))
        .facet(Facet::by("entityType"))
}

fn coverage() -> DraftPage {
    let over_time = percentage(Fold::Mean).since_minutes(120).over_time();
    let by_gap = || Ask::about(GAP).select(Measure::entities("Entities")).facet(Facet::by("gap"));
    let gaps_over_time = by_gap().since_minutes(120).over_time();
    let to_do = Ask::about(GAP)
        .select_all([Measure::entities("Entities"), Measure::attribute("advice", "For example")])
        .only(Condition::Any(
            ["missing", "stale", "partial", "mismatch"].map(|gap| is("gap", gap)).to_vec(),
        ))
        .facet(Facet::By(vec!["recommendation", "priority"]))
        .limit(20)
        .as_table();
    DraftPage::new(
        "Coverage",
        "How much of what is desired is there",
        vec![
            of_all("Coverage", "coverage.percentage", Unit::Percent)
                .alarm(COVERAGE_WARNING, COVERAGE_CRITICAL)
                .key(),
            of_all("Desired", "desired", Unit::Count),
            of_all("Missing", "missing", Unit::Count).to_page("Gaps"),
            of_all("Stale", "stale", Unit::Count).to_page("Gaps"),
            of_all("Not as desired", "mismatched", Unit::Count).to_page("Gaps"),
            of_all("Partial clusters", "partialClusters", Unit::Count).to_page("Gaps"),
            of_all("Unexpected", "unexpected", Unit::Count).to_page("Gaps"),
            of_all("Filled in", "filled", Unit::Count).to_page("Sources"),
            Draft::chart("Coverage over time", Visualization::Line, over_time)
                .alarm(COVERAGE_WARNING, COVERAGE_CRITICAL),
            Draft::chart("Gaps over time", Visualization::StackedBar, gaps_over_time),
            Draft::chart("Coverage by type", Visualization::Bar, percentage(Fold::Latest)),
            Draft::chart("Gaps by sort", Visualization::Pie, by_gap()),
            Draft::chart("What to do", Visualization::Table, to_do),
        ],
    )
}

/// A table of gaps of these sorts, by entity.
fn table(title: &str, gaps: &[&str], columns: Vec<Measure>) -> Draft {
    let sorts = gaps.iter().map(|gap| is("gap", gap)).collect();
    let ask = Ask::about(GAP)
        // The number first: it orders the rows.
        .select(events("Told"))
        .select_all(columns)
        .only(Condition::Any(sorts))
        .facet(Facet::By(vec!["clusterName", "entityType", "entityName"]))
        .limit(100)
        .as_table();
    Draft::chart(title, Visualization::Table, ask)
}

fn gaps() -> DraftPage {
    let text = Measure::attribute;
    let to_do = || {
        vec![
            text("priority", "Priority"),
            text("recommendation", "Recommendation"),
            text("advice", "Advice"),
        ]
    };
    let with = |mut columns: Vec<Measure>| {
        columns.extend(to_do());
        columns
    };
    let settings =
        vec![text("field", "Setting"), text("expected", "Desired"), text("actual", "Is")];
    let silence = vec![event(Fold::Latest, "ageSeconds", Unit::Seconds, "Silent for s")];
    DraftPage::new(
        "Gaps",
        "What is wrong, and what to do about it",
        vec![
            table("Missing", &["missing"], with(vec![text("filled", "Filled in")])),
            table("Stale", &["stale"], with(silence)),
            table("Not as desired", &["partial", "mismatch"], with(settings)),
            table("Unexpected", &["unexpected"], vec![text("provider", "Provider")]),
        ],
    )
}

fn sources() -> DraftPage {
    let everything = || Ask::about(Subject::EveryKind);
    let by_source =
        || everything().select(Measure::entities("Entities")).facet(Facet::by("dataSource"));
    let of = |title: &str, source: &str| {
        let measure = Measure::entities_with(is("dataSource", source), title);
        figure(title, everything().select(measure))
    };
    let over_time = by_source().since_minutes(120).over_time();
    let by_cluster = everything()
        .select(Measure::entities("Entities"))
        .facet(Facet::By(vec!["clusterName", "entityType", "dataSource"]))
        .limit(100)
        .as_table();
    DraftPage::new(
        "Sources",
        "Where what is shown comes from: a fleet, or a stand-in for what it does not show",
        vec![
            of("Observed", "infrastructure").key(),
            of("Filled in", "gapFilled"),
            Draft::chart("Entities by source", Visualization::Pie, by_source()),
            Draft::chart("Sources over time", Visualization::Area, over_time),
            Draft::chart("Sources by cluster", Visualization::Table, by_cluster),
        ],
    )
}
