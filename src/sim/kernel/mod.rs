//! The event-driven network kernel: virtual time, hosts, links and streams in one thread.
//!
//! All hosts run on one tokio current-thread runtime whose clock is paused. When nothing is
//! runnable, time jumps to the next packet or timer, to the nanosecond; idle time costs nothing.
//! Same seed and same calls give the same trace, byte by byte.
//!
//! Modelled:
//! - Hosts: a factory makes the main future at start and at every restart. A crash drops every
//!   task of the host. *Process* crash: peers get a reset, connects are refused. *Power* crash:
//!   silence (senders retransmit, connects hang); after the restart old connections are reset.
//! - Streams: ordered, reliable, flow-controlled (a window in bytes, credit returned as the
//!   application reads); SYN, SYN-ACK, ACK, DATA, FIN, RST and credit cross the links. Refused
//!   connects, half-close, reset by close with unread data, reset by writing to a closed peer,
//!   `ConnectionReset` once and then end of stream and `BrokenPipe`, accept queues with a limit
//!   (beyond it SYNs are dropped and repeated), ephemeral ports, loopback.
//! - Links, one per direction: latency, uniform jitter, bandwidth (packets queue), loss (a packet
//!   arrives after RTO · (2ᵏ − 1)), partition one way or both (packets are lost and repeated by
//!   the sender's back-off, 1 s for handshakes, 200 ms plus a round trip for data, doubling up to
//!   120 s), hold and release, reset of all connections, connections that go dead without a word
//!   (nothing of them passes any more, new ones work).
//! - Giving up: a connect without an answer and data without acknowledgement end in `TimedOut`.
//! - Names: every host by its name, aliases with several addresses (connect tries each in order),
//!   `localhost`; unknown names are `NotFound`, unknown addresses are silent. Look-ups of a name
//!   can fail, for one host or for all, at once or after a time.
//! - Pauses (SIGSTOP): no task of the host is polled and its timers fire late; its system goes on
//!   acknowledging until windows are full and taking connections until the queue is.
//! - Clocks: wall time with a skew per host; timers are exact.
//! - Disks: [`crate::sim::disk`].
//! - Adversarial chunking (an option): reads return and writes take seeded, small parts.
//!
//! Invariants:
//! - Every send of an application, arrival, loss, time-out and fault is one line of the trace, in
//!   the order of time: `net send|recv kind=… flow=host:port>host:port bytes=… print=…`,
//!   `net lost|hold|drop kind=… flow=… of=<its send>`, `net timeout flow=…`,
//!   `net unresolved host=… name=…` and `fault <name> link=a<>b|a>b|host=… …`; `print` is
//!   [`super::trace::fingerprint`]. Parents: see `blame`.
//! - Whoever reads, accepts, connects or is told of an error goes on with that arrival or fault as
//!   its cause ([`crate::rt::cause`]); a timer changes no cause.
//! - Draws come from streams named after the link, connection or host they serve.
//! - A panic in any task ends the run with [`WorldError::Panic`], endless work at one instant with
//!   [`WorldError::Stuck`].
//!
//! Not modelled: segments (a write is one packet however long, but for capped links), ACKs as
//! packets (except the handshake's), congestion windows, fast retransmit and SACK (every loss
//! costs a time-out), header bytes, TIME_WAIT and port exhaustion, keep-alive probes, urgent data,
//! UDP, IPv6, latency of name resolution that works, routers shared by links, CPU time (code
//! takes none), memory limits, drift of clocks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

pub use host::current_host;
pub use net::KernelStats;
pub use ports::{KernelClock, KernelEntropy, KernelListener, KernelNet, KernelPorts, KernelStream};

use driver::{Driver, Signals, Stop};
use host::Host;
use net::{Core, HostId, Power};

use super::disk::DiskStore;
use super::seed::Seed;
use super::time::SimTime;
use super::trace::{EventId, Trace};
use super::view::HostView;
use super::world::{CrashMode, HostFactory, HostName, NetworkFault, World, WorldError};
use crate::domain::units::UnixMillis;
use crate::rt::{TaskPanic, cause};

