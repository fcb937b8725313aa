//! Judges the values of a condition's signals, window by window: what opens, and what ends.
//!
//! Source: "Create NRQL alert conditions", "Loss of signal", "How alert condition incidents are
//! closed".
//!
//! A signal is one combination of facets. A term opens when as many windows in a row as make its
//! duration are beyond its threshold, or one of them when `AT_LEAST_ONCE` is asked for; it closes
//! when as many are not. A window without a value starts both counts anew, unless the condition
//! fills gaps. A signal that has been seen and is not seen for its time of expiration is lost until
//! its next value.
//!
//! Invariants:
//! - Windows come in order; what is found depends on them and on the criteria alone.
//! - A term and a loss have one open violation per signal at most, and each that opens is told
//!   again when it closes.
//! - There are at most [`SIGNALS_MAX`] signals; a lost one without an open violation is forgotten.
//!
//! Not modelled: that New Relic judges a window of the EVENT_FLOW method only when newer data of
//! the signal have come; baselines, whose model is not published: they have no terms here.

use std::collections::BTreeMap;

use serde::Serialize;

use super::condition::{Basis, Condition, Operator, Priority};
use super::nerdgraph;
use super::signal_query::Reading;
use crate::domain::units::UnixMillis;

/// Most signals of a condition: the facets that NRQL answers with at most.
pub const SIGNALS_MAX: usize = 5_000;
/// After how long a signal without a time of expiration is forgotten: the longest such time.
const FORGOTTEN_AFTER_SECONDS: u32 = 172_800;

/// How many of a duration's windows must be beyond a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrences {
    /// All: "for at least".
    All,
    /// One: "at least once in".
    AtLeastOnce,
}

/// A threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// How bad it is to be beyond it.
    pub priority: Priority,
    /// Which side is beyond.
    pub operator: Operator,
    /// In the unit of the query's value.
    pub threshold: f64,
    /// How long, in seconds.
    pub duration_seconds: u32,
    /// How many windows of that time.
    pub occurrences: Occurrences,
}

/// What stands for the value of a window without one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fill {
    /// Nothing.
    None,
    /// This value.
    Value(f64),
    /// The signal's last value.
    Last,
}

/// What happens when a signal is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiration {
    /// After so many seconds without a value.
    pub after_seconds: u32,
    /// Whether a violation opens.
    pub opens: bool,
    /// Whether those that are open close.
    pub closes: bool,
}

/// All that a judge has to know of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Criteria {
    /// Length of a window, in seconds.
    pub window_seconds: u32,
    /// From the begin of a window to that of the next, in seconds.
    pub slide_seconds: u32,
    /// From the end of a window to its judgement, in seconds.
    pub delay_seconds: u32,
    /// What stands for missing values.
    pub fill: Fill,
    /// Thresholds.
    pub terms: Vec<Criterion>,
    /// What a lost signal does.
    pub expiration: Option<Expiration>,
    /// After so many seconds an open violation ends by itself.
    pub closes_after_seconds: u32,
}

impl Criteria {
    /// Those of a condition.
    pub fn of(condition: &Condition) -> Self {
        let signal = condition.signal;
        let (operator, terms) = nerdgraph::terms(condition);
        let criterion = |term: &super::Term| Criterion {
            priority: term.priority,
            operator,
            threshold: term.threshold,
            duration_seconds: term.duration_seconds,
            occurrences: Occurrences::All,
        };
        let judged = condition.basis != Basis::Baseline;
        let expiration =
            Expiration { after_seconds: signal.silent_after_seconds, opens: true, closes: false };
        Self {
            window_seconds: signal.aggregation_window_seconds,
            slide_seconds: signal.aggregation_window_seconds,
            delay_seconds: signal.aggregation_delay_seconds,
            fill: Fill::None,
            terms: terms.iter().filter(|_| judged).map(criterion).collect(),
            expiration: (condition.basis == Basis::Silence).then_some(expiration),
            closes_after_seconds: signal.closes_after_seconds,
        }
    }

