//! `entitySearch`: pages, counts, types, facets.

use std::collections::BTreeMap;

use async_graphql::{Name, Value, value};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::super::view::{self, Form};
use super::{Answer, Call, Failure, Resolver, dashboard};
use crate::sim::newrelic::entities::StoredEntity;
use crate::sim::newrelic::search::{self, Options};

/// Entities of a page.
const PAGE_MAX: usize = 200;
/// Facets of one count.
const FACETS_MAX: usize = 1_000;

pub(super) fn find(object: &str, field: &str) -> Option<Resolver> {
    Some(match (object, field) {
        ("Actor", "entitySearch") => entity_search,
        ("EntitySearch", "count") => |call| of(call, |found| found.entities.len().into()),
        ("EntitySearch", "query") => |call| of(call, |found| found.text.as_str().into()),
        ("EntitySearch", "types") => |call| of(call, types),
        ("EntitySearch", "results") => results,
        ("EntitySearch", "counts") => counts,
        ("EntitySearch", "facetedCounts") => faceted_counts,
        _ => return None,
    })
}

/// What a search found, in its order.
struct Found {
    text: String,
    /// Of everything that a cursor has to stay true to.
    hash: u64,
    limit: usize,
    tag_keys: Option<Vec<String>>,
    entities: Vec<StoredEntity>,
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
    let mut entities: Vec<StoredEntity> = {
        let mut state = call.session.newrelic.state();
        state.advance(call.session.now);
        let now = state.now;
        let mine = state.entities.visible(now).filter(|e| accounts.contains(&e.account));
        let user = &call.session.user;
        let found = mine.filter(|entity| search.matches(entity, options));
        found.filter(|entity| !dashboard::is_hidden(&state, entity, user)).collect()
    };
    let order = Order::of(call);
    entities.sort_by(|left, right| order.compare(left, right));
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

    fn compare(&self, left: &StoredEntity, right: &StoredEntity) -> std::cmp::Ordering {
        for (key, descending) in &self.0 {
            let ordering = key.compare(left, right);
            let ordering = if *descending { ordering.reverse() } else { ordering };
            if ordering.is_ne() {
                return ordering;
            }
        }
        left.guid.cmp(&right.guid)
    }
}

impl Key {
    fn compare(&self, left: &StoredEntity, right: &StoredEntity) -> std::cmp::Ordering {
        let tag = |entity: &StoredEntity, key: &str| {
            entity.tags.get(key).and_then(|values| values.first()).cloned()
        };
        match self {
            Self::Tag(key) => tag(left, key).cmp(&tag(right, key)),
            Self::Criterion(name) => match name.as_str() {
                "ALERT_SEVERITY" => {
                    let rank = |e: &StoredEntity| view::alert_severity(e).is_none();
                    rank(left).cmp(&rank(right))
                }
                "DOMAIN" => left.domain.cmp(&right.domain),
                "TYPE" => left.entity_type.cmp(&right.entity_type),
                // What reports comes first.
                "REPORTING" => right.reporting.cmp(&left.reporting),
                _ => left.name.cmp(&right.name),
            },
        }
    }
}

fn types(found: &Found) -> Value {
    let mut types: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entity in &found.entities {
        *types.entry((&entity.domain, &entity.entity_type)).or_default() += 1;
    }
    let shown = types.into_iter().map(|((domain, kind), count)| {
        let entity_type = crate::sim::newrelic::entities::entity_kind(domain, kind);
        value!({"domain": domain, "type": kind, "entityType": entity_type, "count": count})
    });
    Value::List(shown.collect())
}

/// Opaque to clients: the search it belongs to, and the entity behind which to go on.
fn cursor(found: &Found, next: usize) -> String {
    let last = next.checked_sub(1).and_then(|at| found.entities.get(at));
    let guid = last.map_or("", |entity| &entity.guid);
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
    let position = found.entities.iter().position(|entity| &*entity.guid == guid);
    Some(position.map_or(number, |at| at + 1))
}

fn results(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(found) = call.parent.downcast_ref::<Found>() else { return Ok(Answer::NULL) };
    let start = match call.text("cursor") {
        None | Some("") => 0,
        Some(cursor) => start(found, cursor)
            .ok_or_else(|| Failure::input("Invalid cursor: it does not belong to this search"))?,
    };
    let page = found.entities.iter().skip(start).take(found.limit);
    let keys = found.tag_keys.as_deref();
    let page: Vec<Value> = page.map(|e| view::entity(e, Form::Outline, keys)).collect();
    let next = start.saturating_add(page.len());
    let next_cursor = (next < found.entities.len()).then(|| cursor(found, next));
    Ok(Answer::Value(value!({"entities": page, "nextCursor": next_cursor})))
}

