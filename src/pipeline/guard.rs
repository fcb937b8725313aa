//! What stands between the pipeline and the failures around it: a component of the recovery
//! manager for each source and each stage, and the breakers they share.
//!
//! Invariants:
//! - A source is asked through its component only: breaker, time limit, retries, in this order.
//!   [`Source::collect`] demands the proof that a breaker admitted the call.
//! - What the courier learns of New Relic is booked as the streamer's.
//! - A stage that panics costs its cycle, not the process.

use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::EVENT_API;
use super::config::GuardConfig;
use super::report::SourceFailure;
use super::source::{Collected, Source};
use super::status::ResilienceSnapshot;
use crate::config::Cycle;
use crate::ports::Ports;
use crate::resilience::breaker::{BreakerConfig, BreakerRegistry, Outcome};
use crate::resilience::recovery::{
    Component, ComponentConfig, ComponentKind, ErrorClass, Failure, RecoveryManager, RecoveryView,
    RegisterError, TryError, no_fallback,
};
use crate::resilience::retry::RetryConfig;
use crate::sometimes;
use crate::stream::StreamConfig;

/// Incidents and attempts that the status shows.
const RECENT_MAX: usize = 5;

/// A source behind its component.
pub(super) struct GuardedSource<P: Ports> {
    name: String,
    source: Rc<Mutex<Box<dyn Source>>>,
    component: Component<P::Clock>,
}

/// All guards of a pipeline; clones are handles on the same ones.
pub(super) struct Guards<P: Ports> {
    breakers: BreakerRegistry,
    recovery: RecoveryManager<P::Clock>,
    streamer: Component<P::Clock>,
    transformer: Component<P::Clock>,
    synthesizer: Component<P::Clock>,
    config: GuardConfig,
}

impl<P: Ports> Clone for Guards<P> {
    fn clone(&self) -> Self {
        Self {
            breakers: self.breakers.clone(),
            recovery: self.recovery.clone(),
            streamer: self.streamer.clone(),
            transformer: self.transformer.clone(),
            synthesizer: self.synthesizer.clone(),
            config: self.config.clone(),
        }
    }
}

impl<P: Ports> Guards<P> {
    /// Guards without a source.
    pub(super) fn new(
        ports: &P,
        stream: &StreamConfig,
        config: &GuardConfig,
    ) -> Result<Self, RegisterError> {
        let breakers = BreakerRegistry::default();
        let recovery = RecoveryManager::new(
            ports.clock().clone(),
            ports.entropy().clone(),
            config.recovery.clone(),
            breakers.clone(),
        )
        .map_err(|faults| RegisterError::Invalid { name: "recovery".to_owned(), faults })?;
        let streamer = ComponentConfig {
            breaker: stream.breaker.clone(),
            breaker_name: Some(EVENT_API.to_owned()),
            ..ComponentConfig::of_stage("streamer", ComponentKind::Streamer)
        };
        let transformer = ComponentConfig::of_stage("transformer", ComponentKind::Transformer);
        let synthesizer = ComponentConfig::of_stage("synthesizer", ComponentKind::Synthesizer);
        Ok(Self {
            streamer: recovery.register(streamer, None)?,
            transformer: recovery.register(transformer, None)?,
            synthesizer: recovery.register(synthesizer, None)?,
            breakers,
            recovery,
            config: config.clone(),
        })
    }

