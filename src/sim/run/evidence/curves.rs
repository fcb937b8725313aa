//! What was, against what should have been, over time.
//!
//! Invariant: a line has at most [`POINTS_MAX`] points; those left out lie on the way between
//! their neighbours' extremes.

use super::{Curve, Line, Part, metric};
use crate::sim::check::CheckResult;
use crate::sim::check::record::{BooksRecord, Record};
use crate::sim::oracle::objects;
use crate::sim::time::SimTime;

/// Most points of one line.
const POINTS_MAX: usize = 320;

/// All curves, the wrong ones first.
pub(super) fn curves(record: &Record, checks: &[CheckResult]) -> Vec<Curve> {
    let failed = |name: &str| checks.iter().any(|check| check.name == name && !check.passed());
    let wrong = failed("ground truth") || failed("health score");
    let mut curves = metric::curves(record, wrong);
    let own = [entities(record), events(record), disk(record), memory(record)];
    let own = own.into_iter().filter(|curve| curve.lines.iter().any(|l| !l.points.is_empty()));
    // Wrong figures explain a failure; right ones only illustrate.
    let at = if wrong { curves.len() } else { 0 };
    curves.splice(at..at, own);
    for line in curves.iter_mut().flat_map(|curve| &mut curve.lines) {
        line.points = thinned(std::mem::take(&mut line.points));
    }
    curves
}

fn line(label: &str, part: Part, points: Vec<(SimTime, f64)>) -> Line {
    Line { label: label.to_owned(), part, points }
}

fn constant(record: &Record, value: f64) -> Vec<(SimTime, f64)> {
    vec![(SimTime::ZERO, value), (record.end, value)]
}

/// Running totals of what happened at these instants.
fn running(mut steps: Vec<(SimTime, f64)>, end: SimTime) -> Vec<(SimTime, f64)> {
    steps.sort_by_key(|(at, _)| *at);
    let mut points = vec![(SimTime::ZERO, 0.0)];
    let mut total = 0.0;
    for (at, step) in steps.into_iter().filter(|(at, _)| *at <= end) {
        total += step;
        match points.last_mut() {
            Some(last) if last.0 == at => last.1 = total,
            _ => points.push((at, total)),
        }
    }
    points.push((end, total));
    points
}

fn entities(record: &Record) -> Curve {
    let visible = record.newrelic.entities.iter().map(|entity| (entity.visible_at, 1.0)).collect();
    let objects = objects::ever(record).len() as f64;
    Curve {
        title: "Entities in New Relic".to_owned(),
        unit: String::new(),
        lines: vec![
            line("objects of the fleet", Part::Truth, constant(record, objects)),
            line("visible in New Relic", Part::Found, running(visible, record.end)),
        ],
        differences: Vec::new(),
        note: None,
    }
}

/// The books of all lives as one: totals go on where the life before stopped.
fn books(record: &Record, of: impl Fn(&BooksRecord) -> u64) -> Vec<(SimTime, f64)> {
    let mut before = 0;
    let mut points = vec![(SimTime::ZERO, 0.0)];
    for life in &record.pipelines {
        let own = life.books.iter().map(|books| (books.at, (before + of(books)) as f64));
        points.extend(own);
        before += life.books.last().map_or(0, &of);
    }
    points
}

/// What is at each instant of the books: nothing passes from life to life.
fn levels(record: &Record, of: impl Fn(&BooksRecord) -> u64) -> Vec<(SimTime, f64)> {
    let lives = record.pipelines.iter();
    let point = |books: &BooksRecord| (books.at, of(books) as f64);
    lives.flat_map(|life| life.books.iter().map(point)).collect()
}

fn events(record: &Record) -> Curve {
    let stored = record.newrelic.requests.iter();
    let stored = stored.map(|request| (request.at, request.events_stored as f64)).collect();
    Curve {
        title: "Events handed over and stored".to_owned(),
        unit: String::new(),
        lines: vec![
            line("enqueued by the pipeline", Part::Truth, books(record, |books| books.enqueued)),
            line("stored by New Relic", Part::Found, running(stored, record.end)),
        ],
        differences: Vec::new(),
        note: None,
    }
}

