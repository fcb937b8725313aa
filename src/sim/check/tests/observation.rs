//! What a cycle observed, what it says that it missed, and what it told.

use super::*;
use crate::sim::fault::{Action, Fault};
use crate::sim::fleet::{MetadataBroker, MetadataTopic, MetadataTruth, Observation, Observed};
use crate::sim::world::{CrashMode, NetworkFault};

/// The whole run long nobody can reach the fleet's brokers.
fn hidden(record: &mut Record) {
    let crash = |id: i32| {
        let host = format!("orders-broker-{id}");
        Action::Network(NetworkFault::Crash { host, mode: CrashMode::Process })
    };
    record.faults = vec![Fault {
        from: at(0),
        to: at(300),
        kind: "crash",
        label: "crash of everybody".to_owned(),
        begin: (1..=3).map(crash).collect(),
        end: Vec::new(),
    }];
}

fn fails(record: &mut Record) {
    for cycle in &mut record.pipelines[0].cycles {
        cycle.failed.push("orders".to_owned());
    }
}

#[test]
fn a_cycle_that_heard_nobody_says_so() {
    let mut record = steady();
    hidden(&mut record);
    breaks(&record, "honesty", "no broker of orders answered, and the cycle does not say so");
    fails(&mut record);
    holds(&record, "honesty");
    record.pipelines[0].cycles.iter_mut().for_each(|cycle| cycle.cut_off = true);
    breaks(&record, "honesty", "examined nothing");
}

#[test]
fn a_cycle_makes_no_failure_up() {
    let mut record = steady();
    fails(&mut record);
    breaks(
        &record,
        "honesty",
        "nothing hid broker 1 of orders, and the cycle could not collect the cluster",
    );
    let mut record = steady();
    let missing = [("scrape".to_owned(), 3)].into();
    record.pipelines[0].cycles[4].missing.insert("orders".to_owned(), missing);
    let said = result(&record, "honesty").finding.violations;
    let what = "nothing hid orders, and the cycle reports 3 missing scrape";
    assert!(said.iter().any(|v| v.what == what && v.at == Some(at(60))), "{said:?}");
}

/// In every cycle the broker described the cluster: itself and one topic.
fn described() -> Record {
    let mut record = steady();
    let broker = MetadataBroker { id: 1, host: "orders-broker-1".into(), port: 9092, rack: None };
    let topic = MetadataTopic { name: "a".into(), internal: false, partitions: Vec::new() };
    let truth = Arc::new(MetadataTruth {
        version: 1,
        controller: Some(1),
        brokers: vec![broker],
        topics: vec![topic],
    });
    let answer = |cycle: &CycleRecord| Observation {
        at: cycle.started + Duration::from_millis(10),
        broker: 1,
        client_id: "shakedown".into(),
        what: Observed::Metadata(Arc::clone(&truth)),
    };
    let answers = record.pipelines[0].cycles.iter().map(answer).collect();
    let fleet = record.fleets.get_mut("orders").expect("there is one");
    fleet.journal = Answers::new(answers);
    fleet.brokers = vec![1];
    record
}

/// Objects that the ground truth misses, by the cycle in which it does.
fn absent(record: &Record) -> Vec<(SimTime, String)> {
    let violations = result(record, "ground truth").finding.violations.into_iter();
    let absent = violations.filter_map(|found| {
        let (object, _) = found.what.split_once(" was observed, and no event tells of it")?;
        Some((found.at?, object.to_owned()))
    });
    absent.collect()
}

#[test]
fn what_a_cycle_observed_it_tells() {
    let mut record = described();
    assert_eq!(absent(&record).len(), 20 * 3, "cluster, broker and topic");
    record.newrelic.samples =
        (0..20).map(|n| sample(&record, "a", at(n * 15) + Duration::from_millis(20))).collect();
    let told = absent(&record);
    assert_eq!(told.len(), 20 * 2);
    assert!(told.contains(&(at(15), "broker orders/1".to_owned())), "{told:?}");
    // Nobody can say of these cycles that they kept something back.
    type Change = fn(&mut Record);
    let excuses: &[(&str, Change, usize)] = &[
        ("cut off", |r| r.pipelines[0].cycles[3].cut_off = true, 2),
        ("failed", |r| r.pipelines[0].cycles[3].failed.push("orders".to_owned()), 2),
        (
            "missed something",
            |r| {
                let missing = [("scrape".to_owned(), 1)].into();
                r.pipelines[0].cycles[3].missing.insert("orders".to_owned(), missing);
            },
            2,
        ),
        ("too late to be stored", |r| r.end = at(286), 2),
        ("lost", |r| r.pipelines[0].ledger.in_flight = 1, 40),
        ("evicted", |r| r.newrelic.evicted = 1, 40),
    ];
    for (why, change, fewer) in excuses {
        let mut record = described();
        record.newrelic.samples =
            (0..20).map(|n| sample(&record, "a", at(n * 15) + Duration::from_millis(20))).collect();
        change(&mut record);
        assert_eq!(absent(&record).len(), 40 - fewer, "{why}");
    }
}
