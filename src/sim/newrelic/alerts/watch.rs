//! Conditions under watch: which windows are due, and what their judges have open.
//!
//! Invariants:
//! - Only enabled conditions are watched; without one nothing here costs anything.
//! - A condition's windows are judged in order, at most [`CATCH_UP`] of them behind the present:
//!   older ones are passed over, as if New Relic had been away.
//! - The number of an incident is its own in all of the service.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::criteria::{criteria, essence};
use super::shelf::Kind;
use crate::alerts::{Findings, Judge, SignalQuery, Violation, readings};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::store::EventStore;
use crate::nrql::{self, QueryContext, QueryLimits};

/// How far back windows are judged that nobody asked for in time. A guard of our own.
const CATCH_UP: Duration = Duration::from_secs(24 * 3_600);
/// Attributes that hold the GUID of an event's entity.
const GUIDS: &[&str] = &["entity.guid", "entityGuid"];

/// Why an incident ended, as its event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::newrelic) enum EndCause {
    Deleted,
    Disabled,
    Modified,
    PolicyDeleted,
}

impl EndCause {
    pub(in crate::sim::newrelic) const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "CONDITION_DELETED",
            Self::Disabled => "CONDITION_DISABLED",
            Self::Modified => "CONDITION_MODIFIED",
            Self::PolicyDeleted => "POLICY_DELETED",
        }
    }
}

/// A condition and its policy, as events tell of them.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim::newrelic) struct About {
    pub(in crate::sim::newrelic) account: AccountId,
    pub(in crate::sim::newrelic) condition: u64,
    pub(in crate::sim::newrelic) policy: u64,
    pub(in crate::sim::newrelic) policy_name: String,
    pub(in crate::sim::newrelic) kind: Kind,
    /// Of the condition.
    pub(in crate::sim::newrelic) fields: Map<String, Json>,
}

/// Which entity a signal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// The one whose GUID is this facet.
    Facet(usize),
    /// The one that the filter names.
    Pinned(String),
    /// None that is known.
    Unknown,
}

/// A condition under watch.
#[derive(Debug)]
pub(in crate::sim::newrelic) struct Watch {
    pub(in crate::sim::newrelic) about: About,
    query: SignalQuery,
    /// Whose events are read.
    data: AccountId,
    target: Target,
    judge: Judge,
    /// Begin of the window that is judged next.
    next: UnixMillis,
    /// Numbers of the incidents that are open, by their violation's.
    open: BTreeMap<u64, u64>,
}

/// What stopped being watched, with all that was open and known.
#[derive(Debug)]
pub(in crate::sim::newrelic) struct Ended {
    pub(in crate::sim::newrelic) watch: Watch,
    pub(in crate::sim::newrelic) cause: EndCause,
}

impl Watch {
    /// `None` for a query that cannot be read: validation has let none of those pass.
    fn new(about: About, now: UnixMillis) -> Option<Self> {
        let nrql = about.fields.get("nrql")?;
        let query = SignalQuery::read(nrql.get("query")?.as_str()?).ok()?;
        let target = match (query.facet_of(GUIDS), query.pinned(GUIDS)) {
            (Some(facet), _) => Target::Facet(facet),
            (None, Some(guid)) => Target::Pinned(guid.to_owned()),
            (None, None) => Target::Unknown,
        };
        let data = nrql.get("dataAccountId").and_then(Json::as_u64);
        let data = data.and_then(|number| AccountId::try_from(number).ok());
        let judge = Judge::new(criteria(about.kind, &about.fields));
        let next = judge.criteria().first_window(now);
        let data = data.unwrap_or(about.account);
        Some(Self { about, query, data, target, judge, next, open: BTreeMap::new() })
    }

    fn due(&self) -> UnixMillis {
        self.judge.criteria().judged_at(self.next)
    }

    pub(in crate::sim::newrelic) fn judge(&self) -> &Judge {
        &self.judge
    }

    pub(in crate::sim::newrelic) fn query(&self) -> &SignalQuery {
        &self.query
    }

    /// GUID of the entity that a signal is about.
    pub(in crate::sim::newrelic) fn guid<'a>(&'a self, facets: &'a [String]) -> Option<&'a str> {
        let guid = match &self.target {
            Target::Facet(place) => facets.get(*place)?,
            Target::Pinned(guid) => guid,
            Target::Unknown => return None,
        };
        (!guid.is_empty()).then_some(guid)
    }

