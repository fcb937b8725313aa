//! The second network: turmoil's hosts and links behind the same [`World`].
//!
//! Two simulators that nobody wrote together must reach the same verdict, which keeps the
//! event-driven kernel honest. turmoil runs the hosts and carries the bytes; a fault table of our
//! own (`fabric`) hides what a fault keeps back and paces what a link limits, because turmoil
//! refuses connects over a partition at once, loses partitioned data for ever and knows neither
//! bandwidth nor resets.
//!
//! *Invariants*
//! - Same seed, same trace: latencies, losses and jitter come from the seed; hosts run in the order
//!   in which they were added; nothing depends on `--cfg tokio_unstable`.
//! - A panic of any task, of a host's main future or of turmoil itself ends the run with
//!   [`WorldError::Panic`].
//! - Run each world on a thread of its own, outside any tokio runtime.
//!
//! *Not modelled*
//! - Time between ticks on the network: messages arrive on tick boundaries (timers of a host stay
//!   exact), faults apply there, and [`World::run_until`] may overshoot by less than a tick.
//! - A cut that ends lets everything through at once, not at the sender's next retransmission.
//!   A sender gives up on a cut link in the second in which its 924.6 s end; one whose data arrives
//!   but whose acknowledgements do not never gives up.
//! - Segments, reordering, MTU, path asymmetry of latency; loss is seen as retransmission delay.
//! - Jitter is turmoil's exponential draw, capped at the given maximum, on a seeded generator.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;

mod connection;
mod fabric;
mod net;
mod ports;
mod stream;
#[cfg(test)]
mod tests;

pub use net::{TurmoilListener, TurmoilNet};
pub use ports::{SeededEntropy, TurmoilClock, TurmoilPorts};
pub use stream::TurmoilStream;

use self::fabric::{Fabric, HostId, Power};
use super::disk::DiskStore;
use super::seed::{Seed, below};
use super::time::SimTime;
use super::trace::Trace;
use super::world::{CrashMode, Direction, HostFactory, NetworkFault, World, WorldError};
use crate::domain::units::UnixMillis;
use crate::rt::{self, TaskPanic, cause};

/// turmoil delivers a message of no latency before it was sent.
const LATENCY_MIN: Duration = Duration::from_millis(1);
/// Segments on the way per stream and SYNs per listener; a full listener ends turmoil's run.
const TCP_CAPACITY: usize = 8_192;
/// A host that runs for longer than this is not simulated.
const FOR_EVER: Duration = Duration::from_secs(1 << 40);

/// How a turmoil world is made.
#[derive(Debug, Clone)]
pub struct TurmoilConfig {
    /// The run's seed.
    pub seed: Seed,
    /// Wall time at the start of the run; not before 1970.
    pub epoch: UnixMillis,
    /// Length of a step: the grain of everything the network does.
    pub tick: Duration,
    /// Shortest one-way latency of a link, drawn per link; at least 1 ms.
    pub latency_min: Duration,
    /// Longest one-way latency of a link.
    pub latency_max: Duration,
}

impl TurmoilConfig {
    /// Ticks of 10 ms, latencies of 1 to 5 ms.
    pub fn new(seed: Seed, epoch: UnixMillis) -> Self {
        Self {
            seed,
            epoch,
            tick: Duration::from_millis(10),
            latency_min: Duration::from_millis(1),
            latency_max: Duration::from_millis(5),
        }
    }
}

/// A world on turmoil.
pub struct TurmoilWorld {
    sim: ::turmoil::Sim<'static>,
    fabric: Fabric,
    config: TurmoilConfig,
    disks: BTreeMap<HostId, DiskStore>,
}

impl TurmoilWorld {
    /// An empty world; what its hosts read and write goes to `trace`.
    pub fn new(config: TurmoilConfig, trace: Trace) -> Self {
        // What led to what is not known there.
        cause::follow(false);
        let epoch_ms = u64::try_from(config.epoch.0).unwrap_or(0);
        let sim = ::turmoil::Builder::new()
            .epoch(SystemTime::UNIX_EPOCH + Duration::from_millis(epoch_ms))
            .rng_seed(config.seed.child("turmoil").0)
            .tick_duration(config.tick)
            .simulation_duration(FOR_EVER)
            .tcp_capacity(TCP_CAPACITY)
            .ephemeral_ports(10_000..=u16::MAX)
            .min_message_latency(LATENCY_MIN)
            .max_message_latency(LATENCY_MIN)
            .build();
        let fabric = Fabric::new(config.seed, config.epoch, trace);
        Self { sim, fabric, config, disks: BTreeMap::new() }
    }

