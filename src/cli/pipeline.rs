//! `shakedown pipeline`: the pipeline on real sockets.
//!
//! Invariants:
//! - Standard output carries reports only, standard error carries the log.
//! - SIGINT and SIGTERM begin an orderly stop; a second one ends the process at once. SIGHUP reads
//!   the mode from the configuration file again.
//! - Every way out has its code: 0 done, 3 the configuration is invalid, 4 the world outside does
//!   not play along (nothing answered, events stayed undelivered, the port is taken).

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

use super::ReportFormat;
use super::input;

use crate::adapters::RealPorts;
use crate::config::schema::{LogFormat, LogLevel};
use crate::config::{Config, Flags, HttpListen, ROWS_BYTES_MAX};
use crate::domain::words::counted;
use crate::hybrid::mode::Mode;
use crate::hybrid::topology::Topology;
use crate::pipeline::service::{PIPELINE, Service, StatusCell};
use crate::pipeline::{
    CycleReport, Cycles, KafkaSource, NriFeed, NriSource, Pipeline, PipelineConfig, RunReport,
    Source, kafka_settings, total,
};
use crate::ports::{Clock, Listener, Net, Ports};
use crate::resilience::supervisor::Component;
use crate::rt::{self, Race, ShutdownHandle};

mod hybrid;
#[cfg(test)]
mod tests;

/// The report could not be written.
const FAILED: u8 = 1;
/// The configuration is invalid.
const INVALID: u8 = 3;
/// The world outside does not play along.
const UNREACHABLE: u8 = 4;
/// Ended by a second signal.
const SIGNALLED: u8 = 130;

/// Collect from Kafka, synthesize entities, stream them to New Relic.
///
/// Runs until SIGINT or SIGTERM, then delivers what is left; SIGHUP reads `mode` in [hybrid] again.
/// The license key comes from NEW_RELIC_LICENSE_KEY or the file.
#[derive(Debug, clap::Args)]
pub struct PipelineArgs {
    /// Configuration file; docs/CONFIG.md describes it.
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    config: PathBuf,
    /// Run one cycle and report it.
    #[arg(long, conflicts_with = "cycles")]
    once: bool,
    /// Run so many cycles and report; rates need two at least.
    #[arg(long, value_name = "N", value_parser = input::count)]
    cycles: Option<u64>,
    /// How the report at the end looks.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Account number (environment: NEW_RELIC_ACCOUNT_ID).
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,
    /// US, EU, JP, GOV, Staging or Local (environment: NEW_RELIC_REGION).
    #[arg(long)]
    region: Option<String>,
    /// Event API up to and including /v1 (environment: NEW_RELIC_INSIGHTS_BASE_URL).
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Time between cycle starts, such as 15s.
    #[arg(long, value_name = "DURATION")]
    interval: Option<crate::config::quantity::DurationText>,
    /// Where entities come from: infrastructure, simulation or hybrid.
    #[arg(long, value_parser = str::parse::<Mode>)]
    mode: Option<Mode>,
    /// Port of health and metrics; 0 picks a free one.
    #[arg(long, value_name = "PORT", value_parser = input::number::<u16>)]
    http_port: Option<u16>,
    /// Format of the log.
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// Least severe level of the log.
    #[arg(long, value_enum)]
    log_level: Option<LogLevel>,
}

