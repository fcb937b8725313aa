//! A dashboard about the pipeline itself: what it tells of its breakers, and how fresh what it
//! sends is.

use super::parts::{event, events, figure};
use super::{Parameters, Template};
use crate::dashboards::draft::{Draft, DraftPage};
use crate::dashboards::model::Visualization;
use crate::dashboards::query::{Ask, Expression, Facet, Fold, Measure, Subject};
use crate::domain::metric::Unit;

/// One dashboard.
pub(super) const PIPELINE: [Template; 1] = [Template {
    name: "pipeline-health",
    title: "Pipeline Health",
    summary: "Whether the pipeline works: its breakers, its rhythm, what New Relic refused.",
    awaits: None,
    notes: &[
        "Counters of breakers begin at zero with the process; their growth is the greatest \
             minus the least value in the window.",
        "Rows of NrIntegrationError are New Relic's own; 0 is good.",
    ],
    pages: pipeline_health,
}];

const BREAKER: Subject = Subject::Events("CircuitBreakerMetric");
const CHANGE: Subject = Subject::Events("CircuitBreakerStateChange");
const BREAKERS: Subject = Subject::Events("CircuitBreakerHealth");
const REFUSED: Subject = Subject::Events("NrIntegrationError");

fn growth(attribute: &'static str, label: &str) -> Measure {
    Measure::computed(Expression::Growth(attribute), Unit::Count, label)
}

fn pipeline_health(_: &Parameters) -> Vec<DraftPage> {
    vec![breakers(), rhythm()]
}

fn breakers() -> DraftPage {
    let named = || Facet::by("breakerName");
    let unhealthy =
        Ask::about(BREAKERS).select(event(Fold::Latest, "unhealthyCount", Unit::Count, "Open"));
    let healthy =
        Ask::about(BREAKERS).select(event(Fold::Latest, "healthyCount", Unit::Count, "Closed"));
    let changes = Ask::about(CHANGE).select(events("Changes")).since_minutes(60);
    let failures = Ask::about(BREAKER)
        .select(event(Fold::Greatest, "failureRate", Unit::Percent, "Failures"))
        .facet(named())
        .since_minutes(60);
    let calls =
        Ask::about(BREAKER).select(growth("totalCalls", "Calls")).facet(named()).since_minutes(60);
    let times = Ask::about(BREAKER)
        .select(event(Fold::Mean, "averageResponseTime", Unit::Milliseconds, "Mean"))
        .facet(named())
        .since_minutes(120)
        .over_time();
    let state = Ask::about(BREAKER)
        .select(event(Fold::Greatest, "stateNumeric", Unit::Count, "State"))
        .facet(named())
        .since_minutes(120)
        .over_time();
    let log = Ask::about(CHANGE)
        .select(events("Times"))
        .facet(Facet::By(vec!["breakerName", "previousState", "currentState", "reason"]))
        .limit(50)
        .since_minutes(60)
        .as_table();
    DraftPage::new(
        "Breakers",
        "0 closed, 1 half-open, 2 open",
        vec![
            figure("Open breakers", unhealthy).key(),
            figure("Closed breakers", healthy),
            figure("State changes", changes),
            Draft::chart("States over time", Visualization::Line, state),
            Draft::chart("Mean response time", Visualization::Line, times),
            Draft::chart("Failure rate", Visualization::Bar, failures),
            Draft::chart("Calls", Visualization::Bar, calls),
            Draft::chart("State changes", Visualization::Table, log),
        ],
    )
}

fn rhythm() -> DraftPage {
    let everything = || Ask::about(Subject::EveryKind);
    let sent = everything()
        .select(events("Events"))
        .facet(Facet::by("entityType"))
        .since_minutes(120)
        .over_time();
    let window = everything()
        .select(event(Fold::Mean, "collectionWindowMs", Unit::Milliseconds, "Window"))
        .since_minutes(120)
        .over_time();
    let alive = everything().select(Measure::entities("Entities"));
    let refused = Ask::about(REFUSED).select(events("Refused")).since_minutes(60);
    DraftPage::new(
        "Rhythm",
        "What arrives, and how regularly",
        vec![
            figure("Entities that report", alive).key(),
            figure("Refused by New Relic", refused),
            Draft::chart("Events by type", Visualization::StackedBar, sent),
            Draft::chart("Time between two samples", Visualization::Line, window),
        ],
    )
}
