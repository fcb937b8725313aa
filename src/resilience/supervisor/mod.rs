//! Ordered start and stop of components that depend on each other, and how each of them is.
//!
//! Invariants:
//! - A component starts after everything it needs and stops before it; among equals the order of
//!   registration decides. Stops are the exact reverse of starts.
//! - Everything is validated before anything starts. When a critical component cannot run, by its
//!   own fault or by that of something it needs, nothing stays started: what was, is stopped.
//! - An optional component that cannot run is left out with its reason, and so are the optional
//!   ones that need it; the others run.
//! - No call of a component is waited for longer than its limit, and its panics end there; the
//!   future of a call that is late is dropped. Ready at the limit is in time.
//!
//! Not modelled: components that start at the same time; dependencies that come and go; restarts
//! by itself (whoever watches decides, see [`Supervisor::restart`]). A start that fails or is late
//! must leave nothing behind but what dropping its future ends: it is not stopped.

mod board;
mod calls;
mod plan;
mod reports;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ports::Clock;

pub use board::{Board, ComponentStatus, Phase};
pub use calls::{Component, Health, Kind};
pub use plan::{PlanError, PlanFault};
pub use reports::{Failure, NotStopped, Stage, StartError, StartReport, StopReport};

/// Limits of a supervisor's calls; a component may have its own for start and stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupervisorConfig {
    /// Longest validation of one component; zero: it must be ready at once.
    pub validate_timeout: Duration,
    /// Longest start of one component.
    pub start_timeout: Duration,
    /// Longest stop of one component.
    pub stop_timeout: Duration,
    /// Longest stop of all of them.
    pub stop_deadline: Duration,
    /// Longest health check of one component.
    pub health_timeout: Duration,
}

impl Default for SupervisorConfig {
    fn default() -> Self {
        Self {
            validate_timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            stop_deadline: Duration::from_secs(30),
            health_timeout: Duration::from_secs(5),
        }
    }
}

/// Starts, watches and stops components.
pub struct Supervisor<C> {
    clock: C,
    config: SupervisorConfig,
    /// In order of start.
    components: Vec<Component>,
    /// Positions of what each needs, all before its own.
    needs: Vec<Vec<usize>>,
    /// Positions of what runs, in order of start.
    running: Vec<usize>,
    board: Board,
}

impl<C: Clock> Supervisor<C> {
    /// A supervisor of `components`, none of them started.
    ///
    /// # Errors
    /// Every duplicate name, unknown dependency and cycle.
    pub fn new(
        clock: C,
        config: SupervisorConfig,
        components: Vec<Component>,
    ) -> Result<Self, PlanError> {
        let graph: Vec<_> = components.iter().map(|c| (c.name(), c.dependencies())).collect();
        let plan = plan::plan(&graph)?;
        let mut slots: Vec<_> = components.into_iter().map(Some).collect();
        let components: Vec<_> =
            plan.order.iter().filter_map(|&index| slots.get_mut(index)?.take()).collect();
        let board = Board::new(&components, clock.monotonic());
        Ok(Self { clock, config, components, needs: plan.needs, running: Vec::new(), board })
    }

    /// Names in order of start.
    pub fn order(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.components.iter().map(Component::name)
    }

    /// How each component is; the board stays true while the supervisor works.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Validates and starts all that does not run.
    ///
    /// # Errors
    /// A critical component cannot run; what this call had started is stopped again.
    pub async fn start(&mut self) -> Result<StartReport, StartError> {
        let mut failed: BTreeMap<usize, Failure> = BTreeMap::new();
        for at in self.not_running() {
            if let Err(reason) = self.validate(at).await {
                self.fail(&mut failed, at, Stage::Validation, reason);
            }
        }
        for at in self.not_running() {
            self.fail_with_what_it_needs(&mut failed, at);
        }
        if self.is_refused(&failed) {
            let failures = failed.into_values().collect();
            return Err(StartError { failures, undone: StopReport::default() });
        }
        let before = self.running.len();
        let mut started = Vec::new();
        for at in self.not_running() {
            self.fail_with_what_it_needs(&mut failed, at);
            if !failed.contains_key(&at) {
                match self.start_one(at).await {
                    Ok(()) => started.push(self.components[at].name().to_owned()),
                    Err(reason) => self.fail(&mut failed, at, Stage::Start, reason),
                }
            }
            if failed.contains_key(&at) && self.components[at].kind() == Kind::Critical {
                break;
            }
        }
        if self.is_refused(&failed) {
            let undone = self.stop_all_of(self.running[before..].to_vec()).await;
            return Err(StartError { failures: failed.into_values().collect(), undone });
        }
        Ok(StartReport { started, left_out: failed.into_values().collect() })
    }

    /// Stops all that runs, in reverse order of start. Nothing keeps it from going on to the next:
    /// neither a stop that fails nor one that is late; with the whole deadline spent, each
    /// component that is left is still asked once.
    pub async fn stop(&mut self) -> StopReport {
        let report = self.stop_all_of(self.running.clone()).await;
        // A start that was dropped half-way leaves what it was at.
        for at in self.not_running().into_iter().filter(|at| self.board.is_starting(*at)) {
            self.note(at, Phase::Stopped, None);
        }
        report
    }

