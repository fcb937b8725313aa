//! Specifications to programs, with every problem at once.

use std::collections::BTreeMap;
use std::ops::Range;

use super::expression::{Node, Type, read};
use super::names::{Names, check_name, kind_word};
use super::{
    Compiled, CustomMetrics, Fault, Form, Level, METRICS_MAX, MetricSpec, Program, SpecProblem,
    Surroundings,
};
use crate::domain::attribute::ATTRIBUTES;
use crate::domain::entity::EntityKind;
use crate::domain::metric::CATALOGUE;
use crate::nrql::NrqlError;

/// Attributes of an event, and those among them that are neither metrics nor in a table.
const EVENT_ATTRIBUTES: usize = 255;
const COMMON_ATTRIBUTES: usize = 14;

/// The metrics that `specs` describe.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn compile(
    specs: &[MetricSpec],
    surroundings: &Surroundings,
) -> Result<CustomMetrics, Vec<SpecProblem>> {
    let mut compiler = Compiler { specs, surroundings, problems: Vec::new() };
    let programs = compiler.programs();
    compiler.limits();
    let order = compiler.order(&programs);
    if !compiler.problems.is_empty() {
        return Err(compiler.problems);
    }
    let mut metrics = CustomMetrics::default();
    let mut programs: BTreeMap<usize, Compiled> = programs;
    for place in order {
        if let Some(form) = programs.remove(&place) {
            let spec = &specs[place];
            let name = spec.name.as_str().into();
            metrics.by_kind[spec.entity as usize].push(Program { name, form });
        }
    }
    Ok(metrics)
}

struct Compiler<'a> {
    specs: &'a [MetricSpec],
    surroundings: &'a Surroundings,
    problems: Vec<SpecProblem>,
}

