//! Incidents of conditions on partitions: open when replicas or leaders were missing for long
//! enough, closed when they were back for as long, and never without cause.
//!
//! What was true is told by the fleet's own answers on its metadata, of which the pipeline makes
//! its samples. Where some window of a span lacks a sample that New Relic had stored when it was
//! judged, nothing is demanded of the span: whether samples arrive is for other checks to say.
//! Incidents of all conditions are held to their order: each opens once and closes at most once.
//!
//! Not examined: conditions on other figures; runs in which the pipeline's clock is set, because
//! windows then mix times.

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::{FleetRecord, IncidentRecord, Record};
use super::{Check, Class, Finding};
use crate::alerts::{Condition, Term, plan};
use crate::domain::units::UnixMillis;
use crate::sim::fleet::{MetadataTruth, Observed};
use crate::sim::oracle::guid::{Identity, expected};
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "incidents",
    promise: "incidents tell when partitions lack replicas or leaders for too long, and only then",
    class: Class::Oracle,
    examine,
};

/// How many partitions an answer shows as bad.
type Count = fn(&MetadataTruth) -> usize;

/// Rules that are examined, the metric that they watch, and its truth.
const RULES: &[(&str, &str, Count)] = &[
    ("cluster-under-replicated", "cluster.partitions.underReplicated", |truth| {
        partitions(truth, |isr, replicas, _| isr < replicas)
    }),
    ("cluster-offline-partitions", "cluster.partitions.offline", |truth| {
        partitions(truth, |_, _, leader| leader < 0)
    }),
];

fn partitions(truth: &MetadataTruth, is_bad: fn(usize, usize, i32) -> bool) -> usize {
    let topics = truth.topics.iter().filter(|topic| !topic.name.starts_with("__"));
    let all = topics.flat_map(|topic| &topic.partitions);
    all.filter(|p| is_bad(p.isr.len(), p.replicas.len(), p.leader)).count()
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// One term of a condition on one cluster.
struct Case<'r> {
    record: &'r Record,
    rule: &'static str,
    metric: &'static str,
    condition: &'r Condition,
    term: &'r Term,
    cluster: Identity,
    guid: String,
    /// When the cluster was asked, and whether its partitions were bad.
    answers: Vec<(SimTime, bool)>,
}

/// A stretch of answers that agree: the first, and the last before another or none came.
struct Span {
    from: SimTime,
    to: SimTime,
    is_bad: bool,
}

/// An incident from its opening on.
struct Incident<'r> {
    opened: &'r IncidentRecord,
    closed: Option<&'r IncidentRecord>,
}

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let Some(file) = &record.scenario.newrelic.alerts else {
        finding.excused = Some("New Relic watches no condition".to_owned());
        return finding;
    };
    let incidents = in_order(&mut finding, &record.newrelic.incidents);
    if record.is_clock_ever_set() {
        finding.excused = Some("the pipeline's clock was set".to_owned());
        return finding;
    }
    // The scenario's rules hold the file to these.
    let conditions = plan(file).map(|plan| plan.conditions).unwrap_or_default();
    let clusters = &file.policy.clusters;
    for (rule, metric, count) in RULES {
        let Some(condition) = conditions.iter().find(|known| known.id == *rule) else { continue };
        let watched = |name: &str| clusters.is_empty() || clusters.iter().any(|own| own == name);
        for (name, fleet) in record.fleets.iter().filter(|(name, _)| watched(name)) {
            for term in &condition.terms {
                let cluster = Identity::new("MESSAGE_QUEUE_CLUSTER", name, None);
                let (_, guid) = expected(record.scenario.pipeline.account_id, &cluster);
                let answers = answers(fleet, *count, term.threshold);
                let case = Case { record, rule, metric, condition, term, cluster, guid, answers };
                case.judge(&mut finding, &incidents);
            }
        }
    }
    if finding.examined == 0 && conditions.iter().all(|known| !is_examined(&known.id)) {
        finding.excused = Some("no condition watches partitions".to_owned());
    }
    finding
}

fn is_examined(id: &str) -> bool {
    RULES.iter().any(|(rule, ..)| *rule == id)
}

fn answers(fleet: &FleetRecord, count: Count, threshold: f64) -> Vec<(SimTime, bool)> {
    let told = fleet.journal.all().iter().filter_map(|seen| match &seen.what {
        Observed::Metadata(truth) => Some((seen.at, count(truth) as f64 > threshold)),
        _ => None,
    });
    told.collect()
}

/// The incidents of a run, each of whose events come in order.
fn in_order<'r>(finding: &mut Finding, events: &'r [IncidentRecord]) -> Vec<Incident<'r>> {
    let mut incidents: BTreeMap<&str, Incident<'r>> = BTreeMap::new();
    for event in events {
        finding.examine();
        let at = Some(event.at);
        match (incidents.get_mut(event.id.as_str()), event.is_open) {
            (None, true) => {
                incidents.insert(&event.id, Incident { opened: event, closed: None });
            }
            (Some(_), true) => {
                finding.violate(at, format!("`{}` opened one incident twice", event.condition));
            }
            (Some(known), false) if known.closed.is_none() => known.closed = Some(event),
            (_, false) => {
                let what = format!("`{}` closed an incident that was not open", event.condition);
                finding.violate(at, what);
            }
        }
    }
    incidents.into_values().collect()
}

