//! What all hosts of one turmoil world share: names, the state of links and connections, faults.
//!
//! turmoil carries the bytes; this table decides when they may be seen. A direction that is cut or
//! held hides everything that travels it (data, FIN, RST) from its reader until it opens again, so
//! nothing is lost and nothing arrives early, one way or both ways.
//!
//! Invariants:
//! - Every change wakes every waiter, which then looks again; nobody waits on a stale state.
//! - Keys are ordered and host numbers follow the order of registration: no order comes from a
//!   hash or an address.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::connection::{Connection, End, Side, Visible};
use crate::domain::units::UnixMillis;
use crate::sim::seed::{Seed, unit_interval};
use crate::sim::time::SimTime;
use crate::sim::trace::Trace;
use crate::sim::world::{CrashMode, Direction};

/// Operations of one step before the world counts as stuck: a busy step does a few thousand.
const OPERATIONS_PER_STEP_MAX: u64 = 2_000_000;
/// First retransmission of a segment (Linux, TCP_RTO_MIN).
const SEGMENT_RETRY: Duration = Duration::from_millis(200);
/// First retransmission of a SYN (RFC 6298).
pub(super) const SYN_RETRY: Duration = Duration::from_secs(1);
/// Longest pause between retransmissions (Linux, TCP_RTO_MAX).
const RETRY_MAX: Duration = Duration::from_secs(120);
/// Retransmissions before a sender gives up (Linux, tcp_retries2: after 924.6 s in all).
const RETRIES_MAX: u32 = 15;
/// How long a sender repeats data of which it hears nothing: the sum of those retransmissions.
const GIVE_UP: Duration = Duration::from_millis(924_600);
/// Payload of one segment.
const SEGMENT_BYTES: usize = 1_460;

/// A host's number: the order in which it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostId(pub usize);

/// Client and server address of a connection.
pub(super) type ConnectionKey = (SocketAddr, SocketAddr);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Up,
    Down(CrashMode),
}

struct Host {
    name: Arc<str>,
    ip: IpAddr,
    power: Power,
    skew_ms: i64,
}

/// One direction of a link.
struct Way {
    cut: Option<SimTime>,
    held: bool,
    latency: Duration,
    bytes_per_second: Option<u64>,
    busy_until: SimTime,
    loss: f64,
    draws: ChaCha8Rng,
}

pub(super) struct State {
    pub now: SimTime,
    pub crashing: bool,
    operations: u64,
    stuck: bool,
    hosts: Vec<Host>,
    aliases: BTreeMap<String, Vec<HostId>>,
    ways: BTreeMap<(HostId, HostId), Way>,
    pub listeners: BTreeSet<(HostId, u16)>,
    pub connections: BTreeMap<ConnectionKey, Connection>,
    waiters: BTreeMap<u64, Waker>,
    next_waiter: u64,
}

/// The shared table; a cheap handle.
#[derive(Clone)]
pub(super) struct Fabric {
    state: Arc<Mutex<State>>,
    pub seed: Seed,
    pub epoch: UnixMillis,
    pub trace: Trace,
}

/// How long a chunk occupies its link before it may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Now,
    After(Duration),
    /// Every retransmission was lost: the sender gives up after this.
    Never(Duration),
}

impl Fabric {
    pub fn new(seed: Seed, epoch: UnixMillis, trace: Trace) -> Self {
        let state = State {
            now: SimTime::ZERO,
            crashing: false,
            operations: 0,
            stuck: false,
            hosts: Vec::new(),
            aliases: BTreeMap::new(),
            ways: BTreeMap::new(),
            listeners: BTreeSet::new(),
            connections: BTreeMap::new(),
            waiters: BTreeMap::new(),
            next_waiter: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), seed, epoch, trace }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The running host's instant; between steps, the world's.
    pub fn now(&self) -> SimTime {
        let (now, crashing) = {
            let state = self.lock();
            (state.now, state.crashing)
        };
        // A host that is torn down has no simulated clock, and turmoil would read the real one.
        if crashing {
            return now;
        }
        ::turmoil::sim_elapsed().map_or(now, SimTime::from)
    }

