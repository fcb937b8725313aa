//! A gap report as text, Markdown and JSON.
//!
//! Invariants: the three forms hold the same facts, JSON all of them; a percentage is rounded
//! down, so that 100 % means all; names cannot write on the terminal.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::estate::Estate;
use crate::domain::account::AccountId;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::guid::EntityGuid;
use crate::domain::units::UnixNanos;
use crate::domain::words::{counted, counted_as};
use crate::hybrid::gap::recommend::Recommendation;
use crate::hybrid::gap::{GapReport, KindCoverage};

/// What a report needs to say besides its gaps.
pub(super) struct Context<'a> {
    /// The topology's file.
    pub topology: String,
    /// What was looked at.
    pub estate: &'a Estate,
    /// Whose GUIDs are told.
    pub account: Option<AccountId>,
    /// Coverage that is demanded, in percent.
    pub fail_under: Option<f64>,
    /// Lines shown of each list.
    pub show: usize,
}

/// A list of the report: its title and its lines.
struct Section {
    title: &'static str,
    lines: Vec<String>,
}

const fn kind_word(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Cluster => "cluster",
        EntityKind::Broker => "broker",
        EntityKind::Topic => "topic",
        EntityKind::Queue => "queue",
        EntityKind::ConsumerGroup => "consumer group",
    }
}

/// A name without characters that control a terminal.
fn shown(name: &str) -> String {
    if !name.chars().any(char::is_control) {
        return name.to_owned();
    }
    name.chars().fold(String::new(), |mut text, c| {
        if c.is_control() {
            text.extend(c.escape_default())
        } else {
            text.push(c)
        }
        text
    })
}

/// `topic orders of kafka-prod (kafka)`.
fn described(key: &EntityKey) -> String {
    let (kind, provider) = (kind_word(key.kind()), shown(key.provider().as_str()));
    let (name, cluster) = (shown(key.name()), shown(key.cluster()));
    match key {
        EntityKey::Cluster { .. } => format!("{kind} {name} ({provider})"),
        EntityKey::Queue { vhost, .. } if !vhost.is_empty() => {
            format!("{kind} {name} of {cluster}, vhost {} ({provider})", shown(vhost))
        }
        _ => format!("{kind} {name} of {cluster} ({provider})"),
    }
}

/// Rounded down to a tenth.
fn percent(value: f64) -> String {
    format!("{:.1}", (value * 10.0).floor() / 10.0)
}

fn duration(age: Duration) -> String {
    let seconds = age.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}min {s}s"),
        (0, h, m, _) => format!("{h}h {m}min"),
        (d, h, _, _) => format!("{d}d {h}h"),
    }
}

fn time(instant: UnixNanos) -> String {
    let millis = instant.whole_millis().0;
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{millis} ms"),
    }
}

fn sections(report: &GapReport<'_>, context: &Context<'_>) -> Vec<Section> {
    let missing = report.all_missing().map(|key| match context.account {
        Some(account) => format!("{}  {}", described(key), EntityGuid::new(account, key).wire()),
        None => described(key),
    });
    let partial = report.partial_clusters.iter().map(|gap| {
        let expected = counted_as(gap.expected, "broker", "brokers");
        format!("{}: {} of {expected}", described(gap.key), gap.actual)
    });
    let stale = report
        .stale
        .iter()
        .map(|gap| format!("{}: silent for {}", described(gap.key), duration(gap.age)));
    let mismatches = report.mismatches.iter().map(|gap| {
        let (field, expected, actual) = (gap.field.as_str(), gap.expected, gap.actual);
        format!("{}: {field} is {actual}, not {expected}", described(gap.key))
    });
    let section = |title, lines| Section { title, lines };
    vec![
        section("Missing", missing.collect()),
        section("Partial clusters", partial.collect()),
        section("Stale", stale.collect()),
        section("Not configured as desired", mismatches.collect()),
        section("Not seen yet", report.pending.iter().map(|key| described(key)).collect()),
        section("Unexpected", report.unexpected.iter().map(|seen| described(&seen.key)).collect()),
    ]
}

