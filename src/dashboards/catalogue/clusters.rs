//! Dashboards about clusters and what runs on them: brokers, health, groups, providers.

use super::operations::unhealthy_brokers;
use super::parts::{
    Column, any_kind_with, bars, distribution, entities, entities_by, figure, grades, greatest,
    least, mean, shares, states, table, top, total, total_trend, total_trend_by, totals_by, trend,
    trend_by_entity,
};
use super::{Parameters, Template};
use crate::dashboards::draft::{Draft, DraftPage};
use crate::dashboards::model::Visualization;
use crate::dashboards::query::{Ask, Condition, Facet, Fold, Measure, Subject};
use crate::domain::entity::EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
use crate::domain::metric::MetricId as M;

/// Five dashboards.
pub(super) const CLUSTERS: [Template; 5] = [
    Template::new(
        "kafka-broker-details",
        "Kafka Broker Details",
        "Traffic, requests and replication of Kafka brokers.",
        kafka_brokers,
    ),
    Template::new("cluster-health", "Cluster Health", "What ails a cluster.", cluster_health),
    Template::new(
        "consumer-groups",
        "Consumer Group Monitoring",
        "Lag, members and throughput of consumer groups.",
        consumer_groups,
    ),
    Template::new(
        "platform-health",
        "Platform Health",
        "All providers and clusters: what is there, how it is, what it carries.",
        platform_health,
    ),
    Template::new(
        "provider-comparison",
        "Provider Comparison",
        "Providers side by side.",
        provider_comparison,
    ),
];

fn kafka_brokers(_: &Parameters) -> Vec<DraftPage> {
    let columns: [Column; 6] = [
        (M::BROKER_PARTITIONS, "Partitions").into(),
        (M::BROKER_LEADER_PARTITIONS, "Leads").into(),
        (M::BROKER_MESSAGES_IN, "Messages/s").into(),
        (M::BROKER_CPU_USAGE, "CPU %").into(),
        ("hostname", "Host").into(),
        ("port", "Port").into(),
    ];
    vec![
        DraftPage::new(
            "Brokers",
            "What brokers carry",
            vec![
                total("Messages per second", M::BROKER_MESSAGES_IN).key(),
                entities("Brokers", Broker),
                trend_by_entity("Network", M::BROKER_NETWORK_THROUGHPUT),
                table("Brokers", M::BROKER_MESSAGES_IN, &columns),
            ],
        ),
        DraftPage::new(
            "Requests",
            "What brokers are asked",
            vec![
                total("Requests per second", M::BROKER_REQUEST_RATE).key(),
                greatest("Slowest requests", M::BROKER_REQUEST_LATENCY),
                least("Handlers idle", M::BROKER_HANDLER_IDLE),
                trend_by_entity("Produce latency", M::BROKER_PRODUCE_LATENCY),
                trend_by_entity("Fetch latency", M::BROKER_FETCH_LATENCY),
                trend_by_entity("Error rate", M::BROKER_ERROR_RATE),
            ],
        ),
        DraftPage::new(
            "Replication",
            "Whether replicas keep up",
            vec![
                total("Under-replicated", M::BROKER_UNDER_REPLICATED).key(),
                trend_by_entity("Replicas that fell out of sync", M::BROKER_ISR_SHRINKS),
                shares("Leaders", M::BROKER_LEADER_PARTITIONS, 20),
            ],
        ),
    ]
}

