//! Faults that somebody switches on and off while New Relic is served.
//!
//! Names and keys are those of a scenario's `newrelic` fault; on the command line they are written
//! `name:key=value,key=value`, over HTTP as an object with `answer`.
//!
//! Invariants:
//! - A key that the fault has no use for is an error with its fix, never ignored.
//! - Late synthesis and the administrator's own delay add up; of several late syntheses the longest
//!   counts.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::quantity::{DurationText, SizeText};
use crate::config::toml_file::nearest;
use crate::domain::units::UnixMillis;
use crate::sim::fault::{FaultSpec, NewRelicAnswer, NewRelicFaultSpec};
use crate::sim::newrelic::{FaultId, FaultWindow, IngestFault, NewRelic, Target};

/// Most faults at a time.
const ACTIVE_MAX: usize = 100;

/// Every answer that a fault can have.
pub const ANSWERS: [NewRelicAnswer; 11] = [
    NewRelicAnswer::TooManyRequests,
    NewRelicAnswer::Unavailable,
    NewRelicAnswer::Error,
    NewRelicAnswer::Forbidden,
    NewRelicAnswer::RequestTimeout,
    NewRelicAnswer::PayloadTooLarge,
    NewRelicAnswer::Slow,
    NewRelicAnswer::AcceptedThenLost,
    NewRelicAnswer::Truncated,
    NewRelicAnswer::Garbage,
    NewRelicAnswer::LateSynthesis,
];

/// Which part of New Relic a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultTarget {
    /// Event API, Metric API and what infrastructure agents send.
    #[default]
    Ingest,
    /// The Event API.
    Event,
    /// The Metric API.
    Metric,
    /// What infrastructure agents send.
    Infra,
    /// NerdGraph, NRQL included.
    Nerdgraph,
    /// Everything.
    All,
}

impl FaultTarget {
    fn targets(self) -> &'static [Target] {
        match self {
            Self::Ingest => &[Target::Event, Target::Metric, Target::Infra],
            Self::Event => &[Target::Event],
            Self::Metric => &[Target::Metric],
            Self::Infra => &[Target::Infra],
            Self::Nerdgraph => &[Target::NerdGraph],
            Self::All => &[Target::All],
        }
    }
}

/// A fault as somebody orders it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    /// What New Relic does to the requests that it hits.
    pub answer: NewRelicAnswer,
    /// The part of New Relic that it hits; `ingest` when not said.
    #[serde(default)]
    pub target: FaultTarget,
    /// Share of the requests that it hits; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// How long it lasts, in virtual time; without it, until it is switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<DurationText>,
    /// `Retry-After`, in whole seconds, of `too_many_requests` (default 30s) and `unavailable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<DurationText>,
    /// How long after taking a request `slow` answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DurationText>,
    /// Longest body, as sent, that `payload_too_large` lets pass; without it, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_max: Option<SizeText>,
    /// How much later than usual entities become visible under `late_synthesis`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<DurationText>,
}

/// The keys beside `answer`.
const KEYS: [&str; 7] = ["target", "share", "lasts", "retry_after", "after", "body_max", "lag"];

/// A fault that cannot be switched on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {fix}")]
pub struct FaultError {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub fix: String,
}

impl FaultError {
    fn new(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { message: message.into(), fix: fix.into() }
    }
}

/// "did you mean", or everything that there is.
fn suggestion(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("there are {}", known.join(", ")),
    }
}

impl std::str::FromStr for FaultOrder {
    type Err = FaultError;

    /// Parses `name:key=value,key=value`.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let mut object = Map::new();
        object.insert("answer".to_owned(), Value::from(name));
        for pair in rest.split([',', ':']).filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                let fix = "write key=value, for example retry_after=10s";
                return Err(FaultError::new(format!("`{pair}` has no value"), fix));
            };
            let (key, value) = (key.trim(), value.trim());
            let number = value.parse().ok().filter(|_| key == "share").map(|n: f64| Value::from(n));
            let value = number.unwrap_or_else(|| Value::from(value));
            if object.insert(key.to_owned(), value).is_some() {
                let message = format!("`{key}` is there twice");
                return Err(FaultError::new(message, "give it once"));
            }
        }
        Self::from_json(Value::Object(object))
    }
}

