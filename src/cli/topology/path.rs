//! `shakedown topology path`: how one entity is related to another.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::super::{Exit, ReportFormat, complain, input, print, print_json};
use super::source::SourceArgs;
use crate::config::toml_file::nearest;
use crate::domain::guid::EntityGuid;
use crate::domain::relationship::Direction;
use crate::graph::{Graph, PathLimits, Paths, Reach, Step};

/// Arguments of `shakedown topology path`.
#[derive(Debug, Args)]
#[command(after_help = "An entity is named by its name, by `CLUSTER/NAME` or `TYPE NAME` where \
    that is needed (`broker orders-broker-1`), or by its GUID. Exit code 1 if there is no path.")]
pub struct PathArgs {
    /// Where paths begin.
    from: String,
    /// Where they end.
    to: String,
    #[command(flatten)]
    source: SourceArgs,
    /// All paths, not only the shortest.
    #[arg(long)]
    all: bool,
    /// Most steps of a path.
    #[arg(long, value_name = "COUNT", default_value_t = 6, requires = "all",
        value_parser = input::count_to::<64>)]
    steps_max: u64,
    /// Most paths.
    #[arg(long, value_name = "COUNT", default_value_t = 100, requires = "all",
        value_parser = input::count_to::<100_000>)]
    paths_max: u64,
    /// Directions in which relationships are followed.
    #[arg(long, value_enum, default_value_t)]
    follow: Follow,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Follow {
    /// Either way.
    #[default]
    Both,
    /// From source to target.
    Forward,
    /// From target to source.
    Inverse,
}

impl From<Follow> for Reach {
    fn from(follow: Follow) -> Self {
        match follow {
            Follow::Both => Self::Both,
            Follow::Forward => Self::Forward,
            Follow::Inverse => Self::Inverse,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PathReport<'a> {
    from: String,
    to: String,
    paths: &'a [Vec<Step>],
    is_cut: bool,
}

impl PathArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        self.report().unwrap_or_else(|exit| exit)
    }

    fn report(&self) -> Result<Exit, Exit> {
        let graph = self.source.load()?.graph;
        let (from, to) = (find(&graph, &self.from)?, find(&graph, &self.to)?);
        let found = self.search(&graph, &from, &to);
        let printed = match self.format {
            ReportFormat::Json => print_json(&PathReport {
                from: from.wire(),
                to: to.wire(),
                paths: &found.paths,
                is_cut: found.is_cut,
            }),
            ReportFormat::Text => print(&text(&graph, &from, &to, &found)),
        };
        Ok(if found.paths.is_empty() { Exit::Failed } else { printed })
    }

    fn search(&self, graph: &Graph, from: &EntityGuid, to: &EntityGuid) -> Paths {
        let reach = Reach::from(self.follow);
        if !self.all {
            let paths = graph.shortest_path(from, to, reach).into_iter().collect();
            return Paths { paths, is_cut: false };
        }
        // Bounds of the arguments: both fit.
        let (steps_max, paths_max) = (self.steps_max as usize, self.paths_max as usize);
        graph.paths(from, to, &PathLimits { reach, steps_max, paths_max })
    }
}

fn text(graph: &Graph, from: &EntityGuid, to: &EntityGuid, found: &Paths) -> String {
    let mut out = String::new();
    if found.paths.is_empty() {
        return format!("no path from {} to {}\n", graph.words(from), graph.words(to));
    }
    for path in &found.paths {
        out.push_str(&graph.words(from));
        for step in path {
            // Writing to a string cannot fail.
            let _ = match step.direction {
                Direction::Forward => write!(out, " ─{}→ ", step.kind.as_str()),
                Direction::Inverse => write!(out, " ←{}─ ", step.kind.as_str()),
            };
            out.push_str(&graph.words(&step.to));
        }
        out.push('\n');
    }
    if found.is_cut {
        out.push_str("there are more: give a larger --paths-max\n");
    }
    out
}

/// The entity that `name` means.
fn find(graph: &Graph, name: &str) -> Result<EntityGuid, Exit> {
    let parsed = EntityGuid::parse_wire(name).or_else(|_| EntityGuid::parse_readable(name));
    if let Ok(guid) = parsed
        && graph.contains(&guid)
    {
        return Ok(guid);
    }
    let entities = graph.entities();
    let names = |guid: &EntityGuid| {
        let cluster = graph.facts(guid).map(|facts| facts.cluster.as_str()).unwrap_or_default();
        let own = graph.name(guid);
        [format!("{cluster}/{own}"), graph.words(guid), own]
    };
    let fits: Vec<_> =
        entities.iter().filter(|guid| names(guid).iter().any(|own| own == name)).collect();
    match fits.as_slice() {
        [one] => Ok(**one),
        [] => {
            let known: Vec<String> = entities.iter().flat_map(names).collect();
            let help = nearest(name, known.iter().map(String::as_str)).map_or_else(
                || "`shakedown topology graph` lists the entities".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            complain(&format!("no entity is called `{name}`\nhelp: {help}"));
            Err(Exit::Usage)
        }
        several => {
            let choices: Vec<_> = several
                .iter()
                .map(|guid| format!("  {} ({})", graph.words(guid), guid.wire()))
                .collect();
            let several = choices.join("\n");
            complain(&format!(
                "several entities are called `{name}`:\n{several}\nhelp: give a GUID"
            ));
            Err(Exit::Usage)
        }
    }
}
