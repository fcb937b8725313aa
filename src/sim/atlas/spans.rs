//! Stretches of time, each with its reason.

use std::time::Duration;

use crate::sim::time::SimTime;

/// A stretch of time and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Begin, in it.
    pub from: SimTime,
    /// End, in it.
    pub to: SimTime,
    /// Why, in words: a fault's label.
    pub why: String,
}

/// Stretches of time in order of their begins; they may overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// In order of their begins.
    pub fn new(mut spans: Vec<Span>) -> Self {
        spans.sort_by_key(|span| (span.from, span.to));
        Self(spans)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Span> {
        self.0.iter()
    }

    /// These and `others`.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self::new([self.0.as_slice(), others.0.as_slice()].concat())
    }

    /// The parts of them that lie from `from` to `to`.
    #[must_use]
    pub fn within(&self, from: SimTime, to: SimTime) -> Self {
        let touching = self.0.iter().filter(|span| span.from <= to && from <= span.to);
        let part = |span: &Span| {
            let (from, to) = (span.from.max(from), span.to.min(to));
            Span { from, to, why: span.why.clone() }
        };
        Self::new(touching.map(part).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first one that has an instant in common with `from` to `to`, both included.
    pub fn touching(&self, from: SimTime, to: SimTime) -> Option<&Span> {
        self.0.iter().find(|span| span.from <= to && from <= span.to)
    }

    /// Begins and ends with overlaps joined; so are those with less than `gap` between them.
    pub fn joined(&self, gap: Duration) -> Vec<(SimTime, SimTime)> {
        let mut joined: Vec<(SimTime, SimTime)> = Vec::new();
        for span in &self.0 {
            match joined.last_mut() {
                Some(last) if span.from <= last.1 + gap => last.1 = last.1.max(span.to),
                _ => joined.push((span.from, span.to)),
            }
        }
        joined
    }

    /// The longest of them.
    pub fn longest(&self) -> Option<&Span> {
        self.0.iter().max_by_key(|span| span.to - span.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(times: &[(u64, u64)]) -> Spans {
        let span = |(from, to): &(u64, u64)| Span {
            from: SimTime::from_secs(*from),
            to: SimTime::from_secs(*to),
            why: format!("{from}"),
        };
        Spans::new(times.iter().map(span).collect())
    }

    #[test]
    fn spans_join_where_they_overlap_or_nearly_meet() {
        let all = spans(&[(30, 40), (1, 5), (4, 9), (12, 13)]);
        let seconds = |gap| -> Vec<(u64, u64)> {
            let joined = all.joined(Duration::from_secs(gap)).into_iter();
            joined.map(|(a, b)| (a.as_millis() / 1_000, b.as_millis() / 1_000)).collect()
        };
        assert_eq!(seconds(0), [(1, 9), (12, 13), (30, 40)]);
        assert_eq!(seconds(3), [(1, 13), (30, 40)]);
        assert_eq!(all.longest().map(|span| span.why.as_str()), Some("30"));
        let touching = |from, to| {
            let span = all.touching(SimTime::from_secs(from), SimTime::from_secs(to));
            span.map(|span| span.why.clone())
        };
        assert_eq!(touching(9, 11).as_deref(), Some("4"));
        assert_eq!(touching(10, 11), None);
        assert_eq!(touching(40, 60).as_deref(), Some("30"));
        assert!(spans(&[]).is_empty() && !all.is_empty());
    }

    #[test]
    fn spans_are_cut_to_a_part_of_the_run_and_put_together() {
        let all = spans(&[(1, 5), (4, 9), (12, 13)]);
        let within = |from, to| all.within(SimTime::from_secs(from), SimTime::from_secs(to));
        assert_eq!(within(3, 8).joined(Duration::ZERO), spans(&[(3, 8)]).joined(Duration::ZERO));
        assert_eq!(within(9, 12), Spans::new(vec![cut(9, 9, "4"), cut(12, 12, "12")]));
        assert!(within(10, 11).is_empty());
        let both = spans(&[(12, 13), (1, 5)]).and(&spans(&[(4, 9)]));
        assert_eq!(both, all);
    }

    fn cut(from: u64, to: u64, why: &str) -> Span {
        Span { from: SimTime::from_secs(from), to: SimTime::from_secs(to), why: why.to_owned() }
    }
}
