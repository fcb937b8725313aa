//! Definition files to a set of validated definitions.

use super::check;
use super::error::{DefinitionError, Place, Severity};
use super::files;
use super::matching::RuleIndex;
use super::model::EntityDefinition;
use super::relationship::{self, RelationshipRules};
use super::source::{Folder, Source, View};

/// A set of definitions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Definitions {
    definitions: Vec<EntityDefinition>,
    relationships: RelationshipRules,
    /// Their rules, filed by what they need.
    pub(super) rule_index: RuleIndex,
}

impl Definitions {
    /// Loads and checks `sources` as production sees them; files that are no part of the language
    /// are ignored.
    ///
    /// # Errors
    /// Every problem found, in the order of files and lines; warnings are none.
    pub fn load<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
    ) -> Result<Self, Vec<DefinitionError>> {
        match Self::load_lenient(sources, View::Production) {
            (definitions, errors) if errors.is_empty() => Ok(definitions),
            (_, errors) => Err(errors),
        }
    }

    /// Loads what can be loaded of `sources` as `view` shows them: what is bad is left out and
    /// reported (without warnings), the rest serves.
    ///
    /// Left out is the smallest part that makes sense: a rule, a metric, a dashboard, a test file;
    /// a whole definition only when its file is no YAML or lacks domain and type.
    pub fn load_lenient<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        view: View,
    ) -> (Self, Vec<DefinitionError>) {
        let (definitions, mut problems) = Self::check(sources, view);
        problems.retain(|problem| problem.severity == Severity::Error);
        (definitions, problems)
    }

    /// Loads what can be loaded, and reports problems and warnings, in the order of files and
    /// lines.
    pub fn check<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        view: View,
    ) -> (Self, Vec<DefinitionError>) {
        let sources: Vec<Source<'a>> = sources.into_iter().collect();
        let mut problems = Vec::new();
        let mut definitions = Vec::new();
        let folders = Folder::all(sources.iter().copied());
        for (path, folder) in &folders {
            if let Some(source) = folder.yaml("definition", view) {
                definitions.extend(files::definition(path, source, folder, view, &mut problems));
            } else if !folder.is_defined() {
                let place = folder.any_file().map_or(*path, |source| source.path);
                problems.push(DefinitionError::error(
                    Place::file(place),
                    "definition-missing",
                    format!("folder `{path}` holds no definition.yml"),
                    "add one, or remove the folder",
                ));
            }
        }
        let (relationships, found) = relationship::load(sources, view);
        problems.extend(found);
        let mut set = Self::of(definitions);
        set.relationships = relationships;
        let defined = folders.iter().filter(|(_, folder)| folder.is_defined());
        let defined = defined.filter_map(|(path, _)| path.rsplit('/').next()).collect();
        check::across(&set, &defined, &mut problems);
        problems.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
        (set, problems)
    }

    /// A set of definitions that were made elsewhere, taken as they are.
    pub fn of(definitions: Vec<EntityDefinition>) -> Self {
        let rule_index = RuleIndex::new(&definitions);
        Self { definitions, relationships: RelationshipRules::default(), rule_index }
    }

    /// The definitions, by folder.
    pub fn definitions(&self) -> &[EntityDefinition] {
        &self.definitions
    }

    /// The definition of a type.
    pub fn get(&self, domain: &str, entity_type: &str) -> Option<&EntityDefinition> {
        self.definitions.iter().find(|d| d.domain == domain && d.entity_type == entity_type)
    }

    /// Relationship rules and candidates.
    pub fn relationships(&self) -> &RelationshipRules {
        &self.relationships
    }
}