    /// Gives `name` the addresses of `hosts`, in this order.
    ///
    /// # Errors
    /// [`WorldError::UnknownHost`].
    pub fn alias(&mut self, name: &str, hosts: &[&str]) -> Result<(), WorldError> {
        let hosts = hosts.iter().map(|host| self.find(host)).collect::<Result<Vec<_>, _>>()?;
        self.fabric.lock().set_alias(name, hosts);
        Ok(())
    }

    fn find(&self, name: &str) -> Result<HostId, WorldError> {
        let found = self.fabric.lock().find(name);
        found.ok_or_else(|| WorldError::UnknownHost(name.to_owned()))
    }

    fn pair(&self, from: &str, to: &str) -> Result<(HostId, HostId), WorldError> {
        Ok((self.find(from)?, self.find(to)?))
    }

    /// The link's own latency, in whole milliseconds, a function of the seed and the two names.
    fn drawn_latency(&self, a: &str, b: &str) -> Duration {
        let (first, second) = if a < b { (a, b) } else { (b, a) };
        let mut draws = self.config.seed.stream(&format!("link/{first}→{second}"));
        let least = self.config.latency_min.max(LATENCY_MIN);
        let spread = self.config.latency_max.saturating_sub(least).as_millis();
        let spread = u64::try_from(spread).unwrap_or(u64::MAX - 1);
        least + Duration::from_millis(below(&mut draws, spread + 1))
    }

    fn set_latency(&self, a: HostId, b: HostId, latency: Duration, jitter: Duration) {
        let latency = latency.max(LATENCY_MIN);
        let mut state = self.fabric.lock();
        state.set_latency(a, b, latency);
        let (ip_a, ip_b) = (state.ip(a), state.ip(b));
        drop(state);
        self.sim.set_link_latency(ip_a, ip_b, latency);
        self.sim.set_link_max_message_latency(ip_a, ip_b, latency.saturating_add(jitter));
    }

    fn crash(&mut self, host: HostId, mode: CrashMode) -> Result<(), WorldError> {
        let mut state = self.fabric.lock();
        if state.power(host) != Power::Up {
            return Ok(());
        }
        state.crashing = true;
        let ip = state.ip(host);
        drop(state);
        // First of all: destructors of a dying host write nothing.
        if let Some(disk) = self.disks.get(&host) {
            disk.crash(mode);
        }
        self.fabric.change(|state| state.crash(host, mode));
        let dropped = catch_unwind(AssertUnwindSafe(|| self.sim.crash(ip)));
        self.fabric.lock().crashing = false;
        if let Err(payload) = dropped {
            rt::record_panic("crash", payload.as_ref());
        }
        no_panics()
    }

    fn restart(&mut self, host: HostId) {
        let state = self.fabric.lock();
        if state.power(host) == Power::Up {
            return;
        }
        let ip = state.ip(host);
        drop(state);
        self.fabric.change(|state| state.restart(host));
        self.sim.bounce(ip);
    }

    fn step(&mut self) -> Result<(), WorldError> {
        let now = SimTime::from(self.sim.elapsed());
        self.fabric.lock().begin_step(now);
        match catch_unwind(AssertUnwindSafe(|| self.sim.step())) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let message = error.to_string();
                return Err(WorldError::Panic(vec![TaskPanic { task: "turmoil".into(), message }]));
            }
            Err(payload) => rt::record_panic("turmoil", payload.as_ref()),
        }
        no_panics()?;
        let mut state = self.fabric.lock();
        state.now = SimTime::from(self.sim.elapsed());
        if let Some(events) = state.stuck() {
            return Err(WorldError::Stuck { at: now, events });
        }
        if state.now.since_start().as_secs() > now.since_start().as_secs() {
            let wakers = state.give_up();
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
        Ok(())
    }
}

fn unsupported(what: &str) -> WorldError {
    WorldError::Unsupported { world: "turmoil", what: what.to_owned() }
}

fn no_crash_points() -> WorldError {
    unsupported("crash points: nobody counts a host's events there")
}

fn no_panics() -> Result<(), WorldError> {
    let panics = rt::take_panics();
    if panics.is_empty() { Ok(()) } else { Err(WorldError::Panic(panics)) }
}

impl World for TurmoilWorld {
    type Ports = TurmoilPorts;

