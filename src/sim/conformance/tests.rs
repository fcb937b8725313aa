//! The suite on every arm, with the exact list of what each cannot do.

use std::collections::BTreeSet;
use std::path::Path;

use super::arms::{OverNetPorts, RealArm, WorldArm};
use super::{Arm, Case, Column, Verdict, cases, http, run, table};
use crate::adapters::RealPorts;
use crate::domain::units::UnixMillis;
use crate::sim::kernel::{Kernel, KernelConfig};
use crate::sim::seed::Seed;
use crate::sim::trace::{Sink, Trace};
use crate::sim::turmoil::{TurmoilConfig, TurmoilWorld};

const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);
const NO_LINK_FAULTS: &str = "this machine has no faults on its loopback link";
const NO_POWER_LOSS: &str = "this machine cannot lose power in a test";

/// What real sockets cannot do; nothing else may join without being written here.
const REAL_CANNOT: &[(&str, &str)] = &[
    ("net: several addresses", "this machine takes names from the system's resolver"),
    ("fault: power loss and restart", NO_POWER_LOSS),
    ("fault: partition both ways, heal", NO_LINK_FAULTS),
    ("fault: partition client to server, heal", NO_LINK_FAULTS),
    ("fault: partition server to client, heal", NO_LINK_FAULTS),
    ("fault: a sender gives up", NO_LINK_FAULTS),
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

/// The kernel does everything.
const KERNEL_CANNOT: &[(&str, &str)] = &[];

/// turmoil's arm does everything.
const TURMOIL_CANNOT: &[(&str, &str)] = &[];

fn real() -> RealArm<RealPorts> {
    RealArm { name: "real", ports: |folder: &Path| RealPorts::new(folder).unwrap() }
}

fn over_net() -> RealArm<OverNetPorts> {
    RealArm { name: "real, HTTP over Net", ports: OverNetPorts::new }
}

fn kernel(seed: u64, build: fn(u64) -> Kernel) -> WorldArm<Kernel> {
    let alias = |kernel: &mut Kernel, name: &str, hosts: &[&str]| {
        let address = |host: &&str| kernel.address(&(*host).to_owned());
        let addresses = hosts.iter().map(address).collect::<Result<_, _>>()?;
        kernel.alias(name, addresses)
    };
    WorldArm { name: "kernel", seed, build, alias }
}

fn plain_kernel(seed: u64) -> Kernel {
    Kernel::new(KernelConfig::new(Seed(seed), EPOCH), Trace::new(Sink::None))
}

/// Reads and writes in seeded pieces: whatever holds only for whole messages falls here.
fn chunking_kernel(seed: u64) -> Kernel {
    let config = KernelConfig { adversarial_chunks: true, ..KernelConfig::new(Seed(seed), EPOCH) };
    Kernel::new(config, Trace::new(Sink::None))
}

fn turmoil(seed: u64) -> WorldArm<TurmoilWorld> {
    WorldArm {
        name: "turmoil",
        seed,
        build: |seed| {
            let config = TurmoilConfig::new(Seed(seed), EPOCH);
            TurmoilWorld::new(config, Trace::new(Sink::None))
        },
        alias: TurmoilWorld::alias,
    }
}

/// What `arm` is expected to say to each of `cases`.
fn expected<P>(arm: &'static str, cases: &[Case<P>], cannot: &[(&str, &str)]) -> Column {
    let expect = |case: &Case<P>| {
        let reason = cannot.iter().find(|(name, _)| *name == case.name);
        (case.name, reason.map_or(Verdict::Pass, |(_, why)| Verdict::Cannot((*why).to_owned())))
    };
    Column { arm, verdicts: cases.iter().map(expect).collect() }
}

/// Every case passes, except that exactly `cannot` says no, each with its reason.
#[track_caller]
fn check<A: Arm>(arm: &A, cases: &[Case<A::Ports>], cannot: &[(&str, &str)]) {
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
}

#[test]
fn real_sockets() {
    check(&real(), &cases(), REAL_CANNOT);
}

#[test]
fn http_over_real_sockets() {
    check(&over_net(), &http::cases(), &http_only(REAL_CANNOT));
}

fn http_only(cannot: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    cannot.iter().copied().filter(|(case, _)| case.starts_with("http:")).collect()
}

#[test]
fn kernel_network() {
    for seed in 1..=3 {
        for build in [plain_kernel, chunking_kernel] {
            check(&kernel(seed, build), &cases(), KERNEL_CANNOT);
        }
    }
}

#[test]
fn turmoil_network() {
    for seed in 1..=3 {
        check(&turmoil(seed), &cases(), TURMOIL_CANNOT);
    }
}

/// The other tests hold each arm to its column; this one holds the document to the columns.
#[test]
fn table_is_current() {
    let cases = cases::<RealPorts>();
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    let columns = [
        expected(real().name, &cases, REAL_CANNOT),
        expected(over_net().name, &http::cases::<RealPorts>(), &http_only(REAL_CANNOT)),
        expected(kernel(1, plain_kernel).name, &cases, KERNEL_CANNOT),
        expected(turmoil(1).name, &cases, TURMOIL_CANNOT),
    ];
    let table = table(&columns);
    let is_current = include_str!("table.md") == table;
    assert!(is_current, "src/sim/conformance/table.md should be:\n{table}");
}

#[test]
fn table_has_its_form() {
    let column = |arm, verdicts| Column { arm, verdicts };
    let no = |why: &str| Verdict::Cannot(why.to_owned());
    let columns = [
        column("one", vec![("a", Verdict::Pass), ("b", no("too small")), ("c", no("too small"))]),
        column("two", vec![("a", Verdict::Fail("x".to_owned())), ("c", no("too big"))]),
    ];
    let expected = "\
| case | one | two |
| --- | --- | --- |
| a | yes | **fails** |
| b | no (1) |  |
| c | no (1) | no (2) |

1. too small
2. too big
";
    assert_eq!(table(&columns), expected);
}