mod blame;
mod deliver;
mod driver;
mod events;
mod fault;
mod host;
mod link;
mod net;
mod packet;
mod ports;
mod socket;
mod view;

#[cfg(test)]
mod tests;

/// How a kernel behaves; [`KernelConfig::new`] gives the defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelConfig {
    /// Root of all draws.
    pub seed: Seed,
    /// Unix time at the start of the run.
    pub epoch: UnixMillis,
    /// One-way delay of a link (default 500 µs).
    pub latency: Duration,
    /// Largest extra delay, drawn per packet (default 500 µs).
    pub jitter: Duration,
    /// One-way delay of a host to itself (default 20 µs).
    pub loopback_latency: Duration,
    /// How long a connect tries (default 127 s: Linux, six SYN retries).
    pub connect_timeout: Duration,
    /// How long data without acknowledgement is repeated (default 15 min: Linux, tcp_retries2).
    pub send_timeout: Duration,
    /// Unread bytes a receiver takes per connection (default 128 KiB).
    pub window_bytes: u32,
    /// Connections a listener keeps before they are accepted (default 1,024, as tokio asks for).
    pub backlog: usize,
    /// Whether reads and writes move seeded small parts (default off).
    pub adversarial_chunks: bool,
    /// Most events at one instant before the run counts as stuck (default 1,000,000).
    pub events_per_instant_max: u64,
}

impl KernelConfig {
    /// The defaults with `seed` and `epoch`.
    pub fn new(seed: Seed, epoch: UnixMillis) -> Self {
        Self {
            seed,
            epoch,
            latency: Duration::from_micros(500),
            jitter: Duration::from_micros(500),
            loopback_latency: Duration::from_micros(20),
            connect_timeout: Duration::from_secs(127),
            send_timeout: Duration::from_secs(15 * 60),
            window_bytes: 128 * 1024,
            backlog: 1_024,
            adversarial_chunks: false,
            events_per_instant_max: 1_000_000,
        }
    }
}

/// The event-driven world.
pub struct Kernel {
    // Hosts come first: their tasks must end before the runtime and the network do.
    hosts: Vec<Host>,
    disks: Vec<DiskStore>,
    core: Arc<Core>,
    trace: Trace,
    signals: Arc<Signals>,
    runtime: Runtime,
    origin: tokio::time::Instant,
    tokio_ms: u64,
    seed: Seed,
    events_per_instant_max: u64,
    /// Panics of destructors during a crash, reported by the next run.
    panics: Vec<TaskPanic>,
    /// How hosts with a crash point go down, and the fault that says so.
    crash_modes: BTreeMap<HostId, (CrashMode, Option<EventId>)>,
    /// Hosts that crash points took down, until somebody asks.
    crashed: Vec<HostName>,
}

impl Kernel {
    /// A world without hosts at [`SimTime::ZERO`].
    ///
    /// # Panics
    /// When called inside a tokio runtime, or when the operating system refuses a runtime.
    pub fn new(config: KernelConfig, trace: Trace) -> Self {
        let signals = Arc::new(Signals::default());
        let hook = Arc::clone(&signals);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_park(move || hook.on_park())
            .build()
            .expect("a runtime without I/O needs nothing of the operating system");
        let origin = {
            let _entered = runtime.enter();
            #[expect(clippy::disallowed_methods, reason = "the kernel is the clock")]
            tokio::time::Instant::now()
        };
        // Panics of an earlier world on this thread are not ours, nor are its causes.
        let _ = crate::rt::take_panics();
        cause::follow(true);
        Self {
            hosts: Vec::new(),
            disks: Vec::new(),
            seed: config.seed,
            events_per_instant_max: config.events_per_instant_max,
            core: Core::new(config, trace.clone()),
            trace,
            signals,
            runtime,
            origin,
            tokio_ms: 0,
            panics: Vec::new(),
            crash_modes: BTreeMap::new(),
            crashed: Vec::new(),
        }
    }

