//! The best scenario so far, and how candidates for a better one are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::memory::{Memory, Told, Trial, key};
use super::size::Weight;
use super::{Hunt, News};
use crate::sim::check::{Failure, Fingerprint};
use crate::sim::scenario::{self, Scenario};

/// The search was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// A search under way.
pub struct Search<'a> {
    hunt: Hunt<'a>,
    question: Question<'a>,
    heard: &'a mut dyn FnMut(&News<'_>),
    best: Scenario,
    weight: Weight,
    example: String,
    /// What a search that tries one candidate at a time would have tried: the same for any number
    /// of jobs, and for a resumed search.
    tried: BTreeSet<u128>,
    others: BTreeMap<Fingerprint, Told>,
    steps: u64,
    pass: &'static str,
}

/// What is asked of a candidate.
struct Question<'a> {
    wanted: &'a Failure,
    /// Checks that the first scenario broke: no other may break.
    checks: BTreeSet<&'a str>,
    /// Failures that the first scenario showed.
    known: BTreeSet<Fingerprint>,
}

impl Question<'_> {
    /// What the failures of a candidate say.
    fn judge(&self, failures: &[Failure]) -> Trial {
        let same = failures.iter().find(|f| f.fingerprint == self.wanted.fingerprint);
        let same = same.filter(|_| failures.iter().all(|f| self.checks.contains(f.check)));
        let new = failures.iter().filter(|failure| !self.known.contains(&failure.fingerprint));
        let told = |failure: &Failure| {
            let told = Told { check: failure.check.to_owned(), example: failure.example.clone() };
            (failure.fingerprint.clone(), told)
        };
        Trial {
            is_possible: true,
            example: same.map(|same| same.example.clone()),
            others: new.map(told).collect(),
        }
    }
}

/// Whether the rules of scenario files allow it.
fn is_possible(candidate: &Scenario) -> bool {
    let text = scenario::write(candidate, &[]);
    scenario::load("candidate", &text).is_ok_and(|again| again == *candidate)
}

/// A candidate that nobody has tried yet: its place in the list, its key.
type Job = (usize, u128);

