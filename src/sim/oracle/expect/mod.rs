//! What each stored figure must be, by arithmetic anyone can follow.
//!
//! A figure has several admissible values only where the fleet gave several answers within one
//! cycle (metadata asked twice, an answer lost and asked again).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use super::arrival::Arrivals;
use super::cycle::{CycleEvents, CycleView, LogDirs, LogEnds};
use super::health::expected_brokers;
use crate::sim::check::record::{CycleRecord, FleetRecord, Record, StoredEvent};
use crate::sim::fleet::{MetadataTruth, Observed};
use crate::sim::time::SimTime;

mod attribute;
mod broker;
mod cluster;
mod group;
mod mapped;
mod topic;

pub use attribute::Texts;
use broker::{BrokerSight, Plain};
use group::GroupSight;

/// Admissible values of one figure; empty: it must be absent.
pub type Values = Vec<f64>;
/// Figures by canonical name.
pub type Figures = BTreeMap<&'static str, Values>;

/// Adds one consistent set to the admissible values.
fn merge(figures: &mut Figures, plain: &Plain) {
    for (name, value) in plain {
        let values = figures.entry(name).or_default();
        if !values.contains(value) {
            values.push(*value);
        }
    }
}

/// Expected figures of one cycle of one cluster.
#[derive(Debug, Default)]
pub struct Expected {
    /// By broker id.
    pub brokers: BTreeMap<i32, Figures>,
    /// By topic.
    pub topics: BTreeMap<String, Figures>,
    /// By group.
    pub groups: BTreeMap<String, Figures>,
    /// Of the cluster.
    pub cluster: Figures,
    /// Brokers and groups of which this cycle's events are not stored (given up, or lost with the
    /// pipeline): what they add to a topic or the cluster cannot be told.
    unseen_brokers: bool,
    unseen_groups: bool,
    /// Whether a description of the cluster named no controller: the one that the cycle went by may
    /// have been that one.
    controller_may_lack: bool,
    /// What mappings give that nobody here can tell.
    untold: mapped::Untold,
    /// Descriptive texts by entity type and the object's own name.
    pub texts: BTreeMap<&'static str, BTreeMap<String, Texts>>,
}

/// Stored events by entity type and the object's own name.
type ByObject<'a> = BTreeMap<&'a str, BTreeMap<String, &'a StoredEvent>>;

/// The first event of each object that has a name of its own.
fn by_object<'a>(events: &[&'a StoredEvent]) -> ByObject<'a> {
    let mut objects = ByObject::new();
    for event in events {
        let type_name = event.text("entityType");
        let attribute = match type_name {
            "MESSAGE_QUEUE_BROKER" => "brokerId",
            "MESSAGE_QUEUE_TOPIC" => "topicName",
            "MESSAGE_QUEUE_CONSUMER_GROUP" => "consumerGroup",
            _ => continue,
        };
        let number = event.number(attribute).map(|number| number.to_string());
        let own = number.unwrap_or_else(|| event.text(attribute).to_owned());
        objects.entry(type_name).or_default().entry(own).or_insert(event);
    }
    objects
}

impl Expected {
    /// Whether the event may lack the figure although there are values that it may have.
    pub fn may_lack(&self, event: &StoredEvent, figure: &str) -> bool {
        let is_controller = figure == "controllerId" && self.controller_may_lack;
        is_controller || self.unknowable(event, figure)
    }

    /// Whether the figure rests on an event that New Relic does not hold: its window is then not
    /// known to anyone. Conservation judges the loss itself.
    pub fn unknowable(&self, event: &StoredEvent, figure: &str) -> bool {
        let of = |names: &[&str]| names.contains(&figure);
        if self.untold.contains(&(event.text("entityType"), figure)) {
            return true;
        }
        match event.text("entityType") {
            "MESSAGE_QUEUE_CLUSTER" => {
                (self.unseen_brokers && of(cluster::OF_BROKERS))
                    || (self.unseen_groups && of(cluster::OF_GROUPS))
            }
            "MESSAGE_QUEUE_TOPIC" => {
                (self.unseen_brokers && of(topic::OF_BROKERS))
                    || (self.unseen_groups && of(topic::OF_GROUPS))
            }
            _ => false,
        }
    }
}

/// The shortest time that a world tells apart.
const INSTANT: Duration = Duration::from_nanos(1);

