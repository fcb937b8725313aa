//! `shakedown fleet serve`: a simulated Kafka cluster on real ports of this machine.
//!
//! Invariant: the first line on standard output is the first broker's address, written before
//! the first request is taken, so that scripts can wait for it.

use std::io::Write;
use std::net::IpAddr;

use super::{Exit, complain, input};
use crate::adapters::RealPorts;
use crate::ports::{Clock as _, Ports as _};
use crate::rt::{Race, ShutdownHandle, race};
use crate::sim::fleet::{
    BrokerPort, Fleet, FleetSpec, ServeError, ServeOptions, SpecError, serve_fleet,
};
use crate::sim::seed::Seed;
use crate::sim::workload::LoadCurve;

/// Serves a simulated Kafka cluster on this machine until interrupted.
#[derive(Debug, Clone, clap::Args)]
pub struct FleetServe {
    /// Cluster name.
    #[arg(long, default_value = "orders")]
    cluster: String,
    /// Number of brokers.
    #[arg(long, default_value_t = 3, value_parser = input::number::<u32>)]
    brokers: u32,
    /// Number of topics.
    #[arg(long, default_value_t = 10, value_parser = input::number::<u32>)]
    topics: u32,
    /// Partitions per topic.
    #[arg(long, default_value_t = 6, value_parser = input::number::<u32>)]
    partitions: u32,
    /// Replicas per partition; at most the number of brokers [default: 3, or as many as brokers].
    #[arg(long, value_parser = input::number::<u16>)]
    replication: Option<u16>,
    /// Number of consumer groups.
    #[arg(long, default_value_t = 5, value_parser = input::number::<u32>)]
    groups: u32,
    /// Mean messages per second and topic.
    #[arg(long, default_value_t = 500, value_parser = input::number::<u64>)]
    rate: u64,
    /// Address to listen on; anything but a loopback address is open to the network.
    #[arg(long, default_value = "127.0.0.1")]
    listen: IpAddr,
    /// Host that brokers advertise [default: the address they listen on].
    #[arg(long)]
    host: Option<String>,
    /// Kafka port of the first broker, the others follow; 0 picks free ones.
    #[arg(long, default_value_t = 9092, value_parser = input::number::<u16>)]
    port: u16,
    /// JMX exporter port of the first broker, the others follow; 0 picks free ones.
    #[arg(long, default_value_t = 7071, value_parser = input::number::<u16>)]
    jmx_port: u16,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1, value_parser = input::number::<u64>)]
    seed: u64,
    /// Virtual seconds per real second; members' sessions run out at this speed too.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Create topics that clients ask for.
    #[arg(long)]
    auto_create_topics: bool,
    /// Load does not follow the time of day.
    #[arg(long)]
    flat: bool,
}

/// Why no fleet is served.
#[derive(Debug, thiserror::Error)]
enum FleetError {
    #[error(
        "--speed is {0}: give a number from 0.001 to 10000; 1 is real time, 60 a minute per second"
    )]
    Speed(f64),
    #[error("the fleet is impossible: {0}")]
    Impossible(#[from] SpecError),
    #[error("{0}{cause}", cause = cause(.0))]
    Serve(#[from] ServeError),
    #[error("cannot start: {0}")]
    Start(std::io::Error),
}

impl FleetError {
    fn exit(&self) -> Exit {
        match self {
            Self::Speed(_) | Self::Impossible(_) => Exit::Usage,
            Self::Serve(ServeError::Ports { .. } | ServeError::UnknownBroker(_)) => Exit::Usage,
            Self::Serve(_) | Self::Start(_) => Exit::Unreachable,
        }
    }
}

/// What the operating system said, in brackets.
fn cause(error: &ServeError) -> String {
    use std::error::Error as _;
    error.source().map(|source| format!(" ({source})")).unwrap_or_default()
}

impl FleetServe {
    fn spec(&self) -> FleetSpec {
        let brokers = u16::try_from(self.brokers).unwrap_or(u16::MAX);
        let replication = self.replication.unwrap_or(brokers.min(3));
        FleetSpec {
            cluster: self.cluster.clone(),
            brokers: self.brokers,
            topics: self.topics,
            partitions: self.partitions,
            replication,
            min_insync_replicas: replication.min(2),
            groups: self.groups,
            messages_per_second: self.rate,
            curve: if self.flat { LoadCurve::flat() } else { LoadCurve::default() },
            auto_create_topics: self.auto_create_topics,
            ..FleetSpec::default()
        }
    }

    /// Serves until SIGINT or SIGTERM.
    pub fn run(self) -> Exit {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let served = match runtime {
            Ok(runtime) => tokio::task::LocalSet::new().block_on(&runtime, self.serve()),
            Err(error) => Err(FleetError::Start(error)),
        };
        match served {
            Ok(()) => Exit::Ok,
            Err(error) => {
                complain(&error.to_string());
                error.exit()
            }
        }
    }

    async fn serve(self) -> Result<(), FleetError> {
        if !(self.speed.is_finite() && (0.001..=10_000.0).contains(&self.speed)) {
            return Err(FleetError::Speed(self.speed));
        }
        // The fleet keeps nothing on disk; the port needs a folder that exists.
        let ports = RealPorts::new(&std::env::temp_dir()).map_err(std::io::Error::other);
        let ports = ports.map_err(FleetError::Start)?.listening_on(self.listen);
        let fleet = Fleet::new(self.spec(), Seed(self.seed), ports.clock().wall())?;
        fleet.set_journal(false);
        let stop = ShutdownHandle::new();
        let host = self.host.unwrap_or_else(|| self.listen.to_string());
        let options = ServeOptions {
            host: host.clone(),
            port: self.port,
            jmx_port: self.jmx_port,
            speed: self.speed,
        };
        let started = move |brokers: &[BrokerPort]| announce(&host, brokers);
        let serving = serve_fleet(ports, fleet, options, stop.signal(), started);
        match race(serving, interrupted()).await {
            Race::First(served) => Ok(served?),
            Race::Second(signal) => signal.map_err(FleetError::Start),
        }
    }
}

fn announce(host: &str, brokers: &[BrokerPort]) {
    let mut out = std::io::stdout().lock();
    for broker in brokers {
        let BrokerPort { broker, port, jmx_port } = broker;
        // A reader that closed the pipe has what it wanted.
        let _ = writeln!(out, "{host}:{port}\tbroker {broker}\thttp://{host}:{jmx_port}/metrics");
    }
    let _ = out.flush();
}

/// Completes at SIGINT or SIGTERM.
async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    match race(tokio::signal::ctrl_c(), terminate.recv()).await {
        Race::First(result) => result,
        Race::Second(_) => Ok(()),
    }
}
