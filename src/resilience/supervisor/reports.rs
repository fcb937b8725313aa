//! What a start or a stop came to.

use std::fmt;

use super::Kind;

/// Where a component failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before anything was started.
    Validation,
    /// In its start.
    Start,
    /// It was not tried: something it needs failed.
    Dependency,
}

/// A component that does not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} component `{name}`: {reason}", kind_word(*.kind))]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// Whether the system runs without it.
    pub kind: Kind,
    /// Where it failed.
    pub stage: Stage,
    /// Why.
    pub reason: String,
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Critical => "critical",
        Kind::Optional => "optional",
    }
}

/// A start that was a success, perhaps in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartReport {
    /// What was started, in order.
    pub started: Vec<String>,
    /// Optional components that do not run, in order of start.
    pub left_out: Vec<Failure>,
}

/// A start that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    /// Everything that failed, in order of start; at least one critical component.
    pub failures: Vec<Failure>,
    /// How what had been started was stopped again.
    pub undone: StopReport,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures: Vec<_> = self.failures.iter().map(ToString::to_string).collect();
        write!(f, "cannot start: {}", failures.join("; "))?;
        for NotStopped { name, reason, .. } in &self.undone.not_stopped {
            write!(f, "; `{name}` was not stopped again: {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for StartError {}

/// What a stop came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopReport {
    /// What stopped, in order.
    pub stopped: Vec<String>,
    /// What did not, in the order in which it was tried.
    pub not_stopped: Vec<NotStopped>,
}

/// A component that did not stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStopped {
    /// Its name.
    pub name: String,
    /// Whether it ran out of time, as against failing.
    pub late: bool,
    /// Why.
    pub reason: String,
}
