//! The simulation's figures: simulated time per CPU second, memory per broker, both networks.
//!
//! `cargo bench --bench figures` runs each case in a process of its own (so that memory is its
//! own) and prints one table; `-- --quick` leaves out the long ones. CPU time is the process's user
//! and system time from /proc, which other load on the machine disturbs least.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

use shakedown::sim::run::{Network, Options, run};
use shakedown::sim::scenario;
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

fn text(case: &Case) -> String {
    format!(
        "title = \"figures\"\nduration = \"{}min\"\n[kafka.orders]\nbrokers = {}\ntopics = 50\n\
         partitions = 6\nreplication = 3\ngroups = 20\n[pipeline]\ninterval = \"15s\"\n",
        case.minutes, case.brokers
    )
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

/// Runs one case in this process and prints its figures.
fn measure(index: usize) {
    let case = &CASES[index];
    let scenario = match scenario::load("figures", &text(case)) {
        Ok(scenario) => scenario,
        Err(problems) => panic!("{}", problems.render(false)),
    };
    let before = cpu_seconds();
    let options = Options { seed: Seed(1), network: case.network, sink: Sink::None };
    let report = run(&scenario, options);
    let cpu = cpu_seconds() - before;
    let simulated = f64::from(case.minutes) * 60.0;
    let verdict = if report.passed() { "passed" } else { "FAILED" };
    let mut row = String::new();
    let _ = write!(
        row,
        "| {} | {} | {} | {cpu:.2} | {:.0} : 1 | {:.0} | {:.0} | {} | {verdict} |",
        case.network.name(),
        case.brokers,
        case.minutes,
        simulated / cpu,
        peak_mib(),
        peak_mib() * 1024.0 / f64::from(case.brokers),
        report.trace.events,
    );
    print(&row);
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(index) = arguments.iter().find_map(|a| a.strip_prefix("--case=")) {
        measure(index.parse().expect("a case number"));
        return;
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    print(
        "| network | brokers | simulated min | CPU s | simulated : CPU | peak MiB | KiB per broker \
         | trace events | verdict |\n|---|---|---|---|---|---|---|---|---|",
    );
    let this = std::env::current_exe().expect("this binary");
    for (index, case) in CASES.iter().enumerate().filter(|(_, case)| case.quick || !quick) {
        let _ = case;
        let status = Command::new(&this).arg(format!("--case={index}")).status();
        assert!(status.is_ok_and(|status| status.success()), "case {index} failed");
    }
}
