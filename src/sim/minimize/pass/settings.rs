//! Settings back at their defaults, or at rounder values.
//!
//! Settings are found by comparing the scenario's canonical form with that of one that says
//! nothing, so that a new setting needs nothing here.
//!
//! Invariant: the limit that the failure is held against never becomes stricter, and becomes laxer
//! with the settings that it depends on.

use serde_json::Value;

use super::super::ddmin::ddmin;
use super::super::search::{Search, Stopped};
use super::{least_duration, rounder};
use crate::config::quantity::DurationText;
use crate::sim::scenario::{ExpectSpec, Scenario};

/// A setting's place: keys from the root of the scenario.
pub type Path = Vec<String>;

/// What is no setting: words, faults, the seed, and sizes that have passes of their own.
fn is_setting(path: &[String]) -> bool {
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    !matches!(
        keys[..],
        ["title" | "promise" | "duration" | "seed" | "fault" | "swarm" | "minimized_from", ..]
            | ["kafka", _, "brokers" | "topics" | "partitions" | "replication" | "groups"]
    )
}

fn plain(scenario: &Scenario) -> Value {
    serde_json::to_value(scenario.plain()).unwrap_or_default()
}

/// Every setting that is not the default, with its value; in order of their places.
pub fn differing(scenario: &Scenario) -> Vec<(Path, Value)> {
    let value = serde_json::to_value(scenario).unwrap_or_default();
    let mut found = Vec::new();
    compare(&value, &plain(scenario), &mut Vec::new(), &mut found);
    found
}

fn compare(value: &Value, plain: &Value, path: &mut Path, found: &mut Vec<(Path, Value)>) {
    if !path.is_empty() && (!is_setting(path) || value == plain) {
        return;
    }
    let (Value::Object(entries), Value::Object(known)) = (value, plain) else {
        found.push((path.clone(), value.clone()));
        return;
    };
    for (key, value) in entries {
        path.push(key.clone());
        compare(value, known.get(key).unwrap_or(&Value::Null), path, found);
        path.pop();
    }
    // What is not there at all is a setting too, when it is there by default.
    for key in known.keys().filter(|key| !entries.contains_key(*key)) {
        path.push(key.clone());
        if is_setting(path) {
            found.push((path.clone(), Value::Null));
        }
        path.pop();
    }
}

/// The scenario with `value` at `path`; nothing there when it is null.
fn with(scenario: &Scenario, path: &[String], value: &Value) -> Option<Scenario> {
    let mut whole = serde_json::to_value(scenario).ok()?;
    let (last, above) = path.split_last()?;
    let table = above.iter().try_fold(&mut whole, |table, key| table.get_mut(key))?;
    let table = table.as_object_mut()?;
    if value.is_null() {
        table.remove(last);
    } else {
        table.insert(last.clone(), value.clone());
    }
    serde_json::from_value(whole).ok()
}

/// The scenario with the settings at these places back at their defaults.
fn without<'p>(scenario: &Scenario, paths: impl Iterator<Item = &'p Path>) -> Option<Scenario> {
    let plain = plain(scenario);
    paths.into_iter().try_fold(scenario.clone(), |scenario, path| {
        let default = path.iter().try_fold(&plain, |table, key| table.get(key));
        with(&scenario, path, default.unwrap_or(&Value::Null))
    })
}

/// Resets every setting that the failure does not need, and rounds the others.
pub fn reset(search: &mut Search<'_>) -> Result<(), Stopped> {
    let check = search.check();
    let all = search.best().clone();
    let settings: Vec<Path> = differing(&all).into_iter().map(|(path, _)| path).collect();
    let keeping = |kept: &Vec<usize>| {
        let gone = settings.iter().enumerate().filter(|(index, _)| !kept.contains(index));
        let candidate = without(&all, gone.map(|(_, path)| path));
        // One that cannot be made is the scenario itself, which is never smaller.
        candidate.map_or_else(|| all.clone(), |candidate| fair(&all, candidate, check))
    };
    let mut test = |lists: &[Vec<usize>]| {
        let candidates: Vec<Scenario> = lists.iter().map(keeping).collect();
        search.advance(&candidates)
    };
    ddmin(settings.len(), &mut test)?;
    round(search, check)
}

