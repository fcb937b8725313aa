//! Cucumber messages: what tools of the Cucumber family read, one JSON object a line.
//!
//! Source: the schema of `@cucumber/messages`; the official `@cucumber/html-formatter` takes what
//! is written here (`ci/interop/features.sh`).
//!
//! Invariant: ids count from 1 in the order of the envelopes, and every instant is the epoch's: a
//! simulated scenario takes no time that would be worth telling.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Verdict, replay};
use crate::bdd::document::{Argument, Examples, Keyword, Row, Scenario, Step, Text};
use crate::bdd::steps::{Phase, Step as Known};
use crate::bdd::suite::{Source, StepStatus, Trial};

/// The version of the schema.
const PROTOCOL: &str = "27.0.0";

/// The envelopes of a suite, one a line. A scenario that was run with several seeds is told by its
/// first failure, or its first run.
pub fn messages(sources: &[Source], verdicts: &[Verdict<'_>]) -> String {
    let mut writer = Writer::default();
    writer.meta();
    for source in sources.iter().filter(|source| is_run(source, verdicts)) {
        writer.source(source);
    }
    for verdict in verdicts {
        writer.pickle(verdict.trial);
    }
    writer.definitions(verdicts);
    writer.tell(json!({ "testRunStarted": { "timestamp": instant() } }));
    for verdict in verdicts {
        writer.run(verdict);
    }
    let success = verdicts.iter().all(Verdict::passed);
    writer.tell(json!({ "testRunFinished": { "success": success, "timestamp": instant() } }));
    writer.out
}

fn is_run(source: &Source, verdicts: &[Verdict<'_>]) -> bool {
    verdicts.iter().any(|verdict| verdict.trial.file == source.file)
}

fn instant() -> Value {
    json!({ "seconds": 0, "nanos": 0 })
}

/// What of a file's tree later envelopes refer to.
#[derive(Default)]
struct Nodes {
    /// By line: scenarios, rows of examples and steps.
    by_line: BTreeMap<usize, String>,
    /// Scenarios that rows belong to, by the row's line.
    of_row: BTreeMap<usize, String>,
    /// Tags by name.
    tags: BTreeMap<String, String>,
}

#[derive(Default)]
struct Writer {
    out: String,
    ids: u64,
    nodes: BTreeMap<String, Nodes>,
    definitions: BTreeMap<&'static str, String>,
    pickles: Vec<(String, Vec<String>)>,
    told: usize,
}

impl Writer {
    fn tell(&mut self, envelope: Value) {
        self.out.push_str(&envelope.to_string());
        self.out.push('\n');
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        self.ids.to_string()
    }

    fn meta(&mut self) {
        let name = env!("CARGO_PKG_NAME");
        let version = env!("CARGO_PKG_VERSION");
        self.tell(json!({ "meta": {
            "protocolVersion": PROTOCOL,
            "implementation": { "name": name, "version": version },
            "runtime": { "name": name, "version": version },
            "os": { "name": "simulated" },
            "cpu": { "name": "simulated" },
        } }));
    }

    fn source(&mut self, source: &Source) {
        let uri = &source.file;
        self.tell(json!({ "source": {
            "uri": uri,
            "data": source.text,
            "mediaType": "text/x.cucumber.gherkin+plain",
        } }));
        let mut tree = Tree { writer: self, source, nodes: Nodes::default() };
        let feature = tree.feature();
        let nodes = tree.nodes;
        self.tell(json!({ "gherkinDocument": {
            "uri": uri, "feature": feature, "comments": [],
        } }));
        self.nodes.insert(uri.clone(), nodes);
    }

    fn pickle(&mut self, trial: &Trial) {
        let id = self.id();
        let steps: Vec<String> = trial.steps.iter().map(|_| self.id()).collect();
        let empty = Nodes::default();
        let nodes = self.nodes.get(&trial.file).unwrap_or(&empty);
        let row = nodes.of_row.get(&trial.line).map(|_| nodes.by_line.get(&trial.line));
        let row: Option<&String> = row.flatten();
        let scenario = nodes.of_row.get(&trial.line).or(nodes.by_line.get(&trial.line));
        let told: Vec<Value> = trial
            .steps
            .iter()
            .zip(&steps)
            .map(|(step, id)| {
                let ast: Vec<&String> =
                    nodes.by_line.get(&step.line).into_iter().chain(row).collect();
                json!({
                    "id": id,
                    "text": words(&step.text),
                    "type": kind(step.step.phase),
                    "astNodeIds": ast,
                })
            })
            .collect();
        let tags: Vec<Value> = trial.tags.iter().map(|tag| {
            json!({ "name": tag, "astNodeId": nodes.tags.get(tag).cloned().unwrap_or_default() })
        }).collect();
        let ast: Vec<&String> = scenario.into_iter().chain(row).collect();
        let envelope = json!({ "pickle": {
            "id": id, "uri": trial.file, "name": trial.scenario, "language": "en",
            "steps": told, "tags": tags, "astNodeIds": ast,
        } });
        self.tell(envelope);
        self.pickles.push((id, steps));
    }

    fn definitions(&mut self, verdicts: &[Verdict<'_>]) {
        let steps = verdicts.iter().flat_map(|verdict| &verdict.trial.steps);
        let mut known: BTreeMap<&'static str, &'static Known> = BTreeMap::new();
        for step in steps {
            known.insert(step.step.pattern, step.step);
        }
        for pattern in known.into_keys() {
            let id = self.id();
            self.tell(json!({ "stepDefinition": {
                "id": id,
                "pattern": { "source": pattern, "type": "CUCUMBER_EXPRESSION" },
                "sourceReference": { "uri": "docs/STEPS.md" },
            } }));
            self.definitions.insert(pattern, id);
        }
    }

    fn run(&mut self, verdict: &Verdict<'_>) {
        let Some((pickle, pickle_steps)) = self.pickles.get(self.told).cloned() else { return };
        self.told += 1;
        let Some(outcome) = verdict.failed().or(verdict.outcomes.first()) else { return };
        let (case, started) = (self.id(), self.id());
        let steps: Vec<String> = pickle_steps.iter().map(|_| self.id()).collect();
        let told: Vec<Value> = verdict
            .trial
            .steps
            .iter()
            .zip(&steps)
            .zip(&pickle_steps)
            .map(|((step, id), pickle_step)| {
                json!({
                    "id": id,
                    "pickleStepId": pickle_step,
                    "stepDefinitionIds": [self.definitions.get(step.step.pattern)],
                    "stepMatchArgumentsLists": [{ "stepMatchArguments": [] }],
                })
            })
            .collect();
        self.tell(json!({ "testCase": { "id": case, "pickleId": pickle, "testSteps": told } }));
        self.tell(json!({ "testCaseStarted": {
            "attempt": 0, "id": started, "testCaseId": case, "timestamp": instant(),
        } }));
        for (step, id) in outcome.steps.iter().zip(&steps) {
            let mut result = json!({ "status": status(step.status), "duration": instant() });
            if step.status == StepStatus::Failed {
                let why = outcome.failure.as_deref().unwrap_or_default();
                let again = replay(verdict.trial, outcome);
                result["message"] = format!("{why}\nseed {}\nagain: {again}", outcome.seed).into();
            }
            self.tell(json!({ "testStepStarted": {
                "testCaseStartedId": started, "testStepId": id, "timestamp": instant(),
            } }));
            self.tell(json!({ "testStepFinished": {
                "testCaseStartedId": started, "testStepId": id, "testStepResult": result,
                "timestamp": instant(),
            } }));
        }
        self.tell(json!({ "testCaseFinished": {
            "testCaseStartedId": started, "timestamp": instant(), "willBeRetried": false,
        } }));
    }
}

/// A step without its keyword.
fn words(text: &str) -> &str {
    text.split_once(' ').map_or(text, |(_, words)| words)
}

fn kind(phase: Phase) -> &'static str {
    match phase {
        Phase::Given => "Context",
        Phase::When => "Action",
        Phase::Then => "Outcome",
    }
}

fn status(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Passed => "PASSED",
        StepStatus::Failed => "FAILED",
        StepStatus::Skipped => "SKIPPED",
    }
}

/// A file's tree on its way into an envelope.
struct Tree<'a> {
    writer: &'a mut Writer,
    source: &'a Source,
    nodes: Nodes,
}