    /// Puts `source` behind a component of its own. Other sources and other entities do without
    /// it, so the system is not down when it is.
    pub(super) fn guard(
        &self,
        source: Box<dyn Source>,
        cycle: &Cycle,
        alone: bool,
    ) -> Result<GuardedSource<P>, RegisterError> {
        let name = source.name().to_owned();
        let breaker = self.config.collector.clone();
        let config = ComponentConfig {
            critical: alone,
            // Every cycle may probe: a probe costs no more than the cycle it replaces.
            breaker: BreakerConfig {
                retry_delay: breaker.retry_delay.min(cycle.interval / 2),
                retry_delay_max: breaker.retry_delay_max.min(cycle.interval / 2),
                ..breaker
            },
            recovery_delay: self.config.recovery_delay,
            cache_age_max: self.config.cache_age_max,
            timeout: Some(cycle.collect_deadline),
            retry: RetryConfig {
                deadline: Some(cycle.collect_deadline),
                ..ComponentConfig::of_stage("", ComponentKind::Collector).retry
            },
            ..ComponentConfig::of_stage(format!("collector/{name}"), ComponentKind::Collector)
        };
        let component = self.recovery.register(config, None)?;
        Ok(GuardedSource { name, source: Rc::new(Mutex::new(source)), component })
    }

    pub(super) fn breakers(&self) -> &BreakerRegistry {
        &self.breakers
    }

    pub(super) fn recovery(&self) -> &RecoveryManager<P::Clock> {
        &self.recovery
    }

    /// Books what a POST told of New Relic.
    pub(super) fn observe_post(&self, outcome: &Outcome) {
        self.streamer.observe(outcome);
    }

    /// Runs the pure stages; `None` when they panicked.
    pub(super) async fn stages<T>(&self, run: impl Fn() -> T) -> Option<T> {
        let run = &run;
        let ran = self
            .transformer
            .execute(
                || async move { Ok::<T, Infallible>(run()) },
                |never| match *never {},
                no_fallback(),
            )
            .await;
        match ran {
            Ok(recovered) => {
                self.synthesizer.observe(&Outcome::Success);
                Some(recovered.value)
            }
            Err(failure) => {
                tracing::error!(%failure, "The stages failed; the cycle's samples are lost.");
                None
            }
        }
    }
}

impl<P: Ports> Clone for GuardedSource<P> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            source: Rc::clone(&self.source),
            component: self.component.clone(),
        }
    }
}

impl<P: Ports> GuardedSource<P> {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Asks the source once; the tries together take no longer than `deadline`, the component's
    /// limit.
    pub(super) fn collect(
        &self,
        deadline: Duration,
    ) -> impl Future<Output = Result<Collected, SourceFailure>> + use<P> {
        let (source, component) = (Rc::clone(&self.source), self.component.clone());
        async move {
            let collected = component
                .execute_admitted(
                    |admitted| {
                        let source = Rc::clone(&source);
                        async move { source.lock().await.collect(admitted).await }
                    },
                    |_: &SourceFailure| ErrorClass::Network,
                    no_fallback(),
                )
                .await;
            collected
                .map(|recovered| recovered.value)
                .map_err(|failure| source_failure(failure, deadline))
        }
    }
}

/// The last try's own words; the breaker's, when it admitted none.
fn source_failure(mut failure: Failure<SourceFailure>, deadline: Duration) -> SourceFailure {
    match failure.tries.pop() {
        Some(TryError::Failed { error, .. }) => error,
        Some(TryError::TimedOut(_)) => {
            sometimes!(COLLECTION_CUT_OFF);
            SourceFailure {
                reason: "deadline".to_owned(),
                message: format!("not done within {} ms", deadline.as_millis()),
            }
        }
        Some(TryError::Panicked(_)) => {
            SourceFailure { reason: "panic".to_owned(), message: "the collector panicked".into() }
        }
        None => {
            sometimes!(SOURCE_SPARED);
            let message = failure.stopped.to_string();
            SourceFailure { reason: "circuit_open".to_owned(), message }
        }
    }
}

/// Shows the guards at `now` (monotonic).
pub(super) fn show(
    to: &mut ResilienceSnapshot,
    breakers: &BreakerRegistry,
    recovery: &RecoveryView,
    now: Duration,
) {
    to.breakers = breakers.stats(now);
    to.recovery = recovery.stats(now);
    to.recent_attempts = recovery.attempts(RECENT_MAX);
    to.incidents = recovery.history(RECENT_MAX);
}
