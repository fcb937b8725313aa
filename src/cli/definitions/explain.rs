//! `shakedown definitions explain`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Files, FolderArgs, no_such_type, tell_problems};
use crate::cli::{Exit, ReportFormat, complain, input, print, print_json};
use crate::definitions::relationship::{Applied, NoEntities, PointEntity};
use crate::definitions::{
    Definitions, ExplainOptions, Explanation, Match, NearMiss, Point, explain, golden_queries,
    json_attributes,
};
use crate::domain::account::AccountId;

/// Arguments of `shakedown definitions explain`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 ok, 1 a point makes no entity, 2 usage, 3 a file\n\
    is not valid.\n\
    Example: shakedown definitions explain fixtures/definitions point.json --event-type Log")]
pub struct ExplainArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// A JSON file with a data point, or a list of them; - is standard input.
    #[arg(value_name = "POINT.json")]
    point: PathBuf,
    /// The kind of event, such as Metric, of points without an eventType; that of a file in a
    /// `tests` folder is the file's name.
    #[arg(long, value_name = "NAME")]
    event_type: Option<String>,
    /// Explains every rule of this type, such as KAFKABROKER or INFRA-KAFKABROKER, and no other.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// The account in GUIDs, a number of 1 to 10 digits.
    #[arg(long, value_name = "ID", default_value = "1")]
    account: AccountId,
    /// Near misses per point.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=64))]
    near: u8,
    /// How the explanation is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

impl ExplainArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let files = match Files::read(&self.folder.folder) {
            Ok(files) => files,
            Err(exit) => return exit,
        };
        if let Err(exit) = files.hold_definitions(&self.folder.folder) {
            return exit;
        }
        let (definitions, problems) =
            Definitions::load_lenient(files.sources(), self.folder.view());
        let points = match input::text_or_stdin(&self.point)
            .map_err(|error| error.to_string())
            .and_then(|(name, text)| points(&name, &text))
        {
            Ok(points) => points,
            Err(error) => {
                complain(&error);
                return Exit::InvalidFile;
            }
        };
        if let Some(unknown) = unknown(&definitions, &self.types) {
            complain(&unknown);
            return Exit::Usage;
        }
        // What is left out cannot match: the reader must know, or would search in vain.
        tell_problems(&problems);
        let event_type = self.event_type.clone().or_else(|| test_name(&self.point));
        let event_type = event_type.unwrap_or_default();
        let options = ExplainOptions {
            types: self.types.clone(),
            near_max: self.near.into(),
            account: self.account.get(),
        };
        let report = Report::new(&definitions, &points, &event_type, &options);
        let told = match self.format {
            ReportFormat::Text => print(&report.text),
            ReportFormat::Json => print_json(&report.json),
        };
        let broken = !problems.is_empty() || files.unreadable > 0;
        let outcome = if report.matched { Exit::Ok } else { Exit::Failed };
        outcome.or(if broken { Exit::InvalidFile } else { Exit::Ok }).or(told)
    }
}

/// The data points of a file.
fn points(name: &str, text: &str) -> Result<Vec<Map<String, Value>>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column().max(1));
        let told = error.to_string();
        let told = told.split(" at line ").next().unwrap_or_default();
        format!("{name}:{line}:{column}: {told}\nhelp: write a JSON object, or a list of them")
    })?;
    let refuse = |what: &str| {
        format!("{name}: {what}\nhelp: write a data point as a JSON object, or a list of them")
    };
    match value {
        Value::Object(point) => Ok(vec![point]),
        Value::Array(values) if values.is_empty() => Err(refuse("the list is empty")),
        Value::Array(values) => values
            .into_iter()
            .enumerate()
            .map(|(at, value)| match value {
                Value::Object(point) => Ok(point),
                _ => Err(refuse(&format!("item #{} is no object", at + 1))),
            })
            .collect(),
        _ => Err(refuse("the file holds no object")),
    }
}

/// `tests/KafkaBrokerSample.stg.json` holds points of KafkaBrokerSample.
fn test_name(path: &Path) -> Option<String> {
    let folder = path.parent()?.file_name()?;
    let stem = path.file_name()?.to_str()?.strip_suffix(".json")?;
    (folder == "tests").then(|| stem.strip_suffix(".stg").unwrap_or(stem).to_owned())
}

