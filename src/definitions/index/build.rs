//! Builds the index: gives numbers to names and texts, then files each rule.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Attribute, Check, Compiled, Index, NONE, Need, PrefixNode, Table, ValueNode, bit, name_hash,
    value_hash,
};
use crate::definitions::text::fold;

/// Where a rule may be filed; the order breaks ties.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Values(Vec<u32>),
    Prefix(u32),
    Present(u32),
}

/// Names and texts that rules use.
#[derive(Default)]
struct Words {
    folded: bool,
    attributes: BTreeMap<String, u32>,
    values: BTreeMap<(u32, String), u32>,
    prefixes: BTreeSet<(u32, String)>,
}

impl Words {
    fn attribute(&mut self, name: &str) -> u32 {
        let next = self.attributes.len() as u32;
        *self.attributes.entry(name.to_owned()).or_insert(next)
    }

    fn text(&self, text: &str) -> String {
        if self.folded { fold(text).to_string() } else { text.to_owned() }
    }

    fn learn(&mut self, need: &Need) {
        match need {
            Need::Present(name) | Need::Absent(name) => {
                self.attribute(name);
            }
            Need::AnyOf(name, texts) => {
                let attribute = self.attribute(name);
                for text in texts {
                    let next = self.values.len() as u32;
                    self.values.entry((attribute, self.text(text))).or_insert(next);
                }
            }
            Need::Prefix(name, prefix) => {
                let attribute = self.attribute(name);
                if !prefix.is_empty() {
                    self.prefixes.insert((attribute, self.text(prefix)));
                }
            }
        }
    }
}

/// The index of `rules`; see [`Index::new`].
pub(super) fn index<'a>(
    rules: &[Vec<Need>],
    named: impl IntoIterator<Item = &'a str>,
    folded: bool,
) -> Index {
    let mut words = Words { folded, ..Words::default() };
    for name in named {
        words.attribute(name);
    }
    for need in rules.iter().flatten() {
        words.learn(need);
    }
    let mut index = tables(&words);
    let keys = rules.iter().map(|needs| compile(&mut index, &words, needs)).collect::<Vec<_>>();
    file(&mut index, keys);
    index
}

/// Everything but the rules.
fn tables(words: &Words) -> Index {
    let mut names: Vec<(&str, u32)> =
        words.attributes.iter().map(|(name, id)| (name.as_str(), *id)).collect();
    names.sort_unstable_by_key(|(_, id)| *id);
    let mut attributes: Vec<Attribute> = names
        .iter()
        .map(|(name, _)| Attribute {
            name: (*name).into(),
            has_values: false,
            numbers_matter: false,
            prefixes: (0, 0),
            filed: (0, 0),
        })
        .collect();
    let mut values: Vec<(&(u32, String), u32)> =
        words.values.iter().map(|(key, id)| (key, *id)).collect();
    values.sort_unstable_by_key(|(_, id)| *id);
    for ((attribute, text), _) in &values {
        let known = &mut attributes[*attribute as usize];
        known.has_values = true;
        known.numbers_matter |= begins_like_a_number(text);
    }
    let mut prefix_nodes: Vec<PrefixNode> = Vec::new();
    for (attribute, text) in &words.prefixes {
        let known = &mut attributes[*attribute as usize];
        let here = prefix_nodes.len() as u32;
        if known.prefixes.0 == known.prefixes.1 {
            known.prefixes = (here, here);
        }
        known.prefixes.1 = here + 1;
        known.numbers_matter |= begins_like_a_number(text);
        let mut parent = if known.prefixes.0 == here { NONE } else { here - 1 };
        while parent != NONE && !text.starts_with(&*prefix_nodes[parent as usize].text) {
            parent = prefix_nodes[parent as usize].parent;
        }
        prefix_nodes.push(PrefixNode { text: text.as_str().into(), parent, filed: (0, 0) });
    }
    let name_hashes: Vec<u64> = names.iter().map(|(name, _)| name_hash(name)).collect();
    let value_hashes: Vec<u64> =
        values.iter().map(|((attribute, text), _)| value_hash(*attribute, text)).collect();
    let value_nodes = values
        .iter()
        .map(|((attribute, text), _)| ValueNode {
            attribute: *attribute,
            text: text.as_str().into(),
            filed: (0, 0),
        })
        .collect();
    Index {
        folded: words.folded,
        names: Table::new(&name_hashes),
        attributes,
        values: Table::new(&value_hashes),
        value_nodes,
        prefix_nodes,
        ..Index::default()
    }
}

/// Digits, signs, `NaN` and `inf` begin the texts of numbers.
fn begins_like_a_number(text: &str) -> bool {
    text.starts_with(|first: char| matches!(first, '0'..='9' | '-' | 'N' | 'n' | 'i'))
}

