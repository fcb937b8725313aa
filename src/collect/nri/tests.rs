//! Envelopes, shapes, faults and their places.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::sample::{RawValue, Subject};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn read_all(input: &[u8]) -> (Vec<RawSample<'_>>, Vec<NriError>, NriStats) {
    let (mut samples, mut errors) = (Vec::new(), Vec::new());
    let defaults = NriDefaults { at: NOW, cluster: None };
    let stats = read(input, defaults, |result| match result {
        Ok(sample) => samples.push(sample.clone()),
        Err(error) => errors.push(error),
    });
    assert_eq!(stats.samples as usize, samples.len());
    assert_eq!(stats.faults as usize, errors.len());
    (samples, errors, stats)
}

/// The only sample, without its time.
fn one(input: &str) -> (String, Subject<'_>, Vec<String>) {
    let (samples, errors, _) = read_all(input.as_bytes());
    assert_eq!(errors, [], "{input}");
    let [sample] = <[_; 1]>::try_from(samples).unwrap();
    let fields = sample.fields.iter().map(|field| match &field.value {
        RawValue::Number(number) => format!("{}={number}", field.name),
        RawValue::Rate { per_second, window_ms } => {
            format!("{}={per_second}/s over {window_ms}", field.name)
        }
        RawValue::Text(text) => format!("{}={text:?}", field.name),
    });
    (sample.cluster.into_owned(), sample.subject, fields.collect())
}

/// The form of protocol 3, with the capital `Key` and `Value`.
const PROTOCOL_3: &str = r#"{"name":"com.newrelic.kafka","protocol_version":"3",
 "integration_version":"3.21.0",
 "data":[{"entity":{"name":"kafka1:9092","type":"ka-broker",
                    "id_attributes":[{"Key":"clusterName","Value":"c"},{"Key":"brokerID","Value":"101"}]},
          "metrics":[{"event_type":"KafkaBrokerSample","clusterName":"c","displayName":"kafka1:9092",
                      "entityName":"broker:kafka1:9092","broker.messagesInPerSecond":2.9},
                     {"event_type":"KafkaBrokerSample","clusterName":"c","topic":"t",
                      "topic.diskSize":5}],
          "inventory":{"broker/log.dirs":{"value":"/kafka"}}, "events":[]}]}"#;

#[test]
fn protocol_3() {
    let (samples, errors, stats) = read_all(PROTOCOL_3.as_bytes());
    assert_eq!(errors, []);
    assert_eq!(stats, NriStats { samples: 2, ..NriStats::default() });
    assert_eq!(samples[0].subject, Subject::Broker { broker_id: 101 });
    assert_eq!(samples[0].at, NOW);
    let names: Vec<_> = samples[0].fields.iter().map(|field| field.name.as_ref()).collect();
    assert_eq!(names, ["broker.messagesInPerSecond", "host", "port"]);
    let on_broker = Subject::TopicOnBroker { topic: "t".into(), broker_id: 101 };
    assert_eq!(samples[1].subject, on_broker);
}

#[test]
fn members_in_any_order() {
    let document: Value = serde_json::from_str(PROTOCOL_3).unwrap();
    let item = &document["data"][0];
    let (entity, metrics) = (item["entity"].to_string(), item["metrics"].to_string());
    let turned =
        format!(r#"{{"data":[{{"metrics":{metrics},"x":[1],"entity":{entity}}}],"name":"n"}}"#);
    let (expected, ..) = read_all(PROTOCOL_3.as_bytes());
    let (got, errors, _) = read_all(turned.as_bytes());
    assert_eq!(errors, []);
    // serde_json sorts names, so that fields may change places.
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!((&got.subject, &got.cluster), (&expected.subject, &expected.cluster));
        assert_eq!(got.fields.len(), expected.fields.len());
    }
    assert_eq!(got.len(), expected.len());
}