    /// Makes `name` stand for several addresses, tried in this order by connects.
    ///
    /// # Errors
    /// [`WorldError::DuplicateHost`] when the name is taken.
    pub fn alias(&mut self, name: &str, addresses: Vec<IpAddr>) -> Result<(), WorldError> {
        self.core.with(|net| {
            if net.names.contains_key(name) || net.aliases.contains_key(name) {
                return Err(WorldError::DuplicateHost(name.to_owned()));
            }
            net.aliases.insert(name.to_owned(), addresses);
            Ok(())
        })
    }

    /// The address of a host.
    ///
    /// # Errors
    /// [`WorldError::UnknownHost`].
    pub fn address(&self, host: &HostName) -> Result<IpAddr, WorldError> {
        self.core.with(|net| net.host_id(host).map(|id| IpAddr::V4(net.host(id).address)))
    }

    /// Whether a host runs.
    ///
    /// # Errors
    /// [`WorldError::UnknownHost`].
    pub fn is_up(&self, host: &HostName) -> Result<bool, WorldError> {
        self.core.with(|net| net.host_id(host).map(|id| net.host(id).power == Power::Up))
    }

    /// The disk of a host, as its owner sees it between crashes.
    ///
    /// # Errors
    /// [`WorldError::UnknownHost`].
    pub fn disk(&self, host: &HostName) -> Result<DiskStore, WorldError> {
        let id = self.core.with(|net| net.host_id(host))?;
        Ok(self.disks[id.index()].clone())
    }

    /// What the kernel has done so far.
    pub fn stats(&self) -> KernelStats {
        self.core.with(|net| net.stats)
    }

    fn start(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        let seed = self.seed.child(&host.name);
        let ports = KernelPorts::new(&self.core, id, seed, &self.disks[id.index()]);
        host.start(ports);
    }

    fn crash(&mut self, name: &HostName, mode: CrashMode) -> Result<(), WorldError> {
        let id = self.core.with(|net| net.host_id(name))?;
        self.core.with(|net| net.host(id).fuse.mend());
        let was_up = self.core.with(|net| net.crash(id, mode));
        // Before the host's tasks end: the destructors of a dying host write nothing.
        let lost = self.disks[id.index()].crash(mode);
        if was_up {
            let _entered = self.runtime.enter();
            self.panics.extend(self.hosts[id.index()].stop());
        }
        if lost > 0 {
            self.core.with(|net| net.trace_lost_writes(id, lost));
        }
        Ok(())
    }

    fn set_crash_point(
        &mut self,
        name: &HostName,
        after_events: Option<u64>,
        mode: CrashMode,
    ) -> Result<(), WorldError> {
        let id = self.core.with(|net| net.host_id(name))?;
        self.crash_modes.insert(id, (mode, self.trace.cause()));
        self.core.with(|net| match after_events {
            Some(events) => net.host(id).fuse.arm(events),
            None => net.host(id).fuse.mend(),
        });
        Ok(())
    }

    /// Takes the hosts down that have passed their crash points.
    fn crash_alarmed(&mut self) -> Result<(), WorldError> {
        for id in self.core.take_alarmed() {
            let name = self.hosts[id.index()].name.to_string();
            let (mode, by) =
                self.crash_modes.get(&id).copied().unwrap_or((CrashMode::Process, None));
            let before = self.trace.set_cause(by);
            let crashed = self.inflict(&NetworkFault::Crash { host: name.clone(), mode });
            self.trace.set_cause(before);
            crashed?;
            self.crashed.push(name);
        }
        Ok(())
    }

    fn restart(&mut self, name: &HostName) -> Result<(), WorldError> {
        let id = self.core.with(|net| net.host_id(name))?;
        if self.core.with(|net| net.restart(id)) {
            self.start(id);
        }
        Ok(())
    }