    /// Completes once `ready` gives a value.
    pub async fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        let waiter = Waiter::new(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.operation() {
                return Poll::Pending;
            }
            match ready(&mut state) {
                Some(value) => Poll::Ready(value),
                None => {
                    state.waiters.insert(waiter.number, cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Changes the table, then wakes everybody who waits on it.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let mut wakers: Vec<Waker> = std::mem::take(&mut state.waiters).into_values().collect();
        for connection in state.connections.values_mut() {
            connection.take_wakers(&mut wakers);
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

/// A place among the waiters, given back when dropped.
struct Waiter<'a> {
    fabric: &'a Fabric,
    number: u64,
}

impl<'a> Waiter<'a> {
    fn new(fabric: &'a Fabric) -> Self {
        let mut state = fabric.lock();
        state.next_waiter += 1;
        Self { fabric, number: state.next_waiter }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.fabric.lock().waiters.remove(&self.number);
    }
}

impl State {
    /// Begins a step at `now`.
    pub fn begin_step(&mut self, now: SimTime) {
        self.now = now;
        self.operations = 0;
    }

    /// Counts one operation of a host; true when the world is stuck and nothing may go on.
    pub fn operation(&mut self) -> bool {
        self.operations += 1;
        self.stuck |= self.operations > OPERATIONS_PER_STEP_MAX;
        self.stuck
    }

    /// How many operations the present step did, when they were too many.
    pub fn stuck(&self) -> Option<u64> {
        self.stuck.then_some(self.operations)
    }

    /// How many tasks wait for a change.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.waiters.len()
    }

    pub fn add_host(&mut self, name: &str, ip: IpAddr) -> HostId {
        let host = Host { name: name.into(), ip, power: Power::Up, skew_ms: 0 };
        self.hosts.push(host);
        HostId(self.hosts.len() - 1)
    }

    /// Adds both directions of a link.
    pub fn add_link(&mut self, a: HostId, b: HostId, latency: Duration, seed: Seed) {
        for (from, to) in [(a, b), (b, a)] {
            let stream = format!("loss/{}→{}", self.name(from), self.name(to));
            let way = Way {
                cut: None,
                held: false,
                latency,
                bytes_per_second: None,
                busy_until: SimTime::ZERO,
                loss: 0.0,
                draws: seed.stream(&stream),
            };
            self.ways.insert((from, to), way);
        }
    }

    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.hosts.len()).map(HostId)
    }

    pub fn find(&self, name: &str) -> Option<HostId> {
        self.hosts.iter().position(|host| *host.name == *name).map(HostId)
    }

    pub fn at(&self, ip: IpAddr) -> Option<HostId> {
        self.hosts.iter().position(|host| host.ip == ip).map(HostId)
    }

    pub fn name(&self, host: HostId) -> Arc<str> {
        Arc::clone(&self.hosts[host.0].name)
    }

    pub fn power(&self, host: HostId) -> Power {
        self.hosts[host.0].power
    }

    pub fn ip(&self, host: HostId) -> IpAddr {
        self.hosts[host.0].ip
    }

    pub fn skew_ms(&self, host: HostId) -> i64 {
        self.hosts[host.0].skew_ms
    }

    pub fn set_skew(&mut self, host: HostId, offset_ms: i64) {
        self.hosts[host.0].skew_ms = offset_ms;
    }

    pub fn set_alias(&mut self, name: &str, hosts: Vec<HostId>) {
        self.aliases.insert(name.to_owned(), hosts);
    }

    /// Addresses of `name` as `asker` sees it, in order.
    pub fn resolve(&self, asker: HostId, name: &str) -> Option<Vec<IpAddr>> {
        if let Ok(literal) = name.parse::<IpAddr>() {
            return Some(vec![if literal.is_loopback() { self.ip(asker) } else { literal }]);
        }
        if name == "localhost" {
            return Some(vec![self.ip(asker)]);
        }
        if let Some(hosts) = self.aliases.get(name) {
            return Some(hosts.iter().map(|host| self.ip(*host)).collect());
        }
        self.find(name).map(|host| vec![self.ip(host)])
    }

    fn way_mut(&mut self, from: HostId, to: HostId) -> Option<&mut Way> {
        self.ways.get_mut(&(from, to))
    }

    /// Whether what `from` sends reaches `to` now; a host always reaches itself.
    pub fn open(&self, from: HostId, to: HostId) -> bool {
        self.ways.get(&(from, to)).is_none_or(|way| way.cut.is_none() && !way.held)
    }

    pub fn latency(&self, from: HostId, to: HostId) -> Duration {
        self.ways.get(&(from, to)).map_or(Duration::ZERO, |way| way.latency)
    }

    pub fn set_latency(&mut self, a: HostId, b: HostId, latency: Duration) {
        self.both(a, b, |way| way.latency = latency);
    }

    pub fn set_bandwidth(&mut self, a: HostId, b: HostId, bytes_per_second: Option<u64>) {
        let now = self.now;
        self.both(a, b, |way| {
            way.bytes_per_second = bytes_per_second;
            way.busy_until = now;
        });
    }

    pub fn set_loss(&mut self, a: HostId, b: HostId, ratio: f64) {
        self.both(a, b, |way| way.loss = ratio);
    }

    pub fn set_cut(&mut self, from: HostId, to: HostId, direction: Direction, cut: bool) {
        let now = self.now;
        self.directed(from, to, direction, |way| {
            way.cut = cut.then(|| way.cut.unwrap_or(now));
        });
    }

    pub fn set_held(&mut self, from: HostId, to: HostId, direction: Direction, held: bool) {
        self.directed(from, to, direction, |way| way.held = held);
    }

    fn both(&mut self, a: HostId, b: HostId, change: impl FnMut(&mut Way)) {
        self.directed(a, b, Direction::Both, change);
    }

    fn directed(
        &mut self,
        from: HostId,
        to: HostId,
        direction: Direction,
        mut change: impl FnMut(&mut Way),
    ) {
        if let Some(way) = self.way_mut(from, to) {
            change(way);
        }
        if direction == Direction::Both
            && let Some(way) = self.way_mut(to, from)
        {
            change(way);
        }
    }

    /// When a chunk of `bytes` that `from` sends at `now` may leave: bandwidth, then losses.
    pub fn pace(&mut self, from: HostId, to: HostId, bytes: usize, now: SimTime) -> Pace {
        let Some(way) = self.way_mut(from, to) else { return Pace::Now };
        let mut leaves = now;
        if let Some(rate) = way.bytes_per_second {
            let nanos = (bytes as u128 * 1_000_000_000).div_ceil(u128::from(rate.max(1)));
            let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
            leaves = way.busy_until.max(now) + Duration::from_nanos(nanos);
            way.busy_until = leaves;
        }
        let segments = bytes.div_ceil(SEGMENT_BYTES);
        let (delay, dead) = way.retransmissions(segments, SEGMENT_RETRY);
        let wait = (leaves - now).saturating_add(delay);
        match (dead, wait.is_zero()) {
            (true, _) => Pace::Never(wait),
            (false, true) => Pace::Now,
            (false, false) => Pace::After(wait),
        }
    }

    /// How much longer than a round trip a handshake takes because SYN or SYN-ACK get lost.
    pub fn handshake_losses(&mut self, from: HostId, to: HostId) -> Duration {
        let mut delay = Duration::ZERO;
        for pair in [(from, to), (to, from)] {
            if let Some(way) = self.ways.get_mut(&pair) {
                delay = delay.saturating_add(way.retransmissions(1, SYN_RETRY).0);
            }
        }
        delay
    }

    /// Ends every connection between two hosts with a reset on both sides.
    pub fn reset(&mut self, a: HostId, b: HostId) {
        for connection in self.connections.values_mut() {
            if connection.joins(a, b) {
                connection.set_visible(Side::Client, Visible::Reset);
                connection.set_visible(Side::Server, Visible::Reset);
            }
        }
    }

    /// Takes `host` down; after a loss of power its peers hear nothing more of it.
    pub fn crash(&mut self, host: HostId, mode: CrashMode) {
        self.hosts[host.0].power = Power::Down(mode);
        if mode == CrashMode::Power {
            for connection in self.connections.values_mut() {
                if let Some(end) = connection.end_facing(host) {
                    end.visible = Visible::Silent { wrote: false };
                }
            }
        }
    }

    /// Brings `host` up: it answers what peers still send on old connections with RST.
    pub fn restart(&mut self, host: HostId) {
        self.hosts[host.0].power = Power::Up;
        for connection in self.connections.values_mut() {
            if let Some(end) = connection.end_facing(host) {
                end.visible = match end.visible {
                    Visible::Silent { wrote: true } => Visible::Reset,
                    Visible::Silent { wrote: false } => Visible::Forgotten,
                    other => other,
                };
            }
        }
    }

    /// Ends the senders that have heard nothing of their data for [`GIVE_UP`]; gives whom to wake.
    pub fn give_up(&mut self) -> Vec<Waker> {
        let Self { now, ways, connections, .. } = self;
        let cut = |from, to| ways.get(&(from, to)).and_then(|way| way.cut);
        let mut wakers = Vec::new();
        for connection in connections.values_mut() {
            let [client, server] = connection.hosts();
            let cut = cut(client, server).into_iter().chain(cut(server, client)).min();
            for side in [Side::Client, Side::Server] {
                let Some(end) = connection.end(side) else { continue };
                let silence = match (end.visible, cut) {
                    (Visible::Silent { .. }, _) => end.unread_since,
                    (Visible::All, Some(cut)) => end.unread_since.map(|since| since.max(cut)),
                    _ => None,
                };
                if silence.is_some_and(|since| *now - since >= GIVE_UP) {
                    end.visible = Visible::GaveUp;
                    end.take_wakers(&mut wakers);
                }
            }
        }
        wakers
    }

    /// One end of a connection; `None` when the entry is gone (both ends closed).
    pub fn end(&mut self, key: &ConnectionKey, side: Side) -> Option<&mut End> {
        self.connections.get_mut(key).and_then(|connection| connection.end(side))
    }
}

impl Way {
    /// Delay from losing `segments` again and again, and whether the sender gave up.
    fn retransmissions(&mut self, segments: usize, first: Duration) -> (Duration, bool) {
        if self.loss <= 0.0 {
            return (Duration::ZERO, false);
        }
        let segments = i32::try_from(segments).unwrap_or(i32::MAX);
        let one_lost = 1.0 - (1.0 - self.loss).powi(segments);
        let mut delay = Duration::ZERO;
        let mut pause = first;
        for retry in 0..=RETRIES_MAX {
            // Only the lost segments travel again.
            let ratio = if retry == 0 { one_lost } else { self.loss };
            if unit_interval(&mut self.draws) >= ratio {
                return (delay, false);
            }
            delay += pause;
            pause = (pause * 2).min(RETRY_MAX);
        }
        (delay, true)
    }
}