fn unknown(definitions: &Definitions, types: &[String]) -> Option<String> {
    let all = || definitions.definitions().iter();
    let known = |name: &&String| {
        all().any(|one| {
            name.eq_ignore_ascii_case(&one.entity_type)
                || name.eq_ignore_ascii_case(&one.domain_type())
        })
    };
    let name = types.iter().find(|name| !known(name))?;
    Some(no_such_type(definitions, name))
}

/// What is told of all points, in both forms.
struct Report {
    text: String,
    json: Value,
    matched: bool,
}

impl Report {
    fn new(
        definitions: &Definitions,
        points: &[Map<String, Value>],
        event_type: &str,
        options: &ExplainOptions,
    ) -> Self {
        let mut report = Self { text: String::new(), json: Value::Null, matched: false };
        let mut list = Vec::new();
        for (at, point) in points.iter().enumerate() {
            let attributes = json_attributes(point);
            let point = Point { event_type, attributes: &attributes };
            let explained = explain(definitions, point, options);
            report.matched |= explained.stamped.is_none() && !explained.matches.is_empty();
            let entities = entities(&explained, options.account);
            let applied = relationships(definitions, point, &explained, &entities, options.account);
            let told = Told { number: at + 1, point, explained, entities, applied };
            if at > 0 {
                report.text.push('\n');
            }
            told.text(&mut report.text);
            list.push(told.json());
        }
        report.json = json!({ "matched": report.matched, "points": list });
        report
    }
}

/// GUIDs of the matches; a near miss has none.
fn entities(explained: &Explanation<'_>, account: u64) -> Vec<String> {
    explained.matches.iter().map(|found| found.guid(account).unwrap_or_default()).collect()
}

fn relationships<'a>(
    definitions: &'a Definitions,
    point: Point<'_>,
    explained: &Explanation<'_>,
    guids: &[String],
    account: u64,
) -> Applied<'a> {
    let entities: Vec<PointEntity<'_>> = explained
        .matches
        .iter()
        .zip(guids)
        .filter(|_| explained.stamped.is_none())
        .map(|(found, guid)| PointEntity {
            guid,
            name: &found.name,
            entity_type: &found.definition.entity_type,
            non_standard: found.rule.non_standard_attributes,
        })
        .collect();
    definitions.relationships().apply_reported(point, &entities, account, &NoEntities)
}

/// What is told of one point.
struct Told<'a> {
    number: usize,
    point: Point<'a>,
    explained: Explanation<'a>,
    entities: Vec<String>,
    applied: Applied<'a>,
}

impl Told<'_> {
    fn event_type(&self) -> String {
        self.point.get("eventType").map(|value| value.text().into_owned()).unwrap_or_default()
    }

    fn text(&self, out: &mut String) {
        let (number, event_type) = (self.number, self.event_type());
        let event_type = if event_type.is_empty() {
            "no event type: name it with --event-type".to_owned()
        } else {
            event_type
        };
        let made = match self.explained.matches.len() {
            0 => "no entity".to_owned(),
            1 => "1 entity".to_owned(),
            several => format!("{several} entities"),
        };
        let _ = writeln!(out, "point #{number} ({event_type}): {made}");
        if let Some(guid) = &self.explained.stamped {
            let _ = writeln!(
                out,
                "  the point carries entity.guid `{guid}`: it counts as synthesized already and \
                 makes nothing; without it:"
            );
        }
        for (found, guid) in self.explained.matches.iter().zip(&self.entities) {
            match_text(found, guid, out);
        }
        for miss in &self.explained.near {
            miss_text(miss, out);
        }
        match self.explained.near_more {
            0 => {}
            more => {
                let _ = writeln!(
                    out,
                    "  … and {more} more rules that are no nearer: --near shows more of them, \
                     --type all of a type"
                );
            }
        }
        if self.explained.matches.is_empty() && self.explained.near.is_empty() {
            let _ = writeln!(
                out,
                "  no rule comes near: the point meets no condition of any; --type explains those \
                 of a type"
            );
        }
        self.relationships_text(out);
    }

    fn relationships_text(&self, out: &mut String) {
        for found in &self.applied.matches {
            let _ = writeln!(
                out,
                "  ✓ {} {} {} by relationship rule {} ({}), for {}",
                found.source,
                found.relationship_type,
                found.target,
                found.rule.name,
                found.rule.place,
                span(found.expires),
            );
        }
        for missing in &self.applied.unresolved {
            let end = missing.end.map_or("conditions", |end| end.as_str());
            let _ = writeln!(
                out,
                "  ✗ relationship rule {} ({}): {end}: {}",
                missing.rule.name, missing.rule.place, missing.reason
            );
        }
    }

    fn json(&self) -> Value {
        let matches = self.explained.matches.iter().zip(&self.entities);
        let related = self.applied.matches.iter().map(|found| {
            json!({
                "rule": found.rule.name,
                "place": found.rule.place.to_string(),
                "source": *found.source,
                "type": found.relationship_type,
                "target": *found.target,
                "expiresSeconds": found.expires.as_secs(),
            })
        });
        let unresolved = self.applied.unresolved.iter().map(|missing| {
            json!({
                "rule": missing.rule.name,
                "place": missing.rule.place.to_string(),
                "end": missing.end.map(|end| end.as_str()),
                "reason": missing.reason.to_string(),
            })
        });
        json!({
            "number": self.number,
            "eventType": self.event_type(),
            "stamped": self.explained.stamped,
            "matches": matches.map(|(found, guid)| match_json(found, guid)).collect::<Vec<_>>(),
            "nearMisses": self.explained.near.iter().map(miss_json).collect::<Vec<_>>(),
            "moreNearMisses": self.explained.near_more,
            "relationships": related.collect::<Vec<_>>(),
            "unresolvedRelationships": unresolved.collect::<Vec<_>>(),
        })
    }
}

