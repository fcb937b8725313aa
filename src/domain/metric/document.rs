//! `docs/METRICS.md`, generated from the tables.

use std::fmt::Write as _;

use super::{ALIASES, CATALOGUE, FieldSource, MetricDef, Source};
use crate::domain::attribute::{ATTRIBUTES, AttributeForm};
use crate::domain::entity::EntityKind;
use crate::domain::sample::Origin;

const HEAD: &str = "\
# Metrics

Generated from the tables in `src/domain/metric/` and `src/domain/attribute.rs`; a test compares \
this file with them. Write it anew with `SHAKEDOWN_BLESS=1 cargo test --lib domain::metric`.

Every entity is one `MessageQueue` event per cycle with the attributes below. An attribute is \
there only when its value is known: absence and zero are different facts. Names with “yes” under \
Quote have a reserved word of NRQL as a dotted part and need back-quotes in queries.

How values come about:

- A *rate* is the growth of a counter per second between two samples of the same source; the first \
sight of a counter, and its reset, give none. `collectionWindowMs` is the time between the two \
samples, by the collector's clock, when all rates that were sampled about the entity share one; \
otherwise `collectionWindowMinMs` and `collectionWindowMaxMs` give its bounds. Rates folded in \
from other entities (a topic's reading rate from groups) keep those entities' windows and do not \
count; a cluster has the windows of its brokers.
- Of several samples about one entity in a cycle the newest value of each metric wins; of several \
fields in one sample the first source in the table that is there and valid wins.
- A *derived* metric is recomputed whenever its parts are known, so that the formula always holds \
between the values of one event.
- A topic's figures from several brokers are added up. A group's come from its rows by partition; \
totals that a source sends beside them are used only when there are no such rows, and never added.
- A value outside its range, or not finite, is left out and counted; the rest of its sample stays.
";

const TAIL: &str = "
## Metrics of your own

A `[[metric]]` in `pipeline.toml` derives further metrics from those above by an expression in \
NRQL; a `[[mapping]]` makes a metric of a raw field that no table names. They stand in the same \
events. `MessageQueueWindow` events have figures over spans of time, named after the metric: \
`.mean`, `.min`, `.max`, `.last`, `.sum`. [EXTENDING.md](EXTENDING.md) explains all three.
";

/// The text of `docs/METRICS.md`.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    for kind in EntityKind::ALL {
        section(&mut text, kind);
    }
    text.push_str("\n## Other spellings\n\nAccepted where a metric is named, never sent.\n\n");
    text.push_str("| Alias | Canonical name |\n|---|---|\n");
    for (alias, name) in ALIASES {
        push(&mut text, format_args!("| `{alias}` | `{name}` |\n"));
    }
    text.push_str(TAIL);
    text
}

fn section(text: &mut String, kind: EntityKind) {
    push(text, format_args!("\n## {}\n\n", kind.type_name()));
    text.push_str("| Attribute | Quote | Unit | Kind | Range | Meaning | Sources, best first |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for def in CATALOGUE[kind as usize] {
        row(text, def);
    }
    let own: Vec<_> = ATTRIBUTES.iter().filter(|def| def.entity == kind).collect();
    if own.is_empty() {
        return;
    }
    text.push_str("\n| Descriptive attribute | Form | Meaning | Sources, best first |\n");
    text.push_str("|---|---|---|---|\n");
    for def in own {
        let form = match def.form {
            AttributeForm::Text => "text",
            AttributeForm::Integer => "whole number",
        };
        let sources: Vec<_> = def
            .sources
            .iter()
            .map(|source| format!("{}: `{}`", source.origin.as_str(), source.field))
            .collect();
        let (name, meaning) = (def.name, def.meaning);
        push(text, format_args!("| `{name}` | {form} | {meaning} | {} |\n", sources.join("<br>")));
    }
}

fn row(text: &mut String, def: &MetricDef) {
    let quote = if def.needs_back_quotes() { "yes" } else { "" };
    let (name, unit, kind) = (def.name, def.unit.as_str(), def.kind.as_str());
    let range = if def.range.max > 1e6 {
        format!("≥ {}", def.range.min)
    } else {
        format!("{}–{}", def.range.min, def.range.max)
    };
    let sources: Vec<_> = def.sources.iter().map(source).collect();
    let sources = if sources.is_empty() { "none yet".to_owned() } else { sources.join("<br>") };
    let meaning = def.meaning;
    push(
        text,
        format_args!(
            "| `{name}` | {quote} | {unit} | {kind} | {range} | {meaning} | {sources} |\n"
        ),
    );
}

fn source(source: &Source) -> String {
    match source {
        Source::Formula(formula) => format!("= {formula}"),
        Source::Field(FieldSource { origin, subject, field, scale }) => {
            let about = match origin {
                Origin::Kafka | Origin::NriKafka => subject.as_str(),
            };
            format!("{} {about}: `{field}`{}", origin.as_str(), scale.as_str())
        }
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes everything");
}
