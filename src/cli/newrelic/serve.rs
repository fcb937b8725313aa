//! `shakedown newrelic serve`: the simulated New Relic on a real port of this machine.
//!
//! Invariants:
//! - What is printed on standard output before the first request is taken tells where everything
//!   listens, so that scripts can wait for it; the summary follows at the end.
//! - Keys of a file are never printed; the default ones, which everybody knows, are.
//! - When the journal's disk fails the service ends: it never goes on without what it promised.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::definitions;
use super::report::{Started, started, stopped};
use crate::adapters::{FileDisk, RealPorts, SystemClock};
use crate::cli::{Exit, ReportFormat, complain, input, print};
use crate::config::quantity::SizeText;
use crate::ports::{Clock, Listener as _, Net as _, Ports as _};
use crate::rt::{self, Race, ShutdownHandle, race};
use crate::sim::newrelic::journal::{Journal, JournalConfig, JournalError};
use crate::sim::newrelic::serve::{
    Accounts, FaultOrder, PacedClock, Recorder, Replayed, SPEEDS, Service, ServiceOptions, keep,
};
use crate::sim::newrelic::{NewRelic, NewRelicConfig};
use crate::sim::seed::Seed;

/// How long clients may hold up the end.
const GRACE: Duration = Duration::from_secs(2);
/// Real time between two looks at what is due.
const TICK: Duration = Duration::from_secs(1);

/// Serves a simulated New Relic on this machine until interrupted.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Exit codes: 0 after SIGINT or SIGTERM, 1 the journal's disk failed, 2 usage, \
    3 a file is not valid,\n4 a port is taken or the data folder is in use.\n\
    Example: shakedown newrelic serve --definitions fixtures/definitions --data var/newrelic"
)]
pub struct ServeArgs {
    /// Address to listen on; anything but a loopback address is open to the network.
    #[arg(long, default_value = "127.0.0.1")]
    listen: IpAddr,
    /// Port of New Relic's APIs and of the page; 0 picks a free one.
    #[arg(long, default_value_t = 3000, value_parser = input::number::<u16>)]
    port: u16,
    /// Address of the admin API, which asks for no key.
    #[arg(long, default_value = "127.0.0.1")]
    admin_listen: IpAddr,
    /// Port of the admin API; 0 picks a free one.
    #[arg(long, default_value_t = 3001, value_parser = input::number::<u16>)]
    admin_port: u16,
    /// Host names that the page and the admin API answer to, beside localhost and IP addresses.
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Accounts and keys [default: one account, whose keys are printed].
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// A folder of entity definitions; those given later win, all win over the built-in ones.
    #[arg(long, value_name = "DIR")]
    definitions: Vec<PathBuf>,
    /// Leaves the built-in definitions of MESSAGE_QUEUE_* out.
    #[arg(long)]
    no_builtin: bool,
    /// Virtual seconds per real second: lags, limits and expiries follow.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    speed: f64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1, value_parser = input::number::<u64>)]
    seed: u64,
    /// A fault that is on from the start, such as `unavailable:share=0.1,lasts=5min`.
    #[arg(long, value_name = "NAME[:KEY=VALUE,…]")]
    fault: Vec<FaultOrder>,
    /// A folder for what was taken, so that the next start has it again.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Most bytes in that folder's journal; the oldest data go first.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", requires = "data")]
    data_max: SizeText,
    /// How the start and the end are printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Why no New Relic is served.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(
        "--speed is {0}: give a number from {min} to {max}; 1 is real time, 60 a minute per second",
        min = SPEEDS.0, max = SPEEDS.1
    )]
    Speed(f64),
    #[error("--data-max is {0}: give 1MiB at least")]
    DataMax(SizeText),
    #[error("{0}")]
    File(String),
    #[error("cannot listen on {address} port {port}: {source}\nhelp: choose another with {flag}")]
    Listen { address: IpAddr, port: u16, flag: &'static str, source: std::io::Error },
    #[error("{0}")]
    Journal(#[from] JournalError),
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    /// What is wrong was said where it was found.
    #[error("")]
    Told(Exit),
}

impl ServeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Speed(_) | Self::DataMax(_) => Exit::Usage,
            Self::File(_) => Exit::InvalidFile,
            Self::Journal(error) if error.is_of_the_file() => Exit::InvalidFile,
            Self::Journal(JournalError::Locked(_)) => Exit::Unreachable,
            Self::Journal(_) => Exit::Failed,
            Self::Listen { .. } | Self::Start(_) => Exit::Unreachable,
            Self::Told(exit) => *exit,
        }
    }
}

