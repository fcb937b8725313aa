//! Where a graph comes from: a file of events, a simulated run, or a desired topology.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::account::AccountIdArgs;
use super::super::instant::Instant;
use super::super::reference::WhichArgs;
use super::super::{Exit, complain, input, json_lines, run};
use super::desired;
use crate::config::quantity::DurationText;
use crate::domain::account::AccountId;
use crate::domain::words::counted;
use crate::graph::Graph;
use crate::graph::events::{EventError, Fields, Reading, STALE_AFTER_MS};
use crate::sim::check::record::StoredEvent;
use crate::sim::run::passport::Passport;
use crate::sim::run::{Options, replay, simulate};
use crate::sim::time::SimTime;
use crate::sim::trace::Sink;

/// What the graph is made of.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Events as New Relic stores them (MessageQueue and MessageQueueRelationship), one JSON object
    /// a line; - is standard input.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["scenario", "desired"])]
    events: Option<PathBuf>,
    /// A simulated run, whose stored events are taken: a scenario file, or a trace, card or summary
    /// of a run.
    #[arg(long, value_name = "FILE", conflicts_with = "events")]
    scenario: Option<PathBuf>,
    /// A desired topology, TOML or JSON (docs/GAPS.md); - is standard input.
    #[arg(value_name = "TOPOLOGY", conflicts_with_all = ["events", "scenario"])]
    desired: Option<PathBuf>,
    /// Whose GUIDs the entities of a desired topology get; account 1 where none is named.
    #[command(flatten)]
    account: AccountIdArgs,
    #[command(flatten)]
    which: WhichArgs,
    /// The instant of the run: a time (90s, 01:30) or that of an event (#317) [default: the end].
    #[arg(long, value_name = "INSTANT", requires = "scenario")]
    at: Option<Instant>,
    /// What was last told so long before the newest is stale, if an entity, and over, if a
    /// relationship.
    #[arg(long, value_name = "DURATION", default_value_t = DurationText::from_secs(STALE_AFTER_MS.unsigned_abs() / 1_000))]
    stale_after: DurationText,
}

/// A graph and what it was made of.
pub struct Loaded {
    /// The graph; of one entity at least.
    pub graph: Graph,
    /// What it was made of, in words.
    pub title: String,
}

impl SourceArgs {
    /// Reads events or runs the simulation.
    ///
    /// # Errors
    /// The exit code, after a complaint; a graph of nothing is an error.
    pub fn load(&self) -> Result<Loaded, Exit> {
        if let Some(path) = &self.desired {
            return self.desired(path);
        }
        let (reading, title) = match (&self.events, &self.scenario) {
            (_, Some(scenario)) => self.simulated(scenario)?,
            (Some(events), None) => self.of_file(events)?,
            (None, None) => return Err(Exit::Usage),
        };
        let stale_after_ms = i64::try_from(self.stale_after.0.as_millis()).unwrap_or(i64::MAX);
        let graph = reading.graph(stale_after_ms);
        if graph.entities().is_empty() {
            complain(&format!(
                "{title} holds no entities\nhelp: give events of the types MessageQueue and \
                 MessageQueueRelationship"
            ));
            return Err(Exit::InvalidFile);
        }
        Ok(Loaded { graph, title })
    }

    fn refuse_which(&self) -> Result<(), Exit> {
        if self.which.is_given() {
            complain("--seed, --network, --fingerprint and --failure go with --scenario");
            return Err(Exit::Usage);
        }
        Ok(())
    }

    fn desired(&self, path: &Path) -> Result<Loaded, Exit> {
        self.refuse_which()?;
        let account = self.account.id_if_named()?.unwrap_or(AccountId::FIRST);
        let topology = super::load(path)?;
        let title = format!("desired by {}", path.display());
        if topology.is_empty() {
            complain(&format!(
                "{} asks for no entities\nhelp: name a cluster, for example with \
                 [[clusters]] name = \"orders\"",
                path.display()
            ));
            return Err(Exit::InvalidFile);
        }
        Ok(Loaded { graph: desired::graph(&topology, account), title })
    }

    fn of_file(&self, path: &Path) -> Result<(Reading, String), Exit> {
        self.refuse_which()?;
        let name = path.display().to_string();
        let from: Box<dyn BufRead> = if input::is_stdin(path) {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            match File::open(path) {
                Ok(file) => Box::new(BufReader::with_capacity(1 << 16, file)),
                Err(error) => {
                    complain(&input::unreadable(path, error).to_string());
                    return Err(Exit::InvalidFile);
                }
            }
        };
        let (reading, problems) = read(&name, from);
        if problems.is_empty() {
            return Ok((reading, name));
        }
        complain(&problems.join("\n"));
        Err(Exit::InvalidFile)
    }

    fn simulated(&self, path: &Path) -> Result<(Reading, String), Exit> {
        let passport = self.which.load(path)?.passport;
        let until = self.instant(&passport)?;
        let options = Options { seed: passport.seed, network: passport.network, sink: Sink::None };
        let simulated = run::guarded(|| simulate(&passport.scenario, options, None))?;
        let newrelic = &simulated.record.newrelic;
        let mut reading = Reading::default();
        let stored = newrelic.samples.iter().chain(&newrelic.stand_ins);
        let stored = stored.map(|event| ("MessageQueue", event));
        let told = newrelic.relationship_events.iter().chain(&newrelic.stand_in_relationships);
        let stored = stored.chain(told.map(|event| ("MessageQueueRelationship", event)));
        for (event_type, event) in stored.filter(|(_, event)| event.stored_at <= until) {
            if let Err(errors) = reading.take(event_type, event.timestamp, event) {
                complain(&format!("the run stored an event that is none: {}", words(&errors)));
                return Err(Exit::Oracle);
            }
        }
        let title = format!("{}, seed {}, at {until}", passport.scenario.title, passport.seed);
        Ok((reading, title))
    }

    fn instant(&self, passport: &Passport) -> Result<SimTime, Exit> {
        let end = passport.scenario.end();
        let events = match self.at {
            None => return Ok(end),
            Some(Instant::Time(time)) if time <= end => return Ok(time),
            Some(Instant::Time(time)) => {
                complain(&format!(
                    "the run ends at {end}, before {time}\nhelp: give an earlier one"
                ));
                return Err(Exit::Usage);
            }
            Some(Instant::Event(id)) => match run::guarded(|| replay::instant_of(passport, id))? {
                Ok(at) => return Ok(at),
                Err(events) => events,
            },
        };
        complain(&format!("the run has {}\nhelp: give one of them", counted(events, "event")));
        Err(Exit::Usage)
    }
}

impl Fields for StoredEvent {
    fn text(&self, name: &str) -> Option<&str> {
        self.known_text(name)
    }

    fn number(&self, name: &str) -> Option<f64> {
        StoredEvent::number(self, name)
    }
}

/// Events of JSON lines, and what is wrong with the lines.
fn read(name: &str, from: impl BufRead) -> (Reading, Vec<String>) {
    let mut reading = Reading::default();
    let problems = json_lines::read(name, from, |event| {
        let event_type = event.text("eventType").ok_or("the event has no eventType")?;
        let time = event.get("timestamp").ok_or("the event has no timestamp")?;
        let at = json_lines::instant(time).ok_or("timestamp must be a number since 1970")?;
        reading.take(event_type, at, event).map(drop).map_err(|errors| words(&errors))
    });
    (reading, problems)
}

fn words(errors: &[EventError]) -> String {
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let help = errors.first().map(EventError::help).unwrap_or_default();
    format!("{}\nhelp: {help}", told.join("; "))
}
