//! GUIDs have the documented form, name one object each, and never change.
//!
//! The expected GUID is computed by the oracle's own code from the event's identity attributes.

use std::collections::BTreeMap;

use super::record::Record;
use super::{Check, Class, Finding};
use crate::sim::oracle::guid::{Identity, expected};

pub const CHECK: Check = Check {
    name: "guid",
    promise: "every GUID has the documented form, names one object, and never changes",
    class: Class::Safety,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let account = record.scenario.pipeline.account_id;
    let mut owners: BTreeMap<String, Identity> = BTreeMap::new();
    // Objects are few, their events many: each GUID is derived once.
    let mut derived: BTreeMap<Identity, (String, String)> = BTreeMap::new();
    for event in record.newrelic.samples.iter().chain(&record.newrelic.stand_ins) {
        finding.examine();
        let at = Some(event.stored_at);
        let guid = event.text("entityGuid");
        let Some(identity) = Identity::of(event) else {
            finding.violate(at, format!("event of {guid} does not say what it is about"));
            continue;
        };
        if !derived.contains_key(&identity) {
            derived.insert(identity.clone(), expected(account, &identity));
        }
        let Some((readable, wire)) = derived.get(&identity) else { continue };
        if guid != wire {
            finding.violate(at, format!("{identity} has GUID {guid}, must be {wire} ({readable})"));
            continue;
        }
        if readable.rsplit('|').next() != Some(event.text("entityIdentifier")) {
            finding.violate(at, format!("{identity} has a wrong entityIdentifier"));
        }
        match owners.get(guid) {
            Some(owner) if *owner != identity => {
                finding.violate(at, format!("{owner} and {identity} share GUID {guid}"));
            }
            Some(_) => {}
            None => {
                owners.insert(guid.to_owned(), identity);
            }
        }
    }
    for entity in &record.newrelic.entities {
        finding.examine();
        if !owners.contains_key(&entity.guid) {
            finding.violate(
                Some(entity.first_event_at),
                format!("New Relic made entity {} that no event names", entity.guid),
            );
        }
    }
    finding
}
