//! Shell commands that mend a gap or show more of it.
//!
//! Invariants:
//! - Whatever a name holds, a POSIX shell passes it on as one argument, unchanged, and no tool
//!   takes it for an option; a name that no shell can pass on (one with NUL) has no command.
//! - Where a cluster's addresses are not known the command names a variable and stops without it.
//!
//! Sources: the options of Kafka's `kafka-topics.sh`, `kafka-consumer-groups.sh` and
//! `kafka-broker-api-versions.sh`, of RabbitMQ's `rabbitmqadmin` (version 2) and `rabbitmqctl`, and
//! of `aws sqs`. `$'…'` is in POSIX since 2024, and in bash, zsh and busybox before.

use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::provider::Provider;
use crate::hybrid::topology::{Plan, Topology};

/// `text` as one word of a shell; `None` if it holds NUL.
pub(super) fn quoted(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@+=%".contains(c);
    if text.contains('\0') {
        return None;
    }
    if !text.is_empty() && text.chars().all(is_plain) {
        return Some(text.to_owned());
    }
    if !text.chars().any(char::is_control) {
        return Some(format!("'{}'", text.replace('\'', r"'\''")));
    }
    let mut word = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => word.extend(['\\', c]),
            // Three octal digits a byte: no digit that follows can be taken for a part of it.
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    word.push_str(&format!("\\{byte:03o}"));
                }
            }
            c => word.push(c),
        }
    }
    word.push('\'');
    Some(word)
}

/// A command line that grows.
struct Command(Option<String>);

impl Command {
    fn new(program: &str) -> Self {
        Self(Some(program.to_owned()))
    }

    /// A word that is safe by itself.
    fn word(mut self, word: &str) -> Self {
        if let Some(line) = &mut self.0 {
            line.push(' ');
            line.push_str(word);
        }
        self
    }

    /// `--name value`, or `--name=value` if the value would be taken for an option.
    fn option(mut self, name: &str, value: &str) -> Self {
        let Some(quoted) = quoted(value) else {
            self.0 = None;
            return self;
        };
        let mark = if value.starts_with('-') { '=' } else { ' ' };
        self.word(&format!("{name}{mark}{quoted}"))
    }

    /// `--bootstrap-server` of the cluster that `key` belongs to.
    fn bootstrap(self, topology: &Topology, key: &EntityKey) -> Self {
        let cluster = topology.cluster_position(key).and_then(|place| topology.at(place));
        match cluster.map(|cluster| cluster.plan) {
            Some(Plan::Cluster { bootstrap_servers, .. }) if !bootstrap_servers.is_empty() => {
                self.option("--bootstrap-server", &bootstrap_servers.join(","))
            }
            _ => self.word("--bootstrap-server \"${KAFKA_BOOTSTRAP_SERVERS:?}\""),
        }
    }
}

/// What creates the missing entity, or shows why it is not there.
pub(super) fn for_missing(topology: &Topology, key: &EntityKey) -> Option<String> {
    match (key, topology.plan(key)) {
        (
            EntityKey::Topic { provider: Provider::Kafka, topic, .. },
            Some(Plan::Topic { partitions, replication_factor }),
        ) => {
            let mut command = Command::new("kafka-topics.sh")
                .bootstrap(topology, key)
                .word("--create")
                .option("--topic", topic);
            if let Some(partitions) = partitions {
                command = command.option("--partitions", &partitions.to_string());
            }
            if let Some(factor) = replication_factor {
                command = command.option("--replication-factor", &factor.to_string());
            }
            command.0
        }
        (EntityKey::Queue { provider: Provider::RabbitMq, vhost, queue, .. }, _) => {
            let command = Command::new("rabbitmqadmin").option("--vhost", vhost);
            command.word("declare queue").option("--name", queue).word("--durable true").0
        }
        (EntityKey::Queue { provider: Provider::Sqs, cluster: region, queue, .. }, _) => {
            let command = Command::new("aws sqs create-queue").option("--region", region);
            let command = command.option("--queue-name", queue);
            let is_fifo = queue.ends_with(".fifo");
            (if is_fifo { command.word("--attributes FifoQueue=true") } else { command }).0
        }
        _ => for_look(topology, key),
    }
}

/// What gives a topic its `partitions`, of which there may only be more.
pub(super) fn for_partitions(
    topology: &Topology,
    key: &EntityKey,
    partitions: u32,
) -> Option<String> {
    if *key.provider() != Provider::Kafka {
        return None;
    }
    let command = Command::new("kafka-topics.sh").bootstrap(topology, key).word("--alter");
    command.option("--topic", key.name()).option("--partitions", &partitions.to_string()).0
}

/// What shows the state of an entity.
pub(super) fn for_look(topology: &Topology, key: &EntityKey) -> Option<String> {
    let kafka = |tool: &str| Command::new(tool).bootstrap(topology, key);
    match (key.provider(), key.kind()) {
        (Provider::Kafka, EntityKind::Cluster | EntityKind::Broker) => {
            kafka("kafka-broker-api-versions.sh").0
        }
        (Provider::Kafka, EntityKind::Topic) => {
            kafka("kafka-topics.sh").word("--describe").option("--topic", key.name()).0
        }
        (Provider::Kafka, EntityKind::ConsumerGroup) => {
            kafka("kafka-consumer-groups.sh").word("--describe").option("--group", key.name()).0
        }
        (Provider::RabbitMq, EntityKind::Cluster | EntityKind::Broker) => {
            Command::new("rabbitmqctl cluster_status").0
        }
        (Provider::RabbitMq, EntityKind::Queue) => {
            let EntityKey::Queue { vhost, .. } = key else { return None };
            let command = Command::new("rabbitmqctl list_queues").option("--vhost", vhost);
            command.word("name state messages consumers").0
        }
        (Provider::Sqs, EntityKind::Queue) => {
            let command = Command::new("aws sqs get-queue-url").option("--region", key.cluster());
            command.option("--queue-name", key.name()).0
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted() {
        let cases = [
            ("orders", Some("orders")),
            ("a.b_c-d/e:9092,f=g@h+%", Some("a.b_c-d/e:9092,f=g@h+%")),
            ("", Some("''")),
            ("a b", Some("'a b'")),
            ("it's", Some(r"'it'\''s'")),
            ("$(x)`y`", Some("'$(x)`y`'")),
            ("~", Some("'~'")),
            ("ü", Some("'ü'")),
            ("a\nb'\\1", Some(r"$'a\012b\'\\1'")),
            ("\u{85}", Some(r"$'\302\205'")),
            ("a\0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_shell_gives_every_name_back() {
        use crate::hybrid::testing::{Draw, topology_form};
        let mut words = Vec::new();
        for seed in 0..40 {
            let form = topology_form(&mut Draw::new(seed));
            words.extend(form.clusters.into_iter().map(|cluster| cluster.name));
            words.extend(form.queues.into_iter().map(|queue| queue.name));
            words.extend(form.consumer_groups.into_iter().map(|group| group.id));
        }
        assert!(words.len() > 200, "only {} names", words.len());
        let quoted: Vec<String> = words.iter().map(|word| quoted(word).expect("no NUL")).collect();
        let script = format!("printf '%s\\0' {}", quoted.join(" "));
        let output = std::process::Command::new("bash").args(["-c", &script]).output();
        let output = output.expect("bash").stdout;
        let expected: Vec<u8> = words.iter().flat_map(|w| [w.as_bytes(), b"\0"].concat()).collect();
        assert!(output == expected, "{}", String::from_utf8_lossy(&output));
    }
}
