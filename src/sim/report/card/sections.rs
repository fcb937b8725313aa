//! The sections of a card that are words: faults, chain, events, checks, settings, environment.

use std::fmt::Write as _;

use serde_json::Value;

use super::text::{capital, counted, escape, length, number, whole};
use super::verdict::used;
use super::{not_modelled, text};
use crate::sim::check::CheckResult;
use crate::sim::minimize::Size;
use crate::sim::report;
use crate::sim::report::timeline::clock;
use crate::sim::run::RunReport;
use crate::sim::run::evidence::{Chain, EventTold, Evidence, Link};
use crate::sim::run::passport::Passport;
use crate::sim::time::SimTime;

/// Violations of one check that are shown.
const VIOLATIONS_MAX: usize = 8;
/// Faults that are listed one by one.
const FAULTS_MAX: usize = 30;

/// What a reader should know of how many faults there are: whether all are needed.
fn minimized(report: &RunReport) -> String {
    match &report.scenario.minimized_from {
        Some(from) => format!(
            "<p class=\"note\">Cut down by <code>shakedown minimize</code> from {} to {}.</p>",
            escape(from),
            Size::of(&report.scenario)
        ),
        None if report.passed() => String::new(),
        None => format!(
            "<p class=\"note\">Not cut down yet: some of this may have nothing to do with the \
             failure. <code>shakedown minimize {}.html</code> finds the smallest run that fails \
             like it.</p>",
            report.id
        ),
    }
}

/// The faults as a list.
pub fn faults(report: &RunReport, evidence: &Evidence) -> String {
    let mut out = minimized(report);
    if evidence.faults.is_empty() {
        out.push_str("<p>Nothing was made to fail.</p>");
        return out;
    }
    out.push_str("<ol class=\"faults\">");
    for fault in evidence.faults.iter().take(FAULTS_MAX) {
        let lasts = match fault.to - fault.from {
            time if time.is_zero() => "once".to_owned(),
            time => format!("for {}", length(time)),
        };
        let _ = write!(
            out,
            "<li><time>{}</time> <b>{}</b>, {lasts} <code>{}</code></li>",
            clock(fault.from),
            escape(&capital(&fault.words)),
            escape(&fault.kind)
        );
    }
    out.push_str("</ol>");
    if let Some(more) = evidence.faults.len().checked_sub(FAULTS_MAX).filter(|more| *more > 0) {
        let _ = write!(out, "<p class=\"note\">… and {}.</p>", counted(more as u64, "more fault"));
    }
    out
}

/// The chain as a list, and what is known of its completeness.
pub fn chain(chain: &Chain, broken: bool) -> String {
    let mut out = format!("<p>{}</p><ol class=\"chain\">", escape(&chain.honesty));
    for (index, step) in chain.steps.iter().enumerate() {
        let (class, link) = match &step.link {
            Link::First if index > 0 => {
                ("inferred", Some("at the time that the scenario gives".to_owned()))
            }
            Link::First => ("first", None),
            Link::Recorded { from, via } => ("recorded", Some(led(*from, *via))),
            Link::Named => ("recorded", Some("by the fault, which the answer names".to_owned())),
            Link::Inferred => ("inferred", Some("later in time, no cause recorded".to_owned())),
            Link::Found => {
                ("inferred", Some("found by the check in what the run left behind".to_owned()))
            }
        };
        let last = index + 1 == chain.steps.len() && step.event.is_none() && index > 0;
        let last = if last && broken { " broken" } else { "" };
        let event = step.event.map(|id| format!("event {id}"));
        let link: Vec<String> = link.into_iter().chain(event).collect();
        let link = link.join(" · ");
        let _ = write!(
            out,
            "<li class=\"{class}{last}\"><time>{}</time><span><b>{}</b> {}<small>{link}\
             </small></span></li>",
            step.at,
            escape(&step.source),
            escape(&step.words)
        );
    }
    out.push_str("</ol>");
    out
}

/// Which earlier step led to one.
fn led(from: Option<SimTime>, via: u64) -> String {
    let by = match from {
        None => "led to by the step before".to_owned(),
        Some(at) => format!("led to by the step at {at}"),
    };
    if via == 0 { by } else { format!("{by}, by way of {}", counted(via, "event")) }
}