/// SIGINT and SIGTERM, from now on.
struct Signals(Signal, Signal);

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn next(&mut self) {
        race(self.0.recv(), self.1.recv()).await;
    }
}

type Served = Service<SystemClock>;

impl ServeArgs {
    /// Serves until SIGINT or SIGTERM.
    pub fn run(self) -> Exit {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let served = match runtime {
            Ok(runtime) => tokio::task::LocalSet::new().block_on(&runtime, self.serve()),
            Err(error) => Err(ServeError::Start(error)),
        };
        match served {
            Ok(exit) => exit,
            Err(error) => {
                if !matches!(error, ServeError::Told(_)) {
                    complain(&error.to_string());
                }
                error.exit()
            }
        }
    }

    fn check(&self) -> Result<(), ServeError> {
        if !(self.speed.is_finite() && (SPEEDS.0..=SPEEDS.1).contains(&self.speed)) {
            return Err(ServeError::Speed(self.speed));
        }
        if self.data_max.0 < 1 << 20 {
            return Err(ServeError::DataMax(self.data_max));
        }
        Ok(())
    }

    fn read_accounts(&self) -> Result<Accounts, ServeError> {
        let Some(path) = &self.accounts else { return Ok(Accounts::default()) };
        let text = input::text(path).map_err(|error| ServeError::File(error.to_string()))?;
        Accounts::parse(&path.display().to_string(), &text)
            .map_err(|problems| ServeError::File(problems.render(false)))
    }

    async fn open_journal(
        &self,
        folder: &Path,
        config: &NewRelicConfig,
    ) -> Result<Journal<FileDisk>, ServeError> {
        let disk = FileDisk::new(folder).map_err(|error| {
            ServeError::File(format!("{} cannot be used for data: {error}", folder.display()))
        })?;
        let config = JournalConfig {
            folder: folder.display().to_string(),
            seed: self.seed,
            retention: config.retention,
            bytes_max: self.data_max.0,
        };
        Ok(Journal::open(disk, config).await?)
    }

    async fn serve(self) -> Result<Exit, ServeError> {
        self.check()?;
        let accounts = self.read_accounts()?;
        let definitions = definitions::load(&self.definitions, !self.no_builtin);
        let definitions = definitions.map_err(ServeError::Told)?;
        let mut signals = Signals::new().map_err(ServeError::Start)?;
        // Nothing is kept on the ports' own disk; it needs a folder that exists.
        let ports = RealPorts::new(&std::env::temp_dir()).map_err(std::io::Error::other);
        let ports = ports.map_err(ServeError::Start)?;
        let config = NewRelicConfig::new(accounts.accounts.clone());
        let mut journal = match &self.data {
            Some(folder) => Some(self.open_journal(folder, &config).await?),
            None => None,
        };
        let newrelic = NewRelic::new(config, Seed(self.seed), Arc::new(definitions));
        // An earlier life may have been faster than the world; time does not go back.
        let last = journal.as_ref().and_then(Journal::last_at);
        let now = ports.clock().wall();
        let start = last.map_or(now, |last| now.max(last.plus_millis(1)));
        let clock = PacedClock::new(*ports.clock(), start, self.speed);
        let options = ServiceOptions {
            hosts: self.allow_host.clone(),
            open_to_network: !self.listen.is_loopback(),
        };
        let recorder = journal.is_some().then(Recorder::default);
        let service = Service::new(clock, newrelic, accounts, options, recorder.clone());
        let replayed = match &journal {
            Some(journal) => Some(service.replay(journal).await?),
            None => None,
        };
        let faults = self.fault.iter().try_for_each(|order| {
            service.switch_on(order.clone()).map(drop).map_err(|error| error.to_string())
        });
        faults.map_err(ServeError::File)?;
        let stop = ShutdownHandle::new();
        let servers = self.listen(&ports, &service, replayed, &stop).await?;
        let kept = match (&mut journal, &recorder) {
            (Some(journal), Some(recorder)) => {
                let signal = stop.signal();
                let keeping = keep(journal, recorder, ports.clock(), signal);
                self.until_stopped(keeping, &mut signals, &service, &stop, servers).await
            }
            _ => {
                let never = std::future::pending::<Result<(), JournalError>>();
                self.until_stopped(never, &mut signals, &service, &stop, servers).await
            }
        };
        let printed = print(&stopped(&service.summary(), self.format));
        kept?;
        Ok(printed)
    }

