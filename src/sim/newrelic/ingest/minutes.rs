//! What each account did in its present minute.

use std::collections::BTreeMap;

use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::fault::Target;

const MINUTE_MS: i64 = 60_000;

/// What is counted by the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    /// POSTs to a part of the service.
    Posts(Target),
    /// Data points of metrics.
    Points,
}

#[derive(Debug, Default)]
struct Window {
    minute: i64,
    count: u64,
    told: bool,
}

/// Counts by account; those of past minutes are forgotten.
#[derive(Debug, Default)]
pub(super) struct Minutes(BTreeMap<(AccountId, Counted), Window>);

impl Minutes {
    fn window(&mut self, account: AccountId, counted: Counted, at: UnixMillis) -> &mut Window {
        let minute = at.0.div_euclid(MINUTE_MS);
        let window = self.0.entry((account, counted)).or_default();
        if window.minute != minute {
            *window = Window { minute, count: 0, told: false };
        }
        window
    }

    /// Counts `more`; the new count of the present minute.
    pub(super) fn add(
        &mut self,
        account: AccountId,
        counted: Counted,
        more: u64,
        at: UnixMillis,
    ) -> u64 {
        let window = self.window(account, counted, at);
        window.count = window.count.saturating_add(more);
        window.count
    }

    /// Whether this is the first time in the present minute that somebody asks this.
    pub(super) fn tell_once(
        &mut self,
        account: AccountId,
        counted: Counted,
        at: UnixMillis,
    ) -> bool {
        !std::mem::replace(&mut self.window(account, counted, at).told, true)
    }
}

/// Whole seconds until the present minute ends, at least one.
pub(super) fn rest_seconds(at: UnixMillis) -> u32 {
    let rest_ms = MINUTE_MS - at.0.rem_euclid(MINUTE_MS);
    u32::try_from((rest_ms + 999) / 1_000).unwrap_or(u32::MAX)
}
