//! The operations dashboard: five pages, 36 widgets, as the platform's first dashboard had them,
//! with its defects mended; the notes say which.

use super::parts::{
    Column, any_kind_with, bars, distribution, entities, figure, grades, mean, states, table,
    table_of, table_of_all, top, total, total_trend, trend,
};
use super::{Parameters, Template};
use crate::dashboards::draft::{Draft, DraftPage};
use crate::dashboards::model::Visualization;
use crate::dashboards::query::{Ask, Condition, Expression, Facet, Fold, Measure, Subject};
use crate::domain::entity::EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
use crate::domain::metric::{MetricId as M, Unit};

/// Five pages, 36 widgets.
pub(super) const OPERATIONS: Template = Template {
    name: "operations",
    title: "Message Queue Operations",
    summary: "What somebody on call looks at: health, brokers, topics, groups, what is wrong now.",
    awaits: None,
    notes: &[
        "3, 6, 15, 21, 25: rates and lags are one value per entity added up, not samples added up.",
        "2: availability by the name that is sent, cluster.availability.percentage.",
        "4, 17: windows of half an hour, so that a slow cycle does not blank them.",
        "5, 12, 20, 27, 36: rows by name instead of GUID, the worst first.",
        "8: entities of every kind, each by the score that its kind has; it could only show \
         clusters.",
        "13: 50 ranges of 10 ms each, 0 to 500 ms; it ended at 20 ms.",
        "21: thresholds are parameters (10,000 and 100,000 messages by default).",
        "27: time to catch up instead of the age of the last commit, which Kafka does not tell.",
        "28, 29: counts are 0 when nothing is wrong, not empty; 29 is without BETWEEN, which NRQL \
         does not have.",
        "30: throughput against an hour ago; 100 minus the health score was no anomaly.",
        "32: critical and warning are two series; they were the same one twice.",
        "33, 36: lag counts as an issue of groups by the same threshold as elsewhere.",
    ],
    pages,
};

fn pages(parameters: &Parameters) -> Vec<DraftPage> {
    vec![overview(), brokers(), topics(), groups(parameters), alerts(parameters)]
}

fn overview() -> DraftPage {
    let clusters: [Column; 6] = [
        (M::CLUSTER_HEALTH_SCORE, "Health score").into(),
        (M::CLUSTER_BROKER_COUNT, "Brokers").into(),
        (M::CLUSTER_TOPIC_COUNT, "Topics").into(),
        (M::CLUSTER_THROUGHPUT_TOTAL, "Messages/s").into(),
        (M::CLUSTER_ERROR_RATE, "Error %").into(),
        (M::CLUSTER_PARTITIONS_UNDER_REPLICATED, "Under-replicated").into(),
    ];
    let entity_types = Ask::about(Subject::EveryKind)
        .select(Measure::entities("Entities"))
        .facet(Facet::by("entityType"));
    DraftPage::new(
        "Overview",
        "The whole at a glance",
        vec![
            mean("Overall Cluster Health", M::CLUSTER_HEALTH_SCORE).size(3, 3).key(),
            mean("Cluster Availability", M::CLUSTER_AVAILABILITY).size(3, 3),
            total("Total Message Throughput", M::CLUSTER_THROUGHPUT_TOTAL).size(3, 3),
            mean("Platform Error Rate", M::CLUSTER_ERROR_RATE).size(3, 3),
            table("Cluster Status", M::CLUSTER_THROUGHPUT_TOTAL, &clusters).size(6, 4),
            total_trend(
                "Message Throughput Trend",
                &[(M::CLUSTER_THROUGHPUT_TOTAL, "Total throughput")],
            )
            .size(6, 4),
            Draft::chart("Entity Distribution", Visualization::Pie, entity_types),
            table_of_all(
                "Critical Issues",
                unhealthy(80.0),
                &[
                    (M::CLUSTER_HEALTH_SCORE, "Cluster health"),
                    (M::BROKER_HEALTH_SCORE, "Broker health"),
                    (M::GROUP_HEALTH_SCORE, "Group health"),
                ],
            )
            .size(8, 4),
        ],
    )
}

/// A health score below `limit`, of whatever kind.
fn unhealthy(limit: f64) -> Condition {
    Condition::Any(vec![
        Condition::Below(M::CLUSTER_HEALTH_SCORE, limit),
        Condition::Below(M::BROKER_HEALTH_SCORE, limit),
        Condition::Below(M::GROUP_HEALTH_SCORE, limit),
    ])
}

