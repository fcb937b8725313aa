//! The steps of one cycle: discover, ask every broker, follow what moved.
//!
//! Invariants:
//! - Bounded: at most `concurrency` brokers are asked at once, each within its own deadline, all
//!   within the cycle's.
//! - Metadata is refreshed at most once in a cycle, and only if a broker said that the first one
//!   is stale; it is used to find the new leaders, while samples describe the first one.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use kafka_protocol::messages::{
    ApiKey, DescribeClusterRequest, FindCoordinatorRequest, FindCoordinatorResponse,
    MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::broker::{Harvest, LogEnd, Shared, Slot, Want, gather};
use super::configs::{self, TOPICS_PER_REQUEST};
use super::error::{ClientError, ErrorCode};
use super::groups::GroupWant;
use super::peer::{Dialer, Peer, Stream};
use super::topology::{self, Topology, push_led};
use super::wire::Call;
use super::{CollectError, Jmx, KafkaCollector, Missing, Part, Stamp};
use crate::ports::{Clock, Endpoint, Ports};
use crate::rt::cause::strand;
use crate::sometimes;

/// First version of FindCoordinator that takes several groups at once.
const SEVERAL_KEYS: i16 = 4;

/// What a cycle has learnt so far.
pub(super) struct Cycle<S> {
    /// When it must have ended, monotonic.
    pub(super) deadline: Duration,
    /// The broker that described the cluster.
    pub(super) described_by: Endpoint,
    pub(super) topology: Topology,
    pub(super) missing: Vec<Missing>,
    /// In order of broker ids.
    pub(super) harvests: Vec<Harvest<S>>,
    /// The second round's, for what moved.
    pub(super) followed: Vec<Harvest<S>>,
}

