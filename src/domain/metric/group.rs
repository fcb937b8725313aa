//! Metrics of consumer groups.

use super::Scale::{AgeInSeconds, FloorAtZero};
use super::{
    MetricDef, MetricId, MetricKind, Range, Unit, formula, kafka, kafka_as, named, nri, nri_as,
};
use crate::domain::entity::EntityKind;
use crate::domain::sample::SubjectKind::{Group, GroupPartition, GroupTopic};

metrics! { ConsumerGroup;
    GROUP_LAG_TOTAL = "consumerGroup.lag.total", Messages, Gauge, POSITIVE,
        "Messages written and not yet committed as read, over all partitions.",
        [
            kafka_as(GroupPartition, "consumer.lag", FloorAtZero),
            nri_as(GroupPartition, "consumer.lag", FloorAtZero),
            nri_as(GroupPartition, "offsetLag", FloorAtZero),
            formula("Σ over partitions; lag of a partition without one = log end − committed offset"),
            nri_as(Group, "consumerGroup.totalLag", FloorAtZero),
            nri_as(Group, "totalOffsetLag", FloorAtZero),
            nri_as(Group, "consumer.offsetLag", FloorAtZero),
            nri_as(Group, "totalLag", FloorAtZero),
            nri_as(Group, "consumer.totalLag", FloorAtZero),
            nri_as(GroupTopic, "consumerGroup.totalLag", FloorAtZero),
        ];
    GROUP_LAG_MAX = "consumerGroup.lag.max", Messages, Gauge, POSITIVE,
        "Lag of the partition that is furthest behind.",
        [
            formula("max over partitions"),
            nri_as(Group, "consumerGroup.maxLag", FloorAtZero),
            nri_as(Group, "maxOffsetLag", FloorAtZero),
            nri_as(Group, "maxLag", FloorAtZero),
            nri_as(GroupTopic, "consumerGroup.maxLag", FloorAtZero),
        ];
    GROUP_CONSUMPTION = "consumerGroup.throughput.messagesPerSecond", MessagesPerSecond, Rate,
        POSITIVE, "Messages that the group committed as read.",
        [
            kafka(GroupPartition, "consumer.offset_total"),
            formula("Σ over the partitions whose rate is known"),
            nri(Group, "messageConsumptionRate"),
            nri(Group, "recordsConsumedRate"),
            nri(Group, "messagesConsumedPerSecond"),
        ];
    GROUP_MEMBERS_ACTIVE = "consumerGroup.members.active", Count, Gauge, POSITIVE,
        "Members that read partitions.",
        [
            nri(Group, "consumerGroup.activeConsumers"),
            nri(GroupTopic, "consumerGroup.activeConsumers"),
            formula("distinct client ids of the partitions' rows"),
            formula("consumerGroup.members.total"),
        ];
    GROUP_MEMBERS_TOTAL = "consumerGroup.members.total", Count, Gauge, POSITIVE,
        "Members.",
        [kafka(Group, "group.members"), nri(Group, "memberCount"), nri(Group, "members")];
    GROUP_COMMIT_RATE = "consumerGroup.commit.rate", PerSecond, Rate, POSITIVE,
        "Commits.",
        [nri(Group, "commitRate")];
    GROUP_LAST_COMMIT_AGE = "consumerGroup.lastCommit.age.seconds", Seconds, Gauge, POSITIVE,
        "Time since the newest commit.",
        [
            nri_as(GroupPartition, "lastCommitTime", AgeInSeconds),
            formula("min over partitions"),
        ];
    GROUP_REBALANCE_RATE = "consumerGroup.rebalance.rate", PerHour, Rate, POSITIVE,
        "Rebalances.",
        [nri(Group, "rebalanceRate")];
    GROUP_CATCH_UP = "consumerGroup.lag.timeToCatchUp.seconds", Seconds, Derived, POSITIVE,
        "Time to read what is waiting, if nothing new came in.",
        [formula("round(lag.total ÷ throughput.messagesPerSecond); absent at rate 0")];
    GROUP_TOPICS = "consumerGroup.topics.count", Count, Derived, POSITIVE,
        "Topics that the group reads.",
        [formula("distinct topics of the group's rows")];
    GROUP_HEALTH_SCORE = "consumerGroup.health.score", Score, Derived, PERCENT,
        "Health of the group.",
        [formula(
            "100 − 40 if lag > 10,000, 20 if > 1,000, 10 if > 100 − 30 if consumption is 0 − 15 if \
             rebalance rate > 0.1 − min(20, 100·inactive members' share) − 15 if state ≠ Stable; \
             unknown terms deduct nothing; absent when all are unknown"
        )];
}
