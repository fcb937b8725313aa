//! Open windows of some of the entities, by one thread at a time.
//!
//! Cost: a reading takes logarithmic time in the entities, in an entity's open windows and in the
//! readings of its window, in whatever order readings come; closing takes the same per window.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::tally::{Point, Tally, figures};
use super::{
    ClosedWindow, Closing, Reading, SourceId, Taken, WindowConfig, WindowSpan, WindowStats,
};
use crate::aggregate::merge::is_rate;
use crate::domain::entity::EntityKey;
use crate::domain::metric::MetricId;
use crate::domain::units::{UnixMillis, Window};

/// Open windows by entity.
#[derive(Debug, Default)]
pub(super) struct Shard {
    groups: BTreeMap<EntityKey, Group>,
    /// What became of the readings.
    pub(super) stats: WindowStats,
}

/// One entity's open windows; at least one.
#[derive(Debug)]
struct Group {
    /// Its newest reading.
    touched: UnixMillis,
    /// Few as a rule; as many as lateness allows if readings come late. In boxes, because a node of
    /// the tree has room for several.
    open: BTreeMap<WindowSpan, Box<Open>>,
}

impl Group {
    fn new(touched: UnixMillis) -> Self {
        Self { touched, open: BTreeMap::new() }
    }

    fn take(&mut self, span: WindowSpan, reading: &Reading<'_>, now: UnixMillis) -> Taken {
        let open = self.open.entry(span).or_insert_with(|| Box::new(Open::new(span)));
        if !open.take(reading) {
            return Taken::Duplicate;
        }
        self.touched = self.touched.max(reading.at);
        if span.end <= now {
            open.amendments += 1;
            return Taken::Amended;
        }
        Taken::Counted
    }
}

/// One open window.
#[derive(Debug)]
struct Open {
    span: WindowSpan,
    /// Identities of the readings that count.
    seen: BTreeSet<(UnixMillis, SourceId)>,
    amendments: u64,
    /// In table order.
    tallies: Vec<(MetricId, Tally)>,
    /// Sorted.
    topics: Vec<String>,
}

impl Open {
    fn new(span: WindowSpan) -> Self {
        Self { span, seen: BTreeSet::new(), amendments: 0, tallies: Vec::new(), topics: Vec::new() }
    }

    fn take(&mut self, reading: &Reading<'_>) -> bool {
        if !self.seen.insert((reading.at, reading.source)) {
            return false;
        }
        let measured_ms = reading.measured.and_then(Window::exact_ms);
        let mut place = 0;
        for (id, value) in reading.metrics.iter() {
            let measured_ms = measured_ms.filter(|_| is_rate(id));
            let point = Point { at: reading.at, source: reading.source, value, measured_ms };
            // Both stand in table order.
            while self.tallies.get(place).is_some_and(|(known, _)| *known < id) {
                place += 1;
            }
            match self.tallies.get_mut(place) {
                Some((known, tally)) if *known == id => tally.add(point),
                _ => self.tallies.insert(place, (id, Tally::new(point))),
            }
        }
        for topic in reading.topics {
            if let Err(place) = self.topics.binary_search(topic) {
                self.topics.insert(place, topic.clone());
            }
        }
        true
    }

    fn close(self, key: EntityKey, closing: Closing) -> ClosedWindow {
        ClosedWindow {
            key,
            span: self.span,
            closing,
            readings: self.seen.len() as u64,
            amendments: self.amendments,
            // Whoever closes windows knows what it had to be watched for.
            is_complete: false,
            figures: figures(&self.tallies),
            roll_ups: Vec::new(),
            topics: self.topics,
        }
    }
}

impl Shard {
    /// Counts `reading`, or says why not.
    pub(super) fn observe(
        &mut self,
        config: &WindowConfig,
        reading: &Reading<'_>,
        now: UnixMillis,
    ) -> Taken {
        let taken = self.take(config, reading, now);
        self.stats.take(taken);
        taken
    }

    fn take(&mut self, config: &WindowConfig, reading: &Reading<'_>, now: UnixMillis) -> Taken {
        let span = config.span_of(reading.at);
        if config.closes(span) <= now {
            return Taken::Late;
        }
        if span.start > now.plus_millis(config.size_ms.max(1)) {
            return Taken::Ahead;
        }
        if let Some(group) = self.groups.get_mut(reading.key) {
            return group.take(span, reading, now);
        }
        let mut group = Group::new(reading.at);
        let taken = group.take(span, reading, now);
        self.groups.insert(reading.key.clone(), group);
        taken
    }

    /// Takes out the windows whose time is over at `now`.
    pub(super) fn close_due(
        &mut self,
        config: &WindowConfig,
        now: UnixMillis,
        closed: &mut Vec<ClosedWindow>,
    ) {
        self.groups.retain(|key, group| {
            while let Some(oldest) = group.open.first_entry()
                && config.closes(*oldest.key()) <= now
            {
                closed.push(oldest.remove().close(key.clone(), Closing::Time));
            }
            !group.open.is_empty()
        });
    }

    /// Takes out everything.
    pub(super) fn close_all(&mut self, closed: &mut Vec<ClosedWindow>) {
        for (key, group) in std::mem::take(&mut self.groups) {
            let open = group.open.into_values();
            closed.extend(open.map(|open| open.close(key.clone(), Closing::Shutdown)));
        }
    }

    /// Takes out all windows of `key`.
    pub(super) fn evict(&mut self, key: &EntityKey, closed: &mut Vec<ClosedWindow>) {
        if let Entry::Occupied(group) = self.groups.entry(key.clone()) {
            let open = group.remove().open.into_values();
            closed.extend(open.map(|open| open.close(key.clone(), Closing::Eviction)));
        }
    }

    /// Entities and when they were last touched.
    pub(super) fn touched(&self) -> impl Iterator<Item = (UnixMillis, &EntityKey)> {
        self.groups.iter().map(|(key, group)| (group.touched, key))
    }

    /// Entities with open windows.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }
}
