//! Errors of documents in the words of the live service.
//!
//! It speaks as Absinthe does, a GraphQL toolkit whose texts are public; where it says nothing
//! comparable, the sentence stays as the checker wrote it.

use async_graphql::{PathSegment, ServerError};
use serde_json::{Value as Json, json};

/// `errors` of a document that cannot be read.
pub(super) fn syntax_error(query: &str, error: &async_graphql::parser::Error) -> Json {
    let Some(position) = error.positions().next() else {
        return json!([{"message": format!("syntax error: {error}")}]);
    };
    let rest = query
        .lines()
        .nth(position.line.saturating_sub(1))
        .map(|line| line.chars().skip(position.column.saturating_sub(1)));
    let before: String = rest
        .into_iter()
        .flatten()
        .enumerate()
        .take_while(|(number, c)| *number < 20 && (*number == 0 || c.is_alphanumeric()))
        .map(|(_, c)| c)
        .collect();
    let message = if before.trim().is_empty() {
        "syntax error before: the end of the line".to_owned()
    } else {
        format!("syntax error before: \"{before}\"")
    };
    let places = json!([{"line": position.line, "column": position.column}]);
    json!([{"message": message, "locations": places}])
}

/// One error as JSON.
pub(super) fn error(error: &ServerError) -> Json {
    let mut shown = serde_json::Map::new();
    shown.insert("message".to_owned(), message(&error.message).into());
    if !error.locations.is_empty() {
        let places = error.locations.iter();
        let places = places.map(|place| json!({"line": place.line, "column": place.column}));
        shown.insert("locations".to_owned(), places.collect());
    }
    if !error.path.is_empty() {
        let segments = error.path.iter().map(|segment| match segment {
            PathSegment::Field(name) => Json::from(name.as_str()),
            PathSegment::Index(index) => Json::from(*index),
        });
        shown.insert("path".to_owned(), segments.collect());
    }
    if let Some(extensions) = &error.extensions {
        shown.insert("extensions".to_owned(), serde_json::to_value(extensions).unwrap_or_default());
    }
    Json::Object(shown)
}

/// What the checker says, as the live service would.
fn message(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("Unknown field ") {
        return format!("Cannot query field {rest}");
    }
    if let Some(rest) = text.strip_prefix("Invalid value for argument \"") {
        let path = rest.split('"').next().unwrap_or_default();
        let argument = path.split('.').next().unwrap_or_default();
        let detail = rest.get(path.len() + 1..).unwrap_or_default().trim_start_matches(", ");
        let inside = if path == argument { String::new() } else { format!(" in {path}") };
        return format!("Argument \"{argument}\" has invalid value{inside}: {detail}.");
    }
    text.to_owned()
}
