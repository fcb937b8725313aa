//! One broker's part of a cycle: its scrape, the log ends it leads, its log directories, the
//! groups it coordinates.
//!
//! Invariants:
//! - Each part ends as done or as failed with a reason; a deadline fails what is not done and
//!   keeps what is.
//! - Parts of one broker fail alone: an answer that breaks the protocol costs its own part, the
//!   next part gets a new connection (once).

use std::pin::pin;
use std::time::Duration;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    DescribeLogDirsRequest, ListGroupsRequest, ListOffsetsRequest, TopicName,
};

use super::error::{ClientError, ErrorCode};
use super::groups::{self, GroupFound, GroupWant};
use super::peer::{Dialer, Peer, Stream};
use super::scrape::{self, Scrape, ScrapeError};
use super::topology::{Led, Topology};
use super::{Reason, Stamp, is_internal};
use crate::ports::{Clock, Endpoint, Http, Ports};
use crate::rt::cause::strand;

/// What is wanted of one broker.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) broker: i32,
    /// Where it listens.
    pub(super) endpoint: Endpoint,
    /// Where its exporter listens, if it is to be scraped.
    pub(super) scrape: Option<Endpoint>,
    /// Partitions whose log end to ask for.
    pub(super) log_ends: Vec<Led>,
    pub(super) log_dirs: bool,
    /// Ask which groups it coordinates, and take those.
    pub(super) list_groups: bool,
    /// Groups to take without having been listed.
    pub(super) groups: Vec<GroupWant>,
}

/// The state of one part.
#[derive(Debug, Default)]
pub(super) enum Slot<T> {
    #[default]
    NotWanted,
    Pending,
    Done(Stamp, T),
    Failed(Reason),
}

impl<T> Slot<T> {
    fn wanted(yes: bool) -> Self {
        if yes { Self::Pending } else { Self::NotWanted }
    }

    fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }

    fn settle<E: Into<Reason>>(&mut self, at: Stamp, result: Result<T, E>) {
        *self = match result {
            Ok(value) => Self::Done(at, value),
            Err(error) => Self::Failed(error.into()),
        };
    }

    fn expire(&mut self, timeout_ms: u64) {
        if self.is_pending() {
            *self = Self::Failed(Reason::Client(ClientError::Timeout { timeout_ms }));
        }
    }
}

/// A partition's log end, or why the broker did not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogEnd {
    pub(super) topic: usize,
    pub(super) partition: i32,
    pub(super) offset: Result<i64, ErrorCode>,
}

/// Log directories of one broker.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct LogDirs {
    /// Sum over directories that tell (v4).
    pub(super) total_bytes: Option<f64>,
    /// Sum over directories that tell (v4).
    pub(super) usable_bytes: Option<f64>,
    /// All replicas on the broker, internal topics and replicas being moved included: it is what
    /// the disks hold.
    pub(super) size_bytes: f64,
    /// Replicas by index into the topology's topics, and partition.
    pub(super) replicas: Vec<(usize, i32, i64)>,
    /// Directories that answered with an error.
    pub(super) failed: Option<(usize, ErrorCode)>,
}

/// What one broker gave.
#[derive(Debug)]
pub(super) struct Harvest<S> {
    pub(super) broker: i32,
    pub(super) endpoint: Endpoint,
    pub(super) peer: Peer<S>,
    pub(super) scrape: Slot<Scrape>,
    /// Whether a scrape was sent, and the bytes of its body.
    pub(super) scraped: Option<u64>,
    pub(super) log_ends: Slot<Vec<LogEnd>>,
    /// Partitions it was asked about.
    pub(super) log_ends_wanted: usize,
    pub(super) log_dirs: Slot<LogDirs>,
    pub(super) group_list: Slot<()>,
    pub(super) groups: Vec<GroupFound>,
}