/// Everything an expectation is computed from.
pub struct Situation<'a> {
    record: &'a Record,
    fleet: &'a FleetRecord,
    view: CycleView<'a>,
    events: &'a CycleEvents<'a>,
    by_object: ByObject<'a>,
    /// Whether the cycle says that it got everything. If not, an answer that a broker gave may
    /// have come too late.
    complete: bool,
    arrivals: Arrivals<'a>,
}

impl<'a> Situation<'a> {
    /// The situation of the cycle that made `events`.
    pub fn new(record: &'a Record, events: &'a CycleEvents<'a>) -> Option<Self> {
        let fleet = record.fleets.get(events.cluster)?;
        let view = CycleView::new(fleet, events.cycle.started, events.cycle.ended);
        let complete = events.cycle.claims_all(events.cluster);
        let by_object = by_object(&events.events);
        let arrivals = Arrivals::new(view.clone(), events);
        Some(Self { record, fleet, view, events, by_object, complete, arrivals })
    }

    /// Every figure of the cycle.
    pub fn expected(&self) -> Expected {
        let sights: BTreeMap<i32, BrokerSight<'_>> =
            self.fleet.brokers.iter().filter_map(|id| Some((*id, self.sight(*id)?))).collect();
        let groups: BTreeMap<&str, GroupSight<'_>> = self
            .fleet
            .groups
            .iter()
            .filter_map(|name| Some((name.as_str(), self.group_sight(name)?)))
            .filter(|(name, _)| self.has_offsets(name))
            .collect();
        let mut expected = Expected {
            unseen_brokers: self.fleet.brokers.iter().any(|id| self.is_unseen_broker(*id)),
            unseen_groups: self.fleet.groups.iter().any(|name| self.is_unseen_group(name)),
            ..Expected::default()
        };
        for id in &self.fleet.brokers {
            let sets = self.broker_sets(*id, sights.get(id));
            expected.brokers.insert(*id, broker::figures(&sets));
        }
        let ends = self.log_ends();
        for name in &self.fleet.groups {
            let truth = self.view.group(name);
            let sight = groups.get(name.as_str());
            expected.groups.insert(name.clone(), group::figures(truth, sight, &ends));
        }
        for name in &self.fleet.topics {
            expected.topics.insert(name.clone(), self.topic(name, &sights, &groups, &ends));
        }
        expected.cluster = self.cluster(&sights);
        self.describe(&mut expected);
        self.map(&mut expected);
        expected
    }

    /// Whether the broker gave figures for which no event is stored.
    fn is_unseen_broker(&self, id: i32) -> bool {
        let answered = self.view.has_scrape(id) || self.view.has_log_dirs(id);
        answered && self.event("MESSAGE_QUEUE_BROKER", &id.to_string()).is_none()
    }

    fn is_unseen_group(&self, name: &str) -> bool {
        let answered = self.view.committed(name).is_some();
        answered && self.event("MESSAGE_QUEUE_CONSUMER_GROUP", name).is_none()
    }

    /// Whether the cycle can know of the group: in a cycle that missed something, if the group's
    /// event is there. A group of which the description is what was missed is known from its
    /// offsets; a description that a broker gave may have come too late.
    fn is_known_group(&self, name: &str) -> bool {
        if self.complete {
            return self.view.group(name).is_some();
        }
        self.event("MESSAGE_QUEUE_CONSUMER_GROUP", name).is_some()
    }

    /// Whether the offsets that a broker told reached the pipeline: in a cycle that missed
    /// something, a group's event that does not even count their topics says no (the answer came
    /// after its deadline).
    fn has_offsets(&self, name: &str) -> bool {
        let event = self.event("MESSAGE_QUEUE_CONSUMER_GROUP", name);
        let counts = |event: &StoredEvent| event.number("consumerGroup.topics.count").is_some();
        self.complete || event.is_none_or(counts)
    }

