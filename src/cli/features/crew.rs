//! Trials side by side.
//!
//! Each runs in a thread of its own choosing and is a function of its text and seed, so how many
//! there are changes nothing but the time.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::bdd::suite::{Outcome, Trial};
use crate::cli::progress::{Progress, Style, now};
use crate::sim::seed::Seed;

const STYLE: Style = Style {
    template: "{elapsed_precise} [{bar:30}] {pos}/{len} scenarios, {msg}, {eta} left",
    steps: None,
    line_every: Duration::from_secs(30),
};

/// The outcomes of each trial with each seed, in their order.
pub(super) fn run(
    trials: &[&Trial],
    seeds: &[Seed],
    jobs: Option<NonZeroUsize>,
) -> Vec<Vec<Outcome>> {
    let jobs = jobs.or_else(|| std::thread::available_parallelism().ok());
    let jobs = jobs.map_or(1, NonZeroUsize::get).min(trials.len());
    let next = AtomicUsize::new(0);
    let (ended, ends) = mpsc::channel();
    let mut outcomes: Vec<Vec<Outcome>> = trials.iter().map(|_| Vec::new()).collect();
    let total = trials.len() as u64;
    let mut progress = Progress::new(Style { steps: Some(total), ..STYLE }, now());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (ended, next) = (ended.clone(), &next);
            scope.spawn(move || {
                while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let all: Vec<Outcome> = seeds.iter().map(|seed| trial.run(*seed)).collect();
                    let position = trials.iter().position(|other| std::ptr::eq(*other, *trial));
                    if ended.send((position, all)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(ended);
        let (mut done, mut failed) = (0, 0);
        for (position, all) in ends {
            done += 1;
            failed += u64::from(!all.iter().all(Outcome::passed));
            progress.show(
                done,
                |_| format!("{failed} failed"),
                |told| format!("{done} of {total} scenarios, {told}"),
            );
            if let Some(place) = position.and_then(|position| outcomes.get_mut(position)) {
                *place = all;
            }
        }
    });
    progress.end();
    outcomes
}