fn cluster_health(_: &Parameters) -> Vec<DraftPage> {
    vec![
        DraftPage::new(
            "Health",
            "The score and its parts",
            vec![
                mean("Health score", M::CLUSTER_HEALTH_SCORE).key(),
                mean("Availability", M::CLUSTER_AVAILABILITY),
                total("Offline brokers", M::CLUSTER_BROKERS_OFFLINE),
                mean("Error rate", M::CLUSTER_ERROR_RATE),
                trend_by_entity("Health score", M::CLUSTER_HEALTH_SCORE),
                grades("Clusters", M::CLUSTER_HEALTH_SCORE, 80.0, 60.0),
            ],
        ),
        DraftPage::new(
            "Brokers",
            "Who is there and how they are",
            vec![
                total("Brokers online", M::CLUSTER_BROKERS_ONLINE).key(),
                trend_by_entity("Brokers online", M::CLUSTER_BROKERS_ONLINE),
                trend_by_entity("Mean CPU", M::CLUSTER_CPU_MEAN),
                unhealthy_brokers(90.0),
            ],
        ),
        DraftPage::new(
            "Partitions",
            "Replication and leaders",
            vec![
                total("Partitions", M::CLUSTER_PARTITIONS_TOTAL).key(),
                trend_by_entity("Under-replicated", M::CLUSTER_PARTITIONS_UNDER_REPLICATED),
                trend_by_entity("Offline", M::CLUSTER_PARTITIONS_OFFLINE),
            ],
        ),
        DraftPage::new(
            "Capacity",
            "How much room is left",
            vec![
                greatest("Fullest disk", M::CLUSTER_DISK_MAX).key(),
                trend_by_entity("Mean memory", M::CLUSTER_MEMORY_MEAN),
                trend_by_entity("Handlers idle", M::CLUSTER_HANDLER_IDLE_MEAN),
            ],
        ),
    ]
}

fn consumer_groups(parameters: &Parameters) -> Vec<DraftPage> {
    let (warning, critical) = (parameters.lag_warning, parameters.lag_critical);
    let columns: [Column; 5] = [
        (M::GROUP_LAG_TOTAL, "Lag").into(),
        (M::GROUP_CONSUMPTION, "Messages/s").into(),
        (M::GROUP_MEMBERS_ACTIVE, "Members").into(),
        ("state", "State").into(),
        ("coordinatorId", "Coordinator").into(),
    ];
    vec![
        DraftPage::new(
            "Lag",
            "Who is behind",
            vec![
                total("Total lag", M::GROUP_LAG_TOTAL).alarm(warning, critical).key(),
                greatest("Greatest lag", M::GROUP_LAG_TOTAL).alarm(warning, critical),
                entities("Groups", ConsumerGroup),
                mean("Mean lag", M::GROUP_LAG_TOTAL),
                trend_by_entity("Lag", M::GROUP_LAG_TOTAL),
                top("Top lagging groups", M::GROUP_LAG_TOTAL, 15),
                table("Groups", M::GROUP_LAG_TOTAL, &columns),
            ],
        ),
        DraftPage::new(
            "Throughput",
            "How fast groups read",
            vec![
                total("Messages per second", M::GROUP_CONSUMPTION).key(),
                trend_by_entity("Consumption", M::GROUP_CONSUMPTION),
                trend_by_entity("Time to catch up", M::GROUP_CATCH_UP),
                total_trend(
                    "Produced and consumed",
                    &[(M::TOPIC_MESSAGES_IN, "Produced"), (M::TOPIC_MESSAGES_OUT, "Consumed")],
                ),
            ],
        ),
        DraftPage::new(
            "Members",
            "Who reads, and how well",
            vec![
                total("Members", M::GROUP_MEMBERS_TOTAL).key(),
                mean("Health score", M::GROUP_HEALTH_SCORE),
                entities_by("States", ConsumerGroup, "state"),
                entities_by("Assignment strategies", ConsumerGroup, "assignmentStrategy"),
                trend_by_entity("Active members", M::GROUP_MEMBERS_ACTIVE),
            ],
        ),
    ]
}

fn entities_over_time() -> Draft {
    let ask = Ask::about(Subject::EveryKind)
        .select(Measure::entities("Entities"))
        .facet(Facet::by("entityType"))
        .since_minutes(120)
        .over_time();
    Draft::chart("Entities over time", Visualization::StackedBar, ask)
}