    /// Begin of the first window that begins at `at` or later.
    pub fn first_window(&self, at: UnixMillis) -> UnixMillis {
        let slide = millis(self.slide_seconds).max(1);
        let begun = at.0.div_euclid(slide) * slide;
        UnixMillis(if begun < at.0 { begun.saturating_add(slide) } else { begun })
    }

    /// End of the window that begins at `begin`.
    pub fn end(&self, begin: UnixMillis) -> UnixMillis {
        begin.plus_millis(millis(self.window_seconds))
    }

    /// When the window that begins at `begin` is judged.
    pub fn judged_at(&self, begin: UnixMillis) -> UnixMillis {
        self.end(begin).plus_millis(millis(self.delay_seconds))
    }

    /// Begin of the window after the one that begins at `begin`.
    pub fn next_window(&self, begin: UnixMillis) -> UnixMillis {
        begin.plus_millis(millis(self.slide_seconds).max(1))
    }

    /// Windows that make the duration of a term.
    fn windows(&self, term: &Criterion) -> u32 {
        term.duration_seconds.checked_div(self.slide_seconds).unwrap_or(1).max(1)
    }

    fn patience_ms(&self) -> i64 {
        millis(self.expiration.map_or(FORGOTTEN_AFTER_SECONDS, |given| given.after_seconds))
    }
}

fn millis(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000
}

/// Why a violation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The values were good again for as long as they had to be bad.
    Recovered,
    /// Data came again.
    SignalCame,
    /// Data came no more, and the condition asks for an end then.
    SignalLost,
    /// It lasted as long as an incident may.
    TimeLimit,
}

/// Why a violation opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trigger {
    /// Values were beyond a threshold.
    Threshold(Criterion),
    /// The signal was lost.
    Expiration,
}

/// The end of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// When it was known.
    pub at: UnixMillis,
    /// Since when values were good, if that is why.
    pub recovered_at: Option<UnixMillis>,
    /// Why.
    pub cause: Cause,
}

/// A violation of one signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Counted from 0 in the order of opening.
    pub number: u64,
    /// The signal's facets; none of a query without.
    pub facets: Vec<String>,
    /// Why it opened.
    pub trigger: Trigger,
    /// Begin of the first bad window; of a loss, the end of the last one with a value.
    pub degraded_at: UnixMillis,
    /// When it was known.
    pub opened_at: UnixMillis,
    /// The worst value so far; of a loss none.
    pub worst: Option<f64>,
    /// Its end.
    pub closing: Option<Closing>,
}

impl Violation {
    /// How bad it is; a loss is critical.
    pub fn priority(&self) -> Priority {
        match self.trigger {
            Trigger::Threshold(term) => term.priority,
            Trigger::Expiration => Priority::Critical,
        }
    }
}

/// What a window brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// Violations that opened, or closed: those have their closing.
    pub changed: Vec<Violation>,
    /// Signals that were not known before.
    pub appeared: Vec<Vec<String>>,
    /// Signals that are not known any more.
    pub forgotten: Vec<Vec<String>>,
}

/// One term of one signal: how many windows in a row were bad, or good, and since when.
#[derive(Debug, Clone, Default)]
struct Track {
    bad: u32,
    good: u32,
    since: UnixMillis,
    open: Option<Violation>,
}

#[derive(Debug)]
struct Signal {
    /// End of the last window with a value.
    seen_at: UnixMillis,
    last: f64,
    is_lost: bool,
    /// One per term.
    tracks: Vec<Track>,
    loss: Option<Violation>,
}

/// What a signal is judged by, and where the findings go.
struct Bench<'a> {
    criteria: &'a Criteria,
    facets: &'a [String],
    begin: UnixMillis,
    end: UnixMillis,
    now: UnixMillis,
    opened: &'a mut u64,
    changed: &'a mut Vec<Violation>,
}

