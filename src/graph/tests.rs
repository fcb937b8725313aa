//! The graph against a model of sets, planted faults, and shapes that would overflow a stack.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::account::AccountId;
use crate::domain::entity::EntityKey;
use crate::domain::provider::Provider;

fn key(kind: EntityKind, cluster: &str, name: &str) -> EntityKey {
    let (provider, cluster, name) = (Provider::Kafka, cluster.to_owned(), name.to_owned());
    match kind {
        EntityKind::Cluster => EntityKey::Cluster { provider, cluster },
        EntityKind::Broker => EntityKey::Broker { provider, cluster, broker_id: name },
        EntityKind::Topic => EntityKey::Topic { provider, cluster, topic: name },
        EntityKind::Queue => {
            EntityKey::Queue { provider, cluster, vhost: String::new(), queue: name }
        }
        EntityKind::ConsumerGroup => EntityKey::Group { provider, cluster, group: name },
    }
}

pub(super) fn guid(kind: EntityKind, cluster: &str, name: &str) -> EntityGuid {
    EntityGuid::new(AccountId::try_from(1).unwrap(), &key(kind, cluster, name))
}

pub(super) fn described(
    graph: &mut Graph,
    kind: EntityKind,
    cluster: &str,
    name: &str,
) -> EntityGuid {
    let guid = guid(kind, cluster, name);
    let facts = EntityFacts {
        name: if name.is_empty() { cluster.to_owned() } else { name.to_owned() },
        provider: "kafka".to_owned(),
        cluster: cluster.to_owned(),
        health_percent: Some(97.0),
        ..EntityFacts::default()
    };
    graph.describe(guid, facts);
    guid
}

fn told(source: EntityGuid, kind: RelationshipKind, target: EntityGuid) -> Told {
    Told { source, kind, target, direction: Direction::Forward }
}

/// A sound cluster: brokers `1` to `brokers`, topics `t1`…, groups `g1`… that read every topic.
pub(super) fn cluster(graph: &mut Graph, name: &str, brokers: usize, topics: usize, groups: usize) {
    use EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
    let top = described(graph, Cluster, name, "");
    let named = |letter: &str, count: usize| {
        (1..=count).map(|n| format!("{letter}{n}")).collect::<Vec<_>>()
    };
    let mut of = BTreeMap::new();
    for (kind, letter, count) in
        [(Broker, "", brokers), (Topic, "t", topics), (ConsumerGroup, "g", groups)]
    {
        for own in named(letter, count) {
            let guid = described(graph, kind, name, &own);
            let by = match kind {
                Broker => RelationshipKind::Manages,
                _ => RelationshipKind::Contains,
            };
            graph.add(told(top, by, guid));
            of.entry(kind).or_insert_with(Vec::new).push(guid);
        }
    }
    for (place, group) in of.get(&ConsumerGroup).into_iter().flatten().enumerate() {
        let broker = of[&Broker][place % brokers];
        graph.add(told(*group, RelationshipKind::CoordinatedBy, broker));
        for topic in of.get(&Topic).into_iter().flatten() {
            graph.add(told(*group, RelationshipKind::ConsumesFrom, *topic));
        }
    }
}

fn small() -> Graph {
    let mut graph = Graph::new();
    cluster(&mut graph, "orders", 3, 2, 2);
    graph
}

#[test]
fn what_is_told_is_found_from_both_ends() {
    use EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
    let graph = small();
    let related = |kind, name: &str, query: &RelatedQuery| -> Vec<String> {
        let found = graph.related(&guid(kind, "orders", name), query);
        let mut words: Vec<_> = found
            .iter()
            .map(|one| format!("{} {} {}", one.depth, one.step.name(), graph.name(&one.entity)))
            .collect();
        words.sort();
        words
    };
    let near = RelatedQuery::default();
    assert_eq!(related(Broker, "1", &near), ["1 COORDINATES g1", "1 MANAGED_BY orders"]);
    let down = RelatedQuery { reach: Reach::Forward, ..RelatedQuery::default() };
    assert_eq!(related(Broker, "1", &down), Vec::<String>::new());
    assert_eq!(
        related(ConsumerGroup, "g2", &down),
        ["1 CONSUMES_FROM t1", "1 CONSUMES_FROM t2", "1 COORDINATED_BY 2"]
    );
    let readers = RelatedQuery {
        kinds: vec![RelationshipKind::ConsumesFrom],
        depth_max: 9,
        ..RelatedQuery::default()
    };
    assert_eq!(
        related(Topic, "t1", &readers),
        ["1 CONSUMED_BY g1", "1 CONSUMED_BY g2", "2 CONSUMES_FROM t2"]
    );
    assert_eq!(related(Cluster, "orders", &near).len(), 7);
    assert_eq!(related(Broker, "absent", &near), Vec::<String>::new());
}

