//! Tags of one entity: those that data give and those that users give.
//!
//! Source: "Use tags to help organize and find your data" and docs/entities/tagging.md of the
//! definitions. Values that users gave are *mutable*: synthesis neither removes nor replaces them,
//! and users can change no others.

use std::collections::BTreeMap;
use std::time::Duration;

use super::TagFault;
use crate::domain::units::UnixMillis;

/// Values per tag key ("≤ 100 values per entity"); the one unseen for longest goes first.
const TAG_VALUES_MAX: usize = 100;
/// Tag keys per entity; further ones are left out. Our own guard.
const TAG_KEYS_MAX: usize = 250;
/// Values that users may give to one entity.
const USER_VALUES_MAX: usize = 100;
/// Characters of a key.
const KEY_CHARS_MAX: usize = 128;
/// Characters of a value.
const VALUE_CHARS_MAX: usize = 256;
/// Keys that every entity has; users cannot change them.
pub(super) const FIXED_KEYS: [&str; 3] = ["account", "accountId", "trustedAccountId"];

#[derive(Debug)]
struct TagValue {
    value: String,
    last_seen: UnixMillis,
    ttl: Option<Duration>,
}

impl TagValue {
    fn lives(&self, now: UnixMillis) -> bool {
        self.ttl.is_none_or(|ttl| now < self.last_seen.plus(ttl))
    }
}

/// Tags of one entity.
#[derive(Debug, Default)]
pub(super) struct Tags {
    data: BTreeMap<String, Vec<TagValue>>,
    users: BTreeMap<String, Vec<String>>,
}

impl Tags {
    pub(super) fn clear(&mut self) {
        self.data.clear();
        self.users.clear();
    }

    /// Adds a value that a point gave at `at`, or confirms it; whether it is new. Allocates only
    /// for what is.
    pub(super) fn observe(
        &mut self,
        key: &str,
        text: &str,
        at: UnixMillis,
        multi_value: bool,
        ttl: Option<Duration>,
    ) -> bool {
        let fresh = || TagValue { value: text.to_owned(), last_seen: at, ttl };
        let Some(values) = self.data.get_mut(key) else {
            if self.data.len() >= TAG_KEYS_MAX {
                self.data.retain(|_, values| values.iter().any(|value| value.lives(at)));
            }
            let room = self.data.len() < TAG_KEYS_MAX;
            if room {
                self.data.insert(key.to_owned(), vec![fresh()]);
            }
            return room;
        };
        if let Some(known) = values.iter_mut().find(|known| known.value == text) {
            known.last_seen = at;
            known.ttl = ttl;
            return false;
        }
        if !multi_value {
            values.clear();
        } else if values.len() >= TAG_VALUES_MAX {
            let oldest = (0..values.len()).min_by_key(|at| values[*at].last_seen).unwrap_or(0);
            values.remove(oldest);
        }
        values.push(fresh());
        true
    }

    /// Shows living values key by key, those of users last.
    pub(super) fn visit_living(&self, now: UnixMillis, mut visit: impl FnMut(&str, &str)) {
        for (key, values) in &self.data {
            let living = values.iter().filter(|known| known.lives(now));
            living.for_each(|known| visit(key, &known.value));
            let own = self.users.get(key).into_iter().flatten();
            let lives = |text: &str| values.iter().any(|v| v.value == text && v.lives(now));
            own.filter(|value| !lives(value)).for_each(|value| visit(key, value));
        }
        for (key, values) in self.users.iter().filter(|(key, _)| !self.data.contains_key(*key)) {
            values.iter().for_each(|value| visit(key, value));
        }
    }

    /// The first living value of `key`.
    pub(super) fn first(&self, key: &str, now: UnixMillis) -> Option<&str> {
        let data = self.data.get(key).into_iter().flatten().find(|known| known.lives(now));
        let data = data.map(|known| known.value.as_str());
        data.or_else(|| self.users.get(key)?.first().map(String::as_str))
    }

    /// Living values by key, those of users last.
    pub(super) fn living(&self, now: UnixMillis) -> BTreeMap<String, Vec<String>> {
        let mut living: BTreeMap<String, Vec<String>> = BTreeMap::new();
        self.visit_living(now, |key, value| match living.get_mut(key) {
            Some(values) => values.push(value.to_owned()),
            None => drop(living.insert(key.to_owned(), vec![value.to_owned()])),
        });
        living
    }

    /// Whether `key` has the living value `value`.
    pub(super) fn has(&self, key: &str, value: &str, now: UnixMillis) -> bool {
        let data = self.data.get(key).is_some_and(|values| {
            values.iter().any(|known| known.value == value && known.lives(now))
        });
        data || self.users.get(key).is_some_and(|values| values.iter().any(|v| v == value))
    }

    /// Shows every key with every value, dead ones included.
    pub(super) fn visit(&self, mut visit: impl FnMut(&str, &str)) {
        for (key, values) in &self.data {
            values.iter().for_each(|known| visit(key, &known.value));
        }
        for (key, values) in &self.users {
            values.iter().for_each(|value| visit(key, value));
        }
    }

    /// The values of users.
    pub(super) fn of_users(&self) -> &BTreeMap<String, Vec<String>> {
        &self.users
    }

    /// A user adds values.
    pub(super) fn add(&mut self, added: &[(String, Vec<String>)]) -> Result<(), TagFault> {
        let mut users = self.users.clone();
        merge(&mut users, added)?;
        self.users = users;
        Ok(())
    }

    /// A user replaces all values of users.
    pub(super) fn replace(&mut self, tags: &[(String, Vec<String>)]) -> Result<(), TagFault> {
        let mut users = BTreeMap::new();
        merge(&mut users, tags)?;
        self.users = users;
        Ok(())
    }

    /// A user deletes keys, or single values of keys.
    pub(super) fn delete(&mut self, key: &str, value: Option<&str>) {
        match value {
            None => drop(self.users.remove(key)),
            Some(value) => {
                if let Some(values) = self.users.get_mut(key) {
                    values.retain(|known| known != value);
                    if values.is_empty() {
                        self.users.remove(key);
                    }
                }
            }
        }
    }
}

fn merge(
    users: &mut BTreeMap<String, Vec<String>>,
    added: &[(String, Vec<String>)],
) -> Result<(), TagFault> {
    for (key, values) in added {
        check_key(key)?;
        let known = users.entry(key.clone()).or_default();
        for value in values {
            if value.trim().is_empty() || value.chars().count() > VALUE_CHARS_MAX {
                return Err(TagFault::InvalidValue);
            }
            if !known.contains(value) {
                known.push(value.clone());
            }
        }
    }
    users.retain(|_, values| !values.is_empty());
    if users.len() > USER_VALUES_MAX {
        return Err(TagFault::TooManyKeys);
    }
    if users.values().map(Vec::len).sum::<usize>() > USER_VALUES_MAX {
        return Err(TagFault::TooManyValues);
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), TagFault> {
    let bad = key.trim().is_empty()
        || key.chars().count() > KEY_CHARS_MAX
        || FIXED_KEYS.contains(&key)
        || key.starts_with("nr.");
    if bad { Err(TagFault::InvalidKey) } else { Ok(()) }
}
