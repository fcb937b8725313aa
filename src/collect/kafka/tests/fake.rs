//! A scripted Kafka cluster in memory: brokers on `b<id>:9092`, exporters on `b<id>:7071`.
//!
//! Not modelled: producing and consuming, elections, time. What a broker says is what the test
//! wrote into [`Model`]; how it misbehaves is an [`Act`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, StrBytes, VersionRange, decode_request_header_from_buffer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::domain::units::UnixMillis;
use crate::ports::testing::{EPOCH, Nothing, TestEntropy};
use crate::ports::{
    Clock, Endpoint, Http, HttpError, HttpLimits, HttpRequest, HttpResponse, Net, Ports,
};
use crate::rt;

/// How a broker answers one API.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// With this error code, where the API has a place for one.
    Error(i16),
    /// Closes the connection instead of answering.
    Close,
    /// Never answers.
    Hang,
    /// Sends this many bytes of the frame, then closes.
    Cut(usize),
    /// Announces a frame of this length.
    Announce(i32),
    /// Adds one to the correlation id.
    WrongCorrelation,
    /// Puts these bytes in place of the answer's body.
    Body(Vec<u8>),
    /// Changes bytes of the body: (where, modulo its length; new value).
    Mutate(Vec<(usize, u8)>),
    /// Cuts the body short, but frames what is left correctly.
    Shorten(usize),
    /// Sends one byte at a time, a millisecond apart.
    Trickle,
}

#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The broker that lists it.
    pub(super) listed_by: i32,
    /// The broker that answers for it; others say NOT_COORDINATOR.
    pub(super) coordinator: i32,
    pub(super) state: &'static str,
    pub(super) protocol_type: &'static str,
    pub(super) members: usize,
    pub(super) committed: BTreeMap<(&'static str, i32), i64>,
}

#[derive(Debug, Clone)]
pub(super) struct Partition {
    /// Who leads it, as the metadata says.
    pub(super) leader: i32,
    /// Who leads it once the metadata has been asked for this often.
    pub(super) moves: Option<(usize, i32)>,
    pub(super) replicas: Vec<i32>,
    pub(super) in_sync: Vec<i32>,
    pub(super) log_end: i64,
    pub(super) bytes: i64,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) brokers: BTreeSet<i32>,
    pub(super) refusing: BTreeSet<i32>,
    pub(super) controller: i32,
    pub(super) topics: BTreeMap<(&'static str, i32), Partition>,
    pub(super) groups: BTreeMap<&'static str, Group>,
    /// Version ranges by API key; `None` takes an API away.
    pub(super) versions: BTreeMap<i16, Option<(i16, i16)>>,
    pub(super) acts: BTreeMap<(i32, i16), Act>,
    pub(super) expositions: BTreeMap<i32, (u16, String)>,
    /// What was asked: (broker, API key, version).
    pub(super) asked: Vec<(i32, i16, i16)>,
    pub(super) connections: usize,
    /// Whether brokers close a connection after each answer.
    pub(super) one_answer_per_connection: bool,
}

impl Model {
    fn metadata_asked(&self) -> usize {
        self.asked.iter().filter(|(_, key, _)| *key == ApiKey::Metadata as i16).count()
    }

    fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let partition = self.topics.get(&(static_name(topic)?, partition))?;
        match partition.moves {
            Some((_, to)) => Some(to),
            None => Some(partition.leader),
        }
    }
}

/// Test topics have static names, so that the model can be written down in a table.
fn static_name(name: &str) -> Option<&'static str> {
    ["orders", "payments", "__consumer_offsets"].into_iter().find(|known| *known == name)
}

/// The world as a collector in these tests sees it.
#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<Model>>);

impl Fake {
    pub(super) fn new(model: Model) -> Self {
        Self(Arc::new(Mutex::new(model)))
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().expect("no test panics while it holds the model")
    }
}

impl Ports for Fake {
    type Clock = Self;
    type Entropy = TestEntropy;
    type Net = Self;
    type Http = Self;
    type Disk = Nothing;

