//! What is wrong with a graph, all of it at once, each with the entities' names and a fix.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::hierarchy::down;
use super::{EdgeKey, Graph, Held, NodeId, Side};
use crate::domain::entity::EntityKind;
use crate::domain::guid::EntityGuid;
use crate::domain::relationship::{Cardinality, RelationshipKind};

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What was told cannot be true, or New Relic would drop it.
    Error,
    /// What was told is possible and says less, or more, than it should.
    Warning,
}

/// Sorts of issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueKind {
    /// A relationship leads to an entity that nobody described.
    OrphanedTarget,
    /// A relationship comes from an entity that nobody described.
    OrphanedSource,
    /// Entities that are above themselves.
    CircularHierarchy,
    /// An entity that is related to itself.
    SelfLoop,
    /// A second parent.
    SecondParent,
    /// A kind of relationship between kinds of entities that it does not join.
    PairNotAllowed,
    /// More ends than the kind may have.
    Cardinality,
    /// Ends in two accounts.
    CrossAccount,
    /// Ends in two clusters.
    CrossCluster,
    /// An entity that belongs to no cluster.
    OrphanedEntity,
    /// What another relationship says already.
    ImpliedDuplicate,
}

impl IssueKind {
    /// All, in order of severity.
    pub const ALL: [Self; 11] = [
        Self::OrphanedTarget,
        Self::OrphanedSource,
        Self::CircularHierarchy,
        Self::SelfLoop,
        Self::SecondParent,
        Self::PairNotAllowed,
        Self::Cardinality,
        Self::CrossAccount,
        Self::CrossCluster,
        Self::OrphanedEntity,
        Self::ImpliedDuplicate,
    ];

    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrphanedTarget => "orphaned_target",
            Self::OrphanedSource => "orphaned_source",
            Self::CircularHierarchy => "circular_hierarchy",
            Self::SelfLoop => "self_loop",
            Self::SecondParent => "second_parent",
            Self::PairNotAllowed => "pair_not_allowed",
            Self::Cardinality => "cardinality",
            Self::CrossAccount => "cross_account",
            Self::CrossCluster => "cross_cluster",
            Self::OrphanedEntity => "orphaned_entity",
            Self::ImpliedDuplicate => "implied_duplicate",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::OrphanedEntity | Self::ImpliedDuplicate => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// What it means, in one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::OrphanedTarget => "A relationship leads to an entity that nobody described.",
            Self::OrphanedSource => "A relationship comes from an entity that nobody described.",
            Self::CircularHierarchy => "Entities are, over some steps, their own parents.",
            Self::SelfLoop => "An entity is related to itself.",
            Self::SecondParent => "An entity has two parents.",
            Self::PairNotAllowed => "The kind does not join such entities.",
            Self::Cardinality => "An entity has more ends of a kind than it may have.",
            Self::CrossAccount => "The ends belong to two accounts.",
            Self::CrossCluster => "The ends belong to two clusters.",
            Self::OrphanedEntity => "An entity belongs to no cluster.",
            Self::ImpliedDuplicate => "Another relationship says the same already.",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Issue {
    /// What sort.
    pub kind: IssueKind,
    /// How bad.
    pub severity: Severity,
    /// The entities that it is about.
    #[serde(serialize_with = "wires")]
    pub entities: Vec<EntityGuid>,
    /// What is wrong, with names.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

fn wires<S: serde::Serializer>(guids: &[EntityGuid], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(guids.iter().map(EntityGuid::wire))
}

impl Graph {
    /// Everything that is wrong, sorted: by kind, then by the entities it is about.
    pub fn validate(&self) -> Vec<Issue> {
        let mut found = Found { graph: self, issues: Vec::new() };
        let held = self.relationships();
        for one in &held {
            found.relationship(one);
        }
        found.cardinality(&held);
        found.parents();
        found.cycles();
        found.orphans();
        found.duplicates(&held);
        found.issues.sort();
        found.issues
    }
}

struct Found<'a> {
    graph: &'a Graph,
    issues: Vec<Issue>,
}

impl Found<'_> {
    fn add(&mut self, kind: IssueKind, entities: Vec<EntityGuid>, message: String, help: String) {
        let severity = kind.severity();
        self.issues.push(Issue { kind, severity, entities, message, help });
    }

