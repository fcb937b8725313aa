//! What a schema cannot say of a scenario: names that must exist, times that must fit.

use std::collections::BTreeMap;

use crate::alerts::SettingFault;
use crate::config::toml_file::{Place, Problem, TomlFile, nearest};
use crate::sim::fault::{FaultSpec, FormFault, Object};
use crate::sim::scenario::{KafkaSpec, Scenario};
use crate::sim::swarm;
use crate::sim::time::SimTime;
use crate::sometimes::{MARKS, mark};

/// Names must be usable as host names.
fn is_host_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= 40
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Everything impossible about `scenario`, in the order of the file.
pub fn problems(file: &TomlFile, scenario: &Scenario) -> Vec<Problem> {
    let mut problems = Vec::new();
    topology(file, scenario, &mut problems);
    pipeline(file, scenario, &mut problems);
    hybrid(file, scenario, &mut problems);
    problems.extend(scenario.pipeline.extensions(file).err().into_iter().flatten());
    faults(file, scenario, &mut problems);
    times(file, scenario, &mut problems);
    alerts(file, scenario, &mut problems);
    situations(file, scenario, &mut problems);
    problems.extend(swarm::rules::problems(file, scenario));
    problems
}

fn topology(file: &TomlFile, scenario: &Scenario, problems: &mut Vec<Problem>) {
    let root = Place::root();
    if scenario.kafka.is_empty() {
        problems.push(file.problem(
            "no_cluster",
            &root.key("kafka"),
            "the scenario has no cluster",
            "add a table such as [kafka.orders]",
        ));
    }
    for (cluster, spec) in &scenario.kafka {
        let place = root.key("kafka").key(cluster);
        if !is_host_label(cluster) || ["newrelic", "pipeline"].contains(&cluster.as_str()) {
            problems.push(file.problem(
                "cluster_name",
                &place,
                format!("`{cluster}` cannot be part of a host name"),
                "use up to 40 lower-case letters, digits and inner hyphens",
            ));
        }
        if spec.replication > spec.brokers {
            problems.push(file.problem(
                "replication",
                &place.key("replication"),
                format!("{} replicas need as many brokers, not {}", spec.replication, spec.brokers),
                format!("set replication to at most {} or add brokers", spec.brokers),
            ));
        }
        if let Err(error) = spec.fleet(cluster).validate()
            && spec.replication <= spec.brokers
            && is_host_label(cluster)
        {
            let help = "fleets of this size or name are not simulated";
            problems.push(file.problem("fleet", &place, error.to_string(), help));
        }
        growth(file, &place, spec, problems);
        if spec.groups > 0 && spec.topics == 0 {
            problems.push(file.problem(
                "groups",
                &place.key("groups"),
                "consumer groups without a topic have nothing to read",
                "add topics, or set groups = 0",
            ));
        }
    }
}

/// Loads and joins of one cluster.
fn growth(file: &TomlFile, place: &Place, spec: &KafkaSpec, problems: &mut Vec<Problem>) {
    for (index, surge) in spec.load.surge.iter().enumerate() {
        let place = place.key("load").key("surge").at(index);
        if surge.lasts.as_millis() == 0 {
            problems.push(file.problem(
                "surge",
                &place.key("lasts"),
                "a surge that does not last changes nothing",
                "for example lasts = \"5min\"",
            ));
        }
    }
    for (index, pair) in spec.join.windows(2).enumerate() {
        if pair[1].at < pair[0].at {
            problems.push(file.problem(
                "join",
                &place.key("join").at(index + 1).key("at"),
                "brokers cannot join before those with smaller ids",
                "list joins in the order of their times",
            ));
        }
    }
}

/// What is desired can be, and modes change in the order of the file.
fn hybrid(file: &TomlFile, scenario: &Scenario, problems: &mut Vec<Problem>) {
    let Some(spec) = &scenario.pipeline.hybrid else { return };
    let place = Place::root().key("pipeline").key("hybrid");
    for fault in spec.desired(scenario).err().into_iter().flatten() {
        let list = place.key("also").key(fault.list.key());
        let place = list.at(fault.index).key(fault.field);
        problems.push(file.problem(fault.rule, &place, fault.message, fault.help));
    }
    if spec.tolerance.0.is_zero() {
        problems.push(file.problem(
            "tolerance",
            &place.key("tolerance"),
            "without tolerance every entity is stale at once",
            "set tolerance to some cycles, for example tolerance = \"1min\"",
        ));
    }
    for (index, pair) in spec.switch.windows(2).enumerate() {
        if pair[1].at < pair[0].at {
            problems.push(file.problem(
                "switch",
                &place.key("switch").at(index + 1).key("at"),
                "modes cannot change backwards in time",
                "list changes of mode in the order of their times",
            ));
        }
    }
}