impl<S> Harvest<S> {
    fn new(want: &Want, peer: Peer<S>) -> Self {
        Self {
            broker: want.broker,
            endpoint: want.endpoint.clone(),
            peer,
            scrape: Slot::wanted(want.scrape.is_some()),
            scraped: None,
            log_ends: Slot::wanted(!want.log_ends.is_empty()),
            log_ends_wanted: want.log_ends.iter().map(|led| led.partitions.len()).sum(),
            log_dirs: Slot::wanted(want.log_dirs),
            group_list: Slot::wanted(want.list_groups),
            groups: Vec::new(),
        }
    }

    /// Whether any part of it is still waited for.
    fn is_pending(&self) -> bool {
        self.scrape.is_pending()
            || self.log_ends.is_pending()
            || self.log_dirs.is_pending()
            || self.group_list.is_pending()
    }

    /// Whether any part of it arrived.
    pub(super) fn answered(&self) -> bool {
        matches!(self.scrape, Slot::Done(..))
            || matches!(self.log_ends, Slot::Done(..))
            || matches!(self.log_dirs, Slot::Done(..))
            || matches!(self.group_list, Slot::Done(..))
            || !self.groups.is_empty()
    }
}

/// What every broker task shares.
pub(super) struct Shared<'a, P: Ports> {
    pub(super) dialer: Dialer<'a, P>,
    pub(super) topology: &'a Topology,
    /// The most one broker may take.
    pub(super) timeout: Duration,
    /// When the cycle must have ended, monotonic.
    pub(super) deadline: Duration,
    pub(super) scrape_bytes_max: usize,
}

impl<P: Ports> Clone for Shared<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Ports> Copy for Shared<'_, P> {}

impl<P: Ports> Shared<'_, P> {
    fn stamp(&self) -> Stamp {
        Stamp::now(self.dialer.ports.clock())
    }
}

/// Gets from one broker what `want` names, within its deadline and the cycle's.
pub(super) async fn gather<P: Ports>(
    shared: Shared<'_, P>,
    want: Want,
    peer: Peer<Stream<P>>,
) -> Harvest<Stream<P>> {
    let mut harvest = Harvest::new(&want, peer);
    let clock = shared.dialer.ports.clock();
    let left = shared.deadline.saturating_sub(clock.monotonic());
    let timeout = shared.timeout.min(left);
    if !timeout.is_zero() {
        // Pinned here, because whatever takes a future by value makes room for it twice.
        let parts = pin!(gather_parts(shared, &want, timeout, &mut harvest));
        // Everything that is done stands in the harvest, so an elapsed deadline loses nothing.
        let _elapsed = clock.timeout(timeout, parts).await;
    }
    let timeout_ms = timeout.as_millis() as u64;
    crate::sometimes!(BROKER_TOO_SLOW, harvest.is_pending());
    harvest.scrape.expire(timeout_ms);
    harvest.log_ends.expire(timeout_ms);
    harvest.log_dirs.expire(timeout_ms);
    harvest.group_list.expire(timeout_ms);
    for group in &mut harvest.groups {
        group.expire(timeout_ms);
    }
    harvest
}

async fn gather_parts<P: Ports>(
    shared: Shared<'_, P>,
    want: &Want,
    timeout: Duration,
    harvest: &mut Harvest<Stream<P>>,
) {
    let Harvest { peer, scrape, scraped, log_ends, log_dirs, group_list, groups, .. } = harvest;
    let http = pin!(async {
        if let Some(endpoint) = &want.scrape {
            let result = fetch(shared, endpoint, timeout, scraped).await;
            scrape.settle(shared.stamp(), result);
        }
    });
    let wire = pin!(async {
        let endpoint = &want.endpoint;
        if log_ends.is_pending() {
            let result = ask_log_ends(shared, peer, endpoint, &want.log_ends).await;
            log_ends.settle(shared.stamp(), result);
        }
        if log_dirs.is_pending() {
            let result = ask_log_dirs(shared, peer, endpoint).await;
            log_dirs.settle(shared.stamp(), result);
        }
        let asked_at = shared.stamp();
        groups.extend(want.groups.iter().map(|want| GroupFound::new(want, asked_at)));
        if group_list.is_pending() {
            let request = |_| ListGroupsRequest::default();
            let result = peer.call(shared.dialer, endpoint, request).await;
            let at = shared.stamp();
            let result = result.and_then(|answer| groups::listed(&answer, at, groups));
            group_list.settle(at, result);
        }
        groups::complete(shared, peer, endpoint, groups).await;
    });
    futures_util::future::join(strand(http), strand(wire)).await;
}

