//! The state of the whole network behind one lock, and the clock that goes with it.
//!
//! Invariants:
//! - No waker is woken or dropped under the lock: both may run code that takes it again.
//! - Every draw comes from a stream named after the link or connection it serves.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use smallvec::SmallVec;

use super::KernelConfig;
use super::events::{Event, EventQueue, TimerId};
use super::link::{Link, LinkId, nanos};
use super::socket::{Conn, ConnId};
use crate::domain::units::UnixMillis;
use crate::sim::fuse::Fuse;
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, Trace};
use crate::sim::world::{CrashMode, HostName, WorldError};

/// First port handed out to clients (Linux: ip_local_port_range).
const EPHEMERAL_FIRST: u16 = 32_768;
/// Last port handed out to clients.
const EPHEMERAL_LAST: u16 = 60_999;

/// An index into the table of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostId(pub(super) u32);

impl HostId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The network, shared by the kernel and the ports of all hosts.
pub(super) struct Core {
    now: AtomicU64,
    epoch: UnixMillis,
    /// Some host's crash point has been.
    alarm: Arc<AtomicBool>,
    net: Mutex<Net>,
}

impl Core {
    pub(super) fn new(config: KernelConfig, trace: Trace) -> Arc<Self> {
        let epoch = config.epoch;
        let alarm = Arc::<AtomicBool>::default();
        let net = Mutex::new(Net::new(config, trace, Arc::clone(&alarm)));
        Arc::new(Self { now: AtomicU64::new(0), epoch, alarm, net })
    }

    /// Whether a host has passed its crash point and must not run on.
    pub(super) fn is_alarmed(&self) -> bool {
        self.alarm.load(Ordering::Relaxed)
    }

    /// The hosts that have passed their crash points, once; their fuses are whole again.
    pub(super) fn take_alarmed(&self) -> Vec<HostId> {
        self.alarm.store(false, Ordering::Relaxed);
        self.with(|net| {
            let ids = (0u32..).zip(&net.hosts).filter(|(_, host)| host.fuse.is_blown());
            ids.map(|(id, _)| HostId(id)).collect()
        })
    }

    /// Runs `act` on the network, then wakes and drops the wakers it left.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Net) -> R) -> R {
        let mut net = self.net.lock().unwrap_or_else(PoisonError::into_inner);
        let output = act(&mut net);
        let woken = std::mem::take(&mut net.woken);
        let dropped = std::mem::take(&mut net.dropped);
        drop(net);
        woken.into_iter().for_each(Waker::wake);
        drop(dropped);
        output
    }

    /// The present instant.
    pub(super) fn now(&self) -> SimTime {
        SimTime(self.now.load(Ordering::Relaxed))
    }

    /// Moves time to `at`, never back.
    pub(super) fn advance_to(&self, at: SimTime) {
        if at > self.now() {
            self.now.store(at.0, Ordering::Relaxed);
            self.with(|net| net.now = at.0);
        }
    }

    /// Unix time at the start of the run.
    pub(super) fn epoch(&self) -> UnixMillis {
        self.epoch
    }
}

/// Whether a host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Up,
    Down(CrashMode),
}

/// What the network knows of a host.
pub(super) struct HostState {
    pub(super) name: Arc<str>,
    pub(super) address: Ipv4Addr,
    pub(super) power: Power,
    /// Counts the crashes; sockets and ports of an older incarnation are dead.
    pub(super) incarnation: u32,
    /// The crash that it is down by.
    pub(super) down_by: Option<EventId>,
    /// The pause in force.
    pub(super) paused_by: Option<EventId>,
    /// Milliseconds that the host's clock is ahead.
    pub(super) skew_ms: Arc<AtomicI64>,
    pub(super) listeners: BTreeMap<u16, Listening>,
    /// Counts the host's events and ends it after the last one.
    pub(super) fuse: Fuse,
    next_port: u16,
}

/// A bound port.
pub(super) struct Listening {
    pub(super) number: u64,
    /// Connections ready to be accepted.
    pub(super) ready: VecDeque<ConnId>,
    /// Handshakes begun and not ended.
    pub(super) half_open: usize,
    pub(super) waker: Option<Waker>,
}

/// How look-ups of a name fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailingName {
    /// Time until the failure.
    pub(super) after: std::time::Duration,
    /// The fault to blame.
    pub(super) by: Option<EventId>,
}

