//! Every API in every version, error codes, group membership, data, and frames gone bad.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{HeaderVersion, Request};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

use super::*;
use crate::domain::units::UnixMillis;
use crate::sim::fleet::{FleetSpec, Observed};
use crate::sim::seed::Seed;

const TOPIC: &str = "orders.created";

fn fleet() -> Fleet {
    let spec = FleetSpec { topics: 3, partitions: 4, groups: 3, ..FleetSpec::default() };
    Fleet::new(spec, Seed(5), UnixMillis(1_767_614_400_000)).expect("the specification is possible")
}

fn connection(broker: i32) -> Connection {
    Connection::new(broker, "/10.0.0.9")
}

fn s(value: &str) -> StrBytes {
    text(value)
}

fn name(value: &str) -> TopicName {
    TopicName(text(value))
}

/// A frame without its length.
fn frame<R: Request>(version: i16, request: &R) -> Bytes {
    let mut out = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(77)
        .with_client_id(Some(s("tester")));
    header.encode(&mut out, R::header_version(version)).expect("header");
    request.encode(&mut out, version).expect("request");
    out.freeze()
}

fn decode_reply<R: Request>(version: i16, reply: &Bytes) -> R::Response {
    let mut body = reply.slice(4..);
    assert_eq!(reply.len() - 4, i32::from_be_bytes(reply[..4].try_into().expect("4")) as usize);
    let header_version = R::Response::header_version(version);
    let header = ResponseHeader::decode(&mut body, header_version).expect("response header");
    assert_eq!(header.correlation_id, 77);
    let response = R::Response::decode(&mut body, version).expect("response");
    assert!(body.is_empty(), "{} bytes after the response", body.len());
    response
}

/// Sends and waits, moving time to where the broker wants to be asked again.
fn call<R: Request>(fleet: &Fleet, broker: i32, at: u64, version: i16, request: &R) -> R::Response {
    let mut outcome =
        fleet.handle(&connection(broker), frame(version, request), SimTime::from_millis(at));
    loop {
        match outcome {
            Outcome::Reply(reply) => return decode_reply::<R>(version, &reply),
            Outcome::Wait(pending) => {
                outcome = fleet.resume(&connection(broker), pending.request, pending.wake_at);
            }
            other => panic!("{:?} v{version}: {other:?}", ApiKey::try_from(R::KEY)),
        }
    }
}

fn leader(fleet: &Fleet, topic: &str, partition: usize) -> i32 {
    let meta = fleet.metadata();
    let topic = meta.topics.iter().find(|t| &*t.name == topic).expect("topic");
    topic.partitions[partition].leader
}

fn coordinator(fleet: &Fleet, group: &str) -> i32 {
    let partition = crate::sim::fleet::coordinator_partition(group, 50);
    leader(fleet, crate::sim::fleet::OFFSETS_TOPIC, partition as usize)
}

fn record(offset: i64, value: &str) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: offset as i32 - 1,
        timestamp: 1_767_614_400_000 + offset,
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: indexmap::IndexMap::default(),
    }
}

fn batch(values: &[&str]) -> Bytes {
    let records: Vec<_> = values.iter().enumerate().map(|(i, v)| record(i as i64, v)).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).expect("batch");
    out.freeze()
}

fn produce_request(topic: &str, partition: i32, acks: i16, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(1_000).with_topic_data(vec![topic])
}

fn fetch_request(topic: &str, partition: i32, offset: i64, wait_ms: i32) -> FetchRequest {
    let asked = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![asked]);
    FetchRequest::default()
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic])
}

fn join_request(group: &str, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(s("range"))
        .with_metadata(Bytes::from_static(b"subscription"));
    JoinGroupRequest::default()
        .with_group_id(GroupId(s(group)))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(s(member))
        .with_protocol_type(s("consumer"))
        .with_protocols(vec![protocol])
}

fn list_request(topic: &str, partition: i32, timestamp: i64) -> ListOffsetsRequest {
    let asked =
        ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![asked]);
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