#[test]
fn changes_are_told_once() {
    use EntityKind::{Cluster, Topic};
    let mut graph = Graph::new();
    let (top, topic) = (guid(Cluster, "a", ""), guid(Topic, "a", "t"));
    let held = Held { source: top, kind: RelationshipKind::Contains, target: topic };
    let inverse = Told::named(topic, "CONTAINED_IN", top).unwrap();
    assert_eq!(graph.add(inverse), Some(Change::RelationshipAdded(held)));
    assert_eq!(graph.add(&held), None, "the same, told the other way round");
    assert_eq!(graph.describe(topic, EntityFacts::default()), Some(Change::EntityAdded(topic)));
    assert_eq!(graph.describe(topic, EntityFacts::default()), None);
    let named = EntityFacts { name: "t".to_owned(), ..EntityFacts::default() };
    assert_eq!(graph.describe(topic, named), Some(Change::EntityChanged(topic)));
    assert_eq!((graph.standing(&top), graph.standing(&topic)), (Standing::Missing, Standing::Live));
    assert_eq!(graph.remove(inverse), Some(Change::RelationshipRemoved(held)));
    assert_eq!(graph.remove(inverse), None);
    assert!(!graph.contains(&top), "known by the relationship alone");
    graph.add(&held);
    assert_eq!(
        graph.remove_entity(&topic),
        [Change::RelationshipRemoved(held), Change::EntityRemoved(topic)]
    );
    assert_eq!(graph.clear(), Change::Cleared { entities: 0, relationships: 0 });
    cluster(&mut graph, "b", 1, 1, 1);
    assert_eq!(graph.clear(), Change::Cleared { entities: 4, relationships: 5 });
    assert!(graph.entities().is_empty() && graph.relationships().is_empty());
}

#[test]
fn figures() {
    let mut graph = small();
    cluster(&mut graph, "billing", 1, 0, 0);
    described(&mut graph, EntityKind::Queue, "alone", "q");
    let stats = graph.stats();
    assert_eq!((stats.total_entities, stats.total_relationships), (11, 14));
    assert_eq!(stats.relationship_counts["CONSUMES_FROM"], 4);
    assert_eq!(stats.entity_counts["MESSAGE_QUEUE_BROKER"], 4);
    assert_eq!((stats.hierarchy_depth, stats.components, stats.isolated), (2, 3, 1));
    let hierarchy = graph.hierarchy();
    assert_eq!(hierarchy.orphans(), [guid(EntityKind::Queue, "alone", "q")]);
    assert_eq!(hierarchy.subtree(&guid(EntityKind::Cluster, "orders", "")).len(), 8);
    assert_eq!(Graph::new().stats(), Stats::default());
}

/// Plants one fault in a sound graph; the name of the entity that must be told.
fn plant(kind: IssueKind, graph: &mut Graph) -> &'static str {
    use EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
    use RelationshipKind::{
        BelongsTo, ConsumesFrom, Contains, CoordinatedBy, Manages, ReplicatesTo, Serves,
    };
    let of = |kind, name: &str| guid(kind, "orders", name);
    let (top, broker, group) = (of(Cluster, ""), of(Broker, "1"), of(ConsumerGroup, "g1"));
    let (relationship, name) = match kind {
        IssueKind::OrphanedTarget => (told(group, ConsumesFrom, of(Topic, "gone")), "g1"),
        IssueKind::OrphanedSource => (told(of(Broker, "9"), ReplicatesTo, broker), "broker 1"),
        IssueKind::CircularHierarchy => (told(top, BelongsTo, broker), "orders"),
        IssueKind::SelfLoop => (told(broker, ReplicatesTo, broker), "broker 1"),
        IssueKind::SecondParent => {
            let other = described(graph, Cluster, "other", "");
            (told(other, Manages, broker), "other")
        }
        IssueKind::PairNotAllowed => (told(of(Topic, "t1"), ConsumesFrom, group), "t1"),
        IssueKind::Cardinality => (told(group, CoordinatedBy, of(Broker, "2")), "broker 2"),
        IssueKind::CrossAccount => {
            let account = AccountId::try_from(2).unwrap();
            let far = EntityGuid::new(account, &key(Topic, "orders", "t1"));
            graph.describe(far, EntityFacts { name: "far".to_owned(), ..EntityFacts::default() });
            (told(broker, Serves, far), "far")
        }
        IssueKind::CrossCluster => {
            let other = described(graph, Cluster, "other", "");
            let far = described(graph, Topic, "other", "far");
            graph.add(told(other, Contains, far));
            (told(group, ConsumesFrom, far), "clusters orders and other")
        }
        IssueKind::OrphanedEntity => {
            described(graph, Topic, "orders", "lonely");
            return "lonely";
        }
        IssueKind::ImpliedDuplicate => (told(broker, BelongsTo, top), "BELONGS_TO"),
    };
    assert!(graph.add(relationship).is_some());
    name
}

