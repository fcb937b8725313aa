//! `shakedown definitions check`.

use std::path::PathBuf;

use clap::Args;

use super::Files;
use crate::cli::{Exit, complain, print};
use crate::definitions::{Definitions, View};

/// Arguments of `shakedown definitions check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The folder.
    folder: PathBuf,
    /// Checks what New Relic's staging sees: `.stg` files replace their siblings.
    #[arg(long)]
    staging: bool,
}

impl CheckArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let files = match Files::read(&self.folder) {
            Ok(files) => files,
            Err(exit) => return exit,
        };
        let view = if self.staging { View::Staging } else { View::Production };
        let (definitions, problems) = Definitions::load_lenient(files.sources(), view);
        for problem in &problems {
            complain(&problem.to_string());
        }
        let found = definitions.definitions().len();
        let exit = if problems.is_empty() { Exit::Ok } else { Exit::InvalidFile };
        exit.or(print(&format!("{found} definitions, {} problems\n", problems.len())))
    }
}
