//! The tables of `schema::extensions`, resolved and checked, wherever they stand: in a
//! `pipeline.toml` or in a scenario.
//!
//! Invariant: what passes can be built and run; every problem of all tables is told at once, each
//! at its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lookup_file::{self, Files};
use super::quantity::DurationText;
use super::schema::{
    CombineWord, EntityWord, HookTable, LookupTable, MappingTable, MetricTable, OnErrorWord,
    OriginWord, PerWord, PointWord, RelabelAction, RelabelTable, SubjectWord, WindowsTable,
};
use super::toml_file::{Place, Problem, TomlFile};
use crate::aggregate::window::WindowConfig;
use crate::custom_metrics::{
    CustomMetrics, Fault, Form, Level, MetricSpec, PartSpec, SpecProblem, Surroundings, check_name,
    compile, is_event_name, kind_word,
};
use crate::domain::entity::EntityKind;
use crate::domain::extra::Combine;
use crate::domain::metric::{MetricId, Source};
use crate::domain::sample::{Origin, SubjectKind};
use crate::hooks::{
    Action, Condition, Lookup, OnError, Pattern, Per, Point, RateLimit, Relabel, RelabelRule,
    StaticTags, StepAction, StepSpec, Validation, Values,
};
use crate::resilience::limiter::LimiterConfig;
use crate::transform::{
    CustomMapping, CustomMappings, MappingTarget, conversion, unit_word, unit_words,
};

const HOUR_MS: u128 = 3_600_000;

/// What users add to the pipeline.
#[derive(Debug, Clone, Default)]
pub struct Extensions {
    /// Windows; `None` when switched off.
    pub windows: Option<WindowConfig>,
    /// Metrics of their own.
    pub metrics: Arc<CustomMetrics>,
    /// Mappings of their own.
    pub mappings: Arc<CustomMappings>,
    /// Steps around the stages, in order.
    pub hooks: Vec<StepSpec>,
}

/// The tables as written, and what they meet.
#[derive(Debug, Clone, Copy)]
pub struct ExtensionTables<'t> {
    /// Where they stand.
    pub place: &'t Place,
    /// `[windows]`.
    pub windows: &'t WindowsTable,
    /// `[[metric]]`.
    pub metrics: &'t [MetricTable],
    /// `[[mapping]]`.
    pub mappings: &'t [MappingTable],
    /// `[[hook]]`.
    pub hooks: &'t [HookTable],
    /// Tags of all entities.
    pub tags: &'t BTreeMap<String, String>,
    /// The environment of all events.
    pub environment: Option<&'t str>,
}

/// Resolves and checks `tables` of `file`; `files` reads the files that they name, and is `None`
/// where everything must stand in `file` itself.
///
/// # Errors
/// Every problem, at its place.
pub fn resolve(
    file: &TomlFile,
    tables: ExtensionTables<'_>,
    files: Option<Files<'_>>,
) -> Result<Extensions, Vec<Problem>> {
    let mut resolver = Resolver { file, tables, files, problems: Vec::new() };
    let windows = resolver.windows();
    let (mappings, mapped) = resolver.mappings();
    let metrics = resolver.metrics(&mapped);
    let hooks = resolver.hooks();
    if resolver.problems.is_empty() {
        let (metrics, mappings) = (Arc::new(metrics), Arc::new(mappings));
        return Ok(Extensions { windows, metrics, mappings, hooks });
    }
    Err(resolver.problems)
}

struct Resolver<'a> {
    file: &'a TomlFile,
    tables: ExtensionTables<'a>,
    files: Option<Files<'a>>,
    problems: Vec<Problem>,
}

/// The kind of entity that a word names.
pub(super) const fn kind_of(word: EntityWord) -> EntityKind {
    match word {
        EntityWord::Cluster => EntityKind::Cluster,
        EntityWord::Broker => EntityKind::Broker,
        EntityWord::Topic => EntityKind::Topic,
        EntityWord::Queue => EntityKind::Queue,
        EntityWord::Group => EntityKind::ConsumerGroup,
    }
}

