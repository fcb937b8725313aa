//! One stand-in: what the model says, or what the entity itself said last, gone on from by the
//! model's course.

use crate::aggregate::{EntityState, group_health_of};
use crate::domain::data_source::DataSource;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::metric::{MetricId, MetricSet, Unit};
use crate::hybrid::model::{FleetModel, Moment};
use crate::hybrid::topology::Plan;
use crate::transform::derive;

/// The stand-in of a broker, topic, queue or group.
pub(super) fn member(
    model: &FleetModel,
    key: &EntityKey,
    plan: &Plan,
    last: Option<&EntityState>,
    moment: Moment,
) -> EntityState {
    let mut state = model.member(key, plan, moment);
    state.data_source = DataSource::GapFilled;
    if let Some(last) = last {
        let then = Moment { at: last.observed_at, ..moment };
        let then = model.member(key, plan, then);
        state.metrics = go_on(&last.metrics, &then.metrics, &state.metrics);
        state.attributes = last.attributes.clone();
        state.topics = last.topics.clone();
        state.serving_brokers = last.serving_brokers.clone();
        if key.kind() == EntityKind::ConsumerGroup {
            let health = group_health_of(&state.metrics, &state.attributes);
            state.metrics.set_known(MetricId::GROUP_HEALTH_SCORE, health);
        }
    }
    state
}

/// What was said last, each figure changed in the proportion in which the model's changed since.
fn go_on(last: &MetricSet, then: &MetricSet, now: &MetricSet) -> MetricSet {
    let mut metrics = last.clone();
    for (id, value) in last.iter() {
        let course = then.get(id).zip(now.get(id)).filter(|(then, _)| *then > 0.0);
        if let Some((then, now)) = course.filter(|_| flows(id)) {
            metrics.set(id, id.def().range.clamp(value * now / then));
        }
    }
    derive(&mut metrics);
    metrics
}

/// Whether a figure goes on by itself; what counts or configures stays as it was.
fn flows(id: MetricId) -> bool {
    !matches!(id.def().unit, Unit::Count | Unit::Flag | Unit::Score | Unit::Share)
}
