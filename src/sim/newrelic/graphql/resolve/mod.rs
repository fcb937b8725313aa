//! Which fields are computed, and how.
//!
//! Invariants:
//! - A resolver locks the service briefly and never while another one runs.
//! - What a key may not see does not exist for it.

mod actor;
mod alert;
mod dashboard;
mod edit;
mod entity;
mod facets;
mod golden;
mod nrql;
mod search;
mod service_level;

use std::any::Any;

use async_graphql::Value;
use async_graphql::dynamic::FieldValue;
use serde_json::{Map, Value as Json};

use super::failure::Failure;
use super::session::Session;

/// What a resolver is asked.
pub(super) struct Call<'a> {
    pub(super) session: &'a Session,
    /// The object that the field belongs to.
    pub(super) parent: &'a FieldValue<'a>,
    /// Arguments, defaults filled in; the schema has checked their types.
    pub(super) args: Map<String, Json>,
}

impl Call<'_> {
    /// A field of the parent.
    fn parent(&self, name: &str) -> Option<&Value> {
        match self.parent.as_value() {
            Some(Value::Object(fields)) => fields.get(name),
            _ => None,
        }
    }

    fn parent_text(&self, name: &str) -> Option<&str> {
        match self.parent(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.args.get(name).and_then(Json::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.args.get(name).and_then(Json::as_i64)
    }

    fn list(&self, name: &str) -> &[Json] {
        self.args.get(name).and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }
}

/// What a resolver answers.
pub(super) enum Answer {
    /// Data as it is shown.
    Value(Value),
    /// Something that the resolvers of its fields know.
    Own(Box<dyn Any + Send + Sync>),
}

impl Answer {
    const NULL: Self = Self::Value(Value::Null);

    fn json(json: Json) -> Self {
        // Every JSON value is a GraphQL value.
        Self::Value(Value::from_json(json).unwrap_or_default())
    }
}

/// Computes a field.
pub(super) type Resolver = fn(&Call<'_>) -> Result<Answer, Failure>;

/// The resolver of a field of `object`; `None` when it is read from its parent by name.
pub(super) fn find(object: &str, implements: &[&str], field: &str) -> Option<Resolver> {
    let is = |interface: &str| implements.contains(&interface);
    actor::find(object, field)
        .or_else(|| nrql::find(object, field))
        .or_else(|| search::find(object, field))
        .or_else(|| entity::find_root(object, field))
        .or_else(|| edit::find(object, field))
        .or_else(|| golden::find_root(object, field))
        .or_else(|| dashboard::find(object, field))
        .or_else(|| alert::find(object, field))
        .or_else(|| service_level::find_root(object, field))
        .or_else(|| is("Entity").then(|| service_level::find(field)).flatten())
        .or_else(|| {
            (is("Entity") || is("EntityOutline"))
                .then(|| entity::find(field).or_else(|| golden::find(field)))
                .flatten()
        })
}