fn verdict(report: &GapReport<'_>, context: &Context<'_>) -> String {
    let overall = report.coverage.overall();
    let mut text = format!(
        "coverage {} %: {} of {} present and fresh",
        percent(overall.percent()),
        overall.fresh,
        counted_as(overall.desired(), "desired entity", "desired entities"),
    );
    if let Some(limit) = context.fail_under {
        let judged = if overall.percent() < limit { "below" } else { "not below" };
        let _ = write!(text, ", {judged} the {limit} % demanded");
    }
    text
}

fn rows(report: &GapReport<'_>) -> Vec<(&'static str, KindCoverage)> {
    let kinds = report.coverage.by_kind.iter();
    let kinds = kinds.filter(|(_, counts)| counts.desired() > 0);
    let mut rows: Vec<_> = kinds.map(|(kind, counts)| (kind_word(kind), *counts)).collect();
    rows.push(("all", report.coverage.overall()));
    rows
}

/// The first lines of a list and how many are left.
fn cut(mut lines: Vec<String>, show: usize) -> (Vec<String>, Option<String>) {
    let more = lines.len().saturating_sub(show);
    lines.truncate(show);
    (lines, (more > 0).then(|| format!("and {more} more (--show, or --format json)")))
}

/// For people.
pub(super) fn text(report: &GapReport<'_>, context: &Context<'_>) -> String {
    let mut out = format!(
        "{} against {} at {}\n{}\n\n",
        context.topology,
        context.estate.source,
        time(report.now),
        verdict(report, context)
    );
    out.push_str("kind            desired    fresh    stale  missing  coverage\n");
    for (kind, counts) in rows(report) {
        let _ = writeln!(
            out,
            "{kind:<14} {:>8} {:>8} {:>8} {:>8} {:>7} %",
            counts.desired(),
            counts.fresh,
            counts.stale,
            counts.missing,
            percent(counts.percent())
        );
    }
    for Section { title, lines } in sections(report, context) {
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title} ({})", lines.len());
        let (lines, more) = cut(lines, context.show);
        for line in lines.iter().chain(&more) {
            let _ = writeln!(out, "  {line}");
        }
    }
    recommendations_text(&report.recommendations(), context.show, &mut out);
    if report.is_clean() {
        out.push_str("\nno gaps\n");
    }
    for note in &context.estate.notes {
        let _ = writeln!(out, "\nnote: {}", shown(note));
    }
    out
}