/// Whole hours, or minutes.
fn span(duration: std::time::Duration) -> String {
    let minutes = duration.as_secs() / 60;
    if minutes.is_multiple_of(60) {
        format!("{} h", minutes / 60)
    } else {
        format!("{minutes} min")
    }
}

fn expiry(found: &Match<'_>) -> String {
    match found.definition.expiration.lifetime() {
        Some(lifetime) => format!("{} after its last point at the earliest", span(lifetime)),
        None => "never by itself".to_owned(),
    }
}

fn match_text(found: &Match<'_>, guid: &str, out: &mut String) {
    let rule = found.rule;
    let _ = writeln!(
        out,
        "  ✓ {} by rule {} ({})",
        found.definition.domain_type(),
        rule.name,
        rule.place
    );
    let _ = writeln!(out, "      identifier  {}", found.identifier);
    let _ = writeln!(out, "      name        {}", found.name);
    let _ = writeln!(out, "      guid        {guid}");
    let _ = writeln!(out, "      expires     {}", expiry(found));
    for tag in &found.tags {
        let _ = write!(out, "      tag         {} = {}", tag.key, tag.value);
        let _ = match (tag.multi_value, tag.ttl) {
            (true, None) => writeln!(out),
            (true, Some(ttl)) => writeln!(out, "  (for {})", span(ttl)),
            (false, None) => writeln!(out, "  (replaces)"),
            (false, Some(ttl)) => writeln!(out, "  (replaces, for {})", span(ttl)),
        };
    }
    for (title, query) in golden_queries(found, guid) {
        let _ = writeln!(out, "      golden      {title}: {query}");
    }
}

fn miss_text(miss: &NearMiss<'_>, out: &mut String) {
    let _ = writeln!(
        out,
        "  ✗ {} by rule {} ({})",
        miss.definition.domain_type(),
        miss.rule.name,
        miss.rule.place
    );
    for step in &miss.steps {
        let mark = if step.holds { '✓' } else { '✗' };
        let _ = write!(out, "      {mark} {}", step.need);
        if !step.holds {
            let _ = match &step.actual {
                Some(actual) => write!(out, ": it is `{}`", brief(actual)),
                None => write!(out, ": missing"),
            };
            if let Some(hint) = &step.hint {
                let _ = write!(out, "; {hint}");
            }
        }
        out.push('\n');
    }
}

/// A value as a line of text has room for it.
fn brief(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let mut brief: String = text.chars().take(CHARACTERS_MAX).collect();
    if brief.len() < text.len() {
        brief.push('…');
    }
    brief.replace('\n', "\\n")
}

fn match_json(found: &Match<'_>, guid: &str) -> Value {
    let tags = found.tags.iter().map(|tag| {
        json!({
            "key": tag.key,
            "value": tag.value,
            "multiValue": tag.multi_value,
            "ttlSeconds": tag.ttl.map(|ttl| ttl.as_secs()),
        })
    });
    let golden = golden_queries(found, guid);
    let golden = golden.iter().map(|(title, query)| json!({ "title": title, "query": query }));
    json!({
        "type": found.definition.domain_type(),
        "rule": found.rule.name,
        "place": found.rule.place.to_string(),
        "identifier": found.identifier,
        "name": found.name,
        "guid": guid,
        "expiresSeconds": found.definition.expiration.lifetime().map(|span| span.as_secs()),
        "tags": tags.collect::<Vec<_>>(),
        "goldenMetrics": golden.collect::<Vec<_>>(),
    })
}

