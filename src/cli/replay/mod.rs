//! `shakedown replay`: a run once more, and what everybody did at one instant of it.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::instant::Instant;
use super::reference::{RunArg, WhichArgs};
use super::{Exit, ReportFormat, complain, print, print_json, run};
use crate::config::toml_file::nearest;
use crate::sim::run::passport::{Build, Passport};
use crate::sim::run::reference::{Origin, Reference};
use crate::sim::run::replay::{Replay, instant_of, replay};
use crate::sim::run::state::RunState;
use crate::sim::run::{Network, RunId};
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::export::EventJson;
use crate::sim::trace::{EventId, TraceDigest};

mod text;

/// Last events of each host that are shown.
const EVENTS_SHOWN: usize = 10;

/// Arguments of `shakedown replay`.
#[derive(Debug, Args)]
#[command(after_help = "The run always goes on to its end, so that its digest can be compared \
    with the recorded one: exit code 12 if they differ, otherwise that of the verdict.")]
pub struct ReplayArgs {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    which: WhichArgs,
    /// The instant to look at: a time (90s, 51.5s, 01:30.250) or that of an event (#317), with
    /// everything else that happens at it [default: the end].
    #[arg(long, value_name = "INSTANT")]
    until: Option<Instant>,
    /// Only this host, in detail; may be given several times.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// What a replay found.
#[derive(Debug, Serialize)]
struct ReplayReport<'a> {
    id: &'a RunId,
    title: &'a str,
    origin: &'a str,
    named_by: Origin,
    seed: Seed,
    network: Network,
    made_by: &'a Build,
    replayed_by: Build,
    /// The digest that was recorded, when it is known.
    recorded: Option<TraceDigest>,
    replayed: TraceDigest,
    passed: bool,
    broken: Vec<Broken>,
    state: Option<RunState>,
    /// The last events of each chosen host, oldest first.
    events: BTreeMap<String, Vec<EventJson>>,
}

/// One check that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    /// Its name.
    pub check: &'static str,
    /// Its first broken instance, in words.
    pub words: String,
}

/// The checks of `report` that failed.
pub fn broken(report: &crate::sim::run::RunReport) -> Vec<Broken> {
    let checks = report.checks.iter();
    let words = checks.filter_map(|check| Some((check.name, check.first_violation()?)));
    words.map(|(check, words)| Broken { check, words }).collect()
}

impl ReplayArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let replayed = self.which.load(&self.run.run).and_then(|reference| {
            self.require_hosts(&reference.passport)?;
            let until = self.instant(&reference.passport)?;
            let replay = run::guarded(|| replay(&reference.passport, until, EVENTS_SHOWN))?;
            Ok((replay, reference))
        });
        match replayed {
            Ok((replay, reference)) => self.report(replay, &reference),
            Err(exit) => exit,
        }
    }

    fn require_hosts(&self, passport: &Passport) -> Result<(), Exit> {
        let mut hosts = passport.scenario.hosts();
        hosts.push(crate::sim::scenario::USER_HOST.to_owned());
        let Some(unknown) = self.host.iter().find(|host| !hosts.contains(host)) else {
            return Ok(());
        };
        let hint = nearest(unknown, hosts.iter().map(String::as_str))
            .map(|name| format!("did you mean `{name}`?"))
            .unwrap_or_else(|| format!("hosts are {}", hosts.join(", ")));
        complain(&format!("no host is called `{unknown}`\nhelp: {hint}"));
        Err(Exit::Usage)
    }

    fn instant(&self, passport: &Passport) -> Result<SimTime, Exit> {
        let (id, events) = match self.until {
            None => return Ok(passport.scenario.end()),
            Some(Instant::Time(time)) if time <= passport.scenario.end() => return Ok(time),
            Some(Instant::Time(time)) => {
                let end = passport.scenario.end();
                complain(&format!(
                    "the run ends at {end}, before {time}\nhelp: give an earlier one"
                ));
                return Err(Exit::Usage);
            }
            Some(Instant::Event(id)) => match run::guarded(|| instant_of(passport, id))? {
                Ok(at) => return Ok(at),
                Err(events) => (id, EventId(events)),
            },
        };
        complain(&format!("the run has no event #{id}\nhelp: its events are #1 to #{events}"));
        Err(Exit::Usage)
    }

    fn report(&self, replay: Replay, reference: &Reference) -> Exit {
        let Replay { report, state, events } = replay;
        let passport = &reference.passport;
        let chosen = |name: &str| self.host.is_empty() || self.host.iter().any(|host| host == name);
        let state = state.map(|mut state| {
            state.hosts.retain(|host| chosen(&host.name));
            state
        });
        let events = events.into_iter().filter(|(host, _)| chosen(host));
        let told = ReplayReport {
            id: &report.id,
            title: &report.title,
            origin: &passport.origin,
            named_by: reference.origin,
            seed: passport.seed,
            network: passport.network,
            made_by: &passport.build,
            replayed_by: Build::current(),
            recorded: reference.digest,
            replayed: report.trace,
            passed: report.passed(),
            broken: broken(&report),
            state,
            events: events
                .map(|(host, events)| (host, events.iter().map(EventJson::from).collect()))
                .collect(),
        };
        let printed = match self.format {
            ReportFormat::Json => print_json(&told),
            ReportFormat::Text => print(&text::report(&told, !self.host.is_empty())),
        };
        let verdict = run::exit(&report);
        match reference.digest {
            Some(recorded) if recorded != report.trace => Exit::Determinism,
            _ => verdict.or(printed),
        }
    }
}
