//! `shakedown sweep merge`: one summary out of those of all shards.

use std::path::PathBuf;

use clap::Args;

use super::super::{Exit, complain, input};
use super::OutputArgs;
use crate::sim::sweep::{self, Summary};

/// Longest summary that is read.
const SUMMARY_BYTES_MAX: u64 = 256 << 20;

/// Arguments of `shakedown sweep merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The summaries of all shards of one sweep, in any order.
    #[arg(required = true, value_name = "SUMMARY")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl MergeArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let mut parts: Vec<(String, Summary)> = Vec::new();
        for file in &self.files {
            let name = file.display().to_string();
            let text = match input::summary_text(file, SUMMARY_BYTES_MAX) {
                Ok(text) => text,
                Err(error) => {
                    complain(&error.to_string());
                    return Exit::InvalidFile;
                }
            };
            match sweep::read(&name, &text) {
                Ok(summary) => parts.push((name, summary)),
                Err(error) => {
                    complain(&error.to_string());
                    return Exit::InvalidFile;
                }
            }
        }
        match sweep::merge(parts) {
            Ok(summary) => self.output.deliver(&summary),
            Err(error) => {
                complain(&error.to_string());
                Exit::InvalidFile
            }
        }
    }
}
