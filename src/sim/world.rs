//! What a simulated network offers the runner: hosts, virtual time, faults. Two worlds implement
//! it: the event-driven kernel and turmoil.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::disk::DiskFault;
use super::time::SimTime;
use super::trace::Value;
use super::view::HostView;
use crate::ports::Ports;
use crate::rt::TaskPanic;

/// A host's name; also its DNS name.
pub type HostName = String;

/// Makes a host's main future from the host's ports, at start and at every restart.
///
/// The host stays up when the future ends; its other tasks run on.
pub type HostFactory<P> = Box<dyn Fn(P) -> Pin<Box<dyn Future<Output = ()>>>>;

/// One simulated world.
pub trait World {
    /// The ports its hosts get.
    type Ports: Ports;

    /// Adds a host and starts it at the present instant.
    ///
    /// # Errors
    /// [`WorldError::DuplicateHost`].
    fn host(&mut self, name: &str, factory: HostFactory<Self::Ports>) -> Result<(), WorldError>;

    /// Runs every host until `until` has been reached, or until a crash point took a host down.
    ///
    /// # Errors
    /// [`WorldError::Panic`] and [`WorldError::Stuck`] end the run.
    fn run_until(&mut self, until: SimTime) -> Result<(), WorldError>;

    /// The present instant.
    fn now(&self) -> SimTime;

    /// Applies `fault` at the present instant.
    ///
    /// # Errors
    /// [`WorldError::Unsupported`] names what this world cannot do.
    fn apply(&mut self, fault: &NetworkFault) -> Result<(), WorldError>;

    /// Hosts that crash points took down since the last call.
    fn take_crashed(&mut self) -> Vec<HostName> {
        Vec::new()
    }

    /// Disk and network events of a host since the world began: packets that it sent or that
    /// reached it, operations of its disk.
    ///
    /// # Errors
    /// [`WorldError::UnknownHost`]; [`WorldError::Unsupported`] where nobody counts them.
    fn events_of(&self, host: &str) -> Result<u64, WorldError>;

    /// What the network shows of a host to people; nothing where it does not tell.
    fn view_of(&self, _host: &str) -> Option<HostView> {
        None
    }
}

/// Which way a link is affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Both ways.
    Both,
    /// Only what `from` sends to `to`.
    OneWay,
}

/// How a host goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrashMode {
    /// The process dies, the operating system lives: peers see RST or EOF at once, connects are
    /// refused.
    Process,
    /// The machine loses power: silence; after a restart old connections are answered by RST.
    Power,
}

/// A fault of the network or of a host, or the end of one.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkFault {
    /// Nothing passes until [`NetworkFault::Repair`]; senders retransmit with back-off meanwhile
    /// and give up in the end.
    Partition {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
        /// Which way.
        direction: Direction,
    },
    /// Ends a partition (both ways).
    Repair {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
    },
    /// Keeps everything in the air until [`NetworkFault::Release`]; nothing is lost.
    Hold {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
        /// Which way.
        direction: Direction,
    },
    /// Delivers what a hold kept, in order.
    Release {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
    },
    /// Sets latency and jitter of a link, both ways.
    Latency {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
        /// One-way delay.
        latency: Duration,
        /// Largest extra delay, drawn per delivery.
        jitter: Duration,
    },
    /// Caps the bandwidth of a link per direction; `None` lifts the cap.
    Bandwidth {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
        /// Bytes per second.
        bytes_per_second: Option<u64>,
    },
    /// Loses this share of segments, seen by applications as retransmission delay; 0 ends it.
    Loss {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
        /// 0.0 to 1.0.
        ratio: f64,
    },
    /// Resets every open connection between two hosts.
    Reset {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
    },
    /// Every connection between two hosts goes dead both ways without a word, for good; new ones
    /// work.
    HalfOpen {
        /// One end.
        from: HostName,
        /// The other end.
        to: HostName,
    },
    /// Look-ups of a name fail from now on, or work again. Open connections stay.
    DnsFailure {
        /// Who asks in vain; `None` is everybody.
        host: Option<HostName>,
        /// The name asked for.
        name: HostName,
        /// How long a look-up takes to fail; `None` ends the failure.
        fails_after: Option<Duration>,
    },
    /// Stops a host's processes (SIGSTOP): nothing of it runs and its timers fire late, its
    /// operating system goes on acknowledging until windows are full, its clocks go on.
    Pause {
        /// Which.
        host: HostName,
    },
    /// Lets a paused host run on (SIGCONT).
    Resume {
        /// Which.
        host: HostName,
    },
    /// Takes a host down.
    Crash {
        /// Which.
        host: HostName,
        /// How.
        mode: CrashMode,
    },
    /// Starts a host that is down.
    Restart {
        /// Which.
        host: HostName,
    },
    /// Sets a host's clock skew (not added to an earlier one).
    Skew {
        /// Which.
        host: HostName,
        /// Milliseconds ahead of true time; negative is behind.
        offset_ms: i64,
    },
    /// Lets a host's disk misbehave; `None` ends it.
    Disk {
        /// Whose.
        host: HostName,
        /// How.
        fault: Option<DiskFault>,
    },
    /// Takes a host down right after one of its own disk or network events; `None` calls that
    /// off. [`World::run_until`] then ends early, and [`World::take_crashed`] names the host.
    CrashPoint {
        /// Which.
        host: HostName,
        /// After which event, counted from 1 from now on.
        after_events: Option<u64>,
        /// How.
        mode: CrashMode,
    },
}

