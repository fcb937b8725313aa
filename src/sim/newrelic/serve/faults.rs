//! Faults that somebody switches on and off while New Relic is served.
//!
//! Names and keys are those of a scenario's faults of New Relic; on the command line they are
//! written `name:key=value,key=value`, over HTTP as an object with `answer`.
//!
//! Invariants:
//! - A key that the fault has no use for is an error with its fix, never ignored.
//! - Late synthesis and the administrator's own delay add up; of several late syntheses the longest
//!   counts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::config::quantity::DurationText;
use crate::config::toml_file::nearest;
use crate::domain::units::UnixMillis;
use crate::sim::fault::{CATALOGUE, Entry, FaultSpec, Group, NewRelicFault};
use crate::sim::newrelic::{FaultId, FaultWindow, NewRelic, Target};
use crate::sim::scenario::NetworkSpec;

/// Most faults at a time.
const ACTIVE_MAX: usize = 100;

/// The kinds of fault that New Relic itself can have.
pub fn kinds() -> impl Iterator<Item = &'static Entry> {
    CATALOGUE.iter().filter(|entry| entry.group == Group::NewRelic)
}

/// Which part of New Relic a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
///
/// As JSON: an object with `answer` (the fault's name), `target`, `lasts` and the fault's keys.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultOrder {
    entry: &'static str,
    target: FaultTarget,
    lasts: Option<DurationText>,
    /// The fault's own keys, as ordered.
    keys: Map<String, Value>,
    fault: NewRelicFault,
}

/// The keys that every fault has here, and what they mean.
pub const COMMON_KEYS: [(&str, &str); 2] = [
    (
        "target",
        "The part of New Relic that it hits: `ingest` (Event API, Metric API and what \
         infrastructure agents send; so when not said), `event`, `metric`, `infra`, `nerdgraph` \
         or `all`. Late synthesis hits every entity.",
    ),
    ("lasts", "How long it lasts, in virtual time; without it, until it is switched off."),
];

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
        let Value::Object(mut keys) = value else {
            let fix = r#"send {"answer": "too_many_requests"}"#;
            return Err(FaultError::new("a fault is an object", fix));
        };
        let entry = kind_of(keys.remove("answer").as_ref())?;
        check_keys(entry, &keys)?;
        let target = take(&mut keys, "target")?.unwrap_or_default();
        let lasts: Option<DurationText> = take(&mut keys, "lasts")?;
        if lasts.is_some_and(|lasts| lasts.0.is_zero()) {
            return Err(FaultError::new("`lasts` is 0", "leave it out, or give a time"));
        }
        let fault = resolve(entry, &keys)?;
        if fault.spares_ingest() && target != FaultTarget::Ingest {
            let fix = "remove `target`";
            return Err(FaultError::new("late synthesis hits every entity", fix));
        }
        Ok(Self { entry: entry.name, target, lasts, keys, fault })
    }
}

impl Serialize for FaultOrder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("answer", self.entry)?;
        map.serialize_entry("target", &self.target)?;
        for (key, value) in &self.keys {
            map.serialize_entry(key, value)?;
        }
        if let Some(lasts) = &self.lasts {
            map.serialize_entry("lasts", lasts)?;
        }
        map.end()
    }
}

fn kind_of(answer: Option<&Value>) -> Result<&'static Entry, FaultError> {
    let names: Vec<&str> = kinds().map(|entry| entry.name).collect();
    let Some(Value::String(name)) = answer else {
        let fix = format!("give one of {}", names.join(", "));
        return Err(FaultError::new("`answer` is missing", fix));
    };
    kinds().find(|entry| entry.name == name).ok_or_else(|| {
        let message = format!("there is no fault `{name}`");
        FaultError::new(message, suggestion(name, &names))
    })
}