impl<P: Ports> KafkaCollector<P> {
    fn dialer(&self) -> Dialer<'_, P> {
        Dialer {
            ports: &self.ports,
            client_id: &self.client_id,
            frame_bytes_max: self.config.frame_bytes_max,
        }
    }

    pub(super) fn now(&self) -> Stamp {
        Stamp::now(self.ports.clock())
    }

    /// Who may describe the cluster: brokers we are connected to, the configured ones in order,
    /// then every other broker known from the last cycle.
    fn candidates(&self) -> Vec<Endpoint> {
        let connected = self.peers.iter().filter(|(_, peer)| peer.is_connected());
        let known = connected.map(|(endpoint, _)| endpoint);
        let all = known.chain(&self.config.bootstrap).chain(self.peers.keys());
        let mut seen = BTreeSet::new();
        all.filter(|endpoint| seen.insert(*endpoint)).cloned().collect()
    }

    /// Verifies that a broker answers and learns the cluster's shape from the first that does.
    pub(super) async fn discover(
        &mut self,
        deadline: Duration,
    ) -> Result<Cycle<Stream<P>>, CollectError> {
        let cluster = self.config.cluster.clone();
        if self.config.bootstrap.is_empty() {
            return Err(CollectError::NoBootstrap { cluster });
        }
        self.peers.values_mut().for_each(Peer::begin_cycle);
        let mut attempts: Vec<(Endpoint, ClientError)> = Vec::new();
        for endpoint in self.candidates() {
            let mut missing = Vec::new();
            match self.ask_metadata(&endpoint, deadline, &mut missing).await {
                Ok(mut topology) => {
                    self.describe_cluster(&endpoint, deadline, &mut topology, &mut missing).await;
                    sometimes!(BOOTSTRAP_PASSED_OVER, !attempts.is_empty());
                    for (endpoint, error) in attempts {
                        let lost = Missing::new(Part::Bootstrap, None, error);
                        missing.push(lost.about(&endpoint.to_string()));
                    }
                    return Ok(Cycle {
                        deadline,
                        described_by: endpoint,
                        topology,
                        missing,
                        harvests: Vec::new(),
                        followed: Vec::new(),
                    });
                }
                Err(error) => attempts.push((endpoint, error)),
            }
        }
        sometimes!(CLUSTER_UNREACHABLE);
        Err(CollectError::NoBroker { cluster, attempts })
    }

    /// Calls the broker at `endpoint`, within the time discovery may take.
    async fn ask<R: Call + Send + Sync>(
        &mut self,
        endpoint: &Endpoint,
        deadline: Duration,
        make: impl Fn(i16) -> R + Send + Sync,
    ) -> Result<R::Response, ClientError>
    where
        R::Response: Send,
    {
        let mut peer = self.peers.remove(endpoint).unwrap_or_default();
        let clock = self.ports.clock();
        let left = deadline.saturating_sub(clock.monotonic());
        let timeout = self.config.discovery_timeout.min(left);
        let answer = {
            let call = pin!(peer.call(self.dialer(), endpoint, make));
            clock.timeout(timeout, call).await
        };
        self.peers.insert(endpoint.clone(), peer);
        let timeout_ms = timeout.as_millis() as u64;
        answer.unwrap_or(Err(ClientError::Timeout { timeout_ms }))
    }

    async fn ask_metadata(
        &mut self,
        endpoint: &Endpoint,
        deadline: Duration,
        missing: &mut Vec<Missing>,
    ) -> Result<Topology, ClientError> {
        let request = |version| {
            // "All topics" is an empty list in v0 and null since v1; v4 can forbid to create any.
            let topics = (version == 0).then(Vec::new);
            let request = MetadataRequest::default().with_topics(topics);
            request.with_allow_auto_topic_creation(version < 4)
        };
        let answer = self.ask(endpoint, deadline, request).await?;
        let at = self.now();
        topology::check(&answer)?;
        Ok(Topology::new(answer, at, missing))
    }

    /// Fills in what Metadata left open; Metadata's word stands where it said something.
    async fn describe_cluster(
        &mut self,
        endpoint: &Endpoint,
        deadline: Duration,
        topology: &mut Topology,
        missing: &mut Vec<Missing>,
    ) {
        let offered = self.peers.get(endpoint).is_some_and(|p| p.offers(ApiKey::DescribeCluster));
        let complete = topology.controller.is_some() && topology.cluster_id.is_some();
        if complete && !offered {
            return;
        }
        let answer = self.ask(endpoint, deadline, |_| DescribeClusterRequest::default()).await;
        let answer = answer.and_then(|answer| {
            ErrorCode(answer.error_code).check("DescribeCluster")?;
            Ok(answer)
        });
        match answer {
            Ok(answer) => {
                topology.set_controller(answer.controller_id.0);
                let id = Some(answer.cluster_id).filter(|id| !id.is_empty());
                topology.cluster_id = topology.cluster_id.take().or(id);
            }
            Err(error) => missing.push(Missing::new(Part::Cluster, None, error)),
        }
    }

    /// Asks for the configurations that are new or too old.
    pub(super) async fn refresh_configs(&mut self, cycle: &mut Cycle<Stream<P>>) {
        let keep_ms = self.config.configs_keep.as_millis() as i64;
        let now_ms = self.now().mono_ms;
        let due = self.configs.due(&cycle.topology, now_ms, keep_ms);
        for topics in due.chunks(TOPICS_PER_REQUEST) {
            let endpoint = cycle.described_by.clone();
            let answer = self.ask(&endpoint, cycle.deadline, |_| configs::request(topics)).await;
            let at_ms = self.now().mono_ms;
            match answer {
                Ok(answer) => {
                    for result in answer.results {
                        let name = result.resource_name.clone();
                        let learnt = self.configs.learn(result, at_ms);
                        if let Err(error) = learnt.or_else(|code| code.check("DescribeConfigs")) {
                            let lost = Missing::new(Part::TopicConfigs, None, error);
                            cycle.missing.push(lost.about(&name));
                        }
                    }
                }
                Err(error) => {
                    let lost = Missing::new(Part::TopicConfigs, None, error);
                    cycle.missing.push(lost.losing(due.len() as u64));
                    return;
                }
            }
        }
    }

    /// Asks every broker for its part.
    pub(super) async fn ask_brokers(&mut self, cycle: &mut Cycle<Stream<P>>) {
        let mut led = cycle.topology.led(&mut cycle.missing);
        let brokers = cycle.topology.brokers.iter();
        let wants = brokers.map(|(id, broker)| Want {
            broker: *id,
            endpoint: broker.endpoint.clone(),
            scrape: match &self.config.jmx {
                Jmx::None => None,
                Jmx::Port(port) => Some(Endpoint::new(broker.endpoint.host.as_str(), *port)),
                Jmx::Endpoints(endpoints) => endpoints.get(id).cloned(),
            },
            log_ends: led.remove(id).unwrap_or_default(),
            log_dirs: true,
            list_groups: true,
            groups: Vec::new(),
        });
        let wants = wants.collect();
        cycle.harvests = self.gather_all(&cycle.topology, cycle.deadline, wants).await;
        let answered = cycle.harvests.iter().filter(|harvest| harvest.answered()).count();
        sometimes!(PARTIAL_CLUSTER, (1..cycle.harvests.len()).contains(&answered));
    }

    async fn gather_all(
        &mut self,
        topology: &Topology,
        deadline: Duration,
        wants: Vec<Want>,
    ) -> Vec<Harvest<Stream<P>>> {
        let with_peers: Vec<_> = wants
            .into_iter()
            .map(|want| {
                let peer = self.peers.remove(&want.endpoint).unwrap_or_default();
                (want, peer)
            })
            .collect();
        let shared = Shared {
            dialer: self.dialer(),
            topology,
            timeout: self.config.broker_timeout,
            deadline,
            scrape_bytes_max: self.config.scrape_bytes_max,
        };
        let tasks = with_peers.into_iter();
        let tasks = tasks.map(|(want, peer)| strand(gather(shared, want, peer)));
        let at_once = self.config.concurrency.max(1);
        let mut harvests: Vec<_> = stream::iter(tasks).buffer_unordered(at_once).collect().await;
        harvests.sort_by_key(|harvest| harvest.broker);
        for harvest in &mut harvests {
            let peer = std::mem::take(&mut harvest.peer);
            self.peers.insert(harvest.endpoint.clone(), peer);
        }
        harvests
    }

    /// Gives partitions and groups whose broker said "not me" a second chance elsewhere, and
    /// looks for groups that the configuration names but nobody listed.
    pub(super) async fn follow_moves(&mut self, cycle: &mut Cycle<Stream<P>>) {
        let stale = stale_partitions(&cycle.harvests);
        let homeless = self.homeless_groups(&cycle.harvests);
        if stale.is_empty() && homeless.is_empty() {
            return;
        }
        let mut wants = BTreeMap::new();
        if !stale.is_empty() {
            self.route_partitions(cycle, &stale, &mut wants).await;
        }
        if !homeless.is_empty() {
            sometimes!(COORDINATOR_MOVED, homeless.values().any(|named| !named));
            self.route_groups(cycle, &homeless, &mut wants).await;
        }
        let wants = wants.into_values().collect();
        cycle.followed = self.gather_all(&cycle.topology, cycle.deadline, wants).await;
    }

    async fn route_partitions(
        &mut self,
        cycle: &mut Cycle<Stream<P>>,
        stale: &BTreeMap<usize, Vec<i32>>,
        wants: &mut BTreeMap<i32, Want>,
    ) {
        let endpoint = cycle.described_by.clone();
        let newer = self.ask_metadata(&endpoint, cycle.deadline, &mut Vec::new()).await;
        let newer = match newer {
            Ok(newer) => newer,
            Err(error) => {
                let lost = Missing::new(Part::LogEndOffsets, None, error);
                return cycle.missing.push(lost.losing(stale.len() as u64));
            }
        };
        sometimes!(METADATA_REFRESHED);
        for (topic, partitions) in stale {
            let name = &cycle.topology.topics[*topic].name;
            let Some(now) = newer.topic_index(name).map(|index| &newer.topics[index]) else {
                continue;
            };
            for partition in partitions {
                let leader = now.position(*partition).and_then(|at| now.partitions[at].leader);
                let Some(broker) = leader.and_then(|id| newer.brokers.get(&id)) else { continue };
                let want = want(wants, leader.unwrap_or_default(), &broker.endpoint);
                push_led(&mut want.log_ends, *topic, *partition);
            }
        }
    }

    /// Groups whose coordinator has to be looked up; `true` if the configuration names them.
    fn homeless_groups(&self, harvests: &[Harvest<Stream<P>>]) -> BTreeMap<StrBytes, bool> {
        let found = || harvests.iter().flat_map(|harvest| &harvest.groups);
        let at_home: BTreeSet<_> = found().filter(|g| !g.moved).map(|g| g.group.as_str()).collect();
        let moved = found().filter(|g| g.moved).map(|g| (g.group.clone(), false));
        let named = self.config.groups.iter().map(|name| (StrBytes::from(name.clone()), true));
        let mut homeless: BTreeMap<_, _> = named.chain(moved).collect();
        homeless.retain(|group, _| !at_home.contains(group.as_str()));
        homeless
    }

    async fn route_groups(
        &mut self,
        cycle: &mut Cycle<Stream<P>>,
        homeless: &BTreeMap<StrBytes, bool>,
        wants: &mut BTreeMap<i32, Want>,
    ) {
        let endpoint = cycle.described_by.clone();
        let names: Vec<_> = homeless.keys().cloned().collect();
        let version = self.peers.get(&endpoint).and_then(Peer::version::<FindCoordinatorRequest>);
        let several = version.is_some_and(|version| version >= SEVERAL_KEYS);
        let step = if several { names.len() } else { 1 };
        for keys in names.chunks(step) {
            let request = |version| find_coordinator(version, keys);
            match self.ask(&endpoint, cycle.deadline, request).await {
                Ok(answer) => {
                    for (key, place) in coordinators(&answer, keys) {
                        match place {
                            Ok((broker, endpoint)) => {
                                let named = homeless.get(&key).copied().unwrap_or_default();
                                let want = want(wants, broker, &endpoint);
                                want.groups.push(GroupWant { group: key, named });
                            }
                            Err(error) => {
                                let lost = Missing::new(Part::CommittedOffsets, None, error);
                                cycle.missing.push(lost.about(&key));
                            }
                        }
                    }
                }
                Err(error) => {
                    let lost = Missing::new(Part::CommittedOffsets, None, error);
                    cycle.missing.push(lost.losing(keys.len() as u64));
                }
            }
        }
        wants.values_mut().for_each(|want| want.groups.sort_by(|a, b| a.group.cmp(&b.group)));
    }
}