/// The cap and the peak of what is bounded, of the last life.
fn bound(record: &Record, what: &str) -> Option<(u64, u64)> {
    let bounds = record.pipelines.last()?.resilience.memory.iter();
    bounds.into_iter().find(|bound| bound.what == what).map(|bound| (bound.peak, bound.cap))
}

fn disk(record: &Record) -> Curve {
    let spool = bound(record, "bytes of events in the spool");
    let note = spool.map(|(peak, cap)| {
        format!("The spool held {} at most; it may hold {}.", bytes(peak), bytes(cap))
    });
    Curve {
        title: "Events on their way".to_owned(),
        unit: String::new(),
        lines: vec![
            line("in the spool", Part::Found, levels(record, |books| books.spooled)),
            line("in memory alone", Part::Truth, levels(record, |books| books.staged)),
        ],
        differences: Vec::new(),
        note,
    }
}

fn memory(record: &Record) -> Curve {
    let cap = bound(record, "bytes of events in memory").map(|(_, cap)| cap as f64);
    let cap = cap.map(|cap| line("cap", Part::Limit, constant(record, cap)));
    let held = line("held", Part::Found, levels(record, |books| books.held_bytes));
    Curve {
        title: "Events in memory".to_owned(),
        unit: "bytes".to_owned(),
        lines: std::iter::once(held).chain(cap).collect(),
        differences: Vec::new(),
        note: None,
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// At most [`POINTS_MAX`] points: of each stretch of time the first, the least, the greatest and
/// the last one.
fn thinned(points: Vec<(SimTime, f64)>) -> Vec<(SimTime, f64)> {
    // Points between two of their own value say nothing.
    let tells = |window: [Option<&(SimTime, f64)>; 3]| match window {
        [Some(a), Some(b), Some(c)] => a.1 != b.1 || b.1 != c.1,
        _ => true,
    };
    let at = |index: usize| points.get(index);
    let before = |index: usize| index.checked_sub(1).and_then(at);
    let telling = |index: &usize| tells([before(*index), at(*index), at(*index + 1)]);
    let points: Vec<_> = (0..points.len()).filter(telling).map(|index| points[index]).collect();
    if points.len() <= POINTS_MAX {
        return points;
    }
    let stretch = points.len().div_ceil(POINTS_MAX / 4);
    let mut thin = Vec::with_capacity(POINTS_MAX);
    for stretch in points.chunks(stretch) {
        let by_value = |a: &&(SimTime, f64), b: &&(SimTime, f64)| a.1.total_cmp(&b.1);
        let telling = [
            stretch.first(),
            stretch.iter().min_by(by_value),
            stretch.iter().max_by(by_value),
            stretch.last(),
        ];
        let mut telling: Vec<_> = telling.into_iter().flatten().copied().collect();
        telling.sort_by_key(|(at, _)| *at);
        telling.dedup();
        thin.extend(telling);
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_thinned_and_keep_their_extremes() {
        let wave = |second: u64| {
            let value = if second == 7_777 { 1e6 } else { (second % 100) as f64 };
            (SimTime::from_secs(second), value)
        };
        let points: Vec<_> = (0..20_000).map(wave).collect();
        let thin = thinned(points.clone());
        assert!(thin.len() <= POINTS_MAX, "{}", thin.len());
        assert!(thin.is_sorted_by_key(|(at, _)| *at));
        assert!(thin.iter().any(|(_, value)| *value == 1e6));
        assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
        let flat = |second| (SimTime::from_secs(second), 3.0);
        assert_eq!(thinned((0..90).map(flat).collect()), [flat(0), flat(89)]);
    }

    #[test]
    fn totals_run_up_to_the_end() {
        let at = SimTime::from_secs;
        let steps = vec![(at(3), 2.0), (at(1), 1.0), (at(3), 1.0), (at(99), 9.0)];
        let points = [(at(0), 0.0), (at(1), 1.0), (at(3), 4.0), (at(9), 4.0)];
        assert_eq!(running(steps, at(9)), points);
    }
}
