//! Who told whom what around one instant: hosts as lifelines, messages of a burst as one row.
//!
//! Invariants:
//! - At most [`HOSTS_MAX`] lifelines: hosts that matter least share one.
//! - At most [`ROWS_MAX`] rows; those furthest from the instant go first, and are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::chain::Focus;
use super::log::{self, Log, Message};
use super::{Outcome, Row, Sequence, words};
use crate::sim::check::record::Record;
use crate::sim::scenario::{NEWRELIC_HOST, PIPELINE_HOST, USER_HOST};
use crate::sim::time::SimTime;

/// Most lifelines.
const HOSTS_MAX: usize = 8;
/// Most rows.
const ROWS_MAX: usize = 72;
/// Most single messages that a row tells of.
const DETAILS_MAX: usize = 24;
/// Messages further apart are two bursts.
const BURST: Duration = Duration::from_millis(400);

/// The diagram around the focus.
pub(super) fn sequence(
    record: &Record,
    log: &Log<'_>,
    focus: &Focus<'_>,
    hosts: &BTreeSet<String>,
) -> Sequence {
    let interval = record.scenario.pipeline.interval.0;
    let from = SimTime::from(focus.at.since_start().saturating_sub(interval));
    let to = (focus.at + interval.mul_f64(1.25)).min(record.end);
    // The last instants of a run tell nothing but what came before them.
    let from = if to == record.end {
        SimTime::from(from.since_start().saturating_sub(interval))
    } else {
        from
    };
    let names = lifelines(log, from, to, hosts);
    let mut draft = Draft { names, rows: Vec::new(), open: BTreeMap::new() };
    for event in log.between(from, to) {
        draft.event(&event);
    }
    draft.broken(focus);
    let (rows, left_out) = nearest(draft.rows, focus.at);
    Sequence {
        caption: format!("{from} to {to}, around {}", focus.words),
        from,
        to,
        hosts: draft.names.all,
        rows,
        left_out,
    }
}

/// The lifelines, left to right.
struct Names {
    all: Vec<String>,
    /// Hosts that share the last lifeline.
    others: BTreeSet<String>,
}

impl Names {
    fn index(&self, host: &str) -> Option<usize> {
        let own = self.all.iter().position(|name| name == host);
        own.or_else(|| self.others.contains(host).then(|| self.all.len() - 1))
    }
}

/// The pipeline stands between what it tells and what it asks.
fn lifelines(log: &Log<'_>, from: SimTime, to: SimTime, matter: &BTreeSet<String>) -> Names {
    let mut talked: BTreeSet<String> = BTreeSet::new();
    for message in log.between(from, to).filter_map(|event| log::message(&event)) {
        talked.extend([message.from, message.to]);
    }
    let fixed = [PIPELINE_HOST, NEWRELIC_HOST, USER_HOST];
    let user = talked.contains(USER_HOST);
    let mut brokers: Vec<String> =
        talked.into_iter().filter(|host| !fixed.contains(&host.as_str())).collect();
    brokers.sort_by_key(|host| !matter.contains(host));
    let room = HOSTS_MAX - fixed.len();
    let cut = if brokers.len() > room { room - 1 } else { brokers.len() };
    let others: BTreeSet<String> = brokers.split_off(cut).into_iter().collect();
    brokers.sort();
    let mut all = vec![NEWRELIC_HOST.to_owned(), PIPELINE_HOST.to_owned()];
    all.append(&mut brokers);
    all.extend(user.then(|| USER_HOST.to_owned()));
    // What shares a lifeline stands last.
    all.extend((!others.is_empty()).then(|| format!("{} other hosts", others.len())));
    Names { all, others }
}

/// From, to, outcome.
type Pair = (usize, usize, Outcome);

struct Draft {
    names: Names,
    rows: Vec<(SimTime, SimTime, Row)>,
    /// The row that the next message of a pair may join.
    open: BTreeMap<Pair, usize>,
}

impl Draft {
    fn event(&mut self, event: &crate::sim::trace::TraceEvent) {
        let at = event.at;
        if let Some(message) = log::message(event) {
            self.message(at, &message, words::event(event));
            return;
        }
        if event.source == "fault" && ["begin", "end"].contains(&event.kind.as_str()) {
            self.open.clear();
            self.rows.push((at, at, Row::Band { words: words::event(event), fault: true }));
            return;
        }
        if event.source == "net" && event.kind == "timeout" {
            let side = event.field("flow").and_then(|flow| flow.split(':').next());
            if let Some(on) = side.and_then(|host| self.names.index(host)) {
                self.note(at, on, words::event(event), Outcome::Lost);
            }
            return;
        }
        // Entities become visible by the dozen; the curves count them.
        let told = words::application(event).zip(self.names.index(&event.source));
        // Nor does a component that is well say much.
        let told =
            told.filter(|((_, fate), _)| event.kind != "component" || *fate != Outcome::Arrived);
        if let Some(((words, outcome), on)) = told {
            self.note(at, on, words, outcome);
        }
    }

    fn note(&mut self, at: SimTime, on: usize, words: String, outcome: Outcome) {
        self.open.retain(|(from, to, _), _| *from != on && *to != on);
        self.rows.push((at, at, Row::Note { on, words, outcome }));
    }

    fn message(&mut self, at: SimTime, message: &Message, words: String) {
        let ends = self.names.index(&message.from).zip(self.names.index(&message.to));
        let Some((from, to)) = ends.filter(|(from, to)| from != to) else { return };
        let pair = (from, to, message.outcome);
        let known = self.open.get(&pair).and_then(|index| self.rows.get_mut(*index));
        if let Some((_, end, Row::Messages { count, bytes, what, details, .. })) = known
            && at - *end <= BURST
        {
            *end = at;
            *count += 1;
            *bytes += message.bytes;
            if !what.split(", ").any(|known| known == message.what) {
                what.push_str(", ");
                what.push_str(message.what);
            }
            if details.len() < DETAILS_MAX {
                details.push((at, words));
            }
            return;
        }
        self.open.insert(pair, self.rows.len());
        let row = Row::Messages {
            from,
            to,
            count: 1,
            bytes: message.bytes,
            outcome: message.outcome,
            what: message.what.to_owned(),
            details: vec![(at, words)],
        };
        self.rows.push((at, at, row));
    }

    /// Puts the broken promise where it belongs.
    fn broken(&mut self, focus: &Focus<'_>) {
        if focus.broken.is_none() {
            return;
        }
        let place = self.rows.partition_point(|(at, ..)| *at <= focus.at);
        let band = Row::Band { words: focus.words.clone(), fault: false };
        self.rows.insert(place, (focus.at, focus.at, band));
    }
}

type Rows = Vec<(SimTime, SimTime, Row)>;

/// The rows nearest to `focus`, and how many messages the others tell of.
fn nearest(rows: Rows, focus: SimTime) -> (Rows, u64) {
    let far = |index: &usize| {
        let (from, to, row) = &rows[*index];
        let plain = matches!(row, Row::Messages { outcome: Outcome::Arrived, .. });
        let distance = (focus - *to).max(*from - focus);
        // Rows that tell of trouble stay longest.
        (if plain { distance } else { distance / 8 }, *index)
    };
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(far);
    let kept: BTreeSet<usize> = order.into_iter().take(ROWS_MAX).collect();
    let mut left_out = 0;
    let mut nearest = Vec::with_capacity(kept.len());
    for (index, row) in rows.into_iter().enumerate() {
        match &row.2 {
            _ if kept.contains(&index) => nearest.push(row),
            Row::Messages { count, .. } => left_out += count,
            _ => {}
        }
    }
    (nearest, left_out)
}
