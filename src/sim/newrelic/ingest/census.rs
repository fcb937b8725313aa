//! What limits per day have to remember: event types, their attributes, time series.
//!
//! Invariant: everything is forgotten when the UTC day ends, and no set grows past its limit.
//!
//! Names are kept as 64-bit hashes: two that collide count as one, which makes a limit of 48,000
//! wrong by one in about 10¹⁰ days.

use std::collections::BTreeMap;

use indexmap::{IndexMap, IndexSet};
use xxhash_rust::xxh3::xxh3_64;

use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

const DAY_MS: i64 = 86_400_000;
/// Orders of attributes that are remembered per event type, so that most events need no look at
/// single names.
const FORMS_MAX: usize = 4_096;

/// Attributes of one event type.
#[derive(Debug, Default)]
struct Attributes {
    names: IndexSet<u64>,
    forms: IndexSet<u64>,
}

/// Time series of one account.
#[derive(Debug, Default)]
struct Series {
    all: IndexSet<u64>,
    by_name: IndexMap<u64, u32>,
    told: bool,
}

#[derive(Debug, Default)]
struct Account {
    types: BTreeMap<String, Attributes>,
    series: Series,
}

/// Whether something new found room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It is known or there was room.
    Yes,
    /// The account has as many event types as it may have.
    NoType,
    /// The event type has as many attributes as it may have.
    NoAttribute,
}

/// What became of a time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeriesRoom {
    /// It is known or there was room.
    Yes,
    /// The account has too many today; `first` for the first one that is told of.
    Account {
        /// Whether this is the first one today.
        first: bool,
    },
    /// The metric has too many today.
    Name {
        /// Whether this is the first one today.
        first: bool,
    },
}

/// All accounts' present day.
#[derive(Debug, Default)]
pub(super) struct Census {
    day: i64,
    accounts: BTreeMap<AccountId, Account>,
}

impl Census {
    fn account(&mut self, account: AccountId, at: UnixMillis) -> &mut Account {
        let day = at.0.div_euclid(DAY_MS);
        if self.day != day {
            self.day = day;
            self.accounts.clear();
        }
        self.accounts.entry(account).or_default()
    }

    /// Notes an event type and its attributes.
    pub(super) fn event<'a>(
        &mut self,
        account: AccountId,
        event_type: &str,
        names: impl Iterator<Item = &'a str> + Clone,
        (types_max, attributes_max): (usize, usize),
        at: UnixMillis,
    ) -> Room {
        let types = &mut self.account(account, at).types;
        if !types.contains_key(event_type) {
            if types.len() >= types_max {
                return Room::NoType;
            }
            types.insert(event_type.to_owned(), Attributes::default());
        }
        let Some(known) = types.get_mut(event_type) else { return Room::NoType };
        let mix = |form: u64, name: &str| {
            (form.rotate_left(23) ^ xxh3_64(name.as_bytes())).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let form = names.clone().fold(0, mix);
        if known.forms.contains(&form) {
            return Room::Yes;
        }
        for name in names {
            let name = xxh3_64(name.as_bytes());
            if known.names.len() >= attributes_max && !known.names.contains(&name) {
                return Room::NoAttribute;
            }
            known.names.insert(name);
        }
        if known.forms.len() >= FORMS_MAX {
            known.forms.clear();
        }
        known.forms.insert(form);
        Room::Yes
    }

    /// Notes the time series `series` of the metric `name`, both as hashes.
    pub(super) fn series(
        &mut self,
        account: AccountId,
        (name, series): (u64, u64),
        (series_max, per_name_max): (usize, u32),
        at: UnixMillis,
    ) -> SeriesRoom {
        let known = &mut self.account(account, at).series;
        if known.all.contains(&series) {
            return SeriesRoom::Yes;
        }
        if known.all.len() >= series_max {
            return SeriesRoom::Account { first: !std::mem::replace(&mut known.told, true) };
        }
        let count = known.by_name.entry(name).or_insert(0);
        if *count >= per_name_max {
            return SeriesRoom::Name { first: !std::mem::replace(&mut known.told, true) };
        }
        *count += 1;
        known.all.insert(series);
        SeriesRoom::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: UnixMillis = UnixMillis(0);
    const NEXT_DAY: UnixMillis = UnixMillis(DAY_MS);

    fn account(number: u64) -> AccountId {
        AccountId::try_from(number).expect("valid")
    }

    #[test]
    fn types_and_attributes_have_room_until_the_limit_and_again_the_next_day() {
        let mut census = Census::default();
        let mut check = |id: u64, kind: &str, names: &[&str], at, expected: Room| {
            let names = names.iter().copied();
            let got = census.event(account(id), kind, names, (2, 3), at);
            assert_eq!(got, expected, "{id} {kind}");
        };
        check(1, "A", &["a", "b"], DAY, Room::Yes);
        check(1, "A", &["b", "c"], DAY, Room::Yes);
        check(1, "A", &["a", "d"], DAY, Room::NoAttribute);
        check(1, "A", &["c", "a", "b"], DAY, Room::Yes);
        check(1, "B", &["d"], DAY, Room::Yes);
        check(1, "C", &[], DAY, Room::NoType);
        check(2, "C", &[], DAY, Room::Yes);
        check(1, "A", &["d"], NEXT_DAY, Room::Yes);
        check(1, "C", &[], NEXT_DAY, Room::Yes);
        check(1, "B", &[], NEXT_DAY, Room::NoType);
    }

    #[test]
    fn series_have_room_by_account_and_by_name() {
        let mut census = Census::default();
        let mut check = |name: u64, series: u64, at, expected: SeriesRoom| {
            let got = census.series(account(1), (name, series), (3, 2), at);
            assert_eq!(got, expected, "{name} {series}");
        };
        check(1, 10, DAY, SeriesRoom::Yes);
        check(1, 11, DAY, SeriesRoom::Yes);
        check(1, 10, DAY, SeriesRoom::Yes);
        check(1, 12, DAY, SeriesRoom::Name { first: true });
        check(2, 20, DAY, SeriesRoom::Yes);
        check(3, 30, DAY, SeriesRoom::Account { first: false });
        check(1, 11, DAY, SeriesRoom::Yes);
        check(1, 12, NEXT_DAY, SeriesRoom::Yes);
    }
}
