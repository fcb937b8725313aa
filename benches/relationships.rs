//! The graph of relationships: building it, asking it, checking it and drawing it, for clusters of
//! 100 to 100,000 entities, and what it takes of memory.
//!
//! `cargo bench --bench relationships` prints criterion's wall-clock figures for the building, then
//! (and with `-- --figures` only) a table in CPU time: relationships per second, nanoseconds and
//! bytes per entity, and how much more an entity costs in the largest graph than in the smallest.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use rand_core::{Rng as _, SeedableRng as _};
use shakedown::domain::account::AccountId;
use shakedown::domain::entity::EntityKey;
use shakedown::domain::guid::EntityGuid;
use shakedown::domain::provider::Provider;
use shakedown::domain::relationship::{Relationship, RelationshipKind};
use shakedown::graph::{EntityFacts, Graph, PathLimits, Reach, RelatedQuery, drawing, export};

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
/// Entities of one cluster; a larger graph has more clusters.
const CLUSTER: usize = 100;
/// Topics that a group reads.
const TOPICS_READ: usize = 5;

struct World {
    entities: Vec<(EntityGuid, EntityFacts)>,
    relationships: Vec<Relationship>,
}

/// Clusters of one cluster entity, 19 brokers, 50 topics and 30 groups that read five topics each.
fn world(size: usize) -> World {
    let account = AccountId::try_from(1).expect("valid");
    let mut world = World { entities: Vec::new(), relationships: Vec::new() };
    for number in 0..size / CLUSTER {
        let cluster = format!("cluster-{number}");
        let mut add = |key: &EntityKey| {
            let guid = EntityGuid::new(account, key);
            let facts = EntityFacts {
                name: key.name().to_owned(),
                provider: "kafka".to_owned(),
                cluster: cluster.clone(),
                health_percent: Some(97.0),
                ..EntityFacts::default()
            };
            world.entities.push((guid, facts));
            guid
        };
        let named = |cluster: &str| (Provider::Kafka, cluster.to_owned());
        let (provider, name) = named(&cluster);
        let top = add(&EntityKey::Cluster { provider, cluster: name });
        let brokers: Vec<_> = (0..19)
            .map(|id| {
                let (provider, cluster) = named(&cluster);
                add(&EntityKey::Broker { provider, cluster, broker_id: id.to_string() })
            })
            .collect();
        let topics: Vec<_> = (0..50)
            .map(|id| {
                let (provider, cluster) = named(&cluster);
                add(&EntityKey::Topic { provider, cluster, topic: format!("topic-{id}") })
            })
            .collect();
        let groups: Vec<_> = (0..30)
            .map(|id| {
                let (provider, cluster) = named(&cluster);
                add(&EntityKey::Group { provider, cluster, group: format!("group-{id}") })
            })
            .collect();
        let mut relate = |source, kind, target| {
            let proven = Relationship::new(source, kind, target).expect("allowed");
            world.relationships.push(proven);
        };
        brokers.iter().for_each(|broker| relate(top, RelationshipKind::Manages, *broker));
        topics.iter().for_each(|topic| relate(top, RelationshipKind::Contains, *topic));
        for (place, group) in groups.iter().enumerate() {
            relate(top, RelationshipKind::Contains, *group);
            relate(*group, RelationshipKind::CoordinatedBy, brokers[place % brokers.len()]);
            for read in 0..TOPICS_READ {
                let topic = topics[(place * 7 + read * 11) % topics.len()];
                relate(*group, RelationshipKind::ConsumesFrom, topic);
            }
        }
    }
    world
}

fn related(world: &World) -> Graph {
    added(world.entities.len(), &world.relationships)
}

fn added(entities: usize, relationships: &[Relationship]) -> Graph {
    let mut graph = Graph::with_capacity(entities, relationships.len());
    for relationship in relationships {
        black_box(graph.add(*relationship));
    }
    graph
}

/// The relationships in the order of their sources' GUIDs, as a reading of events tells them: one
/// source after the other, and no two of one cluster beside each other.
fn by_guid(world: &World) -> Vec<Relationship> {
    let mut relationships = world.relationships.clone();
    relationships.sort_by_key(|one| (one.source, one.kind, one.target));
    relationships
}

/// The relationships in no order at all.
fn shuffled(world: &World) -> Vec<Relationship> {
    let mut relationships = world.relationships.clone();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    for last in (1..relationships.len()).rev() {
        relationships.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
    }
    relationships
}

fn built(world: &World) -> Graph {
    let mut graph = related(world);
    for (guid, facts) in &world.entities {
        graph.describe(*guid, facts.clone());
    }
    graph
}

/// CPU time of this thread so far.
fn cpu() -> Duration {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanos.expect("the first field is nanoseconds"))
}

