//! YAML to values of a schema, under the limits of the tree.

use serde::de::DeserializeOwned;
use serde_saphyr::Error;

use super::yaml::{problem, read, spaces_for_tabs};
use super::{FILE_BYTES_MAX, nearest};
use crate::definitions::error::{DefinitionError, Place};
use crate::definitions::source::Source;

/// Reads the one document of `source`; unknown and missing keys are errors with a fix.
pub(in crate::definitions) fn typed<T: DeserializeOwned>(
    source: Source<'_>,
) -> Result<T, DefinitionError> {
    if source.text.len() > FILE_BYTES_MAX {
        let problem = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        let fix = "split it, or remove what does not belong in it";
        return Err(DefinitionError::error(Place::file(source.path), "file-size", problem, fix));
    }
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
    read(text)
        .or_else(|error| match spaces_for_tabs(text) {
            Some(text) => read(&text),
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