impl Bench<'_> {
    fn open(&mut self, trigger: Trigger, degraded_at: UnixMillis, worst: Option<f64>) -> Violation {
        let violation = Violation {
            number: *self.opened,
            facets: self.facets.to_vec(),
            trigger,
            degraded_at,
            opened_at: self.now,
            worst,
            closing: None,
        };
        *self.opened += 1;
        self.changed.push(violation.clone());
        violation
    }

    fn close(&mut self, open: Violation, cause: Cause, recovered_at: Option<UnixMillis>) {
        let closing = Closing { at: self.now, recovered_at, cause };
        self.changed.push(Violation { closing: Some(closing), ..open });
    }

    fn is_over(&self, open: &Violation) -> bool {
        self.now.millis_since(open.opened_at) >= millis(self.criteria.closes_after_seconds)
    }
}

impl Track {
    fn count(&mut self, is_bad: Option<bool>, begin: UnixMillis) {
        let (bad, good) = match is_bad {
            Some(true) => (self.bad.saturating_add(1), 0),
            Some(false) => (0, self.good.saturating_add(1)),
            None => (0, 0),
        };
        if bad.max(good) == 1 {
            self.since = begin;
        }
        (self.bad, self.good) = (bad, good);
    }

    fn judge(&mut self, term: &Criterion, value: Option<f64>, bench: &mut Bench<'_>) {
        self.count(value.map(|value| term.operator.is_worse(value, term.threshold)), bench.begin);
        let windows = bench.criteria.windows(term);
        let Some(mut open) = self.open.take() else {
            let needed = if term.occurrences == Occurrences::All { windows } else { 1 };
            if self.bad >= needed {
                self.open = Some(bench.open(Trigger::Threshold(*term), self.since, value));
            }
            return;
        };
        if let (Some(value), Some(worst)) = (value, open.worst)
            && term.operator.is_worse(value, worst)
        {
            open.worst = Some(value);
        }
        if self.good >= windows {
            bench.close(open, Cause::Recovered, Some(self.since));
            *self = Self::default();
        } else if bench.is_over(&open) {
            bench.close(open, Cause::TimeLimit, None);
            *self = Self::default();
        } else {
            self.open = Some(open);
        }
    }
}

impl Signal {
    fn new(terms: usize, end: UnixMillis) -> Self {
        let tracks = vec![Track::default(); terms];
        Self { seen_at: end, last: 0.0, is_lost: false, tracks, loss: None }
    }

    fn judge(&mut self, heard: Option<f64>, bench: &mut Bench<'_>) {
        match heard {
            Some(value) => self.hear(value, bench),
            None => self.miss(bench),
        }
        let value = heard.or(match bench.criteria.fill {
            Fill::Value(value) if !self.is_lost => Some(value),
            Fill::Last if !self.is_lost => Some(self.last),
            _ => None,
        });
        for (term, track) in bench.criteria.terms.iter().zip(&mut self.tracks) {
            track.judge(term, value, bench);
        }
        if let Some(loss) = self.loss.take_if(|loss| bench.is_over(loss)) {
            bench.close(loss, Cause::TimeLimit, None);
        }
    }

    fn hear(&mut self, value: f64, bench: &mut Bench<'_>) {
        (self.seen_at, self.last, self.is_lost) = (bench.end, value, false);
        if let Some(loss) = self.loss.take() {
            bench.close(loss, Cause::SignalCame, None);
        }
    }

    fn miss(&mut self, bench: &mut Bench<'_>) {
        let silent_ms = bench.end.millis_since(self.seen_at);
        if self.is_lost || silent_ms < bench.criteria.patience_ms() {
            return;
        }
        self.is_lost = true;
        let Some(expiration) = bench.criteria.expiration else { return };
        if expiration.closes {
            for track in &mut self.tracks {
                if let Some(open) = track.open.take() {
                    bench.close(open, Cause::SignalLost, None);
                }
                *track = Track::default();
            }
        }
        if expiration.opens {
            self.loss = Some(bench.open(Trigger::Expiration, self.seen_at, None));
        }
    }

    fn open(&self) -> impl Iterator<Item = &Violation> {
        self.tracks.iter().filter_map(|track| track.open.as_ref()).chain(&self.loss)
    }

    fn is_forgotten(&self) -> bool {
        self.is_lost && self.open().next().is_none()
    }
}

/// The signals of one condition.
#[derive(Debug)]
pub struct Judge {
    criteria: Criteria,
    signals: BTreeMap<Vec<String>, Signal>,
    opened: u64,
}

