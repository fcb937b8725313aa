//! What the pipeline of a scenario is told should be there, and what it does about gaps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KafkaSpec, Scenario};
use crate::config::quantity::DurationText;
use crate::hybrid::manager::HybridConfig;
use crate::hybrid::mode::Mode;
use crate::hybrid::model::ModelConfig;
use crate::hybrid::topology::{
    BrokerForm, ClusterForm, Fault, GroupForm, TopicForm, Topology, TopologyForm,
};
use crate::workload::Pattern;

/// What should be there, and what the pipeline does about what is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HybridSpec {
    /// The mode to begin in.
    pub mode: Mode,
    /// Silence of this length is no gap yet.
    pub tolerance: DurationText,
    /// Largest share of the desired entities that may be stand-ins.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub filled_share_max: f64,
    /// Most stand-ins.
    pub filled_entities_max: u32,
    /// Time between two tellings of coverage and gaps.
    pub report_every: DurationText,
    /// Whether everything that the clusters have at the start is desired.
    pub fleet: bool,
    /// What is desired beside that, in the form of a topology file; a topic that a cluster has is
    /// desired as it stands here.
    #[serde(skip_serializing_if = "is_empty")]
    pub also: TopologyForm,
    /// Changes of mode during the run, in the order of their times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub switch: Vec<SwitchSpec>,
}

/// A change of mode.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchSpec {
    /// When, from the start of the run; the next cycle follows it.
    pub at: DurationText,
    /// To which mode.
    pub to: Mode,
}

fn is_empty(form: &TopologyForm) -> bool {
    *form == TopologyForm::default()
}

impl Default for HybridSpec {
    fn default() -> Self {
        Self {
            mode: Mode::Hybrid,
            tolerance: DurationText::from_secs(300),
            filled_share_max: 1.0,
            filled_entities_max: 1_000_000,
            report_every: DurationText::from_secs(60),
            fleet: true,
            also: TopologyForm::default(),
            switch: Vec::new(),
        }
    }
}

impl HybridSpec {
    /// How the pipeline of `scenario` finds and fills gaps.
    ///
    /// # Errors
    /// Everything that is wrong with what is desired.
    pub fn config(&self, scenario: &Scenario) -> Result<HybridConfig, Vec<Fault>> {
        Ok(HybridConfig {
            topology: self.desired(scenario)?,
            tolerance: self.tolerance.0,
            filled_share_max: self.filled_share_max,
            filled_entities_max: self.filled_entities_max as usize,
            model: ModelConfig { seed: 1, pattern: Pattern::Flat, utc_offset_minutes: 0 },
            report_every: self.report_every.0,
        })
    }

    /// What is desired in all.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn desired(&self, scenario: &Scenario) -> Result<Topology, Vec<Fault>> {
        let mut form = self.also.clone();
        if self.fleet {
            for (name, spec) in &scenario.kafka {
                add_fleet(&mut form, name, spec);
            }
        }
        Topology::new(form)
    }
}

/// Adds what the cluster called `name` has at the start, but for what `form` has already.
fn add_fleet(form: &mut TopologyForm, name: &str, spec: &KafkaSpec) {
    if !form.clusters.iter().any(|cluster| cluster.name == name) {
        form.clusters.push(ClusterForm {
            provider: "kafka".to_owned(),
            name: name.to_owned(),
            // As many as are listed.
            required_brokers: None,
            bootstrap_servers: Vec::new(),
        });
    }
    for id in (1..=spec.brokers).map(|id| id.to_string()) {
        let same = |broker: &BrokerForm| broker.cluster_name == name && broker.id == id;
        if !form.brokers.iter().any(same) {
            form.brokers.push(BrokerForm { provider: None, cluster_name: name.to_owned(), id });
        }
    }
    for topic in spec.topic_names() {
        let same = |other: &TopicForm| other.cluster_name == name && other.name == topic;
        if !form.topics.iter().any(same) {
            form.topics.push(TopicForm {
                provider: None,
                cluster_name: name.to_owned(),
                name: topic,
                partitions: Some(spec.partitions),
                replication_factor: u16::try_from(spec.replication).ok(),
            });
        }
    }
    for group in spec.group_names() {
        let same = |other: &GroupForm| other.cluster_name == name && other.id == group;
        if !form.consumer_groups.iter().any(same) {
            form.consumer_groups.push(GroupForm {
                provider: None,
                cluster_name: name.to_owned(),
                id: group,
                topics: Vec::new(),
            });
        }
    }
}