fn recommendations_text(all: &[Recommendation<'_>], show: usize, out: &mut String) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nRecommendations ({})", all.len());
    for one in all.iter().take(show) {
        let _ = writeln!(out, "  {:<6} {}", one.priority.as_str(), headline(one));
        if let Some(command) = &one.command {
            let _ = writeln!(out, "         $ {command}");
        }
    }
    if all.len() > show {
        let _ = writeln!(out, "  and {} more (--show, or --format json)", all.len() - show);
    }
}

/// `GAP003 topic orders of kafka-prod (kafka): missing: create it …`.
fn headline(one: &Recommendation<'_>) -> String {
    let about = one.key.map(|key| format!(" {}:", described(key))).unwrap_or_default();
    format!("{}{about} {}", one.code.as_str(), one.message)
}

/// A cell or item of Markdown: what a name holds is not taken for markup.
fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if "\\`*_[]<>|#&$~".contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// A command in a code span, whose fence is longer than any run of backticks in it.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let gap = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}

/// For pull requests and tickets.
pub(super) fn markdown(report: &GapReport<'_>, context: &Context<'_>) -> String {
    let mut out = format!(
        "# Gaps of {}\n\nAgainst {} at {}: {}.\n\n",
        plain(&shown(&context.topology)),
        plain(&shown(&context.estate.source)),
        time(report.now),
        verdict(report, context)
    );
    out.push_str("| kind | desired | fresh | stale | missing | coverage |\n");
    out.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (kind, counts) in rows(report) {
        let _ = writeln!(
            out,
            "| {kind} | {} | {} | {} | {} | {} % |",
            counts.desired(),
            counts.fresh,
            counts.stale,
            counts.missing,
            percent(counts.percent())
        );
    }
    for Section { title, lines } in sections(report, context) {
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n## {title} ({})\n", lines.len());
        let (lines, more) = cut(lines, context.show);
        for line in lines.iter().chain(&more) {
            let _ = writeln!(out, "- {}", plain(line));
        }
    }
    let all = report.recommendations();
    if !all.is_empty() {
        let _ = writeln!(out, "\n## {}\n", counted(all.len() as u64, "recommendation"));
    }
    for one in all.iter().take(context.show) {
        let _ = writeln!(out, "- **{}** {}", one.priority.as_str(), plain(&headline(one)));
        if let Some(command) = &one.command {
            let _ = writeln!(out, "  {}", code(command));
        }
    }
    if all.len() > context.show {
        let _ = writeln!(out, "- and {} more", all.len() - context.show);
    }
    if report.is_clean() {
        out.push_str("\nNo gaps.\n");
    }
    for note in &context.estate.notes {
        let _ = writeln!(out, "\nNote: {}", plain(&shown(note)));
    }
    out
}

fn entity(key: &EntityKey, account: Option<AccountId>) -> Value {
    let mut entity = json!({
        "entityType": key.kind().type_name(),
        "provider": key.provider().as_str(),
        "clusterName": key.cluster(),
        "name": key.name(),
    });
    if let EntityKey::Queue { vhost, .. } = key {
        entity["vhost"] = json!(vhost);
    }
    if let Some(account) = account {
        entity["entityGuid"] = json!(EntityGuid::new(account, key).wire());
    }
    entity
}

fn counts(counts: KindCoverage) -> Value {
    json!({
        "desired": counts.desired(),
        "fresh": counts.fresh,
        "stale": counts.stale,
        "missing": counts.missing,
        "pending": counts.pending,
        "percent": counts.percent(),
    })
}

/// For programs.
pub(super) fn json(report: &GapReport<'_>, context: &Context<'_>) -> Value {
    let of = |key: &EntityKey| entity(key, context.account);
    let kinds = report.coverage.by_kind.iter();
    let by_kind: serde_json::Map<String, Value> =
        kinds.map(|(kind, of_kind)| (kind.type_name().to_owned(), counts(*of_kind))).collect();
    let with = |key: &EntityKey, more: Value| {
        let mut entity = of(key);
        if let (Value::Object(entity), Value::Object(more)) = (&mut entity, more) {
            entity.extend(more);
        }
        entity
    };
    let overall = report.coverage.overall();
    let recommendations = report.recommendations().into_iter().map(|one| {
        json!({
            "code": one.code.as_str(),
            "priority": one.priority.as_str(),
            "entity": one.key.map(of),
            "message": one.message,
            "command": one.command,
        })
    });
    json!({
        "schema": 1,
        "topology": context.topology,
        "source": context.estate.source,
        "now": report.now.whole_millis(),
        "toleranceMs": u64::try_from(report.tolerance.as_millis()).unwrap_or(u64::MAX),
        "clean": report.is_clean(),
        "failUnder": context.fail_under,
        "passed": context.fail_under.is_none_or(|limit| overall.percent() >= limit),
        "coverage": { "overall": counts(overall), "byType": by_kind },
        "missing": report.all_missing().map(of).collect::<Vec<_>>(),
        "partialClusters": report.partial_clusters.iter().map(|gap| {
            with(gap.key, json!({ "expected": gap.expected, "actual": gap.actual }))
        }).collect::<Vec<_>>(),
        "stale": report.stale.iter().map(|gap| {
            let last_seen = gap.last_seen.whole_millis();
            with(gap.key, json!({ "lastSeen": last_seen, "ageSeconds": gap.age.as_secs_f64() }))
        }).collect::<Vec<_>>(),
        "mismatches": report.mismatches.iter().map(|gap| {
            let (field, expected, actual) = (gap.field.as_str(), gap.expected, gap.actual);
            with(gap.key, json!({ "field": field, "expected": expected, "actual": actual }))
        }).collect::<Vec<_>>(),
        "unexpected": report.unexpected.iter().map(|seen| of(&seen.key)).collect::<Vec<_>>(),
        "pending": report.pending.iter().map(|key| of(key)).collect::<Vec<_>>(),
        "recommendations": recommendations.collect::<Vec<_>>(),
        "notes": context.estate.notes,
    })
}

#[cfg(test)]
mod tests;