/// Nanoseconds for each of `count`, of the fastest of five rounds of 20 ms at least.
fn nanos_each<T>(count: usize, mut work: impl FnMut() -> T) -> f64 {
    const ROUND: Duration = Duration::from_millis(20);
    let mut round = |repeats: u32| {
        let start = cpu();
        for _ in 0..repeats {
            black_box(work());
        }
        cpu() - start
    };
    let once = round(1).max(Duration::from_nanos(1));
    let repeats = u32::try_from(ROUND.as_nanos() / once.as_nanos()).unwrap_or(u32::MAX).max(1);
    let best = (0..5).map(|_| round(repeats)).min().unwrap_or_default();
    best.as_nanos() as f64 / (f64::from(repeats) * count as f64)
}

/// Every figure of one size: name, value.
fn figures(size: usize) -> Vec<(&'static str, f64)> {
    let world = world(size);
    let (entities, relationships) = (world.entities.len(), world.relationships.len());
    assert_eq!(entities, size);
    let add = nanos_each(relationships, || related(&world));
    let (by_guid, shuffled) = (by_guid(&world), shuffled(&world));
    let sorted_add = nanos_each(relationships, || added(size, &by_guid));
    let shuffled_add = nanos_each(relationships, || added(size, &shuffled));
    let memory = allocation_counter::measure(|| drop(black_box(built(&world))));
    let graph = built(&world);
    assert_eq!(graph.validate(), Vec::new());
    let neighbours = RelatedQuery::default();
    let guids: Vec<_> = world.entities.iter().map(|(guid, _)| *guid).collect();
    let remove = nanos_each(relationships, || {
        let mut graph = graph.clone();
        for relationship in &world.relationships {
            black_box(graph.remove(*relationship));
        }
    });
    let near = |guid: &EntityGuid| graph.facts(guid).is_some();
    let (from, to) = (guids[1], guids[CLUSTER - 1]);
    let paths = PathLimits { steps_max: 4, ..PathLimits::default() };
    let mut figures = vec![
        ("relationships/s, added cluster by cluster (M)", 1_000.0 / add),
        ("the same, in the order of GUIDs (M)", 1_000.0 / sorted_add),
        ("the same, shuffled (M)", 1_000.0 / shuffled_add),
        ("entity, its relationships added (ns)", add * relationships as f64 / entities as f64),
        ("relationship, copied and removed (ns)", remove),
        ("entity, most bytes held", memory.bytes_max as f64 / entities as f64),
        (
            "entity, looked up (ns)",
            nanos_each(entities, || guids.iter().filter(|g| near(g)).count()),
        ),
        ("entity, in the tree (ns)", nanos_each(entities, || graph.hierarchy().tree().len())),
        ("entity, in the figures (ns)", nanos_each(entities, || graph.stats())),
        ("entity, checked (ns)", nanos_each(entities, || graph.validate().len())),
        ("entity, as JSON (ns)", nanos_each(entities, || export::json(&graph))),
    ];
    if size <= 1_000 {
        let all = || guids.iter().map(|guid| graph.related(guid, &neighbours).len()).sum::<usize>();
        figures.push(("entity, its neighbours (ns)", nanos_each(entities, all)));
        let short = || graph.shortest_path(&from, &to, Reach::Both);
        figures.push(("shortest path (ns)", nanos_each(1, short)));
        figures.push(("paths of 4 steps (ns)", nanos_each(1, || graph.paths(&from, &to, &paths))));
        figures.push(("entity, drawn (ns)", nanos_each(entities, || drawing::svg(&graph, "x"))));
    }
    figures
}

fn table() -> String {
    let columns: Vec<_> = SIZES.into_iter().map(figures).collect();
    let mut out = format!("{:<46}", "entities");
    for size in SIZES {
        let _ = write!(out, "{size:>12}");
    }
    let _ = writeln!(out, "{:>14}", "most / least");
    for (row, (name, _)) in columns[0].iter().enumerate() {
        let values: Vec<f64> =
            columns.iter().filter_map(|column| column.get(row)).map(|(_, value)| *value).collect();
        let _ = write!(out, "{name:<46}");
        for value in &values {
            let _ = write!(out, "{value:>12.1}");
        }
        let (least, most) = values.iter().fold((f64::MAX, 0.0_f64), |(least, most), value| {
            (least.min(*value), most.max(*value))
        });
        let _ =
            writeln!(out, "{:>pad$.2}", most / least, pad = 14 + 12 * (SIZES.len() - values.len()));
    }
    out
}

fn main() {
    if !std::env::args().any(|argument| argument == "--figures") {
        let mut criterion = Criterion::default().configure_from_args();
        let mut group = criterion.benchmark_group("relationships");
        for size in SIZES {
            let world = world(size);
            group.throughput(Throughput::Elements(world.relationships.len() as u64));
            group.bench_function(format!("add/{size}"), |bencher| bencher.iter(|| related(&world)));
        }
        group.finish();
        criterion.final_summary();
    }
    let _ = std::io::stdout().write_all(table().as_bytes());
}