impl PipelineArgs {
    /// Runs the verb.
    pub fn run(self) -> ExitCode {
        let config = match self.load() {
            Ok(config) => config,
            Err(message) => {
                complain(&message);
                return ExitCode::from(INVALID);
            }
        };
        let topology = match self.topology(&config) {
            Ok(topology) => topology,
            Err(message) => {
                complain(&message);
                return ExitCode::from(INVALID);
            }
        };
        start_log(config.log_format, config.log_level);
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                complain(&format!("cannot start: {error}"));
                return ExitCode::from(UNREACHABLE);
            }
        };
        let local = LocalSet::new();
        let mut out = io::stdout().lock();
        let served = local.block_on(&runtime, self.serve(&config, topology, &mut out));
        drop(local);
        // A disk that hangs does not hold up the end.
        runtime.shutdown_timeout(Duration::from_secs(1));
        match served {
            Ok(code) => ExitCode::from(code),
            Err(message) => {
                complain(&message);
                ExitCode::from(UNREACHABLE)
            }
        }
    }

    /// The configuration, or what is wrong with it.
    fn load(&self) -> Result<Config, String> {
        let name = self.config.display().to_string();
        let text = input::text(&self.config).map_err(|error| match error {
            input::InputError::Read { name, source, .. } => {
                format!("{name} cannot be read: {source}\nhelp: name the file with --config FILE")
            }
            _ => error.to_string(),
        })?;
        let flags = Flags {
            account_id: self.account_id.clone(),
            region: self.region.clone(),
            base_url: self.base_url.clone(),
            interval: self.interval,
            mode: self.mode,
            http_port: self.http_port,
            log_format: self.log_format,
            log_level: self.log_level,
        };
        // A value that is not Unicode is still a value: it is reported where it is used.
        let environment = |variable: &str| {
            std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned())
        };
        let folder = self.config.parent().unwrap_or(Path::new(""));
        let rows = |file: &str| rows_file(&folder.join(file));
        Config::load(&name, &text, &environment, &flags, Some(&rows))
            .map_err(|problems| problems.render(io::stderr().is_terminal()))
    }

    fn cycles(&self) -> Cycles {
        match (self.once, self.cycles) {
            (true, _) => Cycles::Exactly(1),
            (false, Some(count)) => Cycles::Exactly(count),
            (false, None) => Cycles::Forever,
        }
    }

    /// Runs the pipeline and its pages and writes the report to `out`; the exit code.
    async fn serve(
        &self,
        config: &Config,
        topology: Option<Topology>,
        out: &mut impl Write,
    ) -> Result<u8, String> {
        tracing::debug!(config = %config.redacted(), "Configuration is valid.");
        warn_of_doubtful(config);
        let folder = self.config.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut ports = RealPorts::new(folder.unwrap_or(Path::new(".")))
            .map_err(|error| rt::with_causes(&error))?;
        if let Some(http) = config.http {
            ports = ports.listening_on(http.address);
        }
        let sources = sources(&ports, config, self.feed(config)?);
        let settings = PipelineConfig::from_config(config, topology);
        let more = |status| pages(&ports, config.http, status).into_iter().collect();
        let mut service = Service::start(ports.clone(), settings, sources, more)
            .await
            .map_err(|error| error.to_string())?;
        let mode = self.follow_mode(service.pipeline.mode_switch());
        let run = run_until_signal(&mut service.pipeline, self.cycles());
        let outcome = match rt::race(run, mode).await {
            Race::First(outcome) => outcome?,
            Race::Second(ended) => {
                ended?;
                None
            }
        };
        if outcome.is_some() {
            service.stop().await;
        }
        let pipeline = service.pipeline;
        let Some(run) = outcome else { return Ok(SIGNALLED) };
        let last = pipeline.last_report();
        let code = self.code(last.as_deref(), &run);
        match self.report(out, last.as_deref(), &run) {
            // A reader that closed its pipe has what it wanted.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                complain(&format!("cannot write the report to standard output: {error}"));
                Ok(if code == 0 { FAILED } else { code })
            }
            _ => Ok(code),
        }
    }

    /// Standard input, when a source reads it: all of it before a bounded run, line by line beside
    /// an unbounded one.
    fn feed(&self, config: &Config) -> Result<Option<NriFeed>, String> {
        if !config.nri.iter().any(|nri| nri.stdin) {
            return Ok(None);
        }
        let feed = NriFeed::default();
        if self.cycles() == Cycles::Forever {
            follow_stdin(feed.clone());
        } else {
            let read = feed.read_lines(io::stdin().lock());
            read.map_err(|error| format!("standard input cannot be read: {error}"))?;
        }
        Ok(Some(feed))
    }

    fn report(
        &self,
        out: &mut impl Write,
        last: Option<&CycleReport>,
        run: &RunReport,
    ) -> io::Result<()> {
        match self.format {
            ReportFormat::Json => {
                let report = serde_json::json!({ "run": run, "last_cycle": last });
                writeln!(out, "{report}")
            }
            ReportFormat::Text => out.write_all(text_report(last, run).as_bytes()),
        }?;
        out.flush()
    }

    /// A bounded run must have moved something and left nothing behind; an unbounded one may leave
    /// events in the spool, which sends them at the next start.
    fn code(&self, last: Option<&CycleReport>, run: &RunReport) -> u8 {
        let bounded = self.cycles() != Cycles::Forever;
        let collected = last.is_some_and(|cycle| cycle.collected() || !cycle.mode.collects());
        let moved = collected && run.delivered > 0;
        let kept = bounded && run.spooled > 0;
        if run.undelivered > 0 || kept || (bounded && !moved) { UNREACHABLE } else { 0 }
    }
}