fn commit_request(group: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    let place = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(s("note")));
    let topic =
        OffsetCommitRequestTopic::default().with_name(name(TOPIC)).with_partitions(vec![place]);
    OffsetCommitRequest::default()
        .with_group_id(GroupId(s(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

/// A frame of `api` in version `v`, with every array filled.
fn sample(api: ApiKey, v: i16, topic_id: uuid::Uuid) -> Bytes {
    discovery_sample(api, v)
        .or_else(|| description_sample(api, v))
        .or_else(|| data_sample(api, v, topic_id))
        .or_else(|| membership_sample(api, v))
        .unwrap_or_else(|| panic!("no sample of {api:?}"))
}

/// Which brokers, topics and groups there are.
fn discovery_sample(api: ApiKey, v: i16) -> Option<Bytes> {
    let group = GroupId(s("a-group"));
    Some(match api {
        ApiKey::ApiVersions => frame(
            v,
            &ApiVersionsRequest::default()
                .with_client_software_name(s("test"))
                .with_client_software_version(s("1")),
        ),
        ApiKey::Metadata => {
            let topic = MetadataRequestTopic::default().with_name(Some(name(TOPIC)));
            frame(
                v,
                &MetadataRequest::default()
                    .with_topics(Some(vec![topic]))
                    .with_allow_auto_topic_creation(true),
            )
        }
        ApiKey::DescribeCluster => frame(v, &DescribeClusterRequest::default()),
        ApiKey::ListOffsets => frame(v, &list_request(TOPIC, 1, -1)),
        ApiKey::FindCoordinator if v < 4 => {
            frame(v, &FindCoordinatorRequest::default().with_key(s("a-group")))
        }
        ApiKey::FindCoordinator => {
            frame(v, &FindCoordinatorRequest::default().with_coordinator_keys(vec![s("a"), s("b")]))
        }
        ApiKey::ListGroups if v < 4 => frame(v, &ListGroupsRequest::default()),
        ApiKey::ListGroups => {
            frame(v, &ListGroupsRequest::default().with_states_filter(vec![s("Stable")]))
        }
        ApiKey::DescribeGroups => {
            frame(v, &DescribeGroupsRequest::default().with_groups(vec![group]))
        }
        _ => return None,
    })
}

/// What is known of a topic or a group; making a topic.
fn description_sample(api: ApiKey, v: i16) -> Option<Bytes> {
    let group = GroupId(s("a-group"));
    Some(match api {
        ApiKey::OffsetFetch if v < 8 => {
            let topic = OffsetFetchRequestTopic::default()
                .with_name(name(TOPIC))
                .with_partition_indexes(vec![0, 1]);
            frame(
                v,
                &OffsetFetchRequest::default().with_group_id(group).with_topics(Some(vec![topic])),
            )
        }
        ApiKey::OffsetFetch => {
            let topic = OffsetFetchRequestTopics::default()
                .with_name(name(TOPIC))
                .with_partition_indexes(vec![0, 1]);
            let group = OffsetFetchRequestGroup::default()
                .with_group_id(group)
                .with_topics(Some(vec![topic]));
            frame(v, &OffsetFetchRequest::default().with_groups(vec![group]))
        }
        ApiKey::DescribeConfigs => {
            let resource = DescribeConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(s(TOPIC))
                .with_configuration_keys(Some(vec![s("retention.ms")]));
            frame(v, &DescribeConfigsRequest::default().with_resources(vec![resource]))
        }
        ApiKey::DescribeLogDirs => {
            let topic = DescribableLogDirTopic::default()
                .with_topic(name(TOPIC))
                .with_partitions(vec![0, 1, 2, 3]);
            frame(v, &DescribeLogDirsRequest::default().with_topics(Some(vec![topic])))
        }
        ApiKey::CreateTopics => {
            let config = CreatableTopicConfig::default()
                .with_name(s("retention.ms"))
                .with_value(Some(s("1000")));
            let topic = CreatableTopic::default()
                .with_name(name(&format!("made-{v}")))
                .with_num_partitions(2)
                .with_replication_factor(2)
                .with_configs(vec![config]);
            frame(v, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9))
        }
        _ => return None,
    })
}

/// Records and offsets, in and out.
fn data_sample(api: ApiKey, v: i16, topic_id: uuid::Uuid) -> Option<Bytes> {
    Some(match api {
        ApiKey::Produce => {
            let mut request = produce_request(TOPIC, 0, 1, batch(&["a", "b"]));
            if v >= 13 {
                request.topic_data[0].name = TopicName::default();
                request.topic_data[0].topic_id = topic_id;
            }
            frame(v, &request)
        }
        ApiKey::Fetch => {
            let mut request = fetch_request(TOPIC, 0, 0, 0);
            let mut forgotten = ForgottenTopic::default().with_partitions(vec![1]);
            if v >= 13 {
                request.topics[0].topic = TopicName::default();
                request.topics[0].topic_id = topic_id;
                forgotten.topic_id = topic_id;
            } else {
                forgotten.topic = name(TOPIC);
            }
            if v >= 7 {
                request.forgotten_topics_data.push(forgotten);
                request.session_epoch = -1;
            }
            if v >= 11 {
                request.rack_id = s("rack-1");
            }
            if v >= 12 {
                request.cluster_id = Some(s("orders"));
            }
            frame(v, &request)
        }
        ApiKey::OffsetCommit => frame(v, &commit_request("b-group", 0, 5)),
        ApiKey::InitProducerId => frame(v, &InitProducerIdRequest::default()),
        _ => return None,
    })
}

/// A member's life in its group.
fn membership_sample(api: ApiKey, v: i16) -> Option<Bytes> {
    let group = GroupId(s("a-group"));
    Some(match api {
        ApiKey::JoinGroup => frame(v, &join_request("c-group", "")),
        ApiKey::SyncGroup => {
            let assignment = SyncGroupRequestAssignment::default()
                .with_member_id(s("m"))
                .with_assignment(Bytes::from_static(b"share"));
            let request = SyncGroupRequest::default()
                .with_group_id(group)
                .with_member_id(s("m"))
                .with_assignments(vec![assignment]);
            frame(v, &request)
        }
        ApiKey::Heartbeat => {
            frame(v, &HeartbeatRequest::default().with_group_id(group).with_member_id(s("m")))
        }
        ApiKey::LeaveGroup if v < 3 => {
            frame(v, &LeaveGroupRequest::default().with_group_id(group).with_member_id(s("m")))
        }
        ApiKey::LeaveGroup => {
            let member = MemberIdentity::default().with_member_id(s("m"));
            frame(v, &LeaveGroupRequest::default().with_group_id(group).with_members(vec![member]))
        }
        _ => return None,
    })
}

fn topic_id(fleet: &Fleet) -> uuid::Uuid {
    let request = MetadataRequest::default().with_topics(None);
    let response = call(fleet, 1, 0, 12, &request);
    let found = response.topics.iter().find(|t| t.name.as_ref().is_some_and(|n| **n == *TOPIC));
    found.expect("topic").topic_id
}

fn decodes(api: ApiKey, v: i16, reply: &Bytes) {
    macro_rules! by_key {
        ($($key:ident => $request:ty),* $(,)?) => {
            match api {
                $(ApiKey::$key => { decode_reply::<$request>(v, reply); })*
                other => panic!("no decoder of {other:?}"),
            }
        };
    }
    by_key!(
        ApiVersions => ApiVersionsRequest, Metadata => MetadataRequest,
        DescribeCluster => DescribeClusterRequest, ListOffsets => ListOffsetsRequest,
        FindCoordinator => FindCoordinatorRequest, ListGroups => ListGroupsRequest,
        DescribeGroups => DescribeGroupsRequest, OffsetFetch => OffsetFetchRequest,
        DescribeConfigs => DescribeConfigsRequest, DescribeLogDirs => DescribeLogDirsRequest,
        CreateTopics => CreateTopicsRequest, Produce => ProduceRequest, Fetch => FetchRequest,
        OffsetCommit => OffsetCommitRequest, JoinGroup => JoinGroupRequest,
        SyncGroup => SyncGroupRequest, Heartbeat => HeartbeatRequest,
        LeaveGroup => LeaveGroupRequest, InitProducerId => InitProducerIdRequest,
    );
}

#[test]
fn every_api_answers_in_every_version() {
    let fleet = fleet();
    let id = topic_id(&fleet);
    let mut examined = 0;
    for (api, lowest, highest) in APIS {
        for version in lowest..=highest {
            for broker in 1..=3 {
                let frame = sample(api, version, id);
                let layout = kafka_wire::request(api).expect("a layout");
                let header = if layout.is_flexible(version) { 17 } else { 16 };
                let rest = layout.left_over(&frame[header..], version);
                assert_eq!(rest, Ok(0), "{api:?} v{version}: the shape differs from the codec's");
                let at = SimTime::from_millis(examined);
                let mut outcome = fleet.handle(&connection(broker), frame, at);
                while let Outcome::Wait(pending) = outcome {
                    outcome = fleet.resume(&connection(broker), pending.request, pending.wake_at);
                }
                match outcome {
                    Outcome::Reply(reply) => decodes(api, version, &reply),
                    other => panic!("{api:?} v{version}: {other:?}"),
                }
                examined += 1;
            }
        }
    }
    assert!(examined > 300, "{examined}");
}

#[test]
fn offered_versions() {
    let response = call(&fleet(), 2, 0, 4, &ApiVersionsRequest::default());
    assert_eq!((response.error_code, response.api_keys.len()), (0, APIS.len()));
    let check = |api: ApiKey, expected: (i16, i16)| {
        let found = response.api_keys.iter().find(|key| key.api_key == api as i16);
        let found = found.expect("offered");
        assert_eq!((found.min_version, found.max_version), expected, "{api:?}");
    };
    // Claimed from 0 on for the sake of older librdkafka, but not taken.
    check(ApiKey::Produce, (0, 13));
    check(ApiKey::Fetch, (4, 17));
    check(ApiKey::ApiVersions, (0, 4));
    check(ApiKey::OffsetFetch, (1, 9));
}

#[test]
fn unknown_versions_and_apis() {
    let fleet = fleet();
    let at = SimTime::ZERO;
    let mut request = BytesMut::new();
    request.put_i16(18);
    request.put_i16(99);
    request.put_i32(77);
    request.put_slice(b"\xff\xffwhatever a later version has");
    match fleet.handle(&connection(1), request.freeze(), at) {
        Outcome::Reply(reply) => {
            let response = decode_reply::<ApiVersionsRequest>(0, &reply);
            assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code());
            assert!(response.api_keys.iter().any(|key| key.api_key == 18 && key.max_version == 4));
        }
        other => panic!("{other:?}"),
    }
    let check = |bytes: &[u8], expected: CloseReason| match fleet.handle(
        &connection(1),
        Bytes::copy_from_slice(bytes),
        at,
    ) {
        Outcome::Close(reason) => assert_eq!(reason, expected, "{bytes:?}"),
        other => panic!("{bytes:?}: {other:?}"),
    };
    check(b"", CloseReason::Malformed);
    check(b"\0\x03\0\x01\0\0", CloseReason::Malformed);
    check(b"\x7f\xff\0\x01\0\0\0\0\xff\xff", CloseReason::UnknownApi);
    check(b"\0\x04\0\x01\0\0\0\0\xff\xff", CloseReason::UnknownApi);
    check(b"\0\x03\0\x63\0\0\0\0\xff\xff", CloseReason::UnsupportedVersion);
    check(b"\0\0\0\0\0\0\0\0\xff\xff", CloseReason::UnsupportedVersion);
    check(b"\0\x03\0\x01\0\0\0\0\0\x09tester", CloseReason::Malformed);
    check(b"\0\x03\0\x01\0\0\0\0\0\x02\xff\xfe\0\0\0\0", CloseReason::Malformed);
    // Two thousand million topics in four bytes.
    check(b"\0\x03\0\x01\0\0\0\0\xff\xff\x7f\xff\xff\xff", CloseReason::Malformed);
    check(b"\0\x03\0\x0c\0\0\0\0\xff\xff\0\xff\xff\xff\xff\x0f", CloseReason::Malformed);
    let mut long =
        frame(1, &MetadataRequest::default().with_allow_auto_topic_creation(true)).to_vec();
    long.resize(SMALL_FRAME_BYTES_MAX + 100, 0);
    check(&long, CloseReason::FrameTooLarge);
    fleet.broker_down(1, at);
    check(&sample(ApiKey::Metadata, 4, uuid::Uuid::nil()), CloseReason::BrokerDown);
}

#[test]
fn offsets_and_their_errors() {
    let fleet = fleet();
    let lead = leader(&fleet, TOPIC, 1);
    let other = lead % 3 + 1;
    let (start, end, _) = fleet.partition_log(TOPIC, 1).expect("partition");
    let check = |broker: i32, request: &ListOffsetsRequest, expected: (i16, i64)| {
        let response = call(&fleet, broker, 0, 7, request);
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.offset), expected);
    };
    check(lead, &list_request(TOPIC, 1, -1), (0, end));
    check(lead, &list_request(TOPIC, 1, -2), (0, start));
    check(other, &list_request(TOPIC, 1, -1), (ResponseError::NotLeaderOrFollower.code(), -1));
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    check(lead, &list_request(TOPIC, 99, -1), (unknown, -1));
    check(lead, &list_request(TOPIC, -1, -1), (unknown, -1));
    check(lead, &list_request("no.such", 0, -1), (unknown, -1));
    let mut request = list_request(TOPIC, 1, -1);
    request.topics[0].partitions[0].current_leader_epoch = 9;
    check(lead, &request, (ResponseError::UnknownLeaderEpoch.code(), -1));
    // A time before the log gives its start, one after it nothing.
    check(lead, &list_request(TOPIC, 1, 1), (0, start));
    check(lead, &list_request(TOPIC, 1, i64::MAX), (0, -1));
    let journal = fleet.take_journal();
    let Observed::Offsets(offsets) = &journal[0].what else { panic!("{:?}", journal[0]) };
    assert_eq!((offsets[0].offset, offsets[0].partition), (Some(end), 1));
    assert_eq!((journal[0].broker, &*journal[0].client_id), (lead, "tester"));
}

