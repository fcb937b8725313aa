//! YAML to values of a schema, under the limits of the tree.

use serde::de::DeserializeOwned;
use serde_saphyr::{DuplicateKeyPolicy, Error};

use super::yaml::{problem, read, spaces_for_tabs};
use super::{FILE_BYTES_MAX, nearest, too_large};
use crate::definitions::error::DefinitionError;
use crate::definitions::source::Source;

/// Reads the one document of `source`; unknown and missing keys are errors with a fix.
pub(in crate::definitions) fn typed<T: DeserializeOwned>(
    source: Source<'_>,
) -> Result<T, DefinitionError> {
    if source.text.len() > FILE_BYTES_MAX {
        return Err(too_large(source));
    }
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
    read(text, DuplicateKeyPolicy::Error)
        .or_else(|error| match spaces_for_tabs(text) {
            Some(text) => read(&text, DuplicateKeyPolicy::Error),
            None => Err(error),
        })
        .map_err(|error| explained(source, error.without_snippet()))
}

fn explained(source: Source<'_>, error: &Error) -> DefinitionError {
    let place = problem(source, error).place;
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let fix = match nearest(field, expected.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", expected.join(", ")),
            };
            DefinitionError::error(place, "unknown-key", format!("unknown key `{field}`"), fix)
        }
        Error::SerdeMissingField { field, .. } => {
            let problem = format!("key `{field}` is missing");
            DefinitionError::error(place, "missing-key", problem, format!("add `{field}:`"))
        }
        other => problem(source, other),
    }
}