fn brokers() -> DraftPage {
    let details: [Column; 6] = [
        (M::BROKER_CPU_USAGE, "CPU %").into(),
        (M::BROKER_MEMORY_USAGE, "Memory %").into(),
        (M::BROKER_DISK_USAGE, "Disk %").into(),
        (M::BROKER_NETWORK_THROUGHPUT, "Network bytes/s").into(),
        (M::BROKER_PARTITIONS, "Partitions").into(),
        (M::BROKER_LEADER_PARTITIONS, "Leader partitions").into(),
    ];
    DraftPage::new(
        "Broker Performance",
        "How loaded brokers are",
        vec![
            trend("Average CPU Usage", &[(M::BROKER_CPU_USAGE, "CPU %")]).size(4, 3),
            trend("Average Memory Usage", &[(M::BROKER_MEMORY_USAGE, "Memory %")]).size(4, 3),
            total_trend("Network Throughput", &[(M::BROKER_NETWORK_THROUGHPUT, "Bytes/s")])
                .size(4, 3),
            table("Broker Status Details", M::BROKER_CPU_USAGE, &details),
            distribution("Request Latency Distribution", M::BROKER_REQUEST_LATENCY, 10.0, 50),
            top("Broker Load Distribution", M::BROKER_LOAD_SCORE, 20),
        ],
    )
}

fn topics() -> DraftPage {
    let details: [Column; 6] = [
        (M::TOPIC_PARTITIONS, "Partitions").into(),
        (M::TOPIC_REPLICATION, "Rep factor").into(),
        (M::TOPIC_MESSAGES_IN, "In msg/s").into(),
        (M::TOPIC_MESSAGES_OUT, "Out msg/s").into(),
        (M::TOPIC_ERROR_RATE, "Error %").into(),
        (M::TOPIC_EFFICIENCY, "Efficiency").into(),
    ];
    let lag = Ask::of(Topic)
        .select(Measure::of(Fold::Greatest, M::TOPIC_LAG, "Max lag"))
        .only(Condition::Above(M::TOPIC_LAG, 0.0))
        .facet(Facet::entity(Topic))
        .limit(15);
    let size = Ask::of(Topic)
        .select(Measure::computed(
            Expression::Metric(Fold::Greatest, M::TOPIC_SIZE).times(1_048_576.0),
            Unit::Bytes,
            "Size",
        ))
        .only(Condition::Above(M::TOPIC_SIZE, 0.0))
        .facet(Facet::entity(Topic))
        .limit(10);
    DraftPage::new(
        "Topic Analytics",
        "What flows through topics",
        vec![
            bars(
                "Top Topics by Message Throughput",
                &[(M::TOPIC_MESSAGES_IN, "In msg/s"), (M::TOPIC_MESSAGES_OUT, "Out msg/s")],
                15,
            )
            .size(6, 4),
            Draft::chart("Topic Consumer Lag", Visualization::Bar, lag).size(6, 4),
            trend("Topic Error Rates", &[(M::TOPIC_ERROR_RATE, "Error rate %")]).size(4, 3),
            states(
                "Topic Efficiency Distribution",
                Topic,
                vec![
                    (Condition::AtLeast(M::TOPIC_EFFICIENCY, 90.0), "Excellent"),
                    (Condition::AtLeast(M::TOPIC_EFFICIENCY, 70.0), "Good"),
                    (Condition::AtLeast(M::TOPIC_EFFICIENCY, 50.0), "Fair"),
                    (Condition::Below(M::TOPIC_EFFICIENCY, 50.0), "Poor"),
                ],
            ),
            Draft::chart("Topic Storage Distribution", Visualization::Pie, size),
            table("Topic Configuration and Performance", M::TOPIC_MESSAGES_IN, &details),
        ],
    )
}

fn groups(parameters: &Parameters) -> DraftPage {
    let (warning, critical) = (parameters.lag_warning, parameters.lag_critical);
    let details: [Column; 6] = [
        (M::GROUP_LAG_TOTAL, "Total lag").into(),
        (M::GROUP_CONSUMPTION, "Messages/s").into(),
        (M::GROUP_MEMBERS_ACTIVE, "Active members").into(),
        (M::GROUP_CATCH_UP, "Seconds to catch up").into(),
        (M::GROUP_HEALTH_SCORE, "Health score").into(),
        ("state", "State").into(),
    ];
    let lagging = lagging(0.0, "Total lag", 15);
    DraftPage::new(
        "Consumer Groups",
        "Who is behind",
        vec![
            total("Total Platform Consumer Lag", M::GROUP_LAG_TOTAL)
                .alarm(warning, critical)
                .size(3, 3)
                .key(),
            entities("Active Consumer Groups", ConsumerGroup).size(3, 3),
            mean("Average Lag per Consumer", M::GROUP_LAG_TOTAL).size(3, 3),
            grades("Consumer Group Health", M::GROUP_HEALTH_SCORE, 80.0, 60.0),
            total_trend("Consumer Lag Trend", &[(M::GROUP_LAG_TOTAL, "Total lag")]).size(6, 4),
            Draft::chart("Top Consumer Groups by Lag", Visualization::Bar, lagging).size(6, 4),
            table("Consumer Group Performance Details", M::GROUP_LAG_TOTAL, &details),
        ],
    )
}

/// The groups with most lag above `least`.
fn lagging(least: f64, label: &str, limit: u32) -> Ask {
    Ask::of(ConsumerGroup)
        .select(Measure::of(Fold::Greatest, M::GROUP_LAG_TOTAL, label))
        .only(Condition::Above(M::GROUP_LAG_TOTAL, least))
        .facet(Facet::entity(ConsumerGroup))
        .limit(limit)
}

