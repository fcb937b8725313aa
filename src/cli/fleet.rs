//! `shakedown fleet serve`: a simulated Kafka cluster on real ports of this machine.
//!
//! Invariant: the first line on standard output is the first broker's address, written before
//! the first request is taken, so that scripts can wait for it.

use std::io::Write;
use std::process::ExitCode;

use miette::{Context as _, IntoDiagnostic as _};

use crate::adapters::RealPorts;
use crate::ports::{Clock as _, Ports as _};
use crate::rt::{Race, ShutdownHandle, race};
use crate::sim::fleet::{BrokerPort, Fleet, FleetSpec, ServeOptions, serve_fleet};
use crate::sim::seed::Seed;
use crate::sim::workload::LoadCurve;

/// Serves a simulated Kafka cluster on this machine until interrupted.
#[derive(Debug, Clone, clap::Args)]
pub struct FleetServe {
    /// Cluster name.
    #[arg(long, default_value = "orders")]
    cluster: String,
    /// Number of brokers.
    #[arg(long, default_value_t = 3)]
    brokers: u32,
    /// Number of topics.
    #[arg(long, default_value_t = 10)]
    topics: u32,
    /// Partitions per topic.
    #[arg(long, default_value_t = 6)]
    partitions: u32,
    /// Replicas per partition; at most the number of brokers.
    #[arg(long, default_value_t = 3)]
    replication: u16,
    /// Number of consumer groups.
    #[arg(long, default_value_t = 5)]
    groups: u32,
    /// Mean messages per second and topic.
    #[arg(long, default_value_t = 500)]
    rate: u64,
    /// Host that brokers advertise.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Kafka port of the first broker, the others follow; 0 picks free ones.
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// JMX exporter port of the first broker, the others follow; 0 picks free ones.
    #[arg(long, default_value_t = 7071)]
    jmx_port: u16,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
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

impl FleetServe {
    fn spec(&self) -> FleetSpec {
        let replication = match u16::try_from(self.brokers) {
            Ok(brokers) => self.replication.min(brokers),
            Err(_) => self.replication,
        };
        FleetSpec {
            cluster: self.cluster.clone(),
            brokers: self.brokers,
            topics: self.topics,
            partitions: self.partitions,
            replication,
            min_insync_replicas: replication.min(2),
            groups: self.groups,
            messages_per_second: self.rate,
            curve: LoadCurve { utc_offset_minutes: 0, flat: self.flat },
            auto_create_topics: self.auto_create_topics,
            ..FleetSpec::default()
        }
    }

    /// Serves until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// A specification that is impossible, or ports that are taken.
    pub fn run(self) -> miette::Result<ExitCode> {
        if !(self.speed.is_finite() && (0.001..=10_000.0).contains(&self.speed)) {
            return Err(miette::miette!(
                help = "give 1 for real time, 60 for a minute per second",
                "--speed is {}: it must be from 0.001 to 10000",
                self.speed
            ));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .into_diagnostic()
            .wrap_err("cannot start the runtime")?;
        tokio::task::LocalSet::new().block_on(&runtime, self.serve())?;
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(self) -> miette::Result<()> {
        // The fleet keeps nothing on disk; the port needs a folder that exists.
        let ports = RealPorts::new(&std::env::temp_dir()).into_diagnostic()?;
        let fleet = Fleet::new(self.spec(), Seed(self.seed), ports.clock().wall())
            .into_diagnostic()
            .wrap_err("the fleet is impossible")?;
        fleet.set_journal(false);
        let stop = ShutdownHandle::new();
        let options = ServeOptions {
            host: self.host.clone(),
            port: self.port,
            jmx_port: self.jmx_port,
            speed: self.speed,
        };
        let host = self.host;
        let started = move |brokers: &[BrokerPort]| announce(&host, brokers);
        let serving = serve_fleet(ports, fleet, options, stop.signal(), started);
        match race(serving, interrupted()).await {
            Race::First(served) => served.into_diagnostic(),
            Race::Second(signal) => signal.into_diagnostic().wrap_err("cannot wait for signals"),
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