/// The last events before the chain's end.
pub fn events(events: &[EventTold], evidence: &Evidence) -> String {
    let mut out = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"The last events\">\
         <table class=\"events\"><thead><tr><th>time</th><th>event</th><th>led to by</th>\
         <th>who</th><th>what</th></tr></thead><tbody>",
    );
    for event in events {
        let class = if event.in_chain { " class=\"in-chain\"" } else { "" };
        let parent = event.parent.map(|parent| parent.to_string()).unwrap_or_default();
        let _ = write!(
            out,
            "<tr{class}><td>{}</td><td>{}</td><td>{parent}</td><td>{}</td><td>{}</td></tr>",
            event.at,
            event.id,
            escape(&event.source),
            escape(&event.words)
        );
    }
    out.push_str("</tbody></table></div>");
    let (all, looked) = evidence.trace_events;
    if looked < all {
        let _ = write!(
            out,
            "<p class=\"note\">The trace has {} events; only the first {} could be kept for this \
             card.</p>",
            whole(all),
            whole(looked)
        );
    }
    out
}

/// All checks, the broken ones first.
pub fn checks(report: &RunReport) -> String {
    let mut out = String::from("<div class=\"checks\" role=\"list\">");
    let (kept, broken): (Vec<&CheckResult>, Vec<&CheckResult>) =
        report.checks.iter().partition(|check| check.passed());
    for check in broken.into_iter().chain(kept) {
        one_check(&mut out, check);
    }
    out.push_str("</div>");
    out
}

fn one_check(out: &mut String, check: &CheckResult) {
    let finding = &check.finding;
    let (class, mark, word) = match (check.passed(), &finding.excused) {
        (false, _) => ("broken", "✗", "broken"),
        (true, Some(_)) => ("excused", "○", "excused"),
        (true, None) => ("kept", "✓", "kept"),
    };
    let _ = write!(
        out,
        "<div class=\"check {class}\" role=\"listitem\"><span class=\"mark\" title=\"{word}\">\
         {mark}</span><span class=\"promise\"><b>{}</b> {}</span><span class=\"examined\">{}\
         </span><span class=\"margin\">{}</span>",
        escape(check.name),
        escape(check.promise),
        counted(finding.examined, "object"),
        margin(check)
    );
    if let Some(why) = &finding.excused {
        let _ = write!(out, "<p class=\"note\">Excused: {}</p>", escape(why));
    }
    if !finding.violations.is_empty() {
        out.push_str("<ul>");
        for violation in finding.violations.iter().take(VIOLATIONS_MAX) {
            let at = violation.at.map(|at| format!("<time>{at}</time> ")).unwrap_or_default();
            let _ = write!(out, "<li>{at}{}</li>", escape(&violation.what));
        }
        let shown = finding.violations.len().min(VIOLATIONS_MAX) as u64;
        if finding.violation_count > shown {
            let _ = write!(out, "<li>… and {} more</li>", whole(finding.violation_count - shown));
        }
        out.push_str("</ul>");
    }
    out.push_str("</div>");
}

/// How much of the limit was used up, as a bar with its words.
fn margin(check: &CheckResult) -> String {
    let Some((margin, share)) = check.finding.margin.as_ref().zip(used(check)) else {
        return String::new();
    };
    let class = match share {
        _ if !check.passed() => "bad",
        share if share > 0.8 => "warn",
        _ => "good",
    };
    let share = text::percent(share);
    format!(
        "<svg class=\"bar\" width=\"100%\" height=\"6\" aria-hidden=\"true\"><rect class=\"all\" \
         width=\"100%\" height=\"6\"/><rect class=\"{class}\" width=\"{share}%\" height=\"6\"/>\
         </svg><small>{} of {} {}</small>",
        number(margin.worst),
        number(margin.limit),
        escape(margin.unit)
    )
}

/// What the seed decided, and facts that are no check.
pub fn drawn(report: &RunReport) -> String {
    let mut out = String::from("<ul>");
    for line in report.drawn.iter().chain(&report.notes) {
        let _ = write!(out, "<li>{}</li>", escape(line));
    }
    out.push_str("</ul>");
    if !report.sometimes.is_empty() {
        let marks: Vec<&str> = report.sometimes.iter().copied().collect();
        let _ = write!(out, "<p>Situations met: {}.</p>", escape(&marks.join(", ")));
    }
    out
}

