//! Counts of what a search found, by facets.
//!
//! Invariant: however many values entities have, a bounded number of combinations is counted.

use async_graphql::{Name, Value, value};
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::search::{Found, glances};
use super::{Answer, Call, Failure};
use crate::nrql::hashing::FixedState;
use crate::sim::newrelic::entities::Glance;

/// Combinations that are shown.
const SHOWN_MAX: usize = 1_000;
/// Combinations that are counted; entities with further ones do not count. Our own guard.
const COUNTED_MAX: usize = 100_000;
/// Combinations of one entity that count.
const ENTITY_MAX: usize = 1_000;
/// Facets of one count.
const FACETS_MAX: usize = 5;

/// A value of a facet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum FacetValue {
    Number(u64),
    Truth(bool),
    Text(String),
}

impl FacetValue {
    fn shown(self) -> Value {
        match self {
            Self::Number(number) => number.into(),
            Self::Truth(truth) => truth.into(),
            Self::Text(text) => text.into(),
        }
    }
}

/// What is counted by.
enum Facet {
    Field(String),
    Tag(String),
}

impl Facet {
    /// `ACCOUNT_ID` is shown as `accountId`, a tag as `tags.key`.
    fn shown(&self) -> String {
        let name = match self {
            Self::Tag(key) => return format!("tags.{key}"),
            Self::Field(name) => name,
        };
        let mut words = name.split('_');
        let mut shown = words.next().unwrap_or_default().to_lowercase();
        for word in words {
            let mut letters = word.chars();
            shown.extend(letters.next());
            shown.push_str(&letters.as_str().to_lowercase());
        }
        shown
    }

    /// The values that an entity has.
    fn values(&self, entity: Glance<'_>) -> Vec<FacetValue> {
        let text = |text: &str| FacetValue::Text(text.to_owned());
        let name = match self {
            Self::Field(name) => name.as_str(),
            Self::Tag(wanted) => {
                let mut values = Vec::new();
                entity.visit_tags(&mut |key, value| {
                    if key == wanted {
                        values.push(text(value));
                    }
                });
                return values;
            }
        };
        let (domain, entity_type) = (entity.domain(), entity.entity_type());
        match name {
            "ACCOUNT_ID" => vec![FacetValue::Number(entity.account().get())],
            "ALERT_SEVERITY" => {
                entity.alert_severity().map(|found| text(found.as_str())).into_iter().collect()
            }
            "DOMAIN" => vec![text(domain)],
            "DOMAIN_TYPE" => vec![FacetValue::Text(format!("{domain}-{entity_type}"))],
            "NAME" => vec![text(entity.name())],
            "REPORTING" => vec![FacetValue::Truth(entity.is_reporting())],
            "TYPE" => vec![text(entity_type)],
            _ => Vec::new(),
        }
    }
}

/// Counts by combinations of values.
struct Counts {
    facets: Vec<String>,
    rows: Vec<(Vec<FacetValue>, usize)>,
    /// There were more than are counted.
    is_cut: bool,
}

/// Every combination of the facets' values that an entity has.
fn combinations(facets: &[Facet], entity: Glance<'_>) -> Vec<Vec<FacetValue>> {
    let mut rows = vec![Vec::with_capacity(facets.len())];
    for facet in facets {
        let values = facet.values(entity);
        rows = match <[FacetValue; 1]>::try_from(values) {
            Ok([only]) => {
                rows.iter_mut().for_each(|row| row.push(only.clone()));
                rows
            }
            Err(values) => {
                let with = |row: &Vec<FacetValue>, value: &FacetValue| {
                    let mut row = row.clone();
                    row.push(value.clone());
                    row
                };
                let all = rows.iter().flat_map(|row| values.iter().map(move |v| with(row, v)));
                all.take(ENTITY_MAX).collect()
            }
        };
    }
    rows
}

/// The largest first.
fn count(call: &Call<'_>, found: &Found, facets: impl Iterator<Item = Facet>) -> Counts {
    let facets: Vec<Facet> = facets.take(FACETS_MAX).collect();
    let mut counts: IndexMap<Vec<FacetValue>, usize, FixedState> = IndexMap::default();
    let mut is_cut = false;
    let state = call.session.newrelic.state();
    for entity in glances(found, &state) {
        for row in combinations(&facets, entity) {
            if let Some(count) = counts.get_mut(&row) {
                *count += 1;
            } else if counts.len() < COUNTED_MAX {
                counts.insert(row, 1);
            } else {
                is_cut = true;
            }
        }
    }
    let mut rows: Vec<(Vec<FacetValue>, usize)> = counts.into_iter().collect();
    rows.sort_by(|(left, more), (right, less)| less.cmp(more).then_with(|| left.cmp(right)));
    Counts { facets: facets.iter().map(Facet::shown).collect(), rows, is_cut }
}

impl Counts {
    fn shown(self) -> Value {
        let facets = self.facets;
        let one = |(row, count): (Vec<FacetValue>, usize)| {
            let named = facets.iter().zip(row);
            let facet = named.map(|(name, value)| (Name::new(name), value.shown())).collect();
            value!({"count": count, "facet": Value::Object(facet)})
        };
        Value::List(self.rows.into_iter().take(SHOWN_MAX).map(one).collect())
    }
}

/// `counts`, the deprecated predecessor of `facetedCounts`.
pub(super) fn counts(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(found) = call.parent.downcast_ref::<Found>() else { return Ok(Answer::NULL) };
    let texts = |name| call.list(name).iter().filter_map(Json::as_str).map(str::to_owned);
    let facets = texts("facet").map(Facet::Field).chain(texts("facetTags").map(Facet::Tag));
    Ok(Answer::Value(count(call, found, facets).shown()))
}

pub(super) fn faceted_counts(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(found) = call.parent.downcast_ref::<Found>() else { return Ok(Answer::NULL) };
    let wishes = call.args.get("facets");
    let criteria = wishes.and_then(|wishes| wishes.get("facetCriterion"));
    // The schema turns a single criterion into a list.
    let criteria = match criteria {
        Some(Json::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let facets = criteria.iter().filter_map(|criterion| {
        let text = |name| criterion.get(name).and_then(Json::as_str).map(str::to_owned);
        text("tag").map(Facet::Tag).or_else(|| text("facet").map(Facet::Field))
    });
    let mut counts = count(call, found, facets);
    let order = wishes.and_then(|wishes| wishes.get("orderBy")).and_then(Json::as_str);
    if order == Some("FACET") {
        counts.rows.sort();
    }
    let total = counts.rows.len();
    let exceeded = counts.is_cut || total > SHOWN_MAX;
    Ok(Answer::Value(value!({
        "counts": counts.shown(),
        "totalFacetCount": total,
        "facetLimitExceeded": exceeded,
    })))
}