    fn words(&self, guid: &EntityGuid) -> String {
        self.graph.words(guid)
    }

    fn sentence(&self, held: &Held) -> String {
        let (source, target) = (self.words(&held.source), self.words(&held.target));
        format!("{source} {} {target}", held.kind.as_str())
    }

    /// What is wrong with one relationship by itself.
    fn relationship(&mut self, held: &Held) {
        let Held { source, kind, target } = *held;
        let sentence = self.sentence(held);
        if source == target {
            let help = "drop it: an entity is not related to itself".to_owned();
            return self.add(IssueKind::SelfLoop, vec![source], sentence, help);
        }
        self.dangling(held, &sentence);
        if source.account() != target.account() {
            let (one, other) = (source.account().get(), target.account().get());
            let message = format!("{sentence}, of accounts {one} and {other}");
            let help = format!("send the events of both to one account, {one} or {other}");
            self.add(IssueKind::CrossAccount, vec![source, target], message, help);
        }
        let (from, to) = (source.kind(), target.kind());
        if !kind.allowed().contains(&(from, to)) {
            let help = allowed_words(kind, from, to);
            self.add(IssueKind::PairNotAllowed, vec![source, target], sentence, help);
            return;
        }
        let clusters = self.graph.facts(&source).zip(self.graph.facts(&target));
        if let Some((one, other)) = clusters
            && !one.cluster.is_empty()
            && !other.cluster.is_empty()
            && (&one.provider, &one.cluster) != (&other.provider, &other.cluster)
        {
            let message = format!("{sentence}, of clusters {} and {}", one.cluster, other.cluster);
            let help = "check the clusterName and provider of both".to_owned();
            self.add(IssueKind::CrossCluster, vec![source, target], message, help);
        }
    }

    fn dangling(&mut self, held: &Held, sentence: &str) {
        let ends =
            [(IssueKind::OrphanedSource, held.source), (IssueKind::OrphanedTarget, held.target)];
        for (kind, end) in ends {
            if self.graph.facts(&end).is_none() {
                let message = format!("{sentence}, but no event describes {}", self.words(&end));
                let help = format!(
                    "send a MessageQueue event with entityGuid {}, or drop the relationship",
                    end.wire()
                );
                self.add(kind, vec![held.source, held.target], message, help);
            }
        }
    }

    /// Entities with more ends than the kind may have; a second parent is told as such.
    fn cardinality(&mut self, held: &[Held]) {
        let mut ends: BTreeMap<(RelationshipKind, EntityGuid), Vec<EntityGuid>> = BTreeMap::new();
        for Held { source, kind, target } in held {
            let (one, other) = match kind.cardinality() {
                Cardinality::ManyToMany => continue,
                Cardinality::OneToMany => (target, source),
                Cardinality::ManyToOne => (source, target),
            };
            ends.entry((*kind, *one)).or_default().push(*other);
        }
        for ((kind, entity), others) in ends {
            if others.len() < 2 || kind.down().is_some() {
                continue;
            }
            let name = match kind.cardinality() {
                Cardinality::OneToMany => kind.inverse(),
                Cardinality::ManyToOne | Cardinality::ManyToMany => kind.as_str(),
            };
            let message = format!("{} {name} {}", self.words(&entity), self.list(others.iter()));
            let help = "keep the one that is true now and drop the others".to_owned();
            let entities = std::iter::once(entity).chain(others).collect();
            self.add(IssueKind::Cardinality, entities, message, help);
        }
    }

