//! Answers as bytes: captured ones, every version of every API, and what mutation makes of them.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, Message, StrBytes};
use proptest::prelude::*;
use serde::Deserialize;

use super::super::wire::{Call, decode};
use super::*;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// One exchange between librdkafka's mock cluster and an ordinary client, as hexadecimal text.
#[derive(Deserialize)]
struct Exchange {
    api_key: i16,
    api_version: i16,
    response: String,
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn captured() -> Vec<(i16, i16, Bytes)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/kafka/librdkafka-mock-frames.json");
    let file = std::fs::read(file).expect("the fixture");
    let exchanges: Vec<Exchange> = serde_json::from_slice(&file).expect("the fixture is JSON");
    let each = exchanges.into_iter();
    each.map(|e| (e.api_key, e.api_version, Bytes::from(unhex(&e.response)))).collect()
}

/// The body of a captured answer, its header removed.
fn body<R: Call>(frame: &Bytes, version: i16) -> Bytes {
    use kafka_protocol::protocol::HeaderVersion;
    let header = <R::Response as HeaderVersion>::header_version(version);
    frame.slice(if header >= 1 { 5 } else { 4 }..)
}

#[test]
fn captured_answers_decode() {
    let mut decoded = BTreeMap::<i16, usize>::new();
    for (key, version, frame) in captured() {
        let place = format!("{key} v{version}");
        match ApiKey::try_from(key).expect("a key the codec knows") {
            ApiKey::ApiVersions if version > 2 => {
                // The mock refuses v3 in a layout of its own; only the code is common ground.
                assert_eq!(frame[4..6], [0, 35], "{place}");
                let answer =
                    decode::<ApiVersionsRequest>(body::<ApiVersionsRequest>(&frame, 0), version);
                assert!(answer.is_err(), "{place}");
            }
            ApiKey::ApiVersions => {
                let body = body::<ApiVersionsRequest>(&frame, version);
                let answer = decode::<ApiVersionsRequest>(body, version).expect(&place);
                assert_eq!((answer.error_code, answer.api_keys.len()), (0, 24), "{place}");
            }
            ApiKey::Metadata => {
                let body = body::<MetadataRequest>(&frame, version);
                let answer = decode::<MetadataRequest>(body, version).expect(&place);
                assert_eq!(answer.brokers.len(), 3, "{place}");
                let topology = topology::Topology::new(answer, Stamp::default(), &mut vec![]);
                assert_eq!(topology.controller, None, "the mock names a controller 0 of 1, 2, 3");
            }
            ApiKey::ListOffsets => {
                let body = body::<ListOffsetsRequest>(&frame, version);
                let answer = decode::<ListOffsetsRequest>(body, version).expect(&place);
                assert!(answer.topics.iter().all(|t| !t.partitions.is_empty()), "{place}");
            }
            ApiKey::FindCoordinator => {
                let body = body::<FindCoordinatorRequest>(&frame, version);
                let answer = decode::<FindCoordinatorRequest>(body, version).expect(&place);
                assert!((1..=3).contains(&answer.node_id.0), "{place}");
            }
            ApiKey::OffsetFetch => {
                let body = body::<OffsetFetchRequest>(&frame, version);
                // Asked for "all topics" the mock answers with a null list, which no schema
                // allows: the reason why groups that nobody lists are asked about by name.
                let null = body.get(4) == Some(&0);
                match decode::<OffsetFetchRequest>(body, version) {
                    Ok(answer) => assert_eq!((answer.error_code, null), (0, false), "{place}"),
                    Err(error) => assert!(null, "{place}: {error}"),
                }
            }
            // Produce, telemetry and what else a collector never sends.
            _ => continue,
        }
        *decoded.entry(key).or_default() += 1;
    }
    assert!(decoded.len() >= 2, "{decoded:?}");
    assert!(decoded.values().sum::<usize>() >= 5, "{decoded:?}");
}

#[test]
fn the_mocks_offer_is_negotiated() {
    let (_, _, frame) = captured()
        .into_iter()
        .find(|(key, version, _)| (*key, *version) == (ApiKey::ApiVersions as i16, 0))
        .expect("a v0 answer was captured");
    let answer = decode::<ApiVersionsRequest>(frame.slice(4..), 0).expect("a good answer");
    let offered = wire::Offered::new(&answer);
    let version = |result: Result<i16, ClientError>| result.map_err(|e| e.to_string());
    assert_eq!(version(offered.choose::<MetadataRequest>()), Ok(13));
    assert_eq!(version(offered.choose::<ListOffsetsRequest>()), Ok(7));
    assert_eq!(version(offered.choose::<OffsetFetchRequest>()), Ok(6));
    assert_eq!(version(offered.choose::<FindCoordinatorRequest>()), Ok(3));
    for missing in [
        offered.choose::<ListGroupsRequest>(),
        offered.choose::<DescribeGroupsRequest>(),
        offered.choose::<DescribeConfigsRequest>(),
        offered.choose::<DescribeClusterRequest>(),
        offered.choose::<DescribeLogDirsRequest>(),
    ] {
        let error = missing.expect_err("the mock lacks it").to_string();
        assert!(error.starts_with("broker offers no version of "), "{error}");
    }
}