    fn host(&mut self, name: &str, factory: HostFactory<TurmoilPorts>) -> Result<(), WorldError> {
        let mut state = self.fabric.lock();
        if state.find(name).is_some() {
            return Err(WorldError::DuplicateHost(name.to_owned()));
        }
        let ip = self.sim.lookup(name);
        let others: Vec<HostId> = state.hosts().collect();
        let host = state.add_host(name, ip);
        drop(state);

        let disk = DiskStore::new(self.config.seed.child(&format!("disk/{name}")));
        self.disks.insert(host, disk.clone());
        let (fabric, task, factory) = (self.fabric.clone(), name.to_owned(), Rc::new(factory));
        self.sim.host(ip, move || {
            let ports = TurmoilPorts::new(&fabric, host, &disk);
            let (task, factory) = (task.clone(), Rc::clone(&factory));
            async move {
                let main = async { factory(ports).await };
                if let Err(payload) = AssertUnwindSafe(main).catch_unwind().await {
                    rt::record_panic(&task, payload.as_ref());
                }
                // turmoil stops a host whose main future ends; its other tasks must run on.
                std::future::pending().await
            }
        });
        for other in others {
            let other_name = self.fabric.lock().name(other);
            let latency = self.drawn_latency(&other_name, name);
            self.fabric.lock().add_link(other, host, latency, self.config.seed);
            self.set_latency(other, host, latency, Duration::ZERO);
        }
        Ok(())
    }

    fn run_until(&mut self, until: SimTime) -> Result<(), WorldError> {
        while self.now() < until {
            self.step()?;
        }
        Ok(())
    }

    fn now(&self) -> SimTime {
        SimTime::from(self.sim.elapsed())
    }

    fn apply(&mut self, fault: &NetworkFault) -> Result<(), WorldError> {
        self.fabric.trace.event(self.now(), "fault", format_args!("{fault}"));
        match fault {
            NetworkFault::Partition { from, to, direction } => {
                let (from, to) = self.pair(from, to)?;
                self.fabric.change(|state| state.set_cut(from, to, *direction, true));
            }
            NetworkFault::Repair { from, to } => {
                let (from, to) = self.pair(from, to)?;
                self.fabric.change(|state| state.set_cut(from, to, Direction::Both, false));
            }
            NetworkFault::Hold { from, to, direction } => {
                let (from, to) = self.pair(from, to)?;
                self.fabric.change(|state| state.set_held(from, to, *direction, true));
            }
            NetworkFault::Release { from, to } => {
                let (from, to) = self.pair(from, to)?;
                self.fabric.change(|state| state.set_held(from, to, Direction::Both, false));
            }
            NetworkFault::Latency { from, to, latency, jitter } => {
                let (from, to) = self.pair(from, to)?;
                self.set_latency(from, to, *latency, *jitter);
            }
            NetworkFault::Bandwidth { from, to, bytes_per_second } => {
                let (from, to) = self.pair(from, to)?;
                self.fabric.change(|state| state.set_bandwidth(from, to, *bytes_per_second));
            }
            NetworkFault::Loss { from, to, ratio } => {
                let (from, to) = self.pair(from, to)?;
                self.fabric.change(|state| state.set_loss(from, to, *ratio));
            }
            NetworkFault::Reset { from, to } => {
                let (from, to) = self.pair(from, to)?;
                self.fabric.change(|state| state.reset(from, to));
            }
            NetworkFault::Crash { host, mode } => {
                let host = self.find(host)?;
                self.crash(host, *mode)?;
            }
            NetworkFault::Restart { host } => {
                let host = self.find(host)?;
                self.restart(host);
            }
            NetworkFault::Skew { host, offset_ms } => {
                let host = self.find(host)?;
                self.fabric.change(|state| state.set_skew(host, *offset_ms));
            }
            NetworkFault::Disk { host, fault } => {
                let host = self.find(host)?;
                if let Some(disk) = self.disks.get(&host) {
                    disk.set_fault(*fault);
                }
            }
            NetworkFault::CrashPoint { after_events: None, .. } => {}
            NetworkFault::CrashPoint { .. } => return Err(no_crash_points()),
            NetworkFault::HalfOpen { .. } => return Err(unsupported("half-open connections")),
            NetworkFault::DnsFailure { .. } => return Err(unsupported("failures of names")),
            NetworkFault::Pause { .. } | NetworkFault::Resume { .. } => {
                return Err(unsupported("a pause of a host"));
            }
        }
        Ok(())
    }

    fn events_of(&self, _: &str) -> Result<u64, WorldError> {
        Err(no_crash_points())
    }
}
