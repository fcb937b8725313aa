//! What is wrong with a definition, where, and what to write instead.

use std::fmt;

/// A place in a definition file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path as given by the caller.
    pub file: String,
    /// 1-based; 0 when the whole file is meant.
    pub line: u64,
    /// 1-based; 0 when the whole line is meant.
    pub column: u64,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// Whether a problem makes a set of definitions invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The repository's validator refuses it.
    Error,
    /// It is valid, but reviewers object to it.
    Warning,
}

impl Severity {
    /// For reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem of a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}; {fix}")]
pub struct DefinitionError {
    /// Where.
    pub place: Place,
    /// How bad it is.
    pub severity: Severity,
    /// A short stable name of this kind of problem, such as `rule-name-twice`.
    pub code: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub fix: String,
}

impl DefinitionError {
    /// A problem that makes the set invalid.
    pub fn error(
        place: Place,
        code: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (problem, fix) = (problem.into(), fix.into());
        Self { place, severity: Severity::Error, code, problem, fix }
    }

    /// A problem that only reviewers mind.
    pub fn warning(
        place: Place,
        code: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, code, problem, fix) }
    }
}