    fn list<'a>(&self, guids: impl Iterator<Item = &'a EntityGuid>) -> String {
        guids.map(|guid| self.words(guid)).collect::<Vec<_>>().join(" and ")
    }

    fn parents(&mut self) {
        let mut parents: BTreeMap<EntityGuid, BTreeSet<EntityGuid>> = BTreeMap::new();
        for key in self.graph.keys() {
            if let Some((parent, child)) = down(key) {
                let parent = self.graph.guid(parent);
                parents.entry(self.graph.guid(child)).or_default().insert(parent);
            }
        }
        for (child, parents) in parents.into_iter().filter(|(_, parents)| parents.len() > 1) {
            let message = format!("{} is below {}", self.words(&child), self.list(parents.iter()));
            let help = format!(
                "keep one; until then it counts as below {}",
                parents.first().map(|first| self.words(first)).unwrap_or_default()
            );
            let entities = std::iter::once(child).chain(parents).collect();
            self.add(IssueKind::SecondParent, entities, message, help);
        }
    }

    /// One issue for each set of entities that are all above each other.
    fn cycles(&mut self) {
        for members in knots(self.graph) {
            let cycle = self.shortest_cycle(&members);
            let names: Vec<_> = cycle.iter().chain(cycle.first()).map(|g| self.words(g)).collect();
            let message = format!("a circle: {}", names.join(" > "));
            let help = "drop the relationship that leads upwards".to_owned();
            self.add(IssueKind::CircularHierarchy, cycle, message, help);
        }
    }

    /// The shortest way down from the first of `members` back to it.
    fn shortest_cycle(&self, members: &BTreeSet<EntityGuid>) -> Vec<EntityGuid> {
        let Some(&first) = members.first() else { return Vec::new() };
        let mut above: BTreeMap<EntityGuid, EntityGuid> = BTreeMap::new();
        let mut front = BTreeSet::from([first]);
        while !front.is_empty() && !above.contains_key(&first) {
            let mut next = BTreeSet::new();
            for guid in front {
                let node = self.graph.node(&guid);
                for child in node.into_iter().flat_map(|node| children(self.graph, node)) {
                    let child = self.graph.guid(child);
                    if members.contains(&child) && !above.contains_key(&child) {
                        above.insert(child, guid);
                        next.insert(child);
                    }
                }
            }
            front = next;
        }
        let mut cycle = vec![first];
        let mut at = above.get(&first).copied();
        while let Some(guid) = at.filter(|guid| *guid != first) {
            cycle.push(guid);
            at = above.get(&guid).copied();
        }
        // From the first one downwards; the walk went up.
        cycle[1..].reverse();
        cycle
    }

    fn orphans(&mut self) {
        let mut has_parent = vec![false; self.graph.nodes.len()];
        for (_, child) in self.graph.keys().filter_map(down) {
            has_parent[child.index()] = true;
        }
        for node in self.graph.ids().filter(|node| !has_parent[node.index()]) {
            let guid = self.graph.guid(node);
            let Some(facts) = self.graph.facts(&guid) else { continue };
            if guid.kind() == EntityKind::Cluster {
                continue;
            }
            let message = format!("{} belongs to no cluster", self.words(&guid));
            let name = match guid.kind() {
                EntityKind::Broker => RelationshipKind::Manages,
                _ => RelationshipKind::Contains,
            };
            let cluster = match facts.cluster.as_str() {
                "" => "its cluster".to_owned(),
                cluster => format!("cluster {cluster}"),
            };
            let help = format!(
                "tell that {cluster} {} it; it is missing while the cluster itself was not seen",
                name.as_str()
            );
            self.add(IssueKind::OrphanedEntity, vec![guid], message, help);
        }
    }

    fn duplicates(&mut self, held: &[Held]) {
        for one in held {
            for other in implied_by(one).into_iter().filter(|other| self.graph.holds(other)) {
                let message =
                    format!("{}, as {} says already", self.sentence(one), self.sentence(&other));
                let help = format!("tell {} alone", other.kind.as_str());
                let entities = vec![one.source, one.target];
                self.add(IssueKind::ImpliedDuplicate, entities, message, help);
            }
        }
        for edge in &self.graph.edges {
            let key = &edge.key;
            if edge.told == [true; 2] {
                let [source, target] = key.ends.map(|end| self.graph.guid(end));
                let held = Held { source, kind: key.kind, target };
                let inverse = key.kind.inverse();
                let message = format!("{}, told once more as {inverse}", self.sentence(&held));
                let help = format!("tell {} alone: {inverse} is derived", key.kind.as_str());
                self.add(IssueKind::ImpliedDuplicate, vec![source, target], message, help);
            }
        }
    }
}

impl From<&Held> for super::Told {
    fn from(held: &Held) -> Self {
        let Held { source, kind, target } = *held;
        let direction = crate::domain::relationship::Direction::Forward;
        Self { source, kind, target, direction }
    }
}