impl FaultOrder {
    /// Reads a JSON object and checks it.
    ///
    /// # Errors
    /// The first thing that is wrong, with its fix.
    pub fn from_json(value: Value) -> Result<Self, FaultError> {
        let Value::Object(object) = &value else {
            let fix = r#"send {"answer": "too_many_requests"}"#;
            return Err(FaultError::new("a fault is an object", fix));
        };
        let names = ANSWERS.map(NewRelicAnswer::name);
        match object.get("answer") {
            Some(Value::String(name)) if names.contains(&name.as_str()) => {}
            Some(Value::String(name)) => {
                let message = format!("there is no fault `{name}`");
                return Err(FaultError::new(message, suggestion(name, &names)));
            }
            _ => {
                let fix = format!("give one of {}", names.join(", "));
                return Err(FaultError::new("`answer` is missing", fix));
            }
        }
        let unknown = object.keys().find(|key| *key != "answer" && !KEYS.contains(&key.as_str()));
        if let Some(key) = unknown {
            return Err(FaultError::new(format!("unknown key `{key}`"), suggestion(key, &KEYS)));
        }
        let order: Self = serde_json::from_value(value).map_err(|error| {
            let fix = "durations are \"30s\", sizes \"1MB\", a share is a number";
            FaultError::new(error.to_string(), fix)
        })?;
        order.check()?;
        Ok(order)
    }

    fn check(&self) -> Result<(), FaultError> {
        if self.lasts.is_some_and(|lasts| lasts.0.is_zero()) {
            return Err(FaultError::new("`lasts` is 0", "leave it out, or give a time"));
        }
        if self.answer.spares_ingest() && self.target != FaultTarget::Ingest {
            let fix = "remove `target`";
            return Err(FaultError::new("late synthesis hits every entity", fix));
        }
        let spec = self.spec();
        // The scenario's own rules, on a fault that lasts as those must.
        let lasts = Some(DurationText::from_secs(1));
        let whole = FaultSpec { lasts, newrelic: Some(spec), ..FaultSpec::default() };
        match whole.faults_of_form().into_iter().next() {
            Some(fault) => Err(FaultError::new(fault.message, fault.help)),
            None => Ok(()),
        }
    }

    fn spec(&self) -> NewRelicFaultSpec {
        NewRelicFaultSpec {
            answer: self.answer,
            share: self.share,
            retry_after: self.retry_after,
            after: self.after,
            body_max: self.body_max,
            lag: self.lag,
        }
    }
}

/// A fault that is in force.
#[derive(Debug, Clone, Serialize)]
pub struct ActiveFault {
    /// Its number, for switching it off.
    pub id: u32,
    /// As it was ordered.
    pub fault: FaultOrder,
    /// Since when, in Unix milliseconds.
    pub since_ms: i64,
    /// Until when, exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
}

/// All switches of one served New Relic.
#[derive(Debug, Default)]
pub struct Switches {
    next: u32,
    active: BTreeMap<u32, (ActiveFault, Vec<FaultId>)>,
    /// The administrator's own delay of synthesis.
    delay: Duration,
}

impl Switches {
    /// Switches a fault on; its number.
    ///
    /// # Errors
    /// Too many at a time.
    pub fn on(
        &mut self,
        newrelic: &NewRelic,
        order: FaultOrder,
        now: UnixMillis,
    ) -> Result<ActiveFault, FaultError> {
        self.expire(newrelic, now);
        if self.active.len() >= ACTIVE_MAX {
            let message = format!("{ACTIVE_MAX} faults are in force already");
            return Err(FaultError::new(message, "switch one off first"));
        }
        let until = order.lasts.map(|lasts| now.plus(lasts.0));
        let windows = IngestFault::ordered(&order.spec()).into_iter().flat_map(|fault| {
            order.target.targets().iter().map(move |target| (fault.clone(), *target))
        });
        let ids = windows.map(|(fault, target)| {
            let share = order.share.unwrap_or(1.0);
            newrelic.inject(FaultWindow { fault, from: now, until, share, target })
        });
        let ids: Vec<FaultId> = ids.collect();
        self.next += 1;
        let (id, until_ms) = (self.next, until.map(|until| until.0));
        let active = ActiveFault { id, fault: order, since_ms: now.0, until_ms };
        self.active.insert(id, (active.clone(), ids));
        Ok(active)
    }

    /// Switches a fault off; `false` when there is none of this number.
    pub fn off(&mut self, newrelic: &NewRelic, id: u32) -> bool {
        let Some((_, ids)) = self.active.remove(&id) else { return false };
        for id in ids {
            newrelic.clear(id);
        }
        true
    }

    /// Switches all faults off; how many.
    pub fn all_off(&mut self, newrelic: &NewRelic) -> usize {
        let ids: Vec<u32> = self.active.keys().copied().collect();
        ids.into_iter().filter(|id| self.off(newrelic, *id)).count()
    }

    /// Forgets the faults that have ended by `now`.
    pub fn expire(&mut self, newrelic: &NewRelic, now: UnixMillis) {
        let over = |(active, _): &(ActiveFault, _)| active.until_ms.is_some_and(|end| end <= now.0);
        let ended: Vec<u32> =
            self.active.iter().filter(|(_, entry)| over(entry)).map(|(id, _)| *id).collect();
        for id in ended {
            self.off(newrelic, id);
        }
    }

