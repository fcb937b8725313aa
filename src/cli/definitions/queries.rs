//! The NRQL of definitions: golden metrics and dashboards.
//!
//! Only what makes a query fail is told here; `shakedown nrql check` says the rest.

use std::borrow::Cow;

use crate::definitions::{DefinitionError, Definitions, EntityDefinition, MetricQuery, Place};
use crate::nrql;
use crate::nrql::lint::{Catalogue, Severity, lint};

/// What is wrong with the queries of `set`; names are checked against `catalogue`, if there is one.
pub fn check(set: &Definitions, catalogue: Option<&Catalogue>) -> Vec<DefinitionError> {
    let mut problems = Vec::new();
    for (place, text) in set.definitions().iter().flat_map(of) {
        let error = |code, problem: String, help: Option<String>| {
            let fix = help.unwrap_or_else(|| "correct the query".to_owned());
            DefinitionError::error(place.clone(), code, problem, fix)
        };
        match nrql::parse(&text) {
            Err(wrong) => problems.push(error("nrql", wrong.message, wrong.help)),
            Ok(statement) => {
                let findings = lint(&statement, catalogue).into_iter();
                let failing = findings.filter(|finding| finding.severity == Severity::Error);
                problems.extend(failing.map(|one| error(one.code, one.message, one.help)));
            }
        }
    }
    problems
}

/// The queries of a definition, and where each begins.
pub fn of(definition: &EntityDefinition) -> impl Iterator<Item = (&Place, Cow<'_, str>)> {
    let golden = definition.golden_metrics.values().flat_map(|metric| {
        let texts = metric.queries.values().map(|query| Cow::Owned(golden_text(query)));
        metric.places.iter().zip(texts)
    });
    let boards = definition.dashboards.values().filter_map(|one| one.dashboard.as_ref());
    let widgets = boards.flat_map(|dashboard| &dashboard.widgets).flat_map(|widget| {
        let queries = widget.queries.iter().map(|text| Cow::Borrowed(text.as_str()));
        widget.query_places.iter().zip(queries)
    });
    // An empty query is a problem of the dashboard, and told as such.
    golden.chain(widgets.filter(|(_, text)| !text.trim().is_empty()))
}

/// The query as New Relic runs it, with its extra facet.
fn golden_text(query: &MetricQuery) -> String {
    let facet = query.facet.as_ref().map(|facet| format!(" FACET {facet}")).unwrap_or_default();
    query.nrql("guid") + &facet
}