#[test]
fn committed_offsets() {
    let fleet = fleet();
    let group = "my-readers";
    let broker = coordinator(&fleet, group);
    let other = broker % 3 + 1;
    let response = call(&fleet, broker, 0, 8, &commit_request(group, 2, 41));
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
    let response = call(&fleet, other, 0, 8, &commit_request(group, 2, 42));
    let expected = ResponseError::NotCoordinator.code();
    assert_eq!(response.topics[0].partitions[0].error_code, expected);
    let all = OffsetFetchRequest::default().with_group_id(GroupId(s(group))).with_topics(None);
    let response = call(&fleet, broker, 0, 7, &all);
    let partition = &response.topics[0].partitions[0];
    assert_eq!((response.error_code, response.topics.len()), (0, 1));
    assert_eq!((partition.partition_index, partition.committed_offset), (2, 41));
    assert_eq!(partition.metadata.as_deref(), Some("note"));
    assert_eq!(call(&fleet, other, 0, 7, &all).error_code, expected);
    // Nothing committed is −1 without an error.
    let topic = OffsetFetchRequestTopics::default()
        .with_name(name(TOPIC))
        .with_partition_indexes(vec![0, 99]);
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(s(group)))
        .with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default().with_groups(vec![asked]);
    let response = call(&fleet, broker, 0, 8, &request);
    let partitions = &response.groups[0].topics[0].partitions;
    assert!(partitions.iter().all(|p| p.committed_offset == -1 && p.error_code == 0));
    assert_eq!(partitions.len(), 2);
}

