//! The desired topology of a pipeline, and changes of its mode while it runs.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use super::PipelineArgs;
use crate::cli::input;
use crate::config::Config;
use crate::hybrid::mode::Mode;
use crate::hybrid::topology::Topology;
use crate::pipeline::ModeSwitch;

impl PipelineArgs {
    /// The topology that `config` names a file of.
    pub(super) fn topology(&self, config: &Config) -> Result<Option<Topology>, String> {
        let Some(hybrid) = &config.hybrid else { return Ok(None) };
        let folder = self.config.parent().unwrap_or(Path::new(""));
        let file = folder.join(&hybrid.topology);
        let name = file.display().to_string();
        let text = input::text(&file).map_err(|error| match error {
            input::InputError::Read { name, source, .. } => format!(
                "{name} cannot be read: {source}\nhelp: `topology` in [hybrid] names it, relative \
                 to the folder of {}",
                self.config.display()
            ),
            _ => error.to_string(),
        })?;
        let topology = Topology::load(&name, &text);
        topology.map(Some).map_err(|problems| problems.render(io::stderr().is_terminal()))
    }

    /// Sets the mode that the configuration file names, each time that the process gets SIGHUP. A
    /// file that cannot be read or is invalid changes nothing.
    pub(super) async fn follow_mode(&self, mode: ModeSwitch) -> Result<(), String> {
        let hang_up = signal(SignalKind::hangup());
        let mut hang_up = hang_up.map_err(|error| format!("cannot listen for signals: {error}"))?;
        while hang_up.recv().await.is_some() {
            match self.load() {
                Ok(config) => set(&mode, config.hybrid.map_or(Mode::Infrastructure, |h| h.mode)),
                Err(message) => tracing::error!(%message, "The mode stays: invalid configuration."),
            }
        }
        std::future::pending().await
    }
}

fn set(switch: &ModeSwitch, mode: Mode) {
    match switch.set(mode) {
        Ok(before) if before == mode => tracing::info!(%mode, "The mode stays."),
        Ok(before) => tracing::info!(%before, %mode, "The mode changes with the next cycle."),
        Err(error) => tracing::error!(%error, "The mode stays."),
    }
}
