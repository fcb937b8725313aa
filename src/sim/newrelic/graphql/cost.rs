//! What a document would cost, before anything of it is done.
//!
//! Every field counts as often as fragments spread it; fragments are weighed once each, so that a
//! document in which each spreads the next one twice is weighed as fast as it is read.
//!
//! Invariant: linear in the document, whatever it holds.

use std::collections::BTreeMap;

use async_graphql::Positioned;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// Deepest nesting of fields. Introspection as tools send it nests 13 deep.
const DEPTH_MAX: usize = 30;
/// Most fields, fragments expanded.
const FIELDS_MAX: u64 = 10_000;
/// Most fields of one name in one selection: aliases of one expensive field.
const ALIASES_MAX: usize = 200;

/// Why a document is not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooCostly {
    #[error("Query is nested too deep: {0} levels, {DEPTH_MAX} are allowed")]
    Depth(usize),
    #[error("Query is too complex: {0} fields, {FIELDS_MAX} are allowed")]
    Fields(u64),
    #[error("Field \"{0}\" is asked {1} times in one selection, {ALIASES_MAX} are allowed")]
    Aliases(String, usize),
}

#[derive(Clone, Copy, Default)]
struct Weight {
    fields: u64,
    depth: usize,
}

/// Weighs a document.
pub(super) fn check(document: &ExecutableDocument) -> Result<(), TooCostly> {
    let mut scale = Scale { document, fragments: BTreeMap::new() };
    for (_, operation) in document.operations.iter() {
        let weight = scale.weigh(&operation.node.selection_set, 0)?;
        if weight.depth > DEPTH_MAX {
            return Err(TooCostly::Depth(weight.depth));
        }
        if weight.fields > FIELDS_MAX {
            return Err(TooCostly::Fields(weight.fields));
        }
    }
    Ok(())
}

struct Scale<'a> {
    document: &'a ExecutableDocument,
    /// Known weights; a fragment that is being weighed counts nothing, so cycles end.
    fragments: BTreeMap<&'a str, Weight>,
}

impl<'a> Scale<'a> {
    fn weigh(
        &mut self,
        selection: &'a Positioned<SelectionSet>,
        depth: usize,
    ) -> Result<Weight, TooCostly> {
        // The parser bounds its own recursion; this is for fragments within fragments.
        if depth > DEPTH_MAX * 4 {
            return Err(TooCostly::Depth(depth));
        }
        let mut total = Weight::default();
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for item in &selection.node.items {
            let weight = match &item.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let seen = names.entry(name).or_default();
                    *seen += 1;
                    if *seen > ALIASES_MAX {
                        return Err(TooCostly::Aliases(name.to_owned(), *seen));
                    }
                    let inner = self.weigh(&field.node.selection_set, depth + 1)?;
                    Weight { fields: inner.fields.saturating_add(1), depth: inner.depth + 1 }
                }
                Selection::InlineFragment(inline) => {
                    self.weigh(&inline.node.selection_set, depth + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str(), depth + 1)?
                }
            };
            total.fields = total.fields.saturating_add(weight.fields);
            total.depth = total.depth.max(weight.depth);
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &str, depth: usize) -> Result<Weight, TooCostly> {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Weight::default());
        };
        if let Some(weight) = self.fragments.get(name.as_str()) {
            return Ok(*weight);
        }
        self.fragments.insert(name.as_str(), Weight::default());
        let weight = self.weigh(&fragment.node.selection_set, depth)?;
        self.fragments.insert(name.as_str(), weight);
        Ok(weight)
    }
}
