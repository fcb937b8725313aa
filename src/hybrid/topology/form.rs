//! The file form of a topology, the same in TOML and JSON.
//!
//! The doc comments here are the users' documentation: `docs/schema/topology.schema.json` is
//! generated from them. Keys are written in camel case in both forms, as in the JSON that other
//! tools already write; the file refers to a cluster by its name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an estate of message queues should consist of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "Shakedown topology")]
pub struct TopologyForm {
    /// Clusters of brokers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterForm>,
    /// Brokers (RabbitMQ calls them nodes).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brokers: Vec<BrokerForm>,
    /// Topics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<TopicForm>,
    /// Queues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueForm>,
    /// Consumer groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumer_groups: Vec<GroupForm>,
}

/// A cluster of brokers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClusterForm {
    /// Whose product: kafka, rabbitmq, or another's name; SQS has regions instead of clusters.
    #[serde(default = "kafka")]
    #[schemars(length(min = 1), extend("examples" = ["kafka", "rabbitmq"]))]
    pub provider: String,
    /// Its name, as monitoring reports it.
    #[schemars(length(min = 1), extend("examples" = ["kafka-prod"]))]
    pub name: String,
    /// How many brokers must be there at least, listed in `brokers` or not; when absent, as many
    /// as are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000), extend("examples" = [3]))]
    pub required_brokers: Option<u32>,
    /// Where its brokers listen, `host:port`: stands in the commands that reports recommend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("examples" = [["kafka-1:9092", "kafka-2:9092"]]))]
    pub bootstrap_servers: Vec<String>,
}

fn kafka() -> String {
    "kafka".to_owned()
}

/// A broker of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BrokerForm {
    /// Its cluster's provider; needed only where several providers have a cluster of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("examples" = ["kafka"]))]
    pub provider: Option<String>,
    /// Name of its cluster.
    #[schemars(length(min = 1), extend("examples" = ["kafka-prod"]))]
    pub cluster_name: String,
    /// Its id: for Kafka the decimal `node.id`, for RabbitMQ the node's name.
    #[schemars(length(min = 1), extend("examples" = ["1"]))]
    pub id: String,
}

/// A topic of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TopicForm {
    /// Its cluster's provider; needed only where several providers have a cluster of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("examples" = ["kafka"]))]
    pub provider: Option<String>,
    /// Name of its cluster.
    #[schemars(length(min = 1), extend("examples" = ["kafka-prod"]))]
    pub cluster_name: String,
    /// Its name.
    #[schemars(length(min = 1), extend("examples" = ["orders"]))]
    pub name: String,
    /// How many partitions it must have; any number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647), extend("examples" = [12]))]
    pub partitions: Option<u32>,
    /// How many replicas each partition must have; any number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32_767), extend("examples" = [3]))]
    pub replication_factor: Option<u16>,
}

/// A queue, of a cluster or of a cloud region.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QueueForm {
    /// Its provider; with `region` it is sqs when absent, with `clusterName` it is needed only
    /// where several providers have a cluster of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("examples" = ["sqs"]))]
    pub provider: Option<String>,
    /// Name of its cluster; either this or `region` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("examples" = ["rabbit-prod"]))]
    pub cluster_name: Option<String>,
    /// Cloud region that it is in, for queues that no cluster of brokers holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("examples" = ["eu-west-1"]))]
    pub region: Option<String>,
    /// RabbitMQ's virtual host; `/` when absent. Other providers have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["/"]))]
    pub vhost: Option<String>,
    /// Its name.
    #[schemars(length(min = 1), extend("examples" = ["invoices"]))]
    pub name: String,
}

/// A consumer group of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupForm {
    /// Its cluster's provider; needed only where several providers have a cluster of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("examples" = ["kafka"]))]
    pub provider: Option<String>,
    /// Name of its cluster.
    #[schemars(length(min = 1), extend("examples" = ["kafka-prod"]))]
    pub cluster_name: String,
    /// Its id.
    #[schemars(length(min = 1), extend("examples" = ["billing"]))]
    pub id: String,
    /// Topics of its cluster that it should read; all of them are listed in `topics`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("examples" = [["orders"]]))]
    pub topics: Vec<String>,
}
