//! Series that say the same twice.

use super::cause::Cause;
use super::{rows, values};
use crate::nrql::QueryResult;

/// Fewer points may be equal by chance.
const POINTS_MIN: usize = 3;

/// One series: which query it belongs to, its label, its values.
struct Series {
    query: usize,
    label: String,
    points: Vec<Option<f64>>,
}

/// Pairs of series with equal values at every point, not all of them zero, by the number of the
/// query of the second one.
pub(super) fn equal(results: &[(usize, QueryResult)]) -> impl Iterator<Item = (usize, Cause)> {
    let mut all: Vec<Series> = Vec::new();
    for (query, result) in results {
        let mut labels: Vec<&str> = Vec::new();
        for row in rows(result) {
            for (key, _) in values(result, row) {
                if !labels.contains(&key) {
                    labels.push(key);
                }
            }
        }
        for label in labels {
            let point = |row| {
                let mut found = values(result, row).filter(|(key, _)| *key == label);
                found.next().and_then(|(_, value)| value.as_f64())
            };
            let points = rows(result).iter().map(point).collect();
            all.push(Series { query: *query, label: label.to_owned(), points });
        }
    }
    let mut found = Vec::new();
    for (number, one) in all.iter().enumerate() {
        let known: Vec<f64> = one.points.iter().flatten().copied().collect();
        if known.len() < POINTS_MIN || known.iter().all(|value| *value == known[0]) {
            continue;
        }
        for other in &all[number + 1..] {
            if one.points == other.points {
                let cause = Cause::Identical(one.label.clone(), other.label.clone());
                found.push((other.query, cause));
            }
        }
    }
    found.into_iter()
}
