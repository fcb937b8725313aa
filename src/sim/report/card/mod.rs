//! The card of a run: one HTML file that tells a person what was promised, what broke, and how it
//! came to that.
//!
//! Invariants:
//! - A pure function of passport, report and evidence; equal runs give equal bytes.
//! - The file is whole in itself: no address leads out of it, and its policy forbids to load
//!   anything; its only script and its only style are named there by their hashes.
//! - Every text of the run is escaped; a name in a scenario cannot become markup.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use self::text::{escape, json, length, whole};
use crate::sim::run::RunReport;
use crate::sim::run::evidence::Evidence;
use crate::sim::run::passport::Passport;
use crate::sim::time::SimTime;

mod curves;
pub mod diagram;
pub mod lanes;
mod not_modelled;
mod sections;
#[cfg(test)]
mod tests;
pub mod text;
pub mod verdict;

const STYLE: &str = concat!(include_str!("picture.css"), include_str!("style.css"));
const SCRIPT: &str = include_str!("card.js");

/// Stands in the head of every card, so that a part of one is known for what it is.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"shakedown card 1\">";

/// What a policy calls an inline text.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// The axis of a run's pictures.
pub fn axis(report: &RunReport) -> lanes::Axis {
    let broken = verdict::broken_at(report);
    lanes::Axis { end: report.timeline.end, heal: report.timeline.heal, broken }
}

/// The card.
pub fn html(passport: &Passport, report: &RunReport, evidence: &Evidence) -> String {
    let mut out = String::with_capacity(128 << 10);
    head(&mut out, report);
    body_head(&mut out, passport, report, evidence);
    out.push_str("<main>");
    pictures(&mut out, report, evidence);
    words(&mut out, passport, report, evidence);
    out.push_str("</main>");
    foot(&mut out, passport, report, evidence);
    out
}

fn head(out: &mut String, report: &RunReport) {
    let verdict = if report.passed() { "passed" } else { "failed" };
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         {GENERATOR}\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{verdict}: {} (seed {})</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>{STYLE}</style>\n</head>\n",
        escape(&report.title),
        report.seed
    );
}

fn body_head(out: &mut String, passport: &Passport, report: &RunReport, evidence: &Evidence) {
    let (class, word) = if report.passed() { ("kept", "Passed") } else { ("broken", "Failed") };
    let _ = write!(
        out,
        "<body>\n<header>\n<p class=\"top\"><span class=\"verdict {class}\">{word}</span>\
         <span class=\"run\">run <code>{}</code> · seed <code>{}</code> · {} · {} simulated</span>\
         <button type=\"button\" id=\"theme\">Light or dark</button></p>\n<h1>{}</h1>\n\
         <p class=\"lead\">{}</p>\n",
        report.id,
        report.seed,
        report.network.name(),
        length(report.timeline.end.since_start()),
        escape(&report.title),
        verdict::paragraph(passport, report, evidence)
    );
    out.push_str("</header>\n");
}

fn section(out: &mut String, id: &str, title: &str, about: &str, body: &str) {
    let about =
        if about.is_empty() { String::new() } else { format!("<p class=\"note\">{about}</p>") };
    let _ = writeln!(
        out,
        "<section id=\"{id}\" aria-labelledby=\"h-{id}\"><h2 id=\"h-{id}\">{title}</h2>\
         {about}{body}</section>"
    );
}

const CONTROLS: &str = "<p class=\"controls\" data-script><button type=\"button\" data-zoom=\"in\">\
    Zoom in</button><button type=\"button\" data-zoom=\"out\">Zoom out</button><button \
    type=\"button\" data-zoom=\"all\">Whole run</button><button type=\"button\" \
    data-zoom=\"focus\">Around the instant</button></p>";