/// The second round's want of `broker`.
fn want<'a>(wants: &'a mut BTreeMap<i32, Want>, broker: i32, endpoint: &Endpoint) -> &'a mut Want {
    wants.entry(broker).or_insert_with(|| Want {
        broker,
        endpoint: endpoint.clone(),
        scrape: None,
        log_ends: Vec::new(),
        log_dirs: false,
        list_groups: false,
        groups: Vec::new(),
    })
}

/// Partitions, by topic index, whose broker said that the metadata is stale.
fn stale_partitions<S>(harvests: &[Harvest<S>]) -> BTreeMap<usize, Vec<i32>> {
    let mut stale: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
    for harvest in harvests {
        let Slot::Done(_, ends) = &harvest.log_ends else { continue };
        for LogEnd { topic, partition, offset } in ends {
            if offset.is_err_and(ErrorCode::is_stale_metadata) {
                stale.entry(*topic).or_default().push(*partition);
            }
        }
    }
    stale
}

fn find_coordinator(version: i16, keys: &[StrBytes]) -> FindCoordinatorRequest {
    let request = FindCoordinatorRequest::default();
    if version >= SEVERAL_KEYS {
        return request.with_coordinator_keys(keys.to_vec());
    }
    request.with_key(keys.first().cloned().unwrap_or_default())
}

/// Where a group's coordinator is: broker id and address.
type Place = Result<(i32, Endpoint), ClientError>;

/// Each key's coordinator, or why there is none.
fn coordinators(answer: &FindCoordinatorResponse, keys: &[StrBytes]) -> Vec<(StrBytes, Place)> {
    let place = |code: i16, node: i32, host: &StrBytes, port: i32| {
        ErrorCode(code).check("FindCoordinator")?;
        let port = u16::try_from(port).ok().filter(|port| *port > 0 && !host.is_empty());
        let port = port.ok_or_else(|| ClientError::Malformed {
            api: "FindCoordinator",
            version: -1,
            reason: format!("coordinator {node} at `{host}:{port:?}`"),
        })?;
        Ok((node, Endpoint::new(host.as_str(), port)))
    };
    if answer.coordinators.is_empty() {
        let key = keys.first().cloned().unwrap_or_default();
        let place = place(answer.error_code, answer.node_id.0, &answer.host, answer.port);
        return vec![(key, place)];
    }
    let each = answer.coordinators.iter();
    each.map(|c| (c.key.clone(), place(c.error_code, c.node_id.0, &c.host, c.port))).collect()
}
