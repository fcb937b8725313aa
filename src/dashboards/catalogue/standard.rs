//! The standard dashboard: four pages, from the figures that everybody asks for to what it costs.

use super::parts::{
    Column, bars, computed, entities, entities_by, figure, greatest, mean, states, table, table_of,
    top, total, total_trend, total_trend_by, trend, trend_by_entity,
};
use super::{Parameters, Prices, Template};
use crate::dashboards::draft::{Draft, DraftPage};
use crate::dashboards::model::Visualization;
use crate::dashboards::query::{Ask, Condition, Expression, Facet, Fold, Measure};
use crate::domain::entity::EntityKind::{Broker, ConsumerGroup, Topic};
use crate::domain::metric::{MetricId as M, Unit};

/// Four pages.
pub(super) const STANDARD: Template = Template {
    name: "standard",
    title: "Message Queues",
    summary: "Health, consumers, infrastructure with its cost, and topics of all clusters.",
    awaits: None,
    notes: &[
        "The lag recovery projection reads consumerGroup.lag.timeToCatchUp.seconds, which is there \
         only while a group reads; a group that stands still has no time to catch up.",
        "Rebalancing shows in the states of groups: no Kafka source counts rebalances.",
        "Cost is broker hours, storage and traffic at the prices given as parameters; a price of 0 \
         leaves that part out.",
    ],
    pages,
};

fn pages(parameters: &Parameters) -> Vec<DraftPage> {
    vec![overview(), groups(parameters), infrastructure(&parameters.prices), topics()]
}

fn overview() -> DraftPage {
    DraftPage::new(
        "Executive Overview",
        "Is everything well?",
        vec![
            mean("Health score", M::CLUSTER_HEALTH_SCORE).size(3, 3).key(),
            mean("Availability", M::CLUSTER_AVAILABILITY).size(3, 3).key(),
            total("Messages per second", M::CLUSTER_THROUGHPUT_TOTAL).size(3, 3),
            mean("Error rate", M::CLUSTER_ERROR_RATE).size(3, 3),
            entities("Active brokers", Broker).size(4, 3).to_page("Infrastructure & Cost"),
            entities("Active topics", Topic).size(4, 3).to_page("Topics & Partitions"),
            entities("Active consumer groups", ConsumerGroup).size(4, 3).to_page("Consumer Groups"),
            total_trend_by("Throughput", M::CLUSTER_THROUGHPUT_TOTAL, "clusterName").size(6, 4),
            trend(
                "Errors and availability",
                &[(M::CLUSTER_ERROR_RATE, "Errors"), (M::CLUSTER_AVAILABILITY, "Availability")],
            )
            .size(6, 4),
            top("Top topics by messages", M::TOPIC_MESSAGES_IN, 10)
                .size(12, 3)
                .to_page("Topics & Partitions"),
        ],
    )
}

fn groups(parameters: &Parameters) -> DraftPage {
    let (warning, critical) = (parameters.lag_warning, parameters.lag_critical);
    let members: [Column; 7] = [
        (M::GROUP_LAG_TOTAL, "Lag").into(),
        (M::GROUP_MEMBERS_ACTIVE, "Active members").into(),
        (M::GROUP_MEMBERS_TOTAL, "Members").into(),
        (M::GROUP_TOPICS, "Topics").into(),
        ("state", "State").into(),
        ("assignmentStrategy", "Assignment").into(),
        ("coordinatorId", "Coordinator").into(),
    ];
    DraftPage::new(
        "Consumer Groups",
        "Who is behind, and do they catch up?",
        vec![
            total("Total lag", M::GROUP_LAG_TOTAL).alarm(warning, critical).size(3, 3).key(),
            entities("Groups", ConsumerGroup).size(3, 3),
            greatest("Greatest lag", M::GROUP_LAG_TOTAL).alarm(warning, critical).size(3, 3),
            greatest("Furthest partition", M::GROUP_LAG_MAX).size(3, 3),
            total_trend_by("Lag by topic", M::TOPIC_CONSUMER_LAG, "topicName").size(6, 4),
            trend_by_entity("Lag by group", M::GROUP_LAG_TOTAL).size(6, 4),
            trend_by_entity("Time to catch up", M::GROUP_CATCH_UP),
            rebalancing(),
            top("Top lagging groups", M::GROUP_LAG_TOTAL, 15).size(8, 4),
            entities_by("States", ConsumerGroup, "state").size(4, 4),
            table("Members and assignments", M::GROUP_LAG_TOTAL, &members),
        ],
    )
}

/// How many groups were in which state.
fn rebalancing() -> Draft {
    let title = "Group states over time";
    let ask = Ask::of(ConsumerGroup)
        .select(Measure::entities("Groups"))
        .facet(Facet::by("state"))
        .since_minutes(120)
        .over_time();
    Draft::chart(title, Visualization::StackedBar, ask)
}

