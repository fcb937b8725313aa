//! Relationship and candidate files to validated rules.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_saphyr::{Location, Spanned};

use super::candidates::Candidates;
use super::engine::RelationshipRules;
use super::model::{RelationshipRule, Resolver};
use super::schema::{RawCandidates, RawFile};
use crate::definitions::tree::typed;
use crate::definitions::{DefinitionError, Place, Source, View};

mod candidates;
mod resolver;
mod rule;

/// Whether `path` is `…relationships/synthesis/*.yml` or `…relationships/candidates/*.yml`.
pub fn is_relationship_file(path: &str) -> bool {
    kind_of(path).is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rules,
    Candidates,
}

fn kind_of(path: &str) -> Option<Kind> {
    let (folder, file) = path.rsplit_once('/')?;
    if !file.ends_with(".yml") && !file.ends_with(".yaml") {
        return None;
    }
    let here = |name: &str| {
        folder.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    if here("relationships/synthesis") {
        Some(Kind::Rules)
    } else {
        here("relationships/candidates").then_some(Kind::Candidates)
    }
}

/// Loads and checks the relationship files among `sources`; others are ignored. In the staging view
/// a `.stg.yml` replaces its sibling, in the production view it is left aside.
///
/// What is wrong with a file or rule comes second, each with its place and fix; the rules that are
/// right come first and may be used all the same.
pub fn load<'a>(
    sources: impl IntoIterator<Item = Source<'a>>,
    view: View,
) -> (RelationshipRules, Vec<DefinitionError>) {
    let mut files: BTreeMap<String, (Source<'a>, Kind, bool)> = BTreeMap::new();
    for source in sources {
        let Some(kind) = kind_of(source.path) else { continue };
        let base = source.path.replace(".stg.y", ".y");
        let staged = base != source.path;
        if staged && view == View::Production {
            continue;
        }
        let replaces = files.get(&base).is_none_or(|(_, _, other)| staged || !*other);
        if replaces {
            files.insert(base, (source, kind, staged));
        }
    }
    let mut loader = Loader::default();
    for (source, kind, _) in files.values() {
        match kind {
            Kind::Candidates => loader.candidate_file(*source),
            Kind::Rules => loader.rule_file(*source),
        }
    }
    loader.cross_check();
    (RelationshipRules::new(loader.rules, loader.candidates), loader.errors)
}

fn place(source: Source<'_>, at: Location) -> Place {
    Place { file: source.path.to_owned(), line: at.line(), column: at.column() }
}

#[derive(Default)]
struct Loader {
    errors: Vec<DefinitionError>,
    rules: Vec<RelationshipRule>,
    candidates: IndexMap<String, Candidates>,
    /// Files of candidates with faults, by the name that their category should have.
    faulty: BTreeSet<String>,
    /// Where each rule's name was first used.
    names: BTreeMap<String, Place>,
}

impl Loader {
    fn error(&mut self, place: Place, problem: impl Into<String>, fix: impl Into<String>) {
        self.errors.push(DefinitionError::error(place, "relationship", problem, fix));
    }

    fn warn(&mut self, place: Place, problem: impl Into<String>, fix: impl Into<String>) {
        self.errors.push(DefinitionError::warning(place, "relationship", problem, fix));
    }

    fn rule_file(&mut self, source: Source<'_>) {
        match typed::<RawFile>(source) {
            Ok(file) => {
                for raw in file.relationships {
                    if let Some(rule) = self.rule(source, raw) {
                        self.rules.push(rule);
                    }
                }
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn candidate_file(&mut self, source: Source<'_>) {
        let faults = self.errors.len();
        self.read_candidates(source);
        if self.errors.len() > faults {
            let name = source.path.rsplit(['/', '\\']).next().unwrap_or(source.path);
            self.faulty.extend(name.split('.').next().map(str::to_owned));
        }
    }

    fn read_candidates(&mut self, source: Source<'_>) {
        match typed::<RawCandidates>(source) {
            Ok(raw) => self.candidate_category(source, raw),
            Err(error) => self.errors.push(error),
        }
    }

    /// One word of a closed list.
    fn word<T: Copy>(
        &mut self,
        source: Source<'_>,
        what: &str,
        word: &Spanned<String>,
        known: &[(&str, T)],
    ) -> Option<T> {
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == word.value) {
            return Some(*value);
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let fix = nearest(&word.value, &names);
        self.error(place(source, word.referenced), format!("unknown {what} `{}`", word.value), fix);
        None
    }

    /// What rules and candidates say of each other.
    fn cross_check(&mut self) {
        let mut found = Vec::new();
        for rule in &self.rules {
            let lookup = [&rule.source, &rule.target].into_iter().find_map(|end| match end {
                Resolver::Lookup { category, fields } => Some((category, fields)),
                Resolver::Extract { .. } | Resolver::Build(_) => None,
            });
            let Some((category, fields)) = lookup else { continue };
            let Some(candidates) = self.candidates.get(category) else {
                // The fault of the file has been told; that nobody knows it follows from that.
                if self.faulty.contains(category) {
                    continue;
                }
                let names: Vec<&str> = self.candidates.keys().map(String::as_str).collect();
                let problem =
                    format!("rule `{}` looks among unknown candidates `{category}`", rule.name);
                found.push((true, rule.place.clone(), problem, nearest(category, &names)));
                continue;
            };
            let asked =
                || candidates.lookups.iter().flat_map(|l| l.predicates.iter().map(|p| &*p.field));
            for field in fields.iter().filter(|given| !asked().any(|f| f == given.field)) {
                let problem = format!(
                    "rule `{}` gives the field `{}`, which no lookup of {category} uses",
                    rule.name, field.field
                );
                let known: BTreeSet<&str> = asked().collect();
                let known: Vec<&str> = known.into_iter().collect();
                found.push((false, rule.place.clone(), problem, nearest(&field.field, &known)));
            }
        }
        for (is_error, place, problem, fix) in found {
            if is_error {
                self.error(place, problem, fix);
            } else {
                self.warn(place, problem, fix);
            }
        }
    }
}

/// The nearest of `known`, or all of them.
fn nearest(word: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()), name))
        .min()
        .filter(|(distance, _)| *distance <= 3 && *distance < word.chars().count());
    match near {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None if known.len() > 20 => format!("none of the {} known ones is near", known.len()),
        None => format!("use one of {}", known.join(", ")),
    }
}
