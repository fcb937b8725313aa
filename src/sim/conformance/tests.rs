//! The suite on every arm, with the exact list of what each cannot do.

use std::path::Path;

use super::arms::{OverNetPorts, RealArm, WorldArm};
use super::{Arm, Case, Column, Verdict, cases, http, run, table};
use crate::adapters::RealPorts;
use crate::domain::units::UnixMillis;
use crate::sim::seed::Seed;
use crate::sim::trace::{Sink, Trace};
use crate::sim::turmoil::{TurmoilConfig, TurmoilWorld};

const NO_LINK_FAULTS: &str = "this machine has no faults on its loopback link";
const NO_POWER_LOSS: &str = "this machine cannot lose power in a test";

/// What real sockets cannot do; nothing else may join without being written here.
const REAL_CANNOT: &[(&str, &str)] = &[
    ("net: several addresses", "this machine takes names from the system's resolver"),
    ("fault: power loss and restart", NO_POWER_LOSS),
    ("fault: partition both ways, heal", NO_LINK_FAULTS),
    ("fault: partition client to server, heal", NO_LINK_FAULTS),
    ("fault: partition server to client, heal", NO_LINK_FAULTS),
    ("fault: hold and release", NO_LINK_FAULTS),
    ("fault: latency", NO_LINK_FAULTS),
    ("fault: bandwidth", NO_LINK_FAULTS),
    ("fault: loss", NO_LINK_FAULTS),
    ("fault: reset", NO_LINK_FAULTS),
    ("fault: clock skew", "this machine has one clock for all"),
    ("http: connection reset by the network", NO_LINK_FAULTS),
    ("http: partition before the answer", NO_LINK_FAULTS),
    ("disk: synced data survives a power loss", NO_POWER_LOSS),
];

/// turmoil's arm does everything.
const TURMOIL_CANNOT: &[(&str, &str)] = &[];

fn real() -> RealArm<RealPorts> {
    RealArm { name: "real", ports: |folder: &Path| RealPorts::new(folder).unwrap() }
}

fn over_net() -> RealArm<OverNetPorts> {
    RealArm { name: "real, HTTP over Net", ports: OverNetPorts::new }
}

fn turmoil() -> WorldArm<TurmoilWorld> {
    WorldArm {
        name: "turmoil",
        build: || {
            let config = TurmoilConfig::new(Seed(7), UnixMillis(1_700_000_000_000));
            TurmoilWorld::new(config, Trace::new(Sink::None))
        },
        alias: TurmoilWorld::alias,
    }
}

/// Every case passes, except that exactly `cannot` says no, each with its reason.
#[track_caller]
fn check<A: Arm>(arm: &A, cases: &[Case<A::Ports>], cannot: &[(&str, &str)]) -> Column {
    assert!(cases.len() >= 10, "only {} cases", cases.len());
    let column = run(arm, cases);
    let mut failed = Vec::new();
    let mut refused = Vec::new();
    for (case, verdict) in &column.verdicts {
        match verdict {
            Verdict::Pass => {}
            Verdict::Fail(why) => failed.push(format!("{case}: {why}")),
            Verdict::Cannot(why) => refused.push((*case, why.as_str())),
        }
    }
    assert!(failed.is_empty(), "{} fails:\n{}", column.arm, failed.join("\n"));
    assert_eq!(refused, cannot, "what {} cannot do", column.arm);
    column
}

#[test]
fn real_sockets() {
    check(&real(), &cases(), REAL_CANNOT);
}

#[test]
fn http_over_real_sockets() {
    let cannot: Vec<_> =
        REAL_CANNOT.iter().copied().filter(|(case, _)| case.starts_with("http:")).collect();
    check(&over_net(), &http::cases(), &cannot);
}

#[test]
fn turmoil_network() {
    check(&turmoil(), &cases(), TURMOIL_CANNOT);
}
