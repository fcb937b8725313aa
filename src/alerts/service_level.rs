//! Service levels of clusters: which share of events, or of time, was good.
//!
//! A service level belongs to the entity of its cluster and counts events of the cluster, of its
//! brokers or of its groups. Freshness is a share of time and not of events: each collection
//! window counts with its length, so that one long gap weighs as much as it lasted.

use serde::Serialize;

use super::EVENT_TYPE;
use super::condition::{column, events_of, query_problems};
use super::settings::{AlertsFile, ServiceLevelTable, SettingFault};
use crate::domain::account::AccountId;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::guid::EntityGuid;
use crate::domain::metric::MetricId;
use crate::domain::provider::Provider;

/// Windows that New Relic takes, in days.
const WINDOW_DAYS: [u32; 3] = [1, 7, 28];
/// Time between two collections that a rate was measured over, in milliseconds.
const COLLECTION_WINDOW: &str = "collectionWindowMs";

/// Some instant, for queries that are only looked at.
const EXAMPLE_MS: i64 = 1_700_000_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// Events whose metric is at least the limit.
    AtLeast(MetricId),
    /// Events whose metric is at most the limit.
    AtMost(MetricId),
    /// Milliseconds of collection windows no longer than the limit.
    TimeCollected,
}

/// One service level, of whatever cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServiceLevel {
    /// In kebab case; never changes.
    pub id: &'static str,
    /// What it promises.
    pub title: &'static str,
    /// Whose events count.
    pub kind: EntityKind,
    /// What is counted.
    pub figure: Figure,
    /// What is good, in the figure's unit.
    pub limit: f64,
    /// Share of good events, in percent.
    pub target_percent: f64,
    /// Over so many days.
    pub window_days: u32,
}

/// All of them.
pub const SERVICE_LEVELS: &[ServiceLevel] = &[
    ServiceLevel {
        id: "availability",
        title: "Brokers and partitions of the cluster serve",
        kind: EntityKind::Cluster,
        figure: Figure::AtLeast(MetricId::CLUSTER_AVAILABILITY),
        limit: 99.0,
        target_percent: 99.9,
        window_days: 28,
    },
    ServiceLevel {
        id: "lag",
        title: "Consumer groups keep up",
        kind: EntityKind::ConsumerGroup,
        figure: Figure::AtMost(MetricId::GROUP_LAG_TOTAL),
        limit: 10_000.0,
        target_percent: 99.0,
        window_days: 28,
    },
    ServiceLevel {
        id: "freshness",
        title: "Brokers are looked at in time",
        kind: EntityKind::Broker,
        figure: Figure::TimeCollected,
        limit: 90_000.0,
        target_percent: 99.5,
        window_days: 28,
    },
];

/// A service level of one cluster, as New Relic has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indicator {
    /// Of its service level.
    pub id: &'static str,
    /// Shown in New Relic.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Whose.
    pub account: AccountId,
    /// GUID of the cluster's entity, wire form.
    pub entity_guid: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Which events count, as NRQL.
    pub valid: String,
    /// Which of them are good, as NRQL; says all that `valid` says.
    pub good: String,
    /// The attribute that is added up; without it events are counted.
    pub sum_of: Option<&'static str>,
    /// Share of good events, in percent.
    pub target_percent: f64,
    /// Over so many days.
    pub window_days: u32,
}

impl ServiceLevel {
    fn indicator(
        &self,
        table: Option<&ServiceLevelTable>,
        account: AccountId,
        cluster: &str,
    ) -> Indicator {
        let limit = table.and_then(|table| table.limit).unwrap_or(self.limit);
        let (attribute, comparison) = match self.figure {
            Figure::AtLeast(metric) => (column(metric), ">="),
            Figure::AtMost(metric) => (column(metric), "<="),
            Figure::TimeCollected => (COLLECTION_WINDOW.to_owned(), "<="),
        };
        let events = events_of(self.kind, &[cluster.to_owned()]);
        let key = EntityKey::Cluster { provider: Provider::Kafka, cluster: cluster.to_owned() };
        let target = table.and_then(|table| table.target_percent);
        Indicator {
            id: self.id,
            name: format!("{cluster}: {}", self.title),
            description: format!(
                "{}: {attribute} {comparison} {limit}, of {} events.",
                self.title,
                self.kind.type_name()
            ),
            account,
            entity_guid: EntityGuid::new(account, &key).wire(),
            cluster: cluster.to_owned(),
            valid: format!("{events} AND {attribute} IS NOT NULL"),
            good: format!("{events} AND {attribute} {comparison} {limit}"),
            sum_of: matches!(self.figure, Figure::TimeCollected).then_some(COLLECTION_WINDOW),
            target_percent: target.unwrap_or(self.target_percent),
            window_days: table.and_then(|table| table.window_days).unwrap_or(self.window_days),
        }
    }
}

impl Indicator {
    /// What counts: `count(*)`, or the sum of an attribute.
    fn aggregate(&self) -> String {
        self.sum_of.map_or("count(*)".to_owned(), |attribute| format!("sum({attribute})"))
    }