    /// Adds what describes the objects rather than measures them.
    fn describe(&self, expected: &mut Expected) {
        let truths = self.view.metadata();
        expected.controller_may_lack =
            truths.iter().any(|truth| truth.known_controller().is_none());
        let controllers = attribute::controllers(&truths);
        expected.cluster.insert("controllerId", controllers);
        let texts = expected.texts.entry("MESSAGE_QUEUE_BROKER").or_default();
        for id in &self.fleet.brokers {
            texts.insert(id.to_string(), attribute::place(*id, &truths));
            if let Some(figures) = expected.brokers.get_mut(id) {
                figures.insert("port", attribute::ports(*id, &truths));
            }
        }
        let texts = expected.texts.entry("MESSAGE_QUEUE_CONSUMER_GROUP").or_default();
        for (name, figures) in &mut expected.groups {
            let (mut more, of_group) = attribute::group(self.view.group(name));
            figures.append(&mut more);
            texts.insert(name.clone(), of_group);
        }
        let texts = expected.texts.entry("MESSAGE_QUEUE_TOPIC").or_default();
        for (name, figures) in &mut expected.topics {
            let until = self.events.cycle.ended;
            let (mut more, of_topic) = attribute::settings(self.fleet, name, until);
            figures.append(&mut more);
            texts.insert(name.clone(), of_topic);
        }
        let of_cluster = expected.texts.entry("MESSAGE_QUEUE_CLUSTER").or_default();
        of_cluster.insert(String::new(), Texts::new());
        let environment = &self.record.scenario.pipeline.environment;
        let cluster = self.events.cluster;
        for (type_name, objects) in &mut expected.texts {
            for (own, texts) in objects {
                texts.append(&mut attribute::common(type_name, cluster, own, environment));
            }
        }
    }

    /// Each admissible set of figures of a broker.
    fn broker_sets(&self, id: i32, sight: Option<&BrokerSight<'a>>) -> Vec<Plain> {
        let sets = broker::variants(sight, self.disk(id));
        match sight {
            Some(_) => sets,
            // What the metadata says of a broker counts where it says nothing itself.
            None => broker::with_metadata(&sets, id, &self.view.metadata()),
        }
    }

    fn topic(
        &self,
        name: &str,
        sights: &BTreeMap<i32, BrokerSight<'a>>,
        groups: &BTreeMap<&str, GroupSight<'a>>,
        ends: &[LogEnds<'a>],
    ) -> Figures {
        let mut bases: Vec<Plain> = Vec::new();
        for (ends, truth) in ends.iter().flat_map(|ends| self.described().map(move |t| (ends, t))) {
            let mut base = topic::lag(name, groups, ends);
            if let Some(bytes) = topic::leader_bytes(name, truth, |id| self.disk(id)) {
                base.insert("topic.sizeOnDisk.mb", bytes / 1_048_576.0);
            }
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
        let mut sets = topic::traffic(name, sights);
        let counted = "topic.throughput.in.messagesPerSecond";
        if sets.iter().all(|set| !set.contains_key(counted)) {
            sets = self.growth(name, ends.first()).into_iter().collect();
        }
        if sets.is_empty() {
            sets.push(Plain::new());
        }
        let mut figures = Figures::new();
        for (mut plain, base) in sets.iter().flat_map(|set| bases.iter().map(|b| (set.clone(), b)))
        {
            plain.extend(base.clone());
            topic::derive(&mut plain);
            merge(&mut figures, &plain);
        }
        for truth in self.view.metadata() {
            merge(&mut figures, &topic::from_metadata(name, truth));
        }
        figures
    }

    /// Descriptions of the cluster that the cycle can have gone by: the first one, for a later one
    /// only says where to ask again; in a cycle that missed something the first may not have
    /// arrived.
    fn described(&self) -> impl Iterator<Item = &'a MetadataTruth> + use<'a> {
        let mut truths = self.view.metadata();
        truths.reverse();
        let count = if self.complete { 1 } else { truths.len() };
        truths.into_iter().take(count)
    }

    /// A topic's messages per second by its log ends, where no exporter tells: the cluster has
    /// none, or every broker of the topic has just begun to count.
    fn growth(&self, name: &str, ends: Option<&LogEnds<'a>>) -> Option<Plain> {
        let event = self.event("MESSAGE_QUEUE_TOPIC", name)?;
        let window_ms = event.number("collectionWindowMs")?;
        let then = self.back(event, window_ms);
        let cycle = self.cycle_of_earlier_end(then)?;
        let before = CycleView::new(self.fleet, cycle.started, cycle.ended);
        let before = before.log_ends(None);
        let sum = |ends: &LogEnds<'_>| -> i64 {
            ends.range((name, i32::MIN)..=(name, i32::MAX)).map(|(_, end)| *end).sum()
        };
        let grown = (sum(ends?) - sum(&before)) as f64;
        let rate = grown / (window_ms / 1_000.0);
        Some(Plain::from([("topic.throughput.in.messagesPerSecond", rate)]))
    }

    fn cluster(&self, sights: &BTreeMap<i32, BrokerSight<'a>>) -> Figures {
        let brokers = self.fleet.brokers.iter();
        let sets = brokers.map(|id| self.broker_sets(*id, sights.get(id)));
        let census = cluster::Census {
            truths: self.view.metadata(),
            known: expected_brokers(self.record, self.fleet, self.events),
            groups: self.fleet.groups.iter().filter(|name| self.is_known_group(name)).count(),
        };
        cluster::figures(&sets.collect::<Vec<_>>(), &census)
    }

    fn event(&self, type_name: &str, own: &str) -> Option<&'a StoredEvent> {
        self.by_object.get(type_name)?.get(own).copied()
    }