fn pictures(out: &mut String, report: &RunReport, evidence: &Evidence) {
    let axis = axis(report);
    section(out, "faults", "What was made to fail", "", &sections::faults(report, evidence));
    let title =
        if report.passed() { "What it did, and how it passed" } else { "How it came to that" };
    section(out, "chain", title, "", &sections::chain(&evidence.chain, !report.passed()));
    let lanes = format!(
        "{CONTROLS}<div class=\"lanes\">{}</div><output id=\"pointed\" aria-live=\"polite\">\
         </output>{}",
        lanes::html(&evidence.lanes, &axis),
        lanes::legend(&evidence.lanes)
    );
    let about = "Point at a bar for its exact times; drag to move. In a row: ← → from bar to bar, \
                 ↑ ↓ from row to row, + − 0 zoom. The dashed line is the end of the last fault.";
    section(out, "time", "Over time", about, &lanes);
    sequence(out, evidence);
    let curves: String = evidence
        .curves
        .iter()
        .enumerate()
        .map(|(index, curve)| curves::html(curve, index, &axis))
        .collect();
    let about = "Point at a curve to read every line at that instant.";
    let curves = format!("<div class=\"curves\">{curves}</div>");
    section(out, "curves", "What was, against what should have been", about, &curves);
}

fn sequence(out: &mut String, evidence: &Evidence) {
    let sequence = &evidence.sequence;
    let (width, height) = diagram::size(sequence);
    let mut body = format!(
        "<div class=\"scroll wide\" tabindex=\"0\" role=\"region\" aria-label=\"Sequence diagram\">\
         <svg class=\"sequence\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"group\" aria-label=\"Messages\">{}</svg>\
         </div><div id=\"row\" class=\"opened\" aria-live=\"polite\" hidden></div>",
        diagram::body(sequence)
    );
    if sequence.left_out > 0 {
        let left_out = whole(sequence.left_out);
        let _ =
            write!(body, "<p class=\"note\">{left_out} messages further away are left out.</p>");
    }
    let about = format!(
        "{}. In order, not to scale; messages of a burst are one row. Click a row, or press Enter \
         on it, for its single messages.",
        escape(&sequence.caption)
    );
    section(out, "messages", "Who told whom what", &about, &body);
}

fn folded(out: &mut String, id: &str, title: &str, body: &str) {
    let _ =
        writeln!(out, "<details id=\"{id}\"><summary><h2>{title}</h2></summary>{body}</details>");
}

fn words(out: &mut String, passport: &Passport, report: &RunReport, evidence: &Evidence) {
    section(out, "checks", "Every promise", "", &sections::checks(report));
    let events = &evidence.last_events;
    let title = format!("The last {} events before it", events.len());
    folded(out, "events", &title, &sections::events(events, evidence));
    folded(out, "drawn", "What the seed decided", &sections::drawn(report));
    folded(
        out,
        "settings",
        "Settings that differ from the defaults",
        &sections::settings(passport),
    );
    folded(out, "not-modelled", "What is not modelled", &sections::not_modelled(report));
    section(
        out,
        "again",
        "Again",
        "",
        &sections::commands(passport, report, focus(report, evidence)),
    );
    section(out, "environment", "Environment", "", &sections::environment(passport, report));
}

/// The instant that the card is about: when the first promise broke, else the chain's begin.
fn focus(report: &RunReport, evidence: &Evidence) -> SimTime {
    let begin = evidence.chain.steps.first().map(|step| step.at);
    verdict::broken_at(report).or(begin).unwrap_or(SimTime::ZERO)
}

/// What the script needs, and what programs read.
fn foot(out: &mut String, passport: &Passport, report: &RunReport, evidence: &Evidence) {
    /// For the script: times in milliseconds.
    #[derive(serde::Serialize)]
    struct Data<'a> {
        end: u64,
        focus: u64,
        span: u64,
        curves: Vec<curves::Data<'a>>,
        rows: Vec<(String, Vec<String>)>,
    }
    let data = Data {
        end: report.timeline.end.as_millis(),
        focus: focus(report, evidence).as_millis(),
        span: (evidence.sequence.to - evidence.sequence.from).as_millis().try_into().unwrap_or(0),
        curves: curves::data(&evidence.curves),
        rows: diagram::details(&evidence.sequence),
    };
    let _ = write!(
        out,
        "<script type=\"application/json\" id=\"passport\">{}</script>\n\
         <script type=\"application/json\" id=\"verdict\">{}</script>\n\
         <script type=\"application/json\" id=\"data\">{}</script>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n",
        json(passport),
        json(&verdict::Verdict::of(report)),
        json(&data)
    );
}