/// API, version, encoded answer, and how the client reads it.
type Sample = (&'static str, i16, Bytes, Decode);

/// A full answer of every API, in every version, encoded.
fn samples() -> Vec<Sample> {
    let mut all = Vec::new();
    of_the_cluster(&mut all);
    of_groups(&mut all);
    of_topics(&mut all);
    all
}

fn of_the_cluster(all: &mut Vec<Sample>) {
    each::<ApiVersionsRequest>(all, |version| {
        let key = api_versions_response::ApiVersion::default().with_api_key(3).with_max_version(9);
        let answer = ApiVersionsResponse::default().with_api_keys(vec![key; 3]);
        if version < 3 {
            return answer;
        }
        let name = text("group.version");
        let feature = api_versions_response::SupportedFeatureKey::default().with_name(name.clone());
        let finalized = api_versions_response::FinalizedFeatureKey::default().with_name(name);
        answer
            .with_supported_features(vec![feature; 2])
            .with_finalized_features(vec![finalized; 2])
            .with_finalized_features_epoch(7)
            .with_unknown_tagged_field(9, Bytes::from_static(b"new"))
    });
    each::<MetadataRequest>(all, |version| {
        use metadata_response::*;
        let broker = MetadataResponseBroker::default().with_host(text("kafka-1")).with_port(9092);
        let nodes = vec![BrokerId(1), BrokerId(2)];
        let partition = MetadataResponsePartition::default()
            .with_replica_nodes(nodes.clone())
            .with_isr_nodes(nodes.clone());
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(text("orders"))))
            .with_partitions(vec![partition; 3]);
        let answer =
            MetadataResponse::default().with_brokers(vec![broker; 2]).with_topics(vec![topic; 2]);
        if version < 9 { answer } else { answer.with_unknown_tagged_field(4, Bytes::new()) }
    });
    each::<DescribeClusterRequest>(all, |_| {
        let broker = describe_cluster_response::DescribeClusterBroker::default();
        let broker = broker.with_host(text("kafka-1")).with_rack(Some(text("a")));
        DescribeClusterResponse::default().with_cluster_id(text("id")).with_brokers(vec![broker; 2])
    });
}

fn of_groups(all: &mut Vec<Sample>) {
    each::<FindCoordinatorRequest>(all, |version| {
        if version < 4 {
            return FindCoordinatorResponse::default().with_host(text("kafka-1"));
        }
        let place = find_coordinator_response::Coordinator::default().with_host(text("kafka-1"));
        FindCoordinatorResponse::default().with_coordinators(vec![place; 2])
    });
    each::<ListGroupsRequest>(all, |_| {
        let group = list_groups_response::ListedGroup::default().with_group_id(GroupId(text("g")));
        ListGroupsResponse::default().with_groups(vec![group; 3])
    });
    each::<DescribeGroupsRequest>(all, |_| {
        use describe_groups_response::*;
        let member = DescribedGroupMember::default()
            .with_client_id(text("c"))
            .with_member_assignment(Bytes::from_static(b"assignment"));
        let group = DescribedGroup::default()
            .with_group_id(GroupId(text("g")))
            .with_members(vec![member; 2]);
        DescribeGroupsResponse::default().with_groups(vec![group; 2])
    });
    each::<OffsetFetchRequest>(all, |version| {
        use offset_fetch_response::*;
        if version < 8 {
            let topic = OffsetFetchResponseTopic::default()
                .with_name(TopicName(text("orders")))
                .with_partitions(vec![OffsetFetchResponsePartition::default(); 2]);
            return OffsetFetchResponse::default().with_topics(vec![topic; 2]);
        }
        let topic = OffsetFetchResponseTopics::default()
            .with_partitions(vec![OffsetFetchResponsePartitions::default(); 2]);
        let group = OffsetFetchResponseGroup::default()
            .with_group_id(GroupId(text("g")))
            .with_topics(vec![topic; 2]);
        OffsetFetchResponse::default().with_groups(vec![group; 2])
    });
}