async fn fetch<P: Ports>(
    shared: Shared<'_, P>,
    endpoint: &Endpoint,
    timeout: Duration,
    scraped: &mut Option<u64>,
) -> Result<Scrape, ScrapeError> {
    let request = scrape::request(endpoint)?;
    *scraped = Some(0);
    let limits = scrape::limits(timeout, shared.scrape_bytes_max);
    let answer = shared.dialer.ports.http().send(request, limits).await?;
    *scraped = Some(answer.body().len() as u64);
    if answer.status() != http::StatusCode::OK {
        return Err(ScrapeError::Status(answer.status().as_u16()));
    }
    scrape::read(answer.body())
}

async fn ask_log_ends<P: Ports>(
    shared: Shared<'_, P>,
    peer: &mut Peer<Stream<P>>,
    endpoint: &Endpoint,
    led: &[Led],
) -> Result<Vec<LogEnd>, ClientError> {
    /// `timestamp` of a request for the log end (Kafka's ListOffsetsRequest.LATEST_TIMESTAMP).
    const LATEST: i64 = -1;
    let topology = shared.topology;
    let request = |_| {
        let topics = led.iter().map(|led| {
            let partitions = led.partitions.iter().map(|index| {
                ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(LATEST)
            });
            ListOffsetsTopic::default()
                .with_name(TopicName(topology.topics[led.topic].name.clone()))
                .with_partitions(partitions.collect())
        });
        ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(topics.collect())
    };
    let answer = peer.call(shared.dialer, endpoint, request).await?;
    let mut ends = Vec::with_capacity(led.iter().map(|led| led.partitions.len()).sum());
    for topic in &answer.topics {
        let Some(index) = topology.topic_index(&topic.name) else { continue };
        for partition in &topic.partitions {
            let offset = match ErrorCode(partition.error_code) {
                ErrorCode::NONE if partition.offset >= 0 => Ok(partition.offset),
                // −1 without a code: the broker does not know its high watermark yet, for which
                // newer versions have a code.
                ErrorCode::NONE => Err(ErrorCode::OFFSET_NOT_AVAILABLE),
                code => Err(code),
            };
            ends.push(LogEnd { topic: index, partition: partition.partition_index, offset });
        }
    }
    Ok(ends)
}

async fn ask_log_dirs<P: Ports>(
    shared: Shared<'_, P>,
    peer: &mut Peer<Stream<P>>,
    endpoint: &Endpoint,
) -> Result<LogDirs, ClientError> {
    let request = |_| DescribeLogDirsRequest::default().with_topics(None);
    let answer = peer.call(shared.dialer, endpoint, request).await?;
    ErrorCode(answer.error_code).check("DescribeLogDirs")?;
    let mut dirs = LogDirs::default();
    for dir in &answer.results {
        let code = ErrorCode(dir.error_code);
        if code != ErrorCode::NONE {
            dirs.failed = Some((dirs.failed.map_or(1, |(count, _)| count + 1), code));
            continue;
        }
        if dir.total_bytes >= 0 {
            *dirs.total_bytes.get_or_insert(0.0) += dir.total_bytes as f64;
        }
        if dir.usable_bytes >= 0 {
            *dirs.usable_bytes.get_or_insert(0.0) += dir.usable_bytes as f64;
        }
        for topic in &dir.topics {
            let index = Some(&topic.name).filter(|name| !is_internal(name));
            let index = index.and_then(|name| shared.topology.topic_index(name));
            for partition in &topic.partitions {
                let size = partition.partition_size.max(0);
                dirs.size_bytes += size as f64;
                if let Some(index) = index.filter(|_| !partition.is_future_key) {
                    dirs.replicas.push((index, partition.partition_index, size));
                }
            }
        }
    }
    Ok(dirs)
}