/// Runs `pipeline`; `None` when a second signal ended it.
async fn run_until_signal<P: Ports>(
    pipeline: &mut Pipeline<P>,
    cycles: Cycles,
) -> Result<Option<RunReport>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let stop = ShutdownHandle::new();
    let signals = async {
        next_signal(&mut interrupt, &mut terminate).await;
        tracing::info!("Stopping; a second signal ends at once.");
        stop.request();
        next_signal(&mut interrupt, &mut terminate).await;
    };
    let signal = stop.signal();
    match rt::race(pipeline.run(cycles, &signal), signals).await {
        Race::First(report) => Ok(Some(report)),
        Race::Second(()) => {
            tracing::error!("Ended by a second signal; events in memory alone are lost.");
            Ok(None)
        }
    }
}

async fn next_signal(interrupt: &mut Signal, terminate: &mut Signal) {
    rt::race(interrupt.recv(), terminate.recv()).await;
}

/// Name and text of the file of a lookup table's rows, or why it cannot be read.
fn rows_file(path: &Path) -> Result<(String, String), String> {
    let text = input::own_text(path, ROWS_BYTES_MAX as u64).map_err(|error| match error {
        input::InputError::Read { name, source, .. } => format!("{name} cannot be read: {source}"),
        input::InputError::TooLong { name, max } => format!("{name} is larger than {max} bytes"),
        // What to do stands in a line of its own.
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    })?;
    Ok((path.display().to_string(), text))
}

/// The pages as a component: it binds the port, serves, and stops.
fn pages(ports: &RealPorts, http: Option<HttpListen>, status: StatusCell) -> Option<Component> {
    let http = http?;
    let stop = ShutdownHandle::new();
    let server = Rc::new(RefCell::new(None));
    let start = {
        let (ports, stop, server) = (ports.clone(), stop.clone(), Rc::clone(&server));
        move || {
            let (ports, stop, server) = (ports.clone(), stop.clone(), Rc::clone(&server));
            let status = status.borrow().clone();
            async move {
                let status = status.ok_or("there is no pipeline to show")?;
                let router = crate::http::router(status, *ports.clock());
                server.replace(Some(listen(&ports, http, router, &stop).await?));
                Ok(())
            }
        }
    };
    let clock = *ports.clock();
    let stop = move || {
        stop.request();
        let server = server.take();
        async move {
            if let Some(server) = server {
                // A client that holds its connection open does not hold up the end.
                rt::race(server, clock.sleep(Duration::from_secs(1))).await;
            }
            Ok(())
        }
    };
    Some(Component::critical("pages").needs(PIPELINE).start(start).stop(stop))
}

/// Binds the port and serves `router` until `pages`.
async fn listen(
    ports: &RealPorts,
    http: HttpListen,
    router: axum::Router,
    pages: &ShutdownHandle,
) -> Result<rt::Task<()>, String> {
    let HttpListen { address, port } = http;
    let listener = ports.net().listen(port).await.map_err(|error| {
        format!(
            "cannot listen on {address} port {port}: {error}\n\
             help: choose another with --http-port, or set `enabled = false` in [http]"
        )
    })?;
    let port = listener.port();
    tracing::info!(%address, port, "Serving health and metrics.");
    let signal = pages.signal();
    Ok(rt::spawn("health pages", async move {
        crate::rt::http::serve("health", listener, router, signal).await;
    }))
}