impl Compiler<'_> {
    fn report(&mut self, metric: usize, fault: Fault, message: String, help: &str) {
        self.problems.push(SpecProblem { metric, fault, message, help: help.to_owned() });
    }

    /// Every metric that compiles, by its place.
    fn programs(&mut self) -> BTreeMap<usize, Compiled> {
        let specs = self.specs;
        let mut programs = BTreeMap::new();
        for (place, spec) in specs.iter().enumerate() {
            self.name(place, spec);
            let form = match &spec.form {
                Form::Calculation { expression } => {
                    self.expression(place, expression, Fault::Expression).map(Compiled::Calculation)
                }
                Form::Composite { parts } => {
                    let mut compiled = Vec::new();
                    for (number, part) in parts.iter().enumerate() {
                        let fault = |span| Fault::Part(number, span);
                        let node = self.expression(place, &part.expression, fault);
                        if !(part.weight > 0.0 && part.weight.is_finite()) {
                            let message = format!("the weight is {}", part.weight);
                            let help = "give a number above 0; what counts is its share of the sum";
                            self.report(place, Fault::Weight(number), message, help);
                        }
                        compiled.extend(node.map(|node| (node, part.weight)));
                    }
                    if parts.is_empty() {
                        let message = "a composite without parts".to_owned();
                        let help = "for example parts = [{ expression = \"…\", weight = 0.5 }]";
                        self.report(place, Fault::Whole, message, help);
                    }
                    (compiled.len() == parts.len()).then_some(Compiled::Composite(compiled))
                }
                Form::Threshold { expression, levels, otherwise } => {
                    let node = self.expression(place, expression, Fault::Expression);
                    let levels = self.levels(place, levels);
                    node.map(|node| Compiled::Threshold(node, levels, *otherwise))
                }
            };
            programs.extend(form.map(|form| (place, form)));
        }
        programs
    }

    fn name(&mut self, place: usize, spec: &MetricSpec) {
        if let Err((message, help)) = check_name(spec.entity, &spec.name) {
            self.report(place, Fault::Name, message, &help);
        }
        let same = |other: &MetricSpec| other.entity == spec.entity && other.name == spec.name;
        if self.specs[..place].iter().any(same) {
            let (kind, name) = (kind_word(spec.entity), &spec.name);
            let message = format!("a metric `{name}` of a {kind} is defined already");
            self.report(place, Fault::Name, message, "rename or remove one");
        }
        let mapped = (spec.entity, spec.name.clone());
        if self.surroundings.mapped.contains(&mapped) {
            let message = format!("a mapping brings in `{}` already", spec.name);
            self.report(place, Fault::Name, message, "rename the metric or the mapping's target");
        }
    }

    /// Levels from the highest down.
    fn levels(&mut self, place: usize, levels: &[Level]) -> Vec<Level> {
        if levels.is_empty() {
            let message = "a threshold without levels".to_owned();
            let help = "for example levels = [{ at_least = 90, value = 0 }]";
            self.report(place, Fault::Whole, message, help);
        }
        for (number, level) in levels.iter().enumerate() {
            if levels[..number].iter().any(|other| other.at_least == level.at_least) {
                let message = format!("two levels begin at {}", level.at_least);
                self.report(place, Fault::Level(number), message, "remove one");
            }
            if !(level.at_least.is_finite() && level.value.is_finite()) {
                let message = "a level that is no finite number".to_owned();
                self.report(place, Fault::Level(number), message, "for example at_least = 90");
            }
        }
        let mut sorted = levels.to_vec();
        sorted.sort_by(|left, right| right.at_least.total_cmp(&left.at_least));
        sorted
    }

    fn expression(
        &mut self,
        place: usize,
        text: &str,
        fault: impl Fn(Option<Range<usize>>) -> Fault,
    ) -> Option<Node> {
        let custom: Vec<(EntityKind, &str)> =
            self.specs.iter().map(|spec| (spec.entity, spec.name.as_str())).collect();
        let kind = self.specs[place].entity;
        let names = Names { kind, surroundings: self.surroundings, custom: &custom };
        match read(text, &names) {
            Ok((node, Type::Number | Type::Flag)) => Some(node),
            Ok((_, Type::Text)) => {
                let message = "the expression gives a text, not a number".to_owned();
                let help = "compare it (`state = 'Stable'`), or read it with numeric(…)";
                self.report(place, fault(None), message, help);
                None
            }
            Err(NrqlError { message, span, help, .. }) => {
                let help = help.unwrap_or_else(|| "the language is that of NRQL".to_owned());
                let span = span.map(|span| span.start..span.end);
                self.report(place, fault(span), message, &help);
                None
            }
        }
    }

    /// Whether all metrics fit into an event beside the tables' and the tags.
    fn limits(&mut self) {
        if self.specs.len() > METRICS_MAX {
            let message = format!("there are {} custom metrics", self.specs.len());
            let help = format!("at most {METRICS_MAX} are allowed");
            self.report(METRICS_MAX, Fault::Whole, message, &help);
        }
        for kind in EntityKind::ALL {
            let is_of = |spec: &&MetricSpec| spec.entity == kind;
            let own = self.specs.iter().filter(is_of).count();
            let mapped = self.surroundings.mapped.iter().filter(|(of, _)| *of == kind).count();
            let tables = CATALOGUE[kind as usize].len()
                + ATTRIBUTES.iter().filter(|def| def.entity == kind).count();
            let tags = self.surroundings.tags.len();
            let all = COMMON_ATTRIBUTES + tables + tags + own + mapped;
            let last = self.specs.iter().rposition(|spec| spec.entity == kind);
            if let Some(last) = last.filter(|_| all > EVENT_ATTRIBUTES) {
                let message = format!(
                    "an event of a {} could have {all} attributes, at most {EVENT_ATTRIBUTES} are \
                     allowed",
                    kind_word(kind)
                );
                self.report(last, Fault::Whole, message, "remove metrics or tags");
            }
        }
    }

    /// An order in which each metric comes behind those of its own kind that it needs.
    fn order(&mut self, programs: &BTreeMap<usize, Compiled>) -> Vec<usize> {
        let needs: BTreeMap<usize, Vec<usize>> =
            programs.iter().map(|(place, form)| (*place, self.needs(*place, form))).collect();
        let mut order: Vec<usize> = Vec::new();
        let mut left: Vec<usize> = programs.keys().copied().collect();
        loop {
            let ready = |place: &usize| {
                let mut needs = needs.get(place).into_iter().flatten();
                // What did not compile has been reported, and holds nobody up.
                needs.all(|need| order.contains(need) || !programs.contains_key(need))
            };
            let (ready, rest): (Vec<usize>, Vec<usize>) = left.iter().partition(|p| ready(p));
            if ready.is_empty() {
                break;
            }
            order.extend(ready);
            left = rest;
        }
        for place in left {
            if let Some(path) = cycle(place, &needs) {
                let names: Vec<_> = path.iter().map(|at| self.specs[*at].name.as_str()).collect();
                let message = format!("the metric needs itself: {}", names.join(" → "));
                self.report(place, Fault::Whole, message, "leave one of these names out");
            }
        }
        order
    }

    /// Places of the metrics of the same entity that `form` needs.
    fn needs(&self, place: usize, form: &Compiled) -> Vec<usize> {
        let kind = self.specs[place].entity;
        let mut needs = Vec::new();
        let mut take = |name: &str| {
            let same = |spec: &MetricSpec| spec.entity == kind && spec.name == name;
            needs.extend(self.specs.iter().position(same));
        };
        match form {
            Compiled::Calculation(node) | Compiled::Threshold(node, ..) => {
                node.each_extra(&mut take);
            }
            Compiled::Composite(parts) => {
                parts.iter().for_each(|(node, _)| node.each_extra(&mut take));
            }
        }
        needs
    }
}

/// The way from `place` back to itself, if there is one.
fn cycle(place: usize, needs: &BTreeMap<usize, Vec<usize>>) -> Option<Vec<usize>> {
    let mut paths = vec![vec![place]];
    let mut seen = Vec::new();
    while let Some(path) = paths.pop() {
        let last = *path.last()?;
        for need in needs.get(&last).into_iter().flatten() {
            let mut longer = path.clone();
            longer.push(*need);
            if *need == place {
                return Some(longer);
            }
            if !seen.contains(need) {
                seen.push(*need);
                paths.push(longer);
            }
        }
    }
    None
}