    fn clock(&self) -> &Self {
        self
    }
    fn entropy(&self) -> &TestEntropy {
        &TestEntropy
    }
    fn net(&self) -> &Self {
        self
    }
    fn http(&self) -> &Self {
        self
    }
    fn disk(&self) -> &Nothing {
        &Nothing
    }
}

thread_local! {
    // The paused runtime's clock has no epoch of its own.
    #[expect(clippy::disallowed_methods, reason = "the clock of a paused test runtime")]
    static ORIGIN: tokio::time::Instant = tokio::time::Instant::now();
}

impl Clock for Fake {
    fn wall(&self) -> UnixMillis {
        EPOCH.plus(self.monotonic())
    }
    #[expect(clippy::disallowed_methods, reason = "the clock of a paused test runtime")]
    fn monotonic(&self) -> Duration {
        ORIGIN.with(|origin| tokio::time::Instant::now() - *origin)
    }
    #[expect(clippy::disallowed_methods, reason = "the clock of a paused test runtime")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The id in a host name `b<id>`.
fn broker_id(host: &str) -> Option<i32> {
    host.strip_prefix('b')?.parse().ok()
}

impl Net for Fake {
    type Stream = DuplexStream;
    type Listener = Nothing;

    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }

    async fn connect(&self, to: &Endpoint) -> io::Result<DuplexStream> {
        let id = broker_id(&to.host).ok_or(io::ErrorKind::NotFound)?;
        {
            let mut model = self.model();
            if model.refusing.contains(&id) || to.port != 9092 {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            model.connections += 1;
        }
        let (ours, theirs) = tokio::io::duplex(4096);
        let fake = self.clone();
        rt::spawn(format!("broker {id}"), async move {
            // The client hangs up in the middle of some tests.
            let _ = fake.serve(id, theirs).await;
        });
        Ok(ours)
    }

    async fn listen(&self, _port: u16) -> io::Result<Nothing> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Http for Fake {
    async fn send(&self, req: HttpRequest, limits: HttpLimits) -> Result<HttpResponse, HttpError> {
        let host = req.uri().host().unwrap_or_default();
        let authority = format!("{host}:7071");
        let found = broker_id(host).and_then(|id| self.model().expositions.get(&id).cloned());
        let Some((status, text)) = found else {
            let source = io::ErrorKind::ConnectionRefused.into();
            return Err(HttpError::Connect { authority, source });
        };
        if status == 0 {
            self.sleep(limits.timeout).await;
            return Err(HttpError::Timeout { authority, timeout: limits.timeout, sent: true });
        }
        let body = Bytes::from(text);
        Ok(http::Response::builder().status(status).body(body).expect("a status of three digits"))
    }
}

impl Fake {
    async fn serve(&self, id: i32, mut stream: DuplexStream) -> io::Result<()> {
        loop {
            let length = stream.read_i32().await?;
            let mut frame = BytesMut::zeroed(length as usize);
            stream.read_exact(&mut frame).await?;
            let mut frame = frame.freeze();
            let header = decode_request_header_from_buffer(&mut frame)
                .unwrap_or_else(|error| panic!("request header: {error}"));
            let (key, version) = (header.request_api_key, header.request_api_version);
            let act = {
                let mut model = self.model();
                model.asked.push((id, key, version));
                model.acts.get(&(id, key)).cloned()
            };
            let code = if let Some(Act::Error(code)) = act { code } else { 0 };
            let (header_version, body) = self.model().answer(id, key, version, code, frame);
            let closed = self.reply(&mut stream, header.correlation_id, header_version, body, act);
            if closed.await? || self.model().one_answer_per_connection {
                return Ok(());
            }
        }
    }

    /// Sends an answer in the way of `act`; `true` closes the connection.
    async fn reply(
        &self,
        stream: &mut DuplexStream,
        correlation: i32,
        header_version: i16,
        mut body: Vec<u8>,
        act: Option<Act>,
    ) -> io::Result<bool> {
        let mut frame = BytesMut::new();
        let wrong = i32::from(matches!(act, Some(Act::WrongCorrelation)));
        frame.put_i32(correlation + wrong);
        if header_version >= 1 {
            frame.put_u8(0);
        }
        match &act {
            Some(Act::Body(bytes)) => body = bytes.clone(),
            Some(Act::Mutate(changes)) => {
                for (at, byte) in changes {
                    let length = body.len().max(1);
                    if let Some(place) = body.get_mut(at % length) {
                        *place = *byte;
                    }
                }
            }
            Some(Act::Shorten(by)) => body.truncate(body.len().saturating_sub(*by)),
            _ => {}
        }
        frame.put_slice(&body);
        let announced = if let Some(Act::Announce(n)) = act { n } else { frame.len() as i32 };
        let mut whole = BytesMut::new();
        whole.put_i32(announced);
        whole.put_slice(&frame);
        match act {
            Some(Act::Close) => return Ok(true),
            Some(Act::Hang) => std::future::pending::<()>().await,
            Some(Act::Cut(bytes)) => {
                stream.write_all(&whole[..bytes.min(whole.len())]).await?;
                return Ok(true);
            }
            Some(Act::Trickle) => {
                for byte in &whole {
                    stream.write_all(&[*byte]).await?;
                    self.sleep(Duration::from_millis(1)).await;
                }
            }
            _ => stream.write_all(&whole).await?,
        }
        Ok(false)
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn encode<T: Encodable + HeaderVersion>(answer: &T, version: i16) -> (i16, Vec<u8>) {
    let mut body = BytesMut::new();
    let encoded = answer.encode(&mut body, version);
    encoded.unwrap_or_else(|e| panic!("{} v{version}: {e}", std::any::type_name::<T>()));
    (T::header_version(version), body.to_vec())
}

fn decode<T: Decodable>(mut body: Bytes, version: i16) -> T {
    let decoded = T::decode(&mut body, version);
    let decoded = decoded.unwrap_or_else(|e| panic!("{}: {e}", std::any::type_name::<T>()));
    assert!(!body.has_remaining(), "{} v{version}", std::any::type_name::<T>());
    decoded
}

impl Model {
    fn range(&self, key: ApiKey) -> Option<(i16, i16)> {
        let VersionRange { min, max } = key.valid_versions();
        self.versions.get(&(key as i16)).copied().unwrap_or(Some((min, max)))
    }

    /// The answer's header version and body.
    fn answer(&self, id: i32, key: i16, version: i16, code: i16, body: Bytes) -> (i16, Vec<u8>) {
        let key = ApiKey::try_from(key).expect("the codec decoded the header");
        let offered = self.range(key);
        if key == ApiKey::ApiVersions {
            return self.api_versions(version, code, offered);
        }
        let offered = offered.unwrap_or_else(|| panic!("{key:?} was not offered"));
        assert!((offered.0..=offered.1).contains(&version), "{key:?} v{version} was not offered");
        match key {
            ApiKey::Metadata => self.metadata(version, code, decode(body, version)),
            ApiKey::DescribeCluster => encode(&self.describe_cluster(code), version),
            ApiKey::ListOffsets => self.list_offsets(id, version, code, decode(body, version)),
            ApiKey::FindCoordinator => self.find_coordinator(version, code, decode(body, version)),
            ApiKey::ListGroups => self.list_groups(id, version, code),
            ApiKey::DescribeGroups => {
                self.describe_groups(id, version, code, decode(body, version))
            }
            ApiKey::OffsetFetch => self.offset_fetch(id, version, code, decode(body, version)),
            ApiKey::DescribeConfigs => self.describe_configs(version, code, decode(body, version)),
            ApiKey::DescribeLogDirs => self.describe_log_dirs(id, version, code),
            other => panic!("{other:?} is nothing a collector asks for"),
        }
    }

    fn api_versions(&self, version: i16, code: i16, offered: Option<(i16, i16)>) -> (i16, Vec<u8>) {
        let (min, max) = offered.expect("brokers always offer ApiVersions");
        if version > max {
            // KIP-511: the answer is v0's, and names the versions of this one API.
            let own = api_versions_response::ApiVersion::default()
                .with_api_key(ApiKey::ApiVersions as i16)
                .with_min_version(min)
                .with_max_version(max);
            let answer = ApiVersionsResponse::default().with_error_code(35);
            return encode(&answer.with_api_keys(vec![own]), 0);
        }
        let keys = [3i16, 60, 2, 10, 16, 15, 9, 32, 35, 18];
        let keys = keys.into_iter().filter_map(|key| {
            let (min, max) = self.range(ApiKey::try_from(key).ok()?)?;
            let key = api_versions_response::ApiVersion::default().with_api_key(key);
            Some(key.with_min_version(min).with_max_version(max))
        });
        let answer = ApiVersionsResponse::default().with_error_code(code);
        encode(&answer.with_api_keys(keys.collect()), version)
    }

    fn metadata(&self, version: i16, code: i16, request: MetadataRequest) -> (i16, Vec<u8>) {
        use metadata_response::*;
        let all = if version == 0 { Some(vec![]) } else { None };
        assert_eq!(request.topics, all, "asks for all topics in v{version}");
        let asked = self.metadata_asked();
        let brokers = self.brokers.iter().map(|id| {
            MetadataResponseBroker::default()
                .with_node_id((*id).into())
                .with_host(text(&format!("b{id}")))
                .with_port(9092)
                .with_rack((version >= 1).then(|| text(&format!("rack-{}", id % 2))))
        });
        let mut topics: BTreeMap<&str, Vec<MetadataResponsePartition>> = BTreeMap::new();
        for ((topic, index), partition) in &self.topics {
            let leader = match partition.moves {
                Some((after, to)) if asked > after => to,
                _ => partition.leader,
            };
            let nodes = |ids: &[i32]| ids.iter().map(|id| BrokerId(*id)).collect();
            let read = MetadataResponsePartition::default()
                .with_partition_index(*index)
                .with_leader_id(leader.into())
                .with_replica_nodes(nodes(&partition.replicas))
                .with_isr_nodes(nodes(&partition.in_sync));
            topics.entry(topic).or_default().push(read);
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            MetadataResponseTopic::default()
                .with_name(Some(TopicName(text(name))))
                .with_is_internal(version >= 1 && name.starts_with("__"))
                .with_partitions(partitions)
        });
        let mut answer = MetadataResponse::default()
            .with_brokers(brokers.collect())
            .with_topics(topics.collect());
        if version >= 1 {
            answer = answer.with_controller_id(self.controller.into());
        }
        if version >= 2 {
            answer = answer.with_cluster_id(Some(text("cluster-id")));
        }
        if version >= 13 {
            answer = answer.with_error_code(code);
        }
        encode(&answer, version)
    }

    fn describe_cluster(&self, code: i16) -> DescribeClusterResponse {
        DescribeClusterResponse::default()
            .with_error_code(code)
            .with_cluster_id(text("cluster-id"))
            .with_controller_id(self.controller.into())
    }

    fn list_offsets(
        &self,
        id: i32,
        version: i16,
        code: i16,
        request: ListOffsetsRequest,
    ) -> (i16, Vec<u8>) {
        use list_offsets_response::*;
        assert_eq!(request.replica_id, BrokerId(-1), "a client is no replica");
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|p| {
                assert_eq!(p.timestamp, -1, "asks for the log end");
                let index = p.partition_index;
                let answer = ListOffsetsPartitionResponse::default().with_partition_index(index);
                let leader = self.leader(&topic.name, index);
                match (code, leader) {
                    (0, Some(leader)) if leader == id => {
                        let name = static_name(&topic.name).expect("it has a leader");
                        answer.with_offset(self.topics[&(name, index)].log_end)
                    }
                    (0, Some(_)) => answer.with_error_code(6).with_offset(-1),
                    (0, None) => answer.with_error_code(3).with_offset(-1),
                    _ => answer.with_error_code(code).with_offset(-1),
                }
            });
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        encode(&ListOffsetsResponse::default().with_topics(topics.collect()), version)
    }

    fn find_coordinator(
        &self,
        version: i16,
        code: i16,
        request: FindCoordinatorRequest,
    ) -> (i16, Vec<u8>) {
        let place = |key: &str| match self.groups.get(key) {
            Some(group) => (code, group.coordinator, format!("b{}", group.coordinator)),
            None => (code, 1, "b1".to_owned()),
        };
        if version < 4 {
            let (code, node, host) = place(&request.key);
            let answer = FindCoordinatorResponse::default()
                .with_error_code(code)
                .with_node_id(node.into())
                .with_host(text(&host))
                .with_port(9092);
            return encode(&answer, version);
        }
        let each = request.coordinator_keys.into_iter().map(|key| {
            let (code, node, host) = place(&key);
            find_coordinator_response::Coordinator::default()
                .with_key(key)
                .with_error_code(code)
                .with_node_id(node.into())
                .with_host(text(&host))
                .with_port(9092)
        });
        encode(&FindCoordinatorResponse::default().with_coordinators(each.collect()), version)
    }

    fn list_groups(&self, id: i32, version: i16, code: i16) -> (i16, Vec<u8>) {
        let listed = self.groups.iter().filter(|(_, group)| group.listed_by == id);
        let groups = listed.map(|(name, group)| {
            let listed = list_groups_response::ListedGroup::default()
                .with_group_id(GroupId(text(name)))
                .with_protocol_type(text(group.protocol_type));
            if version >= 4 { listed.with_group_state(text(group.state)) } else { listed }
        });
        let answer = ListGroupsResponse::default().with_error_code(code);
        encode(&answer.with_groups(groups.collect()), version)
    }

    fn describe_groups(
        &self,
        id: i32,
        version: i16,
        code: i16,
        request: DescribeGroupsRequest,
    ) -> (i16, Vec<u8>) {
        use describe_groups_response::*;
        let groups = request.groups.into_iter().map(|name| {
            let answer = DescribedGroup::default().with_group_id(name.clone());
            match self.groups.get(name.as_str()) {
                _ if code != 0 => answer.with_error_code(code),
                None => answer.with_group_state(text("Dead")),
                Some(group) if group.coordinator != id => answer.with_error_code(16),
                Some(group) => answer
                    .with_group_state(text(group.state))
                    .with_protocol_type(text("consumer"))
                    .with_protocol_data(text(if group.members > 0 { "range" } else { "" }))
                    .with_members(vec![DescribedGroupMember::default(); group.members]),
            }
        });
        encode(&DescribeGroupsResponse::default().with_groups(groups.collect()), version)
    }

    /// What `group` committed, as rows by topic; the code if `id` does not answer for it.
    fn committed(
        &self,
        id: i32,
        group: &str,
        named: Option<Vec<(String, Vec<i32>)>>,
    ) -> Result<BTreeMap<String, Vec<(i32, i64)>>, i16> {
        let mut rows: BTreeMap<String, Vec<(i32, i64)>> = BTreeMap::new();
        let found = self.groups.get(group);
        if found.is_some_and(|group| group.coordinator != id) {
            return Err(16);
        }
        let committed = found.map(|group| group.committed.clone()).unwrap_or_default();
        match named {
            None => {
                for ((topic, partition), offset) in committed {
                    rows.entry(topic.to_owned()).or_default().push((partition, offset));
                }
            }
            Some(topics) => {
                for (topic, partitions) in topics {
                    for partition in partitions {
                        let key = (static_name(&topic).unwrap_or_default(), partition);
                        let offset = committed.get(&key).copied().unwrap_or(-1);
                        rows.entry(topic.clone()).or_default().push((partition, offset));
                    }
                }
            }
        }
        Ok(rows)
    }

    fn offset_fetch(
        &self,
        id: i32,
        version: i16,
        code: i16,
        request: OffsetFetchRequest,
    ) -> (i16, Vec<u8>) {
        use offset_fetch_response::*;
        if version >= 8 {
            let groups = request.groups.into_iter().map(|group| {
                let topics = group.topics.map(|topics| {
                    let each = topics.into_iter();
                    each.map(|t| (t.name.to_string(), t.partition_indexes)).collect()
                });
                let answer =
                    OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
                let rows = match self.committed(id, &group.group_id, topics) {
                    Ok(rows) if code == 0 => rows,
                    Ok(_) => return answer.with_error_code(code),
                    Err(code) => return answer.with_error_code(code),
                };
                let topics = rows.into_iter().map(|(topic, rows)| {
                    let rows = rows.into_iter().map(|(index, offset)| {
                        let row = OffsetFetchResponsePartitions::default();
                        row.with_partition_index(index).with_committed_offset(offset)
                    });
                    OffsetFetchResponseTopics::default()
                        .with_name(TopicName(text(&topic)))
                        .with_partitions(rows.collect())
                });
                answer.with_topics(topics.collect())
            });
            return encode(&OffsetFetchResponse::default().with_groups(groups.collect()), version);
        }
        let topics = request.topics.map(|topics| {
            let each = topics.into_iter();
            each.map(|t| (t.name.to_string(), t.partition_indexes)).collect()
        });
        assert!(version >= 2 || topics.is_some(), "v1 has no way to say all topics");
        let (code, rows) = match self.committed(id, &request.group_id, topics) {
            Ok(rows) => (code, rows),
            Err(code) => (code, BTreeMap::new()),
        };
        let topics = rows.into_iter().map(|(topic, rows)| {
            let rows = rows.into_iter().map(|(index, offset)| {
                let row = OffsetFetchResponsePartition::default();
                let code = if version == 1 { code } else { 0 };
                row.with_partition_index(index).with_committed_offset(offset).with_error_code(code)
            });
            OffsetFetchResponseTopic::default()
                .with_name(TopicName(text(&topic)))
                .with_partitions(rows.collect())
        });
        let answer = OffsetFetchResponse::default().with_topics(topics.collect());
        encode(&if version >= 2 { answer.with_error_code(code) } else { answer }, version)
    }

    fn describe_configs(
        &self,
        version: i16,
        code: i16,
        request: DescribeConfigsRequest,
    ) -> (i16, Vec<u8>) {
        use describe_configs_response::*;
        let results = request.resources.into_iter().map(|resource| {
            let configs = resource.configuration_keys.unwrap_or_default().into_iter().map(|key| {
                let value = text(&format!("{key} of {}", resource.resource_name));
                DescribeConfigsResourceResult::default().with_name(key).with_value(Some(value))
            });
            DescribeConfigsResult::default()
                .with_error_code(code)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_configs(configs.collect())
        });
        encode(&DescribeConfigsResponse::default().with_results(results.collect()), version)
    }

    fn describe_log_dirs(&self, id: i32, version: i16, code: i16) -> (i16, Vec<u8>) {
        use describe_log_dirs_response::*;
        let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
        for ((topic, index), partition) in &self.topics {
            if partition.replicas.contains(&id) {
                let read = DescribeLogDirsPartition::default()
                    .with_partition_index(*index)
                    .with_partition_size(partition.bytes);
                topics.entry(topic).or_default().push(read);
            }
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            DescribeLogDirsTopic::default()
                .with_name(TopicName(text(name)))
                .with_partitions(partitions)
        });
        let mut dir = DescribeLogDirsResult::default()
            .with_log_dir(text("/data"))
            .with_topics(topics.collect());
        if version >= 4 {
            dir = dir.with_total_bytes(1_000_000).with_usable_bytes(600_000);
        }
        let mut answer = DescribeLogDirsResponse::default();
        if version >= 3 {
            answer = answer.with_error_code(code);
        } else {
            dir = dir.with_error_code(code);
        }
        encode(&answer.with_results(vec![dir]), version)
    }
}
