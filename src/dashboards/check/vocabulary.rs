//! Which attributes there are, and what their values are.

use crate::domain::entity::EntityKind;
use crate::domain::metric::MetricId;
use crate::nrql::lint::{AttributeKind, Catalogue};

/// What the pipeline tells about itself, and New Relic about what it refused.
const OTHER_EVENTS: &[(&str, &[(&str, AttributeKind)])] = &[
    (
        "CircuitBreakerMetric",
        &[
            ("breakerName", AttributeKind::Text),
            ("state", AttributeKind::Text),
            ("stateNumeric", AttributeKind::Gauge),
            ("totalCalls", AttributeKind::Gauge),
            ("totalFailures", AttributeKind::Gauge),
            ("totalSuccesses", AttributeKind::Gauge),
            ("totalTimeouts", AttributeKind::Gauge),
            ("totalRejected", AttributeKind::Gauge),
            ("averageResponseTime", AttributeKind::Gauge),
            ("failureRate", AttributeKind::Gauge),
            ("successRate", AttributeKind::Gauge),
            ("lastError", AttributeKind::Text),
            ("lastStateChange", AttributeKind::Number),
            ("platform", AttributeKind::Text),
        ],
    ),
    (
        "CircuitBreakerStateChange",
        &[
            ("breakerName", AttributeKind::Text),
            ("previousState", AttributeKind::Text),
            ("currentState", AttributeKind::Text),
            ("stateNumeric", AttributeKind::Gauge),
            ("failureCount", AttributeKind::Gauge),
            ("reason", AttributeKind::Text),
            ("timeSinceChangeMs", AttributeKind::Gauge),
            ("platform", AttributeKind::Text),
        ],
    ),
    (
        "CircuitBreakerHealth",
        &[
            ("healthyCount", AttributeKind::Gauge),
            ("degradedCount", AttributeKind::Gauge),
            ("unhealthyCount", AttributeKind::Gauge),
            ("totalBreakers", AttributeKind::Gauge),
            ("platform", AttributeKind::Text),
        ],
    ),
    (
        "NrIntegrationError",
        &[
            ("category", AttributeKind::Text),
            ("message", AttributeKind::Text),
            ("newRelicFeature", AttributeKind::Text),
            ("rateLimitType", AttributeKind::Text),
            ("requestId", AttributeKind::Text),
        ],
    ),
];

/// All that the pipeline sends, as the linter takes it.
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::message_queue();
    for (event_type, attributes) in OTHER_EVENTS {
        let known = catalogue.event_types.entry((*event_type).to_owned()).or_default();
        known.extend(attributes.iter().map(|(name, kind)| ((*name).to_owned(), *kind)));
    }
    let entities = catalogue.event_types.entry("MessageQueue".to_owned()).or_default();
    entities.insert("environment".to_owned(), AttributeKind::Text);
    catalogue
}

/// The metric called `name`, of `kind` if that is known; of several that share a name the first,
/// as they share their unit too.
pub fn metric(kind: Option<EntityKind>, name: &str) -> Option<MetricId> {
    match kind {
        Some(kind) => MetricId::lookup(kind, name),
        None => EntityKind::ALL.into_iter().find_map(|kind| MetricId::lookup(kind, name)),
    }
}

/// The kinds of entity that have a metric called `name`; none for what is no metric.
pub fn kinds_with(name: &str) -> Vec<EntityKind> {
    let has = |kind: &EntityKind| MetricId::lookup(*kind, name).is_some();
    EntityKind::ALL.into_iter().filter(has).collect()
}
