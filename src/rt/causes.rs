//! Errors as text, with their causes.

use std::error::Error;
use std::fmt::Write as _;

/// `error` and, after colons, its causes, outermost first.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
