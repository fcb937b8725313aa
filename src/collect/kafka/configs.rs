//! Topic configurations, asked for rarely and remembered.
//!
//! Invariant: a topic's entry is what a broker said of it no longer ago than
//! `KafkaSourceConfig::configs_keep`, or the last thing it said while asking again fails.

use std::collections::BTreeMap;

use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::protocol::StrBytes;

use super::error::ErrorCode;
use super::topology::Topology;

/// Configuration keys that are read, and the fields they become.
pub(super) const KEYS: [(&str, &str); 5] = [
    ("retention.ms", "config.retention.ms"),
    ("min.insync.replicas", "config.min.insync.replicas"),
    ("cleanup.policy", "config.cleanup.policy"),
    ("compression.type", "config.compression.type"),
    ("segment.ms", "config.segment.ms"),
];

/// Topics in one request.
pub(super) const TOPICS_PER_REQUEST: usize = 1_000;

/// Kafka's ConfigResource.Type.TOPIC.
const TOPIC: i8 = 2;

/// Values in the order of [`KEYS`].
pub(super) type Values = [Option<StrBytes>; KEYS.len()];

#[derive(Debug)]
struct Entry {
    values: Values,
    at_ms: i64,
}

/// What is known of topics' configurations.
#[derive(Debug, Default)]
pub(super) struct TopicConfigs(BTreeMap<StrBytes, Entry>);

impl TopicConfigs {
    /// The topics of `topology` to ask about now; forgets topics that are gone.
    pub(super) fn due(&mut self, topology: &Topology, now_ms: i64, keep_ms: i64) -> Vec<StrBytes> {
        self.0.retain(|name, _| topology.topic_index(name).is_some());
        let fresh = |name| self.0.get(name).is_some_and(|e: &Entry| now_ms - e.at_ms < keep_ms);
        let topics = topology.topics.iter().map(|topic| &topic.name);
        topics.filter(|name| !fresh(*name)).cloned().collect()
    }

    /// The configuration of `topic`.
    pub(super) fn get(&self, topic: &StrBytes) -> Option<&Values> {
        self.0.get(topic).map(|entry| &entry.values)
    }

    /// Takes down one topic's answer.
    ///
    /// # Errors
    /// The broker's code.
    pub(super) fn learn(
        &mut self,
        result: DescribeConfigsResult,
        at_ms: i64,
    ) -> Result<(), ErrorCode> {
        let code = ErrorCode(result.error_code);
        if code != ErrorCode::NONE {
            return Err(code);
        }
        let mut values = Values::default();
        for config in result.configs {
            let index = KEYS.iter().position(|(key, _)| *key == config.name.as_str());
            if let Some(index) = index.filter(|_| !config.is_sensitive) {
                // A copy, so that the cache does not keep whole frames alive.
                values[index] = config.value.map(|v| StrBytes::from_string(v.to_string()));
            }
        }
        let name = StrBytes::from_string(result.resource_name.to_string());
        self.0.insert(name, Entry { values, at_ms });
        Ok(())
    }
}

/// The request for `topics`.
pub(super) fn request(topics: &[StrBytes]) -> DescribeConfigsRequest {
    let keys: Vec<_> = KEYS.iter().map(|(key, _)| StrBytes::from_static_str(key)).collect();
    let resources = topics.iter().map(|name| {
        DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(name.clone())
            .with_configuration_keys(Some(keys.clone()))
    });
    DescribeConfigsRequest::default().with_resources(resources.collect())
}