    /// Stops `name` and all that needs it, then starts all that does not run.
    ///
    /// # Errors
    /// See [`Supervisor::start`]; what did not stop in time is in neither report, but on the board
    /// until it starts. An unknown name only starts what does not run.
    pub async fn restart(&mut self, name: &str) -> Result<StartReport, StartError> {
        let mut affected = Vec::new();
        for at in 0..self.components.len() {
            let needs_it = self.needs[at].iter().any(|need| affected.contains(need));
            if needs_it || self.components[at].name() == name {
                affected.push(at);
            }
        }
        let running = self.running.iter().copied().filter(|at| affected.contains(at)).collect();
        self.stop_all_of(running).await;
        self.start().await
    }

    /// Asks everything that runs how it is, one after the other, and notes it on the board. What
    /// is well but needs something that failed is degraded.
    pub async fn check(&mut self) {
        for at in self.running.clone() {
            let limit = self.config.health_timeout;
            let health = self.components[at].check(&self.clock, limit).await;
            let broken = self.needs[at].iter().find(|&&need| self.board.has_failed(need));
            let (phase, reason) = match (health, broken) {
                (Health::Down(reason), _) => (Phase::Failed, Some(reason)),
                (Health::Degraded(reason), _) => (Phase::Degraded, Some(reason)),
                (Health::Up, Some(&need)) => {
                    let name = self.components[need].name();
                    (Phase::Degraded, Some(format!("needs `{name}`, which failed")))
                }
                (Health::Up, None) => (Phase::Running, None),
            };
            self.note(at, phase, reason);
        }
    }

    /// [`Supervisor::check`] at once and then each time `every` has passed; never ends. May be
    /// dropped at any point.
    pub async fn watch(&mut self, every: Duration) {
        loop {
            self.check().await;
            self.clock.sleep(every).await;
        }
    }

    fn not_running(&self) -> Vec<usize> {
        (0..self.components.len()).filter(|at| !self.running.contains(at)).collect()
    }

    async fn validate(&mut self, at: usize) -> Result<(), String> {
        self.note(at, Phase::Starting, None);
        self.components[at].validate_now(&self.clock, self.config.validate_timeout).await
    }

    async fn start_one(&mut self, at: usize) -> Result<(), String> {
        self.note(at, Phase::Starting, None);
        self.components[at].start_now(&self.clock, self.config.start_timeout).await?;
        self.running.push(at);
        self.board.started(at);
        self.note(at, Phase::Running, None);
        Ok(())
    }

    fn note(&self, at: usize, phase: Phase, reason: Option<String>) {
        self.board.set(at, phase, reason, self.clock.monotonic());
    }

    fn fail(&self, failed: &mut BTreeMap<usize, Failure>, at: usize, stage: Stage, reason: String) {
        self.note(at, Phase::Failed, Some(reason.clone()));
        let component = &self.components[at];
        let (name, kind) = (component.name().to_owned(), component.kind());
        failed.insert(at, Failure { name, kind, stage, reason });
    }

    /// Fails `at` if something it needs has failed; its own failure is the better reason.
    fn fail_with_what_it_needs(&self, failed: &mut BTreeMap<usize, Failure>, at: usize) {
        if failed.contains_key(&at) {
            return;
        }
        let broken = self.needs[at].iter().find_map(|need| failed.get(need));
        if let Some(Failure { name, .. }) = broken {
            let reason = format!("not started: needs `{name}`, which failed");
            self.fail(failed, at, Stage::Dependency, reason);
        }
    }

    /// Whether what has `failed` is more than the system can do without.
    fn is_refused(&self, failed: &BTreeMap<usize, Failure>) -> bool {
        let refused = failed.values().any(|failure| failure.kind == Kind::Critical);
        for at in self.not_running().into_iter().filter(|at| refused && !failed.contains_key(at)) {
            let reason = "not started: a critical component failed".to_owned();
            self.note(at, Phase::Stopped, Some(reason));
        }
        refused
    }

    /// Stops `positions`, given in order of start.
    async fn stop_all_of(&mut self, positions: Vec<usize>) -> StopReport {
        let begun = self.clock.monotonic();
        let mut report = StopReport::default();
        for at in positions.into_iter().rev() {
            let spent = self.clock.monotonic().saturating_sub(begun);
            let left = self.config.stop_deadline.saturating_sub(spent);
            let limit = self.components[at].stop_limit(self.config.stop_timeout).min(left);
            self.note(at, Phase::Stopping, None);
            let stopped = self.components[at].stop_now(&self.clock, limit).await;
            // Only now: a stop that is dropped half-way is begun again by the next.
            self.running.retain(|running| *running != at);
            let name = self.components[at].name().to_owned();
            match stopped {
                Ok(()) => {
                    self.note(at, Phase::Stopped, None);
                    report.stopped.push(name);
                }
                Err(trouble) => {
                    let (late, reason) = (trouble.is_late(), trouble.to_string());
                    self.note(at, Phase::Failed, Some(reason.clone()));
                    report.not_stopped.push(NotStopped { name, late, reason });
                }
            }
        }
        report
    }
}