    fn set_paused(&mut self, name: &HostName, paused: bool) -> Result<(), WorldError> {
        let id = self.core.with(|net| net.host_id(name))?;
        let by = self.trace.cause();
        let up = self.core.with(|net| {
            let host = net.host_mut(id);
            let up = host.power == Power::Up;
            host.paused_by = by.filter(|_| paused && up);
            up
        });
        self.hosts[id.index()].set_paused(paused && up);
        Ok(())
    }

    /// Writes a fault into the trace and applies it.
    fn inflict(&mut self, fault: &NetworkFault) -> Result<(), WorldError> {
        self.core.with(|net| net.admit(fault))?;
        let event = self.core.with(|net| net.trace_fault(fault));
        let before = self.trace.set_cause(Some(event));
        let applied = match fault {
            NetworkFault::Crash { host, mode } => self.crash(host, *mode),
            NetworkFault::Restart { host } => self.restart(host),
            NetworkFault::Pause { host } => self.set_paused(host, true),
            NetworkFault::Resume { host } => self.set_paused(host, false),
            NetworkFault::Disk { host, fault } => {
                self.disk(host).map(|disk| disk.set_fault(*fault))
            }
            NetworkFault::CrashPoint { host, after_events, mode } => {
                self.set_crash_point(host, *after_events, *mode)
            }
            _ => self.core.with(|net| net.apply(fault)),
        };
        self.trace.set_cause(before);
        applied
    }
}

impl World for Kernel {
    type Ports = KernelPorts;

    fn host(&mut self, name: &str, factory: HostFactory<KernelPorts>) -> Result<(), WorldError> {
        let id = self.core.with(|net| net.add_host(name))?;
        self.hosts.push(Host::new(id, name, factory, &self.signals.ready));
        let disk = DiskStore::new(self.seed.child(&format!("disk/{name}")));
        disk.attach(self.core.with(|net| net.host(id).fuse.clone()));
        self.disks.push(disk);
        self.start(id);
        Ok(())
    }

    fn run_until(&mut self, until: SimTime) -> Result<(), WorldError> {
        if !self.panics.is_empty() {
            return Err(WorldError::Panic(std::mem::take(&mut self.panics)));
        }
        if until < self.now() {
            return Ok(());
        }
        let wait = {
            let _entered = self.runtime.enter();
            Box::pin(tokio_sleep_until(self.origin))
        };
        let driver = Driver {
            core: &self.core,
            signals: &self.signals,
            hosts: &mut self.hosts,
            until,
            origin: self.origin,
            wait,
            tokio_ms: &mut self.tokio_ms,
            busy: 0,
            busy_max: self.events_per_instant_max,
        };
        // Hosts run because of what happens to them, not because of whoever lets time pass.
        let before = self.trace.set_cause(None);
        let outcome = self.runtime.block_on(driver);
        self.trace.set_cause(before);
        self.signals.ready.forget_driver();
        match outcome? {
            Stop::Reached => Ok(()),
            Stop::Alarmed => self.crash_alarmed(),
        }
    }

    fn now(&self) -> SimTime {
        self.core.now()
    }

    fn apply(&mut self, fault: &NetworkFault) -> Result<(), WorldError> {
        self.inflict(fault)
    }

    fn take_crashed(&mut self) -> Vec<HostName> {
        std::mem::take(&mut self.crashed)
    }

    fn view_of(&self, host: &str) -> Option<HostView> {
        self.core.with(|net| net.view(host))
    }

    fn events_of(&self, host: &str) -> Result<u64, WorldError> {
        let host = host.to_owned();
        self.core.with(|net| net.host_id(&host).map(|id| net.host(id).fuse.events()))
    }
}

impl Drop for Kernel {
    /// Tasks end first, host by host, with their sockets already dead: destructors may still call
    /// into the network, but nothing is sent and nothing is traced.
    fn drop(&mut self) {
        self.core.with(net::Net::shut_down);
        let _entered = self.runtime.enter();
        for host in &mut self.hosts {
            let _ = host.stop();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the kernel drives tokio's clock")]
fn tokio_sleep_until(at: tokio::time::Instant) -> tokio::time::Sleep {
    tokio::time::sleep_until(at)
}
