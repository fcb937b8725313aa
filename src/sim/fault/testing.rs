//! A small simulation in which each fault shows what it does, and the wrong forms of each.

use std::time::Duration;

use super::{Action, Body, Entry, find};
use crate::domain::units::UnixMillis;
use crate::sim::check::record::{CycleRecord, PostAnswer, PostRecord, Record};
use crate::sim::fleet::{MetadataTruth, Observation, Observed};
use crate::sim::kernel::{Kernel, KernelConfig, KernelPorts};
use crate::sim::run::state::{PipelineState, RoleState};
use crate::sim::run::{Network, Options, Simulated, judge, observe, simulate};
use crate::sim::scenario::{NetworkSpec, PIPELINE_HOST, load};
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::{Sink, Trace};
use crate::sim::world::{HostFactory, World};

const HEAD: &str = "
title = \"One fault\"
duration = \"115s\"
[kafka.orders]
topics = 3
partitions = 2
groups = 2
[pipeline]
interval = \"5s\"
request_timeout = \"2s\"
[newrelic]
synthesis_lag_min = \"1s\"
synthesis_lag_max = \"2s\"
[expect]
recovery_max = \"20s\"
loss = 1000000
";

/// When faults are in force.
pub const WINDOW: (SimTime, SimTime) = (SimTime::from_secs(20), SimTime::from_secs(40));

/// A run that has ended.
pub struct Run<'a> {
    /// What it left behind.
    pub record: &'a Record,
}

impl Run<'_> {
    /// Cycles that began while the fault was in force.
    pub fn cycles(&self) -> Vec<&CycleRecord> {
        let cycles = self.record.pipelines.iter().flat_map(|life| &life.cycles);
        cycles.filter(|cycle| (WINDOW.0..WINDOW.1).contains(&cycle.started)).collect()
    }

    /// Parts of this kind that these cycles missed.
    pub fn missing(&self, kind: &str) -> u64 {
        self.cycles().iter().map(|cycle| cycle.missing("orders", kind)).sum()
    }

    /// The longest of them.
    pub fn slowest(&self) -> Duration {
        self.cycles().iter().map(|cycle| cycle.collecting).max().unwrap_or_default()
    }

    /// POSTs that began while the fault was in force.
    pub fn posts(&self) -> Vec<&PostRecord> {
        let posts = self.record.pipelines.iter().flat_map(|life| &life.posts);
        posts.filter(|post| (WINDOW.0..WINDOW.1).contains(&post.began)).collect()
    }

    /// Whether one of them was answered like this.
    pub fn answered(&self, answer: PostAnswer) -> bool {
        self.posts().iter().any(|post| post.answer == answer)
    }

    /// The longest that one of them took.
    pub fn longest_post(&self) -> Duration {
        let times = self.posts().into_iter().filter_map(|post| Some(post.ended? - post.began));
        times.max().unwrap_or_default()
    }

    /// What brokers told while the fault was in force.
    pub fn told(&self) -> Vec<&Observation> {
        let all = self.record.fleets["orders"].journal.all();
        all.iter().filter(|seen| (WINDOW.0..WINDOW.1).contains(&seen.at)).collect()
    }

    /// How brokers described the cluster meanwhile.
    pub fn described(&self) -> Vec<&MetadataTruth> {
        let told = self.told().into_iter();
        let described = told.filter_map(|seen| match &seen.what {
            Observed::Metadata(truth) => Some(truth.as_ref()),
            _ => None,
        });
        described.collect()
    }

    /// Whether a broker was down meanwhile.
    pub fn broker_down(&self, id: i32) -> bool {
        self.record.fleets["orders"].down.get(&id).is_some_and(|times| !times.is_empty())
    }
}

fn times(entry: &Entry) -> &'static str {
    if entry.instant { "at = \"20s\"" } else { "at = \"20s\"\nlasts = \"20s\"" }
}

fn scenario(faults: &[&str]) -> String {
    let faults = faults.iter().map(|form| {
        let kind = form.split(" = ").next().and_then(find).expect("a fault's name");
        match form.contains("\nat =") {
            true => format!("[[fault]]\n{form}\n"),
            false => format!("[[fault]]\n{}\n{form}\n", times(kind)),
        }
    });
    format!("{HEAD}{}", faults.collect::<String>())
}

