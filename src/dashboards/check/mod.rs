//! What is wrong with a dashboard, as far as reading it tells.
//!
//! Invariants:
//! - All problems at once, in the order of the dashboard, each with its widget, its place, its fix.
//! - A code never changes its meaning. Codes of queries are those of [`crate::nrql::lint`].

mod codes;
mod queries;
mod references;
mod structure;
#[cfg(test)]
mod tests;
mod thresholds;
pub mod vocabulary;

pub use codes::CODES;

use super::model::Dashboard;
use crate::nrql::lint::Severity;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable, in kebab case.
    pub code: &'static str,
    /// How bad it is: errors fail a validation.
    pub severity: Severity,
    /// Its page, if it is in one.
    pub page: Option<String>,
    /// Its widget or variable, if it is in one.
    pub widget: Option<String>,
    /// Where: a JSON pointer from the dashboard.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// Everything that is wrong with `dashboard`.
pub fn check(dashboard: &Dashboard) -> Vec<Problem> {
    let mut report = Report::default();
    structure::check(dashboard, &mut report);
    queries::check(dashboard, &mut report);
    thresholds::check(dashboard, &mut report);
    references::check(dashboard, &mut report);
    report.problems.sort_by_key(|problem| order(&problem.pointer));
    report.problems
}

/// Pointers in the order of the text: numbers count as numbers.
fn order(pointer: &str) -> Vec<(u64, String)> {
    let part = |part: &str| match part.parse() {
        Ok(number) => (number, String::new()),
        Err(_) => (0, part.to_owned()),
    };
    pointer.split('/').map(part).collect()
}

/// Where something is.
#[derive(Debug, Clone, Default)]
struct Spot {
    page: Option<String>,
    widget: Option<String>,
    pointer: String,
}

impl Spot {
    fn below(&self, path: &str) -> Self {
        Self { pointer: format!("{}/{path}", self.pointer), ..self.clone() }
    }
}

/// Problems on their way.
#[derive(Default)]
struct Report {
    problems: Vec<Problem>,
}

impl Report {
    fn error(&mut self, code: &'static str, spot: &Spot, message: impl Into<String>, help: &str) {
        self.add(code, Severity::Error, spot, message.into(), help.to_owned());
    }

    fn warning(&mut self, code: &'static str, spot: &Spot, message: impl Into<String>, help: &str) {
        self.add(code, Severity::Warning, spot, message.into(), help.to_owned());
    }

    fn add(
        &mut self,
        code: &'static str,
        severity: Severity,
        spot: &Spot,
        message: String,
        help: String,
    ) {
        let Spot { page, widget, pointer } = spot.clone();
        self.problems.push(Problem { code, severity, page, widget, pointer, message, help });
    }
}

/// Calls `f` with every widget, its page's name and its spot.
fn each_widget(dashboard: &Dashboard, f: &mut dyn FnMut(&super::model::Widget, &Spot)) {
    for (page_number, page) in dashboard.pages.iter().enumerate() {
        for (number, widget) in page.widgets.iter().enumerate() {
            let name = match widget.title.trim() {
                "" => format!("widget {}", number + 1),
                title => title.to_owned(),
            };
            let spot = Spot {
                page: Some(page.name.clone()),
                widget: Some(name),
                pointer: format!("/pages/{page_number}/widgets/{number}"),
            };
            f(widget, &spot);
        }
    }
}