#[test]
fn produced_records_come_back() {
    let fleet = fleet();
    let lead = leader(&fleet, TOPIC, 0);
    let response =
        call(&fleet, lead, 0, 9, &produce_request(TOPIC, 0, -1, batch(&["x", "y", "z"])));
    let answer = &response.responses[0].partition_responses[0];
    assert_eq!(answer.error_code, 0);
    let base = answer.base_offset;
    let response = call(&fleet, lead, 0, 11, &fetch_request(TOPIC, 0, base - 2, 0));
    let data = &response.responses[0].partitions[0];
    assert_eq!((data.error_code, data.high_watermark), (0, base + 3));
    let mut records = data.records.clone().expect("records");
    let records: Vec<Record> = RecordBatchDecoder::decode_all(&mut records)
        .expect("valid batches")
        .into_iter()
        .flat_map(|set| set.records)
        .collect();
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (base - 2..base + 3).collect::<Vec<_>>());
    let values: Vec<_> = records[2..].iter().map(|record| record.value.clone()).collect();
    assert_eq!(values, ["x", "y", "z"].map(|v| Some(Bytes::from(v))));
    // Reading from the middle of a batch gives the whole batch, as brokers do.
    let response = call(&fleet, lead, 0, 11, &fetch_request(TOPIC, 0, base + 2, 0));
    let mut records = response.responses[0].partitions[0].records.clone().expect("records");
    let first = RecordBatchDecoder::decode(&mut records).expect("batch").records[0].offset;
    assert_eq!(first, base);
}