    /// Number of the incident that a violation is.
    pub(in crate::sim::newrelic) fn number(&self, violation: &Violation) -> u64 {
        self.open.get(&violation.number).copied().unwrap_or_default()
    }

    /// Judges the window that is due; nothing when its query fails, as if it had not been there.
    fn judge_window(&mut self, store: &EventStore) -> Findings {
        let (begin, now) = (self.next, self.due());
        let over = self.query.over(begin, self.judge.criteria().end(begin));
        let (accounts, limits) = ([self.data], QueryLimits::default());
        let context = QueryContext { store, accounts: &accounts, now, limits };
        match nrql::run(self.query.text(), &over, &context) {
            Ok(answer) => self.judge.window(&readings(&answer), begin, now),
            Err(error) => {
                tracing::debug!(condition = self.about.condition, %error, "Window not judged.");
                Findings::default()
            }
        }
    }

    /// Forgets the numbers of incidents that have ended.
    pub(in crate::sim::newrelic) fn forget_closed(&mut self, changed: &[Violation]) {
        for violation in changed.iter().filter(|changed| changed.closing.is_some()) {
            self.open.remove(&violation.number);
        }
    }

    fn go_on(&mut self, present: UnixMillis) {
        let criteria = self.judge.criteria();
        self.next = criteria.next_window(self.next);
        let behind = i64::try_from(CATCH_UP.as_millis()).unwrap_or(i64::MAX);
        let oldest = present.plus_millis(-behind);
        if self.due() < oldest {
            self.next = criteria.first_window(oldest);
            self.judge.skip();
        }
    }
}

/// All conditions under watch.
#[derive(Debug, Default)]
pub(in crate::sim::newrelic) struct Watches {
    watches: BTreeMap<u64, Watch>,
    /// When which condition has a window to judge.
    agenda: BTreeSet<(UnixMillis, u64)>,
    /// Incidents ever opened.
    opened: u64,
}

impl Watches {
    /// When the next window is due.
    pub(in crate::sim::newrelic) fn next_due(&self) -> Option<UnixMillis> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// Judges the first window that is due by `at`; the service has come as far as `present`.
    pub(in crate::sim::newrelic) fn judge_next(
        &mut self,
        store: &EventStore,
        at: UnixMillis,
        present: UnixMillis,
    ) -> Option<(Findings, &mut Watch)> {
        let (_, id) = self.agenda.first().copied().filter(|(due, _)| *due <= at)?;
        self.agenda.pop_first();
        let watch = self.watches.get_mut(&id)?;
        let findings = watch.judge_window(store);
        for violation in findings.changed.iter().filter(|changed| changed.closing.is_none()) {
            self.opened += 1;
            watch.open.insert(violation.number, self.opened);
        }
        watch.go_on(present);
        self.agenda.insert((watch.due(), id));
        Some((findings, watch))
    }

    /// Watches the condition `id` as it now is; it is not watched when there is nothing about it.
    /// What its end, or its change, makes an end of.
    pub(super) fn follow(
        &mut self,
        id: u64,
        about: Result<About, EndCause>,
        now: UnixMillis,
    ) -> Option<Ended> {
        let mut ended = None;
        match (about, self.watches.get_mut(&id)) {
            (Ok(about), Some(watch)) if essence(&about.fields) == essence(&watch.about.fields) => {
                self.agenda.remove(&(watch.due(), id));
                watch.judge.adopt(criteria(about.kind, &about.fields));
                self.agenda.insert((watch.due(), id));
                watch.about = about;
            }
            (Ok(about), _) => {
                ended = self.leave(id, EndCause::Modified);
                if let Some(watch) = Watch::new(about, now) {
                    self.agenda.insert((watch.due(), id));
                    self.watches.insert(id, watch);
                }
            }
            (Err(cause), _) => ended = self.leave(id, cause),
        }
        ended
    }

    fn leave(&mut self, id: u64, cause: EndCause) -> Option<Ended> {
        let watch = self.watches.remove(&id)?;
        self.agenda.remove(&(watch.due(), id));
        Some(Ended { watch, cause })
    }
}
