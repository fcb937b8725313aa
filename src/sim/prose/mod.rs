//! A scenario as a feature in Gherkin that reads like prose: what there is, what goes wrong when,
//! and what must hold.
//!
//! Invariants:
//! - Every line of a feature is a keyword with its text or a comment: no text of a scenario,
//!   however it begins, is taken for a keyword or swallowed as a description.
//! - Every setting and every limit that is not the default has a step, every fault has one.
//!
//! Every step is one of the catalogue of `bdd`, so the feature runs, and describes the scenario.

use std::fmt::Write as _;

use crate::config::quantity::DurationText;
use crate::sim::check::CATALOGUE;
use crate::sim::fault::FaultSpec;
use crate::sim::scenario::{KafkaSpec, Scenario};

mod setting;
#[cfg(test)]
mod tests;

/// What a feature is made of.
#[derive(Debug, Clone)]
pub struct Story<'a> {
    /// Its name, as of a file: `retry-after-ignored`.
    pub name: &'a str,
    /// The situation.
    pub scenario: &'a Scenario,
    /// What must hold, in one sentence without a full stop.
    pub promise: &'a str,
    /// Lines above everything.
    pub comments: &'a [String],
}

impl Story<'_> {
    /// The text of its feature file.
    pub fn feature(&self) -> String {
        let scenario = self.scenario;
        let mut text = String::new();
        for line in self.comments.iter().flat_map(|comment| comment.lines()) {
            text.push_str(format!("# {}", one_line(line)).trim_end());
            text.push('\n');
        }
        let (name, promise) = (heading(self.name), sentence(self.promise));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "@regression\nFeature: {name}\n\n  Rule: {promise}\n");
        let _ = writeln!(text, "    Scenario: {}", sentence(&title(scenario)));
        steps(&mut text, "Given", given(scenario));
        steps(&mut text, "When", when(scenario));
        let limits = setting::limits(scenario);
        steps(&mut text, "Then", std::iter::once(self.outcome()).chain(limits).collect());
        text
    }

    /// The step that must hold: the promise itself if a check keeps it.
    fn outcome(&self) -> String {
        let promise = one_line(self.promise);
        let is_known = CATALOGUE.iter().any(|check| check.promise == promise);
        if is_known { promise } else { "every check passes".to_owned() }
    }
}

/// One step per line: the keyword first, then `And`.
fn steps(text: &mut String, keyword: &str, lines: Vec<String>) {
    let keywords = std::iter::once(keyword).chain(std::iter::repeat("And"));
    for (keyword, line) in keywords.zip(lines) {
        let _ = writeln!(text, "      {keyword} {}", one_line(&line));
    }
}

/// Words of `text`, with one blank between them: nothing that ends a line is left.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// A name of a file in words, with a capital: `Retry after ignored`.
fn heading(name: &str) -> String {
    sentence(&name.replace('-', " "))
}

/// `text` on one line, with a capital.
pub fn sentence(text: &str) -> String {
    let text = one_line(text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "Without a name".to_owned(),
    }
}

/// The promise of a check.
pub fn promise(check: &str) -> Option<&'static str> {
    CATALOGUE.iter().find(|known| known.name == check).map(|check| check.promise)
}

/// What happens, in a line: the faults by their labels.
pub fn title(scenario: &Scenario) -> String {
    const SHOWN_MAX: usize = 3;
    let faults = scenario.faults();
    let shown: Vec<&str> =
        faults.iter().take(SHOWN_MAX).map(|fault| fault.label.as_str()).collect();
    match (shown.split_last(), faults.len().saturating_sub(SHOWN_MAX)) {
        (None, _) => "nothing goes wrong".to_owned(),
        (Some((last, [])), 0) => (*last).to_owned(),
        (Some((last, before)), 0) => format!("{}, then {last}", before.join(", ")),
        (Some(_), 1) => format!("{} and one more fault", shown.join(", ")),
        (Some(_), more) => format!("{} and {more} more faults", shown.join(", ")),
    }
}

/// `1 broker`, `3 brokers`, `no brokers`.
fn count(number: u32, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

fn given(scenario: &Scenario) -> Vec<String> {
    let clusters = scenario.kafka.iter().map(|(name, kafka)| cluster(name, kafka));
    clusters.chain(setting::settings(scenario)).collect()
}

fn cluster(name: &str, kafka: &KafkaSpec) -> String {
    let mut text = format!("a Kafka cluster \"{name}\" of {}", count(kafka.brokers, "broker"));
    let _ = write!(text, " with {}", count(kafka.topics, "topic"));
    if kafka.topics > 0 {
        let each = if kafka.topics == 1 { "" } else { " each" };
        let _ = write!(text, " of {}{each}", count(kafka.partitions, "partition"));
        let _ = write!(text, " in {}", copies(kafka.replication));
    }
    let _ = write!(text, " and {}", count(kafka.groups, "consumer group"));
    text
}

fn copies(replicas: u32) -> String {
    if replicas == 1 { "1 copy".to_owned() } else { format!("{replicas} copies") }
}

fn when(scenario: &Scenario) -> Vec<String> {
    let mut faults: Vec<&FaultSpec> = scenario.fault.iter().collect();
    faults.sort_by_key(|fault| fault.at);
    let faults = faults.into_iter().map(fault);
    faults.chain([format!("the simulation runs for {}", time(scenario.duration))]).collect()
}

/// A fault with its times.
fn fault(spec: &FaultSpec) -> String {
    let at = spec.at;
    let begin = if at.0.is_zero() { "the start".to_owned() } else { time(at) };
    match spec.lasts {
        None if at.0.is_zero() => format!("{} at the start", spec.prose()),
        None => format!("{} after {begin}", spec.prose()),
        Some(lasts) => {
            let end = time(DurationText(at.0 + lasts.0));
            format!("{}, from {begin} to {end}", spec.prose())
        }
    }
}

/// A time in words: `2 min`, `90 s`, `1.5 s`, `250 ms`.
fn time(time: DurationText) -> String {
    let text = time.to_string();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let millis = time.as_millis();
    if text.ends_with("ms") && millis > 1_000 {
        #[expect(clippy::cast_precision_loss, reason = "times for people")]
        let seconds = millis as f64 / 1_000.0;
        return format!("{seconds} s");
    }
    format!("{digits} {}", &text[digits.len()..])
}
