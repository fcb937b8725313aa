//! A JSON document as the same tree that a TOML document gives, with the same spans.

use std::collections::BTreeMap;
use std::ops::Range;

use jsonc_parser::ast::{ObjectProp, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::Problem;
use super::tree::{Entry, Node, Value};

/// JSON as RFC 8259 has it, none of the extensions that the parser knows.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The tree of `text`.
///
/// # Errors
/// The first error of syntax, or every key that is given twice.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let syntax = |message: String, span: Range<usize>, help: &str| {
        vec![Problem { rule: "syntax", message, span, help: Some(help.to_owned()) }]
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
        let range = error.range();
        let mut message = error.kind().to_string();
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let help = "write JSON as RFC 8259 has it: no comments, no comma after the last element";
        syntax(message, range.start..range.end.min(text.len()), help)
    })?;
    let Some(root) = parsed.value else {
        return Err(syntax("the file is empty".to_owned(), 0..0, "write one JSON object"));
    };
    let mut twice = Vec::new();
    let root = node(&root, &mut twice);
    if twice.is_empty() { Ok(root) } else { Err(twice) }
}

fn span(of: &impl Ranged) -> Range<usize> {
    of.start()..of.end()
}

fn node(ast: &Ast<'_>, twice: &mut Vec<Problem>) -> Node {
    let value = match ast {
        Ast::StringLit(text) => Value::String(text.value.to_string()),
        Ast::NumberLit(number) => number_of(number.value),
        Ast::BooleanLit(_) => Value::Boolean,
        Ast::NullKeyword(_) => Value::Null,
        Ast::Array(array) => {
            Value::Array(array.elements.iter().map(|item| node(item, twice)).collect())
        }
        Ast::Object(object) => Value::Table(table(&object.properties, twice)),
    };
    Node { span: span(ast), value }
}

fn table(properties: &[ObjectProp<'_>], twice: &mut Vec<Problem>) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    for property in properties {
        let (name, key_span) = (property.name.as_str().to_owned(), span(&property.name));
        let entry = Entry { key_span: key_span.clone(), node: node(&property.value, twice) };
        let message = format!("key `{name}` is given twice");
        if entries.insert(name, entry).is_some() {
            let help = Some("keep one of them".to_owned());
            twice.push(Problem { rule: "syntax", message, span: key_span, help });
        }
    }
    entries
}

/// A whole number if it is written as one.
fn number_of(text: &str) -> Value {
    match text.parse() {
        Ok(integer) => Value::Integer(integer),
        Err(_) => Value::Float(text.parse().unwrap_or(f64::NAN)),
    }
}

/// What a serde_json error says, without the place, which is told otherwise.
pub(super) fn message_of(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The place of a serde_json error in `text`: its column counts bytes from 1.
pub(super) fn place_of(error: &serde_json::Error, text: &str) -> Range<usize> {
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = (before + error.column().saturating_sub(1)).min(text.len());
    let end = text[..].ceil_char_boundary((at + 1).min(text.len()));
    text.floor_char_boundary(at)..end
}
