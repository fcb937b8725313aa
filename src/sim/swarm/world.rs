//! What the seed decides before anything goes wrong: how large the fleet is, what it does, and how
//! the pipeline is set.

use super::dice::Dice;
use super::spec::{Pair, PipelineSwarm, SwarmSpec, TopologySwarm};
use crate::config::quantity::{DurationText, SizeText};
use crate::sim::scenario::{KafkaSpec, PipelineSpec, Scenario};
use crate::sim::seed::Seed;

/// Names of clusters beyond those that the scenario has.
const CLUSTERS: [&str; 6] = ["orders", "payments", "stock", "audit", "search", "billing"];

/// Draws every setting of one part from a stream of its own: `pipeline/interval`.
struct Settings<'a> {
    seed: Seed,
    part: &'a str,
}

impl Settings<'_> {
    fn dice(&self, setting: &str) -> Dice {
        Dice::new(self.seed, &format!("{}/{setting}", self.part))
    }

    fn number(&self, setting: &str, range: Option<Pair<u32>>, usual: &mut u32) {
        if let Some([least, most]) = range {
            let drawn = self.dice(setting).wide(least.into(), most.into());
            *usual = u32::try_from(drawn).unwrap_or(most);
        }
    }

    fn time(&self, setting: &str, range: Option<Pair<DurationText>>, usual: &mut DurationText) {
        if let Some([least, most]) = range {
            let drawn = self.dice(setting).wide(least.as_millis(), most.as_millis());
            *usual = DurationText::from_millis(drawn);
        }
    }

    fn size(&self, setting: &str, range: Option<Pair<SizeText>>, usual: &mut SizeText) {
        if let Some([least, most]) = range {
            *usual = SizeText(self.dice(setting).wide(least.0, most.0));
        }
    }

    fn coin(&self, setting: &str, share: Option<f64>, usual: &mut bool) {
        if let Some(share) = share {
            *usual = self.dice(setting).chance(share);
        }
    }
}

/// Draws everything that `spec` leaves open, faults and the run's length apart.
pub fn draw(scenario: &mut Scenario, spec: &SwarmSpec, seed: Seed) {
    topology(scenario, &spec.topology, seed);
    workload(scenario, spec, seed);
    let links = Settings { seed, part: "network" };
    links.time("latency", spec.network.latency, &mut scenario.network.latency);
    links.time("jitter", spec.network.jitter, &mut scenario.network.jitter);
    newrelic(scenario, spec, seed);
    pipeline(&mut scenario.pipeline, &spec.pipeline, seed);
}

fn topology(scenario: &mut Scenario, spec: &TopologySwarm, seed: Seed) {
    let template = scenario.kafka.values().next().cloned().unwrap_or_default();
    let own: Vec<String> = scenario.kafka.keys().cloned().collect();
    let mut count = u32::try_from(own.len()).unwrap_or(u32::MAX);
    let clusters = Settings { seed, part: "topology" };
    clusters.number("clusters", spec.clusters, &mut count);
    let others = CLUSTERS.iter().map(|name| (*name).to_owned());
    let others = others.filter(|name| !own.contains(name));
    let chosen: Vec<String> =
        own.iter().cloned().chain(others).take(count.max(1) as usize).collect();
    scenario.kafka.retain(|name, _| chosen.contains(name));
    for name in chosen {
        scenario.kafka.entry(name).or_insert_with(|| template.clone());
    }
    for (name, cluster) in &mut scenario.kafka {
        sizes(cluster, spec, &Settings { seed, part: &format!("topology/{name}") });
    }
}

fn sizes(cluster: &mut KafkaSpec, spec: &TopologySwarm, settings: &Settings<'_>) {
    settings.number("brokers", spec.brokers, &mut cluster.brokers);
    settings.number("topics", spec.topics, &mut cluster.topics);
    settings.number("partitions", spec.partitions, &mut cluster.partitions);
    settings.number("replication", spec.replication, &mut cluster.replication);
    settings.number("groups", spec.groups, &mut cluster.groups);
    settings.coin("jmx", spec.jmx, &mut cluster.jmx);
    // Whatever was drawn for each, together they must be possible.
    cluster.replication = cluster.replication.min(cluster.brokers);
    if cluster.topics == 0 {
        cluster.groups = 0;
    }
}

fn workload(scenario: &mut Scenario, spec: &SwarmSpec, seed: Seed) {
    for (name, cluster) in &mut scenario.kafka {
        let settings = Settings { seed, part: &format!("workload/{name}") };
        let mut rate = 0;
        settings.number("messages_per_second", spec.workload.messages_per_second, &mut rate);
        if spec.workload.messages_per_second.is_some() {
            cluster.messages_per_second = rate.into();
        }
    }
    if spec.workload.any_hour {
        let second = i64::try_from(Dice::new(seed, "workload/start").below(86_400)).unwrap_or(0);
        let day = scenario.epoch().0.div_euclid(86_400_000) * 86_400;
        if let Ok(start) = jiff::Timestamp::from_second(day + second) {
            scenario.start = start.to_string();
        }
    }
}

fn newrelic(scenario: &mut Scenario, spec: &SwarmSpec, seed: Seed) {
    let settings = Settings { seed, part: "newrelic" };
    let lag = spec.newrelic.synthesis_lag;
    let times = &mut scenario.newrelic;
    settings.time("synthesis_lag/one", lag, &mut times.synthesis_lag_min);
    settings.time("synthesis_lag/other", lag, &mut times.synthesis_lag_max);
    if times.synthesis_lag_min > times.synthesis_lag_max {
        std::mem::swap(&mut times.synthesis_lag_min, &mut times.synthesis_lag_max);
    }
}

fn pipeline(pipeline: &mut PipelineSpec, spec: &PipelineSwarm, seed: Seed) {
    let settings = Settings { seed, part: "pipeline" };
    settings.time("interval", spec.interval, &mut pipeline.interval);
    let seconds = pipeline.interval.as_millis().div_ceil(1_000).max(1);
    pipeline.interval = DurationText::from_secs(seconds);
    settings.number("batch_events", spec.batch_events, &mut pipeline.batch_events);
    settings.size("batch_bytes", spec.batch_bytes, &mut pipeline.batch_bytes);
    settings.number("buffer_events", spec.buffer_events, &mut pipeline.buffer_events);
    settings.time("request_timeout", spec.request_timeout, &mut pipeline.request_timeout);
    settings.coin("spool", spec.spool, &mut pipeline.spool);
    settings.size("spool_size_max", spec.spool_size_max, &mut pipeline.spool_size_max);
    settings.time("spool_age_max", spec.spool_age_max, &mut pipeline.spool_age_max);
    settings.size("memory_max", spec.memory_max, &mut pipeline.memory_max);
    settings.coin("serves", spec.serves, &mut pipeline.serves);
    let breaker = &mut pipeline.event_api;
    settings.number("failure_threshold", spec.failure_threshold, &mut breaker.failure_threshold);
    settings.number("success_threshold", spec.success_threshold, &mut breaker.success_threshold);
    settings.time("retry_delay", spec.retry_delay, &mut breaker.retry_delay);
    // Memory holds one whole batch, whatever was drawn for each.
    pipeline.buffer_events = pipeline.buffer_events.max(pipeline.batch_events);
    pipeline.memory_max = pipeline.memory_max.max(pipeline.batch_bytes);
}