#[test]
fn every_planted_fault_is_found() {
    assert_eq!(small().validate(), Vec::new());
    for kind in IssueKind::ALL {
        let mut graph = small();
        let name = plant(kind, &mut graph);
        let issues = graph.validate();
        let issue = issues.iter().find(|issue| issue.kind == kind);
        let issue = issue.unwrap_or_else(|| panic!("{kind:?} is not among {issues:#?}"));
        assert!(issue.message.contains(name), "{issue:?} does not name {name}");
        assert!(!issue.help.is_empty() && !issue.entities.is_empty());
        assert_eq!(issue.severity, kind.severity());
        let others = issues.iter().filter(|other| other.kind != kind);
        let others: Vec<_> = others.map(|other| other.kind).collect();
        let expected: &[IssueKind] = match kind {
            // Above itself by a relationship that cannot be, and beside its own parent's.
            IssueKind::CircularHierarchy => &[IssueKind::PairNotAllowed],
            IssueKind::SecondParent => &[IssueKind::CrossCluster],
            // It has no cluster of its own.
            IssueKind::CrossAccount => &[IssueKind::OrphanedEntity],
            _ => &[],
        };
        assert_eq!(others, expected, "beside {kind:?}");
    }
    let names: BTreeSet<_> = IssueKind::ALL.into_iter().map(IssueKind::as_str).collect();
    assert_eq!(names.len(), IssueKind::ALL.len());
}

#[test]
fn issues_read_well() {
    let mut graph = small();
    for kind in IssueKind::ALL {
        plant(kind, &mut graph);
    }
    let lines: Vec<_> = graph
        .validate()
        .into_iter()
        .map(|issue| {
            format!(
                "{:?} {}: {}\n  help: {}",
                issue.severity,
                issue.kind.as_str(),
                issue.message,
                issue.help
            )
        })
        .collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/graph");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("issues", lines.join("\n")));
}

#[test]
fn circles_are_cut_and_told() {
    use RelationshipKind::Contains;
    let mut graph = Graph::new();
    let named = |name: &str| guid(EntityKind::Topic, "c", name);
    for (one, other) in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("x", "y"), ("y", "x")] {
        graph.add(told(named(one), Contains, named(other)));
    }
    let hierarchy = graph.hierarchy();
    assert_eq!(hierarchy.cycles().len(), 2);
    for cycle in hierarchy.cycles() {
        assert!(cycle.iter().all(|member| *member >= cycle[0]));
        assert_eq!((hierarchy.level(&cycle[0]), hierarchy.parent(&cycle[0])), (Some(1), None));
    }
    assert_eq!(hierarchy.tree().len(), 6);
    let circles = graph.validate().into_iter().filter(|i| i.kind == IssueKind::CircularHierarchy);
    let mut lengths: Vec<_> = circles.map(|issue| issue.entities.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [2, 3]);
}

