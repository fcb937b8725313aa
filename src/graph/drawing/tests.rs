//! What is drawn is what there is, once, whatever it is called.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quick_xml::events::Event;

use super::super::tests::{cluster, described, some_told};
use super::super::{EntityFacts, Told};
use super::*;
use crate::domain::entity::EntityKind;
use crate::domain::relationship::Direction;

/// GUIDs of chips and boxes, and how many relationships lines and ribbons show.
fn drawn(svg: &str) -> (Vec<String>, usize) {
    let mut reader = quick_xml::Reader::from_str(svg);
    let (mut guids, mut relationships) = (Vec::new(), 0);
    loop {
        match reader.read_event().expect("well formed") {
            Event::Eof => return (guids, relationships),
            Event::Start(element) | Event::Empty(element) => {
                let attributes: BTreeMap<String, String> = element
                    .attributes()
                    .map(|attribute| {
                        let attribute = attribute.expect("well formed");
                        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
                        (text(attribute.key.as_ref()), text(&attribute.value))
                    })
                    .collect();
                assert!(!attributes.keys().any(|name| name.starts_with("on")));
                assert_ne!(element.name().as_ref(), b"script");
                guids.extend(attributes.get("data-guid").cloned());
                for name in ["data-count", "data-across"] {
                    relationships +=
                        attributes.get(name).map_or(0, |count| count.parse().expect("a number"));
                }
                relationships += usize::from(attributes.contains_key("data-source"));
            }
            _ => {}
        }
    }
}

/// Relationships that boxes and headings do not show.
fn to_be_drawn(graph: &Graph) -> usize {
    let hierarchy = graph.hierarchy();
    let top = |guid: &EntityGuid| {
        let mut top = *guid;
        while let Some(parent) = hierarchy.parent(&top) {
            top = parent;
        }
        Some(top).filter(|top| top.kind() == EntityKind::Cluster)
    };
    let held = graph.relationships().into_iter().filter(|held| {
        let (one, other) = (top(&held.source), top(&held.target));
        let is_box = [Some(held.source), Some(held.target)].contains(&one);
        let is_within = one == other && held.source.kind() == held.target.kind();
        let is_of_box = one.is_some() && is_box;
        one != other || !(is_within || is_of_box)
    });
    held.count()
}

#[test]
fn three_brokers() {
    let mut graph = Graph::new();
    cluster(&mut graph, "orders", 3, 2, 2);
    let facts = |standing, health_percent| EntityFacts {
        name: "orders-broker-2".to_owned(),
        provider: "kafka".to_owned(),
        cluster: "orders".to_owned(),
        health_percent,
        standing,
        ..EntityFacts::default()
    };
    let broker = described(&mut graph, EntityKind::Broker, "orders", "2");
    graph.describe(broker, facts(Standing::Stale, Some(41.0)));
    let topic = super::super::tests::guid(EntityKind::Topic, "orders", "gone");
    let group = super::super::tests::guid(EntityKind::ConsumerGroup, "orders", "g1");
    graph.add(Told::named(group, "CONSUMES_FROM", topic).unwrap());
    let picture = svg(&graph, "Topology of a <test> & more");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../snapshots/graph");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let (guids, relationships) = drawn(&picture);
    assert_eq!(guids.len(), graph.entities().len());
    assert_eq!(relationships, 7);
    let without_style = picture.replace(STYLE, "…\n");
    settings.bind(|| insta::assert_snapshot!("three_brokers", without_style));
}

#[test]
fn many_become_ribbons() {
    let mut graph = Graph::new();
    cluster(&mut graph, "orders", 100, 50, 10);
    let picture = svg(&graph, "many");
    let (guids, relationships) = drawn(&picture);
    assert_eq!((guids.len(), relationships), (161, 510));
    assert!(
        picture.contains("CONSUMES_FROM × 500") && picture.matches("class=\"edge ").count() < 60
    );
}

#[test]
fn nothing_is_drawn_too() {
    let picture = svg(&Graph::new(), "");
    assert_eq!(drawn(&picture), (Vec::new(), 0));
    assert!(picture.contains("0 entities, 0 relationships"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everything_is_drawn_once(
        told in prop::collection::vec(some_told(), 0..40),
        name in "[\\PC\"<&\u{0}\n]{0,40}",
    ) {
        let mut graph = Graph::new();
        graph.extend(told.iter().copied());
        if let Some(Told { source, .. }) = told.first() {
            graph.describe(*source, EntityFacts { name: name.clone(), ..EntityFacts::default() });
        }
        let picture = svg(&graph, &name);
        let (mut guids, _) = drawn(&picture);
        guids.sort();
        let mut expected: Vec<_> = graph.entities().iter().map(EntityGuid::wire).collect();
        expected.sort();
        prop_assert_eq!(guids, expected);
        let turned = told
            .iter()
            .rev()
            .map(|told| Told { direction: Direction::Inverse, ..*told });
        let mut again = Graph::new();
        again.extend(turned);
        if let Some(Told { source, .. }) = told.first() {
            again.describe(*source, EntityFacts { name: name.clone(), ..EntityFacts::default() });
        }
        prop_assert_eq!(svg(&again, &name), picture.clone());
        prop_assert_eq!(drawn(&picture).1, to_be_drawn(&graph));
    }
}
