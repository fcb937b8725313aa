//! Errors of single fields, in the form that clients look for.

use async_graphql::{Context, Error, ErrorExtensionValues, ServerError, Value};

/// Why a field is null, or a remark about it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim::newrelic) struct Failure {
    message: String,
    /// `extensions.errorClass`.
    class: Option<&'static str>,
}

impl Failure {
    /// Something the service could not do; a wrong NRQL query counts as one.
    pub(in crate::sim::newrelic) fn server(message: impl Into<String>) -> Self {
        Self { message: message.into(), class: Some("SERVER_ERROR") }
    }

    /// An argument that makes no sense.
    pub(in crate::sim::newrelic) fn input(message: impl Into<String>) -> Self {
        Self { message: message.into(), class: Some("INVALID_INPUT") }
    }

    /// Something that the key may not see.
    pub(in crate::sim::newrelic) fn denied(message: impl Into<String>) -> Self {
        Self { message: message.into(), class: Some("ACCESS_DENIED") }
    }

    /// A query that ran too long.
    pub(in crate::sim::newrelic) fn timeout(message: impl Into<String>) -> Self {
        Self { message: message.into(), class: Some("TIMEOUT") }
    }

    /// More than a limit lets pass.
    pub(in crate::sim::newrelic) fn too_many(message: impl Into<String>) -> Self {
        Self { message: message.into(), class: Some("TOO_MANY_REQUESTS") }
    }

    /// The remark about a deprecated field; its data is given all the same.
    pub(super) fn deprecated(field: &str) -> Self {
        let message = match field {
            "relationships" => {
                "This field is deprecated! Please use `relatedEntities` instead.".to_owned()
            }
            other => format!("This field is deprecated! `{other}` will go away."),
        };
        Self { message, class: None }
    }

    fn extensions(&self) -> Option<ErrorExtensionValues> {
        let class = self.class?;
        let mut values = ErrorExtensionValues::default();
        values.set("errorClass", Value::from(class));
        Some(values)
    }

    /// For a field that may not be null: its nearest parent that may be is null instead.
    pub(super) fn into_error(self) -> Error {
        let extensions = self.extensions();
        let mut error = Error::new(self.message);
        error.extensions = extensions;
        error
    }

    /// Adds it to `errors` with the place and the path of the field.
    pub(super) fn report(self, context: &Context<'_>) {
        let extensions = self.extensions();
        let mut error = ServerError::new(self.message, Some(context.item.pos));
        error.extensions = extensions;
        context.add_error(context.set_error_path(error));
    }
}
