//! The manager: components by name, and the scheduler that looks after them.

use std::cell::{Cell, Ref, RefCell};
use std::fmt::{Debug, Display};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::component::{Component, HealthCheck, Part};
use super::config::{ComponentConfig, RecoveryConfig, RegisterError};
use super::entry::{Fact, Fixed};
use super::failure::{Failure, Recovered, RecoveryError, UnknownComponent};
use super::ledger::{Attempt, Incident};
use super::scheduler::Scheduler;
use super::view::{Listener, RecoveryView};
use super::{ErrorClass, RecoveryStats};
use crate::ports::{Clock, Entropy};
use crate::resilience::InvalidSetting;
use crate::resilience::breaker::{
    Breaker, BreakerEvent, BreakerRegistry, EventKind, Outcome, StateKind,
};
use crate::resilience::retry::Budget;
use crate::rt::Shutdown;

struct Inner<C> {
    clock: C,
    /// An independent generator per purpose, whatever the entropy port's type.
    stream: Box<dyn Fn(&str) -> ChaCha8Rng>,
    config: RecoveryConfig,
    registry: BreakerRegistry,
    view: RecoveryView,
    components: RefCell<Vec<Component<C>>>,
    is_scheduled: Cell<bool>,
}

/// See the room's head. A handle of one thread; clones are handles of the same manager.
pub struct RecoveryManager<C>(Rc<Inner<C>>);

impl<C> Clone for RecoveryManager<C> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<C> Debug for RecoveryManager<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.components.borrow().iter()).finish()
    }
}

impl<C: Clock> RecoveryManager<C> {
    /// A manager without components, whose breakers live in `registry`.
    ///
    /// # Errors
    /// All settings out of range.
    pub fn new<E: Entropy>(
        clock: C,
        entropy: E,
        config: RecoveryConfig,
        registry: BreakerRegistry,
    ) -> Result<Self, Vec<InvalidSetting>> {
        let faults = config.validate();
        if !faults.is_empty() {
            return Err(faults);
        }
        let view = RecoveryView::new(config.history_max);
        let stream = Box::new(move |purpose: &str| entropy.stream(purpose));
        let components = RefCell::default();
        let is_scheduled = Cell::new(false);
        let inner = Inner { clock, stream, config, registry, view, components, is_scheduled };
        Ok(Self(Rc::new(inner)))
    }

    /// Adds a component. One with a health check is brought back by the scheduler; one without is
    /// left to the calls that it gets.
    ///
    /// # Errors
    /// See [`RegisterError`]; all invalid settings at once.
    pub fn register(
        &self,
        config: ComponentConfig,
        health_check: Option<HealthCheck>,
    ) -> Result<Component<C>, RegisterError> {
        let name = config.name.clone();
        let faults = config.validate();
        if !faults.is_empty() {
            return Err(RegisterError::Invalid { name, faults });
        }
        if self.0.view.ledger().index(&name).is_some() {
            return Err(RegisterError::Duplicate(name));
        }
        let budget = config.retry.budget.as_ref().map(Budget::new).transpose();
        let budget =
            budget.map_err(|faults| RegisterError::Invalid { name: name.clone(), faults })?;
        let breaker_name = config.breaker_name.as_deref().unwrap_or(&name);
        let breaker = self
            .0
            .registry
            .get_or_create(breaker_name, config.breaker)
            .map_err(|source| RegisterError::Breaker { name: name.clone(), source })?;
        let fixed = Fixed {
            name: Arc::from(name.as_str()),
            kind: config.kind,
            critical: config.critical,
            has_fallback: config.has_fallback,
            breaker: Arc::from(breaker.name()),
        };
        let component = Component(Rc::new(Part {
            index: self.add(&breaker, fixed.clone()),
            name: fixed.name,
            clock: self.0.clock.clone(),
            retry: config.retry,
            budget,
            timeout: config.timeout.unwrap_or(breaker.config().call_timeout),
            breaker,
            idempotent: config.idempotent,
            recovery_delay: config.recovery_delay,
            cache_age_max: config.cache_age_max,
            health_check,
            view: self.0.view.clone(),
            rng: RefCell::new((self.0.stream)(&format!("recovery.{name}"))),
            cache: RefCell::default(),
        }));
        self.0.components.borrow_mut().push(component.clone());
        self.0.view.wake();
        Ok(component)
    }

