//! `golden_metrics.yml` and `summary_metrics.yml`.

use indexmap::IndexMap;

use super::super::error::DefinitionError;
use super::super::metrics::{
    GoldenMetric, GoldenMetrics, MetricQuery, SummaryKind, SummaryMetric, SummaryMetrics, UNITS,
};
use super::super::source::Source;
use super::super::tree::{At, Fields, Node, Value, Walk, nearest, parse, place};

/// Golden metrics that a type may have.
const GOLDEN_MAX: usize = 10;

/// Reads the golden metrics; a bad one is left out.
pub(super) fn golden(
    source: Option<Source<'_>>,
    problems: &mut Vec<DefinitionError>,
) -> GoldenMetrics {
    let mut metrics = GoldenMetrics::new();
    let Some(source) = source else { return metrics };
    let Some(tree) = parse(source, problems) else { return metrics };
    let mut walk = Walk { source, problems };
    let Some(fields) = walk.entries(&tree, "the file") else { return metrics };
    match fields.entries().len() {
        0 => walk.error(At::default(), "metric-count", "no golden metric", "add one"),
        count if count > GOLDEN_MAX => {
            let problem = format!("{count} golden metrics");
            walk.error(At::default(), "metric-count", problem, "keep at most 10");
        }
        _ => {}
    }
    for entry in fields.entries() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !(1..=100).contains(&entry.key.len()) || !entry.key.chars().all(word) {
            let problem = format!("golden metric `{}`", entry.key);
            walk.error(entry.at, "metric-name", problem, "name it with letters, digits and _");
        }
        if let Some(metric) = metric(&mut walk, &entry.key, &entry.value) {
            metrics.insert(entry.key.clone(), metric);
        }
    }
    metrics
}

/// The schema lets any key stand in a golden metric; one that nobody reads is worth a warning.
fn loose(walk: &mut Walk<'_, '_>, fields: Fields<'_>, known: &[&str]) {
    for entry in fields.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let fix = match nearest(&entry.key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        let problem = format!("unknown key `{}`", entry.key);
        walk.warning(entry.at, "unknown-key", problem, fix);
    }
}

fn metric(walk: &mut Walk<'_, '_>, name: &str, node: &Node) -> Option<GoldenMetric> {
    let fields = walk.entries(node, &format!("golden metric `{name}`"))?;
    loose(walk, fields, &["title", "displayAsValue", "unit", "queries", "query"]);
    let title = walk.required_text(fields, "title").map(str::to_owned);
    let unit = walk.optional_text(fields, "unit").map(str::to_owned);
    if let Some(unit) = &unit {
        let at = fields.get("unit").map_or(fields.at, |node| node.at);
        check_unit(walk, at, name, unit);
    }
    let display_as_value = walk.optional_bool(fields, "displayAsValue").unwrap_or(false);
    let (mut queries, mut places) = (IndexMap::new(), Vec::new());
    match (fields.get("queries"), fields.get("query")) {
        (Some(node), None) => {
            let entries = walk.entries(node, "`queries`")?;
            for entry in entries.entries() {
                if let Some(query) = query(walk, &entry.value) {
                    queries.insert(entry.key.clone(), query);
                    places.push(place(walk.source, entry.at));
                }
            }
        }
        // The form of old, without providers.
        (None, Some(node)) => {
            queries.extend(query(walk, node).map(|query| ("default".to_owned(), query)));
            places.push(place(walk.source, node.at));
        }
        (None, None) => {}
        (Some(_), Some(node)) => {
            let problem = format!("golden metric `{name}` has both `query` and `queries`");
            walk.error(node.at, "query-form", problem, "move the query below `queries`");
        }
    }
    let asked = |key: &str| {
        fields.get(key).is_some_and(|node| !matches!(&node.value, Value::Map(e) if e.is_empty()))
    };
    if queries.is_empty() && !asked("queries") && !asked("query") {
        let problem = format!("golden metric `{name}` has no query");
        walk.error(fields.at, "query-missing", problem, "give one under `queries`");
    }
    if queries.is_empty() {
        return None;
    }
    Some(GoldenMetric { title: title?, display_as_value, unit, queries, places })
}

