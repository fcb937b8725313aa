//! `shakedown newrelic serve`: the simulated New Relic on a real port of this machine.
//!
//! Invariants:
//! - What is printed on standard output before the first request is taken tells where everything
//!   listens, so that scripts can wait for it.
//! - Keys of a file are never printed; the default ones, which everybody knows, are.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::{RealPorts, SystemClock};
use crate::cli::{Exit, complain, input, print};
use crate::definitions::{Definitions, builtin};
use crate::ports::{Clock as _, Listener as _, Net as _, Ports as _};
use crate::rt::{self, Race, ShutdownHandle, race};
use crate::sim::newrelic::serve::{Accounts, PacedClock, SPEEDS};
use crate::sim::newrelic::{NewRelic, NewRelicConfig, router};
use crate::sim::seed::Seed;

/// How long clients may hold up the end.
const GRACE: Duration = Duration::from_secs(2);

/// Serves a simulated New Relic on this machine until interrupted.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// Address to listen on; anything but a loopback address is open to the network.
    #[arg(long, default_value = "127.0.0.1")]
    listen: IpAddr,
    /// Port of New Relic's APIs and of the page; 0 picks a free one.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Accounts and keys [default: one account, whose keys are printed].
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Virtual seconds per real second: lags, limits and expiries follow.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Why no New Relic is served.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(
        "--speed is {0}: give a number from {min} to {max}; 1 is real time, 60 a minute per second",
        min = SPEEDS.0, max = SPEEDS.1
    )]
    Speed(f64),
    #[error("{0}")]
    Accounts(String),
    #[error("cannot listen on {address} port {port}: {source}\nhelp: choose another with {flag}")]
    Listen { address: IpAddr, port: u16, flag: &'static str, source: std::io::Error },
    #[error("cannot start: {0}")]
    Start(std::io::Error),
}

impl ServeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Speed(_) => Exit::Usage,
            Self::Accounts(_) => Exit::InvalidFile,
            Self::Listen { .. } | Self::Start(_) => Exit::Unreachable,
        }
    }
}

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
                complain(&error.to_string());
                error.exit()
            }
        }
    }

    fn accounts(&self) -> Result<Accounts, ServeError> {
        let Some(path) = &self.accounts else { return Ok(Accounts::default()) };
        let text = input::text(path).map_err(|error| ServeError::Accounts(error.to_string()))?;
        Accounts::parse(&path.display().to_string(), &text)
            .map_err(|problems| ServeError::Accounts(problems.render(false)))
    }

    fn definitions(&self) -> Definitions {
        builtin()
    }

    async fn serve(self) -> Result<Exit, ServeError> {
        if !(self.speed.is_finite() && (SPEEDS.0..=SPEEDS.1).contains(&self.speed)) {
            return Err(ServeError::Speed(self.speed));
        }
        let accounts = self.accounts()?;
        let ports = RealPorts::new(&std::env::temp_dir()).map_err(std::io::Error::other);
        let ports = ports.map_err(ServeError::Start)?.listening_on(self.listen);
        let clock: PacedClock<SystemClock> =
            PacedClock::new(*ports.clock(), ports.clock().wall(), self.speed);
        let config = NewRelicConfig::new(accounts.accounts.clone());
        let newrelic = NewRelic::new(config, Seed(self.seed), Arc::new(self.definitions()));
        let listener = ports.net().listen(self.port).await.map_err(|source| {
            ServeError::Listen { address: self.listen, port: self.port, flag: "--port", source }
        })?;
        let port = listener.port();
        let printed = print(&self.started(&accounts, port));
        let stop = ShutdownHandle::new();
        let public = router(clock.clone(), newrelic.clone());
        let server = rt::spawn("newrelic", {
            let signal = stop.signal();
            async move { rt::http::serve("newrelic", listener, public, signal).await }
        });
        interrupted().await.map_err(ServeError::Start)?;
        stop.request();
        race(server, ports.clock().sleep(GRACE)).await;
        Ok(printed)
    }

    fn started(&self, accounts: &Accounts, port: u16) -> String {
        let host = std::net::SocketAddr::new(self.listen, port);
        let mut text = format!("New Relic   http://{host}\n");
        for account in &accounts.accounts {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "account     {}  {}", account.id, account.name);
            for key in account.keys.iter().filter(|_| accounts.is_default) {
                let kind = match key.kind() {
                    crate::newrelic::KeyKind::Ingest => "ingest key",
                    crate::newrelic::KeyKind::User => "user key  ",
                };
                let _ = writeln!(text, "{kind}  {}", key.expose());
            }
        }
        text
    }
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