    /// Good and valid of a span of time, in one row.
    pub fn nrql(&self, begin_millis: i64, end_millis: i64) -> String {
        let (aggregate, good, valid) = (self.aggregate(), &self.good, &self.valid);
        format!(
            "SELECT {aggregate} AS 'valid', filter({aggregate}, WHERE {good}) AS 'good' FROM \
             {EVENT_TYPE} WHERE {valid} SINCE {begin_millis} UNTIL {end_millis}"
        )
    }

    /// What New Relic or the linter would object to.
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems: Vec<(&'static str, String)> =
            query_problems(&self.nrql(EXAMPLE_MS, EXAMPLE_MS + 1_000))
                .into_iter()
                .map(|p| ("limit", p))
                .collect();
        // A target of 100 leaves no budget, and New Relic takes five decimals.
        let decimals = self.target_percent * 100_000.0;
        if !(self.target_percent > 0.0 && self.target_percent < 100.0) {
            let message = format!("a target of {} % leaves no budget", self.target_percent);
            problems.push(("target_percent", message));
        } else if (decimals - decimals.round()).abs() > 1e-6 {
            let message = format!("{} has more than five decimals", self.target_percent);
            problems.push(("target_percent", message));
        }
        if !WINDOW_DAYS.contains(&self.window_days) {
            let message = format!("{} days: New Relic takes 1, 7 or 28", self.window_days);
            problems.push(("window_days", message));
        }
        problems
    }
}

/// The service levels of `clusters`, cluster by cluster.
///
/// # Errors
/// Every fault of the file.
pub fn service_levels(
    file: &AlertsFile,
    account: AccountId,
    clusters: &[String],
) -> Result<Vec<Indicator>, Vec<SettingFault>> {
    let mut faults = Vec::new();
    for (place, table) in file.service_level.iter().enumerate() {
        let known: Vec<&str> = SERVICE_LEVELS.iter().map(|level| level.id).collect();
        let twice = file.service_level[..place].iter().any(|other| other.id == table.id);
        if twice || !known.contains(&table.id.as_str()) {
            let wrong = if twice { "is there twice" } else { "is none" };
            faults.push(SettingFault {
                table: Some(("service_level", place)),
                key: "id",
                message: format!("service level `{}` {wrong}", table.id),
                help: format!("there are {}", known.join(", ")),
            });
        }
    }
    let mut indicators = Vec::new();
    for (at, cluster) in clusters.iter().enumerate() {
        for level in SERVICE_LEVELS {
            let place = file.service_level.iter().position(|table| table.id == level.id);
            let table = place.map(|place| &file.service_level[place]);
            if table.is_some_and(|table| !table.enabled) {
                continue;
            }
            let indicator = level.indicator(table, account, cluster);
            // The same of every cluster.
            for (key, message) in indicator.problems().into_iter().filter(|_| at == 0) {
                faults.push(SettingFault {
                    table: place.map(|place| ("service_level", place)),
                    key,
                    message: format!("{}: {message}", level.id),
                    help: "choose another value".to_owned(),
                });
            }
            indicators.push(indicator);
        }
    }
    if faults.is_empty() { Ok(indicators) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(text: &str) -> Result<Vec<Indicator>, Vec<SettingFault>> {
        let file: AlertsFile = toml::from_str(text).expect("a file of this shape");
        let account = AccountId::try_from(1).expect("an account");
        service_levels(&file, account, &["orders".to_owned()])
    }

    #[test]
    fn every_service_level_is_one_that_new_relic_takes() {
        let all = levels("").expect("service levels");
        assert_eq!(all.len(), SERVICE_LEVELS.len());
        for indicator in &all {
            assert!(indicator.valid.contains("clusterName IN ('orders')"), "{}", indicator.valid);
        }
        let guid = EntityGuid::parse_wire(&all[0].entity_guid).expect("a GUID");
        assert_eq!(guid.kind(), EntityKind::Cluster);
        let changed = "[[service_level]]\nid = 'lag'\nlimit = 5\ntarget_percent = 95\n\
                       window_days = 7\n[[service_level]]\nid = 'freshness'\nenabled = false";
        let changed = levels(changed).expect("service levels");
        let ids: Vec<&str> = changed.iter().map(|indicator| indicator.id).collect();
        assert_eq!(ids, ["availability", "lag"]);
        assert!(changed[1].good.ends_with("consumerGroup.lag.total <= 5"), "{}", changed[1].good);
        assert_eq!(changed[1].window_days, 7);
    }

    #[test]
    fn faults_are_told_all_at_once() {
        let text = "[[service_level]]\nid = 'lag'\ntarget_percent = 100\nwindow_days = 3\n\
                    [[service_level]]\nid = 'lag'\n[[service_level]]\nid = 'latency'\n\
                    [[service_level]]\nid = 'availability'\ntarget_percent = 99.9999999";
        let faults = levels(text).expect_err("faults");
        let found: Vec<String> =
            faults.iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect();
        assert_eq!(
            found,
            [
                "id: service level `lag` is there twice",
                "id: service level `latency` is none",
                "target_percent: availability: 99.9999999 has more than five decimals",
                "target_percent: lag: a target of 100 % leaves no budget",
                "window_days: lag: 3 days: New Relic takes 1, 7 or 28",
            ]
        );
    }
}