const fn subject_of(word: SubjectWord) -> (SubjectKind, EntityKind) {
    match word {
        SubjectWord::Cluster => (SubjectKind::Cluster, EntityKind::Cluster),
        SubjectWord::Broker => (SubjectKind::Broker, EntityKind::Broker),
        SubjectWord::Topic => (SubjectKind::Topic, EntityKind::Topic),
        SubjectWord::TopicOnBroker => (SubjectKind::TopicOnBroker, EntityKind::Topic),
        SubjectWord::Group => (SubjectKind::Group, EntityKind::ConsumerGroup),
        SubjectWord::GroupTopic => (SubjectKind::GroupTopic, EntityKind::ConsumerGroup),
        SubjectWord::GroupPartition => (SubjectKind::GroupPartition, EntityKind::ConsumerGroup),
    }
}

/// The kind of entity that samples about `subject` tell of.
pub const fn entity_of(subject: SubjectWord) -> EntityKind {
    subject_of(subject).1
}

impl Resolver<'_> {
    fn report(&mut self, rule: &'static str, place: &Place, message: String, help: &str) {
        self.problems.push(self.file.problem(rule, place, message, help));
    }

    fn windows(&mut self) -> Option<WindowConfig> {
        let table = self.tables.windows;
        let place = self.tables.place.key("windows");
        let mut millis = |key: &str, duration: DurationText, least: u128| {
            let ms = duration.0.as_millis();
            if !(least..=HOUR_MS).contains(&ms) {
                let message = format!("`{key}` is {duration}");
                let help = if least == 0 { "allowed: 0s to 1h" } else { "allowed: 1s to 1h" };
                self.report("out_of_range", &place.key(key), message, help);
            }
            i64::try_from(ms).unwrap_or(i64::MAX)
        };
        let size_ms = millis("size", table.size, 1_000);
        let lateness_ms = millis("lateness", table.lateness, 0);
        let config = WindowConfig { size_ms, lateness_ms, groups_max: table.groups_max };
        table.enabled.then_some(config)
    }

    fn mappings(&mut self) -> (CustomMappings, Vec<(EntityKind, String)>) {
        let (mut mappings, mut mapped) = (Vec::new(), Vec::new());
        let mut targets: Vec<(OriginWord, SubjectWord, &str)> = Vec::new();
        for (index, table) in self.tables.mappings.iter().enumerate() {
            let place = self.tables.place.key("mapping").at(index);
            let (subject, kind) = subject_of(table.subject);
            let origin = match table.origin {
                OriginWord::Kafka => Origin::Kafka,
                OriginWord::NriKafka => Origin::NriKafka,
            };
            let known = MetricId::lookup(kind, &table.target);
            if known.is_none()
                && let Err((message, help)) = check_name(kind, &table.target)
            {
                self.report("invalid_value", &place.key("target"), message, &help);
            }
            let target = (table.origin, table.subject, table.target.as_str());
            if targets.contains(&target) {
                let message = format!("`{}` is the target of another mapping", table.target);
                let help = "give that one all source names, best first, or another target";
                self.report("duplicate", &place.key("target"), message, help);
            }
            targets.push(target);
            if known.is_some() {
                self.sources(&place, table, origin, subject);
                if table.aggregation != CombineWord::Last {
                    let message = "the catalogue says how its metrics are aggregated".to_owned();
                    let help = "remove `aggregation`, or choose a target of your own";
                    self.report("conflict", &place.key("aggregation"), message, help);
                }
            } else if !mapped.contains(&(kind, table.target.clone())) {
                mapped.push((kind, table.target.clone()));
            }
            let factor = self.factor(&place, table, known);
            let name = table.target.as_str().into();
            let combine = combine_of(table.aggregation);
            mappings.push(CustomMapping {
                origin,
                subject,
                sources: table.source.clone(),
                target: known
                    .map_or(MappingTarget::Custom { name, combine }, MappingTarget::Metric),
                factor,
            });
        }
        (CustomMappings::new(mappings), mapped)
    }

    /// No source of a mapping to the catalogue feeds another of its metrics already.
    fn sources(&mut self, place: &Place, table: &MappingTable, origin: Origin, of: SubjectKind) {
        for (at, name) in table.source.iter().enumerate() {
            let feeds = |id: &MetricId| {
                id.def().sources.iter().any(|source| match source {
                    Source::Field(field) => {
                        (field.origin, field.subject, field.field) == (origin, of, name.as_str())
                    }
                    Source::Formula(_) => false,
                })
            };
            if let Some(id) = MetricId::all().find(feeds) {
                let message = format!("`{name}` feeds `{id}` already");
                let help =
                    "a raw field is one metric of the catalogue; choose a target of your own";
                self.report("duplicate", &place.key("source").at(at), message, help);
            }
        }
    }

    fn factor(&mut self, place: &Place, table: &MappingTable, known: Option<MetricId>) -> f64 {
        if table.scale == 0.0 || !table.scale.is_finite() {
            let message = format!("`scale` is {}", table.scale);
            self.report("out_of_range", &place.key("scale"), message, "give a number but 0");
        }
        let own = known.map(|id| unit_word(id.def().unit));
        let to = match (&table.unit_out, own) {
            (Some(unit), Some(own)) if unit != own => {
                let message = format!("`{}` is in `{own}`, not in `{unit}`", table.target);
                let help = "remove `unit_out`: the catalogue's metrics have their unit";
                self.report("conflict", &place.key("unit_out"), message, help);
                return 1.0;
            }
            (Some(unit), _) => unit.as_str(),
            (None, Some(own)) => own,
            (None, None) => table.unit_in.as_deref().unwrap_or("count"),
        };
        let from = table.unit_in.as_deref().unwrap_or(to);
        for (key, unit) in [("unit_in", from), ("unit_out", to)] {
            if !unit_words().any(|word| word == unit) {
                let message = format!("`{unit}` is no unit");
                let words: Vec<_> = unit_words().map(|word| format!("`{word}`")).collect();
                let help = format!("there are {}", words.join(", "));
                self.report("invalid_value", &place.key(key), message, &help);
                return 1.0;
            }
        }
        let Some(factor) = conversion(from, to) else {
            let message = format!("`{from}` cannot become `{to}`");
            let help = "both must measure the same; `scale` takes any factor";
            self.report("conflict", &place.key("unit_in"), message, help);
            return 1.0;
        };
        factor * table.scale
    }

    fn metrics(&mut self, mapped: &[(EntityKind, String)]) -> CustomMetrics {
        let tables = self.tables.metrics;
        let specs: Vec<MetricSpec> = tables
            .iter()
            .enumerate()
            .map(|(index, table)| MetricSpec {
                name: table.name.clone(),
                entity: kind_of(table.entity),
                form: self.form(index, table),
            })
            .collect();
        let mut tags = self.tables.tags.clone();
        if let Some(environment) = self.tables.environment {
            tags.entry("environment".to_owned()).or_insert_with(|| environment.to_owned());
        }
        let surroundings = Surroundings { tags, mapped: mapped.to_vec() };
        match compile(&specs, &surroundings) {
            Ok(metrics) => metrics,
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.metric_problem(problem));
                CustomMetrics::default()
            }
        }
    }

    fn form(&mut self, index: usize, table: &MetricTable) -> Form {
        let place = self.tables.place.key("metric").at(index);
        let expression = table.expression.clone().unwrap_or_default();
        let levels = table.levels.iter();
        let levels: Vec<_> =
            levels.map(|level| Level { at_least: level.at_least, value: level.value }).collect();
        let parts = table
            .parts
            .iter()
            .map(|part| PartSpec { expression: part.expression.clone(), weight: part.weight });
        match (&table.expression, table.parts.is_empty(), levels.is_empty(), table.otherwise) {
            (None, false, true, None) => return Form::Composite { parts: parts.collect() },
            (Some(_), true, true, None) => {}
            (Some(_), true, false, Some(otherwise)) => {
                return Form::Threshold { expression, levels, otherwise };
            }
            _ => {
                let message = format!("`{}` is of none of the three kinds", table.name);
                let help = "give `expression` alone, `parts` alone, or `expression` with `levels` \
                            and `otherwise`";
                self.report("conflict", &place, message, help);
            }
        }
        // Where something is wrong already, a valid stand-in keeps further problems away.
        let expression = table.expression.clone().unwrap_or_else(|| "0".to_owned());
        Form::Calculation { expression }
    }

    fn metric_problem(&mut self, problem: SpecProblem) {
        let place = self.tables.place.key("metric").at(problem.metric);
        let (place, within) = match problem.fault {
            Fault::Name => (place.key("name"), None),
            Fault::Expression(within) => (place.key("expression"), within),
            Fault::Part(number, within) => {
                (place.key("parts").at(number).key("expression"), within)
            }
            Fault::Weight(number) => (place.key("parts").at(number).key("weight"), None),
            Fault::Level(number) => (place.key("levels").at(number), None),
            Fault::Whole => (place, None),
        };
        let mut problem =
            self.file.problem("invalid_metric", &place, problem.message, &problem.help);
        let text = within.as_ref().and_then(|_| self.file.plain_text(&place));
        if let (Some(within), Some(text)) = (within, text) {
            let end = within.end.max(within.start + 1).min(text.len());
            problem.span = text.start + within.start.min(end)..text.start + end;
        }
        self.problems.push(problem);
    }

    fn hooks(&mut self) -> Vec<StepSpec> {
        let tables = self.tables.hooks;
        let mut steps = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let place = self.tables.place.key("hook").at(index);
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if !table.name.chars().all(plain) {
                let message = format!("`{}` is no name for a hook", table.name);
                let help = "use letters, digits, `-` and `_`";
                self.report("invalid_value", &place.key("name"), message, help);
            }
            if tables[..index].iter().any(|other| other.name == table.name) {
                let message = format!("a hook `{}` exists already", table.name);
                self.report("duplicate", &place.key("name"), message, "rename or remove one");
            }
            let point = match table.at {
                PointWord::BeforeTransform => Point::BeforeTransform,
                PointWord::AfterTransform => Point::AfterTransform,
                PointWord::BeforeStream => Point::BeforeStream,
            };
            let when = table.when.iter().filter_map(|(name, text)| {
                let pattern = self.pattern(&place.key("when").key(name), text)?;
                Some((name.clone(), pattern))
            });
            let when = Condition::new(when.collect());
            let on_error = match table.on_error {
                OnErrorWord::Pass => OnError::Pass,
                OnErrorWord::Drop => OnError::Drop,
                OnErrorWord::FailCycle => OnError::FailCycle,
            };
            if let Some(action) = self.action(&place, table, point) {
                let name = table.name.clone();
                steps.push(StepSpec { name, point, when, on_error, action });
            }
        }
        steps
    }

    fn pattern(&mut self, place: &Place, text: &str) -> Option<Pattern> {
        Pattern::new(text)
            .map_err(|error| {
                let help = "the syntax is that of Rust's regex crate, without look-around";
                self.report("invalid_value", place, error.to_string(), help);
            })
            .ok()
    }

    fn action(&mut self, place: &Place, table: &HookTable, point: Point) -> Option<StepAction> {
        let validates = !table.require.is_empty() || !table.ranges.is_empty();
        let does = [
            validates,
            table.limit.is_some(),
            !table.set.is_empty(),
            table.lookup.is_some(),
            !table.relabel.is_empty(),
        ];
        if does.iter().filter(|does| **does).count() != 1 {
            let message = format!("hook `{}` must do one thing", table.name);
            let help = "give one of: `require` and `ranges`, `limit`, `set`, `lookup`, `relabel`";
            self.report("conflict", place, message, help);
            return None;
        }
        if let Some(limit) = &table.limit {
            let per = match limit.per {
                PerWord::All => Per::All,
                PerWord::Kind => Per::Kind,
                PerWord::Source => Per::Source,
                PerWord::Cluster => Per::Cluster,
            };
            let config = LimiterConfig { rate_per_second: limit.per_second, burst: limit.burst };
            return match RateLimit::new(config, per) {
                Ok(limit) => Some(StepAction::Limit(limit)),
                Err(faults) => {
                    for fault in faults {
                        let key = if fault.setting == "burst" { "burst" } else { "per_second" };
                        let message = format!("`{key}` is {}", fault.value);
                        let help = format!("allowed: {}", fault.allowed);
                        self.report("out_of_range", &place.key("limit").key(key), message, &help);
                    }
                    None
                }
            };
        }
        if let Some(lookup) = &table.lookup {
            return self.lookup(&place.key("lookup"), lookup, point).map(StepAction::Lookup);
        }
        if !table.set.is_empty() {
            let set = self.values(&place.key("set"), &table.set, point);
            return Some(StepAction::Set(StaticTags { set }));
        }
        if !table.relabel.is_empty() {
            let rules = table.relabel.iter().enumerate().filter_map(|(number, rule)| {
                self.rule(&place.key("relabel").at(number), rule, point)
            });
            return Some(StepAction::Relabel(Relabel { rules: rules.collect() }));
        }
        for (name, [least, most]) in &table.ranges {
            if least > most || least.is_nan() || most.is_nan() {
                let message = format!("nothing is within {least} to {most}");
                let help = "write [least, most]";
                self.report("out_of_range", &place.key("ranges").key(name), message, help);
            }
        }
        let ranges = table.ranges.iter();
        let ranges = ranges.map(|(name, [least, most])| (name.clone(), *least..=*most)).collect();
        Some(StepAction::Validate(Validation { required: table.require.clone(), ranges }))
    }

    /// Whether a hook at `point` may set `name`.
    fn target(&mut self, place: &Place, name: &str, point: Point) {
        if point == Point::BeforeTransform {
            if matches!(name, "topicName" | "consumerGroup" | "brokerId") {
                let message = format!("`{name}` identifies the sample");
                let help =
                    "only `clusterName` and fields can be rewritten before the transformation";
                self.report("invalid_value", place, message, help);
            }
            return;
        }
        if let Some(key) = name.strip_prefix("tags.") {
            let fixed = self.tables.tags.contains_key(key)
                || (key == "environment" && self.tables.environment.is_some());
            if fixed || key.is_empty() {
                let message = format!("`{name}` is set for all events already");
                let help = "remove it from the tags of [pipeline], or choose another key";
                self.report("conflict", place, message, help);
            }
            return;
        }
        let taken = EntityKind::ALL.into_iter().find(|kind| is_event_name(*kind, name));
        let own = self.tables.metrics.iter().any(|metric| metric.name == name)
            || self.tables.mappings.iter().any(|mapping| mapping.target == name);
        if let Some(kind) = taken {
            let message = format!("events of a {} have `{name}` already", kind_word(kind));
            self.report("conflict", place, message, "choose a name of its own, or `tags.KEY`");
        } else if own {
            let message = format!("`{name}` is a metric of this file");
            self.report("conflict", place, message, "choose a name of its own, or `tags.KEY`");
        } else if let Err((message, help)) = check_name(EntityKind::Broker, name) {
            self.report("invalid_value", place, message, &help);
        }
    }

    fn values(
        &mut self,
        place: &Place,
        values: &BTreeMap<String, String>,
        point: Point,
    ) -> Vec<(Arc<str>, String)> {
        for (name, value) in values {
            self.target(&place.key(name), name, point);
            if value.is_empty() {
                let message = format!("`{name}` is empty");
                let help = "give a text, or leave the attribute out";
                self.report("invalid_value", &place.key(name), message, help);
            }
        }
        values.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect()
    }

    fn lookup(&mut self, place: &Place, table: &LookupTable, point: Point) -> Option<Lookup> {
        if table.drop_missing && !table.fallback.is_empty() {
            let message = "`fallback` and `drop_missing` are both given".to_owned();
            let help = "what is dropped needs no fallback: remove one";
            self.report("conflict", &place.key("fallback"), message, help);
        }
        let rows = match &table.file {
            Some(name) => self.rows_of_file(&place.key("file"), name, table, point),
            None => self.rows(place, table, point),
        };
        let fallback = self.values(&place.key("fallback"), &table.fallback, point);
        let (key, drop_missing) = (table.key.clone(), table.drop_missing);
        Some(Lookup { key, table: rows, fallback, drop_missing })
    }

    fn rows(
        &mut self,
        place: &Place,
        table: &LookupTable,
        point: Point,
    ) -> BTreeMap<String, Values> {
        if table.rows.is_empty() {
            let message = "a table without rows".to_owned();
            let help = "for example rows = { orders = { \"tags.owner\" = \"shop\" } }, or \
                        file = \"owners.csv\"";
            self.report("missing_key", place, message, help);
        }
        let rows = table.rows.iter().map(|(value, row)| {
            (value.clone(), self.values(&place.key("rows").key(value), row, point))
        });
        rows.collect()
    }

    /// The rows of the file called `name`, which stands at `place`.
    fn rows_of_file(
        &mut self,
        place: &Place,
        name: &str,
        table: &LookupTable,
        point: Point,
    ) -> BTreeMap<String, Values> {
        if !table.rows.is_empty() {
            let message = "`file` and `rows` are both given".to_owned();
            self.report("conflict", place, message, "keep the rows in one place");
        }
        let Some(files) = self.files else {
            let message = "a scenario reads no other file".to_owned();
            self.report("invalid_value", place, message, "write the rows into `rows`");
            return BTreeMap::new();
        };
        let read = files(name).map_err(|message| {
            let help = "`file` is relative to the folder of the configuration";
            self.report("unreadable", place, message, help);
        });
        let Ok((shown, text)) = read else { return BTreeMap::new() };
        let rows = match lookup_file::parse(&shown, &text) {
            Ok(rows) => rows,
            Err(problems) => {
                for problem in problems {
                    let message = format!("{shown}:{}: {}", problem.line, problem.message);
                    self.report("invalid_row", place, message, &problem.help);
                }
                return BTreeMap::new();
            }
        };
        for (attribute, line) in &rows.names {
            let first = self.problems.len();
            self.target(place, attribute, point);
            for problem in &mut self.problems[first..] {
                problem.message = format!("{shown}:{line}: {}", problem.message);
            }
        }
        rows.rows
    }

    fn rule(&mut self, place: &Place, table: &RelabelTable, point: Point) -> Option<RelabelRule> {
        let pattern = self.pattern(&place.key("regex"), &table.regex);
        let action = match (table.action, &table.target) {
            (RelabelAction::Keep, None) => Action::Keep,
            (RelabelAction::Drop, None) => Action::Drop,
            (RelabelAction::Replace, Some(target)) => {
                self.target(&place.key("target"), target, point);
                let target = target.as_str().into();
                Action::Replace { target, replacement: table.replacement.clone() }
            }
            (RelabelAction::Remove, Some(target)) => {
                Action::Remove { target: target.as_str().into() }
            }
            (RelabelAction::Replace | RelabelAction::Remove, None) => {
                let message = "the rule has no target".to_owned();
                self.report("missing_key", place, message, "name the attribute in `target`");
                return None;
            }
            (RelabelAction::Keep | RelabelAction::Drop, Some(_)) => {
                let message = "`target` means nothing here".to_owned();
                self.report("conflict", &place.key("target"), message, "remove it");
                return None;
            }
        };
        let (source, separator) = (table.source.clone(), table.separator.clone());
        Some(RelabelRule { source, separator, pattern: pattern?, action })
    }
}

const fn combine_of(word: CombineWord) -> Combine {
    match word {
        CombineWord::Sum => Combine::Sum,
        CombineWord::Mean => Combine::Mean,
        CombineWord::Min => Combine::Min,
        CombineWord::Max => Combine::Max,
        CombineWord::Last => Combine::Last,
    }
}
