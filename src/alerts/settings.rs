//! What the configuration says of alerts, and the plan that comes of it.
//!
//! ```toml
//! [policy]
//! name = "Message queues"
//! clusters = ["orders"]
//!
//! [capacity]
//! cluster_bytes_per_second = 500_000_000
//!
//! [[rule]]
//! id = "group-lag"
//! warning = 5_000
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::{Basis, Condition, Level, Priority, Query, Signal, Term, basis_of};
use super::rule::{Capacity, Limit, RULES, Rule};
use crate::domain::words::nearest;

/// A file of settings; everything in it is optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsFile {
    /// The policy that the conditions belong to.
    #[serde(default)]
    pub policy: PolicyTable,
    /// How values are made of events.
    #[serde(default)]
    pub signal: SignalTable,
    /// What cannot be known from events.
    #[serde(default)]
    pub capacity: CapacityTable,
    /// Changes of single rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RuleTable>,
    /// Changes of single service levels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_level: Vec<ServiceLevelTable>,
}

/// The policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyTable {
    /// Its name.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// What makes one issue of several incidents.
    pub incident_preference: IncidentPreference,
    /// Only these clusters; all when empty.
    pub clusters: Vec<String>,
    /// What to do when a condition fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
}

impl Default for PolicyTable {
    fn default() -> Self {
        Self {
            name: "Message queues".to_owned(),
            incident_preference: IncidentPreference::default(),
            clusters: Vec::new(),
            runbook_url: None,
        }
    }
}

/// What makes one issue of several incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IncidentPreference {
    /// The policy.
    PerPolicy,
    /// The condition.
    PerCondition,
    /// The condition and the entity.
    #[default]
    PerConditionAndTarget,
}

impl IncidentPreference {
    /// As NerdGraph writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PerPolicy => "PER_POLICY",
            Self::PerCondition => "PER_CONDITION",
            Self::PerConditionAndTarget => "PER_CONDITION_AND_TARGET",
        }
    }
}

/// How values are made of events, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignalTable {
    /// One value per so many; at least the pipeline's interval, or windows are empty.
    #[schemars(range(min = 30, max = 21_600))]
    pub aggregation_window_seconds: u32,
    /// How long late data are waited for.
    #[schemars(range(min = 0, max = 1_200))]
    pub aggregation_delay_seconds: u32,
    /// After how long an incident ends by itself.
    #[schemars(range(min = 300, max = 2_592_000))]
    pub closes_after_seconds: u32,
    /// After how long without data a cluster or a broker counts as silent.
    #[schemars(range(min = 30, max = 172_800))]
    pub silent_after_seconds: u32,
}

impl Default for SignalTable {
    fn default() -> Self {
        Self {
            aggregation_window_seconds: 60,
            aggregation_delay_seconds: 120,
            closes_after_seconds: 86_400,
            silent_after_seconds: 600,
        }
    }
}

/// What cannot be known from events; rules that need it are left out without.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CapacityTable {
    /// What all brokers of a cluster together can move.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub cluster_bytes_per_second: Option<f64>,
    /// What a broker's network card can move.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub broker_bytes_per_second: Option<f64>,
}

/// A change of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTable {
    /// Which: `shakedown alerts list` shows all.
    pub id: String,
    /// Whether it becomes a condition.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Another threshold of a warning; of a capacity, the share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<f64>,
    /// Another threshold of what is critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<f64>,
    /// How long values must be bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 86_400))]
    pub lasts_seconds: Option<u32>,
    /// What to do then, in place of the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
}

/// A change of one service level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLevelTable {
    /// Which: `shakedown slo list` shows all.
    pub id: String,
    /// Whether it is made.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Share of good events, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub target_percent: Option<f64>,
    /// Days that it is counted over: 1, 7 or 28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 28))]
    pub window_days: Option<u32>,
    /// Another limit of what is good, in the unit of its figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

const fn yes() -> bool {
    true
}

/// What a schema cannot say is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// Name and index of the table: `("rule", 2)`; `None` for the rest of the file.
    pub table: Option<(&'static str, usize)>,
    /// The key there.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// What makes one issue of several incidents.
    pub incident_preference: IncidentPreference,
}

/// A rule that becomes no condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its id.
    pub id: &'static str,
    /// Why.
    pub reason: String,
}