/// All sources, in the order of the configuration; `feed` carries standard input.
fn sources(ports: &RealPorts, config: &Config, feed: Option<NriFeed>) -> Vec<Box<dyn Source>> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for kafka in &config.kafka {
        let settings = kafka_settings(kafka, config.cycle.collect_deadline);
        sources.push(Box::new(KafkaSource::new(ports.clone(), settings)));
    }
    for nri in &config.nri {
        let feed = feed.clone().filter(|_| nri.stdin);
        let source = NriSource::new(ports.clone(), &nri.cluster, nri.files.clone(), feed);
        sources.push(Box::new(source));
    }
    sources
}

/// Feeds standard input to `feed` as it comes. A thread, because reading it blocks; it ends with
/// the input or the process.
#[expect(clippy::disallowed_methods, reason = "standard input has no other way of being read")]
fn follow_stdin(feed: NriFeed) {
    std::thread::spawn(move || {
        if let Err(error) = feed.read_lines(io::stdin().lock()) {
            tracing::error!(%error, "Standard input cannot be read.");
        }
    });
}

/// Settings that work but are probably not meant.
fn warn_of_doubtful(config: &Config) {
    let events = &config.newrelic.addresses.events;
    let local = ["http://localhost", "http://127.", "http://[::1]"];
    if events.starts_with("http:") && !local.iter().any(|prefix| events.starts_with(prefix)) {
        tracing::warn!(address = %events, "License key travels unencrypted.");
    }
    if let Some(http) = config.http.filter(|http| !http.address.is_loopback()) {
        tracing::warn!(address = %http.address, "Health and metrics are open to the network.");
    }
}

fn start_log(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::new(format!("warn,shakedown={level}"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    // Fails when the process logs already, which then is as good.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}

fn complain(message: &str) {
    // When standard error is closed there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// The report for people.
fn text_report(last: Option<&CycleReport>, run: &RunReport) -> String {
    let mut text = String::new();
    if let Some(cycle) = last {
        text.push_str(&cycle_text(cycle));
    }
    let _ = writeln!(
        text,
        "{}, {} skipped; {}, {}: {} delivered, {} undelivered, {} in the \
         spool",
        counted(run.cycles, "cycle"),
        counted(run.skipped, "start"),
        counted(total(&run.ledger.collected), "sample"),
        counted(run.ledger.enqueued, "event"),
        run.delivered,
        run.undelivered,
        run.spooled,
    );
    text
}

fn cycle_text(cycle: &CycleReport) -> String {
    let counts = |counts: &crate::pipeline::Counts| {
        let each: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
        if each.is_empty() { "none".to_owned() } else { each.join(", ") }
    };
    let mut text = format!("cycle {} in {} ms\n", cycle.cycle, cycle.duration_ms);
    for source in &cycle.sources {
        let outcome = match &source.failure {
            Some(failure) => format!("nothing: {}", failure.message),
            None => counted(source.samples, "sample"),
        };
        let _ = writeln!(text, "  {}  {outcome}", source.source);
        if !source.missing.is_empty() {
            let _ = writeln!(text, "    missing  {}", counts(&source.missing));
            for example in source.missing_examples.iter() {
                let _ = writeln!(text, "      {example}");
            }
        }
    }
    let _ = writeln!(text, "  samples   {}", counts(&cycle.samples));
    let _ = writeln!(text, "  rejected  {}", counts(&cycle.rejected));
    let _ = writeln!(text, "  left out  {}", counts(&cycle.fields_left_out));
    for example in cycle.rejection_examples.iter() {
        let _ = writeln!(text, "    {example}");
    }
    let _ = writeln!(text, "  entities  {}", counts(&cycle.entities));
    if let Some(gaps) = &cycle.gaps {
        let whole = gaps.overall();
        let _ = writeln!(
            text,
            "  topology  {} of {} fresh, {} stale, {} missing, {} pending; {} filled by stand-ins",
            whole.fresh, whole.desired, whole.stale, whole.missing, whole.pending, whole.filled
        );
    }
    let stream = &cycle.stream;
    let _ = writeln!(
        text,
        "  events    {} enqueued, {} acknowledged, {} waiting{}",
        cycle.events_enqueued,
        stream.acknowledged,
        stream.in_flight,
        stream.stopped.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default(),
    );
    text
}