/// Every key is known, and none is missing.
fn check_keys(entry: &Entry, keys: &Map<String, Value>) -> Result<(), FaultError> {
    let own = entry.keys();
    let common = COMMON_KEYS.iter().map(|(key, _)| *key);
    let known: Vec<&str> = common.chain(own.iter().map(|key| key.name.as_str())).collect();
    if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
        let message = format!("`{}` has no key `{key}`", entry.name);
        return Err(FaultError::new(message, suggestion(key, &known)));
    }
    match own.iter().find(|key| key.required && !keys.contains_key(&key.name)) {
        Some(key) => {
            let message = format!("`{}` needs `{}`", entry.name, key.name);
            Err(FaultError::new(message, format!("add {}=2s, for example", key.name)))
        }
        None => Ok(()),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, FaultError> {
    serde_json::from_value(value).map_err(|error| {
        let fix = "durations are \"30s\", sizes \"1MB\", a share is a number";
        FaultError::new(error.to_string(), fix)
    })
}

fn take<T: DeserializeOwned>(
    keys: &mut Map<String, Value>,
    key: &str,
) -> Result<Option<T>, FaultError> {
    keys.remove(key).map(read).transpose()
}

/// What a scenario's fault of this kind and these keys would do.
fn resolve(entry: &Entry, keys: &Map<String, Value>) -> Result<NewRelicFault, FaultError> {
    // A scenario's fault has times; an order has its own.
    let times = [("at", Value::from("0s")), ("lasts", Value::from("1s"))];
    let mut whole: Map<String, Value> =
        times.into_iter().map(|(key, time)| (key.to_owned(), time)).collect();
    whole.insert(entry.name.to_owned(), Value::Object(keys.clone()));
    let spec: FaultSpec = read(Value::Object(whole))?;
    if let Some(fault) = spec.faults_of_form().into_iter().next() {
        return Err(FaultError::new(fault.message, fault.help));
    }
    let resolved = spec.fault(&NetworkSpec::default());
    let fault = resolved.and_then(|fault| fault.newrelic().next().cloned());
    fault.ok_or_else(|| FaultError::new(format!("`{}` does nothing", entry.name), "use another"))
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
        let ids: Vec<FaultId> = match &order.fault {
            NewRelicFault::LateSynthesis { .. } => Vec::new(),
            NewRelicFault::Ingest { fault, share } => {
                let window = |target: &Target| {
                    let (fault, share, target) = (fault.clone(), *share, *target);
                    newrelic.inject(FaultWindow { fault, from: now, until, share, target })
                };
                order.target.targets().iter().map(window).collect()
            }
        };
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
        let lags = self.active.values().map(|(active, _)| active.fault.fault.lag());
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
    fn texts_become_faults_or_say_what_is_wrong() {
        let good = |text: &str, json: &str| {
            let order: FaultOrder = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(serde_json::to_string(&order).expect("JSON"), json, "{text}");
        };
        good("server_error", r#"{"answer":"server_error","target":"ingest"}"#);
        good(
            "too_many_requests:share=0.5,retry_after=10s,lasts=5min,target=all",
            r#"{"answer":"too_many_requests","target":"all","retry_after":"10s","share":0.5,"lasts":"5min"}"#,
        );
        good(
            "slow_answers:after=2s",
            r#"{"answer":"slow_answers","target":"ingest","after":"2s"}"#,
        );
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
        bad("crash:host=newrelic", &["no fault `crash`"]);
        bad("server_error:shar=1", &["no key `shar`", "did you mean `share`"]);
        bad("server_error:share", &["`share` has no value", "key=value"]);
        bad("server_error:share=1,share=1", &["twice"]);
        bad("server_error:share=2", &["a share lies above 0"]);
        bad("server_error:share=x", &["invalid type", "a share is a number"]);
        bad("server_error:after=1s", &["`server_error` has no key `after`"]);
        bad("slow_answers", &["`slow_answers` needs `after`"]);
        bad("slow_answers:after=2", &["has no unit", "2s"]);
        bad("server_error:lasts=0s", &["`lasts` is 0"]);
        bad("late_synthesis:lag=1s,target=event", &["remove `target`"]);
        bad("server_error:target=events", &["unknown variant `events`"]);
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
        assert_eq!(on("server_error"), Ok(1));
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
            switches.on(&newrelic, "server_error".parse().expect("valid"), EPOCH).expect("room");
        }
        let full = switches.on(&newrelic, "server_error".parse().expect("valid"), EPOCH);
        assert!(full.expect_err("full").message.contains("100 faults"));
    }
}