fn pipeline(file: &TomlFile, scenario: &Scenario, problems: &mut Vec<Problem>) {
    let place = Place::root().key("pipeline");
    let spec = &scenario.pipeline;
    if spec.interval.as_millis() < 1_000 {
        problems.push(file.problem(
            "interval",
            &place.key("interval"),
            "cycles cannot follow each other faster than once a second",
            "set interval to 1s or more",
        ));
    }
    if !(1..=9_999_999_999).contains(&spec.account_id) {
        problems.push(file.problem(
            "account_id",
            &place.key("account_id"),
            "a New Relic account id has one to ten digits and no leading zero",
            "for example account_id = 1234567",
        ));
    }
    if scenario.start.parse::<jiff::Timestamp>().is_err() {
        problems.push(file.problem(
            "start",
            &Place::root().key("start"),
            format!("`{}` is not an instant", scenario.start),
            "write it as 2026-03-02T09:00:00Z",
        ));
    }
    if !(0.0..=0.1).contains(&scenario.expect.relative_error_max) {
        problems.push(file.problem(
            "relative_error_max",
            &Place::root().key("expect").key("relative_error_max"),
            "a relative error lies between 0 and 0.1",
            "for example 1e-9",
        ));
    }
    let caps = [
        ("memory_max", spec.memory_max.0 < spec.batch_bytes.0, "batch_bytes"),
        ("buffer_events", spec.buffer_events < spec.batch_events, "batch_events"),
    ];
    for (key, is_less, least) in caps {
        if is_less {
            problems.push(file.problem(
                key,
                &place.key(key),
                "memory must hold one whole batch",
                format!("set {key} to {least} or more"),
            ));
        }
    }
    if scenario.newrelic.synthesis_lag_min > scenario.newrelic.synthesis_lag_max {
        problems.push(file.problem(
            "synthesis_lag",
            &Place::root().key("newrelic").key("synthesis_lag_min"),
            "the shortest lag is longer than the longest",
            "set synthesis_lag_min to at most synthesis_lag_max",
        ));
    }
}

fn alerts(file: &TomlFile, scenario: &Scenario, problems: &mut Vec<Problem>) {
    let Some(settings) = &scenario.newrelic.alerts else { return };
    let faults = crate::alerts::plan(settings).err().unwrap_or_default();
    let root = Place::root().key("newrelic").key("alerts");
    problems.extend(faults.into_iter().map(|fault| {
        let SettingFault { table, key, message, help } = fault;
        let place = match table {
            Some((table, index)) => root.key(table).at(index),
            None => root.clone(),
        };
        file.problem("alert_rule", &place.key(key), message, help)
    }));
}

fn faults(file: &TomlFile, scenario: &Scenario, problems: &mut Vec<Problem>) {
    let later = scenario.later_starts();
    let mut busy: BTreeMap<String, SimTime> = BTreeMap::new();
    let mut ordered: Vec<(usize, &FaultSpec)> = scenario.fault.iter().enumerate().collect();
    ordered.sort_by_key(|(_, spec)| spec.at);
    for (index, spec) in ordered {
        let place = Place::root().key("fault").at(index);
        let kind = spec.entry().map_or(place.clone(), |entry| place.key(entry.name));
        let absent = absent(file, scenario, &kind, spec);
        // A name that nobody has is no broker's either.
        if absent.is_empty() {
            problems.extend(spec.faults_of_form().into_iter().map(|fault| {
                let FormFault { rule, keys, message, help } = fault;
                let place = keys.iter().fold(place.clone(), |place, key| place.key(*key));
                file.problem(rule, &place, message, help)
            }));
        }
        problems.extend(absent);
        for (key, host) in spec.hosts() {
            let Some(joins) = later.get(&host).filter(|at| SimTime::from(spec.at.0) < **at) else {
                continue;
            };
            problems.push(file.problem(
                "not_joined",
                &kind.key(key),
                format!("`{host}` joins at {joins} and is not there before"),
                "let the fault begin after that",
            ));
        }
        let Some(fault) = spec.fault(&scenario.network) else { continue };
        let target = spec.target();
        if busy.get(&target).is_some_and(|until| fault.from < *until) {
            problems.push(file.problem(
                "overlap",
                &place,
                format!("a fault of {target} begins while an earlier one is in force"),
                "let the earlier one end first",
            ));
        }
        busy.insert(target, fault.to);
    }
}

