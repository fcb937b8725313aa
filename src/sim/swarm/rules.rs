//! What a schema cannot say of a `[swarm]` table.

use super::spec::{Pair, SwarmSpec};
use crate::config::toml_file::{Place, Problem, TomlFile, nearest};
use crate::sim::fault::CATALOGUE;
use crate::sim::scenario::Scenario;

/// Everything impossible about the table of `scenario`, in the order of its keys.
pub fn problems(file: &TomlFile, scenario: &Scenario) -> Vec<Problem> {
    let Some(spec) = &scenario.swarm else { return Vec::new() };
    let mut rules = Rules { file, problems: Vec::new() };
    rules.names("faults", &spec.faults);
    rules.names("except", &spec.except);
    rules.nothing_left(spec);
    rules.numbers(spec);
    rules.times(spec);
    rules.sizes(spec);
    rules.storm(spec);
    rules.problems
}

struct Rules<'a> {
    file: &'a TomlFile,
    problems: Vec<Problem>,
}

/// The place of `path`, keys parted by dots, within the table.
fn place(path: &str) -> Place {
    path.split('.').fold(Place::root().key("swarm"), |place, key| place.key(key))
}

impl Rules<'_> {
    fn complain(&mut self, rule: &'static str, place: &Place, what: String, help: String) {
        self.problems.push(self.file.problem(rule, place, what, help));
    }

    fn names(&mut self, key: &str, names: &[String]) {
        let known = || CATALOGUE.iter().map(|entry| entry.name);
        for (index, name) in names.iter().enumerate() {
            if known().any(|known| known == name) {
                continue;
            }
            let all = known().collect::<Vec<_>>().join(", ");
            let help = nearest(name, known()).map_or_else(
                || format!("faults are {all}"),
                |near| format!("did you mean `{near}`? faults are {all}"),
            );
            let what = format!("no fault is called `{name}`");
            self.complain("unknown_fault", &place(key).at(index), what, help);
        }
    }

    fn nothing_left(&mut self, spec: &SwarmSpec) {
        let left = spec.faults.iter().any(|name| !spec.except.contains(name));
        if !spec.faults.is_empty() && !left {
            let what = "every fault of `faults` is in `except`".to_owned();
            self.complain("no_fault", &place("except"), what, "name it in one of them".to_owned());
        }
    }

    /// A range must not be empty and lie within what the setting itself may be.
    fn range<T: PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        path: &str,
        range: Option<Pair<T>>,
        within: Pair<T>,
    ) {
        let Some([least, most]) = range else { return };
        if least > most {
            let what = format!("the range is empty: {least} is more than {most}");
            let help = "write the least first, then the most; both are in the range".to_owned();
            return self.complain("empty_range", &place(path), what, help);
        }
        let [floor, ceiling] = within;
        let wrong = if least < floor { Some((0, least)) } else { None };
        let wrong = wrong.or((most > ceiling).then_some((1, most)));
        if let Some((index, value)) = wrong {
            let what = format!("{value} is out of range");
            let help = format!("give a value from {floor} to {ceiling}");
            self.complain("out_of_range", &place(path).at(index), what, help);
        }
    }

    fn numbers(&mut self, spec: &SwarmSpec) {
        let SwarmSpec { topology, workload, pipeline, .. } = spec;
        /// Key, what it says, what it may say.
        type Within = (&'static str, Option<Pair<u32>>, Pair<u32>);
        let within: [Within; 11] = [
            ("count", Some(spec.count), [0, 100]),
            ("topology.clusters", topology.clusters, [1, 6]),
            ("topology.brokers", topology.brokers, [1, 1_000]),
            ("topology.topics", topology.topics, [0, 10_000]),
            ("topology.partitions", topology.partitions, [1, 1_000]),
            ("topology.replication", topology.replication, [1, 9]),
            ("topology.groups", topology.groups, [0, 10_000]),
            ("workload.messages_per_second", workload.messages_per_second, [0, 1_000_000]),
            ("pipeline.batch_events", pipeline.batch_events, [1, 2_000]),
            ("pipeline.buffer_events", pipeline.buffer_events, [1, u32::MAX]),
            ("pipeline.failure_threshold", pipeline.failure_threshold, [1, 1_000]),
        ];
        for (path, range, within) in within {
            self.range(path, range, within);
        }
        self.range("pipeline.success_threshold", pipeline.success_threshold, [1, 1_000]);
    }

    fn times(&mut self, spec: &SwarmSpec) {
        use crate::config::quantity::DurationText as Text;
        let day = Text::from_secs(86_400);
        let least = Text::from_millis(1);
        let ranges = [
            ("storm", spec.storm, least),
            ("lasts", Some(spec.lasts), least),
            ("network.latency", spec.network.latency, Text::from_millis(0)),
            ("network.jitter", spec.network.jitter, Text::from_millis(0)),
            ("newrelic.synthesis_lag", spec.newrelic.synthesis_lag, Text::from_millis(0)),
            ("pipeline.interval", spec.pipeline.interval, Text::from_secs(1)),
            ("pipeline.request_timeout", spec.pipeline.request_timeout, least),
            ("pipeline.spool_age_max", spec.pipeline.spool_age_max, least),
            ("pipeline.retry_delay", spec.pipeline.retry_delay, least),
        ];
        for (path, range, least) in ranges {
            self.range(path, range, [least, day]);
        }
    }

    fn sizes(&mut self, spec: &SwarmSpec) {
        use crate::config::quantity::SizeText as Text;
        let pipeline = &spec.pipeline;
        self.range("pipeline.batch_bytes", pipeline.batch_bytes, [Text(1_000), Text(16_000_000)]);
        self.range("pipeline.spool_size_max", pipeline.spool_size_max, [Text(1), Text(1 << 40)]);
        self.range("pipeline.memory_max", pipeline.memory_max, [Text(1_000), Text(1 << 40)]);
    }

    /// The shortest fault must fit.
    fn storm(&mut self, spec: &SwarmSpec) {
        let Some([from, to]) = spec.storm.filter(|[from, to]| from <= to) else { return };
        let room = to.0.saturating_sub(from.0);
        if spec.lasts[0].0 > room && spec.count[1] > 0 {
            let what = format!("the shortest fault lasts {}, longer than the storm", spec.lasts[0]);
            let help = "lengthen `storm`, or lower the first value of `lasts`".to_owned();
            self.complain("storm", &place("storm"), what, help);
        }
    }
}
