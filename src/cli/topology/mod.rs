//! `shakedown topology`: entities and how they are related, as events or a simulated
//! run tell it.

use clap::{Args, Subcommand};

use super::Exit;

mod check;
mod graph;
mod path;
mod source;

/// Arguments of `shakedown topology`.
#[derive(Debug, Args)]
pub struct TopologyArgs {
    #[command(subcommand)]
    verb: TopologyVerb,
}

#[derive(Debug, Subcommand)]
enum TopologyVerb {
    /// Writes entities and relationships as a tree, a picture, or a file for other programs.
    Graph(graph::GraphArgs),
    /// Shows how one entity is related to another, over whatever lies between.
    Path(path::PathArgs),
    /// Finds relationships that cannot be: dangling, circular, doubled, between the wrong kinds.
    Check(check::CheckArgs),
}

impl TopologyArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            TopologyVerb::Graph(args) => args.run(),
            TopologyVerb::Path(args) => args.run(),
            TopologyVerb::Check(args) => args.run(),
        }
    }
}