    fn disk(&self, broker: i32) -> Option<LogDirs<'a>> {
        self.arrivals.log_dirs(broker)
    }

    /// Log ends that the pipeline can have got: all; in a cycle that missed something, also all
    /// but one broker's.
    fn log_ends(&self) -> Vec<LogEnds<'a>> {
        let mut variants = vec![self.view.log_ends(None)];
        if !self.complete {
            variants.extend(self.fleet.brokers.iter().map(|id| self.view.log_ends(Some(*id))));
        }
        variants
    }

    fn sight(&self, broker: i32) -> Option<BrokerSight<'a>> {
        let event = self.event("MESSAGE_QUEUE_BROKER", &broker.to_string());
        let now = self.arrivals.scrape(broker)?;
        let window_ms = event.and_then(|event| event.number("collectionWindowMs"));
        let before = match (event, window_ms) {
            (Some(event), Some(window_ms)) => {
                let earlier = self.before(event, window_ms);
                let earlier = self.fleet.journal.scrapes(broker, &earlier);
                let truths = earlier.filter_map(|seen| match &seen.what {
                    Observed::Scrape(truth) => Some(truth.as_ref()),
                    _ => None,
                });
                truths.collect()
            }
            _ => Vec::new(),
        };
        Some(BrokerSight { now, before, window_s: window_ms.map(|ms| ms / 1_000.0) })
    }

    fn group_sight(&self, name: &str) -> Option<GroupSight<'a>> {
        let now = self.view.committed(name)?;
        let event = self.event("MESSAGE_QUEUE_CONSUMER_GROUP", name);
        let window_ms = event.and_then(|event| event.number("collectionWindowMs"));
        let before = match (event, window_ms) {
            (Some(event), Some(window_ms)) => {
                let earlier = self.before(event, window_ms);
                let earlier = self.fleet.journal.committed(name, &earlier);
                let truths = earlier.filter_map(|seen| match &seen.what {
                    Observed::Committed { partitions, .. } => Some(partitions.as_slice()),
                    _ => None,
                });
                truths.collect()
            }
            _ => Vec::new(),
        };
        Some(GroupSight { now, before, window_s: window_ms.map(|ms| ms / 1_000.0) })
    }

    /// The earlier end of an event's window.
    fn back(&self, event: &StoredEvent, window_ms: f64) -> SimTime {
        let begun = self.events.cycle.started;
        let seen_at = self.record.origin(event).map_or(begun, |(at, _)| at);
        let window = Duration::from_secs_f64(window_ms / 1_000.0);
        SimTime::from(seen_at.since_start().saturating_sub(window))
    }

    /// The cycle in which a window that reaches back to `then` began: never the present one, whose
    /// own answers may lie after `then` when it took long.
    fn cycle_of_earlier_end(&self, then: SimTime) -> Option<&'a CycleRecord> {
        let until = then + Duration::from_millis(1);
        let cycle = self.record.cycle_before(until)?;
        if cycle.started < self.events.cycle.started {
            return Some(cycle);
        }
        let just_before = self.events.cycle.started.since_start().checked_sub(INSTANT)?;
        self.record.cycle_before(SimTime::from(just_before))
    }

    /// Answers that can have been the earlier end of a window.
    fn before(&self, event: &StoredEvent, window_ms: f64) -> Range<u32> {
        let then = self.back(event, window_ms);
        // An event's time is that of its newest part, which may be later than the counters'.
        let until = then + Duration::from_millis(1);
        let Some(cycle) = self.cycle_of_earlier_end(then) else { return 0..0 };
        self.fleet.journal.between(cycle.started, until)
    }
}

/// Topics of a group's rows.
fn topics_of<'a>(sight: &GroupSight<'a>) -> BTreeSet<&'a str> {
    let external = sight.now.iter().filter(|c| !c.topic.starts_with("__"));
    external.map(|c| c.topic.as_ref()).collect()
}