#[test]
fn produce_refuses_what_brokers_refuse() {
    let fleet = fleet();
    let lead = leader(&fleet, TOPIC, 0);
    let good = batch(&["x"]);
    let mut flipped = good.to_vec();
    *flipped.last_mut().expect("bytes") ^= 1;
    let mut old = good.to_vec();
    old[16] = 1;
    let mut twice = good.to_vec();
    twice.extend_from_slice(&good);
    let huge = "x".repeat(2 << 20);
    let check = |broker: i32, request: ProduceRequest, expected: ResponseError| {
        let response = call(&fleet, broker, 0, 9, &request);
        assert_eq!(response.responses[0].partition_responses[0].error_code, expected.code());
    };
    let produce = |batch: Bytes| produce_request(TOPIC, 0, 1, batch);
    check(lead, produce(flipped.into()), ResponseError::CorruptMessage);
    check(lead, produce(old.into()), ResponseError::UnsupportedForMessageFormat);
    check(lead, produce(twice.into()), ResponseError::InvalidRecord);
    check(lead, produce(Bytes::new()), ResponseError::CorruptMessage);
    check(lead, produce(good.slice(..40)), ResponseError::CorruptMessage);
    check(lead, produce(batch(&[&huge])), ResponseError::MessageTooLarge);
    check(lead, produce_request(TOPIC, 0, 5, good.clone()), ResponseError::InvalidRequiredAcks);
    let unknown = ResponseError::UnknownTopicOrPartition;
    check(lead, produce_request(TOPIC, 9, 1, good.clone()), unknown);
    check(lead % 3 + 1, produce(good.clone()), ResponseError::NotLeaderOrFollower);
    let internal = crate::sim::fleet::OFFSETS_TOPIC;
    check(1, produce_request(internal, 0, 1, good.clone()), ResponseError::InvalidTopicException);
    // One of three replicas is not enough for acks=all.
    let others: Vec<i32> = (1..=3).filter(|id| *id != lead).collect();
    others.iter().for_each(|id| fleet.broker_down(*id, SimTime::ZERO));
    fleet.advance(SimTime::from_secs(40));
    let response = call(&fleet, lead, 40_000, 9, &produce_request(TOPIC, 0, -1, good.clone()));
    let answer = &response.responses[0].partition_responses[0];
    assert_eq!(answer.error_code, ResponseError::NotEnoughReplicas.code());
    let silent = frame(9, &produce_request(TOPIC, 0, 0, good));
    let outcome = fleet.handle(&connection(lead), silent, SimTime::from_secs(40));
    assert!(matches!(outcome, Outcome::Silent), "{outcome:?}");
}

#[test]
fn fetch_waits_for_data_and_no_longer() {
    let spec = FleetSpec { topics: 1, messages_per_second: 0, ..FleetSpec::default() };
    let fleet = Fleet::new(spec, Seed(1), UnixMillis(0)).expect("possible");
    let lead = leader(&fleet, TOPIC, 0);
    let (_, end, _) = fleet.partition_log(TOPIC, 0).expect("partition");
    let request = frame(11, &fetch_request(TOPIC, 0, end, 700));
    let outcome = fleet.handle(&connection(lead), request.clone(), SimTime::from_millis(100));
    let Outcome::Wait(pending) = outcome else { panic!("{outcome:?}") };
    assert_eq!(pending.wake_at, SimTime::from_millis(800));
    let outcome = fleet.resume(&connection(lead), pending.request, SimTime::from_millis(800));
    let Outcome::Reply(reply) = outcome else { panic!("{outcome:?}") };
    let response = decode_reply::<FetchRequest>(11, &reply);
    assert_eq!(response.responses[0].partitions[0].records.as_deref(), Some(&b""[..]));
    let outcome = fleet.handle(&connection(lead), request, SimTime::from_millis(900));
    let Outcome::Wait(pending) = outcome else { panic!("{outcome:?}") };
    call(&fleet, lead, 950, 9, &produce_request(TOPIC, 0, 1, batch(&["now"])));
    let outcome = fleet.resume(&connection(lead), pending.request, SimTime::from_millis(951));
    assert!(matches!(outcome, Outcome::Reply(_)), "{outcome:?}");
    let check = |offset: i64, expected: ResponseError| {
        let response = call(&fleet, lead, 1_000, 11, &fetch_request(TOPIC, 0, offset, 500));
        assert_eq!(response.responses[0].partitions[0].error_code, expected.code());
    };
    check(end + 2, ResponseError::OffsetOutOfRange);
    check(-1, ResponseError::OffsetOutOfRange);
}

