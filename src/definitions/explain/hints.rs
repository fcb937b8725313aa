//! What a sender may have meant.

use super::{Need, Step};
use crate::definitions::matching::{Point, Scalar};
use crate::definitions::model::Condition;

/// Attributes of a point that are compared; points of every API have fewer.
const ATTRIBUTES_MAX: usize = 300;
/// Characters of texts that are compared.
const TEXT_MAX: usize = 120;

/// Gives a hint to each step that fails and for which there is one.
pub(super) fn add(steps: &mut [Step<'_>], point: Point<'_>) {
    for step in steps.iter_mut().filter(|step| !step.holds && step.hint.is_none()) {
        step.hint = match &step.need {
            Need::Condition(Condition::Value(name, wanted)) => match point.get(name) {
                Some(value) => differs(name, value, wanted, point),
                None => absent(name, point).or_else(|| elsewhere(wanted, point)),
            },
            Need::Condition(Condition::Prefix(name, prefix)) => match point.get(name) {
                Some(value) => does_not_begin(value, prefix),
                None => absent(name, point),
            },
            Need::Condition(Condition::Present(_, false)) => None,
            Need::Condition(Condition::Present(name, true)) => absent(name, point),
            Need::Identifier(name) | Need::Name(name) => match point.get(name) {
                Some(_) => Some("a metric object has no text".to_owned()),
                None => absent(name, point),
            },
            Need::Guid(_) => None,
        };
    }
}

fn differs(name: &str, value: Scalar<'_>, wanted: &str, point: Point<'_>) -> Option<String> {
    if value == Scalar::Metric {
        return Some("a metric object has no text".to_owned());
    }
    let text = value.text();
    if text.to_lowercase() == wanted.to_lowercase() {
        return Some("only the case differs, and case matters".to_owned());
    }
    if text.trim() == wanted.trim() {
        return Some("only spaces around it differ".to_owned());
    }
    if is_near(&text, wanted) {
        return Some(format!("nearly: is `{wanted}` meant?"));
    }
    // A sender's own `eventType` hides the kind of event.
    (name == "eventType" && point.event_type == wanted)
        .then(|| format!("the point's own eventType hides the event type `{wanted}`"))
}

fn does_not_begin(value: Scalar<'_>, prefix: &str) -> Option<String> {
    if value == Scalar::Metric {
        return Some("a metric object has no text".to_owned());
    }
    let text = value.text();
    if text.to_lowercase().starts_with(&prefix.to_lowercase()) {
        return Some("it begins so in another case, and case matters".to_owned());
    }
    if let Some(at) = text.find(prefix) {
        let at = text.get(..at).map_or(0, |before| before.chars().count());
        return Some(format!("it contains that after {at} characters, but must begin with it"));
    }
    let beginning: String = text.chars().take(prefix.chars().count()).collect();
    is_near(&beginning, prefix).then(|| format!("it begins with `{beginning}`, which is near"))
}

/// An attribute that is not there, or is there without a value.
fn absent(name: &str, point: Point<'_>) -> Option<String> {
    if point.attributes.iter().any(|(key, _)| *key == name) {
        return Some("it is the empty text, which counts as absent".to_owned());
    }
    if name == "eventType" {
        return Some("the event type of the point is not known".to_owned());
    }
    let names = || point.attributes.iter().take(ATTRIBUTES_MAX).map(|(key, _)| *key);
    if let Some(other) = names().find(|key| key.to_lowercase() == name.to_lowercase()) {
        return Some(format!("the point has `{other}`: case matters"));
    }
    let plain = |key: &str| key.replace(['_', '-', '.'], "").to_lowercase();
    if let Some(other) = names().find(|key| plain(key) == plain(name)) {
        return Some(format!("the point has `{other}`: punctuation matters"));
    }
    let near = names()
        .filter(|key| is_near(key, name))
        .min_by_key(|key| strsim::damerau_levenshtein(key, name));
    near.map(|other| format!("the point has `{other}`, which is near"))
}

/// The value in another attribute.
fn elsewhere(wanted: &str, point: Point<'_>) -> Option<String> {
    if wanted.chars().count() < 3 {
        return None;
    }
    let all = point.attributes.iter().take(ATTRIBUTES_MAX);
    let other = all.into_iter().find(|(_, value)| *value == Scalar::Text(wanted));
    other.map(|(name, _)| format!("`{name}` has that value"))
}

/// Texts of a few letters are never near: everything would be.
fn is_near(text: &str, wanted: &str) -> bool {
    let length = wanted.chars().count();
    if length < 4 || text.len() > TEXT_MAX || wanted.len() > TEXT_MAX {
        return false;
    }
    let allowed = (length / 4).clamp(1, 3);
    // Cheap first: texts of other lengths are never near.
    text.len().abs_diff(wanted.len()) <= allowed * 4
        && text.chars().count().abs_diff(length) <= allowed
        && strsim::damerau_levenshtein(text, wanted) <= allowed
}