fn simulated(faults: &[&str]) -> Simulated {
    let text = scenario(faults);
    let scenario = load("one-fault.toml", &text)
        .unwrap_or_else(|problems| panic!("{}\n{text}", problems.render(false)));
    let run = move || {
        let options = Options { seed: Seed(1), network: Network::Kernel, sink: Sink::None };
        simulate(&scenario, options, None)
    };
    // Each run needs a fresh thread, and HTTP in debug builds a deep one.
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(run).expect("a thread");
    thread.join().expect("no panic of the simulator")
}

/// With the fault the effect is seen, without it it is not, and every promise is kept.
#[track_caller]
pub fn acts(form: &str, effect: impl Fn(&Run<'_>) -> bool) {
    acts_on(&[], form, effect);
}

/// The same, in a world that other faults befall as well.
#[track_caller]
pub fn acts_on(world: &[&str], form: &str, effect: impl Fn(&Run<'_>) -> bool) {
    let calm = simulated(world);
    assert!(!effect(&Run { record: &calm.record }), "seen without {form}");
    let whole: Vec<&str> = world.iter().copied().chain([form]).collect();
    let run = simulated(&whole);
    assert!(effect(&Run { record: &run.record }), "not seen with {form}");
    let report = judge(run);
    let failures: Vec<_> = report.failures().into_iter().map(|f| (f.check, f.example)).collect();
    assert!(failures.is_empty(), "{form}: {failures:#?}");
}

/// With the fault the pipeline is seen like this at 39 s, without it it is not, and every promise
/// is kept.
#[track_caller]
pub fn shows(world: &[&str], form: &str, effect: impl Fn(&PipelineState) -> bool) {
    let seen = |faults: &[&str]| {
        let scenario = load("one-fault.toml", &scenario(faults)).expect("a valid form");
        let options = Options { seed: Seed(1), network: Network::Kernel, sink: Sink::None };
        let (report, state) = observe(&scenario, options, SimTime::from_secs(39));
        let hosts = state.expect("a look").hosts;
        let pipeline = hosts.into_iter().find_map(|host| match host.role {
            RoleState::Pipeline(pipeline) => Some(*pipeline),
            _ => None,
        });
        (report, pipeline.expect("a pipeline"))
    };
    let (_, calm) = seen(world);
    assert!(!effect(&calm), "seen without {form}: {calm:#?}");
    let whole: Vec<&str> = world.iter().copied().chain([form]).collect();
    let (report, state) = seen(&whole);
    assert!(effect(&state), "not seen with {form}: {state:#?}");
    let failures: Vec<_> = report.failures().into_iter().map(|f| (f.check, f.example)).collect();
    assert!(failures.is_empty(), "{form}: {failures:#?}");
}

/// A kernel with the pipeline's host alone, which runs `main`, and with `fault` in force from the
/// start.
pub fn host_under(fault: Option<&dyn Body>, seed: u64, main: HostFactory<KernelPorts>) -> Kernel {
    let config = KernelConfig::new(Seed(seed), UnixMillis(1_767_614_400_000));
    let mut kernel = Kernel::new(config, Trace::new(Sink::None));
    kernel.host(PIPELINE_HOST, main).expect("a new name");
    if let Some(fault) = fault {
        apply(&mut kernel, &fault.actions(&NetworkSpec::default()).0);
    }
    kernel
}

/// Applies what actions do to a network.
pub fn apply(kernel: &mut Kernel, actions: &[Action]) {
    for action in actions {
        let Action::Network(fault) = action else { panic!("{action:?} is not the network's") };
        kernel.apply(fault).expect("the kernel can");
    }
}

/// Wrong forms of a fault are refused, each in the words of its snapshot: the `valid` one with the
/// wrong times, with an unknown key, without its keys, and those of `more`.
#[track_caller]
pub fn refused(valid: &str, more: &[&str]) {
    let name = valid.split(" = ").next().expect("a name");
    let entry = find(name).expect("a fault's name");
    load("one-fault.toml", &scenario(&[valid])).expect("a valid form");
    let at = "\nat = \"20s\"";
    let wrong_times =
        if entry.instant { format!("{valid}{at}\nlasts = \"1s\"") } else { format!("{valid}{at}") };
    let mut forms = vec![wrong_times, format!("{name} = {{ nonsense = 1 }}")];
    if entry.keys().iter().any(|key| key.required) {
        forms.push(format!("{name} = {{}}"));
    }
    forms.extend(more.iter().map(ToString::to_string));
    let mut text = String::new();
    for form in forms {
        let problems = load("one-fault.toml", &scenario(&[&form]));
        let problems = problems.map(|_| ()).expect_err(&form);
        text.push_str(&problems.render(false));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/fault"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
