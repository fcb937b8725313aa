//! A fleet's journal with an index by kind and object, so that judging a run stays linear in it.
//!
//! Invariant: places are in order of the journal, which is the order of time.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::sim::fleet::{GroupTruth, Observation, Observed};
use crate::sim::time::SimTime;

/// Indices into the journal, ascending.
type Places = Vec<u32>;

/// Every answer that a fleet gave.
#[derive(Debug, Default)]
pub struct Answers {
    all: Vec<Observation>,
    metadata: Places,
    offsets: Places,
    scrapes: BTreeMap<i32, Places>,
    log_dirs: BTreeMap<i32, Places>,
    listed_groups: BTreeMap<i32, Places>,
    committed: BTreeMap<Arc<str>, Places>,
    described: BTreeMap<Arc<str>, Places>,
    configs: BTreeMap<Arc<str>, Places>,
}

/// Adds a place under a text that mostly exists already.
fn note(places: &mut BTreeMap<Arc<str>, Places>, key: &Arc<str>, place: u32) {
    match places.get_mut(key) {
        Some(known) => known.push(place),
        None => drop(places.insert(Arc::clone(key), vec![place])),
    }
}

impl Answers {
    /// Indexes a journal that is in order of time.
    pub fn new(all: Vec<Observation>) -> Self {
        let mut answers = Self::default();
        for (place, seen) in (0..).zip(&all) {
            match &seen.what {
                Observed::Metadata(_) => answers.metadata.push(place),
                Observed::Offsets(_) => answers.offsets.push(place),
                Observed::Scrape(_) => answers.scrapes.entry(seen.broker).or_default().push(place),
                Observed::LogDirs { .. } => {
                    answers.log_dirs.entry(seen.broker).or_default().push(place);
                }
                Observed::Committed { group, .. } => note(&mut answers.committed, group, place),
                Observed::Configs { topic, .. } => note(&mut answers.configs, topic, place),
                Observed::Groups { described: true, groups } => {
                    for truth in groups {
                        note(&mut answers.described, &truth.group, place);
                    }
                }
                Observed::Groups { described: false, .. } => {
                    answers.listed_groups.entry(seen.broker).or_default().push(place);
                }
            }
        }
        answers.all = all;
        answers
    }

    /// All of them, in order of time.
    pub fn all(&self) -> &[Observation] {
        &self.all
    }

    /// Places of the answers from `from` to `to`, both included.
    pub fn between(&self, from: SimTime, to: SimTime) -> Range<u32> {
        let place = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let begin = self.all.partition_point(|seen| seen.at < from);
        let end = self.all.partition_point(|seen| seen.at <= to);
        place(begin)..place(end.max(begin))
    }

    fn within<'a>(
        &'a self,
        places: &'a [u32],
        range: &Range<u32>,
    ) -> impl DoubleEndedIterator<Item = &'a Observation> + use<'a> {
        let begin = places.partition_point(|place| *place < range.start);
        let end = places.partition_point(|place| *place < range.end);
        places[begin..end].iter().map(|place| &self.all[*place as usize])
    }

    /// Descriptions of the cluster.
    pub fn metadata(&self, range: &Range<u32>) -> impl DoubleEndedIterator<Item = &Observation> {
        self.within(&self.metadata, range)
    }

    /// ListOffsets.
    pub fn offsets(&self, range: &Range<u32>) -> impl DoubleEndedIterator<Item = &Observation> {
        self.within(&self.offsets, range)
    }

    /// Figures of `broker`.
    pub fn scrapes(
        &self,
        broker: i32,
        range: &Range<u32>,
    ) -> impl DoubleEndedIterator<Item = &Observation> {
        self.within(self.scrapes.get(&broker).map_or(&[], Vec::as_slice), range)
    }

    /// Accounts of the disk of `broker`.
    pub fn log_dirs(
        &self,
        broker: i32,
        range: &Range<u32>,
    ) -> impl DoubleEndedIterator<Item = &Observation> {
        self.within(self.log_dirs.get(&broker).map_or(&[], Vec::as_slice), range)
    }

    /// Groups that `broker` listed.
    pub fn listed_groups(
        &self,
        broker: i32,
        range: &Range<u32>,
    ) -> impl DoubleEndedIterator<Item = &Observation> {
        self.within(self.listed_groups.get(&broker).map_or(&[], Vec::as_slice), range)
    }

    /// Committed offsets of `group`.
    pub fn committed<'a>(
        &'a self,
        group: &str,
        range: &Range<u32>,
    ) -> impl DoubleEndedIterator<Item = &'a Observation> + use<'a> {
        self.within(self.committed.get(group).map_or(&[], Vec::as_slice), range)
    }

    /// Settings of `topic`.
    pub fn configs<'a>(
        &'a self,
        topic: &str,
        range: &Range<u32>,
    ) -> impl DoubleEndedIterator<Item = &'a Observation> + use<'a> {
        self.within(self.configs.get(topic).map_or(&[], Vec::as_slice), range)
    }

    /// The last description of `group`.
    pub fn described(&self, group: &str, range: &Range<u32>) -> Option<&GroupTruth> {
        let places = self.described.get(group).map_or(&[][..], Vec::as_slice);
        self.within(places, range).rev().find_map(|seen| match &seen.what {
            Observed::Groups { groups, .. } => groups.iter().find(|t| t.group.as_ref() == group),
            _ => None,
        })
    }
}
