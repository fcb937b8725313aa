//! The file of settings of alerts and service levels.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::alerts::{self, AlertsFile, Plan, SettingFault};
use crate::cli::{Exit, complain, input};
use crate::config::toml_file::{FileProblems, Place, TomlFile};

/// Which settings.
#[derive(Debug, Clone, clap::Args)]
pub struct SettingsArgs {
    /// A TOML file of policy, capacities and changed thresholds [default: the built-in ones].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Settings, and where they came from.
pub struct Settings {
    /// What is set.
    pub file: AlertsFile,
    source: Option<TomlFile>,
}

impl SettingsArgs {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Exit::InvalidFile`], after a complaint.
    pub fn load(&self) -> Result<Settings, Exit> {
        let Some(path) = &self.config else {
            return Ok(Settings { file: AlertsFile::default(), source: None });
        };
        let text = input::text(path).map_err(|error| {
            complain(&error.to_string());
            Exit::InvalidFile
        })?;
        let name = path.display().to_string();
        let source = TomlFile::parse("alerts", &name, &text).map_err(|p| refuse(&p))?;
        let file = source.read().map_err(|problems| refuse(&problems))?;
        Ok(Settings { file, source: Some(source) })
    }

    /// The conditions that the file asks for.
    ///
    /// # Errors
    /// [`Exit::InvalidFile`], after a complaint.
    pub fn plan(&self) -> Result<Plan, Exit> {
        let settings = self.load()?;
        alerts::plan(&settings.file).map_err(|faults| settings.refuse(&faults))
    }
}

impl Settings {
    /// Tells every fault at its place.
    pub fn refuse(&self, faults: &[SettingFault]) -> Exit {
        let Some(source) = &self.source else {
            for fault in faults {
                complain(&format!("the built-in settings: {}", fault.message));
            }
            return Exit::Failed;
        };
        let problem = |fault: &SettingFault| {
            let place = match fault.table {
                Some((table, index)) => Place::root().key(table).at(index),
                None => Place::root(),
            };
            source.problem("rule", &place.key(fault.key), fault.message.clone(), fault.help.clone())
        };
        refuse(&source.problems(faults.iter().map(problem).collect()))
    }
}

fn refuse(problems: &FileProblems) -> Exit {
    complain(&problems.render(std::io::stderr().is_terminal()));
    Exit::InvalidFile
}
