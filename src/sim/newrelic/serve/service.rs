//! One served New Relic: its routes, its faults, its figures, its journal.
//!
//! Invariants:
//! - What acts without a key (administration, the page's own routes) passes the [`Guard`] first.
//! - What an administrator does to synthesis is noted in the journal; faults are not, they end with
//!   the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use serde::Serialize;

use super::accounts::Accounts;
use super::admin;
use super::clock::PacedClock;
use super::drain::drained;
use super::faults::{ActiveFault, FaultError, FaultOrder, Switches};
use super::guard::Guard;
use super::recorder::{self, Recorder};
use super::series::{Rate, Series};
use crate::domain::units::UnixMillis;
use crate::newrelic::ApiKey;
use crate::ports::{Clock, Disk};
use crate::sim::newrelic::journal::{Input, Journal, JournalError, KeyDigest};
use crate::sim::newrelic::{NewRelic, RequestRecord, page, router};

/// How the page and the admin API are served.
#[derive(Debug, Clone, Default)]
pub struct ServiceOptions {
    /// Host names that are ours beside IP addresses and `localhost`.
    pub hosts: Vec<String>,
    /// The page's port is open to the network: it shows nothing without a user key and switches no
    /// faults.
    pub open_to_network: bool,
}

/// A served New Relic; clones are handles on the same one.
pub struct Service<C: Clock>(Arc<Inner<C>>);

impl<C: Clock> Clone for Service<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<C: Clock> {
    clock: PacedClock<C>,
    newrelic: NewRelic,
    accounts: Accounts,
    guard: Guard,
    options: ServiceOptions,
    recorder: Option<Recorder>,
    /// New Relic's own routes; making them is dear, a clone is not.
    apis: Router,
    started: UnixMillis,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    switches: Switches,
    /// The delay of synthesis that New Relic was told.
    lag: Duration,
    series: Series,
}

/// What playing a journal back gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Replayed {
    /// Inputs that were taken again.
    pub taken: u64,
    /// Inputs that are refused now: accounts or keys changed.
    pub refused: u64,
}

/// Totals for the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Virtual seconds that it ran.
    pub virtual_seconds: i64,
    /// Requests by status.
    pub requests: BTreeMap<u16, u64>,
    /// Events stored.
    pub events_stored: u64,
    /// Data points of metrics stored.
    pub points_stored: u64,
    /// Events and points dropped by a rule, and requests that nobody could parse.
    pub rejected: u64,
    /// Inputs noted for the journal, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs_kept: Option<u64>,
}

