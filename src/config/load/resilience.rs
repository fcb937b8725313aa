//! The tables that say how failures of the world are met, resolved and checked.
//!
//! Invariants:
//! - What the rooms of `resilience` say of their settings is reported at the key that set them.
//! - A webhook's address is never shown in full: its path often is a secret.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Component;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Uri};
use secrecy::{ExposeSecret, SecretString};

use super::Loader;
use crate::config::quantity::{DurationText, SizeText};
use crate::config::schema::{
    AlertEvent, AlertsTable, BreakerTable, LimitsTable, PipelineFile, PoolTable, QueuePolicyName,
    RecoveryTable, RetryTable, SpoolTable, StreamTable,
};
use crate::config::toml_file::Place;
use crate::resilience::InvalidSetting;
use crate::resilience::breaker::{BreakerConfig, SlowCall};
use crate::resilience::limiter::LimiterConfig;
use crate::resilience::pool::{PoolConfig, QueuePolicy};
use crate::resilience::recovery::RecoveryConfig;
use crate::resilience::retry::{RetryConfig, UNLIMITED};
use crate::stream::spool::SpoolConfig;

const MINUTE: Duration = Duration::from_secs(60);
/// New Relic refuses events that are older.
const EVENT_AGE_MAX: Duration = Duration::from_secs(48 * 3_600);
/// Memory for events that are on disk as well, when nothing is said about it.
const RESIDENT_BYTES: u64 = 16 << 20;

/// Calls at once when nothing is said about it: those of the limiter's profiles `event_api` and
/// `nerdgraph_nrql`.
const POSTS_BURST: u32 = 1_000;
const NERDGRAPH_BURST: u32 = 25;

/// How failures of the world are met.
#[derive(Debug, Clone)]
pub struct Resilience {
    /// Where events wait on disk; `None` when switched off.
    pub spool: Option<SpoolSettings>,
    /// When a POST is repeated.
    pub retry: RetryConfig,
    /// How much is sent and held.
    pub limits: Limits,
    /// Breakers.
    pub breakers: Breakers,
    /// Alerts; `None` without a webhook.
    pub alerts: Option<Alerts>,
    /// Recovery of components.
    pub recovery: Recovery,
    /// Workers.
    pub pool: PoolConfig,
}

/// The spool, and what the stream drops to keep it small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Its files; whoever opens it says who it is (`owner`).
    pub config: SpoolConfig,
    /// Most bytes of events that wait; beyond it the oldest are dropped.
    pub size_max_bytes: u64,
    /// Longest wait of an event.
    pub age_max: Duration,
}

/// How much is sent and held at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// POSTs to the Event API.
    pub event_api: LimiterConfig,
    /// NerdGraph requests.
    pub nerdgraph: LimiterConfig,
    /// Bytes of events in memory, those on disk as well included.
    pub memory_max_bytes: u64,
    /// Of these, bytes of events that are on disk as well: what the buffer leaves.
    pub resident_max_bytes: u64,
}

/// The settings of the breakers.
#[derive(Debug, Clone, PartialEq)]
pub struct Breakers {
    /// In front of New Relic's Event API.
    pub event_api: BreakerConfig,
    /// In front of the sources.
    pub collector: BreakerConfig,
    /// In front of NerdGraph.
    pub nerdgraph: BreakerConfig,
}

/// Where alerts go.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// Where they are POSTed.
    pub webhook: Webhook,
    /// What is told of, each once.
    pub events: BTreeSet<AlertEvent>,
    /// A header and its secret value.
    pub secret: Option<(HeaderName, SecretString)>,
    /// Longest wait for an answer; more than zero.
    pub timeout: Duration,
}

/// The address of a webhook: absolute, `http` or `https`. Shown without its path.
#[derive(Clone)]
pub struct Webhook(SecretString);

impl Webhook {
    /// The whole address.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_path(self.expose()))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({self})")
    }
}

/// Bringing components back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Of the manager.
    pub manager: RecoveryConfig,
    /// Time between attempts that no breaker times; more than zero.
    pub delay: Duration,
    /// Age up to which a last good result is used.
    pub cache_age_max: Duration,
}