    /// Sets the administrator's own delay of synthesis.
    pub fn set_delay(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// How much later than usual entities become visible.
    pub fn lag(&self) -> Duration {
        let late = self.active.values().filter(|(active, _)| active.fault.answer.spares_ingest());
        let lags = late.filter_map(|(active, _)| active.fault.lag.map(|lag| lag.0));
        self.delay.saturating_add(lags.max().unwrap_or_default())
    }

    /// What is in force, oldest first.
    pub fn list(&self) -> Vec<ActiveFault> {
        self.active.values().map(|(active, _)| active.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::definitions::builtin;
    use crate::ports::testing::EPOCH;
    use crate::sim::newrelic::NewRelicConfig;
    use crate::sim::seed::Seed;

    #[test]
    fn every_answer_is_listed() {
        let schema = serde_json::to_value(schemars::schema_for!(NewRelicAnswer)).expect("JSON");
        let known = schema["oneOf"].as_array().expect("one of the answers").len();
        assert_eq!(ANSWERS.len(), known);
        for answer in ANSWERS {
            let text = serde_json::to_value(answer).expect("JSON");
            assert_eq!(text, answer.name());
        }
    }

    #[test]
    fn texts_become_faults_or_say_what_is_wrong() {
        let good = |text: &str, json: &str| {
            let order: FaultOrder = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(serde_json::to_string(&order).expect("JSON"), json, "{text}");
        };
        good("error", r#"{"answer":"error","target":"ingest"}"#);
        good(
            "too_many_requests:share=0.5,retry_after=10s,lasts=5min,target=all",
            r#"{"answer":"too_many_requests","target":"all","share":0.5,"lasts":"5min","retry_after":"10s"}"#,
        );
        good("slow:after=2s", r#"{"answer":"slow","target":"ingest","after":"2s"}"#);
        good(
            "payload_too_large:body_max=64KiB:target=metric",
            r#"{"answer":"payload_too_large","target":"metric","body_max":"64KiB"}"#,
        );
        let bad = |text: &str, words: &[&str]| {
            let error = text.parse::<FaultOrder>().expect_err(text).to_string();
            for word in words {
                assert!(error.contains(word), "{text}: {error}");
            }
        };
        bad("", &["no fault ``", "there are too_many_requests"]);
        bad("unavailble", &["no fault `unavailble`", "did you mean `unavailable`"]);
        bad("error:shar=1", &["unknown key `shar`", "did you mean `share`"]);
        bad("error:share", &["`share` has no value", "key=value"]);
        bad("error:share=1,share=1", &["twice"]);
        bad("error:share=2", &["a share lies above 0"]);
        bad("error:share=x", &["invalid type", "a share is a number"]);
        bad("error:after=1s", &["`after` means nothing to `error`", "slow"]);
        bad("slow", &["`slow` needs `after`"]);
        bad("slow:after=2", &["has no unit", "2s"]);
        bad("error:lasts=0s", &["`lasts` is 0"]);
        bad("late_synthesis:lag=1s,target=event", &["remove `target`"]);
        bad("error:target=events", &["unknown variant `events`"]);
        let error = FaultOrder::from_json(Value::from(1)).expect_err("no object");
        assert_eq!(error.message, "a fault is an object");
    }

    #[test]
    fn switches_act_and_end() {
        let newrelic = NewRelic::new(NewRelicConfig::new(Vec::new()), Seed(1), Arc::new(builtin()));
        let mut switches = Switches::default();
        let mut on = |text: &str| {
            let order = text.parse().expect("valid");
            switches.on(&newrelic, order, EPOCH).map(|active| active.id)
        };
        assert_eq!(on("error"), Ok(1));
        assert_eq!(on("late_synthesis:lag=30s,lasts=1min"), Ok(2));
        assert_eq!(on("late_synthesis:lag=10s"), Ok(3));
        switches.set_delay(Duration::from_secs(5));
        assert_eq!(switches.lag(), Duration::from_secs(35));
        switches.expire(&newrelic, EPOCH.plus_millis(59_999));
        assert_eq!(switches.lag(), Duration::from_secs(35));
        switches.expire(&newrelic, EPOCH.plus_millis(60_000));
        assert_eq!(switches.lag(), Duration::from_secs(15));
        assert_eq!(switches.list().iter().map(|a| a.id).collect::<Vec<_>>(), [1, 3]);
        assert!(switches.off(&newrelic, 1) && !switches.off(&newrelic, 1));
        assert_eq!(switches.all_off(&newrelic), 1);
        for _ in 0..ACTIVE_MAX {
            switches.on(&newrelic, "error".parse().expect("valid"), EPOCH).expect("room");
        }
        let full = switches.on(&newrelic, "error".parse().expect("valid"), EPOCH);
        assert!(full.expect_err("full").message.contains("100 faults"));
    }
}