impl Judge {
    /// One that has seen nothing.
    pub fn new(criteria: Criteria) -> Self {
        Self { criteria, signals: BTreeMap::new(), opened: 0 }
    }

    /// What it judges by.
    pub fn criteria(&self) -> &Criteria {
        &self.criteria
    }

    /// Goes on by other criteria; their terms must be as many as before, in the same order.
    pub fn adopt(&mut self, criteria: Criteria) {
        self.criteria = criteria;
    }

    /// Judges the window that begins at `begin` by its `readings`, at the instant `now`.
    pub fn window(&mut self, readings: &[Reading], begin: UnixMillis, now: UnixMillis) -> Findings {
        let Self { criteria, signals, opened } = self;
        let (criteria, end) = (&*criteria, criteria.end(begin));
        let mut findings = Findings::default();
        let heard: BTreeMap<&[String], f64> = readings
            .iter()
            .filter_map(|reading| Some((reading.facets.as_slice(), reading.value?)))
            .collect();
        for facets in heard.keys() {
            if !signals.contains_key(*facets) && signals.len() < SIGNALS_MAX {
                signals.insert(facets.to_vec(), Signal::new(criteria.terms.len(), end));
                findings.appeared.push(facets.to_vec());
            }
        }
        let Findings { changed, forgotten, .. } = &mut findings;
        signals.retain(|facets, signal| {
            let mut bench = Bench { criteria, facets, begin, end, now, opened, changed };
            signal.judge(heard.get(facets.as_slice()).copied(), &mut bench);
            let is_forgotten = signal.is_forgotten();
            if is_forgotten {
                forgotten.push(facets.clone());
            }
            !is_forgotten
        });
        findings
    }

    /// Passes over windows that nobody judges: what was counted starts anew.
    pub fn skip(&mut self) {
        for track in self.signals.values_mut().flat_map(|signal| &mut signal.tracks) {
            (track.bad, track.good) = (0, 0);
        }
    }

    /// The signals that are known, in the order of their facets.
    pub fn signals(&self) -> impl Iterator<Item = &[String]> {
        self.signals.keys().map(Vec::as_slice)
    }