fn platform_health(parameters: &Parameters) -> Vec<DraftPage> {
    let behind = Condition::Above(M::GROUP_LAG_TOTAL, parameters.lag_warning);
    let ill = Condition::Any(vec![
        Condition::Below(M::CLUSTER_HEALTH_SCORE, 80.0),
        Condition::Below(M::BROKER_HEALTH_SCORE, 80.0),
        Condition::Below(M::GROUP_HEALTH_SCORE, 80.0),
    ]);
    let everything = Ask::about(Subject::EveryKind).select(Measure::entities("Entities"));
    let by_type = Ask::about(Subject::EveryKind)
        .select(Measure::entities("Entities"))
        .facet(Facet::by("entityType"));
    vec![
        DraftPage::new(
            "Overview",
            "What there is",
            vec![
                figure("Entities", everything).key(),
                any_kind_with("Unhealthy entities", ill),
                Draft::chart("Entities by type", Visualization::Pie, by_type),
                entities_over_time(),
                totals_by("Messages by cluster", M::CLUSTER_THROUGHPUT_TOTAL, "clusterName"),
            ],
        ),
        DraftPage::new(
            "Health",
            "How it is",
            vec![
                least("Least cluster health", M::CLUSTER_HEALTH_SCORE).key(),
                least("Least broker health", M::BROKER_HEALTH_SCORE),
                least("Least group health", M::GROUP_HEALTH_SCORE),
                any_kind_with("Groups behind", behind),
                trend_by_entity("Cluster health", M::CLUSTER_HEALTH_SCORE),
            ],
        ),
        DraftPage::new(
            "Load",
            "What it carries",
            vec![
                total("Messages per second", M::CLUSTER_THROUGHPUT_TOTAL).key(),
                total("Bytes in per second", M::CLUSTER_THROUGHPUT_IN),
                total("Bytes out per second", M::CLUSTER_THROUGHPUT_OUT),
                total("Requests per second", M::CLUSTER_REQUEST_RATE),
                total_trend_by("Messages", M::CLUSTER_THROUGHPUT_TOTAL, "clusterName"),
                distribution("CPU of brokers", M::BROKER_CPU_USAGE, 10.0, 10),
            ],
        ),
    ]
}

fn by_provider(title: &str, metric: M, fold: Fold) -> Draft {
    let ask = Ask::of(metric.entity())
        .select(Measure::of(fold, metric, title))
        .facet(Facet::by("provider"));
    Draft::chart(title, Visualization::Bar, ask)
}

fn provider_comparison(_: &Parameters) -> Vec<DraftPage> {
    let all = Ask::about(Subject::EveryKind)
        .select(Measure::entities("Entities"))
        .facet(Facet::By(vec!["provider", "entityType"]))
        .limit(50)
        .as_table();
    vec![DraftPage::new(
        "Providers",
        "Side by side",
        vec![
            entities_by("Clusters", Cluster, "provider"),
            entities_by("Topics", Topic, "provider"),
            totals_by("Messages per second", M::CLUSTER_THROUGHPUT_TOTAL, "provider"),
            by_provider("Mean health score", M::CLUSTER_HEALTH_SCORE, Fold::Mean),
            by_provider("Least availability", M::CLUSTER_AVAILABILITY, Fold::Least),
            by_provider("Mean error rate", M::CLUSTER_ERROR_RATE, Fold::Mean),
            totals_by("Lag", M::GROUP_LAG_TOTAL, "provider"),
            total_trend_by("Messages over time", M::CLUSTER_THROUGHPUT_TOTAL, "provider"),
            trend("Error rate", &[(M::CLUSTER_ERROR_RATE, "Errors")]),
            states(
                "Clusters by health",
                Cluster,
                vec![
                    (Condition::AtLeast(M::CLUSTER_HEALTH_SCORE, 80.0), "Healthy"),
                    (Condition::Below(M::CLUSTER_HEALTH_SCORE, 80.0), "Unhealthy"),
                ],
            ),
            bars(
                "Bytes by cluster",
                &[(M::CLUSTER_THROUGHPUT_IN, "In"), (M::CLUSTER_THROUGHPUT_OUT, "Out")],
                20,
            ),
            Draft::chart("Entities", Visualization::Table, all),
        ],
    )]
}
