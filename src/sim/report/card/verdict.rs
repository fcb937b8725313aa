//! The verdict: in words for a person, as JSON for a program.

use super::text::{counted, escape, length, number};
use crate::sim::check::{CheckResult, Class, Failure};
use crate::sim::report::timeline::clock;
use crate::sim::run::evidence::{Evidence, FaultTold};
use crate::sim::run::passport::Passport;
use crate::sim::run::{FirstBroken, RunId, RunReport};
use crate::sim::time::SimTime;
use crate::sim::trace::TraceDigest;

/// Version of the verdict's form; raised when a reader of the old form would misread the new one.
pub const VERDICT_SCHEMA: u32 = 1;

/// What programs read in a card, beside the passport.
#[derive(Debug, serde::Serialize)]
pub struct Verdict<'a> {
    schema: u32,
    id: &'a RunId,
    passed: bool,
    /// Class of the worst broken promise.
    class: Option<Class>,
    /// Names of the broken checks, in the order of the catalogue.
    broken: Vec<&'static str>,
    /// When the first promise broke, nanoseconds from the start.
    broken_at: Option<SimTime>,
    /// Each way in which it failed, with its fingerprint.
    failures: Vec<Failure>,
    checks: &'a [CheckResult],
    sometimes: Vec<&'static str>,
    trace: TraceDigest,
}

impl<'a> Verdict<'a> {
    /// The verdict of a run.
    pub fn of(report: &'a RunReport) -> Self {
        let broken = || report.checks.iter().filter(|check| !check.passed());
        Self {
            schema: VERDICT_SCHEMA,
            id: &report.id,
            passed: report.passed(),
            class: broken().map(|check| check.class).min(),
            broken: broken().map(|check| check.name).collect(),
            broken_at: broken_at(report),
            failures: report.failures(),
            checks: &report.checks,
            sometimes: report.sometimes.iter().copied().collect(),
            trace: report.trace,
        }
    }
}

/// When the first promise broke, as far as that is known.
pub fn broken_at(report: &RunReport) -> Option<SimTime> {
    report.first_broken().map(|first| first.at)
}

/// The paragraph at the top, as markup.
pub fn paragraph(passport: &Passport, report: &RunReport, evidence: &Evidence) -> String {
    match report.first_broken() {
        None => passed(passport, report, evidence),
        Some(first) => failed(report, evidence, &first),
    }
}

fn failed(report: &RunReport, evidence: &Evidence, first: &FirstBroken<'_>) -> String {
    let (finding, at) = (&first.check.finding, first.at);
    let mut text = format!("Promised: <q>{}</q>. That did not hold. ", escape(first.check.promise));
    match first.violation {
        None => text.push_str("The check found nothing to examine, so it proves nothing."),
        Some(violation) => {
            text.push_str(&format!(
                "<b>At {}: {}</b>",
                clock(at),
                escape(violation.what.trim_end_matches('.'))
            ));
            if finding.violation_count > 1 {
                let more = counted(finding.violation_count - 1, "more case");
                text.push_str(&format!(", and {more} in this run"));
            }
            text.push_str(". ");
            text.push_str(&circumstances(&evidence.faults, at));
        }
    }
    let broken = report.checks.iter().filter(|check| !check.passed()).map(|check| check.name);
    let others: Vec<&str> = broken.filter(|name| *name != first.check.name).collect();
    let kept = report.checks.iter().filter(|check| check.passed()).count();
    if !others.is_empty() {
        text.push_str(&format!(" Also broken: {}.", escape(&others.join(", "))));
    }
    text.push_str(&format!(" {kept} of {} promises were kept.", report.checks.len()));
    text
}

/// What was wrong with the world at `at`.
fn circumstances(faults: &[FaultTold], at: SimTime) -> String {
    let in_force: Vec<&FaultTold> =
        faults.iter().filter(|fault| fault.from <= at && at < fault.to).collect();
    if let Some(first) = in_force.first() {
        let more = match in_force.len() - 1 {
            0 => String::new(),
            more => format!(" and {}", counted(more as u64, "other fault")),
        };
        let since = length(at - first.from);
        return format!("In force then: {}{more}, for {since}.", escape(&first.words));
    }
    match faults.iter().filter(|fault| fault.to <= at).max_by_key(|fault| fault.to) {
        Some(last) => format!(
            "No fault was in force; the last, {}, had ended {} before.",
            escape(&last.words),
            length(at - last.to)
        ),
        None if faults.is_empty() => "The scenario has no fault.".to_owned(),
        None => "No fault had begun yet.".to_owned(),
    }
}

fn passed(passport: &Passport, report: &RunReport, evidence: &Evidence) -> String {
    let faults = match evidence.faults.len() {
        0 => "without any fault".to_owned(),
        count => format!("through {}", counted(count as u64, "fault")),
    };
    let excused = excused(report);
    let mut text = format!(
        "All {} promises were kept, {faults}, in {} of simulated time.",
        report.checks.len() - excused.len(),
        length(report.timeline.end.since_start())
    );
    if let Some((check, margin)) = nearest(report) {
        let finding = check.finding.margin.as_ref();
        let unit = finding.map_or("", |margin| margin.unit);
        let (worst, limit) = finding.map_or((0.0, 0.0), |margin| (margin.worst, margin.limit));
        text.push_str(&format!(
            " Nearest to breaking: <b>{}</b>, at worst {} of {} {} ({:.0} % of its limit).",
            escape(check.name),
            number(worst),
            number(limit),
            escape(unit),
            margin * 100.0
        ));
    }
    if !excused.is_empty() {
        text.push_str(&format!(" Not to be kept in this run: {}.", excused.join("; ")));
    }
    if !passport.scenario.promise.is_empty() {
        text.push_str(&format!(" So: <q>{}</q>", escape(&passport.scenario.promise)));
    }
    text
}

/// The promises that were not to be kept in this run, each with the reason.
fn excused(report: &RunReport) -> Vec<String> {
    let why = |check: &CheckResult| {
        let why = check.finding.excused.as_deref()?;
        Some(format!("<b>{}</b>, because {}", escape(check.name), escape(why)))
    };
    report.checks.iter().filter_map(why).collect()
}

/// How much of its limit a check used up, 0 to 1; `None` when it has none.
pub fn used(check: &CheckResult) -> Option<f64> {
    let margin = check.finding.margin.as_ref()?;
    let share = if margin.limit > 0.0 {
        margin.worst / margin.limit
    } else {
        f64::from(u8::from(margin.worst > margin.limit))
    };
    share.is_finite().then_some(share.clamp(0.0, 1.0))
}

/// The check that used up most of its limit.
fn nearest(report: &RunReport) -> Option<(&CheckResult, f64)> {
    let used = report.checks.iter().filter_map(|check| Some((check, used(check)?)));
    used.filter(|(_, share)| *share > 0.0).max_by(|a, b| a.1.total_cmp(&b.1))
}