impl std::fmt::Display for NetworkFault {
    /// As a line of the trace has it: `<name> <key=value …>`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arrow = |direction: &Direction| match direction {
            Direction::Both => "<>",
            Direction::OneWay => ">",
        };
        match self {
            Self::Partition { from, to, direction } => {
                write!(f, "partition link={from}{}{to}", arrow(direction))
            }
            Self::Repair { from, to } => write!(f, "repair link={from}<>{to}"),
            Self::Hold { from, to, direction } => {
                write!(f, "hold link={from}{}{to}", arrow(direction))
            }
            Self::Release { from, to } => write!(f, "release link={from}<>{to}"),
            Self::Latency { from, to, latency, jitter } => {
                let (latency, jitter) = (latency.as_nanos(), jitter.as_nanos());
                write!(f, "latency link={from}<>{to} latency_ns={latency} jitter_ns={jitter}")
            }
            Self::Bandwidth { from, to, bytes_per_second: Some(rate) } => {
                write!(f, "bandwidth link={from}<>{to} bytes_per_second={rate}")
            }
            Self::Bandwidth { from, to, bytes_per_second: None } => {
                write!(f, "bandwidth link={from}<>{to} bytes_per_second=unlimited")
            }
            Self::Loss { from, to, ratio } => {
                write!(f, "loss link={from}<>{to} ratio={ratio}")
            }
            Self::Reset { from, to } => write!(f, "reset link={from}<>{to}"),
            Self::HalfOpen { from, to } => write!(f, "half_open link={from}<>{to}"),
            Self::DnsFailure { host, name, fails_after } => {
                let host = host.as_deref().unwrap_or("*");
                match fails_after {
                    Some(after) => {
                        let after = after.as_nanos();
                        write!(f, "dns_failure host={host} name={name} fails_after_ns={after}")
                    }
                    None => write!(f, "dns_repair host={host} name={name}"),
                }
            }
            Self::Pause { host } => write!(f, "pause host={host}"),
            Self::Resume { host } => write!(f, "resume host={host}"),
            Self::Crash { host, mode: CrashMode::Process } => {
                write!(f, "crash host={host} mode=process")
            }
            Self::Crash { host, mode: CrashMode::Power } => {
                write!(f, "crash host={host} mode=power")
            }
            Self::Restart { host } => write!(f, "restart host={host}"),
            Self::Skew { host, offset_ms } => {
                write!(f, "skew host={host} offset_ms={offset_ms}")
            }
            Self::Disk { host, fault: Some(fault) } => {
                write!(f, "disk host={host} fault={}", Value(&format!("{fault:?}")))
            }
            Self::Disk { host, fault: None } => write!(f, "disk host={host} fault=none"),
            Self::CrashPoint { host, after_events: Some(events), mode } => {
                write!(f, "crash_point host={host} after_events={events} mode={mode:?}")
            }
            Self::CrashPoint { host, after_events: None, .. } => {
                write!(f, "crash_point host={host} off")
            }
        }
    }
}

impl NetworkFault {
    /// The hosts that it names.
    pub fn hosts(&self) -> Vec<&HostName> {
        match self {
            Self::Partition { from, to, .. }
            | Self::Repair { from, to }
            | Self::Hold { from, to, .. }
            | Self::Release { from, to }
            | Self::Latency { from, to, .. }
            | Self::Bandwidth { from, to, .. }
            | Self::Loss { from, to, .. }
            | Self::Reset { from, to }
            | Self::HalfOpen { from, to } => vec![from, to],
            Self::DnsFailure { host, .. } => host.iter().collect(),
            Self::Pause { host }
            | Self::Resume { host }
            | Self::Crash { host, .. }
            | Self::Restart { host }
            | Self::Skew { host, .. }
            | Self::Disk { host, .. }
            | Self::CrashPoint { host, .. } => vec![host],
        }
    }
}

/// Why a world cannot go on, or cannot do what was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WorldError {
    /// A host of that name exists.
    #[error("host `{0}` exists already")]
    DuplicateHost(HostName),
    /// There is no such host.
    #[error("no host is called `{0}`")]
    UnknownHost(HostName),
    /// Tasks panicked.
    #[error("panic in {}", .0.iter().map(|p| format!("{}: {}", p.task, p.message)).collect::<Vec<_>>().join("; "))]
    Panic(Vec<TaskPanic>),
    /// Events go on and on while time stands still.
    #[error("{events} events at {at} without progress of time")]
    Stuck {
        /// When.
        at: SimTime,
        /// How many.
        events: u64,
    },
    /// This world cannot do that.
    #[error("{world} cannot do {what}")]
    Unsupported {
        /// The world's name.
        world: &'static str,
        /// What was asked.
        what: String,
    },
}