fn critical() -> Condition {
    Condition::Any(vec![
        Condition::Below(M::CLUSTER_HEALTH_SCORE, 60.0),
        Condition::AtLeast(M::BROKER_CPU_USAGE, 90.0),
        Condition::AtLeast(M::TOPIC_ERROR_RATE, 5.0),
    ])
}

fn warning() -> Condition {
    Condition::Any(vec![
        Condition::within(M::CLUSTER_HEALTH_SCORE, 60.0, 80.0),
        Condition::within(M::BROKER_CPU_USAGE, 80.0, 90.0),
        Condition::within(M::TOPIC_ERROR_RATE, 1.0, 5.0),
    ])
}

fn issue() -> Vec<Condition> {
    vec![
        Condition::Below(M::CLUSTER_HEALTH_SCORE, 80.0),
        Condition::AtLeast(M::BROKER_CPU_USAGE, 80.0),
        Condition::AtLeast(M::TOPIC_ERROR_RATE, 1.0),
    ]
}

fn alerts(parameters: &Parameters) -> DraftPage {
    let behind = Condition::Above(M::GROUP_LAG_TOTAL, parameters.lag_warning);
    let everything = || Ask::about(Subject::EveryKind);
    let throughput = Ask::of(Cluster)
        .select(Measure::total(M::CLUSTER_THROUGHPUT_TOTAL, "Messages/s"))
        .compare_hours(1);
    let incidents = everything()
        .select(Measure::entities_with(Condition::Any(issue()), "Issues"))
        .compare_hours(1);
    let timeline = everything()
        .select(Measure::entities_with(critical(), "Critical"))
        .select(Measure::entities_with(warning(), "Warning"))
        .since_minutes(240)
        .over_time();
    let mut issues = issue();
    issues.push(behind.clone());
    let by_type = everything()
        .select(Measure::entities("Issues"))
        .only(Condition::Any(issues))
        .facet(Facet::by("entityType"));
    let mut drafts = vec![
        any_kind_with("Active Critical Alerts", critical()).key(),
        any_kind_with("Active Warning Alerts", warning()),
        figure("Throughput Against an Hour Ago", throughput),
        figure("Incident Count Trend", incidents),
        Draft::chart("Alert Timeline", Visualization::Line, timeline).size(12, 3),
        Draft::chart("Issues by Entity Type", Visualization::Pie, by_type),
    ];
    drafts.extend(details(parameters, behind));
    DraftPage::new("Alerts & Anomalies", "What is wrong now", drafts)
}

fn details(parameters: &Parameters, behind: Condition) -> Vec<Draft> {
    let resources = [
        (M::BROKER_CPU_USAGE, "CPU"),
        (M::BROKER_MEMORY_USAGE, "Memory"),
        (M::BROKER_DISK_USAGE, "Disk"),
    ];
    let exhausted = resources.iter().map(|(metric, _)| Condition::Above(*metric, 80.0)).collect();
    let measures =
        resources.iter().map(|(metric, label)| Measure::of(Fold::Greatest, *metric, label));
    let resources = Ask::of(Broker)
        .select_all(measures)
        .only(Condition::Any(exhausted))
        .facet(Facet::entity(Broker))
        .limit(10);
    let anomalies = lagging(parameters.lag_warning, "Lag", 10);
    let worst = Condition::Any(vec![
        Condition::Below(M::CLUSTER_HEALTH_SCORE, 70.0),
        Condition::Above(M::BROKER_CPU_USAGE, 85.0),
        Condition::Above(M::BROKER_MEMORY_USAGE, 85.0),
        Condition::Above(M::TOPIC_ERROR_RATE, 3.0),
        behind,
    ]);
    vec![
        Draft::chart("Resource Exhaustion Risk", Visualization::Bar, resources).size(4, 3),
        Draft::chart("Consumer Lag Anomalies", Visualization::Bar, anomalies).size(4, 3),
        table_of_all(
            "Critical Issues Detail",
            worst,
            &[
                (M::CLUSTER_HEALTH_SCORE, "Health"),
                (M::BROKER_CPU_USAGE, "CPU %"),
                (M::BROKER_MEMORY_USAGE, "Memory %"),
                (M::TOPIC_ERROR_RATE, "Error %"),
                (M::GROUP_LAG_TOTAL, "Lag"),
            ],
        ),
    ]
}

/// Broker health is asked of brokers that have one; used by the other templates too.
pub(super) fn unhealthy_brokers(limit: f64) -> Draft {
    let columns: [Column; 4] = [
        (M::BROKER_HEALTH_SCORE, "Health").into(),
        (M::BROKER_CPU_USAGE, "CPU %").into(),
        (M::BROKER_UNDER_REPLICATED, "Under-replicated").into(),
        (M::BROKER_HANDLER_IDLE, "Handlers idle %").into(),
    ];
    let condition = Condition::Below(M::BROKER_HEALTH_SCORE, limit);
    table_of("Unhealthy brokers", M::BROKER_UNDER_REPLICATED, condition, &columns)
}