/// What a fault at `place` names and the scenario does not have.
fn absent(file: &TomlFile, scenario: &Scenario, place: &Place, spec: &FaultSpec) -> Vec<Problem> {
    let known = scenario.hosts();
    let hosts = spec.hosts().into_iter().filter(|(_, host)| !known.contains(host));
    let hosts = hosts.map(|(key, host)| {
        let near = nearest(&host, known.iter().map(String::as_str));
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        let help = format!("{near}hosts are {}", some_of(&known));
        let message = format!("no host is called `{host}`");
        file.problem("unknown_host", &place.key(key), message, help)
    });
    let objects = spec.objects().into_iter();
    let objects = objects
        .filter_map(|(key, object)| unknown_object(file, scenario, &object, &place.key(key)));
    hosts.chain(objects).collect()
}

/// The first of many names.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 12;
    match names.len() {
        count if count > MOST => format!("{}, … ({count})", names[..MOST].join(", ")),
        _ => names.join(", "),
    }
}

/// What is wrong with a fault's object at `place`, if the scenario has none of that name.
fn unknown_object(
    file: &TomlFile,
    scenario: &Scenario,
    object: &Object,
    place: &Place,
) -> Option<Problem> {
    let unknown = |rule: &'static str, what: &str, name: &str, known: &[String]| {
        let near = nearest(name, known.iter().map(String::as_str));
        let some = some_of(known);
        let help = match near {
            _ if known.is_empty() => format!("the cluster has no {what}s"),
            Some(near) => format!("did you mean `{near}`? {what}s are {some}"),
            None => format!("{what}s are {some}"),
        };
        Some(file.problem(rule, place, format!("no {what} is called `{name}`"), help))
    };
    let (Object::Cluster(cluster) | Object::Topic { cluster, .. } | Object::Group { cluster, .. }) =
        object;
    let Some(spec) = scenario.kafka.get(cluster) else {
        let known: Vec<String> = scenario.kafka.keys().cloned().collect();
        // Said once, where the cluster is named.
        return match object {
            Object::Cluster(_) => unknown("unknown_cluster", "cluster", cluster, &known),
            _ => None,
        };
    };
    let (rule, what, name, known) = match object {
        Object::Cluster(_) => return None,
        Object::Topic { topic, .. } => ("unknown_topic", "topic", topic, spec.topic_names()),
        Object::Group { group, .. } => ("unknown_group", "group", group, spec.group_names()),
    };
    if known.contains(name) { None } else { unknown(rule, what, name, &known) }
}

fn times(file: &TomlFile, scenario: &Scenario, problems: &mut Vec<Problem>) {
    let (heal, settle) = (scenario.heal(), scenario.settle_time());
    if heal + settle > scenario.end() {
        let needed = (heal + settle).as_millis().div_ceil(1_000);
        problems.push(file.problem(
            "too_short",
            &Place::root().key("duration"),
            format!(
                "the last fault ends at {heal}; the run ends at {}, too early to converge",
                scenario.end()
            ),
            format!("set duration to {needed}s or more"),
        ));
    }
}

/// Situations that a sweep must meet are marks of the code, each listed once.
fn situations(file: &TomlFile, scenario: &Scenario, problems: &mut Vec<Problem>) {
    for (index, name) in scenario.sometimes.iter().enumerate() {
        let place = Place::root().key("sometimes").at(index);
        if scenario.sometimes.iter().take(index).any(|earlier| earlier == name) {
            let message = format!("`{name}` is listed twice");
            problems.push(file.problem("situation", &place, message, "delete one of them"));
        } else if mark(name).is_none() {
            let near = nearest(name, MARKS.iter().map(|mark| mark.name));
            let list = "`shakedown marks` lists them";
            let help = near
                .map_or_else(|| list.to_owned(), |near| format!("did you mean `{near}`? {list}"));
            let message = format!("no mark is called `{name}`");
            problems.push(file.problem("situation", &place, message, help));
        }
    }
}
