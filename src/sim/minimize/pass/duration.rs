//! Less simulated time.

use super::super::search::{Search, Stopped};
use super::{least_duration, rounder};
use crate::sim::scenario::Scenario;

/// Ends the run as early as the failure still shows, and not before it can converge.
pub fn shorten(search: &mut Search<'_>) -> Result<(), Stopped> {
    loop {
        let best = search.best();
        let least = least_duration(best);
        let mut times = rounder(best.duration);
        times.retain(|time| *time > least);
        times.insert(0, least);
        let with = |duration| Scenario { duration, ..best.clone() };
        let candidates: Vec<Scenario> = times.into_iter().map(with).collect();
        if search.advance(&candidates)?.is_none() {
            return Ok(());
        }
    }
}