#[test]
fn depth_costs_no_stack() {
    const LENGTH: usize = 50_000;
    let mut graph = Graph::new();
    let chain: Vec<_> = (0..LENGTH).map(|n| guid(EntityKind::Topic, "c", &n.to_string())).collect();
    for pair in chain.windows(2) {
        graph.add(told(pair[0], RelationshipKind::Contains, pair[1]));
    }
    let (first, last) = (chain[0], chain[LENGTH - 1]);
    assert_eq!(graph.hierarchy().depth() as usize, LENGTH);
    let path = graph.shortest_path(&last, &first, Reach::Inverse).expect("a way up");
    assert_eq!(path.len(), LENGTH - 1);
    assert_eq!(graph.shortest_path(&last, &first, Reach::Forward), None);
    let limits = PathLimits { steps_max: LENGTH, ..PathLimits::default() };
    assert_eq!(graph.paths(&first, &last, &limits).paths.len(), 1);
    assert_eq!(graph.stats().components, 1);
    graph.add(told(last, RelationshipKind::Contains, first));
    let circles = graph.validate().into_iter().filter(|i| i.kind == IssueKind::CircularHierarchy);
    assert_eq!(circles.map(|issue| issue.entities.len()).collect::<Vec<_>>(), [LENGTH]);
}

/// A few entities of every kind.
fn some_guid() -> impl Strategy<Value = EntityGuid> {
    (0..5_usize, 0..3_u8).prop_map(|(kind, n)| guid(EntityKind::ALL[kind], "c", &n.to_string()))
}

pub(super) fn some_told() -> impl Strategy<Value = Told> {
    let kinds = proptest::sample::select(&RelationshipKind::ALL);
    (some_guid(), kinds, some_guid(), any::<bool>()).prop_map(|(source, kind, target, inverse)| {
        let direction = if inverse { Direction::Inverse } else { Direction::Forward };
        Told { source, kind, target, direction }
    })
}

#[derive(Debug, Clone)]
enum Action {
    Add(Told),
    Remove(Told),
    RemoveEntity(EntityGuid),
    Describe(EntityGuid),
}

fn some_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => some_told().prop_map(Action::Add),
        2 => some_told().prop_map(Action::Remove),
        1 => some_guid().prop_map(Action::RemoveEntity),
        2 => some_guid().prop_map(Action::Describe),
    ]
}

fn held(told: &Told) -> Held {
    Held { source: told.source, kind: told.kind, target: told.target }
}

/// Steps from `from` as a set of relationships has them.
fn steps_of(edges: &BTreeSet<Held>, from: EntityGuid, reach: Reach) -> BTreeSet<Step> {
    let mut steps = BTreeSet::new();
    for &Held { source, kind, target } in edges {
        if source == from && reach.takes(Direction::Forward) {
            steps.insert(Step { kind, direction: Direction::Forward, to: target });
        }
        if target == from && reach.takes(Direction::Inverse) {
            steps.insert(Step { kind, direction: Direction::Inverse, to: source });
        }
    }
    steps
}