/// Starts a join; the member id to come back with.
fn begin_join(fleet: &Fleet, broker: i32, at: u64, group: &str) -> StrBytes {
    let response = call(fleet, broker, at, 9, &join_request(group, ""));
    assert_eq!(response.error_code, ResponseError::MemberIdRequired.code());
    response.member_id
}

fn wait_join(fleet: &Fleet, broker: i32, at: u64, group: &str, member: &str) -> Pending {
    let request = frame(9, &join_request(group, member));
    match fleet.handle(&connection(broker), request, SimTime::from_millis(at)) {
        Outcome::Wait(pending) => *pending,
        other => panic!("{other:?}"),
    }
}

fn joined(fleet: &Fleet, broker: i32, at: u64, pending: Pending) -> JoinGroupResponse {
    match fleet.resume(&connection(broker), pending.request, SimTime::from_millis(at)) {
        Outcome::Reply(reply) => decode_reply::<JoinGroupRequest>(9, &reply),
        other => panic!("{other:?}"),
    }
}

fn sync_request(
    group: &str,
    joined: &JoinGroupResponse,
    shares: &[(&str, &str)],
) -> SyncGroupRequest {
    let assignments = shares
        .iter()
        .map(|(member, share)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(s(member))
                .with_assignment(Bytes::copy_from_slice(share.as_bytes()))
        })
        .collect();
    SyncGroupRequest::default()
        .with_group_id(GroupId(s(group)))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_protocol_type(Some(s("consumer")))
        .with_protocol_name(Some(s("range")))
        .with_assignments(assignments)
}

fn beat(fleet: &Fleet, broker: i32, at: u64, group: &str, joined: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(GroupId(s(group)))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone());
    call(fleet, broker, at, 4, &request).error_code
}

#[test]
fn members_join_sync_beat_and_leave() {
    let (fleet, group) = (fleet(), "team");
    let broker = coordinator(&fleet, group);
    let first = begin_join(&fleet, broker, 0, group);
    let second = begin_join(&fleet, broker, 10, group);
    let one = wait_join(&fleet, broker, 20, group, &first);
    let two = wait_join(&fleet, broker, 30, group, &second);
    // The initial delay runs from the first join.
    assert_eq!(one.wake_at, SimTime::from_millis(3_020));
    let one = joined(&fleet, broker, 3_020, one);
    let two = joined(&fleet, broker, 3_020, two);
    assert_eq!((one.error_code, one.generation_id), (0, 1));
    assert_eq!(one.leader, two.leader);
    let (lead, follow) = if one.leader == one.member_id { (one, two) } else { (two, one) };
    assert_eq!((lead.members.len(), follow.members.len()), (2, 0));
    // The follower waits until the leader has assigned.
    let request = frame(5, &sync_request(group, &follow, &[]));
    let outcome = fleet.handle(&connection(broker), request, SimTime::from_millis(3_100));
    let Outcome::Wait(pending) = outcome else { panic!("{outcome:?}") };
    let shares = [(lead.member_id.as_str(), "A"), (follow.member_id.as_str(), "B")];
    let synced = call(&fleet, broker, 3_200, 5, &sync_request(group, &lead, &shares));
    assert_eq!((synced.error_code, synced.assignment), (0, Bytes::from("A")));
    let outcome = fleet.resume(&connection(broker), pending.request, SimTime::from_millis(3_201));
    let Outcome::Reply(reply) = outcome else { panic!("{outcome:?}") };
    assert_eq!(decode_reply::<SyncGroupRequest>(5, &reply).assignment, Bytes::from("B"));
    assert_eq!(beat(&fleet, broker, 3_300, group, &lead), 0);
    assert_eq!(beat(&fleet, broker, 3_300, group, &follow), 0);
    let mut stale = follow.clone();
    stale.generation_id = 0;
    let expected = ResponseError::IllegalGeneration.code();
    assert_eq!(beat(&fleet, broker, 3_300, group, &stale), expected);
    stale.member_id = s("nobody");
    let expected = ResponseError::UnknownMemberId.code();
    assert_eq!(beat(&fleet, broker, 3_300, group, &stale), expected);
    // The follower leaves: the leader hears of a rebalance at its next heartbeat.
    let member = MemberIdentity::default().with_member_id(follow.member_id.clone());
    let request =
        LeaveGroupRequest::default().with_group_id(GroupId(s(group))).with_members(vec![member]);
    assert_eq!(call(&fleet, broker, 3_400, 5, &request).members[0].error_code, 0);
    let expected = ResponseError::RebalanceInProgress.code();
    assert_eq!(beat(&fleet, broker, 3_500, group, &lead), expected);
    let again = call(&fleet, broker, 3_600, 9, &join_request(group, &lead.member_id));
    assert_eq!((again.error_code, again.members.len()), (0, 1));
    assert!(again.generation_id > lead.generation_id);
}