fn miss_json(miss: &NearMiss<'_>) -> Value {
    let steps = miss.steps.iter().map(|step| {
        json!({
            "need": step.need.to_string(),
            "holds": step.holds,
            "actual": step.actual,
            "hint": step.hint,
        })
    });
    json!({
        "type": miss.definition.domain_type(),
        "rule": miss.rule.name,
        "place": miss.rule.place.to_string(),
        "failed": miss.failed(),
        "steps": steps.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::View;

    fn report(point: &str, event_type: &str, options: &ExplainOptions) -> Report {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/definitions");
        let files = Files::read(&path).expect("a folder");
        let (definitions, problems) = Definitions::load_lenient(files.sources(), View::Production);
        assert!(problems.is_empty(), "{problems:?}");
        let points = points("p.json", point).expect("points");
        let mut report = Report::new(&definitions, &points, event_type, options);
        let here = format!("{}/", env!("CARGO_MANIFEST_DIR"));
        report.text = report.text.replace(&here, "");
        report
    }

    fn snapshot(name: &str, text: &str) {
        let mut settings = insta::Settings::clone_current();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        settings.set_snapshot_path(root.join("snapshots/definitions"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, text));
    }

    const TOPIC: &str = r#"{"eventType": "MessageQueue", "entityType": "MESSAGE_QUEUE_TOPIC",
        "entityIdentifier": "769ba2e17206fb0a188212509006f328", "provider": "kafka",
        "displayName": "checkout", "clusterName": "orders", "topicName": "checkout"}"#;

    #[test]
    fn a_match_is_told_whole() {
        let options = ExplainOptions { account: 1_234_567, ..Default::default() };
        let told = report(TOPIC, "", &options);
        assert!(told.matched);
        assert!(told.text.contains("✓ INFRA-MESSAGE_QUEUE_TOPIC by rule"), "{}", told.text);
        for part in [
            "identifier  769ba2e17206fb0a188212509006f328",
            "name        checkout",
            "tag         clusterName = orders",
            "expires     24 h after",
            "golden      ",
        ] {
            assert!(told.text.contains(part), "{part}: {}", told.text);
        }
        let guid = &told.json["points"][0]["matches"][0]["guid"];
        assert!(
            guid.as_str().is_some_and(|guid| guid.starts_with("MTIzNDU2N3xJTkZSQXxN")),
            "{guid}"
        );
    }

    #[test]
    fn near_misses_are_told_condition_by_condition() {
        let bad = TOPIC
            .replace("MessageQueue\"", "messagequeue\"")
            .replace("displayName", "display_name");
        let told = report(&bad, "", &ExplainOptions { near_max: 1, ..Default::default() });
        assert!(!told.matched);
        snapshot("explain_near", &told.text);
    }

    #[test]
    fn points_that_are_none_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = points("p.json", text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        };
        check("", "p.json:1:1: EOF while parsing a value");
        check("{\"a\": }", "p.json:1:7: expected value");
        check("[]", "p.json: the list is empty");
        check("7", "p.json: the file holds no object");
        check("[{}, 7]", "p.json: item #2 is no object");
        check(&"[".repeat(100_000), "p.json:1:128: recursion limit exceeded");
    }

    #[test]
    fn the_event_type_of_test_data_is_the_name_of_the_file() {
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(test_name(Path::new(path)).as_deref(), expected, "{path}");
        };
        check("x/tests/KafkaBrokerSample.json", Some("KafkaBrokerSample"));
        check("x/tests/KafkaClusterSample.stg.json", Some("KafkaClusterSample"));
        check("x/point.json", None);
        check("point.json", None);
    }

    #[test]
    fn a_stamped_point_matches_nothing() {
        let stamped = TOPIC.replacen('{', "{\"entity.guid\": \"MXxBfEJ8Mw\",", 1);
        let told = report(&stamped, "", &ExplainOptions::default());
        assert!(!told.matched);
        assert!(told.text.contains("counts as synthesized already"), "{}", told.text);
    }
}
