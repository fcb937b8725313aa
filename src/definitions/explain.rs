//! Why a point makes the entities it makes, and why rules that nearly match do not.
//!
//! Invariants:
//! - The matches are those of [`Definitions::match_point`], except that a rule whose identifier
//!   fits no GUID counts as a near miss, and that a stamped point is explained as if it were not.
//! - The order of near misses depends on the point and the definitions only.
//!
//! Not modelled: which rule the sender meant. Nearness is a guess: what fails counts against a
//! rule, least where a hint explains it; what holds speaks for it.

mod hints;

use super::load::Definitions;
use super::matching::{Match, Point, STAMP, Scalar, holds, identifier_attributes, name_attributes};
use super::model::{Condition, EntityDefinition, Rule};

/// How much is explained.
#[derive(Debug, Clone, Default)]
pub struct ExplainOptions {
    /// Only these types (`KAFKATOPIC` or `INFRA-KAFKATOPIC`, in any case); all when empty. A named
    /// type's rules are all explained, however far they are from matching.
    pub types: Vec<String>,
    /// Near misses at most; 0 is 5. Named types have no limit.
    pub near_max: usize,
    /// The account in GUIDs.
    pub account: u64,
}

/// What a point does.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// The point carries this GUID of its own, so it makes nothing; what follows is what it would
    /// do without.
    pub stamped: Option<String>,
    /// Rules that match and make an entity, in order of loading.
    pub matches: Vec<Match<'a>>,
    /// Rules that do not, nearest first.
    pub near: Vec<NearMiss<'a>>,
    /// Near misses beyond the limit.
    pub near_more: usize,
}

/// A rule that makes no entity.
#[derive(Debug, Clone, PartialEq)]
pub struct NearMiss<'a> {
    /// Its type.
    pub definition: &'a EntityDefinition,
    /// The rule, which knows its place.
    pub rule: &'a Rule,
    /// Every condition, then what identifier, name and GUID need.
    pub steps: Vec<Step<'a>>,
}

impl NearMiss<'_> {
    /// How many things are missing.
    pub fn failed(&self) -> usize {
        self.steps.iter().filter(|step| !step.holds).count()
    }
}

/// One thing that a rule needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'a> {
    /// What.
    pub need: Need<'a>,
    /// Whether the point has it.
    pub holds: bool,
    /// The attribute's value in the point; `None` where it has none.
    pub actual: Option<String>,
    /// Why it fails, or what to try.
    pub hint: Option<String>,
}

/// What a rule needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Need<'a> {
    /// A condition.
    Condition(&'a Condition),
    /// An attribute of the identifier.
    Identifier(&'a str),
    /// An attribute of the name.
    Name(&'a str),
    /// An identifier that a GUID takes.
    Guid(String),
}

impl std::fmt::Display for Need<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Condition(Condition::Value(name, value)) => write!(f, "{name} is `{value}`"),
            Self::Condition(Condition::Prefix(name, prefix)) => {
                write!(f, "{name} begins with `{prefix}`")
            }
            Self::Condition(Condition::Present(name, true)) => write!(f, "{name} is there"),
            Self::Condition(Condition::Present(name, false)) => write!(f, "{name} is not there"),
            Self::Identifier(name) => write!(f, "{name}, for the identifier, is there"),
            Self::Name(name) => write!(f, "{name}, for the name, is there"),
            Self::Guid(identifier) => write!(f, "identifier `{identifier}` fits a GUID"),
        }
    }
}

/// Titles and queries of an entity's golden metrics: for each the query of the provider that the
/// tags `instrumentation.provider` and `instrumentation.name` name, else the first one.
pub fn golden_queries<'a>(found: &Match<'a>, guid: &str) -> Vec<(&'a str, String)> {
    let tag = |key: &str| {
        let tag = found.tags.iter().find(|tag| tag.key == key);
        tag.map_or("", |tag| &*tag.value)
    };
    let (provider, name) = (tag("instrumentation.provider"), tag("instrumentation.name"));
    let full = format!("{provider}/{name}");
    let metrics = found.definition.golden_metrics.values();
    let query = |metric: &'a super::metrics::GoldenMetric| {
        let named = metric.queries.get(&full).or_else(|| metric.queries.get(provider));
        let query = named.or_else(|| metric.queries.values().next())?;
        Some((metric.title.as_str(), query.nrql(guid)))
    };
    metrics.filter_map(query).collect()
}

/// Near misses that are explained when nobody says how many.
const NEAR_DEFAULT: usize = 5;
/// Rules that are looked at closely for one point: hints compare texts, which is slow.
const CLOSE_MAX: usize = 64;

