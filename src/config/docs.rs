//! The documents that are generated from the schema: `docs/CONFIG.md` and the JSON schema.

use serde_json::{Map, Value as Json};

use super::schema::PipelineFile;

/// JSON schema of `pipeline.toml`, for editors.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(PipelineFile);
    // A schema is JSON, so it can be written.
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}

const INTRODUCTION: &str = "\
# pipeline.toml

Generated from the types in `src/config/schema.rs`; a test keeps it so.

`shakedown pipeline --config pipeline.toml` reads it. Flags override the environment, the \
environment overrides the file, the file overrides the defaults. Durations and sizes are texts \
with a unit: `ms`, `s`, `min`, `h`, `d`, also as `1.5h` or `1min30s`; `B`, `kB`, `KiB`, \
`MB`, `MiB`, `GB`, `GiB`. An unknown key is an error. All problems of a file are reported \
at once, each with its place.

For completion and checks in an editor, begin the file with
`#:schema docs/schema/pipeline.schema.json`.

| variable | overrides |
| --- | --- |
| `NEW_RELIC_LICENSE_KEY` | `newrelic.license_key` |
| `NEW_RELIC_ACCOUNT_ID` | `newrelic.account_id` |
| `NEW_RELIC_REGION` | `newrelic.region` |
| `NEW_RELIC_INSIGHTS_BASE_URL` | `newrelic.base_url` |
";

/// `docs/CONFIG.md`.
pub fn markdown() -> String {
    let schema = schemars::schema_for!(PipelineFile);
    let schema = schema.as_value();
    let mut text = INTRODUCTION.to_owned();
    for (name, property) in properties(schema) {
        let (table, header) = match property.get("items") {
            Some(items) => (resolve(schema, items), format!("[[{name}]]")),
            None => (resolve(schema, property), format!("[{name}]")),
        };
        match tables_of_one_kind(schema, table) {
            Some(kind) => {
                push_head(&mut text, &format!("[{name}.…]"), property);
                text.push_str("| table | meaning |\n| --- | --- |\n");
                for (inner, property) in properties(table) {
                    let meaning = description(property);
                    text.push_str(&format!("| `[{name}.{inner}]` | {meaning} |\n"));
                }
                text.push_str("\nEach of them has these keys:\n\n");
                push_keys(&mut text, schema, kind);
                push_nested(&mut text, schema, &format!("{name}.…"), kind);
            }
            None => {
                push_head(&mut text, &header, property);
                push_keys(&mut text, schema, table);
                push_nested(&mut text, schema, name, table);
            }
        }
    }
    text
}

/// The tables within the table at `path`, and those within them.
fn push_nested(text: &mut String, root: &Json, path: &str, table: &Json) {
    for (key, property) in properties(table) {
        let Some((inner, is_array)) = table_of(root, property) else { continue };
        let path = format!("{path}.{key}");
        let header = if is_array { format!("[[{path}]]") } else { format!("[{path}]") };
        text.push_str(&format!("\n### `{header}`\n\n{}\n\n", description(property)));
        push_keys(text, root, inner);
        push_nested(text, root, &path, inner);
    }
}

/// The table with keys of its own that `property` is, and whether it is an array of such.
fn table_of<'s>(root: &'s Json, property: &'s Json) -> Option<(&'s Json, bool)> {
    let property = resolve(root, property);
    let first = property.get("anyOf").and_then(Json::as_array).and_then(|any| any.first());
    if let Some(first) = first {
        return table_of(root, first);
    }
    if let Some(items) = property.get("items") {
        return table_of(root, items).map(|(table, _)| (table, true));
    }
    property.get("properties").is_some().then_some((property, false))
}

