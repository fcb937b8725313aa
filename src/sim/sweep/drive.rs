//! Runs a plan: several runs at a time, counted in the order of their seeds.
//!
//! Invariants:
//! - No run starts while the earliest one that is not counted yet is [`AHEAD_MAX`] runs behind, so
//!   waiting outcomes take bounded memory.
//! - What is counted is a prefix of the plan, whatever the number of jobs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::summary::scenario_hash;
use super::tally::Tally;
use super::{End, Outcome, Plan, Summary};
use crate::sim::seed::Seed;

/// Most runs between the earliest one that is not counted yet and the latest one that has started.
const AHEAD_MAX: u64 = 1_024;

enum Message {
    Done(u64, Box<Outcome>),
    End(End),
}

/// Ends a sweep from outside.
#[derive(Clone)]
pub struct Control(Sender<Message>);

impl Control {
    /// Ends the sweep for the reason `end`: at once when interrupted, else after the runs that have
    /// started. Without effect on a sweep that has ended.
    pub fn end(&self, end: End) {
        let _ = self.0.send(Message::End(end));
    }
}

/// A sweep that has not started.
pub struct Sweep {
    plan: Arc<Plan>,
    jobs: NonZeroUsize,
    inbox: Receiver<Message>,
    outbox: Sender<Message>,
}

/// One run: its place in the plan, its scenario, its seed.
type Job = (u64, usize, Seed);

impl Plan {
    /// The run at `place`: each seed runs all scenarios before the next one.
    fn job(&self, place: u64) -> Option<Job> {
        let scenarios = self.scenarios.len() as u64;
        let nth = place.checked_div(scenarios)?;
        if self.seeds.count.is_some_and(|count| nth >= self.shard.share(count)) {
            return None;
        }
        let seed = self.shard.seed(self.seeds.first, nth)?;
        let scenario = usize::try_from(place % scenarios).unwrap_or(usize::MAX);
        Some((place, scenario, Seed(seed)))
    }

    /// How many runs there are; none when time alone ends the sweep.
    pub fn runs(&self) -> Option<u64> {
        let seeds = self.shard.share(self.seeds.count?);
        Some(seeds.saturating_mul(self.scenarios.len() as u64))
    }
}

impl Sweep {
    /// A sweep of `plan`, `jobs` runs at a time.
    pub fn new(plan: Plan, jobs: NonZeroUsize) -> Self {
        let (outbox, inbox) = channel();
        Self { plan: Arc::new(plan), jobs, inbox, outbox }
    }

    /// What ends it from outside.
    pub fn control(&self) -> Control {
        Control(self.outbox.clone())
    }

    /// Runs it; `seen` hears of the tally after each run that was counted.
    ///
    /// Runs that are under way when it ends early are left alone: their threads end by themselves.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn run(self, mut seen: impl FnMut(&Tally)) -> std::io::Result<Summary> {
        let (jobs, todo) = channel();
        let todo = Arc::new(Mutex::new(todo));
        for _ in 0..self.jobs.get() {
            work(&self.plan, &todo, &self.outbox)?;
        }
        let mut course = Course { plan: &self.plan, jobs, started: 0, running: 0, is_open: true };
        let hashes: Vec<u128> =
            self.plan.scenarios.iter().map(|(_, scenario)| scenario_hash(scenario)).collect();
        let (mut tally, mut ended) = (Tally::default(), End::Complete);
        let mut waiting: BTreeMap<u64, Box<Outcome>> = BTreeMap::new();
        let mut counted = 0;
        'all: loop {
            course.fill(counted, self.jobs.get() as u64);
            if course.running == 0 {
                break;
            }
            match self.inbox.recv() {
                Ok(Message::Done(place, outcome)) => {
                    course.running -= 1;
                    waiting.insert(place, outcome);
                }
                Ok(Message::End(End::Interrupted)) | Err(_) => {
                    ended = End::Interrupted;
                    break;
                }
                Ok(Message::End(end)) => {
                    ended = end;
                    course.is_open = false;
                }
            }
            while let Some(outcome) = waiting.remove(&counted) {
                counted += 1;
                tally.count(&self.plan, &hashes, &outcome);
                seen(&tally);
                if self.plan.until_fail && !outcome.passed() {
                    ended = End::Failure;
                    break 'all;
                }
            }
        }
        Ok(Summary::of(&self.plan, &tally, ended))
    }
}

/// Which runs have started.
struct Course<'a> {
    plan: &'a Plan,
    jobs: Sender<Job>,
    started: u64,
    running: u64,
    is_open: bool,
}

impl Course<'_> {
    /// Starts as many runs as there is room for.
    fn fill(&mut self, counted: u64, jobs: u64) {
        while self.is_open && self.running < jobs && self.started - counted < AHEAD_MAX {
            let Some(job) = self.plan.job(self.started) else { return };
            if self.jobs.send(job).is_err() {
                return;
            }
            self.started += 1;
            self.running += 1;
        }
    }
}

/// One thread that takes jobs until there are no more, or nobody asks for their outcomes.
fn work(
    plan: &Arc<Plan>,
    todo: &Arc<Mutex<Receiver<Job>>>,
    outbox: &Sender<Message>,
) -> std::io::Result<()> {
    let (plan, todo, outbox) = (Arc::clone(plan), Arc::clone(todo), outbox.clone());
    let work = move || {
        loop {
            let job = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((place, scenario, seed)) = job else { return };
            let outcome = Box::new(Outcome::of_run(&plan, scenario, seed));
            if outbox.send(Message::Done(place, outcome)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("sweep".to_owned()).spawn(work).map(|_| ())
}