impl Loader<'_> {
    pub(super) fn resilience(&mut self, effective: &PipelineFile) -> Resilience {
        let root = Place::root();
        let breakers = root.key("breaker");
        let mut breaker = |name, table, profile| self.breaker(&breakers.key(name), table, profile);
        let table = &effective.breaker;
        let breakers = Breakers {
            event_api: breaker("event_api", &table.event_api, "event-api"),
            collector: breaker("collector", &table.collector, "collector"),
            nerdgraph: breaker("nerdgraph", &table.nerdgraph, "nerdgraph-api"),
        };
        Resilience {
            spool: self.spool(&root.key("spool"), &effective.spool, &effective.stream),
            retry: self.retry(&root.key("retry"), &effective.retry),
            limits: self.limits(&root.key("limits"), &effective.limits, &effective.stream),
            breakers,
            alerts: self.alerts(&root.key("alerts"), &effective.alerts),
            recovery: self.recovery(&root.key("recovery"), &effective.recovery),
            pool: self.pool(&root.key("pool"), &effective.pool),
        }
    }

    /// Reports `faults` at their keys in `table`; `key` translates the settings that the file
    /// calls otherwise.
    fn invalid(
        &mut self,
        table: &Place,
        faults: Vec<InvalidSetting>,
        key: impl Fn(&'static str) -> &'static str,
    ) {
        for InvalidSetting { setting, value, allowed } in faults {
            let place = table.key(key(setting));
            let message = format!("`{place}` is {value}");
            self.report("out_of_range", &place, message, &format!("must be {allowed}"));
        }
    }

    /// Reports `key`, whose value is too low for another setting's sake.
    fn too_small(&mut self, table: &Place, key: &str, value: &str, than: &str, help: &str) {
        let place = table.key(key);
        let message = format!("`{place}` is {value}, less than {than}");
        self.report("out_of_range", &place, message, help);
    }

    fn spool(
        &mut self,
        place: &Place,
        table: &SpoolTable,
        stream: &StreamTable,
    ) -> Option<SpoolSettings> {
        let parts = std::path::Path::new(&table.folder).components();
        if !parts.into_iter().all(|part| matches!(part, Component::Normal(_))) {
            let message = format!("`{}` is not below the folder of this file", table.folder);
            let help = "write a relative path without `..`, for example spool";
            self.report("invalid_value", &place.key("folder"), message, help);
        }
        let age_max = table.age_max;
        self.within(&place.key("age_max"), age_max, Duration::ZERO, EVENT_AGE_MAX);
        if table.size_max < stream.batch_bytes {
            let than = format!("`stream.batch_bytes` ({})", stream.batch_bytes);
            let help = "the spool must hold a whole batch at least";
            self.too_small(place, "size_max", &table.size_max.to_string(), &than, help);
        }
        table.enabled.then(|| SpoolSettings {
            config: SpoolConfig {
                folder: table.folder.clone(),
                dead_letters_max: table.dead_letters_max,
                dead_letter_bytes_max: table.dead_letter_bytes_max.0,
                // Room for what is appended before that which it pushes out is removed.
                bytes_max: table.size_max.0.saturating_mul(2),
                sync: table.sync,
                ..SpoolConfig::default()
            },
            size_max_bytes: table.size_max.0,
            age_max: age_max.0,
        })
    }

    fn retry(&mut self, place: &Place, table: &RetryTable) -> RetryConfig {
        let config = RetryConfig {
            attempts_max: table.attempts.unwrap_or(UNLIMITED),
            base: table.base.0,
            factor: table.factor,
            delay_max: table.delay_max.0,
            deadline: None,
            retry_after_min: table.retry_after_min.0,
            retry_after_max: table.retry_after_max.0,
            budget: None,
        };
        self.invalid(place, config.validate(), |setting| match setting {
            "attempts_max" => "attempts",
            other => other,
        });
        config
    }

    fn limits(&mut self, place: &Place, table: &LimitsTable, stream: &StreamTable) -> Limits {
        let mut limit = |keys: [&str; 2], per_minute: u32, burst: Option<u32>, usual: u32| {
            if let Some(burst) = burst.filter(|burst| *burst > per_minute) {
                let than = format!("`{}` ({burst})", keys[1]);
                let help = "a burst counts against its minute: raise the one or lower the other";
                self.too_small(place, keys[0], &per_minute.to_string(), &than, help);
            }
            LimiterConfig::at_most(per_minute, MINUTE, burst.unwrap_or(usual))
        };
        let (keys, per_minute) = (["posts_per_minute", "posts_burst"], table.posts_per_minute);
        let event_api = limit(keys, per_minute, table.posts_burst, POSTS_BURST);
        let keys = ["nerdgraph_per_minute", "nerdgraph_burst"];
        let per_minute = table.nerdgraph_per_minute;
        let nerdgraph = limit(keys, per_minute, table.nerdgraph_burst, NERDGRAPH_BURST);
        let buffer = stream.buffer_bytes;
        let memory_max =
            table.memory_max.unwrap_or(SizeText(buffer.0.saturating_add(RESIDENT_BYTES)));
        if memory_max < buffer {
            let than = format!("`stream.buffer_bytes` ({buffer})");
            let help = "the buffer is a part of the memory: lower it as well";
            self.too_small(place, "memory_max", &memory_max.to_string(), &than, help);
        }
        let resident_max_bytes = memory_max.0.saturating_sub(buffer.0);
        Limits { event_api, nerdgraph, memory_max_bytes: memory_max.0, resident_max_bytes }
    }

    fn breaker(&mut self, place: &Place, table: &BreakerTable, profile: &str) -> BreakerConfig {
        // The schema lists the profiles, so that an unknown name does not come this far.
        let base = BreakerConfig::named(table.profile.as_deref().unwrap_or(profile));
        let base = base.unwrap_or_default();
        let duration = |text: Option<DurationText>, or: Duration| text.map_or(or, |text| text.0);
        let slow_call = match (table.slow_call_after, table.slow_call_rate_percent) {
            (None, None) => base.slow_call,
            (after, rate_percent) => Some(SlowCall {
                after: duration(after, MINUTE),
                rate_percent: rate_percent.unwrap_or(100.0),
            }),
        };
        let config = BreakerConfig {
            failure_threshold: table.failure_threshold.unwrap_or(base.failure_threshold),
            success_threshold: table.success_threshold.unwrap_or(base.success_threshold),
            call_timeout: duration(table.call_timeout, base.call_timeout),
            retry_delay: duration(table.retry_delay, base.retry_delay),
            retry_factor: table.retry_factor.unwrap_or(base.retry_factor),
            retry_delay_max: duration(table.retry_delay_max, base.retry_delay_max),
            window: table.window.map_or(base.window, |window| window.0),
            volume_threshold: table.volume_threshold.unwrap_or(base.volume_threshold),
            failure_rate_percent: table.failure_rate_percent.or(base.failure_rate_percent),
            slow_call,
            half_open_max: table.half_open_max.unwrap_or(base.half_open_max),
        };
        self.invalid(place, config.validate(), |setting| match setting {
            "slow_call.rate_percent" => "slow_call_rate_percent",
            other => other,
        });
        config
    }

    fn alerts(&mut self, place: &Place, table: &AlertsTable) -> Option<Alerts> {
        self.positive(&place.key("timeout"), table.timeout);
        // Header and address have been checked by the schema's formats.
        let header = table.secret_header.parse::<HeaderName>().ok()?;
        let webhook = Webhook(table.webhook.clone()?);
        let secret = table.secret_variable.as_ref().and_then(|variable| {
            let place = place.key("secret_variable");
            let value = (self.environment)(variable).filter(|text| !text.is_empty());
            if value.is_none() {
                let message = format!("the environment variable `{variable}` is not set");
                self.report("missing_variable", &place, message, "set it, or remove this key");
            }
            let value = value?;
            if HeaderValue::from_str(&value).is_err() {
                let message = format!("the value of `{variable}` cannot be sent in a header");
                let help = "a header's value is one line of visible ASCII characters";
                self.report("invalid_value", &place, message, help);
            }
            Some((header, SecretString::from(value)))
        });
        let events = table.events.iter().copied().collect();
        Some(Alerts { webhook, events, secret, timeout: table.timeout.0 })
    }

    fn recovery(&mut self, place: &Place, table: &RecoveryTable) -> Recovery {
        self.positive(&place.key("delay"), table.delay);
        let manager = RecoveryConfig {
            concurrent_recoveries_max: table.concurrent_max,
            history_max: table.history_max,
        };
        self.invalid(place, manager.validate(), |setting| match setting {
            "concurrent_recoveries_max" => "concurrent_max",
            other => other,
        });
        Recovery { manager, delay: table.delay.0, cache_age_max: table.cache_age_max.0 }
    }

    fn pool(&mut self, place: &Place, table: &PoolTable) -> PoolConfig {
        let config = PoolConfig {
            workers: table.workers,
            queue_max: table.queue_max,
            policy: match table.policy {
                QueuePolicyName::Reject => QueuePolicy::Reject,
                QueuePolicyName::Wait => QueuePolicy::Wait,
            },
            ageing: table.ageing.map(|text| text.0),
            task_timeout: Some(table.task_timeout.0),
            ..PoolConfig::default()
        };
        self.invalid(place, config.validate(), |setting| setting);
        config
    }
}