/// Counters of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct KernelStats {
    /// Events handled: arrivals, retransmissions, timers.
    pub events: u64,
    /// Packets that reached a host.
    pub packets: u64,
    /// Connections begun.
    pub connections: u64,
    /// Packets lost at least once.
    pub lost: u64,
}

/// The state of the network.
pub(super) struct Net {
    pub(super) config: KernelConfig,
    pub(super) trace: Trace,
    pub(super) now: u64,
    pub(super) queue: EventQueue,
    pub(super) hosts: Vec<HostState>,
    pub(super) names: BTreeMap<String, HostId>,
    pub(super) aliases: BTreeMap<String, Vec<IpAddr>>,
    pub(super) addresses: BTreeMap<IpAddr, HostId>,
    pub(super) links: Vec<Link>,
    pub(super) link_index: BTreeMap<(HostId, HostId), LinkId>,
    pub(super) conns: Vec<Option<Conn>>,
    pub(super) generations: Vec<u32>,
    pub(super) free_conns: Vec<u32>,
    pub(super) woken: SmallVec<[Waker; 4]>,
    pub(super) dropped: SmallVec<[Waker; 4]>,
    pub(super) stats: KernelStats,
    /// Look-ups that fail: who asks (`None`: everybody), the name, how.
    pub(super) failing_names: BTreeMap<(Option<HostId>, String), FailingName>,
    listeners_bound: u64,
    alarm: Arc<AtomicBool>,
}

impl Net {
    fn new(config: KernelConfig, trace: Trace, alarm: Arc<AtomicBool>) -> Self {
        Self {
            config,
            trace,
            now: 0,
            queue: EventQueue::default(),
            hosts: Vec::new(),
            names: BTreeMap::new(),
            aliases: BTreeMap::new(),
            addresses: BTreeMap::new(),
            links: Vec::new(),
            link_index: BTreeMap::new(),
            conns: Vec::new(),
            generations: Vec::new(),
            free_conns: Vec::new(),
            woken: SmallVec::new(),
            dropped: SmallVec::new(),
            stats: KernelStats::default(),
            failing_names: BTreeMap::new(),
            listeners_bound: 0,
            alarm,
        }
    }