impl Case<'_> {
    fn window(&self) -> Duration {
        seconds(self.condition.signal.aggregation_window_seconds)
    }

    fn delay(&self) -> Duration {
        seconds(self.condition.signal.aggregation_delay_seconds)
    }

    /// Time from a change to the judgement that has to tell of it: the rest of the present window,
    /// the duration, the wait for late data.
    fn limit(&self) -> Duration {
        self.window() + seconds(self.term.duration_seconds) + self.delay()
    }

    fn wall(&self, at: SimTime) -> UnixMillis {
        self.record.scenario.epoch().plus(at.since_start())
    }

    /// Answers that follow each other without a pause in which anything may have been.
    fn spans(&self) -> Vec<Span> {
        let pause = self.record.scenario.pipeline.interval.0 * 2;
        let mut spans: Vec<Span> = Vec::new();
        for (at, is_bad) in &self.answers {
            match spans.last_mut() {
                Some(last) if last.is_bad == *is_bad && *at - last.to <= pause => last.to = *at,
                _ => spans.push(Span { from: *at, to: *at, is_bad: *is_bad }),
            }
        }
        spans
    }

    /// Whether each window that makes the term's duration after `from` has a sample in time.
    fn is_sampled(&self, from: SimTime) -> bool {
        let width = i64::try_from(self.window().as_millis()).unwrap_or(i64::MAX).max(1);
        let delay = i64::try_from(self.delay().as_millis()).unwrap_or(i64::MAX);
        let first = self.wall(from).0.div_euclid(width) + 1;
        let count = self.term.duration_seconds / self.condition.signal.aggregation_window_seconds;
        let samples = &self.record.newrelic.samples;
        let in_time = |sample: &&super::record::StoredEvent| {
            let end = (sample.timestamp.0.div_euclid(width) + 1) * width;
            sample.text("entityGuid") == self.guid
                && sample.number(self.metric).is_some()
                && self.wall(sample.stored_at).0 <= end.saturating_add(delay)
        };
        let mut windows: Vec<i64> =
            samples.iter().filter(in_time).map(|s| s.timestamp.0.div_euclid(width)).collect();
        windows.sort_unstable();
        (first..first + i64::from(count)).all(|window| windows.binary_search(&window).is_ok())
    }

    fn judge(&self, finding: &mut Finding, incidents: &[Incident<'_>]) {
        let own: Vec<&Incident<'_>> = incidents
            .iter()
            .filter(|incident| {
                incident.opened.condition == self.condition.name
                    && incident.opened.guid == self.guid
                    && incident.opened.is_of(self.term.priority)
            })
            .collect();
        if !self.answers.is_empty() {
            finding.examine();
        }
        for span in self.spans() {
            self.must_tell(finding, &own, &span);
        }
        for incident in &own {
            self.must_have_cause(finding, incident.opened);
        }
    }

    /// A change that lasted is told of in time.
    fn must_tell(&self, finding: &mut Finding, own: &[&Incident<'_>], span: &Span) {
        // One more cycle, because a sample bears the time at which its cycle began.
        let lasting = self.limit() - self.delay() + self.record.scenario.pipeline.interval.0;
        let deadline = span.from + self.limit();
        if span.to - span.from < lasting
            || deadline >= self.record.end
            || !self.is_sampled(span.from)
        {
            return;
        }
        finding.examine();
        let (rule, cluster) = (self.rule, &self.cluster);
        let is_open_at = |at: SimTime| {
            own.iter().find(|incident| {
                incident.opened.at <= at && incident.closed.is_none_or(|end| end.at > at)
            })
        };
        let limit = self.limit().as_secs();
        match (span.is_bad, is_open_at(deadline)) {
            (true, None) => finding.violate(
                Some(deadline),
                format!("{cluster} has bad partitions for {limit} s, and `{rule}` tells nothing"),
            ),
            (true, Some(incident)) if incident.opened.at >= span.from => {
                let took = incident.opened.at - span.from;
                finding.measure(took.as_secs_f64(), limit as f64, "s");
            }
            (false, Some(_)) => finding.violate(
                Some(deadline),
                format!("{cluster} is well again for {limit} s, and `{rule}` is still open"),
            ),
            _ => {}
        }
    }

    /// In every window of the time that led to an incident some answer was bad.
    fn must_have_cause(&self, finding: &mut Finding, opened: &IncidentRecord) {
        finding.examine();
        let slack = self.record.scenario.pipeline.interval.0 * 2;
        let mut begin = opened.degraded_at;
        while begin + self.window() + self.delay() <= opened.at {
            let from = SimTime::from(begin.since_start().saturating_sub(slack));
            let to = begin + self.window() + slack;
            let mut within = self.answers.iter().filter(|(at, _)| from <= *at && *at <= to);
            if !within.any(|(_, is_bad)| *is_bad) {
                let (rule, cluster) = (self.rule, &self.cluster);
                let what = format!("`{rule}` tells of {cluster}, whose partitions were well");
                finding.violate(Some(opened.at), what);
                return;
            }
            begin = begin + self.window();
        }
    }
}