#[test]
fn silent_members_are_dropped() {
    let (fleet, group) = (fleet(), "silence");
    let broker = coordinator(&fleet, group);
    let id = begin_join(&fleet, broker, 0, group);
    let pending = wait_join(&fleet, broker, 0, group, &id);
    let member = joined(&fleet, broker, 3_000, pending);
    let shares = [(member.member_id.as_str(), "all")];
    assert_eq!(
        call(&fleet, broker, 3_000, 5, &sync_request(group, &member, &shares)).error_code,
        0
    );
    assert_eq!(beat(&fleet, broker, 12_000, group, &member), 0);
    assert_eq!(beat(&fleet, broker, 21_900, group, &member), 0);
    let expected = ResponseError::UnknownMemberId.code();
    assert_eq!(beat(&fleet, broker, 31_950, group, &member), expected);
    let describe = DescribeGroupsRequest::default().with_groups(vec![GroupId(s(group))]);
    let response = call(&fleet, broker, 31_950, 5, &describe);
    assert_eq!(&*response.groups[0].group_state, "Empty");
    let missing = DescribeGroupsRequest::default().with_groups(vec![GroupId(s("nope"))]);
    let broker = coordinator(&fleet, "nope");
    assert_eq!(&*call(&fleet, broker, 31_950, 5, &missing).groups[0].group_state, "Dead");
    let code = call(&fleet, broker, 31_950, 6, &missing).groups[0].error_code;
    assert_eq!(code, ResponseError::GroupIdNotFound.code());
}

#[test]
fn a_real_client_takes_over_a_synthetic_group() {
    let fleet = fleet();
    let group = fleet.groups()[0].to_string();
    let broker = coordinator(&fleet, &group);
    let describe = DescribeGroupsRequest::default().with_groups(vec![GroupId(s(&group))]);
    let before = call(&fleet, broker, 0, 5, &describe);
    assert_eq!((&*before.groups[0].group_state, before.groups[0].members.len()), ("Stable", 3));
    let committed = fleet.committed(&group);
    let id = begin_join(&fleet, broker, 0, &group);
    let pending = wait_join(&fleet, broker, 0, &group, &id);
    let member = joined(&fleet, broker, 3_000, pending);
    assert_eq!(member.members.len(), 1);
    fleet.advance(SimTime::from_secs(60));
    let after: Vec<i64> = fleet.committed(&group).iter().map(|c| c.committed).collect();
    assert_eq!(after, committed.iter().map(|c| c.committed).collect::<Vec<_>>());
}

#[test]
fn group_requests_are_checked() {
    let fleet = fleet();
    let group = "checks";
    let broker = coordinator(&fleet, group);
    let check = |broker: i32, request: &JoinGroupRequest, expected: ResponseError| {
        assert_eq!(call(&fleet, broker, 0, 5, request).error_code, expected.code());
    };
    let good = join_request(group, "");
    check(broker % 3 + 1, &good, ResponseError::NotCoordinator);
    check(broker, &join_request(group, "stranger"), ResponseError::UnknownMemberId);
    let short = good.clone().with_session_timeout_ms(5);
    check(broker, &short, ResponseError::InvalidSessionTimeout);
    let none = good.clone().with_protocols(Vec::new());
    check(broker, &none, ResponseError::InconsistentGroupProtocol);
    check(coordinator(&fleet, ""), &join_request("", ""), ResponseError::InvalidGroupId);
    // Nobody answers for a coordinator that is down and not fenced yet.
    let request = FindCoordinatorRequest::default().with_key(s(group));
    fleet.broker_down(broker, SimTime::ZERO);
    let response = call(&fleet, broker % 3 + 1, 100, 3, &request);
    assert_eq!(response.error_code, ResponseError::CoordinatorNotAvailable.code());
    let response = call(&fleet, broker % 3 + 1, 40_000, 3, &request);
    assert_eq!(response.error_code, 0);
    assert_ne!(response.node_id.0, broker);
}

#[test]
fn topics_are_created_or_refused() {
    let fleet = fleet();
    let check = |topic: CreatableTopic, expected: i16| {
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1);
        assert_eq!(call(&fleet, 1, 0, 7, &request).topics[0].error_code, expected);
    };
    let topic = |name_of: &str, partitions: i32, replication: i16| {
        CreatableTopic::default()
            .with_name(name(name_of))
            .with_num_partitions(partitions)
            .with_replication_factor(replication)
    };
    check(topic("fresh", 4, 3), 0);
    check(topic("defaults", -1, -1), 0);
    check(topic("fresh", 4, 3), ResponseError::TopicAlreadyExists.code());
    check(topic("wide", 1, 4), ResponseError::InvalidReplicationFactor.code());
    check(topic("none", 0, 1), ResponseError::InvalidPartitions.code());
    check(topic("many", i32::MAX, 1), ResponseError::InvalidPartitions.code());
    check(topic("no spaces", 1, 1), ResponseError::InvalidTopicException.code());
    let config =
        CreatableTopicConfig::default().with_name(s("retention.ms")).with_value(Some(s("x")));
    let bad = topic("bad", 1, 1).with_configs(vec![config]);
    check(bad, ResponseError::InvalidConfig.code());
    assert!(fleet.topics().iter().any(|name| &**name == "fresh"));
    assert_eq!(leader(&fleet, "fresh", 3).clamp(1, 3), leader(&fleet, "fresh", 3));
    call(&fleet, leader(&fleet, "fresh", 3), 0, 9, &produce_request("fresh", 3, -1, batch(&["a"])));
    assert_eq!(fleet.partition_log("fresh", 3).map(|(start, end, _)| (start, end)), Some((0, 1)));
}