impl<'a> Search<'a> {
    /// A search that starts with the scenario of `hunt`, which fails with `wanted`, among others
    /// that break `checks` and are `known`.
    pub fn new(
        hunt: Hunt<'a>,
        wanted: &'a Failure,
        checks: BTreeSet<&'a str>,
        known: BTreeSet<Fingerprint>,
        heard: &'a mut dyn FnMut(&News<'_>),
    ) -> Self {
        let best = hunt.scenario.clone();
        Self {
            weight: Weight::of(&best),
            example: wanted.example.clone(),
            tried: BTreeSet::from([key(&best)]),
            question: Question { wanted, checks, known },
            others: BTreeMap::new(),
            steps: 0,
            pass: "",
            hunt,
            heard,
            best,
        }
    }

    /// The best so far.
    pub fn best(&self) -> &Scenario {
        &self.best
    }

    /// Its weight.
    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    /// The failure in its words.
    pub fn example(&self) -> &str {
        &self.example
    }

    /// The check that breaks.
    pub fn check(&self) -> &'static str {
        self.question.wanted.check
    }

    /// Scenarios tried.
    pub fn tried(&self) -> u64 {
        self.tried.len() as u64
    }

    /// Times that the best became smaller.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Failures met on the way that the first scenario did not show.
    pub fn others(&self) -> BTreeMap<Fingerprint, Told> {
        self.others.clone()
    }

    /// What has been tried, by this search or before it.
    pub fn into_memory(self) -> Memory {
        self.hunt.memory
    }

    /// From now on the pass of this name is at work.
    pub fn enter(&mut self, pass: &'static str) {
        self.pass = pass;
    }

    /// Takes the first of `candidates` that is smaller than the best and fails in the same way for
    /// the new best; its place in the list.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn advance(&mut self, candidates: &[Scenario]) -> Result<Option<usize>, Stopped> {
        let mut seen = BTreeSet::new();
        let jobs: Vec<Job> = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| Weight::of(candidate) < self.weight)
            .map(|(place, candidate)| (place, key(candidate)))
            .filter(|(_, key)| seen.insert(*key))
            .collect();
        self.try_until_one_fails(candidates, &jobs);
        for (place, key) in jobs {
            let trial = self.hunt.memory.get(key).ok_or(Stopped)?.clone();
            if trial.is_possible {
                self.tried.insert(key);
            }
            for (fingerprint, told) in trial.others {
                self.others.entry(fingerprint).or_insert(told);
            }
            if let Some(example) = trial.example {
                self.best = candidates[place].clone();
                self.weight = Weight::of(&self.best);
                self.example = example;
                self.steps += 1;
                self.tell(true);
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn tell(&mut self, is_smaller: bool) {
        (self.heard)(&News {
            fingerprint: &self.question.wanted.fingerprint,
            tried: self.tried.len() as u64,
            pass: self.pass,
            best: &self.best,
            is_smaller,
            memory: &self.hunt.memory,
        });
    }

    /// Runs what the memory does not know, side by side, at least up to the first that fails in
    /// the same way, unless told to stop.
    fn try_until_one_fails(&mut self, candidates: &[Scenario], jobs: &[Job]) {
        let is_same = |job: &Job| {
            let trial = self.hunt.memory.get(job.1);
            trial.is_some_and(|trial| trial.example.is_some())
        };
        let end = jobs.iter().position(is_same).unwrap_or(jobs.len());
        let unknown = |job: &&Job| self.hunt.memory.get(job.1).is_none();
        let jobs: Vec<Job> = jobs[..end].iter().filter(unknown).copied().collect();
        let crew = Crew {
            oracle: self.hunt.oracle,
            question: &self.question,
            stop: self.hunt.stop,
            candidates,
            jobs: &jobs,
            next: AtomicUsize::new(0),
            end: AtomicUsize::new(jobs.len()),
            stopped: AtomicBool::new(false),
        };
        let threads = self.hunt.jobs.get().min(jobs.len());
        let (done, trials) = channel();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (crew, done) = (&crew, done.clone());
                scope.spawn(move || crew.work(&done));
            }
            drop(done);
            let tried_before = self.tried.len() as u64;
            for (tried, (key, trial)) in (tried_before + 1..).zip(trials) {
                self.hunt.memory.keep(key, trial);
                (self.heard)(&News {
                    fingerprint: &self.question.wanted.fingerprint,
                    tried,
                    pass: self.pass,
                    best: &self.best,
                    is_smaller: false,
                    memory: &self.hunt.memory,
                });
            }
        });
    }
}

/// Threads that try candidates in order.
struct Crew<'a> {
    oracle: &'a dyn super::Oracle,
    question: &'a Question<'a>,
    stop: &'a (dyn Fn() -> bool + Sync),
    candidates: &'a [Scenario],
    jobs: &'a [Job],
    /// The next job that nobody has taken.
    next: AtomicUsize,
    /// The first job that is known to fail in the same way: none after it matters.
    end: AtomicUsize,
    stopped: AtomicBool,
}

impl Crew<'_> {
    fn work(&self, done: &Sender<(u128, Trial)>) {
        loop {
            let index = self.next.fetch_add(1, Ordering::SeqCst);
            let is_needed = index < self.end.load(Ordering::SeqCst);
            if !is_needed || self.stopped.load(Ordering::SeqCst) {
                return;
            }
            if (self.stop)() {
                self.stopped.store(true, Ordering::SeqCst);
                return;
            }
            let Some((place, key)) = self.jobs.get(index).copied() else { return };
            let candidate = &self.candidates[place];
            let trial = if is_possible(candidate) {
                self.question.judge(&self.oracle.failures(candidate))
            } else {
                Trial::refused()
            };
            if trial.example.is_some() {
                self.end.fetch_min(index, Ordering::SeqCst);
            }
            if done.send((key, trial)).is_err() {
                return;
            }
        }
    }
}
