//! `entitySearch`: pages, counts, types, facets.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Value, value};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

use super::super::view::{self, Form};
use super::{Answer, Call, Failure, Resolver, dashboard, facets};
use crate::sim::newrelic::entities::Glance;
use crate::sim::newrelic::search::{self, Options};
use crate::sim::newrelic::state::State;

/// Entities of a page.
const PAGE_MAX: usize = 200;

pub(super) fn find(object: &str, field: &str) -> Option<Resolver> {
    Some(match (object, field) {
        ("Actor", "entitySearch") => entity_search,
        ("EntitySearch", "count") => |call| of(call, |found| found.entities.len().into()),
        ("EntitySearch", "query") => |call| of(call, |found| found.text.as_str().into()),
        ("EntitySearch", "types") => types,
        ("EntitySearch", "results") => results,
        ("EntitySearch", "counts") => facets::counts,
        ("EntitySearch", "facetedCounts") => facets::faceted_counts,
        _ => return None,
    })
}

/// What a search found, in its order.
pub(super) struct Found {
    text: String,
    /// Of everything that a cursor has to stay true to.
    hash: u64,
    limit: usize,
    tag_keys: Option<Vec<String>>,
    /// Their GUIDs: nothing changes while one request is answered, so they are looked up again.
    entities: Vec<Arc<str>>,
}

/// What was found, where it lies.
pub(super) fn glances<'s>(found: &'s Found, state: &'s State) -> impl Iterator<Item = Glance<'s>> {
    found.entities.iter().filter_map(|guid| state.entities.glance(guid, state.now))
}

fn of(call: &Call<'_>, show: fn(&Found) -> Value) -> Result<Answer, Failure> {
    Ok(Answer::Value(call.parent.downcast_ref().map_or(Value::Null, show)))
}

fn entity_search(call: &Call<'_>) -> Result<Answer, Failure> {
    let text = match (call.text("query"), call.args.get("queryBuilder")) {
        (Some(_), Some(builder)) if !builder.is_null() => {
            let message = "You must supply either a query OR a queryBuilder argument, not both.";
            return Err(Failure::input(message));
        }
        (Some(text), _) => text.to_owned(),
        (None, Some(builder)) if !builder.is_null() => search::text_of_builder(builder),
        (None, _) => {
            let message = "You must supply either a query OR a queryBuilder argument.";
            return Err(Failure::input(message));
        }
    };
    let search = search::parse(&text).map_err(|error| Failure::input(error.to_string()))?;
    let option = |name: &str| call.args.get("options").and_then(|options| options.get(name));
    let limit = option("limit").and_then(Json::as_i64).unwrap_or(PAGE_MAX as i64);
    let limit = usize::try_from(limit).unwrap_or(0).clamp(1, PAGE_MAX);
    let case_sensitive_tags =
        option("caseSensitiveTagMatching").and_then(Json::as_bool).unwrap_or(true);
    let keys = option("tagFilter").and_then(Json::as_array);
    let tag_keys: Option<Vec<String>> =
        keys.map(|keys| keys.iter().filter_map(Json::as_str).map(str::to_owned).collect());
    let options = Options { case_sensitive_tags };
    let accounts = &call.session.user.accounts;
    let order = Order::of(call);
    let entities: Vec<Arc<str>> = {
        let mut state = call.session.newrelic.state();
        state.advance(call.session.now);
        let user = &call.session.user;
        let mine = state.entities.visible(state.now).filter(|e| accounts.contains(&e.account()));
        let found = mine.filter(|entity| search.matches(entity, options));
        let found = found.filter(|entity| !dashboard::is_hidden(&state, *entity, user));
        let mut found: Vec<Glance<'_>> = found.collect();
        found.sort_by(|left, right| order.compare(left, right));
        found.into_iter().map(|entity| Arc::clone(entity.guid())).collect()
    };
    let hash = xxhash_rust::xxh3::xxh3_64(format!("{text}\n{order:?}\n{options:?}").as_bytes());
    Ok(Answer::Own(Box::new(Found { text, hash, limit, tag_keys, entities })))
}

/// By what results are sorted, the most important first; equal ones by GUID.
#[derive(Debug)]
struct Order(Vec<(Key, bool)>);

#[derive(Debug)]
enum Key {
    Criterion(String),
    Tag(String),
}