    /// Violations that are open, signal by signal.
    pub fn open(&self) -> impl Iterator<Item = &Violation> {
        self.signals.values().flat_map(Signal::open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn term(occurrences: Occurrences, minutes: u32) -> Criterion {
        Criterion {
            priority: Priority::Critical,
            operator: Operator::Above,
            threshold: 10.0,
            duration_seconds: minutes * 60,
            occurrences,
        }
    }

    fn criteria(terms: Vec<Criterion>) -> Criteria {
        Criteria {
            window_seconds: 60,
            slide_seconds: 60,
            delay_seconds: 0,
            fill: Fill::None,
            terms,
            expiration: None,
            closes_after_seconds: 86_400,
        }
    }

    /// What changes, minute by minute: `3+` opens at the end of minute 3, `5-recovered` closes.
    fn told(criteria: Criteria, values: &[Option<f64>]) -> Vec<String> {
        let mut judge = Judge::new(criteria);
        let mut told = Vec::new();
        for (minute, value) in values.iter().enumerate() {
            let begin = UnixMillis(minute as i64 * MINUTE_MS);
            let readings = [Reading { facets: vec!["a".to_owned()], value: *value }];
            let now = judge.criteria().judged_at(begin);
            let findings = judge.window(&readings, begin, now);
            for violation in findings.changed {
                told.push(match violation.closing {
                    None => format!("{}+", minute + 1),
                    Some(closing) => format!("{}-{:?}", minute + 1, closing.cause),
                });
            }
            told.extend(findings.forgotten.iter().map(|_| format!("{} forgotten", minute + 1)));
        }
        told
    }

    #[test]
    fn terms_gaps_and_losses_open_and_close() {
        let check = |criteria: Criteria, values: &str, expected: &[&str]| {
            let value = |c| match c {
                'x' => Some(99.0),
                'o' => Some(1.0),
                _ => None,
            };
            let values: Vec<Option<f64>> = values.chars().map(value).collect();
            assert_eq!(told(criteria, &values), expected, "{values:?}");
        };
        let all = || criteria(vec![term(Occurrences::All, 3)]);
        let once = || criteria(vec![term(Occurrences::AtLeastOnce, 3)]);
        check(all(), "xxoxxx", &["6+"]);
        check(all(), "xxxooo", &["3+", "6-Recovered"]);
        check(all(), "xx.xx", &[]);
        check(once(), "oxoo", &["2+"]);
        check(once(), "oxooo", &["2+", "5-Recovered"]);
        // One bad value starts the recovery anew.
        check(once(), "xooxooo", &["1+", "7-Recovered"]);
        check(Criteria { fill: Fill::Last, ..all() }, "xx.", &["3+"]);
        check(Criteria { fill: Fill::Value(50.0), ..all() }, "o...", &["4+"]);
        let lost = |opens, closes, after_seconds| {
            let expiration = Some(Expiration { after_seconds, opens, closes });
            Criteria { expiration, ..all() }
        };
        check(lost(true, false, 120), "o..o", &["3+", "4-SignalCame"]);
        check(lost(false, true, 120), "xxx..", &["3+", "5-SignalLost", "5 forgotten"]);
        check(lost(true, true, 120), "xxx..", &["3+", "5-SignalLost", "5+"]);
        // A filled gap ends where the signal is lost.
        let filled = Criteria { fill: Fill::Value(50.0), ..lost(false, true, 120) };
        check(filled, "o....", &["3 forgotten"]);
        // An open violation of a lost signal stays until its time limit.
        let limited = Criteria { closes_after_seconds: 300, ..lost(true, false, 60) };
        check(limited.clone(), "o......", &["2+", "7-TimeLimit", "7 forgotten"]);
        check(
            Criteria { expiration: None, ..limited },
            "xxxxxxxxxxx",
            &["3+", "8-TimeLimit", "11+"],
        );
        // Windows that overlap are counted one by one.
        let sliding = Criteria { window_seconds: 120, ..all() };
        check(sliding, "xxx", &["3+"]);
    }

    #[test]
    fn a_violation_tells_since_when_it_was_bad_and_good_again() {
        let mut judge = Judge::new(criteria(vec![term(Occurrences::All, 2)]));
        let mut window = |minute: i64, value: f64| {
            let readings = [Reading { facets: Vec::new(), value: Some(value) }];
            let begin = UnixMillis(minute * MINUTE_MS);
            let now = judge.criteria().judged_at(begin);
            judge.window(&readings, begin, now).changed
        };
        let values = [1.0, 20.0, 30.0, 25.0, 2.0, 2.0];
        let changed: Vec<Violation> = values
            .iter()
            .enumerate()
            .flat_map(|(minute, value)| window(minute as i64, *value))
            .collect();
        let [opened, closed] = changed.as_slice() else { panic!("{changed:?}") };
        assert_eq!((opened.degraded_at.0, opened.opened_at.0), (MINUTE_MS, 3 * MINUTE_MS));
        assert_eq!((opened.number, closed.number, closed.worst), (0, 0, Some(30.0)));
        let closing = closed.closing.expect("an end");
        assert_eq!(closing.recovered_at, Some(UnixMillis(4 * MINUTE_MS)));
        assert_eq!(closing.at, UnixMillis(6 * MINUTE_MS));
    }

    #[test]
    fn signals_are_bounded_and_each_is_judged_by_itself() {
        let mut judge = Judge::new(criteria(vec![term(Occurrences::All, 1)]));
        let reading = |number: usize| Reading {
            facets: vec![format!("{number:05}")],
            value: Some(if number == 7 { 99.0 } else { 1.0 }),
        };
        let readings: Vec<Reading> = (0..SIGNALS_MAX + 3).map(reading).collect();
        let findings = judge.window(&readings, UnixMillis(0), UnixMillis(MINUTE_MS));
        assert_eq!(findings.appeared.len(), SIGNALS_MAX);
        assert_eq!(judge.signals().count(), SIGNALS_MAX);
        let open: Vec<&Violation> = judge.open().collect();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].facets, ["00007"]);
    }
}
