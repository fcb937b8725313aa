//! Topology files: every rule as a rendered diagnostic, both syntaxes, and the way back.

use std::fs;
use std::path::Path;

use super::*;
use crate::domain::entity::EntityKey;
use crate::domain::provider::Provider;
use crate::hybrid::testing::{Draw, topology_form};
use crate::hybrid::topology::Plan;

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/config"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn rendered(name: &str, text: &str) -> String {
    Topology::load(name, text).expect_err(text).render(false)
}

#[test]
fn committed_schema_is_the_enforced_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/topology.schema.json");
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        fs::write(&path, schema_text()).expect("writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema_text(), "stale: run the tests with SHAKEDOWN_BLESS=1");
}

/// The JSON that the platform's documents show.
const DOCUMENTED: &str = r#"{ "clusters":[{"name":"kafka-prod","requiredBrokers":3}],
  "brokers":[{"clusterName":"kafka-prod","id":"1"}],
  "topics":[{"clusterName":"kafka-prod","name":"orders","partitions":12,"replicationFactor":3}],
  "consumerGroups":[{"clusterName":"kafka-prod","id":"billing","topics":["orders"]}] }"#;

#[test]
fn the_documented_json_loads_as_it_is() {
    let toml = "
        [[clusters]]
        name = 'kafka-prod'
        requiredBrokers = 3
        [[brokers]]
        clusterName = 'kafka-prod'
        id = '1'
        [[topics]]
        clusterName = 'kafka-prod'
        name = 'orders'
        partitions = 12
        replicationFactor = 3
        [[consumerGroups]]
        clusterName = 'kafka-prod'
        id = 'billing'
        topics = ['orders']";
    let topology = Topology::load("topology.json", DOCUMENTED).expect("valid");
    assert_eq!(Topology::load("topology.toml", toml).as_ref().ok(), Some(&topology));
    // A text that begins with a brace is JSON whatever its name.
    assert_eq!(Topology::load("standard input", DOCUMENTED).as_ref().ok(), Some(&topology));
    let (provider, cluster) = (Provider::Kafka, "kafka-prod".to_owned());
    let topic = EntityKey::Topic { provider, cluster, topic: "orders".to_owned() };
    let plan = Plan::Topic { partitions: Some(12), replication_factor: Some(3) };
    assert_eq!((topology.len(), topology.plan(&topic)), (4, Some(&plan)));
}

#[test]
fn queues_have_their_place() {
    let topology = Topology::load(
        "t.toml",
        "clusters = [{ provider = 'rabbitmq', name = 'r' }]
         queues = [
           { clusterName = 'r', name = 'a' },
           { clusterName = 'r', name = 'b', vhost = '' },
           { region = 'eu-west-1', name = 'c.fifo' },
           { region = 'w', provider = 'pubsub', name = 'd' },
         ]",
    );
    let topology = topology.expect("valid");
    let found: Vec<String> = topology
        .entities()
        .filter_map(|entity| match entity.key {
            EntityKey::Queue { provider, cluster, vhost, queue } => {
                Some(format!("{provider} {cluster} {vhost:?} {queue}"))
            }
            _ => None,
        })
        .collect();
    let expected =
        ["rabbitmq r \"\" b", "rabbitmq r \"/\" a", "sqs eu-west-1 \"\" c.fifo", "pubsub w \"\" d"];
    assert_eq!(found, expected);
}

#[test]
fn what_the_schema_refuses_has_its_place_in_both_syntaxes() {
    let toml = r#"
[[clusters]]
name = ""
required_brokers = 3

[[brokers]]
clusterName = "a"
id = 1

[[topics]]
clusterName = "a"
partitions = 0

[[groups]]
id = "x"
"#;
    snapshot("topology_schema_toml", &rendered("estate.toml", toml));
    let json = r#"{
  "clusters": [{"name": "", "required_brokers": 3}],
  "brokers": [{"clusterName": "a", "id": 1}],
  "topics": [{"clusterName": "a", "partitions": 0, "replicationFactor": null}],
  "groups": [{"id": "x"}]
}"#;
    snapshot("topology_schema_json", &rendered("estate.json", json));
    let twice = "{\n \"clusters\": [],\n \"clusters\": []\n}";
    let texts = [
        "{\n \"clusters\": [,]\n}",
        twice,
        "",
        "{} {}",
        "{\"clusters\": 5000000000}",
        "{\"clusters\": [{\"name\": \"ä\",\n \"requiredBrokers\": 5000000000}]}",
    ];
    let texts = texts.map(|text| rendered("estate.json", text));
    snapshot("topology_syntax_json", &texts.concat());
    let deep = rendered("estate.json", &"[".repeat(100_000));
    assert!(deep.contains("maximum nesting depth exceeded"), "{:.200}", deep);
}

