//! A component: what it needs, and the calls that start, stop and ask it, each under a limit.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use crate::ports::Clock;
use crate::rt::{Race, race, record_panic};

/// Whether the system runs without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It does not.
    Critical,
    /// It does.
    Optional,
}

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Up,
    /// It works in part.
    Degraded(String),
    /// It does not work.
    Down(String),
}

type Call<T> = Box<dyn FnMut() -> LocalBoxFuture<'static, T>>;

/// Something that is started, watched and stopped. What is not given is done at once.
pub struct Component {
    name: String,
    kind: Kind,
    needs: Vec<String>,
    validate: Option<Call<Result<(), String>>>,
    start: Option<Call<Result<(), String>>>,
    stop: Option<Call<Result<(), String>>>,
    health: Option<Call<Health>>,
    start_timeout: Option<Duration>,
    stop_timeout: Option<Duration>,
}

fn call<T, F: Future<Output = T> + 'static>(mut make: impl FnMut() -> F + 'static) -> Call<T> {
    Box::new(move || make().boxed_local())
}

impl Component {
    fn new(name: impl Into<String>, kind: Kind) -> Self {
        let (validate, start, stop, health) = (None, None, None, None);
        let (name, needs) = (name.into(), Vec::new());
        let (start_timeout, stop_timeout) = (None, None);
        Self { name, kind, needs, validate, start, stop, health, start_timeout, stop_timeout }
    }

    /// One that the system does not run without.
    pub fn critical(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Critical)
    }

    /// One that the system runs without.
    pub fn optional(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Optional)
    }

    /// It starts after `name` and stops before it, and does not run without it.
    #[must_use]
    pub fn needs(mut self, name: impl Into<String>) -> Self {
        self.needs.push(name.into());
        self
    }

    /// How to find out, before anything starts, whether it can run; the error says why not.
    #[must_use]
    pub fn validate<F>(mut self, make: impl FnMut() -> F + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + 'static,
    {
        self.validate = Some(call(make));
        self
    }

    /// How to start it; it runs once this is `Ok`.
    #[must_use]
    pub fn start<F>(mut self, make: impl FnMut() -> F + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + 'static,
    {
        self.start = Some(call(make));
        self
    }

    /// How to stop it.
    #[must_use]
    pub fn stop<F>(mut self, make: impl FnMut() -> F + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + 'static,
    {
        self.stop = Some(call(make));
        self
    }

    /// How to ask it how it is.
    #[must_use]
    pub fn health<F>(mut self, make: impl FnMut() -> F + 'static) -> Self
    where
        F: Future<Output = Health> + 'static,
    {
        self.health = Some(call(make));
        self
    }

    /// Its own limit for the start.
    #[must_use]
    pub fn start_within(mut self, limit: Duration) -> Self {
        self.start_timeout = Some(limit);
        self
    }

    /// Its own limit for the stop.
    #[must_use]
    pub fn stop_within(mut self, limit: Duration) -> Self {
        self.stop_timeout = Some(limit);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the system runs without it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Names of what it needs, as declared.
    pub fn dependencies(&self) -> &[String] {
        &self.needs
    }

    pub(super) async fn validate_now<C: Clock>(
        &mut self,
        clock: &C,
        limit: Duration,
    ) -> Result<(), String> {
        run(clock, &self.name, limit, self.validate.as_mut()).await.map_err(|t| t.to_string())
    }

    pub(super) async fn start_now<C: Clock>(
        &mut self,
        clock: &C,
        limit: Duration,
    ) -> Result<(), String> {
        let limit = self.start_timeout.unwrap_or(limit);
        run(clock, &self.name, limit, self.start.as_mut()).await.map_err(|t| t.to_string())
    }

    pub(super) fn stop_limit(&self, general: Duration) -> Duration {
        self.stop_timeout.unwrap_or(general)
    }

    pub(super) async fn stop_now<C: Clock>(
        &mut self,
        clock: &C,
        limit: Duration,
    ) -> Result<(), Trouble> {
        run(clock, &self.name, limit, self.stop.as_mut()).await
    }

    pub(super) async fn check<C: Clock>(&mut self, clock: &C, limit: Duration) -> Health {
        let Some(health) = self.health.as_mut() else { return Health::Up };
        match limited(clock, &self.name, limit, health).await {
            Ok(health) => health,
            Err(trouble) => Health::Down(trouble.to_string()),
        }
    }
}

/// Why a call was not a success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("panicked")]
    Panicked,
    #[error("{0}")]
    Failed(String),
}

impl Trouble {
    pub(super) fn is_late(&self) -> bool {
        matches!(self, Self::Late(_))
    }
}

async fn run<C: Clock>(
    clock: &C,
    name: &str,
    limit: Duration,
    call: Option<&mut Call<Result<(), String>>>,
) -> Result<(), Trouble> {
    let Some(call) = call else { return Ok(()) };
    limited(clock, name, limit, call).await?.map_err(Trouble::Failed)
}

async fn limited<C: Clock, T>(
    clock: &C,
    name: &str,
    limit: Duration,
    call: &mut Call<T>,
) -> Result<T, Trouble> {
    // Within the block, so that a panic while the future is made is caught as well.
    let caught = AssertUnwindSafe(async move { call().await }).catch_unwind();
    match race(caught, clock.sleep(limit)).await {
        Race::First(Ok(output)) => Ok(output),
        Race::First(Err(payload)) => {
            record_panic(name, payload.as_ref());
            Err(Trouble::Panicked)
        }
        Race::Second(()) => Err(Trouble::Late(limit)),
    }
}