impl Tree<'_> {
    fn line(&self, at: usize) -> usize {
        self.source.position(at).0
    }

    fn location(&self, at: usize) -> Value {
        let (line, column) = self.source.position(at);
        json!({ "line": line, "column": column })
    }

    fn feature(&mut self) -> Value {
        let feature = &self.source.feature;
        let mut children: Vec<Value> = self.background(&feature.background).into_iter().collect();
        children.extend(feature.scenarios.iter().map(|scenario| self.scenario(scenario)));
        for rule in &feature.rules {
            let mut own: Vec<Value> = self.background(&rule.background).into_iter().collect();
            own.extend(rule.scenarios.iter().map(|scenario| self.scenario(scenario)));
            let (id, tags) = (self.writer.id(), self.tags(&rule.tags));
            children.push(json!({ "rule": {
                "id": id, "location": self.location(rule.name.span.start), "tags": tags,
                "keyword": "Rule", "name": rule.name.value, "description": rule.description,
                "children": own,
            } }));
        }
        let tags = self.tags(&feature.tags);
        json!({
            "location": self.location(feature.name.span.start), "tags": tags, "language": "en",
            "keyword": "Feature", "name": feature.name.value,
            "description": feature.description, "children": children,
        })
    }

    fn background(&mut self, steps: &[Step]) -> Option<Value> {
        let first = steps.first()?;
        let told: Vec<Value> = steps.iter().map(|step| self.step(step)).collect();
        let id = self.writer.id();
        Some(json!({ "background": {
            "id": id, "location": self.location(first.span.start), "keyword": "Background",
            "name": "", "description": "", "steps": told,
        } }))
    }

    fn scenario(&mut self, scenario: &Scenario) -> Value {
        let id = self.writer.id();
        let start = scenario.name.span.start;
        self.nodes.by_line.insert(self.line(start), id.clone());
        let steps: Vec<Value> = scenario.steps.iter().map(|step| self.step(step)).collect();
        let examples: Vec<Value> =
            scenario.examples.iter().map(|examples| self.examples(&id, examples)).collect();
        let keyword = if scenario.is_outline { "Scenario Outline" } else { "Scenario" };
        let tags = self.tags(&scenario.tags);
        json!({ "scenario": {
            "id": id, "location": self.location(start), "tags": tags, "keyword": keyword,
            "name": scenario.name.value, "description": scenario.description, "steps": steps,
            "examples": examples,
        } })
    }

    fn step(&mut self, step: &Step) -> Value {
        let id = self.writer.id();
        self.nodes.by_line.insert(self.line(step.span.start), id.clone());
        let kind = match step.keyword {
            Keyword::Given | Keyword::When | Keyword::Then => kind(step.phase),
            Keyword::And | Keyword::But => "Conjunction",
            Keyword::Star => "Unknown",
        };
        let mut told = json!({
            "id": id, "location": self.location(step.span.start),
            "keyword": format!("{} ", step.keyword.written()), "keywordType": kind,
            "text": step.text.value,
        });
        match &step.argument {
            Some(Argument::Table(table)) => {
                let rows: Vec<Value> = table.rows.iter().map(|row| self.row(row)).collect();
                let location = self.location(table.span().start);
                told["dataTable"] = json!({ "location": location, "rows": rows });
            }
            Some(Argument::Quoted(text)) => {
                let location = self.location(text.span.start);
                told["docString"] =
                    json!({ "location": location, "content": text.value, "delimiter": "\"\"\"" });
            }
            None => {}
        }
        told
    }

    fn examples(&mut self, scenario: &str, examples: &Examples) -> Value {
        let rows: Vec<Value> = examples.table.rows.iter().map(|row| self.row(row)).collect();
        for row in examples.table.rows.iter().skip(1) {
            self.nodes.of_row.insert(self.line(row.span.start), scenario.to_owned());
        }
        let (id, tags) = (self.writer.id(), self.tags(&examples.tags));
        let (head, body) =
            rows.split_first().map_or((Value::Null, &[][..]), |(head, body)| (head.clone(), body));
        json!({
            "id": id, "location": self.location(examples.name.span.start), "tags": tags,
            "keyword": "Examples", "name": examples.name.value,
            "description": examples.description, "tableHeader": head, "tableBody": body,
        })
    }

    fn row(&mut self, row: &Row) -> Value {
        let id = self.writer.id();
        self.nodes.by_line.insert(self.line(row.span.start), id.clone());
        let cell = |cell: &Text| json!({ "location": self.location(cell.span.start), "value": cell.value });
        let cells: Vec<Value> = row.cells.iter().map(cell).collect();
        json!({ "id": id, "location": self.location(row.span.start), "cells": cells })
    }

    fn tags(&mut self, tags: &[Text]) -> Vec<Value> {
        let told = tags.iter().map(|tag| {
            let id = self.writer.id();
            self.nodes.tags.insert(tag.value.clone(), id.clone());
            json!({ "id": id, "location": self.location(tag.span.start), "name": tag.value })
        });
        told.collect()
    }
}