/// Whether alerts can be sent to `text`; the error says why not, without showing it.
pub(in crate::config) fn check_webhook(text: &str) -> Result<(), String> {
    const HELP: &str = "write http:// or https://, a host and a path";
    let uri: Uri = text.parse().map_err(|_| format!("this is not an address: {HELP}"))?;
    let is_http = [Scheme::HTTP, Scheme::HTTPS].iter().any(|known| uri.scheme() == Some(known));
    let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
        return Err(format!("this address has no host: {HELP}"));
    };
    if !is_http {
        return Err(format!("this address is neither http nor https: {HELP}"));
    }
    if authority.as_str().contains('@') {
        return Err("this address holds a user: use `secret_variable` for a secret".to_owned());
    }
    Ok(())
}

/// Whether `text` names a header.
pub(in crate::config) fn check_header_name(text: &str) -> Result<(), String> {
    let message = || format!("`{text}` is not a header's name: for example Authorization");
    text.parse::<HeaderName>().map(|_| ()).map_err(|_| message())
}

/// `address` with its path and query as asterisks.
pub(in crate::config) fn without_path(address: &str) -> String {
    let Ok(uri) = address.parse::<Uri>() else { return "***".to_owned() };
    let scheme = uri.scheme_str().unwrap_or_default();
    // Of the authority the host alone: before it there may be a user.
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    let path = if uri.path_and_query().is_none_or(|path| path == "/") { "/" } else { "/***" };
    format!("{scheme}://{host}{port}{path}")
}
