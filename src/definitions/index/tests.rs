use proptest::prelude::*;
use smallvec::SmallVec;

use super::{INLINE, Index, Need};
use crate::definitions::matching::Scalar;
use crate::definitions::text::fold;

/// What the index must find: every rule tried, every need looked up by name.
fn by_scan(
    rules: &[Vec<Need>],
    attributes: &[(&str, Scalar<'_>)],
    virtuals: &[(&str, Scalar<'_>)],
    folded: bool,
) -> Vec<u32> {
    let same = |text: &str| if folded { fold(text).to_string() } else { text.to_owned() };
    let get = |name: &str| {
        let all = || attributes.iter().chain(virtuals);
        let value = all().find(|(key, _)| *key == name).map(|(_, value)| *value);
        value.filter(|value| *value != Scalar::Text(""))
    };
    let text = |name: &str| {
        get(name).filter(|value| *value != Scalar::Metric).map(|value| same(&value.text()))
    };
    let holds = |need: &Need| match need {
        Need::Present(name) => get(name).is_some(),
        Need::Absent(name) => get(name).is_none(),
        Need::Prefix(name, prefix) if prefix.is_empty() => get(name).is_some(),
        Need::Prefix(name, prefix) => text(name).is_some_and(|t| t.starts_with(&same(prefix))),
        Need::AnyOf(name, texts) => {
            text(name).is_some_and(|t| texts.iter().any(|wanted| same(wanted) == t))
        }
    };
    let matching = rules.iter().enumerate().filter(|(_, needs)| needs.iter().all(holds));
    matching.map(|(number, _)| number as u32).collect()
}

fn by_index(
    index: &Index,
    attributes: &[(&str, Scalar<'_>)],
    virtuals: &[(&str, Scalar<'_>)],
) -> Vec<u32> {
    let mut found = SmallVec::new();
    index.read(attributes, virtuals, &mut found);
    found.to_vec()
}

const NAMES: [&str; 8] =
    ["eventType", "metricName", "provider", "topic", "broker.id", "a", "rare", "numeric"];
// `kz` lies behind `kafka.broker` and begins with none of its beginnings but the shortest.
const TEXTS: [&str; 16] = [
    "",
    "kafka",
    "kafka.",
    "kafka.broker",
    "Kafka",
    "k",
    "ka",
    "kz",
    "kafkb",
    "5",
    "-1.5",
    "true",
    "NaN",
    "é",
    "É",
    "x",
];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(&TEXTS[..]).prop_map(str::to_owned)
}

fn need() -> impl Strategy<Value = Need> {
    prop_oneof![
        4 => (name(), prop::collection::vec(text(), 0..4)).prop_map(|(n, t)| Need::AnyOf(n, t)),
        3 => (name(), text()).prop_map(|(n, t)| Need::Prefix(n, t)),
        2 => name().prop_map(Need::Present),
        1 => name().prop_map(Need::Absent),
    ]
}

fn scalar() -> impl Strategy<Value = Scalar<'static>> {
    prop_oneof![
        8 => prop::sample::select(&TEXTS[..]).prop_map(Scalar::Text),
        2 => prop::sample::select(&[5.0, -1.5, f64::NAN, 0.1][..]).prop_map(Scalar::Number),
        1 => Just(Scalar::Integer(5)),
        1 => any::<bool>().prop_map(Scalar::Bool),
        1 => Just(Scalar::Metric),
    ]
}

proptest! {
    #[test]
    fn the_index_finds_what_a_scan_finds(
        rules in prop::collection::vec(prop::collection::vec(need(), 0..5), 0..40),
        points in prop::collection::vec(
            prop::collection::vec((prop::sample::select(&NAMES[..]), scalar()), 0..12), 1..8),
        event_type in prop::sample::select(&TEXTS[..]),
        folded in any::<bool>(),
    ) {
        let index = Index::new(&rules, ["topic", "unasked"], folded);
        let virtuals = [("eventType", Scalar::Text(event_type))];
        for point in &points {
            let expected = by_scan(&rules, point, &virtuals, folded);
            prop_assert_eq!(by_index(&index, point, &virtuals), expected, "{:?}", point);
        }
    }
}

#[test]
fn positions_are_those_of_the_point() {
    let index = Index::new(&[vec![Need::Present("a".into())]], ["b", "v"], false);
    let point = [("x", Scalar::Number(1.0)), ("b", Scalar::Text("")), ("a", Scalar::Metric)];
    let pass = index.read(&point, &[("v", Scalar::Bool(true))], &mut SmallVec::new());
    let position = |name: &str| index.attribute(name).and_then(|number| pass.position(number));
    assert_eq!(position("a"), Some(2));
    assert_eq!(position("b"), None, "the empty text counts as absent");
    assert_eq!(position("v"), Some(3));
    assert_eq!(position("x"), None, "no rule knows it");
}

#[test]
fn a_point_with_more_attributes_than_fit_inline_is_read_whole() {
    let names: Vec<String> = (0..INLINE * 20).map(|n| format!("attribute.{n}")).collect();
    let rules: Vec<Vec<Need>> =
        names.iter().map(|n| vec![Need::AnyOf(n.clone(), vec!["1".into()])]).collect();
    let index = Index::new(&rules, [], false);
    let point: Vec<_> = names.iter().rev().map(|n| (n.as_str(), Scalar::Text("1"))).collect();
    let all: Vec<u32> = (0..names.len() as u32).collect();
    assert_eq!(by_index(&index, &point, &[]), all);
}

/// The number of rules looked at for a point must not follow the number of rules.
#[test]
fn a_rule_is_filed_under_what_fewest_rules_need() {
    let rule = |n: usize| {
        vec![
            Need::AnyOf("eventType".into(), vec!["Metric".into()]),
            Need::Present("entity.name".into()),
            Need::AnyOf("provider".into(), vec![format!("p{n}")]),
        ]
    };
    let rules: Vec<Vec<Need>> = (0..1_000).map(rule).collect();
    let index = Index::new(&rules, [], false);
    let longest = index
        .value_nodes
        .iter()
        .map(|node| node.filed)
        .chain(index.attributes.iter().map(|known| known.filed))
        .map(|(from, to)| to - from)
        .max();
    assert_eq!(longest, Some(1));
    assert_eq!(index.filed.len(), rules.len());
}