/// Settings that were reset may need more time; and the limit that the failure is held against must
/// not be met more easily than before.
fn fair(before: &Scenario, mut candidate: Scenario, check: &str) -> Scenario {
    candidate.duration = candidate.duration.max(least_duration(&candidate));
    let (old, new, usual) = (&before.expect, &mut candidate.expect, ExpectSpec::default());
    let pace = |scenario: &Scenario| (scenario.pipeline.clone(), scenario.newrelic.clone());
    let is_other_pace = pace(before) != (candidate.pipeline.clone(), candidate.newrelic.clone());
    // What a default allows at the default's pace is as fair as the old limit was at its own.
    let laxer = |old: DurationText, new: DurationText, usual: DurationText| {
        if is_other_pace { old.max(usual) } else { old.max(new) }
    };
    match check {
        "freshness" | "relationships" => {
            new.freshness_max = laxer(old.freshness_max, new.freshness_max, usual.freshness_max);
        }
        "synthesis lag" => {
            new.synthesis_lag_max =
                laxer(old.synthesis_lag_max, new.synthesis_lag_max, usual.synthesis_lag_max);
        }
        "recovery" => {
            new.recovery_max = laxer(old.recovery_max, new.recovery_max, usual.recovery_max);
        }
        "ground truth" => {
            new.relative_error_max = old.relative_error_max.max(new.relative_error_max);
        }
        "loss" => new.loss = old.loss,
        "breaker" => new.breaker_opens_min = old.breaker_opens_min.min(new.breaker_opens_min),
        _ => {}
    }
    candidate
}

/// Gives settings that are needed rounder values.
fn round(search: &mut Search<'_>, check: &str) -> Result<(), Stopped> {
    for (path, _) in differing(search.best()) {
        loop {
            let best = search.best().clone();
            let now = differing(&best).into_iter().find(|(place, _)| *place == path);
            let Some((_, value)) = now else { break };
            let candidates = rounder_values(&value).into_iter();
            let candidates = candidates.filter_map(|value| with(&best, &path, &value));
            let candidates: Vec<Scenario> =
                candidates.map(|candidate| fair(&best, candidate, check)).collect();
            if search.advance(&candidates)?.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Values with fewer digits near `value`.
fn rounder_values(value: &Value) -> Vec<Value> {
    if let Some(number) = value.as_u64() {
        let unit = 10u64.saturating_pow(number.checked_ilog10().unwrap_or(0));
        let down = number / unit.max(1) * unit;
        let near = [down, down.saturating_add(unit), number / 10 * 10];
        return near.into_iter().filter(|near| *near != number).map(Value::from).collect();
    }
    let time = value.as_str().and_then(|text| text.parse::<DurationText>().ok());
    let times = time.map(rounder).unwrap_or_default();
    times.into_iter().rev().map(|time| Value::from(time.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario;

    fn scenario(rest: &str) -> Scenario {
        let text = format!("title = \"t\"\nduration = \"10min\"\n[kafka.a]\n{rest}");
        scenario::load("test", &text)
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    }

    #[test]
    fn settings_that_differ_are_found_and_reset() {
        let check = |rest: &str, expected: &[&str]| {
            let scenario = scenario(rest);
            let found = differing(&scenario);
            let paths: Vec<String> = found.iter().map(|(path, _)| path.join(".")).collect();
            assert_eq!(paths, expected, "{rest}");
            let reset = without(&scenario, found.iter().map(|(path, _)| path));
            let reset = reset.expect("a scenario");
            assert!(differing(&reset).is_empty(), "{rest}");
            assert_eq!((reset.title, reset.fault), (scenario.title, scenario.fault));
        };
        check("", &[]);
        check("brokers = 5\ntopics = 2\n", &[]);
        check("jmx = false\n[kafka.b]\n", &["kafka.a.jmx"]);
        check("join = [{ at = \"1min\", brokers = 2 }]\n", &["kafka.a.join"]);
        check(
            "load = { surge = [{ at = \"1min\", lasts = \"1min\", factor = 2.0 }] }\n",
            &["kafka.a.load.surge"],
        );
        check(
            "[pipeline]\nspool = false\nevent_api = { failure_threshold = 7 }\n",
            &["pipeline.event_api.failure_threshold", "pipeline.spool"],
        );
        check(
            "[expect]\nloss = 7\n[network]\njitter = \"0ms\"\n",
            &["expect.loss", "network.jitter"],
        );
    }

    #[test]
    fn limits_stay_fair() {
        let slow = scenario("[pipeline]\ninterval = \"30s\"\n[expect]\nfreshness_max = \"70s\"\n");
        let quick = scenario("[pipeline]\ninterval = \"5s\"\n[expect]\nfreshness_max = \"15s\"\n");
        let check = |before: &Scenario, check: &str, expected: u64| {
            let settings = differing(before);
            let candidate = without(before, settings.iter().map(|(path, _)| path)).expect("plain");
            let fair = fair(before, candidate, check);
            assert_eq!(fair.expect.freshness_max, DurationText::from_secs(expected), "{check}");
        };
        check(&slow, "freshness", 70);
        check(&quick, "freshness", 60);
        check(&slow, "guid", 60);
    }

    #[test]
    fn rounder_values_have_fewer_digits() {
        let check = |value: Value, expected: &[Value]| {
            assert_eq!(rounder_values(&value), expected, "{value}");
        };
        check(137.into(), &[100.into(), 200.into(), 130.into()]);
        check(100.into(), &[200.into()]);
        check("17s".into(), &["15s".into(), "10s".into(), "5s".into(), "2s".into(), "1s".into()]);
        check("64MiB".into(), &[]);
        check(false.into(), &[]);
    }
}