    /// Binds both ports, tells where, and serves.
    async fn listen(
        &self,
        ports: &RealPorts,
        service: &Served,
        replayed: Option<Replayed>,
        stop: &ShutdownHandle,
    ) -> Result<Vec<rt::Task<()>>, ServeError> {
        let bind = async |address, port, flags: [&'static str; 2]| {
            let bound = ports.clone().listening_on(address).net().listen(port).await;
            bound.map_err(|source| {
                let foreign = source.kind() == std::io::ErrorKind::AddrNotAvailable;
                let flag = flags[usize::from(foreign)];
                ServeError::Listen { address, port, flag, source }
            })
        };
        let public = bind(self.listen, self.port, ["--port", "--listen"]).await?;
        let admin =
            bind(self.admin_listen, self.admin_port, ["--admin-port", "--admin-listen"]).await?;
        let text = started(&Started {
            address: (self.listen, public.port()).into(),
            admin: (self.admin_listen, admin.port()).into(),
            accounts: service.accounts(),
            seed: self.seed,
            speed: self.speed,
            replayed,
            format: self.format,
        });
        // A reader that closed the pipe has what it wanted.
        let _ = print(&text);
        let mut servers = Vec::new();
        let routers = [service.public_router(), service.admin_router()];
        for ((name, listener), router) in
            [("newrelic", public), ("admin", admin)].into_iter().zip(routers)
        {
            let signal = stop.signal();
            let server = async move { rt::http::serve(name, listener, router, signal).await };
            servers.push(rt::spawn(name, server));
        }
        let ticks = {
            let (service, clock, signal) = (service.clone(), *ports.clock(), stop.signal());
            async move {
                while !signal.is_requested() {
                    service.tick();
                    race(signal.requested(), clock.sleep(TICK)).await;
                }
            }
        };
        rt::spawn("ticks", ticks);
        Ok(servers)
    }

    /// Waits for a signal or for the journal's end, then stops in order: servers, then journal.
    async fn until_stopped(
        &self,
        keeping: impl Future<Output = Result<(), JournalError>>,
        signals: &mut Signals,
        service: &Served,
        stop: &ShutdownHandle,
        servers: Vec<rt::Task<()>>,
    ) -> Result<(), JournalError> {
        let mut keeping = std::pin::pin!(keeping);
        if let Race::First(kept) = race(keeping.as_mut(), signals.next()).await {
            return kept;
        }
        stop.request();
        let real = *service.clock().real();
        let ended = async {
            for server in servers {
                // A panic is recorded by the task itself.
                let _ = server.await;
            }
        };
        // A second signal, or a client that holds its connection open, does not hold up the end.
        race(race(ended, real.sleep(GRACE)), signals.next()).await;
        service.note_time();
        if service.inputs_kept().is_none() {
            return Ok(());
        }
        keeping.await
    }
}
