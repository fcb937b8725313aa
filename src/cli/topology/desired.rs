//! The graph of a desired topology: what an estate should have, and how that belongs together.
//!
//! Invariant: GUIDs and relationships come from the synthesizer, so that an entity has here the
//! GUID that it will have once it is there.
//!
//! Not modelled: who serves and who coordinates; nobody can want that in advance.

use crate::aggregate::EntityState;
use crate::domain::account::AccountId;
use crate::domain::attribute::Attributes;
use crate::domain::data_source::DataSource;
use crate::domain::extra::Extras;
use crate::domain::metric::MetricSet;
use crate::domain::tag::Tags;
use crate::domain::units::UnixMillis;
use crate::graph::{EntityFacts, Graph, Standing};
use crate::hybrid::topology::{Desired, Plan, Topology};
use crate::synthesize::{SynthesisConfig, Synthesizer};

/// The entities of `topology`, with the GUIDs that they have in `account`.
pub(super) fn graph(topology: &Topology, account: AccountId) -> Graph {
    let states: Vec<EntityState> = topology.entities().map(state).collect();
    let synthesizer = Synthesizer::new(SynthesisConfig {
        account,
        environment: None,
        tags: Tags::default(),
        serves: false,
    });
    let synthesis = synthesizer.synthesize(&states);
    let mut graph = Graph::default();
    for entity in &synthesis.entities {
        let facts = EntityFacts {
            name: entity.display_name(),
            provider: entity.key.provider().to_string(),
            cluster: entity.key.cluster().to_owned(),
            health_percent: None,
            observed_at: None,
            standing: Standing::Desired,
        };
        graph.describe(entity.guid, facts);
    }
    for seen in &synthesis.relationships {
        graph.add(seen.relationship);
    }
    graph
}

/// A state that says which entity it is and what it reads, and no figure.
fn state(desired: Desired<'_>) -> EntityState {
    let topics = match desired.plan {
        Plan::Group { topics } => topics.clone(),
        _ => Vec::new(),
    };
    EntityState {
        key: desired.key.clone(),
        data_source: DataSource::Simulated,
        observed_at: UnixMillis::default(),
        metrics: MetricSet::new(desired.key.kind()),
        window: None,
        attributes: Attributes::default(),
        topics,
        extras: Extras::default(),
        serving_brokers: Vec::new(),
    }
}