/// Settings of the scenario that differ from the defaults.
pub fn settings(passport: &Passport) -> String {
    let changed = changed(&passport.scenario);
    if changed.is_empty() {
        return "<p>All settings are the defaults.</p>".to_owned();
    }
    let mut out = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Settings\"><table>\
         <thead><tr><th>setting</th><th>here</th><th>default</th></tr></thead><tbody>",
    );
    for (path, value, usual) in changed {
        let _ = write!(
            out,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escape(&path),
            escape(&value),
            escape(&usual)
        );
    }
    out.push_str("</tbody></table></div>");
    out
}

/// Path, value and default of every setting that differs; title, promise, duration and faults
/// stand elsewhere.
fn changed(scenario: &crate::sim::scenario::Scenario) -> Vec<(String, String, String)> {
    let value = |scenario| serde_json::to_value(scenario).unwrap_or_default();
    // A scenario's text with nothing but what it must have gives every default.
    let mut least = String::from("title = \"\"\nduration = \"1h\"\n[kafka]\n");
    for cluster in scenario.kafka.keys() {
        let _ = writeln!(least, "[kafka.{}]", Value::from(cluster.as_str()));
    }
    let usual: Option<crate::sim::scenario::Scenario> = toml::from_str(&least).ok();
    let usual = usual.as_ref().map(value).unwrap_or_default();
    let mut changed = Vec::new();
    differences("", &value(scenario), &usual, &mut changed);
    let elsewhere =
        ["title", "promise", "duration", "seed", "fault", "sometimes", "minimized_from"];
    changed.retain(|(path, ..)| !elsewhere.contains(&path.as_str()));
    changed
}

fn differences(path: &str, here: &Value, usual: &Value, out: &mut Vec<(String, String, String)>) {
    match (here, usual) {
        (Value::Object(here), usual) => {
            for (key, value) in here {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differences(&path, value, usual.get(key).unwrap_or(&Value::Null), out);
            }
        }
        (here, usual) if here != usual => out.push((path.to_owned(), plain(here), plain(usual))),
        _ => {}
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is left out of the simulated world.
pub fn not_modelled(report: &RunReport) -> String {
    let mut out = String::from("<dl>");
    for (part, words) in not_modelled::list(report.network) {
        let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", escape(part), escape(&words));
    }
    out.push_str("</dl>");
    out
}

/// Who ran what.
pub fn environment(passport: &Passport, report: &RunReport) -> String {
    let facts = [
        ("run", report.id.to_string()),
        ("scenario", passport.origin.clone()),
        ("seed", report.seed.to_string()),
        ("network", report.network.name().to_owned()),
        ("build", passport.build.to_string()),
        ("trace", report.trace.to_string()),
    ];
    let failures = report.failures();
    let failures: Vec<String> =
        failures.iter().map(|f| format!("{} ({})", f.fingerprint, f.check)).collect();
    let failures = (!failures.is_empty()).then(|| ("fingerprints", failures.join(", ")));
    let mut out = String::from("<dl class=\"facts\">");
    for (name, value) in facts.into_iter().chain(failures) {
        let _ = write!(out, "<dt>{name}</dt><dd><code>{}</code></dd>", escape(&value));
    }
    out.push_str("</dl>");
    out
}

/// The commands that go on from here, each with a button that copies it.
pub fn commands(passport: &Passport, report: &RunReport, focus: SimTime) -> String {
    let card = format!("{}.html", report.id);
    let until = clock(focus);
    let mut commands = vec![
        ("Run it again", report::replay(&passport.origin, report)),
        (
            "See what everybody did at an instant",
            format!("shakedown replay {card} --until {until}"),
        ),
    ];
    if !report.passed() {
        commands.push((
            "Find the smallest run that fails like it",
            format!("shakedown minimize {card}"),
        ));
        let promote = format!("shakedown promote {card} --name NAME");
        commands.push(("Keep it as a scenario", promote));
    }
    let mut out = String::from("<ul class=\"commands\">");
    for (what, command) in commands {
        let _ = write!(
            out,
            "<li><span>{what}</span><pre tabindex=\"0\">{}</pre><button type=\"button\" \
             class=\"copy\">Copy</button></li>",
            escape(&command)
        );
    }
    out.push_str("</ul>");
    out
}