/// A policy and its conditions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The policy.
    pub policy: Policy,
    /// In the order of the rules.
    pub conditions: Vec<Condition>,
    /// Rules that become none.
    pub left_out: Vec<LeftOut>,
}

/// The plan of a file.
///
/// # Errors
/// Every fault of the file; also what New Relic would refuse of a condition.
pub fn plan(file: &AlertsFile) -> Result<Plan, Vec<SettingFault>> {
    let mut faults = rule_faults(file);
    let mut plan = Plan {
        policy: Policy {
            name: file.policy.name.clone(),
            incident_preference: file.policy.incident_preference,
        },
        conditions: Vec::new(),
        left_out: Vec::new(),
    };
    for rule in RULES {
        let place = file.rule.iter().position(|table| table.id == rule.id);
        let table = place.map(|place| &file.rule[place]);
        let mut leave = |reason: &str| {
            plan.left_out.push(LeftOut { id: rule.id, reason: reason.to_owned() });
        };
        if table.is_some_and(|table| !table.enabled) {
            leave("the configuration switches it off");
            continue;
        }
        let Some(scale) = scale(rule, &file.capacity) else {
            leave("the configuration gives no capacity");
            continue;
        };
        let condition = condition(rule, table, file, scale);
        let problems = condition.problems();
        let fault = |message| SettingFault {
            table: place.map(|place| ("rule", place)),
            key: if place.is_some() { "id" } else { "signal" },
            message: format!("{}: {message}", rule.id),
            help: "choose other thresholds or times".to_owned(),
        };
        faults.extend(problems.into_iter().map(fault));
        plan.conditions.push(condition);
    }
    if faults.is_empty() { Ok(plan) } else { Err(faults) }
}

