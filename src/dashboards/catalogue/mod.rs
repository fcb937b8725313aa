//! Templates: dashboards by name.
//!
//! Invariants:
//! - A name is given once; what a template reads, the pipeline sends. A template whose data need
//!   something that may not run says so ([`Template::awaits`]).
//! - The same parameters give the same dashboard.

mod clusters;
mod entities;
mod gaps;
mod operations;
mod parameters;
mod parts;
mod performance;
mod pipeline;
mod standard;
#[cfg(test)]
mod tests;

pub use parameters::{PARAMETERS, Parameter, ParameterError, Parameters, Prices};

use super::draft::{DraftError, DraftPage, assemble};
use super::model::Dashboard;
use crate::domain::entity::EntityKind;

/// One template.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// Name on the command line.
    pub name: &'static str,
    /// Name of the dashboard.
    pub title: &'static str,
    /// What it answers, in one sentence.
    pub summary: &'static str,
    /// Why it may be empty although the pipeline runs.
    pub awaits: Option<Awaited>,
    /// What was changed against the dashboard that it stems from, and why.
    pub notes: &'static [&'static str],
    pages: fn(&Parameters) -> Vec<DraftPage>,
}

/// What the data of a template need beyond a pipeline that reads Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Entities of a kind that only some sources give.
    Kind(EntityKind),
}

impl Awaited {
    /// In a sentence: "no data until …".
    pub fn sentence(self) -> String {
        match self {
            Self::Kind(EntityKind::Queue) => "no data until a queue source runs".to_owned(),
            Self::Kind(kind) => format!("no data until a source gives {}", kind.type_name()),
        }
    }
}

impl Template {
    /// A template without notes, whose data Kafka alone gives.
    const fn new(
        name: &'static str,
        title: &'static str,
        summary: &'static str,
        pages: fn(&Parameters) -> Vec<DraftPage>,
    ) -> Self {
        Self { name, title, summary, awaits: None, notes: &[], pages }
    }

    /// The dashboard with these parameters.
    ///
    /// # Errors
    /// [`DraftError`]: parameters that make no sense together, such as thresholds.
    pub fn build(&self, parameters: &Parameters) -> Result<Dashboard, DraftError> {
        let pages = (self.pages)(parameters);
        let name = parameters.name().unwrap_or(self.title);
        assemble(name, self.summary, &pages, &parameters.settings())
    }
}

/// All templates, in the order in which they are listed.
pub fn templates() -> Vec<Template> {
    let mut all = vec![standard::STANDARD, operations::OPERATIONS];
    all.extend(entities::ENTITIES);
    all.extend(clusters::CLUSTERS);
    all.extend(performance::PERFORMANCE);
    all.extend(pipeline::PIPELINE);
    all.extend(gaps::GAPS);
    all
}

/// The template called `name`.
pub fn template(name: &str) -> Option<Template> {
    templates().into_iter().find(|template| template.name == name)
}