#[test]
fn every_rule_is_told_at_once() {
    let text = r#"
clusters = [
  { name = "a", requiredBrokers = 1 },
  { name = "a" },
  { provider = "sqs", name = "s" },
  { provider = "rabbitmq", name = "r" },
  { provider = "rabbitmq", name = "both" },
  { name = "both" },
]
brokers = [
  { clusterName = "a", id = "1" },
  { clusterName = "a", id = "2" },
  { clusterName = "a", id = "02" },
  { clusterName = "b", id = "1" },
  { clusterName = "both", id = "1" },
  { clusterName = "a", id = "1" },
  { clusterName = "both", provider = "pulsar", id = "1" },
  { clusterName = "ordres", id = "1" },
]
topics = [
  { clusterName = "a", name = "t", replicationFactor = 3 },
  { clusterName = "a", name = "t", partitions = 3 },
  { clusterName = "a", name = "a.b" },
  { clusterName = "a", name = "a_b" },
  { clusterName = "a", name = ".." },
  { clusterName = "a", name = "a b" },
  { clusterName = "r", name = "t" },
]
queues = [
  { name = "q" },
  { clusterName = "r", region = "eu", name = "q" },
  { clusterName = "a", name = "q" },
  { clusterName = "r", name = "amq.q" },
  { region = "eu", name = "a.b" },
  { region = "eu", vhost = "/", name = "a" },
  { region = "eu", provider = "rabbitmq", name = "a" },
  { clusterName = "r", name = "q" },
  { clusterName = "r", name = "q", vhost = "/" },
]
consumerGroups = [
  { clusterName = "a", id = "g", topics = ["t", "tt", "t", "a.b", "x"] },
  { clusterName = "r", id = "g" },
  { clusterName = "both", provider = "kafka", id = "g", topics = ["t"] },
]
"#;
    snapshot("topology_rules", &rendered("estate.toml", text));
}

#[test]
fn names_are_refused_as_their_providers_do() {
    let check = |element: &str, expected: Option<&str>| {
        let text = format!(
            "clusters = [{{ name = 'k' }}, {{ provider = 'rabbitmq', name = 'r' }}]\n{element}"
        );
        let found = Topology::load("t.toml", &text).err().map(|error| error.to_string());
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(words)) if found.contains(words) => {}
            (found, expected) => panic!("{element}: {found:?}, expected {expected:?}"),
        }
    };
    let topic = |name: &str, expected| {
        check(&format!("topics = [{{ clusterName = 'k', name = '{name}' }}]"), expected);
    };
    topic(&"x".repeat(249), None);
    topic(&"x".repeat(250), Some("250 characters"));
    topic("...", None);
    topic(".", Some("called `.`"));
    topic("a:b", Some("':'"));
    topic("über", Some("'ü'"));
    let broker = |id: &str, expected| {
        check(&format!("brokers = [{{ clusterName = 'k', id = '{id}' }}]"), expected);
    };
    broker("0", None);
    broker("2147483647", None);
    for id in ["2147483648", "-1", "+1", "01", "a", " 1"] {
        broker(id, Some("Kafka has no broker with the id"));
    }
    let rabbit = |name: &str, expected| {
        check(&format!("queues = [{{ clusterName = 'r', name = '{name}' }}]"), expected);
    };
    rabbit(&"ü".repeat(127), None);
    rabbit(&"ü".repeat(128), Some("256 bytes"));
    rabbit("amq", None);
    rabbit("amq.gen", Some("to itself"));
    let sqs = |name: &str, expected| {
        check(&format!("queues = [{{ region = 'eu', name = '{name}' }}]"), expected);
    };
    sqs(&"x".repeat(80), None);
    sqs(&"x".repeat(81), Some("81 characters"));
    sqs(&format!("{}.fifo", "x".repeat(75)), None);
    sqs(&format!("{}.fifo", "x".repeat(76)), Some("81 characters"));
    sqs(".fifo", Some("5 characters"));
    sqs("a.b", Some("'.'"));
}

#[test]
fn a_fixed_name_is_not_its_neighbour() {
    // Two spaces, a colon that moves, an escape, a vhost: all of them differ.
    let text = "clusters = [{ provider = 'x', name = 'a' }, { provider = 'x', name = 'a:b' }]
        queues = [
          { clusterName = 'a', name = 'b:c' }, { clusterName = 'a:b', name = 'c' },
          { clusterName = 'a', vhost = 'b', name = 'c' }, { clusterName = 'a', name = 'b%3Ac' },
        ]";
    assert_eq!(Topology::load("t.toml", text).expect("valid").len(), 6);
}

#[test]
fn a_topology_is_read_as_it_was_written() {
    let mut entities = 0;
    for seed in 0..200 {
        let form = topology_form(&mut Draw::new(seed));
        let topology = Topology::new(form).unwrap_or_else(|faults| panic!("{seed}: {faults:?}"));
        entities += topology.len();
        let (toml, json) = (topology.to_toml(), topology.to_json());
        let read = |name, text: &str| {
            Topology::load(name, text).unwrap_or_else(|e| panic!("{seed}: {}", e.render(false)))
        };
        for again in [read("t.toml", &toml), read("t.json", &json)] {
            assert_eq!(again, topology, "seed {seed}");
            assert_eq!((again.to_toml(), again.to_json()), (toml.clone(), json.clone()));
        }
    }
    assert!(entities > 2_000, "only {entities} entities were written");
}