/// Rules that nobody knows, that are there twice, or that a key means nothing to.
fn rule_faults(file: &AlertsFile) -> Vec<SettingFault> {
    let mut faults = Vec::new();
    for (place, table) in file.rule.iter().enumerate() {
        let mut fault = |key, message: String, help: &str| {
            let (table, help) = (Some(("rule", place)), help.to_owned());
            faults.push(SettingFault { table, key, message, help });
        };
        let Some(rule) = Rule::find(&table.id) else {
            let near = nearest(&table.id, RULES.iter().map(|rule| rule.id));
            let help = near.map_or("`shakedown alerts list` shows all".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
            fault("id", format!("there is no rule `{}`", table.id), &help);
            continue;
        };
        if file.rule[..place].iter().any(|other| other.id == table.id) {
            fault("id", format!("rule `{}` is there twice", table.id), "give it once");
        }
        if matches!(rule.limit, Limit::Silence) {
            for (key, given) in [
                ("warning", table.warning.is_some()),
                ("critical", table.critical.is_some()),
                ("lasts_seconds", table.lasts_seconds.is_some()),
            ] {
                let message = format!("rule `{}` has no thresholds", rule.id);
                if given {
                    fault(key, message, "set `silent_after_seconds` in [signal]");
                }
            }
        }
    }
    faults
}

/// What a rule's levels are multiplied by; `None` when the capacity is not known.
fn scale(rule: &Rule, capacity: &CapacityTable) -> Option<f64> {
    match rule.limit {
        Limit::OfCapacity(Capacity::Cluster, _) => capacity.cluster_bytes_per_second,
        Limit::OfCapacity(Capacity::Broker, _) => capacity.broker_bytes_per_second,
        _ => Some(1.0),
    }
}

fn condition(rule: &Rule, table: Option<&RuleTable>, file: &AlertsFile, scale: f64) -> Condition {
    let (basis, level) = basis_of(rule.limit);
    let level = Level {
        warning: table.and_then(|table| table.warning).or(level.warning),
        critical: table.and_then(|table| table.critical).or(level.critical),
    };
    let lasts = table.and_then(|table| table.lasts_seconds).unwrap_or(rule.lasts_seconds);
    let SignalTable {
        aggregation_window_seconds,
        aggregation_delay_seconds,
        closes_after_seconds,
        silent_after_seconds,
    } = file.signal;
    let term = |priority, threshold: Option<f64>| {
        let threshold = threshold? * scale;
        Some(Term { priority, threshold, duration_seconds: lasts })
    };
    let terms = [(Priority::Warning, level.warning), (Priority::Critical, level.critical)];
    let own = table.and_then(|table| table.runbook_url.clone());
    Condition {
        id: rule.id.to_owned(),
        name: format!("{} ({})", rule.title, rule.id),
        description: description(rule, basis),
        kind: rule.kind,
        unit: rule.unit(),
        query: Query::of(rule, &file.policy.clusters),
        basis,
        terms: terms.into_iter().filter_map(|(priority, level)| term(priority, level)).collect(),
        signal: Signal {
            aggregation_window_seconds,
            aggregation_delay_seconds,
            closes_after_seconds,
            silent_after_seconds,
        },
        runbook_url: own.or_else(|| file.policy.runbook_url.clone()),
    }
}

fn description(rule: &Rule, basis: Basis) -> String {
    let metrics: Vec<&str> = rule.metrics().map(|metric| metric.name()).collect();
    match basis {
        Basis::Silence => format!("{}: no event for too long.", rule.title),
        Basis::Baseline => {
            let metrics = metrics.join(" + ");
            format!("{}: {metrics}, in standard deviations.", rule.title)
        }
        Basis::Static(_) => {
            let unit = rule.unit().as_str();
            format!("{}: {}, in {unit}.", rule.title, metrics.join(" + "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> AlertsFile {
        toml::from_str(text).expect("a file of this shape")
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = plan(&read(text)).expect_err("faults");
        faults.iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect()
    }

    #[test]
    fn every_rule_becomes_a_condition_that_new_relic_takes() {
        let capacity = "[capacity]\ncluster_bytes_per_second = 1e9\nbroker_bytes_per_second = 1e8";
        let all = plan(&read(capacity)).expect("a plan");
        assert_eq!((all.conditions.len(), all.left_out.len()), (RULES.len(), 0));
        let network = all.conditions.iter().find(|c| c.id == "broker-network").expect("there");
        assert!((network.terms[0].threshold - 8e7).abs() < 1e-3, "{network:?}");
        let without = plan(&AlertsFile::default()).expect("a plan");
        let left: Vec<&str> = without.left_out.iter().map(|left| left.id).collect();
        assert_eq!(left, ["cluster-capacity", "broker-network"]);
    }

    #[test]
    fn a_file_changes_what_it_names() {
        let text = "policy = { clusters = ['it\\'s', 'b'] }\n[[rule]]\nid = 'group-lag'\n\
                    warning = 5\nlasts_seconds = 120\n[[rule]]\nid = 'queue-depth'\n\
                    enabled = false";
        let text = text.replace("'it\\'s'", "\"it's\"");
        let plan = plan(&read(&text)).expect("a plan");
        let lag = plan.conditions.iter().find(|c| c.id == "group-lag").expect("there");
        let terms: Vec<(f64, u32)> =
            lag.terms.iter().map(|term| (term.threshold, term.duration_seconds)).collect();
        assert_eq!(terms, [(5.0, 120), (100_000.0, 120)]);
        assert_eq!(
            lag.query.nrql(),
            "SELECT max(consumerGroup.lag.total) FROM MessageQueue WHERE entityType = \
             'MESSAGE_QUEUE_CONSUMER_GROUP' AND dataSource = 'infrastructure' AND clusterName IN \
             ('it\\'s', 'b') FACET entityGuid, displayName"
        );
        assert!(plan.left_out.iter().any(|left| left.id == "queue-depth"));
    }

    #[test]
    fn faults_are_told_all_at_once() {
        let text = "[[rule]]\nid = 'group-lga'\n[[rule]]\nid = 'cluster-silent'\nwarning = 1\n\
                    [[rule]]\nid = 'broker-cpu'\nwarning = 90\n[[rule]]\nid = 'broker-cpu'\n\
                    [[rule]]\nid = 'broker-disk'\ncritical = 100\nlasts_seconds = 90";
        let found = faults(text).join("\n");
        for part in [
            "id: there is no rule `group-lga`",
            "warning: rule `cluster-silent` has no thresholds",
            "id: broker-cpu: critical (85) is not worse than warning (90)",
            "id: rule `broker-cpu` is there twice",
            "id: broker-disk: CRITICAL: 100 % is no threshold",
            "id: broker-disk: WARNING: 90 s is no multiple of the window of 60 s",
        ] {
            assert!(found.contains(part), "`{part}` is not in:\n{found}");
        }
        let help = &plan(&read("[[rule]]\nid = 'group-lga'")).expect_err("a fault")[0].help;
        assert_eq!(help, "did you mean `group-lag`?");
    }
}
