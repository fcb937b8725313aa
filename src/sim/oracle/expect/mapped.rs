//! What mappings of the scenario add to the catalogue's metrics.
//!
//! A mapping speaks where the catalogue's own sources say nothing. The fleet tells few raw numbers
//! that no metric of the catalogue has taken already; each of them is also an attribute of its
//! object, whose truth is known.
//!
//! Not modelled: conversion of units; what a mapping with `unit_in` gives nobody here can tell.

use std::collections::BTreeSet;

use super::{Expected, Figures, Situation};
use crate::config::schema::{OriginWord, SubjectWord};
use crate::sim::scenario::CatalogueMapping;

/// Raw numbers of the fleet's own answers, and the attribute that has the same value.
const RAW: &[(SubjectWord, &str, &str)] = &[
    (SubjectWord::Cluster, "metadata.controller_id", "controllerId"),
    (SubjectWord::Broker, "port", "port"),
    (SubjectWord::Topic, "config.retention.ms", "retentionMs"),
    (SubjectWord::Topic, "config.min.insync.replicas", "minInSyncReplicas"),
    (SubjectWord::Topic, "config.segment.ms", "segmentMs"),
    (SubjectWord::Group, "group.coordinator", "coordinatorId"),
];

impl Situation<'_> {
    /// Adds what the scenario's mappings give.
    pub(super) fn map(&self, expected: &mut Expected) {
        for mapping in self.record.scenario.pipeline.catalogue_mappings() {
            self.apply(&mapping, expected);
        }
    }

    fn apply(&self, mapping: &CatalogueMapping<'_>, expected: &mut Expected) {
        let CatalogueMapping { type_name, target, table } = *mapping;
        if table.origin != OriginWord::Kafka {
            return;
        }
        if table.unit_in.is_some() {
            expected.untold.insert((type_name, target));
            return;
        }
        let known = |raw: &String| {
            let row = RAW.iter().find(|row| row.0 == table.subject && row.1 == raw.as_str());
            row.map(|row| row.2)
        };
        let sources: Vec<&str> = table.source.iter().filter_map(known).collect();
        let add = |figures: &mut Figures| {
            let own = figures.get(target).is_some_and(|values| !values.is_empty());
            // Where an answer may have been missed, its own source may have said nothing.
            if own && self.complete {
                return;
            }
            let said = sources
                .iter()
                .find_map(|name| figures.get(name).filter(|values| !values.is_empty()).cloned());
            for value in said.into_iter().flatten() {
                figures.entry(target).or_default().push(value * table.scale);
            }
        };
        match type_name {
            "MESSAGE_QUEUE_CLUSTER" => add(&mut expected.cluster),
            "MESSAGE_QUEUE_BROKER" => expected.brokers.values_mut().for_each(add),
            "MESSAGE_QUEUE_TOPIC" => expected.topics.values_mut().for_each(add),
            "MESSAGE_QUEUE_CONSUMER_GROUP" => expected.groups.values_mut().for_each(add),
            _ => {}
        }
    }
}

/// Figures by the type and name that nobody here can tell.
pub(super) type Untold = BTreeSet<(&'static str, &'static str)>;