fn infrastructure(prices: &Prices) -> DraftPage {
    let brokers: [Column; 8] = [
        (M::BROKER_CPU_USAGE, "CPU %").into(),
        (M::BROKER_MEMORY_USAGE, "Memory %").into(),
        (M::BROKER_DISK_USAGE, "Disk %").into(),
        (M::BROKER_NETWORK_THROUGHPUT, "Bytes/s").into(),
        (M::BROKER_PARTITIONS, "Partitions").into(),
        (M::BROKER_LEADER_PARTITIONS, "Leads").into(),
        (M::BROKER_HEALTH_SCORE, "Health").into(),
        ("hostname", "Host").into(),
    ];
    DraftPage::new(
        "Infrastructure & Cost",
        "How loaded are brokers, and what do they cost?",
        vec![
            trend_by_entity("CPU", M::BROKER_CPU_USAGE).size(4, 3),
            trend_by_entity("Memory", M::BROKER_MEMORY_USAGE).size(4, 3),
            trend_by_entity("Disk", M::BROKER_DISK_USAGE).size(4, 3),
            total_trend("Network", &[(M::BROKER_NETWORK_IN, "In"), (M::BROKER_NETWORK_OUT, "Out")]),
            total_trend("Disk in use", &[(M::BROKER_DISK_USED, "Used")]),
            table("Brokers", M::BROKER_CPU_USAGE, &brokers),
        ],
    )
    .section("Cost", cost(prices))
}

const GIB: f64 = 1_073_741_824.0;
/// Hours of a month, as clouds count them.
const MONTH_HOURS: f64 = 730.0;

/// What brokers, their disks and their traffic cost in an hour at the present rate.
fn cost_per_hour(prices: &Prices) -> Expression {
    let storage = prices.storage_gib_month / MONTH_HOURS / GIB;
    let (inbound, outbound) = (prices.in_gib * 3_600.0 / GIB, prices.out_gib * 3_600.0 / GIB);
    let mut cost = Expression::Entities.times(prices.broker_hour);
    for (metric, price) in [
        (M::BROKER_LOG_SIZE, storage),
        (M::BROKER_NETWORK_IN, inbound),
        (M::BROKER_NETWORK_OUT, outbound),
    ] {
        if price > 0.0 {
            cost = cost.plus(Expression::Total(metric).times(price));
        }
    }
    cost
}

fn cost(prices: &Prices) -> Vec<Draft> {
    let Prices { currency, .. } = prices;
    let hour = cost_per_hour(prices);
    let messages = Expression::Total(M::BROKER_MESSAGES_IN).times(3_600.0 / 1e6);
    let bytes = Expression::Total(M::BROKER_NETWORK_THROUGHPUT).times(3_600.0);
    let idle = Ask::of(Broker)
        .select(Measure::of(Fold::Mean, M::BROKER_HANDLER_IDLE, "Idle"))
        .facet(Facet::entity(Broker))
        .limit(20);
    let per_million = hour.clone().over(messages);
    let hourly = Ask::of(Broker).select(Measure::computed(hour.clone(), Unit::Count, currency));
    vec![
        figure(&format!("{currency} per hour"), hourly).size(3, 3),
        computed(&format!("{currency} per million messages"), Broker, per_million, Unit::Count)
            .size(3, 3),
        computed(&format!("Bytes per {currency}"), Broker, bytes.over(hour), Unit::Bytes)
            .size(3, 3),
        total("Bytes on disk", M::BROKER_LOG_SIZE).size(3, 3),
        Draft::chart("Idle capacity", Visualization::Bar, idle).size(12, 3),
    ]
}

fn topics() -> DraftPage {
    let configuration: [Column; 8] = [
        (M::TOPIC_PARTITIONS, "Partitions").into(),
        (M::TOPIC_REPLICATION, "Replication").into(),
        (M::TOPIC_MESSAGES_IN, "In msg/s").into(),
        (M::TOPIC_MESSAGES_OUT, "Out msg/s").into(),
        (M::TOPIC_EFFICIENCY, "Efficiency").into(),
        ("minInSyncReplicas", "Min in sync").into(),
        ("retentionMs", "Retention ms").into(),
        ("cleanupPolicy", "Clean-up").into(),
    ];
    let replication: [Column; 3] = [
        (M::TOPIC_UNDER_REPLICATED, "Under-replicated").into(),
        (M::TOPIC_OFFLINE, "Offline").into(),
        (M::TOPIC_PARTITIONS, "Partitions").into(),
    ];
    DraftPage::new(
        "Topics & Partitions",
        "What flows where, and is it replicated?",
        vec![
            total_trend(
                "Produced and consumed",
                &[(M::TOPIC_MESSAGES_IN, "Produced"), (M::TOPIC_MESSAGES_OUT, "Consumed")],
            )
            .size(12, 3),
            bars(
                "Messages in and out",
                &[(M::TOPIC_MESSAGES_IN, "In"), (M::TOPIC_MESSAGES_OUT, "Out")],
                15,
            )
            .size(6, 4),
            super::parts::shares("Storage", M::TOPIC_SIZE, 10).size(6, 4),
            bars(
                "Partitions by broker",
                &[(M::BROKER_PARTITIONS, "Replicas"), (M::BROKER_LEADER_PARTITIONS, "Leads")],
                20,
            ),
            states(
                "Replication",
                Topic,
                vec![
                    (Condition::Above(M::TOPIC_OFFLINE, 0.0), "Offline"),
                    (Condition::Above(M::TOPIC_UNDER_REPLICATED, 0.0), "Under-replicated"),
                    (Condition::AtLeast(M::TOPIC_UNDER_REPLICATED, 0.0), "Healthy"),
                ],
            ),
            table_of(
                "Replication health",
                M::TOPIC_UNDER_REPLICATED,
                Condition::AtLeast(M::TOPIC_UNDER_REPLICATED, 0.0),
                &replication,
            )
            .size(6, 4),
            table("Topics", M::TOPIC_MESSAGES_IN, &configuration),
        ],
    )
}