fn of_topics(all: &mut Vec<Sample>) {
    each::<ListOffsetsRequest>(all, |_| {
        use list_offsets_response::*;
        let topic = ListOffsetsTopicResponse::default()
            .with_name(TopicName(text("orders")))
            .with_partitions(vec![ListOffsetsPartitionResponse::default(); 3]);
        ListOffsetsResponse::default().with_topics(vec![topic; 2])
    });
    each::<DescribeConfigsRequest>(all, |_| {
        use describe_configs_response::*;
        let synonym = DescribeConfigsSynonym::default().with_name(text("s"));
        let config = DescribeConfigsResourceResult::default()
            .with_name(text("retention.ms"))
            .with_value(Some(text("1")))
            .with_synonyms(vec![synonym; 2]);
        let result = DescribeConfigsResult::default()
            .with_resource_name(text("orders"))
            .with_configs(vec![config; 2]);
        DescribeConfigsResponse::default().with_results(vec![result; 2])
    });
    each::<DescribeLogDirsRequest>(all, |_| {
        use describe_log_dirs_response::*;
        let topic = DescribeLogDirsTopic::default()
            .with_name(TopicName(text("orders")))
            .with_partitions(vec![DescribeLogDirsPartition::default(); 3]);
        let dir = DescribeLogDirsResult::default()
            .with_log_dir(text("/data"))
            .with_topics(vec![topic; 2]);
        DescribeLogDirsResponse::default().with_results(vec![dir; 2])
    });
}

/// Whether the client takes these bytes in this version.
type Decode = fn(Bytes, i16) -> Result<(), ClientError>;

fn each<R: Call>(all: &mut Vec<Sample>, make: impl Fn(i16) -> R::Response) {
    let range = <R::Response as Message>::VERSIONS;
    for version in range.min..=range.max {
        let mut body = BytesMut::new();
        let encoded = make(version).encode(&mut body, version);
        encoded.unwrap_or_else(|error| panic!("{} v{version}: {error}", R::NAME));
        let check: Decode = |body, version| decode::<R>(body, version).map(drop);
        all.push((R::NAME, version, body.freeze(), check));
    }
    // A guard against a table that was not extended with the codec.
    assert!(R::KEY >= 0 && range.max - range.min < 20, "{}", R::NAME);
}

#[test]
fn every_layout_is_the_codecs() {
    let samples = samples();
    assert!(samples.len() > 60, "{} samples", samples.len());
    for (api, version, body, decode) in samples {
        decode(body.clone(), version).unwrap_or_else(|e| panic!("{api} v{version}: {e}"));
        for end in 0..body.len() {
            let error = decode(body.slice(..end), version).map_err(|e| e.as_str());
            assert_eq!(error, Err("frame_malformed"), "{api} v{version} cut at {end}");
        }
        let mut longer = body.to_vec();
        longer.push(1);
        let error = decode(longer.into(), version).map_err(|e| e.to_string()).expect_err(api);
        assert!(error.contains("1 bytes too many"), "{error}");
        for (zeros, taken) in [(4, true), (5, false)] {
            let mut padded = body.to_vec();
            padded.resize(body.len() + zeros, 0);
            assert_eq!(decode(padded.into(), version).is_ok(), taken, "{api} v{version}");
        }
    }
}

#[test]
fn counts_that_the_frame_cannot_hold_reserve_nothing() {
    // Without the walk the codec would reserve hundreds of gigabytes for each of these.
    let cases: [(Decode, i16, Vec<u8>); 4] = [
        // Metadata v9: throttle time, then 2³²−2 brokers.
        (|b, v| decode::<MetadataRequest>(b, v).map(drop), 9, {
            let mut body = vec![0; 4];
            body.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
            body.resize(200, 0);
            body
        }),
        // Metadata v1: 2³¹−1 brokers.
        (|b, v| decode::<MetadataRequest>(b, v).map(drop), 1, vec![0x7f, 0xff, 0xff, 0xff]),
        // ListGroups v0: no error, 2³¹−1 groups.
        (|b, v| decode::<ListGroupsRequest>(b, v).map(drop), 0, vec![0, 0, 0x7f, 0xff, 0xff, 0xff]),
        // ApiVersions v3: no keys, no throttle time, one tag that claims 2³²−2 features.
        (|b, v| decode::<ApiVersionsRequest>(b, v).map(drop), 3, {
            vec![0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]
        }),
    ];
    for (decode, version, body) in cases {
        let error = decode(body.into(), version).expect_err("a hostile count").to_string();
        assert!(error.contains("is more than the frame can hold"), "{error}");
    }
}

proptest! {
    /// Mutated answers are taken or refused, never a panic, never an outsized reservation.
    #[test]
    fn mutated_answers_are_taken_or_refused(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let samples = samples();
        let (_, version, body, decode) = &samples[which.index(samples.len())];
        let mut body = body.to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        if let Err(error) = decode(body.into(), *version) {
            prop_assert_eq!(error.as_str(), "frame_malformed");
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused(
        which in any::<prop::sample::Index>(),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let samples = samples();
        let (_, version, _, decode) = &samples[which.index(samples.len())];
        if let Err(error) = decode(body.into(), *version) {
            prop_assert_eq!(error.as_str(), "frame_malformed");
        }
    }
}