    fn add(&self, breaker: &Breaker, fixed: Fixed) -> usize {
        let view = &self.0.view;
        let now = self.0.clock.monotonic();
        let state = breaker.state();
        let (index, changes) = view.ledger().add(fixed, state, now);
        view.announce(changes);
        // Weak: a shared breaker outlives the manager.
        let weak = view.downgrade();
        breaker.subscribe(Arc::new(move |event| {
            if let Some(view) = weak.upgrade() {
                heed(&view, index, event);
            }
        }));
        // Between the look and the subscription another thread may have changed it.
        let later = breaker.state();
        if later != state {
            view.book(index, now, Fact::Breaker { from: state, to: later });
        }
        index
    }

    /// The component of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn component(&self, name: &str) -> Result<Component<C>, UnknownComponent> {
        let index = self.0.view.ledger().index(name);
        index
            .and_then(|index| self.component_at(index))
            .ok_or_else(|| UnknownComponent(name.to_owned()))
    }

    /// [`Component::execute`] by name.
    ///
    /// # Errors
    /// As there, and when there is no such component.
    pub async fn execute<T, E, Op, Fut, Fb, FbFut>(
        &self,
        name: &str,
        op: Op,
        classify: impl Fn(&E) -> ErrorClass,
        fallback: Option<Fb>,
    ) -> Result<Recovered<T>, RecoveryError<E>>
    where
        E: Display + Debug,
        Op: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        Fb: FnOnce(&Failure<E>) -> FbFut,
        FbFut: Future<Output = Result<T, E>>,
    {
        let component = self.component(name)?;
        Ok(component.execute(op, classify, fallback).await?)
    }

    /// [`Component::observe`] by name.
    ///
    /// # Errors
    /// When there is no such component.
    pub fn observe(&self, name: &str, outcome: &Outcome) -> Result<(), UnknownComponent> {
        self.component(name).map(|component| component.observe(outcome))
    }

    /// Looks after the components until `shutdown`. One run at a time: a second one ends at once.
    pub async fn run_scheduler(&self, shutdown: Shutdown) {
        if self.0.is_scheduled.replace(true) {
            tracing::error!("The recovery scheduler runs already.");
            return;
        }
        let _running = Scheduled(&self.0.is_scheduled);
        Scheduler::new(self).run(shutdown).await;
    }

    /// The account as others see it; can be sent to other threads.
    pub fn view(&self) -> RecoveryView {
        self.0.view.clone()
    }

    /// The breakers.
    pub fn registry(&self) -> &BreakerRegistry {
        &self.0.registry
    }

    /// [`RecoveryView::stats`].
    pub fn stats(&self, now: Duration) -> RecoveryStats {
        self.0.view.stats(now)
    }

    /// [`RecoveryView::history`], all of it.
    pub fn history(&self) -> Vec<Incident> {
        self.0.view.history(usize::MAX)
    }

    /// [`RecoveryView::attempts`], all of them.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.0.view.attempts(usize::MAX)
    }

    /// [`RecoveryView::subscribe`].
    pub fn subscribe(&self, listener: Listener) {
        self.0.view.subscribe(listener);
    }

    pub(super) fn clock(&self) -> &C {
        &self.0.clock
    }

    pub(super) fn concurrent_recoveries_max(&self) -> usize {
        self.0.config.concurrent_recoveries_max
    }

    pub(super) fn components(&self) -> Ref<'_, Vec<Component<C>>> {
        self.0.components.borrow()
    }

    pub(super) fn component_at(&self, index: usize) -> Option<Component<C>> {
        self.0.components.borrow().get(index).cloned()
    }
}

/// What a breaker's event means for a component behind it.
fn heed(view: &RecoveryView, index: usize, event: &BreakerEvent) {
    match &event.kind {
        EventKind::StateChange { from, to, .. } => {
            view.book(index, event.at, Fact::Breaker { from: *from, to: *to });
            view.wake();
        }
        EventKind::Success { state, .. } | EventKind::Failure { state, .. }
            if *state != StateKind::Closed =>
        {
            view.ledger().note_result(index);
            view.wake();
        }
        _ => {}
    }
}

/// Ends the run's claim, also when its future is dropped.
struct Scheduled<'a>(&'a Cell<bool>);

impl Drop for Scheduled<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
