//! Metrics of queues. No source yet: the names are settled for the RabbitMQ and SQS collectors.

use super::{MetricDef, MetricId, MetricKind, Range, Unit, named};
use crate::domain::entity::EntityKind;

metrics! { Queue;
    QUEUE_DEPTH = "queue.depth", Messages, Gauge, POSITIVE, "Messages in the queue.", [];
    QUEUE_READY = "queue.messages.ready", Messages, Gauge, POSITIVE,
        "Messages that wait for a consumer.", [];
    QUEUE_UNACKED = "queue.messages.unacked", Messages, Gauge, POSITIVE,
        "Messages delivered and not yet acknowledged.", [];
    QUEUE_MESSAGES_IN = "queue.throughput.in.messagesPerSecond", MessagesPerSecond, Rate, POSITIVE,
        "Messages published.", [];
    QUEUE_MESSAGES_OUT = "queue.throughput.out.messagesPerSecond", MessagesPerSecond, Rate,
        POSITIVE, "Messages delivered.", [];
    QUEUE_PROCESSING_TIME = "queue.processing.time", Milliseconds, Gauge, POSITIVE,
        "Time from delivery to acknowledgement.", [];
    QUEUE_CONSUMERS = "queue.consumers", Count, Gauge, POSITIVE, "Consumers.", [];
    QUEUE_MEMORY = "queue.memory.bytes", Bytes, Gauge, POSITIVE, "Memory the queue takes.", [];
    QUEUE_OLDEST_AGE = "queue.oldestMessage.age.seconds", Seconds, Gauge, POSITIVE,
        "Age of the oldest message.", [];
}
