//! Conditions and service levels as Terraform's provider `newrelic/newrelic` takes them.
//!
//! Invariant: every text is quoted, with `${` and `%{` escaped, so that no name becomes a template.

use std::fmt::Write as _;

use super::EVENT_TYPE;
use super::condition::{Basis, Condition, Term};
use super::nerdgraph::terms;
use super::service_level::Indicator;
use super::settings::Plan;
use crate::domain::account::AccountId;

/// Where the blocks of the policy and its conditions refer to it.
const POLICY: &str = "message_queues";

/// A quoted template of HCL that stands for `text` alone.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if letters.peek() == Some(&'{') => {
                out.push(letter);
                out.push(letter);
            }
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// A block's name: letters, digits and `_`, not first a digit.
fn label(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = text.chars().map(plain).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// Lines of a file, indented by block; values that follow each other are aligned, as `terraform
/// fmt` does it.
#[derive(Default)]
struct Lines {
    text: String,
    depth: usize,
    values: Vec<(String, String)>,
}

impl Lines {
    /// Writes the values that wait.
    fn align(&mut self) {
        let width = self.values.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in std::mem::take(&mut self.values) {
            self.write(&format!("{name:<width$} = {value}"));
        }
    }

    fn write(&mut self, line: &str) {
        let indent = if line.is_empty() { 0 } else { self.depth * 2 };
        let _ = writeln!(self.text, "{:indent$}{line}", "");
    }

    fn line(&mut self, line: &str) {
        self.align();
        self.write(line);
    }

    fn block(&mut self, head: &str, inside: impl FnOnce(&mut Self)) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        inside(self);
        self.align();
        self.depth -= 1;
        self.write("}");
    }

    fn set(&mut self, name: &str, value: impl std::fmt::Display) {
        self.values.push((name.to_owned(), value.to_string()));
    }

    fn provider(&mut self) {
        self.block("terraform", |lines| {
            lines.block("required_providers", |lines| {
                lines.line("newrelic = { source = \"newrelic/newrelic\", version = \"~> 3.0\" }");
            });
        });
    }
}

/// The policy and its conditions.
pub fn conditions_text(plan: &Plan, account: AccountId) -> String {
    let mut lines = Lines::default();
    lines.provider();
    lines.line("");
    lines.block(&format!("resource \"newrelic_alert_policy\" \"{POLICY}\""), |lines| {
        lines.set("account_id", account);
        lines.set("name", quoted(&plan.policy.name));
        lines.set("incident_preference", quoted(plan.policy.incident_preference.as_str()));
    });
    for condition in &plan.conditions {
        lines.line("");
        let head =
            format!("resource \"newrelic_nrql_alert_condition\" \"{}\"", label(&condition.id));
        lines.block(&head, |lines| condition_block(lines, condition, account));
    }
    lines.text
}

fn condition_block(lines: &mut Lines, condition: &Condition, account: AccountId) {
    let signal = condition.signal;
    let baseline = condition.basis == Basis::Baseline;
    lines.set("account_id", account);
    lines.set("policy_id", format!("newrelic_alert_policy.{POLICY}.id"));
    lines.set("type", quoted(if baseline { "baseline" } else { "static" }));
    lines.set("name", quoted(&condition.name));
    lines.set("description", quoted(&condition.description));
    if let Some(url) = &condition.runbook_url {
        lines.set("runbook_url", quoted(url));
    }
    lines.set("enabled", true);
    lines.set("violation_time_limit_seconds", signal.closes_after_seconds);
    lines.set("fill_option", quoted("none"));
    lines.set("aggregation_window", signal.aggregation_window_seconds);
    lines.set("aggregation_method", quoted("event_flow"));
    lines.set("aggregation_delay", signal.aggregation_delay_seconds);
    if baseline {
        lines.set("baseline_direction", quoted("upper_only"));
    }
    if condition.basis == Basis::Silence {
        lines.set("expiration_duration", signal.silent_after_seconds);
        lines.set("open_violation_on_expiration", true);
        lines.set("close_violations_on_expiration", false);
    }
    lines.line("");
    lines.block("nrql", |lines| lines.set("query", quoted(&condition.query.nrql())));
    let (operator, terms) = terms(condition);
    for Term { priority, threshold, duration_seconds } in terms {
        lines.line("");
        lines.block(&priority.as_str().to_ascii_lowercase(), |lines| {
            lines.set("operator", quoted(&operator.as_str().to_ascii_lowercase()));
            lines.set("threshold", threshold);
            lines.set("threshold_duration", duration_seconds);
            lines.set("threshold_occurrences", quoted("all"));
        });
    }
}

/// Service levels.
pub fn service_levels_text(indicators: &[Indicator]) -> String {
    let mut lines = Lines::default();
    lines.provider();
    for indicator in indicators {
        lines.line("");
        let name = label(&format!("{}_{}", indicator.cluster, indicator.id));
        lines.block(&format!("resource \"newrelic_service_level\" \"{name}\""), |lines| {
            lines.set("guid", quoted(&indicator.entity_guid));
            lines.set("name", quoted(&indicator.name));
            lines.set("description", quoted(&indicator.description));
            lines.line("");
            lines.block("events", |lines| {
                lines.set("account_id", indicator.account);
                for (head, filter) in
                    [("valid_events", &indicator.valid), ("good_events", &indicator.good)]
                {
                    lines.block(head, |lines| events_block(lines, indicator, filter));
                }
            });
            lines.line("");
            lines.block("objective", |lines| {
                lines.set("target", indicator.target_percent);
                lines.block("time_window", |lines| {
                    lines.block("rolling", |lines| {
                        lines.set("count", indicator.window_days);
                        lines.set("unit", quoted("DAY"));
                    });
                });
            });
        });
    }
    lines.text
}

fn events_block(lines: &mut Lines, indicator: &Indicator, filter: &str) {
    lines.set("from", quoted(EVENT_TYPE));
    lines.set("where", quoted(filter));
    if let Some(attribute) = indicator.sum_of {
        lines.block("select", |lines| {
            lines.set("attribute", quoted(attribute));
            lines.set("function", quoted("SUM"));
        });
    }
}