/// All paths up to `left` steps, by recursion over the set.
fn every_path(
    edges: &BTreeSet<Held>,
    visited: &mut Vec<EntityGuid>,
    goal: EntityGuid,
    left: usize,
    reach: Reach,
    found: &mut Vec<Vec<Step>>,
    path: &mut Vec<Step>,
) {
    let at = visited[visited.len() - 1];
    if at == goal {
        found.push(path.clone());
        return;
    }
    if left == 0 {
        return;
    }
    for step in steps_of(edges, at, reach) {
        if !visited.contains(&step.to) {
            visited.push(step.to);
            path.push(step);
            every_path(edges, visited, goal, left - 1, reach, found, path);
            path.pop();
            visited.pop();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_graph_is_its_sets(actions in prop::collection::vec(some_action(), 0..120)) {
        let mut graph = Graph::new();
        let (mut edges, mut known) = (BTreeSet::new(), BTreeSet::new());
        for action in actions {
            match action {
                Action::Add(told) => {
                    let is_new = edges.insert(held(&told));
                    let change = is_new.then(|| Change::RelationshipAdded(held(&told)));
                    prop_assert_eq!(graph.add(told), change);
                }
                Action::Remove(told) => {
                    let is_known = edges.remove(&held(&told));
                    let change = is_known.then(|| Change::RelationshipRemoved(held(&told)));
                    prop_assert_eq!(graph.remove(told), change);
                }
                Action::Describe(guid) => {
                    let change = known.insert(guid).then_some(Change::EntityAdded(guid));
                    prop_assert_eq!(graph.describe(guid, EntityFacts::default()), change);
                }
                Action::RemoveEntity(guid) => {
                    let of = |held: &Held| held.source == guid || held.target == guid;
                    let gone = edges.iter().filter(|held| of(held)).copied();
                    let mut changes: Vec<_> = gone.map(Change::RelationshipRemoved).collect();
                    edges.retain(|held| !of(held));
                    changes.extend(known.remove(&guid).then_some(Change::EntityRemoved(guid)));
                    prop_assert_eq!(graph.remove_entity(&guid), changes);
                }
            }
        }
        prop_assert_eq!(graph.relationships(), edges.iter().copied().collect::<Vec<_>>());
        let ends = edges.iter().flat_map(|held| [held.source, held.target]);
        let all: BTreeSet<_> = ends.chain(known).collect();
        prop_assert_eq!(graph.entities(), all.iter().copied().collect::<Vec<_>>());
        for guid in &all {
            let node = graph.node(guid).unwrap();
            for reach in [Reach::Both, Reach::Forward, Reach::Inverse] {
                let steps = graph.steps(node, reach);
                let steps: Vec<_> = steps
                    .map(|(kind, direction, to)| Step { kind, direction, to: graph.guid(to) })
                    .collect();
                let expected = steps_of(&edges, *guid, reach);
                prop_assert_eq!(steps.len(), expected.len());
                prop_assert_eq!(steps.into_iter().collect::<BTreeSet<_>>(), expected);
            }
        }
        let hierarchy = graph.hierarchy();
        let tree = hierarchy.tree();
        prop_assert_eq!(tree.len(), all.len());
        prop_assert_eq!(tree.iter().map(|entry| entry.entity).collect::<BTreeSet<_>>(), all);
        for entry in &tree {
            let above = hierarchy.parent(&entry.entity).and_then(|parent| hierarchy.level(&parent));
            prop_assert_eq!(entry.level, above.unwrap_or(0) + 1);
        }
    }

    #[test]
    fn order_and_direction_do_not_matter(
        told in prop::collection::vec(some_told(), 0..40),
        known in prop::collection::btree_set(some_guid(), 0..10),
        order in any::<prop::sample::Index>(),
    ) {
        let build = |told: &[Told], known: &[EntityGuid]| {
            let mut graph = Graph::new();
            for guid in known {
                graph.describe(*guid, EntityFacts::default());
            }
            graph.extend(told.iter().copied());
            graph
        };
        let mut known: Vec<_> = known.into_iter().collect();
        let one = build(&told, &known);
        let mut shuffled = told.clone();
        if !shuffled.is_empty() {
            let middle = order.index(shuffled.len());
            shuffled.rotate_left(middle);
            shuffled.reverse();
        }
        known.reverse();
        let other = build(&shuffled, &known);
        prop_assert_eq!(one.validate(), other.validate());
        prop_assert_eq!(one.hierarchy().tree(), other.hierarchy().tree());
        prop_assert_eq!(export::json(&one), export::json(&other));
        for form in [export::dot, export::mermaid, export::graphml] {
            prop_assert_eq!(form(&one), form(&other));
        }
        // Told the other way round, the same is known.
        let turned: Vec<_> = told
            .iter()
            .map(|told| Told { direction: told.direction.reversed(), ..*told })
            .collect();
        prop_assert_eq!(export::json(&build(&turned, &known)), export::json(&one));
    }

    #[test]
    fn paths_are_all_paths(
        told in prop::collection::vec(some_told(), 0..14),
        from in some_guid(),
        to in some_guid(),
        steps_max in 0..6_usize,
        reach in proptest::sample::select(&[Reach::Both, Reach::Forward, Reach::Inverse]),
    ) {
        let mut graph = Graph::new();
        graph.extend(told);
        graph.describe(from, EntityFacts::default());
        graph.describe(to, EntityFacts::default());
        let edges: BTreeSet<_> = graph.relationships().into_iter().collect();
        let mut expected = Vec::new();
        every_path(&edges, &mut vec![from], to, steps_max, reach, &mut expected, &mut Vec::new());
        expected.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        let limits = PathLimits { reach, steps_max, paths_max: 5_000 };
        let found = graph.paths(&from, &to, &limits);
        prop_assert!(!found.is_cut);
        prop_assert_eq!(&found.paths, &expected);
        let few = graph.paths(&from, &to, &PathLimits { paths_max: 2, ..limits });
        prop_assert_eq!(few.is_cut, expected.len() > 2);
        prop_assert_eq!(few.paths.as_slice(), &expected[..expected.len().min(2)]);
        if let Some(first) = expected.first() {
            let shortest = graph.shortest_path(&from, &to, reach);
            prop_assert_eq!(shortest.as_ref(), Some(first));
        }
    }
}
