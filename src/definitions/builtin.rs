//! Our own definitions, part of the binary, so that a run needs no files.
//!
//! The five `MESSAGE_QUEUE_*` types are not among New Relic's public definitions: live New Relic
//! stores their events but makes no entities of them until these files are accepted there.

use super::load::Definitions;
use super::source::Source;

/// One embedded file.
pub type BuiltinFile = (&'static str, &'static str);

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../fixtures/definitions/", $path)))),*]
    };
}

/// Path (as in New Relic's repository) and text of every embedded file.
pub const BUILTIN: &[BuiltinFile] = files!(
    "entity-types/infra-message_queue_broker/definition.yml",
    "entity-types/infra-message_queue_broker/golden_metrics.yml",
    "entity-types/infra-message_queue_broker/newrelic_dashboard.json",
    "entity-types/infra-message_queue_broker/summary_metrics.yml",
    "entity-types/infra-message_queue_broker/tests/MessageQueue.json",
    "entity-types/infra-message_queue_cluster/definition.yml",
    "entity-types/infra-message_queue_cluster/golden_metrics.yml",
    "entity-types/infra-message_queue_cluster/newrelic_dashboard.json",
    "entity-types/infra-message_queue_cluster/summary_metrics.yml",
    "entity-types/infra-message_queue_cluster/tests/MessageQueue.json",
    "entity-types/infra-message_queue_consumer_group/definition.yml",
    "entity-types/infra-message_queue_consumer_group/golden_metrics.yml",
    "entity-types/infra-message_queue_consumer_group/newrelic_dashboard.json",
    "entity-types/infra-message_queue_consumer_group/summary_metrics.yml",
    "entity-types/infra-message_queue_consumer_group/tests/MessageQueue.json",
    "entity-types/infra-message_queue_queue/definition.yml",
    "entity-types/infra-message_queue_queue/golden_metrics.yml",
    "entity-types/infra-message_queue_queue/newrelic_dashboard.json",
    "entity-types/infra-message_queue_queue/summary_metrics.yml",
    "entity-types/infra-message_queue_queue/tests/MessageQueue.json",
    "entity-types/infra-message_queue_topic/definition.yml",
    "entity-types/infra-message_queue_topic/golden_metrics.yml",
    "entity-types/infra-message_queue_topic/newrelic_dashboard.json",
    "entity-types/infra-message_queue_topic/summary_metrics.yml",
    "entity-types/infra-message_queue_topic/tests/MessageQueue.json",
    "relationships/candidates/MESSAGE_QUEUE_CLUSTER.yml",
    "relationships/synthesis/INFRA-MESSAGE_QUEUE_BROKER-to-INFRA-MESSAGE_QUEUE_TOPIC.yml",
    "relationships/synthesis/INFRA-MESSAGE_QUEUE_CLUSTER-to-INFRA-MESSAGE_QUEUE_BROKER.yml",
    "relationships/synthesis/INFRA-MESSAGE_QUEUE_CLUSTER-to-INFRA-MESSAGE_QUEUE_CONSUMER_GROUP.yml",
    "relationships/synthesis/INFRA-MESSAGE_QUEUE_CLUSTER-to-INFRA-MESSAGE_QUEUE_QUEUE.yml",
    "relationships/synthesis/INFRA-MESSAGE_QUEUE_CLUSTER-to-INFRA-MESSAGE_QUEUE_TOPIC.yml",
    "relationships/synthesis/INFRA-MESSAGE_QUEUE_CONSUMER_GROUP-to-INFRA-MESSAGE_QUEUE_BROKER.yml",
    "relationships/synthesis/INFRA-MESSAGE_QUEUE_CONSUMER_GROUP-to-INFRA-MESSAGE_QUEUE_TOPIC.yml",
);

/// The embedded definitions.
///
/// # Panics
/// Never: a unit test loads exactly these constants.
pub fn builtin() -> Definitions {
    Definitions::load(BUILTIN.iter().map(|(path, text)| Source { path, text }))
        .expect("a unit test loads exactly these constants")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/definitions");
        let mut found = BTreeSet::new();
        walk(&root, &mut found);
        let embedded: BTreeSet<PathBuf> = BUILTIN.iter().map(|(path, _)| root.join(path)).collect();
        assert_eq!(found, embedded);
        assert!(builtin().relationships().candidates().all(|known| !known.lookups.is_empty()));
    }
}
