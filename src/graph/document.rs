//! `docs/RELATIONSHIPS.md`, made of the same tables that the code works with.

use std::fmt::Write as _;

use super::{IssueKind, Severity};
use crate::domain::entity::EntityKind;
use crate::domain::relationship::{Cardinality, Direction, RelationshipKind};

const HEAD: &str = "<!-- Written by `SHAKEDOWN_BLESS=1 cargo test --lib graph::document`; change \
    src/domain/relationship.rs, src/graph or this head in src/graph/document.rs instead. -->\n\
# Relationships\n\n\
Entities are related: a cluster manages its brokers, a group consumes from topics. A relationship \
is stored once, from its source to its target; its name as seen from the target is derived. The \
pipeline tells relationships as events of the type `MessageQueueRelationship`, one for each, every \
`relationships_every` (`[cycle]` of the pipeline's configuration).\n\n\
`shakedown topology graph`, `path` and `check` read such events, together with those of the type \
`MessageQueue` that describe the entities, from a file (`--events`) or from a simulated run \
(`--scenario`). Of a desired topology (`shakedown topology graph estate.toml`) they show what \
should be there: what clusters have and what groups read, with the GUIDs of the account that is \
named.\n\n\
## Kinds\n\n\
| Kind | Seen from the target | Ends | Joins | Hierarchy | Told by the pipeline |\n\
|---|---|---|---|---|---|\n";

const HIERARCHY: &str = "\n## Hierarchy\n\n\
An account has clusters, and a cluster has brokers, topics, queues and consumer groups. The kinds \
marked above lead from parent to child. An entity has one parent: of several that were told, the \
first by GUID counts, and `second_parent` is an issue. A level is the parent's plus one; accounts \
have level 0. A circle is cut before its first entity by GUID, and `circular_hierarchy` is an \
issue.\n\n\
## What counts\n\n\
The newest description of an entity counts; one that is older than `--stale-after` (five minutes) \
before the newest of all is stale. A relationship that was last told so long before the newest is \
over. Of kinds with one target (`COORDINATED_BY`, `BELONGS_TO`), only what was told last counts: a \
coordinator that moved is one coordinator.\n\n\
## Not told, and why\n\n\
`SUBSCRIBES_TO` and `PROCESSES`: a group is known by the offsets that it commits, and these are \
what `CONSUMES_FROM` says. `BELONGS_TO` is what `CONTAINS` and `MANAGES` say from the other end. \
`HOSTS`, `PRODUCES_TO`, `CONNECTS_TO` and `ROUTES_TO` have ends (partitions, services, \
applications, exchanges) that are no entities here. `REPLICATES_TO` follows from which brokers \
serve a topic, and no source tells it by itself.\n\n\
New Relic has its own words: its rules in `fixtures/definitions/relationships` store \
`CONSUMES_FROM` as `CONSUMES`, and `COORDINATED_BY` as `CONNECTS_TO`, which expires after 15 \
minutes because coordinators move.\n\n\
## Issues\n\n\
`shakedown topology check` finds all at once, each with the names of the entities and a fix.\n\n\
| Issue | Severity | Meaning |\n\
|---|---|---|\n";

/// The whole document.
fn document() -> String {
    let mut out = String::from(HEAD);
    // Writing to a string cannot fail.
    for kind in RelationshipKind::ALL {
        let pairs: Vec<_> = kind
            .allowed()
            .iter()
            .map(|(from, to)| format!("{} → {}", noun(*from), noun(*to)))
            .collect();
        let pairs =
            if pairs.is_empty() { "no entities of ours".to_owned() } else { pairs.join(", ") };
        let ends = match kind.cardinality() {
            Cardinality::OneToMany => "1 : N",
            Cardinality::ManyToOne => "N : 1",
            Cardinality::ManyToMany => "N : N",
        };
        let hierarchy = match kind.down() {
            None => "",
            Some(Direction::Forward) => "parent to child",
            Some(Direction::Inverse) => "child to parent",
        };
        let _ = writeln!(
            out,
            "| `{}` | `{}` | {ends} | {pairs} | {hierarchy} | {} |",
            kind.as_str(),
            kind.inverse(),
            told(kind)
        );
    }
    out.push_str(HIERARCHY);
    for kind in IssueKind::ALL {
        let severity = match kind.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(out, "| `{}` | {severity} | {} |", kind.as_str(), kind.meaning());
    }
    out
}

const fn told(kind: RelationshipKind) -> &'static str {
    match kind {
        RelationshipKind::Contains | RelationshipKind::Manages | RelationshipKind::ConsumesFrom => {
            "yes"
        }
        RelationshipKind::CoordinatedBy => "yes, from the group's coordinator",
        RelationshipKind::Serves => "with `serves = true` (`[cycle]`)",
        _ => "no",
    }
}

const fn noun(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::ConsumerGroup => "consumer group",
        other => other.prefix(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_the_code_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/RELATIONSHIPS.md");
        if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
            std::fs::write(path, document()).expect("writable");
        }
        let committed = std::fs::read_to_string(path).expect("the document");
        assert!(
            committed == document(),
            "write it anew: SHAKEDOWN_BLESS=1 cargo test --lib graph::document"
        );
    }
}
