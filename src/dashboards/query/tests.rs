//! Texts of queries, and what cannot be asked.

use super::*;
use crate::domain::entity::EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
use crate::nrql::lint::{Catalogue, Severity, lint};
use crate::nrql::parse;

fn scope() -> Scope {
    Scope { variables: vec![("clusterName", "cluster")], fixed: Vec::new() }
}

#[track_caller]
fn check(ask: Ask, expected: &str) {
    let text = ask.text(&scope()).expect("can be asked");
    assert_eq!(text, expected);
    let statement = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut findings = lint(&statement, Some(&Catalogue::message_queue()));
    findings.retain(|finding| finding.severity >= Severity::Warning);
    assert_eq!(findings, [], "{text}");
}

#[test]
fn queries_are_what_a_reviewer_would_write() {
    check(
        Ask::of(Cluster).select(Measure::of(Fold::Mean, MetricId::CLUSTER_HEALTH_SCORE, "Health")),
        "SELECT average(cluster.health.score) AS 'Health' FROM MessageQueue WHERE entityType = \
         'MESSAGE_QUEUE_CLUSTER' AND clusterName IN ({{cluster}}) SINCE 30 minutes ago",
    );
    let lag = MetricId::lookup(ConsumerGroup, "consumerGroup.lag.total").expect("known");
    check(
        Ask::of(ConsumerGroup).select(Measure::total(lag, "Total lag")).since_minutes(5),
        "SELECT sum(v0) AS 'Total lag' FROM (SELECT latest(consumerGroup.lag.total) AS 'v0' FROM \
         MessageQueue WHERE entityType = 'MESSAGE_QUEUE_CONSUMER_GROUP' AND clusterName IN \
         ({{cluster}}) FACET entityGuid LIMIT MAX) SINCE 5 minutes ago",
    );
    let messages = MetricId::lookup(Topic, "topic.throughput.in.messagesPerSecond").expect("known");
    check(
        Ask::of(Topic)
            .select(Measure::total(messages, "In"))
            .facet(Facet::by("clusterName"))
            .over_time()
            .since_minutes(120),
        "SELECT sum(v0) AS 'In' FROM (SELECT average(`topic.throughput.in.messagesPerSecond`) AS \
         'v0' FROM MessageQueue WHERE entityType = 'MESSAGE_QUEUE_TOPIC' AND clusterName IN \
         ({{cluster}}) FACET entityGuid, clusterName LIMIT MAX TIMESERIES AUTO) FACET clusterName \
         SINCE 2 hours ago TIMESERIES AUTO",
    );
    let (cpu, memory) = (
        MetricId::lookup(Broker, "broker.cpu.usage").expect("known"),
        MetricId::lookup(Broker, "broker.memory.usage").expect("known"),
    );
    check(
        Ask::of(Broker)
            .select(Measure::entities("Brokers"))
            .only(Condition::Any(vec![
                Condition::Above(cpu, 90.0),
                Condition::within(memory, 80.0, 90.0),
            ]))
            .facet(Facet::Cases(vec![(Condition::AtLeast(cpu, 0.5), "it's busy")])),
        "SELECT uniqueCount(entityGuid) AS 'Brokers' FROM MessageQueue WHERE entityType = \
         'MESSAGE_QUEUE_BROKER' AND clusterName IN ({{cluster}}) AND (broker.cpu.usage > 90 OR \
         (broker.memory.usage >= 80 AND broker.memory.usage < 90)) FACET CASES (WHERE \
         broker.cpu.usage >= 0.5 AS 'it\\'s busy') SINCE 30 minutes ago",
    );
}

#[test]
fn what_makes_no_sense_cannot_be_asked() {
    let cpu = MetricId::lookup(Broker, "broker.cpu.usage").expect("known");
    let latency = MetricId::lookup(Broker, "broker.request.latency").expect("known");
    let mean = |metric, label| Measure::of(Fold::Mean, metric, label);
    let check = |ask: Ask, expected: &str| {
        let error = ask.text(&scope()).expect_err("refused").to_string();
        assert_eq!(error, expected);
    };
    check(Ask::of(Broker), "nothing is selected");
    check(
        Ask::of(Topic).select(mean(cpu, "CPU")),
        "broker/broker.cpu.usage is no metric of Kind(Topic)",
    );
    check(
        Ask::of(Topic).select(Measure::entities("n")).only(Condition::Above(cpu, 1.0)),
        "broker/broker.cpu.usage is no metric of Kind(Topic)",
    );
    check(
        Ask::of(Broker).select(mean(cpu, "CPU")).select(mean(latency, "Latency")),
        "CPU (%) and Latency (ms) cannot share an axis",
    );
    check(
        Ask::of(Broker).select(Measure::total(cpu, "CPU")),
        "broker/broker.cpu.usage of several entities does not add up",
    );
    let log = MetricId::lookup(Broker, "log.size.bytes").expect("known");
    check(
        Ask::of(Broker).select(Measure::total(log, "Log")).select(Measure::of(
            Fold::Mean,
            log,
            "Mean",
        )),
        "Log is a total, the others are not",
    );
}