    /// Adds a host that runs.
    pub(super) fn add_host(&mut self, name: &str) -> Result<HostId, WorldError> {
        if self.names.contains_key(name) || self.aliases.contains_key(name) {
            return Err(WorldError::DuplicateHost(name.to_owned()));
        }
        let id = HostId(u32::try_from(self.hosts.len()).expect("fewer than 2³² hosts"));
        // 10.0.0.1 onwards; the network has room for 2²⁴ − 2 hosts.
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 1).to_bits() + id.0);
        self.hosts.push(HostState {
            name: Arc::from(name),
            address,
            power: Power::Up,
            incarnation: 0,
            down_by: None,
            paused_by: None,
            skew_ms: Arc::new(AtomicI64::new(0)),
            listeners: BTreeMap::new(),
            fuse: Fuse::new(&self.alarm),
            next_port: EPHEMERAL_FIRST,
        });
        self.names.insert(name.to_owned(), id);
        self.addresses.insert(IpAddr::V4(address), id);
        Ok(id)
    }

    /// The host called `name`.
    pub(super) fn host_id(&self, name: &HostName) -> Result<HostId, WorldError> {
        self.names.get(name).copied().ok_or_else(|| WorldError::UnknownHost(name.clone()))
    }

    pub(super) fn host(&self, id: HostId) -> &HostState {
        &self.hosts[id.index()]
    }

    pub(super) fn host_mut(&mut self, id: HostId) -> &mut HostState {
        &mut self.hosts[id.index()]
    }

    /// Whether `incarnation` of `host` is the one that runs.
    pub(super) fn is_running(&self, host: HostId, incarnation: u32) -> bool {
        let host = self.host(host);
        host.power == Power::Up && host.incarnation == incarnation
    }

    /// Addresses of `name` as `asker` sees them.
    pub(super) fn resolve(&self, asker: HostId, name: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        if name == "localhost" {
            return Ok(vec![IpAddr::V4(self.host(asker).address)]);
        }
        if let Some(id) = self.names.get(name) {
            return Ok(vec![IpAddr::V4(self.host(*id).address)]);
        }
        self.aliases.get(name).cloned().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no host is called `{name}`"))
        })
    }

    /// How look-ups of `name` by `asker` fail, if they do; names that need no look-up never do.
    pub(super) fn failing_name(&self, asker: HostId, name: &str) -> Option<FailingName> {
        if self.failing_names.is_empty() || name == "localhost" || name.parse::<IpAddr>().is_ok() {
            return None;
        }
        let of = |who| self.failing_names.get(&(who, name.to_owned())).copied();
        of(Some(asker)).or_else(|| of(None))
    }

    /// The host at `address` as `asker` sees it.
    pub(super) fn host_at(&self, asker: HostId, address: IpAddr) -> Option<HostId> {
        if address.is_loopback() { Some(asker) } else { self.addresses.get(&address).copied() }
    }

    /// The link from `from` to `to`, made at its first use.
    pub(super) fn link_id(&mut self, from: HostId, to: HostId) -> LinkId {
        if let Some(id) = self.link_index.get(&(from, to)) {
            return *id;
        }
        let name = format!("link/{}→{}", self.host(from).name, self.host(to).name);
        let rng = self.config.seed.stream(&name);
        let link = if from == to {
            Link::new(self.config.loopback_latency, std::time::Duration::ZERO, rng)
        } else {
            Link::new(self.config.latency, self.config.jitter, rng)
        };
        let id = LinkId(u32::try_from(self.links.len()).expect("fewer than 2³² links"));
        self.links.push(link);
        self.link_index.insert((from, to), id);
        id
    }

    pub(super) fn link_mut(&mut self, id: LinkId) -> &mut Link {
        &mut self.links[id.0 as usize]
    }

    /// A port for a client socket of `host`. Ports are reused after a round without looking
    /// whether they are still in use: a four-tuple may repeat, a listener is never hit.
    pub(super) fn ephemeral_port(&mut self, host: HostId) -> u16 {
        let host = self.host_mut(host);
        for _ in EPHEMERAL_FIRST..=EPHEMERAL_LAST {
            let port = host.next_port;
            host.next_port = if port == EPHEMERAL_LAST { EPHEMERAL_FIRST } else { port + 1 };
            if !host.listeners.contains_key(&port) {
                return port;
            }
        }
        host.next_port
    }

    /// Binds `port`, or a free one when it is 0.
    pub(super) fn bind(&mut self, host: HostId, port: u16) -> io::Result<(u16, u64)> {
        let port = if port == 0 { self.ephemeral_port(host) } else { port };
        self.listeners_bound += 1;
        let number = self.listeners_bound;
        let state = self.host_mut(host);
        if state.listeners.contains_key(&port) {
            let text = format!("port {port} of {} is in use", state.name);
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        let listening = Listening { number, ready: VecDeque::new(), half_open: 0, waker: None };
        state.listeners.insert(port, listening);
        Ok((port, number))
    }

    /// The address of `host` at `port`.
    pub(super) fn socket_addr(&self, host: HostId, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.host(host).address), port)
    }

    /// Wakes a waker once the lock is free.
    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        self.woken.extend(waker);
    }

    /// Drops a waker once the lock is free.
    pub(super) fn discard(&mut self, waker: Option<Waker>) {
        self.dropped.extend(waker);
    }

    /// A timer at `at`; an instant that has passed means now.
    pub(super) fn set_timer(&mut self, at: SimTime, waker: Waker) -> TimerId {
        self.queue.set_timer(at.0.max(self.now), waker)
    }

    /// Handles every event due by now; the number handled.
    pub(super) fn handle_due(&mut self) -> u64 {
        let mut handled = 0;
        while let Some(event) = self.queue.pop_due(self.now) {
            handled += 1;
            match event {
                Event::Timer(id) => {
                    let waker = self.queue.fire(id);
                    self.wake(waker);
                }
                Event::Arrive(packet) => self.arrive(packet),
                Event::Resend(packet) => self.transmit(packet),
                Event::GiveUp(timer) => self.give_up(timer),
            }
        }
        self.stats.events += handled;
        handled
    }

    /// How long a sender of `handshake` packets or of data keeps trying.
    pub(super) fn patience_ns(&self, handshake: bool) -> u64 {
        nanos(if handshake { self.config.connect_timeout } else { self.config.send_timeout })
    }
}