/// What says the same as `held`, better: ownership is told from above, reading as CONSUMES_FROM.
fn implied_by(held: &Held) -> Vec<Held> {
    let Held { source, kind, target } = *held;
    match kind {
        RelationshipKind::BelongsTo => [RelationshipKind::Contains, RelationshipKind::Manages]
            .map(|kind| Held { source: target, kind, target: source })
            .to_vec(),
        RelationshipKind::SubscribesTo | RelationshipKind::Processes => {
            vec![Held { source, kind: RelationshipKind::ConsumesFrom, target }]
        }
        // A cluster manages its brokers; V1 of the platform also said that it contains them.
        RelationshipKind::Contains => {
            vec![Held { source, kind: RelationshipKind::Manages, target }]
        }
        _ => Vec::new(),
    }
}

fn allowed_words(kind: RelationshipKind, from: EntityKind, to: EntityKind) -> String {
    let fits = |kind: &RelationshipKind| kind.allowed().contains(&(from, to));
    let better: Vec<_> =
        RelationshipKind::ALL.into_iter().filter(fits).map(RelationshipKind::as_str).collect();
    if !better.is_empty() {
        return format!("{} to {} is {}", from.type_name(), to.type_name(), better.join(" or "));
    }
    let pairs = kind.allowed().iter();
    let pairs: Vec<_> =
        pairs.map(|(from, to)| format!("{} to {}", from.type_name(), to.type_name())).collect();
    if pairs.is_empty() {
        format!("{} joins no entities of the MESSAGE_QUEUE_ types", kind.as_str())
    } else {
        format!("{} joins {}", kind.as_str(), pairs.join(", "))
    }
}

fn children(graph: &Graph, node: NodeId) -> impl Iterator<Item = NodeId> {
    let keys = Side::BOTH.into_iter().flat_map(move |side| graph.edges_at(node, side));
    keys.filter_map(move |key: EdgeKey| {
        down(&key).filter(|(parent, _)| *parent == node).map(|(_, child)| child)
    })
}

/// Sets of two and more entities of which each is above every other: strongly connected components
/// of the hierarchy (Tarjan's algorithm, with a stack of its own).
fn knots(graph: &Graph) -> Vec<BTreeSet<EntityGuid>> {
    const UNSEEN: usize = usize::MAX;
    let count = graph.nodes.len();
    let (mut number, mut low) = (vec![UNSEEN; count], vec![0; count]);
    let (mut is_open, mut open) = (vec![false; count], Vec::new());
    let (mut numbers, mut knots) = (0, Vec::new());
    for start in graph.ids() {
        if number[start.index()] != UNSEEN {
            continue;
        }
        let mut walk: Vec<(NodeId, std::vec::IntoIter<NodeId>)> = Vec::new();
        let mut enter = Some(start);
        loop {
            if let Some(node) = enter.take() {
                (number[node.index()], low[node.index()]) = (numbers, numbers);
                numbers += 1;
                open.push(node);
                is_open[node.index()] = true;
                walk.push((node, children(graph, node).collect::<Vec<_>>().into_iter()));
            }
            let Some((node, left)) = walk.last_mut() else { break };
            let at = node.index();
            match left.next() {
                Some(child) if number[child.index()] == UNSEEN => enter = Some(child),
                Some(child) if is_open[child.index()] => {
                    low[at] = low[at].min(number[child.index()]);
                }
                Some(_) => {}
                None => {
                    let node = *node;
                    walk.pop();
                    if let Some((parent, _)) = walk.last() {
                        low[parent.index()] = low[parent.index()].min(low[at]);
                    }
                    if low[at] == number[at] {
                        let members = close(&mut open, &mut is_open, node);
                        if members.len() > 1 {
                            knots.push(members.into_iter().map(|id| graph.guid(id)).collect());
                        }
                    }
                }
            }
        }
    }
    knots
}

/// Takes the component whose first entity is `root` off the stack.
fn close(open: &mut Vec<NodeId>, is_open: &mut [bool], root: NodeId) -> Vec<NodeId> {
    let mut members = Vec::new();
    while let Some(member) = open.pop() {
        is_open[member.index()] = false;
        members.push(member);
        if member == root {
            break;
        }
    }
    members
}