impl<C: Clock> Service<C> {
    /// A service around `newrelic`, whose time is that of `clock`.
    pub fn new(
        clock: PacedClock<C>,
        newrelic: NewRelic,
        accounts: Accounts,
        options: ServiceOptions,
        recorder: Option<Recorder>,
    ) -> Self {
        let guard = Guard::new(options.hosts.iter().cloned());
        let (started, state) = (clock.wall(), Mutex::default());
        let apis = router(clock.clone(), newrelic.clone());
        let inner =
            Inner { clock, newrelic, accounts, guard, options, recorder, apis, started, state };
        Self(Arc::new(inner))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The simulated New Relic.
    pub fn newrelic(&self) -> &NewRelic {
        &self.0.newrelic
    }

    /// Its time.
    pub fn clock(&self) -> &PacedClock<C> {
        &self.0.clock
    }

    /// Its customers.
    pub fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    pub(in crate::sim::newrelic) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    pub(in crate::sim::newrelic) fn options(&self) -> &ServiceOptions {
        &self.0.options
    }

    pub(super) fn started(&self) -> UnixMillis {
        self.0.started
    }

    /// New Relic's routes and the page.
    pub fn public_router(&self) -> Router {
        let routes = match &self.0.recorder {
            None => self.0.apis.clone(),
            Some(recorder) => {
                let (clock, newrelic) = (self.0.clock.clone(), self.0.newrelic.clone());
                recorder::record(self.0.apis.clone(), recorder.clone(), clock, newrelic)
            }
        };
        let routes = drained(routes, self.0.clock.real().clone());
        page::router(self.clone(), self.0.apis.clone()).fallback_service(routes)
    }

    /// The administrator's routes.
    pub fn admin_router(&self) -> Router {
        admin::router(self.clone())
    }

    /// Plays `journal` back; call it before anything is served.
    ///
    /// # Errors
    /// [`JournalError`]
    pub async fn replay<D: Disk>(&self, journal: &Journal<D>) -> Result<Replayed, JournalError> {
        let routes = &self.0.apis;
        let keys = self.0.accounts.accounts.iter().flat_map(|account| &account.keys);
        let keys: BTreeMap<KeyDigest, &ApiKey> =
            keys.map(|key| (KeyDigest::of(key.expose()), key)).collect();
        let mut replayed = Replayed::default();
        let mut from = 0;
        loop {
            let (entries, next) = journal.read(from).await?;
            if entries.is_empty() {
                break;
            }
            from = next;
            for entry in entries {
                if let Input::SynthesisDelay(lag) = entry.input {
                    self.state().lag = lag;
                }
                let key = match &entry.input {
                    Input::Request(taken) => taken.key.as_ref().and_then(|key| keys.get(key)),
                    _ => None,
                };
                let (clock, newrelic) = (&self.0.clock, &self.0.newrelic);
                match recorder::play(routes, clock, newrelic, key.copied(), entry).await {
                    true => replayed.taken += 1,
                    false => replayed.refused += 1,
                }
            }
        }
        self.apply_lag();
        Ok(replayed)
    }

    /// Tells New Relic the delay of synthesis when it changed.
    fn apply_lag(&self) {
        let now = self.0.clock.wall();
        let mut state = self.state();
        let lag = state.switches.lag();
        if lag != state.lag {
            state.lag = lag;
            self.0.newrelic.delay_synthesis(now, lag);
            self.note(now, Input::SynthesisDelay(lag));
        }
    }

    fn note(&self, at: UnixMillis, input: Input) {
        if let Some(recorder) = &self.0.recorder {
            recorder.note(at, input);
        }
    }

    /// Does what is due, and takes a sample for the page; call it every second or so.
    pub fn tick(&self) {
        let now = self.0.clock.wall();
        self.0.newrelic.advance(now);
        let counters = self.0.newrelic.counters();
        let stored = counters.events_stored + counters.points_stored;
        {
            let mut state = self.state();
            state.switches.expire(&self.0.newrelic, now);
            state.series.sample(now, stored);
        }
        self.apply_lag();
    }

    /// Notes the time, so that a later start goes on from here.
    pub fn note_time(&self) {
        self.note(self.0.clock.wall(), Input::Clock);
    }

    /// Switches a fault on.
    ///
    /// # Errors
    /// Too many at a time.
    pub fn switch_on(&self, order: FaultOrder) -> Result<ActiveFault, FaultError> {
        let now = self.0.clock.wall();
        let active = self.state().switches.on(&self.0.newrelic, order, now)?;
        self.apply_lag();
        Ok(active)
    }

    /// Switches a fault off; `false` when there is none of this number.
    pub fn switch_off(&self, id: u32) -> bool {
        let was_on = self.state().switches.off(&self.0.newrelic, id);
        self.apply_lag();
        was_on
    }

    /// Switches all faults off; how many.
    pub fn switch_all_off(&self) -> usize {
        let count = self.state().switches.all_off(&self.0.newrelic);
        self.apply_lag();
        count
    }

    /// What is in force.
    pub fn faults(&self) -> Vec<ActiveFault> {
        let mut state = self.state();
        state.switches.expire(&self.0.newrelic, self.0.clock.wall());
        state.switches.list()
    }

    /// Lets entities become visible later by `delay` from now on, beside what faults do.
    pub fn delay_synthesis(&self, delay: Duration) {
        self.state().switches.set_delay(delay);
        self.apply_lag();
    }

    /// How much later than usual entities become visible.
    pub fn synthesis_delay(&self) -> Duration {
        self.state().switches.lag()
    }

    /// Leaps ahead.
    pub fn leap(&self, by: Duration) -> UnixMillis {
        self.0.clock.leap(by);
        self.tick();
        self.note_time();
        self.0.clock.wall()
    }

    /// Events per second, oldest first.
    pub fn rates(&self) -> Vec<Rate> {
        self.state().series.rates()
    }

    /// Inputs noted for the journal, if there is one.
    pub fn inputs_kept(&self) -> Option<u64> {
        self.0.recorder.as_ref().map(Recorder::noted)
    }

    /// Totals for the end.
    pub fn summary(&self) -> Summary {
        let now = self.0.clock.wall();
        self.0.newrelic.advance(now);
        let counters = self.0.newrelic.counters();
        let events: u64 = counters.events_rejected.values().sum();
        let points: u64 = counters.points_rejected.values().sum();
        Summary {
            virtual_seconds: now.millis_since(self.0.started) / 1_000,
            requests: counters.requests,
            events_stored: counters.events_stored,
            points_stored: counters.points_stored,
            rejected: events + points + counters.bodies_unreadable,
            inputs_kept: self.inputs_kept(),
        }
    }
}

impl NewRelic {
    /// The newest requests, newest first; `status` only when given.
    pub fn newest_requests(&self, count: usize, status: Option<u16>) -> Vec<RequestRecord> {
        let state = self.state();
        let wanted = |record: &&RequestRecord| status.is_none_or(|status| record.status == status);
        state.requests.records().rev().filter(wanted).take(count).cloned().collect()
    }
}