#[test]
fn log_dirs_and_configs_tell_the_state() {
    let fleet = fleet();
    let request = DescribeLogDirsRequest::default().with_topics(None);
    let response = call(&fleet, 2, 5_000, 4, &request);
    let dir = &response.results[0];
    let partitions: usize = dir.topics.iter().map(|topic| topic.partitions.len()).sum();
    let used: i64 = dir.topics.iter().flat_map(|t| &t.partitions).map(|p| p.partition_size).sum();
    assert_eq!(partitions, 50 + 3 * 4);
    assert_eq!(dir.total_bytes - dir.usable_bytes, used);
    let journal = fleet.take_journal();
    let Some(Observed::LogDirs { replicas, .. }) = journal.last().map(|o| &o.what) else {
        panic!("{journal:?}")
    };
    assert_eq!(replicas.iter().map(|r| r.size_bytes as i64).sum::<i64>(), used);
    let resource = |kind: i8, of: &str| {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(s(of))
            .with_configuration_keys(None);
        DescribeConfigsRequest::default().with_resources(vec![resource])
    };
    let response = call(&fleet, 2, 5_000, 4, &resource(2, TOPIC));
    let configs = &response.results[0].configs;
    let min = configs.iter().find(|c| *c.name == *"min.insync.replicas").expect("setting");
    assert_eq!(min.value.as_deref(), Some("2"));
    assert_eq!(call(&fleet, 2, 5_000, 4, &resource(4, "2")).results[0].error_code, 0);
    let refused = call(&fleet, 2, 5_000, 4, &resource(4, "1")).results[0].error_code;
    assert_eq!(refused, ResponseError::InvalidRequest.code());
    let refused = call(&fleet, 2, 5_000, 4, &resource(2, "none")).results[0].error_code;
    assert_eq!(refused, ResponseError::UnknownTopicOrPartition.code());
}

#[derive(Debug, Clone)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Word(prop::sample::Index, [u8; 4]),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = || any::<prop::sample::Index>();
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        at().prop_map(Mutation::Cut),
        (at(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, b)| Mutation::Insert(at, b)),
        (
            at(),
            prop::sample::select(vec![[0x7f, 255, 255, 255], [255; 4], [0x80, 0, 0, 0], [0; 4]])
        )
            .prop_map(|(at, word)| Mutation::Word(at, word)),
    ]
}

fn mutate(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        if bytes.is_empty() {
            break;
        }
        match mutation {
            Mutation::Flip(at, bits) => *at.get_mut(&mut bytes) ^= bits,
            Mutation::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Mutation::Insert(at, new) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Mutation::Word(at, word) => {
                let at = at.index(bytes.len());
                let room = (bytes.len() - at).min(4);
                bytes[at..at + room].copy_from_slice(&word[..room]);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mutated_frames_end_in_a_typed_way(
        api in 0..APIS.len(),
        version in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(mutation(), 1..6),
        keep_header in any::<bool>(),
    ) {
        let fleet = fleet();
        let (api, lowest, highest) = APIS[api];
        let version = lowest + version.index((highest - lowest + 1) as usize) as i16;
        let frame = sample(api, version, topic_id(&fleet));
        let kept = if keep_header { 8 } else { 0 };
        let mut bytes = frame[..kept].to_vec();
        bytes.extend(mutate(frame[kept..].to_vec(), &mutations));
        let mut now = SimTime::from_millis(10);
        let mut outcome = fleet.handle(&connection(1), Bytes::from(bytes), now);
        while let Outcome::Wait(pending) = outcome {
            prop_assert!(pending.wake_at >= now, "a wait that ends in the past");
            // Progress is guaranteed by the broker's own deadlines.
            now = pending.wake_at + Duration::from_millis(1);
            outcome = fleet.resume(&connection(1), pending.request, now);
        }
        if let Outcome::Close(reason) = outcome {
            prop_assert_ne!(reason, CloseReason::Encoding, "a broker must be able to answer");
        }
    }

    #[test]
    fn random_bytes_end_in_a_typed_way(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let fleet = fleet();
        let outcome = fleet.handle(&connection(2), Bytes::from(bytes), SimTime::ZERO);
        prop_assert!(!matches!(outcome, Outcome::Close(CloseReason::Encoding)));
    }
}