fn query(walk: &mut Walk<'_, '_>, node: &Node) -> Option<MetricQuery> {
    let fields = walk.entries(node, "a query")?;
    let known = ["select", "from", "where", "facet", "eventId", "eventName", "eventObjectId"];
    loose(walk, fields, &known);
    let select = walk.required_text(fields, "select");
    let mut text = |key: &str| {
        let text = walk.optional_text(fields, key)?;
        (!text.trim().is_empty()).then(|| text.to_owned())
    };
    let [from, filter, facet, event_id, event_name] =
        ["from", "where", "facet", "eventId", "eventName"].map(&mut text);
    let select = select?;
    if select.trim().is_empty() {
        walk.error(fields.at, "query-empty", "`select` is empty", "write what is to be selected");
        return None;
    }
    Some(MetricQuery {
        select: select.to_owned(),
        from: from.unwrap_or_else(|| "Metric".to_owned()),
        filter,
        event_id: event_id.unwrap_or_else(|| "entity.guid".to_owned()),
        event_name: event_name.unwrap_or_else(|| "entity.name".to_owned()),
        facet,
    })
}

fn check_unit(walk: &mut Walk<'_, '_>, at: At, metric: &str, unit: &str) {
    if !UNITS.contains(&unit) {
        let problem = format!("metric `{metric}` has the unknown unit `{unit}`");
        let fix = match nearest(unit, UNITS.into_iter()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("use one of {}", UNITS.join(", ")),
        };
        walk.error(at, "unit", problem, fix);
    }
}

/// Reads the summary metrics; a bad one is left out.
pub(super) fn summary(
    source: Option<Source<'_>>,
    golden: &GoldenMetrics,
    problems: &mut Vec<DefinitionError>,
) -> SummaryMetrics {
    let mut metrics = SummaryMetrics::new();
    let Some(source) = source else { return metrics };
    let Some(tree) = parse(source, problems) else { return metrics };
    let mut walk = Walk { source, problems };
    let Some(fields) = walk.entries(&tree, "the file") else { return metrics };
    if fields.entries().is_empty() {
        walk.error(At::default(), "metric-count", "no summary metric", "add one");
    }
    for entry in fields.entries() {
        if let Some(metric) = summary_metric(&mut walk, &entry.key, &entry.value, golden) {
            metrics.insert(entry.key.clone(), metric);
        }
    }
    metrics
}

fn summary_metric(
    walk: &mut Walk<'_, '_>,
    name: &str,
    node: &Node,
    golden: &GoldenMetrics,
) -> Option<SummaryMetric> {
    let known = ["title", "unit", "hidden", "goldenMetric", "tag"];
    let fields = walk.fields(node, &format!("summary metric `{name}`"), &known)?;
    let title = walk.required_text(fields, "title").map(str::to_owned);
    let unit = walk.required_text(fields, "unit").map(str::to_owned);
    if let Some(unit) = &unit {
        let at = fields.get("unit").map_or(fields.at, |node| node.at);
        check_unit(walk, at, name, unit);
    }
    let hidden = walk.optional_bool(fields, "hidden").unwrap_or(false);
    let kind = match (fields.get("goldenMetric"), fields.get("tag")) {
        (Some(node), None) => {
            let metric = walk.text(node, "`goldenMetric`")?;
            if !golden.contains_key(metric) {
                let problem = format!("`{name}` names the unknown golden metric `{metric}`");
                let names: Vec<_> = golden.keys().map(String::as_str).collect();
                let fix = match names.as_slice() {
                    [] => "define it in golden_metrics.yml".to_owned(),
                    names => format!("use one of {}", names.join(", ")),
                };
                walk.error(node.at, "golden-unknown", problem, fix);
                return None;
            }
            SummaryKind::GoldenMetric(metric.to_owned())
        }
        (None, Some(node)) => {
            let fields = walk.fields(node, "`tag`", &["key"])?;
            SummaryKind::Tag(walk.required_text(fields, "key")?.to_owned())
        }
        _ => {
            let problem = format!("`{name}` takes exactly one of goldenMetric and tag");
            walk.error(fields.at, "summary-choice", problem, "give one of them");
            return None;
        }
    };
    Some(SummaryMetric { title: title?, unit: unit?, hidden, kind })
}