impl Order {
    fn of(call: &Call<'_>) -> Self {
        let text =
            |json: &Json, name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        let directed = call.list("sortByWithDirection").iter().filter_map(|wish| {
            let key = text(wish, "tag").map(Key::Tag);
            let key = key.or_else(|| text(wish, "attribute").map(Key::Criterion))?;
            Some((key, text(wish, "direction").as_deref() == Some("DESC")))
        });
        let directed: Vec<_> = directed.collect();
        if !directed.is_empty() {
            return Self(directed);
        }
        let plain = call.list("sortBy").iter().filter_map(Json::as_str);
        Self(plain.map(|name| (Key::Criterion(name.to_owned()), false)).collect())
    }

    fn compare(&self, left: &Glance<'_>, right: &Glance<'_>) -> Ordering {
        for (key, descending) in &self.0 {
            let ordering = key.compare(left, right);
            let ordering = if *descending { ordering.reverse() } else { ordering };
            if ordering.is_ne() {
                return ordering;
            }
        }
        left.guid().cmp(right.guid())
    }
}

impl Key {
    fn compare(&self, left: &Glance<'_>, right: &Glance<'_>) -> Ordering {
        match self {
            Self::Tag(key) => left.first_tag(key).cmp(&right.first_tag(key)),
            Self::Criterion(name) => match name.as_str() {
                // What is worse comes first.
                "ALERT_SEVERITY" => right.alert_severity().cmp(&left.alert_severity()),
                "DOMAIN" => left.domain().cmp(right.domain()),
                "TYPE" => left.entity_type().cmp(right.entity_type()),
                // What reports comes first.
                "REPORTING" => right.is_reporting().cmp(&left.is_reporting()),
                _ => left.name().cmp(right.name()),
            },
        }
    }
}

fn types(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(found) = call.parent.downcast_ref::<Found>() else { return Ok(Answer::NULL) };
    let state = call.session.newrelic.state();
    let mut types: BTreeMap<(&str, &str), (usize, &str)> = BTreeMap::new();
    for entity in glances(found, &state) {
        let key = (entity.domain(), entity.entity_type());
        types.entry(key).or_insert((0, entity.kind())).0 += 1;
    }
    let shown = types.into_iter().map(|((domain, name), (count, kind))| {
        value!({"domain": domain, "type": name, "entityType": kind, "count": count})
    });
    Ok(Answer::Value(Value::List(shown.collect())))
}

/// Opaque to clients: the search it belongs to, and the entity behind which to go on.
fn cursor(found: &Found, next: usize) -> String {
    let last = next.checked_sub(1).and_then(|at| found.entities.get(at));
    let guid = last.map_or("", |guid| guid);
    URL_SAFE_NO_PAD.encode(format!("1|{:016x}|{next}|{guid}", found.hash))
}

/// Where a cursor goes on: behind its entity, or at its number when that one is gone.
fn start(found: &Found, cursor: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let mut parts = text.splitn(4, '|');
    let (version, hash) = (parts.next()?, parts.next()?);
    let (number, guid) = (parts.next()?.parse::<usize>().ok()?, parts.next()?);
    if version != "1" || u64::from_str_radix(hash, 16).ok()? != found.hash {
        return None;
    }
    let position = found.entities.iter().position(|known| **known == *guid);
    Some(position.map_or(number, |at| at + 1))
}

fn results(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(found) = call.parent.downcast_ref::<Found>() else { return Ok(Answer::NULL) };
    let start = match call.text("cursor") {
        None | Some("") => 0,
        Some(cursor) => start(found, cursor)
            .ok_or_else(|| Failure::input("Invalid cursor: it does not belong to this search"))?,
    };
    let state = call.session.newrelic.state();
    let page = found.entities.iter().skip(start).take(found.limit);
    let page = page.filter_map(|guid| state.entities.get(guid, state.now));
    let keys = found.tag_keys.as_deref();
    let page: Vec<Value> = page.map(|e| view::entity(&e, Form::Outline, keys)).collect();
    let next = start.saturating_add(page.len());
    let next_cursor = (next < found.entities.len()).then(|| cursor(found, next));
    Ok(Answer::Value(value!({"entities": page, "nextCursor": next_cursor})))
}