/// The table that all values of `table` are, if they are tables of one kind.
fn tables_of_one_kind<'s>(root: &'s Json, table: &'s Json) -> Option<&'s Json> {
    let mut kinds = properties(table).map(|(_, property)| property.get("$ref"));
    let first = kinds.next()??;
    let kind = resolve(root, properties(table).next()?.1);
    (kinds.all(|kind| kind == Some(first)) && kind.get("properties").is_some()).then_some(kind)
}

fn push_head(text: &mut String, header: &str, property: &Json) {
    text.push_str(&format!("\n## `{header}`\n\n{}\n\n", description(property)));
}

fn push_keys(text: &mut String, root: &Json, table: &Json) {
    text.push_str("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    let required = table.get("required").and_then(Json::as_array);
    for (key, property) in properties(table) {
        let is_required =
            required.is_some_and(|names| names.iter().any(|name| name == key.as_str()));
        let default = match property.get("default") {
            _ if is_required => "required".to_owned(),
            None | Some(Json::Null) => String::new(),
            Some(default) => format!("`{default}`"),
        };
        text.push_str(&format!(
            "| `{key}` | {} | {default} | {}{} |\n",
            type_name(root, property),
            description(property),
            example(property),
        ));
    }
}

fn properties(schema: &Json) -> impl Iterator<Item = (&String, &Json)> {
    let properties = schema.get("properties").and_then(Json::as_object);
    properties.into_iter().flat_map(Map::iter)
}

/// `schema` with its reference followed.
fn resolve<'s>(root: &'s Json, schema: &'s Json) -> &'s Json {
    let name = schema.get("$ref").and_then(Json::as_str);
    let name = name.map(|name| name.trim_start_matches("#/$defs/"));
    name.and_then(|name| root.get("$defs")?.get(name)).unwrap_or(schema)
}

/// The description on one line.
fn description(property: &Json) -> String {
    let text = property.get("description").and_then(Json::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A key's own example; those of a whole format stand in the introduction.
fn example(property: &Json) -> String {
    if is_text_format(property) {
        return String::new();
    }
    let examples = property.get("examples").and_then(Json::as_array);
    match examples.and_then(|examples| examples.first()) {
        Some(example) => format!(" Example: `{example}`."),
        None => String::new(),
    }
}

fn is_text_format(property: &Json) -> bool {
    let format = property.get("format").and_then(Json::as_str);
    matches!(format, Some("duration" | "size" | "endpoint" | "window"))
}

/// Type and range, as a person would say it.
fn type_name(root: &Json, property: &Json) -> String {
    let property = resolve(root, property);
    let branches = property.get("anyOf").and_then(Json::as_array);
    if let Some(first) = branches.and_then(|branches| branches.first()) {
        return type_name(root, first);
    }
    let branches = property.get("oneOf").and_then(Json::as_array).into_iter().flatten();
    let listed = property.get("enum").and_then(Json::as_array).into_iter().flatten();
    let words = branches.filter_map(|branch| branch.get("const")).chain(listed);
    let words: Vec<String> =
        words.filter(|word| !word.is_null()).map(|word| format!("`{word}`")).collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    if is_text_format(property) {
        return property.get("format").and_then(Json::as_str).unwrap_or_default().to_owned();
    }
    let name = match property.get("type") {
        Some(Json::String(name)) => name.as_str(),
        Some(Json::Array(names)) => names.first().and_then(Json::as_str).unwrap_or_default(),
        _ => "",
    };
    match name {
        "array" => {
            let items = property.get("items").map(|items| type_name(root, items));
            format!("array of {}", items.unwrap_or_default())
        }
        "object" if property.get("properties").is_some() => "table".to_owned(),
        "object" => {
            let values = property.get("additionalProperties").map(|v| type_name(root, v));
            format!("table of {}", values.unwrap_or_default())
        }
        _ => match (property.get("minimum"), property.get("maximum")) {
            (Some(min), Some(max)) => format!("{name} {min}–{max}"),
            (Some(min), None) => format!("{name} ≥ {min}"),
            _ => name.to_owned(),
        },
    }
}