/// The values of a facet that an entity has.
fn facet_values(entity: &StoredEntity, facet: &str) -> Vec<Value> {
    let text = |text: &str| vec![Value::from(text)];
    match facet {
        "ACCOUNT_ID" => vec![entity.account.get().into()],
        "ALERT_SEVERITY" => view::alert_severity(entity).map(text).unwrap_or_default(),
        "DOMAIN" => text(&entity.domain),
        "DOMAIN_TYPE" => text(&format!("{}-{}", entity.domain, entity.entity_type)),
        "NAME" => text(&entity.name),
        "REPORTING" => vec![entity.reporting.into()],
        "TYPE" => text(&entity.entity_type),
        _ => Vec::new(),
    }
}

/// A facet: the name under which it is shown, and the values of an entity.
enum Facet<'a> {
    Field(&'a str),
    Tag(&'a str),
}

impl Facet<'_> {
    /// `ACCOUNT_ID` is shown as `accountId`, a tag as `tags.key`.
    fn shown(&self) -> String {
        match self {
            Self::Tag(key) => format!("tags.{key}"),
            Self::Field(name) => {
                let mut words = name.split('_');
                let mut shown = words.next().unwrap_or_default().to_lowercase();
                for word in words {
                    shown.push_str(&word[..1]);
                    shown.push_str(&word[1..].to_lowercase());
                }
                shown
            }
        }
    }

    fn values(&self, entity: &StoredEntity) -> Vec<Value> {
        match self {
            Self::Field(name) => facet_values(entity, name),
            Self::Tag(key) => {
                let values = entity.tags.get(*key).into_iter().flatten();
                values.map(|value| Value::from(value.as_str())).collect()
            }
        }
    }
}

/// Counts by every combination of the facets' values; the largest first.
fn count(found: &Found, facets: &[Facet<'_>]) -> Vec<(Vec<(String, Value)>, usize)> {
    let mut counts: IndexMap<String, (Vec<(String, Value)>, usize)> = IndexMap::new();
    for entity in &found.entities {
        let mut rows = vec![Vec::new()];
        for facet in facets {
            let (name, values) = (facet.shown(), facet.values(entity));
            rows = rows
                .into_iter()
                .flat_map(|row: Vec<(String, Value)>| {
                    let with = |value: &Value| {
                        let mut row = row.clone();
                        row.push((name.clone(), value.clone()));
                        row
                    };
                    values.iter().map(with).collect::<Vec<_>>()
                })
                .take(FACETS_MAX)
                .collect();
        }
        for row in rows {
            counts.entry(format!("{row:?}")).or_insert((row, 0)).1 += 1;
        }
    }
    counts.sort_by(|left, (_, more), right, (_, less)| less.cmp(more).then(left.cmp(right)));
    counts.into_values().collect()
}

fn shown_counts(counts: Vec<(Vec<(String, Value)>, usize)>) -> Value {
    let one = |(row, count): (Vec<(String, Value)>, usize)| {
        let facet = row.into_iter().map(|(name, value)| (Name::new(name), value)).collect();
        value!({"count": count, "facet": Value::Object(facet)})
    };
    Value::List(counts.into_iter().take(FACETS_MAX).map(one).collect())
}

fn counts(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(found) = call.parent.downcast_ref::<Found>() else { return Ok(Answer::NULL) };
    let fields = call.list("facet").iter().filter_map(Json::as_str).map(Facet::Field);
    let tags = call.list("facetTags").iter().filter_map(Json::as_str).map(Facet::Tag);
    let facets: Vec<_> = fields.chain(tags).take(5).collect();
    Ok(Answer::Value(shown_counts(count(found, &facets))))
}

fn faceted_counts(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(found) = call.parent.downcast_ref::<Found>() else { return Ok(Answer::NULL) };
    let wishes = call.args.get("facets");
    let criteria = wishes.and_then(|wishes| wishes.get("facetCriterion"));
    // The schema turns a single criterion into a list.
    let criteria = match criteria {
        Some(Json::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let text = |json: &'static str| {
        move |of: &'_ Json| of.get(json).and_then(Json::as_str).map(str::to_owned)
    };
    let owned: Vec<(Option<String>, Option<String>)> =
        criteria.iter().map(|c| (text("facet")(c), text("tag")(c))).collect();
    let facets: Vec<Facet<'_>> = owned
        .iter()
        .filter_map(|(facet, tag)| match (facet, tag) {
            (_, Some(key)) => Some(Facet::Tag(key)),
            (Some(name), None) => Some(Facet::Field(name)),
            (None, None) => None,
        })
        .take(5)
        .collect();
    let mut counts = count(found, &facets);
    let order = wishes.and_then(|wishes| wishes.get("orderBy")).and_then(Json::as_str);
    if order == Some("FACET") {
        counts.sort_by(|(left, _), (right, _)| format!("{left:?}").cmp(&format!("{right:?}")));
    }
    let total = counts.len();
    Ok(Answer::Value(value!({
        "counts": shown_counts(counts),
        "totalFacetCount": total,
        "facetLimitExceeded": total > FACETS_MAX,
    })))
}