#[test]
fn subjects_by_the_attributes_present() {
    let broker = |id: i32| Subject::Broker { broker_id: id };
    let named = |name: &'static str| Subject::BrokerName { name: name.into() };
    let group = || "g".into();
    let cases: [(&str, Subject<'static>); 17] = [
        (r#""KafkaBrokerSample","broker.id":0"#, broker(0)),
        (r#""KafkaBrokerSample","brokerId":"7","id":9"#, broker(7)),
        (
            r#""KafkaBrokerSample","entityKey":"ka-broker:k:9092:brokerid=101:clustername=c""#,
            broker(101),
        ),
        (r#""KafkaBrokerSample","displayName":"k:9092""#, named("k:9092")),
        (r#""KafkaBrokerSample","entityName":"broker:k:9092""#, named("k:9092")),
        (
            r#""KafkaBrokerSample","brokerId":1,"topic":"t""#,
            Subject::TopicOnBroker { topic: "t".into(), broker_id: 1 },
        ),
        (r#""KafkaTopicSample","topic":"t""#, Subject::Topic { topic: "t".into() }),
        (r#""KafkaTopicSample","entityName":"topic:t""#, Subject::Topic { topic: "t".into() }),
        (r#""KafkaTopicSample","displayName":"t""#, Subject::Topic { topic: "t".into() }),
        (
            r#""KafkaOffsetSample","consumerGroup":"g","topic":"t","partition":"3","clientID":"x""#,
            Subject::GroupPartition { group: group(), topic: "t".into(), partition: 3 },
        ),
        (
            r#""KafkaOffsetSample","consumer.group":"g","topic":"t","partition":3"#,
            Subject::GroupPartition { group: group(), topic: "t".into(), partition: 3 },
        ),
        (r#""KafkaOffsetSample","clientID":"x""#, Subject::Client { client_id: "x".into() }),
        (r#""KafkaOffsetSample","consumerGroup":"g""#, Subject::Group { group: group() }),
        (
            r#""KafkaOffsetSample","consumerGroup":"g","topic":"t""#,
            Subject::GroupTopic { group: group(), topic: "t".into() },
        ),
        (r#""KafkaConsumerSample","groupId":"g""#, Subject::Group { group: group() }),
        (r#""KafkaConsumerSample","clientID":"x""#, Subject::Client { client_id: "x".into() }),
        (r#""KafkaTopicSample","topic":"\u0074""#, Subject::Topic { topic: "t".into() }),
    ];
    for (attributes, expected) in cases {
        for event_type in ["event_type", "eventType"] {
            let input = format!(r#"{{"{event_type}":{attributes},"clusterName":"c"}}"#);
            let (cluster, subject, _) = one(&input);
            assert_eq!((cluster.as_str(), subject), ("c", expected.clone()), "{input}");
        }
    }
}

#[test]
fn values_become_fields() {
    let input = r#"[{"event_type":"KafkaTopicSample","topic":"t","clusterName":"c","a":1e2,"b":-0.5,
        "c":"x\ty","d":true,"e":null,"f":[1,{"g":2}],"timestamp":1700000001}]"#;
    let (_, _, fields) = one(input);
    assert_eq!(fields, ["a=100", "b=-0.5", r#"c="x\ty""#, "d=1"]);
    let (samples, _, stats) = read_all(input.as_bytes());
    assert_eq!(samples[0].at, UnixMillis(1_700_000_001_000));
    assert_eq!(stats.skipped_values, 1);
}

#[test]
fn protocol_4() {
    let input = r#"{"protocol_version":"4","integration":{"name":"kafka","version":"4"},"data":[
      {"common":{"timestamp":1700000002,"interval.ms":15000,"attributes":{"clusterName":"c"}},
       "entity":{"name":"k:9092","type":"ka-broker","displayName":"k","metadata":{"brokerID":"5"}},
       "metrics":[
        {"name":"broker.IOInPerSecond","type":"gauge","value":1.5,"attributes":{}},
        {"name":"broker.IOOutPerSecond","type":"rate","value":2,"attributes":{}},
        {"name":"broker.messagesInPerSecond","type":"count","value":30},
        {"name":"broker.total","type":"cumulative-count","value":30},
        {"name":"broker.summary","type":"summary","value":{"count":1}},
        {"name":"topic.diskSize","type":"gauge","value":7,"attributes":{"topic":"t"}}]},
      {"common":{"attributes":{"clusterName":"c"}},"entity":{"name":"g","type":"ka-consumer-group"},
       "metrics":[{"name":"consumerGroup.totalLag","type":"gauge","value":9,
                   "attributes":{"consumerGroup":"g"},"timestamp":1700000003}]}]}"#;
    let (samples, errors, stats) = read_all(input.as_bytes());
    assert_eq!(errors, []);
    assert_eq!((stats.samples, stats.skipped_values), (3, 3), "{stats:?}");
    let [broker, topic, group] = <[_; 3]>::try_from(samples).unwrap();
    assert_eq!(broker.subject, Subject::Broker { broker_id: 5 });
    assert_eq!((broker.cluster.as_ref(), broker.at.0), ("c", 1_700_000_002_000));
    let rate = RawValue::Rate { per_second: 2.0, window_ms: 15_000 };
    let names: Vec<_> = broker.fields.iter().map(|f| (f.name.as_ref(), &f.value)).take(3).collect();
    assert_eq!(
        names,
        [
            ("broker.IOInPerSecond", &RawValue::Number(1.5)),
            ("broker.IOOutPerSecond", &RawValue::Number(2.0)),
            ("broker.messagesInPerSecond", &rate),
        ]
    );
    assert_eq!(topic.subject, Subject::TopicOnBroker { topic: "t".into(), broker_id: 5 });
    assert_eq!(group.subject, Subject::Group { group: "g".into() });
    assert_eq!(group.at.0, 1_700_000_003_000);
}

const GOOD: &str = r#"{"event_type":"KafkaTopicSample","topic":"t","clusterName":"c","x":1}"#;

#[test]
fn documents_one_after_another() {
    let cases = [
        (String::new(), 0),
        (" \n\t".to_owned(), 0),
        ("[]".to_owned(), 0),
        (GOOD.to_owned(), 1),
        (format!("[{GOOD},{GOOD}]"), 2),
        (format!("{GOOD}\n{GOOD}\n"), 2),
        (format!("{PROTOCOL_3}\n{GOOD}\r\n[{GOOD}]"), 4),
        (format!("[{PROTOCOL_3},{GOOD}]"), 3),
        (r#"{"data":[]}"#.to_owned(), 0),
        (r#"{"data":[{"entity":null,"metrics":null}]}"#.to_owned(), 0),
    ];
    for (input, expected) in cases {
        let (samples, errors, _) = read_all(input.as_bytes());
        assert_eq!(errors, [], "{input}");
        assert_eq!(samples.len(), expected, "{input}");
    }
}

#[test]
fn other_event_types_are_counted() {
    let other = r#"{"event_type":"KafkaProducerSample","clusterName":"c"}"#;
    let input = format!("[{other},{GOOD},{other}]");
    let (samples, errors, stats) = read_all(input.as_bytes());
    assert_eq!((samples.len(), errors.len(), stats.ignored_samples), (1, 0, 2));
}

#[test]
fn defaults_stand_in() {
    let input = br#"{"event_type":"KafkaTopicSample","topic":"t"}"#;
    let mut clusters = Vec::new();
    read(input, NriDefaults { at: NOW, cluster: Some("d") }, |sample| {
        clusters.push(sample.unwrap().cluster.to_string());
    });
    assert_eq!(clusters, ["d"]);
    let (_, errors, _) = read_all(input);
    assert_eq!(errors[0].fault.as_str(), "missing_cluster");
}

/// What is wrong, where, after how many samples, and how many samples are kept.
#[test]
fn faults_name_their_place() {
    let sample = |attributes: &str| format!("{{{attributes}}}");
    let cases = [
        (format!("[{GOOD},{}]", sample("")), "missing_event_type", (1, GOOD.len() + 3), 1, 1),
        (sample(r#""event_type":"KafkaTopicSample","topic":"t""#), "missing_cluster", (1, 1), 0, 0),
        (
            sample(r#""event_type":"KafkaTopicSample","clusterName":"c""#),
            "missing_identity",
            (1, 1),
            0,
            0,
        ),
        (
            sample(r#""event_type":"KafkaBrokerSample","clusterName":"c""#),
            "missing_identity",
            (1, 1),
            0,
            0,
        ),
        (
            format!("\n\n  {}", sample(r#""event_type":"KafkaOffsetSample","clusterName":"c""#)),
            "missing_identity",
            (3, 3),
            0,
            0,
        ),
        (
            sample(
                r#""event_type":"KafkaOffsetSample","clusterName":"c","consumerGroup":"g",
                "topic":"t","partition":"x""#,
            ),
            "bad_identity",
            (1, 1),
            0,
            0,
        ),
        (
            sample(
                r#""event_type":"KafkaOffsetSample","clusterName":"c","topic":"t","partition":0"#,
            ),
            "missing_identity",
            (1, 1),
            0,
            0,
        ),
        (
            sample(r#""event_type":"KafkaBrokerSample","clusterName":"c","brokerId":"a""#),
            "bad_identity",
            (1, 1),
            0,
            0,
        ),
        (format!("[{GOOD},\n{{\"é\":tru}}]"), "syntax", (2, 9), 1, 1),
        (format!("[{GOOD},\n{{\"a\":01}}]"), "syntax", (2, 6), 1, 1),
        (format!("{GOOD} x"), "syntax", (1, GOOD.len() + 2), 1, 1),
        (format!("[{GOOD},7]"), "syntax", (1, GOOD.len() + 3), 1, 1),
        (format!("[{GOOD}"), "truncated", (1, GOOD.len() + 2), 1, 1),
        (format!("[{GOOD},{{\"a"), "truncated", (1, GOOD.len() + 6), 1, 1),
        ("[".repeat(70), "syntax", (1, 2), 0, 0),
        (format!("{{\"a\":{}", "[".repeat(70)), "syntax", (1, 70), 0, 0),
    ];
    for (input, reason, (line, column), sample, kept) in cases {
        let (samples, errors, _) = read_all(input.as_bytes());
        let [error] = errors.as_slice() else { panic!("{input}: {errors:?}") };
        let got = (error.fault.as_str(), (error.line, error.column), error.sample);
        assert_eq!(got, (reason, (line, column), sample), "{input}: {error}");
        assert_eq!(samples.len(), kept, "{input}");
    }
}

#[test]
fn one_bad_line_costs_one_line() {
    let cases = [
        (format!("{GOOD}\n{{\"a\":\n{GOOD}\n"), 2, 1),
        (format!("{GOOD}\n{{\"a\":\"open\n{GOOD}\n"), 2, 1),
        (format!("nonsense\n{GOOD}\n"), 1, 1),
        (format!("{GOOD}\n[{GOOD},\n  {{,\n  {GOOD}]\n{GOOD}"), 3, 1),
        (format!("{{]\n{{]\n{GOOD}"), 1, 2),
    ];
    for (input, kept, faults) in cases {
        let (samples, errors, _) = read_all(input.as_bytes());
        assert_eq!((samples.len(), errors.len()), (kept, faults), "{input}: {errors:?}");
    }
}

#[test]
fn bytes_that_are_no_text() {
    let cases: [(Vec<u8>, usize, usize); 3] = [
        ([GOOD.as_bytes(), b"\n\xff"].concat(), 1, GOOD.len() + 1),
        ([b"[", GOOD.as_bytes(), b",{\"a\":\"\xc3\"}]"].concat(), 1, GOOD.len() + 8),
        (vec![0x80], 0, 0),
    ];
    for (input, kept, offset) in cases {
        let (samples, errors, _) = read_all(&input);
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        assert_eq!((error.fault.as_str(), error.offset), ("not_utf8", offset));
        assert_eq!(samples.len(), kept);
    }
}

#[test]
fn samples_outlive_their_text() {
    let input = PROTOCOL_3.to_owned();
    let owned: Vec<RawSample<'static>> = {
        let (samples, ..) = read_all(input.as_bytes());
        samples.into_iter().map(RawSample::into_owned).collect()
    };
    drop(input);
    let (samples, ..) = read_all(PROTOCOL_3.as_bytes());
    assert_eq!(owned, samples);
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(|v| json!(v)),
        any::<i32>().prop_map(|v| json!(v)),
        any::<String>().prop_map(|v| json!(v)),
        any::<bool>().prop_map(|v| json!(v)),
    ]
}

proptest! {
    /// Every field that serde_json sees is there with its value.
    #[test]
    fn agrees_with_serde_json(
        fields in proptest::collection::btree_map("x\\.[a-zé\"]{0,9}", scalar(), 0..30),
        pretty in any::<bool>(),
    ) {
        let mut object: BTreeMap<String, Value> = fields.clone();
        for (name, value) in [("event_type", "KafkaTopicSample"), ("topic", "t"), ("clusterName", "c")] {
            object.insert(name.to_owned(), json!(value));
        }
        let json = if pretty {
            serde_json::to_string_pretty(&object).unwrap()
        } else {
            serde_json::to_string(&object).unwrap()
        };
        let (samples, errors, _) = read_all(json.as_bytes());
        prop_assert_eq!(errors, []);
        let got: BTreeMap<String, Value> = samples[0]
            .fields
            .iter()
            .map(|field| {
                let value = match &field.value {
                    RawValue::Number(number) => json!(number),
                    RawValue::Text(text) => json!(text),
                    RawValue::Rate { .. } => Value::Null,
                };
                (field.name.to_string(), value)
            })
            .collect();
        prop_assert_eq!(got.len(), fields.len());
        for (name, value) in fields {
            match value {
                Value::Bool(flag) => {
                    prop_assert_eq!(&got[&name], &json!(f64::from(u8::from(flag))));
                }
                Value::Number(number) => prop_assert_eq!(got[&name].as_f64(), number.as_f64()),
                value => prop_assert_eq!(&got[&name], &value),
            }
        }
    }

    /// Cut anywhere: the whole samples before the cut are kept, and the cut is reported.
    #[test]
    fn half_a_document_keeps_its_whole_samples(count in 1..5_usize, cut in 0.0..1.0_f64) {
        let document = format!("[{}]", vec![GOOD; count].join(","));
        let length = (document.len() as f64 * cut) as usize;
        let (samples, errors, _) = read_all(&document.as_bytes()[..length]);
        let whole = length.saturating_sub(1).div_ceil(GOOD.len() + 1);
        let whole = if length < whole * (GOOD.len() + 1) { whole.saturating_sub(1) } else { whole };
        prop_assert_eq!(samples.len(), whole);
        prop_assert_eq!(errors.len(), usize::from(length > 0));
    }

    /// Any bytes, and any damage to good ones: no panic, every fault within the input.
    #[test]
    fn damage_is_survived(
        places in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6),
        noise in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut damaged = format!("{PROTOCOL_3}\n[{GOOD},{GOOD}]\n{GOOD}").into_bytes();
        let length = damaged.len();
        for (place, byte) in places {
            damaged[place % length] = byte;
        }
        for input in [&damaged, &noise] {
            let (samples, errors, _) = read_all(input);
            for error in &errors {
                prop_assert!(error.offset <= input.len() && error.line >= 1 && error.column >= 1);
                prop_assert!(!error.to_string().is_empty());
            }
            for sample in &samples {
                let _ = crate::transform::transform(sample);
            }
        }
    }
}
