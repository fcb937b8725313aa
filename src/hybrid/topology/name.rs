//! Names that a provider would refuse, so that no entity of that name can ever be found.
//!
//! Sources: Kafka's `org.apache.kafka.common.internals.Topic` (length, characters, `.` and `..`)
//! and its `node.id`; the AMQP 0-9-1 rule that names take at most 255 bytes, and RabbitMQ's
//! reserved prefix; the naming rules of `CreateQueue` in Amazon SQS's API reference.
//!
//! Not modelled: names of other providers.

use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::provider::Provider;

/// Longest name of a Kafka topic.
const KAFKA_TOPIC_MAX: usize = 249;
/// Longest name of an SQS queue, `.fifo` included.
const SQS_QUEUE_MAX: usize = 80;
/// Longest name of a RabbitMQ queue, in bytes.
const RABBITMQ_QUEUE_BYTES_MAX: usize = 255;

/// Why a name is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub message: String,
    pub help: &'static str,
}

fn refusal(message: String, help: &'static str) -> Option<Refusal> {
    Some(Refusal { message, help })
}

/// Why the provider of `key` refuses its name, if it does.
pub(super) fn refused(key: &EntityKey) -> Option<Refusal> {
    let name = key.name();
    match (key.provider(), key.kind()) {
        (Provider::Kafka, EntityKind::Topic) => kafka_topic(name),
        (Provider::Kafka, EntityKind::Broker) => kafka_broker(name),
        (Provider::RabbitMq, EntityKind::Queue) => rabbitmq_queue(name),
        (Provider::Sqs, EntityKind::Queue) => sqs_queue(name),
        _ => None,
    }
}

fn kafka_topic(name: &str) -> Option<Refusal> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name == "." || name == ".." {
        return refusal(format!("Kafka refuses a topic called `{name}`"), "choose another name");
    }
    if let Some(found) = name.chars().find(|c| !is_legal(*c)) {
        let message = format!("Kafka refuses a topic with {found:?} in its name");
        return refusal(message, "letters a to z, digits, `.`, `_` and `-` are allowed");
    }
    if name.len() > KAFKA_TOPIC_MAX {
        let message = format!("Kafka refuses a topic's name of {} characters", name.len());
        return refusal(message, "at most 249 are allowed");
    }
    None
}

fn kafka_broker(id: &str) -> Option<Refusal> {
    let number: Option<i32> = id.parse().ok().filter(|number| *number >= 0);
    match number {
        Some(number) if number.to_string() == id => None,
        _ => refusal(
            format!("Kafka has no broker with the id `{id}`"),
            "write its node.id: a whole number from 0 to 2147483647, without leading zeros",
        ),
    }
}

fn rabbitmq_queue(name: &str) -> Option<Refusal> {
    if name.starts_with("amq.") {
        let message = format!("RabbitMQ keeps names such as `{name}` to itself");
        return refusal(message, "choose a name that does not begin with `amq.`");
    }
    if name.len() > RABBITMQ_QUEUE_BYTES_MAX {
        let message = format!("RabbitMQ refuses a queue's name of {} bytes", name.len());
        return refusal(message, "at most 255 are allowed");
    }
    None
}

fn sqs_queue(name: &str) -> Option<Refusal> {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let chars = name.chars().count();
    if let Some(found) = stem.chars().find(|c| !is_legal(*c)) {
        let message = format!("SQS refuses a queue with {found:?} in its name");
        return refusal(message, "letters, digits, `_`, `-`, and `.fifo` at the end are allowed");
    }
    if stem.is_empty() || chars > SQS_QUEUE_MAX {
        let message = format!("SQS refuses a queue's name of {chars} characters");
        return refusal(
            message,
            "1 to 80 are allowed, `.fifo` included, which is no name by itself",
        );
    }
    None
}

/// The name that Kafka gives a topic in its metrics: two topics of one cluster must differ in it.
pub(super) fn kafka_metric_name(topic: &str) -> String {
    topic.replace('.', "_")
}