/// Adds a rule's checks; gives the keys under which it may be filed.
fn compile(index: &mut Index, words: &Words, needs: &[Need]) -> Vec<Key> {
    let from = index.checks.len() as u32;
    let mut keys = Vec::new();
    let (mut attribute_mask, mut value_mask) = (0, 0);
    for need in needs {
        let (name, check, key) = match need {
            Need::Absent(name) => {
                let Some(&attribute) = words.attributes.get(name) else { continue };
                index.checks.push(Check::Absent { attribute });
                continue;
            }
            Need::Present(name) => present(words, name),
            Need::Prefix(name, prefix) if prefix.is_empty() => present(words, name),
            Need::Prefix(name, prefix) => {
                let attribute = words.attributes.get(name).copied().unwrap_or(NONE);
                let node = prefix_node(index, attribute, &words.text(prefix));
                (name, Check::Prefix { attribute, node }, Key::Prefix(node))
            }
            Need::AnyOf(name, texts) => {
                let attribute = words.attributes.get(name).copied().unwrap_or(NONE);
                let mut ids: Vec<u32> = texts
                    .iter()
                    .filter_map(|text| words.values.get(&(attribute, words.text(text))).copied())
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                let check = match *ids {
                    [value] => {
                        value_mask |= bit(value);
                        Check::Value { attribute, value }
                    }
                    _ => {
                        let start = index.sets.len() as u32;
                        index.sets.extend_from_slice(&ids);
                        Check::AnyOf { attribute, set: (start, index.sets.len() as u32) }
                    }
                };
                (name, check, Key::Values(ids))
            }
        };
        attribute_mask |= words.attributes.get(name).map_or(0, |id| bit(*id));
        index.checks.push(check);
        keys.push(key);
    }
    let checks = (from, index.checks.len() as u32);
    index.rules.push(Compiled { attribute_mask, value_mask, checks });
    keys
}

fn present<'a>(words: &Words, name: &'a String) -> (&'a String, Check, Key) {
    let attribute = words.attributes.get(name).copied().unwrap_or(NONE);
    (name, Check::Present { attribute }, Key::Present(attribute))
}

fn prefix_node(index: &Index, attribute: u32, text: &str) -> u32 {
    let (from, to) = index.attributes[attribute as usize].prefixes;
    let nodes = &index.prefix_nodes[from as usize..to as usize];
    from + nodes.partition_point(|node| &*node.text < text) as u32
}

/// Files every rule under the key that fewest rules need.
fn file(index: &mut Index, keys: Vec<Vec<Key>>) {
    let mut values = vec![0_u32; index.value_nodes.len()];
    let mut prefixes = vec![0_u32; index.prefix_nodes.len()];
    let mut present = vec![0_u32; index.attributes.len()];
    for key in keys.iter().flatten() {
        match key {
            Key::Values(ids) => ids.iter().for_each(|id| values[*id as usize] += 1),
            Key::Prefix(node) => prefixes[*node as usize] += 1,
            Key::Present(attribute) => present[*attribute as usize] += 1,
        }
    }
    // A value or a beginning is also a presence: an attribute that many rules look at is common.
    for (id, node) in index.value_nodes.iter().enumerate() {
        present[node.attribute as usize] += values[id];
    }
    for (attribute, known) in index.attributes.iter().enumerate() {
        let (from, to) = known.prefixes;
        present[attribute] += prefixes[from as usize..to as usize].iter().sum::<u32>();
    }
    let cost = |key: &Key| match key {
        Key::Values(ids) => ids.iter().map(|id| values[*id as usize]).max().unwrap_or(0),
        Key::Prefix(node) => prefixes[*node as usize],
        Key::Present(attribute) => present[*attribute as usize],
    };
    let mut files: [Vec<Vec<u32>>; 3] = [
        vec![Vec::new(); index.value_nodes.len()],
        vec![Vec::new(); index.prefix_nodes.len()],
        vec![Vec::new(); index.attributes.len()],
    ];
    for (rule, keys) in keys.into_iter().enumerate() {
        let rule = rule as u32;
        match keys.into_iter().min_by_key(|key| (cost(key), key.clone())) {
            None => index.always.push(rule),
            Some(Key::Values(ids)) => {
                ids.iter().for_each(|id| files[0][*id as usize].push(rule));
            }
            Some(Key::Prefix(node)) => files[1][node as usize].push(rule),
            Some(Key::Present(attribute)) => files[2][attribute as usize].push(rule),
        }
    }
    let mut filed = Vec::new();
    let mut put = |rules: &[u32]| {
        let from = filed.len() as u32;
        filed.extend_from_slice(rules);
        (from, filed.len() as u32)
    };
    for (node, rules) in index.value_nodes.iter_mut().zip(&files[0]) {
        node.filed = put(rules);
    }
    for (node, rules) in index.prefix_nodes.iter_mut().zip(&files[1]) {
        node.filed = put(rules);
    }
    for (known, rules) in index.attributes.iter_mut().zip(&files[2]) {
        known.filed = put(rules);
    }
    index.filed = filed;
}
