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

    /// The longest stretch once joined.
    pub fn longest(&self, gap: Duration) -> Duration {
        let lengths = self.joined(gap).into_iter().map(|(from, to)| to - from);
        lengths.max().unwrap_or_default()
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
        assert_eq!(all.longest(Duration::ZERO), Duration::from_secs(10));
        let touching = |from, to| {
            let span = all.touching(SimTime::from_secs(from), SimTime::from_secs(to));
            span.map(|span| span.why.clone())
        };
        assert_eq!(touching(9, 11).as_deref(), Some("4"));
        assert_eq!(touching(10, 11), None);
        assert_eq!(touching(40, 60).as_deref(), Some("30"));
        assert!(spans(&[]).is_empty() && !all.is_empty());
    }
}
