//! The three forms of one report that has every sort of gap.

use super::*;
use crate::domain::provider::Provider;
use crate::hybrid::gap::{Detector, Observed, Tolerance};
use crate::hybrid::topology::Topology;

const TOPOLOGY: &str = "
clusters = [
  { name = 'kafka-prod', requiredBrokers = 3, bootstrapServers = ['kafka-1:9092'] },
  { provider = 'rabbitmq', name = 'rabbit' },
]
brokers = [
  { clusterName = 'kafka-prod', id = '1' },
  { clusterName = 'kafka-prod', id = '2' },
  { clusterName = 'kafka-prod', id = '3' },
]
topics = [
  { clusterName = 'kafka-prod', name = 'orders', partitions = 12, replicationFactor = 3 },
  { clusterName = 'kafka-prod', name = 'events', partitions = 6 },
  { clusterName = 'kafka-prod', name = 'logs' },
]
queues = [
  { clusterName = 'rabbit', name = \"in`voices|*\\u001b[31m\" },
  { region = 'eu-west-1', name = '-x.fifo' },
]
consumerGroups = [{ clusterName = 'kafka-prod', id = \"it's\", topics = ['orders'] }]
";

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

fn estate() -> Estate {
    let (kafka, cluster) = (|| Provider::Kafka, || "kafka-prod".to_owned());
    let topic =
        |name: &str| EntityKey::Topic { provider: kafka(), cluster: cluster(), topic: name.into() };
    let broker = |id: &str| EntityKey::Broker {
        provider: kafka(),
        cluster: cluster(),
        broker_id: id.into(),
    };
    let ago = |seconds: i128| UnixNanos(NOW.0 - seconds * 1_000_000_000);
    let with = |key: EntityKey, partitions: u32, factor: u16| Observed {
        partitions: Some(partitions),
        replication_factor: Some(factor),
        ..Observed::new(key, ago(10))
    };
    Estate {
        source: "New Relic (account 7)".to_owned(),
        observed: vec![
            Observed::new(EntityKey::Cluster { provider: kafka(), cluster: cluster() }, ago(0)),
            Observed::new(broker("1"), ago(5)),
            Observed::new(broker("2"), ago(301)),
            with(topic("orders"), 11, 2),
            with(topic("events"), 6, 3),
            Observed::new(topic("logs"), ago(100_000)),
            Observed::new(topic("scratch"), ago(1)),
        ],
        now: NOW,
        notes: vec!["cluster `kafka-prod` was read in part".to_owned()],
        ..Estate::default()
    }
}

fn with_report(check: impl Fn(&GapReport<'_>, &Context<'_>)) {
    let topology = Topology::load("estate.toml", TOPOLOGY).expect("valid");
    let detector = Detector::new(topology, Tolerance::default());
    let estate = estate();
    let report = detector.examine(&estate.observed, estate.now);
    let context = Context {
        topology: "estate.toml".to_owned(),
        estate: &estate,
        account: AccountId::try_from(7).ok(),
        fail_under: Some(95.0),
        show: 20,
    };
    check(&report, &context);
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/gaps"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn every_form_tells_every_gap() {
    with_report(|report, context| {
        snapshot("text", &text(report, context));
        snapshot("markdown", &markdown(report, context));
        let json = serde_json::to_string_pretty(&json(report, context)).expect("JSON");
        snapshot("json", &json);
        assert!(!text(report, context).contains('\u{1b}'), "a name writes on the terminal");
        let topology = context.topology.clone();
        let short = Context { show: 1, account: None, topology, ..*context };
        snapshot("text_short", &text(report, &short));
    });
}

#[test]
fn percentages_are_never_rounded_up() {
    let cases = [(100.0, "100.0"), (99.999, "99.9"), (0.0, "0.0"), (66.666, "66.6")];
    for (value, expected) in cases {
        assert_eq!(percent(value), expected);
    }
}

#[test]
fn durations_have_two_units() {
    let cases = [(0, "0s"), (301, "5min 1s"), (7_260, "2h 1min"), (100_000, "1d 3h")];
    for (seconds, expected) in cases {
        assert_eq!(duration(Duration::from_secs(seconds)), expected);
    }
}

#[test]
fn code_spans_hold_backticks() {
    let cases = [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("a``b`c", "```a``b`c```")];
    for (text, expected) in cases {
        assert_eq!(code(text), expected);
    }
}
