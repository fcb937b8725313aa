//! The old form of answers, that of the Insights query API, which NerdGraph gives as `rawResponse`.
//!
//! Source: newrelic.md 4.4. Assumed: names of members that no published answer shows; the histogram
//! is a list of counts here.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::result::{Outcome, QueryResult, Row, row_json, value_json};
use super::value::Value;

/// What one value of a result is, as the old answers describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its key in results.
    pub key: Arc<str>,
    /// The function; `None` for computed values.
    pub function: Option<String>,
    /// What the function is of.
    pub attribute: Option<String>,
    /// After AS.
    pub alias: Option<String>,
}

impl Content {
    fn describe(&self) -> Json {
        let mut plain = Map::new();
        let function = self.function.clone().unwrap_or_else(|| "expression".to_owned());
        plain.insert("function".to_owned(), json!(function));
        if let Some(attribute) = &self.attribute {
            plain.insert("attribute".to_owned(), json!(attribute));
        }
        plain.insert("simple".to_owned(), json!(self.function.is_some()));
        match &self.alias {
            Some(alias) => json!({"function": "alias", "alias": alias, "contents": plain}),
            None => Json::Object(plain),
        }
    }

    /// The value with the name that the function gives it.
    fn result(&self, row: &Row) -> Json {
        let value = row.get(&self.key).unwrap_or(&Value::Null);
        let name = match self.function.as_deref() {
            Some("uniques") => "members",
            Some("percentile" | "median") => "percentiles",
            Some(function) => function,
            None => "result",
        };
        let value = match (name, value) {
            ("histogram", Value::Map(counts)) => {
                Json::Array(counts.values().map(value_json).collect())
            }
            _ => value_json(value),
        };
        json!({ name: value })
    }
}

impl QueryResult {
    /// The old form of the answer.
    pub fn raw_response(&self) -> Json {
        let mut raw = match (&self.current_results, &self.previous_results) {
            (Some(current), Some(previous)) => json!({
                "current": self.body(current),
                "previous": self.body(previous),
            }),
            _ => self.body(&self.results),
        };
        if let Some(members) = raw.as_object_mut() {
            members.insert("metadata".to_owned(), self.raw_metadata());
            members.insert(
                "performanceStats".to_owned(),
                json!({ "inspectedCount": self.inspected_count }),
            );
        }
        raw
    }

    fn body(&self, rows: &[Row]) -> Json {
        let contents = &self.metadata.contents;
        let series = rows.first().is_some_and(|row| row.contains_key("beginTimeSeconds"));
        if contents.is_empty() {
            let events: Vec<Json> = rows.iter().map(row_json).collect();
            return json!({ "results": [{ "events": events }] });
        }
        if self.metadata.facets.is_none() {
            return match rows {
                _ if series => json!({ "timeSeries": self.buckets(rows.iter()) }),
                [row] => json!({ "results": self.values(row) }),
                _ => json!({ "results": [] }),
            };
        }
        let mut facets: Vec<Json> = Vec::new();
        for of_one in rows.chunk_by(|one, next| one.get("facet") == next.get("facet")) {
            let Some(first) = of_one.first() else { continue };
            let name = first.get("facet").map_or(Json::Null, value_json);
            facets.push(if series {
                json!({ "name": name, "timeSeries": self.buckets(of_one.iter()) })
            } else {
                json!({ "name": name, "results": self.values(first) })
            });
        }
        json!({
            "facets": facets,
            "totalResult": self.outcome(self.total_result.as_ref()),
            "otherResult": self.outcome(self.other_result.as_ref()),
            "unknownGroup": self.outcome(self.unknown_group.as_ref()),
        })
    }

    fn values(&self, row: &Row) -> Json {
        self.metadata.contents.iter().map(|content| content.result(row)).collect()
    }

    fn buckets<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> Json {
        let time = |row: &Row, name: &str| row.get(name).map_or(Json::Null, value_json);
        rows.map(|row| {
            json!({
                "results": self.values(row),
                "beginTimeSeconds": time(row, "beginTimeSeconds"),
                "endTimeSeconds": time(row, "endTimeSeconds"),
            })
        })
        .collect()
    }

    fn outcome(&self, outcome: Option<&Outcome>) -> Json {
        match outcome {
            None => Json::Null,
            Some(Outcome::One(row)) => json!({ "results": self.values(row) }),
            Some(Outcome::Many(rows)) => json!({ "timeSeries": self.buckets(rows.iter()) }),
        }
    }

    fn raw_metadata(&self) -> Json {
        let window = &self.metadata.time_window;
        let instant = |millis: i64| {
            jiff::Timestamp::from_millisecond(millis).map_or(Json::Null, |at| json!(at.to_string()))
        };
        let contents: Vec<Json> = self.metadata.contents.iter().map(Content::describe).collect();
        let mut metadata = json!({
            "eventTypes": self.metadata.event_types,
            "eventType": self.metadata.event_types.first(),
            "beginTime": instant(window.begin.0),
            "endTime": instant(window.end.0),
            "beginTimeMillis": window.begin.0,
            "endTimeMillis": window.end.0,
            "rawSince": window.since,
            "rawUntil": window.until,
            "rawCompareWith": window.compare_with.as_deref().unwrap_or_default(),
            "messages": self.metadata.messages,
            "contents": contents,
        });
        if let (Some(facets), Some(members)) = (&self.metadata.facets, metadata.as_object_mut()) {
            members.insert(
                "facet".to_owned(),
                match facets.as_slice() {
                    [one] => json!(one),
                    several => json!(several),
                },
            );
        }
        metadata
    }
}