/// Explains what `point` does.
pub fn explain<'a>(
    definitions: &'a Definitions,
    point: Point<'a>,
    options: &ExplainOptions,
) -> Explanation<'a> {
    let stamped = point.get(STAMP).map(|guid| guid.text().into_owned());
    let wanted = |definition: &EntityDefinition| is_named(definition, &options.types);
    let mut matches = definitions.scan(point);
    matches.retain(|found| wanted(found.definition));
    let mut near = Vec::new();
    matches.retain(|found| match found.guid(options.account) {
        Ok(_) => true,
        Err(error) => {
            near.push(no_guid(found, point, error.to_string()));
            false
        }
    });
    let named = !options.types.is_empty();
    let mut others: Vec<(i64, NearMiss<'a>)> = Vec::new();
    for definition in definitions.definitions().iter().filter(|one| wanted(one)) {
        for rule in &definition.rules {
            let steps = steps(rule, point);
            if steps.iter().all(|step| step.holds) {
                continue;
            }
            let related = steps.iter().any(|step| speaks_for(step, point));
            if named || related {
                let miss = NearMiss { definition, rule, steps };
                others.push((distance(&miss), miss));
            }
        }
    }
    others.sort_by_key(|(distance, _)| *distance);
    let close = if named { others.len() } else { CLOSE_MAX };
    for (distance_of, miss) in others.iter_mut().take(close) {
        hints::add(&mut miss.steps, point);
        *distance_of = distance(miss);
    }
    others.sort_by_key(|(distance, _)| *distance);
    near.extend(others.into_iter().map(|(_, miss)| miss));
    let limit = match options.near_max {
        _ if named => near.len(),
        0 => NEAR_DEFAULT,
        limit => limit.min(CLOSE_MAX),
    };
    let near_more = near.len().saturating_sub(limit);
    near.truncate(limit);
    Explanation { stamped, matches, near, near_more }
}

/// Whether one of `types` means this type; none at all means every type.
fn is_named(definition: &EntityDefinition, types: &[String]) -> bool {
    types.is_empty()
        || types.iter().any(|name| {
            name.eq_ignore_ascii_case(&definition.entity_type)
                || name.eq_ignore_ascii_case(&definition.domain_type())
        })
}

fn no_guid<'a>(found: &Match<'a>, point: Point<'a>, error: String) -> NearMiss<'a> {
    let mut steps = steps(found.rule, point);
    steps.push(Step {
        need: Need::Guid(found.identifier.to_string()),
        holds: false,
        actual: Some(found.identifier.to_string()),
        hint: Some(error),
    });
    NearMiss { definition: found.definition, rule: found.rule, steps }
}

/// Every need of `rule`, in order, without hints.
fn steps<'a>(rule: &'a Rule, point: Point<'a>) -> Vec<Step<'a>> {
    let actual = |name: &str| point.get(name).map(|value| value.text().into_owned());
    let mut steps: Vec<Step<'a>> = rule
        .conditions
        .iter()
        .map(|condition| Step {
            need: Need::Condition(condition),
            holds: holds(condition, point),
            actual: actual(condition.attribute()),
            hint: None,
        })
        .collect();
    let has_text = |name: &str| point.get(name).and_then(Scalar::some_text).is_some();
    let required = |need: Need<'a>, name: &str| Step {
        need,
        holds: has_text(name),
        actual: actual(name),
        hint: None,
    };
    steps.extend(identifier_attributes(rule).map(|name| required(Need::Identifier(name), name)));
    steps.extend(name_attributes(rule).map(|name| required(Need::Name(name), name)));
    steps
}

/// Whether a step shows that point and rule have something in common: everybody's attributes and
/// the absence of something do not.
fn speaks_for(step: &Step<'_>, point: Point<'_>) -> bool {
    match step.need {
        Need::Condition(Condition::Value(name, _)) => {
            // An event type of the sender's own is rare enough to say something.
            step.holds && (name != "eventType" || !is_shared(point))
        }
        Need::Condition(Condition::Prefix(..) | Condition::Present(_, true)) => step.holds,
        Need::Identifier(_) => step.holds,
        Need::Condition(Condition::Present(_, false)) | Need::Name(_) | Need::Guid(_) => false,
    }
}

fn is_shared(point: Point<'_>) -> bool {
    let event_type = point.get("eventType").map(Scalar::text).unwrap_or_default();
    ["Metric", "Log", "Span"].contains(&&*event_type)
}

/// How far a rule is from matching; less is nearer.
fn distance(miss: &NearMiss<'_>) -> i64 {
    let cost = |step: &Step<'_>| match (&step.need, step.holds) {
        (Need::Condition(Condition::Value(..) | Condition::Prefix(..)), true) => -20,
        (Need::Condition(Condition::Present(_, true)), true) => -10,
        (_, true) => -2,
        // Explained failures are the ones that a sender mends most easily.
        (_, false) if step.hint.is_some() => 15,
        (Need::Condition(Condition::Value(name, _)), false) if name == "eventType" => 80,
        (Need::Condition(Condition::Value(..) | Condition::Prefix(..)), false) => 50,
        (Need::Condition(Condition::Present(_, true)), false) => 40,
        (Need::Condition(Condition::Present(_, false)), false) => 30,
        (Need::Identifier(_) | Need::Name(_) | Need::Guid(_), false) => 30,
    };
    miss.steps.iter().map(cost).sum()
}

#[cfg(test)]
mod tests;
