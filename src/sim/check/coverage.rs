//! New Relic's entities are exactly the objects that the fleet has: none missing, none invented.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{EntityRecord, Record};
use super::{Check, Class, Finding};
use crate::sim::oracle::gap::Desired;
use crate::sim::oracle::guid::expected;
use crate::sim::oracle::objects;

pub const CHECK: Check = Check {
    name: "coverage",
    promise: "every object of the fleet has its entity, and every entity its object",
    class: Class::Liveness,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let mut entities: BTreeMap<&str, &EntityRecord> =
        record.newrelic.entities.iter().map(|entity| (entity.guid.as_str(), entity)).collect();
    for object in objects::live(record) {
        finding.examine();
        if entities.remove(object.guid.as_str()).is_none() {
            finding.violate(Some(record.end), format!("{object} has no entity"));
        }
    }
    let mut known: BTreeSet<String> =
        objects::ever(record).into_iter().map(|object| object.guid).collect();
    // What is desired may have a stand-in.
    let account = record.scenario.pipeline.account_id;
    let desired = Desired::of(record).map(|(_, desired)| desired.objects).unwrap_or_default();
    known.extend(desired.keys().map(|object| expected(account, object).1));
    for (guid, entity) in entities {
        finding.examine();
        if !known.contains(guid) {
            finding.violate(
                Some(entity.first_event_at),
                format!(
                    "{} `{}` ({guid}) is no object of the fleet",
                    entity.type_name, entity.name
                ),
            );
        }
    }
    finding
}
