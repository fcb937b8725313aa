//! The simulation's figures: simulated time per CPU second, memory per broker, both networks.
//!
//! `cargo bench --bench figures` runs each case in a process of its own (so that memory is its
//! own) and prints one table; `-- --quick` leaves out the long ones. CPU time is the process's user
//! and system time from /proc, which other load on the machine disturbs least. The simulation and
//! its checks are timed apart: the first is what a run of the world costs, the second what judging
//! it costs. A case whose checks fail ends the bench with an error.
//!
//! A second table counts seeds per CPU second of a storm: one minute with three brokers in which a
//! broker crashes, a link breaks and New Relic refuses (simulation and checks together), each seed
//! on a thread of its own, one after the other.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use shakedown::sim::run::{Network, Options, Simulated, judge, simulate};
use shakedown::sim::scenario::{self, Scenario};
use shakedown::sim::seed::Seed;
use shakedown::sim::trace::Sink;

struct Case {
    network: Network,
    brokers: u32,
    minutes: u32,
    quick: bool,
}

const CASES: &[Case] = &[
    Case { network: Network::Kernel, brokers: 3, minutes: 60, quick: true },
    Case { network: Network::Kernel, brokers: 10, minutes: 60, quick: true },
    Case { network: Network::Kernel, brokers: 100, minutes: 60, quick: false },
    Case { network: Network::Kernel, brokers: 300, minutes: 60, quick: false },
    Case { network: Network::Turmoil, brokers: 3, minutes: 60, quick: false },
    Case { network: Network::Turmoil, brokers: 10, minutes: 60, quick: false },
];

const TOPICS: u32 = 50;
const GROUPS: u32 = 20;

/// Seeds of the storm, once to warm up and then as measured.
const STORM_SEEDS: u64 = 100;

fn text(case: &Case) -> String {
    format!(
        "title = \"figures\"\nduration = \"{}min\"\n[kafka.orders]\nbrokers = {}\n\
         topics = {TOPICS}\npartitions = 6\nreplication = 3\ngroups = {GROUPS}\n\
         [pipeline]\ninterval = \"15s\"\n",
        case.minutes, case.brokers
    )
}

/// Faults for a minute, then the time that every scenario needs to converge.
const STORM: &str = include_str!("storm.toml");

fn load(text: &str) -> Scenario {
    match scenario::load("figures", text) {
        Ok(scenario) => scenario,
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

/// User and system time of this process so far, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> =
        after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    ticks.iter().sum::<f64>() / 100.0
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 =
        line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok()).unwrap_or_default();
    kib / 1024.0
}

/// Runs `work` as a run does: on a fresh thread with room for deep futures.
fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let builder = std::thread::Builder::new().stack_size(16 << 20);
    let thread = builder.spawn(work).expect("the system gives a thread");
    thread.join().expect("a run does not panic")
}

/// Longest collection of any cycle, in virtual time.
fn slowest_collection(simulated: &Simulated) -> Duration {
    let cycles = simulated.record.pipelines.iter().flat_map(|life| &life.cycles);
    cycles.map(|cycle| cycle.collecting).max().unwrap_or_default()
}

/// Runs one case in this process and prints its figures; whether its checks passed.
fn measure(index: usize) -> bool {
    on_own_thread(move || {
        let case = &CASES[index];
        let scenario = load(&text(case));
        let before = cpu_seconds();
        let options = Options { seed: Seed(1), network: case.network, sink: Sink::None };
        let simulated = simulate(&scenario, options, None);
        let simulated_at = cpu_seconds();
        let simulation_mib = peak_mib();
        let collecting = slowest_collection(&simulated);
        let report = judge(simulated);
        let cpu = simulated_at - before;
        let entities = f64::from(1 + case.brokers + TOPICS + GROUPS);
        let cycles = f64::from(case.minutes) * 4.0;
        print(&format!(
            "| {} | {} | {} | {cpu:.2} | {:.0} : 1 | {:.1} | {:.2} | {:.0} | {:.0} | {} | {} | {} |",
            case.network.name(),
            case.brokers,
            case.minutes,
            f64::from(case.minutes) * 60.0 / cpu,
            cpu * 1e6 / entities / cycles,
            cpu_seconds() - simulated_at,
            simulation_mib,
            simulation_mib * 1024.0 / f64::from(case.brokers),
            collecting.as_millis(),
            report.trace.events,
            if report.passed() { "passed" } else { "FAILED" },
        ));
        for check in report.checks.iter().filter(|check| !check.passed()) {
            let violation = check.first_violation().unwrap_or_default();
            print(&format!("  {}: {} × {violation}", check.name, check.finding.violation_count));
        }
        report.passed()
    })
}

/// Runs the storm with many seeds and prints how many a CPU second takes.
fn storm() -> bool {
    let scenario = load(STORM);
    let one = |seed: u64| {
        let scenario = scenario.clone();
        on_own_thread(move || {
            let options = Options { seed: Seed(seed), network: Network::Kernel, sink: Sink::None };
            judge(simulate(&scenario, options, None)).passed()
        })
    };
    let mut passed = (1..=STORM_SEEDS / 10).filter(|seed| one(*seed)).count();
    let before = cpu_seconds();
    passed = (1..=STORM_SEEDS).filter(|seed| one(*seed)).count().max(passed);
    let cpu = cpu_seconds() - before;
    let rate = STORM_SEEDS as f64 / cpu;
    print(&format!("| {STORM_SEEDS} | {passed} | {cpu:.2} | {rate:.0} |"));
    passed as u64 == STORM_SEEDS
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(case) = arguments.iter().find_map(|a| a.strip_prefix("--case=")) {
        let passed = match case {
            "storm" => storm(),
            index => measure(index.parse().expect("a case number")),
        };
        std::process::exit(i32::from(!passed));
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let this = std::env::current_exe().expect("this binary");
    let mut passed = true;
    let mut child = |case: &str| {
        let status = Command::new(&this).arg(format!("--case={case}")).status();
        passed &= status.is_ok_and(|status| status.success());
    };
    print(
        "| network | brokers | simulated min | CPU s | simulated : CPU | CPU µs per entity and \
         cycle | checks CPU s | peak MiB | KiB per broker | slowest collection, virtual ms | trace \
         events | verdict |\n|---|---|---|---|---|---|---|---|---|---|---|---|",
    );
    for (index, _) in CASES.iter().enumerate().filter(|(_, case)| case.quick || !quick) {
        child(&index.to_string());
    }
    print("\n| storm seeds | passed | CPU s | seeds per CPU s |\n|---|---|---|---|");
    child("storm");
    assert!(passed, "a case failed its checks");
}
